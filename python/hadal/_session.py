"""Values, as ONNX Runtime's InferenceSession gives them."""

from __future__ import annotations

import ctypes
import threading
from typing import Any, Mapping, Sequence

import numpy as np

from . import _library as library
from ._arrays import Arguments, as_array, output, outputs_handle
from ._program import NodeArg, Path, Program, compile


class InferenceSession:
    """A model ready to compute, on a chip: InferenceSession("model.onnx", chip="hadal-1").

    Takes a .onnx file, a program file or a Program, and the options of `compile`. Threads may share a session: their runs
    follow one another. A process forked from the one that made it cannot run it, and makes its own.

    With state={"past.*": "present.*"}, inputs that no run is given are what the last one left in those outputs, at first
    zeros. They stay in the chip's memory: a decoder runs token after token, and its cache moves nowhere.
    """

    def __init__(self, model: Path | Program, chip: Any = None, **options: Any):
        if isinstance(model, Program) and (chip is not None or options):
            raise TypeError("a Program is compiled already: it takes neither chip nor options")
        self.program = model if isinstance(model, Program) else compile(model, chip, **options)
        handle = ctypes.c_void_p()
        library.check(library.session_new(self.program._handle.value, ctypes.byref(handle)))
        self._handle = library.Handle(handle.value or 0, library.session_free)
        self._inputs, self._outputs = self.program.inputs, self.program.outputs

    def get_inputs(self) -> list[NodeArg]:
        return self._inputs

    def get_outputs(self) -> list[NodeArg]:
        return self._outputs

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any]) -> list[np.ndarray]:
        """Computes the outputs named, or all but the state for None.

        input_feed: an array for every input but the state, by name: NumPy's, or anything with the buffer protocol or DLPack in this
        computer's memory. Dense row-major arrays of the input's type are read where they are, also read-only ones; others
        are copied. Outputs are arrays over the machine's own memory, which later runs leave alone.

        Errors: HadalError with input.name, input.missing, input.shape, input.type, output.name; those of the program.
        KeyboardInterrupt ends a run; the session stays usable.
        """
        numbers = self._numbers(output_names)
        states = {port.follows for port in self._inputs}
        if output_names is None:
            numbers = [i for i in numbers if self._outputs[i].name not in states]
        arguments = Arguments({name: as_array(name, value) for name, value in input_feed.items()})
        outputs = outputs_handle(self._run(arguments))
        state = self._copied_state() if any(self._outputs[i].name in states for i in numbers) else outputs
        return [output(state if self._outputs[i].name in states else outputs, i) for i in numbers]

    def state(self) -> dict[str, np.ndarray]:
        """A copy of what the next run finds, by the inputs' names."""
        copies, names = self._copied_state(), [port.name for port in self._outputs]
        return {port.name: output(copies, names.index(port.follows)) for port in self._inputs if port.follows is not None}

    def reset(self) -> None:
        """All state is zeros again."""
        library.check(library.session_reset(self._handle.value))

    def _copied_state(self) -> library.Handle:
        handle = ctypes.c_void_p()
        library.check(library.session_state(self._handle.value, ctypes.byref(handle)))
        return outputs_handle(handle.value or 0)

    def simulate(self) -> Any:
        """How long a run takes on the chip: a Report."""
        return self.program.simulate()

    def _numbers(self, names: Sequence[str] | None) -> list[int]:
        known = [port.name for port in self._outputs]
        for name in names or []:
            if name not in known:
                raise library.HadalError("output.name", f'the model has no output "{name}"', "", f"its outputs are {known}")
        return [known.index(name) for name in names] if names is not None else list(range(len(known)))

    def _run(self, arguments: Arguments) -> int:
        """The main thread alone gets Ctrl-C, and only between calls: there another thread runs, so that it can end the run."""
        if self._handle.is_forked:
            raise library.HadalError("session.fork", "the session was made before this process was forked", "",
                                     "make another InferenceSession in this process")
        handle, status, done = ctypes.c_void_p(), [], threading.Event()

        def call() -> None:
            try:
                status.append(library.session_run(self._handle.value, arguments.list, arguments.count, ctypes.byref(handle)))
            finally:
                done.set()

        if threading.current_thread() is not threading.main_thread():
            call()
        else:
            thread = threading.Thread(target=call, name="hadal-run")
            thread.start()
            try:
                done.wait()  # Not `join`, which takes an interrupted thread for one that has ended (Python 3.11).
                thread.join()
            except BaseException:
                while not done.wait(0.005):  # A run that only begins now has not seen the last one.
                    library.session_cancel(self._handle.value)
                self._drop(status[0], handle)
                raise
        library.check(status[0])
        return handle.value or 0

    @staticmethod
    def _drop(status: Any, handle: ctypes.c_void_p) -> None:
        """What an interrupted run has left: an error, or outputs."""
        try:
            library.check(status)
            outputs_handle(handle.value or 0)
        except library.HadalError:
            pass
