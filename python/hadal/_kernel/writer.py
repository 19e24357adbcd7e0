"""Tiles of values, chains, and statements of a tile program as they are said."""

from __future__ import annotations

import math
from typing import Any

from . import index
from .errors import Site
from .fuse import Fused, Group
from .index import Index
from .memory import Tensor
from .rings import Ring
from .signature import BYTES
from .sums import Target
from .trace import Body
from .values import Value

At = tuple[Any, ...]  # A tile's number, its extents, and of a ring by hand the slot.


class Writer:
    """Gives values their rings' tiles, and writes statements down."""

    def __init__(self, fused: Fused, tensors: list[Tensor], target: Target):
        self.fused, self.tensors, self.target = fused, tensors, target
        self.rings: list[Ring] = []
        self._tiles: list[dict[str, Any]] = []
        self._chains: list[dict[str, Any]] = []
        self._at: dict[tuple[Value, str], At] = {}  # Of a value, by reading queue.
        self._buffers: dict[Any, At] = {}           # Of the kernel's own tiles.
        self._temporaries: dict[Value, int] = {}       # Of the lanes alone, with their rings.
        self._unit = index.constant(0)  # Of the grid's steps on this core.
        self._free: set[int] = set()    # Rings that no value of this phase has.
        self._out: list[list[Any]] = [[]]
        self._site = Site("", 0)        # Of what is being said.
        self.sites: dict[str, Site] = {}

    # --- Values.

    def _ring(self, name: str, producer: str, consumer: str, dims: Any, dtype: str, body: Body, site: Site, what: str) -> int:
        """A ring that no other value of this phase has, and its tile; depth is that of the loop around. Those of earlier phases
        serve again, which saves room and semaphores."""
        depth = body.loop.depth if body.loop is not None else 1
        slots = 1 if producer == consumer == "vector" else depth or 2
        most = slots if producer != "load" or depth else 4
        size = index.product(dims) * BYTES[dtype]
        known = {ring.name for ring in self.rings} | {tile["name"] for tile in self._tiles}
        name = f"{name}_l{site.line}"
        name = next(n for i in range(1, 1000) if (n := name if i == 1 else f"{name}_{i}") not in known)
        kind = (producer, consumer, slots, most)
        free = [i for i in self._free if self.rings[i].kind == kind]
        if not free:
            self.rings.append(Ring(name, *kind, size, site, what))
            return self._take(len(self.rings) - 1, name, dtype)
        number = min(free, key=lambda i: (self.rings[i].bytes < size, abs(self.rings[i].bytes - size)))
        self._free.discard(number)
        self.rings[number].hold(size, site, what)
        return self._take(number, name, dtype)

    def _make(self, value: Value, producer: str, name: str) -> At:
        """Takes the tile of a value for its reader. Where several queues read it, it is for the lanes, and the others get
        copies; but the lanes may read what they made before another queue does."""
        readers = self.fused.readers.get(value, set())  # Of two results, one may have none.
        others = sorted(readers - {"vector"})
        early = producer == "vector" and len(others) == 1 < len(readers) and self.fused.lanes_first(value, others[0])
        consumer = others[0] if early or (len(readers) == 1 and others) else "vector"
        dtype = "f32" if value.dtype == "bool" else value.dtype
        number = self._again(value, dtype) if (producer, consumer) == ("vector", "vector") else None
        if number is None:
            number = self._ring(name, producer, consumer, value.dims, dtype, value.op.body, value.op.site, f"{name} {value}")
        if (producer, consumer) == ("vector", "vector"):
            self._temporaries[value] = self._tiles[number]["ring"]
        self._at[value, consumer] = self._at[value, "vector" if early else consumer] = (number, value.dims)
        return number, value.dims

    def _again(self, value: Value, dtype: str) -> int | None:
        """A tile in the place of an earlier one of the same loop that the lanes, which work in order, have read for good."""
        for old, ring in self._temporaries.items():
            if old.op.body is value.op.body and max(self.fused.reads(old, "vector"), default=math.inf) < value.op.seq:
                del self._temporaries[old]
                self.rings[ring].hold(index.product(value.dims) * BYTES[dtype], value.op.site, f"v {value}")
                return self._take(ring, f"{self.rings[ring].name}_{len(self._tiles)}", dtype)
        return None

    def _take(self, ring: int, name: str, dtype: str) -> int:
        self._tiles.append({"name": name, "ring": ring, "dtype": dtype})
        self._say({"tile": len(self._tiles) - 1})
        return len(self._tiles) - 1

    def _copies(self, value: Value) -> None:
        for queue in sorted(self.fused.readers.get(value, ())):
            if (value, queue) in self._at:
                continue
            dtype = "f32" if value.dtype == "bool" else value.dtype
            number = self._ring("copy", "vector", queue, value.dims, dtype, value.op.body, value.op.site, f"copy {value}")
            self._at[value, queue] = (number, value.dims)
            rank = len(value.dims)
            views = [self._operand(self._at[value, q], rank) for q in (queue, "vector")]
            self._say_op("map", "vector", views, chain=self._chain([["copy", [0], 0, 0]], 1, exact=dtype == "i32"))

    # --- Chains.

    def _steps(self, group: Group, leaves: list[Value]) -> list[list[Any]]:
        steps: list[list[Any]] = []
        known: dict[Any, int] = {value: i for i, value in enumerate(leaves)}

        def number(operand: Any) -> int:
            key = operand if isinstance(operand, Value) else ("constant", operand)
            if key not in known:
                steps.append(["constant", [], operand, 0])
                known[key] = 7 + len(steps)
            return known[key]

        for op in sorted(group.members, key=lambda op: op.seq):
            operands = [number(v) for v in op.inputs]
            if op.kind == "map" and not op.casts:
                steps.append([op.attributes["name"], operands, 0, 0])
            elif operands[0] < 8:  # A leaf, written as it is: the tile's type rounds it.
                steps.append(["copy", operands, 0, 0])
            if op.value is not None:
                known[op.value] = 7 + len(steps)
        return steps

    def _say_chain(self, group: Group, tile: At) -> None:
        leaves, rank = group.leaves(), len(tile[1])
        views = [self._operand(self._at[v, "vector"], rank) for v in leaves]
        chain = self._chain(self._steps(group, leaves), len(leaves))
        self._say_op("map", "vector", [self._operand(tile, rank), *views], chain=chain)

    def _epilogue(self, group: Group, rank: int) -> tuple[list[Any], int | None]:
        """Of the chain through which sums leave: its other operands, and its number; none where it rounds alone."""
        others = [v for v in group.leaves() if v is not group.product]
        steps = self._steps(group, [v for v in (group.product, *others) if v is not None])
        chain = None if steps == [["copy", [0], 0, 0]] else self._chain(steps, 1 + len(others))
        return [self._operand(self._at[v, "matrix"], rank) for v in others], chain

    # --- Statements.

    def _chain(self, steps: list[list[Any]], inputs: int, exact: bool = False) -> int:
        chain: dict[str, Any] = {"inputs": inputs, "steps": steps} | ({"compute": "i64"} if exact else {})
        if chain not in self._chains:
            self._chains.append(chain)
        return self._chains.index(chain)

    def _expr(self, value: Index) -> Any:
        return value.json()

    def _operand(self, tile: tuple[Any, ...], rank: int) -> dict[str, Any]:
        number, dims, *slot = tile
        view = {"tile": number, "extents": [1] * (rank - len(dims)) + [self._expr(d) for d in dims]}
        return view | ({"slot": self._expr(slot[0])} if slot else {})

    def _window(self, tensor: int, origins: Any, extents: Any) -> dict[str, Any]:
        return {"tensor": tensor, "origins": [self._expr(o) for o in origins], "extents": [self._expr(e) for e in extents]}

    def _say(self, statement: dict[str, Any]) -> None:
        self._out[-1].append(statement)

    def _say_op(self, op: str, queue: str, operands: list[Any], **fields: Any) -> None:
        self._say({"op": op, "on": queue, "operands": operands, "fields": fields, "line": self._line()})

    def _line(self) -> str:
        line = str(self._site)
        self.sites[line] = self._site
        return line
