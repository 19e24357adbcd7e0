"""A small decoder with a cache of fixed size, as exporters write it: with ONNX's own operators or with ONNX Runtime's."""

import dataclasses

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STATE = {"past.*": "present.*"}


@dataclasses.dataclass(frozen=True)
class Sizes:
    layers: int = 4
    width: int = 128
    heads: int = 8
    shared: int = 2  # Heads of keys and values.
    hidden: int = 344
    words: int = 1000
    capacity: int = 256

    @property
    def depth(self):
        return self.width // self.heads


class Decoder:
    """Writes the graph layer by layer; weights are random, from the seed."""

    def __init__(self, sizes, seed):
        self.sizes, self.random = sizes, np.random.default_rng(seed)
        self.nodes, self.weights, self.ports, self.count = [], [], ([], []), 0

    def weight(self, *shape):
        values = self.random.standard_normal(shape).astype(np.float32) / np.float32(np.sqrt(shape[0]))
        return self.constant(values)

    def constant(self, values):
        self.count += 1
        self.weights.append(numpy_helper.from_array(values, f"w{self.count}"))
        return f"w{self.count}"

    def node(self, operator, *inputs, outputs=None, domain="", **attributes):
        self.count += 1
        outputs = outputs or [f"v{self.count}"]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, name=f"{operator}_{self.count}", domain=domain,
                                           **attributes))
        return outputs[0]

    def port(self, side, name, dtype, *shape):
        self.ports[side].append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def cache(self, layer, kind):
        """Names of a cache before and behind a run."""
        s = self.sizes
        return [self.port(side, f"{word}.{layer}.{kind}", TensorProto.FLOAT, 1, s.shared, s.capacity, s.depth)
                for side, word in enumerate(("past", "present"))]

    def norm(self, x):
        return self.node(self.norm_operator, x, self.constant(np.ones(self.sizes.width, np.float32)), axis=-1, epsilon=1e-5)

    def product(self, x, columns):
        return self.node("MatMul", x, self.weight(self.sizes.width, columns))

    def model(self):
        s = self.sizes
        self.port(0, "token", TensorProto.INT64, 1, 1)
        self.begin()
        x = self.node("Gather", self.constant(self.random.standard_normal((s.words, s.width)).astype(np.float32)), "token")
        for layer in range(s.layers):
            y = self.norm(x)
            q, k, v = (self.product(y, heads * s.depth) for heads in (s.heads, s.shared, s.shared))
            mixed = self.attention(q, k, v, self.cache(layer, "key"), self.cache(layer, "value"))
            x = self.node("Add", x, self.product(mixed, s.width))
            y = self.norm(x)
            gate = self.product(y, s.hidden)
            gated = self.node("Mul", self.node("Mul", gate, self.node("Sigmoid", gate)), self.product(y, s.hidden))
            x = self.node("Add", x, self.node("MatMul", gated, self.weight(s.hidden, s.width)))
        self.node("MatMul", self.norm(x), self.weight(s.width, s.words), outputs=["logits"])
        self.port(1, "logits", TensorProto.FLOAT, 1, 1, s.words)
        graph = helper.make_graph(self.nodes, "decoder", *self.ports, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid(*opset) for opset in self.opsets], ir_version=11)

    def tables(self):
        """Cosines and sines by position."""
        s = self.sizes
        angles = np.arange(s.capacity)[:, None] * 10000.0 ** (-np.arange(0, s.depth, 2) / s.depth)
        return [self.constant(f(angles).astype(np.float32)) for f in (np.cos, np.sin)]


class Standard(Decoder):
    """ONNX 24: TensorScatter writes the cache, Attention counts what is in it."""

    opsets, norm_operator = [("", 24)], "RMSNormalization"

    def begin(self):
        self.port(0, "place", TensorProto.INT64, 1)
        self.port(0, "length", TensorProto.INT64, 1)
        self.angles, self.places = self.tables(), self.node("Unsqueeze", "place", self.constant(np.array([1])))

    def heads(self, x, heads):
        apart = self.constant(np.array([0, 0, heads, self.sizes.depth]))
        return self.node("Transpose", self.node("Reshape", x, apart), perm=[0, 2, 1, 3])

    def attention(self, q, k, v, keys, values):
        s = self.sizes
        q = self.node("RotaryEmbedding", self.heads(q, s.heads), *self.angles, self.places)
        k = self.node("RotaryEmbedding", self.heads(k, s.shared), *self.angles, self.places)
        for (past, present), rows in ((keys, k), (values, self.heads(v, s.shared))):
            self.node("TensorScatter", past, rows, "place", outputs=[present], axis=2)
        y = self.node("Attention", q, keys[1], values[1], "", "", "", "length", is_causal=1)
        return self.node("Reshape", self.node("Transpose", y, perm=[0, 2, 1, 3]), self.constant(np.array([0, 0, -1])))

    @staticmethod
    def feed(token, place):
        return {"token": np.array([[token]]), "place": np.array([place]), "length": np.array([place + 1])}


class Grouped(Decoder):
    """com.microsoft.GroupQueryAttention, which rotates, writes the cache and counts by itself."""

    opsets, norm_operator = [("", 21), ("com.microsoft", 1)], "SimplifiedLayerNormalization"

    def begin(self):
        self.port(0, "seqlens_k", TensorProto.INT32, 1)
        self.port(0, "total_sequence_length", TensorProto.INT32)
        self.angles = self.tables()

    def attention(self, q, k, v, keys, values):
        s = self.sizes
        return self.node("GroupQueryAttention", q, k, v, keys[0], values[0], "seqlens_k", "total_sequence_length", *self.angles,
                         outputs=[f"mixed.{keys[1]}", keys[1], values[1]], domain="com.microsoft", num_heads=s.heads,
                         kv_num_heads=s.shared, do_rotary=1)

    @staticmethod
    def feed(token, place):
        return {"token": np.array([[token]]), "seqlens_k": np.array([place], np.int32),
                "total_sequence_length": np.array(place + 1, np.int32)}


DECODERS = {"Attention": Standard, "GroupQueryAttention": Grouped}


def save(kind, path, sizes=Sizes(), seed=0):
    onnx.save(DECODERS[kind](sizes, seed).model(), path)
    return path


def generate(kind, run, tokens, first=1):
    """The likeliest tokens, one after the other; `run` gives the logits of a feed."""
    out = [first]
    for place in range(tokens):
        out.append(int(run(DECODERS[kind].feed(out[-1], place)).argmax()))
    return out[1:]


class Reference:
    """ONNX Runtime, whose cache goes in and out with each token."""

    def __init__(self, path, sizes):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        shape = (1, sizes.shared, sizes.capacity, sizes.depth)
        self.cache = {port.name: np.zeros(shape, np.float32) for port in self.session.get_inputs()
                      if port.name.startswith("past")}

    def __call__(self, feed):
        names = [port.name for port in self.session.get_outputs()]
        outputs = dict(zip(names, self.session.run(names, feed | self.cache)))
        self.cache = {name: outputs[name.replace("past", "present")] for name in self.cache}
        return outputs["logits"]
