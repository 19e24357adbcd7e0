"""The types of a kernel: "T[M,K], T[K,N] -> T[M,N]"."""

from __future__ import annotations

import re
from typing import Any, Sequence

from .errors import KernelError

# Element types that kernels compute with, and their bytes.
BYTES = {"f32": 4, "f16": 2, "bf16": 2, "f8e4m3": 1, "f8e5m2": 1}
_TENSOR = re.compile(r"\s*(\w+)\s*\[([^\]]*)\]\s*")
_LETTER = re.compile(r"[A-Za-z_]\w*")


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
        if not found or any(not (d.isdigit() or _LETTER.fullmatch(d)) for d in dims) or not dims:
            raise _error("signature.syntax", f'"{text.strip()}" is no tensor type', place or repr(text),
                         'write a type and extents: "bf16[4096,128]", or letters in a signature: "T[M,K]"')
        return cls(found[1], [int(d) if d.isdigit() else d for d in dims])


def _split(text: str) -> list[str]:
    """At the commas outside brackets."""
    return [part for part in re.split(r",\s*(?![^\[]*\])", text) if part.strip()]


class Signature:
    """What a kernel takes and gives. Equal letters are equal extents, or equal types; those of a result follow."""

    def __init__(self, text: str, where: dict[str, str] | None):
        self.text = text
        sides = text.split("->")
        if len(sides) != 2:
            raise _error("signature.syntax", f'"{text}" does not have one "->"', repr(text),
                         'write inputs -> outputs: "T[M,K], T[K,N] -> T[M,N]"')
        self.inputs, self.outputs = ([Spec.parse(part, repr(text)) for part in _split(side)] for side in sides)
        self.where = {letter: set(types.replace(",", " ").split()) for letter, types in (where or {}).items()}
        known = {d for spec in self.inputs for d in spec.dims} | {spec.dtype for spec in self.inputs}
        for spec in self.outputs:
            for letter in [spec.dtype, *spec.dims]:
                if isinstance(letter, str) and letter not in known and letter not in BYTES:
                    raise _error("signature.letter", f"{spec} has {letter}, which no input has", repr(text),
                                 "extents and types of results follow from those of the inputs")
        if not self.inputs or not self.outputs:
            raise _error("signature.syntax", "a kernel has inputs and outputs", repr(text), '"T[N] -> T[N]"')

    def bind(self, given: Sequence[Spec], name: str) -> tuple[list[Spec], list[Spec]]:
        """The types of inputs and outputs where the inputs are `given`. Errors: launch.arguments, launch.rank, launch.shape,
        launch.dtype."""
        place = f'kernel {name}, "{self.text}"'
        if len(given) != len(self.inputs):
            raise _error("launch.arguments", f"it takes {len(self.inputs)} arrays; found {len(given)}", place,
                         f"call {name}({', '.join(map(str, self.inputs))})")
        known: dict[Any, Any] = {}
        for number, (want, found) in enumerate(zip(self.inputs, given), 1):
            self._bind_one(want, found, f"argument {number} is {found}", known, place)
        made = lambda spec: Spec(known.get(spec.dtype, spec.dtype), [known.get(d, d) for d in spec.dims])
        return list(given), [made(spec) for spec in self.outputs]

    def _bind_one(self, want: Spec, found: Spec, what: str, known: dict[Any, Any], place: str) -> None:
        if len(found.dims) != len(want.dims):
            raise _error("launch.rank", f"{what}, of rank {len(found.dims)}; {want} has rank {len(want.dims)}", place,
                         "reshape the array")
        if found.dtype not in BYTES:
            raise _error("launch.dtype", f"{what}; kernels compute with {', '.join(BYTES)}", place, "convert the array")
        if want.dtype not in BYTES:
            allowed = self.where.get(want.dtype, set(BYTES))
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
            if extent < 1:
                raise _error("launch.shape", f"{what}; a kernel takes at least one element along each axis", place,
                             "leave out empty arrays")
