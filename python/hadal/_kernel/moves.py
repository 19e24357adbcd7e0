"""The words that touch memory: hd.load, hd.store, hd.gather, hd.scatter."""

from __future__ import annotations

import math
from typing import Any

from .errors import wrong
from .memory import Tensor, Window, shown
from .trace import current
from .values import Tile, Value, as_operand


def _readable(word: str, window: Window | Tensor) -> Window:
    if isinstance(window, Tensor):
        window = window[(slice(None),) * len(window.shape)]
    if not isinstance(window, Window):
        raise wrong("load.window", f"{word} takes a window of a tensor; found {window!r}", "hd.load(x[m, k])")
    if window.tensor.kind == "output":
        raise wrong("load.output", f"this loads {window.tensor}, which the kernel writes", "keep what it needs in a tile")
    if window.tensor.kind == "scratch" and window.tensor.stored_in in (None, current().phase):
        raise wrong("grid.order", f"this loads {window.tensor} before a grid that stores it has ended",
                    "store it in one hd.grid, and load it in a later one")
    return window


def _closed(window: Window) -> None:
    if window.passes_edges:
        raise wrong("window.bounds", f"this window {window} may pass the edges of {window.tensor}",
                    "hd.load(window, fill=0.0) says what is there; a store keeps inside")


def _box(window: Window) -> dict[str, Any]:
    return {"tensor": window.tensor, "origins": [a[0] for a in window.axes], "extents": [a[1] for a in window.axes]}


def load(window: Window | Tensor, *, fill: float | None = None) -> Value:
    """The window's elements as a value of its type; axes named by a single index are dropped, `.T` swaps two.

    hd.load(x[m, :]) loads rows m; hd.load(k[g, j, :].T) is [D, j]. Ragged spans load what there is. fill: what stands outside
    the tensor, for open spans: hd.load(x[h.window(3, pad=1), :], fill=0.0).
    """
    window = _readable("hd.load", window)
    if not window.dims:
        raise wrong("load.rank", "a window keeps at least one axis", "name one axis by a span or a slice: x[i, 0:1]")
    if fill is None:
        _closed(window)
    elif not math.isfinite(fill):
        raise wrong("value.number", f"{fill} fills what is outside", "take a large number, such as 1e30")
    op = current().record("load", **_box(window), fill=float(fill) if fill is not None and window.passes_edges else None)
    value = Value(op, window.dims, window.tensor.dtype)
    return value.T if window.transposed else value


def _writable(word: str, window: Window, value: Any) -> Value:
    if not isinstance(window, Window):
        raise wrong("store.window", f"{word} takes a window of a tensor; found {window!r}", "hd.store(y[m, n], value)")
    if window.tensor.kind == "input":
        raise wrong("store.input", f"this stores to {window.tensor}, which is an input", "store to an argument after ->")
    _closed(window)
    value = as_operand(value)
    if not isinstance(value, Value):
        raise wrong("store.value", f"{word} takes a value; found {value!r}", "hd.full(dims, number) makes one")
    if value.dtype != window.tensor.dtype:
        raise wrong("store.dtype", f"this stores {value} to {window.tensor.name} of type {window.tensor.dtype}",
                    f"round it: value.to({window.tensor.name}.dtype)")
    return value


def store(window: Window, value: Value | Tile) -> None:
    """Writes a value to a window of an output: same extents, same type."""
    value = _writable("hd.store", window, value)
    tensor, phase = window.tensor, current().phase
    if tensor.stored_in not in (None, phase):
        raise wrong("grid.order", f"this stores {tensor} in a second grid, whose cores do not wait for those of the first",
                    "store a tensor in one grid, or keep what is stored first in hd.scratch")
    tensor.stored_in = phase
    if [d.text for d in value.dims] != [d.text for d in window.dims]:
        raise wrong("store.shape", f"this stores {value} to a window {window} of {window.tensor}",
                    "store with the spans that the value was loaded with")
    if window.transposed:
        value = value.T
    current().record("store", (value,), **_box(window))


def _rows(word: str, window: Window, rows: Any) -> Value:
    """The indices of `word` along the leading axis of a window, which names it whole."""
    rows = as_operand(rows)
    if not isinstance(rows, Value) or rows.dtype != "i32":
        raise wrong("rows.dtype", f"{word} takes rows by an i32 value; found {rows}", 'load them, or write v.to("i32")')
    origin, extent, stays = window.axes[0]
    if window.transposed or not stays or origin.text != "0" or extent.text != str(window.tensor.shape[0]):
        raise wrong("rows.window", f"{word} looks up the leading axis of {window.tensor}, which its window cuts",
                    f"{window.tensor.name}[:, d]")
    return rows


def gather(window: Window | Tensor, rows: Any) -> Value:
    """Rows of a tensor by their numbers, i32 [i...]: [i..., of the window its other axes]. A negative number counts from the
    end; one outside is an error of the run."""
    window = _readable("hd.gather", window)
    rows = _rows("hd.gather", window, rows)
    _closed(window)
    dims = (*rows.dims, *window.dims[1:])
    op = current().record("gather", (rows,), **_box(window), rank=len(rows.dims))
    return Value(op, dims, window.tensor.dtype)


def scatter(window: Window, rows: Any, value: Any, *, add: bool = False) -> None:
    """Writes value [i, ...] to rows of a tensor by their numbers, i32 [i], one after the other; add: adds to what is there,
    which the same grid or an earlier one has stored. The tensor's other rows stay."""
    value = _writable("hd.scatter", window, value)
    rows = _rows("hd.scatter", window, rows)
    want = (*rows.dims, *window.dims[1:])
    if len(rows.dims) != 1 or [d.text for d in value.dims] != [d.text for d in want]:
        raise wrong("store.shape", f"this scatters {value} to rows {rows} of a window {window} of {window.tensor}",
                    f"the value is {shown(value.dtype, want)}")
    if add and window.tensor.stored_in is None:
        raise wrong("scatter.unwritten", f"this adds to {window.tensor}, which nothing has stored",
                    "store zeros first: hd.store(y[m, :], hd.zeros((m, N)))")
    window.tensor.stored_in = current().phase
    current().record("scatter", (value, rows), **_box(window), combine="add" if add else "set")
