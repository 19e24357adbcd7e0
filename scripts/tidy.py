"""Runs clang-tidy on the sources that changed since they last passed: tidy.py BUILD_FOLDER

A source has passed when a stamp exists whose name is the hash of everything that decides the outcome: its text, the
project headers that it reaches, its compile command, the checks and the version of clang-tidy.
"""

import concurrent.futures
import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import sys
from importlib.resources import files

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src"
TIDY = files("clang_tidy") / "data/bin/clang-tidy"


@functools.cache
def includes(file):
    """The project headers that a file names. Include paths start at src/."""
    names = re.findall(r'^\s*#\s*include\s+"([^"]+)"', file.read_text(), re.MULTILINE)
    return [SOURCES / name for name in names if (SOURCES / name).is_file()]


def reached(file):
    """The file and every project header that it includes, directly or not, sorted."""
    seen, todo = set(), [file]
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo += includes(at)
    return sorted(seen)


def key(file, command):
    digest = hashlib.sha256()
    for part in [importlib.metadata.version("clang-tidy"), (ROOT / ".clang-tidy").read_text(), command]:
        digest.update(part.encode() + b"\0")
    for part in reached(file):
        digest.update(part.read_bytes() + b"\0")
    return digest.hexdigest()


@functools.cache
def last_headers():
    """The folder of GCC's own headers: behind all others, for omp.h, which clang has in a package of its own."""
    done = subprocess.run(["g++", "-print-file-name=include"], capture_output=True, text=True)
    return done.stdout.strip()


def check(file, build):
    done = subprocess.run(
        [TIDY, "-p", str(build), "--quiet", f"--extra-arg=-idirafter{last_headers()}",
         "--extra-arg=-w", str(file)],  # -w: warnings are the compiler's business
        capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


def main(build):
    stamps = build.parent / "tidy"
    stamps.mkdir(exist_ok=True)
    commands = json.loads((build / "compile_commands.json").read_text())
    sources = {pathlib.Path(c["file"]): c["command"] for c in commands}
    todo = {f: stamps / key(f, command) for f, command in sorted(sources.items()) if SOURCES in f.parents}
    todo = {f: stamp for f, stamp in todo.items() if not stamp.exists()}
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {pool.submit(check, f, build): f for f in todo}
        for count, run in enumerate(concurrent.futures.as_completed(runs), 1):
            file, (ok, text) = runs[run], run.result()
            print(f"[{count}/{len(todo)}] {file.relative_to(ROOT)}{'' if ok else ' FAILED'}", flush=True)
            if ok:
                todo[file].touch()
            else:
                failed += 1
                print(text, flush=True)
    print(f"clang-tidy: {len(todo)} files checked, {failed} with findings")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
