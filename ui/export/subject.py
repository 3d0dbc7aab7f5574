"""Subject: what is taken along, whatever it is: its title, its day, its document, its rows, what it cites, its JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from ui.export import csv_rows, document
from ui.export.document import Document, Draft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.answer import Answer, Citation
    from rag.checked import Check
    from ui.briefings import Briefing, Entry
    from ui.conversations import Conversation
    from ui.export.csv_rows import Row


@dataclass(frozen=True, slots=True)
class Subject:
    """`day` is an ISO 8601 date. `rows` are below `columns`; `json` is a JSON-ready value of everything."""

    title: str
    day: str
    document: Document
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    citations: tuple[Citation, ...]
    json: Any


def of_answer(answer: Answer, *, asked_at: str) -> Subject:
    """An answer to a question that was asked at this time (ISO 8601, in UTC)."""
    blocks = (document.note(document.asked(asked_at)), *document.of_answer(answer))
    return Subject(
        title=answer.question,
        day=asked_at[:10],
        document=Document(answer.question, blocks),
        columns=csv_rows.COLUMNS,
        rows=tuple(csv_rows.of_answer(answer)),
        citations=answer.citations,
        json=answer.to_dict(),
    )


def of_conversation(conversation: Conversation) -> Subject:
    """A whole conversation. Raises InputError for a turn that is damaged."""
    answers = [(kept.restored(), kept.asked_at) for kept in conversation.turns]
    title = conversation.title or "Conversation"
    return of_answers(title, conversation.created, answers, json=conversation.to_dict())


def of_answers(
    title: str, day: str, answers: Sequence[tuple[Answer, str]], *, json: Any, note: str = "", is_asked: bool = True
) -> Subject:
    """Several answers, each with a time: when it was asked, or else when it was found. `note` stands above them."""
    label = document.asked if is_asked else document.found
    blocks = document.of_answers([(answer, label(time)) for answer, time in answers])
    above = (document.note(note),) if note else ()
    return Subject(
        title=title,
        day=day[:10],
        document=Document(title, (*above, *blocks)),
        columns=(*csv_rows.ASKED, *csv_rows.COLUMNS),
        rows=tuple((answer.question, time, *row) for answer, time in answers for row in csv_rows.of_answer(answer)),
        citations=tuple(citation for answer, _ in answers for citation in answer.citations),
        json=json,
    )


def of_briefing(briefing: Briefing, entries: Sequence[Entry]) -> Subject:
    """A briefing with its answers, newest first."""
    return of_answers(
        briefing.name,
        briefing.ran_at or briefing.created,
        [(entry.answer, entry.found_at) for entry in entries],
        json={**briefing.to_dict(), "found": [entry.to_dict() for entry in entries]},
        note="" if entries else briefing.outcome or "Not run yet",
        is_asked=False,
    )


def of_check(check: Check, title: str, *, day: str) -> Subject:
    """A checked draft. What it cites are the articles that its sentences rest on or are contradicted by."""
    return Subject(
        title=title,
        day=day[:10],
        document=Document(title, (Draft(check),)),
        columns=csv_rows.CHECKED,
        rows=tuple(csv_rows.of_check(check)),
        citations=tuple(citation for one in check.sentences for citation in one.citations),
        json=check.to_dict(),
    )


def joined(subjects: Sequence[Subject], title: str, *, day: str) -> Subject:
    """Several subjects with the same columns as one, each below its title; `json` is a list, also of one."""
    if len(subjects) == 1:
        return replace(subjects[0], json=[subjects[0].json])
    blocks = [block for one in subjects for block in (document.Heading(one.title, 1), *one.document.blocks)]
    return Subject(
        title=title,
        day=day[:10],
        document=Document(title, tuple(_placed(blocks))),
        columns=subjects[0].columns if subjects else (),
        rows=tuple(row for one in subjects for row in one.rows),
        citations=tuple(citation for one in subjects for citation in one.citations),
        json=[one.json for one in subjects],
    )


def _placed(blocks: Sequence[document.Block]) -> list[document.Block]:
    """The blocks below another title: headings a level deeper, references numbered through."""
    numbers = count(1)
    placed: list[document.Block] = []
    for block in blocks:
        match block:
            case document.Heading():
                placed.append(replace(block, level=block.level + 1))
            case document.References():
                placed.append(replace(block, place=next(numbers)))
            case _:
                placed.append(block)
    return placed
