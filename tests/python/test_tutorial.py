"""Every command in docs/tutorial.md, docs/debugger.md and docs/add_instruction.md works as it stands there."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ["docs/tutorial.md", "docs/debugger.md", "docs/add_instruction.md"]


def blocks(page):
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def clone(tmp_path):
    """A folder that looks like a clone to the commands, in which they may write."""
    for name in ["models", "chips", "docs", "tests", "bench", "scripts", ".venv"]:
        if (ROOT / name).exists():
            (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_work(hadal, clone, page):
    """The blocks run in order in one folder: later ones may use what earlier ones wrote. ./run is hadal there."""
    run = clone / "run"
    run.write_text(f'#!/bin/sh\nexec "{hadal.binary}" "$@"\n')
    run.chmod(0o755)
    commands = [block for block in blocks(page) if not re.search(r"^\./(run|test)\s*$", block, re.MULTILINE)]
    assert commands, f"{page} shows no commands"
    path = f"{pathlib.Path(hadal.binary).parent}{os.pathsep}{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    for block in commands:
        done = subprocess.run([shutil.which("bash"), "-euo", "pipefail", "-c", block], cwd=clone,
                              env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    compare_files(ROOT / page, clone)


def compare_files(page, folder):
    """What a page shows of a file that its commands have written; HADAL_UPDATE=1 rewrites it."""
    shown = re.compile(r"(<!-- file: (\S+) -->\n```\n)(.*?)(```\n)", re.DOTALL)
    if os.environ.get("HADAL_UPDATE"):
        page.write_text(shown.sub(lambda found: found[1] + (folder / found[2]).read_text() + found[4], page.read_text()))
    for found in shown.finditer(page.read_text()):
        assert found[3] == (folder / found[2]).read_text()
