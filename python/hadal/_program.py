"""Compiled programs: ports, files, checks, time."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
from typing import Any, Iterator, Mapping, Sequence

from . import _library as library
from ._arrays import Arguments, Shapes, as_array, tensor_type
from ._chip import Chip, described
from ._report import Report

Path = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class NodeArg:
    """An input or output, as ONNX Runtime describes it: `type` is "tensor(float)" …, `shape` the extents."""

    name: str
    type: str
    shape: list[int]
    follows: str | None = None  # Of an input of state: the output whose value it has in the next run.


class Program:
    """A model compiled for a chip, or a program read from a file: made by `compile`.

    Threads may share one.
    """

    def __init__(self, handle: library.Handle):
        self._handle = handle

    @property
    def inputs(self) -> list[NodeArg]:
        outputs = self.outputs
        follows = [library.program_state(self._handle.value, i) for i in range(library.input_count(self._handle.value))]
        return [dataclasses.replace(port, follows=outputs[output].name if output < len(outputs) else None)
                for port, output in zip(self._ports(library.input_count, library.program_input), follows)]

    @property
    def outputs(self) -> list[NodeArg]:
        return self._ports(library.output_count, library.program_output)

    def simulate(self) -> Report:
        """How long a run takes on the chip, and why. Deterministic. Errors: HadalError."""
        return Report(library.json_from(library.program_simulate, self._handle.value))

    def check(self) -> None:
        """Raises HadalError (race.R1, race.R2, race.R3, sync.R1, sync.C1 …) where some order of queues, cores and transfers
        could change a value, with both instructions, the model's nodes and the bytes."""
        library.check(library.program_check(self._handle.value))

    def save(self, file: Path) -> None:
        """Writes a program file, which `compile`, InferenceSession and `hadal run` read."""
        library.check(library.program_save(self._handle.value, os.fsencode(file)))

    def _ports(self, count: Any, get: Any) -> list[NodeArg]:
        ports = []
        for i in range(count(self._handle.value)):
            port = library.Array()
            get(self._handle.value, i, ctypes.byref(port))
            ports.append(NodeArg(port.name.decode(), tensor_type(port.dtype.decode()), port.shape[: port.rank]))
        return ports

    def __repr__(self) -> str:
        shown = lambda ports: ", ".join(f"{p.name}: {p.type[7:-1]}{p.shape}" for p in ports)
        return f"<hadal.Program: ({shown(self.inputs)}) -> ({shown(self.outputs)})>"


def compile(model: Path, chip: str | os.PathLike[str] | Chip | None = None, *, precision: str | None = None,
            profile: str | None = None, shapes: Mapping[str, Sequence[int]] | None = None,
            values: Mapping[str, Any] | None = None, threads: int = 0, numerics: str = "fast", memory: str = "fast",
            memory_limit: int = 0, weights: bool = True, state: Mapping[str, str] | None = None) -> Program:
    """Compiles a .onnx model, or reads a program: its file, or its text (.hasm).

    chip: a shipped chip's name, a file, or a Chip; None: the program's own, else hadal-1.
    precision: of stored floats, "bf16" …; None: the model's.
    profile: measured software whose habits to keep, "tpu-v3-xla" …
    shapes: of inputs with symbolic extents, which are else 1: {"x": (1, 3, 224, 224)}.
    values: arrays of inputs whose values decide shapes.
    threads: of this computer; 0: all. They change neither values nor cycles.
    numerics, memory: "fast", or "exact": values by plain loops in a fixed order; DRAM command by command.
    memory_limit: bytes of this computer; 0: 80 % of what is usable.
    weights: False where only the time is wanted: they may then be absent.
    state: inputs that a session's next run finds as this one leaves an output, {"past": "present"}; a * in both names
        stands for the same text.

    Nodes of operators that hadal.register_kernel has named compile with their kernels.

    Errors: HadalError, with the place in the model, the chip or the text; KernelError of a kernel.
    """
    handle = ctypes.c_void_p()
    with options_of(chip, precision=precision, profile=profile, shapes=shapes, values=values, threads=threads,
                    numerics=numerics, memory=memory, memory_limit=memory_limit, weights=weights, state=state) as options:
        library.check(library.program_load(os.fsencode(model), ctypes.byref(options), ctypes.byref(handle)))
    return Program(library.Handle(handle.value or 0, library.program_free))


@contextlib.contextmanager
def options_of(chip: str | os.PathLike[str] | Chip | None = None, *, precision: str | None = None,
               profile: str | None = None, shapes: Mapping[str, Sequence[int]] | None = None,
               values: Mapping[str, Any] | None = None, threads: int = 0, numerics: str = "fast", memory: str = "fast",
               memory_limit: int = 0, weights: bool = True,
               state: Mapping[str, str] | None = None) -> Iterator[library.Options]:
    """The options of `compile`, for a call that compiles. An error of a kernel, which the library only hands on, is raised
    as it was."""
    for name, choice in (("numerics", numerics), ("memory", memory)):
        if choice not in ("fast", "exact"):
            raise ValueError(f'{name} is "fast" or "exact", found {choice!r}')
    arrays = Arguments({name: as_array(name, value) for name, value in (values or {}).items()})
    only_shapes = Shapes({name: tuple(shape) for name, shape in (shapes or {}).items() if name not in (values or {})})
    given = (library.Array * max(1, arrays.count + len(only_shapes.list)))(*arrays.list[: arrays.count], *only_shapes.list)
    text = lambda value: value.encode() if value else None
    states = [library.State(source.encode(), output.encode()) for source, output in (state or {}).items()]
    from ._register import Answers  # Which knows kernels, and these programs.

    with described(chip) as name:
        kernels = Answers(name or "hadal-1")
        options = library.Options(os.fsencode(name) or None, text(profile), text(precision), given,
                                  arrays.count + len(only_shapes.list), threads, not weights, numerics == "exact",
                                  memory == "exact", memory_limit, kernels.pointer,
                                  (library.State * max(1, len(states)))(*states), len(states))
        try:
            yield options
        except library.HadalError:
            kernels.raise_error()
            raise


def simulate(model: Path | Program, chip: str | os.PathLike[str] | Chip | None = None, **options: Any) -> Report:
    """How long a model takes on a chip. `options` are those of `compile`. Errors: HadalError."""
    if isinstance(model, Program):
        return model.simulate()
    return compile(model, chip, weights=False, **options).simulate()
