"""Errors of kernels, at the line of the user's Python that they come from."""

from __future__ import annotations

import dataclasses
import linecache
import os
import sys
import types
from typing import Any

from .._library import HadalError

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@dataclasses.dataclass(frozen=True)
class Site:
    """A line of the user's source. Its text serves messages only: nothing is decided by it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}"

    def shown(self) -> str:
        """ "matmul.py:8  acc += x @ w"."""
        text = linecache.getline(self.file, self.line).strip()
        return f"{self}  {text}" if text else str(self)


def here() -> Site:
    """The innermost line that is not of this package."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return Site(frame.f_code.co_filename, frame.f_lineno) if frame else Site("?", 0)


class KernelError(HadalError, ValueError):
    """A wrong kernel, or a wrong launch of one: `code` ("dot.shape"), `message` with what was found and what was expected,
    `place` (file, line and text of the user's Python) and `remedy`."""

    def __reduce__(self) -> Any:
        return KernelError, (self.code, self.message, self.place, self.remedy)


def wrong(code: str, message: str, remedy: str = "", site: Site | None = None) -> KernelError:
    return KernelError(code, message, (site or here()).shown(), remedy)
