"""Times the kernels of kernels/ on a chip, and prints the table of docs/kernels.md: kernels.py [CHIP]

The share is of the roofline: the least cycles that the products and the bytes of inputs and outputs take, of the cycles from
the launch to the last store. Of causal attention only visible pairs count, of experts only rows that somebody asked for.
Beside it what the compiler makes of the same as operators of a model (bench/kernel_operators.py), where they say it.
"""

import private_python  # noqa: F401  First: goes on in the project's Python.

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("HADAL_LIBRARY", str(ROOT / "build/release/libhadal.so"))
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "kernels")]

import hadal as hd  # noqa: E402
import kernel_operators as ops  # noqa: E402
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
# Kernel, arguments, parameters, the products that count (none: all), and the same as operators.
ROWS_OF_TABLE = [
    (matmul, ["bf16[4096,4096]"] * 2, {}, None, lambda: ops.product(*["bf16[4096,4096]"] * 3)),
    (matmul, ["f32[2048,2048]"] * 2, {}, None, lambda: ops.product(*["f32[2048,2048]"] * 3)),
    (swiglu, ["bf16[4096,4096]", "bf16[4096,8192]", "bf16[4096,8192]"], {}, None,
     lambda: ops.model(*ops.gated("bf16[4096,4096]", "bf16[4096,8192]", "bf16[4096,8192]"))),
    (feed_forward, ["bf16[2048,4096]", "bf16[4096,8192]", "bf16[4096,8192]", "bf16[8192,4096]"], {}, None,
     lambda: ops.gated_network("bf16[2048,4096]", "bf16[4096,8192]", "bf16[8192,4096]", "bf16[2048,8192]")),
    (attention, QKV, {"causal": False}, None, lambda: ops.attention("bf16[1,32,4096,128]", "bf16[1,8,4096,128]", 0)),
    (attention, QKV, {}, VISIBLE, lambda: ops.attention("bf16[1,32,4096,128]", "bf16[1,8,4096,128]", 1)),
    (softmax, ["bf16[8192,4096]"], {}, None, lambda: ops.rows("Softmax", "bf16[8192,4096]", axis=-1)),
    (layer_norm, ["bf16[8192,4096]", "bf16[4096]", "bf16[4096]"], {}, None,
     lambda: ops.rows("LayerNormalization", "bf16[8192,4096]", *["bf16[4096]"] * 2)),
    (rms_norm, ["bf16[8192,4096]", "bf16[4096]"], {}, None, lambda: ops.rows("RMSNormalization", "bf16[8192,4096]", "bf16[4096]")),
    (rotary, ["bf16[65536,128]", "bf16[65536,64]", "bf16[65536,64]"], {}, None,
     lambda: ops.rotary("bf16[1,1,65536,128]", "bf16[1,65536,64]")),
    (add_gelu, ["bf16[16777216]"] * 2, {}, None, lambda: ops.add_gelu("bf16[16777216]")),
    (conv, ["bf16[16,56,56,256]", "bf16[3,3,256,256]"], {"pad": 1}, None,
     lambda: ops.conv("bf16[16,56,56,256]", "bf16[256,3,3,256]")),
    (conv_depthwise, ["bf16[16,112,112,256]", "bf16[3,3,256]"], {"pad": 1}, None,
     lambda: ops.conv("bf16[16,112,112,256]", "bf16[256,3,3,1]", group=256)),
    (matmul_scaled, ["f8e4m3[4096,4096]"] * 2 + ["f32[4096,32]", "f32[32,32]"], {}, None,
     lambda: ops.scaled_product(*["f8e4m3[4096,4096]"] * 2, "f32[4096,32]", "f32[32,32]", "f32[4096,4096]")),
    (gru, ["bf16[256,4096]"] * 2 + ["bf16[3,4096,4096]"] * 2 + ["f32[6,4096]"], {}, None,
     lambda: ops.gru("bf16[1,256,4096]", "bf16[1,12288,4096]", "bf16[1,24576]", 4096)),
    (experts, ["bf16[8192,2048]", "bf16[2048,16]", "bf16[16,2048,4096]"], {}, ASKED, None),
    (message, ["f32[8192,256]", "f32[65536,256]", "i32[65536]", "i32[65536]"], {"near": True}, None,
     lambda: ops.message("f32[8192,256]", "f32[65536,256]", "i32[65536]")),
    (sort, ["f32[4194304]"], {}, None, None),
    (argsort, ["f32[4194304]"], {}, None, None),
    (copy, ["bf16[33554432]"], {}, None, None),
]


def row(kernel, arguments, parameters, counts, operators, chip):
    report = kernel.simulate(*arguments, chip=chip, **parameters)
    layers = report.layers
    name = kernel.__name__ + "".join(f", {k}={v}" for k, v in parameters.items())
    done = sum(layer["macs"] for layer in layers)
    share = sum(layer["roofline_cycles"] for layer in layers) / report.cycles * (counts / done if counts else 1)
    bound = max(layers, key=lambda layer: layer["cycles"])["bound"]
    compiled = f"{ops.cycles(operators(), chip):,}" if operators else ""
    return f"| `{name}` | {', '.join(arguments)} | {report.cycles:,} | {100 * share:.1f} % | {bound} | {compiled} |"


def table(chip):
    head = ["| kernel | arguments | cycles | roofline | bound by | the compiler's |", "|---|---|---|---|---|---|"]
    return "\n".join(head + [row(*each, chip) for each in ROWS_OF_TABLE]) + "\n"


if __name__ == "__main__":
    print(table(sys.argv[1] if len(sys.argv) > 1 else "hadal-1"), end="")
