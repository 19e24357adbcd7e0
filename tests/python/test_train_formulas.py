"""Losses and optimisers on a linear layer, against their formulas in NumPy, whose gradients are differences in f64."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

SAMPLES, BATCH, STEPS, INPUTS, OUTPUTS = 6, 4, 4, 5, 3
RANDOM = np.random.default_rng(0)
START = {"w": RANDOM.normal(size=(INPUTS, OUTPUTS)).astype(np.float32), "b": RANDOM.normal(size=OUTPUTS).astype(np.float32)}
X = RANDOM.normal(size=(SAMPLES, INPUTS)).astype(np.float32)
CLASSES = np.array([0, 2, 1, 1, 0, 2])
TARGETS = RANDOM.uniform(size=(SAMPLES, OUTPUTS)).astype(np.float32) * 3
SHARES = TARGETS / TARGETS.sum(1, keepdims=True)


def log_softmax(x):
    x = x - x.max(1, keepdims=True)
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def cross_entropy(x, t, ignored=None, smoothing=0.0):
    log = log_softmax(x)
    if t.ndim == 2:
        return -(t * log).sum(1).mean()
    each = -(1 - smoothing) * log[np.arange(len(t)), np.where(t == ignored, 0, t)] - smoothing * log.mean(1)
    return each[t != ignored].mean()


def huber(x, t):
    d = np.abs(x - t)
    return np.where(d < 1, d * d / 2, d - 0.5).mean()


LOSSES = {
    "classes": (["cross_entropy"], CLASSES, cross_entropy),
    "shares": (["cross_entropy"], SHARES, cross_entropy),
    "smoothed": (["cross_entropy", "--label-smoothing", "0.1"], CLASSES, lambda x, t: cross_entropy(x, t, smoothing=0.1)),
    "ignored": (["cross_entropy", "--ignore-index", "1"], CLASSES, lambda x, t: cross_entropy(x, t, ignored=1)),
    "outside": (["cross_entropy", "--ignore-index", "-100"], np.where(CLASSES == 1, -100, CLASSES),
                lambda x, t: cross_entropy(x, t, ignored=-100)),
    "mse": (["mse"], TARGETS, lambda x, t: ((x - t) ** 2).mean()),
    "l1": (["l1"], TARGETS, lambda x, t: np.abs(x - t).mean()),
    "huber": (["huber"], TARGETS, huber),
    "bce": (["bce"], (TARGETS > 1).astype(np.int64), lambda x, t: (np.logaddexp(0, x) - x * t).mean()),
}


def sgd(w, g, state, t, lr, momentum=0.0, nesterov=False, decay=0.0):
    g = g + decay * w
    v = state["v"] = momentum * state.get("v", 0) + g
    return w - lr * (g + momentum * v if nesterov else v)


def adam(w, g, state, t, lr, decay=0.0, apart=False):
    if apart:
        w = w * (1 - lr * decay)
    else:
        g = g + decay * w
    m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
    v = state["s"] = 0.999 * state.get("s", 0) + 0.001 * g * g
    return w - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


OPTIMIZERS = {
    "sgd": (["--lr", "0.1"], dict(lr=0.1), sgd),
    "decay": (["--lr", "0.1", "--weight-decay", "0.3"], dict(lr=0.1, decay=0.3), sgd),
    "momentum": (["--lr", "0.1", "--momentum", "0.9"], dict(lr=0.1, momentum=0.9), sgd),
    "nesterov": (["--lr", "0.1", "--momentum", "0.9", "--nesterov", "--weight-decay", "0.1"],
                 dict(lr=0.1, momentum=0.9, nesterov=True, decay=0.1), sgd),
    "adam": (["--optimizer", "adam", "--lr", "0.05", "--weight-decay", "0.1"], dict(lr=0.05, decay=0.1), adam),
    "adamw": (["--optimizer", "adamw", "--lr", "0.05", "--weight-decay", "0.3"], dict(lr=0.05, decay=0.3, apart=True), adam),
}


def model(path):
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], "linear")], "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", OUTPUTS])],
        [numpy_helper.from_array(value, name) for name, value in START.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def expected(loss, labels, update, options):
    """Losses of all steps, and the weights behind the last one."""
    w = {name: value.astype(np.float64) for name, value in START.items()}
    states, losses = {name: {} for name in w}, []
    for step in range(STEPS):
        rows = (np.arange(BATCH) + step * BATCH) % SAMPLES

        def at(weights):
            return loss(X[rows].astype(np.float64) @ weights["w"] + weights["b"], labels[rows])
        losses.append(at(w))
        gradients = {name: np.zeros_like(value) for name, value in w.items()}
        for name in w:
            for i in np.ndindex(w[name].shape):
                for sign in (1, -1):
                    moved = {k: v.copy() for k, v in w.items()}
                    moved[name][i] += sign * 1e-6
                    gradients[name][i] += sign * at(moved) / 2e-6
        w = {name: update(w[name], gradients[name], states[name], step + 1, **options) for name in w}
    return losses, w


def check(hadal, folder, loss, optimizer):
    flags, labels, formula = LOSSES[loss]
    more, options, update = OPTIMIZERS[optimizer]
    model(folder / "m.onnx")
    np.savez(folder / "d.npz", x=X, label=labels)
    hadal.ok("train", "--model", folder / "m.onnx", "--data", folder / "d.npz", "--loss", *flags, *more, "--batch", BATCH,
             "--steps", STEPS, "--no-shuffle", "--metrics", folder / "m.jsonl", "--output", folder / "o.onnx")
    losses, weights = expected(formula, labels, update, options)
    found = [json.loads(line)["loss"] for line in (folder / "m.jsonl").read_text().splitlines()]
    np.testing.assert_allclose(found, losses, rtol=2e-5)
    for tensor in onnx.load(folder / "o.onnx").graph.initializer:
        np.testing.assert_allclose(numpy_helper.to_array(tensor), weights[tensor.name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(hadal, tmp_path, loss):
    check(hadal, tmp_path, loss, "sgd")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(hadal, tmp_path, optimizer):
    check(hadal, tmp_path, "mse", optimizer)


def test_epochs_take_every_sample_once_in_another_order(hadal, tmp_path):
    """Batches of one sample and a rate of 0: an epoch's losses are those of the samples, permuted; the next one's too."""
    model(tmp_path / "m.onnx")
    np.savez(tmp_path / "d.npz", x=X, label=TARGETS)
    losses = {}
    for seed in ("0", "0", "1"):
        hadal.ok("train", "--model", tmp_path / "m.onnx", "--data", tmp_path / "d.npz", "--loss", "mse", "--lr", "0", "--batch", "1",
                 "--epochs", "2", "--seed", seed, "--metrics", tmp_path / "m.jsonl", "--output", tmp_path / "o.onnx")
        found = [json.loads(line)["loss"] for line in (tmp_path / "m.jsonl").read_text().splitlines()]
        assert losses.setdefault(seed, found) == found
    first, second = losses["0"][:SAMPLES], losses["0"][SAMPLES:]
    assert len(losses["0"]) == 2 * SAMPLES and sorted(first) == sorted(second) and first != second
    assert losses["0"] != losses["1"]
