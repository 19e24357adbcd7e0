"""Language and speech models."""

import numpy as np
from onnx import TensorProto, numpy_helper

from .exporter import Exporter

SMALLEST = float(np.finfo(np.float32).min)


def tokens(e, name, count, words, batch=1, dynamic=("batch", "sequence")):
    return e.input(name, e.random.integers(0, words, (batch, count)).astype(np.int64), dynamic)


def embed(e, words, width, index, gain=1.0):
    return e.node("Gather", e.stored(np.float32(gain) * e.normal(words, width)), index, axis=0)


def causal_bias(e, x):
    """0 or the smallest number, [S,S], from the length of x: a comparison of positions."""
    length = e.dim(x, 1)
    at = e.node("Range", e.constant(0), length, e.constant(1))
    ahead = e.node("Greater", e.unsqueeze(at, [0]), e.unsqueeze(at, [1]))
    return e.node("Where", ahead, e.constant(SMALLEST), e.constant(0.0))


def bert():
    """Post-norm; the mask comes in as 0 and 1."""
    e = Exporter("bert", 11)
    width, heads = 48, 4
    ids, mask = tokens(e, "input_ids", 20, 120, 2), e.input("attention_mask", np.ones((2, 20), np.int64), ("batch", "sequence"))
    e.values[mask][1, 13:] = 0
    kinds = e.input("token_type_ids", np.repeat([[0] * 8 + [1] * 12], 2, 0).astype(np.int64), ("batch", "sequence"))
    positions = e.slice(e.stored(np.arange(64)[None]), 1, 0, e.unsqueeze(e.dim(ids, 1), [0]))
    x = e.node("Add", embed(e, 120, width, ids), embed(e, 2, width, kinds))
    x = e.layer_norm(e.node("Add", x, embed(e, 64, width, positions)), width, 1e-12)
    wide = e.node("Cast", e.unsqueeze(e.unsqueeze(mask, [1]), [2]), to=TensorProto.FLOAT)
    bias = e.mul(e.sub(1.0, wide), SMALLEST)
    for _ in range(3):
        x = e.layer_norm(e.node("Add", e.self_attention(x, heads, width, bias), x), width, 1e-12)
        x = e.layer_norm(e.node("Add", e.mlp(x, width, 4 * width), x), width, 1e-12)
    first = e.node("Gather", x, e.constant(0), axis=1)
    return e.finish(pooler_output=e.node("Tanh", e.linear(first, width, width, rank=2)))


def gpt2():
    """Conv1D is a Gemm between two Reshapes; the triangle is a stored table that Slice cuts to the length."""
    e = Exporter("gpt2", 13)
    width, heads, length = 48, 4, 18
    ids = tokens(e, "input_ids", length, 150)
    positions = e.unsqueeze(e.node("Range", e.constant(0), e.dim(ids, 1), e.constant(1)), [0])
    x = e.node("Add", embed(e, 150, width, ids), embed(e, 64, width, positions, 0.3))

    def conv1d(x, inputs, outputs):
        batch, count = e.dim(x, 0), e.dim(x, 1)
        y = e.node("Gemm", e.reshape(x, -1, inputs), e.weight(inputs, outputs, fan=inputs), e.stored(0.1 * e.normal(outputs)))
        return e.reshape(y, batch, count, outputs)

    for _ in range(3):
        q, k, v = e.split(conv1d(e.layer_norm(x, width), width, 3 * width), [width] * 3, 2)
        scores = e.node("MatMul", e.heads(q, heads, 12), e.heads(k, heads, 12, keys=True))
        scores = e.div(scores, 12**0.5)
        end = e.unsqueeze(e.dim(scores, 3), [0])
        table = e.stored(np.tril(np.ones((1, 1, 64, 64), bool)))
        seen = e.slice(e.slice(table, 2, 0, end), 3, 0, end)
        scores = e.node("Where", seen, scores, e.constant(SMALLEST))
        y = e.merged(e.node("MatMul", e.node("Softmax", scores, axis=-1), e.heads(v, heads, 12)), width)
        x = e.node("Add", conv1d(y, width, width), x)
        x = e.node("Add", x, conv1d(e.gelu_tanh(conv1d(e.layer_norm(x, width), width, 4 * width)), 4 * width, width))
    return e.finish(3, logits=e.linear(e.layer_norm(x, width), width, 150, bias=False))


def rotated(e, x, cosine, sine, half):
    """x cos + rotate_half(x) sin."""
    first, second = e.slice(x, 3, 0, half), e.slice(x, 3, half, 2**63 - 1)
    turned = e.node("Concat", e.node("Neg", second), first, axis=-1)
    return e.node("Add", e.node("Mul", x, cosine), e.node("Mul", turned, sine))


def llama():
    e = Exporter("llama", 14)
    width, heads, shared, depth, length = 64, 4, 2, 16, 17
    ids = tokens(e, "input_ids", length, 200)
    x = embed(e, 200, width, ids)
    positions = e.node("Cast", e.unsqueeze(e.node("Range", e.constant(0), e.dim(ids, 1), e.constant(1)), [1]),
                       to=TensorProto.FLOAT)
    angles = e.node("MatMul", positions, e.stored((10000.0 ** (-np.arange(0, depth, 2) / depth)).astype(np.float32)[None]))
    angles = e.unsqueeze(e.node("Concat", angles, angles, axis=-1), [0, 1])
    cosine, sine, bias = e.node("Cos", angles), e.node("Sin", angles), causal_bias(e, ids)

    def repeated(x):
        """[B,shared,S,depth] as [B,heads,S,depth]."""
        batch, count = e.dim(x, 0), e.dim(x, 2)
        extents = [e.unsqueeze(batch, [0]), e.constant([shared]), e.constant([heads // shared]), e.unsqueeze(count, [0]),
                   e.constant([depth])]
        y = e.node("Expand", e.unsqueeze(x, [2]), e.node("Concat", *extents, axis=0))
        return e.reshape(y, batch, heads, count, depth)

    for _ in range(3):
        y = e.rms_norm(x, width)
        q, k, v = (e.heads(e.linear(y, width, n * depth, bias=False), n, depth) for n in (heads, shared, shared))
        q, k = rotated(e, q, cosine, sine, depth // 2), rotated(e, k, cosine, sine, depth // 2)
        scores = e.node("MatMul", q, e.transpose(repeated(k), 0, 1, 3, 2))
        scores = e.node("Add", e.div(scores, depth**0.5), bias)
        y = e.merged(e.node("MatMul", e.node("Softmax", scores, axis=-1), repeated(v)), width)
        x = e.node("Add", x, e.linear(y, width, width, bias=False))
        y = e.rms_norm(x, width)
        y = e.node("Mul", e.silu(e.linear(y, width, 172, bias=False)), e.linear(y, width, 172, bias=False))
        x = e.node("Add", x, e.linear(y, 172, width, bias=False))
    return e.finish(3, logits=e.linear(e.rms_norm(x, width), width, 200, bias=False))


def buckets(e, keys, queries, both_ways):
    """T5's number of each distance: exact when near, by logarithm when far."""
    line = lambda x: e.node("Range", e.constant(0), e.dim(x, 1), e.constant(1))
    apart = e.node("Sub", e.unsqueeze(line(keys), [0]), e.unsqueeze(line(queries), [1]))
    count = 8 if both_ways else 16
    far = e.node("Abs", apart) if both_ways else e.node("Neg", e.node("Min", apart, e.constant(0)))
    exact = count // 2
    ratio = e.node("Log", e.div(e.node("Cast", far, to=TensorProto.FLOAT), float(exact)))
    grown = e.mul(e.div(ratio, float(np.log(128 / exact))), float(count - exact))
    grown = e.node("Add", e.node("Cast", grown, to=TensorProto.INT64), e.constant(exact))
    number = e.node("Where", e.node("Less", far, e.constant(exact)), far, e.node("Min", grown, e.constant(count - 1)))
    if not both_ways:
        return number
    behind = e.node("Cast", e.node("Greater", apart, e.constant(0)), to=TensorProto.INT64)
    return e.node("Add", e.node("Mul", behind, e.constant(count)), number)


def t5():
    """No scale of the scores, norms without a mean, distances in buckets; an encoder and a decoder."""
    e = Exporter("t5", 12)
    width, heads = 48, 4
    source, target = tokens(e, "input_ids", 15, 100), tokens(e, "decoder_input_ids", 9, 100, dynamic=("batch", "target"))

    def attention(x, context, bias):
        q, k, v = (e.linear(part, width, width, bias=False, gain=0.3) for part in (x, context, context))
        scores = e.node("MatMul", e.heads(q, heads, 12), e.heads(k, heads, 12, keys=True))
        scores = e.node("Add", scores, bias) if bias else scores
        y = e.merged(e.node("MatMul", e.node("Softmax", scores, axis=-1), e.heads(v, heads, 12)), width)
        return e.linear(y, width, width, bias=False)

    def distance_bias(x, both_ways):
        values = embed(e, 16, heads, buckets(e, x, x, both_ways))
        return e.unsqueeze(e.transpose(values, 2, 0, 1), [0])

    def feed_forward(x):
        y = e.node("Relu", e.linear(e.rms_norm(x, width), width, 4 * width, bias=False, gain=2.0))
        return e.node("Add", x, e.linear(y, 4 * width, width, bias=False))

    x, bias = embed(e, 100, width, source), distance_bias(source, True)
    for _ in range(2):
        y = e.rms_norm(x, width)
        x = feed_forward(e.node("Add", x, attention(y, y, bias)))
    memory = e.rms_norm(x, width)
    x, bias = embed(e, 100, width, target), e.node("Add", distance_bias(target, False), causal_bias(e, target))
    for _ in range(2):
        y = e.rms_norm(x, width)
        x = e.node("Add", x, attention(y, y, bias))
        x = feed_forward(e.node("Add", x, attention(e.rms_norm(x, width), memory, None)))
    return e.finish(3, logits=e.linear(e.mul(e.rms_norm(x, width), width**-0.5), width, 100, bias=False, gain=float(width)))


def whisper():
    """Two convolutions over the spectrum, an encoder, a decoder with attention to it; queries are scaled before."""
    e = Exporter("whisper", 17)
    width, heads = 48, 4
    sound = e.input("input_features", e.normal(1, 20, 60))
    ids = tokens(e, "decoder_input_ids", 7, 90, dynamic=("batch", "decoder_sequence"))
    x = e.gelu(e.conv(sound, 20, width, (3,)))
    x = e.transpose(e.gelu(e.conv(x, width, width, (3,), 2)), 0, 2, 1)
    x = e.node("Add", x, e.stored(e.normal(30, width)))

    def attention(x, context, bias=None):
        q = e.heads(e.mul(e.linear(x, width, width), 12**-0.5), heads, 12)
        k, v = e.linear(context, width, width, bias=False), e.heads(e.linear(context, width, width), heads, 12)
        scores = e.node("MatMul", q, e.heads(k, heads, 12, keys=True))
        scores = e.node("Add", scores, bias) if bias else scores
        return e.linear(e.merged(e.node("MatMul", e.node("Softmax", scores, axis=-1), v), width), width, width)

    for _ in range(2):
        y = e.layer_norm(x, width)
        x = e.node("Add", x, attention(y, y))
        x = e.node("Add", x, e.mlp(e.layer_norm(x, width), width, 4 * width))
    memory, bias = e.layer_norm(x, width), causal_bias(e, ids)
    positions = e.slice(e.stored(e.normal(32, width)), 0, 0, e.unsqueeze(e.dim(ids, 1), [0]))
    x = e.node("Add", embed(e, 90, width, ids), positions)
    for _ in range(2):
        y = e.layer_norm(x, width)
        x = e.node("Add", x, attention(y, y, bias))
        x = e.node("Add", x, attention(e.layer_norm(x, width), memory))
        x = e.node("Add", x, e.mlp(e.layer_norm(x, width), width, 4 * width))
    return e.finish(3, logits=e.linear(e.layer_norm(x, width), width, 90, bias=False))


def zero_state(e, x, layers, hidden):
    """[layers,B,hidden] zeros for the batch of x [S,B,...]."""
    extents = [e.constant([layers]), e.unsqueeze(e.dim(x, 1), [0]), e.constant([hidden])]
    return e.node("ConstantOfShape", e.node("Concat", *extents, axis=0), value=numpy_helper.from_array(np.zeros(1, np.float32)))


def tagger(name, operator, gates, opset):
    """Two layers both ways, then a class for each token."""
    e = Exporter(name, opset)
    hidden, width = 24, 32
    x = e.transpose(embed(e, 80, width, tokens(e, "tokens", 14, 80, 2)), 1, 0, 2)
    for _ in range(2):
        state = zero_state(e, x, 2, hidden)
        operands = [x, e.weight(2, gates * hidden, width, fan=width), e.weight(2, gates * hidden, hidden, fan=hidden),
                    e.stored(0.1 * e.normal(2, 2 * gates * hidden)), "", state] + ([state] if operator == "LSTM" else [])
        options = {"linear_before_reset": 1} if operator == "GRU" else {}
        y = e.node(operator, *operands, outs=len(operands) - 4, direction="bidirectional", hidden_size=hidden, **options)[0]
        y = e.transpose(y, 0, 2, 1, 3)
        x, width = e.reshape(y, 0, 0, -1), 2 * hidden
    x = e.linear(e.transpose(x, 1, 0, 2), width, 9)
    return e.finish(3, scores=e.node("LogSoftmax", x, axis=2))


def lstm_tagger():
    return tagger("lstm_tagger", "LSTM", 4, 13)


def gru_tagger():
    return tagger("gru_tagger", "GRU", 3, 11)


MAKERS = {f.__name__: f for f in (bert, gpt2, llama, t5, whisper, lstm_tagger, gru_tagger)}
