"""Writes what is in hd.manual: statements with the semaphores that they name, rings, and the semaphores' account."""

from __future__ import annotations

from typing import Any

from . import index
from .errors import Site, wrong
from .fuse import Fused
from .hand import Ring as HandRing
from .hand import Semaphore, Slot
from .index import Index
from .rings import Ring
from .signature import BYTES
from .sums import Sums
from .trace import Op
from .values import Tile
from .work import check_stored, in_grid, trips, varies
from .writer import At, Writer


def counted(fused: Fused, cores: int) -> dict[Semaphore, dict[str, Any]]:
    """The semaphores that statements name, as the tile program has them. Errors: semaphore.waiter, semaphore.balance."""
    found: dict[Semaphore, dict[str, list[Op]]] = {}
    total: dict[Semaphore, int] = {}
    for op in fused.ops:
        times = trips(op) * (1 if in_grid(op) or not fused.trace.phase else cores) if "wait" in op.attributes else 0
        for word, sign in (("wait", -1), ("signal", 1)):
            for semaphore, count, everywhere in op.attributes.get(word, ()):
                found.setdefault(semaphore, {"wait": [], "signal": []})[word].append(op)
                total[semaphore] = total.get(semaphore, 0) + sign * times * count * (cores if everywhere else 1)
    for semaphore, uses in found.items():
        _check(semaphore, uses, total[semaphore], fused)
    made: dict[Semaphore, dict[str, Any]] = {}
    for semaphore in sorted(found, key=lambda s: s.op.seq):
        name = f"semaphore_l{semaphore.op.site.line}"
        same = sum(other["name"].split("_n")[0] == name for other in made.values())
        made[semaphore] = {"name": name if same == 0 else f"{name}_n{same + 1}", "initial": semaphore.initial,
                           "waiter": fused.queue_of(found[semaphore]["wait"][0])}
    return made


def _check(semaphore: Semaphore, uses: dict[str, list[Op]], total: int, fused: Fused) -> None:
    queues = {fused.queue_of(op): op for op in uses["wait"]}
    if len(queues) > 1:
        raise wrong("semaphore.waiter", f"the {' and the '.join(sorted(queues))} queue wait on {semaphore}; one queue does",
                    "make a semaphore for each queue, and signal both", uses["wait"][-1].site)
    if total != 0:
        lines = ", ".join(dict.fromkeys(f"{op.site} {word}s" for word, ops in uses.items() for op in ops))
        side = "above" if total > 0 else "below"
        raise wrong("semaphore.balance", f"its count ends {abs(total)} {side} its start, over all cores and trips: {lines}",
                    "give as many as are taken: one signal= for each wait=", semaphore.op.site)


class HandWriter(Writer):
    """What is written of hd.manual's statements."""

    _sums: Sums
    semaphores: dict[str, Site]  # By their names: where they were made.

    def _begin_by_hand(self) -> list[dict[str, Any]]:
        """Before the first phase: the semaphores."""
        counts = counted(self.fused, self.target.cores)
        self._numbers = {semaphore: i for i, semaphore in enumerate(counts)}
        self.semaphores = {row["name"]: semaphore.op.site for semaphore, row in counts.items()}
        self._ring_numbers: dict[HandRing, int] = {}
        self._ring_tiles: dict[HandRing, int] = {}  # Of this phase.
        self._crossing: dict[Tile, Any] = {}        # Tiles that the open block hands on.
        return list(counts.values())

    def _take_crossing(self, op: Op) -> None:
        """Before a block: the tiles that it hands on."""
        for tile, value in op.crossed.items():
            if value.op not in self.fused.live:
                raise wrong("manual.tile", f"this writes the tile of {tile.op.site}, which nothing reads behind the block",
                            "hd.ring(1, dims, dtype) for what the block itself reads", value.op.site)
            self._crossing[tile] = self._make(value, value.op.queue, "t")

    def _slot(self, op: Op) -> None:
        for queue in self.fused.readers.get(op.value, ()):
            self._at[op.value, queue] = self._place(op.ring, op.at, op.value.dims)

    def _place(self, ring: HandRing, at: Index, dims: Any) -> At:
        """A slot of a ring, which is one tile of the phase."""
        if ring not in self._ring_numbers:
            size, site = index.product(ring.dims) * BYTES[ring.dtype], ring.op.site
            name = f"ring_l{site.line}_{len(self.rings)}"
            self._ring_numbers[ring] = len(self.rings)
            self.rings.append(Ring(name, "", "", ring.slots, ring.slots, size, site, f"ring {ring}"))
        if ring not in self._ring_tiles:
            number = self._ring_numbers[ring]
            self._tiles.append({"name": self.rings[number].name, "ring": number, "dtype": ring.dtype})
            self._ring_tiles[ring] = len(self._tiles) - 1
        return self._ring_tiles[ring], dims, at

    def _written(self, op: Op, number: int, dims: Any) -> Any:
        out, slot = op.outs[number], op.slots[number]
        if isinstance(out, HandRing):
            return self._place(out, slot, dims)
        return self._buffers[out] if op.queue == "vector" else self._crossing[out]

    def _chain_place(self, op: Op) -> Any:
        """Where a chain's result goes: a tile, or a slot."""
        return self._place(op.tile.ring, op.tile.at, op.tile.dims) if isinstance(op.tile, Slot) else self._buffers[op.tile]

    def _by_hand(self, op: Op) -> None:
        if "tensor" in op.attributes and op.queue == "store":
            check_stored(self.fused, op)
        rank = 0 if op.queue != "matrix" else 5 if op.word.startswith("conv") else 3
        values, outs, operands = iter(op.inputs), iter(range(len(op.outs))), list[Any]()
        for kind, dims in zip(op.kinds, op.seen):
            if kind == "window":
                operands.append(self._window(op.tensor.number, op.origins, dims))
            else:
                tile = self._written(op, next(outs), dims) if kind == "out" else self._at[next(values), op.queue]
                operands.append(self._operand((tile[0], dims, *tile[2:]), rank or len(dims)))
        fields = {name: self._expr(f) if isinstance(f, Index) else f for name, f in op.fields}
        if op.epilogue:
            views, chain = self._epilogue(self.fused.groups[op.inputs[-1].op], rank)
            operands[3:3] = views
            fields |= {} if chain is None else {"epilogue": chain}
        if len(operands) > 3 and op.word == "matmul_scaled":
            operands[-2:-2] = [None] * (8 - len(operands))
        if op.factors:
            sums = op if op.accumulator is None else op.accumulator.op
            fields["accumulator"] = self._expr(self._sums.offset(sums, self._unit))
        self._say_op(op.word, op.queue, operands, **fields)
        if op.word == "load" and "share" not in fields and (dims := varies(self.fused, op, op.origins, op.extents)) is not None:
            self._out[-1][-1]["varies"] = dims
        self._say_syncs(op)

    def _say_syncs(self, op: Op) -> None:
        """Of the statement that was just said."""
        for word, name in (("wait", "waits"), ("signal", "signals")):
            if entries := op.attributes.get(word):
                self._out[-1][-1][name] = [[self._numbers[s], count, int(everywhere)] for s, count, everywhere in entries]
