"""Kernels of kernels/ that look through windows, at scales, or up rows by number, against NumPy on random, ragged shapes."""

import ml_dtypes
import numpy as np
import pytest
from test_kernels import TYPES, hd

from conv import conv, conv_depthwise  # noqa: E402  In kernels/, which test_kernels has named.
from experts import experts  # noqa: E402
from gru import gru  # noqa: E402
from matmul_scaled import matmul_scaled  # noqa: E402
from message import message  # noqa: E402
from sort import argsort, sort  # noqa: E402

FP8 = {"f8e4m3": (ml_dtypes.float8_e4m3fn, 3e-5), "f8e5m2": (ml_dtypes.float8_e5m2, 3e-5)}


def normal(r, dtype, *shape):
    return r.standard_normal(shape, dtype=np.float32).astype(dtype)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def windows(x, taps, stride, pad):
    """[n, p, q, r, s, c] of images [n, h, w, c]."""
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    found = np.lib.stride_tricks.sliding_window_view(x, taps, axis=(1, 2))[:, ::stride, ::stride]
    return found.transpose(0, 1, 2, 4, 5, 3)


def np_conv(x, w, stride=1, pad=0, **_):
    return np.einsum("npqrsc,rsco->npqo", windows(x, w.shape[:2], stride, pad), w)


def np_conv_depthwise(x, w, stride=1, pad=0, **_):
    return np.einsum("npqrsc,rsc->npqc", windows(x, w.shape[:2], stride, pad), w)


def np_matmul_scaled(a, b, a_scale, b_scale, **_):
    (m, k), n = a.shape, b.shape[1]
    wide = np.repeat(np.repeat(b_scale, 128, 0)[:k], 128, 1)[:, :n]
    return (a * np.repeat(a_scale, 128, 1)[:, :k]) @ (b * wide)


def np_gru(x, h, w, u, bias, **_):
    from_x, from_h = x @ w + bias[:3, None], h @ u + bias[3:, None]
    reset, keep = sigmoid(from_x[:2] + from_h[:2])
    return (1 - keep) * np.tanh(from_x[2] + reset * from_h[2]) + keep * h


def np_experts(x, router, w, k=2, **_):
    scores = x @ router
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    share = np.exp(np.take_along_axis(scores, best, 1))
    share /= share.sum(1, keepdims=True)
    return np.einsum("mk,md,mkdn->mn", share, x, w[best])


def np_message(x, filters, source, target, **_):
    y = np.zeros_like(x)
    np.add.at(y, target.astype(int), x[source.astype(int)] * filters)
    return y


def image_case(r, dtype, weights):
    taps, stride, pad = r.integers(1, 5, 2), int(r.integers(1, 4)), int(r.integers(0, 3))
    n, c, o = r.integers(1, 3), r.integers(1, 40), r.integers(1, 50)
    h, w = taps + r.integers(0, 25, 2)
    return [normal(r, dtype, n, h, w, c), normal(r, dtype, *taps, *weights(c, o))], {"stride": stride, "pad": pad}


def conv_case(r, dtype):
    x, parameters = image_case(r, dtype, lambda c, o: (c, o))
    return x, {**parameters, "bh": 5, "bw": 7, "bo": 24, "bc": 16}


def depthwise_case(r, dtype):
    x, parameters = image_case(r, dtype, lambda c, o: (c,))
    return x, {**parameters, "bh": 5, "bw": 7, "bc": 16}


def scaled_case(r, dtype):
    m, k, n = r.integers(1, 400, 3)
    scale = lambda *shape: r.uniform(0.5, 2, shape).astype(np.float32)
    return [normal(r, dtype, m, k), normal(r, dtype, k, n), scale(m, -(-k // 128)), scale(-(-k // 128), -(-n // 128))], {
        "bm": 96, "bn": 128, "bk": 256}


def gru_case(r, dtype):
    m, k, n = r.integers(1, 80, 3)
    return [normal(r, dtype, m, k), normal(r, dtype, m, n), normal(r, dtype, 3, k, n), normal(r, dtype, 3, n, n),
            normal(r, np.float32, 6, n)], {"bm": 16, "bn": 24, "bk": 20}


def experts_case(r, dtype):
    m, d, n = r.integers(1, 90, 3)
    count = r.integers(1, 9)
    return [normal(r, dtype, m, d), normal(r, dtype, d, count), normal(r, dtype, count, d, n)], {
        "k": int(r.integers(1, count + 1)), "bm": 8, "bn": 32, "bd": 16, "rows": 24}


def message_case(r, dtype):
    atoms, features, edges = r.integers(1, 70), r.integers(1, 50), r.integers(1, 300)
    ends = r.integers(-atoms, atoms, (2, edges)).astype(np.int32)  # Of which the negative count from the end.
    return [normal(r, dtype, atoms, features), normal(r, dtype, edges, features), *ends], {"bd": int(r.integers(2)) * 24, "be": 64, "ba": 24, "near": bool(r.integers(2))}


def sort_case(r, dtype):
    x = normal(r, dtype, r.integers(1, 600))
    x[:: r.integers(1, 5)] = x[0]  # Equal ones.
    return [x], {"size": int(2 ** r.integers(3, 8))}


# Kernel, its reference, a random problem of many tiles, types.
CASES = [
    (conv, np_conv, conv_case, TYPES),
    (conv_depthwise, np_conv_depthwise, depthwise_case, TYPES),
    (matmul_scaled, np_matmul_scaled, scaled_case, FP8),
    (gru, np_gru, gru_case, TYPES),
    (experts, np_experts, experts_case, TYPES),
    (message, np_message, message_case, TYPES),
    (sort, lambda x, **_: np.sort(x), sort_case, {name: (kind, 1e-30) for name, (kind, _) in TYPES.items()}),
]
EACH = pytest.mark.parametrize("kernel, reference, case, types", CASES, ids=[case[0].__name__ for case in CASES])


@EACH
def test_kernel_is_numpy_on_random_shapes(kernel, reference, case, types):
    r = np.random.default_rng(0)
    for dtype, tolerance in types.values():
        for _ in range(20):
            x, parameters = case(r, dtype)
            got = kernel(*x, **parameters)
            want = reference(*[np.asarray(a, np.float64) for a in x[:2]],
                             *[a if a.dtype == np.int32 else np.asarray(a, np.float64) for a in x[2:]], **parameters)
            assert got.shape == want.shape
            error = np.abs(got.astype(np.float64) - want).max() / max(np.abs(want).max(), 1e-3)
            assert error < tolerance, f"{kernel.__name__} of {[a.shape for a in x]}, {parameters}: {error}"


@EACH
def test_no_order_of_queues_and_no_number_of_cores_changes_a_bit(kernel, reference, case, types):
    r = np.random.default_rng(1)
    for dtype, _ in types.values():
        x, parameters = case(r, dtype)
        kernel.check(*x, **parameters)
    first = kernel(*x, **parameters)
    for chip in ("hadal-edge", hd.Chip("hadal-1", cores=3, **{"network.x": 3, "network.y": 1})):
        if kernel is not matmul_scaled or chip != "hadal-edge":  # Which multiplies no fp8.
            np.testing.assert_array_equal(kernel(*x, chip=chip, **parameters), first)


# Of usual tiles: problems that take more than one of them along each axis.
LARGE = {
    conv: ["bf16[2,58,58,192]", "bf16[3,3,192,320]"], conv_depthwise: ["f32[2,58,58,192]", "f32[3,3,192]"],
    matmul_scaled: ["f8e4m3[700,900]", "f8e4m3[900,800]", "f32[700,8]", "f32[8,7]"],
    gru: ["bf16[300,700]", "bf16[300,500]", "bf16[3,700,500]", "bf16[3,500,500]", "f32[6,500]"],
    experts: ["bf16[2000,300]", "bf16[300,8]", "bf16[8,300,700]"],
    message: ["f32[1500,100]", "f32[4000,100]", "i32[4000]", "i32[4000]"], sort: ["f32[300000]"],
    argsort: ["bf16[300000]"],
}


@pytest.mark.parametrize("kernel", LARGE, ids=lambda kernel: kernel.__name__)
def test_usual_tiles_fit_the_chip_and_keep_to_the_roofline(kernel):
    report = kernel.simulate(*LARGE[kernel])
    assert all(layer["roofline_cycles"] <= layer["cycles"] for layer in report.layers)
    assert sum(layer["roofline_cycles"] for layer in report.layers) > 0


def test_a_row_outside_the_table_is_an_error_of_the_run():
    x, filters = np.ones((4, 8), np.float32), np.ones((3, 8), np.float32)
    rows = np.array([0, 1, 4], np.int32)
    with pytest.raises(hd.HadalError, match="4"):
        message(x, filters, rows, rows)


def test_where_atoms_are_held_changes_no_bit():
    x, parameters = message_case(np.random.default_rng(2), np.float32)
    near, far = (message(*x, **{**parameters, "near": near}) for near in (True, False))
    np.testing.assert_array_equal(near, far)
    shapes = ["f32[4096,128]", "f32[16384,128]", "i32[16384]", "i32[16384]"]
    assert message.simulate(*shapes, near=True).cycles < 0.7 * message.simulate(*shapes).cycles


@hd.kernel("f32[M,N], i32[M] -> f32[N+pad*2], f32[M,2], i32[M,2], f32[M,N], f32[M,N], i32[M]")
def words(x, rows, wide, best, where, sums, turned, counted, *, pad=3):
    """What the shipped kernels leave out: a filled vector, one result of topk, a cut, a tile with other extents, integers."""
    (M, N), rest = x.shape, hd.span(-pad, x.shape[1] + 2 * pad)
    hd.store(wide[:], hd.load(x[0, rest], fill=7.0))
    v, numbers = hd.load(x), hd.load(rows)
    hd.store(best[:, :], hd.topk(v, 2)[0])
    hd.store(where[:, :], hd.topk(-v, 2)[1])
    hd.store(sums[:, :], hd.cumsum(v))
    t = hd.zeros((M, N))
    t[:] = v * 2
    flat = t.reshape(M * N)
    t[:] = v * 3
    hd.store(turned[:, :], flat.reshape(M, N) + t)
    hd.scatter(counted[:], numbers, (numbers * 2 + 1).to("i32"))


@hd.kernel("T[M,N] -> T[M,N], T[M,N], T[M,N]")
def sorts(x, rows, columns, turns):
    v = hd.load(x)
    hd.store(rows[:, :], hd.sort(v, descending=True))
    hd.store(columns[:, :], hd.sort(v, axis=0))
    for m in hd.range(x.shape[0]):
        hd.store(turns[m, :], hd.sort(hd.load(x[m, :]), descending=m % 2))


def test_sorts_along_any_axis_by_numbers_of_the_loop():
    for dtype, _ in TYPES.values():
        x = normal(np.random.default_rng(5), dtype, 16, 32)
        rows, columns, turns = sorts(x)
        np.testing.assert_array_equal(rows, np.sort(x, axis=1)[:, ::-1])
        np.testing.assert_array_equal(columns, np.sort(x, axis=0))
        np.testing.assert_array_equal(turns[::2], np.sort(x, axis=1)[::2])
        np.testing.assert_array_equal(turns[1::2], np.sort(x, axis=1)[1::2, ::-1])
        sorts.check(x)


def test_words_of_the_language():
    r = np.random.default_rng(2)
    x, rows = normal(r, np.float32, 20, 30), r.permutation(20).astype(np.int32)
    wide, best, where, sums, turned, counted = words(x, rows)
    np.testing.assert_array_equal(wide, np.pad(x[0], 3, constant_values=7))
    np.testing.assert_array_equal(best, -np.sort(-x, axis=1)[:, :2])
    np.testing.assert_array_equal(where, np.argsort(x, axis=1, kind="stable")[:, :2])
    np.testing.assert_allclose(sums, np.cumsum(x, axis=1), atol=1e-5)
    np.testing.assert_allclose(turned, 5 * x, rtol=1e-6)
    want = np.empty(20, np.int32)
    want[rows] = 2 * rows + 1
    np.testing.assert_array_equal(counted, want)
    words.check(x, rows)


@hd.kernel("i32[N], f32[M,K] -> i32[N], i32[N], f32[N,K]")
def forked(numbers, table, y, turned, found):
    """Integers that several queues read come to each as they are, also those that f32 does not have."""
    n = hd.load(numbers)
    hd.store(y[:], n)
    hd.scatter(turned[:], hd.load(numbers[:]), n)
    hd.store(found[:, :], hd.gather(table, n))


def test_integers_stay_whole():
    @hd.kernel("i32[N] -> i32[N], f32[N]")
    def twice(x, y, z):
        v = hd.load(x)
        hd.store(y[:], v)
        hd.store(z[:], v * 1.0)

    x = np.array([2**31 - 1, -(2**31), 2**24 + 1, 5], np.int32)
    y, z = twice(x)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(z, x.astype(np.float32))
    rows, table = np.array([2, 0, 1, 3], np.int32), normal(np.random.default_rng(3), np.float32, 4, 6)
    y, turned, found = forked(rows, table)
    np.testing.assert_array_equal(y, rows)
    np.testing.assert_array_equal(turned[rows], rows)
    np.testing.assert_array_equal(found, table[rows])
    forked.check(rows, table)


@hd.kernel("f32[M,N], f32[N], i32[M,N] -> f32[M,N], f32[M,N], i32[M,1], f32[M,N], f32[M,2], i32[M,2], f32[8,7,N]")
def instructions(x, gamma, order, soft, rms, last, taken, least, where, pooled):
    """Instructions of the lanes by name."""
    v = hd.load(x)
    hd.store(soft[:, :], hd.isa.softmax(v, dims=v.shape))
    hd.store(rms[:, :], hd.isa.norm(v, hd.load(gamma), dims=v.shape, kind="rms", epsilon=1e-6))
    hd.store(last[:, :], hd.isa.arg_reduce(v, dims=(v.shape[0], 1), dtype="i32", kind="max", axis=1, last=1))
    hd.store(taken[:, :], hd.isa.select_along(v, hd.load(order), dims=v.shape, axis=1))
    smallest, places = hd.isa.topk(v, dims=[(v.shape[0], 2)] * 2, dtype=["f32", "i32"], sorted=1)
    hd.store(least[:, :], smallest)
    hd.store(where[:, :], places)
    N = v.shape[1]
    image = v.reshape(1, 1, 9, 8, N)
    means = hd.isa.pool(image, dims=(1, 1, 8, 7, N), kind="mean", kernel_h=2, kernel_w=2)
    hd.store(pooled[:, :, :], means.reshape(8, 7, N))


def test_instructions_by_name():
    r = np.random.default_rng(4)
    x, gamma = normal(r, np.float32, 72, 20), normal(r, np.float32, 20)
    x[:, 3] = x[:, 5] = x.max(1)
    order = r.integers(-20, 20, (72, 20)).astype(np.int32)
    soft, rms, last, taken, least, where, pooled = instructions(x, gamma, order)
    e = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(soft, e / e.sum(1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(rms, x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-6) * gamma, rtol=1e-4)
    np.testing.assert_array_equal(last[:, 0], 19 - x[:, ::-1].argmax(1))
    np.testing.assert_array_equal(taken, np.take_along_axis(x, order % 20, 1))
    np.testing.assert_array_equal(least, np.sort(x, axis=1)[:, :2])
    np.testing.assert_array_equal(where, np.argsort(x, axis=1, kind="stable")[:, :2])
    images = x.reshape(9, 8, 20)
    want = (images[1:, 1:] + images[1:, :-1] + images[:-1, 1:] + images[:-1, :-1]) / 4
    np.testing.assert_allclose(pooled, want, atol=1e-6)
    instructions.check(x, gamma, order)


def test_rules_of_instructions_are_errors_of_the_kernel():
    @hd.kernel("f32[M,N] -> f32[M,N]")
    def halved(x, y):
        hd.store(y[:, :], hd.isa.softmax(hd.load(x).reshape(5, 8), dims=(4, 10)).reshape(4, 10))

    with pytest.raises(hd.KernelError, match="softmax.C1"):
        halved.compile("f32[4,10]")
    assert "softmax" in dir(hd.isa) and "host_call" not in dir(hd.isa)


@hd.kernel("T[N,H,W,C], T[R,S,D,O], f32[O] -> T[N,(H-(R-1)*spread-1)//step+1,(W-(S-1)*spread-1)//step+1,O]")
def convolved(x, w, bias, y, *, step, spread, groups, rows=4):
    """Images at once, groups, dilation, bias and ReLU in the epilogue."""
    taps = w.shape[:2]
    for p in hd.grid((y.shape[1], rows)):
        image = hd.load(x[:, p.window(taps[0], stride=step, dilation=spread), :, :], fill=0.0)
        sums = hd.conv(image, hd.load(w), stride=step, dilation=(spread, spread), groups=groups)
        hd.store(y[:, p, :, :], hd.relu(sums + hd.load(bias)).to(y.dtype))


@pytest.mark.parametrize("step, spread, groups", [(1, 1, 1), (2, 1, 3), (1, 2, 1), (3, 2, 2)])
def test_convolutions_of_other_forms(step, spread, groups):
    r = np.random.default_rng(5)
    x, w, bias = normal(r, np.float32, 2, 17, 15, 12), normal(r, np.float32, 3, 2, 12 // groups, 6), normal(r, np.float32, 6)
    wide = np.zeros((2 * spread + 1, spread + 1, *w.shape[2:]), np.float32)
    wide[::spread, ::spread] = w
    each = [np_conv(part, taps, step) for part, taps in zip(np.split(x, groups, 3), np.split(wide, groups, 3))]
    want = np.maximum(np.concatenate(each, 3) + bias, 0)
    parameters = {"step": step, "spread": spread, "groups": groups}
    np.testing.assert_allclose(convolved(x, w, bias, **parameters), want, atol=1e-4)
    convolved.check(x, w, bias, **parameters)
    assert "epilogue" in convolved.trace(x, w, bias, **parameters)
