"""Forms of operators that ONNX's own node tests leave out, against ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

RANDOM = np.random.default_rng(7)


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def expect_runtimes_values(hadal, tmp_path, node, inputs, opset=22, bound=2e-5, types=None):
    """Runs one node on both; `inputs` by name, in the node's order; `types` of outputs that are not f32."""
    value = lambda name, array: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
    outputs = [helper.make_tensor_value_info(name, (types or {}).get(name, onnx.TensorProto.FLOAT), None)
               for name in node.output if name]
    graph = helper.make_graph([node], "g", [value(*item) for item in inputs.items()], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.save(model, tmp_path / "m.onnx")
    given = []
    for name, array in inputs.items():
        np.save(tmp_path / f"{name}.npy", array)
        given += ["--input", f"{name}={tmp_path / name}.npy"]
    hadal.ok("run", tmp_path / "m.onnx", *given, "--no-timing", "--output-dir", tmp_path / "out")
    wanted = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, inputs)
    for i, (output, want) in enumerate(zip(outputs, wanted)):
        got = np.load(tmp_path / f"out/{i}_{output.name}.npy")
        assert got.shape == want.shape and np.abs(got - want).max() <= bound * max(1, np.abs(want).max()), output.name


STEPS, BATCH, WIDTH, HIDDEN = 5, 3, 4, 6
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FORMS = [
    ("LSTM", "forward", {"input_forget": 1}, ["h", "c"]),
    ("LSTM", "bidirectional", {"clip": 0.3}, ["lengths", "h", "c", "p"]),
    ("LSTM", "reverse", {"activations": ["HardSigmoid", "Softsign", "Relu"], "activation_alpha": [0.3],
                         "activation_beta": [0.4]}, ["lengths"]),
    ("GRU", "forward", {"linear_before_reset": 1}, ["h"]),
    ("GRU", "bidirectional", {"linear_before_reset": 1, "clip": 0.5}, ["lengths", "h"]),
    ("GRU", "reverse", {"activations": ["Sigmoid", "LeakyRelu"], "activation_alpha": [0.2]}, ["lengths"]),
    ("RNN", "bidirectional", {"activations": ["Affine", "ScaledTanh"], "activation_alpha": [0.5, 1.2],
                              "activation_beta": [0.1, 0.8]}, ["lengths", "h"]),
    ("RNN", "reverse", {"activations": ["Elu"], "activation_alpha": [0.7]}, []),
]


@pytest.mark.parametrize("kind,direction,attributes,given", FORMS, ids=lambda value: str(value) if isinstance(value, str) else "")
def test_recurrent_layers(hadal, tmp_path, kind, direction, attributes, given):
    directions, gates = (2 if direction == "bidirectional" else 1), GATES[kind]
    inputs = {"x": normal(STEPS, BATCH, WIDTH), "w": normal(directions, gates * HIDDEN, WIDTH) / 2,
              "r": normal(directions, gates * HIDDEN, HIDDEN) / 2, "b": normal(directions, 2 * gates * HIDDEN)}
    optional = {"lengths": np.array([5, 2, 3], np.int32), "h": normal(directions, BATCH, HIDDEN),
                "c": normal(directions, BATCH, HIDDEN), "p": normal(directions, 3 * HIDDEN)}
    order = ["lengths", "h", "c", "p"] if kind == "LSTM" else ["lengths", "h"]
    inputs |= {name: optional[name] for name in order if name in given}
    names = ["x", "w", "r", "b", *(name if name in given else "" for name in order)]
    outputs = ["y", "y_h", "y_c"] if kind == "LSTM" else ["y", "y_h"]
    node = helper.make_node(kind, names, outputs, hidden_size=HIDDEN, direction=direction, **attributes)
    expect_runtimes_values(hadal, tmp_path, node, inputs)


@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [0, 1])
def test_grid_sample(hadal, tmp_path, mode, padding, align):
    """Positions well outside too; nearest ones away from ties, which rounding decides."""
    grid = RANDOM.uniform(-1.6, 1.6, (2, 4, 3, 2)).astype(np.float32)
    node = helper.make_node("GridSample", ["x", "grid"], ["y"], mode=mode, padding_mode=padding, align_corners=align)
    expect_runtimes_values(hadal, tmp_path, node, {"x": normal(2, 3, 5, 6), "grid": grid}, opset=20)


@pytest.mark.parametrize("shape", [(1, 1), (4, 3, 3), (2, 2, 5, 5)])
def test_determinants_pivot(hadal, tmp_path, shape):
    matrices = normal(*shape)
    matrices[..., 0, 0] = 0  # The first pivot is elsewhere.
    expect_runtimes_values(hadal, tmp_path, helper.make_node("Det", ["x"], ["y"]), {"x": matrices})


def test_pooling_tells_where_the_largest_lie(hadal, tmp_path):
    node = helper.make_node("MaxPool", ["x"], ["y", "at"], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1],
                            ceil_mode=1)
    expect_runtimes_values(hadal, tmp_path, node, {"x": normal(2, 3, 7, 9)}, types={"at": onnx.TensorProto.INT64})


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions_with_computed_weights(hadal, tmp_path, groups):
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 1], pads=[1, 0, 1, 2], dilations=[1, 2],
                            output_padding=[1, 0], group=groups)
    expect_runtimes_values(hadal, tmp_path, node, {"x": normal(2, 4, 5, 7), "w": normal(4, 3, 3, 2)})


def test_products_of_doubles_run_on_the_lanes(hadal, tmp_path):
    a, b = (RANDOM.standard_normal(shape) for shape in [(2, 3, 5), (5, 4)])
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    expect_runtimes_values(hadal, tmp_path, node, {"a": a, "b": b}, bound=1e-12, types={"y": onnx.TensorProto.DOUBLE})
