"""The kernel language (docs/kernels.md): a Python function is traced to a tile program, which the library lowers."""

from .errors import KernelError
from .launch import Kernel, kernel
from .words import (abs, accumulator, ceil, cos, erf, exp, floor, full, gelu, gelu_tanh, grid, load, log,  # noqa: A004
                    max, maximum, mean, min, minimum, range, reciprocal, relu, round, rsqrt, scratch, sigmoid, sign, silu,
                    sin, softplus, sqrt, store, sum, tanh, tile, tiles, where, zeros)

f32, f16, bf16, f8e4m3, f8e5m2 = "f32", "f16", "bf16", "f8e4m3", "f8e5m2"

__all__ = ["Kernel", "KernelError", "abs", "accumulator", "bf16", "ceil", "cos", "erf", "exp", "f16", "f32", "f8e4m3",
           "f8e5m2", "floor", "full", "gelu", "gelu_tanh", "grid", "kernel", "load", "log", "max", "maximum", "mean", "min",
           "minimum", "range", "reciprocal", "relu", "round", "rsqrt", "scratch", "sigmoid", "sign", "silu", "sin",
           "softplus", "sqrt", "store", "sum", "tanh", "tile", "tiles", "where", "zeros"]
