"""Answer and its parts: plain values, exact by construction. Knows no index, no model and no front end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from typing import TYPE_CHECKING, Any, Self

from index.article import Article, Span
from index.errors import InputError
from index.place import Place
from index.place import of_words as place_of_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from index.hit import Hit


class Reason(StrEnum):
    """Why an answer is refused or incomplete. The value is what `Answer.reason` holds and what is shown."""

    NOTHING_RELEVANT = "nothing relevant found"
    NOT_ANSWERED = "relevant articles found, but they do not say"
    UNSUPPORTED = "the drafted answer is not supported by the articles"
    OTHER_LANGUAGE = "the question is in another language than the articles"
    UNCLEAR = "the question is unclear"
    PARTLY = "partly answered"
    FILTERED_OUT = "no article passes the filter"
    EMPTY_INDEX = "no articles are indexed"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    """How a claim stands, in the words that are shown."""

    SUPPORTED = "supported"
    PARTLY = "partly supported"
    UNSUPPORTED = "not supported"


_PUNCTUATION = re.compile(r"[\\`*_{}\[\]()#~|!$^:@=]|^[-+]|(?<=^\d)[.)]|(?<=^\d\d)[.)]")
"""Characters that begin or end markup in Markdown, with the markers of a list at the start of a line."""

CANNOT_ANSWER = "The articles do not say."
"""What the instructions ask the model to write when the passages hold no answer."""
FULLY = 0.75
"""Least support of a claim that is shown as supported without reserve."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange of a conversation. `kind` is that of its answer (see rag/kind.py)."""

    question: str
    answer: str
    kind: str = "fact"


@dataclass(frozen=True, slots=True)
class Source:
    """A passage the LLM saw, numbered from 1 in the order of relevance."""

    number: int
    hit: Hit

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        hit = self.hit
        return {
            "number": self.number,
            **_origin(hit.article),
            "start": hit.start,
            "end": hit.end,
            "text": hit.text,
            "page": hit.article.page_of(hit.start),
            "place": hit.article.place_of(hit.start, hit.end),
            "also_in": list(hit.also_in),
            "superseded_by": None if hit.superseded_by is None else hit.superseded_by.id,
            "score": round(hit.score, 4),
        }


@dataclass(frozen=True, slots=True)
class Citation:
    """The exact words of an article that a claim rests on: a span, so `quote` cannot differ from the article.

    `number` counts the distinct quotes of one answer from 1, in order of appearance.
    """

    number: int
    article: Article
    start: int
    end: int

    @property
    def quote(self) -> str:
        """`article.text[start:end]`."""
        return self.article.text[self.start : self.end]

    @property
    def article_id(self) -> str:
        """Id of the cited article."""
        return self.article.id

    @property
    def title(self) -> str | None:
        """Title of the cited article, where known."""
        return self.article.title

    @property
    def source(self) -> str | None:
        """Outlet of the cited article, where known."""
        return self.article.source

    @property
    def url(self) -> str | None:
        """Address of the original, where known."""
        return self.article.url

    @property
    def published(self) -> str | None:
        """ISO 8601 date of publication, where known."""
        return self.article.published

    @property
    def page(self) -> int | None:
        """The page of the original file on which the quote begins, counted from 1, where known."""
        return self.article.page_of(self.start)

    @property
    def place(self) -> str | None:
        """Where the quote stands in the original, where known: "p. 12", "pp. 12–13", "in “Results”"."""
        return self.article.place_of(self.start, self.end)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "number": self.number,
            **_origin(self.article),
            "start": self.start,
            "end": self.end,
            "quote": self.quote,
            "page": self.page,
            "place": self.place,
        }


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer and the quotes it rests on.

    `start` and `end` are offsets in `Answer.text`. `support` in [0, 1] says how far the quotes carry the
    sentence (see rag/grounding/support.py); a claim that is not `supported` is shown as such and carries no citation.
    One that is `verbatim` gives its quote in the article's own words.
    """

    text: str
    start: int
    end: int
    citations: tuple[Citation, ...] = ()
    support: float = 0.0
    supported: bool = False
    verbatim: bool = False

    @property
    def verdict(self) -> Verdict:
        """What `support` amounts to: a claim with citations is supported fully or partly, one without is not."""
        if not self.supported:
            return Verdict.UNSUPPORTED
        return Verdict.SUPPORTED if self.support >= FULLY else Verdict.PARTLY

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "citations": [citation.to_dict() for citation in self.citations],
            "support": round(self.support, 3),
            "supported": self.supported,
            "verdict": str(self.verdict),
            "verbatim": self.verbatim,
        }


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a disagreement: the words that differ, as they are written, and the sentence they stand in."""

    value: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Articles that tell one fact differently. `about` is what differs: number, date, name, polarity, or
    "version" where an older version of the document tells it differently; that has one side if only the older version
    tells it. `sides` are newest first, those without a date last."""

    about: str
    sides: tuple[Side, ...]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        sides = [{"value": side.value, "citation": side.citation.to_dict()} for side in self.sides]
        return {"about": self.about, "sides": sides}


@dataclass(frozen=True, slots=True)
class Section:
    """One row of an answer that has several: a dated entry of a timeline, an article of a list, a side of a comparison.

    `date` is an ISO 8601 date, as exact as it is known: 2022, 2022-10 or 2022-10-20. `article_id` is set where the row
    stands for one article. The claims are also in `Answer.claims`, with the same offsets in `Answer.text`. `mentions`
    is how often an article of a list has the name that was looked for.
    """

    heading: str
    date: str | None = None
    article_id: str | None = None
    claims: tuple[Claim, ...] = ()
    mentions: int | None = None

    @property
    def text(self) -> str:
        """The row as it stands in `Answer.text`: the heading on a line of its own, then the claims."""
        return "\n".join(filter(None, (self.heading, " ".join(claim.text for claim in self.claims))))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "heading": self.heading,
            "date": self.date,
            "article_id": self.article_id,
            "claims": [claim.to_dict() for claim in self.claims],
            "mentions": self.mentions,
        }


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What Citewire says, and what it rests on.

    A refusal has `refused` set, a `reason`, a calm sentence as `text` and no claims. A cancelled answer keeps
    what was written so far, with `reason` set to `Reason.CANCELLED`. A partial answer has Reason.PARTLY and names in
    `unanswered` what the articles do not say. `missing` names the shards of the index (docs/scale.md) that were not
    searched, or not as they are to be. `searched` is the query that was looked up, in the index of
    `generation`. `model` is the LLM's name and `model_sha256` the hash of its file, where the manifest has it.
    `signals` are what the decision to answer was made by (rag/grounding/answerability.py), `timings` seconds by stage.

    `kind` is the kind of question that was answered (rag/kind.py). Kinds that answer in rows have them in `sections`;
    `total` is how many rows there are, of which a limit may have left some out. `text` holds the rows as plain text.
    `counts` are numbers of articles by what was asked for, "outlet", "day", "month" or "year"; "" is for those of which
    it is not known.
    """

    question: str
    text: str
    claims: tuple[Claim, ...] = ()
    sources: tuple[Source, ...] = ()
    refused: bool = False
    reason: str | None = None
    unanswered: str = ""
    disagreements: tuple[Disagreement, ...] = ()
    searched: str = ""
    generation: int = 0
    model: str = ""
    model_sha256: str = ""
    signals: Mapping[str, float] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    kind: str = "fact"
    sections: tuple[Section, ...] = ()
    total: int | None = None
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """One line: what was asked, what was said, and how many claims and citations there are."""
        parts = [f"question={_shortened(self.question)!r}", f"text={_shortened(self.text)!r}"]
        parts += [] if self.reason is None else [f"reason={str(self.reason)!r}"]
        if self.kind != "fact":
            parts += [f"kind={self.kind!r}", f"sections={len(self.sections)}", f"total={self.total}"]
        parts += [f"claims={len(self.claims)}", f"citations={len(self.citations)}", f"sources={len(self.sources)}"]
        return f"Answer({', '.join(parts)})"

    def __str__(self) -> str:
        """The answer with its markers, then each quote with where it stands; a refusal with its reason.

        It is meant to be printed by programs. Text of articles is as it is: a terminal that shows what strangers wrote
        should get it through ui.terminal.render_answer.
        """
        pieces, position = [], 0
        for claim in self.claims:
            numbers = "".join(f"[{citation.number}]" for citation in claim.citations)
            pieces += [self.text[position : claim.end], f" {numbers or '[no supporting quote found]'}"]
            position = claim.end
        parts = ["".join([*pieces, self.text[position:]]).strip()]
        if self.reason is not None:
            parts.append(f"{'No answer' if self.refused else 'Incomplete'}: {self.reason}.")
        if self.unanswered:
            parts.append(f"The articles do not say: {self.unanswered}")
        if self.missing:
            parts.append(self.not_searched)
        for one in self.citations:
            quote = "" if one.number in self.quoted_in_text else f"“{one.quote}”\n    "
            parts.append(f"[{one.number}] {quote}{_place(one)}")
        return "\n\n".join(part for part in parts if part)

    def _repr_markdown_(self) -> str:
        """What a notebook shows: `str` with everything escaped that Markdown, HTML or TeX would take for markup."""
        return "\n\n".join(
            "\\\n".join(_escaped(line) for line in paragraph.splitlines()) for paragraph in str(self).split("\n\n")
        )

    @property
    def not_searched(self) -> str:
        """That a part of the articles was not searched, in words; "" where all were."""
        from index.hit import not_searched

        return not_searched(self.missing)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every distinct citation, by number."""
        given = [citation for claim in self.claims for citation in claim.citations]
        given += [side.citation for disagreement in self.disagreements for side in disagreement.sides]
        distinct = {citation.number: citation for citation in given}
        return tuple(distinct[number] for number in sorted(distinct))

    @property
    def lead(self) -> str:
        """What `text` says before the rows; all of it when there are none."""
        return self.text.removesuffix("\n\n".join(section.text for section in self.sections)).strip()

    @property
    def caption(self) -> str:
        """`lead` without the numbers of `counts`, for whoever shows these as a chart."""
        lead = self.lead
        for dimension, numbers in self.counts.items():
            lead = lead.replace(f" {counts_in_words(dimension, numbers)}", "")
        return lead

    @property
    def quoted_in_text(self) -> frozenset[int]:
        """Numbers of the citations whose words the rows of the answer give in full, so that a list of references need
        not repeat them. Empty for an answer without rows."""
        claims = [claim for section in self.sections for claim in section.claims if claim.verbatim]
        return frozenset(one.number for claim in claims for one in claim.citations if one.quote in claim.text)

    @property
    def turn(self) -> Turn:
        """The exchange as the history of a next question, in the model's own words where there are any: long quotes
        lead a small model away from what is asked. Of an answer in rows, what stands above them; of a refusal, the
        words in which the model is asked to refuse."""
        if self.sections:
            return Turn(self.question, self.lead, self.kind)
        if self.refused and self.kind == "fact":
            return Turn(self.question, CANNOT_ANSWER, self.kind)
        own = [claim.text for claim in self.claims if not claim.verbatim]
        return Turn(self.question, " ".join(own) or self.text, self.kind)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Self:
        """What `to_dict` gave as an Answer again, to be shown like a new one.

        Its articles hold the quoted words at their old offsets and blanks elsewhere: quotes and passages are exact, the
        rest of an article is not there. One that had no title has its headline as title. Raises InputError for a
        mapping that is no answer.
        """
        try:
            articles = _articles(mapping)
            return cls(
                question=mapping["question"],
                text=mapping["text"],
                claims=tuple(_claim(claim, articles) for claim in mapping["claims"]),
                sources=tuple(_source(source, articles) for source in mapping["sources"]),
                refused=mapping["refused"],
                reason=mapping["reason"],
                unanswered=mapping.get("unanswered", ""),
                disagreements=tuple(
                    Disagreement(
                        each["about"],
                        tuple(Side(side["value"], _citation(side["citation"], articles)) for side in each["sides"]),
                    )
                    for each in mapping.get("disagreements", ())
                ),
                searched=mapping.get("searched", ""),
                generation=mapping.get("generation", 0),
                model=mapping.get("model", ""),
                model_sha256=mapping.get("model_sha256", ""),
                signals=mapping.get("signals", {}),
                timings=mapping.get("timings", {}),
                kind=mapping.get("kind", "fact"),
                sections=tuple(_section(section, articles) for section in mapping.get("sections", ())),
                total=mapping.get("total"),
                counts=mapping.get("counts", {}),
                missing=tuple(mapping.get("missing", ())),
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"this is no answer as Answer.to_dict gives it: {error!r}") from error

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping with stable keys."""
        return {
            "question": self.question,
            "text": self.text,
            "claims": [claim.to_dict() for claim in self.claims],
            "sources": [source.to_dict() for source in self.sources],
            "refused": self.refused,
            "reason": None if self.reason is None else str(self.reason),
            "unanswered": self.unanswered,
            "disagreements": [disagreement.to_dict() for disagreement in self.disagreements],
            "searched": self.searched,
            "generation": self.generation,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "signals": dict(self.signals),
            "timings": {stage: round(seconds, 3) for stage, seconds in self.timings.items()},
            "kind": self.kind,
            "sections": [section.to_dict() for section in self.sections],
            "total": self.total,
            "counts": {name: dict(numbers) for name, numbers in self.counts.items()},
            "missing": list(self.missing),
        }


def _origin(article: Article) -> dict[str, Any]:
    return {
        "article_id": article.id,
        "title": article.title,
        "headline": article.headline,
        "source": article.source,
        "url": article.url,
        "published": article.published,
        "author": article.author,
    }


def _articles(answer: Mapping[str, Any]) -> dict[str, Article]:
    """Id → article of everything an answer quotes."""
    pieces: dict[str, list[tuple[int, str]]] = {}
    places: dict[str, dict[int, Place]] = {}
    known: dict[str, Mapping[str, Any]] = {}
    for origin, words in _quoted(answer):
        known[origin["article_id"]] = origin
        pieces.setdefault(origin["article_id"], []).append((origin["start"], words))
        # Older conversations do not say. Citations come last: of a passage and a quote that begin together, the place
        # of the quote is kept.
        place = place_of_words(origin["start"], origin.get("place"), origin.get("page"))
        places.setdefault(origin["article_id"], {})[origin["start"]] = place or Place(origin["start"], "")
    return {
        article_id: Article(
            id=article_id,
            text=_at_their_offsets(pieces[article_id]),
            title=origin["title"] or origin["headline"],
            source=origin["source"],
            url=origin["url"],
            published=origin["published"],
            author=origin.get("author"),  # older conversations do not say
            places=tuple(one for _, one in sorted(places[article_id].items())),
        )
        for article_id, origin in known.items()
    }


def _quoted(answer: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every source and citation with the words it stands for."""
    yield from ((source, source["text"]) for source in answer["sources"])
    citations = [citation for claim in answer["claims"] for citation in claim["citations"]]
    citations += [side["citation"] for each in answer.get("disagreements", ()) for side in each["sides"]]
    yield from ((citation, citation["quote"]) for citation in citations)


def _at_their_offsets(pieces: Iterable[tuple[int, str]]) -> str:
    """The pieces, which may overlap, each at its offset in code points, with blanks between them."""
    text = ""
    for start, words in sorted(pieces):
        text = text.ljust(start)[:start] + words + text[start + len(words) :]
    return text


def _claim(claim: Mapping[str, Any], articles: Mapping[str, Article]) -> Claim:
    citations = tuple(_citation(citation, articles) for citation in claim["citations"])
    verbatim = claim.get("verbatim", False)  # older conversations do not say
    return Claim(claim["text"], claim["start"], claim["end"], citations, claim["support"], claim["supported"], verbatim)


def _section(section: Mapping[str, Any], articles: Mapping[str, Article]) -> Section:
    claims = tuple(_claim(claim, articles) for claim in section["claims"])
    return Section(section["heading"], section["date"], section["article_id"], claims, section.get("mentions"))


def _citation(citation: Mapping[str, Any], articles: Mapping[str, Article]) -> Citation:
    return Citation(citation["number"], articles[citation["article_id"]], citation["start"], citation["end"])


def _source(source: Mapping[str, Any], articles: Mapping[str, Article]) -> Source:
    from index.hit import Hit  # brings numpy, which `import rag` does without

    start, end = source["start"], source["end"]
    article, score = articles[source["article_id"]], source["score"]
    also_in = tuple(source.get("also_in", ()))
    return Source(source["number"], Hit(article, start, end, score, 0.0, 0.0, Span(start, end), also_in=also_in))


def _place(citation: Citation) -> str:
    """Outlet, headline and day of an article, and where the quote stands in it, as far as they are known."""
    article = citation.article
    known = (article.source, article.headline, (article.published or "")[:10], citation.place)
    return " · ".join(part for part in known if part)


def _escaped(line: str) -> str:
    """`line` as literal text of Markdown: no control characters, a backslash before punctuation, entities for HTML."""
    shown = " ".join("".join(one if one.isprintable() else " " for one in line).split())
    return escape(_PUNCTUATION.sub(r"\\\g<0>", shown), quote=False)


def counts_in_words(dimension: str, counts: Mapping[str, int]) -> str:
    """Numbers of articles by outlet, day, month or year as a sentence."""
    unknown = "outlet unknown" if dimension == "outlet" else "without a date"
    return f"By {dimension}: {', '.join(f'{name or unknown} {count:,}' for name, count in counts.items())}."


def _shortened(text: str, most: int = 100) -> str:
    """The first `most` characters of `text`."""
    return text if len(text) <= most else f"{text[:most]}…"
