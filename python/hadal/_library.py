"""include/hadal.h through ctypes: structs, prototypes, and errors as exceptions."""

from __future__ import annotations

import ctypes
import json
import os
import pathlib
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any

ABI_VERSION = 2


class HadalError(RuntimeError):
    """What Hadal says is wrong: `code` ("input.shape"), `message`, `place` and `remedy`, each a str; str() has all."""

    def __init__(self, code: str, message: str, place: str = "", remedy: str = ""):
        super().__init__("\n  ".join(part for part in (f"[{code}] {message}", place, remedy) if part))
        self.code, self.message, self.place, self.remedy = code, message, place, remedy

    def __reduce__(self) -> Any:
        return HadalError, (self.code, self.message, self.place, self.remedy)


class Array(Structure):
    _fields_ = [("name", c_char_p), ("dtype", c_char_p), ("shape", POINTER(c_int64)), ("rank", c_size_t),
                ("data", c_void_p), ("bytes", c_size_t)]


class State(Structure):
    _fields_ = [("input", c_char_p), ("output", c_char_p)]


ANSWER = CFUNCTYPE(None, c_void_p, c_char_p, c_void_p)


class Kernels(Structure):
    _fields_ = [("operators", POINTER(c_char_p)), ("count", c_size_t), ("answer", ANSWER), ("user", c_void_p)]


class Options(Structure):
    _fields_ = [("chip", c_char_p), ("profile", c_char_p), ("precision", c_char_p), ("given", POINTER(Array)),
                ("given_count", c_size_t), ("threads", c_int32), ("no_values", c_int32), ("exact", c_int32),
                ("exact_memory", c_int32), ("memory_limit", c_int64),
                ("kernels", POINTER(Kernels)), ("states", POINTER(State)), ("state_count", c_size_t)]


def _find() -> str:
    """The library beside this package; HADAL_LIBRARY names another."""
    given = os.environ.get("HADAL_LIBRARY")
    return given or str(pathlib.Path(__file__).parent / "lib" / "libhadal.so")


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(_find())
    found = library.hadal_abi_version()
    if found != ABI_VERSION:
        raise ImportError(f"{_find()} has version {found} of the interface; this package needs {ABI_VERSION}")
    return library


_library = _load()


def _declare(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(_library, name)
    function.restype, function.argtypes = result, arguments
    return function


_version = _declare("hadal_version", c_char_p)
_status_parts = [_declare(f"hadal_status_{part}", c_char_p, c_void_p) for part in ("code", "message", "place", "remedy")]
_status_free = _declare("hadal_status_free", None, c_void_p)
string_free = _declare("hadal_string_free", None, c_void_p)
abi_version = _declare("hadal_abi_version", c_uint32)

program_load = _declare("hadal_program_load", c_void_p, c_char_p, POINTER(Options), POINTER(c_void_p))
program_from_tiles = _declare("hadal_program_from_tiles", c_void_p, c_char_p, POINTER(Options), POINTER(c_void_p))
tiles_text = _declare("hadal_tiles_text", c_void_p, c_char_p, POINTER(c_void_p))
answer_give = _declare("hadal_answer_give", None, c_void_p, c_char_p)
program_text = _declare("hadal_program_text", c_void_p, c_void_p, POINTER(c_void_p))
program_free = _declare("hadal_program_free", None, c_void_p)
program_save = _declare("hadal_program_save", c_void_p, c_void_p, c_char_p)
program_check = _declare("hadal_program_check", c_void_p, c_void_p)
program_simulate = _declare("hadal_program_simulate", c_void_p, c_void_p, POINTER(c_void_p))
input_count = _declare("hadal_program_input_count", c_size_t, c_void_p)
output_count = _declare("hadal_program_output_count", c_size_t, c_void_p)
program_state = _declare("hadal_program_state", c_size_t, c_void_p, c_size_t)
program_input = _declare("hadal_program_input", None, c_void_p, c_size_t, POINTER(Array))
program_output = _declare("hadal_program_output", None, c_void_p, c_size_t, POINTER(Array))
session_new = _declare("hadal_session_new", c_void_p, c_void_p, POINTER(c_void_p))
session_free = _declare("hadal_session_free", None, c_void_p)
session_run = _declare("hadal_session_run", c_void_p, c_void_p, POINTER(Array), c_size_t, POINTER(c_void_p))
session_state = _declare("hadal_session_state", c_void_p, c_void_p, POINTER(c_void_p))
session_reset = _declare("hadal_session_reset", c_void_p, c_void_p)
session_cancel = _declare("hadal_session_cancel", None, c_void_p)
outputs_free = _declare("hadal_outputs_free", None, c_void_p)
outputs_get = _declare("hadal_outputs_get", None, c_void_p, c_size_t, POINTER(Array))
debugger_new = _declare("hadal_debugger_new", c_void_p, c_void_p, POINTER(Array), c_size_t, POINTER(c_void_p))
debugger_free = _declare("hadal_debugger_free", None, c_void_p)
debugger_do = _declare("hadal_debugger_do", c_void_p, c_void_p, c_char_p, POINTER(c_void_p))
bisect = _declare("hadal_bisect", c_void_p, c_char_p, c_char_p, POINTER(Options), POINTER(Array), c_size_t, POINTER(c_double),
                  POINTER(c_void_p))
list_chips = _declare("hadal_chips", c_void_p, POINTER(c_void_p))
instructions = _declare("hadal_instructions", c_void_p, POINTER(c_void_p))
describe_chip = _declare("hadal_chip", c_void_p, c_char_p, POINTER(c_void_p))


def version() -> str:
    return _version().decode()


def check(status: int | None) -> None:
    """Raises what a function has returned, if it is an error."""
    if status is None:
        return
    parts = [part(status).decode() for part in _status_parts]
    _status_free(status)
    raise HadalError(*parts)


def text_from(function: Any, *arguments: Any) -> str:
    """The text that a function gives."""
    text = c_void_p()
    check(function(*arguments, byref(text)))
    try:
        return ctypes.string_at(text.value or 0).decode()
    finally:
        string_free(text)


def json_from(function: Any, *arguments: Any) -> Any:
    """The value of a function that gives JSON."""
    return json.loads(text_from(function, *arguments))


class Handle:
    """An object of the library, freed with the last reference to it; not in a process forked since, which has its own copy
    of the memory but none of the threads."""

    def __init__(self, value: int, free: Any):
        self.value, self._free, self._process = value, free, os.getpid()

    @property
    def is_forked(self) -> bool:
        return os.getpid() != self._process

    def __del__(self) -> None:
        if self.value and not self.is_forked:
            self._free(self.value)
