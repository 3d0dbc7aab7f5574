"""Screens: pictures of every state of the page, wide and narrow, light and dark, and the page of docs that shows them.

No model is needed: what a model would write is in the script below, so the same code gives the same pictures. Each is
a test of the eyes; the numbers printed are those a machine can judge, how far a page can be scrolled sideways.
"""

from __future__ import annotations

import io
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.harness import samples
from benchmarks.harness.browser import chromium, served
from index import Article, Index
from index.bag_of_words import BagOfWordsEmbedder
from index.errors import ModelError
from rag.engine import Engine
from rag.llm.scripted import ScriptedLLM

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page as Tab

    from rag.prompt import Prompt

DOCS = Path(__file__).parents[2] / "docs"
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
HEIGHT = 800
"""Of a picture in another width."""
SCHEMES = ("light", "dark")
PATIENCE_MS = 120_000

STORM = (
    Article(
        "early",
        "A storm hit Port Zorb on Sunday night. The storm damaged 12 boats, the harbor master said. Nobody was hurt.",
        "Storm hits Port Zorb",
        "Harbor Post",
        "https://harbor.example/storm",
        "2018-03-05",
        "Ada Quill",
    ),
    Article(
        "late",
        "Two days after the storm at Port Zorb the damage is clearer. The storm damaged 14 boats, the harbor master "
        "said on Tuesday. The harbor opens again on Friday.",
        "Port Zorb counts the damage of the storm",
        "Late Post",
        "https://late.example/harbor",
        "2018-03-07",
    ),
)
TALKS = "When did the six-party talks break down?"
BROKE = (
    "The six-party talks with North Korea broke down in 2009. Both Russia and Japan support a resumption of the talks."
)
WHEAT = "What is the price of wheat in Canada?"
AGREED = (
    "Putin and Abe agreed to launch talks in December 2016. The two governments will carry on improving their ties. "
    "Both have declared 2018 a year of trade."
)

DRAFT = (
    "The storm damaged 14 boats, the harbor master said. The six-party talks with North Korea broke down in 2010. "
    "A lighthouse was built on the island. What happens on Friday?"
)


class Script(ScriptedLLM):
    """Reads half of a prompt and waits while it is held; writes `words` words and waits; fails when it is to."""

    def __init__(self) -> None:
        """Held nowhere."""
        super().__init__()
        self.go = threading.Event()
        self.go.set()
        self.words = 0
        self.fault = ""
        self.gate = self  # type: ignore[assignment] # it asks only to wait

    def hold(self, *, words: int = 0) -> None:
        """Write no more than `words` words from now on."""
        self.words = words
        self.go.clear()

    def wait(self, timeout: float) -> bool:
        """What ScriptedLLM asks before each word."""
        if self.words:
            self.words -= 1
            return True
        return self.go.wait(timeout)

    def stream(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        cancel: threading.Event,
        on_read: Callable[[int, int], None] | None = None,
        constraint: object = None,
        adapted: bool = False,
    ) -> Iterator[str]:
        """See LLM."""
        if self.fault:
            raise ModelError(self.fault)
        if on_read is not None:
            on_read(1, 2)
        report = None if not self.go.is_set() and not self.words else on_read
        yield from super().stream(
            prompt, max_tokens=max_tokens, cancel=cancel, on_read=report, constraint=constraint, adapted=adapted
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """One tab, and the model behind it."""

    tab: Tab
    llm: Script

    def ask(self, question: str, reply: str = "", *, held: bool = False, words: int = 0) -> None:
        """In a new chat; waits for the answer, or for what is seen when it is `held` after some words."""
        self.llm.replies[:] = [reply] if reply else []
        self.turn_to("Ask")
        self.tab.locator("#new").click()
        self.tab.locator("#conversation .exchange").wait_for(state="detached")
        if held:
            self.llm.hold(words=words)
        self.tab.locator("#question textarea").fill(question)
        self.tab.locator("#ask").click()
        if held:
            self.tab.locator("#current .writing" if words else "#current progress").wait_for()
        else:
            self.tab.locator("#current .tools").wait_for()

    def stop(self) -> None:
        """Stop what is held, and hold no more."""
        self.tab.locator("#stop").click()
        self.tab.locator("#current .tools").wait_for()
        self.llm.go.set()

    def turn_to(self, name: str) -> None:
        """One of the parts of the page."""
        self.tab.get_by_role("tab", name=name).click()


def _nothing(stage: Stage) -> None:
    """For a scene that is there already."""


def _start(stage: Stage) -> None:
    stage.tab.locator("#suggestions .example").first.wait_for()


def _answer(stage: Stage) -> None:
    stage.ask(TALKS, BROKE)


def _pointed_at(stage: Stage) -> None:
    # From elsewhere: a pointer that does not move points at nothing new.
    stage.tab.mouse.move(1, 1)
    stage.tab.locator("#current .marker").first.hover()


def _article(stage: Stage) -> None:
    stage.tab.locator("#current .marker").first.click()
    stage.tab.locator("#reader mark").wait_for()
    stage.tab.mouse.move(1, 1)
    stage.tab.keyboard.press("Shift")


def _at_the_mark(stage: Stage) -> None:
    stage.tab.locator("#reader mark").evaluate("mark => mark.scrollIntoView({block: 'center'})")


def _claims(stage: Stage) -> None:
    stage.tab.keyboard.press("Escape")
    stage.tab.locator("#reader .reading").wait_for(state="detached")
    stage.ask("What have Japan and Russia agreed on?", AGREED)


def _stopped(stage: Stage) -> None:
    stage.ask(TALKS, BROKE, held=True, words=7)
    stage.stop()


def _evidence(stage: Stage) -> None:
    stage.ask(TALKS, BROKE, held=True)


def _library(stage: Stage) -> None:
    stage.turn_to("Library")
    stage.tab.locator("#articles .rows").wait_for()


def _error(stage: Stage) -> None:
    stage.llm.fault = "qwen2.5-coder-1.5b: model.gguf has another SHA-256; run: citewire models pull qwen2.5-coder-1.5b"
    stage.ask(TALKS)
    stage.llm.fault = ""


def _conversations(stage: Stage) -> None:
    stage.turn_to("Conversations")
    stage.tab.locator("#conversations .rows").wait_for()


def _check(stage: Stage) -> None:
    stage.turn_to("Check")
    stage.tab.locator("#draft textarea").fill(DRAFT)
    stage.tab.locator("#check").click()
    stage.tab.locator("#check-report .save-as").wait_for()


def _briefings(stage: Stage) -> None:
    stage.turn_to("Briefings")
    stage.tab.locator("#brief-question textarea, #brief-question input").fill("new articles about the storm")
    stage.tab.locator("#brief-add").click()
    stage.tab.locator("#briefings [data-act=brief]").click()
    stage.tab.locator("#brief-outcome .status.ready", has_text="storm:").wait_for()


def _settings(stage: Stage) -> None:
    stage.turn_to("Settings")
    stage.tab.locator("#models .rows").wait_for()


@dataclass(frozen=True, slots=True)
class Scene:
    """A state of the page: how to get there from the one before it, and what to do again for each picture."""

    name: str
    told: str
    play: Callable[[Stage], None]
    before_each: Callable[[Stage], None] = _nothing
    after: Callable[[Stage], None] = _nothing


SCENES = (
    Scene("start", "The start page, with the library in numbers and questions that it suggests", _start),
    Scene("evidence", "The passages are there while the model reads them", _evidence, after=Stage.stop),
    Scene("answer", "An answer; a chip that is pointed at shows its quote", _answer, _pointed_at),
    Scene("article", "A chip that is pressed opens the article at the quote", _article, _at_the_mark),
    Scene("claims", "What the quotes carry in part, and what no article says", _claims),
    Scene("refusal", "A refusal, its reason, and how to go on", lambda stage: stage.ask(WHEAT)),
    Scene(
        "disagreement",
        "Articles that tell a fact differently",
        lambda stage: stage.ask("How many boats did the storm damage in Port Zorb?", "The storm damaged 14 boats."),
    ),
    Scene("stopped", "An answer that was stopped", _stopped),
    Scene("error", "An error, with the command that mends it", _error),
    Scene("library", "The library", _library),
    Scene("check", "A draft, and what the articles say to its sentences", _check),
    Scene("briefings", "Saved questions, answered over what is new", _briefings),
    Scene("conversations", "The conversations that were kept", _conversations),
    Scene("settings", "The settings", _settings),
)


def options(parser: argparse.ArgumentParser) -> None:
    """Where to, and another width to look at."""
    parser.add_argument("--out", type=Path, default=DOCS / "screens", help="folder of the pictures")
    parser.add_argument("--width", type=int, help="this width alone; for looking, not for docs/screens.md")


def run(arguments: argparse.Namespace) -> None:
    """Play every scene, take its pictures, write docs/screens.md."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    width = arguments.width
    sizes = {str(width): (width, HEIGHT)} if width else SIZES
    with ExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory())
        index = stack.enter_context(Index.open(home, embedder=BagOfWordsEmbedder()))
        index.sync([samples.ARTICLES])
        index.add(STORM)
        llm = Script()
        url = stack.enter_context(served(Engine.open(index=index, llm=llm)))
        tab = stack.enter_context(chromium()).new_page(viewport={"width": 1440, "height": 900})
        tab.set_default_timeout(PATIENCE_MS)
        tab.goto(url)
        tab.locator("#status .ready").wait_for()
        for scene in SCENES:
            scene.play(Stage(tab, llm))
            for size, (wide, high) in sizes.items():
                for scheme in SCHEMES:
                    _dress(tab, wide, high, scheme)
                    scene.before_each(Stage(tab, llm))
                    _take(tab, arguments.out / f"{scene.name}-{size}-{scheme}.png")
            scene.after(Stage(tab, llm))
    if not width:
        (DOCS / "screens.md").write_text(listed(), encoding="utf-8")
    taken = sorted(arguments.out.glob("*.png"))
    print(f"{len(taken)} pictures, {sum(path.stat().st_size for path in taken) / 1e6:.1f} MB, in {arguments.out}")


def _dress(tab: Tab, width: int, height: int, scheme: str) -> None:
    """Another size and scheme, as if the page had been opened so."""
    tab.set_viewport_size({"width": width, "height": height})
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    tab.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
    tab.evaluate("scrollTo(0, 0)")
    tab.wait_for_timeout(300)


def _take(tab: Tab, path: Path) -> None:
    from PIL import Image

    wide, seen = tab.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    if wide > seen:
        print(f"{path.stem} can be scrolled sideways: {wide} > {seen}")
    shot = Image.open(io.BytesIO(tab.screenshot(animations="disabled", caret="hide"))).convert("RGB")
    # A palette makes the file a third as large; chosen by how often colors occur, it would lack those of a chip.
    shot.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


def listed() -> str:
    """What docs/screens.md says."""
    shown = [(size, scheme) for size in SIZES for scheme in SCHEMES]
    rows = [["state", *(f"{size}, {scheme}" for size, scheme in shown)], ["---"] * (len(shown) + 1)]
    rows += [[scene.told, *(_picture(scene, size, scheme) for size, scheme in shown)] for scene in SCENES]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    said = "Every state of [the page](page.md). `make screens` takes the pictures and writes this table."
    return f"# Screens\n\n{said}\n\n{table}\n"


def _picture(scene: Scene, size: str, scheme: str) -> str:
    path = f"screens/{scene.name}-{size}-{scheme}.png"
    return f'<a href="{path}"><img src="{path}" width="{SIZES[size][0] // 5}" alt="{scene.name}, {size}, {scheme}"></a>'
