"""List and count: every article that mentions a name or treats a subject, each with a sentence that says so.

"Mention" is a matter of words (index/mentions.py), "about" of a score of the whole article (index/about.py). The number
is always the length of the list. No model is asked.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from index.errors import InputError
from index.mentions import Name
from index.passage import sentences
from rag.answer import Citation, Claim, Reason, Section, counts_in_words
from rag.grounding.lexicon import MONTHS, is_akin, stems, words
from rag.overview import Overview
from rag.overview.scope import Scope, narrowed, within

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from index import Index
    from index.about import About
    from index.article import Article, Span
    from index.mentions import Sort
    from rag.question import Question

ROWS = 20
"""Rows that are given when no limit is asked for: a page of them."""
TELLING_CHARS = 40
"""A shorter sentence is rather a headline, a caption or a credit; it is quoted if there is no other."""
TITLES = 3
"""Articles whose title alone has the name that are named in the lead."""

_ARTICLES = (
    r"articles?|stor(?:y|ies)|reports?|pieces?|texts?|documents?|items?|posts?|papers?|outlets?|sources|newspapers|news|"
    r"coverage|everything|anything|something|all|whatever|what|ones?|which|more|mentions|where|who"
)
_NAMES = (
    r"mention(?:s|ed|ing)?(?: of)?|name(?:s|d)?|naming|refer(?:s|red|ring)? to|contain(?:s|ing)?|include(?:s|d)?|"
    r"including|quot(?:e|es|ed|ing)|cit(?:e|es|ed|ing)|with(?: the)? (?:words?|phrase|name)|"
    r"us(?:e|es|ing) the (?:words?|phrase|term)"
)
_TREATS = (
    r"(?:(?:is|are|was|were|talks?|talking|writes?|wrote|written|writing|speaks?|spoken|tells?|reports?) )?about|on|"
    r"regarding|concerning|of|cover(?:s|ed|ing)?|(?:deals?|dealt|dealing) with|discuss(?:es|ed|ing)?|"
    r"treat(?:s|ed|ing)?|(?:reports?|reported|reporting|speaks?|talks?|writes?) (?:on|of)|address(?:es|ed|ing)?|"
    r"describ(?:e|es|ed|ing)|"
    r"(?:related|relating|relate|relates|devoted|dedicated) to|(?:to do|concerned) with|for"
)
_REQUEST = re.compile(
    r"^(?:(?:please|and|but|so|now|also|then|ok(?:ay)?|only|just|(?:can|could|would|will) you|"
    r"i(?: want|'d like| would like)(?: to)?|what about|how about|search|find|list|show|give|get|look|count|see|tell|"
    r"me|us|for|all|every|the list of|a list of)\b[\s,]*)+",
    re.IGNORECASE,
)
_UNITS = "outlet|source|newspaper|paper|publication|publisher|day|month|year"
_AT_THE_END = re.compile(
    rf"""(?:[\s,;(]|^)+(?:and\s+|but\s+)?(?:
        (?:(?:broken\ down|grouped|counted|split(?:\ up)?|sorted|ordered|listed|in\ (?:the\ )?order)\s+
            (?:by|per|for\ each|in\ each|of)|by|per|for\ each|in\ each|of\ each)
            \s+(?:the\s+|each\s+)?(?P<each>{_UNITS})s?
            (?:\s*(?:,|and|,\s*and|and\s+by)\s*(?:by\s+)?(?P<also>{_UNITS})s?)?
      | (?:did|do|does|has|have|are|were)\s+(?:there\s+)?(?:by|in|from|of)?\s*(?:each|every)\s+
            (?P<whose>{_UNITS})s?(?:\s+(?:publish|print|write|written|carry|carried|run|have|had)(?:ed)?)?
      | (?:(?:sorted|ordered|listed)\s+)?(?:(?:by|in\ order\ of)\s+)?(?:with\s+)?(?:the\s+)?
            (?P<sort>newest|latest|most\ recent|oldest|earliest|date|relevance)(?:\s+(?:ones?\s+|articles\s+)?first)?
      | (?P<chronological>chronologically|in\ chronological\ order)
      | (?P<filler>please|over\ time|altogether|in\ total|at\ all|anywhere|thanks|(?:are\ )?there|do\ (?:you|we)\ have|
            (?:in|among|of)\ (?:here|(?:the|this|my|your|these|all|all\ the)\ (?:articles|collection|library|index)))
    )[\s?.!,;)]*$""",
    re.VERBOSE | re.IGNORECASE,
)
"""What may follow the subject: how to count, how to sort, and words that ask for nothing."""
_OF_THEM = re.compile(
    r"^(?:and |but |so )*how many(?: of (?:them|those|these))? (?=(?:are|were|is|was|mention)\b)", re.IGNORECASE
)
_OPENS_SORTED = re.compile(
    r"^(?:(?:please|what|which|show|list|give|find|me|is|are|the)\b[\s,]*|(?<=\w)['’]s\s+)*"
    r"(?P<sort>newest|latest|most recent|last|oldest|earliest|first)\s+(?:\w+\s+)?(?:articles?|stor(?:y|ies))\b",
    re.IGNORECASE,
)
"""The order in which articles are asked for before the subject: "the newest article on Nokia"."""
END_CHARS = 120
"""Characters at the end of a question in which such words are looked for; bounds the time that a hostile one takes."""
_OPENS_A_SORT = re.compile(r"\b(?:sort|order|first|by|in order of|sorted|ordered)\b", re.IGNORECASE)
_OF_OUTLETS = re.compile(
    r"^(?:(?:please|and|in|by)\s+)*(?:how many|which|what)\s+(?:of the\s+)?(?:different\s+|news\s+)?"
    r"(?:outlets?|newspapers?|papers|publications?|news sources)\b",
    re.IGNORECASE,
)
_COUNTED_BY = {"day": "day", "month": "month", "year": "year"}
_PASSIVE = re.compile(
    r"^(?:in |on |by )?(?:which|what|where|how (?:many|often|frequently))\b(?: \w+){0,4}? ?"
    r"\b(?:is|are|was|were|does|do|did|has|have) (?P<subject>.+?) "
    r"(?:been )?(?:(?P<names>mentioned|named|quoted|cited|referred to|appear|occur|come up|found)|"
    r"(?P<treats>discussed|covered|treated|described|addressed|written about|talked about|reported on))$",
    re.IGNORECASE,
)
_NAMED = re.compile(rf"^.*?\b(?:{_ARTICLES})\b.*?\b(?:{_NAMES})\s+(?P<subject>.+)$", re.IGNORECASE)
_TREATED = re.compile(rf"^.*?\b(?:{_ARTICLES})\b.*?\b(?:{_TREATS})\s+(?P<subject>.+)$", re.IGNORECASE)
_ALONE = re.compile(
    rf"^(?:(?:{_ARTICLES}|how many|number|count|lists?|numbers|are|is|there|do|you|have|we|in|the|of|a|and|here|"
    r"published|were|was|my|this|collection|library|index|them|those|it|that|by|per|same|again)\b[\s,]*)*$",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(
    rf"^(?:(?:which|what|in which|the|all|any)\s+)*(?:{_ARTICLES})\s+(?:that\s+)?(?:{_NAMES}|{_TREATS})$", re.IGNORECASE
)
"""A frame without a subject: "which articles mention"."""
_OF_NAMED = re.compile(
    rf"\b(?:{_ARTICLES})\s+(?:published\s+)?(?:from|of|by)\s+(?:the\s+)?"
    rf"(?P<name>[A-Z][\w.&'’-]*(?:\s[A-Z][\w.&'’-]*)*)\s+(?:that\s+)?(?:{_NAMES})\b"
)
"""What may be an outlet; one that the index has was taken out of the question before."""
_JOINT = re.compile(r"\s*,\s*(?:(?:and|or)\b)?|\s+(?:and|or|as well as)\s+", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“„«][^\"“”„«»]+[\"”“»]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a question asks a list of: articles that mention `subject`, or treat it (`is_about`), all if it is empty; in
    which order, and what to count them by: outlet, day, month, year. If `is_of_outlets`, it asks for outlets rather
    than for articles. `is_bare` if the subject is all that the question has: a name is then looked for as it is, other
    words by what they mean."""

    subject: str
    is_about: bool = False
    is_bare: bool = False
    sort: Sort = "relevance"
    by: tuple[str, ...] = ()
    is_of_outlets: bool = False
    is_split: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a subject joins by "and" or "or"."""
        bare = re.sub(r"^(?:both|either|all of|any of)\s+", "", self.subject, flags=re.IGNORECASE)
        return () if _QUOTED.fullmatch(bare) else tuple(name for one in _JOINT.split(bare) if (name := one.strip()))

    @property
    def is_any(self) -> bool:
        """Whether any of the names will do."""
        return re.search(r"\bor\b", self.subject, re.IGNORECASE) is not None

    @property
    def shown(self) -> str:
        """The subject as an answer names it."""
        if self.is_split:
            *first, last = (one if _QUOTED.fullmatch(one) else f"“{one}”" for one in self.names)
            return f"{', '.join(first)} {'or' if self.is_any else 'and'} {last}"
        return self.subject if _QUOTED.fullmatch(self.subject) else f"“{self.subject}”"


@dataclass(frozen=True, slots=True)
class _Row:
    """An article of the list, with the spans of the name, if it is one that was looked for, and of a sentence."""

    article: Article
    mentions: tuple[Span, ...] = ()
    sentence: Span | None = None


def list_articles(
    question: Question,
    index: Index,
    *,
    limit: int | None,
    report: Callable[[Section], None],
    cancel: threading.Event,
) -> Overview:
    """The articles that a question asks for, the first `limit` of them as rows, and how many there are."""
    return within(
        question, index, leant_on, lambda asked, scope: _listed(asked, scope, index, limit or ROWS, report, cancel)
    )


def _listed(
    question: Question,
    scope: Scope,
    index: Index,
    most: int,
    report: Callable[[Section], None],
    cancel: threading.Event,
) -> Overview:
    """The same for a question without the words of its scope."""
    question = narrowed(question, scope)
    wanted = asked_for(question)
    if wanted is not None and question.sort is not None:
        wanted = replace(wanted, sort=question.sort)
    if wanted is None:
        return Overview(
            "The question names nothing to look for. Ask for a name or a subject: Which articles mention …? "
            "How many articles are about …?",
            reason=Reason.UNCLEAR,
        )
    rows: list[_Row] = []
    in_title: list[Article] = []
    shown: list[Section] = []

    def take(row: _Row) -> None:
        rows.append(row)
        if len(shown) < most:
            shown.append(_section(row))
            report(shown[-1])

    try:
        for row in _found(wanted, question, index, cancel, in_title, take):
            take(row)
        if not rows and not in_title and len(wanted.names) > 1 and not wanted.is_about:
            wanted = replace(wanted, is_split=True)
            for row in _several(wanted, question, index, cancel):
                take(row)
    except InputError as error:  # a name without a word, or too long
        return Overview(str(error), reason=Reason.UNCLEAR)
    if cancel.is_set():
        return Overview(_lead_of_stopped(rows, len(shown)), tuple(shown), len(rows), Reason.CANCELLED)
    if not rows:
        return _nothing(wanted, question, scope, index, in_title)
    counts = {dimension: _counted(dimension, rows) for dimension in wanted.by}
    lead = _lead(wanted, rows, scope, in_title, len(shown))
    if (of := _OF_NAMED.search(question.text)) and of["name"].split()[0] not in MONTHS:
        lead = f"No outlet here is called “{of['name']}”, so the articles of all were looked through. {lead}"
    spoken = [counts_in_words(dimension, numbers) for dimension, numbers in counts.items()]
    if wanted.is_of_outlets and (named := sum(bool(outlet) for outlet in counts["outlet"])):
        lead = f"{named} outlet{'s' * (named != 1)}. {lead}"
    return Overview(" ".join([lead, *spoken]), tuple(shown), len(rows), counts=counts)


def order_of(text: str) -> Sort:
    """The order that the words of a question ask for; "relevance" if they ask for none."""
    return _read(text).sort


def leant_on(question: Question) -> int:
    """How many of the questions before it a question changes: "and by outlet?", "newest first", "and Sunak?"."""
    wanted = _read(question.text)
    if wanted.subject and not wanted.is_bare:
        return 0
    for back, turn in enumerate(reversed(question.history), start=1):
        before = _read(turn.question)
        if before.subject and not before.is_bare:
            return back
    return 0


def asked_for(question: Question) -> Wanted | None:
    """What a question asks for; None if it names nothing. What it leaves open stands in the questions before it."""
    wanted = _read(question.text)
    if back := leant_on(question):
        found = _read(question.history[-back].question)
        for text in (*(turn.question for turn in question.history[len(question.history) - back + 1 :]), question.text):
            change = _read(text)
            found = replace(
                found,
                subject=change.subject or found.subject,
                sort=change.sort if change.sort != "relevance" else found.sort,
                by=change.by or found.by,
            )
        return found
    return wanted if wanted.subject or question.only or wanted.by else None


def _read(text: str) -> Wanted:
    """What the words of one question ask for."""
    by: list[str] = []
    sort: Sort = "relevance"
    text = " ".join(text.split()).rstrip(" ?!.,;")
    # "And how many of them are about Hunt?"
    text = _OF_THEM.sub("articles ", text)
    if opening := _OPENS_SORTED.match(text):
        sort = "oldest" if opening["sort"].lower() in ("oldest", "earliest", "first") else "newest"
        text = f"articles{text[opening.end() :]}"
    while found := _AT_THE_END.search(text, max(0, len(text) - END_CHARS)):
        if found["sort"] and not _OPENS_A_SORT.search(found[0]):
            break  # "… mention the latest": it is the subject
        for each in filter(None, (found["also"], found["each"], found["whose"])):
            by.insert(0, _COUNTED_BY.get(each.lower(), "outlet"))
        if found["filler"] and found["filler"].lower() == "over time":
            by.insert(0, "month")
        if found["chronological"] or (found["sort"] or "").lower() in ("oldest", "earliest"):
            sort = "oldest"
        elif (found["sort"] or "").lower() in ("newest", "latest", "most recent", "date"):
            sort = "newest"
        text = text[: found.start()].rstrip(" ?!.,;(")
    is_of_outlets = bool(_OF_OUTLETS.match(text))
    by += ["outlet"] * is_of_outlets
    return replace(_subject(text), sort=sort, by=tuple(dict.fromkeys(by)), is_of_outlets=is_of_outlets)


def _subject(text: str) -> Wanted:
    """The words that are looked for, and whether articles about them are asked for rather than any that have them."""
    passive = _PASSIVE.match(text)
    if passive:
        return Wanted(passive["subject"].strip(), passive["treats"] is not None)
    # What is in quotation marks is no part of the frame: 'articles that mention "all about Eve"'.
    masked = _QUOTED.sub(lambda quoted: "█" * len(quoted[0]), text)
    for pattern, is_about in ((_NAMED, False), (_TREATED, True)):
        found = pattern.match(masked)
        if found:
            return Wanted(text[found.start("subject") : found.end("subject")].strip(), is_about)
    rest = text[found.end() :] if (found := _REQUEST.match(masked)) else text
    if _ALONE.match(masked) or _ALONE.match(rest) or _UNFINISHED.match(rest):
        return Wanted("")
    return Wanted(rest, not (_QUOTED.search(rest) or re.search(r"\b[A-Z0-9]", rest)), is_bare=True)


def _found(
    wanted: Wanted,
    question: Question,
    index: Index,
    cancel: threading.Event,
    in_title: list[Article],
    take: Callable[[_Row], None],
) -> Iterator[_Row]:
    """The rows in order; `take` gets those that are known before. Articles with a name in their title alone go into
    `in_title`."""
    if not wanted.subject:
        articles = [one for one in index.articles() if question.only.passes_article(one)]
        yield from (_Row(one) for one in _sorted(articles, wanted.sort))
    elif wanted.is_about:
        # Whether an article is about something does not depend on which others are asked for, so that "only those from
        # CNN" gives some of the rows before it. Those that were sure at once stay, whatever order is asked for.
        early: dict[str, About] = {}

        def is_wanted(one: About) -> bool:
            return question.only.passes_article(one.article) and _names_it(wanted, one.article)

        def at_once(one: About) -> None:
            if is_wanted(one):
                early[one.article.id] = one
                if wanted.sort == "relevance":
                    take(_Row(one.article, _mentioned(wanted.subject, one.article), one.nearest))

        late = [one for one in index.about(wanted.subject, report=at_once) if is_wanted(one)]
        nearest = {one.article.id: one for one in (*early.values(), *late)}
        for article in _sorted([one.article for one in nearest.values()], wanted.sort):
            if wanted.sort != "relevance" or article.id not in early:
                yield _Row(article, _mentioned(wanted.subject, article), nearest[article.id].nearest)
    else:
        for one in index.mentions(wanted.subject, only=question.only, sort=wanted.sort):
            if cancel.is_set():
                return
            if one.spans:
                yield _Row(one.article, one.spans)
            else:
                in_title.append(one.article)


def _several(wanted: Wanted, question: Question, index: Index, cancel: threading.Event) -> list[_Row]:
    """The articles that mention all of the names, or any of them for "or": "Qantas and Ansett". A name that has such a
    word itself, "Trinidad and Tobago", was looked for before."""
    spans: dict[str, list[Span]] = {}
    counts: Counter[str] = Counter()
    articles: dict[str, Article] = {}
    for name in wanted.names:
        for one in index.mentions(name, only=question.only, sort=wanted.sort):
            if cancel.is_set():
                return []
            if one.spans:
                articles[one.article.id] = one.article
                spans.setdefault(one.article.id, []).extend(one.spans)
                counts[one.article.id] += 1
    least = 1 if wanted.is_any else len(wanted.names)
    rows = [_Row(article, tuple(sorted(spans[name], key=_start))) for name, article in articles.items()]
    found = [row for row in rows if counts[row.article.id] >= least]
    if wanted.sort == "relevance":
        return sorted(found, key=lambda row: -len(row.mentions))
    order = {article.id: place for place, article in enumerate(_sorted([row.article for row in found], wanted.sort))}
    return sorted(found, key=lambda row: order[row.article.id])


def _start(span: Span) -> int:
    return span.start


def _names_it(wanted: Wanted, article: Article) -> bool:
    """Whether an article has most of a subject that is a name and nothing else, or of one of several: what is like the
    articles about David Hicks, but never names him, is about something near him. "The crisis in Yemen" is no name."""
    known: frozenset[str] | None = None
    for subject in wanted.names or (wanted.subject,):
        _, *names = words(f"see {subject}")  # the first word of a text is never taken for a name
        if not names or not all(word.kind == "name" for word in names):
            return True
        known = known or stems(f"{article.title or ''}\n{article.text}")
        if 2 * sum(is_akin(word.stem, known) for word in names) > len(names):
            return True
    return False


def _section(row: _Row) -> Section:
    """An article of the list with its sentence, quoted."""
    article = row.article
    sentence = row.sentence or best_sentence(article.text, row.mentions)
    known = [article.source, (article.published or "")[:10]]
    if row.mentions:
        known.append(f"{len(row.mentions)} mention{'s' * (len(row.mentions) != 1)}")
    behind = ", ".join(filter(None, known))
    claims: tuple[Claim, ...] = ()
    if sentence is not None:
        quote = Citation(0, article, sentence.start, sentence.end)
        claims = (Claim(quote.quote, 0, len(quote.quote), (quote,), 1.0, supported=True, verbatim=True),)
    heading = f"{article.headline} ({behind})" if behind else article.headline
    return Section(heading, (article.published or "")[:10] or None, article.id, claims, len(row.mentions))


def best_sentence(text: str, mentions: Sequence[Span]) -> Span | None:
    """The first whole sentence with a mention, where its bearer is introduced, or the first of the text."""
    spans = sentences(text)
    having = list(_with_any(spans, mentions))
    whole = [
        one for one in having or spans
        if one.end - one.start >= TELLING_CHARS and text[one.end - 1] in ".!?…\"”’»)"
    ]  # fmt: skip
    return next(iter(whole or having or spans), None)


def _with_any(spans: Iterable[Span], mentions: Sequence[Span]) -> Iterator[Span]:
    """Those of the sentences, in order, that a mention stands in; in one pass, as a book may have thousands of both."""
    ordered = sorted(mentions, key=_start)
    first = 0
    for one in spans:
        while first < len(ordered) and ordered[first].end <= one.start:
            first += 1
        if first < len(ordered) and ordered[first].start < one.end:
            yield one


def _lead(wanted: Wanted, rows: Sequence[_Row], scope: Scope, in_title: Sequence[Article], shown: int) -> str:
    count = len(rows)
    articles = f"{count:,} article{'s' * (count != 1)}{scope.shown and ' '}{scope.shown}"
    if not wanted.subject:
        lead = f"There {'is' if count == 1 else 'are'} {articles}"
    elif wanted.is_about:
        lead = f"{articles} {'is' if count == 1 else 'are'} about {wanted.shown}"
    else:
        lead = f"{articles} mention{'s' * (count == 1)} {wanted.shown}"
    lead += "." if shown >= count else f"; here are the first {shown}."
    return lead + (f" {_titles(in_title)}" if in_title else "")


def _lead_of_stopped(rows: Sequence[_Row], shown: int) -> str:
    """Of a list that was not looked for to its end: there may be more than it has."""
    if not rows:
        return ""
    first = f"; here are the first {shown}" if shown < len(rows) else ""
    return f"{len(rows):,} article{'s' * (len(rows) != 1)} found before this was stopped{first}. There may be more."


def _titles(in_title: Sequence[Article]) -> str:
    """What is said of articles that have the name in their title alone, where it cannot be quoted."""
    named = "; ".join(one.headline for one in in_title[:TITLES])
    more = f" and {len(in_title) - TITLES} others" if len(in_title) > TITLES else ""
    return f"In the title alone it stands in {len(in_title)} more: {named}{more}."


def _nothing(wanted: Wanted, question: Question, scope: Scope, index: Index, in_title: Sequence[Article]) -> Overview:
    """A refusal that says what was looked for, and where else it may be found."""
    of = f" {scope.shown}" if scope.shown else ""
    if not wanted.subject:
        lead = f"There is no article{of}." if of else f"No article passes {question.only}."
        return Overview(lead, total=0, reason=Reason.FILTERED_OUT)
    within = f" among those of {question.only}" if question.only and not of else ""
    lead = f"No article{of} {'is about' if wanted.is_about else 'mentions'} {wanted.shown}{within}."
    if in_title:
        lead += f" {_titles(in_title)}"
    name = Name.of(wanted.subject) if not wanted.is_about else None
    if name is not None and name.is_exact:
        others = sum(bool(one.spans) for one in index.mentions(name.text, only=question.only))
        if others:
            are = "has" if others == 1 else "have"
            lead += f" Not exactly as it is written there, {others} {are} it: ask without the quotation marks."
    return Overview(lead, total=0, reason=Reason.NOTHING_RELEVANT)


def _counted(dimension: str, rows: Iterable[_Row]) -> Mapping[str, int]:
    """How many rows there are of each outlet, the most first, or of each day, month or year, the oldest first. What is
    not known is counted under ""."""
    if dimension == "outlet":
        return dict(Counter(row.article.source or "" for row in rows).most_common())
    length = {"day": len("2018-03-21"), "month": len("2018-03"), "year": len("2018")}[dimension]
    return dict(sorted(Counter((row.article.published or "")[:length] for row in rows).items()))


def _mentioned(subject: str, article: Article) -> tuple[Span, ...]:
    return Name.of(subject).find(article.text)


def _sorted(articles: Iterable[Article], sort: Sort) -> list[Article]:
    """In the order that is given, or by date; those without a date come last."""
    if sort == "relevance":
        return list(articles)
    dated = sorted((one for one in articles if one.published), key=lambda one: one.published or "")
    return [*(dated[::-1] if sort == "newest" else dated), *(one for one in articles if not one.published)]
