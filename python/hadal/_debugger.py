"""A run of a program instruction by instruction; the first layer that computes something else than its graph."""

from __future__ import annotations

import ctypes
import dataclasses
import os
from typing import Any, Mapping

from . import _library as library
from ._arrays import Arguments, as_array
from ._program import Path, Program, compile, options_of


class Debugger:
    """A run that is stopped: made by `debug`. Called with a command of docs/debugger.md, it does it, and returns what `hadal
    debug` prints: debugger("break nan"), debugger("continue"), debugger("print conv1[0, :4]").

    Errors: HadalError, with debug.* where a command makes no sense; the debugger goes on.
    """

    def __init__(self, program: Program, inputs: Mapping[str, Any] | None = None):
        self._program = program
        arguments = Arguments({name: as_array(name, value) for name, value in (inputs or {}).items()})
        handle = ctypes.c_void_p()
        library.check(library.debugger_new(program._handle.value, arguments.list, arguments.count, ctypes.byref(handle)))
        self._handle = library.Handle(handle.value or 0, library.debugger_free)

    def __call__(self, command: str) -> str:
        return library.text_from(library.debugger_do, self._handle.value, command.encode())


def debug(model: Path | Program, inputs: Mapping[str, Any] | None = None, chip: Any = None, **options: Any) -> Debugger:
    """A debugger that stands before the first instruction of a model or a program.

    inputs: arrays by name; those that are not given are made up: floats uniform in [0,1), integers 0 or 1.
    `options` are those of `compile`.

    Errors: HadalError with input.name, input.shape, input.type; those of `compile`.
    """
    if isinstance(model, Program) and (chip is not None or options):
        raise TypeError("a Program is compiled already: it takes neither chip nor options")
    return Debugger(model if isinstance(model, Program) else compile(model, chip, **options), inputs)


@dataclasses.dataclass(frozen=True)
class Difference:
    """A value that a layer stores, and that is not what the model's nodes make of the values stored before it."""

    layer: str               # As the report names it.
    op: str                  # "conv", "matmul", ...
    nodes: tuple[str, ...]   # Of the model, that went into the layer.
    value: str               # The model's name for what is stored.
    stored: bool             # False: the run ended before; the rest then says nothing.
    error: float             # max |got - expected| / max |expected|, a ratio.
    bound: float             # The largest error that is taken for rounding; 0 for integers.
    beyond: int              # Elements that are further off than that ...
    elements: int            # ... of all.
    index: tuple[int, ...]   # Of the element that is furthest off, by the axes of the value.
    expected: float          # That element in the reference, in the value's own unit, ...
    got: float               # ... and as the chip stored it.


def bisect(file: Path, inputs: Mapping[str, Any] | None = None, *, model: Path | None = None, tolerance: float | None = None,
           **options: Any) -> Difference | None:
    """The first layer, in the program's order, whose stored value differs from the reference evaluation of the graph; None
    where none does. Each layer is given what the chip had stored before it: errors do not add up.

    file: a .onnx model, or a program that was compiled from `model` and then edited: its file, or its text (.hasm).
    inputs: arrays by name, of the model's shapes and types; those that are not given are made up: floats uniform in [0,1),
        integers 0 or 1.
    tolerance: largest max |got - expected| / max |expected|, a ratio; None: 1e-3 in f32, 2e-2 in bf16. Integers are equal.
    `options` are those of `compile`, with which a program was compiled; its chip, shapes and precision it tells itself.

    Errors: HadalError with debug.model, where model and program do not belong together; input.name, input.shape, input.type;
    those of `compile`, and of a program that fails behind the last layer.
    """
    arguments = Arguments({name: as_array(name, value) for name, value in (inputs or {}).items()})
    bound = None if tolerance is None else ctypes.c_double(tolerance)
    with options_of(**options) as given:
        found = library.json_from(library.bisect, os.fsencode(file), None if model is None else os.fsencode(model),
                                  ctypes.byref(given), arguments.list, arguments.count,
                                  None if bound is None else ctypes.byref(bound))
    if not found["differences"]:
        if found["failure"]:
            raise library.HadalError(**found["failure"])
        return None
    first = found["differences"][0]
    numbers = {name: float(first[name]) for name in ("error", "bound", "expected", "got")}
    return Difference(**{**first, **numbers, "nodes": tuple(first["nodes"]), "index": tuple(first["index"])})
