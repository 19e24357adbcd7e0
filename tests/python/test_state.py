"""State across runs: caches that are written in place, states that are made anew, and what goes wrong."""

import os
import subprocess
import sys

import decoders
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from conftest import ROOT
from test_package import LIBRARY, hadal as package  # noqa: F401

SIZES = decoders.Sizes(layers=2, width=64, heads=4, shared=2, hidden=48, words=97, capacity=12)


@pytest.mark.parametrize("chip", ["hadal-1", "hadal-edge"])
@pytest.mark.parametrize("kind", decoders.DECODERS)
def test_tokens_are_those_of_onnx_runtime(tmp_path, kind, chip):
    path = decoders.save(kind, tmp_path / "decoder.onnx", SIZES)
    session = package.InferenceSession(path, chip=chip, state=decoders.STATE)
    reference = decoders.Reference(path, SIZES)
    run = lambda feed: session.run(None, feed)[0]
    want = decoders.generate(kind, reference, SIZES.capacity)
    assert decoders.generate(kind, run, SIZES.capacity) == want and len(set(want)) > 3
    for name, value in session.state().items():
        np.testing.assert_allclose(value, reference.cache[name], rtol=1e-4, atol=1e-5)
    session.reset()
    assert decoders.generate(kind, run, SIZES.capacity) == want


@pytest.mark.parametrize("kind", decoders.DECODERS)
def test_a_token_writes_its_own_rows_only(hadal, tmp_path, kind):
    """No copy of a cache, whatever its size; no state over the host's link; and nothing races."""
    path = decoders.save(kind, tmp_path / "decoder.onnx", decoders.Sizes(layers=1, width=32, heads=2, shared=1, capacity=1024))
    flags = ["--state", "past.*=present.*", "--chip", "hadal-edge", "--no-values", "--json", "-"]
    report = hadal.ok("run", path, *flags).report()
    scatters = [layer for layer in report["layers"] if layer["op"] == "scatter"]
    assert len(scatters) == 2 and sum(layer["bytes_written"] for layer in scatters) <= 4 * 64
    assert report["host"]["link_bytes"] <= 4 * 1000 + 64
    moved = hadal.ok("run", path, *flags[2:]).report()
    assert moved["host"]["link_bytes"] >= 4 * 4 * 1024 * 16
    hadal.ok("compile", path, *flags[:4], "-o", tmp_path / "decoder.hadal")
    hadal.ok("check", tmp_path / "decoder.hadal")


def recurrent(folder):
    """A GRU of one step: its state is made anew, and is also an output that others read."""
    random = np.random.default_rng(0)
    weight = lambda name, *shape: onnx.numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
    port = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        [helper.make_node("GRU", ["x", "w", "r", "", "", "h"], ["", "h_out"], hidden_size=5),
         helper.make_node("Neg", ["h_out"], ["y"])], "gru", [port("x", 1, 1, 3), port("h", 1, 1, 5)],
        [port("y", 1, 1, 5), port("h_out", 1, 1, 5)], [weight("w", 1, 15, 3), weight("r", 1, 15, 5)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "gru.onnx")
    return folder / "gru.onnx"


@pytest.mark.parametrize("precision", [None, "bf16"])
def test_a_state_that_is_made_anew(tmp_path, precision):
    path = recurrent(tmp_path)
    session = package.InferenceSession(path, chip="hadal-edge", state={"h": "h_out"}, precision=precision)
    reference = onnxruntime.InferenceSession(path)
    h, bound = np.zeros((1, 1, 5), np.float32), 1e-5 if precision is None else 3e-2
    for step in range(5):
        x = np.full((1, 1, 3), step / 5, np.float32)
        y, h = reference.run(None, {"x": x, "h": h})
        got, = session.run(None, {"x": x})
        np.testing.assert_allclose(got, y, atol=bound)
    np.testing.assert_allclose(session.state()["h"], h, atol=bound)
    given = np.ones((1, 1, 5), np.float32)
    want = reference.run(None, {"x": x, "h": given})
    got = session.run(["h_out", "y"], {"x": x, "h": given})
    np.testing.assert_allclose(got[0], want[1], atol=bound)
    np.testing.assert_allclose(got[1], want[0], atol=bound)
    assert (given == 1).all(), "a given state is copied"
    assert [port.follows for port in session.get_inputs()] == [None, "h_out"]


def session_of(folder, nodes, inputs, outputs, state):
    """Ports are (name, shape); those called `at` are i64."""
    ports = lambda all: [helper.make_tensor_value_info(name, TensorProto.INT64 if name == "at" else TensorProto.FLOAT, shape)
                         for name, shape in all]
    graph = helper.make_graph([helper.make_node(*node[:3], **node[3]) for node in nodes], "g", ports(inputs), ports(outputs))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)]), folder / "model.onnx")
    return package.InferenceSession(folder / "model.onnx", chip="hadal-edge", state=state)


def test_states_that_change_places(tmp_path):
    nodes = [("Identity", ["b"], ["a2"], {}), ("Identity", ["a"], ["b2"], {}), ("Sub", ["a", "b"], ["d"], {})]
    session = session_of(tmp_path, nodes, [("a", [3]), ("b", [3])], [("a2", [3]), ("b2", [3]), ("d", [3])],
                         {"a": "a2", "b": "b2"})
    given = {"a": np.full(3, 1, np.float32), "b": np.full(3, 10, np.float32)}
    assert [session.run(None, feed)[0][0] for feed in (given, {}, {})] == [-9, 9, -9]


def test_a_cache_that_is_also_read_before_it_is_written(tmp_path):
    """It cannot change in place."""
    nodes = [("TensorScatter", ["past", "row", "at"], ["present"], {"axis": 1}),
             ("ReduceSum", ["past"], ["before"], {"keepdims": 0}), ("ReduceSum", ["present"], ["after"], {"keepdims": 0})]
    session = session_of(tmp_path, nodes, [("past", [1, 4, 2]), ("row", [1, 1, 2]), ("at", [1])],
                         [("present", [1, 4, 2]), ("before", []), ("after", [])], {"past": "present"})
    for place in range(3):
        before, after = session.run(None, {"row": np.ones((1, 1, 2), np.float32), "at": np.array([place])})
        assert (before, after) == (2 * place, 2 * place + 2)


def test_a_program_file_keeps_its_state(tmp_path):
    path = recurrent(tmp_path)
    package.compile(path, "hadal-edge", state={"h": "h_out"}).save(tmp_path / "gru.hadal")
    session = package.InferenceSession(tmp_path / "gru.hadal")
    x = np.ones((1, 1, 3), np.float32)
    first, second = (session.run(None, {"x": x})[0] for _ in range(2))
    assert len(first) == 1 and not np.array_equal(first, second)


C = r"""
#include <stdio.h>
#include "hadal.h"

static int failed(hadal_status* status) {
  if (status != NULL) printf("%s\n", hadal_status_text(status));
  return status != NULL;
}

int main(int count, char** names) {
  const hadal_state state = {"h", "h_out"};
  const int64_t shape[] = {1, 1, 3};
  const float values[] = {1, 1, 1};
  const hadal_array x = {"x", "f32", shape, 3, values, sizeof values};
  hadal_options options = {0};
  hadal_program* program;
  hadal_session* session;
  hadal_outputs* outputs;
  hadal_array h;
  int run;
  options.chip = "hadal-edge";
  options.states = &state;
  options.state_count = 1;
  if (failed(hadal_program_load(names[count - 1], &options, &program))) return 1;
  if (hadal_program_state(program, 0) != SIZE_MAX || hadal_program_state(program, 1) != 1) return 1;
  if (failed(hadal_session_new(program, &session))) return 1;
  for (run = 0; run < 3; ++run) {
    if (run == 2 && failed(hadal_session_reset(session))) return 1;
    if (failed(hadal_session_run(session, &x, 1, &outputs))) return 1;
    hadal_outputs_get(outputs, 1, &h);
    if (h.data != NULL || h.bytes != 0) return 1;
    hadal_outputs_free(outputs);
    if (failed(hadal_session_state(session, &outputs))) return 1;
    hadal_outputs_get(outputs, 1, &h);
    printf("%.6f\n", ((const float*)h.data)[0]);
    hadal_outputs_free(outputs);
  }
  hadal_session_free(session);
  hadal_program_free(program);
  return 0;
}
"""


def test_state_from_c(tmp_path):
    path = recurrent(tmp_path)
    (tmp_path / "state.c").write_text(C)
    subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", tmp_path / "state.c", LIBRARY,
                    f"-Wl,-rpath,{LIBRARY.parent}", "-o", tmp_path / "state"], check=True)
    done = subprocess.run([tmp_path / "state", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    h, want, reference = np.zeros((1, 1, 5), np.float32), [], onnxruntime.InferenceSession(path)
    for _ in range(2):
        h = reference.run(["h_out"], {"x": np.ones((1, 1, 3), np.float32), "h": h})[0]
        want.append(h[0, 0, 0])
    np.testing.assert_allclose([float(line) for line in done.stdout.split()], [*want, want[0]], atol=1e-5)


@pytest.mark.parametrize("state, code, text", [({"hh": "h_out"}, "state.name", 'did you mean "h"'),
                                               ({"h": "y_out"}, "state.name", "no output"),
                                               ({"x": "h_out"}, "state.type", "1x1x3"),
                                               ({"h": "h_out", "*": "y"}, "state.type", "x")])
def test_what_cannot_be_state_is_an_error(tmp_path, state, code, text):
    with pytest.raises(package.HadalError, match=text) as error:
        package.compile(recurrent(tmp_path), "hadal-edge", state=state)
    assert error.value.code == code


def test_the_flag_needs_two_names(hadal, tmp_path):
    outcome = hadal("run", recurrent(tmp_path), "--state", "h")
    assert outcome.code == 2 and "INPUT=OUTPUT" in outcome.err


def test_the_bench_program_runs(hadal):
    environment = {**os.environ, "HADAL_LIBRARY": str(LIBRARY)}
    done = subprocess.run([sys.executable, ROOT / "bench/decode", "--tokens", "4", "--chip", "hadal-edge"], capture_output=True,
                          text=True, env=environment, timeout=300)
    assert done.returncode == 0 and "4/4" in done.stdout, done.stdout + done.stderr
