"""Prints python/hadal/_kernel/isa_types.pyi, the types of hd.isa.NAME, from the instruction table of the built library."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
from hadal._kernel.isa import SUMS, table  # noqa: E402

HEAD = '''"""Types of hd.isa.NAME, printed by scripts/isa_types.py from the instruction table. What fields mean: docs/isa.md."""

from typing import Any, Callable, Literal, overload

from .hand import Wanted
from .index import Index
from .memory import Tensor, Window
from .values import Accumulator, Place, Value

Operand = Value | Place
Readable = Window | Tensor

class Table:
'''
TYPES = {"flag": "int", "count": "int", "number": "int | Index", "real": "float", "chain": "Callable[[Value], Value]"}
SYNCS = ["wait: Wanted = None", "signal: Wanted = None"]


def field(row):
    if row["name"] == "accumulator":
        return "accumulator: Accumulator = ..."
    choices = ", ".join(f'"{choice}"' for choice in row.get("choices", []))
    return f"{row['name']}: {TYPES.get(row['kind'], f'Literal[{choices}]')} = ..."


def operands(row):
    """By position, in the table's order: what is read, and windows."""
    out = []
    for o in row["operands"]:
        if o["memory"]:
            out.append(f"{o['name']}_: " + ("Window" if o["written"] else "Readable"))  # `from` is a word of Python.
        elif not o["written"]:
            by_position = row["queues"][0] != "matrix" or not o["optional"]  # Others are those of an epilogue.
            out += [f"{o['name']}_: Operand{' = ...' if o['optional'] else ''}"] if by_position else []
    return [*out, "/"] if out else []


def method(name, parameters, result):
    text = f"    def {name}({', '.join(['self', *parameters])}) -> {result}: ..."
    if len(text) <= 126:
        return text
    lines = "".join(f"        {parameter},\n" for parameter in ["self", *parameters])
    return f"    def {name}(\n{lines}    ) -> {result}: ..."


def methods(row):
    name, fields = row["name"], row["fields"]
    results = sum(o["written"] and not o["memory"] for o in row["operands"])
    if name == "sync":
        return [method(name, ["*", 'on: Literal["load", "store", "matrix", "vector", "prefetch"]', *SYNCS], "None")]
    if name == "map":
        return [method(name, ["value: Operand | float", "/", "*", "out: Place", *SYNCS], "None")]
    if results == 0:
        return [method(name, [*operands(row), "*", *map(field, fields), *SYNCS], "None")]
    several = results > 1
    of_window = any(o["memory"] for o in row["operands"])
    made = ["dims: list[Any]", "dtype: list[str]"] if several else ["dims: Any", 'dtype: str = "f32"']
    made = [] if of_window else made
    plain = [field(f) for f in fields if f["name"] != "dims" and (row["queues"][0] != "matrix" or f["name"] not in SUMS)]
    out = "out: list[Place]" if several else "out: Place"
    value = f"tuple[{', '.join(['Value'] * results)}]" if several else "Value"
    keywords = [*made, *plain]
    derived = method(name, [*operands(row), *(["*", *keywords] if keywords else [])], value)
    by_hand = method(name, [*operands(row), "*", out, *map(field, fields), *SYNCS], "None")
    return [f"    @overload\n{text}" for text in (derived, by_hand)]


if __name__ == "__main__":
    print(HEAD + "\n".join(text for row in table().values() for text in methods(row)))
