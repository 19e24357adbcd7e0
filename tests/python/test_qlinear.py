"""Operators on quantised tensors, against ONNX Runtime's: what they give differs by one step at most."""

import numpy as np
import onnx
import onnxruntime
import pytest
import zoo
from onnx import TensorProto, helper

SCALES = {"s0": 0.02, "s1": 0.05, "s2": 0.031, "sp": 1 / 256}
ZEROS = {"z0": 120, "z1": 7, "z2": 100, "zp": 0}
SHAPE = (2, 8, 6, 6)
ONE = ["x", "s0", "z0"]
TWO = ["x", "s0", "z0", "y", "s1", "z1"]

CASES = [
    ("QLinearAdd", [*TWO, "s2", "z2"], {}),
    ("QLinearMul", [*TWO, "s2", "z2"], {}),
    ("QLinearSigmoid", [*ONE, "sp", "zp"], {}),
    ("QLinearLeakyRelu", [*ONE, "s2", "z2"], {"alpha": 0.2}),
    ("QLinearSoftmax", [*ONE, "sp", "zp"], {"axis": -1, "opset": 13}),
    ("QLinearGlobalAveragePool", [*ONE, "s2", "z2"], {"channels_last": 0}),
    ("QLinearGlobalAveragePool", [*ONE, "s2", "z2"], {"channels_last": 1}),
    ("QLinearAveragePool", [*ONE, "s2", "z2"], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ("QLinearConcat", ["s2", "z2", *TWO], {"axis": 1}),
    ("QLinearWhere", ["c", *TWO, "s2", "z2"], {}),
]


def bytes_of(name, shape, dtype=np.uint8):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return np.clip(np.rint(zoo.random(name, shape, low - 0.5, high + 0.5)), low, high).astype(dtype)


def agree(hadal, folder, node, inputs, constants, steps):
    kinds = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8, np.dtype(bool): TensorProto.BOOL,
             np.dtype(np.float32): TensorProto.FLOAT}
    used = {name: value for name, value in inputs.items() if name in node.input}
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info(name, kinds[value.dtype], value.shape) for name, value in used.items()],
        [onnx.ValueInfoProto(name="out")],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items() if name in node.input])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
                              ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    want = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, used)[0]
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    _, got = zoo.run(folder / "model.onnx", used, folder, "--no-timing")
    assert got["out"].dtype == want.dtype and got["out"].shape == want.shape
    assert np.abs(got["out"].astype(np.float64) - want).max() <= steps


@pytest.mark.parametrize("operator,operands,attributes", CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)])
def test_element_wise_operators_and_pools(hadal, tmp_path, operator, operands, attributes):
    node = helper.make_node(operator, operands, ["out"], domain="com.microsoft", **attributes)
    inputs = {"x": bytes_of("x", SHAPE), "y": bytes_of("y", SHAPE), "c": bytes_of("c", SHAPE) > 127}
    constants = {name: np.float32(value) for name, value in SCALES.items()}
    constants |= {name: np.uint8(value) for name, value in ZEROS.items()}
    agree(hadal, tmp_path, node, inputs, constants, 1)


@pytest.mark.parametrize("weights", [np.int8, np.uint8])
@pytest.mark.parametrize("operator", ["QLinearConv", "QLinearMatMul", "QGemm"])
def test_products_are_equal(hadal, tmp_path, operator, weights):
    """The sums are integers on both sides, and their factor is rounded alike."""
    zero = weights(0 if weights is np.int8 else 128)
    constants = {"s0": np.float32(0.02), "z0": np.uint8(120), "s2": np.float32(1.7), "z2": np.uint8(100)}
    if operator == "QLinearConv":
        x, w = bytes_of("x", SHAPE), bytes_of("w", (12, 8, 3, 3), weights)
        constants |= {"w": w, "b": np.arange(-6, 6, dtype=np.int32) * 999, "sw": np.linspace(0.01, 0.02, 12, dtype=np.float32),
                      "zw": np.full(12, zero)}
        node = helper.make_node(operator, ["x", "s0", "z0", "w", "sw", "zw", "s2", "z2", "b"], ["out"], pads=[1, 1, 1, 1],
                                strides=[2, 2])
    else:
        x, w = bytes_of("x", (9, 40)), bytes_of("w", (40, 12), weights)
        constants |= {"w": w, "b": np.arange(-6, 6, dtype=np.int32) * 999, "sw": np.float32(0.013), "zw": zero}
        operands = ["x", "s0", "z0", "w", "sw", "zw", *(["b"] if operator == "QGemm" else []), "s2", "z2"]
        node = helper.make_node(operator, operands, ["out"], domain="com.microsoft" if operator == "QGemm" else "")
    agree(hadal, tmp_path, node, {"x": x}, constants, 0)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("zero_w", [None, 131])
def test_a_convolution_whose_zero_point_comes_with_the_data(hadal, tmp_path, groups, zero_w):
    """Padding stands for the zero point, of which nothing is known before."""
    constants = {"w": bytes_of("w", (12, 8 // groups, 3, 3))} | ({"zw": np.uint8(zero_w)} if zero_w else {})
    node = helper.make_node("ConvInteger", ["x", "w", "zx", *(["zw"] if zero_w else [])], ["out"], pads=[1, 0, 2, 1], group=groups,
                            strides=[1, 2])
    agree(hadal, tmp_path, node, {"x": bytes_of("x", SHAPE), "zx": np.array(117, np.uint8)}, constants, 0)
