"""Bad input: one clear error each, and no crash, hang, silence or partial output."""

import os
import pathlib
import resource
import signal
import struct
import subprocess
import zlib

import numpy as np
import onnx
import pytest
from conftest import MODELS
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.hostile
FLOAT = TensorProto.FLOAT
AD = MODELS / "tiny_ad_f32.onnx"


def refused(outcome, *words, code=1):
    """One error, with these words; the exit code of a diagnosed error; no sanitizer's or library's own complaint."""
    assert outcome.code == code, f"exit {outcome.code}\n{outcome.out}\n{outcome.err}"
    assert "Sanitizer" not in outcome.err and "runtime error" not in outcome.err and "what():" not in outcome.err
    assert outcome.err.strip(), "silent"
    if code == 1:
        assert outcome.err.count("error[") == 1, outcome.err
    for word in words:
        assert word in outcome.err, f"{word!r} is not in: {outcome.err}"
    # Nothing of the input reaches the terminal as a control character.
    assert not set(outcome.err) & set(map(chr, [*range(0, 9), *range(11, 32), 127])), repr(outcome.err)


def accepted_or_refused(outcome, *words):
    """Large but legal input: done, or refused with words; never a crash."""
    if outcome.code != 0:
        refused(outcome, *words)


def graph(nodes, inputs, outputs, weights=(), **fields):
    value = lambda name, shape, kind=FLOAT: helper.make_tensor_value_info(name, kind, shape)
    made = helper.make_graph(nodes, "g", [value(*i) for i in inputs], [value(*o) for o in outputs], list(weights))
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, **fields)


def relu(name="y", source="x"):
    return helper.make_node("Relu", [source], [name], name=f"relu_{name}")


def save(model, file):
    pathlib.Path(file).write_bytes(model.SerializeToString())
    return file


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
    nodes = [helper.make_node("Frobnicate", ["x"], ["a"], name="first"), helper.make_node("Det", ["a"], ["b"], name="second"),
             helper.make_node("Frobnicate", ["b"], ["y"], name="third", domain="com.example")]
    model = graph(nodes, [("x", [1, 4, 4])], [("y", [1])])
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    refused(hadal("run", save(model, tmp_path / "m.onnx")), "first", "second", "third", "Frobnicate")


@pytest.mark.parametrize("opset", [0, 3, 99])
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


# ---------------------------------------------------------------- inputs: .npy and pictures


def npy(header, data, version=(1, 0)):
    text = header.encode() if isinstance(header, str) else header
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text + data


DATA = np.ones(640, np.float32).tobytes()
GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 640), }\n"


@pytest.mark.parametrize("content", [
    b"", b"\x93NUMPY", npy(GOOD, DATA[:-1]), npy(GOOD.replace("<f4", "|O"), DATA), npy(GOOD.replace("False", "True").replace("1, 640", "640, 1"), DATA),
    npy(GOOD.replace("<f4", ">f4"), DATA), npy(GOOD.replace("<f4", "<f8"), DATA * 2), npy(GOOD.replace("<f4", "<i4"), DATA),
    npy(GOOD.replace("1, 640", "640,"), DATA), npy(GOOD.replace("1, 640", "1, 99999999999999999999"), DATA),
    npy(GOOD.replace("1, 640", "-1, -640"), DATA), npy(GOOD.replace("1, 640", "4294967296, 4294967296"), DATA), npy("{" * 60000, DATA),
    npy(GOOD[:20], DATA), npy(GOOD, DATA, (9, 0)), npy(GOOD.replace("<f4", "[('a', '<f4')]"), DATA), npy(b"\xff" * 64, DATA),
    b"\x93NUMPY\x02\x00\xff\xff\xff\xff", npy(GOOD.replace("}", ", 'shape': (2, 320)}"), DATA),
], ids=["empty", "magic only", "cut", "pickled", "fortran", "big-endian", "f64", "i32", "rank", "overflow", "negative", "giant", "nested",
        "half a header", "version", "record", "not text", "long header", "shape twice"])
def test_bad_npy(hadal, tmp_path, content):
    file = tmp_path / "bad.npy"
    file.write_bytes(content)
    refused(hadal("run", AD, "--input", f"input={file}", "--output-dir", tmp_path / "out"), "bad.npy")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def png(width, height, data=b"", depth=8, kind=2):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", png(0, 0), png(2**31 - 1, 2**31 - 1), png(60000, 60000, b"\0" * 10_000_000),
                                     png(100, 100, b"\0" * 50), png(8, 8, b"\0" * 200, depth=3), png(8, 8, b"\xff" * 200),
                                     b"\xff\xd8\xff\xe0" + b"\0" * 100],
                         ids=["empty", "magic only", "no pixels", "giant", "bomb", "short", "depth", "filter", "jpeg"])
def test_bad_pictures(hadal, tmp_path, content):
    file = tmp_path / ("bad.jpg" if content[:2] == b"\xff\xd8" else "bad.png")
    file.write_bytes(content)
    refused(hadal("run", MODELS / "fastestdet.onnx", "--input", f"input.1={file}", "--no-timing", "--memory-limit", "4 GiB"), "bad.")


def test_pictures_for_inputs_that_are_no_pictures(hadal):
    refused(hadal("run", AD, "--input", f"input={MODELS}/pictures/chelsea.png"), "input")


def test_unknown_inputs_list_the_known_ones(hadal, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 640), np.float32))
    refused(hadal("run", AD, "--input", f"inptu={tmp_path}/x.npy"), "inptu", "input")
    refused(hadal("run", AD, "--shape", "inptu=1,640"), "inptu", "input")
    refused(hadal("run", AD, "--expected", f"outptu={tmp_path}/x.npy"), "outptu", "output")


def test_other_shapes_than_the_model_s(hadal, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 641), np.float32))
    refused(hadal("run", AD, "--input", f"input={tmp_path}/x.npy"), "640", "641")
    refused(hadal("run", AD, "--shape", "input=1,641"), "640", "641")


# ---------------------------------------------------------------- flags


@pytest.mark.parametrize("arguments", [[], ["rnu"], ["run"], ["run", AD, "--no-timng"], ["run", AD, "--threads"], ["run", AD, "--no-values", "--no-timing"],
                                       ["run", AD, "--threads", "many"], ["run", AD, "--repeat", "-1"], ["run", AD, "--input", "x"],
                                       ["run", AD, "--numerics", "guess"], ["run", AD, "extra"], ["run", AD, "--tolerance", "-1"],
                                       ["run", AD, "--tolerance", "nan"], ["run", AD, "--shape", "input=1,x"], ["run", AD, "--memory-limit", "lots"],
                                       ["run", AD, "--deadline", "100ms"], ["compile", AD], ["run", AD, "--threads", "0"], ["run", AD, "--threads", "1000000000"]],
                         ids=lambda a: " ".join(map(str, a))[-40:])
def test_usage(hadal, arguments):
    outcome = hadal(*arguments)
    assert outcome.code in ([2] if "0" not in map(str, arguments) and "1000000000" not in arguments else [1, 2])
    assert outcome.err.strip() and "Sanitizer" not in outcome.err


def test_slips_are_answered_with_the_nearest_name(hadal):
    for arguments, meant in [(["rnu"], "run"), (["run", AD, "--precison", "f32"], "--precision")]:
        outcome = hadal(*arguments)
        assert outcome.code == 2 and "did you mean" in outcome.err and meant in outcome.err
    refused(hadal("run", AD, "--chip", "hadal-2"), "hadal-1")


def test_flags_that_contradict_each_other(hadal, tmp_path):
    for flags in [["--no-values", "--output-dir", tmp_path / "o"], ["--no-timing", "--trace", tmp_path / "t.json"],
                  ["--no-values", "--expected", f"output={tmp_path}/x.npy"]]:
        outcome = hadal("run", AD, *flags)
        assert outcome.code in (1, 2) and outcome.err.strip(), flags


# ---------------------------------------------------------------- programs, chips


@pytest.fixture(scope="module")
def program(hadal, tmp_path_factory):
    file = tmp_path_factory.mktemp("program") / "kws.hadal"
    hadal.ok("compile", MODELS / "tiny_kws_f32.onnx", "-o", file)
    return file


def test_programs_cut_short_or_changed(hadal, tmp_path, program):
    whole = program.read_bytes()
    file = tmp_path / "bad.hadal"
    for size in [0, 1, 8, 64, len(whole) // 2, len(whole) - 1]:
        file.write_bytes(whole[:size])
        refused(hadal("run", file))
    for at in range(0, len(whole), len(whole) // 23):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        refused(hadal("run", file, "--no-timing"))
    file.write_bytes(whole + b"\0")
    refused(hadal("verify", file))


def test_assembler_text_that_is_wrong(hadal, tmp_path, program):
    text = tmp_path / "a.text"
    hadal.ok("dis", program, "-o", text, "--inline")
    good = text.read_text()
    for bad in ["", "frobnicate\n", good[: len(good) // 2], good.replace("loop", "lop", 1), "\0" * 100, "(" * 100_000, "loop " * 100_000]:
        if bad != good:
            text.write_text(bad)
            refused(hadal("asm", text, "-o", tmp_path / "b.hadal"))
            assert not (tmp_path / "b.hadal").exists()


@pytest.mark.parametrize("text", ["", "[", "name = 1", "a = \"\\u0000\"", "x = " + "[" * 10_000, "extends = \"me\"", "extends = \"../../etc/passwd\""],
                         ids=["empty", "broken", "type", "nul", "nested", "itself", "path"])
def test_bad_chips(hadal, tmp_path, text):
    file = tmp_path / "me.toml"
    file.write_text(text)
    refused(hadal("run", AD, "--chip", file), "me.toml")


# ---------------------------------------------------------------- the world around


def test_a_comma_locale_changes_nothing(hadal):
    run = lambda **e: hadal.ok("run", AD, "--json", "-", env={**os.environ, **e}).report()["cycles"]
    assert run(LC_ALL="C") == run(LC_ALL="de_DE.UTF-8", LANG="de_DE.UTF-8", LC_NUMERIC="de_DE.UTF-8")


def test_a_full_disk_leaves_no_partial_output(hadal, tmp_path):
    refused(hadal("run", AD, "--json", "/dev/full"))
    refused(hadal("compile", AD, "-o", "/dev/full"))

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    for arguments in [["run", AD, "--output-dir", tmp_path / "out"], ["run", AD, "--trace", tmp_path / "trace.json"],
                      ["compile", AD, "-o", tmp_path / "ad.hadal"]]:
        refused(hadal(*arguments, preexec_fn=small_files))
    left = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert not left, left


def test_folders_that_cannot_be_written(hadal, tmp_path):
    (tmp_path / "file").write_text("")
    refused(hadal("run", AD, "--output-dir", tmp_path / "file/out"))
    refused(hadal("run", AD, "--json", tmp_path / "none/run.json"))


def test_closed_stdout(hadal):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([hadal.binary, "run", str(AD), "--json", "-"], stdout=write, stderr=subprocess.PIPE, timeout=60)
    os.close(write)
    assert done.returncode in (0, 1, -signal.SIGPIPE) and b"Sanitizer" not in done.stderr
