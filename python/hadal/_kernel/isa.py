"""Instructions by name, as the instruction table has them: hd.isa.norm(v, gamma, dims=v.shape, kind="rms")."""

from __future__ import annotations

import functools
import numbers
from typing import TYPE_CHECKING, Any, Callable, Sequence

from .. import _library as library
from . import hand, moves
from .errors import here, wrong
from .index import Index
from .signature import BYTES
from .trace import current
from .values import Accumulator, Place, Value, as_operand, broadcast, dims_of

if TYPE_CHECKING:
    from .isa_types import Table

SUMS = ("accumulator", "accumulate", "emit", "epilogue")  # Fields of what adds in the array, which `acc += x @ w` derives.


@functools.lru_cache(maxsize=1)
def table() -> dict[str, dict[str, Any]]:
    """Those of a core's queues, but what needs a table of the program or the host."""
    rows = library.json_from(library.instructions)
    engines = {"load", "store", "matrix", "vector"}
    return {row["name"]: row for row in rows
            if row["queues"] and row["queues"][0] in engines and not any(f["kind"] == "table" for f in row["fields"])}


def lanes(word: str, inputs: Sequence[Value], dims: tuple[Index, ...], dtype: str, label: str, **fields: Any) -> Value:
    """What an instruction of the lanes gives, recorded."""
    op = current().record("lanes", tuple(inputs), word=word, label=label, fields=tuple(fields.items()))
    return Value(op, dims, dtype)


def second_of(first: Value, dims: tuple[Index, ...], dtype: str) -> Value:
    """The other result of the instruction that gives `first`."""
    second = Value(current().record("places", (first,)), dims, dtype)
    first.op.second = second
    return second


class Instructions:
    """hd.isa.NAME(inputs, dims=, fields): an instruction of the lanes, the array or the DMA queues. Inputs are values, and
    windows of memory, in the table's order; `dims` and `dtype` those of the result where no window has them, or a list for
    each of several; fields by name, the others as usual. In hd.manual, out= instead of dims, wait= and signal=. docs/isa.md
    has all of it, and the rules: what breaks one is an error where the kernel is compiled, at its line."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in table():
            raise wrong("isa.unknown", f"a core's queues have no instruction {name!r}", f"they have {', '.join(table())}")
        row = table()[name]
        engine = _sync if name == "sync" else _ENGINES[row["queues"][0]]
        return functools.partial(engine, row)

    def __dir__(self) -> list[str]:
        return list(table())


def _read(row: dict[str, Any], inputs: Sequence[Any], *, optional: bool = True) -> list[Value]:
    """The values of an instruction's operands, in the table's order."""
    read = [o for o in row["operands"] if not o["written"] and (optional or not o["optional"])]
    least = sum(not o["optional"] for o in read)
    values = [v for v in map(as_operand, inputs) if isinstance(v, Value)]
    if not least <= len(inputs) <= len(read) or len(values) < len(inputs):
        raise wrong("isa.operands", f"{row['name']} takes {', '.join(o['name'] for o in read)}; found {len(inputs)} operands",
                    "give values, in that order")
    return values


def _check_fields(row: dict[str, Any], given: dict[str, Any], without: Sequence[str] = ()) -> None:
    known = {f["name"]: f for f in row["fields"] if f["name"] not in without}
    for name, value in given.items():
        if name not in known:
            raise wrong("isa.field", f"{row['name']} has no field {name!r}" + (" here" if name in without else ""),
                        f"its fields are {', '.join(known) or 'none'}")
        kind, choices, meaning = known[name]["kind"], known[name].get("choices", []), known[name]["meaning"]
        fits = {"choice": value in choices, "real": isinstance(value, numbers.Real), "number": isinstance(value, (int, Index))}
        if not fits.get(kind, isinstance(value, int)):
            raise wrong("isa.field", f"the field {name} of {row['name']} is a {kind}; found {value!r}",
                        f"one of {', '.join(choices)}" if choices else meaning)


def _by_hand(fields: dict[str, Any], dims: Any, dtype: Any) -> dict[str, Any]:
    """In hd.manual the place has extents and type: a field may have that name."""
    return {**fields, **{name: value for name, value in (("dims", dims), ("dtype", dtype)) if value is not None}}


def _results(row: dict[str, Any], dims: Any, dtype: Any) -> list[tuple[tuple[Index, ...], str]]:
    """Extents and type of each result; f32 where none is given."""
    count = sum(o["written"] for o in row["operands"])
    dtype = "f32" if dtype is None else dtype
    each = list(zip(dims, dtype)) if count > 1 and isinstance(dims, list) and isinstance(dtype, list) else [(dims, dtype)]
    if len(each) != count or any(t not in BYTES or d is None for d, t in each):
        raise wrong("isa.results", f"{row['name']} has {count} results; found dims {dims!r} and dtype {dtype!r}",
                    "dims and dtype of its result, or a list of each")
    return [(dims_of(d), t) for d, t in each]


# --- The lanes.

def _lanes(row: dict[str, Any], *inputs: Any, dims: Any = None, dtype: Any = None, out: Any = None, wait: Any = None,
           signal: Any = None, **fields: Any) -> Any:
    if row["name"] == "map":
        return _map(row, *inputs, out=out, wait=wait, signal=signal, **fields)
    values, derived = _read(row, inputs), hand.derived(out, wait, signal)
    fields = fields if derived else _by_hand(fields, dims, dtype)
    _check_fields(row, fields)
    if derived:
        first, *others = _results(row, dims, dtype)
        value = lanes(row["name"], values, *first, row["name"], **fields)
        return (value, *(second_of(value, *other) for other in others)) if others else value
    outs = [hand.written(f"hd.isa.{row['name']}", place) for place in (out if isinstance(out, (list, tuple)) else [out])]
    if len(outs) != sum(o["written"] for o in row["operands"]):
        raise wrong("isa.results", f"{row['name']} has other than {len(outs)} results", "out= has a place for each")
    seen = [*outs, *values]
    return hand.statement(row["name"], "vector", seen, [v.dims for v in seen], fields=fields, wait=wait, signal=signal)


def _map(row: dict[str, Any], *inputs: Any, out: Any = None, wait: Any = None, signal: Any = None, **fields: Any) -> None:
    """hd.isa.map(x * 2 + y, out=): a chain, which is written as arithmetic."""
    if len(inputs) != 1 or fields:
        raise wrong("isa.operands", "map takes one value, made by arithmetic", "hd.isa.map(x * 2 + y, out=ring[i])")
    if hand.derived(out, wait, signal):
        raise wrong("isa.unknown", "outside hd.manual arithmetic is the instruction map", "write x * 2 + y")
    value, place = as_operand(inputs[0]), hand.written("hd.isa.map", out)
    fits = broadcast(value.dims, place.dims) if isinstance(value, Value) else place.dims
    if fits is None or [d.text for d in fits] != [d.text for d in place.dims]:
        raise wrong("manual.shape", f"this writes {value} to {place}", "extents are equal, or 1 in the value: ring[i, m, n]")
    current().record("assign", (value,), tile=place, slot=place.at if isinstance(place, hand.Slot) else None,
                     wait=hand.syncs("wait", wait), signal=hand.syncs("signal", signal))


# --- The array.

def _matrix(row: dict[str, Any], *inputs: Any, dims: Any = None, dtype: Any = None, out: Any = None, wait: Any = None,
            signal: Any = None, **fields: Any) -> Any:
    name, rank = row["name"], 5 if row["name"].startswith("conv") else 3
    values = _read(row, inputs, optional=False)
    if any(len(v.dims) > rank or v.dtype == "i32" for v in values) or values[0].dtype != values[1].dtype:
        raise wrong("isa.operands", f"{name} multiplies floats of one type with up to {rank} axes; found "
                    f"{', '.join(map(str, values))}", f'the extents are those of docs/isa.md; write x.to("{values[1].dtype}")')
    if hand.derived(out, wait, signal):
        _check_fields(row, fields, without=SUMS)
        (extents, to), = _results(row, dims, dtype)
        op = current().record("product", tuple(values), word=name, fields=tuple(fields.items()),
                              factors=_factors(name, extents, values, fields))
        value = Value(op, extents, "f32")
        return value if to == "f32" else value.to(to)
    fields = _by_hand(fields, dims, dtype)
    sums, epilogue = fields.pop("accumulator", None), fields.pop("epilogue", None)
    if isinstance(sums, Accumulator):
        current().check_visible(sums, here())
    _check_fields(row, fields)
    if not isinstance(sums, Accumulator) and (sums is not None or "accumulate" in fields or "emit" in fields):
        raise wrong("isa.field", f"{name} adds to sums that have no place; found accumulator={sums!r}",
                    "acc = hd.accumulator(m, n), accumulator=acc")
    place = hand.written(f"hd.isa.{name}", out)
    return hand.statement(name, "matrix", [place, *values], [place.dims, *(v.dims for v in values)], fields=fields, wait=wait,
                          signal=signal, factors=_factors(name, place.dims, values, fields), accumulator=sums,
                          epilogue=None if epilogue is None else _epilogue(name, epilogue, place))


def _epilogue(name: str, function: Any, place: Place) -> Value:
    """What a function makes of the sums, as they leave."""
    if not callable(function):
        raise wrong("isa.field", f"the epilogue of {name} is a function of the sums; found {function!r}", "epilogue=hd.relu")
    made = as_operand(function(Value(current().record("leaving"), place.dims, "f32")))
    if not isinstance(made, Value) or [d.text for d in made.dims] != [d.text for d in place.dims]:
        raise wrong("manual.shape", f"the epilogue gives {made}, for {place}", "arithmetic on the sums keeps their extents")
    return made


def _factors(name: str, dims: Sequence[Index], values: Sequence[Value], fields: dict[str, Any]) -> tuple[Index, ...]:
    """Extents whose product is the number of multiply-accumulates."""
    x, w = values[0].dims, values[1].dims
    if name == "conv_transpose":
        return (*x[:-1], *w)
    if name.startswith("conv"):
        return (*dims, *(w[:-2] if name == "conv_depthwise" else w[:-1]))
    return (*dims, x[-2] if fields.get("transpose_a") else x[-1])


# --- Memory.

def _moves(row: dict[str, Any], *inputs: Any, out: Any = None, wait: Any = None, signal: Any = None, **fields: Any) -> Any:
    name, taken = row["name"], [o["name"] for o in row["operands"] if o["memory"] or not o["written"]]
    if len(inputs) != len(taken):
        raise wrong("isa.operands", f"{name} takes {', '.join(taken)}; found {len(inputs)} operands",
                    "give a window of memory, and values, in that order")
    _check_fields(row, fields)
    if name == "load":
        group = (fields["share"], fields.get("step", 1)) if "share" in fields else None
        return moves.load_shared(inputs[0], fields.get("value", 0.0) if fields.get("fill") else None, group, out, wait, signal)
    if name == "gather":
        return moves.gather(*inputs, bounds=fields.get("bounds", "error"), out=out, wait=wait, signal=signal)
    if out is not None:
        raise wrong("manual.out", f"{name} writes its window", f"hd.isa.{name}(y[m, n], value)")
    if name == "store":
        return moves.store(*inputs, wait=wait, signal=signal)
    if fields.get("axis", 0) != 0:
        raise wrong("isa.field", "kernels scatter rows, along axis 0", "make the axis of the rows the tensor's first")
    window, value, rows = inputs
    return moves.combine(window, rows, value, fields.get("combine", "set"), wait, signal)


def _sync(row: dict[str, Any], *, on: str | None = None, wait: Any = None, signal: Any = None) -> None:
    """hd.isa.sync(on="store", wait=, signal=): waits and signals, in a queue's order, and nothing else."""
    if on not in (queues := [*_ENGINES, "prefetch"]):
        raise wrong("isa.operands", f"sync stands on a queue; found on={on!r}", f"on= is one of {', '.join(queues)}")
    if hand.derived(None, wait, signal):
        raise wrong("manual.outside", "outside hd.manual semaphores are derived", "with hd.manual(): ...")
    hand.statement("sync", on, [], [], fields={}, wait=wait, signal=signal)


_ENGINES = {"load": _moves, "store": _moves, "matrix": _matrix, "vector": _lanes}

isa: Table = Instructions()  # type: ignore[assignment]  # By __getattr__.
