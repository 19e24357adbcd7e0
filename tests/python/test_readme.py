"""The report in README.md is what the command beside it prints; HADAL_UPDATE=1 rewrites it."""

import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(<!-- report: (.*?) -->\n```\n)(.*?)(```\n)", re.DOTALL)


def test_the_report_in_the_readme_is_printed_so(hadal):
    page = ROOT / "README.md"
    text = page.read_text()
    found = BLOCK.search(text)
    assert found, "README.md shows no report"
    printed = hadal.ok(*found[2].split(), cwd=ROOT).out
    printed = printed[: printed.index("simulator:")].rstrip() + "\n"  # This computer's own seconds differ from run to run.
    if os.environ.get("HADAL_UPDATE"):
        page.write_text(text[: found.start(3)] + printed + text[found.end(3) :])
    else:
        assert found[3] == printed
