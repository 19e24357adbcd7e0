"""Integer expressions over loop indices: where a window begins, how long it is, how often a loop runs.

They have the sequencer's operations and fold as the tile program's own expressions do (src/tile/expression.h).
"""

from __future__ import annotations

import operator
from typing import Any, Callable, Mapping

import numpy as np

from .errors import wrong

_FORMS = {"add": "({} + {})", "sub": "({} - {})", "mul": "{}*{}", "div": "({} // {})", "ceildiv": "ceildiv({}, {})",
          "mod": "({} % {})", "min": "min({}, {})", "max": "max({}, {})", "equal": "({} == {})"}
_VALUES: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.floordiv, "mod": operator.mod,
    "ceildiv": lambda a, b: -(-a // b), "min": np.minimum, "max": np.maximum, "equal": lambda a, b: (a == b) * 1}


class Index:
    """An integer that a hardware loop decides: known only as an expression, with the interval of its values."""

    __slots__ = ("op", "parts", "low", "high", "text", "names")

    def __init__(self, op: str, parts: tuple[Any, ...], low: int, high: int, text: str, names: frozenset[str] = frozenset()):
        self.op, self.parts, self.low, self.high, self.text, self.names = op, parts, low, high, text, names

    @property
    def is_constant(self) -> bool:
        return self.low == self.high

    def within(self, low: int, high: int) -> Index:
        """The same value, known by its maker to stay within low .. high."""
        low, high = max(low, self.low), min(high, self.high)
        return constant(low) if low == high else Index("within", (self, low, high), low, high, self.text, self.names)

    def value(self, known: Mapping[str, Any]) -> Any:
        """Its value, or an array of them, where the named indices are numbers or arrays."""
        if self.op == "constant":
            return self.low
        if self.op == "variable":
            return known[self.text]
        if self.op == "within":
            return np.clip(self.parts[0].value(known), self.low, self.high)
        return _VALUES[self.op](self.parts[0].value(known), self.parts[1].value(known))

    def json(self) -> Any:
        """As a tile program has it."""
        if self.op == "constant":
            return self.low
        if self.op == "variable":
            return self.text
        if self.op == "within":
            return ["within", self.parts[0].json(), self.low, self.high]
        return [self.op, self.parts[0].json(), self.parts[1].json()]

    def __add__(self, other: Any) -> Index:
        return add(self, other)

    def __radd__(self, other: Any) -> Index:
        return add(other, self)

    def __sub__(self, other: Any) -> Index:
        return subtract(self, other)

    def __rsub__(self, other: Any) -> Index:
        return subtract(other, self)

    def __mul__(self, other: Any) -> Index:
        return multiply(self, other)

    __rmul__ = __mul__

    def __neg__(self) -> Index:
        return subtract(0, self)

    def __floordiv__(self, other: Any) -> Index:
        return divide("div", self, other)

    def __mod__(self, other: Any) -> Index:
        return modulo(self, other)

    def __repr__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        if self.is_constant:
            return self.low != 0
        raise wrong("index.branch", f"`if` or `while` asks for the value of the loop index {self.text}, which differs from "
                    "trip to trip while the kernel is traced once", "bound the loop instead: hd.tiles(n, size, upto=...)")

    def __index__(self) -> int:
        if self.is_constant:
            return self.low
        raise wrong("index.python", f"Python needs a number here, and {self.text} is the index of a hardware loop",
                    "use hd.range or hd.tiles rather than Python's range")

    __int__ = __index__

    def _compared(self, other: Any, compare: Callable[[int, int], bool]) -> bool:
        other = as_index(other)
        if self.is_constant and other.is_constant:
            return compare(self.low, other.low)
        raise wrong("index.compare", f"Python compares the loop index {self.text} with {other}, and it differs from trip to "
                    "trip", "hd.minimum and hd.maximum take indices; mask by hd.where(i.ids(0) >= j.ids(1), ...)")

    def __eq__(self, other: Any) -> bool:
        return self._compared(other, operator.eq)

    def __ne__(self, other: Any) -> bool:
        return self._compared(other, operator.ne)

    def __lt__(self, other: Any) -> bool:
        return self._compared(other, operator.lt)

    def __le__(self, other: Any) -> bool:
        return self._compared(other, operator.le)

    def __gt__(self, other: Any) -> bool:
        return self._compared(other, operator.gt)

    def __ge__(self, other: Any) -> bool:
        return self._compared(other, operator.ge)

    __hash__ = object.__hash__

    def _fraction(self, _: Any) -> Any:
        raise wrong("index.type", f"{self} is divided into fractions, and an index is whole", "divide by //")

    __truediv__ = __rtruediv__ = _fraction


def constant(value: int) -> Index:
    return Index("constant", (), int(value), int(value), str(int(value)))


def variable(name: str, low: int, high: int) -> Index:
    return constant(low) if low == high else Index("variable", (), low, high, name, frozenset([name]))


def as_index(value: Any) -> Index:
    if isinstance(value, Index):
        return value
    try:
        return constant(operator.index(value))
    except TypeError:
        raise wrong("index.type", f"an index is an integer or made of loop indices; found {value!r}",
                    "tile sizes and origins are whole numbers: use // rather than /") from None


def _made(op: str, a: Index, b: Index, bounds: list[int]) -> Index:
    low, high = min(bounds), max(bounds)
    return constant(low) if low == high else Index(op, (a, b), low, high, _FORMS[op].format(a, b), a.names | b.names)


def _shifted(a: Index, by: int) -> Index:
    """a + by, where a may be a sum with a constant already: so that e - 1 + 1 is e."""
    if a.op in ("add", "sub") and a.parts[1].is_constant:
        by += a.parts[1].low if a.op == "add" else -a.parts[1].low
        a = a.parts[0]
    if by == 0 or a.is_constant:
        return a if by == 0 else constant(a.low + by)
    return _made("add" if by > 0 else "sub", a, constant(abs(by)), [a.low + by, a.high + by])


def add(a: Any, b: Any) -> Index:
    a, b = as_index(a), as_index(b)
    if a.is_constant or b.is_constant:
        return _shifted(b, a.low) if a.is_constant else _shifted(a, b.low)
    return _made("add", a, b, [a.low + b.low, a.high + b.high])


def subtract(a: Any, b: Any) -> Index:
    a, b = as_index(a), as_index(b)
    if b.is_constant:
        return _shifted(a, -b.low)
    return constant(0) if a.text == b.text else _made("sub", a, b, [a.low - b.high, a.high - b.low])


def multiply(a: Any, b: Any) -> Index:
    a, b = as_index(a), as_index(b)
    if a.text == "1":
        return b
    return a if b.text == "1" else _made("mul", a, b, [x * y for x in (a.low, a.high) for y in (b.low, b.high)])


def divide(op: str, a: Any, b: Any) -> Index:
    """Rounded down ("div") or up ("ceildiv"), by a positive number."""
    a, b = as_index(a), as_index(b)
    if b.low < 1:
        raise wrong("index.division", f"{a} is divided by {b}, which may be less than 1", "divide by a positive number")
    if a.op == "mul" and b.is_constant and a.parts[1].is_constant and a.parts[1].low % b.low == 0:
        return multiply(a.parts[0], a.parts[1].low // b.low)
    return a if b.text == "1" else _made(op, a, b, [_VALUES[op](x, y) for x in (a.low, a.high) for y in (b.low, b.high)])


def ceil_div(a: Any, b: Any) -> Index:
    return divide("ceildiv", a, b)


def modulo(a: Any, b: Any) -> Index:
    a, b = as_index(a), as_index(b)
    if b.low < 1:
        raise wrong("index.division", f"{a} % {b}, which may be less than 1", "divide by a positive number")
    if a.low >= 0 and a.high < b.low:
        return a
    return constant(a.low % b.low) if a.is_constant and b.is_constant else _made("mod", a, b, [0, b.high - 1])


def least(a: Any, b: Any) -> Index:
    a, b = as_index(a), as_index(b)
    if a.high <= b.low:
        return a
    return b if b.high <= a.low else _made("min", a, b, [min(a.low, b.low), min(a.high, b.high)])


def greatest(a: Any, b: Any) -> Index:
    a, b = as_index(a), as_index(b)
    if a.low >= b.high:
        return a
    return b if b.low >= a.high else _made("max", a, b, [max(a.low, b.low), max(a.high, b.high)])


def equal(a: Any, b: Any) -> Index:
    a, b = as_index(a), as_index(b)
    if a.text == b.text:
        return constant(1)
    return _made("equal", a, b, [0, 0 if a.high < b.low or b.high < a.low else 1])


def product(parts: Any) -> int:
    """Of the largest values."""
    out = 1
    for part in parts:
        out *= max(as_index(part).high, 0)
    return out
