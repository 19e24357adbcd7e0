"""The words that touch memory: hd.load, hd.store, hd.gather, hd.scatter."""

from __future__ import annotations

import math
from typing import Any, overload

from . import hand, index
from .errors import wrong
from .hand import Wanted
from .memory import Tensor, Window, shown
from .trace import current
from .values import Place, Value, as_operand


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


@overload
def load(window: Window | Tensor, *, fill: float | None = None) -> Value: ...
@overload
def load(window: Window | Tensor, *, fill: float | None = None, out: Place, wait: Wanted = None,
         signal: Wanted = None) -> None: ...
def load(window: Window | Tensor, *, fill: float | None = None, out: Any = None, wait: Any = None, signal: Any = None) -> Any:
    """The window's elements as a value of its type; axes named by a single index are dropped, `.T` swaps two.

    hd.load(x[m, :]) loads rows m; hd.load(k[g, j, :].T) is [D, j]. Ragged spans load what there is. fill: what stands outside
    the tensor, for open spans: hd.load(x[h.window(3, pad=1), :], fill=0.0). out, wait, signal: in hd.manual, where it gives
    nothing, the place that is written, and semaphores.
    """
    return load_shared(window, fill, None, out, wait, signal)


def prefetch(window: Window | Tensor, *, fill: float | None = None, out: Place, wait: Wanted = None,
             signal: Wanted = None) -> None:
    """hd.load on a queue of its own, in hd.manual: what stands there waits for no hd.load, and its bytes let those of other
    queues go first. hd.prefetch(w[k, n], out=ring[i], wait=free, signal=full)."""
    if hand.derived(out, wait, signal):
        raise wrong("manual.outside", "outside hd.manual loads run ahead by themselves", "hd.load(x[m, k])")
    load_shared(window, fill, None, out, wait, signal, queue="prefetch")


def load_shared(window: Window | Tensor, fill: float | None, share: tuple[int, int] | None, out: Any, wait: Any,
                signal: Any, queue: str = "load") -> Any:
    """The same, by a group of cores together (their number, their distance); None: by those that need the same bytes."""
    window = _readable(f"hd.{queue}", window)
    if not window.dims:
        raise wrong("load.rank", "a window keeps at least one axis", "name one axis by a span or a slice: x[i, 0:1]")
    if fill is None:
        _closed(window)
    elif not math.isfinite(fill):
        raise wrong("value.number", f"{fill} fills what is outside", "take a large number, such as 1e30")
    fill = float(fill) if fill is not None and window.passes_edges else None
    if not hand.derived(out, wait, signal):
        fields = {} if fill is None else {"fill": 1, "value": fill}
        fields |= {} if share is None else {"share": share[0], "step": share[1]}
        return hand.statement("load", queue, [_out(f"hd.{queue}", out, window, window.dims), window],
                              [window.dims, _extents(window)], fields=fields, wait=wait, signal=signal)
    op = current().record("load", **_box(window), fill=fill, share=share)
    value = Value(op, window.dims, window.tensor.dtype)
    return value.T if window.transposed else value


def _extents(window: Window) -> list[Any]:
    return [extent for _, extent, _ in window.axes]


def _out(word: str, out: Any, window: Window, dims: Any) -> Any:
    """The place that has what is loaded: of its type, with room for it. Tiles have their own extents."""
    out = hand.written(word, out)
    fits = out.dtype == window.tensor.dtype and not window.transposed
    if isinstance(out, hand.Slot):
        out.hold(dims)
    elif [d.text for d in out.dims] != [d.text for d in dims]:
        fits = False
    if not fits:
        raise wrong("manual.shape", f"{word} of {window} to {out}",
                    "types are equal, a tile's extents as well; nothing is transposed")
    return out


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


def store(window: Window, value: Value | Place, *, wait: Wanted = None, signal: Wanted = None) -> None:
    """Writes a value to a window of an output: same extents, same type. wait, signal: semaphores, in hd.manual."""
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
    if not hand.derived(None, wait, signal):
        return hand.statement("store", "store", [window, value], [_extents(window)] * 2, fields={}, wait=wait, signal=signal)
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


@overload
def gather(window: Window | Tensor, rows: Any, *, bounds: str = "error") -> Value: ...
@overload
def gather(window: Window | Tensor, rows: Any, *, bounds: str = "error", out: Place, wait: Wanted = None,
           signal: Wanted = None) -> None: ...
def gather(window: Window | Tensor, rows: Any, *, bounds: str = "error", out: Any = None, wait: Any = None,
           signal: Any = None) -> Any:
    """Rows of a tensor by their numbers, i32 [i...]: [i..., of the window its other axes]. A negative number counts from the
    end; one outside is an error of the run, or bounds="clamp" the nearest. out, wait, signal: as those of hd.load."""
    window = _readable("hd.gather", window)
    rows = _rows("hd.gather", window, rows)
    _closed(window)
    dims = (*rows.dims, *window.dims[1:])
    if not hand.derived(out, wait, signal):
        seen = [(*rows.dims, *_extents(window)[1:]), _extents(window), rows.dims]
        return hand.statement("gather", "load", [_out("hd.gather", out, window, dims), window, rows], seen,
                                fields={"bounds": bounds}, wait=wait, signal=signal)
    op = current().record("gather", (rows,), **_box(window), rank=len(rows.dims), bounds=bounds)
    return Value(op, dims, window.tensor.dtype)


def scatter(window: Window, rows: Any, value: Any, *, add: bool = False, wait: Wanted = None, signal: Wanted = None) -> None:
    """Writes value [i, ...] to rows of a tensor by their numbers, i32 [i], one after the other; add: adds to what is there,
    which the same grid or an earlier one has stored. The tensor's other rows stay. wait, signal: semaphores, in hd.manual."""
    combine(window, rows, value, "add" if add else "set", wait, signal)


def combine(window: Window, rows: Any, value: Any, how: str, wait: Any, signal: Any) -> None:
    """Writes, adds, … to rows."""
    value = _writable("hd.scatter", window, value)
    rows = _rows("hd.scatter", window, rows)
    want = (*rows.dims, *window.dims[1:])
    if len(rows.dims) != 1 or [d.text for d in value.dims] != [d.text for d in want]:
        raise wrong("store.shape", f"this scatters {value} to rows {rows} of a window {window} of {window.tensor}",
                    f"the value is {shown(value.dtype, want)}")
    if how != "set" and window.tensor.stored_in is None:
        raise wrong("scatter.unwritten", f"this adds to {window.tensor}, which nothing has stored",
                    "store zeros first: hd.store(y[m, :], hd.zeros((m, N)))")
    window.tensor.stored_in = current().phase
    if not hand.derived(None, wait, signal):
        whole = (*rows.dims, *_extents(window)[1:])
        seen = [_extents(window), whole, (*rows.dims, *[index.constant(1)] * (len(whole) - 1))]
        return hand.statement("scatter", "store", [window, value, rows], seen, fields={"axis": 0, "combine": how}, wait=wait,
                                signal=signal)
    current().record("scatter", (value, rows), **_box(window), combine=how)
