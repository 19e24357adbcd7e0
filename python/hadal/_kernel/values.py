"""What a kernel computes with: values, and tiles that keep state over a loop."""

from __future__ import annotations

import math
import numbers
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import index
from .errors import here, wrong
from .index import Index
from .memory import Span, Tensor, Window, shown
from .signature import BYTES
from .trace import current


def ids_of(span: Span, axis: int, shift: int) -> Value:
    """The indices of a span, `shift` further on."""
    one = index.constant(1)
    op = current().record("ids", start=span.start + shift, length=span.extent, axis=axis, span=span, shift=shift)
    return Value(op, (span.extent, one) if axis == 0 else (one, span.extent), "f32")


_OPERATORS = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv}


if TYPE_CHECKING:
    from typing_extensions import Self


def dims_of(dims: Any) -> tuple[Index, ...]:
    """Extents from spans and integers."""
    dims = dims if isinstance(dims, (tuple, list)) else (dims,)
    return tuple(d.extent if isinstance(d, Span) else index.as_index(d) for d in dims)


def _shape_of(dims: tuple[Index, ...]) -> tuple[int, list[str]]:
    """What reshaping keeps: the product of constant extents, and those that vary."""
    return math.prod(d.low for d in dims if d.is_constant), [d.text for d in dims if not d.is_constant]


class Arithmetic:
    """The operators of values and tiles."""

    def __add__(self, other: Any) -> Value:
        if isinstance(self, Value) and self.op.kind == "ids" and isinstance(other, int):
            return ids_of(self.op.span, self.op.axis, self.op.shift + other)  # Still a load, which epilogues take.
        return elementwise("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return self + other if isinstance(other, int) else elementwise("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return self + -other if isinstance(other, int) else elementwise("sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return elementwise("sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return elementwise("mul", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Value:
        if isinstance(other, numbers.Real) and math.frexp(other)[0] in (0.5, -0.5):  # A power of two: as exact, and cheaper.
            return elementwise("mul", self, 1.0 / other)
        return elementwise("div", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return elementwise("reciprocal", self) if other == 1 else elementwise("div", other, self)

    def __pow__(self, other: Any) -> Value:
        return elementwise("mul", self, self) if other == 2 else elementwise("pow", self, other)

    def __neg__(self) -> Value:
        return elementwise("neg", self)

    def __lt__(self, other: Any) -> Value:
        return elementwise("less", self, other)

    def __le__(self, other: Any) -> Value:
        return elementwise("less_equal", self, other)

    def __gt__(self, other: Any) -> Value:
        return elementwise("greater", self, other)

    def __ge__(self, other: Any) -> Value:
        return elementwise("greater_equal", self, other)

    def __eq__(self, other: Any) -> Value:  # type: ignore[override]
        return elementwise("equal", self, other)

    def __ne__(self, other: Any) -> Any:
        raise wrong("value.unequal", "there is no operation for !=", "hd.where(a == b, y, x)")

    def __abs__(self) -> Value:
        return elementwise("abs", self)

    def __matmul__(self, other: Any) -> Value:
        from .products import dot  # Which knows values.

        return dot(self, other)

    def __bool__(self) -> bool:
        raise wrong("value.branch", "`if`, `and` or Python's max asks for the elements of a tile, which only the chip has",
                    "hd.where(condition, a, b), hd.maximum(a, b) work element by element")

    def __iter__(self) -> Any:
        raise wrong("value.loop", "Python iterates over the elements of a tile, which exist only on the chip",
                    "reduce with hd.sum or hd.max, or loop over spans with hd.tiles")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise wrong("value.numpy", "NumPy asks for the elements of a tile, which exist only on the chip",
                    "use the words of hadal: hd.exp, hd.maximum, hd.where ...")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **_: Any) -> Any:
        """NumPy's numbers are numbers: np.float32(2) * v."""
        if method == "__call__" and ufunc.__name__ in _OPERATORS and not any(isinstance(v, np.ndarray) for v in inputs):
            return _OPERATORS[ufunc.__name__](*(float(v) if isinstance(v, np.generic) else v for v in inputs))
        return self.__array__()

    def __float__(self) -> float:
        raise wrong("value.number", "Python asks for the number in a tile, which exists only on the chip", "keep it a tile")

    __index__ = __int__ = __float__
    __hash__ = object.__hash__


class Value(Arithmetic):
    """An immutable tile: what a load or an expression gives. Arithmetic is f32; `.to(dtype)` rounds."""

    def __init__(self, op: Any, dims: tuple[Index, ...], dtype: str):
        self.op, self.dims, self.dtype = op, dims, dtype
        op.value = self

    @property
    def shape(self) -> tuple[Index, ...]:
        return self.dims

    @property
    def T(self) -> Value:
        if len(self.dims) != 2:
            raise wrong("value.transpose", f".T swaps two axes; {self} has {len(self.dims)}", "give it two axes")
        return Value(current().record("transpose", (self,)), (self.dims[1], self.dims[0]), self.dtype)

    def reshape(self, *dims: Any) -> Value:
        """The same elements in the same order with other extents (spans and integers); moves nothing."""
        made = dims_of(dims)
        if _shape_of(made) != _shape_of(self.dims):
            raise wrong("value.reshape", f"{self} does not have the elements of {shown(self.dtype, made)}",
                        "extents are those of the value, split or joined; one that varies stays as it is")
        return Value(current().record("view", (self,)), made, self.dtype)

    def to(self, dtype: str) -> Value:
        """The same values, rounded to the type."""
        if dtype not in BYTES:
            raise wrong("dtype.unknown", f"there is no type {dtype!r}", f"the types are {', '.join(BYTES)}")
        if dtype == self.dtype:
            return self
        return Value(current().record("map", (self,), name="copy", casts=True), self.dims, dtype)

    def __setitem__(self, *_: Any) -> None:
        raise wrong("value.write", "a value cannot be written", "make a tile: t = hd.full(dims, 0.0); t[:] = ...")

    def __getitem__(self, key: Any) -> Value:
        """v[:n]: the first of the leading axis, which moves nothing."""
        if not (isinstance(key, slice) and key.start in (None, 0) and key.step is None and key.stop is not None):
            raise wrong("value.index", "a value on the chip is cut to the first of its leading axis alone",
                        "v[:n]; load the part: hd.load(x[m, :64])")
        stop = key.stop.extent if isinstance(key.stop, Span) else index.as_index(key.stop)
        if stop.low < 0 or stop.high > self.dims[0].high:
            raise wrong("value.index", f"the cut to {stop} (at most {stop.high}) passes {self}", "cut to what it has")
        return Value(current().record("view", (self,)), (stop, *self.dims[1:]), self.dtype)

    def __str__(self) -> str:
        return shown(self.dtype, self.dims)

    __repr__ = __str__


class Place(Arithmetic):
    """What is written, and read as a value."""

    dims: tuple[Index, ...]
    dtype: str

    def read(self) -> Value:
        raise NotImplementedError


class Tile(Place):
    """State that a loop keeps: written whole by `t[:] = …`, read as a value."""

    def __init__(self, dims: tuple[Index, ...], dtype: str):
        if current().by_hand and type(self) is Tile:
            raise wrong("manual.value", "a tile is made in hd.manual, where its place would be derived",
                        "make it before the block, or hd.ring(1, dims, dtype)")
        self.dims, self.dtype, self.written = dims, dtype, False
        self.op = current().record("tile", tile=self)
        current().tiles.append(self)

    @property
    def shape(self) -> tuple[Index, ...]:
        return self.dims

    @property
    def T(self) -> Value:
        return self.read().T

    def read(self) -> Value:
        current().check_visible(self, here())
        if not self.written:
            raise wrong("tile.unwritten", f"this reads the tile of {self.op.site}, which nothing has written",
                        "begin with hd.full or hd.zeros, or write t[:] = ... first")
        return Value(current().record("read", tile=self), self.dims, self.dtype)

    def __setitem__(self, key: Any, value: Any) -> None:
        if not (isinstance(key, slice) and key == slice(None)):
            raise wrong("tile.part", "a tile is written whole", "t[:] = ...")
        self.check_writable()
        value = as_operand(value)
        fits = broadcast(value.dims, self.dims) if isinstance(value, Value) else self.dims
        if fits is None or [d.text for d in fits] != [d.text for d in self.dims]:
            raise wrong("tile.shape", f"this writes {value} to a tile {self}", "extents must be equal, or 1 in the value")
        self.written = True
        current().record("assign", (value,), tile=self)

    def __iadd__(self, other: Any) -> Self:  # type: ignore[override,unused-ignore]
        self[:] = self + other
        return self

    def check_writable(self) -> None:
        trace = current()
        trace.check_visible(self, here())
        in_grid = any(body.loop is not None and body.loop.kind == "grid" for body in trace.body.chain())
        if in_grid and self.op.body is trace.root:
            raise wrong("grid.state", f"a step of hd.grid writes the tile of {self.op.site}, made before it; steps are "
                        "independent, and dealt to the cores", "make the tile inside the grid's loop")

    def to(self, dtype: str) -> Value:
        return self.read().to(dtype)

    def reshape(self, *dims: Any) -> Value:
        return elementwise("copy", self).to(self.dtype).reshape(*dims)  # The tile may be written before this is read.

    def __str__(self) -> str:
        return shown(self.dtype, self.dims)

    __repr__ = __str__


class Accumulator(Tile):
    """Sums of products, f32, zero at first. `acc += x @ w` alone in a loop adds in the array's accumulator memory."""

    def __init__(self, dims: tuple[Index, ...]):
        super().__init__(dims, "f32")
        self.written = True

    def __iadd__(self, other: Any) -> Self:  # type: ignore[override,unused-ignore]
        if not (isinstance(other, Value) and other.op.kind == "product" and other.op.body.ops[-1] is other.op):
            return super().__iadd__(other)
        if [d.text for d in other.dims] != [d.text for d in self.dims]:
            raise wrong("dot.shape", f"this adds {other} to an accumulator {self}",
                        "hd.accumulator(m, n) for x[m, k] @ w[k, n]")
        self.check_writable()
        current().record("accumulate", (other,), tile=self)
        return self


def as_operand(value: Any) -> Value | float:
    if isinstance(value, Place):
        return value.read()
    if isinstance(value, Value):
        return value
    if isinstance(value, numbers.Real):
        if not math.isfinite(value):
            raise wrong("value.number", f"{value} has no place in a kernel: sums and differences of it are not numbers",
                        "take a large number, such as -1e30")
        return float(value)
    if isinstance(value, Window):
        value._arithmetic()
    kinds = {Index: "a loop index", Span: "a span", Tensor: "a tensor in memory"}
    what = next((text for kind, text in kinds.items() if isinstance(value, kind)), f"a {type(value).__name__}")
    raise wrong("value.type", f"this computes with {what}; values are loads, tiles, numbers and what is made of them",
                "hd.load(x[...]) for a tensor; i.ids(0) for the indices of a span")


def broadcast(a: tuple[Index, ...], b: tuple[Index, ...]) -> tuple[Index, ...] | None:
    """The extents of an element-wise result, axes counted from the last; none where they do not agree."""
    one = (index.constant(1),)
    rank = max(len(a), len(b))
    out = []
    for x, y in zip(one * (rank - len(a)) + a, one * (rank - len(b)) + b):
        if x.text != y.text and "1" not in (x.text, y.text):
            return None
        out.append(y if x.text == "1" else x)
    return tuple(out)


COMPARISONS = {"less", "less_equal", "greater", "greater_equal", "equal"}


def elementwise(name: str, *operands: Any) -> Value:
    """One operation of a chain, recorded."""
    inputs = tuple(as_operand(v) for v in operands)
    values = [v for v in inputs if isinstance(v, Value)]
    dims: tuple[Index, ...] = ()
    for value in values:
        both = broadcast(dims, value.dims)
        if both is None:
            raise wrong("map.shape", f"the extents of {shown(values[0].dtype, dims)} and {value} do not agree",
                        "extents must be equal, or 1: load with the same spans, reduce with hd.sum(v, axis)")
        dims = both
        if value.dtype == "bool" and name != "where":
            raise wrong("map.bool", "this computes with the result of a comparison", "hd.where(condition, a, b)")
    if not values:
        raise wrong("value.type", "this word takes a value, and found numbers alone", "use Python's math for numbers")
    op = current().record("map", inputs, name=name, casts=False)
    return Value(op, dims, "bool" if name in COMPARISONS else "f32")
