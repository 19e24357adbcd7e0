"""Kernels as Python objects: called on arrays, timed by shapes, shown as text."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import re
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from .. import _library as library
from .._arrays import as_array, name_of
from .._chip import Chip, described
from .._program import Program
from .._report import Report
from .._session import InferenceSession
from .emit import Emitter
from .errors import KernelError, Site, wrong
from .fuse import Fused
from .memory import Tensor
from .signature import Signature, Spec
from .sums import Target
from .trace import current, tracing

_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 1000, "MB": 10**6}
_KEPT = 32  # Programs of one kernel.


@functools.lru_cache(maxsize=64)
def _target(name: str, stamp: Any) -> Target:
    fields = {row["name"]: row["value"] for row in library.json_from(library.describe_chip, os.fsencode(name))}

    def number(field: str) -> int:
        found = re.fullmatch(r"([\d.,e+]+) *(\S*)", fields[field])
        return int(float(found[1].replace(",", "")) * _UNITS.get(found[2], 1)) if found else 0

    return Target(os.path.basename(name), number("cores"), number("scratchpad.accumulator_bytes"),
                  number("scratchpad.accumulator_tiles"))


def spec_of(value: Any, number: int) -> Spec:
    if isinstance(value, str):
        spec = Spec.parse(value)
        if not all(isinstance(extent, int) for extent in spec.dims):
            raise KernelError("launch.shape", f"argument {number} is {spec}; its extents must be numbers", repr(value),
                              'write "f32[64,64]"')
        return spec
    array = as_array(f"argument {number}", value)
    return Spec(name_of(array.dtype), array.shape)


class Kernel:
    """A kernel: a Python function that is traced once for each shapes, types, parameters and chip.

    kernel(a, b) computes values on hadal-1; kernel.run(a, b, chip=...) gives values and a Report;
    kernel.simulate("f32[64,64]", ...) a Report alone. Parameters behind `*` are given by name. Errors: KernelError.
    """

    __name__: str  # The function's.

    def __init__(self, function: Callable[..., None], signature: Signature, space: Mapping[str, Sequence[Any]] | None = None):
        functools.update_wrapper(self, function)
        self.function, self.signature, self.space = function, signature, dict(space or {})
        self.parameters, self.defaults = _keywords(function), dict(function.__kwdefaults__ or {})
        self._programs: dict[Any, Program] = {}
        self._sessions: dict[Program, InferenceSession] = {}

    def __call__(self, *arrays: Any, chip: Any = "hadal-1", **parameters: Any) -> Any:
        """The outputs for NumPy arrays (or what shares their bytes): an array, or a tuple where there are several.

        In another kernel, on its tensors, inputs then outputs: becomes a part of it, with its own hd.grid.
        """
        if any(isinstance(array, Tensor) for array in arrays):
            return self._inline(arrays, parameters)
        return self._values(arrays, self.compile(*arrays, chip=chip, **parameters))

    def run(self, *arrays: Any, chip: Any = "hadal-1", **parameters: Any) -> tuple[Any, Report]:
        """The outputs, and how long the chip takes."""
        program = self.compile(*arrays, chip=chip, **parameters)
        return self._values(arrays, program), program.simulate()

    def simulate(self, *specs: Any, chip: Any = "hadal-1", **parameters: Any) -> Report:
        """How long the chip takes, for types as text, "bf16[4096,4096]", or arrays."""
        return self.compile(*specs, chip=chip, **parameters).simulate()

    def check(self, *specs: Any, chip: Any = "hadal-1", **parameters: Any) -> None:
        """Raises HadalError where some order of queues, cores and transfers could change a value, or an output is not written
        whole."""
        self.compile(*specs, chip=chip, **parameters).check()

    def asm(self, *specs: Any, chip: Any = "hadal-1", **parameters: Any) -> str:
        """The instructions."""
        return library.text_from(library.program_text, self.compile(*specs, chip=chip, **parameters)._handle.value)

    def trace(self, *specs: Any, chip: Any = "hadal-1", **parameters: Any) -> str:
        """The tile program."""
        with described(chip) as name:
            text, _ = self._traced([spec_of(s, i) for i, s in enumerate(specs, 1)], name, parameters)
        return library.text_from(library.tiles_text, text)

    def compile(self, *specs: Any, chip: Any = "hadal-1", **parameters: Any) -> Program:
        """The program for arrays or types as text; the same again costs nothing. Errors: KernelError (docs/kernels.md), those
        of the chip."""
        found = [spec_of(s, i) for i, s in enumerate(specs, 1)]
        stamp = os.stat(chip).st_mtime_ns if isinstance(chip, (str, os.PathLike)) and os.path.exists(chip) else None
        key = (tuple(map(str, found)), repr(chip), stamp, repr(sorted(parameters.items())))
        if key not in self._programs:
            with described(chip) as name:
                program = self._lowered(*self._traced(found, name, parameters), name)
            if len(self._programs) >= _KEPT:  # The oldest goes.
                self._sessions.pop(self._programs.pop(next(iter(self._programs))), None)
            self._programs[key] = program
        return self._programs[key]

    def _traced(self, specs: list[Spec], chip: str, parameters: dict[str, Any]) -> tuple[bytes, Emitter]:
        inputs, outputs = self.signature.bind(specs, self.__name__, {**self.defaults, **parameters})
        names = self.function.__code__.co_varnames
        tensors = [Tensor(names[i] if i < len(names) else f"t{i}", i, spec.dtype, tuple(map(int, spec.dims)),
                          "input" if i < len(inputs) else "output") for i, spec in enumerate([*inputs, *outputs])]
        stamp = os.stat(chip).st_mtime_ns if os.path.exists(chip) else None
        target = _target(chip, stamp)
        with tracing(self.__name__) as trace:
            trace.tensors += tensors
            try:
                self.function(*tensors, **parameters)
            except TypeError as error:
                if error.__traceback__ and error.__traceback__.tb_next is None:  # The call itself.
                    raise self._wrong("launch.parameters", str(error), "its function takes inputs, outputs, and parameters "
                                      "behind *") from None
                raise
            trace.finish()
        emitter = Emitter(Fused(trace), trace.tensors, target)
        return json.dumps(emitter.json()).encode(), emitter

    def _inline(self, tensors: tuple[Any, ...], parameters: dict[str, Any]) -> None:
        count = len(self.signature.inputs) + len(self.signature.outputs)
        if len(tensors) != count or not all(isinstance(tensor, Tensor) for tensor in tensors):
            raise wrong("inline.arguments", f"in a kernel, {self.__name__} takes {count} tensors, inputs then outputs; found "
                        f"{len(tensors)} arguments", "make room for results: hd.scratch(shape, dtype)")
        specs = [Spec(tensor.dtype, tensor.shape) for tensor in tensors]
        _, outputs = self.signature.bind(specs[: len(self.signature.inputs)], self.__name__, {**self.defaults, **parameters})
        for tensor, want, found in zip(tensors[-len(outputs):], outputs, specs[-len(outputs):]):
            if str(want) != str(found):
                raise wrong("inline.shape", f"{self.__name__} gives {want}; found {tensor}", "give it a tensor of that type")
        trace, label = current(), current().label
        trace.label = self.__name__
        self.function(*tensors, **parameters)
        trace.label = label

    def _lowered(self, text: bytes, emitter: Emitter, chip: str) -> Program:
        options, handle = library.Options(chip=os.fsencode(chip)), ctypes.c_void_p()
        try:
            library.check(library.program_from_tiles(text, ctypes.byref(options), ctypes.byref(handle)))
        except library.HadalError as error:
            place = self._shown(error.place, emitter)
            if error.code == "plan.capacity":
                rows = sorted(emitter.rings, key=lambda ring: -ring.bytes * ring.slots)[:4]
                place = "\n  ".join(f"{r.site}  {r.what} x {r.slots} = {r.bytes * r.slots / 2**20:.3g} MiB" for r in rows)
            if error.code.startswith("sync."):
                made = [s.shown() for name, s in emitter.semaphores.items() if re.search(rf"\b{name}\b", error.message)]
                place = "\n  ".join([*made, place]).rstrip()
            remedy = "take smaller tiles, or depth=1" if error.code == "plan.capacity" else error.remedy
            raise self._wrong(error.code, error.message, remedy, place) from None
        return Program(library.Handle(handle.value or 0, library.program_free))

    @staticmethod
    def _shown(place: str, emitter: Emitter) -> str:
        """The line of an instruction with its text, before the rest of the place."""
        found = re.search(r", ([^,\n]+:\d+)$", place)
        site = emitter.sites.get(found[1]) if found else None
        return f"{site.shown()}\n  {place[:found.start()]}" if found and site else place

    def _wrong(self, code: str, message: str, remedy: str, place: str = "") -> KernelError:
        code_of = self.function.__code__
        return KernelError(code, message, place or Site(code_of.co_filename, code_of.co_firstlineno).shown(), remedy)

    def _values(self, arrays: tuple[Any, ...], program: Program) -> Any:
        session = self._sessions.get(program)
        if session is None:
            session = self._sessions[program] = InferenceSession(program)
        feed = dict(zip([port.name for port in program.inputs], arrays))
        outputs: list[np.ndarray] = session.run(None, feed)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def __repr__(self) -> str:
        return f'<hadal.Kernel {self.__name__}: "{self.signature.text}">'


def kernel(signature: str, *, where: dict[str, str] | None = None,
           tune: Mapping[str, Sequence[Any]] | None = None) -> Callable[[Callable[..., None]], Kernel]:
    """Makes a kernel of a function: @hadal.kernel("T[M,K], T[K,N] -> T[M,N]", where={"T": "bf16 f32"}).

    The function takes the inputs, then the outputs, as tensors in memory, and parameters behind `*`. Equal letters are equal
    extents or types; extents of outputs may be made of letters and parameters: "T[(N-R)//stride+1]". tune: choices of
    parameters for hd.tune, {"bm": [128, 256]}. Errors: KernelError signature.*.
    """
    if not isinstance(signature, str):
        raise wrong("signature.syntax", "@hd.kernel stands without a signature", '@hd.kernel("T[M,K], T[K,N] -> T[M,N]")')
    return lambda function: Kernel(function, Signature(signature, where, _keywords(function)), tune)


def _keywords(function: Callable[..., None]) -> tuple[str, ...]:
    """The names behind `*`."""
    code = function.__code__
    return code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
