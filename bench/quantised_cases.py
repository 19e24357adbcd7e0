"""Quantised models and those to be quantised: their inputs, their layers, and ONNX Runtime's answers."""

import zlib

import numpy as np
import zoo
from PIL import Image

PICTURES = {"tiny_resnet8_int8": 32, "tiny_vww_int8": 96}  # Height and width of the input.
NAMES = ["tiny_ad_int8", "tiny_kws_int8", "tiny_resnet8_int8", "tiny_sww_int8", "tiny_vww_int8"]


def crops(size, count, generator):
    """Squares of the bundled pictures, bilinear, as int8."""
    pictures = [Image.open(zoo.MODELS / "pictures" / f"{file}.png").convert("RGB")
                for file in ("astronaut", "chelsea", "coffee")]
    for index in range(count):
        picture = pictures[index % len(pictures)]
        side = int(generator.integers(size, min(picture.size) + 1))
        left, top = (int(generator.integers(0, extent - side + 1)) for extent in picture.size)
        square = picture.crop((left, top, left + side, top + side)).resize((size, size), Image.BILINEAR)
        yield (np.asarray(square, np.int16).transpose(2, 0, 1)[None] - 128).astype(np.int8)


def mixtures(name, count, generator):
    """Two of the stored inputs mixed, with noise: about the range that the model was trained for."""
    stored = [zoo.stored(name, f"in_{index}").astype(np.float64) for index in range(4)]
    noise = np.ptp(stored) / 32
    for _ in range(count):
        first, second = (stored[i] for i in generator.integers(0, len(stored), 2))
        share = generator.uniform(0, 1)
        yield share * first + (1 - share) * second + generator.normal(0, noise, first.shape)


def inputs(name, count):
    """`count` inputs of a quantised model, the same in every run."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    if name in PICTURES:
        return list(crops(PICTURES[name], count, generator))
    return [np.clip(np.rint(value), -128, 127).astype(np.int8) for value in mixtures(name, count, generator)]


def float_inputs(name, count):
    """The same of a float model."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    picture = name.replace("f32", "int8")
    if picture not in PICTURES:
        return [value.astype(np.float32) for value in mixtures(name, count, generator)]
    largest = 1 if name == "tiny_resnet8_f32" else 255
    return [(value.astype(np.float32) + 128) / largest for value in crops(PICTURES[picture], count, generator)]


def float_reference(name):
    """ONNX Runtime on a float model: a function from inputs to outputs by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(zoo.MODELS / f"{name}.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs)))


def layered(name):
    """The model with the result of every QuantizeLinear as an output."""
    import onnx

    model = onnx.load(zoo.MODELS / f"{name}.onnx")
    outputs = {output.name for output in model.graph.output}
    for value in onnx.shape_inference.infer_shapes(model).graph.value_info:
        made = next((node for node in model.graph.node if value.name in node.output), None)
        if made is not None and made.op_type == "QuantizeLinear" and value.name not in outputs:
            model.graph.output.append(value)
    return model


def unsigned(model):
    """The same model with activations in u8, 128 more each: ONNX Runtime has most of its operators for these alone."""
    import onnx

    unsigned_model = onnx.ModelProto()
    unsigned_model.CopyFrom(model)
    graph = unsigned_model.graph
    constants = {constant.name: constant for constant in graph.initializer}
    for node in graph.node:
        activation = node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[0] not in constants
        zero = constants[node.input[2]] if activation else None
        if activation and zero.data_type == onnx.TensorProto.INT8:
            value = onnx.numpy_helper.to_array(zero).astype(np.int16) + 128
            zero.CopyFrom(onnx.numpy_helper.from_array(value.astype(np.uint8), zero.name))
    for value in [*graph.input, *graph.output]:
        value.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    del graph.value_info[:]
    return unsigned_model


class Reference:
    """ONNX Runtime on a model: with its operators on integers, or on dequantised numbers in f32."""

    def __init__(self, model, against):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.shift = 128 if against == "integers" else 0
        if self.shift:  # Exact products even where a host's own saturate.
            model = unsigned(model)
            options.add_session_config_entry("session.x64quantprecision", "1")
        else:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self.names = [output.name for output in self.session.get_outputs()]

    def __call__(self, value):
        """The quantised tensors by name, as i8."""
        moved = (value.astype(np.int16) + self.shift).astype(np.uint8 if self.shift else np.int8)
        outputs = self.session.run(self.names, {"input": moved})
        return {name: (output.astype(np.int16) - self.shift).astype(np.int8) for name, output in zip(self.names, outputs)}
