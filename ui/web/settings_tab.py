"""Settings: model, way of answering, caution and length, remembered by the browser."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator  # noqa: TC003 (Gradio resolves the annotations)
from typing import Any

import gradio as gr

from index import models
from index.errors import ModelError
from rag.event import Progress
from rag.settings import Settings
from ui import preferences
from ui.backend import explain
from ui.follow import batches, reported
from ui.html import lists, render
from ui.payload import NAME_CHARS
from ui.web.frame import AT_ONCE, QUIET, Frame, Updates, details, region, words

SETTINGS = ("model", "mode", "caution", "length")
AS_STARTED = ""
"""The model that the page was started with."""


class SettingsTab:
    """The tab of the settings."""

    def __init__(self, frame: Frame) -> None:
        """`frame` is shared with the other tabs."""
        self.frame = frame

    def lay_out(self) -> None:
        """The settings, and the models with what is downloaded."""
        default = Settings()
        with gr.Column(elem_id="settings"):
            self.model = gr.Dropdown(_models(), value=AS_STARTED, label="Model", elem_id="model", filterable=False)
            self.mode = gr.Radio(
                [(label, mode) for mode, label in preferences.MODE_LABELS.items()],
                value=default.mode or preferences.USUAL_MODE,
                label="How to answer",
                info="Quotes are the articles' own sentences. A written answer is shorter and can combine several. "
                "Automatic suits the model: small ones quote.",
                elem_id="mode",
            )
            self.caution = gr.Slider(
                0,
                1,
                value=default.caution,
                step=0.05,
                label="How sure must it be?",
                info="More answers ↔ fewer mistakes",
                elem_id="caution",
            )
            self.length = gr.Radio(
                [(name, name) for name in preferences.LENGTHS],
                value=preferences.length_of(default.answer_tokens),
                label="Answer length",
                elem_id="length",
            )
            region('<p class="note">Saved in this browser, for your questions only.</p>', "kept")
            self.about = region("", "about")
            region("<h2>Models</h2>", "models-title")
            self.pulling = region("", "pulling", live=True)
            self.list = region("", "models")

    def wire(self, tab: gr.Tab, status: gr.HTML) -> None:
        """Remember what is changed, download what is asked for."""
        fields = [self.model, self.mode, self.caution, self.length]
        remembered = [self.frame.memory, *fields]
        for field in fields:
            # Not preprocessed: Gradio fails for a model that was downloaded since. The values are checked when used.
            field.input(self._remember, remembered, [self.frame.memory, status], preprocess=False, **AT_ONCE)
        tab.select(self._opened, None, [self.list, self.model, self.about], **AT_ONCE)
        self.frame.bus.pull(self._pull, None, [self.pulling, self.list, self.model], **QUIET)

    def restored(self, memory: Any) -> Updates:
        """The fields as the browser remembers them."""
        base = self._base()
        remembered = memory.get("settings") if isinstance(memory, dict) else None
        chosen = preferences.settings(remembered, base)
        return {
            self.model: AS_STARTED if chosen.llm == base.llm else chosen.llm,
            self.mode: chosen.mode or preferences.USUAL_MODE,
            self.caution: chosen.caution,
            self.length: preferences.length_of(chosen.answer_tokens),
        }

    def _base(self) -> Settings:
        """The settings the page was started with; the defaults until the engine is open."""
        try:
            return self.frame.engine().settings
        except Exception:  # noqa: BLE001 (the status line says what it was)
            return Settings()

    def _remember(
        self, memory: Any, model: str, mode: str, caution: float, length: str, request: gr.Request
    ) -> tuple[dict[str, Any], str]:
        """What the browser is to remember, and the status, which names the machines that questions are sent to."""
        chosen = {"model": model, "mode": mode, "caution": caution, "length": length}
        owner = memory.get("owner") if isinstance(memory, dict) else None
        if owner is None:
            with contextlib.suppress(Exception):  # of a home that cannot be opened: the status says what it was
                owner = self.frame.named(memory, request)
        known = self.remembered({"owner": owner, "settings": chosen})
        return known, self.frame.status(request, known)

    def remembered(self, memory: dict[str, Any]) -> dict[str, Any]:
        """What a browser is given to remember: our own keys only. Others may look like one of Gradio's updates."""
        owner, settings = memory.get("owner"), memory.get("settings")
        chosen = {name: settings.get(name) for name in SETTINGS} if isinstance(settings, dict) else {}
        return {
            "owner": words(owner, most_chars=NAME_CHARS) or None,
            "settings": preferences.storable(chosen) or None,
        }

    def _opened(self, request: gr.Request) -> tuple[str, Any, str]:
        return *self._list(request), self.frame.backend.details()

    def _list(self, request: gr.Request) -> tuple[str, Any]:
        speeds, can_pull = self.frame.backend.words_per_s, self.frame.can_edit(request)
        shown = lists.models(preferences.listed(), here=preferences.downloaded(), speeds=speeds, can_pull=can_pull)
        return shown, gr.update(choices=_models())

    def _pull(self, request: gr.Request, event: gr.EventData) -> Iterator[Updates]:
        """Download a model that models.txt lists, showing how far it is."""
        name = words(details(event).get("model"), most_chars=NAME_CHARS)
        try:
            self.frame.require_editor(request)
            known = {model.name for model in preferences.listed()}
            if name not in known:
                raise ModelError(f"models.txt lists no {name or 'model without a name'}")
            yield {self.pulling: render.status(f"Downloading {name}…")}
            for batch in batches(reported(lambda report: models.pull(name, "llm", progress=report))):
                if isinstance(batch[-1], Progress):
                    yield {self.pulling: _progress(name, batch[-1])}
            pulled = render.status(f"{name} is downloaded and can be chosen above.", "ready")
        except Exception as error:  # noqa: BLE001 (shown in place of the result)
            pulled = render.problem(explain(error), failed="The model could not be downloaded.")
        shown, choices = self._list(request)
        yield {self.pulling: pulled, self.list: shown, self.model: choices}


def _models() -> list[tuple[str, str]]:
    here = preferences.downloaded()
    named = [
        (f"{one.name}, {one.size_bytes / 1e9:.1f} GB", one.name) for one in preferences.listed() if one.name in here
    ]
    return [("Automatic", AS_STARTED), *named]


def _progress(name: str, step: Progress) -> str:
    what = {"wait": "Waiting for another download of", "check": "Checking"}.get(step.stage, "Downloading")
    share = step.done / step.total if step.total else 0.0
    return render.waiting(f"{what} {name}: {step.done / 1e6:,.0f} of {step.total / 1e6:,.0f} MB", share=share)
