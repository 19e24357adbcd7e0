"""Semaphores by hand: pipelines that are as fast as derived ones or faster, fences at a block's edges, and what is found of wrong
ones. Values are those of the statements, whatever the depth and the cores."""

import inspect
import os
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from test_kernels import hd
from test_package import LIBRARY, hadal

from hadal._kernel import hand  # noqa: E402  In python/, which test_package has named.
from hadal._kernel.trace import current  # noqa: E402
from matmul import matmul  # noqa: E402  In kernels/, which test_kernels has named.


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


def of_cores(count):
    return hd.Chip("hadal-1", cores=count, **{"network.x": count, "network.y": 1})


def line_of(kernel, text):
    lines, first = inspect.getsourcelines(kernel.function)
    return f"test_kernel_manual.py:{first + next(i for i, line in enumerate(lines) if text in line)}"


# --- Pipelines.

@hd.kernel("T[M,K], T[K,N] -> T[M,N]")
def product_by_hand(a, b, c, *, bm=256, bn=256, bk=128, depth=2):
    """`depth` buffers for each operand; the loads of a step begin while the one before multiplies."""
    (M, K), N = a.shape, b.shape[1]
    xs, ws = hd.ring(depth, (bm, bk), a.dtype), hd.ring(depth, (bk, bn), b.dtype)
    free, full = hd.semaphore(depth), hd.semaphore()
    for m, n in hd.grid((M, bm), (N, bn)):
        acc, out = hd.accumulator(m, n), hd.tile((m, n), c.dtype)
        with hd.manual():
            for k in hd.tiles(K, bk):
                turn = hd.step() * -(-K // bk) + k.start // bk
                x, w = xs[turn, m, k], ws[turn, k, n]
                hd.load(a[m, k], out=x, wait=free)
                hd.load(b[k, n], out=w, signal=full)
                hd.isa.matmul(x, w, out=out, accumulator=acc, accumulate=k.start, emit=k.stop // K, wait=full, signal=free)
        hd.store(c[m, n], out)


def test_double_buffers_by_hand_are_as_fast_as_derived_ones():
    a, b = normal(300, 500), normal(500, 77)
    sizes = {"bm": 64, "bn": 32, "bk": 100}
    np.testing.assert_array_equal(product_by_hand(a, b, **sizes), matmul(a, b, **sizes))
    product_by_hand.check(a, b, chip="hadal-edge", **sizes)  # Several steps of a core.
    for depth in 1, 2, 3:
        by_hand, derived = (kernel.simulate(*["bf16[2048,2048]"] * 2, bm=256, bn=256, depth=depth)
                            for kernel in (product_by_hand, matmul))
        assert by_hand.cycles <= derived.cycles
        assert by_hand.layers[0]["roofline_cycles"] == derived.layers[0]["roofline_cycles"]  # Of as many products and bytes.


def test_depth_and_cores_change_no_value():
    a, b = normal(130, 200), normal(200, 90)
    want = product_by_hand(a, b, bm=32, bn=32, bk=48)
    np.testing.assert_allclose(want, a @ b, atol=1e-4)
    for depth in 1, 3, 5:
        for chip in "hadal-edge", of_cores(1), of_cores(5):
            np.testing.assert_array_equal(product_by_hand(a, b, bm=32, bn=32, bk=48, depth=depth, chip=chip), want)


@hd.kernel("T[S,D], T[L,D], T[L,D] -> T[S,D]")
def weighted(q, k, v, y, *, bq=128, bk=128, depth="auto"):
    (S, D), L = q.shape, k.shape[0]
    for i in hd.grid((S, bq)):
        qi = hd.load(q[i, :])
        acc, total = hd.accumulator(i, D), hd.zeros((i, 1))
        for j in hd.tiles(L, bk, depth=depth):
            p = hd.exp((qi @ hd.load(k[j, :]).T) * D**-0.5)
            total += hd.sum(p, axis=1)
            acc += p.to(v.dtype) @ hd.load(v[j, :])
        hd.store(y[i, :], (acc / total).to(y.dtype))


@hd.kernel("T[S,D], T[L,D], T[L,D] -> T[S,D]")
def weighted_by_hand(q, k, v, y, *, bq=128, bk=128, depth=2):
    """The array makes the scores of the next block while the lanes have those of this one: across trips of the loop. It comes to
    a slot of scores again behind a product that waited for what the lanes made of the last: there nobody waits for room."""
    (S, D), blocks = q.shape, k.shape[0] // bk
    ks, vs = (hd.ring(depth, (bk, D), k.dtype) for _ in range(2))
    scores, ps, part = hd.ring(2, (bq, bk)), hd.ring(2, (bq, bk), v.dtype), hd.ring(1, (bq, 1))
    k_free, v_free = hd.semaphore(depth), hd.semaphore(depth)
    k_full, v_full, s_full, p_full = (hd.semaphore() for _ in range(4))
    for i in hd.grid((S, bq)):
        qi, acc, out, total = hd.load(q[i, :]), hd.accumulator(i, D), hd.tile((i, D)), hd.zeros((i, 1))

        def score(j):
            turn = hd.step() * blocks + j
            hd.load(k[hd.span(j * bk, bk), :], out=ks[turn], wait=k_free, signal=k_full)
            hd.isa.matmul(qi, ks[turn], out=scores[turn, i, bk], transpose_b=1, wait=k_full, signal=[k_free, s_full])

        def weigh(j):
            turn = hd.step() * blocks + j
            p = ps[turn, i, bk]
            hd.load(v[hd.span(j * bk, bk), :], out=vs[turn], wait=v_free, signal=v_full)
            hd.isa.map(hd.exp(scores[turn, i, bk] * D**-0.5), out=p, wait=s_full, signal=p_full)
            hd.isa.reduce(p, out=part[0, i, 1], kind="sum", axes=2)
            hd.isa.map(total + part[0, i, 1], out=total)
            hd.isa.matmul(p, vs[turn], out=out, accumulator=acc, accumulate=j, emit=(j + 1) // blocks,
                          wait=[p_full, v_full], signal=v_free)

        with hd.manual():
            score(0)
            for j in hd.range(blocks - 1):
                score(j + 1)
                weigh(j)
            weigh(blocks - 1)
        hd.store(y[i, :], (out / total).to(y.dtype))


def test_a_pipeline_across_trips_beats_the_derived_one():
    q, k, v = normal(150, 64), normal(192, 64), normal(192, 64) * 2
    p = np.exp(q @ k.T / 8)
    for depth in 1, 2, 4:
        y = weighted_by_hand(q, k, v, bq=40, bk=32, depth=depth)
        np.testing.assert_allclose(y, p @ v / p.sum(1, keepdims=True), atol=1e-5)
    weighted_by_hand.check(q, k, v, bq=40, bk=32, chip=of_cores(2))
    shapes = ["bf16[4096,128]"] * 3
    best = min(weighted.simulate(*shapes, bk=bk, depth=depth).cycles for bk in (128, 256, 512) for depth in (2, 3, "auto"))
    assert weighted_by_hand.simulate(*shapes, bk=256, depth=3).cycles < 0.7 * best


@pytest.mark.parametrize("number", range(6))
def test_each_semaphore_of_a_pipeline_is_needed(number, monkeypatch):
    """Without its waits and signals something races; what is left still ends."""
    derived = hand.syncs

    def without(word, given):
        semaphores = [op for op in current().root.ops if op.kind == "semaphore"]
        return tuple(entry for entry in derived(word, given) if entry[0].op is not semaphores[number])

    monkeypatch.setattr(hand, "syncs", without)
    kernel = hd.kernel(weighted_by_hand.signature.text)(weighted_by_hand.function)
    with pytest.raises(hd.HadalError) as error:
        kernel.check("f32[150,64]", *["f32[192,64]"] * 2, bq=40, bk=32, chip=of_cores(2))
    assert error.value.code in ("race.R1", "race.R3") and "test_kernel_manual.py" in error.value.place


# --- Wrong pipelines.

@hd.kernel("f32[M,N] -> f32[M,N], f32[M,1]")
def read_twice(x, y, sums, *, rows=8, mistake=""):
    """A tile that two queues read: each gives it back."""
    N = x.shape[1]
    ring, results = hd.ring(2, (rows, N)), hd.ring(2, (rows, 1))
    stored, summed = hd.semaphore(4 if mistake == "one count" else 2), hd.semaphore(2)
    for_store, for_lanes, free, full = hd.semaphore(), hd.semaphore(), hd.semaphore(2), hd.semaphore()
    back = 2 * stored if mistake == "one count" else stored if mistake == "no wait" else [stored, summed]
    given = stored if mistake == "one count" else None if mistake == "no wait" else summed
    with hd.manual():
        for m in hd.grid((x.shape[0], rows)):
            v, s = ring[hd.step(), m, N], results[hd.step(), m, 1]
            hd.load(x[m, :], out=v, wait=back, signal=[for_store, for_lanes])
            hd.store(y[m, :], v, wait=for_store, signal=stored)
            hd.isa.reduce(v, out=s, kind="sum", axes=2, wait=[for_lanes, free], signal=full if given is None else [full, given])
            hd.store(sums[m, :], s, wait=full, signal=free)


def test_a_tile_is_read_by_two_queues():
    x = normal(70, 33)
    y, sums = read_twice(x, chip=of_cores(2))
    np.testing.assert_array_equal(y, x)
    np.testing.assert_allclose(sums, x.sum(1, keepdims=True), atol=1e-4)
    read_twice.check(x, chip=of_cores(2))


@pytest.mark.parametrize("mistake, code, reader",
                         [("no wait", "race.R1", "hd.isa.reduce(v"), ("one count", "race.R3", "hd.store(y")])
def test_a_missing_wait_is_a_race_of_two_lines(mistake, code, reader, tmp_path):
    """Nobody waits for the lanes; or for two counts of any, of which one reader may have given both while the other reads."""
    program = read_twice.compile("f32[70,33]", chip=of_cores(2), mistake=mistake)
    lines = line_of(read_twice, "hd.load(x"), line_of(read_twice, reader)
    with pytest.raises(hd.HadalError, match="`load` writes .* reads; nothing orders them") as error:
        program.check()
    assert error.value.code == code and all(line in error.value.place for line in lines), error.value
    program.save(tmp_path / "p.hadal")
    hadal_command = os.environ.get("HADAL", str(LIBRARY.parent / "bin/hadal"))
    done = subprocess.run([hadal_command, "check", str(tmp_path / "p.hadal")], capture_output=True, text=True)
    assert done.returncode != 0 and all(line in done.stdout + done.stderr for line in lines)


def test_counts_that_do_not_return_are_told_at_the_semaphore():
    @hd.kernel("f32[M,N] -> f32[M,N]")
    def kept(x, y):
        ring = hd.ring(2, (8, x.shape[1]))
        free = hd.semaphore(2)
        full = hd.semaphore()  # here
        for m in hd.grid((x.shape[0], 8)):
            with hd.manual():
                hd.load(x[m, :], out=ring[hd.step(), m, x.shape[1]], wait=free, signal=2 * full)
                hd.store(y[m, :], ring[hd.step(), m, x.shape[1]], wait=full, signal=free)

    with pytest.raises(hd.KernelError, match="semaphore.balance.* 9 above its start") as error:
        kept.compile("f32[70,16]")
    assert error.value.place.startswith(line_of(kept, "# here")) and line_of(kept, "hd.load") in error.value.message


def test_counts_that_return_in_sum_but_not_in_each_core_are_found_by_the_verifier():
    @hd.kernel("f32[M] -> f32[M]")
    def uneven(x, y):
        some = hd.semaphore(16)  # here
        for i in hd.grid((16, None)):
            with hd.manual():
                for _ in hd.range(i):
                    hd.isa.sync(on="load", signal=some)
                for _ in hd.range(15 - i):
                    hd.isa.sync(on="store", wait=some)
            hd.store(y[hd.span(i, 1)], hd.load(x[hd.span(i, 1)]))

    with pytest.raises(hd.KernelError) as error:
        uneven.compile("f32[16]")
    assert error.value.code == "sync.C4" and error.value.place.startswith(line_of(uneven, "# here"))


def test_what_nobody_signals_is_told_with_both_lines():
    @hd.kernel("f32[M,N] -> f32[M,N]")
    def backwards(x, y):
        t = hd.ring(1, x.shape)
        ready = hd.semaphore()  # here
        with hd.manual():
            hd.load(x, out=t[0], wait=ready)
            hd.store(y[:, :], t[0], signal=ready)

    with pytest.raises(hd.KernelError) as error:
        backwards.compile("f32[8,8]")
    assert error.value.code == "sync.C1"
    assert line_of(backwards, "# here") in error.value.place and line_of(backwards, "hd.load") in error.value.place


# --- The edges of a block.

@hd.kernel("T[M,K], T[K,N], f32[N] -> T[M,N], f32[M,1]")
def mixed(a, b, bias, c, d, *, bm=16):
    """Values of before the block, tiles that the lanes have on both sides, a tile that the array writes for two queues."""
    (M, K), N = a.shape, b.shape[1]
    for m in hd.grid((M, bm)):
        w, shift = hd.load(b), hd.load(bias)
        v = (hd.load(a[m, :]) * 2).to(a.dtype)
        total, out = hd.full((m, 1), 1.0), hd.tile((m, N), c.dtype)
        for _ in hd.range(2):
            with hd.manual():
                hd.isa.map(total * 2, out=total)
        with hd.manual():
            hd.isa.matmul(v, w, out=out, epilogue=lambda sums: hd.relu(sums + shift).to(c.dtype))
            hd.isa.map(total + 1, out=total)
        hd.store(c[m, :], out)
        hd.store(d[m, :], total + hd.sum(out, axis=1))


@pytest.mark.parametrize("chip", ["hadal-1", "hadal-edge", of_cores(1)], ids=str)
def test_what_crosses_the_edges_is_fenced(chip):
    a, b, bias = normal(100, 40), normal(40, 24), normal(24)
    c, d = mixed(a, b, bias, chip=chip)
    want = np.maximum(2 * a @ b + bias, 0)
    np.testing.assert_allclose(c, want, atol=1e-4)
    np.testing.assert_allclose(d, 5 + want.sum(1, keepdims=True), atol=1e-3)
    mixed.check(a, b, bias, chip=chip)
    text = mixed.trace(a, b, bias)
    assert "e1=bias" in text and text.count("manual") == 2


@hd.kernel("f32[M,K], f32[K,N] -> f32[M,N]")
def trip_after_trip(a, b, c, *, bm=16, bk=16, depth="auto"):
    """Blocks in a loop: loads and a tile of the lanes on both sides, one tile that two blocks write, one for two queues."""
    (M, K), N = a.shape, b.shape[1]
    for m in hd.grid((M, bm)):
        total = hd.zeros((m, N))
        for k in hd.tiles(K, bk, depth=depth):
            x, w, t, u = hd.load(a[m, k]), hd.load(b[k, :]), hd.tile((m, N)), hd.tile((k, N))
            twice = x * 2
            with hd.manual():
                hd.isa.matmul(x, w, out=t)
                hd.load(b[k, :], out=u)
            total += t
            with hd.manual():
                hd.isa.matmul(twice, u, out=t)
                hd.isa.map(total * 2, out=total)
            total[:] = total * 0.5 + t + hd.sum(u, axis=0)
        hd.store(c[m, :], total)


@pytest.mark.parametrize("depth", ["auto", 1, 3])
def test_trips_are_fenced_from_each_other(depth):
    a, b = normal(100, 70), normal(70, 20)
    for chip in "hadal-1", "hadal-edge":
        c = trip_after_trip(a, b, chip=chip, depth=depth)
        np.testing.assert_allclose(c, 3 * (a @ b) + b.sum(0), atol=1e-3)
        trip_after_trip.check(a, b, chip=chip, depth=depth)
    np.testing.assert_array_equal(c, trip_after_trip(a, b))


def test_a_barrier_of_all_cores():
    @hd.kernel("f32[M,N] -> f32[M,N]")
    def after_all(x, y):
        here = hd.semaphore()
        with hd.manual():  # Before the grid: every core.
            hd.isa.sync(on="store", signal=here.everywhere)
            hd.isa.sync(on="load", wait=here.everywhere)
        for m in hd.grid((x.shape[0], 4)):
            hd.store(y[m, :], hd.load(x[m, :]))

    x = normal(50, 7)
    for chip in "hadal-1", of_cores(3):
        np.testing.assert_array_equal(after_all(x, chip=chip), x)
        after_all.check(x, chip=chip)
    assert "wait semaphore" in after_all.trace(x) and " everywhere" in after_all.trace(x)


@hd.kernel("f32[V,D], i32[R] -> f32[V,D], f32[R,2], i32[R,2]")
def looked_up(table, rows, out, most, where, *, block=8):
    """Rows, looked up and written where they came from; two results of one instruction."""
    (V, D), R = table.shape, rows.shape[0]
    numbers, found = hd.ring(2, (block,), "i32"), hd.ring(2, (block, D))
    values, places = hd.ring(2, (block, 2)), hd.ring(2, (block, 2), "i32")
    free, at_load, at_store, full, rest, done = (hd.semaphore(n) for n in (2, 0, 0, 0, 2, 0))
    for v in hd.grid((V, block), depth=2):
        hd.store(out[v, :], hd.zeros((v, D)))
    with hd.manual():
        for r in hd.grid((R, block)):
            index, row = numbers[hd.step(), r], found[hd.step(), r, D]
            best, where_best = values[hd.step(), r, 2], places[hd.step(), r, 2]
            hd.load(rows[r], out=index, wait=2 * free, signal=at_load)
            hd.gather(table[:, :], index, out=row, wait=at_load, signal=[at_store, full])
            hd.isa.topk(row, out=[best, where_best], largest=1, sorted=1, wait=[full, rest], signal=[done, free])
            hd.store(most[r, :], best, wait=[at_store, done])
            hd.store(where[r, :], where_best, signal=[free, rest])


def test_rows_are_looked_up_by_hand():
    r = np.random.default_rng(3)
    table, rows = normal(30, 12), r.permutation(30).astype(np.int32)
    _, most, where = looked_up(table, rows)
    np.testing.assert_array_equal(most, -np.sort(-table[rows], axis=1)[:, :2])
    np.testing.assert_array_equal(where, np.argsort(-table[rows], axis=1)[:, :2])
    looked_up.check(table, rows)


def test_a_kernel_by_hand_in_a_model(tmp_path, monkeypatch):
    monkeypatch.setattr(hadal._register, "_registered", {})
    info = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Exp", ["p"], ["e"]),
             helper.make_node("MatMul", ["e", "w"], ["y"])]
    graph = helper.make_graph(nodes, "g", [info("x", 96, 64), info("w", 64, 64)], [info("y", 96, 64)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / "m.onnx")
    x, w = normal(96, 64) / 8, normal(64, 64) / 8
    with hd.register_kernel("MatMul", product_by_hand, parameters=lambda node: {"bm": 32, "bn": 32, "bk": 16}):
        program = hd.compile(tmp_path / "m.onnx")
    y, = hd.InferenceSession(program).run(None, {"x": x, "w": w})
    np.testing.assert_allclose(y, np.exp(x @ w) @ w, rtol=1e-4, atol=1e-4)
    assert sum(layer["op"] == "kernel product_by_hand" for layer in program.simulate().layers) == 2
    program.check()
