"""The report in README.md and docs/debugger.md is what the command beside it prints, and what its and other pages' Python prints;
HADAL_UPDATE=1 rewrites them."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
from printed import hold

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(<!-- report: (.*?) -->\n```\n)(.*?)(```\n)", re.DOTALL)

PYTHON = re.compile(r"<!-- python -->\n```python\n(.*?)```\n```\n(.*?)```\n", re.DOTALL)


def compare(page, found, group, printed):
    text = page.read_text()
    if (held := hold(text, found.start(group), found.end(group), printed)) != text:
        page.write_text(held)


@pytest.mark.parametrize("name", ["README.md", "docs/state.md", "docs/debugger.md"])
def test_the_python_of_a_page_prints_so(hadal, name):
    page = ROOT / name
    found = PYTHON.search(page.read_text())
    library = pathlib.Path(hadal.binary).parents[1] / "libhadal.so"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "HADAL_LIBRARY": str(library)}
    done = subprocess.run([sys.executable, "-c", found[1]], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    compare(page, found, 2, done.stdout)


@pytest.mark.parametrize("command", ["run", "explain"])
def test_the_report_in_the_readme_is_printed_so(hadal, command):
    page = ROOT / "README.md"
    found = next((block for block in BLOCK.finditer(page.read_text()) if block[2].startswith(command)), None)
    assert found, f"README.md shows no report of hadal {command}"
    printed = hadal.ok(*found[2].split(), cwd=ROOT).out
    printed = printed.split("simulator:")[0].rstrip() + "\n"  # This computer's own seconds differ from run to run.
    compare(page, found, 3, printed)


def test_what_the_debugger_prints_is_printed_so(hadal):
    page = ROOT / "docs/debugger.md"
    blocks = len(BLOCK.findall(page.read_text()))
    assert blocks, f"{page} shows nothing that is printed"
    for number in range(blocks):
        found = list(BLOCK.finditer(page.read_text()))[number]
        compare(page, found, 3, hadal.ok(*shlex.split(found[2]), cwd=ROOT).out)
