"""The packaged encoder as one ONNX graph: token ids of one text in, one unit vector out.

The graph takes one text without padding and so needs no mask: activations are quantised with one scale for the whole
input, and a neighbour in a batch would change a text's vector. Weights of the linear layers are 7 bits in 8: on
processors without VNNI the 8-bit multiply-add saturates beyond that.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vectorstore.container import BLOCK, Container, Shape

INPUT = "input_ids"
OUTPUT = "embedding"
_MICROSOFT = "com.microsoft"
_LARGEST = 63
_OPSET, _IR_VERSION = 20, 10


class _Graph:
    """Collects nodes and constants; a node's name is its operator and its number."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def add(self, operator: str, inputs: list[str], *, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Add a node; return the name of its output, or the list of names when it has several."""
        name = f"{operator}.{len(self.nodes)}"
        results = [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, results, name=name, domain=domain, **attributes))
        return results[0] if outputs == 1 else results


def build(source: Container) -> bytes:
    """Return the serialised model; the same source gives the same bytes.

    Input ``input_ids`` is ``(1, n_tokens) int64``, output ``embedding`` is ``(1, dim) float32`` of unit length.
    """
    graph = _Graph()
    hidden = _embeddings(graph, source)
    for layer in range(source.shape.layers):
        hidden = _layer(graph, source, f"l{layer}", hidden)
    _pool(graph, hidden)
    return _model(graph, source.shape).SerializeToString(deterministic=True)


def _embeddings(graph: _Graph, source: Container) -> str:
    """Words (looked up in the 4-bit table as it is) plus positions plus the one token type, normalised."""
    shape = source.shape
    values, scales = source.quarters("emb.word", shape.width)
    packed = values[:, 0::2] | (values[:, 1::2] << 4)
    words = graph.add(
        "GatherBlockQuantized",
        [graph.constant("words", packed), INPUT, graph.constant("words.scales", scales)],
        domain=_MICROSOFT, bits=4, block_size=BLOCK, gather_axis=0, quantize_axis=1,
    )  # fmt: skip
    places = source.floats("emb.pos").reshape(-1, shape.width) + source.floats("emb.type").reshape(-1, shape.width)[0]
    length = graph.add("Shape", [INPUT], start=1, end=2)
    bounds = [graph.constant("zero", np.array([0])), length, graph.constant("first_axis", np.array([0]))]
    positions = graph.add("Slice", [graph.constant("positions", places), *bounds])
    return _normalise(graph, source, "emb.ln", graph.add("Add", [words, positions]))


def _layer(graph: _Graph, source: Container, name: str, hidden: str) -> str:
    """One encoder layer: self-attention, then the feed-forward pair, each added to its input and normalised."""
    width, inner, heads = source.shape.width, source.shape.inner_width, source.shape.heads
    joined = _linear(graph, source, [f"{name}.{part}" for part in ("q", "k", "v")], hidden, columns=width)
    query, key, value = graph.add("Split", [joined], outputs=3, axis=-1, num_outputs=3)
    attended = graph.add("MultiHeadAttention", [query, key, value], domain=_MICROSOFT, num_heads=heads)
    attended = _linear(graph, source, [f"{name}.ao"], attended, columns=width)
    hidden = _normalise(graph, source, f"{name}.aln", graph.add("Add", [attended, hidden]))
    widened = graph.add("Gelu", [_linear(graph, source, [f"{name}.fi"], hidden, columns=width)])
    narrowed = _linear(graph, source, [f"{name}.fo"], widened, columns=inner)
    return _normalise(graph, source, f"{name}.oln", graph.add("Add", [narrowed, hidden]))


def _linear(graph: _Graph, source: Container, names: list[str], hidden: str, *, columns: int) -> str:
    """Multiply by the named matrices side by side and add their biases, in 8-bit integers."""
    weights = np.concatenate([source.matrix(f"{name}.w", columns) for name in names])
    biases = np.concatenate([source.floats(f"{name}.b") for name in names])
    scales = np.maximum(np.abs(weights).max(axis=1), 1e-12) / _LARGEST
    quantised = np.rint(weights / scales[:, None]).astype(np.int8)
    first = names[0]
    operands = [
        hidden,
        graph.constant(f"{first}.w", quantised.T),
        graph.constant(f"{first}.s", scales.astype(np.float32)),
        graph.constant(f"{first}.z", np.zeros(len(scales), np.int8)),
        graph.constant(f"{first}.b", biases),
    ]
    return graph.add("DynamicQuantizeMatMul", operands, domain=_MICROSOFT)


def _normalise(graph: _Graph, source: Container, name: str, hidden: str) -> str:
    parameters = [graph.constant(f"{name}.{part}", source.floats(f"{name}.{part}")) for part in ("w", "b")]
    return graph.add("LayerNormalization", [hidden, *parameters], axis=-1, epsilon=source.shape.epsilon)


def _pool(graph: _Graph, hidden: str) -> None:
    """Average over the tokens, scale to unit length."""
    mean = graph.add("ReduceMean", [hidden, graph.constant("token_axis", np.array([1]))], keepdims=0)
    length = graph.add("ReduceL2", [mean, graph.constant("vector_axis", np.array([1]))], keepdims=1)
    graph.nodes.append(helper.make_node("Div", [mean, length], [OUTPUT], name=OUTPUT))


def _model(graph: _Graph, shape: Shape) -> onnx.ModelProto:
    tokens = helper.make_tensor_value_info(INPUT, TensorProto.INT64, [1, "tokens"])
    vector = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, shape.width])
    body = helper.make_graph(graph.nodes, "encoder", [tokens], [vector], list(graph.constants.values()))
    operators = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
    return helper.make_model(body, opset_imports=operators, ir_version=_IR_VERSION)
