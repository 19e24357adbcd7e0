"""What the matrix array computes: products of matrices, plain or scaled by blocks, and convolutions."""

from __future__ import annotations

from typing import Any, Sequence

from . import index
from .errors import wrong
from .index import Index
from .trace import current
from .values import Value, as_operand

SCALED = 128  # Elements of a block that has a scale.


def _product(word: str, inputs: tuple[Value, ...], dims: tuple[Index, ...], depth: Sequence[Index], **fields: int) -> Value:
    """A product of instruction `word`; each of its results sums as many products as `depth` has elements."""
    op = current().record("product", inputs, word=word, factors=(*dims, *depth), fields=tuple(fields.items()))
    return Value(op, dims, "f32")


def _operands(what: str, x: Any, w: Any) -> tuple[Value, Value]:
    x, w = as_operand(x), as_operand(w)
    if not isinstance(x, Value) or not isinstance(w, Value):
        raise wrong("dot.rank", f"{what} multiplies values; found {x} and {w}", "load them: hd.load(x[m, k])")
    if x.dtype != w.dtype:
        raise wrong("dot.dtype", f"{what}: x is {x}, w is {w}; both must have one type", f"write x.to({w.dtype!r})")
    if x.dtype == "i32":
        raise wrong("dot.dtype", f"{what}: the array does not multiply {x}", 'write x.to("f32")')
    return x, w


def dot(x: Any, w: Any, x_scale: Any = None, w_scale: Any = None) -> Value:
    """x @ w, [m, k] by [k, n], summed in f32. With f32 scales [m, k / 128] and [k / 128, n / 128], each sum over 128 of k is
    scaled before it is added: block-scaled fp8."""
    x, w = _operands("x @ w", x, w)
    if len(x.dims) != 2 or len(w.dims) != 2:
        raise wrong("dot.rank", f"x @ w multiplies two matrices; found {x} and {w}", "index leading axes: k[g, j, :]")
    if x.dims[1].text != w.dims[0].text:
        remedy = "w was loaded as [n, k]: write hd.load(w[...].T)" if x.dims[1].text == w.dims[1].text else \
            "load both with the same span of k"
        raise wrong("dot.shape", f"x @ w: x is {x}, w is {w}; axis 1 of x must be axis 0 of w", remedy)
    dims, depth = (x.dims[0], w.dims[1]), x.dims[1]
    if x_scale is None and w_scale is None:
        return _product("matmul", (x, w), dims, [depth])
    scales: tuple[Any, ...] = (as_operand(x_scale), as_operand(w_scale))
    blocks = [index.ceil_div(d, SCALED).high for d in (*dims, depth)]
    wanted = [(x.dims[0].high, blocks[2]), (blocks[2], blocks[1])]
    for scale, want in zip(scales, wanted):
        if not isinstance(scale, Value) or scale.dtype != "f32" or tuple(d.high for d in scale.dims) != want:
            raise wrong("dot.scales", f"x @ w with blocks of {SCALED}: x is {x}, w is {w}, a scale is {scale}",
                        f"scales are f32: x_scale[m, k.blocks({SCALED})], w_scale[k.blocks({SCALED}), n.blocks({SCALED})]")
    return _product("matmul_scaled", (x, w, *scales), dims, [depth])


def _pair(value: Any) -> tuple[int, int]:
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2 or not all(isinstance(v, int) and v > 0 for v in pair):
        raise wrong("conv.step", f"strides and dilations are positive integers, or two; found {value!r}", "stride=2")
    return pair


def _convolved(x: Value, w: Value, stride: tuple[int, int], dilation: tuple[int, int]) -> tuple[Index, ...]:
    """Extents of the results in height and width."""
    out = []
    for extent, taps, step, spread in zip(x.dims[-3:-1], w.dims[:2], stride, dilation):
        reach = (taps - 1) * spread + 1
        if not taps.is_constant or extent.high < reach.high:
            raise wrong("conv.shape", f"the window of {w} does not fit into {x}", "x[h.window(taps, pad=...), ...] has its edges")
        out.append(index.divide("div", index.subtract(extent, reach), step) + 1)
    return tuple(out)


def conv(x: Any, w: Any, *, stride: Any = 1, dilation: Any = 1, groups: int = 1) -> Value:
    """Convolution: x [h, w, c] or [n, h, w, c] by w [taps, taps, c / groups, o], summed in f32: [..., oh, ow, o].

    What is outside an image belongs to x: hd.load(x[h.window(3, pad=1), ...], fill=0.0)."""
    x, w = _operands("hd.conv", x, w)
    if len(x.dims) not in (3, 4) or len(w.dims) != 4 or not isinstance(groups, int) or groups < 1:
        raise wrong("conv.shape", f"hd.conv: x is {x}, w is {w}, groups {groups}", "x is [h, w, c], w is [taps, taps, c, o]")
    if (index.multiply(w.dims[2], groups)).text != x.dims[-1].text:
        raise wrong("conv.shape", f"hd.conv: x is {x}, w is {w}; its axis 2 times {groups} groups must be the last of x",
                    "load both with the same span of channels")
    steps, spreads = _pair(stride), _pair(dilation)
    dims = (*x.dims[:-3], *_convolved(x, w, steps, spreads), w.dims[3])
    return _product("conv", (x, w), dims, w.dims[:3], stride_h=steps[0], stride_w=steps[1], dilation_h=spreads[0],
                    dilation_w=spreads[1], groups=groups)


def conv_depthwise(x: Any, w: Any, *, stride: Any = 1, dilation: Any = 1) -> Value:
    """Each channel with its own taps: x [h, w, c] or [n, h, w, c] by w [taps, taps, c], summed in f32: [..., oh, ow, c]."""
    x, w = _operands("hd.conv_depthwise", x, w)
    if len(x.dims) not in (3, 4) or len(w.dims) != 3 or w.dims[2].text != x.dims[-1].text:
        raise wrong("conv.shape", f"hd.conv_depthwise: x is {x}, w is {w}", "x is [h, w, c], w is [taps, taps, c]")
    steps, spreads = _pair(stride), _pair(dilation)
    dims = (*x.dims[:-3], *_convolved(x, w, steps, spreads), w.dims[2])
    depth = w.dims[:2]
    w = w.reshape(*depth, 1, w.dims[2])  # One result a channel.
    return _product("conv_depthwise", (x, w), dims, depth, stride_h=steps[0], stride_w=steps[1], dilation_h=spreads[0],
                    dilation_w=spreads[1])
