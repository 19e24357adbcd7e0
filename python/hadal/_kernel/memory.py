"""What a kernel names without moving it: tensors in memory, spans of their axes, windows."""

from __future__ import annotations

from typing import Any, Sequence

from . import index
from .errors import wrong
from .index import Index


def shown(dtype: str, dims: Sequence[Index]) -> str:
    """ "bf16[128,<=64]"."""
    return f"{dtype}[{','.join(d.text if d.is_constant else f'<={d.high}' for d in dims)}]"


class Span:
    """Some neighbouring indices of an axis: `size` of them from `start`, fewer at the edge (`extent`), up to `stop`. Those of
    an open one (`total` is None) may pass the edges of a tensor, where hd.load(..., fill=) says what is there."""

    def __init__(self, start: Index, size: int, extent: Index, total: int | None):
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

    def window(self, size: int, *, stride: int = 1, dilation: int = 1, pad: int = 0) -> Span:
        """What a window of `size` taps reads for these results, of an axis with `pad` elements before its first: open."""
        reach = (size - 1) * dilation + 1
        return Span(self.start * stride - pad, (self.size - 1) * stride + reach, (self.extent - 1) * stride + reach, None)

    def blocks(self, count: int) -> Span:
        """The blocks of `count` indices that these are in, where such a block has a scale."""
        if count < 1 or self.size % count or self.total is None:
            raise wrong("span.blocks", f"a span of {self.size} is not made of blocks of {count}",
                        "take a tile size that is a multiple")
        return Span(self.start // count, self.size // count, index.ceil_div(self.extent, count), -(-self.total // count))

    def ids(self, axis: int) -> Any:
        """The indices themselves, f32: [extent, 1] for axis 0, [1, extent] for axis 1."""
        if axis not in (0, 1):
            raise wrong("ids.axis", f"ids are a column (axis 0) or a row (axis 1); found axis {axis!r}",
                        "i.ids(0) or i.ids(1)")
        from .values import ids_of  # Which knows spans.

        return ids_of(self, axis, 0)

    def __repr__(self) -> str:
        return f"span({self.start} +: {self.extent})"

    def __index__(self) -> int:
        raise wrong("span.python", "Python needs a number here, and this is a span of a hardware loop",
                    "use its parts i.start, i.extent, i.stop in indices, i.ids(0) in values")


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
        open_axes = [i for i, k in enumerate(keys) if isinstance(k, Span) and k.total is None]
        return Window(self, [_axis(self, i, k) for i, k in enumerate(keys)], open_axes=open_axes)

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
        if key.total is not None and (key.total > extent or key.start.low < 0):
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
    """A box of a tensor, for hd.load and hd.store. `.T` swaps its two axes on the way to the core. Along `open_axes` it may
    pass the tensor's edges."""

    def __init__(self, tensor: Tensor, axes: list[tuple[Index, Index, bool]], transposed: bool = False,
                 open_axes: Sequence[int] = ()):
        self.tensor, self.axes, self.transposed, self.open_axes = tensor, axes, transposed, open_axes

    @property
    def passes_edges(self) -> bool:
        """Whether it may."""
        return any(self.axes[i][0].low < 0 or self.axes[i][0].high + self.axes[i][1].high > self.tensor.shape[i]
                   for i in self.open_axes)

    @property
    def dims(self) -> tuple[Index, ...]:
        return tuple(extent for _, extent, stays in self.axes if stays)

    @property
    def T(self) -> Window:
        if len(self.dims) != 2:
            raise wrong("window.transpose", f".T swaps two axes; the window has {len(self.dims)}", "index the other axes")
        return Window(self.tensor, self.axes, not self.transposed, self.open_axes)

    def __str__(self) -> str:
        return shown(self.tensor.dtype, self.dims)

    def _arithmetic(self, *_: Any) -> Any:
        raise wrong("window.value", f"this computes with {self.tensor.name}[...], which lies in memory", "write hd.load(...)")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __truediv__ = __neg__ = _arithmetic
