"""Instructions of the array and of the DMA queues by name, against NumPy; those of the lanes stand with the kernels of rows."""

import os
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
from test_package import LIBRARY, ROOT, hadal

hd = hadal


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


@hd.kernel("T[B,K,M], T[B,N,K] -> T[B,M,N], T[B,M,N]")
def products(a, b, c, doubled):
    """Batches, both operands transposed; arithmetic behind a product is its epilogue."""
    (B, K, M), N = a.shape, b.shape[1]
    for i in hd.grid((B, 2)):
        x, w = hd.load(a[i, :, :]), hd.load(b[i, :, :])
        dims = (i, M, N)
        hd.store(c[i, :, :], hd.isa.matmul(x, w, dims=dims, dtype=c.dtype, transpose_a=1, transpose_b=1))
        sums = hd.isa.matmul(x, w, dims=dims, transpose_a=1, transpose_b=1)
        hd.store(doubled[i, :, :], (sums * 2 + 1).to(c.dtype))


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_matmul(dtype):
    a, b = normal(5, 20, 12).astype(dtype), normal(5, 9, 20).astype(dtype)
    want = a.astype("f4").transpose(0, 2, 1) @ b.astype("f4").transpose(0, 2, 1)
    c, doubled = products(a, b)
    tolerance = {"rtol": 2e-2 if dtype != np.float32 else 1e-5, "atol": 1e-4}
    np.testing.assert_allclose(c.astype("f4"), want, **tolerance)
    np.testing.assert_allclose(doubled.astype("f4"), 2 * want + 1, **tolerance)
    products.check(a, b)
    assert products.trace(a, b).count("epilogue") == 1
    macs, = {layer["macs"] for layer in products.simulate(a, b).layers}
    assert macs == 2 * 5 * 12 * 20 * 9


def test_a_transposed_value_is_read_the_other_way():
    @hd.kernel("f32[M,K], f32[K,N] -> f32[M,N]")
    def turned(a, b, c):
        x = hd.load(a).T
        hd.store(c[:, :], hd.isa.matmul(x, hd.load(b).T, dims=c.shape, transpose_a=1, transpose_b=1))

    a, b = normal(12, 7), normal(7, 5)
    np.testing.assert_allclose(turned(a, b), a @ b, atol=1e-5)
    assert "transpose" not in turned.trace(a, b)


@hd.kernel("f32[H,W,C], f32[R,S,C,O], f32[R,S,1,C], f32[R,S,C,O] -> f32[H,W,O], f32[H,W,C], f32[H*2+1,W*2+1,O]")
def convolutions(x, w, taps, back, full, depth, spread):
    image = hd.load(x)
    edges = {"pad_top": 1, "pad_left": 1, "pad_bottom": 1, "pad_right": 1}
    hd.store(full[:, :, :], hd.isa.conv(image, hd.load(w), dims=full.shape, **edges))
    hd.store(depth[:, :, :], hd.isa.conv_depthwise(image, hd.load(taps), dims=depth.shape, **edges))
    hd.store(spread[:, :, :], hd.isa.conv_transpose(image, hd.load(back), dims=spread.shape, stride_h=2, stride_w=2))


def test_convolutions():
    x, w, taps, back = normal(6, 5, 4), normal(3, 3, 4, 7), normal(3, 3, 1, 4), normal(3, 3, 4, 7)
    full, depth, spread = convolutions(x, w, taps, back)
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    want, want_depth, want_spread = np.zeros_like(full), np.zeros_like(depth), np.zeros_like(spread)
    for r in range(3):
        for s in range(3):
            want += padded[r : r + 6, s : s + 5] @ w[r, s]
            want_depth += padded[r : r + 6, s : s + 5] * taps[r, s]
            want_spread[r : r + 12 : 2, s : s + 10 : 2] += x @ back[r, s]
    for found, wanted in (full, want), (depth, want_depth), (spread, want_spread):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    convolutions.check(x, w, taps, back)
    assert convolutions.simulate(x, w, taps, back).layers[0]["macs"] == 6 * 5 * 9 * (2 * 4 * 7 + 4)


@hd.kernel("f8e4m3[M,K], f8e4m3[K,N], f32[M,P], f32[P,Q] -> f32[M,N], f32[M,N]")
def scaled(a, b, x, y, derived, by_hand):
    """Once as a value, once in hd.manual with an epilogue: scales stand behind its operands."""
    values = [hd.load(t) for t in (a, b, x, y)]
    hd.store(derived[:, :], hd.isa.matmul_scaled(*values, dims=derived.shape))
    t, one = hd.tile(by_hand.shape), hd.full((1, b.shape[1]), 1.0)
    ones = one.to("f32")
    with hd.manual():
        hd.isa.matmul_scaled(*values, out=t, epilogue=lambda sums: sums + ones)
    hd.store(by_hand[:, :], t)


def test_matmul_scaled():
    a, b = (normal(*shape).astype(ml_dtypes.float8_e4m3fn) for shape in ((20, 256), (256, 130)))
    x, y = np.abs(normal(20, 2)), np.abs(normal(2, 2))
    wide = np.repeat(y, 128, 1)[:, :130]
    want = sum((a[:, i * 128 : i * 128 + 128].astype("f4") @ b[i * 128 : i * 128 + 128].astype("f4")) * x[:, i : i + 1] * wide[i]
               for i in range(2))
    derived, by_hand = scaled(a, b, x, y)
    np.testing.assert_allclose(derived, want, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(by_hand, want + 1, rtol=1e-4, atol=1e-3)
    scaled.check(a, b, x, y)


@hd.kernel("f32[V,D], i32[R], f32[W] -> f32[R,D], f32[V,D], f32[W]")
def rows(table, numbers, w, near, most, padded):
    """Rows outside the table, the greater of rows that meet, a box past a tensor's edge."""
    for v in hd.grid((table.shape[0], table.shape[0])):
        index = hd.load(numbers)
        found = hd.isa.gather(table[:, :], index, bounds="clamp")
        hd.isa.store(near[:, :], found)
        hd.store(most[v, :], hd.isa.load(table[v, :]))
        hd.isa.scatter(most[:, :], found * 2, (index * 0).to("i32"), combine="max")
        hd.store(padded[:], hd.isa.load(w[hd.span(1, w.shape[0])], fill=1, value=7.0))


def test_rows():
    table, numbers, w = normal(9, 4), np.array([3, 20, 8, -1], np.int32), normal(6)
    near, most, padded = rows(table, numbers, w)
    found = table[[3, 8, 8, 8]]
    np.testing.assert_array_equal(near, found)
    want = table.copy()
    want[0] = np.maximum(want[0], 2 * found.max(0))
    np.testing.assert_array_equal(most, want)
    np.testing.assert_array_equal(padded, [*w[1:], 7])
    rows.check(table, numbers, w)


@hd.kernel("f32[M,N], f32[N] -> f32[M,N]")
def shared(x, row, y, *, share):
    """Each core takes the same row: with others, or alone."""
    for m in hd.grid((x.shape[0], 4)):
        hd.store(y[m, :], hd.load(x[m, :]) + hd.isa.load(row[:], share=share))


def test_a_load_is_shared_by_as_many_as_one_says():
    x, row = normal(64, 1024), normal(1024)
    read = {}
    for share in 1, 4, 16:
        np.testing.assert_array_equal(shared(x, row, share=share), x + row)
        shared.check(x, row, share=share)
        read[share] = shared.simulate(x, row, share=share).layers[0]["bytes_read"]
    assert read[1] - read[4] == 12 * row.nbytes and read[4] - read[16] == 3 * row.nbytes


def test_rules_are_errors_at_the_line():
    @hd.kernel("f32[M,K], f32[K,N] -> f32[M,N]")
    def wrong(a, b, c):
        x = hd.load(a)
        s = hd.isa.matmul(x, hd.load(b), dims=(a.shape[0], 3))
        hd.store(c[:, 0:3], s)

    line = wrong.function.__code__.co_firstlineno + 3
    with pytest.raises(hd.KernelError) as error:
        wrong.compile("f32[8,4]", "f32[4,6]")
    assert error.value.code.startswith("matmul.") and error.value.place.startswith(f"test_kernel_isa.py:{line}  s = hd.isa.")

    @hd.kernel("f32[M,N] -> f32[M,N]")
    def apart(x, y):
        for m in hd.grid((x.shape[0], 4)):
            hd.store(y[m, :], hd.isa.load(x[m, :], share=2))  # Of other rows.

    line = apart.function.__code__.co_firstlineno + 3
    with pytest.raises(hd.KernelError) as error:
        apart.compile("f32[64,8]")
    assert error.value.code == "share.C1" and error.value.place.startswith(f"test_kernel_isa.py:{line}  hd.store(")


def test_every_instruction_of_a_core_has_its_name():
    assert {"load", "store", "gather", "scatter", "matmul", "conv", "conv_depthwise", "conv_transpose", "matmul_scaled", "map",
            "norm", "sync"} <= set(dir(hd.isa))
    assert not {"loop", "let", "halt", "end", "host_call", "resample"} & set(dir(hd.isa))


def test_types_are_printed_from_the_table():
    done = subprocess.run([sys.executable, str(ROOT / "scripts/isa_types.py")], capture_output=True, text=True, check=True,
                          env={**os.environ, "HADAL_LIBRARY": str(LIBRARY)})
    file = ROOT / "python/hadal/_kernel/isa_types.pyi"
    if os.environ.get("HADAL_UPDATE"):
        file.write_text(done.stdout)
    assert file.read_text() == done.stdout, "HADAL_UPDATE=1 rewrites it"


def test_a_field_may_have_the_name_of_a_keyword():
    """In hd.manual `dims` of a norm is the field: how many last axes are normalised together."""
    @hd.kernel("f32[M,N,K] -> f32[M,N,K]")
    def layer(x, y):
        v, t = hd.load(x), hd.tile(y.shape)
        with hd.manual():
            hd.isa.norm(v, out=t, kind="layer", dims=2)
        hd.store(y[:, :, :], t)

    x = normal(5, 6, 7)
    want = (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    np.testing.assert_allclose(layer(x), want, atol=1e-4)
