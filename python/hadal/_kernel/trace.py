"""The trace of a kernel: what its statements recorded, in order, in the bodies of its loops.

A hardware loop's body is traced twice, with the same index. Both must record one program: what a Python variable, list or
flag carries from trip to trip would be lost in a loop that the chip runs. The second trace is then dropped.
"""

from __future__ import annotations

import contextlib
import contextvars
from typing import Any, Iterator

from . import index
from .errors import Site, here, wrong
from .index import Index


# What may stand in hd.manual.
_BY_HAND = {"by_hand", "assign", "map", "slot", "leaving", "read", "view", "loop", "grid", "manual", "ring", "semaphore",
            "tile"}


class Op:
    """One recorded operation. `inputs` are Values or numbers; `value` is its result, if it has one."""

    def __init__(self, kind: str, body: Body, seq: float, site: Site, phase: int, inputs: tuple[Any, ...], attributes: dict[str, Any]):
        self.kind, self.body, self.seq, self.site, self.phase = kind, body, seq, site, phase
        self.inputs, self.attributes = inputs, attributes
        self.value: Any = None
        self.second: Any = None  # Its other result.
        self.inner: Any = None   # The body of a loop.

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["attributes"][name]
        except KeyError:
            raise AttributeError(name) from None


class Body:
    """The operations of a kernel, of a loop or of hd.manual (`loop` is its operation). `twin` is the first trace of the same
    loop, where this is the second."""

    def __init__(self, parent: Body | None, loop: Any, twin: Body | None = None):
        self.parent, self.loop, self.twin = parent, loop, twin
        self.ops: list[Op] = []

    @property
    def block(self) -> Op | None:
        """The hd.manual that this is in."""
        return next((body.loop for body in self.chain() if body.loop is not None and body.loop.kind == "manual"), None)

    def chain(self) -> Iterator[Body]:
        """This body and those around it."""
        at: Body | None = self
        while at is not None:
            yield at
            at = at.parent


def walk(body: Body) -> Iterator[Op]:
    """All operations, each loop before what is in it."""
    for op in body.ops:
        yield op
        if op.inner is not None:
            yield from walk(op.inner)


class Trace:
    """A kernel being traced. `phase` counts the grids that have ended; `label` names the kernel that is being inlined."""

    def __init__(self, name: str):
        self.name, self.label, self.root = name, name, Body(None, None)
        self.body, self.phase, self._seq = self.root, 0, 0
        self.tiles: list[Any] = []
        self.tensors: list[Any] = []

    @property
    def by_hand(self) -> bool:
        """Whether this is in hd.manual."""
        return self.body.block is not None

    def record(self, kind: str, inputs: tuple[Any, ...] = (), **attributes: Any) -> Op:
        site = here()
        if self.body.block is not None and self.body.block.phase != self.phase:
            raise wrong("manual.grid", "hd.manual goes on after its grid, whose cores go on to the next",
                        "end the block with the grid", site)
        if kind not in _BY_HAND and self.by_hand:
            raise wrong("manual.value", "in hd.manual a statement says where its result goes; this gives a value, whose place "
                        "and semaphores would be derived", "hd.isa.NAME(..., out=ring[i], wait=full, signal=free); "
                        "arithmetic is hd.isa.map(x + y, out=ring[i])", site)
        for value in inputs:
            if hasattr(value, "op"):
                self.check_visible(value, site)
        self._seq += 1
        op = Op(kind, self.body, self._seq, site, self.phase, inputs, attributes)
        self.body.ops.append(op)
        return op

    def check_visible(self, value: Any, site: Site) -> None:
        """A value lives in the loop that made it, for one trip; outside loops, until the next grid has ended."""
        open_bodies = list(self.body.chain())
        made = f"{value} was made at {value.op.site}"
        if value.op.body in open_bodies:
            if value.op.phase == self.phase:
                return
            raise wrong("grid.closed", f"this reads what stood before another hd.grid, whose cores have gone on; {made}",
                        "make it again, or keep it in hd.scratch(shape, dtype)", site)
        if any(body in [b.twin for b in open_bodies if b.twin] for body in value.op.body.chain()):
            raise wrong("loop.carried", "this reads a value of the previous trip, and a hardware loop keeps only tiles; "
                        + made, "before the loop: t = hd.full(dims, first); in it: t[:] = ...", site)
        raise wrong("loop.closed", f"this reads a value after the loop that made it; {made}",
                    "make a tile before the loop, write t[:] = ... in it, and read t afterwards", site)

    def loop(self, kind: str, item: Any, **attributes: Any) -> Iterator[Any]:
        """A hardware loop, whose variable is `item` in each of the two traces of its body."""
        op = self.record(kind, **attributes)
        for trial in range(2):
            outer = self.body
            body = self.body = Body(outer, op, op.inner)
            if trial == 0:
                op.inner = body
            yield item
            if self.body is not body:
                self.fail_open()
            self.body = outer
            if trial == 1:
                _compare(op.inner, body)
        if kind == "grid":
            self.phase += 1

    def fail_open(self) -> None:
        """The innermost open loop was left before its end."""
        raise wrong("loop.left", "a hardware loop is left by `break` or `return`; the chip runs every trip",
                    "bound the loop by upto=, or mask by hd.where", self.body.loop.site)

    def finish(self) -> None:
        if self.body is not self.root:
            self.fail_open()


_current: contextvars.ContextVar[Trace | None] = contextvars.ContextVar("hadal_kernel", default=None)


def current() -> Trace:
    trace = _current.get()
    if trace is None:
        raise wrong("kernel.outside", "this word of the kernel language is used outside a kernel",
                    "use it in a function under @hd.kernel(...), and call that function")
    return trace


@contextlib.contextmanager
def tracing(name: str) -> Iterator[Trace]:
    trace = Trace(name)
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def _shown(value: Any, local: dict[int, int]) -> Any:
    """A part of an operation, equal in two traces where it is the same."""
    if isinstance(value, Index):
        return value.text
    if hasattr(value, "op"):
        return ("value", local.get(id(value.op), id(value.op)))
    if hasattr(value, "extent"):  # a span
        return (value.start.text, value.extent.text)
    if isinstance(value, (tuple, list)):
        return tuple(_shown(v, local) for v in value)
    return value if isinstance(value, (int, float, str, type(None))) else id(value)


def _signature(body: Body, local: dict[int, int]) -> list[tuple[Op, tuple[Any, ...]]]:
    out = []
    for op in body.ops:
        local[id(op)] = len(local)
        parts = (op.kind, _shown(op.inputs, local), tuple((k, _shown(v, local)) for k, v in op.attributes.items()),
                 _shown(op.value.dims, local) if op.value is not None else None)
        out.append((op, parts))
        if op.inner is not None:
            out += _signature(op.inner, local)
    return out


def _compare(first: Body, second: Body) -> None:
    a, b = _signature(first, {}), _signature(second, {})
    for (op, parts), (_, again) in zip(a, b):
        if parts != again:
            raise wrong("loop.changes", "this is another operation in the second trip than in the first: something in Python "
                        "(a counter, a list, a flag) changes from trip to trip, and the chip repeats one body",
                        "use the loop's index, or a tile", op.site)
    if len(a) != len(b):
        longer = (a if len(a) > len(b) else b)[min(len(a), len(b))][0]
        raise wrong("loop.changes", "this is done in one trip and not in the other: a Python condition changes from trip to "
                    "trip, and the chip repeats one body", "use hd.where, or split the loop in two", longer.site)


def new_index(trace: Trace, count: Index) -> Index:
    """The variable of a loop about to be opened."""
    return index.variable(f"i{sum(1 for _ in trace.body.chain()) - 1}", 0, max(count.high - 1, 0))
