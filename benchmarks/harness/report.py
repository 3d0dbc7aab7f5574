"""Report: a mean with its interval, the machine it was measured on, and the file it is written to."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESULTS = Path(__file__).parents[1] / "results"
RESAMPLES = 2000
PACKAGES = ("faiss-cpu", "sentence-transformers", "torch")


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean of n values, with its 95 % interval from a bootstrap over them."""

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Of at least one value. The resamples are the same at every run."""
        sample = np.asarray(values, dtype=np.float64)
        draw = np.random.default_rng(0)
        means = [sample[draw.integers(len(sample), size=len(sample))].mean() for _ in range(RESAMPLES)]
        low, high = np.quantile(means, (0.025, 0.975))
        return cls(round(float(sample.mean()), 4), round(float(low), 4), round(float(high), 4), len(sample))

    def __str__(self) -> str:
        """As in a table."""
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def show(title: str, rows: Mapping[str, Mapping[str, Mean]]) -> None:
    """Print a table: a row for each system, a column for each measure."""
    measures = list(next(iter(rows.values())))
    width = max(map(len, rows)) + 2
    print(f"\n{title}\n{'':{width}}" + "".join(f"{measure:>24}" for measure in measures))
    for system, found in rows.items():
        print(f"{system:{width}}" + "".join(f"{found.get(measure, '')!s:>24}" for measure in measures))


def write(
    name: str,
    *,
    models: Mapping[str, str],
    measured: Mapping[str, Any],
    packages: Sequence[str] = PACKAGES,
    beside_earlier: bool = False,
) -> Path:
    """Write benchmarks/results/NAME.json: what was measured, on which machine, with which models and packages.

    With `beside_earlier`, what the file has of an earlier run with the same of these stays, but for what was measured.
    """
    content: dict[str, Any] = {
        "machine": machine(),
        "packages": {package: version(package) for package in packages},
        "models": dict(models),
    }
    path = RESULTS / f"{name}.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if beside_earlier and path.is_file() else {}
    if all(earlier.get(key) == value for key, value in content.items()):
        content = earlier
    for key, value in measured.items():
        rows = content.get(key)
        content[key] = {**rows, **value} if isinstance(rows, dict) and isinstance(value, dict) else value
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, default=_plain) + "\n", encoding="utf-8")
    print(f"\nwritten to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return path


def machine() -> dict[str, Any]:
    """Cores, processor and Python."""
    return {"cores": os.cpu_count(), "processor": _processor(), "python": platform.python_version()}


def _processor() -> str:
    try:
        known = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"^model name\s*:\s*(.+)$", known, re.MULTILINE)
    return model[1] if model else platform.machine()


def _plain(value: Any) -> Any:
    if isinstance(value, Mean):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} is no result")
