"""What a kernel handles: tensors in memory, spans of their axes, values, and tiles that keep state over a loop."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any, Sequence

import numpy as np

from . import index
from .errors import here, wrong
from .index import Index
from .signature import BYTES
from .trace import current


def shown(dtype: str, dims: Sequence[Index]) -> str:
    """ "bf16[128,<=64]"."""
    return f"{dtype}[{','.join(d.text if d.is_constant else f'<={d.high}' for d in dims)}]"


class Span:
    """Some neighbouring indices of an axis: `size` of them from `start`, fewer at the edge (`extent`), up to `stop`."""

    def __init__(self, start: Index, size: int, extent: Index, total: int):
        self.start, self.size, self.extent, self.total = start, size, extent, total

    @property
    def stop(self) -> Index:
        return self.start + self.extent

    def parts(self, count: int) -> list[Span]:
        """The same indices in `count` spans of equal size, clamped; those that are always past the edge are left out."""
        if count < 1 or self.size % count:
            raise wrong("span.parts", f"a span of {self.size} has no {count} equal parts",
                        "take a tile size that divides")
        size = self.size // count
        part = lambda p: index.least(size, index.greatest(index.subtract(self.extent, p * size), 0)).within(0, size)
        return [Span(self.start + p * size, size, part(p), self.total) for p in range(count) if part(p).high > 0]

    def ids(self, axis: int) -> Value:
        """The indices themselves, f32: [extent, 1] for axis 0, [1, extent] for axis 1."""
        if axis not in (0, 1):
            raise wrong("ids.axis", f"ids are a column (axis 0) or a row (axis 1); found axis {axis!r}",
                        "i.ids(0) or i.ids(1)")
        return _ids(self, axis, 0)

    def __repr__(self) -> str:
        return f"span({self.start} +: {self.extent})"

    def __index__(self) -> int:
        raise wrong("span.python", "Python needs a number here, and this is a span of a hardware loop",
                    "use its parts i.start, i.extent, i.stop in indices, i.ids(0) in values")


def _ids(span: Span, axis: int, shift: int) -> Value:
    one = index.constant(1)
    op = current().record("ids", start=span.start + shift, length=span.extent, axis=axis, span=span, shift=shift)
    return Value(op, (span.extent, one) if axis == 0 else (one, span.extent), "f32")


class Tensor:
    """An argument of the kernel, or scratch, in memory: `shape` (ints), `dtype`. Indexing names a window and moves nothing."""

    def __init__(self, name: str, number: int, dtype: str, shape: tuple[int, ...], kind: str):
        self.name, self.number, self.dtype, self.shape, self.kind = name, number, dtype, shape, kind
        self.stored_in: int | None = None  # The phase that stores it.

    def __getitem__(self, key: Any) -> Window:
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) != len(self.shape):
            raise wrong("window.rank", f"{self} has {len(self.shape)} axes; the window names {len(keys)}",
                        "name each axis: a span, an index, a slice or `:`")
        return Window(self, [_axis(self, i, k) for i, k in enumerate(keys)])

    def __setitem__(self, *_: Any) -> None:
        raise wrong("window.write", f"this assigns to {self}, which lies in memory", "hd.store(y[m, n], value)")

    def __iter__(self) -> Any:
        raise wrong("window.loop", f"Python iterates over {self}, which lies in memory", "for i in hd.tiles(x.shape[0], 128)")

    def __len__(self) -> int:
        return self.shape[0]

    def _arithmetic(self, *_: Any) -> Any:
        raise wrong("window.value", f"this computes with {self}, which lies in memory", f"write hd.load({self.name})")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __truediv__ = __neg__ = _arithmetic

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{','.join(map(str, self.shape))}]"

    __repr__ = __str__


def _axis(tensor: Tensor, axis: int, key: Any) -> tuple[Index, Index, bool]:
    """Origin, extent, and whether the axis stays."""
    extent = tensor.shape[axis]

    def outside(what: str) -> Exception:
        return wrong("window.bounds", f"{what} passes axis {axis} of {tensor}", f"the axis has {extent} elements")

    if isinstance(key, Span):
        if key.total > extent or key.start.low < 0:
            raise outside(f"a span of an axis of {key.total}")
        return key.start, key.extent, True
    if isinstance(key, slice):
        low = 0 if key.start is None else key.start
        high = extent if key.stop is None else key.stop
        if not (isinstance(low, int) and isinstance(high, int) and key.step in (None, 1)):
            raise wrong("window.slice", f"axis {axis} of {tensor}: a slice has constant ends and step 1",
                        "use a span: hd.tiles")
        if not 0 <= low < high <= extent:
            raise outside(f"the slice {low}:{high}")
        return index.constant(low), index.constant(high - low), True
    at = index.as_index(key)
    if at.low < 0 or at.high >= extent:
        raise outside(f"the index {at} ({at.low} to {at.high})")
    return at, index.constant(1), False


class Window:
    """A box of a tensor, for hd.load and hd.store. `.T` swaps its two axes on the way to the core."""

    def __init__(self, tensor: Tensor, axes: list[tuple[Index, Index, bool]], transposed: bool = False):
        self.tensor, self.axes, self.transposed = tensor, axes, transposed

    @property
    def dims(self) -> tuple[Index, ...]:
        return tuple(extent for _, extent, stays in self.axes if stays)

    @property
    def T(self) -> Window:
        if len(self.dims) != 2:
            raise wrong("window.transpose", f".T swaps two axes; the window has {len(self.dims)}", "index the other axes")
        return Window(self.tensor, self.axes, not self.transposed)

    def __str__(self) -> str:
        return shown(self.tensor.dtype, self.dims)

    def _arithmetic(self, *_: Any) -> Any:
        raise wrong("window.value", f"this computes with {self.tensor.name}[...], which lies in memory", "write hd.load(...)")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __truediv__ = __neg__ = _arithmetic


_OPERATORS = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv}


class Arithmetic:
    """The operators of values and tiles."""

    def __add__(self, other: Any) -> Value:
        if isinstance(self, Value) and self.op.kind == "ids" and isinstance(other, int):
            return _ids(self.op.span, self.op.axis, self.op.shift + other)  # Still a load, which epilogues take.
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
        raise wrong("value.index", "a value on the chip is not cut", "load the part: hd.load(x[m, :64])")

    def __str__(self) -> str:
        return shown(self.dtype, self.dims)

    __repr__ = __str__


class Tile(Arithmetic):
    """State that a loop keeps: written whole by `t[:] = …`, read as a value."""

    def __init__(self, dims: tuple[Index, ...], dtype: str):
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
        self._check_writable()
        value = as_operand(value)
        fits = broadcast(value.dims, self.dims) if isinstance(value, Value) else self.dims
        if fits is None or [d.text for d in fits] != [d.text for d in self.dims]:
            raise wrong("tile.shape", f"this writes {value} to a tile {self}", "extents must be equal, or 1 in the value")
        self.written = True
        current().record("assign", (value,), tile=self)

    def __iadd__(self, other: Any) -> Tile:
        self[:] = self + other
        return self

    def _check_writable(self) -> None:
        trace = current()
        trace.check_visible(self, here())
        in_grid = any(body.loop is not None and body.loop.kind == "grid" for body in trace.body.chain())
        if in_grid and self.op.body is trace.root:
            raise wrong("grid.state", f"a step of hd.grid writes the tile of {self.op.site}, made before it; steps are "
                        "independent, and dealt to the cores", "make the tile inside the grid's loop")

    def to(self, dtype: str) -> Value:
        return self.read().to(dtype)

    def __str__(self) -> str:
        return shown(self.dtype, self.dims)

    __repr__ = __str__


class Accumulator(Tile):
    """Sums of products, f32, zero at first. `acc += x @ w` alone in a loop adds in the array's accumulator memory."""

    def __init__(self, dims: tuple[Index, ...]):
        super().__init__(dims, "f32")
        self.written = True

    def __iadd__(self, other: Any) -> Tile:
        if not (isinstance(other, Value) and other.op.kind == "matmul" and other.op.body.ops[-1] is other.op):
            return super().__iadd__(other)
        if [d.text for d in other.dims] != [d.text for d in self.dims]:
            raise wrong("dot.shape", f"this adds {other} to an accumulator {self}",
                        "hd.accumulator(m, n) for x[m, k] @ w[k, n]")
        self._check_writable()
        current().record("accumulate", (other,), tile=self)
        return self


def as_operand(value: Any) -> Value | float:
    if isinstance(value, Tile):
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
    dims: tuple[Index, ...] | None = ()
    for value in values:
        before, dims = dims, broadcast(dims, value.dims)
        if dims is None:
            raise wrong("map.shape", f"the extents of {shown(values[0].dtype, before)} and {value} do not agree",
                        "extents must be equal, or 1: load with the same spans, reduce with hd.sum(v, axis)")
        if value.dtype == "bool" and name != "where":
            raise wrong("map.bool", "this computes with the result of a comparison", "hd.where(condition, a, b)")
    if not values:
        raise wrong("value.type", "this word takes a value, and found numbers alone", "use Python's math for numbers")
    op = current().record("map", inputs, name=name, casts=False)
    return Value(op, dims, "bool" if name in COMPARISONS else "f32")


def dot(x: Any, w: Any) -> Value:
    x, w = as_operand(x), as_operand(w)
    if not isinstance(x, Value) or not isinstance(w, Value) or len(x.dims) != 2 or len(w.dims) != 2:
        raise wrong("dot.rank", f"x @ w multiplies two matrices; found {x} and {w}", "index leading axes: k[g, j, :]")
    if x.dims[1].text != w.dims[0].text:
        remedy = "w was loaded as [n, k]: write hd.load(w[...].T)" if x.dims[1].text == w.dims[1].text else \
            "load both with the same span of k"
        raise wrong("dot.shape", f"x @ w: x is {x}, w is {w}; axis 1 of x must be axis 0 of w", remedy)
    if x.dtype != w.dtype:
        raise wrong("dot.dtype", f"x @ w: x is {x}, w is {w}; both must have one type", f"write x.to({w.dtype!r})")
    return Value(current().record("matmul", (x, w)), (x.dims[0], w.dims[1]), "f32")
