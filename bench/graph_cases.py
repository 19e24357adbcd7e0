"""Random graphs of ONNX, with the values that ONNX's reference evaluator gives. A graph is a function of its seed alone."""

import dataclasses

import numpy
import onnx
import onnx.helper
import onnx.numpy_helper
import onnx_cases
from onnx.reference import ReferenceEvaluator

OPSET = 21
LARGEST = 1e4  # Beyond, or where there is no number, a node is not taken: rounding would decide the rest.


@dataclasses.dataclass
class Value:
    """`exact`: whether rounding can have touched it; what jumps is only asked of values that it has not."""

    name: str
    array: numpy.ndarray
    exact: bool

    @property
    def rank(self):
        return self.array.ndim


@dataclasses.dataclass
class Node:
    proto: onnx.NodeProto
    inputs: list
    outputs: list


class Graph:
    """Nodes in order, each with all values known."""

    def __init__(self, seed):
        self.random = numpy.random.default_rng(seed)
        self.values, self.nodes, self.constants = [], [], []

    # ---- choices

    def below(self, n):
        return int(self.random.integers(n))

    def chance(self, share):
        return self.random.random() < share

    def one_of(self, choices):
        return choices[self.below(len(choices))]

    def extents(self, rank, most=7):
        return [1 + self.below(most) for _ in range(rank)]

    def numbers(self, shape, scale=8):
        """Multiples of 1/8: sums and products of a few are exact."""
        return (self.random.integers(-2 * scale, 2 * scale + 1, shape) / scale).astype(numpy.float32)

    def pick(self, kind="f", least=0, most=5, exact=False):
        """A value that there is, of a kind of type and a rank; late ones more often. Raises Unsuitable."""
        found = [value for value in self.values if value.array.dtype.kind == kind and least <= value.rank <= most
                 and value.array.dtype not in (numpy.int8, numpy.uint8)  # Whose arithmetic wraps, or does not.
                 and (value.exact or not exact)]
        if not found:
            raise Unsuitable
        return found[max(self.below(len(found)), self.below(len(found)))]

    # ---- what it is made of

    def new(self, array, exact):
        value = Value(f"v{len(self.values)}", numpy.asarray(array), exact)
        self.values.append(value)
        return value

    def input(self):
        return self.new(self.numbers(self.extents(self.below(5))), True)

    def constant(self, array):
        value = Value(f"c{len(self.constants)}", numpy.asarray(array), True)
        self.constants.append(value)
        return value

    def node(self, operator, inputs, outputs=1, exact=False, **attributes):
        """Adds a node where its values are fit to go on with, else raises Unsuitable."""
        inputs = [value if isinstance(value, Value) or value is None else self.constant(value) for value in inputs]
        names = [value.name if value else "" for value in inputs]
        made = [f"v{len(self.values) + i}" for i in range(outputs)]
        proto = onnx.helper.make_node(operator, names, made, name=f"n{len(self.nodes)}", **attributes)
        given = {value.name: value for value in inputs if value}
        arrays = evaluate(proto, given)
        for array in arrays:
            if array.size == 0 or array.size > 20000 or array.dtype.kind not in "fib":
                raise Unsuitable
            if array.dtype.kind != "b" and not numpy.abs(array).max() <= LARGEST:
                raise Unsuitable
        exact = exact and all(value.exact for value in given.values())
        self.nodes.append(Node(proto, list(given.values()), [self.new(array, exact) for array in arrays]))

    # ---- the model

    def case(self, nodes=None, wanted=None, fed=()):
        """As a model with values: of some nodes, for some outputs, with some values fed in place of being made."""
        nodes = self.nodes if nodes is None else nodes
        read = {value.name for node in nodes for value in node.inputs}
        made = {value.name for node in nodes for value in node.outputs} - {value.name for value in fed}
        wanted = wanted or [value for node in nodes for value in node.outputs if value.name not in read]
        inputs = [value for value in self.values if value.name in read and value.name not in made]
        constants = [value for value in self.constants if value.name in read]
        graph = onnx.helper.make_graph(
            [node.proto for node in nodes], "random", [port(value) for value in inputs], [port(value) for value in wanted],
            [onnx.numpy_helper.from_array(value.array, value.name) for value in constants])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
        return onnx_cases.node.TestCase(
            name="random", model_name="random", url=None, model_dir=None, model=model, kind="node", rtol=1e-3,
            atol=1e-4, data_sets=[([value.array for value in inputs], [value.array for value in wanted])])


class Unsuitable(Exception):
    """A node that a graph does not take."""


def port(value):
    return onnx.helper.make_tensor_value_info(
        value.name, onnx.helper.np_dtype_to_tensor_dtype(value.array.dtype), value.array.shape)


def evaluate(proto, given):
    """Results of one node. Whatever the evaluator raises makes it unsuitable."""
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in proto.output]
    graph = onnx.helper.make_graph([proto], "one", [port(value) for value in given.values()], outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    try:
        with numpy.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, {value.name: value.array for value in given.values()})
        return [numpy.asarray(result) for result in results]
    except Exception as error:
        raise Unsuitable from error
