"""hadal debug, run, check and bisection of an assembler text, which names its lines; bisection from Python."""

import re

import numpy as np
import pytest
from conftest import MODELS, ROOT
from test_debug import FAULTS, RESNET, load_outside, texts  # noqa: F401  A fixture.
from test_package import hadal as hd

STREAM = ROOT / "tests/data/stream.hasm"
LINES = STREAM.read_text().splitlines()
HEAD = LINES.index("code") + 1  # Of `code`, from 1.
LOAD, MAP, STORE = (1 + next(i for i, line in enumerate(LINES) if line.strip().startswith(f"{word} ")) for word in ("load", "map", "store"))


@pytest.fixture
def debug(hadal):
    """What commands print; they must all succeed."""
    def run(*commands, subject=STREAM):
        out = hadal.ok("debug", subject, *(part for command in commands for part in ("--command", command))).out
        return re.split(r"^> .*\n", out, flags=re.MULTILINE)[1:]

    return run


def test_breakpoints_stop_at_lines_of_the_text(debug):
    replies = debug(f"break line {MAP}", "continue", f"break line stream.hasm:{STORE}", "continue", "delete 1", "continue")
    at = lambda reply: re.search(rf"^core 0, instruction \d+ of stream, {re.escape(str(STREAM))}:(\d+): (.*)$", reply, re.MULTILINE)
    assert [int(at(replies[i])[1]) for i in (1, 3, 5)] == [MAP, STORE, STORE]
    assert at(replies[1])[2] == LINES[MAP - 1].strip()


def test_the_text_is_listed_as_it_stands(debug):
    replies = debug("list line", "list line 1", f"break line {STORE}", "continue", "list line")
    shown = lambda reply: [(int(n), text, bool(mark)) for mark, n, text in re.findall(r"^(->)? +(\d+)  (.*)$", reply, re.MULTILINE)]
    assert shown(replies[0]) == [(n, LINES[n - 1], n == LOAD) for n in range(LOAD - 5, min(LOAD + 5, len(LINES)) + 1)]
    assert shown(replies[1]) == [(n, LINES[n - 1], False) for n in range(1, 7)]  # A comment first.
    assert [n for n, _, here in shown(replies[4]) if here] == [STORE]


@pytest.mark.parametrize("command, code, says", [
    (f"break line {HEAD}", "debug.break", f"no engine's instruction stands in line {HEAD}; the next that has one is line {LOAD}"),
    ("break line 1000", "debug.break", "no engine's instruction stands in line 1000"),
    (f"break line other.hasm:{MAP}", "debug.break", f"no engine's instruction stands in line other.hasm:{MAP}"),
    ("break line 0", "debug.number", "a whole number from 1"),
    ("list line 1000", "debug.number", f"a whole number from 1 to {len(LINES)}"),
])
def test_lines_that_are_not_there_are_told(hadal, command, code, says):
    failed = hadal("debug", STREAM, "--command", command)
    assert failed.code == 1 and f"error[{code}]: " in failed.err and all(part in failed.err for part in says.split("; "))


def test_a_program_without_lines_says_so(hadal, tmp_path):
    hadal.ok("asm", STREAM, "-o", tmp_path / "stream.hadal")
    for command, code in (f"break line {MAP}", "debug.break"), ("list line", "debug.command"):
        failed = hadal("debug", tmp_path / "stream.hadal", "--command", command)
        assert failed.code == 1 and f"error[{code}]" in failed.err and "hadal dis PROGRAM -o FILE.hasm" in failed.err


def test_breakpoints_stop_at_lines_of_a_kernel(hadal, tmp_path):
    @hd.kernel("f32[M,N] -> f32[M,N]")
    def doubled(x, y):
        for m in hd.grid((x.shape[0], 16)):
            v = hd.load(x[m, :])
            hd.store(y[m, :], v * 2)

    line = doubled.function.__code__.co_firstlineno + 4
    doubled.compile("f32[32,8]").save(tmp_path / "p.hadal")
    done = hadal.ok("debug", tmp_path / "p.hadal", "--command", f"break line test_debug_text.py:{line}", "--command", "continue")
    assert re.search(rf"core 0, instruction \d+ of doubled, test_debug_text.py:{line}: ", done.out)


@pytest.mark.parametrize("old, new", [("relu(i0)", "rilu(i0)"), ("wait x_free", "wait x_fre"), ("loop r2, 64", "loop r2, r99"),
                                      ("tensor y scratchpad f32 4096", "tensor y scratchpad f32 40960")])
def test_errors_of_the_text_are_those_of_the_assembler(hadal, tmp_path, old, new):
    text = tmp_path / "wrong.hasm"
    text.write_text(STREAM.read_text().replace(old, new, 1))
    told = hadal("asm", text, "-o", tmp_path / "wrong.hadal")
    assert told.code == 1
    for command in "debug", "run", "check", "explain", "inspect":
        failed = hadal(command, text)
        assert (failed.code, failed.err, failed.out) == (1, told.err, ""), command


def test_a_text_runs_as_its_program_does(hadal, tmp_path):
    hadal.ok("asm", STREAM, "-o", tmp_path / "stream.hadal")
    reports = [hadal.ok("run", file, "--json", "-", "--output-dir", tmp_path / folder).report()
               for file, folder in ((STREAM, "text"), (tmp_path / "stream.hadal", "file"))]
    assert reports[0]["cycles"] == reports[1]["cycles"]
    np.testing.assert_array_equal(*(np.load(tmp_path / folder / "0_y.npy") for folder in ("text", "file")))
    refused = hadal("compile", STREAM, "-o", tmp_path / "again.hadal")
    assert refused.code == 2 and "error[usage.program]" in refused.err


def test_errors_of_a_run_name_the_line(hadal, texts, tmp_path):  # noqa: F811
    lines = texts(RESNET)
    load_outside(lines)
    (tmp_path / "edited.hasm").write_text("\n".join(lines) + "\n")
    failed = hadal("debug", tmp_path / "edited.hasm", "--command", "continue")
    line = next(i for i, (old, new) in enumerate(zip(texts(RESNET), lines), 1) if old != new)
    assert failed.code == 1 and f"of conv3_relu, {tmp_path}/edited.hasm:{line}" in failed.err


# --- Bisection from Python.

@pytest.mark.parametrize("fault", ["a ReLU left out", "weights", "a softmax's logarithm"])
def test_a_fault_is_an_object(hadal, texts, tmp_path, fault):  # noqa: F811
    """As the command prints it; the text needs no assembling."""
    model, edit, layer, nodes = FAULTS[fault]
    lines, file = texts(model), tmp_path / "edited.hasm"
    edit(lines)
    file.write_text("\n".join(lines) + "\n")
    found = hd.bisect(file, model=MODELS / f"{model}.onnx")
    assert isinstance(found, hd.Difference)
    assert (found.layer, ", ".join(found.nodes), found.value, found.stored) == (layer, nodes, layer, True)
    assert found.error > found.bound == 1e-3 and 0 < found.beyond <= found.elements
    printed = hadal("debug", file, "--bisect", MODELS / f"{model}.onnx").out
    assert f"error      {found.error:.3e}, tolerance" in printed and f"{found.beyond} of {found.elements} elements" in printed
    assert f"worst at   {list(found.index)}: expected {found.expected:.6g}, got {found.got:.6g}\n" in printed


def test_no_layer_of_a_model_as_compiled_differs():
    model = MODELS / f"{RESNET}.onnx"
    assert hd.bisect(model) is None
    assert hd.bisect(model, precision="bf16") is None
    found = hd.bisect(model, precision="bf16", tolerance=0.0)  # What rounds otherwise is a difference then.
    assert found.bound == 0 and 0 < found.error < 2e-2 and found.expected != found.got


def test_inputs_are_the_callers_and_numbers_may_be_infinite(texts, tmp_path):  # noqa: F811
    lines = texts(RESNET)
    FAULTS["a softmax's logarithm"][1](lines)
    (tmp_path / "edited.hasm").write_text("\n".join(lines) + "\n")
    first, second = (hd.bisect(tmp_path / "edited.hasm", {"input": np.full((1, 3, 32, 32), value, np.float32)},
                               model=MODELS / f"{RESNET}.onnx") for value in (0.5, 1e4))
    assert first.layer == second.layer == "output" and first.got != second.got
    assert second.expected in (0, 1) and second.got < -100


def test_a_run_that_ends_early_is_told(texts, tmp_path):  # noqa: F811
    lines = texts(RESNET)
    load_outside(lines)
    (tmp_path / "edited.hasm").write_text("\n".join(lines) + "\n")
    found = hd.bisect(tmp_path / "edited.hasm", model=MODELS / f"{RESNET}.onnx")
    assert (found.layer, found.stored) == ("conv3_relu", False)


def test_what_cannot_be_bisected_is_an_error(tmp_path):
    model = MODELS / f"{RESNET}.onnx"
    for arguments, options, code in ((STREAM,), {}, "debug.model"), ((model,), {"model": model}, "debug.model"), \
            ((model, {"image": np.zeros((1, 3, 32, 32), "f4")}), {}, "onnx.input"), ((tmp_path / "none.onnx",), {}, "onnx.file"):
        with pytest.raises(hd.HadalError) as error:
            hd.bisect(*arguments, **options)
        assert error.value.code == code
