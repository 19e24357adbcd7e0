"""Where the sums of products stand in the accumulator memory."""

from __future__ import annotations

import dataclasses
from typing import Any

from . import index
from .errors import wrong
from .index import Index
from .memory import shown
from .trace import Op


@dataclasses.dataclass(frozen=True)
class Target:
    """What of a chip a kernel is laid out for."""

    name: str
    cores: int
    accumulator_bytes: int
    accumulator_tiles: int


def _sums_of(op: Op) -> Any:
    """The extents of the sums of a product, or of an accumulator."""
    return op.seen[0] if op.kind == "by_hand" else op.tile.dims if op.kind == "tile" else op.value.dims


class Sums:
    """Sums that stay over a loop lie side by side; those that leave at once take turns in what is left. All of it is there as
    often as the accumulator memory has tiles, where they fit: one part leaves while the next is filled.

    Errors: plan.accumulator.
    """

    def __init__(self, ops: list[Op], target: Target):
        size = lambda op: 4 * index.product(_sums_of(op))
        by_hand = [op for op in ops if op.kind == "by_hand" and op.factors]
        self._products = [op for op in ops if op.kind == "product"] + [op for op in by_hand if op.accumulator is None]
        kept = dict.fromkeys(op.accumulator.op for op in by_hand if op.accumulator is not None)
        totals = [op.total for op in ops if op.kind == "accumulate"] + list(kept)
        self._at: dict[Op, int] = {}
        at = 0
        for total in totals:
            self._at[total] = at
            at += size(total)
        most = max([size(op) for op in self._products], default=0)
        self._at.update({op: at for op in self._products})
        room, parts = target.accumulator_bytes, max(target.accumulator_tiles, 1)
        self._part_bytes, self._parts = (room // parts // 4 * 4, parts) if at + most <= room // parts else (0, 1)
        if at + most > room:
            largest = max(totals + self._products, key=size)
            raise wrong("plan.accumulator", f"the sums of products take {at + most:,} bytes; the accumulator memory of "
                        f"{target.name} has {room:,}; here {shown('f32', _sums_of(largest))}", "take smaller tiles", largest.site)

    def offset(self, op: Op, unit: Index) -> Index:
        """The byte at which the sums of a product begin, in a trip of its loop; `unit` counts the steps of the grid."""
        if self._parts == 1:
            return index.constant(self._at[op])
        loop = next((body.loop for body in op.body.chain() if body.loop is None or body.loop.kind != "manual"), None)
        trip = index.constant(0) if loop is None else unit if loop.kind == "grid" else loop.counter
        if op in self._products:
            step = len(self._products) % self._parts  # Products of one trip take turns, too.
            trip = trip * step + self._products.index(op)
        return index.modulo(trip, self._parts) * self._part_bytes + self._at[op]
