"""Times the kernels of kernels/ on a chip, and prints the table of docs/kernels.md: kernels.py [CHIP]

The share is of the roofline: the least cycles that the products (of visible pairs alone, for causal attention) and the bytes
of inputs and outputs take, of the cycles from the launch to the last store.
"""

import private_python  # noqa: F401  First: goes on in the project's Python.

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("HADAL_LIBRARY", str(ROOT / "build/release/libhadal.so"))
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "kernels")]

import hadal as hd  # noqa: E402
from add_gelu import add_gelu  # noqa: E402
from attention import attention  # noqa: E402
from matmul import matmul  # noqa: E402
from norms import layer_norm, rms_norm  # noqa: E402
from rotary import rotary  # noqa: E402
from softmax import softmax  # noqa: E402
from swiglu import feed_forward, swiglu  # noqa: E402


@hd.kernel("T[N] -> T[N]")
def copy(x, y, *, size=65536):
    """What memory gives at best to reads and as many writes."""
    for i in hd.grid((x.shape[0], size)):
        hd.store(y[i], hd.load(x[i]))


HEADS, ROWS = 32, 4096
QKV = [f"bf16[{HEADS},{ROWS},128]", f"bf16[8,{ROWS},128]", f"bf16[8,{ROWS},128]"]
# Kernel, arguments, parameters, and what of the products counts.
ROWS_OF_TABLE = [
    (matmul, ["bf16[4096,4096]"] * 2, {}, 1),
    (matmul, ["f32[2048,2048]"] * 2, {}, 1),
    (swiglu, ["bf16[4096,4096]", "bf16[4096,8192]", "bf16[4096,8192]"], {}, 1),
    (feed_forward, ["bf16[2048,4096]", "bf16[4096,8192]", "bf16[4096,8192]", "bf16[8192,4096]"], {}, 1),
    (attention, QKV, {"causal": False}, 1),
    (attention, QKV, {}, None),
    (softmax, ["bf16[8192,4096]"], {}, 1),
    (layer_norm, ["bf16[8192,4096]", "bf16[4096]", "bf16[4096]"], {}, 1),
    (rms_norm, ["bf16[8192,4096]", "bf16[4096]"], {}, 1),
    (rotary, ["bf16[65536,128]", "bf16[65536,64]", "bf16[65536,64]"], {}, 1),
    (add_gelu, ["bf16[16777216]"] * 2, {}, 1),
    (copy, ["bf16[33554432]"], {}, 1),
]


def row(kernel, arguments, parameters, counts, chip):
    report = kernel.simulate(*arguments, chip=chip, **parameters)
    layers = report.layers
    if counts is None:  # Two products for each pair of a query and a key that it sees.
        counts = HEADS * ROWS * (ROWS + 1) / 2 * 2 * 128 / layers[0]["macs"]
    name = kernel.__name__ + "".join(f", {k}={v}" for k, v in parameters.items())
    share = counts * sum(layer["roofline_cycles"] for layer in layers) / report.cycles
    bound = max(layers, key=lambda layer: layer["cycles"])["bound"]
    return f"| `{name}` | {', '.join(arguments)} | {report.cycles:,} | {100 * share:.1f} % | {bound} |"


def table(chip):
    head = ["| kernel | arguments | cycles | roofline | bound by |", "|---|---|---|---|---|"]
    return "\n".join(head + [row(*each, chip) for each in ROWS_OF_TABLE]) + "\n"


if __name__ == "__main__":
    print(table(sys.argv[1] if len(sys.argv) > 1 else "hadal-1"), end="")
