"""The kernels of kernels/ against NumPy, on random shapes, ragged ones among them; and what the language promises."""

import math
import sys

import ml_dtypes
import numpy as np
import pytest
from test_package import ROOT, hadal

sys.path.insert(0, str(ROOT / "kernels"))
from add_gelu import add_gelu  # noqa: E402
from attention import attention  # noqa: E402
from matmul import matmul  # noqa: E402
from norms import layer_norm, rms_norm  # noqa: E402
from rotary import rotary  # noqa: E402
from softmax import softmax  # noqa: E402
from swiglu import feed_forward, swiglu  # noqa: E402

hd = hadal
TYPES = {"f32": (np.float32, 3e-5), "bf16": (ml_dtypes.bfloat16, 3e-2)}  # Relative to the largest result.


def by_numpy(kernel, x, parameters):
    """The reference, in f64 on the rounded inputs."""
    return REFERENCES[kernel.__name__](*[np.asarray(a, np.float64) for a in x], **parameters)


def np_softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def np_gelu(x, y):
    s = x + y
    return 0.5 * s * (1 + np.tanh(math.sqrt(2 / math.pi) * (s + 0.044715 * s**3)))


def np_layer_norm(x, gamma, beta):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gamma + beta


def np_swiglu(x, gate, up):
    g = x @ gate
    return g / (1 + np.exp(-g)) * (x @ up)


def np_feed_forward(x, gate, up, down):
    return np_swiglu(x, gate, up) @ down


def np_rotary(x, cos, sin):
    left, right = np.split(x, 2, axis=-1)
    return np.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1)


def np_attention(q, k, v, causal=True):
    (heads, rows, depth), (groups, keys, _) = q.shape, k.shape
    k, v = (np.repeat(t, heads // groups, axis=0) for t in (k, v))
    scores = q @ k.transpose(0, 2, 1) / math.sqrt(depth)
    if causal:
        scores = np.where(np.arange(rows)[:, None] + keys - rows >= np.arange(keys), scores, -np.inf)
    return np_softmax(scores) @ v


REFERENCES = {"add_gelu": np_gelu, "matmul": np.matmul, "softmax": np_softmax, "layer_norm": np_layer_norm,
              "rms_norm": lambda x, gamma: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * gamma,
              "swiglu": np_swiglu, "feed_forward": np_feed_forward, "rotary": np_rotary, "attention": np_attention}


def matmul_shapes(r):
    m, k, n = r.integers(1, 300, 3)
    return [(m, k), (k, n)]


def row_shapes(r, vectors):
    m, n = r.integers(1, 150, 2)
    return [(m, n)] + [(n,)] * vectors


def swiglu_shapes(r):
    m, k, n = r.integers(1, 200, 3)
    return [(m, k), (k, n), (k, n)]


def feed_forward_shapes(r):
    m, k, n = r.integers(1, 200, 3)
    return [(m, k), (k, n), (k, n), (n, k)]


def rotary_shapes(r):
    s, half = r.integers(1, 150), r.integers(1, 65)
    return [(s, 2 * half), (s, half), (s, half)]


def attention_shapes(r):
    group, groups, depth, rows = r.integers(1, 4), r.integers(1, 3), r.integers(1, 80), r.integers(1, 150)
    keys = rows + r.integers(0, 100)
    return [(group * groups, rows, depth), (groups, keys, depth), (groups, keys, depth)]


# Kernel, shapes, parameters that make small problems of many tiles.
CASES = [
    (add_gelu, lambda r: [(r.integers(1, 5000),)] * 2, {"size": 128}),
    (matmul, matmul_shapes, {"bm": 64, "bn": 48, "bk": 40}),
    (softmax, lambda r: row_shapes(r, 0), {"rows": 7}),
    (layer_norm, lambda r: row_shapes(r, 2), {"rows": 5}),
    (rms_norm, lambda r: row_shapes(r, 1), {"rows": 5}),
    (swiglu, swiglu_shapes, {"bm": 48, "bn": 32, "bk": 40}),
    (feed_forward, feed_forward_shapes, {"bm": 40}),
    (rotary, rotary_shapes, {"rows": 16}),
    (attention, attention_shapes, {"bq": 32, "bk": 48}),
]


def arrays(shapes, dtype, r):
    return [r.standard_normal(tuple(map(int, shape))).astype(np.float32).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kernel, shapes, parameters", CASES, ids=[case[0].__name__ for case in CASES])
def test_kernel_is_numpy_on_random_shapes(kernel, shapes, parameters, dtype):
    kind, tolerance = TYPES[dtype]
    r = np.random.default_rng(0)
    for trial in range(20):
        x = arrays(shapes(r), kind, r)
        further = {"causal": bool(trial % 2)} if kernel is attention else {}
        got = kernel(*x, **parameters, **further)
        want = by_numpy(kernel, x, further)
        assert got.dtype == x[0].dtype and got.shape == want.shape
        error = np.abs(got.astype(np.float64) - want).max() / max(np.abs(want).max(), 1e-3)
        assert error < tolerance, f"{kernel.__name__} of {[a.shape for a in x]}: {error}"


@pytest.mark.parametrize("kernel, shapes, parameters", CASES, ids=[case[0].__name__ for case in CASES])
def test_no_order_of_queues_changes_a_value(kernel, shapes, parameters):
    r = np.random.default_rng(1)
    for _ in range(2):
        kernel.check(*arrays(shapes(r), np.float32, r), **parameters)


@pytest.mark.parametrize("kernel, shapes, parameters", CASES, ids=[case[0].__name__ for case in CASES])
def test_cores_change_no_bit(kernel, shapes, parameters):
    r = np.random.default_rng(7)
    x = arrays(shapes(r), np.float32, r)
    first = kernel(*x, **parameters)
    for chip in ("hadal-edge", hd.Chip("hadal-1", cores=3, **{"network.x": 3, "network.y": 1})):
        np.testing.assert_array_equal(kernel(*x, chip=chip, **parameters), first)


@pytest.mark.parametrize("kernel, shapes, parameters", CASES, ids=[case[0].__name__ for case in CASES])
def test_usual_tiles_fit_the_chip_and_keep_to_the_roofline(kernel, shapes, parameters):
    r = np.random.default_rng(2)
    for dtype in ("f32", "bf16"):
        shape = [tuple(8 * int(d) for d in s) if kernel is not attention else (s[0], 2048, 128) for s in shapes(r)]
        report = kernel.simulate(*[f"{dtype}[{','.join(map(str, s))}]" for s in shape])
        assert all(0 < layer["roofline_cycles"] <= layer["cycles"] for layer in report.layers)


def test_depth_and_chip_change_time_and_no_bit():
    r = np.random.default_rng(3)
    a, b = arrays([(130, 200), (200, 70)], np.float32, r)
    tiles = {"bm": 64, "bn": 64, "bk": 32}
    first, slow = matmul.run(a, b, depth=1, **tiles)
    for depth in (2, 3, "auto"):
        again, fast = matmul.run(a, b, depth=depth, **tiles)
        np.testing.assert_array_equal(again, first)
        assert fast.cycles < slow.cycles
    edge, _ = matmul.run(a, b, chip="hadal-edge", **tiles)
    np.testing.assert_array_equal(edge, first)


def test_tile_sizes_of_a_row_change_no_bit():
    x = np.random.default_rng(4).standard_normal((37, 90), dtype=np.float32)
    first = softmax(x, rows=1)
    for rows in (2, 5, 37, 64):
        np.testing.assert_array_equal(softmax(x, rows=rows), first)


def test_report_knows_the_work():
    report = matmul.simulate("bf16[512,256]", "bf16[256,384]", bm=100, bn=100, bk=100)
    layer, = report.layers
    assert layer["macs"] == 512 * 256 * 384 and layer["precision"] == "bf16"
    causal = attention.simulate("f32[2,100,16]", "f32[1,100,16]", "f32[1,100,16]", bq=20, bk=10, parts=1)
    assert causal.layers[0]["macs"] == 2 * 2 * 16 * sum(20 * min(20 * (i + 1), 100) for i in range(5))
    ragged = matmul.simulate("f32[1000,999]", "f32[999,777]", bm=17, bn=19, bk=100)
    assert ragged.layers[0]["macs"] == 1000 * 999 * 777


def test_flagship_kernels_are_near_the_roofline():
    """docs/kernels.md has the table; bench/kernels.py makes it."""
    share = lambda report: report.layers[0]["roofline_cycles"] / report.layers[0]["cycles"]
    assert share(matmul.simulate("bf16[4096,4096]", "bf16[4096,4096]")) > 0.90
    assert share(attention.simulate("bf16[32,4096,128]", "bf16[8,4096,128]", "bf16[8,4096,128]")) > 0.80


def test_parts_of_a_kernel_are_layers_of_its_report():
    report = feed_forward.simulate("f32[64,32]", "f32[32,96]", "f32[32,96]", "f32[96,32]")
    work = [(layer["name"], layer["macs"]) for layer in report.layers]
    assert work == [("swiglu", 2 * 64 * 32 * 96), ("matmul", 64 * 96 * 32)]


def test_program_is_text_and_file(tmp_path):
    program = matmul.compile("f32[64,64]", "f32[64,64]")
    assert "matmul" in matmul.asm("f32[64,64]", "f32[64,64]") and "loop unit" in matmul.trace("f32[64,64]", "f32[64,64]")
    program.save(tmp_path / "matmul.hadal")
    a, b = arrays([(64, 64)] * 2, np.float32, np.random.default_rng(5))
    got, = hadal.InferenceSession(tmp_path / "matmul.hadal").run(None, {"a": a, "b": b})
    np.testing.assert_array_equal(got, matmul(a, b))


# --- Of the language, what the shipped kernels leave out.

@hd.kernel("T[M,N] -> T[N,M]")
def transposed(x, y, *, size=24):
    for m, n in hd.grid((x.shape[0], size), (x.shape[1], size)):
        hd.store(y[n, m], hd.load(x[m, n].T))


@hd.kernel("f32[M,K], f32[N,K] -> f32[M,N], f32[M,1]")
def several(x, w, y, most):
    """Transposed operand, an epilogue with a vector, two results, hd.range, minimum of indices; one core."""
    (M, K), N = x.shape, w.shape[0]
    best = hd.full((M, 1), -1e30)
    for i in hd.range(hd.minimum(3, 5)):
        acc = hd.accumulator(M, N)
        for k in hd.tiles(K, 16):
            acc += hd.load(x[:, k]) @ hd.load(w[:, k].T)
        best[:] = hd.maximum(best, hd.max(acc, axis=1))
        hd.store(y[:, :], hd.relu(acc) * 2)
    hd.store(most[:, :], best.to("f32"))


@hd.kernel("f32[N] -> f32[N]")
def copied(x, y, *, size=64):
    for i in hd.grid((x.shape[0], size)):
        hd.store(y[i], hd.load(x[i]))


@hd.kernel("f32[M,N], f32[N,K] -> f32[M,N], f32[M,K], f32[K,M]")
def forked(x, w, y, product, turned):
    """A value that is stored and multiplied; a loaded one, too; a tile read transposed before it is written again."""
    e, weights = hd.exp(hd.load(x)), hd.load(w)
    t = hd.zeros((x.shape[0], w.shape[1]))
    t[:] = e @ weights
    across = t.T
    t[:] = t + hd.sum(weights)
    hd.store(y[:, :], e)
    hd.store(product[:, :], t.to("f32"))
    hd.store(turned[:, :], across)


@hd.kernel("f32[M,N] -> f32[M,N], f32[1,N], f32[M,N]")
def reused(x, y, columns, shifted):
    """A load with several readers, a tile read before and after it is written, a product of a product."""
    v = hd.load(x)
    t = hd.zeros((x.shape[0], x.shape[1]))
    before = t + 1.0
    t[:] = v * 2.0
    t += before
    hd.store(y[:, :], v @ (v.T @ v))
    hd.store(columns[:, :], hd.sum(v, axis=0))
    hd.store(shifted[:, :], hd.where(t > 1.0, t, before))


def test_words_of_the_language():
    r = np.random.default_rng(6)
    x = r.standard_normal((50, 70), dtype=np.float32)
    np.testing.assert_array_equal(transposed(x), x.T)
    np.testing.assert_array_equal(copied(x[0]), x[0])
    w = r.standard_normal((20, 70), dtype=np.float32)
    y, most = several(x, w)
    np.testing.assert_allclose(y, np.maximum(x @ w.T, 0) * 2, atol=1e-4)
    np.testing.assert_allclose(most, (x @ w.T).max(1, keepdims=True), atol=1e-4)
    u = r.standard_normal((70, 20), dtype=np.float32)
    y, product, turned = forked(x, u)
    np.testing.assert_allclose(y, np.exp(x), rtol=1e-5)
    np.testing.assert_allclose(product, np.exp(x) @ u + u.sum(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(turned, (np.exp(x) @ u).T, rtol=1e-3, atol=1e-3)
    forked.check(x, u)
    y, columns, shifted = reused(x)
    np.testing.assert_allclose(y, x @ (x.T @ x), rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(columns, x.sum(0, keepdims=True), atol=1e-4)
    np.testing.assert_allclose(shifted, np.where(2 * x + 1 > 1, 2 * x + 1, 1), atol=1e-5)
    for kernel, arguments in ((transposed, [x]), (copied, [x[0]]), (reused, [x])):
        kernel.check(*arguments)

# --- Accumulators, in every place that sums can have.

@hd.kernel("f32[M,K], f32[K,N], f32[N] -> f32[M,N], f32[M,N], f32[M,1], f32[M,N]")
def sums(x, w, bias, y, z, most, halved, *, bm, bn, bk):
    (M, K), N = x.shape, w.shape[1]
    for m, n in hd.grid((M, bm), (1, 1)):
        acc, twice = hd.accumulator(m, N), hd.accumulator(m, N)
        for _ in hd.range(2):
            for k in hd.tiles(K, bk):
                acc += hd.load(x[m, k]) @ hd.load(w[k, :])
        for outer in hd.range(0, K, 2 * bk):
            for k in hd.tiles(K, bk, start=outer, upto=hd.minimum(outer + 2 * bk, K)):  # of which no trip is certain
                twice += hd.load(x[m, k]) @ hd.load(w[k, :])
                twice += hd.load(x[m, k]) @ hd.load(w[k, :])  # two products a trip
        fading = hd.accumulator(m, N)
        for k in hd.tiles(K, bk):
            fading[:] = fading * 0.5 + hd.load(x[m, k]) @ hd.load(w[k, :])
        hd.store(y[m, :], hd.relu(acc + hd.load(bias)))      # its epilogue loads after the loop
        hd.store(most[m, :], hd.max(twice, axis=1))
        hd.store(z[m, :], twice.to("f32"))
        hd.store(halved[m, :], fading.to("f32"))


@pytest.mark.parametrize("shape", [(50, 70, 30), (3, 8, 5), (64, 64, 64), (17, 100, 33)])
def test_accumulators(shape):
    (m, k, n), r = shape, np.random.default_rng(8)
    x, w, bias = arrays([(m, k), (k, n), (n,)], np.float32, r)
    y, z, most, halved = sums(x, w, bias, bm=16, bn=16, bk=8)
    np.testing.assert_allclose(y, np.maximum(2 * (x @ w) + bias, 0), atol=1e-4)
    np.testing.assert_allclose(z, 2 * (x @ w), atol=1e-4)
    np.testing.assert_allclose(most, 2 * (x @ w).max(1, keepdims=True), atol=1e-4)
    faded = np.zeros((m, n), np.float32)
    for first in range(0, k, 8):
        faded = faded * 0.5 + x[:, first : first + 8] @ w[first : first + 8]
    np.testing.assert_allclose(halved, faded, atol=1e-4)
    sums.check(x, w, bias, bm=16, bn=16, bk=8)
    assert "accumulate" in sums.trace(x, w, bias, bm=16, bn=16, bk=8)


@hd.kernel("f32[M,N] -> f32[M,N]")
def triangle(x, y, *, size=8):
    """Loops whose bounds come from outer ones, some without a trip: sums over all earlier blocks of rows."""
    for m in hd.grid((x.shape[0], size)):
        acc = hd.zeros((1, x.shape[1]))
        for i in hd.tiles(x.shape[0], size, upto=m.start):
            acc += hd.sum(hd.load(x[i, :]), axis=0)
        hd.store(y[m, :], hd.load(x[m, :]) + acc)


def test_loops_without_a_trip():
    x = np.random.default_rng(9).standard_normal((45, 12), dtype=np.float32)
    want = np.concatenate([x[i : i + 8] + x[:i].sum(0) for i in range(0, 45, 8)])
    np.testing.assert_allclose(triangle(x), want, atol=1e-5)
    triangle.check(x)


@pytest.mark.parametrize("dtype", ["f16", "f8e4m3", "f8e5m2"])
def test_small_floats(dtype):
    kind = {"f16": np.float16, "f8e4m3": ml_dtypes.float8_e4m3fn, "f8e5m2": ml_dtypes.float8_e5m2}[dtype]
    a, b = arrays([(40, 50), (50, 30)], kind, np.random.default_rng(10))
    want = (a.astype(np.float32) @ b.astype(np.float32)).astype(kind).astype(np.float32)
    np.testing.assert_allclose(matmul(a, b).astype(np.float32), want, rtol=0.26 if dtype != "f16" else 2e-3, atol=1e-2)
