"""Check: a draft that is pasted or dropped, and what the articles say to each of its sentences."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator  # noqa: TC003 (Gradio resolves the annotations)
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from index.errors import InputError
from index.read import read, readable
from rag.checked import Check
from ui.backend import explain, without_commands
from ui.html import check as html
from ui.html import render, saving
from ui.library import narrowed
from ui.payload import TEXT_CHARS
from ui.web.frame import AT_ONCE, BUSY, QUIET, Frame, Updates, is_uploaded, region, words

if TYPE_CHECKING:
    import threading

    from rag.checked import Checked
    from ui.session import Session

EVERY_S = 0.4
"""How often the report is redrawn while sentences are checked."""
CUT_OFF = (
    f"The field takes {TEXT_CHARS:,} characters. If the text was longer, its end is not here: "
    "check that part by itself."
)
ENDINGS = [".txt", ".md", ".html", ".docx", ".odt", ".rtf", ".pdf"]
"""What a file chooser offers; whatever articles may be read from is taken."""


class CheckTab:
    """Where a draft is checked. It takes the place of a question: one at a time for each tab."""

    def __init__(self, frame: Frame) -> None:
        """`frame` is shared with the other tabs."""
        self.frame = frame

    def lay_out(self) -> None:
        """The draft, its buttons, and the report."""
        with gr.Column(elem_id="checking"):
            self.text = gr.Textbox(
                label="Your draft",
                placeholder="Paste a text, or drop a file here. Each sentence is compared with your articles.",
                lines=8,
                max_lines=18,
                max_length=TEXT_CHARS,
                elem_id="draft",
            )
            region("", "check-scope", js=_SAME_SCOPE)
            with gr.Row(elem_id="check-tools"):
                self.check = gr.Button("Check", variant="primary", elem_id="check", scale=0)
                self.stop = gr.Button("Stop", variant="stop", elem_id="check-stop", scale=0, visible=False)
                self.file = gr.UploadButton(
                    "Open a file", file_types=ENDINGS, file_count="multiple", elem_id="draft-file", scale=0
                )
            self.outcome = region("", "check-outcome", live=True)
            self.report = gr.HTML("", elem_id="check-report", apply_default_css=False)

    def wire(self, scope: list[Any]) -> None:
        """Check, stop, and take the text of a file. `scope` are the fields that narrow what is searched."""
        changed = [self.report, self.outcome, self.check, self.stop]
        self.checking = self.check.click(self._check, [self.text, *scope], changed, trigger_mode="once", **QUIET)
        self.stop.click(self._stop, None, [self.stop], **AT_ONCE)
        self.file.upload(self._take, [self.file], [self.text, self.report], **QUIET)

    def _check(self, text: str, outlet: str, since: str, until: str, request: gr.Request) -> Iterator[Updates]:
        """The report, redrawn while sentences are checked."""
        draft, session = words(text), self.frame.session(request)
        cancel = self.frame.sessions.begin(session)
        if cancel is None:
            yield {self.report: render.problem(BUSY, failed="Not checked.")}
            return
        try:
            yield {
                self.report: render.waiting("Reading the articles…"),
                self.outcome: render.status(CUT_OFF) if len(draft) >= TEXT_CHARS else "",
                self.check: gr.update(interactive=False),
                self.stop: gr.update(visible=True, interactive=True),
            }
            scope = (words(outlet), words(since), words(until))
            yield from self._reported(draft, scope, session, cancel)
        finally:
            cancel.set()
            self.frame.sessions.end(cancel)
            session.running = None  # also of a session that is not remembered
        yield {self.check: gr.update(interactive=True), self.stop: gr.update(visible=False)}

    def _reported(
        self, draft: str, scope: tuple[str, str, str], session: Session, cancel: threading.Event
    ) -> Iterator[Updates]:
        found: list[Checked] = []
        drawn = time.monotonic()
        try:
            engine = self.frame.engine()
            outlet, since, until = scope
            only = narrowed(outlet=outlet, since=since, until=until, articles=session.chosen, tags=session.tags)
            for one in engine.stream_check(draft, only=only, cancel=cancel):
                found.append(one)
                session.show(citation.article_id for citation in (*one.citations, *one.nearest))
                if time.monotonic() - drawn > EVERY_S:
                    drawn = time.monotonic()
                    yield {self.report: html.render_check(Check(draft, tuple(found)), openable=True)}
            check = Check(draft, tuple(found), engine.index.generation, cancelled=cancel.is_set())
            session.checked = check
            yield {self.report: html.render_check(check, openable=True) + saving.menu(check="last")}
        except Exception as error:  # noqa: BLE001 (shown in place of the report)
            yield {
                self.report: render.problem(without_commands(explain(error)), failed="The text could not be checked.")
            }

    async def _stop(self, request: gr.Request) -> Any:
        """Set the Event. A coroutine, so that it needs no thread when all of them are busy."""
        self.frame.known_session(request).stop()
        return gr.update(interactive=False)

    def _take(self, paths: list[str] | None) -> Updates:
        """The text of the files that were handed in, which are not kept."""
        given = [Path(path) for path in paths if is_uploaded(path)] if isinstance(paths, list) else []
        if not given:
            return {self.text: gr.skip()}
        try:
            text = "\n\n".join(map(_text, given))
            if len(text) > TEXT_CHARS:
                raise InputError(f"the text has {len(text):,} characters, at most {TEXT_CHARS:,} can be checked here")
        except Exception as error:  # noqa: BLE001 (shown in place of the report)
            return {self.report: render.problem(without_commands(explain(error)), failed="The file was not opened.")}
        finally:
            for path in given:
                with contextlib.suppress(OSError):
                    path.unlink()
        return {self.text: text, self.report: ""}


def _text(path: Path) -> str:
    """The text of a file that articles may be read from. Raises InputError and ReadError."""
    if not readable(path):
        raise InputError(f"{path.suffix or 'such'} files aren't supported")
    return "\n\n".join(article.text for article in read(path))


_SAME_SCOPE = """
const shown = document.getElementById('searching');
const take = () => {
  const note = shown?.querySelector('.note');
  element.innerHTML = note ? `${note.outerHTML}${shown.querySelector('.picked')?.outerHTML || ''}` : '';
};
if (shown) new MutationObserver(take).observe(shown, {childList: true, subtree: true, characterData: true});
take();
"""
"""Shows what is searched here as above the question: a draft is checked against the same articles."""
