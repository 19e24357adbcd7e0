"""hd.prefetch: loads by hand on a queue of their own, also of what an earlier layer has stored."""

import inspect

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from test_kernels import hd
from test_package import hadal

from matmul import matmul  # noqa: E402  In kernels/, which test_kernels has named.


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


@hd.kernel("T[M,K], T[K,N] -> T[M,N]")
def product(a, b, c, *, bm=64, bn=32, bk=48, depth=2, mistake=""):
    """Each operand has a queue, a ring and two semaphores."""
    (M, K), N = a.shape, b.shape[1]
    xs, ws = hd.ring(depth, (bm, bk), a.dtype), hd.ring(depth, (bk, bn), b.dtype)
    x_free, w_free, x_full, w_full = (hd.semaphore(n) for n in (depth, depth, 0, 0))
    for m, n in hd.grid((M, bm), (N, bn)):
        acc, out = hd.accumulator(m, n), hd.tile((m, n), c.dtype)
        with hd.manual():
            for k in hd.tiles(K, bk):
                turn = hd.step() * -(-K // bk) + k.start // bk
                x, w = xs[turn, m, k], ws[turn, k, n]
                hd.load(a[m, k], out=x, wait=x_free, signal=x_full)
                if mistake == "free":
                    hd.prefetch(b[k, n], out=w, signal=w_full)
                    hd.isa.sync(on="prefetch", wait=w_free)
                else:
                    hd.prefetch(b[k, n], out=w, wait=w_free, signal=w_full)
                hd.isa.matmul(x, w, out=out, accumulator=acc, accumulate=k.start, emit=k.stop // K,
                              wait=x_full if mistake == "full" else [x_full, w_full], signal=[x_free, w_free])
                if mistake == "full":
                    hd.isa.sync(on="matrix", wait=w_full)
        hd.store(c[m, n], out)


def test_values_are_those_of_loads():
    a, b = normal(130, 200), normal(200, 90)
    want = matmul(a, b, bm=64, bn=32, bk=48)
    for depth in 1, 2, 3:
        for chip in "hadal-1", "hadal-edge":
            np.testing.assert_array_equal(product(a, b, depth=depth, chip=chip), want)
            product.check(a, b, depth=depth, chip=chip)
    text = product.asm(a, b)
    assert "load on prefetch ring" in text and "load ring" in text


@pytest.mark.parametrize("mistake", ["full", "free"])
def test_a_wait_that_comes_too_late_is_a_race(mistake):
    """The array multiplies what is not there yet; the prefetch overwrites what the array still reads."""
    lines, first = inspect.getsourcelines(product.function)
    line_of = lambda text: f"test_kernel_prefetch.py:{first + max(i for i, line in enumerate(lines) if text in line)}"
    with pytest.raises(hd.HadalError, match="nothing orders them") as error:
        product.check(normal(130, 200), normal(200, 90), mistake=mistake)
    at = "b[k, n], out=w, signal=w_full" if mistake == "free" else "b[k, n], out=w, wait"
    assert error.value.code in ("race.R1", "race.R3")
    assert line_of(at) in error.value.place and line_of("hd.isa.matmul(") in error.value.place


def test_a_prefetch_waits_for_no_load():
    """What the load queue waits for holds up no prefetch: here each load needs the sum of the last."""
    @hd.kernel("f32[M,N], f32[M,N] -> f32[M,N]")
    def beside(x, w, y, *, ahead, bn=512):
        (M, N), blocks = x.shape, x.shape[1] // bn
        xs, ws, ys = hd.ring(1, (M, bn)), hd.ring(4, (M, bn)), hd.ring(1, (M, bn))
        x_free, w_free, y_free = (hd.semaphore(n) for n in (1, 4, 1))
        x_full, w_full, y_full = (hd.semaphore() for _ in range(3))
        with hd.manual():
            for j in hd.range(blocks):
                part = hd.span(j * bn, bn)
                hd.load(x[:, part], out=xs[j], wait=x_free, signal=x_full)
                (hd.prefetch if ahead else hd.load)(w[:, part], out=ws[j], wait=w_free, signal=w_full)
                hd.isa.map(hd.exp(xs[j] * ws[j]), out=ys[j], wait=[x_full, w_full, y_free], signal=[y_full, w_free])
                hd.store(y[:, part], ys[j], wait=y_full, signal=[y_free, x_free])

    cycles = {ahead: beside.simulate(*["f32[64,8192]"] * 2, ahead=ahead).cycles for ahead in (False, True)}
    assert cycles[True] < 0.9 * cycles[False], cycles
    x, w = normal(64, 1024), normal(64, 1024)
    np.testing.assert_allclose(beside(x, w, ahead=True), np.exp(x * w), rtol=1e-5)
    beside.check(x, w, ahead=True)


def test_what_an_earlier_grid_has_stored_is_waited_for():
    """Other cores have stored it: a prefetch waits as a load does."""
    @hd.kernel("f32[M,N] -> f32[M,N]")
    def turned(x, y, *, rows=8):
        (M, N), between = x.shape, hd.scratch(x.shape, "f32")
        for m in hd.grid((M, rows)):
            hd.store(between[m, :], hd.exp(hd.load(x[m, :])))
        ring, free, full = hd.ring(2, (rows, N)), hd.semaphore(2), hd.semaphore()
        with hd.manual():
            for m in hd.grid((M, rows)):
                v = ring[hd.step(), m, N]
                hd.prefetch(between[hd.span(M - rows - m.start, rows), :], out=v, wait=free, signal=full)
                hd.store(y[m, :], v, wait=full, signal=free)

    x = normal(160, 24)
    np.testing.assert_allclose(turned(x), np.exp(x).reshape(20, 8, 24)[::-1].reshape(x.shape), rtol=1e-6)
    turned.check(x)
    assert "sync on prefetch  wait stored" in turned.asm(x) and "sync on prefetch" not in product.asm("f32[64,64]", "f32[64,64]")


def test_a_layer_between_others_prefetches_what_they_store(tmp_path, monkeypatch):
    """Both of its operands are results; prefetches of the layers around it, which run ahead, keep their order."""
    monkeypatch.setattr(hadal._register, "_registered", {})
    info = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    weights = [numpy_helper.from_array(normal(64, 64) / (8 + i), f"w{i}") for i in range(4)]
    nodes = [helper.make_node("MatMul", ["x", "w0"], ["p"]), helper.make_node("MatMul", ["w3", "p"], ["q"]),
             helper.make_node("Product", ["p", "q"], ["r"], domain="mine"),
             helper.make_node("MatMul", ["r", "w1"], ["s"]), helper.make_node("MatMul", ["s", "w2"], ["y"])]
    graph = helper.make_graph(nodes, "g", [info("x", 64, 64)], [info("y", 64, 64)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("mine", 1)],
                                ir_version=10), tmp_path / "m.onnx")
    with hd.register_kernel("mine::Product", product, parameters=lambda node: {"bm": 16, "bn": 16, "bk": 16}):
        program = hd.compile(tmp_path / "m.onnx")
    x, (w0, w1, w2, w3) = normal(64, 64) / 8, map(numpy_helper.to_array, weights)
    y, = hd.InferenceSession(program).run(None, {"x": x})
    p = x @ w0
    np.testing.assert_allclose(y, p @ (w3 @ p) @ w1 @ w2, rtol=1e-3, atol=1e-4)
    program.check()
