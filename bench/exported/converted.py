"""Models as ONNX Runtime's tools leave them: optimised, in float16, quantised."""

import logging
import pathlib
import tempfile

import numpy as np
import onnx

from .exporter import Exported


def optimised(source, target, inputs):
    """With the operators of com.microsoft that its optimiser makes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def float16(source, target, inputs):
    """Weights and nodes in f16; inputs and outputs stay as they are, behind casts."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)


def quantised(source, target, inputs):
    """QDQ by four samples; by channel where the opset has that."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self):
            random = np.random.default_rng(0)
            noisy = lambda value: (value + 0.3 * random.standard_normal(value.shape)).astype(np.float32)
            self.all = iter([{name: noisy(value) if value.dtype == np.float32 else value for name, value in inputs.items()}
                             for _ in range(4)])

        def get_next(self):
            return next(self.all, None)

    by_channel = onnx.load(source).opset_import[0].version >= 13
    quantize_static(str(source), str(target), Samples(), quant_format=QuantFormat.QDQ, per_channel=by_channel)


def dynamic(source, target, inputs):
    """Scales found as the model runs. Weights of u8: sums of u8 * i8 saturate in ONNX Runtime on CPUs without VNNI."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(target), weight_type=QuantType.QUInt8)


CONVERSIONS = {"optimised": optimised, "float16": float16, "qdq": quantised, "dynamic": dynamic}


def convert(made, how):
    """The same model in another form."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = (pathlib.Path(folder) / name for name in ("source.onnx", "target.onnx"))
        onnx.save(made.model, source)
        logging.disable(logging.WARNING)
        try:
            CONVERSIONS[how](source, target, made.inputs)
        finally:
            logging.disable(logging.NOTSET)
        return Exported(made.name, onnx.load(target), made.inputs)
