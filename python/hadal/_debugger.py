"""A run of a program instruction by instruction."""

from __future__ import annotations

import ctypes
from typing import Any, Mapping

from . import _library as library
from ._arrays import Arguments, as_array
from ._program import Path, Program, compile


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
