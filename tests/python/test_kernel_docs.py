"""docs/kernels.md, docs/fast.md and docs/add_instruction.md: their Python prints what stands beneath it, the table is that of
bench/kernels.py, what is shown of the source is there, and every word and error code listed. HADAL_UPDATE=1 rewrites what is printed."""

import contextlib
import io
import linecache
import os
import pathlib
import re
import subprocess
import sys

import pytest
from printed import hold
from test_package import LIBRARY, ROOT, hadal

PAGE, FAST, ADD = ROOT / "docs/kernels.md", ROOT / "docs/fast.md", ROOT / "docs/add_instruction.md"
BLOCK = re.compile(r"```python\n((?:(?!```).)*)```\n```\n(.*?)```\n", re.DOTALL)
EXCERPT = re.compile(r"<!-- in (\S+) -->\n```(cpp|python)\n(.*?)```\n", re.DOTALL)
TABLE = re.compile(r"(?<=<!-- table -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("page", [PAGE, FAST, ADD], ids=lambda page: page.stem)
def test_python_of_the_page_prints_so(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hadal._register, "_registered", {})
    text, names = page.read_text(), {}
    excerpts = sum(language == "python" for _, language, _ in EXCERPT.findall(text))
    assert len(re.findall("```python", text)) - excerpts == len(BLOCK.findall(text)) > 0
    for number in range(len(BLOCK.findall(text))):
        found = list(BLOCK.finditer(text))[number]
        linecache.cache["kernel.py"] = (len(found[1]), None, found[1].splitlines(True), "kernel.py")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(found[1], "kernel.py", "exec"), names)
        text = hold(text, found.start(2), found.end(2), printed.getvalue())
    if os.environ.get("HADAL_UPDATE"):
        page.write_text(text)


def test_source_that_a_page_shows_is_there():
    text = ADD.read_text()
    assert len(EXCERPT.findall(text)) == text.count("<!-- in ") > 5
    for file, _, shown in EXCERPT.findall(text):
        assert shown in (ROOT / file).read_text(), f"{file} has not:\n{shown}"


def test_figures_of_the_instructions_page_are_those_of_the_table():
    cycles, share = re.search(r"^\| `sort` \|.*?\| ([\d,]+) \| ([\d.]+ %) \|", PAGE.read_text(), re.MULTILINE).groups()
    assert f"{cycles} cycles, {share} of the roofline" in ADD.read_text()


def test_steps_of_the_page_reach_the_roofline():
    """Five steps from a fifth of it to nearly all, each further than the one before."""
    shares = [float(share) for share in re.findall(r"^([\d.]+) % of the roofline", FAST.read_text(), re.MULTILINE)]
    assert len(shares) == 6 and shares == sorted(shares) and shares[0] < 20 and shares[-1] > 85


def test_table_of_the_page_is_printed_so():
    done = subprocess.run([sys.executable, str(ROOT / "bench/kernels.py")], capture_output=True, text=True,
                          env={**os.environ, "HADAL_LIBRARY": str(LIBRARY)})
    assert done.returncode == 0, done.stderr
    text = PAGE.read_text()
    found = TABLE.search(text)
    text = hold(text, found.start(), found.end(), done.stdout)
    if os.environ.get("HADAL_UPDATE"):
        PAGE.write_text(text)


def test_words_and_errors_of_the_page_exist():
    text = PAGE.read_text()
    for word in re.findall(r"`hd\.([\w ]+)", text):
        for name in word.split():
            assert hasattr(hadal, name), name
    sources = "".join(file.read_text() for folder in ("python/hadal/_kernel", "src/tile") for file in (ROOT / folder).iterdir()
                      if file.is_file())
    codes = re.findall(r"`([a-z]+\.[a-z]+)`", text[text.index("## Errors") : text.index("## The tile program")])
    assert len(codes) > 20
    for code in codes:
        assert f'"{code}"' in sources, code


def test_every_word_has_a_docstring():
    for name in hadal._kernel.__all__:
        assert name in ("bf16", "f16", "f32", "f8e4m3", "f8e5m2") or getattr(hadal, name).__doc__, name
