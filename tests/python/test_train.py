"""`hadal train`: loss curves against JAX's (bench/train/curves.json), checkpoints, and what it says to bad input."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
import onnxruntime
import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "bench" / "train"))
import digits  # noqa: E402

CURVES = json.loads((digits.HERE / "curves.json").read_text())
SHORT = 12  # Steps of the tests; bench/train runs all.


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return digits.write(tmp_path_factory.mktemp("digits"))


def train(files, folder, *more, steps=SHORT, kind="sgd"):
    model, data = files
    return ["train", "--model", model, "--data", data, "--loss", "cross_entropy", *digits.FLAGS[kind], "--batch", digits.BATCH,
            "--steps", steps, "--no-shuffle", "--output", folder / "out.onnx", *more]


def lines_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def weights_of(file):
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer}


def same_weights(a, b):
    a, b = weights_of(a), weights_of(b)
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


@pytest.mark.parametrize("kind", CURVES)
def test_loss_curve_is_that_of_jax(hadal, files, tmp_path, kind):
    hadal.ok(*train(files, tmp_path, "--metrics", tmp_path / "m.jsonl", kind=kind))
    lines = lines_of(tmp_path / "m.jsonl")
    assert [line["step"] for line in lines] == list(range(1, SHORT + 1))
    np.testing.assert_allclose([line["loss"] for line in lines], CURVES[kind][:SHORT], rtol=1e-4)
    # The model opens elsewhere, is trained, and its running statistics moved.
    session = onnxruntime.InferenceSession(tmp_path / "out.onnx", providers=["CPUExecutionProvider"])
    images, labels = digits.data()
    found = session.run(None, {"image": images[: digits.BATCH]})[0]
    assert found.shape == (digits.BATCH, 10)
    before, after = digits.parameters(), weights_of(tmp_path / "out.onnx")
    assert all(not np.array_equal(before[name], after[name]) for name in before)


def test_cycles_are_those_without_values(hadal, files, tmp_path):
    out = hadal.ok(*train(files, tmp_path, "--metrics", tmp_path / "m.jsonl", steps=2)).out
    model, data = files
    without = hadal.ok("train", "--model", model, "--data", data, "--loss", "cross_entropy", *digits.FLAGS["sgd"], "--batch",
                       digits.BATCH, "--no-values").out
    cycles = {line["cycles"] for line in lines_of(tmp_path / "m.jsonl")}
    assert len(cycles) == 1 and f"a step takes {cycles.pop()} cycles" in without
    assert "a step takes" in out


def test_frozen_parameters_stay(hadal, files, tmp_path):
    hadal.ok(*train(files, tmp_path, "--freeze", "conv*", "--freeze", "norm.mean", steps=2))
    before, after = digits.parameters(), weights_of(tmp_path / "out.onnx")
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {"norm.scale", "norm.bias", "norm.var", "fc.w", "fc.b"}


# --- checkpoints

def whole_run(hadal, files, folder):
    folder.mkdir()
    hadal.ok(*train(files, folder, "--metrics", folder / "m.jsonl"))
    return folder


def checkpointed(files, folder, *more, every=2):
    return train(files, folder, "--checkpoint", folder / "run", "--checkpoint-every", every, "--metrics", folder / "m.jsonl",
                 *more)


def test_a_killed_run_resumes_to_the_same_bits(hadal, files, tmp_path):
    whole = whole_run(hadal, files, tmp_path / "whole")
    random = np.random.default_rng(0)
    for trial in range(3):
        folder = tmp_path / f"killed{trial}"
        folder.mkdir()
        command = [hadal.binary, *map(str, checkpointed(files, folder, every=1))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (folder / "m.jsonl").exists():
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.05))
        process.kill()
        process.wait()
        hadal.ok(*checkpointed(files, folder, "--resume", every=1))
        assert same_weights(folder / "out.onnx", whole / "out.onnx")
        assert (folder / "m.jsonl").read_text() == (whole / "m.jsonl").read_text()


@pytest.mark.parametrize("suffix", ["safetensors", "json"])
@pytest.mark.parametrize("damage", ["torn", "flipped"])
def test_a_broken_checkpoint_is_named_and_skipped(hadal, files, tmp_path, suffix, damage):
    hadal.ok(*checkpointed(files, tmp_path, every=4))
    whole = (tmp_path / "out.onnx").read_bytes()
    last = sorted((tmp_path / "run").glob(f"*.{suffix}"))[-1]
    data = bytearray(last.read_bytes())
    if damage == "torn":
        data = data[: len(data) // 2]
    else:
        data[len(data) // 2] ^= 4
    last.write_bytes(data)
    done = hadal.ok(*checkpointed(files, tmp_path, "--resume", every=4))
    assert f"checkpoint step-{SHORT:08} is skipped" in done.out and "resumed behind step 8" in done.out
    assert (tmp_path / "out.onnx").read_bytes() == whole


def test_a_checkpoint_of_another_run_is_an_error(hadal, files, tmp_path):
    hadal.ok(*checkpointed(files, tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    made = onnx.load(files[0])
    made.graph.initializer[0].raw_data = b"\0" * len(made.graph.initializer[0].raw_data)
    onnx.save(made, other / "model.onnx")
    done = hadal(*train((other / "model.onnx", files[1]), tmp_path, "--checkpoint", tmp_path / "run", "--resume"))
    assert done.code == 1 and "checkpoint.run" in done.err and "another model" in done.err
    done = hadal(*checkpointed(files, tmp_path, "--resume", "--seed", "7"))
    assert done.code == 1 and "--seed" in done.err
    done = hadal(*checkpointed(files, tmp_path))
    assert done.code == 1 and "train.checkpoints" in done.err and "--resume" in done.err


def test_an_interrupt_saves_and_ends_cleanly(hadal, files, tmp_path):
    command = [hadal.binary, *map(str, checkpointed(files, tmp_path, "--resume", every=1000))]
    command[command.index("--steps") + 1] = "1000000"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.poll() is None and not ((tmp_path / "m.jsonl").exists() and (tmp_path / "m.jsonl").read_text().count("\n") > 2):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    done = len(lines_of(tmp_path / "m.jsonl"))
    assert f"interrupted behind step {done}" in out.decode()
    assert (tmp_path / "run" / f"step-{done:08}.json").exists()
    onnx.checker.check_model(str(tmp_path / "out.onnx"))


# --- bad input: one error, and no output

def refused(hadal, files, folder, code, *words, rate=None):
    flags = train(files, folder)
    if rate:
        flags[flags.index("--lr") + 1] = rate
    done = hadal(*flags)
    assert done.code in (1, 2) and done.err.count("error[") == 1 and f"error[{code}]" in done.err, done.err
    for word in words:
        assert word in done.err, done.err
    assert not (folder / "out.onnx").exists()


def with_arrays(files, folder, **arrays):
    given = dict(np.load(files[1])) | arrays
    np.savez(folder / "data.npz", **{name: array for name, array in given.items() if array is not None})
    return files[0], folder / "data.npz"


@pytest.mark.parametrize("arrays, code, words", [
    ({"label": np.full(digits.TRAINED_ON, 10)}, "data.label", ["sample 0 is 10", "0 to 9"]),
    ({"label": np.full(digits.TRAINED_ON, -1)}, "data.label", ["--ignore-index"]),
    ({"label": None}, "data.missing", ["label"]),
    ({"image": None}, "data.missing", ["image"]),
    ({"label": np.zeros(5, np.int64)}, "data.samples", ["5 samples"]),
    ({"label": np.zeros((digits.TRAINED_ON, 3), np.int64)}, "train.label", ["32x3", "32x10"]),
    ({"image": np.zeros((digits.TRAINED_ON, 1, 8), np.float32)}, "onnx.shape", ["image"]),
    ({"image": np.zeros((digits.TRAINED_ON, 1, 8, 9), np.float32)}, "onnx.shape", ["image"]),
])
def test_data_that_do_not_fit_are_an_error(hadal, files, tmp_path, arrays, code, words):
    refused(hadal, with_arrays(files, tmp_path, **arrays), tmp_path, code, *words)


@pytest.mark.parametrize("data", [b"", b"PK\3\4 no archive", "torn"])
def test_a_broken_archive_is_an_error(hadal, files, tmp_path, data):
    bytes_ = files[1].read_bytes()[:-200] if data == "torn" else data
    (tmp_path / "data.npz").write_bytes(bytes_)
    refused(hadal, (files[0], tmp_path / "data.npz"), tmp_path, "npz.read")


def test_a_model_that_ends_in_softmax_is_an_error(hadal, files, tmp_path):
    onnx.save(digits.model(softmax=True), tmp_path / "model.onnx")
    refused(hadal, (tmp_path / "model.onnx", files[1]), tmp_path, "train.softmax", "logits", "without its last node")


def test_a_loss_that_is_not_finite_names_step_and_layer(hadal, files, tmp_path):
    refused(hadal, files, tmp_path, "train.nan", "step", "node '", rate="1e30")


@pytest.mark.parametrize("more, code", [
    (["--freeze", "nothing"], "train.freeze"), (["--freeze", "*"], "train.nothing"), (["--lr", "-1"], "usage.value"),
    (["--loss", "cross_entropi"], "usage.value"), (["--optimizer", "adam"], "usage.contradiction"),
    (["--resume"], "usage.contradiction"), (["--epochs", "2"], "usage.contradiction"), (["--precision", "bf16"], "usage.value"),
])
def test_flags_that_do_not_fit_are_an_error(hadal, files, tmp_path, more, code):
    flags = train(files, tmp_path)
    for name in more[::2]:
        if name in flags and len(more) > 1:
            del flags[flags.index(name) : flags.index(name) + 2]
    done = hadal(*flags, *more)
    assert done.code in (1, 2) and done.err.count("error[") == 1 and f"error[{code}]" in done.err, done.err
