"""Document: an answer or a check as headings, paragraphs, tables and references, before it is Markdown, HTML or DOCX.

Texts are as articles, models and readers wrote them; whoever writes a document escapes them. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rag.answer import Verdict
from ui import terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rag.answer import Answer, Citation, Claim, Disagreement, Section
    from rag.checked import Check

Form = Literal["plain", "strong", "emphasis", "reference"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a line. Those of the form "reference" are the `number` of a reference in brackets."""

    text: str
    form: Form = "plain"
    number: int = 0


Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the title."""

    text: str
    level: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together, such as the heading of a row and what stands below it."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list below a line."""

    lead: str
    items: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Two columns: names, and how many articles each has."""

    head: str
    numbers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class References:
    """The quotes that the blocks before them rest on. Those with the numbers `in_text` are quoted there in full.
    `place` tells the references of several answers in one document apart."""

    citations: tuple[Citation, ...]
    in_text: frozenset[int] = frozenset()
    place: int = 1


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked draft: its text with a verdict for every sentence, and the quotes."""

    check: Check


Block = Heading | Paragraph | Bullets | Table | References | Draft


@dataclass(frozen=True, slots=True)
class Document:
    """A title and what stands below it."""

    title: str
    blocks: tuple[Block, ...]


def of_answer(answer: Answer, *, place: int = 1) -> tuple[Block, ...]:
    """The answer with its markers, what it lacks, who disagrees, then every quote with its origin."""
    blocks: list[Block] = []
    if answer.sections:
        blocks += _paragraphs([Piece(answer.caption if answer.counts else answer.lead)])
        blocks += [_table(dimension, numbers) for dimension, numbers in answer.counts.items()]
        blocks += [_row(section) for section in answer.sections]
    else:
        blocks += _paragraphs(_marked(answer))
    if answer.reason is not None:
        state = "No answer" if answer.refused else "Incomplete"
        blocks.append(note(f"{state}: {answer.reason}."))
    if answer.unanswered:
        blocks.append(note(f"Not answered: {answer.unanswered}"))
    if answer.missing:
        blocks.append(note(answer.not_searched))
    blocks += [_differing(disagreement) for disagreement in answer.disagreements]
    if answer.citations:
        blocks.append(References(answer.citations, answer.quoted_in_text, place))
    return tuple(block for block in blocks if not isinstance(block, Paragraph) or block.lines)


def of_answers(answers: Iterable[tuple[Answer, str]]) -> tuple[Block, ...]:
    """Several answers, each below its question and a note that says when it was asked or found."""
    blocks: list[Block] = []
    for place, (answer, when) in enumerate(answers, start=1):
        blocks += [Heading(answer.question, 2), note(when), *of_answer(answer, place=place)]
    return tuple(blocks)


def with_places(blocks: Sequence[Block]) -> Iterator[tuple[Block, int]]:
    """Each block with the place of the references that its markers lead to, the next ones; 0 if none follow."""
    place, places = 0, []
    for block in reversed(blocks):
        place = block.place if isinstance(block, References) else place
        places.append(place)
    return zip(blocks, reversed(places), strict=True)


def asked(time: str) -> str:
    """When a question was asked, from an ISO 8601 time in UTC."""
    return f"Asked on {time[:10]} at {time[11:16]} UTC"


def found(time: str) -> str:
    """When an answer was found, from an ISO 8601 time in UTC."""
    return f"Found on {time[:10]} at {time[11:16]} UTC"


def note(text: str) -> Paragraph:
    """A line of ours."""
    return Paragraph(((Piece(text, "emphasis"),),))


def origin(citation: Citation) -> str:
    """Outlet, headline and day of what is quoted and where it stands in its original, as far as they are known."""
    return terminal.cited(citation)


def legal(text: str) -> str:
    """`text` without what XML 1.0 forbids: control characters, halves of surrogate pairs, U+FFFE and U+FFFF."""
    return re.sub(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)


def _marked(answer: Answer) -> list[Piece]:
    """The text with a marker after each claim."""
    pieces, position = [], 0
    for claim in answer.claims:
        pieces += [Piece(answer.text[position : claim.start]), Piece(_on_a_line(claim.text)), *_marker(claim)]
        position = claim.end
    return [*pieces, Piece(answer.text[position:])]


def _marker(claim: Claim) -> list[Piece]:
    numbers = [Piece(f"[{citation.number}]", "reference", citation.number) for citation in claim.citations]
    word = {Verdict.UNSUPPORTED: terminal.UNSUPPORTED, Verdict.PARTLY: terminal.PARTLY}.get(claim.verdict)
    pieces = [Piece(" "), *numbers] if numbers else []
    return [*pieces, Piece(" "), Piece(word, "emphasis")] if word else pieces


def _row(section: Section) -> Paragraph:
    """The heading in bold, then the claims with their markers."""
    claims: list[Piece] = []
    for claim in section.claims:
        claims += [*([Piece(" ")] if claims else []), Piece(_on_a_line(claim.text)), *_marker(claim)]
    heading = (Piece(_on_a_line(section.heading), "strong"),) if section.heading else ()
    return Paragraph(tuple(line for line in (heading, tuple(claims)) if line))


def _paragraphs(pieces: list[Piece]) -> list[Paragraph]:
    """The pieces in paragraphs, which empty lines part; a single line break is a blank."""
    paragraphs: list[list[Piece]] = [[]]
    for piece in pieces:
        for number, stretch in enumerate(re.split(r"\n\s*\n", piece.text)):
            if number:
                paragraphs.append([])
            if stretch:
                paragraphs[-1].append(Piece(stretch.replace("\n", " "), piece.form, piece.number))
    whole = [tuple(line) for line in paragraphs if any(piece.text.strip() for piece in line)]
    return [Paragraph((line,)) for line in whole]


def _table(dimension: str, numbers: Mapping[str, int]) -> Table:
    unknown = "outlet unknown" if dimension == "outlet" else "no date"
    return Table(f"By {dimension}", tuple((name or unknown, number) for name, number in numbers.items()))


def _differing(disagreement: Disagreement) -> Bullets:
    items = [
        (
            Piece(_on_a_line(side.value), "strong"),
            Piece(" "),
            Piece(f"[{side.citation.number}]", "reference", side.citation.number),
            Piece(f" {terminal.cited(side.citation)}"),
        )
        for side in disagreement.sides
    ]
    return Bullets(terminal.differing(disagreement), tuple(items))


def _on_a_line(text: str) -> str:
    return " ".join(text.split())
