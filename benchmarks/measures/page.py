"""Page: how long until it can be read and typed into, what it costs to fetch, and how long evidence takes to appear.

A real Chromium opens the real page over the seeds, each time as a browser that has never been there. A bare Gradio page
with a conversation and a box, served by the same process, is opened in turn with it: a ratio to it says what is ours.
Times are the browser's own, from the start of the navigation, or from the key press to the frame that shows the change.
The models are loaded and have read the passages before the first load, so that nothing else is being done.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing, contextmanager
from itertools import cycle, islice
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import report, samples
from benchmarks.harness.browser import chromium, served
from index import Index
from rag.engine import Engine
from rag.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

PATIENCE_MS = 300_000
SETTLED_MS = 1500
"""After a page can be typed into: what it still fetches by then belongs to its first load."""
PACKAGES = ("gradio", "playwright", "torch")
PAINTS = {"first-paint": "first paint, ms", "first-contentful-paint": "first contentful paint, ms"}

Measured = dict[str, float]


def options(parser: argparse.ArgumentParser) -> None:
    """How often, and with which model."""
    parser.add_argument("--n", type=int, default=20, help="loads of each page, and questions")
    parser.add_argument("--model", help="the LLM; the default one unless told otherwise")


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the tables, write the result."""
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory())
        index = stack.enter_context(Index.open(home))
        index.sync([samples.ARTICLES])
        engine = stack.enter_context(
            Engine.open(index=index, settings=Settings(llm=arguments.model, read_ahead="full"))
        )
        engine.load()
        engine.read_ahead(Event())
        url = stack.enter_context(served(engine))
        plain = stack.enter_context(_plain())
        browser = stack.enter_context(chromium())
        ours, bare = [], []
        for _ in range(arguments.n):
            bare.append(_opened(browser, plain, "textarea"))
            ours.append(_opened(browser, url, "#question textarea"))
        questions = islice(cycle(question for question, _ in samples.CONVERSATIONS), arguments.n)
        asked = [_asked(browser, url, engine, question) for question in questions]
        models = {"embedder": index.embedder.name, "llm": engine.model}
    measured = {
        "n": arguments.n,
        "load average at the start": round(load, 2),
        "page": _told(ours),
        "bare Gradio page": _told(bare),
        "page against bare page, median of pairs": _ratios(ours, bare),
        "question": _told(asked),
    }
    for title, rows in measured.items():
        if isinstance(rows, dict):
            print(f"\n{title}\n" + "\n".join(f"  {name:44}{_row(value)}" for name, value in rows.items()))
    report.write("page", models=models, measured=measured, packages=PACKAGES)


@contextmanager
def _plain() -> Iterator[str]:
    """The address of a page as Gradio's own guide makes one."""
    import gradio as gr

    with gr.Blocks(analytics_enabled=False) as demo:
        talk, box = gr.Chatbot(), gr.Textbox()
        box.submit(lambda text, said: ("", [*said, {"role": "user", "content": text}]), [box, talk], [box, talk])
    try:
        _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, share=False)
        yield url
    finally:
        demo.close(verbose=False)


@contextmanager
def _tab(browser: Browser, url: str, box: str) -> Iterator[Tab]:
    """A page in a browser with empty caches, once the element `box` can be typed into."""
    with closing(browser.new_context(viewport={"width": 1440, "height": 900})) as context:
        context.add_init_script(_STAMPS.replace("BOX", box))
        tab = context.new_page()
        tab.goto(url)
        tab.wait_for_function("stamps.box", timeout=PATIENCE_MS)
        yield tab


def _opened(browser: Browser, url: str, box: str) -> Measured:
    with _tab(browser, url, box) as tab:
        tab.wait_for_timeout(SETTLED_MS)
        stamps = tab.evaluate("stamps")
        paints = {one["name"]: one["startTime"] for one in tab.evaluate(_PAINTS)}
        fetched = [one["transferSize"] for one in tab.evaluate(_FETCHED)]
        return {
            **{told: float(paints[name]) for name, told in PAINTS.items()},
            "ready to type, ms": stamps["box"],
            **({"first answer of the server seen, ms": stamps["connected"]} if "connected" in stamps else {}),
            "requests": len(fetched),
            "kilobytes": sum(fetched) / 1000,
        }


def _asked(browser: Browser, url: str, engine: Engine, question: str) -> Measured:
    """From Enter to what follows, and the engine alone just before, without page or browser."""
    start = time.perf_counter()
    with closing(engine.stream(question)) as events:  # type: ignore[type-var] # it is a generator
        next(events)
        alone_ms = (time.perf_counter() - start) * 1000
    with _tab(browser, url, "#question textarea") as tab:
        tab.locator("#status .ready").wait_for(timeout=PATIENCE_MS)
        tab.wait_for_timeout(SETTLED_MS)
        box = tab.locator("#question textarea")
        box.fill(question)
        box.press("Enter")
        tab.wait_for_function("stamps.token", timeout=PATIENCE_MS)
        box.press("Escape")
        tab.locator("#stop:disabled").wait_for(timeout=PATIENCE_MS)
        stamps = tab.evaluate("stamps")
    return {
        "evidence by the engine alone, ms": alone_ms,
        "Enter to the question on the page, ms": stamps["question"] - stamps["enter"],
        "Enter to the evidence on the page, ms": stamps["evidence"] - stamps["enter"],
        "Enter to the first word, ms": stamps["token"] - stamps["enter"],
    }


def _told(found: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """Measure → median and 95th percentile."""
    return {
        name: {
            "median": round(float(np.median([one[name] for one in found])), 1),
            "p95": round(float(np.quantile([one[name] for one in found], 0.95)), 1),
        }
        for name in found[0]
    }


def _ratios(ours: Sequence[Measured], bare: Sequence[Measured]) -> dict[str, float]:
    pairs = list(zip(ours, bare, strict=True))
    return {name: round(float(np.median([one[name] / other[name] for one, other in pairs])), 3) for name in bare[0]}


def _row(value: Any) -> str:
    return "".join(f"{one:>12,.1f}" for one in value.values()) if isinstance(value, dict) else f"{value:>12.3f}"


_PAINTS = "performance.getEntriesByType('paint').map(one => one.toJSON())"
_FETCHED = "performance.getEntries().filter(one => 'transferSize' in one).map(one => one.toJSON())"
_STAMPS = """
window.stamps = {};
performance.setResourceTimingBufferSize(5000);
const stamp = (name) => { stamps[name] ??= performance.now(); };
const painted = (name) => requestAnimationFrame(() => setTimeout(() => stamp(name)));
addEventListener('keydown', (event) => { if (event.key === 'Enter') stamps.enter = event.timeStamp; }, true);
new MutationObserver(() => {
  if (!stamps.box && document.querySelector('BOX:enabled')) stamp('box');
  if (!stamps.connected && document.querySelector('#status .ready')) painted('connected');
  if (!stamps.enter) return;
  if (document.querySelector('#current .question')) painted('question');
  if (document.querySelector('#panel .passage')) painted('evidence');
  if (document.querySelector('#current .writing')) painted('token');
}).observe(document, {childList: true, subtree: true, attributes: true});
"""
"""Notes in the page when what is looked for is there: the first time only, and after the frame that shows it."""
