"""Other architectures: networks on graphs, on pairs of text and picture, on sound; and what older ones are made of."""

import numpy as np
from onnx import TensorProto, numpy_helper

from .exporter import Exporter


def graph_network():
    """Convolutions over edges: rows are gathered by source, weighed by degrees, and added up by target; then one attention
    over the edges of each node."""
    e = Exporter("graph_network", 16)
    nodes, edges, width = 30, 90, 16
    x = e.input("x", e.normal(nodes, 12), ("nodes",))
    ends = e.input("edge_index", e.random.integers(0, nodes, (2, edges)).astype(np.int64), ())
    loops = e.node("Range", e.constant(0), e.dim(x, 0), e.constant(1))
    source, target = (e.node("Concat", e.squeeze(e.slice(ends, 0, i, i + 1), [0]), loops, axis=0) for i in range(2))

    def zeros(like, *rest):
        shape = e.node("Concat", e.unsqueeze(e.dim(like, 0), [0]), *(e.constant([extent]) for extent in rest), axis=0)
        return e.node("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1, np.float32)))

    def summed(rows, columns):
        """Rows added up by target."""
        index = e.node("Expand", e.unsqueeze(target, [1]), e.node("Shape", rows))
        return e.node("ScatterElements", zeros(x, columns), index, rows, axis=0, reduction="add")

    ones = e.node("Expand", e.constant([[1.0]]), e.node("Concat", e.node("Shape", target), e.constant([1]), axis=0))
    factor = e.node("Pow", summed(ones, 1), e.constant(-0.5))
    weight = e.node("Mul", e.node("Gather", factor, source, axis=0), e.node("Gather", factor, target, axis=0))
    y, inputs = x, 12
    for _ in range(2):
        y = e.linear(y, inputs, width, bias=False)
        y = summed(e.node("Mul", weight, e.node("Gather", y, source, axis=0)), width)
        y, inputs = e.node("Relu", e.node("Add", y, e.stored(0.1 * e.normal(width)))), width
    y = e.linear(y, width, width, bias=False)
    scores = [e.node("Gather", e.linear(y, width, 1, bias=False), end, axis=0) for end in (source, target)]
    weights = e.node("Exp", e.node("LeakyRelu", e.node("Add", *scores), alpha=0.2))
    shares = e.node("Div", weights, e.add(e.node("Gather", summed(weights, 1), target, axis=0), 1e-16))
    y = summed(e.node("Mul", shares, e.node("Gather", y, source, axis=0)), width)
    return e.finish(logits=e.node("LogSoftmax", e.linear(y, width, 7), axis=-1))


def scaled_attention(e, q, k, v, bias=None):
    """scaled_dot_product_attention as PyTorch 2 writes it: the root of the scale, from the shape of q, on both sides."""
    depth = e.node("Cast", e.slice(e.node("Shape", q), 0, -1, 2**63 - 1), to=TensorProto.FLOAT)
    root = e.node("Sqrt", e.node("Div", e.constant([1.0]), e.node("Sqrt", depth)))
    scores = e.node("MatMul", e.node("Mul", q, root), e.node("Mul", e.transpose(k, 0, 1, 3, 2), root))
    weights = e.node("Softmax", e.node("Add", scores, bias) if bias else scores, axis=-1)
    if bias:  # A row that is masked altogether.
        weights = e.node("Where", e.node("IsNaN", weights), e.constant(0.0), weights)
    return e.node("MatMul", weights, v)


def transformer(e, x, width, heads, bias=None, activation=None):
    y = e.layer_norm(x, width)
    q, k, v = (e.heads(e.linear(y, width, width), heads, width // heads) for _ in range(3))
    x = e.node("Add", x, e.linear(e.merged(scaled_attention(e, q, k, v, bias), width), width, width))
    return e.node("Add", x, e.mlp(e.layer_norm(x, width), width, 4 * width, activation))


def clip():
    """Two encoders; the text's is read at its largest token; both are made of length one, and multiplied."""
    e = Exporter("clip", 17)
    width, quick = 32, lambda x: e.node("Mul", x, e.node("Sigmoid", e.mul(x, 1.702)))
    ids = e.input("input_ids", np.array([[1, 5, 9, 49, 0, 0, 0], [1, 7, 3, 2, 11, 49, 0]]), ("text_batch", "sequence"))
    picture = e.input("pixel_values", e.normal(2, 3, 24, 24), ("image_batch",))
    length = e.dim(ids, 1)
    square = e.node("Concat", e.unsqueeze(length, [0]), e.unsqueeze(length, [0]), axis=0)
    ahead = e.node("ConstantOfShape", square, value=numpy_helper.from_array(np.array([-np.inf], np.float32)))
    ahead = e.node("Trilu", ahead, e.constant(1), upper=1)
    places = e.slice(e.stored(e.normal(16, width)), 0, 0, e.unsqueeze(length, [0]))
    x = e.node("Add", e.node("Gather", e.stored(e.normal(50, width)), ids), places)
    for _ in range(2):
        x = transformer(e, x, width, 4, ahead, quick)
    last = e.node("ArgMax", ids, axis=-1, keepdims=0)
    batch = e.node("Range", e.constant(0), e.dim(ids, 0), e.constant(1))
    text = e.node("GatherND", e.layer_norm(x, width), e.node("Concat", e.unsqueeze(batch, [1]), e.unsqueeze(last, [1]), axis=1))
    x = e.conv(picture, 3, width, 8, 8, pad=[0] * 4, bias=False)
    x = e.transpose(e.reshape(x, e.dim(x, 0), width, -1), 0, 2, 1)
    x = e.node("Concat", e.expand_to_batch(e.stored(e.normal(1, 1, width)), x), x, axis=1)
    x = e.layer_norm(e.node("Add", x, e.stored(e.normal(10, width))), width)
    for _ in range(2):
        x = transformer(e, x, width, 4, None, quick)
    image = e.node("Gather", e.layer_norm(x, width), e.constant(0), axis=1)
    sides = [e.linear(side, width, 16, bias=False) for side in (text, image)]
    text, image = (e.node("Div", side, e.node("ReduceL2", side, axes=[-1], keepdims=1)) for side in sides)
    logits = e.mul(e.node("MatMul", text, e.transpose(image, 1, 0)), 14.3)
    return e.finish(logits_per_text=logits, text_embeds=text, image_embeds=image)


def roberta():
    """Positions count the tokens that are no padding; the products of attention are Einsums."""
    e = Exporter("roberta", 14)
    width = 32
    ids = e.input("input_ids", np.array([[0, 9, 4, 7, 2, 1, 1], [0, 3, 8, 5, 6, 7, 2]]), ("batch", "sequence"))
    real = e.node("Cast", e.node("Not", e.node("Equal", ids, e.constant(1))), to=TensorProto.INT32)
    counted = e.node("Mul", e.node("CumSum", real, e.constant(1)), real)
    positions = e.node("Add", e.node("Cast", counted, to=TensorProto.INT64), e.constant(1))
    words, places = e.stored(e.normal(20, width)), e.stored(e.normal(16, width))
    x = e.node("Add", e.node("Gather", words, ids), e.node("Gather", places, positions))
    bias = e.mul(e.sub(1.0, e.node("Cast", e.unsqueeze(real, [1, 2]), to=TensorProto.FLOAT)), -10000.0)
    x = e.layer_norm(x, width)
    for _ in range(2):
        q, k, v = (e.reshape(e.linear(x, width, width), 0, 0, 4, 8) for _ in range(3))
        scores = e.node("Add", e.mul(e.node("Einsum", q, k, equation="bshd,bthd->bhst"), 8**-0.5), bias)
        y = e.node("Einsum", e.node("Softmax", scores, axis=-1), v, equation="bhst,bthd->bshd")
        x = e.layer_norm(e.node("Add", x, e.linear(e.reshape(y, 0, 0, -1), width, width)), width)
        x = e.layer_norm(e.node("Add", x, e.mlp(x, width, 64)), width)
    return e.finish(3, logits=e.linear(x, width, 5))


def convnext():
    e = Exporter("convnext", 17)
    x, width = e.conv(e.input("input", e.normal(1, 3, 48, 48)), 3, 24, 4, 4, pad=[0] * 4, gain=1.0), 24
    for stage in range(2):
        for _ in range(2):
            y = e.transpose(e.conv(x, width, width, 7, group=width, gain=1.0), 0, 2, 3, 1)
            y = e.mlp(e.layer_norm(y, width, 1e-6), width, 4 * width)
            x = e.node("Add", x, e.transpose(e.node("Mul", e.stored(0.3 + 0.1 * e.normal(width)), y), 0, 3, 1, 2))
        if stage == 0:
            y = e.transpose(e.layer_norm(e.transpose(x, 0, 2, 3, 1), width, 1e-6), 0, 3, 1, 2)
            x, width = e.conv(y, width, 2 * width, 2, 2, pad=[0] * 4, gain=1.0), 2 * width
    return e.finish(logits=e.linear(e.layer_norm(e.mean(x, [2, 3], keepdims=0), width), width, 10, rank=2))


def mixer():
    e = Exporter("mixer", 13)
    x = e.conv(e.input("input", e.normal(2, 3, 32, 32)), 3, 32, 8, 8, pad=[0] * 4, gain=1.0)
    x = e.transpose(e.reshape(x, e.dim(x, 0), 32, -1), 0, 2, 1)
    for _ in range(2):
        y = e.mlp(e.transpose(e.layer_norm(x, 32), 0, 2, 1), 16, 64)
        x = e.node("Add", x, e.transpose(y, 0, 2, 1))
        x = e.node("Add", x, e.mlp(e.layer_norm(x, 32), 32, 128))
    return e.finish(logits=e.linear(e.mean(e.layer_norm(x, 32), [1], keepdims=0), 32, 10, rank=2))


def alexnet():
    """Responses normalised over channels, groups, two columns of weights."""
    e = Exporter("alexnet", 9)
    x = e.node("Relu", e.conv(e.input("data_0", e.normal(1, 3, 67, 67), ()), 3, 32, 11, 4, pad=[0] * 4))
    x = e.node("LRN", x, size=5, alpha=1e-4, beta=0.75, bias=1.0)
    x = e.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    x = e.node("Relu", e.conv(x, 32, 48, 5, group=2))
    x = e.node("MaxPool", e.node("LRN", x, size=5, alpha=1e-4, beta=0.75, bias=1.0), kernel_shape=[3, 3], strides=[2, 2])
    x = e.reshape(e.node("Relu", e.conv(x, 48, 32, group=2)), 1, -1)
    x = e.node("Relu", e.linear(x, 288, 64, rank=2, gain=2.0))
    return e.finish(prob_1=e.node("Softmax", e.linear(x, 64, 10, rank=2), axis=1))


def super_resolution():
    e = Exporter("super_resolution", 10)
    x = e.input("input", e.normal(1, 1, 30, 26), ("batch_size",))
    for inputs, outputs, kernel in ((1, 24, 5), (24, 24, 3), (24, 12, 3)):
        x = e.node("Relu", e.conv(x, inputs, outputs, kernel))
    x = e.reshape(e.conv(x, 12, 9, gain=1.0), -1, 1, 3, 3, 30, 26)
    return e.finish(4, output=e.reshape(e.transpose(x, 0, 1, 4, 2, 5, 3), -1, 1, 90, 78))


def wav2vec():
    """Strided convolutions over samples, group norm, positions by a grouped convolution, an encoder."""
    e = Exporter("wav2vec", 14)
    x = e.unsqueeze(e.input("input_values", e.normal(1, 640), ("batch",)), [1])
    x = e.conv(x, 1, 32, (10,), 5, pad=[0, 0], bias=False)
    x = e.node("InstanceNormalization", x, e.stored(np.ones(32, np.float32)), e.stored(np.zeros(32, np.float32)), epsilon=1e-5)
    x = e.gelu(e.conv(e.gelu(x), 32, 32, (3,), 2, pad=[0, 0], bias=False))
    x = e.gelu(e.conv(x, 32, 32, (2,), 2, pad=[0, 0], bias=False))
    x = e.layer_norm(e.transpose(x, 0, 2, 1), 32)
    y = e.conv(e.transpose(x, 0, 2, 1), 32, 32, (16,), group=4, pad=[8, 8])
    y = e.transpose(e.gelu(e.slice(y, 2, 0, -1)), 0, 2, 1)
    x = e.layer_norm(e.node("Add", x, y), 32)
    for _ in range(2):
        x = transformer(e, x, 32, 4)
    return e.finish(3, logits=e.linear(x, 32, 12))


MAKERS = {f.__name__: f for f in (graph_network, clip, roberta, convnext, mixer, alexnet, super_resolution, wav2vec)}
