"""Drafts: whether `check` tells true sentences from altered ones, and from those about nothing in the articles.

Half of the titles of SQuAD 2 dev are indexed. From sentences of these articles come true ones, reworded by rule, and
false ones, with a number, a year, a name or a negation changed; sentences of the other titles are about nothing there.
Names misspelt in several ways show whether the verdict says how the articles spell them, and sentences with the names
as they stand, or with another name of the articles that is one letter away, whether it says so where nothing is wrong.
Every second indexed title was looked at while the rules were made; the others are reported beside them. Quotations of
five to fifteen words, with one of them changed or as they stand, show whether changed words are noticed.
"""

from __future__ import annotations

import random
import re
import threading
from collections import defaultdict
from string import ascii_lowercase
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unicodedata import normalize

from tqdm import tqdm

from benchmarks.harness import dataset, report
from benchmarks.harness.embedder import SharedCachedEmbedder
from benchmarks.harness.report import Mean
from benchmarks.measures.support import LEAST_WORDS, Material, material, name_changed, negation_flipped, number_changed
from index import Index
from index.filters import EVERYTHING
from index.passage import sentences
from rag import checked
from rag.checked import CheckVerdict
from rag.grounding.lexicon import words

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from index import Article

EACH = 100
"""Sentences of every kind, half of them of titles that were looked at."""
QUOTATIONS = 200
SHORTEST_QUOTATION, LONGEST_QUOTATION = 5, 15
"""Words of a quotation."""

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{4,}\b")
"""A name that begins no sentence."""
_YEAR = re.compile(r"\b(1[5-9]|20)\d\d\b")
_FRONTED = re.compile(r"^((?:In|On|During|By|After|Since) [^,]{3,40}), (.+)\.$")
_TAIL = re.compile(r"^(.+?),? ((?:in|during|since|by) (?:1[5-9]|20)\d\d)\.$")
_CONTRACTED = {f"{verb} not": f"{verb}n't" for verb in ("did", "was", "is", "were", "could")}
_COUNTS = "zero one two three four five six seven eight nine ten eleven twelve".split()

options = dataset.options


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the tables, write the result."""
    dev = [one for one in dataset.squad(arguments.data).articles if one.id.startswith("dev-")]
    titles = list(dict.fromkeys(article.title or "" for article in dev))
    indexed = titles[: len(titles) // 2]
    each = EACH // 5 if arguments.quick else EACH
    embedder = SharedCachedEmbedder()
    with TemporaryDirectory() as home, Index.open(home, embedder=embedder) as index:
        index.add(article for article in dev if article.title in indexed)
        cases = made(dev, indexed, each)
        rows, contradicted = judged(index, cases, looked_at=set(indexed[::2]))
        there = [one for one in dev if one.title in indexed]
        spelt = spellings(index, there, cases, each, looked_at=set(indexed[::2]))
        noticed = quotations(index, there, 2 * each)
    report.show("verdict as expected", rows)
    report.show("contradicted", contradicted)
    report.show("spelling of a name is noted", spelt)
    report.show("quotations", noticed)
    if not arguments.quick:
        measured = {"verdict": rows, "contradicted": contradicted, "spelling": spelt, "quotations": noticed}
        report.write("drafts", models={"embedder": embedder.name}, measured=measured)


def made(articles: Sequence[Article], indexed: Sequence[str], each: int) -> list[tuple[str, str, str]]:
    """`each` of every kind: its kind, the title it is of, and the sentence."""
    draw = random.Random(0)
    by_title: dict[str, list[Article]] = defaultdict(list)
    for article in articles:
        by_title[article.title or ""].append(article)
    changes: dict[str, Callable[[str, Material], str | None]] = {
        "true, reworded": lambda text, _: reworded(text, draw),
        "number changed": lambda text, known: None if _YEAR.search(text) else number_changed(text, known, draw),
        "year changed": lambda text, _: year_changed(text, draw),
        "name changed": lambda text, known: name_changed(text, known, draw),
        "negation turned": lambda text, known: negation_flipped(text, known, draw),
        "about nothing there": lambda text, _: text,
    }
    found: list[tuple[str, str, str]] = []
    for kind, change in changes.items():
        there = [title for title in by_title if (title in indexed) != (kind == "about nothing there")]
        most = each if kind in ("true, reworded", "about nothing there") else each // 4
        of_kind: list[tuple[str, str, str]] = []
        for turn in range(40 * most):
            title = there[turn % len(there)]
            article = draw.choice(by_title[title])
            told = [span.of(article.text) for span in sentences(article.text)]
            told = [text for text in told if len(words(text)) >= LEAST_WORDS and text.endswith(".")]
            claim = change(draw.choice(told), material([article])) if told else None
            if claim and len(of_kind) < most:
                of_kind.append((kind, title, claim))
        found += of_kind
    return found


def reworded(sentence: str, draw: random.Random) -> str | None:
    """The same said otherwise, in one way of several."""
    ways: list[str] = []
    if fronted := _FRONTED.match(sentence):
        rest = fronted[2]
        ways.append(f"{rest[0].upper()}{rest[1:]} {fronted[1][0].lower()}{fronted[1][1:]}.")
    if tail := _TAIL.match(sentence):
        ways.append(f"{tail[2][0].upper()}{tail[2][1:]}, {tail[1]}.")
    for long, short in _CONTRACTED.items():
        if long in sentence:
            ways.append(sentence.replace(long, short))
    clauses = [one for one in re.split(r"(?<=\D),\s|;\s", sentence) if len(words(one)) >= LEAST_WORDS]
    if len(clauses) > 1 and sentence.startswith(clauses[0]):
        ways.append(f"{clauses[0]}.")
    for number, word in enumerate(_COUNTS):
        if number > 1 and re.search(rf"\b{word}\b", sentence):
            ways.append(re.sub(rf"\b{word}\b", str(number), sentence, count=1))
    grouped = re.findall(r"\b\d{1,3}(?:,\d{3})+\b", sentence)
    ways.extend(sentence.replace(digits, digits.replace(",", "")) for digits in grouped)
    return draw.choice(ways) if ways else None


def year_changed(sentence: str, draw: random.Random) -> str | None:
    """One year made another, up to nine years away."""
    years = list(_YEAR.finditer(sentence))
    if not years:
        return None
    year = draw.choice(years)
    other = str(int(year[0]) + draw.choice([-1, 1]) * draw.randint(1, 9))
    return None if other in sentence else f"{sentence[: year.start()]}{other}{sentence[year.end() :]}"


def judged(
    index: Index, cases: Sequence[tuple[str, str, str]], *, looked_at: set[str]
) -> tuple[dict[str, dict[str, Mean]], dict[str, dict[str, Mean]]]:
    """By kind, the share with the verdict that is expected; and precision and recall of "contradicted"."""
    right: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    precise: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for kind, title, claim in tqdm(cases, desc="sentences", leave=False, disable=None):
        verdict = verdict_of(claim, index)
        expected = expected_of(kind)
        is_false = CheckVerdict.CONTRADICTED in expected
        for half in ("looked at" if title in looked_at or not _is_known(kind, title) else "others", "all"):
            right[kind][half].append(float(verdict in expected))
            right["all"][half].append(float(verdict in expected))
            if verdict == CheckVerdict.CONTRADICTED:
                precise["precision"][half].append(float(is_false))
            if is_false:
                precise["recall"][half].append(float(verdict == CheckVerdict.CONTRADICTED))
    return _means(right), _means(precise)


def _is_known(kind: str, title: str) -> bool:
    """Whether a title is of one half or the other; those that are not indexed are halved by their names."""
    return kind != "about nothing there" or sum(map(ord, title)) % 2 == 1


def expected_of(kind: str) -> tuple[CheckVerdict, ...]:
    """The verdicts that are right for a kind."""
    if kind == "true, reworded":
        return (CheckVerdict.SUPPORTED,)
    if kind == "about nothing there":
        return (CheckVerdict.NOT_FOUND,)
    return (CheckVerdict.CONTRADICTED,)


def verdict_of(text: str, index: Index) -> CheckVerdict:
    """The verdict of a text's one sentence, or the worst of several."""
    order = list(CheckVerdict)
    found = [one.verdict for one in checked.stream(text, index, only=EVERYTHING, cancel=threading.Event())]
    real = [verdict for verdict in found if verdict != CheckVerdict.NOTHING]
    return max(real, key=order.index, default=CheckVerdict.NOTHING)


MISSPELT: dict[str, Callable[[str, int, random.Random], str]] = {
    "letter left out": lambda name, at, _: name[:at] + name[at + 1 :],
    "letter put in": lambda name, at, draw: name[:at] + draw.choice(ascii_lowercase) + name[at:],
    "letter changed": lambda name, at, draw: name[:at] + draw.choice(ascii_lowercase) + name[at + 1 :],
    "letters turned": lambda name, at, _: (name[: at - 1] + name[at] + name[at - 1] + name[at + 1 :]).capitalize(),
    "letter doubled": lambda name, at, _: name[:at] + name[at] + name[at:],
    "accent": lambda name, at, _: name[:at] + normalize("NFC", f"{name[at]}\u0301") + name[at + 1 :],
}
"""How a name is misspelt at one of its letters, but the first."""


def spellings(
    index: Index, articles: Sequence[Article], cases: Sequence[tuple[str, str, str]], each: int, *, looked_at: set[str]
) -> dict[str, dict[str, Mean]]:
    """The share of misspelt names whose spelling in the articles is noted, by how they are misspelt; and of sentences
    whose names are well spelt, the share with such a note."""
    draw = random.Random(2)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def count(kind: str, title: str, is_noted: bool) -> None:
        for half in ("looked at" if title in looked_at else "others", "all"):
            found[kind][half].append(float(is_noted))

    known = {word for one in articles for word in re.findall(r"[^\W\d_]+", f"{one.title} {one.text}".lower())}
    for kind, misspell in MISSPELT.items():
        for _ in tqdm(range(each // 2), desc=kind, leave=False, disable=None):
            title, sentence, name, misspelt = "", "", "", ""
            while not misspelt or misspelt.lower() in known:
                title, sentence, name = _named(articles, draw)
                misspelt = misspell(name, draw.randrange(1, len(name)), draw)
            claim = re.sub(rf"\b{name}\b", misspelt, sentence)
            count(kind, title, f"spell “{name}”" in note_of(claim, index))
    alike = _alike(articles)
    for _ in range(each // 2 if alike else 0):
        name = ""
        while name not in alike:
            title, sentence, name = _named(articles, draw)
        claim = re.sub(rf"\b{name}\b", draw.choice(alike[name]), sentence)
        count("another name of the articles", title, "The articles spell" in note_of(claim, index))
    for kind, title, claim in cases:
        if kind in ("true, reworded", "about nothing there", "name changed"):
            count(kind, title, "The articles spell" in note_of(claim, index))
    return _means(found)


def _named(articles: Sequence[Article], draw: random.Random) -> tuple[str, str, str]:
    """A sentence of an article with one of its names: title, sentence, name."""
    while True:
        article = draw.choice(articles)
        sentence = draw.choice([span.of(article.text) for span in sentences(article.text)])
        names = _NAME.findall(sentence)
        if names and len(words(sentence)) >= LEAST_WORDS:
            return article.title or "", sentence, draw.choice(names)


def _alike(articles: Sequence[Article]) -> dict[str, list[str]]:
    """The names of the articles that are one letter away from others of them, with these."""
    names = {name for article in articles for name in _NAME.findall(article.text)}
    gaps: dict[str, set[str]] = defaultdict(set)
    for name in names:
        for at in range(1, len(name)):
            gaps[f"{name[:at]}_{name[at + 1 :]}"].add(name)
    found: dict[str, list[str]] = defaultdict(list)
    for group in gaps.values():
        for name in sorted(group):
            found[name] += sorted(group - {name})
    return {name: others for name, others in found.items() if others}


def note_of(text: str, index: Index) -> str:
    """What is noted to the sentences of a text."""
    return " ".join(one.note for one in checked.stream(text, index, only=EVERYTHING, cancel=threading.Event()))


def quotations(index: Index, articles: Sequence[Article], each: int) -> dict[str, dict[str, Mean]]:
    """Of quotations with one word changed, and of those as they stand, the share that is judged right."""
    draw = random.Random(1)
    found: dict[str, list[float]] = {"one word changed": [], "as they stand": []}
    spoken = list(_spoken(articles, draw, each))
    vocabulary = sorted({word for text in spoken for word in re.findall(r"[a-z]{4,}", text)})
    for text in tqdm(spoken, desc="quotations", leave=False, disable=None):
        at = draw.choice(list(re.finditer(r"\w+", text)))
        other = draw.choice([word for word in vocabulary if word != at[0].lower()])
        changed = f"{text[: at.start()]}{other}{text[at.end() :]}"
        is_contradicted = verdict_of(f"A spokesman wrote: “{changed}”.", index) == CheckVerdict.CONTRADICTED
        found["one word changed"].append(float(is_contradicted))
        is_altered = verdict_of(f"A spokesman wrote: “{text}”.", index) == CheckVerdict.CONTRADICTED
        found["as they stand"].append(float(not is_altered))
    return {name: {"judged right": Mean.of(values)} for name, values in found.items()}


def _spoken(articles: Sequence[Article], draw: random.Random, most: int) -> Iterator[str]:
    """Stretches of sentences."""
    for _ in range(most):
        text = ""
        while not SHORTEST_QUOTATION <= len(text.split()) <= LONGEST_QUOTATION or re.search(r"[\"“”„«»\n]", text):
            article = draw.choice(articles)
            tokens = draw.choice([span.of(article.text) for span in sentences(article.text)]).split()
            length = draw.randint(SHORTEST_QUOTATION, LONGEST_QUOTATION)
            start = draw.randint(0, max(0, len(tokens) - length))
            text = " ".join(tokens[start : start + length]).strip(" ,.;:()[]")
        yield text


def _means(found: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, Mean]]:
    return {name: {half: Mean.of(values) for half, values in halves.items()} for name, halves in found.items()}
