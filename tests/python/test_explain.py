"""Explanations: their parts sum to the cycles, and levers are what the chip that they describe does."""

import json

import pytest
from conftest import MODELS

CASES = [("tiny_resnet8_f32", "hadal-1"), ("cct2_32_opset20", "hadal-1"), ("fastestdet", "hadal-edge"), ("tiny_kws_f32", "a100"),
         ("magika_v3_3", "tpu-v3-chip")]


@pytest.mark.parametrize("name, chip", CASES)
def test_paths_sum_to_the_cycles(hadal, name, chip):
    flags = [MODELS / f"{name}.onnx", "--chip", chip, "--precision", "bf16", "--json", "-"]
    run, why = hadal.ok("run", *flags, "--no-values").report(), hadal.ok("explain", *flags).report()
    assert why["cycles"] == run["cycles"] and why["schema"] == "hadal.explain/1"
    assert sum(why["path"].values()) == run["cycles"]
    for spent, cycles in why["path"].items():
        assert sum(layer["path"][spent] for layer in why["layers"]) == cycles, spent
    assert [layer["name"] for layer in why["layers"]] == [layer["name"] for layer in run["layers"]]
    for queue in why["queues"]:
        assert 0 <= queue["busy"] <= queue["busy"] + queue["waiting"] <= 1
        assert sum(wait["share"] for wait in queue["waits"]) == pytest.approx(queue["waiting"])
    assert why["path"]["launch"] > 0


def test_levers_are_the_cycles_of_that_chip(hadal, tmp_path):
    program = tmp_path / "a.hadal"
    hadal.ok("compile", MODELS / "fastestdet.onnx", "--precision", "bf16", "-o", program)
    why = hadal.ok("explain", program, "--json", "-").report()
    assert [lever["cycles"] for lever in why["levers"]] == sorted(lever["cycles"] for lever in why["levers"])
    levers = {lever["field"]: lever for lever in why["levers"]}
    assert {"matrix.rows_per_cycle", "memory.bytes_per_second", "host.launch"} <= set(levers)
    for field in ["memory.bytes_per_second", "memory.latency", "dma.issue_cycles", "host.launch"]:
        table, key = field.split(".")
        lever = levers[field]
        chip = tmp_path / f"{key}.toml"
        chip.write_text(f'extends = "hadal-1"\nname = "x"\nsummary = "x"\n[{table}]\n{key} = "{lever["after"]}"\n')
        run = hadal.ok("run", program, "--no-values", "--chip", chip, "--json", "-").report()
        assert run["cycles"] == lever["cycles"] != why["cycles"], field


def test_neither_threads_nor_repeats_change_it(hadal, tmp_path):
    flags = ["explain", MODELS / "tiny_vww_f32.onnx", "--chip", "hadal-edge", "--json", "-"]
    first, second = (json.loads(hadal.ok(*flags, "--threads", threads).out) for threads in ["1", "3"])
    assert first == second


def test_a_layer_is_shown_with_its_code(hadal):
    model = MODELS / "tiny_resnet8_f32.onnx"
    layer = hadal.ok("explain", model, "--json", "-").report()["layers"][1]
    for name in [layer["name"], *layer["nodes"]]:
        text = hadal.ok("explain", model, "--layer", name).out
        assert "conv " in text and "wait " in text


@pytest.mark.parametrize("flags, word", [(["--layer", "con1"], "no layer or node"), (["--layers", "many"], "--layers"),
                                         (["--json", "/nowhere/x.json"], "/nowhere"), (["--threads", "0"], "--threads")])
def test_wrong_flags(hadal, flags, word):
    outcome = hadal("explain", MODELS / "tiny_ad_f32.onnx", *flags)
    assert outcome.code != 0 and word in outcome.err and outcome.out == ""
