"""What of hd.manual is settled before emission: tiles that cross its edge, and that a statement is one instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import wrong
from .trace import Op, Trace, walk
from .values import Tile, Value

if TYPE_CHECKING:
    from .fuse import Fused


def cross_tiles(trace: Trace) -> None:
    """Makes a value of each tile that a block's array or DMA queue writes, for those who read it behind the block: the block
    takes its place before, and hands it on after. What the lanes write stays a tile, as they work in order."""
    blocks = [op for op in walk(trace.root) if op.kind == "manual"]
    crossing = {tile for block in blocks for op in walk(block.inner) for tile in _handed_on(op)}
    for block in reversed(blocks):
        block.attributes["crossed"] = {}
        writers = {tile: op for op in walk(block.inner) for tile in _handed_on(op)}
        for tile, writer in writers.items():
            queues = {op.queue for op in walk(block.inner) if tile in _handed_on(op)}
            if len(queues) > 1:
                raise wrong("manual.tile", f"the {' and the '.join(sorted(queues))} queue write one tile {tile}",
                            "a tile that crosses the edge of hd.manual has one queue: take a tile for each", writer.site)
            made = Op("crossed", block.body, block.seq + 0.5, writer.site, block.phase, (), {"queue": writer.queue})
            block.attributes["crossed"][tile] = Value(made, tile.dims, tile.dtype)
            _replace_reads(trace, block, tile, made.value)
    for op in walk(trace.root):
        met = {op.tile} if op.kind == "assign" or (op.kind == "read" and _is_used(trace, op.value)) else \
            set(op.outs) if op.kind == "by_hand" and op.queue == "vector" else set()
        for tile in met & crossing:
            raise wrong("manual.tile", f"the tile of {tile.op.site} is written by another queue than the lanes in hd.manual: "
                        "it is read behind the block, in the same trip, and written by nobody else",
                        "hd.ring(1, dims, dtype) for what the block itself reads; a tile for each writer", op.site)


def _handed_on(op: Op) -> set[Tile]:
    return {t for t in op.outs if isinstance(t, Tile)} if op.kind == "by_hand" and op.queue != "vector" else set()


def _is_used(trace: Trace, value: Value) -> bool:
    return any(v is value for op in walk(trace.root) for v in op.inputs)


def _replace_reads(trace: Trace, block: Op, tile: Tile, value: Value) -> None:
    """Blocks are met from the last: what reads behind this one, and not behind a later one."""
    end = max((op.seq for op in walk(block.inner)), default=block.seq)
    reads = {op.value for op in walk(trace.root) if op.kind == "read" and op.tile is tile and op.seq > end
             and block.body in list(op.body.chain())}
    for op in walk(trace.root):
        op.inputs = tuple(value if isinstance(v, Value) and v in reads else v for v in op.inputs)


def check_chains(fused: Fused) -> None:
    """Arithmetic in a block is the chain of one hd.isa.map, which reads what is there when it stands."""
    ordered = [op for op in fused.ops if op.kind in ("by_hand", "assign", "loop", "grid") and op.body.block is not None]
    for op in fused.ops:
        if op.kind != "map" or op.body.block is None:
            continue
        root, product = fused.groups[op].root, fused.groups[op].product
        if root.kind != "assign" and (product is None or product.op.kind != "leaving"):
            raise wrong("manual.chain", "this arithmetic is not the chain of one hd.isa.map or epilogue: it has more steps or "
                        "operands than fit, other extents, a rounding between, or several readers",
                        "hd.isa.map(x + y, out=ring[i]), one after another", op.site)
        first = min([op.seq, *(v.op.seq for v in op.inputs if isinstance(v, Value) and v.op.kind in ("slot", "read"))])
        if any(first < other.seq < root.seq for other in ordered):
            raise wrong("manual.chain", "this is written down before another statement of hd.manual, and computed after it",
                        "write the arithmetic where it is computed: hd.isa.map(x + y, out=ring[i])", op.site)


def check_reads(fused: Fused) -> None:
    """A tile that the lanes write has no copy for other queues in a block."""
    for op in fused.ops:
        if op.kind == "read" and op.body.block is not None and fused.readers.get(op.value, set()) - {"vector"}:
            raise wrong("manual.tile", f"another queue than the lanes reads the tile of {op.tile.op.site} in hd.manual, which "
                        "needs a copy", "before the block: v = t.to(t.dtype), and v in it; or hd.ring", op.site)
