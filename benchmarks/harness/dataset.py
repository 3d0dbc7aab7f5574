"""Dataset: questions, the articles to find, and which of them answer. Read from the evaluation data, never kept."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from index.article import Article
from rag.answer import Turn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from index import Index

SQUAD = "squad2_cs224n/data"
MTRAG = "mtrag/mtragun-human"
XQUAD = "xquad"
COLLECTIONS = ("clapnq", "cloud", "fiqa", "govt")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, what was said before it, and the ids of the articles that answer it: none if it is impossible.

    `subject` is the title (SQuAD) or collection (MTRAG) it was asked of; `answers` are the words that SQuAD expects,
    `paragraph` is the id of the article it was written for, also of one that it does not answer, and `plausible` are
    words of it that look like the answer to an impossible one.
    """

    text: str
    relevant: frozenset[str]
    subject: str
    history: tuple[Turn, ...] = ()
    answers: tuple[str, ...] = ()
    paragraph: str = ""
    plausible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Articles and questions about them."""

    articles: tuple[Article, ...]
    questions: tuple[Question, ...]


def options(parser: argparse.ArgumentParser) -> None:
    """Where the data is, and how much of it to use."""
    from pathlib import Path

    default = Path(__file__).parents[3] / "shared" / "evaldata"
    parser.add_argument("--data", type=Path, default=default, help="folder of the evaluation data")
    parser.add_argument("--quick", action="store_true", help="a small part of the data, to try; writes no result")


def squad(folder: Path, *, quick: bool = False) -> Dataset:
    """SQuAD 2: each paragraph an article. The questions are those of dev; the paragraphs of test distract.

    `quick` takes the first two titles of dev and nothing else.
    """
    dev = _json(folder / SQUAD / "dev-v2.0.json")["data"]
    test = [] if quick else _json(folder / SQUAD / "test-v2.0.json")["data"]
    articles: list[Article] = []
    questions: list[Question] = []
    for split, titles in (("dev", dev[:2] if quick else dev), ("test", test)):
        for number, about in enumerate(titles):
            title = about["title"].replace("_", " ")
            for place, paragraph in enumerate(about["paragraphs"]):
                article = Article(f"{split}-{number}-{place}", paragraph["context"], title=title)
                articles.append(article)
                if split == "dev":
                    questions.extend(_questions(paragraph, article, title))
    return Dataset(tuple(articles), tuple(questions))


def xquad(folder: Path, language: str) -> Dataset:
    """XQuAD in a language: each paragraph an article. The titles are English everywhere, so the articles have none."""
    articles: list[Article] = []
    questions: list[Question] = []
    for number, about in enumerate(_json(folder / XQUAD / f"xquad.{language}.json")["data"]):
        for place, paragraph in enumerate(about["paragraphs"]):
            article = Article(f"{number}-{place}", paragraph["context"])
            articles.append(article)
            questions += [
                Question(asked["question"].strip(), frozenset((article.id,)), about["title"], paragraph=article.id)
                for asked in paragraph["qas"]
            ]
    return Dataset(tuple(articles), tuple(questions))


def mtrag(folder: Path, *, quick: bool = False) -> Dataset:
    """MTRAG-UN: conversations, each with a last question; articles are the passages any task was given.

    `quick` takes one collection of the four.
    """
    relevant = _qrels(folder)
    tasks = _tasks(folder, quick=quick)
    questions = [_question(task, relevant[task["task_id"]]) for task in tasks if task["task_id"] in relevant]
    return Dataset(_passages(tasks), tuple(questions))


def mtrag_answerability(folder: Path, *, quick: bool = False) -> Dataset:
    """MTRAG-UN: the same articles; the questions that they answer, and those labeled as unanswerable."""
    relevant = _qrels(folder)
    tasks = _tasks(folder, quick=quick)
    questions = []
    for task in tasks:
        if task["answerability"] == ["ANSWERABLE"]:
            questions.append(_question(task, relevant[task["task_id"]]))
        elif task["answerability"] == ["UNANSWERABLE"]:
            questions.append(_question(task, set()))
    return Dataset(_passages(tasks), tuple(questions))


def later_half(data: Dataset) -> Dataset:
    """The same articles; of the questions, those of the second half of the titles, in the order of the articles."""
    subjects = list(dict.fromkeys(question.subject for question in data.questions))
    later = set(subjects[len(subjects) // 2 :])
    return Dataset(data.articles, tuple(question for question in data.questions if question.subject in later))


def alternating(questions: Sequence[Question], n: int) -> tuple[Question, ...]:
    """At most `n` questions that can be answered and as many that cannot, in turn, drawn with a fixed seed.

    Those drawn for a smaller `n` are the first of those for a larger one, however many of a kind there are.
    """
    kinds: tuple[list[Question], list[Question]] = ([], [])
    for question in questions:
        kinds[not question.relevant].append(question)
    for kind in kinds:
        random.Random(0).shuffle(kind)
    pairs = zip_longest(*(kind[:n] for kind in kinds))
    return tuple(question for pair in pairs for question in pair if question is not None)


def _qrels(folder: Path) -> dict[str, set[str]]:
    relevant: dict[str, set[str]] = {}
    for collection in COLLECTIONS:
        lines = _text(folder / MTRAG / f"retrieval_tasks/qrels/{collection}.tsv").splitlines()[1:]
        for task, passage, _ in (line.split("\t") for line in lines):
            relevant.setdefault(task, set()).add(passage)
    return relevant


def _tasks(folder: Path, *, quick: bool) -> list[Any]:
    lines = _text(folder / MTRAG / "generation_tasks/reference.jsonl").splitlines()
    tasks = [json.loads(line) for line in lines]
    return [task for task in tasks if not quick or task["Collection"] == COLLECTIONS[0]]


def _passages(tasks: Sequence[Any]) -> tuple[Article, ...]:
    articles: dict[str, Article] = {}
    for passage in (passage for task in tasks for passage in task["contexts"]):
        key = passage["document_id"]
        articles[key] = Article(key, passage["text"], title=passage.get("title") or None)
    return tuple(articles.values())


def _question(task: Any, relevant: set[str]) -> Question:
    *before, asked = (message["text"] for message in task["input"])
    history = tuple(Turn(*turn) for turn in zip(before[::2], before[1::2], strict=True))
    return Question(asked, frozenset(relevant), task["Collection"], history)


def merged(questions: Sequence[Question], index: Index) -> list[Question]:
    """The questions, each with the articles that `index` searches in place of those that answer: for a copy its
    original."""
    searched = {one.article.id: one.copy_of.id for one in index.listing() if one.copy_of is not None}
    return [
        replace(question, relevant=frozenset(searched.get(one, one) for one in question.relevant))
        for question in questions
    ]


def _questions(paragraph: Any, article: Article, title: str) -> Iterator[Question]:
    for asked in paragraph["qas"]:
        relevant = frozenset[str]() if asked["is_impossible"] else frozenset({article.id})
        answers = dict.fromkeys(answer["text"] for answer in asked.get("answers", ()))
        plausible = dict.fromkeys(answer["text"] for answer in asked.get("plausible_answers", ()))
        yield Question(
            asked["question"].strip(),
            relevant,
            title,
            answers=tuple(answers),
            paragraph=article.id,
            plausible=tuple(plausible),
        )


def _json(path: Path) -> Any:
    return json.loads(_text(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}; say where the evaluation data is: --data FOLDER") from error
