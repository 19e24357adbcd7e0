"""Every command in docs/tutorial.md works as it stands there."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs/tutorial.md"


def blocks():
    return re.findall(r"^```sh\n(.*?)^```", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A folder that looks like a clone to the commands, in which they may write."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name in ["models", "chips", "docs", "tests", "bench", "scripts"]:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    return folder


def test_commands_of_the_tutorial_work(hadal, clone):
    """The blocks run in order in one folder: later ones may use what earlier ones wrote. ./run is hadal there."""
    run = clone / "run"
    run.write_text(f'#!/bin/sh\nexec "{hadal.binary}" "$@"\n')
    run.chmod(0o755)
    commands = [block for block in blocks() if not re.search(r"^\./(run|test)\s*$", block, re.MULTILINE)]
    assert commands, "the tutorial shows no commands"
    path = f"{pathlib.Path(hadal.binary).parent}{os.pathsep}{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    for block in commands:
        done = subprocess.run([shutil.which("bash"), "-euo", "pipefail", "-c", block], cwd=clone,
                              env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
