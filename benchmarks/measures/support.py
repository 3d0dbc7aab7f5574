"""Support: telling the claims that a page carries from those it does not, and how likely it does.

Measured on WiCE's claim/dev: sentences of Wikipedia and the page that each cites, all of whose sentences are at hand.
Nothing of it is fitted. The coefficients come from other pages of WiCE, in which annotators marked the words of a
subclaim that the page does not support: as it stands the subclaim is not supported, without those words it is; and
from true sentences of SQuAD's articles, copied or shortened. Every second title of SQuAD is fitted; of the others
false sentences are made as well, to measure whether they are caught. Fitted, they would teach how they were made.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tqdm import tqdm

from benchmarks.harness import dataset, report
from benchmarks.harness.embedder import CachedEmbedder
from benchmarks.harness.report import RESAMPLES, Mean
from benchmarks.measures import lexical, pooled
from index.article import Article, Span
from index.passage import sentences
from rag.grounding import cite, claims, support
from rag.grounding.lexicon import words
from rag.grounding.support import COEFFICIENTS, Coefficients, Pair

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from index.embedder import Embedder
    from rag.answer import Source

    Floats = NDArray[np.float64]
    Change = Callable[[str, "Material", random.Random], str | None]

ROLES = Path(__file__).with_name("roles.tsv")
WICE = "wice/data"
TITLE, PUBLISHED = "(meta data) TITLE:", "(meta data) PUBLISHED DATETIME:"
RIDGE = 20.0
"""Penalty on the squares of the weights, of standardized features."""
NEWTON_STEPS = 30
FITTED = ("covered", "worst", "best", "lost_numbers", "lost_names")
"""Features with a coefficient; `similarity` is measured beside them."""
LEAST_SCALE = 0.01
"""Of a feature that hardly varies."""
DRAWN = 12
"""Sentences drawn from each title of SQuAD."""
BESIDE = 3
"""Other paragraphs of the title that are at hand."""
LEAST_WORDS, LEAST_LEFT = 6, 4
"""Telling words of a sentence that is drawn, and of one that is shortened."""
FEW = 60
"""Claims of each set with --quick."""
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the bins in which what was predicted is compared with what is."""

_AUXILIARY = re.compile(r"\b(?:is|are|was|were|has|have|had|can|could|will|would|did|does|may|must|should)\b")
_NOT = re.compile(r"\b(?:not|never)\s")
_CLAUSE_END = re.compile(r"(?<=\D),\s|;\s")


class Stated(NamedTuple):
    """A claim whose quotes are still to be found in `sources`; `title` is the article's that it was made for."""

    claim: str
    sources: tuple[Source, ...]
    supported: bool
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Example:
    """A claim with its quotes and whether they carry it. `overlap` and `lexical` are what words alone make of it:
    the share of the claim's words that the sources have, and benchmarks.lexical.support."""

    stated: Stated
    pair: Pair
    overlap: float
    lexical: float


class Material(NamedTuple):
    """Numbers and names of the paragraphs at hand, to be put in the place of others."""

    numbers: list[str]
    names: list[str]


def options(parser: argparse.ArgumentParser) -> None:
    """Where the data is, and whether what is fitted is kept."""
    dataset.options(parser)
    parser.add_argument(
        "--keep", action="store_true", help=f"write the coefficients to rag/grounding/{COEFFICIENTS.name}"
    )


def run(arguments: argparse.Namespace) -> None:
    """Fit, measure, print the tables, write the result."""
    embedder = CachedEmbedder()
    few = FEW if arguments.quick else None
    told = list(squad(arguments.data))
    titles = list(dict.fromkeys(stated.title for stated in told))
    fitted_on = examples([*wice_marked(arguments.data)][:few], embedder)
    true = [stated for stated in told if stated.supported and stated.title in titles[::2]]
    fitted_on += examples(true[:few], embedder)
    sets = {
        "WiCE claim/dev": examples([*wice_claims(arguments.data)][:few], embedder),
        "SQuAD": examples([stated for stated in told if stated.title in titles[1::2]][:few], embedder),
    }
    coefficients, with_similarity = fit(fitted_on), fit(fitted_on, (*FITTED, "similarity"))
    if arguments.keep:
        COEFFICIENTS.write_text(json.dumps(asdict(coefficients), indent=2) + "\n", encoding="utf-8")
    measured = {name: measure(found, coefficients, with_similarity) for name, found in sets.items()}
    for name, found in measured.items():
        _show(name, found)
    news, shown = summaries(arguments.data), pooled.measure(arguments.data)
    report.show("summaries of news: AUROC", {system: {"AUROC": mean} for system, mean in news.items()})
    roles = changed_roles(arguments.data)
    report.show("claims shown as supported", shown | roles)
    if not arguments.quick:
        split = {"fitted": _counts(fitted_on), **{name: _counts(found) for name, found in sets.items()}}
        report.write(
            "support",
            models={"embedder": embedder.name},
            measured={
                "split": split,
                "measured": measured,
                "summaries": news,
                "pooled": shown,
                "roles": roles,
                "coefficients": asdict(coefficients),
            },
        )


def changed_roles(folder: Path) -> dict[str, dict[str, Mean]]:
    """Share shown as supported of the claims of roles.tsv: true ones, and ones with the words of the same sentence of
    SQuAD in which another does it, or another number stands. The rules were written while every second of a kind was
    looked at, beginning with the first."""
    articles = {article.id: article for article in dataset.squad(folder).articles}
    shares: dict[str, dict[str, list[float]]] = {}
    _, *lines = ROLES.read_text(encoding="utf-8").splitlines()
    for kind, article, question, *both in (line.split("\t") for line in lines):
        at_hand = pooled.passages_of([articles[article]])
        for text, truth in zip(both, ("true", "false"), strict=True):
            halves = shares.setdefault(f"{kind}, {truth}", {"tuned on": [], "others": [], "all": []})
            (checked,) = claims.check(question, [text], at_hand)
            is_shown = float(checked.support >= support.SUPPORTED)
            halves["tuned on" if len(halves["all"]) % 2 == 0 else "others"].append(is_shown)
            halves["all"].append(is_shown)
    return {kind: {half: Mean.of(values) for half, values in halves.items()} for kind, halves in shares.items()}


def summaries(folder: Path) -> dict[str, Mean]:
    """AUROC of summedits_news: a summary that is consistent with its article against one that is not, by the support of
    its least supported sentence; beside the share of its words that the article has."""
    texts = {one["id"]: one["text"] for one in _lines(folder / "summedits_news/articles.jsonl")}
    at_hand = {name: pooled.passages_of([Article(str(name), text)]) for name, text in texts.items()}
    scores: dict[str, list[float]] = {"words of the page": [], "citewire": []}
    truth = []
    for case in _lines(folder / "summedits_news/cases.jsonl"):
        summary = case["summary"]
        wanted, has = (set(re.findall(r"\w+", text.lower())) for text in (summary, texts[case["article"]]))
        scores["words of the page"].append(len(wanted & has) / len(wanted))
        checked = claims.check("", [span.of(summary) for span in sentences(summary)], at_hand[case["article"]])
        scores["citewire"].append(min(claim.support for claim in checked))
        truth.append(bool(case["consistent"]))
    return auroc({name: np.array(score) for name, score in scores.items()}, np.array(truth))


def wice_claims(folder: Path) -> Iterator[Stated]:
    """The sentences of Wikipedia in claim/dev: supported, or only partly or not."""
    for row in _rows(folder, "entailment_retrieval/claim/dev"):
        is_supported = row["label"] == "supported"
        yield Stated(row["claim"], _page(row), is_supported, row["label"], row["meta"]["claim_title"])


def wice_marked(folder: Path) -> Iterator[Stated]:
    """The partly supported subclaims of train and test, as they stand and without the words not supported."""
    for split in ("train", "test"):
        for row in _rows(folder, f"non_supported_tokens/{split}"):
            page, title = _page(row), row["meta"]["claim_title"]
            marked = zip(row["claim_tokens"], row["non_supported_spans"], strict=True)
            kept = " ".join(token for token, is_lost in marked if not is_lost)
            yield Stated(row["claim"], page, False, "subclaim", title)
            if len(words(kept)) > 1:
                yield Stated(kept, page, True, "subclaim, less what is not supported", title)


def squad(folder: Path) -> Iterator[Stated]:
    """Sentences drawn from each title, as they are and changed, with the paragraph and BESIDE others at hand."""
    draw = random.Random(0)
    by_title: dict[str, list[Article]] = {}
    for article in dataset.squad(folder).articles:
        by_title.setdefault(article.title or "", []).append(article)
    for title, articles in by_title.items():
        for _ in range(DRAWN):
            first = draw.choice(articles)
            others = [article for article in articles if article is not first]
            at_hand = [first, *draw.sample(others, min(BESIDE, len(others)))]
            passages_at_hand, others_there = pooled.passages_of(at_hand), material(at_hand)
            told = [span.of(first.text) for span in sentences(first.text)]
            told = [sentence for sentence in told if len(words(sentence)) >= LEAST_WORDS]
            sentence = draw.choice(told) if told else ""
            for kind, (change, is_supported) in CHANGES.items():
                claim = change(sentence, others_there, draw)
                if claim:
                    yield Stated(claim, passages_at_hand, is_supported, kind, title)


def copied(sentence: str, material: Material, draw: random.Random) -> str | None:  # noqa: ARG001
    """The sentence as it stands."""
    return sentence


def shortened(sentence: str, material: Material, draw: random.Random) -> str | None:  # noqa: ARG001
    """One of its clauses, if it has several."""
    clauses = [clause for clause in _CLAUSE_END.split(sentence) if len(words(clause)) >= LEAST_LEFT]
    if len(clauses) < 2:
        return None
    clause = draw.choice(clauses)
    return f"{clause[0].upper()}{clause[1:].rstrip('.')}."


def number_changed(sentence: str, material: Material, draw: random.Random) -> str | None:
    """One number made another: of the same paragraphs, or a little more or less."""
    numbers = [Span(word.start, word.end) for word in words(sentence) if word.kind == "number"]
    if not numbers:
        return None
    at = draw.choice(numbers)
    others = [number for number in material.numbers if number not in sentence]
    nudged = re.sub(r"^\d+", lambda digits: str(int(digits[0]) + draw.randint(1, 9)), at.of(sentence))
    return _put(sentence, at, draw.choice(others) if others and draw.random() < 0.5 else nudged)


def name_changed(sentence: str, material: Material, draw: random.Random) -> str | None:
    """One name made another of the same paragraphs."""
    names = _names(sentence)
    others = [name for name in material.names if not any(part in sentence for part in name.split())]
    return _put(sentence, draw.choice(names), draw.choice(others)) if names and others else None


def negation_flipped(sentence: str, material: Material, draw: random.Random) -> str | None:  # noqa: ARG001
    """Its "not" or "never" taken out, or else one put in after an auxiliary verb."""
    if _NOT.search(sentence):
        return _NOT.sub("", sentence, count=1)
    verb = _AUXILIARY.search(sentence)
    return _put(sentence, Span(verb.end(), verb.end()), " not") if verb else None


CHANGES: dict[str, tuple[Change, bool]] = {
    "copied": (copied, True),
    "shortened": (shortened, True),
    "number changed": (number_changed, False),
    "name changed": (name_changed, False),
    "negation flipped": (negation_flipped, False),
}
"""Kind → how it is made, and whether what is said stays true."""


def examples(stated: Sequence[Stated], embedder: Embedder) -> list[Example]:
    """The claims with the quotes that rag.grounding.cite finds for them, and how near the nearest is."""
    found = [_quoted(one) for one in tqdm(stated, desc="quotes", leave=False)]
    texts = list(dict.fromkeys(text for one in found for text in (one.pair.claim, *one.pair.quotes)))
    vectors = dict(zip(texts, embedder.embed_documents(texts), strict=True))
    return [_with_similarity(one, vectors) for one in found]


def fit(fitted_on: Sequence[Example], names: Sequence[str] = FITTED) -> Coefficients:
    """A logistic regression with RIDGE, by Newton's method. A claim without a quote is never judged by it."""
    used = [one for one in fitted_on if one.pair.quotes]
    rows = [support.features(one.pair) for one in used]
    x = np.array([[row[name] for name in names] for row in rows])
    y = np.array([one.stated.supported for one in used], dtype=np.float64)
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), LEAST_SCALE)
    x = np.column_stack([np.ones(len(x)), (x - mean) / scale])
    ridge = RIDGE * np.eye(x.shape[1])
    ridge[0, 0] = 0.0
    weights = np.zeros(x.shape[1])
    for _ in range(NEWTON_STEPS):
        likely = 1 / (1 + np.exp(-x @ weights))
        hessian = (x.T * (likely * (1 - likely))) @ x + ridge
        weights -= np.linalg.solve(hessian, x.T @ (likely - y) + ridge @ weights)

    def named(row: Floats) -> dict[str, float]:
        return dict(zip(names, np.round(row, 4).tolist(), strict=True))

    return Coefficients(named(mean), named(scale), named(weights[1:]), round(float(weights[0]), 4))


def measure(found: Sequence[Example], coefficients: Coefficients, with_similarity: Coefficients) -> dict[str, Any]:
    """AUROC of each system, and of ours less words and numbers; ours in bins of likelihood with its Brier score; and by
    kind, the share judged right at words and numbers.SUPPORTED."""
    truth = np.array([one.stated.supported for one in found])
    scores = {
        "words of the page": np.array([one.overlap for one in found]),
        "citewire with similarity": _likely(found, with_similarity),
        "words and numbers": np.array([one.lexical for one in found]),
        "citewire": _likely(found, coefficients),
    }
    judged = {system: score >= support.SUPPORTED for system, score in scores.items()}
    kinds = {kind: np.array([one.stated.kind == kind for one in found]) for kind in _counts(found)}
    return {
        "AUROC": auroc(scores, truth),
        "bins": bins(scores["citewire"], truth),
        "Brier": Mean.of(((scores["citewire"] - truth) ** 2).tolist()),
        "judged right": {
            system: {kind: Mean.of((judged[system] == truth)[of].tolist()) for kind, of in kinds.items()}
            for system in ("words and numbers", "citewire")
        },
    }


def auroc(scores: dict[str, Floats], truth: NDArray[np.bool_]) -> dict[str, Mean]:
    """Of each system the chance that a supported claim scores above one that is not (ties: half), and how much the
    last exceeds the one before it; the 95 % intervals resample supported claims and others, the same for all."""
    n, n_supported = len(truth), int(truth.sum())
    draw = np.random.default_rng(0)
    supported = draw.multinomial(n_supported, np.full(n_supported, 1 / n_supported), RESAMPLES) / n_supported
    n_rest = n - n_supported
    rest = draw.multinomial(n_rest, np.full(n_rest, 1 / n_rest), RESAMPLES) / n_rest
    means, resampled = {}, {}
    for system, score in scores.items():
        above, below = score[truth][:, None], score[~truth][None, :]
        wins = (above > below) + 0.5 * (above == below)
        means[system] = float(wins.mean())
        resampled[system] = np.einsum("ri,ij,rj->r", supported, wins, rest, optimize=True)
    *_, before, last = scores
    difference = f"{last} less {before}"
    means[difference], resampled[difference] = means[last] - means[before], resampled[last] - resampled[before]
    return {name: _interval(means[name], resampled[name], n) for name in means}


def bins(likely: Floats, truth: NDArray[np.bool_]) -> list[dict[str, float]]:
    """For each stretch between EDGES: how many claims, how likely on average, and the share that is supported."""
    table = []
    for low, high in pairwise(EDGES):
        within = (likely > low if low else likely >= 0) & (likely <= high)
        if within.any():
            means = float(likely[within].mean()), float(truth[within].mean())
            table.append({"to": high, "n": int(within.sum()), "likely": round(means[0], 3), "is": round(means[1], 3)})
    return table


def _show(name: str, found: dict[str, Any]) -> None:
    report.show(f"{name}: AUROC", {system: {"AUROC": mean} for system, mean in found["AUROC"].items()})
    print(f"\n{name}: how likely by citewire, and how many are supported; Brier score {found['Brier']}")
    for one in found["bins"]:
        print(f"  up to {one['to']:.1f}: n={one['n']:<5} likely {one['likely']:.3f}  supported {one['is']:.3f}")
    right = found["judged right"]
    by_kind = {kind: {system: right[system][kind] for system in right} for kind in next(iter(right.values()))}
    report.show(f"{name}: judged right at {support.SUPPORTED}", by_kind)


def _counts(found: Iterable[Example]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in found:
        counts[one.stated.kind] = counts.get(one.stated.kind, 0) + 1
    return counts


def _likely(found: Sequence[Example], coefficients: Coefficients) -> Floats:
    return np.array([support.probability(one.pair, by=coefficients) for one in found])


def _interval(mean: float, resampled: Floats, n: int) -> Mean:
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Mean(round(mean, 4), round(float(low), 4), round(float(high), 4), n)


def _quoted(stated: Stated) -> Example:
    quotes = cite.align(stated.claim, stated.sources)
    around = [(quote.article.title, quote.article.published, quote.source.hit.text) for quote in quotes]
    nearby = "\n".join(dict.fromkeys(text for texts in around for text in texts if text))
    contexts = tuple(map(claims.read_before, quotes))
    pair = Pair(stated.claim, tuple(quote.text for quote in quotes), nearby, contexts=contexts)
    wanted = set(re.findall(r"\w+", stated.claim.lower()))
    has = {word for source in stated.sources for word in re.findall(r"\w+", source.hit.text.lower())}
    by_words = lexical.support(stated.claim, quotes, read=stated.sources)
    return Example(stated, pair, len(wanted & has) / len(wanted), by_words)


def _with_similarity(example: Example, vectors: dict[str, NDArray[np.float32]]) -> Example:
    claim, quotes = vectors[example.pair.claim], [vectors[quote] for quote in example.pair.quotes]
    nearest = max((float(claim @ quote) for quote in quotes), default=None)
    return replace(example, pair=replace(example.pair, similarity=nearest))


def _rows(folder: Path, name: str) -> Iterator[Any]:
    return _lines(folder / WICE / f"{name}.jsonl")


def _lines(path: Path) -> Iterator[Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}; say where the evaluation data is: --data FOLDER") from error
    return map(json.loads, text.splitlines())


def _page(row: Any) -> tuple[Source, ...]:
    lines = [line.strip() for line in row["evidence"] if line.strip()]
    title = next((line.removeprefix(TITLE).strip() for line in lines if line.startswith(TITLE)), None)
    published = next((line.removeprefix(PUBLISHED).strip() for line in lines if line.startswith(PUBLISHED)), None)
    text = "\n".join(line for line in lines if not line.startswith((TITLE, PUBLISHED)))
    return pooled.passages_of([Article(row["meta"]["id"], text, title=title, published=published)])


def material(articles: Sequence[Article]) -> Material:
    """The numbers and names of articles."""
    told = [span.of(article.text) for article in articles for span in sentences(article.text)]
    numbers = [
        sentence[word.start : word.end] for sentence in told for word in words(sentence) if word.kind == "number"
    ]
    names = [name.of(sentence) for sentence in told for name in _names(sentence)]
    return Material(list(dict.fromkeys(numbers)), list(dict.fromkeys(names)))


def _names(sentence: str) -> list[Span]:
    """Names, those of several words whole."""
    names: list[Span] = []
    for word in words(sentence):
        if word.kind != "name":
            continue
        if names and sentence[names[-1].end : word.start] in (" ", "-"):
            names[-1] = Span(names[-1].start, word.end)
        else:
            names.append(Span(word.start, word.end))
    return names


def _put(sentence: str, at: Span, text: str) -> str:
    return sentence[: at.start] + text + sentence[at.end :]
