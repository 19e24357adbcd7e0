"""A fused trace to a tile program: rings between queues, instructions, and the JSON that the library reads."""

from __future__ import annotations

import math
from typing import Any

from . import index
from .errors import Site, wrong
from .fuse import Fused, Group
from .index import Index
from .memory import Tensor
from .rings import Ring
from .signature import BYTES, FLOATS
from .sums import Sums, Target
from .trace import Body, Op
from .values import Value
from .work import multiply_accumulates, touched_bytes, varies


class Emitter:
    """Writes the phases of a kernel. `rings` tells afterwards where the scratchpad goes."""

    def __init__(self, fused: Fused, tensors: list[Tensor], target: Target):
        self.fused, self.tensors, self.target = fused, tensors, target
        self.rings: list[Ring] = []
        self._tiles: list[dict[str, Any]] = []
        self._chains: list[dict[str, Any]] = []
        self._at: dict[tuple[Value, str], tuple[int, Any]] = {}  # Tile number and extents of a value, by reading queue.
        self._buffers: dict[Any, tuple[int, Any]] = {}           # Of the kernel's own tiles.
        self._temporaries: dict[Value, int] = {}                 # Of the lanes alone, with their rings.
        self._loaded: set[Op] = set()
        self._unit = index.constant(0)  # Of the grid's steps on this core.
        self._free: set[int] = set()    # Rings that no value of this phase has.
        self._out: list[list[Any]] = [[]]
        ids = [op for op in fused.ops if op.kind == "ids"]
        self._first_id = min((op.start.low for op in ids), default=0)
        self._id_count = max((op.start.high + op.length.high for op in ids), default=0) - self._first_id
        self._counted: set[Tensor] = set()  # Tensors that a phase has read or written.

    # --- The program.

    def json(self) -> dict[str, Any]:
        phases = [self._phase(p) for p in sorted({op.phase for op in self.fused.ops})]
        storages = [{"name": t.name, "kind": t.kind, "bytes": _bytes(t)} for t in self.tensors]
        described = [_described(t.name, i, t.dtype, t.shape) for i, t in enumerate(self.tensors)]
        weights = []
        if self._id_count:
            storages.append({"name": "ids", "kind": "weight", "bytes": 4 * self._id_count})
            described.append(_described("ids", len(self.tensors), "f32", (self._id_count,)))
            weights.append({"name": "ids", "offset": 0, "values": [self._first_id + i for i in range(self._id_count)]})
        port = lambda t: {"name": t.name, "dtype": t.dtype, "shape": list(t.shape), "storage": t.number}
        return {"name": self.fused.trace.name, "chip": self.target.name, "precision": phases[0]["dtype"],
                "cores": self.target.cores, "storages": storages, "tensors": described,
                "rings": [r.json() for r in self.rings], "chains": self._chains,
                "inputs": [port(t) for t in self.tensors if t.kind == "input"],
                "outputs": [port(t) for t in self.tensors if t.kind == "output"], "weights": weights, "phases": phases}

    def _phase(self, number: int) -> dict[str, Any]:
        """A grid with what stands before it; or a kernel without one, on one core."""
        ops = [op for op in self.fused.ops if op.phase == number]
        self._tiles, self._out, self._temporaries = [], [[]], {}
        self._free = set(range(len(self.rings)))
        self._sums = Sums(ops, self.target)
        top = [op for op in self.fused.trace.root.ops if op.phase == number]
        if self.fused.trace.phase == 0:
            self._deal([1], top)
        else:
            self._body(top)
        dtype = min({v.dtype for op in ops if op.kind in ("product", "accumulate") for v in op.inputs[:2]},
                    default=next((t.dtype for t in self.tensors if t.dtype in FLOATS), "f32"))
        touched = touched_bytes(ops, self._counted)
        self._counted |= set(touched)
        label = next((op.label for op in top if op.kind == "grid"), self.fused.trace.name)
        return {"name": label, "op": "kernel", "macs": multiply_accumulates(ops), "bytes": sum(touched.values()),
                "dtype": dtype, "tiles": self._tiles, "body": self._out[0]}

    def _body(self, ops: list[Op]) -> None:
        for op in ops:
            if op in self.fused.live:
                getattr(self, f"_{op.kind}", self._nothing)(op)

    def _nothing(self, op: Op) -> None:
        pass

    # --- Loops.

    def _opened(self, name: str, count: Index, body: Any) -> None:
        """A loop around what `body` writes; a single trip needs none."""
        if count.high < 1:
            return
        if count.is_constant and count.low == 1:
            return body()
        self._out.append([])
        body()
        inner = self._out.pop()
        self._say({"loop": name, "count": self._expr(count), "body": inner})

    def _loop(self, op: Op) -> None:
        for total in op.attributes.get("totals", ()):
            if total in self.fused.live:
                self._begin_total(total)
        self._opened(op.counter.text, op.count, lambda: self._body(op.inner.ops))
        for total in op.attributes.get("totals", ()):
            if total in self.fused.live and self._epilogue_of(total) is None:
                self._copies(total.value)

    def _grid(self, op: Op) -> None:
        self._deal(op.counts, op.inner.ops)

    def _deal(self, counts: list[int], ops: list[Op]) -> None:
        """Deals a grid to the cores."""
        most = -(-index.product(counts) // self.target.cores)
        self._unit = index.variable("unit", 0, max(most - 1, 0))
        self._out.append([])
        self._body(ops)
        body = self._out.pop()
        self._say({"grid": counts, "body": body})

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

    def _make(self, value: Value, producer: str, name: str) -> tuple[int, Any]:
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

    def _load(self, op: Op) -> None:
        fields = {} if op.fill is None else {"fill": 1, "value": op.fill}
        self._load_window(op, op.tensor.number, op.origins, op.extents, op.tensor.name, fields)

    def _gather(self, op: Op) -> None:
        tile, rows = self._make(op.value, "load", op.tensor.name), self._at[op.inputs[0], "load"]
        dims = [*tile[1][:op.rank], *op.extents[1:]]  # An axis that an index names alone has extent 1.
        self._say_op("gather", "load", [self._operand((tile[0], dims), len(dims)),
                                        self._window(op.tensor.number, op.origins, op.extents), self._operand(rows, op.rank)])
        self._copies(op.value)

    def _view(self, op: Op) -> None:
        for queue in self.fused.readers.get(op.value, ()):
            self._at[op.value, queue] = (self._at[op.inputs[0], queue][0], op.value.dims)

    def _ids(self, op: Op) -> None:
        self._load_window(op, len(self.tensors), [op.start - self._first_id], [op.length], "ids")

    def _load_window(self, op: Op, tensor: int, origins: Any, extents: Any, name: str, fields: Any = {}) -> None:
        if op in self._loaded:
            return
        self._loaded.add(op)
        tile = self._make(op.value, "load", name)
        self._say_op("load", "load", [self._operand(tile, len(tile[1])), self._window(tensor, origins, extents)], **fields)
        if (dims := varies(self.fused, op, origins, extents)) is not None:
            self._out[-1][-1]["varies"] = dims
        self._copies(op.value)

    def _tile(self, op: Op) -> None:
        tile = op.tile
        number = self._ring("tile", "vector", "vector", tile.dims, tile.dtype, op.body, op.site, f"tile {tile}")
        self._buffers[tile] = (number, tile.dims)

    def _read(self, op: Op) -> None:
        self._at[op.value, "vector"] = self._buffers[op.tile]
        self._copies(op.value)

    def _map(self, op: Op) -> None:
        group = self.fused.groups[op]
        if group.root is not op:
            return
        if group.product is None:
            tile = self._make(op.value, "vector", "v")
            self._say_chain(group, tile)
        elif group.product.op.kind == "product":
            tile = self._make(op.value, "matrix", "y")
            self._multiply(group.product.op, tile, group)
        self._copies(op.value)

    def _assign(self, op: Op) -> None:
        self._say_chain(self.fused.groups[op], self._buffers[op.tile])

    def _lanes(self, op: Op) -> None:
        """An instruction of the lanes between tiles, of one result or two."""
        results = [value for value in (op.value, op.second) if value is not None]
        tiles = [self._make(value, "vector", op.label) for value in results]
        seen = [*tiles, *(self._at[value, "vector"] for value in op.inputs)]
        fields = {name: self._expr(f) if isinstance(f, Index) else f for name, f in op.fields}
        self._say_op(op.word, "vector", [self._operand(tile, len(tile[1])) for tile in seen], **fields)
        for value in results:
            self._copies(value)

    def _transpose(self, op: Op) -> None:
        tile = self._make(op.value, "vector", "t")
        self._say_op("transpose", "vector", [self._operand(tile, 2), self._operand(self._at[op.inputs[0], "vector"], 2)],
                     order_0=1, order_1=0)
        self._copies(op.value)

    def _store(self, op: Op) -> None:
        names = frozenset().union(*(o.names for o in op.origins))
        grid = next((body.loop for body in op.body.chain() if body.loop is not None and body.loop.kind == "grid"), None)
        if grid is None and self.fused.trace.phase:
            raise wrong("store.outside", "this store is outside hd.grid: every core would do it", "store in the grid's loop",
                        op.site)
        for d, count in enumerate(grid.counts if grid else ()):
            if count > 1 and f"g{d}" not in names:
                raise wrong("grid.overlap", f"each of the {count} steps of the grid's axis {d} stores to the same window of "
                            f"{op.tensor}", "index the output by every axis of the grid, or loop over that axis with hd.tiles",
                            op.site)
        tile = self._at[op.inputs[0], "store"]
        window = self._window(op.tensor.number, op.origins, op.extents)
        if op.kind == "store":
            self._say_op("store", "store", [window, {"tile": tile[0], "extents": [self._expr(e) for e in op.extents]}])
            return
        rows = self._at[op.inputs[1], "store"]
        extents = [*rows[1], *op.extents[1:]]
        index_extents = [*rows[1], *[index.constant(1)] * (len(extents) - 1)]
        self._say_op("scatter", "store", [window, self._operand((tile[0], extents), len(extents)),
                                          self._operand((rows[0], index_extents), len(extents))], axis=0, combine=op.combine)

    _scatter = _store

    # --- Products.

    def _epilogue_of(self, product: Op) -> Group | None:
        return next((g for g in self.fused.roots() if g.product is product.value), None)

    def _product(self, op: Op) -> None:
        if self._epilogue_of(op) is None:
            self._multiply(op, self._make(op.value, "matrix", "y"), None)
            self._copies(op.value)

    def _begin_total(self, total: Op) -> None:
        """Before its loop: the tile that the sums leave to, and what their epilogue reads."""
        group = self._epilogue_of(total)
        for leaf in group.leaves() if group else ():
            if leaf.op.kind == "load":
                self._load(leaf.op)
            elif leaf.op.kind == "ids":
                self._ids(leaf.op)
        total.attributes["out"] = self._make(group.root.value if group else total.value, "matrix", "y")

    def _accumulate(self, op: Op) -> None:
        total = op.total
        counters = [(loop.counter, loop.count) for loop in total.loops]
        first, last = index.constant(0), index.constant(1)
        for counter, count in counters:
            first = first + counter
            last = last * index.equal(counter, count - 1)
        self._multiply(op, total.attributes["out"], self._epilogue_of(total), total, first, last)

    def _multiply(self, op: Op, tile: tuple[int, Any], group: Group | None, total: Op | None = None,
                  accumulate: Index = index.constant(0), emit: Index = index.constant(1)) -> None:
        rank = 5 if op.word.startswith("conv") else 3
        view = lambda values: [self._operand(self._at[v, "matrix"], rank) for v in values]
        operands: list[Any] = [self._operand(tile, rank), *view(op.inputs[:2])]
        fields: dict[str, Any] = dict(op.fields)
        if group is not None:
            others = [v for v in group.leaves() if v is not group.product]
            operands += view(others)
            steps = self._steps(group, [v for v in (group.product, *others) if v is not None])
            if steps != [["copy", [0], 0, 0]]:  # A rounding alone is the tile's type.
                fields["epilogue"] = self._chain(steps, 1 + len(others))
        if scales := view(op.inputs[2:]):
            operands += [None] * (6 - len(operands)) + scales
        if rank == 3:
            fields.update(transpose_a=int(op.turned[0]), transpose_b=int(op.turned[1]))
        self._say_op(op.word, "matrix", operands, accumulator=self._expr(self._sums.offset(total or op, self._unit)),
                     accumulate=self._expr(accumulate), emit=self._expr(emit), **fields)

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

    def _say_chain(self, group: Group, tile: tuple[int, Any]) -> None:
        leaves, rank = group.leaves(), len(tile[1])
        views = [self._operand(self._at[v, "vector"], rank) for v in leaves]
        chain = self._chain(self._steps(group, leaves), len(leaves))
        self._say_op("map", "vector", [self._operand(tile, rank), *views], chain=chain)

    def _chain(self, steps: list[list[Any]], inputs: int, exact: bool = False) -> int:
        chain: dict[str, Any] = {"inputs": inputs, "steps": steps} | ({"compute": "i64"} if exact else {})
        if chain not in self._chains:
            self._chains.append(chain)
        return self._chains.index(chain)

    # --- Text.

    def _expr(self, value: Index) -> Any:
        return value.json()

    def _operand(self, tile: tuple[int, Any], rank: int) -> dict[str, Any]:
        number, dims = tile
        return {"tile": number, "extents": [1] * (rank - len(dims)) + [self._expr(d) for d in dims]}

    def _window(self, tensor: int, origins: Any, extents: Any) -> dict[str, Any]:
        return {"tensor": tensor, "origins": [self._expr(o) for o in origins], "extents": [self._expr(e) for e in extents]}

    def _say(self, statement: dict[str, Any]) -> None:
        self._out[-1].append(statement)

    def _say_op(self, op: str, queue: str, operands: list[Any], **fields: Any) -> None:
        self._say({"op": op, "on": queue, "operands": operands, "fields": fields})


def _bytes(tensor: Tensor) -> int:
    return index.product(tensor.shape) * BYTES[tensor.dtype]


def _described(name: str, storage: int, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    strides, stride = [], BYTES[dtype]
    for extent in reversed(shape):
        strides.append(stride)
        stride *= extent
    return {"name": name, "storage": storage, "dtype": dtype, "extents": list(shape), "strides": strides[::-1], "offset": 0}
