"""The cycles come from the machine that runs the program: its instructions, their order, and the chip's queues and latencies."""

import re

import numpy as np
import pytest
import zoo
from conftest import MODELS, ROOT

NAMES = ["tiny_ad_f32", "tiny_resnet8_f32", "fastestdet"]
KNOBS = {"queue depth 1": "[sequencer]\nqueue_depth = 1", "one transfer in flight": "[dma]\noutstanding = 1",
         "ten times the signal latency": '[sequencer]\nsignal_latency_cycles = "40 cycles"'}


def variant(folder, base, tables):
    """A chip that differs from `base` in these lines of its description."""
    file = folder / "variant.toml"
    file.write_text(f'extends = "{base}"\nname = "{base}-variant"\nsummary = "A variant for a test."\n{tables}\n')
    return file


class Machine:
    """Assembles text and runs it on one chip."""

    def __init__(self, hadal, folder, chip):
        self.hadal, self.folder, self.chip = hadal, folder, chip

    def __call__(self, text, **inputs):
        """Values by output, and cycles."""
        source, program = self.folder / "program.text", self.folder / "program.hadal"
        source.write_text(text)
        self.hadal.ok("asm", source, "-o", program)
        self.hadal.ok("verify", program)
        given = [*zoo.input_flags(inputs, self.folder), "--chip", self.chip]
        report = self.hadal.ok("run", program, *given, "--output-dir", self.folder, "--json", "-").report()
        assert report["instructions"]["machines_agree"]
        return {output["name"]: np.load(output["file"]) for output in report["outputs"]}, report["cycles"]


@pytest.fixture(params=NAMES)
def compiled(request, hadal, tmp_path):
    """(machine, text, values, cycles) of a bundled model in bf16."""
    program = tmp_path / "a.hadal"
    hadal.ok("compile", MODELS / f"{request.param}.onnx", "--precision", "bf16", "-o", program)
    text = hadal.ok("dis", program, "--inline").out
    machine = Machine(hadal, tmp_path, "hadal-1")
    return machine, text, *machine(text)


def same(values, others):
    return all(np.array_equal(values[name], others[name]) for name in values)


@pytest.mark.parametrize("name", NAMES)
def test_shallow_queues_single_transfers_and_slow_signals_cost_cycles(hadal, tmp_path, name):
    program = tmp_path / "a.hadal"
    hadal.ok("compile", MODELS / f"{name}.onnx", "--precision", "bf16", "-o", program)
    cycles = lambda chip: hadal.ok("run", program, "--no-values", "--chip", chip, "--json", "-").report()["cycles"]
    given = cycles("hadal-1")
    for knob, tables in KNOBS.items():
        assert cycles(variant(tmp_path, "hadal-1", tables)) > given, knob


def test_a_fence_between_layers_costs_cycles(compiled):
    """Weights of a layer are not fetched before the products of the layer before it are done."""
    machine, text, values, cycles = compiled
    text = re.sub(r"(semaphore .*\n)(?!semaphore)", r"\1semaphore fence 0 for prefetch\n", text)
    fence = "  sync on matrix  signal fence\n  sync on prefetch  wait fence\n"
    fenced, slower = machine(re.sub(r"(  at [1-9].*\n)", r"\1" + fence, text))
    assert same(fenced, values) and slower > cycles


def test_idle_instructions_move_the_cycles(compiled):
    """Instructions that neither wait nor signal delay what is issued behind them. A few may let loads pass each other in
    a luckier order; many cost time."""
    machine, text, values, cycles = compiled
    few, many = (machine(text.replace("\ncode\n", "\ncode\n" + "  sync on load\n" * count)) for count in (32, 512))
    assert same(few[0], values) and same(many[0], values)
    assert few[1] != cycles and many[1] > cycles


def moved_loads(text):
    """Texts in which a load comes behind the other loads that follow it."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if not re.match(r" +load ", line):
            continue
        end, names = index + 1, set(re.findall(r"\br\d+", line))
        while re.match(r" +(let|load) ", lines[end]) and not {*re.findall(r" let (r\d+)", lines[end])} & names:
            end += 1
        if any(re.match(r" +load ", other) for other in lines[index + 1 : end]):
            yield "\n".join([*lines[:index], *lines[index + 1 : end], line, *lines[end:]])


def test_moving_a_load_moves_the_cycles_and_no_value(compiled):
    machine, text, values, cycles = compiled
    moved = [machine(other) for other, _ in zip(moved_loads(text), range(3))]
    assert all(same(others, values) for others, _ in moved)
    assert any(others != cycles for _, others in moved)


# Programs by hand, which the compiler would not write.


def by_hand(name):
    return (ROOT / f"tests/data/{name}.hasm").read_text()


@pytest.fixture
def edge(hadal, tmp_path):
    return Machine(hadal, tmp_path, "hadal-edge")


def test_double_buffers_beat_single_ones(edge):
    text = by_hand("stream")
    runs = [edge(re.sub(r"_free 4 for", f"_free {slots} for", text)) for slots in [1, 2, 4]]
    assert all(same(values, runs[0][0]) for values, _ in runs)
    one, two, four = (cycles for _, cycles in runs)
    assert one > two > four


def test_a_chain_of_products_is_slower_than_independent_ones(edge):
    text = by_hand("power")
    x, w = zoo.random("x", (16, 32), -1), zoo.random("w", (32, 32), -0.3, 0.3)
    values, chain = edge(text, x=x, w=w)
    assert zoo.error(values["y"], x @ np.linalg.matrix_power(w.astype(np.float64), 8)) <= 1e-5
    _, independent = edge(text.replace("  wait done  signal done", ""), x=x, w=w)
    assert chain > independent


def test_two_queues_load_faster_than_one(hadal, tmp_path):
    """Where a queue has one transfer in flight."""
    machine = Machine(hadal, tmp_path, variant(tmp_path, "hadal-edge", KNOBS["one transfer in flight"]))
    text = by_hand("two_queues")
    values, two = machine(text)
    others, one = machine(text.replace("load on prefetch", "load"))
    assert same(values, others) and two < one


def test_examples_run_on_their_own_cores(hadal, tmp_path):
    """`vector` is for two cores that meet at a barrier: sixteen have no others that could join in."""
    for name, chip in [("conv_pool", "hadal-edge"), ("matmul", "hadal-1"), ("vector", "hadal-1")]:
        values, cycles = Machine(hadal, tmp_path, chip)(by_hand(name))
        assert all(np.isfinite(value).all() for value in values.values()) and cycles > 3000, name  # The launch alone.
    pair = variant(tmp_path, "hadal-1", "cores = 2\n[network]\nx = 2\ny = 1")
    assert same(values, Machine(hadal, tmp_path, pair)(by_hand("vector"))[0])
