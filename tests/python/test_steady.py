"""Steady loops are not run out, and `--no-extrapolation` does: the same counts, and cycles within half a percent."""

import json

import onnx
import outlines
import pytest
from conftest import MODELS


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    file = tmp_path_factory.mktemp("steady") / "gemm.onnx"
    onnx.save(outlines.gemm(8192), file)
    return file


@pytest.mark.parametrize("chip, share", [("tpu-v3", 0.8), ("tpu-v6e", 0.15)])
def test_a_long_product_takes_what_it_takes_run_out(hadal, model, tmp_path, chip, share):
    given = ["run", model, "--no-values", "--effort", "0", "--precision", "bf16", "--chip", chip, "--json", "-"]
    some, traced, every = (hadal.ok(*given, *more).report()
                           for more in ([], ["--trace", tmp_path / "t.json"], ["--no-extrapolation"]))
    assert some["simulator"]["extrapolated_instructions"] > share * some["instructions"]["executed"]
    assert every["simulator"]["extrapolated_instructions"] == 0
    assert some["cycles"] == pytest.approx(every["cycles"], rel=0.005)
    assert some["instructions"] == every["instructions"]
    assert {**some["events"], "noc.hop_bytes": 0} == {**every["events"], "noc.hop_bytes": 0}
    assert some["cycles"] == traced["cycles"]
    spans = [event for event in json.loads((tmp_path / "t.json").read_text())["traceEvents"] if event.get("ph") == "X"]
    assert len(spans) >= some["instructions"]["executed"]


def test_commands_of_the_memory_are_never_left_out(hadal):
    report = hadal.ok("run", MODELS / "tiny_ad_f32.onnx", "--no-values", "--memory", "exact", "--json", "-").report()
    assert report["simulator"]["extrapolated_instructions"] == 0


def test_without_timing_there_is_nothing_to_extrapolate(hadal):
    outcome = hadal("run", MODELS / "tiny_ad_f32.onnx", "--no-timing", "--no-extrapolation")
    assert outcome.code == 2 and "--no-extrapolation" in outcome.err
