"""What of a trace is needed, and which of its operations become one instruction.

Element-wise operations join into the chain of the last of them; a chain behind a product becomes the epilogue through
which its sums leave the array. A chain computes in f32 and rounds once, where it is written, so joining changes no bit.
"""

from __future__ import annotations

from typing import Any, Iterator

from .blocks import check_chains, check_reads, cross_tiles
from .errors import wrong
from .trace import Body, Op, Trace, walk
from .values import Accumulator, Tile, Value

CHAIN_INPUTS, CHAIN_STEPS, EPILOGUE_INPUTS = 8, 32, 3
# Operations that are not done by the lanes.
_QUEUES = {"gather": "load", "store": "store", "scatter": "store", "product": "matrix", "accumulate": "matrix"}


def texts(dims: Any) -> list[str]:
    return [d.text for d in dims]


class Group:
    """Element-wise operations that are one chain. `root` is the last: its value, or the tile that it writes, is the result."""

    def __init__(self, root: Op):
        self.root, self.members = root, {root}
        self.product: Value | None = None  # Whose sums leave through this chain.

    @property
    def dims(self) -> Any:
        return self.root.tile.dims if self.root.kind == "assign" else self.root.value.dims

    def leaves(self) -> list[Value]:
        """What it reads, in order of first use."""
        out: list[Value] = []
        for op in sorted(self.members, key=lambda op: op.seq):
            out += [v for v in op.inputs if isinstance(v, Value) and v.op not in self.members]
        return list(dict.fromkeys(out))

    def fits(self) -> bool:
        constants = {v for op in self.members for v in op.inputs if not isinstance(v, Value)}
        return len(self.leaves()) <= CHAIN_INPUTS and len(self.members) + len(constants) <= CHAIN_STEPS


class Fused:
    """The live operations of a trace, their groups, and which queues read each value."""

    def __init__(self, trace: Trace):
        self.trace = trace
        cross_tiles(trace)
        self._place_accumulators()
        self._absorb_transposes()
        self.live = self._live()
        self.ops = sorted((op for op in walk(trace.root) if op in self.live), key=lambda op: op.seq)
        self._consumers: dict[Value, list[Op]] = {}
        for op in self.ops:
            for value in dict.fromkeys(v for v in op.inputs if isinstance(v, Value) and op.kind != "places"):
                self._consumers.setdefault(value, []).append(op)
        self.groups: dict[Op, Group] = {}
        self._join()
        self._choose_epilogues()
        check_chains(self)
        self.readers = self._readers()
        check_reads(self)

    # --- Accumulators.

    def _place_accumulators(self) -> None:
        for tile in self.trace.tiles:
            if isinstance(tile, Accumulator):
                uses = [op for op in walk(self.trace.root) if op.attributes.get("tile") is tile and op.kind != "tile"]
                if not self._sum_in_array(tile, uses):
                    self._sum_in_tile(tile, uses)

    def _sum_in_array(self, tile: Accumulator, uses: list[Op]) -> bool:
        """One product a trip of the loops in one loop beside the tile, read after it: the sums stay in the array's memory."""
        sums = [op for op in uses if op.kind == "accumulate"]
        if len(sums) != 1 or any(op.kind == "assign" for op in uses):
            return False
        body: Body | None = sums[0].body
        loops: list[Any] = []
        while body is not None and body is not tile.op.body:
            loops.append(body.loop)
            body = body.parent
        if body is None or not loops or any(loop.kind != "loop" or loop.count.low < 1 for loop in loops):
            return False
        outer = loops[-1]
        if any(op.kind == "read" and (op.seq < outer.seq or op in walk(outer.inner)) for op in uses):
            return False
        product = sums[0].inputs[0].op
        total = _like(sums[0], "total", outer.seq + 0.5, product.inputs,
                      {**product.attributes, "loops": loops, "sum": sums[0]}, tile.op.body)
        Value(total, tile.dims, "f32")
        outer.attributes.setdefault("totals", []).append(total)
        sums[0].inputs = product.inputs
        sums[0].attributes.update(product.attributes, total=total)
        reads = {op.value for op in uses if op.kind == "read"}
        for op in walk(self.trace.root):
            op.inputs = tuple(total.value if isinstance(v, Value) and v in reads else v for v in op.inputs)
        return True

    def _sum_in_tile(self, tile: Accumulator, uses: list[Op]) -> None:
        """Otherwise the lanes add."""
        _insert(tile.op, _like(tile.op, "assign", tile.op.seq + 0.5, (0.0,), {"tile": tile}))
        for op in uses:
            if op.kind != "accumulate":
                continue
            read = _like(op, "read", op.seq + 0.1, (), {"tile": tile})
            old = Value(read, tile.dims, "f32")
            add = _like(op, "map", op.seq + 0.2, (old, op.inputs[0]), {"name": "add", "casts": False})
            new = Value(add, tile.dims, "f32")
            for made in (_like(op, "assign", op.seq + 0.3, (new,), {"tile": tile}), add, read):
                _insert(op, made)

    def _absorb_transposes(self) -> None:
        """The array reads its operands either way."""
        for op in walk(self.trace.root):
            totals = op.attributes.get("totals", ())
            for each in [op, *totals]:
                if each.kind in ("product", "accumulate", "total"):
                    turned = [v.op.kind == "transpose" for v in each.inputs[:2]]
                    each.attributes["turned"] = turned
                    operands = [v.op.inputs[0] if t else v for v, t in zip(each.inputs, turned)]
                    each.inputs = (*operands, *each.inputs[2:])

    # --- What is needed.

    def _live(self) -> set[Op]:
        """Stores, and what they come from."""
        writes: dict[Any, list[Op]] = {}
        for op in walk(self.trace.root):
            if op.kind == "assign":
                writes.setdefault(op.tile, []).append(op)
        live: set[Op] = set()
        todo = [op for op in walk(self.trace.root) if op.kind in ("store", "scatter", "by_hand") or "wait" in op.attributes]
        if not any(op.attributes.get("word", op.kind) in ("store", "scatter") for op in todo):
            raise wrong("kernel.store", "the kernel stores nothing", "end with hd.store(y[...], value)",
                        self.trace.root.ops[0].site if self.trace.root.ops else None)
        while todo:
            op = todo.pop()
            if op in live:
                continue
            live.add(op)
            todo += [v.op for v in op.inputs if isinstance(v, Value)]
            if op.kind == "read":
                todo += [op.tile.op, *writes.get(op.tile, [])]
            if op.kind == "total":
                todo.append(op.sum)
            if "wait" in op.attributes:  # By hand: what the lanes write has its place, whoever reads it.
                outs = [op.tile] if op.kind == "assign" else op.outs if op.queue == "vector" else []
                todo += [tile.op for tile in outs if isinstance(tile, Tile)]
            if op.body.loop is not None:
                todo.append(op.body.loop)
        return live

    # --- Chains.

    def _join(self) -> None:
        writes: dict[Any, list[float]] = {}
        for op in self.ops:
            for tile in op.outs if op.kind == "by_hand" else [op.tile] if op.kind == "assign" else []:
                writes.setdefault(tile, []).append(op.seq)

        def stale(op: Op, root: Op) -> bool:
            """Whether a tile that `op` reads is written before `root`."""
            return any(isinstance(v, Value) and v.op.kind == "read" and
                       any(v.op.seq < w < root.seq for w in writes.get(v.op.tile, ())) for v in op.inputs)

        for op in reversed(self.ops):
            if op.kind not in ("map", "assign"):
                continue
            joined = None if op.kind == "assign" else self._group_behind(op)
            if joined is not None and not stale(op, joined.root):
                joined.members.add(op)
                if joined.fits():
                    self.groups[op] = joined
                    continue
                joined.members.discard(op)
            self.groups[op] = Group(op)

    def _group_behind(self, op: Op) -> Group | None:
        """The one group that reads what `op` gives, where it may join it: same loop, same extents, no rounding between."""
        users = self._consumers[op.value]
        if op.casts or any(user.kind not in ("map", "assign") for user in users):
            return None
        groups = {self.groups[user] for user in users}
        group = groups.pop()
        same = not groups and group.root.body is op.body and texts(group.dims) == texts(op.value.dims)
        return group if same else None

    def _choose_epilogues(self) -> None:
        for group in set(self.groups.values()):
            leaves = group.leaves()
            products = [v for v in leaves if v.op.kind in ("product", "total", "leaving")]
            others = [v for v in leaves if v.op.kind not in ("product", "total", "leaving")]
            if (group.root.kind == "map" and len(products) == 1 and len(others) <= EPILOGUE_INPUTS
                    and (products[0].op.kind == "leaving" or all(v.op.kind in ("load", "ids") for v in others))
                    and texts(products[0].dims) == texts(group.dims) and products[0].op.body is group.root.body
                    and all(user in group.members for user in self._consumers[products[0]])):
                group.product = products[0]

    def roots(self) -> set[Group]:
        return set(self.groups.values())

    def _readers(self) -> dict[Value, set[str]]:
        """The queues that read each value; of what is seen with other extents, the queues that read those."""
        readers: dict[Value, set[str]] = {}
        for value in sorted(self._consumers, key=lambda value: -value.op.seq):
            for user in self._consumers[value]:
                group = self.groups.get(user)
                if user.kind == "view":
                    readers.setdefault(value, set()).update(readers.get(user.value, ()))
                elif group is None or (value.op not in group.members and value is not group.product):
                    readers.setdefault(value, set()).add(self.queue_of(user))
        return readers

    def queue_of(self, op: Op) -> str:
        """Where an operation is done."""
        group = self.groups.get(op)
        if group is not None:
            return "vector" if group.product is None else "matrix"
        queue: str = op.queue if op.kind == "by_hand" else _QUEUES.get(op.kind, "vector")
        return queue

    def _users(self, value: Value) -> Iterator[Op]:
        """The operations that read a value, also with other extents."""
        for op in self._consumers.get(value, ()):
            if op.kind == "view":
                yield from self._users(op.value)
            else:
                yield op

    def reads(self, value: Value, queue: str) -> list[float]:
        """When the instructions of a queue that read a value stand."""
        return [self.groups[op].root.seq if op in self.groups else op.seq
                for op in self._users(value) if self.queue_of(op) == queue]

    def lanes_first(self, value: Value, queue: str) -> bool:
        """Whether the lanes have read a value for good before another queue does: not in a loop, where trips follow."""
        beside = all(op.body is value.op.body for op in self._users(value) if self.queue_of(op) == "vector")
        return beside and max(self.reads(value, "vector")) < min(self.reads(value, queue))


def _like(op: Op, kind: str, seq: float, inputs: tuple[Any, ...], attributes: dict[str, Any], body: Body | None = None) -> Op:
    """An operation that stands for another."""
    return Op(kind, body or op.body, seq, op.site, op.phase, inputs, attributes)


def _insert(after: Op, op: Op) -> None:
    ops = after.body.ops
    ops.insert(ops.index(after) + 1, op)
