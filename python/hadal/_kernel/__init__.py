"""The kernel language (docs/kernels.md): a Python function is traced to a tile program, which the library lowers."""

from .errors import KernelError
from .hand import Semaphore, manual, ring, semaphore
from .isa import isa
from .launch import Kernel, kernel
from .memory import Span, Tensor
from .moves import gather, load, prefetch, scatter, store
from .products import conv, conv_depthwise, dot
from .tune import Tuned, tune
from .values import Tile, Value
from .words import (abs, accumulator, ceil, cos, cumsum, erf, exp, floor, full, gelu, gelu_tanh, grid, log,  # noqa: A004
                    max, maximum, mean, min, minimum, range, reciprocal, relu, round, rsqrt, scratch, sigmoid, sign, silu,
                    sin, softplus, sort, sort_pairs, span, sqrt, step, sum, tanh, tile, tiles, topk, where, zeros)

f32, f16, bf16, f8e4m3, f8e5m2, i32 = "f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i32"

__all__ = ["Kernel", "KernelError", "Semaphore", "Span", "Tensor", "Tile", "Tuned", "Value", "abs", "accumulator", "bf16",
           "ceil", "conv", "conv_depthwise", "cos", "cumsum", "dot", "erf", "exp", "f16", "f32", "f8e4m3", "f8e5m2", "floor",
           "full", "gather", "gelu", "gelu_tanh", "grid", "i32", "isa", "kernel", "load", "log", "manual", "max", "maximum",
           "mean", "min", "minimum", "prefetch", "range", "reciprocal", "relu", "ring", "round", "rsqrt", "scatter", "scratch",
           "semaphore", "sigmoid", "sign", "silu", "sin", "softplus", "sort", "sort_pairs", "span", "sqrt", "step", "store", "sum", "tanh", "tile",
           "tiles", "topk", "tune", "where", "zeros"]
