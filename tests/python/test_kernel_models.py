"""Kernels in models: custom operators, and standard ones that a kernel takes over."""

import ctypes
import json
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from test_kernels import hd, np_attention
from test_kernels_of_windows_and_rows import np_experts
from test_package import LIBRARY, graph_model, hadal

from attention import attention  # noqa: E402  In kernels/, which test_kernels has named.
from experts import experts  # noqa: E402
from message import message  # noqa: E402
from softmax import softmax  # noqa: E402

F32, I64 = TensorProto.FLOAT, TensorProto.INT64
DOMAIN = "com.example"


@hd.kernel("f32[M,N] -> f32[M,N]")
def swish(x, y, *, beta, rows=16):
    for m in hd.grid((x.shape[0], rows)):
        v = hd.load(x[m, :])
        hd.store(y[m, :], v * hd.sigmoid(v * beta))


@hd.kernel("f32[M,N] -> f32[M,1], f32[1,N]")
def extremes(x, most, least):
    v = hd.load(x)
    hd.store(most[:, :], hd.max(v, axis=1))
    hd.store(least[:, :], hd.min(v, axis=0))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def constant(name, array):
    return onnx.numpy_helper.from_array(array, name)


def custom(folder, nodes, inputs, outputs, initializers=()):
    """A model that imports the custom domain, too; shapes of outputs may be left out."""
    path = graph_model(folder, nodes, inputs, outputs, initializers)
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    onnx.save(model, path)
    return path


def swish_model(folder, count=1):
    """Products with swish between: x @ w, swish, and again."""
    nodes, at = [], "x"
    for i in range(count):
        nodes += [helper.make_node("MatMul", [at, "w"], [f"p{i}"], name=f"product{i}"),
                  helper.make_node("Swish", [f"p{i}"], [f"s{i}"], name=f"swish{i}", domain=DOMAIN, beta=1.5)]
        at = f"s{i}"
    nodes.append(helper.make_node("MatMul", [at, "w"], ["y"], name="last"))
    return custom(folder, nodes, [("x", F32, [70, 48])], [("y", F32, [70, 48])], [constant("w", normal(48, 48) / 7)])


def np_swish_model(x, count=1):
    w = normal(48, 48) / 7
    for _ in range(count):
        p = x @ w
        x = p / (1 + np.exp(-1.5 * p))
    return x @ w


def layers_of(report):
    return {layer["name"]: layer["op"] for layer in report.layers}


@pytest.mark.parametrize("chip", ["hadal-1", "hadal-edge"])
@pytest.mark.parametrize("count", [1, 5])
def test_custom_operator(tmp_path, chip, count):
    model = swish_model(tmp_path, count)
    x = normal(70, 48, seed=1)
    with hadal.register_kernel(f"{DOMAIN}::Swish", swish):
        session = hadal.InferenceSession(model, chip=chip)
        report = hadal.simulate(model, chip=chip)
    y, = session.run(None, {"x": x})
    np.testing.assert_allclose(y, np_swish_model(x, count), atol=1e-5)
    session.program.check()
    assert report.cycles == session.simulate().cycles
    found = [layer for layer in report.layers if layer["op"] == "kernel swish"]
    assert [layer["name"] for layer in found] == [f"s{i}" for i in range(count)]
    assert all(layer["cycles"] > 0 and layer["nodes"] == [f"swish{i}"] for i, layer in enumerate(found))


def test_a_kernel_is_gone_with_its_registration(tmp_path):
    model = swish_model(tmp_path)
    with pytest.raises(hadal.HadalError, match="Swish"):
        hadal.compile(model)
    registration = hadal.register_kernel(f"{DOMAIN}::Swish", swish)
    hadal.compile(model)
    registration.remove()
    with pytest.raises(hadal.HadalError, match="onnx.operator"):
        hadal.compile(model)


def softmax_model(folder):
    """A convolution before, whose channels lie last, and one behind."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], name="before", pads=[1] * 4),
             helper.make_node("Softmax", ["c"], ["s"], name="softmax", axis=-1),
             helper.make_node("Conv", ["s", "w"], ["y"], name="behind", pads=[1] * 4)]
    return graph_model(folder, nodes, [("x", F32, [2, 8, 12, 20])], [("y", F32, [2, 8, 12, 20])],
                       [constant("w", normal(8, 8, 3, 3))])


def rows(node):
    return [(-1, node.inputs[0].shape[-1])]


def test_replaced_standard_operator(tmp_path):
    model, x = softmax_model(tmp_path), normal(2, 8, 12, 20, seed=2)
    want, = hadal.InferenceSession(model).run(None, {"x": x})
    with hadal.register_kernel("Softmax", softmax, shapes=rows, parameters=lambda node: {"rows": 8}):
        session = hadal.InferenceSession(model)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], want, atol=1e-5)
    session.program.check()
    assert "kernel softmax" in layers_of(session.simulate()).values()
    assert "softmax" in layers_of(hadal.simulate(model)).values()


def test_when_leaves_nodes_to_the_compiler(tmp_path):
    model, seen = softmax_model(tmp_path), []
    with hadal.register_kernel("Softmax", softmax, when=lambda node: seen.append(node), shapes=rows):
        report = hadal.simulate(model)
    assert "kernel softmax" not in layers_of(report).values()
    node = seen[0]
    assert (node.op, node.name, node.attributes) == ("Softmax", "softmax", {"axis": -1})
    assert [(i.dtype, i.shape) for i in node.inputs] == [("f32", (2, 8, 12, 20))]


def test_stored_precision_is_converted_on_the_way(tmp_path):
    model, x = swish_model(tmp_path), normal(70, 48, seed=3)
    with hadal.register_kernel(f"{DOMAIN}::Swish", swish):
        session = hadal.InferenceSession(model, precision="bf16")
    y, = session.run(None, {"x": x})
    np.testing.assert_allclose(y, np_swish_model(x), atol=5e-2)
    session.program.check()


def test_rows_of_another_precision_are_an_error(tmp_path):
    edges = np.random.default_rng(0).integers(0, 60, (2, 100))
    nodes = [helper.make_node("Message", ["x", "filters", "source", "target"], ["y"], domain=DOMAIN)]
    model = custom(tmp_path, nodes, [("x", F32, [60, 24]), ("filters", F32, [100, 24])], [("y", F32, [60, 24])],
                   [constant("source", edges[0]), constant("target", edges[1])])
    with hadal.register_kernel(f"{DOMAIN}::Message", message):
        with pytest.raises(hadal.HadalError, match=r"\[kernel.C3\].*rows of f32, which are stored as bf16"):
            hadal.compile(model, precision="bf16")
    with hadal.register_kernel(f"{DOMAIN}::Message", message, parameters=lambda node: {"near": True}):  # Rows of its own copy.
        session = hadal.InferenceSession(model, precision="bf16")
    x, filters = normal(60, 24, seed=1), normal(100, 24, seed=2)
    want = np.zeros_like(x)
    np.add.at(want, edges[1], x[edges[0]] * filters)
    y, = session.run(None, {"x": x, "filters": filters})
    np.testing.assert_allclose(y, want, atol=2e-2 * np.abs(want).max())


def test_several_results_and_inputs_that_are_outputs(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["r"]),
             helper.make_node("Extremes", ["r"], ["most", "least"], domain=DOMAIN),
             helper.make_node("Add", ["most", "least"], ["y"])]
    model = custom(tmp_path, nodes, [("x", F32, [9, 33])],
                   [("y", F32, [9, 33]), ("most", F32, [9, 1]), ("r", F32, [9, 33])])
    x = normal(9, 33)
    with hadal.register_kernel(f"{DOMAIN}::Extremes", extremes):
        session = hadal.InferenceSession(model)
    y, most, r = session.run(None, {"x": x})
    positive = np.maximum(x, 0)
    np.testing.assert_array_equal(r, positive)
    np.testing.assert_array_equal(most, positive.max(1, keepdims=True))
    np.testing.assert_allclose(y, most + positive.min(0, keepdims=True))
    session.program.check()


def test_kernel_of_constants_indices_and_phases(tmp_path):
    """Attention has ids among its constants; message has integers of i64 and updates in place; each is its own node."""
    nodes = [helper.make_node("Attend", ["q", "k", "k"], ["a"], name="attend", domain=DOMAIN, causal=1, bq=16, bk=16, parts=2),
             helper.make_node("Reshape", ["a", "flat"], ["f"]),
             helper.make_node("Message", ["f", "filters", "source", "target"], ["y"], name="send", domain=DOMAIN, bd=16)]
    edges = np.random.default_rng(4).integers(0, 60, (2, 100))
    model = custom(tmp_path, nodes, [("q", F32, [2, 30, 24]), ("k", F32, [1, 50, 24]), ("filters", F32, [100, 24])],
                   [("y", F32, [60, 24])], [constant("flat", np.array([60, 24])), constant("source", edges[0]),
                                            constant("target", edges[1])])
    q, k, filters = normal(2, 30, 24, seed=5), normal(1, 50, 24, seed=6), normal(100, 24, seed=7)
    with hadal.register_kernel(f"{DOMAIN}::Attend", attention), hadal.register_kernel(f"{DOMAIN}::Message", message):
        session = hadal.InferenceSession(model)
    y, = session.run(None, {"q": q, "k": k, "filters": filters})
    mixed = np_attention(q, k, k).reshape(60, 24)
    want = np.zeros((60, 24))
    np.add.at(want, edges[1], mixed[edges[0]] * filters)
    np.testing.assert_allclose(y, want, atol=1e-4)
    session.program.check()


@pytest.mark.parametrize("chip", ["hadal-1", "hadal-edge", hd.Chip("hadal-1", cores=3, **{"network.x": 3, "network.y": 1})])
def test_kernel_of_many_phases_among_layers(tmp_path, chip):
    """Experts: five phases with scratch, gathers, scatters and loops on one core, between products and beside a convolution."""
    w, v, router, tables = normal(40, 48), normal(30, 20, seed=1), normal(48, 5, seed=2), normal(5, 48, 30, seed=3)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]),
             helper.make_node("Experts", ["h", "router", "tables"], ["e"], domain=DOMAIN, k=2, bm=16, bn=32, bd=16, rows=32),
             helper.make_node("MatMul", ["e", "v"], ["y"]),
             helper.make_node("Conv", ["image", "taps"], ["c"], pads=[1] * 4), helper.make_node("Softmax", ["c"], ["s"])]
    named = {"w": w, "v": v, "router": router, "tables": tables, "taps": normal(8, 8, 3, 3)}
    model = custom(tmp_path, nodes, [("x", F32, [100, 40]), ("image", F32, [1, 8, 16, 16])],
                   [("y", F32, [100, 20]), ("s", F32, [1, 8, 16, 16])], [constant(*item) for item in named.items()])
    x = normal(100, 40, seed=4)
    with hadal.register_kernel(f"{DOMAIN}::Experts", experts):
        session = hadal.InferenceSession(model, chip=chip)
    y, _ = session.run(None, {"x": x, "image": normal(1, 8, 16, 16)})
    want = np_experts((x @ w).astype(np.float64), router, tables) @ v
    assert np.abs(y - want).max() < 1e-4 * np.abs(want).max()
    session.program.check()
    phases = [layer["name"] for layer in session.simulate().layers if layer["op"] == "kernel experts"]
    assert phases == ["e.experts", "e.deal", "e.experts", "e.experts", "e.experts"]


def test_a_kernel_of_constants_alone_runs_on_the_chip(tmp_path):
    c = normal(20, 16)
    nodes = [helper.make_node("Swish", ["c"], ["s"], domain=DOMAIN, beta=2.0), helper.make_node("Add", ["s", "x"], ["y"])]
    model = custom(tmp_path, nodes, [("x", F32, [20, 16])], [("y", F32, [20, 16])], [constant("c", c)])
    with hadal.register_kernel(f"{DOMAIN}::Swish", swish):
        session = hadal.InferenceSession(model)
    np.testing.assert_allclose(session.run(None, {"x": c})[0], c / (1 + np.exp(-2 * c)) + c, rtol=1e-5)


def test_symbolic_extents_reach_the_kernel(tmp_path):
    nodes = [helper.make_node("Swish", ["x"], ["y"], domain=DOMAIN, beta=2.0)]
    model = custom(tmp_path, nodes, [("x", F32, ["n", 16])], [("y", F32, ["n", 16])])
    x = normal(37, 16)
    with hadal.register_kernel(f"{DOMAIN}::Swish", swish):
        session = hadal.InferenceSession(model, shapes={"x": (37, 16)})
    np.testing.assert_allclose(session.run(None, {"x": x})[0], x / (1 + np.exp(-2 * x)), rtol=1e-5)


def test_a_saved_program_explains_its_kernels(tmp_path):
    with hadal.register_kernel(f"{DOMAIN}::Swish", swish):
        hadal.compile(swish_model(tmp_path)).save(tmp_path / "swish.hadal")
    done = subprocess.run([LIBRARY.parent / "bin/hadal", "explain", tmp_path / "swish.hadal", "--layers", "9"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "kernel swish" in done.stdout, done.stdout + done.stderr


def test_a_profile_has_no_kernels(tmp_path):
    with hadal.register_kernel("Softmax", softmax, shapes=rows):
        report = hadal.simulate(softmax_model(tmp_path), profile="tpu-v3-xla", precision="bf16")
    assert "kernel softmax" not in layers_of(report).values()


# --- What goes wrong.

def test_an_exception_of_the_kernel_is_the_callers(tmp_path):
    model = swish_model(tmp_path)
    with hadal.register_kernel(f"{DOMAIN}::Swish", swish, parameters=lambda node: {"beta": 1 / 0}):
        with pytest.raises(ZeroDivisionError):
            hadal.compile(model)
    with hadal.register_kernel(f"{DOMAIN}::Swish", swish, parameters=lambda node: {"gamma": 1}):
        with pytest.raises(hadal.KernelError, match="launch.parameters"):
            hadal.compile(model)
    with hadal.register_kernel(f"{DOMAIN}::Swish", extremes, parameters=lambda node: {}, shapes=lambda node: [(-1,)]):
        with pytest.raises(hadal.KernelError, match="launch.rank"):
            hadal.compile(model)
    hadal.register_kernel(f"{DOMAIN}::Swish", swish).remove()
    with pytest.raises(hadal.HadalError, match="Swish"):
        hadal.compile(model)


def test_shapes_of_other_elements_are_an_error(tmp_path):
    model = swish_model(tmp_path)
    for options in ({"shapes": lambda node: [(10, 10)]}, {"results": lambda node: [(3, 3)]}):
        with hadal.register_kernel(f"{DOMAIN}::Swish", swish, **options):
            with pytest.raises(hadal.HadalError, match="kernel.shape"):
                hadal.compile(model)


def test_a_kernel_too_large_for_the_rest_is_an_error(tmp_path):
    with hadal.register_kernel(f"{DOMAIN}::Swish", swish, parameters=lambda node: {"beta": 1.0, "rows": 70}):
        with pytest.raises(hadal.HadalError, match="plan.capacity"):
            hadal.compile(swish_model(tmp_path), chip=hadal.Chip("hadal-1", **{"scratchpad.bytes": "32 KiB"}))


@pytest.mark.parametrize("op", ["", "a b", "a:b", "::X", 3])
def test_operators_have_names(op):
    with pytest.raises(ValueError):
        hadal.register_kernel(op, swish)
    with pytest.raises(ValueError):
        hadal.register_kernel("Softmax", np.exp)


GOOD = {"name": "k", "inputs": [[70, 48]], "results": [{"dtype": "f32", "shape": [70, 48]}], "shapes": [[70, 48]]}


@pytest.mark.parametrize("said, code", [
    (b"", "kernel.answer"), (b"[]", "kernel.answer"), (b"{}", "kernel.answer"), (b'{"error": 3}', "kernel.answer"),
    (b'{"error": {"code": "my.error", "message": "no"}}', "my.error"),
    (json.dumps({**GOOD, "tiles": {}}).encode(), "tiles.field"), (json.dumps(GOOD).encode(), "kernel.answer"),
    (json.dumps({**GOOD, "tiles": 1, "results": [{"dtype": "f33", "shape": [1]}]}).encode(), "kernel.answer"),
    (json.dumps({**GOOD, "tiles": 1, "inputs": [["x"]]}).encode(), "kernel.answer"),
])
def test_answers_are_not_trusted(tmp_path, said, code):
    from hadal import _library as library
    callback = library.ANSWER(lambda user, node, answer: library.answer_give(answer, said))
    table = library.Kernels((ctypes.c_char_p * 1)(f"{DOMAIN}::Swish".encode()), 1, callback, None)
    options, handle = library.Options(kernels=ctypes.pointer(table)), ctypes.c_void_p()
    with pytest.raises(hadal.HadalError, match=rf"\[{code}\]"):
        library.check(library.program_load(str(swish_model(tmp_path)).encode(), ctypes.byref(options), ctypes.byref(handle)))


@pytest.mark.parametrize("change, code", [
    (lambda a: a["inputs"].append([1]), "kernel.inputs"),
    (lambda a: a["results"].append({"dtype": "f32", "shape": [1]}), "kernel.inputs"),
    (lambda a: (a["results"][0].update(shape=[48, 70]), a["shapes"].__setitem__(0, [48, 70])), "kernel.C2|MatMul"),
])
def test_answers_that_contradict_the_node_are_errors(tmp_path, change, code):
    from hadal._register import Registration
    answer = Registration.answer

    class Changed(Registration):
        def answer(self, node, chip):
            made = answer(self, node, chip)
            change(made)
            return made

    from hadal import _register
    with hadal.register_kernel(f"{DOMAIN}::Swish", swish) as registration:
        registration.__class__ = Changed
        assert _register._registered[f"{DOMAIN}::Swish"] is registration
        with pytest.raises(hadal.HadalError, match=code):
            hadal.compile(swish_model(tmp_path))
