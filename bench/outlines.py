"""Models by their shapes alone: for times without values, at sizes whose weights nobody wants to write.

Weights are external data that is not there, which `hadal run --no-values` accepts.
"""

import math

import make_models
import numpy as np
from onnx import TensorProto, helper


def absent(name, dtype, shape):
    """A weight of an element type of onnx without values."""
    tensor = TensorProto(name=name, data_type=dtype, dims=shape, data_location=TensorProto.EXTERNAL)
    length = math.prod(shape) * helper.tensor_dtype_to_np_dtype(dtype).itemsize
    for key, value in [("location", "absent.bin"), ("offset", 0), ("length", length)]:
        tensor.external_data.add(key=key, value=str(value))
    return tensor


class Outline(make_models.Net):
    """A graph whose weights have shapes and no values; small constants, which decide shapes, stay."""

    def __init__(self):
        super().__init__(0)

    def shape(self, name, shape):
        shape = [shape] if isinstance(shape, int) else list(shape)
        self.weights.append(absent(name, TensorProto.FLOAT, shape))
        return name

    def normal(self, name, shape, deviation):
        return self.shape(name, shape)

    def uniform(self, name, shape, low, high):
        return self.shape(name, shape)

    def product(self, x, name, inputs, outputs):
        """x W over the last axis, without a bias."""
        return self.add("MatMul", [x, self.shape(f"{name}.weight", (inputs, outputs))], name)

    def rms_norm(self, x, name, size):
        """As exporters spell it."""
        number = lambda value: self.constant(value, np.float32)
        square = self.add("Pow", [x, number(2)], f"{name}.square")
        mean = self.add("ReduceMean", [square], f"{name}.mean", axes=[-1], keepdims=1)
        root = self.add("Sqrt", [self.add("Add", [mean, number(1e-6)], f"{name}.add")], f"{name}.root")
        unit = self.add("Mul", [x, self.add("Reciprocal", [root], f"{name}.reciprocal")], f"{name}.unit")
        return self.add("Mul", [self.shape(f"{name}.weight", size), unit], f"{name}.scale")

    def rotary(self, x, name, tokens, size):
        """x cos + rotate_half(x) sin, over the last axis."""
        low, high = self.add("Split", [x, self.constant([size // 2] * 2)], f"{name}.split", outputs=2, axis=3)
        turned = self.add("Concat", [self.add("Neg", [high], f"{name}.neg"), low], f"{name}.turn", axis=3)
        cos, sin = (self.shape(f"{name}.{part}", (1, 1, tokens, size)) for part in ["cos", "sin"])
        return self.add("Add", [self.add("Mul", [x, cos], f"{name}.mul1"), self.add("Mul", [turned, sin], f"{name}.mul2")],
                        f"{name}.add")


    def repeated(self, x, name, kept, count, total, size):
        """Each head `count / kept` times, as exporters spell it."""
        apart = self.add("Unsqueeze", [x, self.constant([2])], f"{name}.apart")
        every = self.add("Expand", [apart, self.constant([1, kept, count // kept, total, size])], f"{name}.expand")
        return self.add("Reshape", [every, self.constant([1, count, total, size])], f"{name}.heads")


def gemm(size):
    """One product of square matrices, both given."""
    net = Outline()
    sizes = [size, size]
    return net.model("gemm", {"a": (TensorProto.FLOAT, sizes), "b": (TensorProto.FLOAT, sizes)},
                     {"c": (net.add("MatMul", ["a", "b"], "product"), sizes)})


def conv3x3(batch, channels, size):
    """One 3x3 convolution with as many channels out as in."""
    net = Outline()
    sizes = [batch, channels, size, size]
    return net.model("conv3x3", {"x": (TensorProto.FLOAT, sizes)},
                     {"y": (net.conv("x", "conv", channels, channels, 3), sizes)})


def unet(size=256, width=64):
    """Ronneberger and others 2015 with padded convolutions: four halvings, widths 64 to 1024, one picture."""
    net = Outline()

    def block(x, name, inputs, outputs):
        for part, channels in [("1", inputs), ("2", outputs)]:
            x = net.batch_norm(net.conv(x, f"{name}.conv{part}", channels, outputs, 3), f"{name}.bn{part}", outputs)
            x = net.add("Relu", [x], f"{name}.relu{part}")
        return x

    kept, x, channels = [], "input", 3
    for level in range(5):
        x = block(x, f"down{level}", channels, width << level)
        channels = width << level
        if level < 4:
            kept.append(x)
            x = net.add("MaxPool", [x], f"pool{level}", kernel_shape=[2, 2], strides=[2, 2])
    for level in reversed(range(4)):
        half = width << level
        weights = [x, net.shape(f"up{level}.weight", (channels, half, 2, 2)), net.shape(f"up{level}.bias", half)]
        x = net.add("ConvTranspose", weights, f"up{level}", kernel_shape=[2, 2], strides=[2, 2])
        x = block(net.add("Concat", [kept[level], x], f"join{level}", axis=1), f"out{level}", channels, half)
        channels = half
    x = net.conv(x, "head", channels, 2, 1)
    return net.model("unet", {"input": (TensorProto.FLOAT, [1, 3, size, size])}, {"mask": (x, [1, 2, size, size])})


LLAMA_70B = {"layers": 80, "width": 8192, "count": 64, "kept": 8, "inner": 28672}


def llama(tokens, cached=0, layers=32, width=4096, count=32, inner=11008, vocabulary=32000, kept=None):
    """Touvron and others 2023, 7B: `tokens` new ones behind `cached`, whose keys and values come in and, longer, go out.
    `kept` heads of keys and values serve all `count` of queries."""
    net, size, total, kept = Outline(), width // count, tokens + cached, kept or count
    inputs = {"input_ids": (TensorProto.INT64, [1, tokens])}
    outputs, mask = {}, None
    if tokens > 1:  # -inf above the diagonal.
        mask = net.shape("mask", (1, 1, tokens, total))
    x = net.add("Gather", [net.shape("embeddings", (vocabulary, width)), "input_ids"], "embedding")
    for layer in range(layers):
        at = f"layers.{layer}"
        y = net.rms_norm(x, f"{at}.norm1", width)
        q, k, v = (net.heads(net.product(y, f"{at}.{part}", width, heads * size), f"{at}.{part}.heads", heads, size)
                   for part, heads in [("q", count), ("k", kept), ("v", kept)])
        q, k = net.rotary(q, f"{at}.q.rotary", tokens, size), net.rotary(k, f"{at}.k.rotary", tokens, size)
        if cached:
            for part in "kv":
                inputs[f"past.{layer}.{part}"] = (TensorProto.FLOAT, [1, kept, cached, size])
            k = net.add("Concat", [f"past.{layer}.k", k], f"{at}.k.append", axis=2)
            v = net.add("Concat", [f"past.{layer}.v", v], f"{at}.v.append", axis=2)
            outputs[f"present.{layer}.k"], outputs[f"present.{layer}.v"] = ((part, [1, kept, total, size]) for part in (k, v))
        if kept < count:
            k, v = (net.repeated(part, f"{at}.{name}.repeat", kept, count, total, size) for name, part in [("k", k), ("v", v)])
        scores = net.add("MatMul", [q, net.add("Transpose", [k], f"{at}.k.turn", perm=[0, 1, 3, 2])], f"{at}.scores")
        scores = net.add("Mul", [scores, net.constant(size**-0.5, np.float32)], f"{at}.scaled")
        if mask:
            scores = net.add("Add", [scores, mask], f"{at}.masked")
        mixed = net.add("MatMul", [net.add("Softmax", [scores], f"{at}.softmax", axis=-1), v], f"{at}.mix")
        mixed = net.add("Transpose", [mixed], f"{at}.merge", perm=[0, 2, 1, 3])
        mixed = net.add("Reshape", [mixed, net.constant([0, 0, width])], f"{at}.flat")
        x = net.add("Add", [x, net.product(mixed, f"{at}.o", width, width)], f"{at}.add1")
        y = net.rms_norm(x, f"{at}.norm2", width)
        gate = net.product(y, f"{at}.gate", width, inner)
        gate = net.add("Mul", [gate, net.add("Sigmoid", [gate], f"{at}.sigmoid")], f"{at}.silu")
        y = net.add("Mul", [gate, net.product(y, f"{at}.up", width, inner)], f"{at}.mul")
        x = net.add("Add", [x, net.product(y, f"{at}.down", inner, width)], f"{at}.add2")
    last = net.add("Slice", [net.rms_norm(x, "norm", width), net.constant([tokens - 1]), net.constant([tokens]),
                             net.constant([1])], "last")
    outputs["logits"] = (net.product(last, "head", width, vocabulary), [1, 1, vocabulary])
    return net.model("llama", inputs, outputs)
