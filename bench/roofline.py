"""The least cycles of a model on a chip, from its ONNX file and the chip's TOML alone: a second opinion on the report's.

Products are those of Conv, ConvTranspose, Gemm and MatMul at the peak of the engine that can run them: the matrix array, or
the vector lanes for depthwise convolutions. Bytes are weights, model inputs and model outputs, each touched element once, as
`precision` stores them, at the memory's peak. The engines and the memory work side by side: the slowest counts.
"""

import dataclasses
import pathlib
import re
import tomllib

import numpy as np
import onnx

CHIPS = pathlib.Path(__file__).resolve().parent.parent / "chips"
UNITS = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
TIMES = {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}
BYTES = {"f32": 4, "bf16": 2, "f16": 2}
MULTIPLY = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
# Inputs that say how, and hold no data that the chip reads.
PARAMETERS = {"Reshape": {1}, "Slice": {1, 2, 3, 4}, "Pad": {1, 3}, "Resize": {1, 2, 3}, "Expand": {1}, "Squeeze": {1},
              "Unsqueeze": {1}, "ReduceSum": {1}, "ReduceMax": {1}, "ReduceMean": {1}, "Split": {1}, "Tile": {1}, "TopK": {1},
              "ConstantOfShape": {0}}


def quantity(text):
    """A figure without its unit: in Hz, bytes, bytes or operations a second, seconds, or cycles."""
    if not isinstance(text, str):
        return text
    if not (found := re.fullmatch(r"([\d.]+)(?:/(\d+))? ?(.*)", text)):
        return text
    value, unit = float(found[1]) / float(found[2] or 1), found[3]
    if unit in TIMES:
        return value * TIMES[unit]
    if scaled := re.fullmatch(r"(|[kKMGTP]i?)(Hz|B|B/s|op/s|W)", unit):
        return value * UNITS[scaled[1]]
    return value if unit in ("", "cycle", "cycles", "B/cycle") else text


def chip(name):
    """The figures of a description as it stands in the file, by dotted field, those of its bases under its own."""
    file = pathlib.Path(name) if str(name).endswith(".toml") else CHIPS / f"{name}.toml"
    figures = {}

    def walk(table, prefix):
        for key, value in table.items():
            if isinstance(value, dict) and "value" not in value:
                walk(value, f"{prefix}{key}.")
            else:
                figures[prefix + key] = value["value"] if isinstance(value, dict) else value

    table = tomllib.loads(file.read_text())
    base = chip(table.pop("extends")) if "extends" in table else {}
    walk(table, "")
    return {**base, **figures}


@dataclasses.dataclass
class Work:
    """What a model cannot do without."""

    products: float = 0  # On the array.
    depthwise: float = 0
    floats: float = 0  # Elements of weights, inputs and outputs.
    other_bytes: float = 0  # Of those that are no floats.


def shapes_of(model, inputs):
    """Static shapes by name; symbolic sizes are those of the inputs, and 1 where none is given."""
    sizes = {}
    for value in model.graph.input:
        for size, given in zip(value.type.tensor_type.shape.dim, getattr(inputs.get(value.name), "shape", ())):
            sizes[size.dim_param] = given
    del model.graph.value_info[:]
    for value in [*model.graph.input, *model.graph.output]:
        for size in value.type.tensor_type.shape.dim:
            if not size.HasField("dim_value"):
                size.dim_value = sizes.get(size.dim_param, 1)
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    shapes = {weight.name: list(weight.dims) for weight in model.graph.initializer}
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        shapes[value.name] = [size.dim_value for size in value.type.tensor_type.shape.dim]
    return shapes


def products(node, shapes):
    """Multiply-accumulates, and whether each channel is convolved by itself."""
    size = lambda name: float(np.prod(shapes[name]))
    x, w, out = node.input[0], node.input[1], node.output[0]
    if node.op_type == "Conv":
        return size(out) * float(np.prod(shapes[w][1:])), shapes[w][1] == 1 and shapes[x][1] > 1
    if node.op_type == "ConvTranspose":
        return size(x) * float(np.prod(shapes[w][1:])), shapes[w][1] == 1 and shapes[x][1] > 1
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return size(out) * shapes[x][-2 if transposed else -1], False


def work(file, inputs={}):
    """The Work of a model file on inputs of these shapes."""
    model = onnx.load(file)
    for weight in model.graph.initializer:  # Their sizes are enough, and shape inference copies what is there.
        if weight.data_type == onnx.TensorProto.FLOAT and np.prod(weight.dims) > 1000:
            weight.ClearField("raw_data")
            weight.ClearField("float_data")
    shapes, graph, done = shapes_of(model, inputs), model.graph, Work()
    kinds = {weight.name: weight.data_type for weight in graph.initializer}
    # Weights that each constant comes from, through nodes that depend on no input.
    roots = {weight.name: {weight.name} for weight in graph.initializer}
    touched = {}  # Elements read of each weight.

    def touch(name, elements):
        touched[name] = max(touched.get(name, 0), elements)

    for node in graph.node:
        if node.op_type == "Shape" or all(not name or name in roots for name in node.input):
            for name in node.output:
                roots[name] = set().union(*(roots.get(i, set()) for i in node.input)) if node.op_type != "Shape" else set()
            continue
        for index, name in enumerate(node.input):
            if name not in roots or index in PARAMETERS.get(node.op_type, ()):
                continue
            for root in roots[name]:
                elements = float(np.prod(shapes[root]))
                if node.op_type == "Gather" and index == 0:
                    elements = min(elements, float(np.prod(shapes[node.output[0]])))
                if node.op_type == "Gather" and index == 1 or elements == 1:
                    continue  # A view, or a number in an instruction.
                if node.op_type == "BatchNormalization" and index != 2:
                    continue  # Goes into the convolution before it: a bias is left.
                touch(root, elements)
        if node.op_type in MULTIPLY:
            count, depthwise = products(node, shapes)
            done.depthwise += count * depthwise
            done.products += count * (not depthwise)
    sizes = [(kinds[name], elements) for name, elements in touched.items()]
    for port in [*graph.input, *graph.output]:
        if port.name not in kinds:
            sizes.append((port.type.tensor_type.elem_type, float(np.prod(shapes[port.name]))))
    for kind, elements in sizes:
        if kind == onnx.TensorProto.FLOAT:
            done.floats += elements
        else:
            done.other_bytes += elements * np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind)).itemsize
    return done


def cycles(done, figures, precision):
    """The least cycles of that Work."""
    get = lambda field: quantity(figures.get(field, 0))
    prefix = "matrix.rows_per_cycle."
    rates = {key.removeprefix(prefix): quantity(value) for key, value in figures.items() if key.startswith(prefix)}
    if get("matrix.f32_passes"):
        rates["f32"] = rates["bf16"] / get("matrix.f32_passes")
    array = get("cores") * get("matrix.count") * get("matrix.rows") * get("matrix.columns") * rates.get(precision, 0)
    lanes = get("cores") * get("vector.lanes") * get("vector.alu_per_lane") if get("vector.lanes") else 0
    on_lanes = lanes > 0 and figures["matrix.depthwise_on_lanes"]
    # An array runs depthwise convolutions on one of its columns.
    matrix = [(done.products, array)] + ([] if on_lanes else [(done.depthwise, array / get("matrix.columns"))])
    vector = [(done.depthwise, lanes)] if on_lanes else []
    time = lambda parts: sum(count / rate if rate else float("inf") for count, rate in parts if count)
    size = done.floats * BYTES[precision] + done.other_bytes
    return max(time(matrix), time(vector), size / get("memory.bytes_per_second") * get("clock"))
