"""Quantised models, against ONNX Runtime on a few inputs; bench/quantised does it on 200."""

import numpy as np
import pytest
import quantised_cases
import zoo
from conftest import MODELS


@pytest.mark.parametrize("name", quantised_cases.NAMES)
def test_layers_are_within_one_step(hadal, tmp_path, name):
    layered, program = tmp_path / "model.onnx", tmp_path / "model.hadal"
    layered.write_bytes(quantised_cases.layered(name).SerializeToString())
    hadal.ok("compile", layered, "-o", program)
    references = [quantised_cases.Reference(quantised_cases.layered(name), against) for against in ("integers", "floats")]
    near, total = np.zeros(2), 0
    for value in quantised_cases.inputs(name, 3):
        _, got = zoo.run(program, {"input": value}, tmp_path, "--no-timing")
        total += sum(layer.size for layer in got.values())
        for index, reference in enumerate(references):
            want = reference(value)
            assert got.keys() == want.keys() and all(layer.dtype == np.int8 for layer in got.values())
            near[index] += sum(int((np.abs(got[layer].astype(int) - want[layer]) <= 1).sum()) for layer in want)
            assert got["output"].argmax() == want["output"].argmax()
    assert (near >= 0.98 * total).all()
    events = zoo.run_report(program, {}, tmp_path, "--no-values")["events"]
    assert [key for key in events if key.startswith("macs.")] == ["macs.i8"]


@pytest.mark.parametrize("name", quantised_cases.NAMES)
def test_exact_numerics_differ_by_one_step_at_most(hadal, tmp_path, name):
    inputs = {"input": zoo.stored(name, "in_0")}
    _, fast = zoo.run(MODELS / f"{name}.onnx", inputs, tmp_path / "fast", "--no-timing")
    _, exact = zoo.run(MODELS / f"{name}.onnx", inputs, tmp_path / "exact", "--no-timing", "--numerics", "exact")
    assert np.abs(fast["output"].astype(int) - exact["output"]).max() <= (0 if name == "tiny_ad_int8" else 1)


def test_a_chip_of_integers_alone_runs_a_quantised_model(hadal, tmp_path):
    inputs = {"input": zoo.stored("tiny_ad_int8", "in_0")}
    _, flagship = zoo.run(MODELS / "tiny_ad_int8.onnx", inputs, tmp_path / "a", "--no-timing")
    report, small = zoo.run(MODELS / "tiny_ad_int8.onnx", inputs, tmp_path / "b", "--chip", "gemmini")
    assert np.array_equal(flagship["output"], small["output"])
    assert report["cycles"] >= report["roofline_cycles"]


def test_a_float_model_is_quantised_by_samples(hadal, tmp_path):
    model, inputs = MODELS / "tiny_kws_f32.onnx", quantised_cases.float_inputs("tiny_kws_f32", 18)
    np.save(tmp_path / "samples.npy", np.concatenate(inputs[:8]))
    calibrate = ["--precision", "int8", "--calibrate", f"input={tmp_path}/samples.npy"]
    compiled = hadal.ok("compile", model, *calibrate, "-o", tmp_path / "kws.hadal")
    assert "tensors quantised" in compiled.out and "stay in floats" not in compiled.out
    reference = quantised_cases.float_reference("tiny_kws_f32")
    same = 0
    for value in inputs[8:]:
        _, got = zoo.run(tmp_path / "kws.hadal", {"input": value}, tmp_path, "--no-timing")
        same += got["output"].argmax() == reference({"input": value})["output"].argmax()
    assert same >= 9
    events = zoo.run_report(tmp_path / "kws.hadal", {}, tmp_path, "--no-values")["events"]
    assert [key for key in events if key.startswith("macs.")] == ["macs.i8"]
    assert hadal.ok("run", model, *calibrate, "--chip", "hadal-edge", "--json", "-").report()["precision"] == "i8"


def test_calibration_says_what_it_needs(hadal, tmp_path):
    model = MODELS / "tiny_kws_f32.onnx"
    np.save(tmp_path / "right.npy", quantised_cases.float_inputs("tiny_kws_f32", 1)[0])
    np.save(tmp_path / "wrong.npy", np.zeros((2, 1, 49, 11), np.float32))
    cases = {"usage.contradiction": [f"input={tmp_path}/right.npy"], "input.shape": [f"input={tmp_path}/wrong.npy"],
             "input.name": [f"inptu={tmp_path}/right.npy"]}
    for code, given in cases.items():
        precision = [] if code == "usage.contradiction" else ["--precision", "int8"]
        refused = hadal("run", model, *precision, "--calibrate", *given)
        assert refused.code == (2 if code.startswith("usage") else 1) and f"error[{code}]" in refused.err, refused.err
