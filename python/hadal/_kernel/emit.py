"""A fused trace to a tile program: phases, loops and instructions, and the JSON that the library reads."""

from __future__ import annotations

from typing import Any

from . import index
from .by_hand import HandWriter
from .fuse import Fused, Group
from .index import Index
from .memory import Tensor
from .signature import BYTES, FLOATS
from .sums import Sums, Target
from .trace import Op
from .work import check_stored, multiply_accumulates, touched_bytes, varies
from .writer import At


class Emitter(HandWriter):
    """Writes the phases of a kernel. `rings` tells afterwards where the scratchpad goes."""

    def __init__(self, fused: Fused, tensors: list[Tensor], target: Target):
        super().__init__(fused, tensors, target)
        self._loaded: set[Op] = set()
        ids = [op for op in fused.ops if op.kind == "ids"]
        self._first_id = min((op.start.low for op in ids), default=0)
        self._id_count = max((op.start.high + op.length.high for op in ids), default=0) - self._first_id
        self._counted: set[Tensor] = set()  # Tensors that a phase has read or written.

    # --- The program.

    def json(self) -> dict[str, Any]:
        semaphores = self._begin_by_hand()
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
                "semaphores": semaphores, "rings": [r.json() for r in self.rings], "chains": self._chains,
                "inputs": [port(t) for t in self.tensors if t.kind == "input"],
                "outputs": [port(t) for t in self.tensors if t.kind == "output"], "weights": weights, "phases": phases}

    def _phase(self, number: int) -> dict[str, Any]:
        """A grid with what stands before it; or a kernel without one, on one core."""
        ops = [op for op in self.fused.ops if op.phase == number]
        self._tiles, self._out, self._temporaries = [], [[]], {}
        self._free, self._ring_tiles = set(range(len(self.rings))), {}
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
        label = next((op.label for op in ops if op.kind == "grid"), self.fused.trace.name)
        return {"name": label, "op": "kernel", "macs": multiply_accumulates(ops), "bytes": sum(touched.values()),
                "dtype": dtype, "tiles": self._tiles, "body": self._out[0]}

    def _body(self, ops: list[Op]) -> None:
        for op in ops:
            if op in self.fused.live:
                self._site = op.site
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
        line = self._line()
        self._out.append([])
        body()
        inner = self._out.pop()
        self._say({"loop": name, "count": self._expr(count), "body": inner, "line": line})

    def _loop(self, op: Op) -> None:
        for total in op.attributes.get("totals", ()):
            if total in self.fused.live:
                self._begin_total(total)
        self._opened(op.counter.text, op.count, lambda: self._body(op.inner.ops))
        for total in op.attributes.get("totals", ()):
            if total in self.fused.live and self._epilogue_of(total) is None:
                self._copies(total.value)

    def _manual(self, op: Op) -> None:
        """A block; what its array and DMA queues write for others takes its tile before it, and is handed on after."""
        self._take_crossing(op)
        self._out.append([])
        self._body(op.inner.ops)
        body = self._out.pop()
        self._say({"manual": body})
        for value in op.crossed.values():
            self._copies(value)

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

    def _load(self, op: Op) -> None:
        fields = {} if op.fill is None else {"fill": 1, "value": op.fill}
        fields |= {} if op.share is None else {"share": op.share[0], "step": op.share[1]}
        self._load_window(op, op.tensor.number, op.origins, op.extents, op.tensor.name, fields)

    def _gather(self, op: Op) -> None:
        tile, rows = self._make(op.value, "load", op.tensor.name), self._at[op.inputs[0], "load"]
        dims = [*tile[1][:op.rank], *op.extents[1:]]  # An axis that an index names alone has extent 1.
        self._say_op("gather", "load", [self._operand((tile[0], dims), len(dims)),
                                        self._window(op.tensor.number, op.origins, op.extents), self._operand(rows, op.rank)],
                     bounds=op.bounds)
        self._copies(op.value)

    def _view(self, op: Op) -> None:
        for queue in self.fused.readers.get(op.value, ()):
            number, _, *slot = self._at[op.inputs[0], queue]
            self._at[op.value, queue] = (number, op.value.dims, *slot)

    def _ids(self, op: Op) -> None:
        self._load_window(op, len(self.tensors), [op.start - self._first_id], [op.length], "ids")

    def _load_window(self, op: Op, tensor: int, origins: Any, extents: Any, name: str, fields: Any = {}) -> None:
        if op in self._loaded:
            return
        self._loaded.add(op)
        tile = self._make(op.value, "load", name)
        self._say_op("load", "load", [self._operand(tile, len(tile[1])), self._window(tensor, origins, extents)], **fields)
        if op.attributes.get("share") is None and (dims := varies(self.fused, op, origins, extents)) is not None:
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
        elif group.product.op.kind == "leaving":
            return  # Of what is by hand.
        elif group.product.op.kind == "product":
            tile = self._make(op.value, "matrix", "y")
            self._multiply(group.product.op, tile, group)
        self._copies(op.value)

    def _assign(self, op: Op) -> None:
        self._say_chain(self.fused.groups[op], self._chain_place(op))
        self._say_syncs(op)

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
        check_stored(self.fused, op)
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

    def _multiply(self, op: Op, tile: At, group: Group | None, total: Op | None = None,
                  accumulate: Index = index.constant(0), emit: Index = index.constant(1)) -> None:
        self._site, rank = op.site, 5 if op.word.startswith("conv") else 3
        view = lambda values: [self._operand(self._at[v, "matrix"], rank) for v in values]
        operands: list[Any] = [self._operand(tile, rank), *view(op.inputs[:2])]
        fields: dict[str, Any] = dict(op.fields)
        if group is not None:
            views, chain = self._epilogue(group, rank)
            operands += views
            fields |= {} if chain is None else {"epilogue": chain}
        if scales := view(op.inputs[2:]):
            operands += [None] * (6 - len(operands)) + scales
        if rank == 3:
            for name, turned in zip(("transpose_a", "transpose_b"), op.turned):
                fields[name] = int(turned) ^ int(fields.get(name, 0))
        self._say_op(op.word, "matrix", operands, accumulator=self._expr(self._sums.offset(total or op, self._unit)),
                     accumulate=self._expr(accumulate), emit=self._expr(emit), **fields)


def _bytes(tensor: Tensor) -> int:
    return index.product(tensor.shape) * BYTES[tensor.dtype]


def _described(name: str, storage: int, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    strides, stride = [], BYTES[dtype]
    for extent in reversed(shape):
        strides.append(stride)
        stride *= extent
    return {"name": name, "storage": storage, "dtype": dtype, "extents": list(shape), "strides": strides[::-1], "offset": 0}
