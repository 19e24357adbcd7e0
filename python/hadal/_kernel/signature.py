"""The types of a kernel: "T[M,K], T[K,N] -> T[M,N]"."""

from __future__ import annotations

import ast
import operator
import re
from typing import Any, Iterable, Mapping, Sequence

from .errors import KernelError

# Element types that kernels compute with, and their bytes; a letter for a type is one of the floats, unless it says more.
BYTES = {"f32": 4, "f16": 2, "bf16": 2, "f8e4m3": 1, "f8e5m2": 1, "i32": 4}
FLOATS = set(BYTES) - {"i32"}
_TENSOR = re.compile(r"\s*(\w+)\s*\[([^\]]*)\]\s*")
_OPERATIONS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv}


def _error(code: str, message: str, place: str, remedy: str) -> KernelError:
    return KernelError(code, message, place, remedy)


class Spec:
    """A type and extents, "bf16[4096,128]"; or letters that stand for them, "T[M,K]"."""

    def __init__(self, dtype: str, dims: Sequence[str | int]):
        self.dtype, self.dims = dtype, tuple(dims)

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.dims))}]"

    @classmethod
    def parse(cls, text: str, place: str = "") -> Spec:
        found = _TENSOR.fullmatch(text)
        dims = [d.strip() for d in found[2].split(",")] if found and found[2].strip() else []
        if not found or not dims or any(_letters(d) is None for d in dims):
            raise _error("signature.syntax", f'"{text.strip()}" is no tensor type', place or repr(text),
                         'write a type and extents: "bf16[4096,128]", or letters in a signature: "T[M,K]"')
        return cls(found[1], [int(d) if d.isdigit() else d for d in dims])


def _letters(dim: str) -> set[str] | None:
    """The letters of an extent: a number, a letter, or made of them by + - * //; none where it is something else."""
    try:
        nodes = list(ast.walk(ast.parse(dim, mode="eval").body))
    except SyntaxError:
        return None
    fine = (ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.USub, *_OPERATIONS)
    if not all(isinstance(n, fine) and (not isinstance(n, ast.Constant) or type(n.value) is int) for n in nodes):
        return None
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _extent(node: Any, known: Mapping[str, Any]) -> int:
    if isinstance(node, ast.BinOp):
        return _OPERATIONS[type(node.op)](_extent(node.left, known), _extent(node.right, known))
    if isinstance(node, ast.UnaryOp):
        return -_extent(node.operand, known)
    value: Any = node.value if isinstance(node, ast.Constant) else known[node.id]
    return operator.index(value)


def _split(text: str) -> list[str]:
    """At the commas outside brackets."""
    return [part for part in re.split(r",\s*(?![^\[]*\])", text) if part.strip()]


class Signature:
    """What a kernel takes and gives. Equal letters are equal extents, or equal types; those of a result follow, also from
    `parameters` of the kernel, and may be made of them: "T[N,(H-R)//stride+1]"."""

    def __init__(self, text: str, where: dict[str, str] | None, parameters: Iterable[str] = ()):
        self.text = text
        sides = text.split("->")
        if len(sides) != 2:
            raise _error("signature.syntax", f'"{text}" does not have one "->"', repr(text),
                         'write inputs -> outputs: "T[M,K], T[K,N] -> T[M,N]"')
        self.inputs, self.outputs = ([Spec.parse(part, repr(text)) for part in _split(side)] for side in sides)
        self.where = {letter: set(types.replace(",", " ").split()) for letter, types in (where or {}).items()}
        for spec in self.inputs:
            for dim in spec.dims:
                if isinstance(dim, str) and not dim.isidentifier():
                    raise _error("signature.syntax", f"{spec}: an extent of an input is a letter or a number", repr(text),
                                 "results alone have extents that are made of others")
        extents = {d for spec in self.inputs for d in spec.dims} | set(parameters)
        types = {spec.dtype for spec in self.inputs} | set(BYTES)
        for spec in self.outputs:
            for letter in sorted({spec.dtype} - types | set().union(*(_letters(str(d)) or () for d in spec.dims)) - extents):
                raise _error("signature.letter", f"{spec} has {letter}, which no input has", repr(text),
                             "extents and types of results follow from those of the inputs, and from parameters")
        if not self.inputs or not self.outputs:
            raise _error("signature.syntax", "a kernel has inputs and outputs", repr(text), '"T[N] -> T[N]"')

    def bind(self, given: Sequence[Spec], name: str, parameters: Mapping[str, Any]) -> tuple[list[Spec], list[Spec]]:
        """The types of inputs and outputs where the inputs are `given`. Errors: launch.arguments, launch.rank, launch.shape,
        launch.dtype, launch.parameters."""
        place = f'kernel {name}, "{self.text}"'
        if len(given) != len(self.inputs):
            raise _error("launch.arguments", f"it takes {len(self.inputs)} arrays; found {len(given)}", place,
                         f"call {name}({', '.join(map(str, self.inputs))})")
        known: dict[Any, Any] = {}
        for number, (want, found) in enumerate(zip(self.inputs, given), 1):
            self._bind_one(want, found, f"argument {number} is {found}", known, place)
        made = [Spec(known.get(spec.dtype, spec.dtype), [self._result(d, {**parameters, **known}, place) for d in spec.dims])
                for spec in self.outputs]
        for spec in made:
            if min(map(int, spec.dims)) < 1:
                raise _error("launch.shape", f"a result would be {spec}", place, "take larger arrays or other parameters")
        return list(given), made

    @staticmethod
    def _result(dim: str | int, known: Mapping[str, Any], place: str) -> int:
        try:
            return _extent(ast.parse(str(dim), mode="eval").body, known)
        except (TypeError, ZeroDivisionError) as error:
            raise _error("launch.parameters", f"the extent {dim} of a result: {error}", place,
                         "its parameters are whole numbers") from None

    def _bind_one(self, want: Spec, found: Spec, what: str, known: dict[Any, Any], place: str) -> None:
        if len(found.dims) != len(want.dims):
            raise _error("launch.rank", f"{what}, of rank {len(found.dims)}; {want} has rank {len(want.dims)}", place,
                         "reshape the array")
        if found.dtype not in BYTES:
            raise _error("launch.dtype", f"{what}; kernels compute with {', '.join(BYTES)}", place, "convert the array")
        if want.dtype not in BYTES:
            allowed = self.where.get(want.dtype, FLOATS)
            if found.dtype not in allowed:
                raise _error("launch.dtype", f"{what}; {want.dtype} is one of {', '.join(sorted(allowed))}", place,
                             "convert the array")
        wanted = want.dtype if want.dtype in BYTES else known.setdefault(want.dtype, found.dtype)
        if found.dtype != wanted:
            raise _error("launch.dtype", f"{what}; its type must be {wanted}", place, "convert the array")
        for letter, extent in zip(want.dims, found.dims):
            wanted = letter if isinstance(letter, int) else known.setdefault(letter, extent)
            if extent != wanted:
                raise _error("launch.shape", f"{what}; {want} with {letter} = {wanted} was expected", place,
                             f"make its extent {letter} equal {wanted}")
            if int(extent) < 1:
                raise _error("launch.shape", f"{what}; a kernel takes at least one element along each axis", place,
                             "leave out empty arrays")
