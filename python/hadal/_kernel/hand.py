"""Synchronisation by hand: hd.manual, hd.semaphore, hd.ring, and the statements of such a block."""

from __future__ import annotations

from typing import Any, Sequence, Union

from . import index
from .errors import here, wrong
from .index import Index
from .memory import Window, shown
from .signature import BYTES
from .trace import Body, current
from .values import Place, Tile, Value, dims_of

MOST_SYNCS, MOST_COUNT = 3, 255  # Of an instruction.
Syncs = tuple[tuple["Semaphore", int, bool], ...]
Wanted = Union["Semaphore", "Counts", Sequence[Union["Semaphore", "Counts"]], None]  # What wait= and signal= take.


class Counts:
    """Counts of a semaphore, for wait= and signal=: 2 * free, ready.everywhere."""

    def __init__(self, semaphore: Semaphore, count: int, everywhere: bool):
        self.semaphore, self.count, self.all = semaphore, count, everywhere

    def __mul__(self, count: Any) -> Counts:
        if not isinstance(count, int) or not 1 <= count * self.count <= MOST_COUNT:
            raise wrong("semaphore.sync", f"an instruction takes or gives 1 to {MOST_COUNT} counts; found {count!r}",
                        "2 * free")
        return Counts(self.semaphore, count * self.count, self.all)

    __rmul__ = __mul__


class Semaphore:
    """A count that every core has: a statement begins when its wait= is met, and takes it; it gives its signal= at its end.
    `2 * s` is two of them. `s.everywhere` signals to every core, and waits for one from every core."""

    def __init__(self, initial: int):
        trace = current()
        if any(body.loop is not None and body.loop.kind != "manual" for body in trace.body.chain()):
            raise wrong("semaphore.loop", "a semaphore is made in a loop, and every trip has the same one",
                        "make it before the loop")
        if not isinstance(initial, int) or not 0 <= initial <= 32767:
            raise wrong("semaphore.sync", f"a count is 0 to 32767; found {initial!r}", "hd.semaphore(2)")
        self.initial, self.op = initial, trace.record("semaphore", initial=initial)

    @property
    def everywhere(self) -> Counts:
        return Counts(self, 1, True)

    def __mul__(self, count: Any) -> Counts:
        return Counts(self, 1, False) * count

    __rmul__ = __mul__

    def __str__(self) -> str:
        return f"the semaphore of {self.op.site}"


class Ring:
    """Slots of the scratchpad that hd.manual blocks name: ring[i] is slot i modulo their number, ring[i, m, k] the same with
    other extents."""

    def __init__(self, slots: int, dims: tuple[Index, ...], dtype: str):
        self.slots, self.dims, self.dtype = slots, dims, dtype
        self.op = current().record("ring", slots=slots, dims=dims, dtype=dtype)

    def __getitem__(self, key: Any) -> Slot:
        if self.op.body is not current().root:  # Else it is there for all grids.
            current().check_visible(self, here())
        at, *dims = key if isinstance(key, tuple) else (key,)
        slot = Slot(self, index.as_index(at), dims_of(dims) if dims else self.dims)
        slot.hold(slot.dims)
        return slot

    def __setitem__(self, *_: Any) -> None:
        raise wrong("manual.out", "a slot is written by a statement that says so", "hd.isa.map(value, out=ring[i])")

    def __str__(self) -> str:
        return f"{self.slots} x {shown(self.dtype, self.dims)}"


class Slot(Place):
    """A slot of a ring, as a place to write, and as an operand."""

    def __init__(self, ring: Ring, at: Index, dims: tuple[Index, ...]):
        self.ring, self.at, self.dims, self.dtype, self.op = ring, at, dims, ring.dtype, ring.op

    def hold(self, dims: tuple[Index, ...]) -> None:
        """Errors: manual.shape where the slot has less room."""
        if index.product(dims) > index.product(self.ring.dims):
            raise wrong("manual.shape", f"{shown(self.dtype, dims)} in a slot of {self.ring}",
                        "a ring's extents are the largest that a slot holds")

    def read(self) -> Value:
        if not current().by_hand:
            raise wrong("manual.outside", "a ring's slot is read outside hd.manual, where nothing would be waited for",
                        "use it in the block, or a tile: t = hd.tile(dims, dtype), which is fenced")
        return Value(current().record("slot", ring=self.ring, at=self.at), self.dims, self.dtype)

    def __str__(self) -> str:
        return shown(self.dtype, self.dims)

    __repr__ = __str__


def semaphore(initial: int = 0) -> Semaphore:
    """A counting semaphore for wait= and signal= in hd.manual. Where the kernel ends its count is `initial` again, and one
    queue alone waits on it. Errors: KernelError semaphore.*."""
    return Semaphore(initial)


def ring(slots: int, dims: Any, dtype: str = "f32") -> Ring:
    """Slots of the scratchpad for hd.manual. dims: spans and integers, of the largest that a slot holds."""
    if dtype not in BYTES:
        raise wrong("dtype.unknown", f"there is no type {dtype!r}", f"the types are {', '.join(BYTES)}")
    if not isinstance(slots, int) or not 1 <= slots <= 1024:
        raise wrong("manual.slots", f"a ring has 1 to 1024 slots; found {slots!r}", "hd.ring(2, (bm, bk), x.dtype)")
    return Ring(slots, dims_of(dims), dtype)


class Block:
    """What `with hd.manual():` opens and closes."""

    def __enter__(self) -> None:
        trace = current()
        if trace.by_hand:
            raise wrong("manual.nested", "hd.manual stands in another", "one block has all of it")
        op, self._outer = trace.record("manual"), trace.body
        self._body = op.inner = trace.body = Body(trace.body, op)

    def __exit__(self, kind: Any, *_: Any) -> None:
        trace = current()
        if kind is None and trace.body is not self._body:
            trace.fail_open()
        trace.body = self._outer


def manual() -> Block:
    """A block without derived semaphores. Its statements say where results go (out=), what they wait for (wait=) and what
    they signal (signal=): hd.load, hd.prefetch, hd.store, hd.gather, hd.scatter and hd.isa.NAME, on slots of hd.ring and on tiles. Values
    that it reads of what stands before it, and tiles that it writes for what stands behind it, are fenced. Errors:
    KernelError manual.*."""
    return Block()


def syncs(word: str, given: Any) -> Syncs:
    """The entries of wait= or signal=: nothing, a semaphore, counts of one, or a list of these."""
    items = [] if given is None else list(given) if isinstance(given, (list, tuple)) else [given]
    counts = [Counts(item, 1, False) if isinstance(item, Semaphore) else item for item in items]
    if not all(isinstance(item, Counts) for item in counts) or len(counts) > MOST_SYNCS:
        raise wrong("semaphore.sync", f"{word}= takes up to {MOST_SYNCS} semaphores; found {given!r}",
                    f"{word}=[full, 2 * free]")
    if len({item.semaphore for item in counts}) < len(counts):
        raise wrong("semaphore.sync", f"{word}= names a semaphore twice", f"{word}=2 * free")
    return tuple((item.semaphore, item.count, item.all) for item in counts)


def derived(out: Any, wait: Any, signal: Any) -> bool:
    """Whether a statement stands where semaphores are derived. Errors: manual.outside where it names some there."""
    if current().by_hand:
        return False
    if out is not None or wait is not None or signal is not None:
        raise wrong("manual.outside", "out=, wait= and signal= are of hd.manual; here semaphores are derived",
                    "with hd.manual(): ...")
    return True


def written(word: str, out: Any) -> Slot | Tile:
    """The place that a statement writes."""
    if not isinstance(out, (Slot, Tile)):
        raise wrong("manual.out", f"in hd.manual {word} says where its result goes; found out={out!r}",
                    "out=ring[i], of ring = hd.ring(2, dims, dtype); or a tile")
    if isinstance(out, Tile):
        out.check_writable()
        out.written = True
    return out


def statement(word: str, queue: str, operands: Sequence[Any], extents: Sequence[Any], *, fields: dict[str, Any],
              wait: Any = None, signal: Any = None, factors: Sequence[Index] = (), accumulator: Any = None,
              epilogue: Value | None = None) -> None:
    """Records one instruction. operands: in the table's order, without those of an epilogue: Values, Windows, places that are
    written; extents of each."""
    values = tuple(v for v in operands if isinstance(v, Value))
    window = next((v for v in operands if isinstance(v, Window)), None)
    outs = tuple(v for v in operands if isinstance(v, (Slot, Tile)))
    kinds = tuple("value" if isinstance(v, Value) else "window" if isinstance(v, Window) else "out" for v in operands)
    box = {"tensor": window.tensor, "origins": [a[0] for a in window.axes],
           "extents": [a[1] for a in window.axes]} if window is not None else {}
    made = () if epilogue is None or epilogue.op.kind == "leaving" else (epilogue,)
    current().record("by_hand", (*values, *made), epilogue=bool(made), word=word, queue=queue, kinds=kinds,
                     seen=tuple(map(tuple, extents)), outs=tuple(v.ring if isinstance(v, Slot) else v for v in outs),
                     slots=tuple(v.at if isinstance(v, Slot) else None for v in outs), fields=tuple(fields.items()),
                     wait=syncs("wait", wait), signal=syncs("signal", signal), factors=tuple(factors),
                     accumulator=accumulator, **box)
