"""Operators of com.microsoft that ONNX Runtime's optimiser and exporters make of several, against ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
import pytest
import zoo
from onnx import TensorProto, helper, numpy_helper

TYPES = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "int64": TensorProto.INT64}
RANDOM = np.random.default_rng(11)


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def run(hadal, folder, operator, operands, outputs, weights=(), **attributes):
    """Outputs of one node by name, ours and ONNX Runtime's. Operands are arrays, or None; `weights` names constants."""
    names = ["" if value is None else f"i{i}" for i, value in enumerate(operands)]
    inputs = {name: value for name, value in zip(names, operands) if name and name not in weights}
    constants = [numpy_helper.from_array(value, name) for name, value in zip(names, operands) if name in weights]
    node = helper.make_node(operator, names, list(outputs), domain="com.microsoft", **attributes)
    ports = [helper.make_tensor_value_info(name, TYPES[value.dtype.name], value.shape) for name, value in inputs.items()]
    results = [helper.make_tensor_value_info(name, TensorProto.INT32 if name == "count" else TensorProto.FLOAT, [None] * rank)
               for name, rank in outputs.items()]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    graph = helper.make_graph([node], "fused", ports, results, constants)
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "model.onnx")
    want = dict(zip(outputs, onnxruntime.InferenceSession(folder / "model.onnx").run(list(outputs), inputs)))
    report = hadal.ok("run", folder / "model.onnx", *zoo.input_flags(inputs, folder), "--output-dir", folder / "out", "--json", "-",
                      "--no-timing").report()
    return {output["name"]: np.load(output["file"]) for output in report["outputs"]}, want


def compare(*arguments, bound=1e-5, **options):
    got, want = run(*arguments, **options)
    for name in want:
        assert zoo.error(got[name], want[name]) <= bound, name


@pytest.mark.parametrize("attributes", [{}, {"transB": 1, "alpha": 0.25}, {"transA": 1}])
def test_fused_matmul(hadal, tmp_path, attributes):
    a = normal(2, 5, 7) if not attributes.get("transA") else normal(2, 7, 5)
    b = normal(2, 7, 3) if not attributes.get("transB") else normal(2, 3, 7)
    compare(hadal, tmp_path, "FusedMatMul", [a, b], {"y": 3}, **attributes)


@pytest.mark.parametrize("activation, numbers", [("Relu", []), ("LeakyRelu", [0.3]), ("Clip", [-0.5, 0.25]),
                                                 ("HardSigmoid", [0.3, 0.4]), ("Tanh", [])])
def test_fused_conv(hadal, tmp_path, activation, numbers):
    more = {"activation_params": numbers} if numbers else {}
    operands = [normal(1, 4, 9, 7), normal(6, 2, 3, 3), normal(6), normal(1, 6, 9, 7)]
    compare(hadal, tmp_path, "FusedConv", operands, {"y": 4}, activation=activation, group=2, pads=[1] * 4, **more)


@pytest.mark.parametrize("activation, numbers", [("Relu", {}), ("LeakyRelu", {"activation_alpha": 0.3}), ("Sigmoid", {})])
def test_fused_gemm(hadal, tmp_path, activation, numbers):
    compare(hadal, tmp_path, "FusedGemm", [normal(5, 7), normal(3, 7), normal(3)], {"y": 2}, activation=activation, transB=1,
            **numbers)


TABLES = [f(np.arange(32)[:, None] * 100.0 ** (-np.arange(4) / 8)).astype(np.float32) for f in (np.cos, np.sin)]


@pytest.mark.parametrize("neighbours", [0, 1])
@pytest.mark.parametrize("shape, position", [((2, 5, 24), np.array([3])), ((2, 3, 5, 8), np.arange(10).reshape(2, 5))])
def test_rotary_embedding(hadal, tmp_path, shape, position, neighbours):
    compare(hadal, tmp_path, "RotaryEmbedding", [normal(*shape), position.astype(np.int64), *TABLES], {"y": len(shape)},
            interleaved=neighbours)


@pytest.mark.parametrize("segments", [True, False])
def test_embeddings_normalised(hadal, tmp_path, segments):
    ids, kinds = RANDOM.integers(0, 9, (2, 5)).astype(np.int32), RANDOM.integers(0, 2, (2, 5)).astype(np.int32)
    operands = [ids, kinds if segments else None, normal(9, 16), normal(12, 16), normal(2, 16) if segments else None, normal(16),
                normal(16), np.array([[1] * 3 + [0] * 2, [1] * 5], np.int32)]
    compare(hadal, tmp_path, "EmbedLayerNormalization", operands, {"y": 3, "count": 1}, weights=("i2", "i3", "i4", "i5", "i6"),
            epsilon=1e-12)


def test_convolution_with_channels_last(hadal, tmp_path):
    """ONNX Runtime has it on GPUs alone: the same as of Conv."""
    x, w, b = normal(1, 7, 6, 4), normal(8, 3, 3, 2), normal(8)
    reference = helper.make_node("Conv", ["x", "w", "b"], ["y"], group=2, pads=[1] * 4)
    node = helper.make_node("NhwcConv", ["x", "w", "b"], ["y"], domain="com.microsoft", group=2, pads=[1] * 4)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    results = []
    for made, arrays in ((reference, [x.transpose(0, 3, 1, 2), w.transpose(0, 3, 1, 2), b]), (node, [x, w, b])):
        inputs = dict(zip("xwb", map(np.ascontiguousarray, arrays)))
        ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in inputs.items()]
        graph = helper.make_graph([made], "conv", ports, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)])
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        if made is reference:
            results.append(onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)[0].transpose(0, 2, 3, 1))
        else:
            onnx.save(model, tmp_path / "model.onnx")
            results.append(zoo.run(tmp_path / "model.onnx", inputs, tmp_path, "--no-timing")[1]["y"])
    assert zoo.error(results[1], results[0]) <= 1e-5


WIDTH, HEADS = 32, 4
MULTI = {
    "plain": [normal(2, 5, WIDTH), normal(2, 7, WIDTH), normal(2, 7, WIDTH)],
    "bias": [normal(2, 5, WIDTH), normal(2, 7, WIDTH), normal(2, 7, WIDTH), normal(3 * WIDTH)],
    "mask": [normal(2, 5, WIDTH), normal(2, 7, WIDTH), normal(2, 7, WIDTH), None,
             np.array([[1] * 4 + [0] * 3, [1] * 7], np.int32)],
    "scores' bias": [normal(2, 5, WIDTH), normal(2, 7, WIDTH), normal(2, 7, WIDTH), None, None, normal(2, HEADS, 5, 7)],
    "by head": [normal(2, 5, WIDTH), normal(2, HEADS, 7, 8), normal(2, HEADS, 7, 8)],
    "past": [normal(2, 1, WIDTH), normal(2, 1, WIDTH), normal(2, 1, WIDTH), None, None, None, normal(2, HEADS, 6, 8),
             normal(2, HEADS, 6, 8)],
}


@pytest.mark.parametrize("name", MULTI)
def test_multi_head_attention(hadal, tmp_path, name):
    outputs = {"y": 3} | ({"present_k": 4, "present_v": 4} if name == "past" else {})
    compare(hadal, tmp_path, "MultiHeadAttention", MULTI[name], outputs, num_heads=HEADS)


def test_multi_head_attention_of_packed_operands(hadal, tmp_path):
    """ONNX Runtime has it on GPUs alone: the same as of the parts."""
    packed = normal(2, 5, HEADS, 3, 8)
    parts = [packed[:, :, :, i].reshape(2, 5, WIDTH) for i in range(3)]
    _, want = run(hadal, tmp_path, "MultiHeadAttention", parts, {"y": 3}, num_heads=HEADS)
    node = helper.make_node("MultiHeadAttention", ["i0"], ["y"], domain="com.microsoft", num_heads=HEADS)
    graph = helper.make_graph([node], "packed", [helper.make_tensor_value_info("i0", TensorProto.FLOAT, packed.shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 3)])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "packed.onnx")
    _, got = zoo.run(tmp_path / "packed.onnx", {"i0": packed}, tmp_path, "--no-timing")
    assert zoo.error(got["y"], want["y"]) <= 1e-5


PACKED = {
    "plain": ([], {}), "lengths": ([np.array([3, 5], np.int32)], {}),
    "mask": ([np.array([[1, 1, 1, 0, 0], [1] * 5], np.int32)], {}), "causal": ([], {"unidirectional": 1}),
    "past": ([None, normal(2, 2, HEADS, 4, 8)], {"unidirectional": 1}),
    "widths": ([], {"qkv_hidden_sizes": [WIDTH, WIDTH, 2 * WIDTH]}),
}


@pytest.mark.parametrize("name", PACKED)
def test_packed_attention(hadal, tmp_path, name):
    more, attributes = PACKED[name]
    width = sum(attributes.get("qkv_hidden_sizes", [WIDTH] * 3))
    operands = [normal(2, 5, 24), normal(24, width) / 5, normal(width), *more]
    compare(hadal, tmp_path, "Attention", operands, {"y": 3} | ({"present": 5} if name == "past" else {}), weights=("i1", "i2"),
            num_heads=HEADS, **attributes)


@pytest.mark.parametrize("bits, zeros", [(4, None), (4, "packed"), (4, "floats"), (8, None), (8, "packed")])
def test_matmul_with_weights_of_few_bits(hadal, tmp_path, bits, zeros):
    depth, columns, block = 80, 24, 32
    blocks = -(-depth // block)
    weights = RANDOM.integers(0, 256, (columns, blocks, block * bits // 8)).astype(np.uint8)
    scales = RANDOM.uniform(0.01, 0.02, (columns, blocks)).astype(np.float32)
    points = {"packed": RANDOM.integers(0, 256, (columns, -(-blocks * bits // 8))).astype(np.uint8),
              "floats": RANDOM.uniform(4, 9, (columns, blocks)).astype(np.float32), None: None}[zeros]
    compare(hadal, tmp_path, "MatMulNBits", [normal(2, 3, depth), weights, scales, points], {"y": 3}, bound=1e-5,
            weights=("i1", "i2", "i3"), K=depth, N=columns, bits=bits, block_size=block)
