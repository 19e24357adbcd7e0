"""Well-known architectures, small and with random weights, written as PyTorch's and TensorFlow's exporters write them."""

from . import convolutional, language, others, vision
from .exporter import Exported

MAKERS = convolutional.MAKERS | vision.MAKERS | language.MAKERS | others.MAKERS


def make(name) -> Exported:
    return MAKERS[name]()
