"""The words of the kernel language that loop, make tiles and compute with values: hd.grid, hd.tiles, hd.zeros, hd.exp …"""

from __future__ import annotations

import builtins  # The words below hide Python's own.
from typing import Any, Callable, Iterator, Sequence

from . import index
from .errors import wrong
from .index import Index
from .isa import lanes, second_of
from .memory import Span, Tensor
from .signature import BYTES
from .trace import current, new_index
from .values import Accumulator, Tile, Value, as_operand, dims_of, elementwise


def _depth(depth: int | str) -> int | None:
    if depth == "auto":
        return None
    if current().by_hand:
        raise wrong("loop.depth", f"depth={depth!r} in hd.manual, where nothing is loaded ahead by itself", "hd.ring has slots")
    if not isinstance(depth, int) or not 1 <= depth <= 64:
        raise wrong("loop.depth", f'depth is 1 to 64, or "auto"; found {depth!r}', "depth=2 loads one trip ahead")
    return depth


def _size(size: Any) -> int:
    if not isinstance(size, int) or size < 1:
        raise wrong("loop.size", f"a tile size is a positive Python integer; found {size!r}", "hd.tiles(n, 128)")
    return size


def range(low: Any, high: Any = None, step: int = 1, *, depth: int | str = "auto") -> Iterator[Index]:  # noqa: A001
    """A hardware loop over low, low + step, … below high; gives the index. Bounds may be made of outer indices."""
    low, high = (0, low) if high is None else (low, high)
    step = _size(step)
    count = index.greatest(index.ceil_div(index.subtract(high, low), step), 0)
    counter = new_index(current(), count)
    item = index.add(low, index.multiply(counter, step))
    item = item.within(index.as_index(low).low, builtins.max(index.as_index(high).high - 1, index.as_index(low).low))
    return current().loop("loop", item, count=count, counter=counter, depth=_depth(depth))


def tiles(n: int, size: int, *, start: Any = 0, upto: Any = None, depth: int | str = "auto") -> Iterator[Span]:
    """A hardware loop over the spans of an axis of n elements, `size` at a time, from `start`; the last is clamped.

    upto: where to stop, at most n; an integer, or made of outer indices. depth: how many trips' loads have room at once.
    """
    size = _size(size)
    start = index.as_index(start)
    stop = index.as_index(n) if upto is None else index.least(upto, n)
    count = index.greatest(index.ceil_div(index.subtract(stop, start), size), 0)
    counter = new_index(current(), count)
    origin = index.add(start, index.multiply(counter, size)).within(0, builtins.max(n - 1, 0))
    whole = stop.is_constant and start.is_constant and (stop.low - start.low) % size == 0
    extent = index.constant(size) if whole else index.least(size, index.subtract(stop, origin)).within(1, size)
    return current().loop("loop", Span(origin, size, extent, n), count=count, counter=counter, depth=_depth(depth))


def span(start: Any, size: int) -> Span:
    """`size` indices from `start`: open, so that they may pass the edges of a tensor, where hd.load(..., fill=) says what is
    there; hd.span(0, 8).ids(0) counts to 8."""
    return Span(index.as_index(start), _size(size), index.constant(size), None)


def grid(*axes: tuple[int, int | None], depth: int | str = "auto") -> Iterator[Any]:
    """Deals tiles to the cores: hd.grid((M, bm), (N, bn)) gives two spans; (H, None) gives an index. Steps are independent."""
    trace = current()
    block = trace.body.block
    if trace.body is not (trace.root if block is None else block.inner) or (block is not None and block.body is not trace.root):
        raise wrong("grid.nested", "hd.grid stands outside all loops", "loop in it with hd.tiles or hd.range")
    for axis in axes:
        if not (isinstance(axis, tuple) and len(axis) == 2 and isinstance(axis[0], int) and axis[0] > 0):
            raise wrong("grid.axes", f"hd.grid takes pairs (extent, tile size); found {axis!r}", "hd.grid((M, bm), (N, bn))")
    counts, items = [], []
    for d, (n, size) in enumerate(axes):
        step = 1 if size is None else _size(size)
        counts.append(-(-n // step))
        at = index.variable(f"g{d}", 0, counts[d] - 1)
        extent = index.constant(step) if n % step == 0 else index.least(step, index.subtract(n, at * step))
        items.append(at if size is None else Span(index.multiply(at, step), step, extent, n))
    return trace.loop("grid", items[0] if len(items) == 1 else tuple(items), counts=counts, depth=_depth(depth),
                      label=trace.label)


def step() -> Index:
    """The number of this core's step of hd.grid, 0, 1, 2 …, as an index: which slot of a ring is next."""
    loop = next((body.loop for body in current().body.chain() if body.loop is not None and body.loop.kind == "grid"), None)
    if loop is None:
        raise wrong("grid.step", "there is no hd.grid here, whose steps a core counts", "count trips by the index of hd.range")
    return index.variable("unit", 0, index.product(loop.counts) - 1)


def scratch(shape: Sequence[int], dtype: str) -> Tensor:
    """A tensor of the kernel's own, in memory or joined scratchpads: stored in one grid, loaded in later ones."""
    if dtype not in BYTES:
        raise wrong("dtype.unknown", f"there is no type {dtype!r}", f"the types are {', '.join(BYTES)}")
    tensors = current().tensors
    if not all(isinstance(extent, int) and extent > 0 for extent in shape):
        raise wrong("scratch.shape", f"extents are positive Python integers; found {shape!r}", "hd.scratch((M, N), x.dtype)")
    tensors.append(Tensor(f"scratch{len(tensors)}", len(tensors), dtype, tuple(shape), "scratch"))
    return tensors[-1]


def tile(dims: Any, dtype: str = "f32") -> Tile:
    """A tile that nothing has written yet. dims: spans and integers."""
    if dtype not in BYTES:
        raise wrong("dtype.unknown", f"there is no type {dtype!r}", f"the types are {', '.join(BYTES)}")
    return Tile(dims_of(dims), dtype)


def full(dims: Any, value: float, dtype: str = "f32") -> Tile:
    """A tile that holds one number."""
    made = tile(dims, dtype)
    made[:] = value
    return made


def zeros(dims: Any, dtype: str = "f32") -> Tile:
    """A tile that holds 0."""
    return full(dims, 0.0, dtype)


def accumulator(*dims: Any) -> Accumulator:
    """Sums of products, f32 [m, n] (of convolutions [h, w, o]), zero at first: `acc += x @ w`."""
    return Accumulator(dims_of(dims))


def _reduce(kind: str, value: Any, axis: int | Sequence[int] | None) -> Value:
    value = as_operand(value)
    if not isinstance(value, Value):
        raise wrong("value.type", f"hd.{kind} reduces a value; found a number", "hd.maximum takes numbers")
    rank = len(value.dims)
    axes = builtins.range(rank) if axis is None else [axis] if isinstance(axis, int) else axis
    if any(not -rank <= a < rank for a in axes):
        raise wrong("reduce.axis", f"{value} has no axis {axis}", f"its axes are 0 to {rank - 1}")
    chosen = sorted({a % rank for a in axes})
    dims = tuple(index.constant(1) if a in chosen else d for a, d in enumerate(value.dims))
    return lanes("reduce", [value], dims, "f32", kind, kind=kind, axes=builtins.sum(1 << a for a in chosen))


def sum(value: Any, axis: int | Sequence[int] | None = None) -> Value:  # noqa: A001
    """Sums over axes, which stay with extent 1."""
    return _reduce("sum", value, axis)


def mean(value: Any, axis: int | Sequence[int] | None = None) -> Value:
    """The mean over axes, which stay with extent 1."""
    return _reduce("mean", value, axis)


def max(value: Any, axis: int | Sequence[int] | None = None) -> Value:  # noqa: A001
    """The greatest over axes, which stay with extent 1; hd.maximum takes two values."""
    return _reduce("max", value, axis)


def min(value: Any, axis: int | Sequence[int] | None = None) -> Value:  # noqa: A001
    """The least over axes, which stay with extent 1; hd.minimum takes two values."""
    return _reduce("min", value, axis)


def cumsum(value: Any, *, exclusive: bool = False) -> Value:
    """Running sums along the last axis, f32; exclusive: of what stands before each element."""
    value = _rows(value, "hd.cumsum")
    return lanes("scan", [value if value.dtype == "f32" else value.to("f32")], value.dims, "f32", "sums",
                 exclusive=int(exclusive))


def topk(value: Any, k: int) -> tuple[Value, Value]:
    """The k largest of the last axis in order, of the value's type, and where they were, i32: of equals the first."""
    value = _rows(value, "hd.topk")
    if not isinstance(k, int) or not 1 <= k <= value.dims[-1].low:
        raise wrong("topk.count", f"the {k} largest of {value}", "k is 1 to the last extent")
    dims = (*value.dims[:-1], index.constant(k))
    found = lanes("topk", [value], dims, value.dtype, "most", largest=1, sorted=1)
    return found, second_of(found, dims, "i32")


def sort(value: Any, *, axis: int = -1, run: int = 1, descending: bool | Index = False) -> Value:
    """Sorted along an axis whose extent is a power of two, NaN above all numbers; of the value's type.

    run: a smaller power of two; runs of as many elements ascend and descend in turns already, and are merged. descending: of an
    index, where it is not 0. Equal elements, 0 and -0 among them, in an order of their own."""
    value = _rows(value, "hd.sort")
    return lanes("sort", [value], value.dims, value.dtype, "sorted", axis=_sorted_axis(value, axis, run), run=run,
                 descending=descending if isinstance(descending, Index) else int(descending))


def sort_pairs(value: Any, numbers: Any = None, *, axis: int = -1, run: int = 1, descending: bool | Index = False,
               lower_above: bool = False) -> tuple[Value, Value]:
    """hd.sort, and the number of each element, i32: those given, or where it was along the axis.

    Equal elements are in the order of their numbers; lower_above: in the reverse of it, so that the lower come first where the
    order is descending."""
    value = _rows(value, "hd.sort_pairs")
    carried = [] if numbers is None else [_rows(numbers, "hd.sort_pairs")]
    if any(c.dtype != "i32" or [d.text for d in c.dims] != [d.text for d in value.dims] for c in carried):
        raise wrong("sort.numbers", f"{value} is sorted with {carried[0]}", "an i32 value of the same extents")
    found = lanes("sort_pairs", [value, *carried], value.dims, value.dtype, "sorted", axis=_sorted_axis(value, axis, run),
                  run=run, descending=descending if isinstance(descending, Index) else int(descending),
                  lower_above=int(lower_above))
    return found, second_of(found, value.dims, "i32")


def _sorted_axis(value: Value, axis: int, run: Any) -> int:
    """The axis from 0. Errors: sort.axis; sort.run where it is not of runs."""
    if not -len(value.dims) <= axis < len(value.dims):
        raise wrong("sort.axis", f"{value} has no axis {axis}", f"its axes are 0 to {len(value.dims) - 1}")
    extent = value.dims[axis]
    powers = [n for n in (extent.low, run) if isinstance(n, int) and n > 0 and n & (n - 1) == 0]
    if not extent.is_constant or len(powers) < 2 or run >= extent.low:
        raise wrong("sort.run", f"runs of {run!r} are sorted to {extent.text} elements of {value}",
                    "both are powers of two, the run the smaller; hd.load(x[hd.span(start, 1024)], fill=) fills one up")
    return axis % len(value.dims)


def _rows(value: Any, word: str) -> Value:
    value = as_operand(value)
    if not isinstance(value, Value) or value.dtype == "bool":
        raise wrong("value.type", f"{word} takes the rows of a value; found {value}", "load it, or hd.where(c, 1.0, 0.0)")
    return value


def where(condition: Any, a: Any, b: Any) -> Value:
    """a where the condition holds, else b."""
    return elementwise("where", condition, a, b)


def maximum(a: Any, b: Any) -> Any:
    """The greater, element by element; of indices and numbers too."""
    return _either(index.greatest, builtins.max, "max", a, b)


def minimum(a: Any, b: Any) -> Any:
    """The lesser, element by element; of indices and numbers too."""
    return _either(index.least, builtins.min, "min", a, b)


def _either(of_indices: Any, of_numbers: Any, name: str, a: Any, b: Any) -> Any:
    if isinstance(a, Index) or isinstance(b, Index):
        return of_indices(a, b)
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return of_numbers(a, b)
    return elementwise(name, a, b)


def _unary(name: str) -> Callable[[Any], Value]:
    def word(value: Any) -> Value:
        return elementwise(name, value)

    word.__name__ = word.__qualname__ = name
    word.__doc__ = f"{name}, element by element, in f32 (docs/isa.md, Chains)."
    return word


exp = _unary("exp")
log = _unary("log")
sqrt = _unary("sqrt")
rsqrt = _unary("rsqrt")
reciprocal = _unary("reciprocal")
sin = _unary("sin")
cos = _unary("cos")
tanh = _unary("tanh")
erf = _unary("erf")
abs = _unary("abs")  # noqa: A001
sign = _unary("sign")
floor = _unary("floor")
ceil = _unary("ceil")
round = _unary("round")  # noqa: A001
relu = _unary("relu")
sigmoid = _unary("sigmoid")
silu = _unary("silu")
gelu = _unary("gelu")
gelu_tanh = _unary("gelu_tanh")
softplus = _unary("softplus")
