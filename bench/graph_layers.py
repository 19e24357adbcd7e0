"""Nodes of random graphs that mix elements of an axis or of a window: products, convolutions, normalisations, recurrence."""

import numpy
from graph_cases import Unsuitable


def normalise(g):
    x = g.pick(least=1)
    axis = g.below(x.rank)
    if g.chance(0.6):
        return g.node(g.one_of(["Softmax", "LogSoftmax"]), [x], axis=axis - (x.rank if g.chance(0.5) else 0))
    shape = x.array.shape[axis:]
    g.node("LayerNormalization", [x, g.numbers(shape), *([g.numbers(shape)] if g.chance(0.5) else [])], axis=axis, epsilon=0.1)


def batch(g):
    x = g.pick(least=2)
    channels = x.array.shape[1]
    scale, bias, mean = (g.numbers([channels]) for _ in range(3))
    if x.rank > 2 and g.chance(0.4):
        return g.node("InstanceNormalization", [x, scale, bias], epsilon=0.1)
    g.node("BatchNormalization", [x, scale, bias, mean, numpy.abs(g.numbers([channels])) + numpy.float32(0.5)])


def product(g):
    x = g.pick(least=1)
    inner = x.array.shape[-1]
    shape = [*(extent if g.chance(0.5) else 1 for extent in x.array.shape[:-2]), inner, 1 + g.below(9)]
    g.node("MatMul", [x, g.numbers(shape[g.below(len(shape) - 1):])])


def products_of_values(g):
    x = g.pick(least=2)
    last = list(range(x.rank))
    last[-2:] = last[:-3:-1]
    g.node("Transpose", [x], exact=True, perm=last)
    g.node("MatMul", [x, g.values[-1]])


def gemm(g):
    x = g.pick(least=2, most=2)
    transposed = g.below(2)
    inner, outer, columns = *x.array.shape[:: -1 if not transposed else 1], 1 + g.below(9)
    flipped = g.below(2)
    c = [g.numbers(g.one_of([[], [1], [columns], [outer, 1], [outer, columns]]))] if g.chance(0.7) else []
    g.node("Gemm", [x, g.numbers([columns, inner] if flipped else [inner, columns]), *c], transA=transposed, transB=flipped,
           alpha=g.one_of([1.0, 0.5]), beta=g.one_of([1.0, 2.0]))


def window(g, spatial):
    """Attributes of a window over each spatial axis."""
    kernel = [1 + g.below(min(4, extent)) for extent in spatial]
    out = {"kernel_shape": kernel}
    if g.chance(0.5):
        out["strides"] = g.extents(len(spatial), 3)
    if g.chance(0.3):
        out["auto_pad"] = g.one_of(["SAME_UPPER", "SAME_LOWER", "VALID"])
    elif g.chance(0.6):
        out["pads"] = [g.below(size) for size in kernel + kernel]
    return out


def convolution(g):
    x = g.pick(least=3, most=5)
    channels, spatial = x.array.shape[1], x.array.shape[2:]
    attributes = window(g, spatial)
    if g.chance(0.3):
        attributes["dilations"] = g.extents(len(spatial), 2)
    groups = g.one_of([n for n in range(1, channels + 1) if channels % n == 0])
    outer = groups * (1 + g.below(4))
    bias = [g.numbers([outer])] if g.chance(0.5) else []
    if g.chance(0.25):
        attributes.pop("auto_pad", None)
        if outer == channels:  # The reference has groups of one channel wrong.
            groups = 1
        weights = g.numbers([channels, outer // groups, *attributes["kernel_shape"]])
        return g.node("ConvTranspose", [x, weights, *bias], group=groups, **attributes)
    weights = g.numbers([outer, channels // groups, *attributes["kernel_shape"]])
    g.node("Conv", [x, weights, *bias], group=groups, **attributes)


def pool(g):
    x = g.pick(least=3, most=5)
    if g.chance(0.3):
        return g.node("GlobalMaxPool" if x.rank == 4 and g.chance(0.5) else "GlobalAveragePool", [x])
    attributes = window(g, x.array.shape[2:])
    if g.chance(0.5):  # The reference has pads of this wrong, and what ceil_mode adds to means.
        attributes = {name: value for name, value in attributes.items() if name not in ("auto_pad", "pads")}
        return g.node("MaxPool", [x], ceil_mode=g.below(2), **attributes)
    g.node("AveragePool", [x], count_include_pad=g.below(2), **attributes)


def blocks(g):
    x = g.pick(least=4, most=4)
    if g.chance(0.5):
        return g.node("SpaceToDepth", [x], exact=True, blocksize=2)
    g.node("DepthToSpace", [x], exact=True, blocksize=2, mode=g.one_of(["DCR", "CRD"]))


def resize(g):
    x = g.pick(least=3, most=4)
    sizes = [*x.array.shape[:2], *g.extents(x.rank - 2, 9)]
    mode = g.one_of(["nearest", "linear"])
    g.node("Resize", [x, None, None, numpy.array(sizes, numpy.int64)], mode=mode,
           coordinate_transformation_mode=g.one_of(["asymmetric", "align_corners"] if mode == "linear" else ["asymmetric"]),
           **({"nearest_mode": "floor"} if mode == "nearest" else {}))


def einsum(g):
    x = g.pick(least=2, most=2)
    y = g.numbers([x.array.shape[1], 1 + g.below(6)])
    g.node("Einsum", [x, y], equation=g.one_of(["ij,jk->ik", "ij,jk->ki", "ij,jk->k", "ij,jk->j", "ij,jk"]))


def grouped(g):
    x = g.pick(least=3)
    channels = x.array.shape[1]
    groups = g.one_of([n for n in range(1, channels + 1) if channels % n == 0])
    g.node("GroupNormalization", [x, g.numbers([channels]), g.numbers([channels])], num_groups=groups, epsilon=0.1)


def unit(g):
    x = g.pick(least=1)
    g.node("LpNormalization", [x], axis=g.below(x.rank), p=2)


def recurrent(g):
    """Forward layers, which are what the reference has of them."""
    x = g.pick(least=3, most=3)
    operator, gates = g.one_of([("RNN", 1), ("GRU", 3), ("LSTM", 4)])
    size, features = 1 + g.below(5), x.array.shape[2]
    weights = [g.numbers([1, gates * size, features], 16), g.numbers([1, gates * size, size], 16)]
    bias = [g.numbers([1, 2 * gates * size])] if g.chance(0.5) else []
    g.node(operator, [x, *weights, *bias], outputs=2, hidden_size=size,
           **({"linear_before_reset": g.below(2)} if operator == "GRU" else {}))


def to_integers(g):
    """Quantises a value that rounding has not touched, so that both sides round the same; returns what undoes it."""
    x = g.pick(exact=True, least=g.below(3))
    scale, kind = numpy.float32(g.one_of([0.125, 0.25, 0.5])), g.one_of([numpy.uint8, numpy.int8])
    zero = numpy.asarray(g.below(9), kind)
    g.node("QuantizeLinear", [x, scale, zero], exact=True)
    return [g.values[-1], scale, zero]


def quantised(g):
    g.node("DequantizeLinear", to_integers(g), exact=True)


def small_integers(g, shape, kind):
    return g.random.integers(0 if kind == numpy.uint8 else -3, 4, shape).astype(kind)


def quantised_product(g):
    """Of operands that both come from integers: compiled, it runs in them."""
    g.node("DequantizeLinear", to_integers(g), exact=True)
    x = g.values[-1]
    if x.rank < 2:
        raise Unsuitable
    columns = 1 + g.below(9)
    scale = numpy.full([columns], 0.5, numpy.float32) if g.chance(0.5) else numpy.float32(0.25)
    weights = small_integers(g, [x.array.shape[-1], columns], numpy.int8)
    g.node("DequantizeLinear", [weights, scale], exact=True, axis=1)
    g.node("MatMul", [x, g.values[-1]], exact=True)
    if g.chance(0.5):
        g.node("QuantizeLinear", [g.values[-1], numpy.float32(0.5), numpy.int8(1)], exact=True)
        g.node("DequantizeLinear", [g.values[-1], numpy.float32(0.5), numpy.int8(1)], exact=True)


def integer_product(g):
    x, _, zero = to_integers(g)
    kind = g.one_of([numpy.uint8, numpy.int8])
    if x.rank == 4 and g.chance(0.6):
        weights = small_integers(g, [1 + g.below(4), x.array.shape[1], 1, 1], kind)
        return g.node("ConvInteger", [x, weights, zero], exact=True)
    if x.rank < 2:
        raise Unsuitable
    weights = small_integers(g, [x.array.shape[-1], 1 + g.below(9)], kind)
    g.node("MatMulInteger", [x, weights, zero, numpy.asarray(g.below(2), kind)], exact=True)
