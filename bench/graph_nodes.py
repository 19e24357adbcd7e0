"""Which nodes a random graph may have: each function adds one to the graph, or raises Unsuitable."""

import numpy
from graph_cases import Graph, Unsuitable
from graph_layers import (batch, blocks, convolution, einsum, gemm, grouped, integer_product, normalise, pool, product,
                          products_of_values, quantised, quantised_product, recurrent, resize, unit)

SMOOTH = ["Abs", "Neg", "Relu", "Sigmoid", "Tanh", "Erf", "Exp", "Softplus", "Softsign", "Sin", "Cos", "Atan", "Elu", "Selu",
          "Celu", "LeakyRelu", "HardSigmoid", "HardSwish", "Mish", "Gelu", "Identity", "ThresholdedRelu", "Asinh"]
EXACT = {"Abs", "Neg", "Relu", "Identity", "Add", "Sub", "Mul", "Max", "Min", "Transpose"}
JUMPS = ["Floor", "Ceil", "Round", "Sign"]
MEANS = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"]


def unary(g):
    operator = g.one_of(SMOOTH)
    x = g.pick(exact=operator == "ThresholdedRelu")
    g.node(operator, [x], exact=operator in EXACT)


def jump(g):
    g.node(g.one_of(JUMPS), [g.pick(exact=True)], exact=True)


def guarded(g):
    """Functions that need operands above 0."""
    x = g.pick()
    g.node("Abs", [x])
    g.node("Add", [g.values[-1], numpy.float32(0.5)])
    g.node(g.one_of(["Sqrt", "Log", "Reciprocal"]), [g.values[-1]])


def beside(g, x):
    """What broadcasts with x: a value, or a constant of some of its axes."""
    if g.chance(0.5):
        return g.pick(kind=x.array.dtype.kind)
    shape = [extent if g.chance(0.6) else 1 for extent in x.array.shape][g.below(x.rank + 1):]
    return g.numbers(shape)


def binary(g):
    operator = g.one_of(["Add", "Sub", "Mul", "Max", "Min", "Div", "PRelu", "Pow"])
    x = g.pick()
    if operator == "Div":
        return g.node("Div", [x, g.numbers(x.array.shape[g.below(x.rank + 1):]) + numpy.float32(4)])
    if operator == "Pow":
        return g.node("Pow", [x, numpy.float32(g.one_of([2, 3]))])
    if operator == "PRelu":
        return g.node("PRelu", [x, g.numbers([*x.array.shape[1:2], *[1] * max(0, x.rank - 2)])])
    operands = [x, beside(g, x)]
    g.node(operator, operands[::-1] if g.chance(0.3) else operands, exact=operator in EXACT)


def variadic(g):
    x = g.pick()
    g.node(g.one_of(["Sum", "Mean", "Max", "Min"]), [x, beside(g, x), beside(g, x)])


def clip(g):
    g.node("Clip", [g.pick(), numpy.float32(-g.below(3)), None if g.chance(0.3) else numpy.float32(g.below(3))])


def choose(g):
    x = g.pick(exact=True)
    g.node(g.one_of(["Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual"]), [x, beside(g, x)], exact=True)
    y = g.pick()
    g.node("Where", [g.values[-1], y, beside(g, y)], exact=True)


def logic(g):
    x = g.pick(kind="b")
    if g.chance(0.3):
        return g.node("Not", [x], exact=True)
    g.node(g.one_of(["And", "Or", "Xor"]), [x, g.pick(kind="b")], exact=True)


def cast(g):
    x = g.pick(kind=g.one_of("fbi"), exact=True)
    g.node("Cast", [x], exact=True, to=g.one_of([1, 1, 6, 7, 9]))


def integers(g):
    x = g.pick(kind="i")
    operator = g.one_of(["Add", "Sub", "Mul", "Max", "Min", "Abs", "Neg", "Sign", "Mod", "Div", "Equal"])
    if operator in ("Abs", "Neg", "Sign"):
        return g.node(operator, [x], exact=True)
    if operator in ("Mod", "Div"):
        return g.node(operator, [x, numpy.asarray(1 + g.below(4), x.array.dtype)], exact=True)
    g.node(operator, [x, g.pick(kind="i")], exact=True)


def any_kind(g, **limits):
    return g.pick(kind=g.one_of("fffib"), **limits)


def transpose(g):
    x = any_kind(g, least=2)
    g.node("Transpose", [x], exact=True, perm=[int(axis) for axis in g.random.permutation(x.rank)])


def reshape(g):
    x = any_kind(g)
    rest, shape = x.array.size, []
    while rest > 1 and len(shape) < 4:
        part = g.one_of([n for n in range(1, rest + 1) if rest % n == 0])
        shape.append(part)
        rest //= part
    if rest > 1:
        shape.append(rest)
    if shape and g.chance(0.3):
        shape[g.below(len(shape))] = -1
    g.node("Reshape", [x, numpy.array(shape, numpy.int64)], exact=True)


def squeeze(g):
    x = any_kind(g, most=4)
    ones = [axis for axis, extent in enumerate(x.array.shape) if extent == 1]
    if ones and g.chance(0.5):
        return g.node("Squeeze", [x, numpy.array([g.one_of(ones)])], exact=True)
    g.node("Unsqueeze", [x, numpy.array([g.below(x.rank + 1)])], exact=True)


def cut(g):
    x = any_kind(g, least=1)
    starts, ends, axes, steps = [], [], [], []
    for axis, extent in enumerate(x.array.shape):
        if g.chance(0.5):
            continue
        step = g.one_of([1, 1, 2, 3, -1, -2])
        low, high = sorted([g.below(extent), g.below(extent)])
        starts.append(low if step > 0 else high)
        ends.append(high + 1 if step > 0 else low - 1 - extent)
        axes.append(axis)
        steps.append(step)
    g.node("Slice", [x, *(numpy.array(list_, numpy.int64) for list_ in (starts, ends, axes, steps))], exact=True)


def concat(g):
    x = any_kind(g, least=1)
    axis = g.below(x.rank)
    shape = list(x.array.shape)
    shape[axis] = 1 + g.below(4)
    y = g.numbers(shape) if x.array.dtype == numpy.float32 else x
    parts = [x, y, x][: 2 + g.below(2)]
    g.node("Concat", parts[::-1] if g.chance(0.3) else parts, exact=True, axis=axis - (x.rank if g.chance(0.3) else 0))


def split(g):
    x = any_kind(g, least=1)
    axis = g.below(x.rank)
    extent = x.array.shape[axis]
    if extent < 2:
        raise Unsuitable
    first = 1 + g.below(extent - 1)
    g.node("Split", [x, numpy.array([first, extent - first])], outputs=2, exact=True, axis=axis)


def expand(g):
    x = any_kind(g, most=4)
    shape = [extent if extent > 1 else 1 + g.below(4) for extent in x.array.shape]
    g.node("Expand", [x, numpy.array([1 + g.below(3)] * g.below(2) + shape, numpy.int64)], exact=True)


def tile(g):
    x = any_kind(g, least=1)
    g.node("Tile", [x, numpy.array(g.extents(x.rank, 3), numpy.int64)], exact=True)


def pad(g):
    x = g.pick(least=1)
    mode = g.one_of(["constant", "constant", "edge", "reflect"])
    most = [max(1, extent - 1) if mode == "reflect" else 4 for extent in x.array.shape]
    pads = [g.below(extent) for extent in most + most]
    value = [numpy.float32(g.below(3) - 1)] if mode == "constant" else []
    g.node("Pad", [x, numpy.array(pads, numpy.int64), *value], exact=True, mode=mode)


def gather(g):
    x = any_kind(g, least=1)
    axis = g.below(x.rank)
    extent = x.array.shape[axis]
    shape = g.extents(g.below(3), 4)
    indices = g.random.integers(-extent if g.chance(0.3) else 0, extent, shape)
    g.node("Gather", [x, indices], exact=True, axis=axis)


def gather_elements(g):
    x = g.pick(least=1)
    axis = g.below(x.rank)
    shape = [1 + g.below(extent) for extent in x.array.shape]
    g.node("GatherElements", [x, g.random.integers(0, x.array.shape[axis], shape)], exact=True, axis=axis)


def scatter(g):
    x = g.pick(least=1)
    axis = g.below(x.rank)
    shape = [1 + g.below(extent) for extent in x.array.shape]
    places = numpy.stack([g.random.permutation(x.array.shape[axis])[: shape[axis]] for _ in range(numpy.prod(shape) // shape[axis])])
    rest = [extent for i, extent in enumerate(shape) if i != axis]
    indices = numpy.moveaxis(places.reshape(*rest, shape[axis]), -1, axis)
    g.node("ScatterElements", [x, indices, g.numbers(shape)], exact=True, axis=axis, reduction=g.one_of(["none", "add", "max"]))


def triangle(g):
    g.node("Trilu", [g.pick(least=2), numpy.array(g.below(5) - 2)], exact=True, upper=g.below(2))


def reduce(g):
    x = g.pick(least=1)
    axes = [axis - (x.rank if g.chance(0.3) else 0) for axis in range(x.rank) if g.chance(0.5)]
    operator = g.one_of(MEANS)
    g.node(operator, [x, numpy.array(axes, numpy.int64)], keepdims=g.below(2),
           **({"noop_with_empty_axes": g.below(2)} if not axes else {}))


def best(g):
    x = g.pick(least=1, exact=True)
    g.node(g.one_of(["ArgMax", "ArgMin"]), [x], exact=True, axis=g.below(x.rank), keepdims=g.below(2),
           select_last_index=g.below(2))


def top(g):
    x = g.pick(least=1, exact=True)
    axis = g.below(x.rank)
    g.node("TopK", [x, numpy.array([1 + g.below(x.array.shape[axis])])], outputs=2, exact=True, axis=axis,
           largest=g.below(2))


def running(g):
    x = g.pick(least=1)
    g.node("CumSum", [x, numpy.array(g.below(x.rank))], exclusive=g.below(2), reverse=g.below(2))


def indexed(g):
    """Slices by tuples of indices, read or written."""
    x = g.pick(least=1)
    depth = 1 + g.below(x.rank)
    places = numpy.stack([g.random.permutation(extent * 12)[:3] % extent for extent in x.array.shape[:depth]], -1)
    if g.chance(0.5):
        return g.node("GatherND", [x, places], exact=True)
    places = numpy.unique(places, axis=0)
    updates = g.numbers([len(places), *x.array.shape[depth:]])
    g.node("ScatterND", [x, places, updates], exact=True, reduction=g.one_of(["none", "add", "min"]))


def one_hot(g):
    x = g.pick(kind="i", most=3)
    depth = 2 + g.below(5)
    g.node("OneHot", [x, numpy.array(depth), numpy.array([0.0, 1.0], numpy.float32)], exact=True, axis=-1)


def reverse(g):
    x = g.pick(least=2)
    batch, time = g.one_of([(0, 1), (1, 0)])
    lengths = 1 + g.random.integers(0, x.array.shape[time], x.array.shape[batch])
    g.node("ReverseSequence", [x, lengths], exact=True, batch_axis=batch, time_axis=time)


KINDS = [unary, unary, unary, jump, guarded, binary, binary, binary, variadic, clip, choose, logic, cast, integers, transpose,
         transpose, reshape, reshape, squeeze, cut, cut, concat, concat, split, expand, tile, pad, gather, gather_elements,
         scatter, triangle, reduce, reduce, best, top, running, normalise, normalise, batch, product, product,
         products_of_values, gemm, convolution, convolution, pool, blocks, resize, einsum,
         quantised, quantised, quantised_product, integer_product, indexed, one_hot, reverse, grouped, unit, recurrent, recurrent]


def random_graph(seed, most):
    """A graph of at most so many nodes."""
    g = Graph(seed)
    for _ in range(1 + g.below(3)):
        g.input()
    nodes = 1 + g.below(most)
    while len(g.nodes) < nodes:
        before = len(g.nodes), len(g.values), len(g.constants)
        try:
            g.one_of(KINDS)(g)
        except Unsuitable:
            for kept, number in zip((g.nodes, g.values, g.constants), before):
                del kept[number:]
    return g


def trial(runner, seed, most):
    """A random graph, and how it ended."""
    g = random_graph(seed, most)
    return g, runner.run(g.case())
