"""ONNX graph: a BERT → the graph that ONNX Runtime runs, and the weights beside it.

The graph is written from the sizes of the model and the weights are those of model.safetensors, so nothing is traced
and no copy of the weights lies on the disk. ONNX is protobuf, and so few of its messages are needed that they are
written here.
Numbers of fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from index.bert import Bert

FLOAT, INT32 = 1, 6
"""Types of ONNX tensors."""
OPSET, MICROSOFT_OPSET, IR_VERSION = 17, 1, 8
"""Read by every ONNX Runtime since 1.12."""
VERSION = 1
"""Of what is written here and of what index/onnx_encoder.py does with it: counted up with every change that may alter
a vector, so that they are compared again."""
MICROSOFT = "com.microsoft"
"""Domain of ONNX Runtime's fused operators; its own optimizer puts them in the place of what is exported."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A serialized ONNX model and its weights by name.

    Inputs: `ids` and `mask` (1 for a token, 0 for padding), both int32 of shape (texts, tokens). Output: `vectors`, of
    unit length, shape (texts, dimension).
    """

    model: bytes
    weights: Mapping[str, NDArray[np.float32]]


def write(bert: Bert) -> Graph:
    """The graph of `bert`. Raises UnsupportedError when it lacks weights."""
    import numpy as np

    epsilon, weights = bert.epsilon, bert.weights
    arranged: dict[str, NDArray[np.float32]] = {}
    nodes: list[bytes] = []

    def weight(name: str) -> str:
        arranged[name] = weights[name]
        return name

    def turned(name: str) -> str:
        """PyTorch keeps the weights of a layer as (outputs, inputs), ONNX multiplies by (inputs, outputs)."""
        arranged[name] = np.ascontiguousarray(weights[name].T)
        return name

    def norm(place: str) -> list[str]:
        return [weight(f"{place}.LayerNorm.weight"), weight(f"{place}.LayerNorm.bias")]

    def add(
        operator: str, inputs: list[str], output: str, *attributes: bytes, domain: str = "", unused: str = ""
    ) -> str:
        outputs = [output, unused] if unused else [output]
        nodes.append(_node(operator, inputs, outputs, attributes, domain))
        return output

    words, positions, kinds = (
        weight(f"embeddings.{name}_embeddings.weight") for name in ("word", "position", "token_type")
    )
    add("Sub", ["mask", "mask"], "kinds")  # every token is of the first kind, 0
    state = add(
        "EmbedLayerNormalization",
        ["ids", "kinds", words, positions, kinds, *norm("embeddings"), "mask"],
        "embedded",
        _float("epsilon", epsilon),
        domain=MICROSOFT,
        unused="lengths",
    )
    for number in range(bert.layers):
        layer = f"encoder.layer.{number}"
        own = [f"{layer}.attention.self.{name}" for name in ("query", "key", "value")]
        # In the order of C, as ONNX has it: what numpy joins of turned arrays is in that of Fortran.
        arranged[f"{layer}.qkv"] = np.ascontiguousarray(np.concatenate([weights[f"{name}.weight"] for name in own]).T)
        arranged[f"{layer}.qkv_bias"] = np.concatenate([weights[f"{name}.bias"] for name in own])
        read_ = add(
            "Attention",
            [state, f"{layer}.qkv", f"{layer}.qkv_bias", "mask"],
            f"{layer}.read",
            _int("num_heads", bert.heads),
            domain=MICROSOFT,
        )

        def residual(inner: str, skipped: str, place: str) -> str:
            """A linear layer, to which what came before is added, normalized."""
            product = add("MatMul", [inner, turned(f"{place}.dense.weight")], f"{place}.product")
            return add(
                "SkipLayerNormalization",
                [product, skipped, *norm(place), weight(f"{place}.dense.bias")],
                f"{place}.out",
                _float("epsilon", epsilon),
                domain=MICROSOFT,
            )

        state = residual(read_, state, f"{layer}.attention.output")
        wide = add("MatMul", [state, turned(f"{layer}.intermediate.dense.weight")], f"{layer}.wide")
        wide = add("BiasGelu", [wide, weight(f"{layer}.intermediate.dense.bias")], f"{layer}.gelu", domain=MICROSOFT)
        state = residual(wide, state, f"{layer}.output")
    # The mean of the tokens, made a unit vector, is their sum made a unit vector; padding counts 0.
    add("Cast", ["mask"], "counted", _int("to", FLOAT))
    add("Einsum", ["counted", state], "sum", _text("equation", "bt,btd->bd"))
    add("LpNormalization", ["sum"], "vectors", _int("axis", 1), _int("p", 2))
    return Graph(_model(nodes, arranged, bert.dimension), arranged)


def _model(nodes: list[bytes], weights: Mapping[str, NDArray[np.float32]], dimension: int) -> bytes:
    graph = b"".join(_message(1, node) for node in nodes) + _string(2, "bert")
    graph += b"".join(_message(5, _initializer(name, value.shape)) for name, value in weights.items())
    graph += _message(11, _value("ids", INT32, "texts", "tokens")) + _message(
        11, _value("mask", INT32, "texts", "tokens")
    )
    graph += _message(12, _value("vectors", FLOAT, "texts", dimension))
    opsets = [_number(2, OPSET), _string(1, MICROSOFT) + _number(2, MICROSOFT_OPSET)]
    return _number(1, IR_VERSION) + _message(7, graph) + b"".join(_message(8, opset) for opset in opsets)


def _node(operator: str, inputs: list[str], outputs: list[str], attributes: tuple[bytes, ...], domain: str) -> bytes:
    written = b"".join(_string(1, name) for name in inputs) + b"".join(_string(2, name) for name in outputs)
    written += _string(4, operator)
    return written + b"".join(_message(5, one) for one in attributes) + (_string(7, domain) if domain else b"")


def _initializer(name: str, shape: tuple[int, ...]) -> bytes:
    """A tensor that is handed over when the graph is loaded: ONNX calls it external (its data_location is 1)."""
    place = _string(1, "location") + _string(2, "in memory")
    dims = b"".join(_number(1, size) for size in shape)
    return dims + _number(2, FLOAT) + _string(8, name) + _message(13, place) + _number(14, 1)


def _value(name: str, kind: int, *shape: str | int) -> bytes:
    dims = b"".join(_message(1, _string(2, one) if isinstance(one, str) else _number(1, one)) for one in shape)
    return _string(1, name) + _message(2, _message(1, _number(1, kind) + _message(2, dims)))


def _int(name: str, value: int) -> bytes:
    return _string(1, name) + _number(3, value) + _number(20, 2)


def _float(name: str, value: float) -> bytes:
    return _string(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, 1)


def _text(name: str, value: str) -> bytes:
    return _string(1, name) + _string(4, value) + _number(20, 3)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _string(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the eighth bit set."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
