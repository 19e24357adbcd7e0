"""Wrong kernels and wrong launches: one error each, at the user's line, with what was found and what to do."""

import re

import numpy as np
import pytest
from test_package import hadal
from wrong_kernels import hold_to_one_error

hd = hadal


def dot_of_shapes(a, b, c):
    for m, n in hd.grid((a.shape[0], 32), (b.shape[1], 32)):
        x, w = hd.load(a[m, :]), hd.load(b[:, n].T)
        hd.store(c[m, n], x @ w)  # here


def dot_of_types(a, b, c):
    x, w = hd.load(a).to("bf16"), hd.load(b)
    hd.store(c[:, :], x @ w)  # here


def carried_value(a, b, c):
    best = hd.load(a[:, 0:32])
    for k in hd.tiles(a.shape[1], 32):
        best = hd.maximum(best, hd.load(a[:, k]))  # here
    hd.store(c[:, :], best)


def value_after_its_loop(a, b, c):
    for k in hd.tiles(64, 32):
        v = hd.load(a[:, k])
    hd.store(c[:, 0:32], v * 2)  # here


def branch_on_a_tile(a, b, c):
    v = hd.load(a)
    if hd.max(v) > 0:  # here
        v = v * 2
    hd.store(c[:, :], v)


def python_max(a, b, c):
    hd.store(c[:, :], max(hd.load(a), 0.0))  # here


def python_range_of_an_index(a, b, c):
    for i in hd.range(4):
        for j in range(i):  # here
            hd.store(c[i, 0:1], hd.load(a[j, 0:1]))


def branch_on_an_index(a, b, c):
    for i in hd.range(4):
        if i:  # here
            hd.store(c[i, 0:1], hd.load(a[i, 0:1]))


def comparison_of_an_index(a, b, c):
    for i in hd.range(4):
        if i < 2:  # here
            hd.store(c[i, 0:1], hd.load(a[i, 0:1]))


def equality_of_an_index(a, b, c):
    for i in hd.range(4):
        if i == 0:  # here
            hd.store(c[i, 0:1], hd.load(a[i, 0:1]))


def fraction_of_an_index(a, b, c):
    for i in hd.range(4):
        hd.store(c[i, 0:1], hd.load(a[i / 2, 0:1]))  # here


def inequality_of_tiles(a, b, c):
    hd.store(c[:, :], hd.where(hd.load(a) != 0.0, 1.0, 0.0))  # here


def store_of_another_shape(a, b, c):
    for m in hd.grid((a.shape[0], 32)):
        hd.store(c[m, :], hd.sum(hd.load(a[m, :]), axis=1))  # here


def store_of_another_type(a, b, c):
    hd.store(c[:, :], hd.load(a).to("bf16"))  # here


def store_to_an_input(a, b, c):
    hd.store(a[:, :], hd.load(b))  # here


def load_of_an_output(a, b, c):
    hd.store(c[:, :], hd.load(c))  # here


def unknown_type(a, b, c):
    hd.store(c[:, :], hd.load(a).to("bf8"))  # here


def index_past_the_edge(a, b, c):
    for i in hd.range(100):
        hd.store(c[0:1, 0:1], hd.load(a[i, 0:1]))  # here


def slice_past_the_edge(a, b, c):
    hd.store(c[:, :], hd.load(a[:, 0:128]))  # here


def span_of_another_axis(a, b, c):
    for k in hd.tiles(1000, 32):
        hd.store(c[:, :], hd.load(a[:, k]))  # here


def too_few_axes(a, b, c):
    hd.store(c[:, :], hd.load(a[0:32]))  # here


def arithmetic_in_memory(a, b, c):
    hd.store(c[:, :], hd.load(a) + b[:, :])  # here


def assignment_to_memory(a, b, c):
    c[:, :] = hd.load(a)  # here


def product_in_memory(a, b, c):
    hd.store(c[:, :], a @ b)  # here


def python_loop_over_memory(a, b, c):
    for row in a:  # here
        hd.store(c[:, :], hd.load(row))


def sum_rebound(a, b, c):
    acc = hd.accumulator(64, 64)
    for k in hd.tiles(64, 32):
        acc = acc + hd.load(a[:, k]) @ hd.load(b[k, :])  # here
    hd.store(c[:, :], acc)


def extents_that_differ(a, b, c):
    hd.store(c[:, :], hd.load(a[:, 0:32]) + hd.load(a[:, 0:48]))  # here


def break_in_a_loop(a, b, c):
    for k in hd.tiles(64, 32):  # here
        hd.store(c[:, k], hd.load(a[:, k]))
        break


def counter_in_python(a, b, c):
    scale = 1.0
    for k in hd.tiles(64, 32):
        hd.store(c[:, k], hd.load(a[:, k]) * scale)  # here
        scale += 1.0


def flag_in_python(a, b, c):
    first = True
    for k in hd.tiles(64, 32):
        v = hd.load(a[:, k])
        if first:
            v = hd.exp(v)  # here
        first = False
        hd.store(c[:, k], v)


def unwritten_tile(a, b, c):
    t = hd.tile((64, 64))
    hd.store(c[:, :], t + 1.0)  # here


def part_of_a_tile(a, b, c):
    t = hd.zeros((64, 64))
    t[0:32] = 1.0  # here


def overlapping_stores(a, b, c):
    for m, n in hd.grid((64, 32), (64, 32)):
        hd.store(c[m, :], hd.load(a[m, :]))  # here


def state_over_the_grid(a, b, c):
    t = hd.zeros((32, 64))
    for m in hd.grid((64, 32)):
        t += hd.load(a[m, :])  # here
        hd.store(c[m, :], t)


def grid_in_a_loop(a, b, c):
    for k in hd.tiles(64, 32):
        for m in hd.grid((64, 32)):  # here
            hd.store(c[m, k], hd.load(a[m, k]))


def value_of_another_grid(a, b, c):
    v = hd.load(b[0:1, :])
    hidden = hd.scratch((64, 64), "f32")
    for m in hd.grid((64, 32)):
        hd.store(hidden[m, :], hd.load(a[m, :]))
    for m in hd.grid((64, 32)):
        hd.store(c[m, :], hd.load(hidden[m, :]) + v)  # here


def scratch_before_it_is_stored(a, b, c):
    hidden = hd.scratch((64, 64), "f32")
    for m in hd.grid((64, 32)):
        hd.store(hidden[m, :], hd.load(a[m, :]))
        hd.store(c[m, :], hd.load(hidden[m, :]))  # here


def output_of_two_grids(a, b, c):
    for m in hd.grid((64, 32)):
        hd.store(c[m, :], hd.load(a[m, :]))
    for m in hd.grid((64, 16)):
        hd.store(c[m, :], hd.load(b[m, :]))  # here


def store_outside_the_grid(a, b, c):
    hd.store(c[:, :], hd.load(b))  # here
    for m in hd.grid((64, 32)):
        hd.store(c[m, :], hd.load(a[m, :]))


def kernel_of_other_tensors(a, b, c):
    product(a, b, hd.scratch((64, 32), "f32"))  # here


def nothing_stored(a, b, c):
    hd.load(a)  # here


def numpy_of_a_tile(a, b, c):
    hd.store(c[:, :], np.exp(hd.load(a)))  # here


def infinity(a, b, c):
    hd.store(c[:, :], hd.full((64, 64), -np.inf))  # here


def blocks_of_another_size(a, b, c):
    for k in hd.tiles(64, 32):
        hd.store(c[:, k], hd.load(a[:, k.blocks(24)]))  # here


def window_past_the_edge(a, b, c):
    for k in hd.tiles(64, 32):
        hd.store(c[:, 0:34], hd.load(a[:, k.window(3, pad=1)]))  # here


def taps_of_other_channels(a, b, c):
    image, taps = hd.load(a).reshape(8, 8, 64), hd.load(b[0:32, :]).reshape(1, 1, 32, 64)
    hd.store(c[:, :], hd.conv(image, taps).reshape(64, 64))  # here


def taps_larger_than_the_image(a, b, c):
    image, taps = hd.load(a).reshape(8, 8, 64), hd.load(b).reshape(16, 4, 64)
    hd.store(c[0:5, :], hd.conv_depthwise(image, taps).reshape(5, 64))  # here


def stride_of_zero(a, b, c):
    image, taps = hd.load(a).reshape(8, 8, 64), hd.load(b).reshape(1, 1, 64, 64)
    hd.store(c[:, :], hd.conv(image, taps, stride=0).reshape(64, 64))  # here


def scales_of_another_block(a, b, c):
    hd.store(c[:, :], hd.dot(hd.load(a), hd.load(b), hd.load(a[:, 0:2]), hd.load(b[0:2, 0:2])))  # here


def other_elements(a, b, c):
    hd.store(c[:, :], hd.load(a).reshape(64, 65))  # here


def cut_in_the_middle(a, b, c):
    hd.store(c[0:32, :], hd.load(a)[32:64])  # here


def cut_past_the_end(a, b, c):
    hd.store(c[:, :], hd.load(a)[:65])  # here


def rows_of_floats(a, b, c):
    hd.store(c[:, :], hd.gather(a, hd.load(b[0, :])))  # here


def rows_of_a_part(a, b, c):
    rows = hd.load(b[0, :]).to("i32")
    hd.store(c[:, :], hd.gather(a[0:32, :], rows))  # here


def sums_to_what_is_not_stored(a, b, c):
    rows = hd.load(b[0, :]).to("i32")
    hd.scatter(c[:, :], rows, hd.load(a), add=True)  # here


def more_than_there_are(a, b, c):
    hd.store(c[:, :], hd.topk(hd.load(a), 65)[0])  # here


def axis_of_a_sort(a, b, c):
    hd.store(c[:, :], hd.sort(hd.load(a), axis=2))  # here


def sort_of_no_power_of_two(a, b, c):
    hd.store(c[:, 0:48], hd.sort(hd.load(a[:, 0:48])))  # here


def merge_of_one_run(a, b, c):
    hd.store(c[:, :], hd.sort(hd.load(a), run=64))  # here


def product_of_integers(a, b, c):
    x = hd.load(a).to("i32")
    hd.store(c[:, :], x @ x)  # here


def unknown_instruction(a, b, c):
    hd.store(c[:, :], hd.isa.sofmax(hd.load(a), dims=(64, 64)))  # here


def instruction_of_the_host(a, b, c):
    hd.store(c[:, :], hd.isa.host_call(hd.load(a), dims=(64, 64)))  # here


def operands_of_another_instruction(a, b, c):
    hd.store(c[:, :], hd.isa.softmax(hd.load(a), hd.load(b), dims=(64, 64)))  # here


def results_of_another_instruction(a, b, c):
    hd.store(c[:, :], hd.isa.topk(hd.load(a), dims=(64, 64)))  # here


def field_of_another_instruction(a, b, c):
    hd.store(c[:, :], hd.isa.softmax(hd.load(a), dims=(64, 64), axis=1))  # here


def choice_that_is_none(a, b, c):
    hd.store(c[:, :], hd.isa.norm(hd.load(a), dims=(64, 64), kind="batch"))  # here


def sums_too_large(a, b, c):
    x, w = hd.load(a), hd.load(b)
    hd.store(c[:, :], x @ w)  # here


CODES = {
    dot_of_shapes: "dot.shape", dot_of_types: "dot.dtype", carried_value: "loop.carried", value_after_its_loop: "loop.closed",
    branch_on_a_tile: "value.branch", python_max: "value.branch", python_range_of_an_index: "index.python",
    branch_on_an_index: "index.branch", comparison_of_an_index: "index.compare",
    equality_of_an_index: "index.compare", fraction_of_an_index: "index.type",
    inequality_of_tiles: "value.unequal", store_of_another_shape: "store.shape",
    store_of_another_type: "store.dtype", store_to_an_input: "store.input", load_of_an_output: "load.output",
    unknown_type: "dtype.unknown", index_past_the_edge: "window.bounds", slice_past_the_edge: "window.bounds",
    span_of_another_axis: "window.bounds", too_few_axes: "window.rank", arithmetic_in_memory: "window.value",
    assignment_to_memory: "window.write", product_in_memory: "window.value", python_loop_over_memory: "window.loop",
    sum_rebound: "loop.carried", extents_that_differ: "map.shape", break_in_a_loop: "loop.left", counter_in_python: "loop.changes",
    flag_in_python: "loop.changes", unwritten_tile: "tile.unwritten", part_of_a_tile: "tile.part",
    overlapping_stores: "grid.overlap", state_over_the_grid: "grid.state", grid_in_a_loop: "grid.nested",
    value_of_another_grid: "grid.closed", scratch_before_it_is_stored: "grid.order", output_of_two_grids: "grid.order",
    store_outside_the_grid: "store.outside", kernel_of_other_tensors: "inline.shape", nothing_stored: "kernel.store",
    numpy_of_a_tile: "value.numpy", infinity: "value.number", blocks_of_another_size: "span.blocks",
    window_past_the_edge: "window.bounds", taps_of_other_channels: "conv.shape", taps_larger_than_the_image: "conv.shape",
    stride_of_zero: "conv.step", scales_of_another_block: "dot.scales", other_elements: "value.reshape",
    cut_in_the_middle: "value.index", cut_past_the_end: "value.index", rows_of_floats: "rows.dtype",
    rows_of_a_part: "rows.window", sums_to_what_is_not_stored: "scatter.unwritten", more_than_there_are: "topk.count",
    axis_of_a_sort: "sort.axis", sort_of_no_power_of_two: "sort.run", merge_of_one_run: "sort.run",
    product_of_integers: "dot.dtype", unknown_instruction: "isa.unknown", instruction_of_the_host: "isa.unknown",
    operands_of_another_instruction: "isa.operands", results_of_another_instruction: "isa.results",
    field_of_another_instruction: "isa.field", choice_that_is_none: "isa.field", sums_too_large: "plan.accumulator",
}


@pytest.mark.parametrize("function", CODES, ids=lambda f: f.__name__)
def test_wrong_kernel_has_one_error_at_its_line(function):
    hold_to_one_error(function, CODES[function], 2048 if function is sums_too_large else 64)


def test_scratchpad_that_does_not_suffice_names_the_lines():
    @hd.kernel("f32[M,N] -> f32[M,N]")
    def whole(x, y):
        hd.store(y[:, :], hd.exp(hd.load(x)))

    with pytest.raises(hd.KernelError) as error:
        whole.compile("f32[2048,2048]")
    assert error.value.code == "plan.capacity"
    assert re.search(r"test_kernel_errors.py:\d+  x f32\[2048,2048\] x 1 = 16 MiB", error.value.place)
    assert "smaller tiles" in error.value.remedy


@hd.kernel("T[M,K], T[K,N] -> T[M,N]", where={"T": "f32 bf16"})
def product(a, b, c, *, scale=1.0):
    hd.store(c[:, :], (hd.load(a) @ hd.load(b) * scale).to(c.dtype))


@pytest.mark.parametrize("code, arguments, parameters", [
    ("launch.arguments", ["f32[8,8]"], {}),
    ("launch.rank", ["f32[8,8]", "f32[8]"], {}),
    ("launch.shape", ["f32[8,9]", "f32[8,8]"], {}),
    ("launch.shape", ["f32[8,0]", "f32[0,8]"], {}),
    ("launch.shape", ["f32[M,8]", "f32[8,8]"], {}),
    ("launch.dtype", ["f32[8,8]", "bf16[8,8]"], {}),
    ("launch.dtype", ["f16[8,8]", "f16[8,8]"], {}),
    ("launch.dtype", [np.zeros((8, 8), np.int32)] * 2, {}),
    ("launch.parameters", ["f32[8,8]", "f32[8,8]"], {"size": 3}),
    ("signature.syntax", ["f32 8,8", "f32[8,8]"], {}),
])
def test_wrong_launch_has_one_error(code, arguments, parameters):
    with pytest.raises(hd.KernelError) as error:
        product.compile(*arguments, **parameters)
    assert error.value.code == code and error.value.place and error.value.remedy


@pytest.mark.parametrize("code, text", [("signature.syntax", "T[N]"), ("signature.syntax", "T[N] -> "),
                                        ("signature.syntax", "T(N) -> T[N]"), ("signature.letter", "T[N] -> T[M]"), ("signature.letter", "T[N] -> T[N+M]"),
                                        ("signature.syntax", "T[N] -> T[N/2]"), ("signature.syntax", "T[2*N] -> T[N]")])
def test_wrong_signature(code, text):
    with pytest.raises(hd.KernelError) as error:
        hd.kernel(text)(lambda x, y: None)
    assert error.value.code == code


def test_kernel_without_a_signature():
    with pytest.raises(hd.KernelError, match="signature.syntax"):
        hd.kernel(lambda x, y: None)


def test_words_outside_a_kernel():
    with pytest.raises(hd.KernelError, match="kernel.outside"):
        hd.zeros((8, 8))


def test_nothing_is_left_of_a_wrong_kernel():
    with pytest.raises(ZeroDivisionError):
        hd.kernel("f32[N] -> f32[N]")(lambda x, y: [1 / 0 for _ in hd.tiles(64, 8)]).compile("f32[64]")
    a = np.eye(8, dtype=np.float32)
    np.testing.assert_array_equal(product(a, a, scale=2.0), 2 * a)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": 3}',
                                  '{"name": "x", "chip": "", "precision": "", "cores": 0}'])
def test_text_that_is_no_tile_program(text):
    from hadal import _library
    with pytest.raises(hd.HadalError, match=r"\[tiles\.(syntax|field)\]"):
        _library.text_from(_library.tiles_text, text.encode())
