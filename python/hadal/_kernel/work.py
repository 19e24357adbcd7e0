"""How much a kernel multiplies and moves, and what its loads differ by."""

from __future__ import annotations

from typing import Any, Iterable

import numpy as np

from . import index
from .errors import wrong
from .fuse import Fused
from .index import Index
from .memory import Tensor
from .signature import BYTES
from .trace import Op


def _loops(op: Op) -> list[Op]:
    """Loops around an operation, from the outermost."""
    return [body.loop for body in op.body.chain() if body.loop is not None and body.loop.kind != "manual"][::-1]


def trips(op: Op) -> int:
    """How often an operation is done, over all trips of its loops, in all steps of its grid."""
    return _summed([], _loops(op))


def in_grid(op: Op) -> bool:
    return any(loop.kind == "grid" for loop in _loops(op))


def multiply_accumulates(ops: Iterable[Op]) -> int:
    """Of all products among them, over all trips of their loops: m * n * k as the clamped spans have them."""
    return sum(_summed(list(op.factors), _loops(op)) for op in ops if op.attributes.get("factors"))


def touched_bytes(ops: Iterable[Op], skip: set[Tensor]) -> dict[Tensor, int]:
    """Of the tensors that are read or written: all, or where rows are looked up, as many as no number names twice."""
    found: dict[Tensor, int] = {}
    for op in ops:
        if "tensor" not in op.attributes or op.tensor.kind == "scratch" or op.tensor in skip:
            continue
        whole = index.product(op.tensor.shape) * BYTES[op.tensor.dtype]
        if op.attributes.get("word", op.kind) == "gather":
            dims = op.seen[0] if op.kind == "by_hand" else op.value.dims
            looked_up = _summed(list(dims), _loops(op)) * BYTES[op.tensor.dtype]
            found[op.tensor] = min(whole, found.get(op.tensor, 0) + looked_up)
        else:
            found[op.tensor] = whole
    return found


def _summed(factors: list[Index], loops: list[Op]) -> int:
    """The sum of a product over all trips of loops: of sums over indices that meet in no factor and in no count."""
    axes: dict[str, tuple[int, Index]] = {}  # Most trips, and their number.
    for loop in loops:
        if loop.kind == "grid":
            axes.update({f"g{d}": (count, index.constant(count)) for d, count in enumerate(loop.counts)})
        elif not loop.counter.is_constant:
            axes[loop.counter.text] = (loop.count.high, loop.count)
        else:
            factors = [*factors, loop.count]  # One trip, or none.
    together = [set(f.names) for f in factors] + [{name} | count.names for name, (_, count) in axes.items()]
    total = 1
    while axes:
        names = {next(iter(axes))}
        while met := [part for part in together if part & names and not part <= names]:
            names.update(*met)
        own = {name: axes.pop(name) for name in list(axes) if name in names}
        total *= _sum_over([f for f in factors if f.names & names], own)
    for factor in factors:
        total *= 1 if factor.names else max(factor.low, 0)
    return total


def _sum_over(factors: list[Index], axes: dict[str, tuple[int, Index]]) -> int:
    shape = [most for most, _ in axes.values()]
    known = dict(zip(axes, np.indices(shape, sparse=True)))
    product: Any = np.ones(shape, np.int64)
    for name, (_, count) in axes.items():
        product = product * (known[name] < count.value(known))
    for factor in factors:
        product = product * np.maximum(factor.value(known), 0)
    return int(np.sum(product))


def varies(fused: Fused, op: Op, origins: Any, extents: Any) -> list[int] | None:
    """The dims of the grid along which a load differs: cores that differ in others alone read it together. None: it is not
    shared."""
    loops = _loops(op)
    if not loops or loops[0].kind != "grid":
        return [] if fused.trace.phase and not loops else None  # Before a grid all cores do the same.
    names = frozenset().union(*(e.names for e in [*origins, *extents]), *(loop.count.names for loop in loops[1:]))
    return [d for d in range(len(loops[0].counts)) if f"g{d}" in names]


def check_stored(fused: Fused, op: Op) -> None:
    """Steps of the grid store to windows of their own."""
    names = frozenset().union(*(o.names for o in op.origins))
    grid = next((body.loop for body in op.body.chain() if body.loop is not None and body.loop.kind == "grid"), None)
    if grid is None and fused.trace.phase:
        raise wrong("store.outside", "this store is outside hd.grid: every core would do it", "store in the grid's loop",
                    op.site)
    for d, count in enumerate(grid.counts if grid else ()):
        if count > 1 and f"g{d}" not in names:
            raise wrong("grid.overlap", f"each of the {count} steps of the grid's axis {d} stores to the same window of "
                        f"{op.tensor}", "index the output by every axis of the grid, or loop over that axis with hd.tiles",
                        op.site)
