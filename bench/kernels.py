"""Times the kernels of kernels/ on a chip, and prints the table of docs/kernels.md: kernels.py [CHIP]

The share is of the roofline: the least cycles that the products and the bytes of inputs and outputs take, of the cycles from
the launch to the last store. Of causal attention only visible pairs count, of experts only rows that somebody asked for.
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
from conv import conv, conv_depthwise  # noqa: E402
from experts import experts  # noqa: E402
from gru import gru  # noqa: E402
from matmul import matmul  # noqa: E402
from matmul_scaled import matmul_scaled  # noqa: E402
from message import message  # noqa: E402
from norms import layer_norm, rms_norm  # noqa: E402
from rotary import rotary  # noqa: E402
from softmax import softmax  # noqa: E402
from sort import argsort, sort  # noqa: E402
from swiglu import feed_forward, swiglu  # noqa: E402


@hd.kernel("T[N] -> T[N]")
def copy(x, y, *, size=65536):
    """What memory gives at best to reads and as many writes."""
    for i in hd.grid((x.shape[0], size)):
        hd.store(y[i], hd.load(x[i]))


HEADS, ROWS = 32, 4096
QKV = [f"bf16[{HEADS},{ROWS},128]", f"bf16[8,{ROWS},128]", f"bf16[8,{ROWS},128]"]
VISIBLE = HEADS * ROWS * (ROWS + 1) // 2 * 2 * 128  # Two products for each pair of a query and a key that it sees.
ASKED = 8192 * 2048 * 16 + 2 * 8192 * 2048 * 4096     # Of all rows by the router, of two a row by experts.
# Kernel, arguments, parameters, and the products that count; none: all.
ROWS_OF_TABLE = [
    (matmul, ["bf16[4096,4096]"] * 2, {}, None),
    (matmul, ["f32[2048,2048]"] * 2, {}, None),
    (swiglu, ["bf16[4096,4096]", "bf16[4096,8192]", "bf16[4096,8192]"], {}, None),
    (feed_forward, ["bf16[2048,4096]", "bf16[4096,8192]", "bf16[4096,8192]", "bf16[8192,4096]"], {}, None),
    (attention, QKV, {"causal": False}, None),
    (attention, QKV, {}, VISIBLE),
    (softmax, ["bf16[8192,4096]"], {}, None),
    (layer_norm, ["bf16[8192,4096]", "bf16[4096]", "bf16[4096]"], {}, None),
    (rms_norm, ["bf16[8192,4096]", "bf16[4096]"], {}, None),
    (rotary, ["bf16[65536,128]", "bf16[65536,64]", "bf16[65536,64]"], {}, None),
    (add_gelu, ["bf16[16777216]"] * 2, {}, None),
    (conv, ["bf16[16,56,56,256]", "bf16[3,3,256,256]"], {"pad": 1}, None),
    (conv_depthwise, ["bf16[16,112,112,256]", "bf16[3,3,256]"], {"pad": 1}, None),
    (matmul_scaled, ["f8e4m3[4096,4096]"] * 2 + ["f32[4096,32]", "f32[32,32]"], {}, None),
    (gru, ["bf16[256,4096]"] * 2 + ["bf16[3,4096,4096]"] * 2 + ["f32[6,4096]"], {}, None),
    (experts, ["bf16[8192,2048]", "bf16[2048,16]", "bf16[16,2048,4096]"], {}, ASKED),
    (message, ["f32[8192,256]", "f32[65536,256]", "i32[65536]", "i32[65536]"], {"near": True}, None),
    (sort, ["f32[4194304]"], {}, None),
    (argsort, ["f32[4194304]"], {}, None),
    (copy, ["bf16[33554432]"], {}, None),
]


def row(kernel, arguments, parameters, counts, chip):
    report = kernel.simulate(*arguments, chip=chip, **parameters)
    layers = report.layers
    name = kernel.__name__ + "".join(f", {k}={v}" for k, v in parameters.items())
    done = sum(layer["macs"] for layer in layers)
    share = sum(layer["roofline_cycles"] for layer in layers) / report.cycles * (counts / done if counts else 1)
    bound = max(layers, key=lambda layer: layer["cycles"])["bound"]
    return f"| `{name}` | {', '.join(arguments)} | {report.cycles:,} | {100 * share:.1f} % | {bound} |"


def table(chip):
    head = ["| kernel | arguments | cycles | roofline | bound by |", "|---|---|---|---|---|"]
    return "\n".join(head + [row(*each, chip) for each in ROWS_OF_TABLE]) + "\n"


if __name__ == "__main__":
    print(table(sys.argv[1] if len(sys.argv) > 1 else "hadal-1"), end="")
