"""Writes tests/data/gradients.json: cases of every op that a gradient flows through, with JAX's gradients in f64.

    scripts/setup requirements-jax.txt && .venv/bin/python bench/gradients/golden.py

Operands are a formula of their position (`numbers`), which the test repeats; the loss is the sum of the first result
times such numbers. A case is one op of the graph with its attributes (src/graph/ops.h), and what JAX says it computes.
"""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn

jax.config.update("jax_enable_x64", True)
OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "data" / "gradients.json"
UPSTREAM = 99  # The operand number of what the first result is multiplied by.


def numbers(shape, operand, low, high):
    """A number in [low, high) for each position: a hash of 32 bits of it and the operand's number."""
    mask = 0xFFFFFFFF
    out = []
    for i in range(int(np.prod(shape, dtype=np.int64))):
        u = (i * 2654435761 + operand * 40503 + 12345) & mask
        for _ in range(2):
            u = ((u ^ (u >> 16)) * 0x45D9F3B) & mask
        out.append(low + (high - low) * ((u ^ (u >> 16)) / 2.0**32))
    return np.array(out, np.float64).reshape(shape)


class F:
    """A float operand: its shape, and what its elements lie between."""

    def __init__(self, *shape, low=-2.0, high=2.0):
        self.shape, self.low, self.high = shape, low, high


class I:
    """An operand of indices."""

    def __init__(self, values):
        self.values = np.array(values, np.int64)
        self.shape = self.values.shape


CASES = []


def case(op, function, *operands, **attributes):
    CASES.append((op, function, operands, attributes))


# --- element by element

def gelu(x):
    return nn.gelu(x, approximate=False)


UNARY = {
    "neg": lambda x: -x, "abs": jnp.abs, "sign": jnp.sign, "floor": jnp.floor, "ceil": jnp.ceil, "round": jnp.round,
    "exp": jnp.exp, "sin": jnp.sin, "cos": jnp.cos, "sinh": jnp.sinh, "cosh": jnp.cosh, "tanh": jnp.tanh,
    "asinh": jnp.arcsinh, "atan": jnp.arctan, "erf": jax.scipy.special.erf, "relu": nn.relu, "sigmoid": nn.sigmoid,
    "hard_swish": lambda x: x * jnp.clip(x / 6 + 0.5, 0, 1), "silu": nn.silu, "gelu": gelu, "gelu_tanh": nn.gelu,
    "softplus": nn.softplus, "softsign": nn.soft_sign, "mish": lambda x: x * jnp.tanh(nn.softplus(x)),
}
POSITIVE = {"log": jnp.log, "sqrt": jnp.sqrt, "rsqrt": lax.rsqrt, "reciprocal": jnp.reciprocal}
INSIDE_ONE = {"asin": jnp.arcsin, "acos": jnp.arccos, "atanh": jnp.arctanh, "tan": jnp.tan}
WITH_ALPHA = {
    "leaky_relu": (lambda x, alpha: jnp.where(x < 0, alpha * x, x), {"alpha": 0.1}),
    "elu": (lambda x, alpha: nn.elu(x, alpha), {"alpha": 1.5}),
    "selu": (lambda x, alpha, beta: beta * jnp.where(x > 0, x, alpha * jnp.expm1(x)), {"alpha": 1.6, "beta": 1.1}),
    "celu": (lambda x, alpha: nn.celu(x, alpha), {"alpha": 0.7}),
    "hard_sigmoid": (lambda x, alpha, beta: jnp.clip(alpha * x + beta, 0, 1), {"alpha": 0.4, "beta": 0.5}),
    "thresholded_relu": (lambda x, alpha: jnp.where(x > alpha, x, 0), {"alpha": 0.5}),
    "clip": (lambda x, alpha, beta: jnp.clip(x, alpha, beta), {"alpha": -0.5, "beta": 1.25}),
}
for name, function in UNARY.items():
    case(name, function, F(7))
    case(name, function, F(2, 3, 4, low=-5, high=5))
for name, function in POSITIVE.items():
    case(name, function, F(7, low=0.1))
    case(name, function, F(2, 3, low=0.5, high=9))
for name, function in INSIDE_ONE.items():
    case(name, function, F(7, low=-0.9, high=0.9))
    case(name, function, F(3, 2, low=-0.5, high=0.5))
case("acosh", jnp.arccosh, F(7, low=1.1, high=3))
case("acosh", jnp.arccosh, F(2, 3, low=2, high=9))
for name, (function, attributes) in WITH_ALPHA.items():
    case(name, lambda x, f=function, a=attributes: f(x, **a), F(9), **attributes)
    case(name, lambda x, f=function, a=attributes: f(x, **a), F(2, 3, 4), **attributes)

BINARY = {"add": jnp.add, "sub": jnp.subtract, "mul": jnp.multiply, "min": jnp.minimum, "max": jnp.maximum,
          "prelu": lambda a, b: jnp.where(a < 0, a * b, a)}
SHAPES = [((3, 4), (3, 4)), ((2, 3, 4), (3, 1)), ((4,), (2, 3, 4)), ((2, 1, 4), (1, 3, 1)), ((2, 3), ())]
for name, function in BINARY.items():
    for a, b in SHAPES:
        case(name, function, F(*a), F(*b))
for name, function in {"div": jnp.divide, "rem": jnp.remainder, "fmod": jnp.fmod}.items():
    for a, b in SHAPES:
        case(name, function, F(*a), F(*b, low=0.5))
for a, b in SHAPES:
    case("pow", jnp.power, F(*a, low=0.2), F(*b))
case("where", lambda c, a, b: jnp.where(c != 0, a, b), I([[1, 0, 1], [0, 1, 1]]), F(2, 3), F(3))
case("where", lambda c, a, b: jnp.where(c != 0, a, b), I([1, 0, 1]), F(1), F(4, 3))

# --- movement

case("cast", lambda x: x, F(2, 3), to="f64")
case("reshape", lambda x: x.reshape(4, 3), F(2, 6), shape=[4, 3])
case("reshape", lambda x: x.reshape(()), F(1, 1), shape=[])
case("transpose", lambda x: x.transpose(2, 0, 1), F(2, 3, 4), order=[2, 0, 1])
case("transpose", lambda x: x.T, F(2, 3), order=[1, 0])
case("broadcast", lambda x: jnp.broadcast_to(x, (2, 3, 4)), F(3, 1), shape=[2, 3, 4])
case("broadcast", lambda x: jnp.broadcast_to(x, (3, 2)), F(), shape=[3, 2])
case("slice", lambda x: x[1:4], F(5), starts=[1], steps=[1], sizes=[3])
case("slice", lambda x: x[:, 0:5:2], F(2, 6), starts=[0, 0], steps=[1, 2], sizes=[2, 3])
case("slice", lambda x: x[:, 1:8:3], F(2, 9), starts=[0, 1], steps=[1, 3], sizes=[2, 3])
case("slice", lambda x: x[::-1, 5:1:-2], F(3, 7), starts=[2, 5], steps=[-1, -2], sizes=[3, 2])
case("slice", lambda x: x[:, 6:7], F(2, 7), starts=[0, 6], steps=[1, 5], sizes=[2, 1])
case("concat", lambda *x: jnp.concatenate(x, 1), F(2, 3), F(2, 1), F(2, 4), axis=1)
case("concat", lambda *x: jnp.concatenate(x, 0), F(2, 3), F(1, 3), axis=0)
for mode in ("constant", "reflect", "edge", "wrap"):
    case("pad", lambda x, m=mode: jnp.pad(x, ((1, 2), (0, 3)), mode=m), F(4, 5), low=[1, 0], high=[2, 3], mode=mode)
    case("pad", lambda x, m=mode: jnp.pad(x, ((0, 0), (2, 1), (2, 0)), mode=m), F(2, 3, 4), low=[0, 2, 2], high=[0, 1, 0],
         mode=mode)

# --- indexing

case("gather", lambda x, i: jnp.take(x, i, 0), F(5, 3), I([[0, 4, 4], [2, 0, 4]]), axis=0)
case("gather", lambda x, i: jnp.take(x, i, 1), F(2, 5, 3), I([3, 3, -1, 0]), axis=1)
case("gather", lambda x, i: jnp.take(x, i, 1), F(2, 5), I(2), axis=1)
case("gather_elements", lambda x, i: jnp.take_along_axis(x, i, 1), F(2, 4), I([[0, 3, 3], [1, 1, 1]]), axis=1)
case("gather_elements", lambda x, i: jnp.take_along_axis(x, i, 0), F(3, 2), I([[2, 0], [2, 1]]), axis=0)


def scattered(x, i, u, axis, combine):
    at = list(np.indices(u.shape))
    at[axis] = jnp.broadcast_to(i, u.shape)
    return getattr(x.at[tuple(at)], combine)(u)


for combine in ("set", "add"):
    case("scatter", lambda x, i, u, c=combine: scattered(x, i, u, 1, c), F(2, 5), I([[0, 3, 4], [1, 0, 2]]), F(2, 3), axis=1,
         combine=combine)
    case("scatter", lambda x, i, u, c=combine: scattered(x, i, u, 0, c), F(4, 3), I([[3], [0]]), F(2, 3), axis=0,
         combine=combine)
case("scatter", lambda x, i, u: scattered(x, i, u, 0, "add"), F(3, 2), I([[1], [1], [1]]), F(3, 2), axis=0, combine="add")
case("topk", lambda x: lax.top_k(x, 2)[0], F(3, 5), axis=1, k=2)
case("topk", lambda x: -jnp.swapaxes(lax.top_k(-jnp.swapaxes(x, 0, 1), 3)[0], 0, 1), F(5, 2), axis=0, k=3, largest=0)
case("cumsum", lambda x: jnp.cumsum(x, 1), F(2, 5), axis=1)
case("cumsum", lambda x: jnp.cumsum(x[::-1], 0)[::-1], F(4, 2), axis=0, reverse=1)
case("cumsum", lambda x: jnp.cumsum(x, 1) - x, F(2, 5), axis=1, exclusive=1)

# --- contraction

for ta in (0, 1):
    for tb in (0, 1):
        def product(a, b, ta=ta, tb=tb):
            return jnp.matmul(jnp.swapaxes(a, -1, -2) if ta else a, jnp.swapaxes(b, -1, -2) if tb else b)
        m, k, n = 3, 4, 5
        a, b = ((k, m) if ta else (m, k)), ((n, k) if tb else (k, n))
        attributes = {"transpose_a": ta, "transpose_b": tb}
        case("matmul", product, F(*a), F(*b), **attributes)
        case("matmul", product, F(2, *a), F(*b), **attributes)
        case("matmul", product, F(2, 1, *a), F(3, *b), **attributes)
        case("matmul", product, F(*a), F(2, *b), **attributes)


def convolution(axes, strides=None, pads=None, dilations=None, groups=1):
    strides, dilations, pads = strides or [1] * axes, dilations or [1] * axes, pads or [0] * (2 * axes)
    layout = ("NCDHW"[:2] + "DHW"[3 - axes:], "OIDHW"[:2] + "DHW"[3 - axes:], "NCDHW"[:2] + "DHW"[3 - axes:])

    def run(x, w, bias=None):
        y = lax.conv_general_dilated(x, w, strides, list(zip(pads[:axes], pads[axes:])), rhs_dilation=dilations,
                                     dimension_numbers=layout, feature_group_count=groups)
        return y if bias is None else y + bias.reshape(-1, *[1] * axes)
    return run


def conv(x, w, bias=False, **attributes):
    operands = [F(*x), F(*w)] + ([F(w[0])] if bias else [])
    case("conv", convolution(len(x) - 2, **attributes), *operands, **attributes)


conv((2, 3, 6, 5), (4, 3, 3, 3), bias=True)
conv((2, 3, 6, 5), (4, 3, 3, 3), pads=[1, 1, 1, 1])
conv((2, 3, 7, 8), (4, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
conv((1, 2, 8, 9), (3, 2, 2, 3), strides=[3, 2], pads=[0, 1, 1, 0], bias=True)
conv((2, 2, 9, 9), (3, 2, 3, 3), dilations=[2, 3])
conv((1, 2, 10, 9), (2, 2, 3, 2), strides=[2, 3], dilations=[2, 2], pads=[2, 1, 1, 2])
conv((2, 4, 6, 6), (6, 2, 3, 3), groups=2, pads=[1, 1, 1, 1])
conv((2, 4, 7, 7), (4, 1, 3, 3), groups=4, strides=[2, 2], pads=[1, 1, 1, 1], bias=True)
conv((2, 3, 5, 5), (8, 3, 1, 1))
conv((2, 3, 6, 6), (2, 3, 1, 1), strides=[2, 2])
conv((2, 3, 11), (4, 3, 4), strides=[3], pads=[1, 2])
conv((1, 2, 4, 5, 4), (3, 2, 2, 3, 2), strides=[2, 1, 1], pads=[0, 1, 0, 1, 1, 1])


def transposed(axes, strides=None, pads=None, dilations=None, output_padding=None, groups=1):
    strides, dilations, pads = strides or [1] * axes, dilations or [1] * axes, pads or [0] * (2 * axes)
    more = output_padding or [0] * axes

    def run(x, w, bias=None):
        kernel = w.shape[2:]
        sides = [((k - 1) * d - pads[i], (k - 1) * d - pads[axes + i] + more[i])
                 for i, (k, d) in enumerate(zip(kernel, dilations))]
        c, o = w.shape[0] // groups, w.shape[1]
        flipped = jnp.flip(w, tuple(range(2, 2 + axes))).reshape(groups, c, o, *kernel)
        filters = jnp.swapaxes(flipped, 1, 2).reshape(groups * o, c, *kernel)
        layout = ("NC" + "DHW"[3 - axes:], "OI" + "DHW"[3 - axes:], "NC" + "DHW"[3 - axes:])
        y = lax.conv_general_dilated(x, filters, [1] * axes, sides, lhs_dilation=strides, rhs_dilation=dilations,
                                     dimension_numbers=layout, feature_group_count=groups)
        return y if bias is None else y + bias.reshape(-1, *[1] * axes)
    return run


def conv_transpose(x, w, bias=False, **attributes):
    filters = w[1] * attributes.get("groups", 1)
    operands = [F(*x), F(*w)] + ([F(filters)] if bias else [])
    case("conv_transpose", transposed(len(x) - 2, **attributes), *operands, **attributes)


conv_transpose((2, 3, 4, 4), (3, 2, 3, 3), bias=True)
conv_transpose((2, 3, 4, 5), (3, 2, 2, 2), strides=[2, 2])
conv_transpose((1, 2, 4, 3), (2, 3, 3, 3), strides=[2, 3], pads=[1, 0, 1, 1], output_padding=[1, 2])
conv_transpose((2, 4, 4, 4), (4, 2, 3, 2), groups=2, strides=[2, 1], dilations=[1, 2], bias=True)

# --- reduction

REDUCE = {
    "sum": jnp.sum, "mean": jnp.mean, "max": jnp.max, "min": jnp.min, "prod": jnp.prod,
    "sum_square": lambda x, **k: jnp.sum(x * x, **k), "l1": lambda x, **k: jnp.sum(jnp.abs(x), **k),
    "l2": lambda x, **k: jnp.sqrt(jnp.sum(x * x, **k)),
    "log_sum_exp": lambda x, **k: jnp.log(jnp.sum(jnp.exp(x), **k)),
}
for kind, function in REDUCE.items():
    case("reduce", lambda x, f=function: f(x, axis=(1,), keepdims=True), F(2, 3, 4), kind=kind, axes=[1], keep=1)
    case("reduce", lambda x, f=function: f(x, axis=(0, 2)), F(2, 3, 4), kind=kind, axes=[0, 2], keep=0)
case("reduce", lambda x: jnp.log(jnp.sum(x, axis=1, keepdims=True)), F(2, 3, low=0.5), kind="log_sum", axes=[1], keep=1)


def pooled(kind, kernel, strides=None, pads=None, dilations=None, extra=None, count_pad=0):
    axes = len(kernel)
    strides, dilations, pads = strides or [1] * axes, dilations or [1] * axes, pads or [0] * (2 * axes)
    extra = extra or [0] * axes

    def window(x, initial, function, sides):
        return lax.reduce_window(x, initial, function, (1, 1, *kernel), (1, 1, *strides), [(0, 0), (0, 0), *sides],
                                 window_dilation=(1, 1, *dilations))

    def run(x):
        sides = [(pads[i], pads[axes + i] + extra[i]) for i in range(axes)]
        if kind == "max":  # Slice by slice: JAX has no gradient of dilated windows.
            x = jnp.pad(x, [(0, 0), (0, 0), *sides], constant_values=-jnp.inf)
            out = [(x.shape[2 + i] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in range(axes)]
            at = [tuple(slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in zip(tap, dilations, out, strides))
                  for tap in np.ndindex(*kernel)]
            return jnp.max(jnp.stack([x[(slice(None), slice(None), *a)] for a in at]), 0)
        ones = jnp.ones_like(x)
        if count_pad:
            ones = jnp.pad(ones, [(0, 0), (0, 0), *[(pads[i], pads[axes + i]) for i in range(axes)]], constant_values=1.0)
            return window(x, 0.0, lax.add, sides) / window(ones, 0.0, lax.add, [(0, e) for e in extra])
        return window(x, 0.0, lax.add, sides) / window(ones, 0.0, lax.add, sides)
    return run


for kind in ("max", "mean"):
    for shape, attributes in [
        ((2, 3, 6, 4), {"kernel": [2, 2], "strides": [2, 2]}),
        ((1, 2, 7, 7), {"kernel": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((2, 2, 5, 6), {"kernel": [3, 2], "strides": [1, 1]}),
        ((1, 2, 7, 6), {"kernel": [2, 2], "strides": [3, 2]}),
        ((2, 3, 5, 5), {"kernel": [5, 5]}),
        ((1, 2, 6, 6), {"kernel": [3, 3], "strides": [2, 2], "extra": [1, 1]}),
        ((1, 2, 8), {"kernel": [3], "strides": [2], "dilations": [2], "pads": [1, 0]}),
        ((1, 1, 4, 4, 6), {"kernel": [2, 2, 3], "strides": [2, 2, 3]}),
    ]:
        case("pool", pooled(kind, **attributes), F(*shape), kind=kind, **attributes)
case("pool", pooled("mean", [3, 3], [2, 2], [1, 1, 1, 1], count_pad=1), F(1, 2, 7, 7), kind="mean", kernel=[3, 3],
     strides=[2, 2], pads=[1, 1, 1, 1], count_pad=1)

# --- rows

for axis, shape in ((1, (3, 5)), (0, (4, 3)), (1, (2, 3, 4))):
    case("softmax", lambda x, a=axis: nn.softmax(x, a), F(*shape), axis=axis)
    case("softmax", lambda x, a=axis: nn.log_softmax(x, a), F(*shape), axis=axis, log=1)


def normalized(axes, kind, epsilon=1e-5):
    def run(x, scale=None, bias=None):
        mean = jnp.mean(x, axes, keepdims=True) if kind == "layer" else 0.0
        y = (x - mean) / jnp.sqrt(jnp.mean((x - mean) ** 2, axes, keepdims=True) + epsilon)
        y = y if scale is None else y * scale
        return y if bias is None else y + bias
    return run


for kind in ("layer", "rms"):
    case("normalize", normalized((2,), kind), F(2, 3, 5), F(5), F(5), kind=kind, axes=[2])
    case("normalize", normalized((1, 2), kind), F(2, 3, 4), F(3, 4), kind=kind, axes=[1, 2])
    case("normalize", normalized((2, 3), kind, 1e-3), F(2, 3, 2, 4), F(3, 1, 1), F(3, 1, 1), kind=kind, axes=[2, 3],
         epsilon=1e-3)
case("normalize", normalized((1,), "layer"), F(3, 6), kind="layer", axes=[1])


def resized(shape, method):
    return lambda x: jax.image.resize(x, shape, method, antialias=False)


for to in ([1, 2, 6, 8], [1, 2, 5, 7]):
    scales = [float(np.float32(t / s)) for t, s in zip(to, (1, 2, 3, 4))]
    case("resize", resized(to, "linear"), F(1, 2, 3, 4), mode="linear", coordinates="half_pixel", sizes=to, scales=scales)
case("resize", resized([1, 2, 6, 8], "nearest"), F(1, 2, 3, 4), mode="nearest", coordinates="half_pixel",
     rounding="round_prefer_floor", sizes=[1, 2, 6, 8], scales=[1.0, 1.0, 2.0, 2.0])


def values_of(operand, number):
    return operand.values if isinstance(operand, I) else numbers(operand.shape, number, operand.low, operand.high)


def gradients_of(function, operands):
    values = [jnp.asarray(values_of(x, i)) for i, x in enumerate(operands)]
    floats = tuple(i for i, x in enumerate(operands) if isinstance(x, F))

    def loss(*x):
        y = function(*x)
        return jnp.sum(y * numbers(y.shape, UPSTREAM, -1.0, 1.0))
    found = jax.grad(loss, argnums=floats)(*values)
    return {i: np.asarray(g).ravel() for i, g in zip(floats, found)}


def described(op, function, operands, attributes):
    gradients = gradients_of(function, operands)
    rows = []
    for i, x in enumerate(operands):
        row = {"shape": list(x.shape)}
        if isinstance(x, I):
            row["integers"] = x.values.ravel().tolist()
        else:
            row |= {"low": float(x.low), "high": float(x.high),
                    "gradient": [float(f"{g:.9g}") for g in gradients[i]]}
        rows.append(row)
    return {"op": op, "attributes": attributes, "operands": rows}


if __name__ == "__main__":
    lines = [json.dumps(described(*entry), separators=(",", ":")) for entry in CASES]
    OUTPUT.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{OUTPUT.name}: {len(CASES)} cases of {len({entry[0] for entry in CASES})} ops, JAX {jax.__version__}")
