"""`citewire search` and `citewire ask`, also as a conversation in the terminal."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import rag
from index import filters, models
from index.errors import Error
from rag.grounding import answerability
from rag.kind import KINDS
from ui import terminal
from ui.commands.cluster import add_cluster, answering, opened
from ui.commands.command import (
    NOT_ANSWERED,
    OK,
    add_answering,
    add_command,
    add_operators,
    settings_of,
    typed,
)
from ui.commands.output import columns, complain, complain_of_sending, show, show_json
from ui.commands.taking import add_export, now, require_exportable, save, take
from ui.export import subject
from ui.progress import Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rag import Answer, Engine, Turn
    from rag.event import Event
    from ui.commands.command import Commands

DRAFT = "Draft, not checked yet:"


def declare(commands: Commands) -> None:
    """Declare `search` and `ask`."""
    command = add_command(commands, "search", run_search, "--json")
    command.add_argument("query", help="what to look for, in words or as a question; may have operators")
    command.add_argument("-k", type=int, default=5, help="how many passages (default: 5)")
    command.add_argument("--explain", action="store_true", help="show why each passage was found")
    add_cluster(command)
    add_operators(command)

    command = add_command(commands, "ask", run_ask, "--json", "--llm")
    command.add_argument(
        "question",
        nargs="?",
        help="may have operators; without it, questions are typed in the terminal, or one is read from standard input",
    )
    add_operators(command)
    command.add_argument(
        "--after",
        action="append",
        default=[],
        metavar="QUESTION",
        help="an earlier question of the conversation; repeatable",
    )
    command.add_argument(
        "--as", dest="kind", choices=KINDS, help="the kind of answer (default: what the question asks for)"
    )
    command.add_argument("--limit", type=int, metavar="N", help="the largest number of rows of a list or timeline")
    command.add_argument(
        "--csv", dest="format", action="store_const", const="csv", help="the same as --format csv, for a spreadsheet"
    )
    add_export(command)
    add_answering(command)
    add_cluster(command)


def run_search(options: argparse.Namespace) -> int:
    """Show the passages nearest to a query, best first. No language model is involved."""
    query, only = filters.parse(typed(options.query))
    with opened(options.home, options.cluster) as found:
        hits = found.search(query, options.k, **only.to_dict())
        is_empty = not hits and not found.stats().articles
    if hits.missing:
        complain(
            f"citewire: not all articles were searched: {', '.join(hits.missing)}; see: citewire cluster status "
            f"--cluster {options.cluster}"
        )
    if options.json:
        rows = [rag.Source(number, hit).to_dict() for number, hit in enumerate(hits, start=1)]
        reasons = [{**hit.to_dict(), "filter": only.to_dict()} if options.explain else {} for hit in hits]
        return show_json([row | reason for row, reason in zip(rows, reasons, strict=True)])
    if is_empty and not only:
        complain("citewire: no articles yet; run: citewire index add PATH")
    elif not hits:
        complain(f"citewire: nothing found{f' with {only}' if only else ''}")
    return show(terminal.render_hits(hits, columns=columns(), explain=only if options.explain else None))


def run_ask(options: argparse.Namespace) -> int:
    """Answer one question, after those of --after; without a question, hold a conversation in the terminal."""
    settings = settings_of(options.llm, options.mode, options.caution)
    models.require_known(settings.llm, "llm")  # an empty index would not ask for it
    require_exportable(options)
    with answering(options.home, options.cluster, settings) as engine:
        complain_of_sending(engine.sends_to)
        if options.question is None and sys.stdin.isatty():
            return _converse(engine, options)
        history: list[Turn] = []
        for earlier in options.after:
            history.append(_ask(engine, typed(earlier), history).turn)
        question = sys.stdin.read() if options.question is None else options.question
        question = typed(question)
        kind = options.kind or rag.kind_of(question, history=history)
        # Programs get the whole list, readers a page of it.
        is_whole = (options.json or options.format or options.export) and kind in ("list", "count")
        limit = sys.maxsize if options.limit is None and is_whole else options.limit
        asked_at = now()
        answer = _ask(engine, question, history, kind=options.kind, limit=limit)
        _show_answer(answer, options, asked_at=asked_at)
        if answer.signals and not answerability.is_measured(answer.model):
            complain(
                f"citewire: {answer.model} was not measured, so only what it is sure of is answered, with quotes; to "
                f"measure it: citewire models calibrate --llm {settings.llm}"
            )
        return NOT_ANSWERED if answer.refused and not options.json else OK


def _converse(engine: Engine, options: argparse.Namespace) -> int:
    """Answer questions from the terminal, one a line, each after those before it, until the end of the input.

    Words are shown while they are written, marked as an unchecked draft. A question that fails does not end the
    conversation. What --export names is saved at the end, with all questions and answers.
    """
    history: list[Turn] = []
    answers: list[tuple[Answer, str]] = []
    while True:
        try:
            question = typed(input("? "))
        except EOFError:
            print()
            _save_conversation(answers, options)
            return OK
        if not question:
            continue
        draft, asked_at = _Draft(), now()
        try:
            answer = _ask(
                engine,
                question,
                history,
                kind=options.kind,
                limit=options.limit,
                write=None if options.json or options.format else draft.write,
            )
        except (Error, OSError) as error:
            draft.end()
            complain(f"citewire: {error}")
            continue
        draft.end()
        history.append(answer.turn)
        answers.append((answer, asked_at))
        one = argparse.Namespace(**{**vars(options), "export": []})
        _show_answer(answer, one, asked_at=asked_at)


def _save_conversation(answers: Sequence[tuple[Answer, str]], options: argparse.Namespace) -> None:
    if not (answers and options.export):
        return
    first, asked_at = answers[0]
    held = [{"asked_at": time, "answer": answer.to_dict()} for answer, time in answers]
    whole = subject.of_answers(first.question, asked_at, answers, json={"turns": held})
    save(lambda: whole, options)


class _Draft:
    """Words of a draft, written below a line that says that nothing of it is checked."""

    def __init__(self) -> None:
        """Print nothing before the first word."""
        self._is_open = False

    def write(self, text: str) -> None:
        """Print the next words."""
        if not self._is_open:
            print(DRAFT)
        self._is_open = True
        print(terminal.clean(text), end="", flush=True)

    def end(self) -> None:
        """Set the draft off from what follows."""
        if self._is_open:
            print("\n")


def _ask(
    engine: Engine,
    question: str,
    history: Sequence[Turn],
    *,
    kind: str | None = None,
    limit: int | None = None,
    write: Callable[[str], None] | None = None,
) -> Answer:
    """Answer a question; a line on standard error shows what is being done, and `write` gets the draft's words."""
    with Notes() as note:
        note("searching")
        for event in engine.stream(question, history=history, kind=kind, limit=limit):
            match event:
                case rag.Answer():
                    return event
                case rag.Token(text=text) if write is not None:
                    note("")
                    write(text)
                case _:
                    note(_note(event))
    raise RuntimeError("Engine.stream ended without an Answer")


def _note(event: Event) -> str:
    """What is being done."""
    match event:
        case rag.Evidence(sources=sources):
            return f"reading {len(sources)} passages"
        case rag.Progress(stage="queue", done=before):
            return f"waiting for {before} earlier question{'' if before == 1 else 's'}"
        case rag.Progress(stage="read", done=done, total=total) if total:
            return f"reading the passages, {100 * done // total} %"
        case rag.Progress(stage="write"):
            return "choosing sentences"
        case rag.Row(section=section):
            return f"found {terminal.line(section.heading)}"
    return "writing"


def _show_answer(answer: Answer, options: argparse.Namespace, *, asked_at: str) -> None:
    def otherwise() -> int:
        return show_json(answer.to_dict()) if options.json else show(terminal.render_answer(answer, columns=columns()))

    take(lambda: subject.of_answer(answer, asked_at=asked_at), options, otherwise=otherwise)
    if options.format not in (None, "json") and answer.refused:
        complain(f"citewire: {terminal.line(answer.text)}")
