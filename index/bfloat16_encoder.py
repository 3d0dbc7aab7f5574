"""bfloat16 encoder: an embedder's model computed by PyTorch in bfloat16, for many documents. Imports torch.

A processor that multiplies bfloat16 does so at twice its speed in float32 at least, and float32 is what ONNX Runtime
already computes as fast as the processor can. Linear layers and attention are in bfloat16; embeddings, what is added up
between the layers, their norms and the mean of the tokens stay in float32.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import bert
from index.bert import Bert, UnsupportedError
from index.passes import PassEncoder
from index.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

CPUINFO = Path("/proc/cpuinfo")
FEATURES = ("avx512_bf16", "amx_bf16")
"""As Linux names them: instructions that multiply bfloat16. Elsewhere PyTorch imitates it, more slowly than float32."""
MASKED = -1e4
"""Added to what padding gets of the attention, of which nothing is left then."""
VERSION = 1
"""See Runtime."""


class Bfloat16Encoder(PassEncoder):
    """See index.embedder.Encoder."""

    name = "PyTorch in bfloat16"

    def __init__(self, folder: Path) -> None:
        """Load the model in `folder`. Raises UnsupportedError when it, or this machine, cannot be used so."""
        if not features():
            raise UnsupportedError("the processor does not compute bfloat16")
        try:
            model = bert.read(folder)
            super().__init__(folder, model)
            self._layers = _Layers(model)
            self.question("Is it possible?")  # operators that PyTorch does not promise to keep are called
        except UnsupportedError:
            raise
        except Exception as error:  # whatever the reason is, ONNX Runtime is there
            raise UnsupportedError(f"{type(error).__name__}: {error}", lasting=False) from error

    def compute(self, ids: NDArray[np.int32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
        """See PassEncoder."""
        with _one_thread():
            return self._layers.vectors(ids, mask)


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer: linear ones as (weights laid out for oneDNN, bias) in bfloat16, norms as (weight, bias) in float32."""

    attended: tuple[Any, Any]
    mixed: tuple[Any, Any]
    mixed_norm: tuple[Any, Any]
    widened: tuple[Any, Any]
    narrowed: tuple[Any, Any]
    narrowed_norm: tuple[Any, Any]


class _Layers:
    """The layers of a BERT in PyTorch's tensors."""

    def __init__(self, model: Bert) -> None:
        import torch

        weights = model.weights

        def tensor(name: str) -> Any:
            return torch.from_numpy(weights[name])

        def norm(place: str) -> tuple[Any, Any]:
            return tensor(f"{place}.LayerNorm.weight").clone(), tensor(f"{place}.LayerNorm.bias").clone()

        def laid_out(*parts: tuple[Any, Any]) -> tuple[Any, Any]:
            """Linear layers with the same input as one. Done in each pass, it would take a seventh of its time."""
            weight, bias = (torch.cat(some).bfloat16() for some in zip(*parts, strict=True))
            return torch.ops.mkldnn._reorder_linear_weight(weight), bias

        def linear(place: str, scale: float = 1.0) -> tuple[Any, Any]:
            return tensor(f"{place}.weight") * scale, tensor(f"{place}.bias") * scale

        self._model = model
        self._words = tensor("embeddings.word_embeddings.weight")
        kind = tensor("embeddings.token_type_embeddings.weight")[0]  # every token is of the first
        self._positions = tensor("embeddings.position_embeddings.weight") + kind
        self._norm = norm("embeddings")
        self._layers: list[_Layer] = []
        for number in range(model.layers):
            place = f"encoder.layer.{number}"
            query = linear(f"{place}.attention.self.query", (model.dimension // model.heads) ** -0.5)
            key, value = (linear(f"{place}.attention.self.{name}") for name in ("key", "value"))
            self._layers.append(
                _Layer(
                    attended=laid_out(query, key, value),
                    mixed=laid_out(linear(f"{place}.attention.output.dense")),
                    mixed_norm=norm(f"{place}.attention.output"),
                    widened=laid_out(linear(f"{place}.intermediate.dense")),
                    narrowed=laid_out(linear(f"{place}.output.dense")),
                    narrowed_norm=norm(f"{place}.output"),
                )
            )

    def vectors(self, ids: NDArray[np.int32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
        """See PassEncoder.compute."""
        import torch
        from torch.nn import functional

        model, (texts, tokens) = self._model, ids.shape

        def linear(inner: Any, weights: tuple[Any, Any]) -> Any:
            return torch.ops.mkldnn._linear_pointwise(inner.bfloat16(), *weights, "none", [], "")

        def normalized(state: Any, norm: tuple[Any, Any]) -> Any:
            return functional.layer_norm(state, (model.dimension,), *norm, model.epsilon)

        with torch.inference_mode():
            counted = torch.from_numpy(mask).float()
            padding = None if mask.all() else ((1 - counted) * MASKED).bfloat16()[:, None, None]
            state = normalized(self._words[torch.from_numpy(ids)] + self._positions[:tokens], self._norm)
            for layer in self._layers:
                parts = linear(state, layer.attended).view(texts, tokens, 3, model.heads, -1)
                query, key, value = parts.permute(2, 0, 3, 1, 4)
                # For sentences faster than scaled_dot_product_attention, which is made for long texts.
                near = torch.matmul(query, key.transpose(-1, -2))
                near = near if padding is None else near.add_(padding)
                attended = torch.matmul(torch.softmax(near, -1), value)
                mixed = linear(attended.transpose(1, 2).reshape(texts, tokens, -1), layer.mixed)
                state = normalized(state + mixed, layer.mixed_norm)
                wide = functional.gelu(linear(state, layer.widened))
                state = normalized(state + linear(wide, layer.narrowed), layer.narrowed_norm)
            # The mean of the tokens, made a unit vector, is their sum made a unit vector; padding counts 0.
            found: NDArray[np.float32] = functional.normalize((state * counted[..., None]).sum(1)).numpy()
            return found


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on the calling thread alone, of which each has a pass of its own.

    By OpenMP's own number, which each thread has for itself. torch.set_num_threads would also set that of threads to
    come, and a reranker elsewhere in the process would be left with one.
    """
    import torch

    number = torch.get_num_threads()  # the first time in a thread, it sets the number as well
    if number == 1:
        yield
        return
    _openmp().omp_set_num_threads(1)
    try:
        if torch.get_num_threads() != 1:
            raise UnsupportedError("PyTorch does not share out its work by OpenMP")
        yield
    finally:
        _openmp().omp_set_num_threads(number)


@functools.cache
def _openmp() -> ctypes.CDLL:
    """The OpenMP that PyTorch was linked with: looking for a name in a library looks in those that it needs as well."""
    import torch

    return ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))


@functools.cache
def features() -> tuple[str, ...]:
    """Those of FEATURES that the processor has. Without loading PyTorch."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return ()
    try:
        found = re.search(r"^flags\s*:(.*)$", CPUINFO.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return ()
    flags = found[1].split() if found else []
    return tuple(name for name in FEATURES if name in flags)


def is_possible() -> bool:
    """Whether the processor computes bfloat16 and PyTorch is installed."""
    return bool(features()) and find_spec("torch") is not None


BFLOAT16 = Runtime(
    name=Bfloat16Encoder.name,
    stamp=".bfloat16.json",
    version=VERSION,
    packages=("torch", "tokenizers"),
    load=Bfloat16Encoder,
    processor=lambda: " ".join((platform.machine(), *features(), os.environ.get("ONEDNN_MAX_CPU_ISA", ""))),
)
