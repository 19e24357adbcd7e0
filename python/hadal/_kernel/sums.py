"""Where the sums of products stand in the accumulator memory."""

from __future__ import annotations

import dataclasses

from . import index
from .errors import wrong
from .index import Index
from .trace import Op


@dataclasses.dataclass(frozen=True)
class Target:
    """What of a chip a kernel is laid out for."""

    name: str
    cores: int
    accumulator_bytes: int
    accumulator_tiles: int


class Sums:
    """Sums that stay over a loop lie side by side; those that leave at once take turns in what is left. All of it is there as
    often as the accumulator memory has tiles, where they fit: one part leaves while the next is filled.

    Errors: plan.accumulator.
    """

    def __init__(self, ops: list[Op], target: Target):
        size = lambda op: 4 * index.product(op.value.dims)
        self._products = [op for op in ops if op.kind == "product"]
        totals = [op.total for op in ops if op.kind == "accumulate"]
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
                        f"{target.name} has {room:,}; here {largest.value}", "take smaller tiles", largest.site)

    def offset(self, op: Op, unit: Index) -> Index:
        """The byte at which the sums of a product begin, in a trip of its loop; `unit` counts the steps of the grid."""
        if self._parts == 1:
            return index.constant(self._at[op])
        loop = op.body.loop
        trip = index.constant(0) if loop is None else unit if loop.kind == "grid" else loop.counter
        if op.kind == "product":
            step = len(self._products) % self._parts  # Products of one trip take turns, too.
            trip = trip * step + self._products.index(op)
        return index.modulo(trip, self._parts) * self._part_bytes + self._at[op]
