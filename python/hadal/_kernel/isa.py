"""Instructions of the lanes by name, as the instruction table has them: hd.isa.norm(v, gamma, dims=v.shape, kind="rms")."""

from __future__ import annotations

import functools
import numbers
from typing import Any, Callable, Sequence

from .. import _library as library
from .errors import wrong
from .index import Index
from .signature import BYTES
from .trace import current
from .values import Value, as_operand, dims_of


@functools.lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    """Those between tiles, whose fields are numbers and choices; chains are written as arithmetic."""
    rows = library.json_from(library.instructions)
    plain = lambda row: all(f["kind"] in ("flag", "count", "number", "real", "choice") for f in row["fields"])
    return {row["name"]: row for row in rows
            if row["queues"] == ["vector"] and plain(row) and not any(o["memory"] for o in row["operands"])}


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
    """hd.isa.NAME(inputs, dims=, fields): any instruction of the lanes. Inputs are values in the table's order; `dims` and `dtype`
    those of the result, or a list for each of several; fields by name, the others as usual. docs/isa.md has all of it, and the
    rules: what breaks one is an error where the kernel is compiled. Rules name extents, not lines."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in _table():
            raise wrong("isa.unknown", f"the lanes have no instruction {name!r}", f"they have {', '.join(_table())}")
        return functools.partial(_instruction, _table()[name])

    def __dir__(self) -> list[str]:
        return list(_table())


def _instruction(row: dict[str, Any], *inputs: Any, dims: Any, dtype: Any = "f32", **fields: Any) -> Any:
    name = row["name"]
    read = [o for o in row["operands"] if not o["written"]]
    least = sum(not o["optional"] for o in read)
    values = [as_operand(v) for v in inputs]
    if not least <= len(values) <= len(read) or not all(isinstance(v, Value) for v in values):
        raise wrong("isa.operands", f"{name} takes {', '.join(o['name'] for o in read)}; found {len(values)} operands",
                    "give values, in that order")
    for field, value in fields.items():
        _check_field(row, field, value)
    results = len(row["operands"]) - len(read)
    each = list(zip(dims, dtype)) if results > 1 and isinstance(dims, list) and isinstance(dtype, list) else [(dims, dtype)]
    if len(each) != results or any(t not in BYTES for _, t in each):
        raise wrong("isa.results", f"{name} has {results} results; found dims {dims!r} and dtype {dtype!r}",
                    "dims and dtype of its result, or a list of each")
    first = lanes(name, [v for v in values if isinstance(v, Value)], dims_of(each[0][0]), each[0][1], name, **fields)
    return first if results == 1 else (first, *(second_of(first, dims_of(d), t) for d, t in each[1:]))


def _check_field(row: dict[str, Any], name: str, value: Any) -> None:
    field = next((f for f in row["fields"] if f["name"] == name), None)
    if field is None:
        known = ", ".join(f["name"] for f in row["fields"]) or "none"
        raise wrong("isa.field", f"{row['name']} has no field {name!r}", f"its fields are {known}")
    kind, choices = field["kind"], field.get("choices", [])
    fits = {"choice": value in choices, "real": isinstance(value, numbers.Real), "number": isinstance(value, (int, Index))}
    if not fits.get(kind, isinstance(value, int)):
        raise wrong("isa.field", f"the field {name} of {row['name']} is a {kind}; found {value!r}",
                    f"one of {', '.join(choices)}" if choices else field["meaning"])


isa = Instructions()
