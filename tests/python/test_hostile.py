"""Bad models: one clear error each, and no crash, hang, silence or partial output."""

import os

import numpy as np
import onnx
import pytest
from conftest import MODELS
from hostile import AD, FLOAT, accepted_or_refused, graph, refused, relu, save
from onnx import TensorProto, helper, numpy_helper


# ---------------------------------------------------------------- model files


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"not a model", b"\xff" * 4096, b"PK\x03\x04", b"\x08\x08\x3a"],
                         ids=["empty", "zeros", "text", "ones", "zip", "cut"])
def test_files_that_are_no_model(hadal, tmp_path, content):
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    refused(hadal("run", file), "model.onnx")


def test_models_cut_short(hadal, tmp_path):
    whole = AD.read_bytes()
    for size in [1, 100, len(whole) // 2, len(whole) - 1]:
        file = tmp_path / "cut.onnx"
        file.write_bytes(whole[:size])
        refused(hadal("run", file, "--no-timing"))


def test_missing_files_and_folders(hadal, tmp_path):
    refused(hadal("run", tmp_path / "none.onnx"), "none.onnx")
    refused(hadal("run", tmp_path))
    refused(hadal("run", AD, "--chip", tmp_path / "none.toml"), "none.toml")


def test_all_unsupported_operators_are_listed_at_once(hadal, tmp_path):
    nodes = [helper.make_node("Frobnicate", ["x"], ["a"], name="first"), helper.make_node("Blur", ["a"], ["b"], name="second"),
             helper.make_node("Frobnicate", ["b"], ["y"], name="third", domain="com.example")]
    model = graph(nodes, [("x", [1, 4, 4])], [("y", [1])])
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    refused(hadal("run", save(model, tmp_path / "m.onnx")), "first", "second", "third", "Frobnicate")


@pytest.mark.parametrize("opset", [0, -7, 99])
def test_opsets_outside_the_range(hadal, tmp_path, opset):
    model = graph([relu()], [("x", [4])], [("y", [4])])
    model.opset_import[0].version = opset
    refused(hadal("run", save(model, tmp_path / "m.onnx")), "opset")


def test_references_to_nothing_and_to_later_nodes(hadal, tmp_path):
    refused(hadal("run", save(graph([relu("y", "nowhere")], [("x", [4])], [("y", [4])]), tmp_path / "a.onnx")), "nowhere")
    loop = graph([relu("a", "b"), relu("b", "a"), relu("y", "a")], [("x", [4])], [("y", [4])])
    refused(hadal("run", save(loop, tmp_path / "b.onnx")))
    refused(hadal("run", save(graph([relu()], [("x", [4])], [("z", [4])]), tmp_path / "c.onnx")), "z")


def test_duplicate_names(hadal, tmp_path):
    twice = graph([relu(), relu()], [("x", [4])], [("y", [4])])
    refused(hadal("run", save(twice, tmp_path / "a.onnx")), "y")
    inputs = graph([relu()], [("x", [4]), ("x", [4])], [("y", [4])])
    refused(hadal("run", save(inputs, tmp_path / "b.onnx")), "x")
    outputs = graph([relu()], [("x", [4])], [("y", [4]), ("y", [4])])
    accepted_or_refused(hadal("run", save(outputs, tmp_path / "c.onnx"), "--output-dir", tmp_path / "out"))


@pytest.mark.parametrize("name", ["../../escape", "/etc/escape", "..", ".", "a\0b", "\x1b[31mred\x07", "a/b\\c", "", "é" * 300, "\u202e", "%s%n"],
                         ids=["up", "root", "dots", "dot", "nul", "escape", "slashes", "empty", "long", "rtl", "format"])
def test_hostile_output_names_stay_in_the_folder(hadal, tmp_path, name):
    """An output named so is written inside the folder, or the model is refused."""
    model = graph([helper.make_node("Relu", ["x"], [name], name=name)], [("x", [4])], [(name, [4])])
    out = tmp_path / "deep/out"
    outcome = hadal("run", save(model, tmp_path / "m.onnx"), "--output-dir", out, "--no-timing")
    accepted_or_refused(outcome)
    outside = [f for f in tmp_path.rglob("*") if f.is_file() and out not in f.parents and f.name != "m.onnx"]
    assert not outside and "\x1b" not in outcome.out + outcome.err
    if outcome.code == 0:
        assert len(list(out.iterdir())) == 1


@pytest.mark.parametrize("dims", [[2**40, 2**40], [2**62, 4], [-5, 4], [2**31, 2**31, 2], [10**9, 10**6]], ids=str)
def test_giant_dimensions_are_refused_before_allocation(hadal, tmp_path, dims):
    model = graph([relu()], [("x", dims)], [("y", dims)])
    refused(hadal("run", save(model, tmp_path / "m.onnx")))


def test_giant_values_from_small_files(hadal, tmp_path):
    """A few bytes that ask for terabytes: ConstantOfShape, Expand, Pad, Tile, Resize."""
    shape = numpy_helper.from_array(np.array([10**6, 10**6, 10], np.int64), "s")
    for op, inputs in [("ConstantOfShape", ["s"]), ("Expand", ["x", "s"])]:
        model = graph([helper.make_node(op, inputs, ["y"])], [("x", [1])], [("y", [10**6, 10**6, 10])], [shape])
        refused(hadal("run", save(model, tmp_path / f"{op}.onnx")), "memory")
    count = numpy_helper.from_array(np.array([2**62], np.int64), "s")
    model = graph([helper.make_node("Tile", ["x", "s"], ["y"])], [("x", [4])], [("y", ["n"])], [count])
    refused(hadal("run", save(model, tmp_path / "tile.onnx")))


def test_memory_limit_is_kept(hadal):
    refused(hadal("run", MODELS / "fastestdet.onnx", "--memory-limit", "1 MiB"), "memory")
    hadal.ok("run", AD, "--memory-limit", "2 GiB", "--no-timing")


def test_deep_and_long_models(hadal, tmp_path):
    """No recursion: a chain of 100,000 nodes, and If in If in If."""
    names = [f"v{i}" for i in range(100_000)]
    nodes = [helper.make_node("Relu" if i % 2 else "Neg", ["x" if i == 0 else names[i - 1]], [names[i]]) for i in range(len(names))]
    chain = save(graph(nodes, [("x", [4])], [(names[-1], [4])]), tmp_path / "chain.onnx")
    accepted_or_refused(hadal("run", chain, timeout=300))


@pytest.mark.parametrize("depth", [20, 40, 5_000])
def test_nested_models(hadal, tmp_path, depth):
    """If in If in If: protobuf's own reader stops at a depth of 100 messages, three a level."""
    model = graph([helper.make_node("If", ["c"], ["y"])], [("x", [4]), ("c", [1], TensorProto.BOOL)], [("y", [4])])
    leaf = helper.make_graph([relu()], "g", [], [helper.make_tensor_value_info("y", FLOAT, [4])])
    (tmp_path / "nest.onnx").write_bytes(nested_if(model, leaf, depth))
    refused(hadal("run", tmp_path / "nest.onnx"))


def nested_if(model, leaf, depth):
    """The model's bytes with its one If nested `depth` times, by hand: the Python classes refuse to hold so deep a message."""

    def field(number, payload):
        length, size = len(payload), b""
        while length > 127:
            size, length = size + bytes([length & 127 | 128]), length >> 7
        return bytes([number << 3 | 2]) + size + bytes([length]) + payload

    branches = {name: helper.make_attribute(name, leaf).SerializeToString() for name in ["then_branch", "else_branch"]}
    node = model.graph.node[0].SerializeToString()
    tail = leaf.SerializeToString()[len(field(1, leaf.node[0].SerializeToString())):]
    inner = leaf.SerializeToString()
    for _ in range(depth):
        then = field(1, b"then_branch") + field(6, inner) + bytes([20 << 3 & 127 | 128, 20 << 3 >> 7, 5])
        inner = field(1, node + field(5, then) + field(5, branches["else_branch"])) + tail
    # A message may come in parts: the graph's inputs, then its node and output.
    del model.graph.node[:], model.graph.output[:]
    return model.SerializeToString() + field(7, inner)


@pytest.mark.parametrize("op,shapes,attributes", [
    ("Conv", [[1, 3, 8, 8], [4, 2, 3, 3]], {}),
    ("Conv", [[1, 3, 8, 8], [4, 3, 3, 3]], {"strides": [0, 1]}),
    ("Conv", [[1, 3, 8, 8], [4, 3, 3, 3]], {"strides": [-1, 1]}),
    ("Conv", [[1, 3, 8, 8], [4, 3, 3, 3]], {"dilations": [2**40, 1]}),
    ("Conv", [[1, 3, 8, 8], [4, 3, 3, 3]], {"pads": [2**60] * 4}),
    ("Conv", [[1, 3, 8, 8], [4, 3, 3, 3]], {"pads": [1, 1]}),
    ("Conv", [[1, 3, 8, 8], [4, 3, 9, 9]], {}),
    ("Conv", [[1, 3, 8, 8], [4, 3, 3, 3]], {"group": 0}),
    ("Conv", [[1, 3, 8, 8], [4, 3, 3, 3]], {"group": 7}),
    ("MatMul", [[4, 5], [6, 7]], {}),
    ("Gemm", [[4, 5], [6, 7]], {}),
    ("Add", [[4, 5], [4, 6]], {}),
    ("MaxPool", [[1, 3, 8, 8]], {"kernel_shape": [0, 0]}),
    ("MaxPool", [[1, 3, 8, 8]], {"kernel_shape": [3]}),
    ("AveragePool", [[1, 3, 8, 8]], {"kernel_shape": [9, 9]}),
    ("Transpose", [[2, 3]], {"perm": [0, 0]}),
    ("Transpose", [[2, 3]], {"perm": [0, 7]}),
    ("Softmax", [[2, 3]], {"axis": 9}),
    ("Concat", [[2, 3], [4, 5]], {"axis": 0}),
    ("Concat", [[2, 3], [2, 3]], {"axis": -9}),
    ("Flatten", [[2, 3]], {"axis": 5}),
    ("BatchNormalization", [[1, 3, 4], [3], [3], [2], [3]], {}),
    ("Relu", [[2], [2], [2]], {}),
    ("Relu", [], {}),
], ids=lambda v: v if isinstance(v, str) else None)
def test_impossible_nodes(hadal, tmp_path, op, shapes, attributes):
    names = [f"i{n}" for n in range(len(shapes))]
    model = graph([helper.make_node(op, names, ["y"], name="the_node", **attributes)], list(zip(names, shapes)), [("y", None)])
    refused(hadal("run", save(model, tmp_path / "m.onnx")), "the_node")


LEAST, MOST = -(2**63), 2**63 - 1


@pytest.mark.parametrize("op,inputs", [
    ("Pad", [[LEAST, LEAST]]), ("Pad", [[MOST, MOST]]), ("Pad", [[-5, 0]]), ("Expand", [[-1]]), ("Expand", [[LEAST, 4]]), ("Tile", [[LEAST]]),
    ("Reshape", [[LEAST]]), ("Reshape", [[MOST, 2]]), ("TopK", [[2**40]]), ("Slice", [[MOST], [LEAST], [LEAST], [MOST]]), ("Slice", [[0], [4], [0], [0]]),
    ("Unsqueeze", [[MOST]]), ("Squeeze", [[LEAST]]), ("Gather", [[LEAST]]), ("Split", [[LEAST]]),
], ids=lambda v: v if isinstance(v, str) else None)
def test_numbers_at_the_ends_of_their_range(hadal, tmp_path, op, inputs):
    constants = [numpy_helper.from_array(np.array(v, np.int64), f"c{i}") for i, v in enumerate(inputs)]
    node = helper.make_node(op, ["x", *(c.name for c in constants)], ["y"] if op != "TopK" else ["y", "i"])
    refused(hadal("run", save(graph([node], [("x", [4])], [("y", None)], constants), tmp_path / "m.onnx")))


def test_nodes_and_models_that_make_nothing(hadal, tmp_path):
    refused(hadal("run", save(graph([helper.make_node("Split", ["x"], []), relu()], [("x", [4])], [("y", [4])]), tmp_path / "a.onnx")), "no outputs")
    refused(hadal("run", save(graph([relu()], [("x", [4])], []), tmp_path / "b.onnx")), "no outputs")
    refused(hadal("run", save(graph([], [("x", [4])], [("x", [4])]), tmp_path / "c.onnx")), "no node makes it")
    hadal.ok("run", save(graph([relu()], [("x", [0, 4])], [("y", [0, 4])]), tmp_path / "d.onnx"), "--output-dir", tmp_path / "out")
    assert np.load(tmp_path / "out/0_y.npy").shape == (0, 4)


def test_tensors_without_elements_beside_others(hadal, tmp_path):
    """Views, products and concatenations of nothing: computed or refused, never divided by."""
    empty, shape = (numpy_helper.from_array(np.array(v, np.int64), n) for n, v in [("e", [0]), ("s", [0, 3])])
    cut = helper.make_node("Slice", ["x", "e", "e"], ["none"])
    for op, inputs in [("Reshape", ["none", "s"]), ("Relu", ["none"]), ("Transpose", ["none"]), ("Concat", ["none", "x"]), ("MatMul", ["none", "none"]),
                       ("Softmax", ["none"]), ("ReduceSum", ["none"]), ("Gather", ["none", "e"]), ("Tile", ["none", "e"])]:
        attributes = {"axis": 0} if op == "Concat" else {}
        nodes = [cut, helper.make_node(op, inputs, ["z"], **attributes), helper.make_node("Neg", ["z"], ["w"]), relu()]
        model = graph(nodes, [("x", [4])], [("y", [4]), ("w", None)], [empty, shape])
        accepted_or_refused(hadal("run", save(model, tmp_path / f"{op}.onnx")))


def test_tensors_whose_data_does_not_fit_their_shape(hadal, tmp_path):
    weight = numpy_helper.from_array(np.ones(4, np.float32), "w")
    for change in ["short", "long", "type"]:
        bad = onnx.TensorProto()
        bad.CopyFrom(weight)
        if change == "short":
            bad.raw_data = b"\0" * 7
        elif change == "long":
            bad.dims[0] = 2
        else:
            bad.data_type = 99
        model = graph([helper.make_node("Add", ["x", "w"], ["y"])], [("x", [4])], [("y", [4])], [bad])
        refused(hadal("run", save(model, tmp_path / "m.onnx")), "w")


# ---------------------------------------------------------------- external data


def external(folder, location, offset=None, length=None):
    weight = TensorProto(name="w", data_type=FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in [("location", location), ("offset", offset), ("length", length)]:
        if value is not None:
            entry = weight.external_data.add()
            entry.key, entry.value = key, str(value)
    model = graph([helper.make_node("Add", ["x", "w"], ["y"])], [("x", [4])], [("y", [4])], [weight])
    return save(model, folder / "m.onnx")


@pytest.fixture
def place(tmp_path):
    """A model's folder, with a secret outside it."""
    (tmp_path / "secret.bin").write_bytes(np.ones(4, np.float32).tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    return folder


def test_external_data_beside_the_model_is_read(hadal, place):
    (place / "w.bin").write_bytes(b"\0" * 8 + np.ones(4, np.float32).tobytes())
    hadal.ok("run", external(place, "w.bin", 8, 16))


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "sub/../../secret.bin", "link.bin", "linked/secret.bin", "", ".",
                                      "w.bin\0.txt"],
                         ids=["up", "absolute", "through", "symlink", "symlinked folder", "empty", "folder", "nul"])
def test_external_data_outside_the_model_s_folder(hadal, place, location):
    (place / "link.bin").symlink_to("../secret.bin")
    (place / "linked").symlink_to("..")
    (place / "sub").mkdir()
    refused(hadal("run", external(place, location)))


def test_external_data_beyond_the_end(hadal, place):
    (place / "w.bin").write_bytes(b"\0" * 12)
    for offset, length in [(None, None), (0, 16), (8, None), (2**62, 16), (-4, 16), ("x", 16), (0, "1e9"), (2**64 - 8, 16)]:
        refused(hadal("run", external(place, "w.bin", offset, length)))


def test_external_data_that_is_no_file(hadal, place):
    os.mkfifo(place / "fifo")
    refused(hadal("run", external(place, "fifo"), timeout=60))
    refused(hadal("run", external(place, "missing.bin")), "missing.bin")


def test_timing_alone_does_not_need_external_data(hadal, place):
    hadal.ok("run", external(place, "missing.bin"), "--no-values")
