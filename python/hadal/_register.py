"""Kernels that compute nodes of models."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import math
import re
from typing import Any, Callable, Mapping, Sequence

from . import _library as library
from ._kernel.launch import Kernel
from ._kernel.signature import Spec


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of a model while it is compiled: `op` is "Type" or "domain::Type"; `inputs` have `dtype` and `shape`, None where one
    is not given; `attributes` are numbers, texts and lists of numbers."""

    op: str
    name: str
    inputs: list[NodeInput | None]
    attributes: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class NodeInput:
    dtype: str
    shape: tuple[int, ...]


class Registration:
    """A kernel's place in models; `with register_kernel(...)` gives it back at the end, `remove()` at once."""

    def __init__(self, op: str, kernel: Kernel, when: Any, parameters: Any, shapes: Any, results: Any):
        self.op, self.kernel = op, kernel
        self._when, self._parameters, self._shapes, self._results = when, parameters, shapes, results

    def remove(self) -> None:
        if _registered.get(self.op) is self:
            del _registered[self.op]

    def __enter__(self) -> Registration:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def answer(self, node: Node, chip: str) -> dict[str, Any] | None:
        """What include/hadal.h asks of a node's kernel; None where it is not this one's. Errors: KernelError."""
        if self._when is not None and not self._when(node):
            return None
        given = [i for i in node.inputs if i is not None]
        shapes = [i.shape for i in given]
        if self._shapes is not None:
            shapes = [_filled(shape, i.shape) for shape, i in zip(self._shapes(node), given)]
        specs = [Spec("i32" if i.dtype == "i64" else i.dtype, shape) for i, shape in zip(given, shapes)]
        parameters = node.attributes if self._parameters is None else self._parameters(node)
        text, _ = self.kernel._traced(specs, chip, dict(parameters))
        tiles = json.loads(text)
        results = [{"dtype": port["dtype"], "shape": port["shape"]} for port in tiles["outputs"]]
        return {"name": self.kernel.__name__, "tiles": tiles, "inputs": [spec.dims for spec in specs], "results": results,
                "shapes": self._shapes_of(results, node)}

    def _shapes_of(self, results: list[dict[str, Any]], node: Node) -> list[Sequence[int]]:
        own = [result["shape"] for result in results]
        if self._results is not None:
            return [_filled(shape, was) for shape, was in zip(self._results(node), own)]
        if self._shapes is None:
            return own
        first = next(i.shape for i in node.inputs if i is not None)
        return [first if math.prod(first) == math.prod(shape) else shape for shape in own]


_registered: dict[str, Registration] = {}


def register_kernel(op: str, kernel: Kernel, *, when: Callable[[Node], bool] | None = None,
                    parameters: Callable[[Node], Mapping[str, Any]] | None = None,
                    shapes: Callable[[Node], Sequence[Sequence[int]]] | None = None,
                    results: Callable[[Node], Sequence[Sequence[int]]] | None = None) -> Registration:
    """From now on models compile with this kernel for nodes of an operator, "com.example::MyOp" or a standard one, "Softmax".

    The kernel's signature is the operator's shape inference. Numbers of i64 come to it as i32.
    when: for which nodes; others are compiled as usual. None: all.
    parameters: of the kernel, for a node; None: the node's attributes.
    shapes: in which the kernel sees the inputs, of as many elements, one extent of which may be -1:
    lambda node: [(-1, node.inputs[0].shape[-1])]. None: as they are.
    results: the shapes of results in the model; None: those of the kernel, or where `shapes` is given that of the first input,
    if it has as many elements.

    Another registration for the operator takes the place of this one. A profile keeps to the software that it describes, and
    has no kernels. Errors: ValueError; those of the kernel when a model is compiled: KernelError.
    """
    if not isinstance(op, str) or not re.fullmatch(r"([\w.]+::)?\w+", op):
        raise ValueError(f'an operator is "Type" or "domain::Type", found {op!r}')
    if not isinstance(kernel, Kernel):
        raise ValueError(f"a kernel is a function under @hadal.kernel(...), found {kernel!r}")
    _registered[op] = Registration(op, kernel, when, parameters, shapes, results)
    return _registered[op]


def _filled(shape: Sequence[int], like: Sequence[int]) -> tuple[int, ...]:
    """With the extent that -1 stands for, where there are as many elements as in `like`."""
    known = math.prod(extent for extent in shape if extent != -1)
    return tuple(math.prod(like) // max(known, 1) if extent == -1 else int(extent) for extent in shape)


class Answers:
    """The registered kernels as the library asks for them, for one compilation on a chip."""

    def __init__(self, chip: str):
        self._chip, self._registered = chip, dict(_registered)
        self._error: BaseException | None = None
        self._names = (ctypes.c_char_p * max(len(self._registered), 1))(*[op.encode() for op in self._registered])
        self._callback = library.ANSWER(self._answer)
        self._table = library.Kernels(self._names, len(self._registered), self._callback, None)

    @property
    def pointer(self) -> Any:
        return ctypes.pointer(self._table) if self._registered else None

    def _answer(self, _: Any, text: bytes, answer: Any) -> None:
        try:
            asked = json.loads(text)
            inputs = [i and NodeInput(i["dtype"], tuple(i["shape"])) for i in asked["inputs"]]
            found = self._registered[asked["op"]].answer(Node(asked["op"], asked["name"], inputs, asked["attributes"]),
                                                         self._chip)
        except BaseException as error:  # Nothing may pass through the library; `raise_error` goes on with it.
            self._error = self._error or error
            found = {"error": {"code": "kernel.python", "message": f"{type(error).__name__}: {error}"}}
        if found is not None:
            library.answer_give(answer, json.dumps(found).encode())

    def raise_error(self) -> None:
        """The exception of a kernel, where there was one."""
        if self._error is not None:
            raise self._error
