"""ONNX encoder: an embedder's model run by ONNX Runtime, without PyTorch. Imports onnxruntime.

It computes what sentence-transformers computes, about twice as fast on two cores (python -m benchmarks indexing), and
is ready in a fraction of the time that importing PyTorch takes (python -m benchmarks starting).
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

from index import bert, onnx_graph
from index.bert import UnsupportedError
from index.onnx_graph import FLOAT
from index.passes import PassEncoder
from index.runtime import Runtime

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class OnnxEncoder(PassEncoder):
    """See index.embedder.Encoder."""

    name = "ONNX Runtime"

    def __init__(self, folder: Path) -> None:
        """Load the model in `folder`. Raises UnsupportedError when it, or this machine, cannot be used so."""
        try:
            self._load(folder)
        except UnsupportedError:
            raise
        except Exception as error:  # whatever the reason is, PyTorch is there
            raise UnsupportedError(f"{type(error).__name__}: {error}", lasting=False) from error

    def _load(self, folder: Path) -> None:
        import onnxruntime

        model = bert.read(folder)
        graph = onnx_graph.write(model)
        super().__init__(folder, model)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors; they are raised as well
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a pass is shared out by texts, not by rows
        options.enable_mem_pattern = False  # kept for every shape that ever came
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # it is written fused
        values = [onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(one, FLOAT) for one in graph.weights.values()]
        options.add_external_initializers(list(graph.weights), values)
        self._session = onnxruntime.InferenceSession(graph.model, options, providers=["CPUExecutionProvider"])
        self._graph = graph  # the session uses its weights

    def compute(self, ids: NDArray[np.int32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
        """See PassEncoder."""
        vectors: NDArray[np.float32] = self._session.run(None, {"ids": ids, "mask": mask})[0]
        return vectors


ONNX = Runtime(
    name=OnnxEncoder.name,
    stamp=".onnx.json",
    version=onnx_graph.VERSION,
    packages=("onnxruntime", "tokenizers"),
    load=OnnxEncoder,
)


def _after_fork() -> None:
    """At its end a forked process would wait for a thread of ONNX Runtime that only its parent has. glibc calls what is
    registered last first, so `_exit` comes before that and keeps the status."""
    libc = ctypes.CDLL(None)
    if "onnxruntime" in sys.modules and hasattr(libc, "on_exit"):
        libc.on_exit(libc._exit, None)


if hasattr(os, "register_at_fork") and sys.platform == "linux":
    os.register_at_fork(after_in_child=_after_fork)
