"""Convolutional classifiers, 2014 to 2019."""

from .exporter import Exporter


def image(e, size=64, channels=3):
    return e.input("input", e.normal(1, channels, size, size))


def classify(e, x, channels, classes=10):
    """Global mean, Flatten, Gemm."""
    return e.finish(logits=e.linear(e.node("Flatten", e.node("GlobalAveragePool", x), axis=1), channels, classes, rank=2))


def pool(e, x, kernel=2, stride=2, pad=0, **options):
    return e.node("MaxPool", x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, **options)


def resnet():
    e = Exporter("resnet", 13)
    x = pool(e, e.conv_norm(image(e), 3, 16, 7, 2), 3, 2, 1)
    inputs = 16
    for stage, width in enumerate((8, 16, 32)):
        for block in range(2):
            stride = 2 if stage > 0 and block == 0 else 1
            y = e.conv_norm(e.conv_norm(x, inputs, width, 1), width, width, 3, stride)
            y = e.conv_norm(y, width, 4 * width, 1, relu=False, gain=0.5)
            if block == 0:
                x = e.conv_norm(x, inputs, 4 * width, 1, stride, relu=False)
            x, inputs = e.node("Relu", e.node("Add", y, x)), 4 * width
    return classify(e, x, inputs)


def vgg():
    e = Exporter("vgg", 11)
    x, inputs = image(e, 32), 3
    for width in (16, 32, 64):
        for _ in range(2):
            x, inputs = e.node("Relu", e.conv(x, inputs, width)), width
        x = pool(e, x)
    x = e.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = e.reshape(x, e.dim(x, 0), -1)
    for inputs in (256, 64):
        x = e.node("Dropout", e.node("Relu", e.linear(x, inputs, 64, rank=2, gain=2.0)), ratio=0.5)
    return e.finish(logits=e.linear(x, 64, 10, rank=2))


def densenet():
    e = Exporter("densenet", 14)
    x, channels = e.conv_norm(image(e), 3, 16, 7, 2), 16
    for stage in range(2):
        parts = [x]
        for _ in range(4):
            y = e.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
            y = e.conv_norm(e.node("Relu", e.batch_norm(y, channels)), channels, 32, 1)
            parts.append(e.conv(y, 32, 8, bias=False))
            channels += 8
        x = e.node("Concat", *parts, axis=1)
        if stage == 0:
            x = e.conv(e.node("Relu", e.batch_norm(x, channels)), channels, channels // 2, 1, bias=False)
            x, channels = e.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), channels // 2
    return classify(e, e.node("Relu", e.batch_norm(x, channels)), channels)


def inception():
    e = Exporter("inception", 12)
    x = pool(e, e.conv_norm(image(e), 3, 24, 3, 2, pad=[0, 0, 0, 0]), 3, 2)
    channels = 24
    for _ in range(2):
        wide = e.conv_norm(e.conv_norm(e.conv_norm(x, channels, 12, 1), 12, 16, (1, 7)), 16, 16, (7, 1))
        twice = e.conv_norm(e.conv_norm(x, channels, 12, 1), 12, 16)
        forked = [e.conv_norm(twice, 16, 8, kernel) for kernel in ((1, 3), (3, 1))]
        mean = e.node("AveragePool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4, count_include_pad=1)
        x = e.node("Concat", e.conv_norm(x, channels, 16, 1), wide, *forked, e.conv_norm(mean, channels, 8, 1), axis=1)
        channels = 56
    reduced = [e.conv_norm(x, channels, 24, 3, 2, pad=[0] * 4), pool(e, x, 3, 2)]
    return classify(e, e.node("Concat", *reduced, axis=1), 24 + channels)


def hard_swish(e, x):
    """x * clip(x + 3, 0, 6) / 6."""
    clipped = e.node("Clip", e.add(x, 3.0), e.constant(0.0), e.constant(6.0))
    return e.div(e.node("Mul", x, clipped), 6.0)


def squeezed(e, x, channels, inner, gate):
    """Channels weighed by their means."""
    y = e.node("Relu", e.conv(e.node("GlobalAveragePool", x), channels, inner, 1))
    return e.node("Mul", gate(e.conv(y, inner, channels, 1)), x)


def mobilenet():
    e = Exporter("mobilenet", 12)
    x, channels = hard_swish(e, e.conv_norm(image(e), 3, 16, 3, 2, relu=False)), 16
    gate = lambda y: e.node("HardSigmoid", y, alpha=1 / 6)
    for outputs, stride, kernel in ((16, 2, 3), (24, 1, 3), (24, 2, 5), (24, 1, 5)):
        inner = 4 * channels
        y = hard_swish(e, e.conv_norm(x, channels, inner, 1, relu=False))
        y = e.conv_norm(y, inner, inner, kernel, stride, group=inner, relu=False)
        y = e.conv_norm(hard_swish(e, squeezed(e, y, inner, inner // 4, gate)), inner, outputs, 1, relu=False, gain=1.0)
        x, channels = (e.node("Add", x, y) if stride == 1 and channels == outputs else y), outputs
    return classify(e, hard_swish(e, e.conv_norm(x, channels, 96, 1, relu=False)), 96)


def efficientnet():
    """As tf2onnx writes it: NHWC outside, padding at the end, means by ReduceMean."""
    e = Exporter("efficientnet", 13)
    x, channels = e.transpose(e.input("input", e.normal(1, 64, 64, 3), ("unk__1",)), 0, 3, 1, 2), 3
    x, channels = e.silu(e.conv_norm(x, 3, 16, 3, 2, pad=[0, 0, 1, 1], relu=False)), 16
    for outputs, stride, kernel in ((16, 1, 3), (24, 2, 3), (24, 1, 3), (32, 2, 5)):
        inner = 4 * channels
        y = e.silu(e.conv_norm(x, channels, inner, 1, relu=False))
        pad = [kernel // 2] * 4 if stride == 1 else [kernel // 2 - 1] * 2 + [kernel // 2] * 2
        y = e.silu(e.conv_norm(y, inner, inner, kernel, stride, group=inner, pad=pad, relu=False))
        mean = e.reshape(e.mean(y, [2, 3], keepdims=0), -1, inner, 1, 1)
        weights = e.node("Sigmoid", e.conv(e.silu(e.conv(mean, inner, 4, 1)), 4, inner, 1))
        y = e.conv_norm(e.node("Mul", y, weights), inner, outputs, 1, relu=False, gain=1.0)
        x, channels = (e.node("Add", y, x) if stride == 1 and channels == outputs else y), outputs
    x = e.mean(e.silu(e.conv_norm(x, channels, 96, 1, relu=False)), [2, 3], keepdims=0)
    return e.finish(probabilities=e.node("Softmax", e.linear(x, 96, 10, rank=2), axis=-1))


def squeezenet():
    e = Exporter("squeezenet", 11)
    x, channels = pool(e, e.node("Relu", e.conv(image(e), 3, 32, 3, 2, pad=[0] * 4)), 3, 2, ceil_mode=1), 32
    for block, inner in enumerate((8, 8, 16)):
        y = e.node("Relu", e.conv(x, channels, inner, 1))
        sides = [e.node("Relu", e.conv(y, inner, 4 * inner, kernel)) for kernel in (1, 3)]
        x, channels = e.node("Concat", *sides, axis=1), 8 * inner
        if block == 1:
            x = pool(e, x, 3, 2, ceil_mode=1)
    x = e.node("GlobalAveragePool", e.node("Relu", e.conv(e.node("Dropout", x, ratio=0.5), channels, 10, 1)))
    return e.finish(logits=e.node("Flatten", x, axis=1))


def shuffled(e, x, channels):
    """Channels of two groups in turn."""
    height, width = e.dim(x, 2), e.dim(x, 3)
    y = e.transpose(e.reshape(x, e.dim(x, 0), 2, channels // 2, height, width), 0, 2, 1, 3, 4)
    return e.reshape(y, e.dim(x, 0), -1, height, width)


def shufflenet():
    e = Exporter("shufflenet", 11)
    x, channels = pool(e, e.conv_norm(image(e), 3, 24, 3, 2), 3, 2, 1), 24
    for width in (48, 96):
        half = width // 2
        for block in range(2):
            first = block == 0
            a, b = (x, x) if first else e.split(x, [half, half], 1)
            inputs, stride = (channels, 2) if first else (half, 1)
            if first:
                a = e.conv_norm(e.conv_norm(a, inputs, inputs, 3, 2, group=inputs, relu=False), inputs, half, 1)
            b = e.conv_norm(b, inputs, half, 1)
            b = e.conv_norm(e.conv_norm(b, half, half, 3, stride, group=half, relu=False), half, half, 1)
            x, channels = shuffled(e, e.node("Concat", a, b, axis=1), width), width
    x = e.mean(x, [2, 3], keepdims=0)
    return e.finish(logits=e.linear(x, channels, 10, rank=2))


MAKERS = {f.__name__: f for f in (resnet, vgg, densenet, inception, mobilenet, efficientnet, squeezenet, shufflenet)}
