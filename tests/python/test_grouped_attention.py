"""com.microsoft.GroupQueryAttention against ONNX Runtime: caches, prompts, rotation, windows."""

import numpy as np
import onnx
import onnxruntime
import pytest
import zoo
from onnx import TensorProto, helper

BATCH, HEADS, SHARED, DEPTH, CAPACITY = 2, 4, 2, 16, 12
TYPES = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "int64": TensorProto.INT64}


def case(folder, rows, lengths, *, packed=False, rotary=False, bias=False, positions=False, **attributes):
    """A model of one node, and its inputs: `lengths` rows are in each batch's cache, the new ones included."""
    random = np.random.default_rng(5)
    normal = lambda *shape: random.standard_normal(shape).astype(np.float32)
    inputs = {"q": normal(BATCH, rows, (HEADS + 2 * SHARED * packed) * DEPTH)}
    if not packed:
        inputs |= {name: normal(BATCH, rows, SHARED * DEPTH) for name in ("k", "v")}
    inputs |= {name: normal(BATCH, SHARED, CAPACITY, DEPTH) for name in ("past_k", "past_v")}
    inputs |= {"lengths": np.array(lengths, np.int32) - 1, "total": np.array(max(lengths), np.int32)}
    names = ["q", "" if packed else "k", "" if packed else "v", "past_k", "past_v", "lengths", "total"]
    if rotary:
        angles = np.arange(32)[:, None] * 100.0 ** (-np.arange(DEPTH // 2) / DEPTH)
        inputs |= {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}
    names += ["cos", "sin"] if rotary else ["", ""] if bias or positions else []
    if positions:
        inputs["positions"] = (np.array(lengths)[:, None] - rows + np.arange(rows)).astype(np.int64)
    names += ["positions"] if positions else [""] if bias else []
    if bias:
        inputs["bias"] = normal(BATCH, HEADS, rows, max(lengths))
        names.append("bias")
    node = helper.make_node("GroupQueryAttention", names, ["y", "present_k", "present_v"], domain="com.microsoft", num_heads=HEADS,
                            kv_num_heads=SHARED, do_rotary=int(rotary), **attributes)
    port = lambda name, array: helper.make_tensor_value_info(name, TYPES[array.dtype.name], array.shape)
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *rest]) for name, rest in
               (("y", [rows, HEADS * DEPTH]), ("present_k", [SHARED, CAPACITY, DEPTH]), ("present_v", [SHARED, CAPACITY, DEPTH]))]
    graph = helper.make_graph([node], "gqa", [port(name, array) for name, array in inputs.items()], outputs)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), folder / "model.onnx")
    return folder / "model.onnx", inputs


CASES = {
    "token": (1, (5, 9), {}), "rotated": (1, (5, 9), {"rotary": True}),
    "neighbours": (1, (5, 9), {"rotary": True, "rotary_interleaved": 1}), "prompt": (4, (4, 4), {"rotary": True}),
    "padded prompt": (4, (3, 4), {}), "packed": (1, (5, 9), {"packed": True, "rotary": True}),
    "window": (1, (5, 9), {"local_window_size": 3}), "window of a prompt": (6, (6, 6), {"local_window_size": 3}),
    "bias": (1, (5, 9), {"bias": True}), "bias of a prompt": (4, (4, 4), {"bias": True}),
    "positions": (1, (5, 9), {"rotary": True, "positions": True}),
    "cap": (1, (5, 9), {"softcap": 2.0}), "scale": (1, (5, 9), {"scale": 0.5}),
}


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_onnx_runtime(hadal, tmp_path, name):
    rows, lengths, options = CASES[name]
    model, inputs = case(tmp_path, rows, lengths, **options)
    names = ["y", "present_k", "present_v"]
    want = dict(zip(names, onnxruntime.InferenceSession(model).run(names, inputs)))
    report = hadal.ok("run", model, *zoo.input_flags(inputs, tmp_path), "--output-dir", tmp_path / "out", "--json", "-",
                      "--no-timing").report()
    got = {output["name"]: np.load(output["file"]) for output in report["outputs"]}
    for batch, length in enumerate(lengths):
        filled = min(rows, length)
        assert zoo.error(got["y"][batch, :filled], want["y"][batch, :filled]) <= 1e-5
        for cache in names[1:]:
            assert zoo.error(got[cache][batch, :, :length], want[cache][batch, :, :length]) <= 1e-6
            old = inputs[cache.replace("present", "past")][batch, :, max(lengths):]
            np.testing.assert_array_equal(got[cache][batch, :, max(lengths):], old)


def test_what_it_lacks_is_an_error(hadal, tmp_path):
    model, _ = case(tmp_path, 1, (5, 9), smooth_softmax=1)
    outcome = hadal("run", model)
    assert outcome.code == 1 and "onnx.unsupported" in outcome.err
