"""hadal debug: stepping, breakpoints, printing; and the layer that --bisect names in programs with a fault of known place."""

import os
import pty
import re
import struct
import subprocess

import exported
import numpy as np
import onnx
import pytest

from conftest import MODELS

SMALL = MODELS / "tiny_resnet8_f32.onnx"


@pytest.fixture(scope="module")
def program(hadal, tmp_path_factory):
    file = tmp_path_factory.mktemp("debug") / "resnet8.hadal"
    hadal.ok("compile", SMALL, "-o", file)
    return file


@pytest.fixture
def debug(hadal, program):
    """What commands print, by command; they must all succeed."""
    def run(*commands, subject=program, flags=()):
        out = hadal.ok("debug", subject, *flags, *(part for command in commands for part in ("--command", command))).out
        replies = re.split(r"^> (.*)\n", out, flags=re.MULTILINE)
        assert replies[0] == "" and replies[1::2] == list(commands)
        return replies[2::2]

    return run


def listed(text):
    """The instructions of a program's text: (number, line)."""
    lines = text.splitlines()
    code = [line.strip() for line in lines[lines.index("code") + 1 :]]
    return list(enumerate(line for line in code if not re.match(r"at \d", line)))


def test_commands_print_the_same_every_time(debug):
    commands = ["where", "step 100", "info cores", "info semaphores", "next", "break nan", "continue", "info layers", "print output"]
    assert debug(*commands) == debug(*commands)


def test_steps_follow_the_text_of_the_program(hadal, program, debug):
    engines = [(number, line) for number, line in listed(hadal.ok("dis", program).out)
               if not re.match(r"(let|loop|end|halt)\b", line)]
    places = debug("where", *["step"] * 8)
    for (number, line), place in zip(engines, places):
        assert re.fullmatch(r"core 0, instruction (\d+) of \S+: (.*)\n", place).groups() == (str(number), line)


def test_a_core_goes_on_until_it_must_wait_then_the_next(debug):
    """Where core 2 comes to its first convolution, the two before it have stored theirs, and wait for the others."""
    replies = debug("break instruction 28", *["continue"] * 3, "info cores")
    assert [re.search(r"^core (\d+), ", reply, re.MULTILINE)[1] for reply in replies[1:4]] == ["0", "1", "2"]
    lines = replies[4].splitlines()
    assert len(lines) == 16 and lines[2].startswith("->   2 ")
    assert all(line.endswith("waits for 16 of ready.0, which has 2") for line in lines[:2])


def test_the_end_has_the_values_of_a_run(hadal, debug, program, tmp_path):
    hadal.ok("run", program, "--no-timing", "--output-dir", tmp_path)
    printed = debug("continue", "print output")
    assert re.fullmatch(r"the program has ended, \d+ instructions executed\n", printed[0])
    head, values = printed[1].split("\n", 1)
    assert head.startswith("output f32 [10] at byte 0 of output")
    assert np.allclose(np.array(eval(values)), np.load(tmp_path / "0_output.npy").ravel(), rtol=1e-5)


def test_slices_are_those_of_numpy(debug):
    """A layer's result, whole, row by row, against its parts."""
    rows = debug("break node conv3", "continue", *[f"print #2[0, 0, 3, {i}]" for i in range(8)],
                 "print #2[0, 0, 3, 1:7:2, -3:]", "print #2[0,0,3,:2]", "print conv0_relu")
    parse = lambda text: np.array(eval(text.split("\n", 1)[1]))
    whole = np.stack([parse(text) for text in rows[2:10]])
    assert (parse(rows[10]) == whole[1:7:2, -3:]).all() and (parse(rows[11]) == whole[:2]).all()
    assert re.search(r"16384 elements, least 0, greatest \S+, mean \S+\n", rows[12])


def test_what_was_loaded_is_in_the_scratchpad(debug):
    """The first load of core 0 brings the input's first pixels."""
    prints = debug("break address scratchpad:6144-6147", "continue", "print activation.f32[1536:1539]", "print input[0,0,0,0]")
    assert "core 0, " in prints[1] and "wrote bytes 6144 to" in prints[1] and "its scratchpad" in prints[1]
    assert prints[2].split("\n", 1)[1] == prints[3].split("\n", 1)[1]


def test_breakpoints_stop_where_they_say(debug):
    replies = debug("break instruction 28", "continue", "continue", "break node conv2", "delete 1", "continue",
                    "break address output:0", "delete 2", "info breakpoints", "continue")
    assert [re.match(r"breakpoint 1: .*\ncore (\d+), instruction 28 of", reply)[1] for reply in replies[1:3]] == ["0", "1"]
    assert re.match(r"breakpoint 2: node conv2\ncore \d+, instruction \d+ of add0_relu: ", replies[5])
    assert replies[8] == "  3  address output:0\n"
    assert re.match(r"breakpoint 3: .*\ncore \d+, instruction \d+ of output wrote bytes 0 to \d+ of output\n", replies[9])


def test_next_ends_layer_after_layer(debug):
    layers = ["conv0_relu", "conv1_relu", "add0_relu", "conv3_relu"]
    for name, reply in zip(layers, debug(*["next"] * 4)):
        assert reply.startswith(f"layer {name} has ended\n")


def test_nan_is_found_where_it_comes_from(debug, tmp_path):
    x = np.zeros((1, 3, 32, 32), np.float32)
    x[0, 1, 20, 5] = np.nan
    np.save(tmp_path / "x.npy", x)
    reply = debug("break nan", "continue", flags=["--input", f"input={tmp_path / 'x.npy'}"])[1]
    assert re.match(r"breakpoint 1: nan\ncore \d+, instruction \d+ of conv0_relu wrote nan at .* of activation.f32; not finite: 1 of",
                    reply)
    assert "has ended" in debug("break nan", "continue")[1]


def test_until_a_cycle_executes_what_has_ended_by_then(hadal, program, debug):
    cycles = hadal.ok("run", program, "--no-values", "--json", "-").report()["cycles"]
    late = cycles * 3 // 4
    executed = lambda text: [int(n) for n in re.findall(r"(\d+) executed", text)]
    replies = debug("until 0", "info cores", f"until {late}", "info cores", "info queues", f"until {cycles}", "info cores",
                    "continue")
    start, middle, end = (executed(replies[i]) for i in (1, 3, 6))
    assert sum(start) == 0 and 0 < sum(middle) < sum(end) and all(a <= b for a, b in zip(middle, end))
    assert replies[2].startswith(f"cycle {late} of {cycles}\n")
    assert replies[4].startswith(f"queues of core 0 at cycle {late}\n") and len(replies[4].splitlines()) == 7
    assert replies[7] == f"the program has ended, {sum(end)} instructions executed\n"


@pytest.mark.parametrize("command, code, says", [
    ("stop", "debug.command", 'no command is called "stop"; did you mean "step"?'),
    ("break node conv99", "debug.name", 'no layer or node is called "conv99"'),
    ("break instruction 9999", "debug.number", "a whole number from 0 to"),
    ("break address nowhere:0", "debug.name", 'no region is called "nowhere"'),
    ("break somewhere", "debug.break", "break address SPACE:FIRST[-LAST]"),
    ("delete 7", "debug.break", "there is no breakpoint 7"),
    ("print nothing", "debug.name", 'no tensor is called "nothing"'),
    ("print output[10]", "debug.slice", "axis 0, which has 10 elements"),
    ("print output[0, 0]", "debug.slice", "more indices than the 1 axes"),
    ("info weather", "debug.command", 'info knows nothing of "weather"'),
    ("step back", "debug.number", "a whole number from 1 to"),
    ("until 10000000", "debug.number", "a whole number from 0 to"),
])
def test_errors_end_a_script_with_its_line(hadal, program, tmp_path, command, code, says):
    script = tmp_path / "script.txt"
    script.write_text(f"# a comment\n\nstep\n{command}\nstep\n")
    failed = hadal("debug", program, "--script", script)
    assert failed.code == 1 and failed.out.endswith(f"> {command}\n") and f"{script}:4" in failed.err
    assert f"error[{code}]: " in failed.err and all(part in failed.err for part in says.split("; "))


def test_commands_come_from_stdin(hadal, program):
    done = hadal.ok("debug", program, input=b"step 3\nquit\nstep\n")
    assert done.out.startswith("> step 3\ncore 0, ") and done.out.endswith("> quit\n")


def test_help_lists_every_command(debug):
    names = re.findall(r"^(\w+)", debug("help")[0], re.MULTILINE)[:-1]
    assert names == ["step", "next", "continue", "until", "break", "delete", "info", "print", "list", "core", "where", "help", "quit"]


# --- Bisection.

MODELS_AND_PRECISIONS = [(model.stem, precision) for model in sorted(MODELS.glob("*.onnx"))
                         for precision in ([None] if model.stem.endswith("int8") else [None, "bf16"])]


@pytest.mark.parametrize("name, precision", MODELS_AND_PRECISIONS)
def test_no_layer_of_a_compiled_model_differs(hadal, name, precision):
    flags = ["--precision", precision] if precision else []
    done = hadal("debug", MODELS / f"{name}.onnx", "--bisect", *flags, timeout=300)
    assert re.fullmatch(r"no layer differs: \d+ values of \d+ layers compared\n", done.out), done.out + done.err
    assert done.code == 0


@pytest.mark.parametrize("name", ["densenet", "swin", "yolo", "gpt2", "lstm_tagger"])
def test_no_layer_of_an_architecture_differs(hadal, tmp_path, name):
    """Concatenations in place and by copies, windows, attention, caches, recurrence."""
    model = tmp_path / "model.onnx"
    onnx.save(exported.make(name).model, model)
    assert hadal.ok("debug", model, "--bisect").out.startswith("no layer differs: ")


def main_part(lines, layer):
    """Lines of a layer's own part of the code; what is prefetched for it stands elsewhere, ahead."""
    starts = [i for i, line in enumerate(lines) if re.match(rf"  at \d+  ; {re.escape(layer)}$", line)]
    end = next(i for i, line in enumerate(lines) if i > starts[-1] and re.match(r"  at \d|  halt", line))
    return range(starts[-1], end)


def with_field(layer, instruction, old, new):
    """`old` is a pattern."""
    def edit(lines):
        for i in main_part(lines, layer):
            if lines[i].strip().startswith(instruction) and re.search(old, lines[i]):
                lines[i] = re.sub(old, new, lines[i], count=1)
                return
        raise AssertionError(f"{layer} has no {instruction} with {old}")

    return edit


def with_weight(name):
    """The largest element of a weight, and those beside it, 4 times as large."""
    def edit(lines):
        at = next(i for i, line in enumerate(lines) if line.startswith(f"weight {name} "))
        head, text = lines[at].split(" hex ")
        values = np.frombuffer(bytes.fromhex(text.strip('"')), "<f4").copy()
        first = int(np.abs(values).argmax())
        values[max(first - 2, 0) : first + 3] *= 4
        lines[at] = f'{head} hex "{struct.pack(f"<{values.size}f", *values).hex()}"'

    return edit


def one_before(found):
    """Another register where one was."""
    return f"r{int(found[1]) - 1}*8 + {found[2]}"


RESNET = "tiny_resnet8_f32"
CCT = "cct2_32_opset20"
FAULTS = {
    "a ReLU left out": (RESNET, with_field("conv1_relu", "conv ", "epilogue 0", "epilogue 2"), "conv1_relu", "conv1, conv1_relu"),
    "a residual from another place": (RESNET, with_field("add0_relu", "load residual", r"r(\d+)\*8 \+ (r\d+)", one_before),
                                      "add0_relu", "conv2, add0, add0_relu"),
    "weights": (RESNET, with_weight("conv3_weight"), "conv3_relu", "conv3, conv3_relu"),
    "a ReLU too many": (RESNET, with_field("conv5_out", "conv ", "epilogue 2", "epilogue 0"), "conv5_out", "conv5"),
    "a bias": (RESNET, with_weight("conv7_bias"), "add2_relu", "conv7, add2, add2_relu"),
    "a mean that is a maximum": (RESNET, with_field("avgpool0_out", "pool ", "kind mean", "kind max"), "avgpool0_out", "avgpool0"),
    "a dense layer's ReLU": (RESNET, with_field("fc0_out", "matmul ", "epilogue 2", "epilogue 0"), "fc0_out", "fc0"),
    "a softmax's logarithm": (RESNET, with_field("output", "softmax ", r"\[10\]  wait", "[10] log  wait"), "output", "softmax0"),
    "a store to another place": (RESNET, with_field("conv6_relu", "store ", r"(r\d+\*2), (r\d+\*2)", r"\2, \1"), "conv6_relu",
                                 "conv6, conv6_relu"),
    "an attention's weights": (CCT, with_weight('"onnx::MatMul_240"'), "/classifier/blocks.1/self_attn/k_proj/MatMul_output_0",
                               "/classifier/blocks.1/self_attn/k_proj/MatMul"),
}


@pytest.fixture(scope="module")
def texts(hadal, tmp_path_factory):
    """The text of a model's program, its weights in it."""
    folder, known = tmp_path_factory.mktemp("texts"), {}

    def text_of(name):
        if name not in known:
            file = folder / f"{name}.hadal"
            hadal.ok("compile", MODELS / f"{name}.onnx", "-o", file)
            known[name] = hadal.ok("dis", file, "--inline").out.splitlines()
        return list(known[name])

    return text_of


def assembled(hadal, lines, folder):
    text, program = folder / "edited.hasm", folder / "edited.hadal"
    text.write_text("\n".join(lines) + "\n")
    hadal.ok("asm", text, "-o", program)
    return program


def load_outside(lines):
    """A load of conv3 passes its tensor's edge."""
    with_field("conv3_relu", "load activation", r"(r\d+\*8, r\d+)\*8", r"\1*9")(lines)


@pytest.mark.parametrize("fault", FAULTS)
def test_bisection_names_the_layer_of_a_fault(hadal, texts, tmp_path, fault):
    """The program is edited in its text; the model says what it should compute."""
    model, edit, layer, nodes = FAULTS[fault]
    lines = texts(model)
    edit(lines)
    program = assembled(hadal, lines, tmp_path)
    done = hadal("debug", program, "--bisect", MODELS / f"{model}.onnx")
    assert done.code == 1 and done.err == ""
    found = re.search(r"the first layer that differs: (\S+), \d+ of \d+ .*\n  nodes      (.*)\n  value      (.*)\n"
                      r"  error      (\S+), tolerance (\S+); beyond it: (\d+) of (\d+) elements\n"
                      r"  worst at   \[[\d, ]+\]: expected (\S+), got (\S+)\n", done.out)
    assert found, done.out
    assert found[1] == layer and found[2].startswith(nodes)
    assert float(found[4]) > float(found[5]) and 0 < int(found[6]) <= int(found[7]) and found[8] != found[9]


def test_a_program_that_is_as_compiled_has_no_fault(hadal, program):
    assert hadal.ok("debug", program, "--bisect", SMALL).out.startswith("no layer differs: ")


def test_the_tolerance_decides(hadal):
    done = hadal("debug", SMALL, "--bisect", "--tolerance", "0", "--precision", "bf16")
    assert done.code == 1 and "tolerance 0.000e+00" in done.out
    hadal.ok("debug", SMALL, "--bisect", "--tolerance", "0.5", "--precision", "bf16")


def test_a_program_of_another_precision_is_compared_at_its_own(hadal, tmp_path):
    program = tmp_path / "bf16.hadal"
    hadal.ok("compile", SMALL, "--precision", "bf16", "-o", program)
    assert "no layer differs" in hadal.ok("debug", program, "--bisect", SMALL).out


def test_a_session_goes_on_after_errors(hadal, texts, tmp_path):
    """On a terminal: an error is a line, and a program that has failed can be looked into."""
    lines = texts(RESNET)
    load_outside(lines)
    ours, theirs = pty.openpty()
    os.write(ours, b"stop\ncontinue\ninfo cores\nprint add0_relu[0, 0, 0, 0, :2]\nlist\nquit\n")
    done = subprocess.run([hadal.binary, "debug", assembled(hadal, lines, tmp_path)], stdin=theirs, capture_output=True, text=True)
    os.close(ours), os.close(theirs)
    assert done.returncode == 0 and done.stderr == ""
    start, wrong, failed, cores, values, code, end = done.stdout.split("(hadal) ")
    assert start.startswith("core 0, ") and wrong == 'error[debug.command]: no command is called "stop"; did you mean "step"?\n'
    assert failed.startswith("error[") and failed.count("\n") == 1 and "of conv3_relu" in failed and end == ""
    at = re.search(r"^->  +\d+ .* at instruction (\d+) of conv3_relu `load`", cores, re.MULTILINE)[1]
    assert values.startswith("add0_relu f32 [2] at ") and f"->  {int(at):>4}  load activation" in code


def test_a_program_that_ends_early_is_told_of(hadal, texts, tmp_path):
    """What was stored before agrees, what should be stored is missing."""
    lines = texts(RESNET)
    load_outside(lines)
    program = assembled(hadal, lines, tmp_path)
    done = hadal("debug", program, "--bisect", SMALL)
    assert done.code == 1 and done.out.startswith("the run has failed: error[")
    assert "the first layer that differs: conv3_relu" in done.out and "ended before it was stored" in done.out


@pytest.mark.parametrize("arguments, code, says", [
    (["PROGRAM", "--bisect"], 1, "error[debug.model]: a program alone does not tell what it should compute"),
    ([SMALL, "--bisect", SMALL], 1, "error[debug.model]: a model is compared with itself"),
    (["PROGRAM", "--bisect", MODELS / "tiny_ad_f32.onnx"], 1, "error["),
    ([SMALL, "--tolerance", "1"], 2, "error[usage.contradiction]"),
    ([SMALL, "--bisect", "--command", "step"], 2, "error[usage.contradiction]"),
    ([SMALL, "--bisect", "--tolerance", "-1"], 2, "error[usage.value]"),
    ([SMALL, "--script", "nowhere.txt"], 1, "error[file."),
])
def test_what_cannot_be_debugged_is_told(hadal, program, arguments, code, says):
    failed = hadal("debug", *[program if a == "PROGRAM" else a for a in arguments])
    assert failed.code == code and says in failed.err and failed.out == ""
