"""The words sent to the LLM, in parts. Knows no chat template and no model: joining the parts is rag/llm/llama.py's.

The parts stay apart because they live differently: the instructions never change, a passage has one fixed
rendering (so that its reading can be kept), history grows, and the question is new each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from rag.answer import CANNOT_ANSWER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.article import Article
    from index.hit import Hit
    from rag.answer import Turn

ANSWERABLE = "Can this question be answered from the passages alone? Reply Yes or No."
CORRECT = "Proposed answer: {draft}\nIs the proposed answer correct according to the passages? Reply Yes or No."
"""The tasks of the check after a draft: without it and with it."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to an LLM: instructions, passages, history, question, in this order and never mixed.

    `task` are words of ours about the question, which come after it. `articles` are the ids of the articles that the
    passages are from, under which a model may keep what it read of them.
    """

    instructions: str
    passages: tuple[str, ...]
    history: tuple[Turn, ...]
    question: str
    task: str = ""
    articles: tuple[str, ...] = ()


@cache
def instructions() -> str:
    """The text of prompt.md with CANNOT_ANSWER filled in."""
    template = (files("rag") / "prompt.md").read_text(encoding="utf-8")
    return template.replace("{cannot_answer}", CANNOT_ANSWER).strip()


def render_passage(article: Article, text: str) -> str:
    """Outlet, title, date and text of a passage. The same passage always gives the same words, without a number."""
    known = [part for part in (article.source, article.title, article.published) if part]
    heading = f"[{' · '.join(known)}]\n" if known else ""
    return f"{heading}{' '.join(text.split())}"


def build(question: str, hits: Sequence[Hit], history: Sequence[Turn] = (), *, task: str = "") -> Prompt:
    """The prompt for a question over passages, best first."""
    passages = tuple(render_passage(hit.article, hit.text) for hit in hits)
    articles = tuple(hit.article.id for hit in hits)
    return Prompt(instructions(), passages, tuple(history), question.strip(), task, articles)


def passage(article: Article, text: str) -> Prompt:
    """A prompt with one passage and no question."""
    return Prompt(instructions(), (render_passage(article, text),), (), "", articles=(article.id,))
