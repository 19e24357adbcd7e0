"""The `hadal` fixture runs the command under test; HADAL names the binary (default: the release build)."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
sys.path.insert(0, str(ROOT / "bench"))
signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell starts background work with interrupts ignored.


@dataclasses.dataclass
class Outcome:
    """How one run of the command ended."""

    code: int
    out: str
    err: str

    def report(self):
        """The JSON that `--json -` printed."""
        return json.loads(self.out)


class Hadal:
    def __init__(self, binary):
        self.binary = binary

    def __call__(self, *arguments, timeout=120, **options):
        """Runs `hadal ARGUMENTS...` and returns its Outcome, whatever it is."""
        command = [self.binary, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, timeout=timeout, **options)
        decode = lambda data: data.decode("utf-8", "backslashreplace")
        return Outcome(done.returncode, decode(done.stdout), decode(done.stderr))

    def ok(self, *arguments, **options):
        """The same for a run that must succeed."""
        outcome = self(*arguments, **options)
        assert outcome.code == 0, f"hadal {' '.join(map(str, arguments))}\n{outcome.out}\n{outcome.err}"
        return outcome


@pytest.fixture(scope="session")
def hadal():
    binary = os.environ.get("HADAL", str(ROOT / "build/release/bin/hadal"))
    if not os.path.exists(binary):
        pytest.fail(f"{binary} is not built; scripts/build release builds it, or HADAL names another")
    return Hadal(binary)


REFERENCE = ROOT / "bench/reference"


def some_rows(name, numbers, folder):
    """A file with these rows (from 1) of one of bench/reference."""
    header, *rows = (REFERENCE / name).read_text().splitlines()
    file = folder / name
    file.write_text("\n".join([header, *(rows[number - 1] for number in numbers)]) + "\n")
    return file
