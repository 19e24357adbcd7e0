"""A graph as exporters write it: constants as nodes, shapes computed from shapes, layers in the pieces of an older opset."""

import dataclasses
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "int32": TensorProto.INT32, "bool": TensorProto.BOOL}


@dataclasses.dataclass
class Exported:
    """A model and inputs to run it on."""

    name: str
    model: onnx.ModelProto
    inputs: dict


class Exporter:
    def __init__(self, name, opset):
        self.name, self.opset = name, opset
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes, self.weights, self.ports, self.values, self.count = [], [], ([], []), {}, 0

    # Ports and constants.

    def input(self, name, array, dynamic=("batch",)):
        """An input whose first extents have names; `array` is what to run it on."""
        shape = [*dynamic, *array.shape[len(dynamic):]]
        self.ports[0].append(helper.make_tensor_value_info(name, TYPES[array.dtype.name], shape))
        self.values[name] = array
        return name

    def normal(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def weight(self, *shape, gain=1.0, fan=None):
        """Normal numbers that keep the size of what they multiply: `fan` products are summed."""
        fan = fan or int(np.prod(shape[1:])) or 1
        return self.stored(self.normal(*shape) * np.float32(np.sqrt(gain / fan)))

    def stored(self, array):
        self.count += 1
        name = f"onnx::w_{self.count}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def constant(self, value, dtype=np.int64):
        """A Constant node; floats are f32."""
        array = np.asarray(value, np.float32 if np.asarray(value).dtype.kind == "f" else dtype)
        return self.node("Constant", value=numpy_helper.from_array(array))

    def node(self, op, *inputs, outs=1, domain="", **attributes):
        """Names of the outputs: one, or a list."""
        self.count += 1
        names = [f"/{op}_{self.count}_output_{i}" for i in range(outs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"/{op}_{self.count}", domain=domain, **attributes))
        return names[0] if outs == 1 else names

    def finish(self, rank=2, **outputs):
        """The model; `outputs` are names of values by name of the output, whose extents stay unknown."""
        for name, value in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
            self.ports[1].append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [f"{name}_{i}" for i in range(rank)]))
        graph = helper.make_graph(self.nodes, self.name, *self.ports, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8,
                                  producer_name="pytorch")
        return Exported(self.name, model, self.values)

    # Arithmetic; a number becomes a Constant.

    def _operand(self, value):
        return value if isinstance(value, str) else self.constant(float(value))

    def add(self, a, b):
        return self.node("Add", a, self._operand(b))

    def sub(self, a, b):
        return self.node("Sub", self._operand(a), self._operand(b))

    def mul(self, a, b):
        return self.node("Mul", a, self._operand(b))

    def div(self, a, b):
        return self.node("Div", a, self._operand(b))

    def mean(self, x, axes, keepdims=1):
        if self.opset >= 18:
            return self.node("ReduceMean", x, self.constant(axes), keepdims=keepdims)
        return self.node("ReduceMean", x, axes=axes, keepdims=keepdims)

    # Shapes, which exporters compute while the model runs.

    def unsqueeze(self, x, axes):
        return self.node("Unsqueeze", x, self.constant(axes)) if self.opset >= 13 else self.node("Unsqueeze", x, axes=axes)

    def squeeze(self, x, axes):
        return self.node("Squeeze", x, self.constant(axes)) if self.opset >= 13 else self.node("Squeeze", x, axes=axes)

    def dim(self, x, axis):
        """Extent of an axis, a scalar."""
        return self.node("Gather", self.node("Shape", x), self.constant(axis), axis=0)

    def reshape(self, x, *extents):
        """Extents are numbers or scalars of the graph."""
        if all(isinstance(extent, int) for extent in extents):
            return self.node("Reshape", x, self.constant(list(extents)))
        parts = [self.constant([e]) if isinstance(e, int) else self.unsqueeze(e, [0]) for e in extents]
        return self.node("Reshape", x, self.node("Concat", *parts, axis=0))

    def transpose(self, x, *perm):
        return self.node("Transpose", x, perm=perm)

    def slice(self, x, axis, start, stop, step=1):
        bounds = [b if isinstance(b, str) else self.constant([b]) for b in (start, stop)]
        return self.node("Slice", x, *bounds, self.constant([axis]), self.constant([step]))

    def split(self, x, sizes, axis):
        if self.opset >= 13:
            return self.node("Split", x, self.constant(sizes), outs=len(sizes), axis=axis)
        return self.node("Split", x, outs=len(sizes), axis=axis, split=sizes)

    def expand_to_batch(self, x, like):
        """x [1, ...] repeated for each of a batch, as `expand` of PyTorch is written: -1 keeps an extent."""
        shape = self.node("Concat", self.unsqueeze(self.dim(like, 0), [0]), self.constant([-1, -1]), axis=0)
        ones = self.node("ConstantOfShape", self.constant([3]), value=numpy_helper.from_array(np.array([1], np.int64)))
        kept = self.node("Equal", shape, self.node("Mul", ones, self.constant(-1)))
        return self.node("Expand", x, self.node("Where", kept, ones, shape))

    # Layers.

    def linear(self, x, inputs, outputs, bias=True, rank=3, gain=1.0):
        if rank == 2:
            return self.node("Gemm", x, self.weight(outputs, inputs, gain=gain), self.stored(0.1 * self.normal(outputs)),
                             alpha=1.0, beta=1.0, transB=1)
        y = self.node("MatMul", x, self.weight(inputs, outputs, gain=gain, fan=inputs))
        return self.node("Add", self.stored(0.1 * self.normal(outputs)), y) if bias else y

    def conv(self, x, inputs, outputs, kernel=3, stride=1, group=1, pad=None, bias=True, gain=2.0, dilation=1):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        pads = [k // 2 * dilation for k in kernel] * 2 if pad is None else pad
        operands = [x, self.weight(outputs, inputs // group, *kernel, gain=gain)]
        operands += [self.stored(0.1 * self.normal(outputs))] if bias else []
        return self.node("Conv", *operands, kernel_shape=kernel, strides=[stride] * len(kernel), group=group, pads=pads,
                         dilations=[dilation] * len(kernel))

    def batch_norm(self, x, channels):
        vector = lambda low, high: self.stored(self.random.uniform(low, high, channels).astype(np.float32))
        return self.node("BatchNormalization", x, vector(0.8, 1.2), vector(-0.2, 0.2), vector(-0.2, 0.2), vector(0.8, 1.2),
                         epsilon=1e-5, momentum=0.9)

    def conv_norm(self, x, inputs, outputs, *args, relu=True, **options):
        y = self.batch_norm(self.conv(x, inputs, outputs, *args, bias=False, **options), outputs)
        return self.node("Relu", y) if relu else y

    def silu(self, x):
        return self.node("Mul", x, self.node("Sigmoid", x))

    def gelu(self, x):
        """By erf, in pieces."""
        return self.mul(self.node("Mul", x, self.add(self.node("Erf", self.div(x, 2**0.5)), 1.0)), 0.5)

    def gelu_tanh(self, x):
        cubic = self.node("Add", x, self.mul(self.node("Pow", x, self.constant(3.0)), 0.044715))
        return self.node("Mul", self.mul(x, 0.5), self.add(self.node("Tanh", self.mul(cubic, (2 / np.pi) ** 0.5)), 1.0))

    def layer_norm(self, x, width, epsilon=1e-5):
        gamma, beta = self.stored(1 + 0.1 * self.normal(width)), self.stored(0.1 * self.normal(width))
        if self.opset >= 17:
            return self.node("LayerNormalization", x, gamma, beta, axis=-1, epsilon=epsilon)
        centred = self.node("Sub", x, self.mean(x, [-1]))
        variance = self.mean(self.node("Pow", centred, self.constant(2.0)), [-1])
        y = self.node("Div", centred, self.node("Sqrt", self.add(variance, epsilon)))
        return self.node("Add", self.node("Mul", y, gamma), beta)

    def rms_norm(self, x, width, epsilon=1e-6):
        wide = self.node("Cast", x, to=TensorProto.FLOAT)
        square = self.mean(self.node("Pow", wide, self.constant(2.0)), [-1])
        factor = self.div(self.constant(1.0), self.node("Sqrt", self.add(square, epsilon)))
        return self.node("Mul", self.stored(1 + 0.1 * self.normal(width)),
                         self.node("Cast", self.node("Mul", wide, factor), to=TensorProto.FLOAT))

    def heads(self, x, heads, depth, keys=False):
        """[B,S,heads*depth] as [B,heads,S,depth], or keys as [B,heads,depth,S]."""
        apart = self.reshape(x, self.dim(x, 0), self.dim(x, 1), heads, depth)
        return self.transpose(apart, 0, 2, 3, 1) if keys else self.transpose(apart, 0, 2, 1, 3)

    def merged(self, x, width):
        y = self.transpose(x, 0, 2, 1, 3)
        return self.reshape(y, self.dim(y, 0), self.dim(y, 1), width)

    def attention(self, q, k, v, heads, width, bias=None):
        """Scaled dot products of [B,S,width]; `bias` is added to the scores."""
        depth = width // heads
        scores = self.node("MatMul", self.heads(q, heads, depth), self.heads(k, heads, depth, keys=True))
        scores = self.div(scores, float(depth) ** 0.5)
        if bias:
            scores = self.node("Add", scores, bias)
        return self.merged(self.node("MatMul", self.node("Softmax", scores, axis=-1), self.heads(v, heads, depth)), width)

    def self_attention(self, x, heads, width, bias=None, context=None, out_gain=1.0):
        source = context or x
        q, k, v = (self.linear(part, width, width) for part in (x, source, source))
        return self.linear(self.attention(q, k, v, heads, width, bias), width, width, gain=out_gain)

    def mlp(self, x, width, hidden, activation=None):
        return self.linear((activation or self.gelu)(self.linear(x, width, hidden)), hidden, width)
