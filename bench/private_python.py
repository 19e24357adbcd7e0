"""Imported first by the programs here: goes on in the project's private Python, where their packages are."""

import os
import pathlib
import sys

home = pathlib.Path(__file__).resolve().parent.parent / ".venv"
if pathlib.Path(sys.prefix) != home:
    python = home / "bin/python"
    if not python.exists():
        sys.exit(f"{python} is missing: run scripts/setup")
    os.execv(python, [str(python), *sys.argv])
