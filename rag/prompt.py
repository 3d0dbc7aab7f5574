"""The words sent to the LLM, in parts. Knows no chat template and no model: joining the parts is rag/llm.py's.

The parts stay apart because they live differently: the instructions never change, a passage has one fixed
rendering (so that its reading can be kept), history grows, and the question is new each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.search import Hit
    from rag.answer import Turn

CANNOT_ANSWER = "The articles do not say."
"""What the instructions tell the model to write when the passages hold no answer; the engine looks for it."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to an LLM: instructions, passages, history, question, in this order and never mixed."""

    instructions: str
    passages: tuple[str, ...]
    history: tuple[Turn, ...]
    question: str


@cache
def instructions() -> str:
    """The text of prompt.md with CANNOT_ANSWER filled in."""
    template = (files("rag") / "prompt.md").read_text(encoding="utf-8")
    return template.replace("{cannot_answer}", CANNOT_ANSWER).strip()


def render_passage(hit: Hit) -> str:
    """Outlet, title, date and text of a passage. The same hit always gives the same words, without a number."""
    article = hit.article
    known = [part for part in (article.source, article.title, article.published) if part]
    heading = f"[{' · '.join(known)}]\n" if known else ""
    return f"{heading}{' '.join(hit.text.split())}"


def build(question: str, hits: Sequence[Hit], history: Sequence[Turn] = ()) -> Prompt:
    """The prompt for a question over passages, best first."""
    return Prompt(instructions(), tuple(render_passage(hit) for hit in hits), tuple(history), question.strip())
