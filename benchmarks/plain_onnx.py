"""The packaged weights as other runtimes get them: float32, standard operators; and as onnxruntime quantises that.

Also single multiplications of the model's shapes, whose speed is the limit for any 8-bit engine on onnxruntime.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vectorstore import packaged
from vectorstore.container import Container, Shape
from vectorstore.convert import build_tokenizer

_OPSET, _IR_VERSION = 20, 10


class _Graph:
    """Nodes and constants of standard operators."""

    def __init__(self, source: Container) -> None:
        self.source = source
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, values: Any) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{operator}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def linear(self, name: str, hidden: str, columns: int) -> str:
        weights = self.constant(f"{name}.w", self.source.matrix(f"{name}.w", columns).T)
        return self.add("Add", self.add("MatMul", hidden, weights), self.floats(f"{name}.b"))

    def floats(self, name: str) -> str:
        return self.constant(name, self.source.floats(name))

    def normalise(self, name: str, hidden: str) -> str:
        parts = (self.floats(f"{name}.w"), self.floats(f"{name}.b"))
        return self.add("LayerNormalization", hidden, *parts, axis=-1, epsilon=self.source.shape.epsilon)


def write(folder: Path) -> None:
    """Write ``float32.onnx``, ``int8.onnx``, the matrices and the tokenizer, unless they are there. Takes a minute."""
    if (folder / "layers").exists():
        return
    from onnxruntime.quantization import quantize_dynamic

    folder.mkdir(parents=True, exist_ok=True)
    source = Container(packaged.weights_file())
    build_tokenizer(source.vocabulary).save(str(folder / "tokenizer.json"))
    (folder / "float32.onnx").write_bytes(_encoder(source))
    quantize_dynamic(folder / "float32.onnx", folder / "int8.onnx", op_types_to_quantize=["MatMul", "Gather"])
    for number, (rows, columns) in enumerate(_matrices(source.shape)):
        (folder / f"matrix-{number}.onnx").write_bytes(_multiplication(rows, columns))
    (folder / "layers").write_text(str(source.shape.layers), encoding="ascii")


def _encoder(source: Container) -> bytes:
    graph = _Graph(source)
    hidden = _embeddings(graph)
    for layer in range(source.shape.layers):
        hidden = _layer(graph, f"l{layer}", hidden)
    mean = graph.add("ReduceMean", hidden, graph.constant("tokens", np.array([1])), keepdims=0)
    length = graph.add("ReduceL2", mean, graph.constant("dims", np.array([1])), keepdims=1)
    graph.add("Div", mean, length, output="embedding")
    tokens = helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])
    vector = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, source.shape.width])
    return _serialised("encoder", graph.nodes, tokens, vector, list(graph.constants.values()))


def _embeddings(graph: _Graph) -> str:
    source, width = graph.source, graph.source.shape.width
    words = graph.add("Gather", graph.constant("words", source.matrix("emb.word", width)), "input_ids")
    places = source.floats("emb.pos").reshape(-1, width) + source.floats("emb.type").reshape(-1, width)[0]
    length = graph.add("Shape", "input_ids", start=1, end=2)
    bounds = (graph.constant("zero", np.array([0])), length, graph.constant("first", np.array([0])))
    return graph.normalise(
        "emb.ln", graph.add("Add", words, graph.add("Slice", graph.constant("places", places), *bounds))
    )


def _layer(graph: _Graph, name: str, hidden: str) -> str:
    width, inner = graph.source.shape.width, graph.source.shape.inner_width
    attended = graph.linear(f"{name}.ao", _attention(graph, name, hidden), width)
    hidden = graph.normalise(f"{name}.aln", graph.add("Add", attended, hidden))
    widened = graph.add("Gelu", graph.linear(f"{name}.fi", hidden, width))
    return graph.normalise(f"{name}.oln", graph.add("Add", graph.linear(f"{name}.fo", widened, inner), hidden))


def _attention(graph: _Graph, name: str, hidden: str) -> str:
    heads, width = graph.source.shape.heads, graph.source.shape.width
    by_head = graph.constant("by_head", np.array([0, 0, heads, width // heads]))

    def part(which: str, order: list[int]) -> str:
        projected = graph.linear(f"{name}.{which}", hidden, width)
        return graph.add("Transpose", graph.add("Reshape", projected, by_head), perm=order)

    scale = graph.constant("scale", np.array((width // heads) ** -0.5, np.float32))
    scores = graph.add("MatMul", graph.add("Mul", part("q", [0, 2, 1, 3]), scale), part("k", [0, 2, 3, 1]))
    mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), part("v", [0, 2, 1, 3]))
    joined = graph.constant("joined", np.array([0, 0, width]))
    return graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), joined)


def _matrices(shape: Shape) -> tuple[tuple[int, int], ...]:
    width, inner = shape.width, shape.inner_width
    return ((width, 3 * width), (width, width), (width, inner), (inner, width))


def _multiplication(rows: int, columns: int) -> bytes:
    weights = np.random.default_rng(0).integers(-63, 64, (rows, columns)).astype(np.int8)
    constants = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array(128, np.uint8), "z")]
    node = helper.make_node("MatMulInteger", ["a", "w", "z"], ["y"])
    given = helper.make_tensor_value_info("a", TensorProto.UINT8, ["tokens", rows])
    made = helper.make_tensor_value_info("y", TensorProto.INT32, ["tokens", columns])
    return _serialised("matrix", [node], given, made, constants)


def _serialised(
    name: str,
    nodes: list[onnx.NodeProto],
    given: onnx.ValueInfoProto,
    made: onnx.ValueInfoProto,
    constants: list[onnx.TensorProto],
) -> bytes:
    body = helper.make_graph(nodes, name, [given], [made], constants)
    operators = [helper.make_opsetid("", _OPSET)]
    return helper.make_model(body, opset_imports=operators, ir_version=_IR_VERSION).SerializeToString()
