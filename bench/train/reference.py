"""Writes digits.npz and curves.json: the loss of each step of JAX, in f32, from the same weights and in the same order.

    scripts/setup requirements-jax.txt && .venv/bin/python bench/train/reference.py
"""

import json

import digits
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn
from sklearn.datasets import load_digits

STATISTICS = {"norm.mean", "norm.var"}


def convolution(x, w, b):
    y = lax.conv_general_dilated(x, w, (1, 1), [(1, 1), (1, 1)], dimension_numbers=("NCHW", "OIHW", "NCHW"),
                                 precision=lax.Precision.HIGHEST)
    return y + b[:, None, None]


def pooled(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def loss_of(w, x, labels):
    y = convolution(x, w["conv1.w"], w["conv1.b"])
    mean = y.mean((0, 2, 3), keepdims=True)
    variance = ((y - mean) ** 2).mean((0, 2, 3), keepdims=True)
    y = (y - mean) / jnp.sqrt(variance + 1e-5) * w["norm.scale"][:, None, None] + w["norm.bias"][:, None, None]
    y = pooled(nn.relu(y))
    y = pooled(nn.relu(convolution(y, w["conv2.w"], w["conv2.b"])))
    logits = jnp.matmul(y.reshape(len(x), -1), w["fc.w"].T, precision=lax.Precision.HIGHEST) + w["fc.b"]
    return -jnp.take_along_axis(nn.log_softmax(logits), labels[:, None], 1).mean()


def sgd(w, g, state, step, rate=0.05, momentum=0.9):
    state = {k: momentum * state.get(k, 0) + g[k] for k in w}
    return {k: w[k] - rate * state[k] for k in w}, state


def adamw(w, g, state, step, rate=0.002, decay=0.01, b1=0.9, b2=0.999, epsilon=1e-8):
    m = {k: b1 * state.get(("m", k), 0) + (1 - b1) * g[k] for k in w}
    v = {k: b2 * state.get(("v", k), 0) + (1 - b2) * g[k] ** 2 for k in w}
    w = {k: w[k] * (1 - rate * decay) - rate * (m[k] / (1 - b1**step)) / (jnp.sqrt(v[k] / (1 - b2**step)) + epsilon) for k in w}
    return w, {("m", k): m[k] for k in m} | {("v", k): v[k] for k in v}


def curve(update):
    images, labels = digits.data()
    w = {k: jnp.asarray(v) for k, v in digits.parameters().items() if k not in STATISTICS}
    gradient, state, losses = jax.jit(jax.value_and_grad(loss_of)), {}, []
    for step in range(digits.STEPS):
        rows = (np.arange(digits.BATCH) + step * digits.BATCH) % digits.TRAINED_ON
        loss, g = gradient(w, images[rows], labels[rows])
        w, state = update(w, g, state, step + 1)
        losses.append(float(loss))
    return losses


if __name__ == "__main__":
    bunch = load_digits()
    np.savez_compressed(digits.HERE / "digits.npz", images=bunch.images.astype(np.uint8), labels=bunch.target.astype(np.uint8))
    curves = {"sgd": curve(sgd), "adamw": curve(adamw)}
    lines = [f'  "{name}": [{", ".join(f"{loss:.8g}" for loss in losses)}]' for name, losses in curves.items()]
    (digits.HERE / "curves.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print({name: (losses[0], losses[-1]) for name, losses in curves.items()}, "JAX", jax.__version__)
