"""The kernel language (docs/kernels.md): a Python function is traced to a tile program, which the library lowers."""

from . import words
from .errors import KernelError
from .launch import Kernel, kernel
from .words import *  # noqa: F403

f32, f16, bf16, f8e4m3, f8e5m2 = "f32", "f16", "bf16", "f8e4m3", "f8e5m2"
TYPES = ["f32", "f16", "bf16", "f8e4m3", "f8e5m2"]
WORDS = ["load", "store", "range", "tiles", "grid", "tile", "full", "zeros", "accumulator", "sum", "mean", "max", "min",
         "where", "maximum", "minimum", *words.UNARY]
__all__ = ["Kernel", "KernelError", "kernel", *TYPES, *WORDS]
