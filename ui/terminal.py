"""Answers, hits and articles → plain text for a terminal, free of control characters. Prints nothing."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import TYPE_CHECKING, Any

from index.models.recommend import recommended
from rag.answer import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from index import Article, Hit, Listed
    from index.edit import Edit
    from index.filters import Filter
    from index.models import Fit, Machine, Model
    from rag import Answer, Citation, Claim
    from rag.answer import Disagreement
    from rag.checked import Check, Checked
    from rag.llm.repack import Measured
    from ui.conversations import Feedback, Summary

UNSUPPORTED = "(no supporting quote found)"
PARTLY = "(partly supported)"
BAR, BAR_NAME = 30, 24
"""Characters of the longest bar of a chart, and of the longest name beside it."""

_ESCAPES = re.compile(
    r"""
      (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]?                          # CSI: colors, cursor
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]) [^\x07\x1b\x9c]* (?:\x07|\x1b\\|\x9c)   # OSC, DCS and the like
    | \x1b [ -/]* [0-~]?                                            # the other escapes
    """,
    re.VERBOSE,
)
"""Escape sequences of ECMA-48 with their text; one that never ends hides nothing after it."""

_CONTROLS = frozenset(("Cc", "Cf", "Cs"))
"""Unicode's general categories of control and format characters, and of halves of surrogate pairs."""
_REORDERING = frozenset(("LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"))
"""Unicode's bidirectional classes of what has no place of its own and only changes how the rest is seen."""


class _Shown(dict[int, int | None]):
    """For str.translate: each character as it is, or None for one that must not reach a terminal."""

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        is_hidden = unicodedata.category(character) in _CONTROLS or unicodedata.bidirectional(character) in _REORDERING
        shown = self[code] = None if is_hidden else code
        return shown


_SHOWN = _Shown({ord("\t"): ord("\t"), ord("\n"): ord("\n"), 0x2028: ord("\n"), 0x2029: ord("\n")})
"""Unicode's own separators of lines and paragraphs become newlines."""


def clean(text: str) -> str:
    """`text` without escape sequences, control characters and format characters."""
    return _ESCAPES.sub("", text.replace("\r\n", "\n")).translate(_SHOWN)


def line(text: str) -> str:
    """`text` cleaned and on a single line."""
    return " ".join(clean(text).split())


def origin(article: Article) -> str:
    """Outlet, headline and day of an article on one line, as far as they are known."""
    day = (article.published or "")[:10]
    return line(" · ".join(part for part in (article.source, article.headline, day) if part))


def cited(citation: Citation) -> str:
    """Outlet, headline and day of what is quoted, and where the quote stands in its original, on one line."""
    return passage_of(citation.article, citation.start, citation.end)


def passage_of(article: Article, start: int, end: int) -> str:
    """Outlet, headline and day of an article, and where a passage stands in its original, as far as they are known."""
    return " · ".join(filter(None, (origin(article), line(article.place_of(start, end) or ""))))


def also_in(names: Sequence[str]) -> str:
    """Where else a story was published, on one line; empty if nowhere."""
    return line("also in " + "; ".join(names)) if names else ""


def render_answer(answer: Answer, *, columns: int = 0) -> str:
    """The answer with its markers, what it leaves open, where articles differ, then every quote with its origin.

    Lines are folded at `columns`; 0 leaves them whole.
    """
    marked = _marked(answer)
    if answer.counts and marked.startswith(answer.lead):
        charts = [render_counts(name, numbers) for name, numbers in answer.counts.items()]
        parts = [
            _fold(clean(answer.caption), columns),
            *charts,
            _fold(clean(marked[len(answer.lead) :].strip()), columns),
        ]
    else:
        parts = [_fold(clean(marked), columns)]
    if answer.reason is not None and not answer.refused:
        parts.append(f"Incomplete: {line(str(answer.reason))}.")
    elif answer.reason == Reason.CANCELLED:
        parts.append("Stopped.")
    if answer.unanswered:
        parts.append(_fold(f"Not answered: {line(answer.unanswered)}", columns, hanging="    "))
    if answer.missing:
        parts.append(_fold(line(answer.not_searched), columns, hanging="    "))
    parts += [_differing(disagreement, columns) for disagreement in answer.disagreements]
    others = {source.hit.article.id: source.hit.also_in for source in answer.sources}
    in_text = answer.quoted_in_text
    parts += [
        _quoted(one, columns, others.get(one.article_id, ()), quote="" if one.number in in_text else f"“{one.quote}”")
        for one in answer.citations
    ]
    if answer.refused and answer.sources:
        read = [f"  {origin(source.hit.article)}" for source in answer.sources]
        parts.append("\n".join(["Related articles:", *dict.fromkeys(read)]))
    return "\n\n".join(part for part in parts if part)


def render_check(check: Check, *, columns: int = 0) -> str:
    """Each sentence of a draft with its verdict and what differs, then the quotes and how many sentences have each
    verdict."""
    parts = [_checked(one, columns=columns) for one in check.sentences]
    parts += [_quoted(one, columns, (), quote=f"“{one.quote}”") for one in check.citations]
    parts.append(f"{check.summary}.")
    return "\n\n".join(parts)


def _checked(one: Checked, *, columns: int = 0) -> str:
    """A sentence of a draft with its verdict, the numbers of its quotes, and what differs."""
    numbers = "".join(f"[{citation.number}]" for citation in one.citations)
    near = f"nearest: {''.join(f'[{citation.number}]' for citation in one.nearest)}" if one.nearest else ""
    said = " ".join(filter(None, (f"{one.verdict}".upper(), numbers, line(one.note), near)))
    return "\n".join([_fold(line(one.text), columns), _fold(said, columns, indent="    ")])


def render_counts(dimension: str, counts: Mapping[str, int]) -> str:
    """Numbers of articles by outlet, day, month or year, as a bar chart."""
    names = {name: line(name)[:BAR_NAME] or "not known" for name in counts}
    width = max(map(len, names.values()), default=0)
    most = max(counts.values(), default=1)
    bars = [
        f"  {names[name]:{width}} {'█' * max(1, round(BAR * count / most))} {count:,}" for name, count in counts.items()
    ]
    return "\n".join([f"By {line(dimension)}:", *bars])


def render_hits(hits: Iterable[Hit], *, columns: int = 0, explain: Filter | None = None) -> str:
    """Numbered passages, best first, each with its score and origin; given the filter that was applied, which may be
    empty, also with why it was found."""
    return "\n\n".join(
        "\n".join(
            [
                f"{number}. {passage_of(hit.article, hit.start, hit.end)}  ({hit.score:.2f})",
                *(_fold(text, columns, indent="   ") for text in (line(hit.text), also_in(hit.also_in)) if text),
            ]
        )
        + ("" if explain is None else _reasons(hit, explain, columns))
        for number, hit in enumerate(hits, start=1)
    )


def _reasons(hit: Hit, only: Filter, columns: int) -> str:
    """What a score is the sum of, the sentence that is nearest to the query, and the filter that was passed."""
    reranked = "" if hit.reranked is None else f"; reranked {hit.reranked:.3f}"
    reasons = (
        f"similarity {hit.similarity:.3f} + words {hit.bm25:.3f} + context {hit.context:.3f} = {hit.score:.3f}"
        f"{reranked}",
        f"nearest sentence: “{line(hit.nearest.of(hit.article.text))}”",
        f"filter: {line(str(only)) or 'none'}",
    )
    return "".join("\n" + _fold(reason, columns, indent="   · ", hanging="     ") for reason in reasons)


def render_articles(articles: Iterable[Listed]) -> str:
    """A line for each article: id, origin, number of passages, and whether it is searched; below it, what was left out
    of its file."""
    return "\n".join(
        "\n".join(
            (
                f"{line(one.article.id)}  {origin(one.article)} · {_passages(one.passages)} · {line(one.state)}"
                f"{_tagged(one.tags)}{' · edited' if one.edits else ''}",
                *(f"    left out: {line(reason)}" for reason in one.left_out),
            )
        )
        for one in articles
    )


def _passages(number: int) -> str:
    return f"{number} passage{'' if number == 1 else 's'}"


def _tagged(tags: Sequence[str]) -> str:
    return f" · {line(', '.join(tags))}" if tags else ""


def render_known(article: Article, *, tags: Sequence[str] = (), edits: Sequence[Edit] = ()) -> str:
    """What is known of an article, its tags, and what was read in the place of what was edited."""
    known = (
        ("id", article.id),
        ("title", article.title),
        ("source", article.source),
        ("published", article.published),
        ("url", article.url),
        ("tags", ", ".join(tags)),
    )
    heading = "\n".join(f"{name + ':':<11}{line(value)}" for name, value in known if value)
    read = (f"{edit.field}: {line(edit.read) if edit.read else 'none'}" for edit in edits)
    return heading + "".join(f"\nas read:   {one}" for one in read)


def render_article(
    article: Article,
    *,
    superseded_by: Article | None = None,
    left_out: Sequence[str] = (),
    tags: Sequence[str] = (),
    edits: Sequence[Edit] = (),
) -> str:
    """What is known of an article, the newest version of it if it is an older one, what was left out of its file, then
    its whole text."""
    heading = render_known(article, tags=tags, edits=edits)
    if superseded_by is not None:
        heading += f"\nsuperseded by {line(superseded_by.id)}  {origin(superseded_by)}"
    heading += "".join(f"\nleft out:  {line(reason)}" for reason in left_out)
    return f"{heading}\n\n{clean(article.text)}"


def render_summaries(summaries: Iterable[Summary]) -> str:
    """One line for each conversation: id, last use, number of questions, title."""
    return "\n".join(
        f"{line(summary.id)}  {_time(summary.updated)}  {summary.turns:>3}  {line(summary.title)}"
        for summary in summaries
    )


def render_feedback(given: Iterable[Feedback], *, columns: int = 0) -> str:
    """Each thumb with its day and reason, the question and the answer's text."""
    return "\n\n".join(
        "\n".join(
            _fold(text, columns, indent=indent, hanging="    ")
            for indent, text in (
                ("", f"{one.thumb:<5}{_time(one.rated_at)}  {line(one.reason)}".rstrip()),
                ("  ? ", line(one.question)),
                ("    ", line(str(one.answer.get("text", "")))),
            )
            if text
        )
        for one in given
    )


def _time(utc: str) -> str:
    """A time as an ISO 8601 text in UTC, to the minute."""
    return line(f"{utc[:16].replace('T', ' ')} UTC")


def render_models(models: Iterable[Model], *, here: Collection[str]) -> str:
    """One line for each model, ticked when its name is `here`."""
    return "\n".join(
        f"{'✓' if model.name in here else ' '} {model.name:<20}{model.role:<10}"
        f"{model.size_bytes / 1e6:>6.0f} MB  "
        f"{model.licence:<12}{'default' if model.default else '':<9}{model.note}".rstrip()
        for model in models
    )


def render_fits(machine: Machine, found: Iterable[Fit]) -> str:
    """What was found of the machine, how each model fits it, and which to take."""
    gpu = f"{machine.gpu}, {machine.gpu_bytes / 1e9:.0f} GB" if machine.gpu_bytes else "none found"
    lines = [f"memory {machine.memory_bytes / 1e9:.0f} GB · cores {machine.cores} · GPU {gpu}", ""]
    listed = tuple(found)
    for fit in listed:
        where = "on the GPU" if fit.on_gpu else f"reads new passages in {fit.reading_s or 0:.0f} s"
        tried = " · not tried by this project" if fit.model.untried else ""
        needs = f"needs {fit.needs_bytes / 1e9:>4.1f} GB"
        lines.append(f"{'✓' if fit.fits else '✗'} {fit.model.name:<20}{needs}  {where}{tried}")
    best = recommended(listed)
    default = next((fit for fit in listed if fit.model.default), None)
    lines.append("")
    if machine.gpu_bytes and not machine.uses_gpu:
        lines.append(
            "The GPU is not used: llama-cpp-python is installed without it. docs/models.md says how to build it."
        )
    if best is None:
        return "\n".join([*lines, "No model fits. A model server on another machine can answer: see docs/models.md."])
    if default is not None and default.fits:
        lines.append(f"{default.model.name} is the default, the one that this project measured.")
    if default is None or best.model.size_bytes != default.model.size_bytes:
        lines.append(f"{best.model.name} is the largest that fits: citewire models pull {best.model.name}")
    if best.on_gpu:
        lines.append("CITEWIRE_GPU_LAYERS limits how many of its layers run on the GPU.")
    return "\n".join(lines)


def render_calibration(found: Mapping[str, Any]) -> str:
    """What `citewire models calibrate` found out about a model."""
    lines = [
        f"{found['model']}: {found['right']} of {found['drafts']} drafts were right ({found['questions']} questions)"
    ]
    lines.append(f"{'caution':<10}{'not answered':>14}{'answered though no text says it':>34}")
    for caution, shares in found["caution"].items():
        lines.append(f"{caution:<10}{shares['not answered']:>14.0%}{shares['answered without an answer']:>34.0%}")
    return "\n".join(lines)


def render_tuning(rows: Sequence[tuple[str, Measured]]) -> str:
    """What `citewire models tune` measured, and how the weights are used from now on."""
    lines = [f"{'tokens a second on one thread':<32}{'read':>6}{'written':>9}{'an answer':>11}"]
    for name, found in rows:
        lines.append(name)
        for way, speed, is_used in (
            ("as in the file", found.as_in_file, not found.repack),
            ("repacked", found.repacked, found.repack),
        ):
            figures = "  not with this llama.cpp"
            if speed is not None:
                figures = f"{1 / speed.read_s:>6.0f}{1 / speed.write_s:>9.0f}{speed.answer_s:>9.1f} s"
            lines.append(f"  {way:<30}{figures}{'   used from now on' if is_used else ''}")
    return "\n".join(lines)


def _marked(answer: Answer) -> str:
    """`answer.text` with a marker after each claim, and a word where a claim rests on nothing."""
    pieces, position = [], 0
    for claim in answer.claims:
        pieces += [answer.text[position : claim.end], _marker(claim)]
        position = claim.end
    return "".join([*pieces, answer.text[position:]]).strip()


def _marker(claim: Claim) -> str:
    word = {Verdict.UNSUPPORTED: UNSUPPORTED, Verdict.PARTLY: PARTLY}.get(claim.verdict, "")
    numbers = "".join(f"[{citation.number}]" for citation in claim.citations)
    return "".join(f" {part}" for part in (numbers, word) if part)


def _differing(disagreement: Disagreement, columns: int) -> str:
    """One line for each side, newest first: what it says and who says it."""
    sides = [
        _fold(f"{line(side.value)} [{side.citation.number}] {cited(side.citation)}", columns, indent="  ")
        for side in disagreement.sides
    ]
    return "\n".join([differing(disagreement), *sides])


def differing(disagreement: Disagreement) -> str:
    """The line above the sides of a disagreement."""
    if disagreement.about == "version":
        return "Versions differ:" if len(disagreement.sides) > 1 else "Only an older version says so:"
    return f"Articles differ ({line(disagreement.about)}):"


def _quoted(citation: Citation, columns: int, others: Sequence[str], *, quote: str) -> str:
    """The number of a citation, its words unless they stand above, and where they are from."""
    lead = f"[{citation.number}] "
    under = " " * len(lead)
    known = [line(quote), cited(citation), line(citation.url or ""), also_in(others)]
    first, *below = filter(None, known)
    return "\n".join(
        [_fold(lead + first, columns, hanging=under), *(_fold(text, columns, indent=under) for text in below)]
    )


def _fold(text: str, columns: int, *, indent: str = "", hanging: str | None = None) -> str:
    """Each line of `text` folded at `columns`, the first one indented by `indent`, the next by `hanging`."""
    hanging = indent if hanging is None else hanging
    if not columns:
        return "\n".join(indent + single for single in text.splitlines())
    return "\n".join(
        textwrap.fill(
            single,
            width=max(columns, 40),
            initial_indent=indent,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for single in text.splitlines()
    )
