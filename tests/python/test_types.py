"""The types of the Python package, by mypy: of the package itself, and as its users see them."""

import re
import subprocess
import sys

import pytest
from test_package import ROOT

USER = '''
import numpy as np
import hadal as hd

@hd.kernel("T[M,K], T[K,N] -> T[M,N]", where={"T": "f32 bf16"}, tune={"bm": [64, 128]})
def matmul(a: hd.Tensor, b: hd.Tensor, c: hd.Tensor, *, bm: int = 64) -> None:
    (M, K), N = a.shape, b.shape[1]
    for m, n in hd.grid((M, bm), (N, 64)):
        acc, t = hd.accumulator(m, n), hd.zeros((m, n))
        for k in hd.tiles(K, 128, depth=2):
            acc += hd.load(a[m, k]) @ hd.load(b[k, n])
            t += hd.sum(hd.load(a[m, k]), axis=1)
        hd.store(c[m, n], hd.relu(acc * t + 1.0).to(c.dtype))

@hd.kernel("T[M,N], f32[N] -> T[M,N]")
def by_hand(x: hd.Tensor, gamma: hd.Tensor, y: hd.Tensor, *, rows: int = 64) -> None:
    ring, free, full = hd.ring(2, (rows, x.shape[1]), x.dtype), hd.semaphore(2), hd.semaphore()
    row = hd.load(gamma)
    for m in hd.grid((x.shape[0], rows)):
        t = hd.tile((m, x.shape[1]))
        with hd.manual():
            slot = ring[hd.step(), m, x.shape[1]]
            hd.load(x[m, :], out=slot, wait=free, signal=[full, 2 * full])
            hd.isa.norm(slot, row, out=t, kind="rms", epsilon=1e-6, wait=3 * full, signal=free)
            hd.isa.sync(on="store", signal=free.everywhere)
        both = hd.isa.matmul(t.to("bf16"), hd.isa.softmax(t, dims=t.shape).T, dims=(m, m), transpose_a=0)
        hd.store(y[m, :], (both * 2).to(y.dtype))

def measure() -> tuple[int, float]:
    session = hd.InferenceSession("m.onnx", chip=hd.Chip("hadal-1", cores=4), precision="bf16")
    y, = session.run(None, {"x": np.ones(3)})
    report = session.simulate() if len(y) > 1 else session.program.simulate()
    out, timed = matmul.run(np.ones((3, 3)), np.ones((3, 3)), chip="hadal-edge")
    tuned = hd.tune(matmul, ["f32[8,8]", "f32[8,8]"], tries=3, cache="tuned.jsonl")
    with hd.register_kernel("MatMul", matmul, when=lambda node: len(node.inputs) == 2, parameters=lambda node: tuned.best):
        hd.compile("m.onnx", shapes={"x": (1, 3)}).save("m.hadal")
    print(session.get_inputs()[0].shape, report.layers[0]["name"], hd.chips(), tuned.speedup)
    debug: hd.Debugger = hd.debug(session.program, {"x": np.ones(3)})
    print(debug("break nan").upper())
    return timed.cycles, report.seconds
'''

# What a beginner gets wrong, and what mypy says of it.
WRONG = [
    ('hd.InferenceSession()', "call-arg"),
    ('hd.compile("m.onnx", numeric="exact")', "call-arg"),
    ('hd.simulate("m.onnx").cycles.seconds', "attr-defined"),
    ('hd.kernel(3)', "arg-type"),
    ('hd.debug("m.onnx")(3)', "arg-type"),
    ('hd.tiles("64", 8)', "arg-type"),
    ('hd.semaphore("two")', "arg-type"),
    ('hd.isa.sofmax()', "attr-defined"),
    ('hd.isa.sync(on="lanes")', "arg-type"),
    ('hd.isa.sync(on="load", wait=2)', "arg-type"),
    ('hd.tune(print, ["f32[8,8]"])', "arg-type"),
    ('hd.register_kernel("Softmax", matmul, when=3)', "arg-type"),
    ('hd.InferenceSession("m.onnx").get_inputs()[0].dtype', "attr-defined"),
]


def mypy(*arguments):
    return subprocess.run([sys.executable, "-m", "mypy", "--cache-dir", str(ROOT / "build/mypy"), *arguments],
                          capture_output=True, text=True, cwd=ROOT / "python")


def test_types_of_the_package():
    done = mypy("--disallow-untyped-defs", "--disallow-any-generics", "--check-untyped-defs", "hadal")
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_that_users_see(tmp_path):
    """All of a program is typed; each mistake is found at its line, and nothing else."""
    file = tmp_path / "user.py"
    file.write_text(USER + "".join(f"{line}\n" for line, _ in WRONG))
    done = mypy("--strict", "--follow-imports=silent", str(file))
    found = re.findall(r"user\.py:(\d+): error: .*\[([\w-]+)\]", done.stdout)
    first = USER.count("\n") + 1
    assert found == [(str(first + i), code) for i, (_, code) in enumerate(WRONG)], done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["kernels"])
def test_shipped_files_are_python_that_mypy_reads(folder):
    files = sorted(map(str, (ROOT / folder).glob("*.py")))
    done = mypy("--follow-imports=silent", *files)
    assert done.returncode == 0, done.stdout + done.stderr
