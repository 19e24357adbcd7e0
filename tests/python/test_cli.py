"""The command itself: help, subcommands that run nothing, and what goes where."""

import subprocess

import numpy as np
import pytest
from conftest import MODELS

AD = MODELS / "tiny_ad_f32.onnx"
COMMANDS = ["run", "compile", "dis", "asm", "verify", "inspect", "chips", "doctor"]


def test_help_names_every_command(hadal):
    text = hadal.ok("--help").out
    assert all(f"  {command} " in text for command in COMMANDS)
    assert hadal.ok("--version").out.startswith("hadal ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(hadal, command):
    assert "Usage: hadal " + command in hadal.ok(command, "--help").out


def test_doctor_finds_nothing_wrong(hadal):
    text = hadal.ok("doctor").out
    assert "self-test" in text and "FAILED" not in text


def test_chips_show_every_figure(hadal):
    assert "hadal-edge" in hadal.ok("chips").out
    assert "matrix.rows" in hadal.ok("chips", "hadal-1").out


def test_inspect_tells_what_runs_where(hadal):
    text = hadal.ok("inspect", MODELS / "cct2_32_opset20.onnx").out
    assert all(word in text for word in ["LayerNormalization", "matrix", "vector", "weights", "f32[1,3,32,32]"])


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


def test_warm_runs_are_reported_apart(hadal):
    report = hadal.ok("run", AD, "--repeat", "5", "--deadline", "1s", "--json", "-").report()
    warm = report["repeat"]
    assert warm["runs"] == 5 and warm["chip"]["deadline_met"] is True
    assert np.isclose(warm["chip"]["median_seconds"], report["seconds"])
    assert 0 < warm["functional"]["p50_seconds"] <= warm["functional"]["p99_seconds"]
