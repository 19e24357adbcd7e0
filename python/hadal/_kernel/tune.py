"""The fastest parameters of a kernel, by the timing machine."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import itertools
import json
import os
import sys
import threading
from typing import Any, Mapping, Sequence, TextIO

from .. import _library as library
from .._chip import described
from .._program import Path
from .errors import KernelError
from .launch import Kernel, spec_of
from .signature import Spec

_BATCH = 8  # Trials side by side, of which the best decides where to go on: the same on every computer.


@dataclasses.dataclass
class Trial:
    """What one choice of parameters takes: cycles in all and for each problem, the share of the roofline, what bounds the
    longest layer; or why it is refused, `cycles` then being None."""

    parameters: dict[str, Any]
    cycles: int | None
    each: list[int]
    roofline: float
    bound: str
    is_default: bool = False

    def row(self) -> dict[str, Any]:
        """As pandas.DataFrame takes it."""
        return {**self.parameters, "cycles": self.cycles, "roofline": self.roofline, "bound": self.bound}


class Tuned:
    """What `tune` has found: `best` are parameters for the kernel, `trials` all that was tried, fastest first; `speedup` is the
    time of the kernel's own parameters by the best. str() is a table."""

    def __init__(self, kernel: str, trials: list[Trial]):
        self._kernel = kernel
        self.trials = sorted(trials, key=lambda t: (t.cycles is None, t.cycles))
        self.best, self.cycles = self.trials[0].parameters, self.trials[0].cycles
        default = next((t.cycles for t in trials if t.is_default), None)
        self.speedup: float | None = default / self.cycles if default and self.cycles else None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The trials as dicts, for pandas.DataFrame."""
        return [trial.row() for trial in self.trials]

    def __str__(self) -> str:
        names = list(self.best)
        lines = [[*names, "cycles", "roofline", "bound by"]]
        for t in self.trials:
            figures = [f"{t.cycles:,}", f"{100 * t.roofline:.1f} %"] if t.cycles else ["refused", ""]
            lines.append([*(str(t.parameters[n]) for n in names), *figures, t.bound + (", default" if t.is_default else "")])
        widths = [max(map(len, column)) for column in zip(*lines)]
        text = ["  ".join(cell.rjust(width) for cell, width in zip(line[:-1], widths)) + "  " + line[-1] for line in lines]
        gain = f", {self.speedup:.2f} x as fast as the default" if self.speedup else ""
        return "\n".join([f"{self._kernel}: {len(self.trials)} tried{gain}", *text])

    def __repr__(self) -> str:
        return f"<hadal.Tuned {self._kernel}: {self.best}, {self.cycles:,} cycles>"


class _Cache:
    """A file of lines, one for each tile program that was timed: what an interrupted search has found stays found."""

    def __init__(self, file: Path | None):
        self._file, self._known, self._lock = file, {}, threading.Lock()
        if file is not None and os.path.exists(file):
            with open(file, encoding="utf-8") as lines:
                for line in lines:
                    try:
                        row = json.loads(line)
                        self._known[row["key"]] = row
                    except (ValueError, KeyError, TypeError):
                        continue  # The line that an interruption has cut.

    def find(self, key: str) -> dict[str, Any] | None:
        return self._known.get(key)

    def keep(self, row: dict[str, Any]) -> None:
        with self._lock:
            if self._known.setdefault(row["key"], row) is row and self._file is not None:
                with open(self._file, "a", encoding="utf-8") as lines:
                    lines.write(json.dumps(row) + "\n")


class _Progress:
    """A line of a terminal that is written again and again; nothing elsewhere."""

    def __init__(self, name: str, total: int, stream: TextIO):
        self._name, self._total, self._stream, self._done = name, total, stream, 0
        self._shows = stream.isatty()

    def step(self, best: Trial | None) -> None:
        self._done += 1
        if not self._shows:
            return
        bar = "#" * (24 * self._done // self._total)
        found = f"  best {best.cycles:,} cycles" if best else ""
        self._stream.write(f"\r{self._name} [{bar:24}] {self._done}/{self._total}{found}")
        self._stream.flush()

    def close(self) -> None:
        if self._shows:
            self._stream.write("\n")


class _Space:
    """Choices for parameters. Distance counts steps along the lists."""

    def __init__(self, choices: Mapping[str, Sequence[Any]], defaults: Mapping[str, Any]):
        self.names = list(choices)
        self._choices = {name: list(values) for name, values in choices.items()}
        self.all = [dict(zip(self.names, values)) for values in itertools.product(*self._choices.values())]
        self.default = {name: defaults[name] for name in self.names} if set(self.names) <= set(defaults) else None
        if self.default is not None and self.default not in self.all:
            self.all.append(self.default)

    def _at(self, name: str, value: Any) -> int:
        values = self._choices[name]
        if value in values:
            return values.index(value)
        return sum(v < value for v in values if isinstance(v, type(value)))  # A default that no list has.

    def distance(self, a: Mapping[str, Any], b: Mapping[str, Any]) -> int:
        return sum(abs(self._at(name, a[name]) - self._at(name, b[name])) for name in self.names)


class _Search:
    """Times choices of parameters."""

    def __init__(self, kernel: Kernel, problems: list[list[Spec]], chip: str, parameters: dict[str, Any], cache: _Cache):
        self._kernel, self._problems, self._chip, self._parameters, self._cache = kernel, problems, chip, parameters, cache
        fields = [(row["name"], row["value"]) for row in library.json_from(library.describe_chip, os.fsencode(chip))]
        self._salt = repr((library.version(), fields)).encode()

    def trial(self, choice: dict[str, Any]) -> Trial:
        """Errors of the kernel with these parameters are its result."""
        try:
            found = [self._time(problem, {**self._parameters, **choice}) for problem in self._problems]
        except library.HadalError as error:  # Of the trace.
            found = [{"error": error.code}]
        if refused := next((row["error"] for row in found if "error" in row), None):
            return Trial(choice, None, [], 0, refused)
        each = [row["cycles"] for row in found]
        longest = max(found, key=lambda row: row["cycles"])
        return Trial(choice, sum(each), each, sum(row["roofline"] for row in found) / sum(each), longest["bound"])

    def _time(self, problem: list[Spec], parameters: dict[str, Any]) -> dict[str, Any]:
        text, emitter = self._kernel._traced(problem, self._chip, parameters)
        key = hashlib.sha256(self._salt + text).hexdigest()
        row = self._cache.find(key)
        if row is None:
            row = {"key": key, "kernel": self._kernel.__name__, "parameters": repr(parameters)}
            try:
                report = self._kernel._lowered(text, emitter, self._chip).simulate()
                longest = max(report.layers, key=lambda layer: layer["cycles"])
                row |= {"cycles": report.cycles, "bound": longest["bound"],
                        "roofline": sum(layer["roofline_cycles"] for layer in report.layers)}
            except library.HadalError as error:
                row["error"] = error.code
            self._cache.keep(row)
        return row

    def run(self, space: _Space, tries: int, jobs: int, progress: _Progress) -> list[Trial]:
        """The default first, then what is nearest to the best so far."""
        pending, done = list(space.all), list[Trial]()
        best: Trial | None = None
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            while pending and len(done) < tries:
                near = best.parameters if best else space.default or pending[0]
                pending.sort(key=lambda choice: space.distance(choice, near))  # Stable: of equals, the first listed.
                batch, pending = pending[: min(_BATCH, tries - len(done))], pending[min(_BATCH, tries - len(done)) :]
                futures = [pool.submit(self.trial, choice) for choice in batch]
                try:
                    for future in futures:
                        trial = future.result()
                        trial.is_default = trial.parameters == space.default
                        done.append(trial)
                        if trial.cycles is not None and (best is None or trial.cycles < (best.cycles or 0)):
                            best = trial
                        progress.step(best)
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        return done


def tune(kernel: Kernel, shapes: Sequence[Any], chip: Any = "hadal-1", *, space: Mapping[str, Sequence[Any]] | None = None,
         tries: int | None = None, jobs: int | None = None, cache: Path | None = None, progress: TextIO | None = None,
         **parameters: Any) -> Tuned:
    """The parameters with which a kernel takes the fewest cycles: tune(matmul, ["bf16[1024,1024]", "bf16[1024,1024]"]).best.

    shapes: the arguments of a problem, as types in text or arrays; or a list of problems, of which the sum counts.
    space: choices by parameter; None: those that the kernel declares, @hd.kernel(..., tune={"bm": [128, 256]}).
    tries: how many are timed at most, the kernel's own first, then what is nearest to the best so far; None: all.
    jobs: side by side; None: as many as this computer has cores. They change no result.
    cache: a file that keeps what was timed, for this search when it was interrupted and for later ones. It knows a tile
    program, a chip and a version of Hadal by their hash.
    progress: a terminal that shows how far it is; None: standard error, where that is one.
    parameters: others of the kernel.

    Errors: KernelError tune.space, tune.shapes, tune.refused where no choice works; those of the launch.
    """
    space = kernel.space if space is None else space
    place = f"tune({kernel.__name__})"
    if not space or any(not list(values) for values in space.values()):
        raise KernelError("tune.space", "there is nothing to choose from", place,
                          'declare choices: @hd.kernel(..., tune={"bm": [128, 256]}), or give space={"bm": [128, 256]}')
    if unknown := [name for name in space if name not in kernel.parameters]:
        raise KernelError("tune.space", f"the kernel has no parameter {unknown[0]}", place,
                          f"its parameters are {', '.join(kernel.parameters)}")
    problems = [[spec_of(s, i) for i, s in enumerate(problem, 1)] for problem in _problems(shapes, place)]
    for problem in problems:
        kernel.signature.bind(problem, kernel.__name__, {**kernel.defaults, **parameters})
    choices = _Space(space, {**kernel.defaults, **parameters})
    tries = min(len(choices.all), tries or len(choices.all))
    shown = _Progress(kernel.__name__, tries, progress or sys.stderr)
    try:
        with described(chip) as name:
            trials = _Search(kernel, problems, name, parameters, _Cache(cache)).run(choices, tries, jobs or os.cpu_count() or 1,
                                                                                   shown)
    finally:
        shown.close()
    if all(trial.cycles is None for trial in trials):
        raise KernelError("tune.refused", f"each of {len(trials)} choices is refused, the first by {trials[0].bound}", place,
                          "compile the kernel with one of them to see the error")
    return Tuned(kernel.__name__, trials)


def _problems(shapes: Sequence[Any], place: str) -> list[Sequence[Any]]:
    if isinstance(shapes, str) or not isinstance(shapes, (list, tuple)) or not shapes:
        raise KernelError("tune.shapes", f"shapes are a problem's arguments, or a list of problems; found {shapes!r}", place,
                          '["bf16[64,64]", "bf16[64,64]"]')
    return list(shapes) if all(isinstance(problem, (list, tuple)) for problem in shapes) else [shapes]
