"""A small CNN on scikit-learn's handwritten digits: the data and the model that this bench and the tests train.

digits.npz: the 1,797 pictures of 8x8 (0 to 16) and labels of sklearn.datasets.load_digits, the test set of E. Alpaydin,
C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998 (CC BY 4.0).
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
TRAINED_ON = 1437  # The first samples; the other 360 are held out.
FLAGS = {
    "sgd": ["--optimizer", "sgd", "--lr", "0.05", "--momentum", "0.9"],
    "adamw": ["--optimizer", "adamw", "--lr", "0.002", "--weight-decay", "0.01"],
}
BATCH, STEPS = 32, 200


def data():
    """Pictures [N, 1, 8, 8] in 0 to 1, and labels."""
    arrays = np.load(HERE / "digits.npz")
    return (arrays["images"].astype(np.float32) / 16)[:, None], arrays["labels"].astype(np.int64)


def parameters(seed=0):
    """He initialisation (He, Zhang, Ren, Sun: Delving deep into rectifiers, 2015) from NumPy's seeded generator."""
    random = np.random.default_rng(seed)

    def he(*shape):
        return (random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
    return {
        "conv1.w": he(16, 1, 3, 3), "conv1.b": np.zeros(16, np.float32),
        "norm.scale": np.ones(16, np.float32), "norm.bias": np.zeros(16, np.float32),
        "norm.mean": np.zeros(16, np.float32), "norm.var": np.ones(16, np.float32),
        "conv2.w": he(32, 16, 3, 3), "conv2.b": np.zeros(32, np.float32),
        "fc.w": he(10, 128), "fc.b": np.zeros(10, np.float32),
    }


def model(softmax=False):
    """conv, batch norm, relu, max pooling, conv, relu, max pooling, linear: logits [N, 10]."""
    nodes = [
        helper.make_node("Conv", ["image", "conv1.w", "conv1.b"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c1", "norm.scale", "norm.bias", "norm.mean", "norm.var"], ["n1"], "norm"),
        helper.make_node("Relu", ["n1"], ["r1"], "relu1"),
        helper.make_node("MaxPool", ["r1"], ["p1"], "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "conv2.w", "conv2.b"], ["c2"], "conv2", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("MaxPool", ["r2"], ["p2"], "pool2", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p2"], ["flat"], "flatten"),
        helper.make_node("Gemm", ["flat", "fc.w", "fc.b"], ["logits"], "fc", transB=1),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], "softmax"))
    output = "probabilities" if softmax else "logits"
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(value, name) for name, value in parameters().items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def write(folder):
    """model.onnx and train.npz; returns their paths."""
    images, labels = data()
    onnx.save(model(), folder / "model.onnx")
    np.savez_compressed(folder / "train.npz", image=images[:TRAINED_ON], label=labels[:TRAINED_ON])
    return folder / "model.onnx", folder / "train.npz"
