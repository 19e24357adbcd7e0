"""The command itself: help, subcommands that run nothing, and what goes where."""

import os
import pty
import subprocess

import numpy as np
import onnx
import pytest
from conftest import MODELS, ROOT
from onnx import helper

AD = MODELS / "tiny_ad_f32.onnx"
COMMANDS = ["run", "compile", "dis", "asm", "verify", "inspect", "chips", "doctor"]


def test_help_names_every_command(hadal):
    text = hadal.ok("--help").out
    assert all(f"  {command} " in text for command in COMMANDS)
    assert hadal.ok("--version").out.startswith("hadal ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(hadal, command):
    text = hadal.ok(command, "--help").out
    assert "Usage: hadal " + command in text and "Example" in text and f"\n  hadal {command}" in text
    assert "\n\n\n" not in text and hadal.ok("help", command).out == text


def test_flags_of_run_are_grouped(hadal):
    text = hadal.ok("run", "--help").out
    places = [text.index(word) for word in ["Model and chip:", "--chip", "Inputs and outputs:", "--input", "Report:", "--json", "What is run, and how:", "--repeat"]]
    assert places == sorted(places)
    assert all(word in text for word in ["default: hadal-1", "default: 0", "80 %", "such as 8GiB"])


def test_doctor_finds_nothing_wrong(hadal):
    text = hadal.ok("doctor").out
    assert "self-test" in text and "FAILED" not in text


def test_chips_show_every_figure(hadal):
    rows = {line.split()[0]: line for line in hadal.ok("chips").out.splitlines() if line}
    assert "786 Top/s" in rows["hadal-1"] and "16 x 8 MiB" in rows["hadal-1"] and "hadal-edge" in rows
    text = hadal.ok("chips", "hadal-1").out
    assert all(word in text for word in ["matrix.rows", "given: fp8 at twice the rate", "derived: ", "peak.bf16"])
    assert max(map(len, text.splitlines())) < 150


def test_inspect_tells_what_runs_where(hadal):
    text = hadal.ok("inspect", MODELS / "cct2_32_opset20.onnx").out
    assert all(word in text for word in ["LayerNormalization", "matrix", "vector", "weights", "f32[1,3,32,32]"])
    rows = {line.split()[0]: line for line in text.splitlines() if line.startswith("  ")}
    assert rows["Conv"].endswith("  chip") and rows["Reshape"].endswith("  chip, as a view")


def test_inspect_tells_what_is_unsupported(hadal, tmp_path):
    nodes = [helper.make_node("Frobnicate", ["x"], ["a"], name="first"), helper.make_node("Relu", ["a"], ["b"], name="fine"),
             helper.make_node("Blur", ["b", "b", "b"], ["y"], name="second")]
    value = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [4])
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [value("x")], [value("y")]), opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    outcome = hadal("inspect", tmp_path / "m.onnx")
    assert outcome.code == 1 and "2 nodes are not supported: 'first' (Frobnicate), 'second' (Blur)" in outcome.err
    assert any(line.split()[:1] == ["Blur"] and "not known" in line for line in outcome.out.splitlines())


def test_inspect_and_verify_read_programs(hadal, tmp_path):
    program = tmp_path / "ad.hadal"
    hadal.ok("compile", AD, "-o", program)
    text = hadal.ok("inspect", program).out
    assert "a program for hadal-1, f32" in text and "f32[1x640]" in text and "at best" in text
    assert "keeps all" in hadal.ok("verify", program).out
    text = hadal.ok("dis", program).out
    wrong = tmp_path / "wrong.hasm"
    wrong.write_text(text.replace("  sync on store  signal ready.0 everywhere\n", "", 1))
    assert hadal("asm", wrong, "-o", tmp_path / "wrong.hadal").code == 0
    outcome = hadal("verify", tmp_path / "wrong.hadal")
    assert outcome.code == 1 and "error[sync.C1]" in outcome.err and "instruction" in outcome.err


def test_inspect_prints_the_operators(hadal):
    assert hadal.ok("inspect", "--ops").out == (ROOT / "docs/ops.md").read_text()


def test_progress_is_for_terminals(hadal):
    """On a terminal a line that is erased at the end; in a pipe nothing."""
    master, slave = pty.openpty()
    done = subprocess.run([hadal.binary, "run", str(AD), "--repeat", "3"], stdout=subprocess.PIPE, stderr=slave, timeout=60)
    os.close(slave)
    seen = os.read(master, 65536).decode()
    os.close(master)
    assert done.returncode == 0 and "compile: " in seen and "warm run 3 of 3" in seen and seen.endswith("\r\x1b[K")


def test_json_on_stdout_sends_the_report_to_stderr(hadal):
    outcome = hadal.ok("run", AD, "--json", "-")
    assert outcome.report()["cycles"] > 0 and "cycles" in outcome.err and "roofline" in outcome.err


def test_a_pass_is_dumped_on_stderr(hadal):
    assert "== after fuse" in hadal.ok("run", AD, "--dump-after", "fuse", "--no-values").err
    outcome = hadal("run", AD, "--dump-after", "fues", "--no-values")
    assert outcome.code == 2 and 'did you mean "fuse"?' in outcome.err


def test_all_layers_are_shown_on_request(hadal):
    model = MODELS / "fastestdet.onnx"
    assert "--layers all shows every one" in hadal.ok("run", model, "--no-values").out
    assert "--layers all" not in hadal.ok("run", model, "--no-values", "--layers", "all").out


def test_nothing_but_errors_goes_to_stderr(hadal):
    assert hadal.ok("run", AD).err == ""


def test_a_reader_that_leaves_is_no_error(hadal):
    done = subprocess.run(f"'{hadal.binary}' chips | head -n 1; exit ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash",
                          capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stderr == b""


def test_programs_refuse_flags_of_compilation(hadal, tmp_path):
    program = tmp_path / "ad.hadal"
    hadal.ok("compile", AD, "-o", program)
    assert hadal("run", program, "--precision", "bf16").code == 2
    assert hadal("compile", program, "-o", tmp_path / "b.hadal").code == 2


def test_a_program_states_the_values_that_decided_its_shapes(hadal, tmp_path):
    """Values of an input that decide shapes are compiled in: others are refused, none stand for them."""
    value, file = helper.make_tensor_value_info, lambda name: tmp_path / f"{name}.npy"
    graph = helper.make_graph([helper.make_node("Reshape", ["x", "to"], ["y"])], "g",
                              [value("x", onnx.TensorProto.FLOAT, [6]), value("to", onnx.TensorProto.INT64, [2])],
                              [value("y", onnx.TensorProto.FLOAT, None)])
    model, program = tmp_path / "m.onnx", tmp_path / "m.hadal"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), model)
    np.save(file("x"), np.arange(6, dtype=np.float32))
    np.save(file("tall"), np.array([3, 2]))
    np.save(file("wide"), np.array([2, 3]))
    refused = hadal("compile", model, "-o", program)
    assert refused.code == 1 and "error[onnx.dynamic]" in refused.err and "--input NAME=FILE.npy" in refused.err
    assert "[3, 2]" in hadal.ok("compile", model, "--input", f"to={file('tall')}", "-o", program).out
    for given in ([], ["--input", f"to={file('tall')}"]):
        hadal.ok("run", program, "--input", f"x={file('x')}", *given, "--output-dir", tmp_path / "out")
        assert np.load(tmp_path / "out/0_y.npy").tolist() == [[0, 1], [2, 3], [4, 5]]
    refused = hadal("run", program, "--input", f"x={file('x')}", "--input", f"to={file('wide')}")
    assert refused.code == 1 and "error[input.fixed]" in refused.err
    assert "compiled for the values [3, 2], found [2, 3]" in refused.err
    hadal.ok("run", model, "--input", f"x={file('x')}", "--input", f"to={file('wide')}", "--output-dir", tmp_path / "out")
    assert np.load(tmp_path / "out/0_y.npy").shape == (2, 3)


def test_warm_runs_are_reported_apart(hadal):
    report = hadal.ok("run", AD, "--repeat", "5", "--deadline", "1s", "--json", "-").report()
    warm = report["repeat"]
    assert warm["runs"] == 5 and warm["chip"]["deadline_met"] is True
    assert np.isclose(warm["chip"]["median_seconds"], report["seconds"])
    assert 0 < warm["functional"]["p50_seconds"] <= warm["functional"]["p99_seconds"]


def test_integers_store_floats_for_time_alone(hadal):
    """A chip without floats times a model in integers; the error says how to ask for it, and values need scales."""
    model = MODELS / "tiny_ad_f32.onnx"
    refused = hadal("run", model, "--chip", "gemmini")
    assert refused.code == 1 and "--precision int8 --no-values" in refused.err
    assert hadal("run", model, "--chip", "gemmini", "--precision", "int8").code == 1
    report = hadal.ok("run", model, "--chip", "gemmini", "--precision", "int8", "--no-values", "--json", "-").report()
    assert report["cycles"] >= report["roofline_cycles"] and report["events"]["macs.i8"] == report["macs"]
    # Exponentials and statistics stay in floats.
    hadal.ok("run", MODELS / "cct2_32_opset20.onnx", "--precision", "int8", "--no-values")
