"""Attention, whose scores stay in the core: masks, shared heads, rows that do not cut evenly, operands either way round."""

import numpy as np
import onnx
import onnxruntime
import pytest
import zoo
from onnx import TensorProto, helper, numpy_helper


def attention(folder, batch, rows, keys, depth, *, shared=False, transposed=True, mask=False, residual=False):
    """softmax(q k / 4 + mask) v + residual, and its inputs."""
    heads = [1 if shared else batch[-1]]
    shapes = {"q": [*batch, rows, depth], "v": [*batch[:-1], *heads, keys, depth + 3],
              "k": [*batch[:-1], *heads, *((keys, depth) if transposed else (depth, keys))]}
    last = list(range(len(batch)))
    nodes = [helper.make_node("Transpose", ["k"], ["kt"], perm=[*last, len(batch) + 1, len(batch)])] if transposed else []
    nodes += [helper.make_node("MatMul", ["q", "kt" if transposed else "k"], ["scores"]),
              helper.make_node("Mul", ["scores", "scale"], ["scaled"])]
    constants = [numpy_helper.from_array(np.float32(0.25), "scale")]
    if mask:
        shapes["mask"] = [batch[0], *[1] * (len(batch) - 1), rows, keys]
        nodes.append(helper.make_node("Add", ["scaled", "mask"], ["masked"]))
    nodes += [helper.make_node("Softmax", ["masked" if mask else "scaled"], ["weights"], axis=-1),
              helper.make_node("MatMul", ["weights", "v"], ["mixed" if residual else "y"])]
    if residual:
        shapes["r"] = [*batch, rows, depth + 3]
        nodes.append(helper.make_node("Add", ["mixed", "r"], ["y"]))
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [*batch, rows, depth + 3])
    model = helper.make_model(helper.make_graph(nodes, "attention", list(values.values()), [y], constants),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    random = np.random.default_rng(7)
    inputs = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    if mask:
        inputs["mask"] = np.where(random.random(shapes["mask"]) < 0.3, np.float32(-1e9), np.float32(0))
    return folder / "model.onnx", inputs


CASES = {"plain": ((2, 3), 37, 29, 16, {}), "straight": ((4,), 64, 64, 32, {"transposed": False}),
         "masked": ((2, 3), 50, 41, 16, {"mask": True}), "shared heads": ((2, 4), 33, 20, 8, {"shared": True}),
         "residual": ((1, 2), 197, 197, 64, {"residual": True}), "one row": ((2, 4), 1, 77, 16, {"mask": True}),
         "long": ((1, 1), 700, 1500, 16, {})}


@pytest.mark.parametrize("chip", ["hadal-1", "hadal-edge"])
@pytest.mark.parametrize("case", CASES)
def test_attention_agrees_with_onnx_runtime(hadal, tmp_path, case, chip):
    batch, rows, keys, depth, options = CASES[case]
    model, inputs = attention(tmp_path, batch, rows, keys, depth, **options)
    want = onnxruntime.InferenceSession(model).run(None, inputs)[0]
    flags = zoo.input_flags(inputs, tmp_path)
    report = hadal.ok("run", model, *flags, "--chip", chip, "--output-dir", tmp_path / "out", "--json", "-").report()
    assert zoo.error(np.load(report["outputs"][0]["file"]), want) <= 1e-5
    plan = hadal.ok("compile", model, "--chip", chip, "-o", tmp_path / "a.hadal", "--dump-after", "plan").err
    joined = [layer["op"] for layer in report["layers"]].count("attention")
    assert joined == ("in parts" not in plan)


def test_scores_stay_in_the_core(hadal, tmp_path):
    """Where attention is one phase, no storage holds scores; the report names every node that it stands for."""
    model, _ = attention(tmp_path, (1, 12), 197, 197, 64)
    report = hadal.ok("run", model, "--chip", "hadal-edge", "--no-values", "--json", "-").report()
    layer, = [layer for layer in report["layers"] if layer["op"] == "attention"]
    assert layer["macs"] == 12 * 197 * 197 * (64 + 67)
    assert layer["bytes_read"] <= 4 * 12 * 197 * (64 + 64 * 4 + 67 * 4)  # K and V once a block of rows, of which there are few.
    assert layer["bytes_written"] <= 4 * 12 * 197 * 67 + 64 * 12 * 197
