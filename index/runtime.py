"""Runtime: what can compute an embedder's vectors for sentence-transformers, if a comparison finds it near."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from index.bert import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from index.passes import PassEncoder

LEAST_COSINE = 0.999
"""Between a vector of a runtime and that of sentence-transformers for the same text. Vectors that are so near may lie
in one index: rounding makes a difference of 0.0000003 in float32, and of 0.0001 in bfloat16."""
SAMPLES = (
    "Yes.",
    "When did the talks break down?",
    "The price rose by 3.5 % to €1,299 on 14 March 2019, said Zoë Müller-Lüdenscheidt (SPD).",
    "«Où est-ce?» — demanda-t-elle; 北京和东京, Москва, 🙂 ‘none’ of it… http://example.org/a?b=c#d",
    "a " * 400,
    "Farmers brought in the harvest early, because the summer had been dry and the mills were waiting for grain. " * 3,
)
"""Compared in one batch: of very unequal lengths, so that a lost attention mask shows, one longer than any model reads,
with letters, signs and scripts that a tokenizer may treat in its own way."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found when the vectors of a runtime were compared with those of sentence-transformers: the least
    cosine of SAMPLES, and why it is 0 where no vectors could be made. `of` names all that it depends on."""

    of: str
    cosine: float
    reason: str = ""

    @property
    def is_near(self) -> bool:
        """Whether the runtime may take the place of sentence-transformers."""
        return self.cosine >= LEAST_COSINE


@dataclass(frozen=True, slots=True)
class Runtime:
    """What computes vectors. `load` makes the encoder of a folder and raises UnsupportedError, `version` is counted up
    with every change of it that may alter a vector, `packages` and the features of the `processor` may alter one too.
    `stamp` is the file in the folder of a model that keeps the comparison."""

    name: str
    stamp: str
    version: int
    packages: tuple[str, ...]
    load: Callable[[Path], PassEncoder]
    processor: Callable[[], str] = platform.machine

    def compared(self, folder: Path, reference: Callable[[Sequence[str]], NDArray[np.float32]]) -> Comparison:
        """The comparison for the model in `folder` as it lies there: made once, and anew when a file of it, a version
        or the kind of processor changes. `reference` gives the vectors of sentence-transformers."""
        found = self.remembered(folder)
        if found is not None:
            return found
        state = self._state(folder)
        try:
            ours = self.load(folder).documents(SAMPLES, threads=1)
        except UnsupportedError as error:
            found = Comparison(state, 0.0, str(error))
            if error.lasting:
                self._remember(folder, found)
            return found
        cosine = float((ours * reference(SAMPLES)).sum(axis=1).min())
        far = f"its vectors differ from those of sentence-transformers: cosine {cosine:.3f}"
        found = Comparison(state, cosine, "" if cosine >= LEAST_COSINE else far)
        self._remember(folder, found)
        return found

    def remembered(self, folder: Path) -> Comparison | None:
        """The comparison that was made; None if it was not, or of something else."""
        try:
            found = Comparison(**json.loads((folder / self.stamp).read_text(encoding="utf-8")))
            return found if found.of == self._state(folder) and isinstance(found.cosine, float) else None
        except (OSError, ValueError, TypeError):
            return None

    def _remember(self, folder: Path, found: Comparison) -> None:
        """In a folder that cannot be written, each process compares anew."""
        draft = folder / f"{self.stamp}.{os.getpid()}.{threading.get_ident()}.part"  # a pull deletes what a kill leaves
        with suppress(OSError):
            try:
                draft.write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
                draft.replace(folder / self.stamp)
            finally:
                draft.unlink(missing_ok=True)

    def _state(self, folder: Path) -> str:
        """Of the files (their hashes are checked before they are loaded, by size and time of change if they were
        before), of the code, the packages and the processor."""
        parts = [self.processor(), str(self.version)]
        for name in self.packages:
            try:
                parts.append(version(name))
            except PackageNotFoundError:
                parts.append("missing")
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        for path in files:
            found = path.stat()
            parts.append(f"{path.relative_to(folder)} {found.st_size} {found.st_mtime_ns}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
