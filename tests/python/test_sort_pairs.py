"""Numbers sorted with their places: hd.sort_pairs, kernels/sort.py's argsort, and the operator TopK where a sort is faster."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from test_kernels import hd

from sort import argsort  # noqa: E402  In kernels/, which test_kernels has named.

EDGE = hd.Chip("hadal-1", cores=3, **{"network.x": 3, "network.y": 1})


def ranked(x, descending, axis=-1):
    """Places of x in order: NaN above all numbers, equal ones as they stand. NumPy's sorts know no such descending order."""
    rows = np.moveaxis(x, axis, -1).astype(np.float64)
    nan = np.isnan(rows)
    key, above = np.where(nan, 0, rows), nan.astype(int)
    order = np.lexsort((-key, -above) if descending else (key, above), axis=-1)
    return np.moveaxis(order, -1, axis)


def few(r, *shape):
    """Many equal ones, and what is not finite."""
    x = r.integers(-9, 9, shape).astype(np.float32) / 4
    for value in np.nan, np.inf, -np.inf, -0.0:
        x[r.random(shape) < 0.05] = value
    return x


# --- The word.

@hd.kernel("T[M,N] -> T[M,N], i32[M,N], T[M,N], i32[M,N], i32[M,N]")
def pairs(x, up, up_at, down, down_at, back):
    v = hd.load(x)
    for value, store in zip(hd.sort_pairs(v), (up, up_at)):
        hd.store(store[:, :], value)
    sorted_down, at = hd.sort_pairs(v, axis=0, descending=True, lower_above=True)
    hd.store(down[:, :], sorted_down)
    hd.store(down_at[:, :], at)
    hd.store(back[:, :], hd.sort_pairs(v, (hd.span(0, x.shape[1]).ids(1) * -1 + hd.zeros(v.shape)).to("i32"))[1])


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
def test_pairs_are_sorted_along_an_axis(dtype):
    x = few(np.random.default_rng(0), 16, 32)
    kind = {"f32": np.float32, "f16": np.float16}.get(dtype)
    if kind is None:
        import ml_dtypes
        kind = ml_dtypes.bfloat16
    x = x.astype(kind)
    up, up_at, down, down_at, back = pairs(x)
    for values, places, want, axis in ((up, up_at, ranked(x, False), 1), (down, down_at, ranked(x, True, 0), 0)):
        np.testing.assert_array_equal(places, want)
        np.testing.assert_array_equal(values.astype(np.float32), np.take_along_axis(x, want, axis).astype(np.float32))
    flipped = 31 - ranked(x[:, ::-1], False)  # Numbers that fall: of equal ones the last comes first.
    np.testing.assert_array_equal(-back, flipped)
    pairs.check(x)


def test_numbers_must_fit():
    @hd.kernel("f32[M,N] -> f32[M,N]")
    def wrong(x, y):
        v = hd.load(x)
        hd.store(y[:, :], hd.sort_pairs(v, v)[0])

    with pytest.raises(hd.KernelError) as error:
        wrong.compile("f32[4,8]")
    assert error.value.code == "sort.numbers"


# --- The kernel.

@pytest.mark.parametrize("descending", [False, True])
def test_argsort_is_stable_on_ragged_lengths(descending):
    r = np.random.default_rng(1)
    for n in (1, 2, 63, 64, 65, 300, 1000, 1025):
        x = r.integers(-20, 20, n).astype(np.float32)
        y, places = argsort(x, size=64, descending=descending)
        want = np.argsort(-x if descending else x, kind="stable")
        np.testing.assert_array_equal(places, want)
        np.testing.assert_array_equal(y, x[want])
    argsort.check(x, size=64, descending=descending)
    for chip in "hadal-edge", EDGE:
        for got, first in zip(argsort(x, size=64, descending=descending, chip=chip), (y, places)):
            np.testing.assert_array_equal(got, first)


# --- The operator.

def top(tmp_path, shape, k, axis=-1, largest=1, dtype=TensorProto.FLOAT):
    result = list(shape)
    result[axis] = k
    node = helper.make_node("TopK", ["x", "k"], ["v", "i"], name="top", axis=axis, largest=largest)
    info = helper.make_tensor_value_info
    graph = helper.make_graph([node], "g", [info("x", dtype, shape)],
                              [info("v", dtype, result), info("i", TensorProto.INT64, result)],
                              [helper.make_tensor("k", TensorProto.INT64, [1], [k])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / "top.onnx")
    return tmp_path / "top.onnx"


def has_sort(hadal, program, tmp_path):
    program.save(tmp_path / "top.hadal")
    return "sort_pairs" in hadal.ok("dis", tmp_path / "top.hadal").out


CASES = [([1000], 1000, 0), ([3, 2000], 1500, 1), ([700, 5], 650, 0), ([2, 1100, 3], 1000, 1), ([40, 999], 400, -1), ([2, 513], 513, 1)]


@pytest.mark.parametrize("shape, k, axis", CASES)
@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_top_k_by_a_sort_is_numpys(hadal, tmp_path, shape, k, axis, largest, dtype):
    """Ties by the lower index, NaN above all: also where fewer than k elements are above what fills the rows up."""
    model = top(tmp_path, shape, k, axis, largest, dtype)
    program = hd.compile(model)
    assert has_sort(hadal, program, tmp_path)
    program.check()
    r = np.random.default_rng(k)
    for x in few(r, *shape), np.full(shape, -np.inf if largest else np.nan, np.float32):
        x = x.astype(helper.tensor_dtype_to_np_dtype(dtype))
        values, places = hd.InferenceSession(program).run(None, {"x": x})
        want = np.take(ranked(x, bool(largest), axis), range(k), axis)
        np.testing.assert_array_equal(places, want)
        np.testing.assert_array_equal(values, np.take_along_axis(x, want, axis))


@pytest.mark.parametrize("chip", ["hadal-1", "hadal-edge", "tpu-v3"])
def test_the_faster_way_is_taken(hadal, tmp_path, chip):
    """Both ways as kernels, timed: where they are far apart, the compiler has chosen the faster."""
    @hd.kernel("f32[M,N] -> f32[M,K], i32[M,K]")
    def by_rounds(x, values, places, *, K, rows):
        for m in hd.grid((x.shape[0], rows)):
            for store, v in zip((values, places), hd.topk(hd.load(x[m, :]), K)):
                hd.store(store[m, :], v)

    @hd.kernel("f32[M,N] -> f32[M,K], i32[M,K]")
    def by_sort(x, values, places, *, K):
        for m in hd.grid((x.shape[0], None)):
            v = hd.load(x[m, :])
            for store, v in zip((values, places), hd.sort_pairs(v, descending=True, lower_above=True)):
                hd.store(store[m, 0:K], v[:hd.span(0, K)])

    M, taken = 64, []
    for n in 256, 1024, 2048:
        for k in 4, n // 16, n // 4, n:
            sort = by_sort.simulate(f"f32[{M},{n}]", chip=chip, K=k).cycles
            rounds = min(by_rounds.simulate(f"f32[{M},{n}]", chip=chip, K=k, rows=rows).cycles for rows in (1, 4, 16, 32)
                         if rows * n <= 8192)
            if max(rounds, sort) > 1.5 * min(rounds, sort):
                program = hd.compile(top(tmp_path, [M, n], k), chip)
                taken.append((n, k, has_sort(hadal, program, tmp_path), rounds, sort))
    assert all(sorts == (sort < rounds) for _, _, sorts, rounds, sort in taken), taken
    assert any(sorts for _, _, sorts, _, _ in taken)


def test_a_sort_is_many_times_as_fast_where_most_of_a_row_is_kept(tmp_path):
    few_kept, all_kept = (hd.simulate(top(tmp_path, [64, 4096], k)).cycles for k in (8, 4000))
    assert all_kept < 2 * few_kept  # In rounds it was 10 times as long.


def test_integers_are_not_sorted_as_floats(hadal, tmp_path):
    model = top(tmp_path, [3, 1000], 900, dtype=TensorProto.INT32)
    program = hd.compile(model)
    assert not has_sort(hadal, program, tmp_path)
    x = np.random.default_rng(3).integers(-2**31, 2**31 - 1, (3, 1000)).astype(np.int32)
    values, _ = hd.InferenceSession(program).run(None, {"x": x})
    np.testing.assert_array_equal(values, -np.sort(-x.astype(np.int64))[:, :900])
