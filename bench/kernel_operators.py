"""What the kernels of kernels/ compute, as operators of a model: for the compiler's own code beside them."""

import pathlib
import re
import tempfile

import onnx
import outlines
from onnx import TensorProto, helper

TYPES = {"f32": TensorProto.FLOAT, "bf16": TensorProto.BFLOAT16, "i32": TensorProto.INT32, "i64": TensorProto.INT64,
         "f8e4m3": TensorProto.FLOAT8E4M3FN}
DOMAINS = {"": 24, "com.microsoft": 1, "com.hadal": 1}


def node(op, inputs, outputs, domain="", **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), domain=domain, **attributes)


def parsed(text):
    """Of "bf16[64,32]": the element type, and the dims."""
    name, dims = re.fullmatch(r"(\w+)\[([\d,]+)\]", text).groups()
    return TYPES[name], [int(d) for d in dims.split(",")]


def model(nodes, given, weights, result):
    """`given`, `weights` and `result`: types by names. Weights have shapes and no values."""
    values = [helper.make_tensor_value_info(name, *parsed(text)) for name, text in {**given, **result}.items()]
    initializers = [outlines.absent(name, *parsed(text)) for name, text in weights.items()]
    graph = helper.make_graph(nodes, "operator", values[:len(given)], values[len(given):], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(*domain) for domain in DOMAINS.items()], ir_version=11)


def product(a, b, y):
    return model([node("MatMul", "a b", "y")], {"a": a, "b": b}, {}, {"y": y})


def rows(op, x, *vectors, **attributes):
    names = [f"v{i}" for i in range(len(vectors))]
    return model([node(op, " ".join(["x", *names]), "y", **attributes)], {"x": x}, dict(zip(names, vectors)), {"y": x})


def gated(x, w, y):
    nodes = [node("MatMul", "x gate", "g"), node("MatMul", "x up", "u"), node("Sigmoid", "g", "s"), node("Mul", "g s", "silu"),
             node("Mul", "silu u", "y")]
    return nodes, {"x": x}, {"gate": w, "up": w}, {"y": y}


def gated_network(x, w, down, hidden):
    nodes, given, weights, _ = gated(x, w, hidden)
    return model([*nodes, node("MatMul", "y down", "z")], given, {**weights, "down": down}, {"z": x})


def attention(q, kv, causal):
    return model([node("Attention", "q k v", "y", is_causal=causal)], {"q": q, "k": kv, "v": kv}, {}, {"y": q})


def rotary(x, angles):
    return model([node("RotaryEmbedding", "x c s", "y")], {"x": x, "c": angles, "s": angles}, {}, {"y": x})


def add_gelu(x):
    return model([node("Add", "a b", "s"), node("Gelu", "s", "y", approximate="tanh")], {"a": x, "b": x}, {}, {"y": x})


def conv(x, w, **attributes):
    return model([node("NhwcConv", "x w", "y", "com.microsoft", pads=[1] * 4, **attributes)], {"x": x}, {"w": w}, {"y": x})


def scaled_product(a, b, a_scale, b_scale, y):
    given = {"a": a, "b": b, "s": a_scale, "t": b_scale}
    return model([node("ScaledMatMul", "a b s t", "y", "com.hadal")], given, {}, {"y": y})


def gru(x, w, bias, hidden):
    nodes = [helper.make_node("GRU", ["x", "w", "r", "b", "", "h"], ["", "y"], hidden_size=hidden, linear_before_reset=1)]
    return model(nodes, {"x": x, "h": x}, {"w": w, "r": w, "b": bias}, {"y": x})


def message(atoms, edges, places):
    nodes = [node("Gather", "x from", "g"), node("Mul", "g f", "sent"), node("Sub", "x x", "none"),
             node("ScatterND", "none to sent", "y", reduction="add")]
    return model(nodes, {"x": atoms, "f": edges, "from": places, "to": places.replace("]", ",1]").replace("i32", "i64")}, {},
                 {"y": atoms})


def cycles(operators, chip):
    """Of a model."""
    import hadal as hd  # Late: whoever imports this has said where it lies.

    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "model.onnx"
        onnx.save(operators, file)
        return hd.simulate(file, chip=chip).cycles
