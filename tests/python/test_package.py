"""The Python package, on the library of the build under test: sessions, programs, chips, and what goes wrong."""

import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from conftest import MODELS, ROOT

LIBRARY = pathlib.Path(os.environ.get("HADAL", str(ROOT / "build/release/bin/hadal"))).parents[1] / "libhadal.so"
os.environ.setdefault("HADAL_LIBRARY", str(LIBRARY))
sys.path.insert(0, str(ROOT / "python"))
import hadal  # noqa: E402

MODEL = MODELS / "tiny_resnet8_f32.onnx"


def feed(session, seed=0):
    rng = np.random.default_rng(seed)
    return {port.name: rng.random(port.shape, dtype=np.float32) for port in session.get_inputs()}


@pytest.fixture(scope="module")
def session():
    return hadal.InferenceSession(MODEL, chip="hadal-edge")


def graph_model(folder, nodes, inputs, outputs, initializers=()):
    info = lambda ports: [helper.make_tensor_value_info(name, dtype, shape) for name, dtype, shape in ports]
    graph = helper.make_graph(nodes, "g", info(inputs), info(outputs), list(initializers))
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


@pytest.fixture(scope="module")
def heavy(tmp_path_factory):
    """A model of some 40 products of 1024^3: seconds of work."""
    w = np.random.default_rng(0).random((1024, 1024), dtype=np.float32) / 512
    nodes = [helper.make_node("MatMul", [f"x{i}", "w"], [f"x{i + 1}"]) for i in range(40)]
    return graph_model(tmp_path_factory.mktemp("heavy"), nodes, [("x0", TensorProto.FLOAT, [1024, 1024])],
                       [("x40", TensorProto.FLOAT, [1024, 1024])], [onnx.numpy_helper.from_array(w, "w")])


def test_values_are_those_of_onnx_runtime(session):
    reference = onnxruntime.InferenceSession(str(MODEL))
    inputs = feed(session)
    got, want = session.run(None, inputs), reference.run(None, inputs)
    assert [type(x) for x in got] == [np.ndarray] * len(want)
    for ours, theirs in zip(got, want, strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_ports_are_described_as_onnx_runtime_does(session):
    reference = onnxruntime.InferenceSession(str(MODEL))
    for ours, theirs in ((session.get_inputs(), reference.get_inputs()), (session.get_outputs(), reference.get_outputs())):
        assert [(p.name, p.type) for p in ours] == [(p.name, p.type) for p in theirs]
    assert session.get_inputs()[0].shape == [1, 3, 32, 32] or 32 in session.get_inputs()[0].shape


def test_outputs_are_chosen_by_name(session):
    name = session.get_outputs()[0].name
    assert len(session.run([name], feed(session))) == 1 and session.run([], feed(session)) == []
    with pytest.raises(hadal.HadalError, match="no output") as error:
        session.run(["y"], feed(session))
    assert error.value.code == "output.name"


@pytest.mark.parametrize("code, change", [
    ("input.missing", lambda x: {}),
    ("input.name", lambda x: {**x, "nothing": np.zeros(1, np.float32)}),
    ("input.shape", lambda x: {k: v[..., :-1] for k, v in x.items()}),
    ("input.type", lambda x: {k: v.astype(np.complex64) for k, v in x.items()}),
    ("input.type", lambda x: {k: "text" for k in x}),
    ("input.type", lambda x: {k: [[1, 2], [3]] for k in x}),
])
def test_wrong_inputs_have_one_clear_error(session, code, change):
    good = feed(session)
    with pytest.raises(hadal.HadalError) as error:
        session.run(None, change(good))
    assert error.value.code == code and str(error.value).startswith(f"[{code}] ")
    session.run(None, good)


def test_read_only_non_contiguous_and_borrowed_arrays(session):
    inputs = feed(session)
    (name, x), = inputs.items()
    want = session.run(None, inputs)[0]
    frozen = x.copy()
    frozen.flags.writeable = False
    spread = np.repeat(x, 2, axis=-1)[..., ::2]
    backwards = np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    offset = np.frombuffer(b"\0\0\0\0" + x.tobytes(), np.float32, offset=4).reshape(x.shape)
    for other in (frozen, spread, backwards, np.asfortranarray(x), memoryview(x), offset, x.tolist()):
        feed_of = np.array(other, np.float32) if isinstance(other, list) else other
        np.testing.assert_array_equal(session.run(None, {name: feed_of})[0], want)


def test_dlpack_is_taken_and_given(session):
    class Borrowed:
        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    (name, x), = feed(session).items()
    want = session.run(None, {name: x})[0]
    got = session.run(None, {name: Borrowed(x)})[0]
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.from_dlpack(got), want)


def test_outputs_are_not_copied_and_outlive_the_session():
    session = hadal.InferenceSession(MODEL, chip="hadal-edge")
    inputs = feed(session)
    first = session.run(None, inputs)[0]
    kept = first.copy()
    assert not first.flags.owndata
    other = session.run(None, feed(session, 1))[0]
    np.testing.assert_array_equal(first, kept)  # a later run has its own memory
    assert not np.array_equal(other, kept)
    del session
    np.testing.assert_array_equal(first, kept)


def test_threads_share_a_session_and_have_their_own(session):
    inputs = [feed(session, seed) for seed in range(4)]
    want = [session.run(None, one)[0].copy() for one in inputs]
    errors = []

    def work(i, own):
        try:
            for _ in range(5):
                np.testing.assert_array_equal(own.run(None, inputs[i])[0], want[i])
        except BaseException as error:
            errors.append(error)

    sessions = [session, session, hadal.InferenceSession(session.program), hadal.InferenceSession(MODEL, chip="hadal-edge")]
    threads = [threading.Thread(target=work, args=(i, own)) for i, own in enumerate(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def in_a_fork(connection):
    outer = hadal.InferenceSession.__new__(hadal.InferenceSession)
    outer.__dict__ = in_a_fork.session.__dict__
    try:
        outer.run(None, feed(outer))
        connection.send("ran")
    except hadal.HadalError as error:
        own = hadal.InferenceSession(MODEL, chip="hadal-edge")
        connection.send((error.code, own.run(None, feed(own))[0].tolist()))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_is_told_and_makes_its_own(session):
    want = session.run(None, feed(session))[0].tolist()
    in_a_fork.session = session
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=in_a_fork, args=(theirs,))
    process.start()
    assert ours.poll(60) and ours.recv() == ("session.fork", want)
    process.join(60)
    assert process.exitcode == 0
    session.run(None, feed(session))


INTERRUPTED = """
import signal, sys, threading, time, os
import numpy as np, hadal
session = hadal.InferenceSession(sys.argv[1], chip="hadal-1", threads=1)
x = np.full((1024, 1024), 0.5, np.float32)
session.run(None, {"x0": x})
whole = time.monotonic(); session.run(None, {"x0": x}); whole = time.monotonic() - whole
threading.Timer(whole / 4, os.kill, (os.getpid(), signal.SIGINT)).start()
begin = time.monotonic()
try:
    session.run(None, {"x0": x})
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - begin < 0.8 * whole)
print("again", session.run(None, {"x0": x})[0].shape, threading.active_count())
"""


def test_ctrl_c_ends_a_run_and_leaves_the_session_usable(heavy):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, heavy], capture_output=True, text=True, env=environment, timeout=240)
    assert done.stdout.splitlines() == ["interrupted True", "again (1024, 1024) 1"], done.stderr


def test_simulate_is_the_commands_report():
    report = hadal.simulate(MODEL, chip="hadal-1")
    command = [LIBRARY.parent / "bin/hadal", "run", MODEL, "--no-values", "--json", "-"]
    printed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert report.cycles == printed["cycles"] and report.seconds == printed["seconds"]
    assert list(report) == list(printed)
    assert report.layers == printed["layers"] and sum(layer["cycles"] for layer in report.layers) == report.cycles
    page = report._repr_html_()
    assert page.count("<tr>") == len(report.layers) + 1 and "conv0_relu" in page
    assert json.loads(report.json()) == dict(report)


def test_a_chip_is_edited_and_asked_again():
    chip = hadal.Chip("hadal-1")
    before = hadal.simulate(MODEL, chip)
    chip["memory.bytes_per_second"] = "100 GB/s"
    slower = hadal.simulate(MODEL, chip)
    assert slower.cycles > before.cycles and slower["chip"] == "hadal-1"
    assert chip["memory.bytes_per_second"] == "100 GB/s" and "scratchpad.bytes" in list(chip)
    assert hadal.simulate(MODEL, chip.copy(**{"memory.bytes_per_second": "3.3 TB/s"})).cycles <= before.cycles
    with pytest.raises(hadal.HadalError, match="did you mean") as error:
        hadal.simulate(MODEL, hadal.Chip("hadal-1", corse=4))
    assert error.value.code == "chip.unknown"
    with pytest.raises(KeyError):
        chip["matrix.colour"]
    assert "hadal-edge" in hadal.chips() and hadal.Chip("hadal-edge")["cores"] == "1"


def test_a_chip_may_extend_a_file(tmp_path):
    (tmp_path / "mine.toml").write_text('extends = "hadal-edge"\nname = "mine"\n')
    chip = hadal.Chip(tmp_path / "mine.toml", clock="400 MHz")
    assert chip["name"] == "mine" and chip["clock"] == "400 MHz"


def test_programs_are_saved_checked_and_run(tmp_path, session):
    program = hadal.compile(MODEL, chip="hadal-edge")
    program.check()
    program.save(tmp_path / "p.hadal")
    again = hadal.InferenceSession(tmp_path / "p.hadal")
    np.testing.assert_array_equal(again.run(None, feed(again))[0], session.run(None, feed(session))[0])
    assert again.program.simulate().cycles == program.simulate().cycles == session.simulate().cycles
    assert [port.name for port in program.inputs] == [port.name for port in session.get_inputs()]
    assert "hadal.Program" in repr(program)


def test_a_race_is_an_exception(tmp_path):
    text = (ROOT / "tests/data/two_queues.hasm").read_text().replace("  wait even, odd", "  wait even").replace("  signal odd", "")
    (tmp_path / "racing.hasm").write_text(text)
    subprocess.run([LIBRARY.parent / "bin/hadal", "asm", tmp_path / "racing.hasm", "-o", tmp_path / "racing.hadal"], check=True)
    with pytest.raises(hadal.HadalError, match="nothing orders them") as error:
        hadal.compile(tmp_path / "racing.hadal").check()
    assert error.value.code == "race.R1" and "instruction 5 of copy" in error.value.place


def test_symbolic_shapes_are_bound(tmp_path):
    path = graph_model(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], [("x", TensorProto.FLOAT, ["n", 4])],
                       [("y", TensorProto.FLOAT, ["n", 4])])
    session = hadal.InferenceSession(path, shapes={"x": (3, 4)})
    x = np.arange(12, dtype=np.float32).reshape(3, 4) - 6
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], np.maximum(x, 0))
    assert session.get_outputs()[0].shape == [3, 4]


def test_errors_name_what_is_wrong(tmp_path):
    with pytest.raises(hadal.HadalError) as error:
        hadal.InferenceSession(tmp_path / "missing.onnx")
    assert error.value.code == "onnx.file" and "missing.onnx" in str(error.value)
    with pytest.raises(hadal.HadalError, match="there is no chip"):
        hadal.compile(MODEL, chip="hadal-2")
    with pytest.raises(ValueError, match="numerics"):
        hadal.compile(MODEL, numerics="exakt")
    with pytest.raises(TypeError, match="compiled already"):
        hadal.InferenceSession(hadal.compile(MODEL), chip="a100")
    with pytest.raises(hadal.HadalError) as error:
        hadal.InferenceSession(hadal.compile(MODEL, weights=False))
    assert error.value.code == "run.values"


def test_sessions_leave_nothing_behind():
    resident = lambda: int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096
    session = hadal.InferenceSession(MODEL, chip="hadal-edge")
    inputs = feed(session)
    for _ in range(20):
        session.run(None, inputs)
    before, threads = resident(), threading.active_count()
    for _ in range(200):
        session.run(None, inputs)
        with pytest.raises(hadal.HadalError):
            session.run(None, {})
    assert resident() - before < 8 << 20 and threading.active_count() == threads


def test_the_header_is_c_and_the_library_shows_nothing_else(tmp_path):
    source = tmp_path / "version.c"
    source.write_text('#include "hadal.h"\n#include <stdio.h>\n#include <stdlib.h>\n'
                      "int main(int argc, char** argv) {\n  hadal_program* program = NULL;\n"
                      "  hadal_status* status = hadal_program_load(argv[argc - 1], NULL, &program);\n"
                      '  if (status == NULL) return 1;\n  printf("%s %s\\n", hadal_version(), hadal_status_code(status));\n'
                      "  hadal_status_free(status);\n  return hadal_abi_version() != HADAL_ABI_VERSION;\n}\n")
    subprocess.run(["cc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", source, LIBRARY,
                    f"-Wl,-rpath,{LIBRARY.parent}", "-o", tmp_path / "version"], check=True)
    done = subprocess.run([tmp_path / "version", "missing.onnx"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.split()[1] == "onnx.file", done.stdout + done.stderr
    names = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True).stdout.split()
    functions = [name for name in names[2::3]]
    assert functions and all(name.startswith("hadal_") for name in functions), functions
    declared = set(part.split("(")[0].split()[-1].lstrip("*") for part in
                   (ROOT / "include/hadal.h").read_text().split("HADAL_API")[2:])
    assert set(functions) == declared


def test_an_installed_package_has_all_it_needs(tmp_path):
    """Laid out as a wheel does it, in an environment without compiler, settings and sources in reach."""
    site = tmp_path / "site"
    subprocess.run(["cmake", "--install", LIBRARY.parent, "--component", "python", "--prefix", site / "hadal"], check=True,
                   capture_output=True)
    shutil.copytree(ROOT / "python/hadal", site / "hadal", dirs_exist_ok=True)
    for part in ("numpy", "numpy.libs"):
        (site / part).symlink_to(pathlib.Path(np.__file__).parents[1] / part)
    script = ("import sys, hadal, numpy as np\nr = hadal.simulate(sys.argv[1], 'hadal-edge')\n"
              "s = hadal.InferenceSession(sys.argv[1])\nx = {p.name: np.ones(p.shape, 'f4') for p in s.get_inputs()}\n"
              "print(r['resolved']['flags']['chip'], s.run(None, x)[0].shape, len(hadal.chips()))")
    done = subprocess.run([sys.executable, "-c", script, MODEL], capture_output=True, text=True, cwd=tmp_path,
                          env={"PYTHONPATH": str(site), "PATH": "/nonexistent"})
    assert done.stdout.split() == [str(site / "hadal/share/hadal/chips/hadal-edge.toml"), "(1,", "10)",
                                   str(len(hadal.chips()))], done.stderr
    files = list((site / "hadal/lib").iterdir())
    bundled = {file.name.split(".so")[0] for file in files}
    assert len(bundled) == len(files) and not any(file.is_symlink() for file in files)
    assert {"libhadal", "libdnnl", "libprotobuf", "libfmt"} <= bundled and "libc" not in bundled


def test_a_debugger_does_what_the_command_does():
    debug = hadal.debug(MODEL)
    assert debug("break node conv2") == "breakpoint 1: node conv2\n"
    assert debug("continue").startswith("breakpoint 1: node conv2\ncore ")
    assert "has ended" in debug("delete") + debug("continue")
    x = np.full((1, 3, 32, 32), np.inf, np.float32)
    infinite = hadal.debug(hadal.compile(MODEL, chip="hadal-edge"), {"input": x})
    del x
    infinite("break nan")
    assert "wrote inf at" in infinite("continue") and "of conv0_relu" in infinite("where")


def test_a_debugger_says_what_is_wrong_and_goes_on():
    debug = hadal.debug(MODEL)
    with pytest.raises(hadal.HadalError) as caught:
        debug("print nothing")
    assert caught.value.code == "debug.name" and "info tensors" in caught.value.remedy
    assert debug("step").startswith("core 0, ")
    with pytest.raises(hadal.HadalError) as caught:
        hadal.debug(MODEL, {"image": np.zeros((1, 3, 32, 32), np.float32)})
    assert caught.value.code == "input.name"
    with pytest.raises(TypeError):
        hadal.debug(hadal.compile(MODEL), chip="hadal-edge")
