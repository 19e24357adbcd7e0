"""What programs compute, against ONNX Runtime, through the command line."""

import json

import numpy as np
import pytest
import zoo
from conftest import MODELS

CASES = zoo.bundled()


def run(hadal, model, inputs, folder, *flags):
    given = zoo.input_flags(inputs, folder)
    report = hadal.ok("run", model, *given, "--output-dir", folder / "out", "--json", "-", *flags).report()
    return {output["name"]: np.load(output["file"]) for output in report["outputs"]}


@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_bundled_models_agree_with_onnx_runtime(hadal, tmp_path, case, precision):
    want = zoo.reference(case)
    got = run(hadal, case.model, case.inputs, tmp_path, "--precision", precision, "--no-timing")
    assert got.keys() == want.keys()
    bound = zoo.bound(case, precision, want)
    for name in want:
        assert zoo.error(got[name], want[name]) <= bound, name
    if case.scores:
        same, decided = zoo.same_labels(got[case.scores], want[case.scores], bound)
        assert same == decided


@pytest.mark.parametrize("name", ["tiny_ad_f32", "tiny_kws_f32", "tiny_resnet8_f32", "tiny_sww_f32", "tiny_vww_f32"])
def test_stored_answers_of_mlperf_tiny(hadal, tmp_path, name):
    for index in range(4):
        np.save(tmp_path / "in.npy", zoo.stored(name, f"in_{index}"))
        np.save(tmp_path / "out.npy", zoo.stored(name, f"out_{index}"))
        report = hadal.ok("run", MODELS / f"{name}.onnx", "--input", f"input={tmp_path}/in.npy", "--expected",
                          f"output={tmp_path}/out.npy", "--no-timing", "--json", "-").report()
        assert [e["ok"] for e in report["expected"]] == [True]


def test_a_wrong_expectation_exits_1_with_everything_written(hadal, tmp_path):
    np.save(tmp_path / "want.npy", np.full((1, 640), 7, np.float32))
    outcome = hadal("run", MODELS / "tiny_ad_f32.onnx", "--expected", f"output={tmp_path}/want.npy", "--json",
                    tmp_path / "run.json", "--output-dir", tmp_path / "out")
    assert outcome.code == 1
    report = json.loads((tmp_path / "run.json").read_text())
    assert not report["expected"][0]["ok"] and report["expected"][0]["error"] > 1e-3
    assert (tmp_path / "out/0_output.npy").exists()


@pytest.mark.parametrize("case", [c for c in CASES if c.name in {"tiny_kws_f32", "cct2_32_opset20", "ultraface_slim320"}], ids=str)
def test_exact_numerics_agree_with_fast(hadal, tmp_path, case):
    fast = run(hadal, case.model, case.inputs, tmp_path / "fast", "--no-timing")
    exact = run(hadal, case.model, case.inputs, tmp_path / "exact", "--no-timing", "--numerics", "exact")
    for name in fast:
        assert zoo.error(fast[name], exact[name]) <= 1e-4


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_program_gives_the_model_s_values_without_the_model(hadal, tmp_path, case):
    model = tmp_path / "model.onnx"
    model.write_bytes(case.model.read_bytes())
    want = run(hadal, model, case.inputs, tmp_path / "model", "--no-timing")
    program = tmp_path / "model.hadal"
    hadal.ok("compile", model, "-o", program)
    model.unlink()
    hadal.ok("verify", program)
    got = run(hadal, program, case.inputs, tmp_path / "program", "--no-timing")
    assert all(np.array_equal(got[name], want[name], equal_nan=True) for name in want)


@pytest.mark.parametrize("flags", [["--precision", "f32"], ["--precision", "bf16"], ["--chip", "hadal-edge"]], ids=" ".join)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_assembling_the_disassembly_gives_the_same_bytes(hadal, tmp_path, case, flags):
    program, text, again = tmp_path / "a.hadal", tmp_path / "a.text", tmp_path / "b.hadal"
    hadal.ok("compile", case.model, "-o", program, *flags)
    hadal.ok("dis", program, "-o", text, "--inline")
    hadal.ok("asm", text, "-o", again)
    assert program.read_bytes() == again.read_bytes()


def test_files_are_known_by_their_bytes(hadal, tmp_path):
    """Published labels and scores of magika, through one program (all of them: bench/values)."""
    rows, names = zoo.magika_labels()
    program = tmp_path / "magika.hadal"
    hadal.ok("compile", MODELS / "magika_v3_3.onnx", "-o", program)
    for tokens, label, score, _ in rows[::6]:
        best = run(hadal, program, {"bytes": tokens}, tmp_path, "--no-timing")["target_label"][0]
        assert names[best.argmax()] == label and abs(best.max() - score) <= 1e-3


def test_pictures_are_read_bilinear_in_either_order(hadal, tmp_path):
    """order=bgr swaps the channels; mean and scale act as (x - mean) * scale on RGB 0..1."""
    picture = MODELS / "pictures/coffee.png"
    model = MODELS / "fastestdet.onnx"
    want = zoo.reference(zoo.Case("", model, {"input.1": zoo.picture("coffee.png", 352, 352)[:, ::-1].copy()}))["758"]
    report = hadal.ok("run", model, "--input", f"input.1={picture},order=bgr", "--output-dir", tmp_path, "--no-timing",
                      "--json", "-").report()
    got = np.load(report["outputs"][0]["file"])
    # Resizing rules differ in detail (antialiasing, rounding to bytes): the detector's answer must be the same cup.
    assert np.abs(got[0, 0] - want[0, 0]).max() < 0.2
    assert got[0, 5:].max(axis=0)[got[0, 0] > 0.5].size > 0


def test_seeds_decide_inputs_that_are_not_given(hadal, tmp_path):
    def values(seed):
        report = hadal.ok("run", MODELS / "tiny_ad_f32.onnx", "--seed", seed, "--output-dir", tmp_path / str(seed),
                          "--no-timing", "--json", "-").report()
        return np.load(report["outputs"][0]["file"])

    assert np.array_equal(values(0), values(0)) and not np.array_equal(values(0), values(1))


def test_symbolic_sizes_are_bound_by_inputs_and_by_shape(hadal, tmp_path):
    model = MODELS / "magika_v3_3.onnx"
    report = hadal.ok("run", model, "--shape", "bytes=3,2048", "--json", "-", "--no-values").report()
    assert report["outputs"][0]["shape"] == [3, 214]
    tokens = np.repeat(zoo.magika_labels()[0][5][0], 2, axis=0)
    got = run(hadal, model, {"bytes": tokens}, tmp_path, "--no-timing")["target_label"]
    assert got.shape == (2, 214) and np.allclose(got[0], got[1], atol=1e-5)
