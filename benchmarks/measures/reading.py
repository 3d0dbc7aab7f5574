"""Reading saved web pages: text, title, byline and date, against trafilatura as it comes.

The pages and what is expected of them are the test pages of Mozilla's Readability. Expected is what Readability.js
extracts, checked by its authors: not an independent judgment, and an extractor of the same family agrees with it
more easily than another. Names in bylines are compared without "By", dates and addresses on either side.

And texts that other programs wrote into documents, read back word for word (round_trip.py), and damaged files of every
format (fuzz.py).
"""

from __future__ import annotations

import json
import os
import platform
import random
import re
import time
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measures import fuzz, round_trip
from index.errors import ReadError
from index.read import html, markup
from index.read.draft import Draft, byline

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

PAGES = "readability_pages/test/test-pages"
RESULT = Path(__file__).parents[1] / "results" / "reading.json"
TARGETS = {"text": 0.978, "precision": 0.97, "title": 0.984, "byline": 0.853, "published": 0.969}
"""Reached at least; text is an F1, of which precision and recall are the halves."""
PARTS = ("pages", "documents", "fuzz")
RESAMPLES = 2000
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w+")
"""Words, and single characters of scripts that put no space between words."""


@dataclass(frozen=True, slots=True)
class Page:
    """A saved page and what is expected of it."""

    name: str
    source: bytes
    text: str
    title: str | None
    byline: str | None
    published: str | None


def options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `run`."""
    default = Path(__file__).parents[3] / "shared" / "evaldata"
    parser.add_argument("--data", type=Path, default=default, help="folder of the evaluation data")
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts, with commas between")
    parser.add_argument("--worst", type=int, default=0, metavar="N", help="also print the N pages read worst")


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the table, write the result."""
    chosen = arguments.parts.split(",")
    if unknown := set(chosen) - set(PARTS):
        raise SystemExit(f"--parts {','.join(sorted(unknown))}: there is no such part; choose among {', '.join(PARTS)}")
    result: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    if "pages" in chosen:
        result |= _measured_pages(arguments)
    if "documents" in chosen:
        written = round_trip.measure(arguments.data)
        round_trip.show(written)
        result["round trip"] = {"texts": round_trip.TEXTS, "target": round_trip.TARGET, "formats": written}
    if "fuzz" in chosen:
        damaged = fuzz.measure()
        fuzz.show(damaged)
        result["damaged files"] = {"files": fuzz.FILES, "seed": fuzz.SEED, "formats": damaged}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _measured_pages(arguments: argparse.Namespace) -> dict[str, Any]:
    saved = list(pages(arguments.data / PAGES))
    readers = {"citewire": _citewire, "trafilatura": _trafilatura}
    scores = {name: _scores(saved, read) for name, read in readers.items()}
    table = {name: {measure: _summary(values) for measure, values in found.items()} for name, found in scores.items()}
    _print(table)
    worst = sorted(scores["citewire"]["text"].items(), key=lambda item: item[1])[: arguments.worst]
    for name, score in worst:
        print(f"  {score:.3f}  {name}")
    packages = ("trafilatura", "readability-lxml", "lxml")
    return {
        "measure": "token F1, precision and recall of the text; share of pages with the exact title, byline names and "
        "day of publication",
        "pages": len(saved),
        "expected": "output of Readability.js, checked by its authors",
        "machine": {"cpus": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()},
        "packages": {name: version(name) for name in packages},
        "targets": TARGETS,
        "readers": table,
    }


def pages(folder: Path) -> Iterator[Page]:
    """The saved pages in `folder`, in order of their names."""
    if not folder.is_dir():
        raise SystemExit(f"{folder} is missing; say where the evaluation data is: --data FOLDER")
    for place in sorted(folder.iterdir()):
        known = json.loads((place / "expected-metadata.json").read_text(encoding="utf-8"))
        tree = markup.parse_tree((place / "expected.html").read_text(encoding="utf-8"))
        yield Page(
            place.name,
            (place / "source.html").read_bytes(),
            "" if tree is None else markup.text_of(tree),
            known.get("title"),
            known.get("byline"),
            known.get("publishedTime"),
        )


def _citewire(page: bytes) -> Draft:
    try:
        return html.parse(page)
    except ReadError:
        return Draft("", "")


def _trafilatura(page: bytes) -> Draft:
    """As it comes: its defaults for the text, its own metadata."""
    import trafilatura

    document = trafilatura.bare_extraction(page, with_metadata=True)
    if document is None:
        return Draft("", "")
    known: dict[str, Any] = document.as_dict()
    text = trafilatura.extract(page) or ""
    return Draft("", text, known["title"], known["sitename"], known["url"], known["date"], known["author"])


def _scores(pages: Sequence[Page], read: Callable[[bytes], Draft]) -> dict[str, dict[str, float]]:
    """Measure → page → score; a page for which nothing is expected has none."""
    found: dict[str, dict[str, float]] = {measure: {} for measure in (*TARGETS, "recall", "seconds")}
    for page in pages:
        started = time.perf_counter()
        draft = read(page.source)
        found["seconds"][page.name] = time.perf_counter() - started
        found["text"][page.name] = token_f1(draft.text, page.text)
        found["precision"][page.name], found["recall"][page.name] = precision_and_recall(draft.text, page.text)
        if page.title:
            found["title"][page.name] = float(_spaced(draft.title) == _spaced(page.title))
        if page.byline:
            found["byline"][page.name] = float(_names(draft.author) == _names(page.byline))
        if page.published:
            found["published"][page.name] = float((draft.published or "")[:10] == page.published[:10])
    return found


def token_f1(text: str, expected: str) -> float:
    """F1 of two bags of words, 0 to 1; 1 if both are empty."""
    common, sizes = _in_common(text, expected)
    return 1.0 if sum(sizes) == 0 else 2 * common / sum(sizes)


def precision_and_recall(text: str, expected: str) -> tuple[float, float]:
    """The share of the words of `text` that are expected, and of the expected ones that it has; 1 of none."""
    common, (read, wanted) = _in_common(text, expected)
    return (common / read if read else 1.0), (common / wanted if wanted else 1.0)


def _in_common(text: str, expected: str) -> tuple[int, tuple[int, int]]:
    """How many words two texts have in common, as bags, and how many each has."""
    one, other = (Counter(_TOKEN.findall(side.casefold())) for side in (text, expected))
    return (one & other).total(), (one.total(), other.total())


def _names(value: str | None) -> str:
    return (byline(value) or "").casefold()


def _spaced(value: str | None) -> str:
    return " ".join((value or "").split())


def _summary(values: dict[str, float]) -> dict[str, Any]:
    """Mean, its 95 % interval by bootstrap over pages, and n."""
    sample = list(values.values())
    source = random.Random(0)
    means = sorted(sum(source.choices(sample, k=len(sample))) / len(sample) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]
    return {"mean": round(sum(sample) / len(sample), 4), "interval": [round(low, 4), round(high, 4)], "n": len(sample)}


def _print(table: dict[str, dict[str, Any]]) -> None:
    names = list(table)
    print(f"{'':12}" + "".join(f"{name:>30}" for name in names) + f"{'target':>10}{'n':>6}")
    for measure in next(iter(table.values())):
        row = ""
        for name in names:
            found = table[name][measure]
            row += f"{found['mean']:>12.3f} [{found['interval'][0]:.3f}, {found['interval'][1]:.3f}]".rjust(30)
        print(f"{measure:12}{row}{TARGETS.get(measure, ''):>10}{table[names[0]][measure]['n']:>6}")
