"""The report in README.md is what the command beside it prints, and what its Python prints; HADAL_UPDATE=1 rewrites it."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(<!-- report: (.*?) -->\n```\n)(.*?)(```\n)", re.DOTALL)

PYTHON = re.compile(r"<!-- python -->\n```python\n(.*?)```\n```\n(.*?)```\n", re.DOTALL)


def compare(page, found, group, printed):
    text = page.read_text()
    if os.environ.get("HADAL_UPDATE"):
        page.write_text(text[: found.start(group)] + printed + text[found.end(group) :])
    else:
        assert found[group] == printed


def test_the_python_in_the_readme_prints_so(hadal):
    page = ROOT / "README.md"
    found = PYTHON.search(page.read_text())
    library = pathlib.Path(hadal.binary).parents[1] / "libhadal.so"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "HADAL_LIBRARY": str(library)}
    done = subprocess.run([sys.executable, "-c", found[1]], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    compare(page, found, 2, done.stdout)


def test_the_report_in_the_readme_is_printed_so(hadal):
    page = ROOT / "README.md"
    text = page.read_text()
    found = BLOCK.search(text)
    assert found, "README.md shows no report"
    printed = hadal.ok(*found[2].split(), cwd=ROOT).out
    printed = printed[: printed.index("simulator:")].rstrip() + "\n"  # This computer's own seconds differ from run to run.
    compare(page, found, 3, printed)
