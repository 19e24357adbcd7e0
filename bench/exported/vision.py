"""Transformers of pictures, detectors, segmentation, diffusion."""

import numpy as np

from .exporter import Exporter


def encoder_block(e, x, width, heads, bias=None):
    x = e.node("Add", x, e.self_attention(e.layer_norm(x, width), heads, width, bias))
    return e.node("Add", x, e.mlp(e.layer_norm(x, width), width, 4 * width))


def vit():
    e = Exporter("vit", 14)
    width, picture = 48, e.input("pixel_values", e.normal(2, 3, 32, 32))
    patches = e.node("Conv", picture, e.weight(width, 3, 8, 8), e.stored(0.1 * e.normal(width)), kernel_shape=[8, 8],
                     strides=[8, 8], pads=[0] * 4, group=1, dilations=[1, 1])
    x = e.transpose(e.reshape(patches, e.dim(patches, 0), width, -1), 0, 2, 1)
    x = e.node("Concat", e.expand_to_batch(e.stored(e.normal(1, 1, width)), x), x, axis=1)
    x = e.node("Add", x, e.stored(0.5 * e.normal(1, 17, width)))
    for _ in range(3):  # One product for queries, keys and values, which Gather takes apart.
        y = e.linear(e.layer_norm(x, width), width, 3 * width)
        y = e.transpose(e.reshape(y, e.dim(y, 0), e.dim(y, 1), 3, 4, width // 4), 2, 0, 3, 1, 4)
        q, k, v = (e.node("Gather", y, e.constant(i), axis=0) for i in range(3))
        scores = e.mul(e.node("MatMul", q, e.transpose(k, 0, 1, 3, 2)), (width // 4) ** -0.5)
        y = e.merged(e.node("MatMul", e.node("Softmax", scores, axis=-1), v), width)
        x = e.node("Add", x, e.linear(y, width, width))
        x = e.node("Add", x, e.mlp(e.layer_norm(x, width), width, 4 * width))
    token = e.node("Gather", e.layer_norm(x, width), e.constant(0), axis=1)
    return e.finish(logits=e.linear(token, width, 10, rank=2))


def rolled(e, x, by, size):
    """[B,H,W,C] moved by so many rows and columns, round."""
    for axis in (1, 2):
        cut = by % size
        x = e.node("Concat", e.slice(x, axis, cut, 2**63 - 1), e.slice(x, axis, 0, cut), axis=axis)
    return x


def shift_mask(size, window, shift):
    """0 or -100 between the places of each window, by the part of the picture they come from."""
    part = np.zeros((size, size))
    cuts = [slice(0, size - window), slice(size - window, size - shift), slice(size - shift, size)]
    for i, rows in enumerate(cuts):
        for j, columns in enumerate(cuts):
            part[rows, columns] = 3 * i + j
    n = size // window
    part = part.reshape(n, window, n, window).transpose(0, 2, 1, 3).reshape(n * n, window * window)
    return np.where(part[:, None] != part[:, :, None], -100, 0).astype(np.float32)


def window_attention(e, x, width, heads, size, window, shift):
    if shift:
        x = rolled(e, x, shift, size)
    n, tokens = size // window, window * window
    y = e.transpose(e.reshape(x, e.dim(x, 0), n, window, n, window, width), 0, 1, 3, 2, 4, 5)
    y = e.reshape(y, -1, tokens, width)
    y = e.linear(y, width, 3 * width)
    y = e.transpose(e.reshape(y, e.dim(y, 0), tokens, 3, heads, width // heads), 2, 0, 3, 1, 4)
    q, k, v = (e.node("Gather", y, e.constant(i), axis=0) for i in range(3))
    scores = e.node("MatMul", e.mul(q, (width // heads) ** -0.5), e.transpose(k, 0, 1, 3, 2))
    at = np.stack(np.meshgrid(range(window), range(window), indexing="ij")).reshape(2, -1)
    apart = (at[:, :, None] - at[:, None]) + window - 1
    index = e.stored((apart[0] * (2 * window - 1) + apart[1]).reshape(-1).astype(np.int64))
    bias = e.node("Gather", e.stored(e.normal((2 * window - 1) ** 2, heads)), index, axis=0)
    bias = e.transpose(e.reshape(bias, tokens, tokens, heads), 2, 0, 1)
    scores = e.node("Add", scores, e.unsqueeze(bias, [0]))
    if shift:
        mask = e.unsqueeze(e.unsqueeze(e.stored(shift_mask(size, window, shift)), [1]), [0])
        scores = e.node("Add", e.reshape(scores, -1, n * n, heads, tokens, tokens), mask)
        scores = e.reshape(scores, -1, heads, tokens, tokens)
    y = e.linear(e.merged(e.node("MatMul", e.node("Softmax", scores, axis=-1), v), width), width, width)
    y = e.transpose(e.reshape(y, -1, n, n, window, window, width), 0, 1, 3, 2, 4, 5)
    y = e.reshape(y, -1, size, size, width)
    return rolled(e, y, -shift, size) if shift else y


def swin():
    e = Exporter("swin", 12)
    width, size, picture = 24, 16, e.input("pixel_values", e.normal(1, 3, 64, 64))
    x = e.node("Conv", picture, e.weight(width, 3, 4, 4), e.stored(0.1 * e.normal(width)), kernel_shape=[4, 4], strides=[4, 4],
               pads=[0] * 4)
    x = e.layer_norm(e.transpose(e.reshape(x, e.dim(x, 0), width, -1), 0, 2, 1), width)
    for stage in range(2):
        for shift in (0, 2):
            apart = e.reshape(e.layer_norm(x, width), e.dim(x, 0), size, size, width)
            y = window_attention(e, apart, width, 3, size, 4, shift)
            x = e.node("Add", x, e.reshape(y, e.dim(y, 0), size * size, width))
            x = e.node("Add", x, e.mlp(e.layer_norm(x, width), width, 4 * width))
        if stage == 0:  # Four neighbours become one.
            y = e.reshape(x, e.dim(x, 0), size, size, width)
            parts = [e.slice(e.slice(y, 1, i, 2**63 - 1, 2), 2, j, 2**63 - 1, 2) for j in (0, 1) for i in (0, 1)]
            y = e.reshape(e.node("Concat", *parts, axis=-1), e.dim(y, 0), -1, 4 * width)
            x = e.linear(e.layer_norm(y, 4 * width), 4 * width, 2 * width, bias=False)
            width, size = 2 * width, size // 2
    x = e.node("Flatten", e.node("GlobalAveragePool", e.transpose(e.layer_norm(x, width), 0, 2, 1)), axis=1)
    return e.finish(logits=e.linear(x, width, 10, rank=2))


def resized(e, x, scale=2.0, mode="nearest"):
    places = "asymmetric" if mode == "nearest" else "align_corners"
    return e.node("Resize", x, e.constant(np.zeros(0)), e.constant([1.0, 1.0, scale, scale]), mode=mode, nearest_mode="floor",
                  cubic_coeff_a=-0.75, coordinate_transformation_mode=places)


def csp(e, x, inputs, outputs):
    """Half the channels go through bottlenecks, and all parts together through one convolution."""
    half = outputs // 2
    a, b = e.split(e.silu(e.conv(x, inputs, outputs, 1)), [half, half], 1)
    c = e.node("Add", b, e.silu(e.conv(e.silu(e.conv(b, half, half)), half, half)))
    return e.silu(e.conv(e.node("Concat", a, b, c, axis=1), 3 * half, outputs, 1))


def yolo():
    e = Exporter("yolo", 12)
    classes, bins = 8, 16
    x = e.silu(e.conv(e.input("images", e.random.uniform(0, 1, (1, 3, 96, 96)).astype(np.float32)), 3, 16, 3, 2))
    p3 = csp(e, e.silu(e.conv(e.silu(e.conv(x, 16, 24, 3, 2)), 24, 32, 3, 2)), 32, 32)
    p4 = csp(e, e.silu(e.conv(p3, 32, 48, 3, 2)), 48, 48)
    y = e.silu(e.conv(p4, 48, 24, 1))
    pools = [y]
    for _ in range(3):
        pools.append(e.node("MaxPool", pools[-1], kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4))
    p4 = e.silu(e.conv(e.node("Concat", *pools, axis=1), 96, 48, 1))
    p3 = csp(e, e.node("Concat", resized(e, p4), p3, axis=1), 80, 32)
    p4 = csp(e, e.node("Concat", e.silu(e.conv(p3, 32, 32, 3, 2)), p4, axis=1), 80, 48)
    heads, places, strides = [], [], []
    for x, channels, size in ((p3, 32, 12), (p4, 48, 6)):
        box = e.conv(e.silu(e.conv(x, channels, 32)), 32, 4 * bins, 1, gain=1.0)
        label = e.conv(e.silu(e.conv(x, channels, 32)), 32, classes, 1, gain=1.0)
        both = e.node("Concat", box, label, axis=1)
        heads.append(e.reshape(both, e.dim(both, 0), 4 * bins + classes, -1))
        rows, columns = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5, indexing="ij")
        places.append(np.stack([columns, rows]).reshape(2, -1))
        strides.append(np.full(size * size, 96 / size))
    both = e.node("Concat", *heads, axis=2)
    box, label = e.split(both, [4 * bins, classes], 1)
    box = e.transpose(e.reshape(box, e.dim(box, 0), 4, bins, 180), 0, 2, 1, 3)
    distances = e.stored(np.arange(bins, dtype=np.float32).reshape(1, bins, 1, 1))
    expected = e.node("Conv", e.node("Softmax", box, axis=1), distances, kernel_shape=[1, 1])
    low, high = e.split(e.reshape(expected, e.dim(expected, 0), 4, 180), [2, 2], 1)
    at = e.stored(np.concatenate(places, 1)[None].astype(np.float32))
    low, high = e.node("Sub", at, low), e.node("Add", at, high)
    box = e.node("Concat", e.div(e.node("Add", low, high), 2.0), e.node("Sub", high, low), axis=1)
    box = e.node("Mul", box, e.stored(np.concatenate(strides)[None].astype(np.float32)))
    return e.finish(3, output0=e.node("Concat", box, e.node("Sigmoid", label), axis=1))


def twice(e, x, inputs, outputs):
    return e.conv_norm(e.conv_norm(x, inputs, outputs), outputs, outputs)


def unet():
    """Up by ConvTranspose and by Resize; what skips is padded to the size of what came up."""
    e = Exporter("unet", 11)
    x = e.input("input", e.normal(1, 3, 44, 52), ("batch",))
    skips, channels = [], 3
    for width in (12, 24, 48):
        x, channels = twice(e, x, channels, width), width
        skips.append((x, width))
        x = e.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4)
    x, channels = twice(e, x, channels, 64), 64
    for level, (skip, width) in enumerate(reversed(skips)):
        if level % 2 == 0:
            x = e.node("ConvTranspose", x, e.weight(channels, width, 2, 2, fan=channels), e.stored(0.1 * e.normal(width)),
                       kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4)
        else:
            x = e.conv(resized(e, x, mode="linear"), channels, width, 1)
        gaps = [e.node("Sub", e.dim(skip, axis), e.dim(x, axis)) for axis in (2, 3)]
        begin = [e.node("Div", gap, e.constant(2)) for gap in gaps]
        end = [e.node("Sub", gap, half) for gap, half in zip(gaps, begin)]
        pads = e.node("Concat", e.constant([0, 0]), *(e.unsqueeze(b, [0]) for b in begin), e.constant([0, 0]),
                      *(e.unsqueeze(b, [0]) for b in end), axis=0)
        x = e.node("Pad", x, pads, e.constant(0.0), mode="constant")
        x, channels = twice(e, e.node("Concat", skip, x, axis=1), 2 * width, width), width
    return e.finish(4, mask=e.node("Sigmoid", e.conv(x, channels, 2, 1)))


def group_norm(e, x, channels, groups):
    """InstanceNormalization of groups, then the channels' own factors."""
    y = e.node("InstanceNormalization", e.reshape(x, 0, groups, -1), e.stored(np.ones(groups, np.float32)),
               e.stored(np.zeros(groups, np.float32)), epsilon=1e-5)
    y = e.node("Reshape", y, e.node("Shape", x))
    factor, shift = (e.unsqueeze(e.stored(base + 0.1 * e.normal(channels)), [1, 2]) for base in (1, 0))
    return e.node("Add", e.node("Mul", y, factor), shift)


def residual(e, x, time, inputs, outputs):
    y = e.conv(e.silu(group_norm(e, x, inputs, 4)), inputs, outputs)
    shift = e.linear(e.silu(time), 64, outputs, rank=2)
    y = e.node("Add", y, e.unsqueeze(e.unsqueeze(shift, [2]), [3]))
    y = e.conv(e.silu(group_norm(e, y, outputs, 4)), outputs, outputs, gain=1.0)
    return e.node("Add", e.conv(x, inputs, outputs, 1) if inputs != outputs else x, y)


def spatial_transformer(e, x, context, width):
    y = e.conv(group_norm(e, x, width, 4), width, width, 1, gain=1.0)
    batch, height, columns = (e.dim(y, axis) for axis in (0, 2, 3))
    y = e.reshape(e.transpose(y, 0, 2, 3, 1), batch, e.node("Mul", height, columns), width)
    y = e.node("Add", e.self_attention(e.layer_norm(y, width), 4, width), y)
    y = e.node("Add", e.self_attention(e.layer_norm(y, width), 4, width, context=context), y)
    a, gate = e.split(e.linear(e.layer_norm(y, width), width, 8 * width), [4 * width] * 2, 2)  # GEGLU
    y = e.node("Add", e.linear(e.node("Mul", a, e.gelu(gate)), 4 * width, width), y)
    y = e.transpose(e.reshape(y, batch, height, columns, width), 0, 3, 1, 2)
    return e.node("Add", e.conv(y, width, width, 1, gain=1.0), x)


def diffusion_unet():
    e = Exporter("diffusion_unet", 14)
    sample = e.input("sample", e.normal(1, 4, 16, 16))
    step = e.input("timestep", np.array([37], np.int64))
    context = e.linear(e.input("encoder_hidden_states", e.normal(1, 7, 24), ("batch", "sequence")), 24, 32)
    wide = e.linear(e.input("mid_hidden_states", e.normal(1, 7, 24), ("batch", "sequence")), 24, 64)
    frequencies = e.stored(np.exp(-np.log(10000) * np.arange(16) / 16).astype(np.float32)[None])
    angles = e.node("Mul", e.node("Cast", e.unsqueeze(step, [1]), to=1), frequencies)
    time = e.node("Concat", e.node("Cos", angles), e.node("Sin", angles), axis=-1)
    time = e.linear(e.silu(e.linear(time, 32, 64, rank=2)), 64, 64, rank=2)
    x = e.conv(sample, 4, 32, gain=1.0)
    a = spatial_transformer(e, residual(e, x, time, 32, 32), context, 32)
    b = residual(e, e.conv(a, 32, 32, 3, 2, gain=1.0), time, 32, 64)
    b = spatial_transformer(e, b, wide, 64)
    x = e.conv(resized(e, b), 64, 64, gain=1.0)
    x = residual(e, e.node("Concat", x, a, axis=1), time, 96, 32)
    return e.finish(4, out_sample=e.conv(e.silu(group_norm(e, x, 32, 4)), 32, 4, gain=1.0))


MAKERS = {f.__name__: f for f in (vit, swin, yolo, unet, diffusion_unet)}
