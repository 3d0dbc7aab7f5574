"""BERT: the folder of an embedder from models.txt → what an encoder of ours needs to compute it: sizes and weights.

Accepted is only what is certain to be computed as sentence-transformers does: a BERT whose vectors are the means of
those of its tokens.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

MOST_HEADER_BYTES = 10_000_000
MODULES = (
    ["sentence_transformers.models.Transformer", "sentence_transformers.models.Pooling"],
    [
        "sentence_transformers.models.Transformer",
        "sentence_transformers.models.Pooling",
        "sentence_transformers.models.Normalize",
    ],
)
POOLING = {"pooling_mode_mean_tokens": True}


class UnsupportedError(Exception):
    """Why a model is not computed by an encoder of ours. `lasting` if the next process would find the same."""

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        """For instance "it is no BERT"."""
        super().__init__(reason)
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class Bert:
    """The sizes of a BERT, and its weights by their names in transformers, without the prefix of the whole."""

    weights: Weights
    layers: int
    heads: int
    epsilon: float
    dimension: int
    most_tokens: int


def read(folder: Path) -> Bert:
    """The model in the sentence-transformers folder `folder`. Raises UnsupportedError for anything but a BERT with mean
    pooling, and OSError or ValueError for files that cannot be read."""
    config = _json(folder / "config.json")
    if config.get("architectures") != ["BertModel"] or config.get("hidden_act") != "gelu":
        raise UnsupportedError("it is no BERT")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise UnsupportedError("its positions are not absolute")
    if [module["type"] for module in _json(folder / "modules.json")] not in MODULES:
        raise UnsupportedError("it has more steps than a transformer, pooling and normalizing")
    pooling = _json(folder / "1_Pooling" / "config.json")
    modes = {name: value for name, value in pooling.items() if name.startswith("pooling_mode") and value}
    if modes != POOLING or pooling.get("include_prompt") is False:
        raise UnsupportedError("its vectors are no means of those of the tokens")
    if (folder / "config_sentence_transformers.json").exists():
        raise UnsupportedError("it may have prompts of its own")
    settings = _json(folder / "sentence_bert_config.json")
    if settings.get("do_lower_case"):
        raise UnsupportedError("its texts are changed before they are cut into tokens")
    most_tokens = min(int(settings.get("max_seq_length") or 512), int(config["max_position_embeddings"]))
    return Bert(
        weights=Weights(folder / "model.safetensors"),
        layers=int(config["num_hidden_layers"]),
        heads=int(config["num_attention_heads"]),
        epsilon=float(config["layer_norm_eps"]),
        dimension=int(config["hidden_size"]),
        most_tokens=most_tokens,
    )


class Weights:
    """The tensors of a safetensors file by name, mapped into memory. Raises UnsupportedError for one that is missing or
    not float32."""

    def __init__(self, path: Path) -> None:
        """Read the header of `path`."""
        with path.open("rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            if size > MOST_HEADER_BYTES:
                raise UnsupportedError("its weights are no safetensors file")
            self._header = json.loads(stream.read(size))
        self._path, self._start = path, 8 + size
        prefixes = {"", "bert."}
        self._prefix = next((one for one in prefixes if f"{one}embeddings.LayerNorm.weight" in self._header), "")

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """The tensor `name`, in the shape that the file gives it."""
        import numpy as np

        entry = self._header.get(self._prefix + name)
        if entry is None:
            raise UnsupportedError(f"it has no weights called {name}")
        if entry["dtype"] != "F32":
            raise UnsupportedError(f"its weights are {entry['dtype']}")
        start = self._start + int(entry["data_offsets"][0])
        # Not "r": PyTorch warns of what cannot be written. "c" keeps what is written, if ever, to this process.
        return np.memmap(self._path, np.dtype("<f4"), "c", start, tuple(entry["shape"]))


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
