"""NumPy arrays and the library's arrays, sharing their bytes."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ._library import Array, Handle, HadalError, outputs_free, outputs_get

# Hadal's names of element types, and NumPy's. Those that NumPy lacks come from ml_dtypes, where it is installed.
_TYPES = {"f32": "float32", "f64": "float64", "f16": "float16", "bool": "bool"} | {
    f"{sign}{bits}": f"{'' if sign == 'i' else 'u'}int{bits}" for sign in "iu" for bits in (8, 16, 32, 64)}
_ML_TYPES = {"bf16": "bfloat16", "f8e4m3": "float8_e4m3fn", "f8e5m2": "float8_e5m2", "f8e4m3fnuz": "float8_e4m3fnuz",
             "f8e5m2fnuz": "float8_e5m2fnuz", "f8e8m0": "float8_e8m0fnu", "f4e2m1": "float4_e2m1fn", "i4": "int4",
             "u4": "uint4", "i2": "int2", "u2": "uint2"}
_NAMES = {name: ours for ours, name in (_TYPES | _ML_TYPES).items()}
# As ONNX Runtime names them.
_TENSORS = {"f32": "float", "f64": "double", "bf16": "bfloat16"}


def dtype_of(name: str) -> np.dtype:
    """The NumPy type of one of Hadal's names."""
    if name in _TYPES:
        return np.dtype(_TYPES[name])
    try:
        import ml_dtypes
    except ImportError:
        raise HadalError("python.dtype", f"NumPy has no type {name}", "", "pip install ml_dtypes") from None
    return np.dtype(getattr(ml_dtypes, _ML_TYPES[name]))


def name_of(dtype: np.dtype) -> str:
    """Hadal's name of a NumPy type."""
    return _NAMES[dtype.name]


def tensor_type(name: str) -> str:
    """ "tensor(float)"."""
    return f"tensor({_TENSORS.get(name) or (_TYPES | _ML_TYPES)[name]})"


def as_array(name: str, value: Any) -> np.ndarray:
    """Anything with the buffer protocol, DLPack or NumPy's own, without a copy where it is dense and row-major."""
    if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__"):
        try:
            value = np.from_dlpack(value)
        except (TypeError, BufferError, RuntimeError) as error:
            raise HadalError("input.dlpack", str(error), f'input "{name}"', "it must lie in this computer's memory") from None
    try:
        array = np.asarray(value)
    except ValueError as error:  # ragged lists
        raise HadalError("input.type", str(error), f'input "{name}"') from None
    if array.dtype.name not in _NAMES or not array.dtype.isnative:
        raise HadalError("input.type", f"no tensor has the type {array.dtype}", f'input "{name}"')
    return array if array.flags.c_contiguous else array.copy(order="C")


class Arguments:
    """Arrays as the library takes them; they live as long as this does."""

    def __init__(self, arrays: dict[str, np.ndarray]):
        self._keep = [(name.encode(), array, (ctypes.c_int64 * array.ndim)(*array.shape)) for name, array in arrays.items()]
        self.count = len(self._keep)
        self.list = (Array * max(self.count, 1))(*[
            Array(name, _NAMES[array.dtype.name].encode(), shape, array.ndim, array.ctypes.data or 1, array.nbytes)
            for name, array, shape in self._keep])


class Shapes:
    """Shapes without values."""

    def __init__(self, shapes: dict[str, tuple[int, ...]]):
        self._keep = [(name.encode(), (ctypes.c_int64 * len(shape))(*shape), len(shape)) for name, shape in shapes.items()]
        self.list = [Array(name, b"f32", shape, rank, None, 0) for name, shape, rank in self._keep]


def output(outputs: Handle, index: int) -> np.ndarray:
    """Output `index`: its bytes are the library's, which frees them with the last array that shows them."""
    found = Array()
    outputs_get(outputs.value, index, ctypes.byref(found))
    shape, dtype = tuple(found.shape[: found.rank]), dtype_of(found.dtype.decode())
    if found.bytes == 0:
        return np.empty(shape, dtype)
    memory = (ctypes.c_byte * found.bytes).from_address(found.data)
    memory.outputs = outputs  # type: ignore[attr-defined,unused-ignore]
    return np.frombuffer(memory, dtype).reshape(shape)


def outputs_handle(value: int) -> Handle:
    return Handle(value, outputs_free)
