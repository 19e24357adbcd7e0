"""Bad arrays, pictures, programs and chips."""

import struct
import zlib

import numpy as np
import pytest
from conftest import MODELS
from hostile import AD, refused


# ---------------------------------------------------------------- inputs: .npy and pictures


def npy(header, data, version=(1, 0)):
    text = header.encode() if isinstance(header, str) else header
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text + data


DATA = np.ones(640, np.float32).tobytes()
GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 640), }\n"


@pytest.mark.parametrize("content", [
    b"", b"\x93NUMPY", npy(GOOD, DATA[:-1]), npy(GOOD.replace("<f4", "|O"), DATA), npy(GOOD.replace("False", "True").replace("1, 640", "640, 1"), DATA),
    npy(GOOD.replace("<f4", ">f4"), DATA), npy(GOOD.replace("<f4", "<f8"), DATA * 2), npy(GOOD.replace("<f4", "<i4"), DATA),
    npy(GOOD.replace("1, 640", "640,"), DATA), npy(GOOD.replace("1, 640", "1, 99999999999999999999"), DATA),
    npy(GOOD.replace("1, 640", "-1, -640"), DATA), npy(GOOD.replace("1, 640", "4294967296, 4294967296"), DATA), npy("{" * 60000, DATA),
    npy(GOOD[:20], DATA), npy(GOOD, DATA, (9, 0)), npy(GOOD.replace("<f4", "[('a', '<f4')]"), DATA), npy(b"\xff" * 64, DATA),
    b"\x93NUMPY\x02\x00\xff\xff\xff\xff", npy(GOOD.replace("}", ", 'shape': (2, 320)}"), DATA),
], ids=["empty", "magic only", "cut", "pickled", "fortran", "big-endian", "f64", "i32", "rank", "overflow", "negative", "giant", "nested",
        "half a header", "version", "record", "not text", "long header", "shape twice"])
def test_bad_npy(hadal, tmp_path, content):
    file = tmp_path / "bad.npy"
    file.write_bytes(content)
    refused(hadal("run", AD, "--input", f"input={file}", "--output-dir", tmp_path / "out"), "bad.npy")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def png(width, height, data=b"", depth=8, kind=2):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", png(0, 0), png(2**31 - 1, 2**31 - 1), png(60000, 60000, b"\0" * 10_000_000),
                                     png(100, 100, b"\0" * 50), png(8, 8, b"\0" * 200, depth=3), png(8, 8, b"\xff" * 200),
                                     b"\xff\xd8\xff\xe0" + b"\0" * 100],
                         ids=["empty", "magic only", "no pixels", "giant", "bomb", "short", "depth", "filter", "jpeg"])
def test_bad_pictures(hadal, tmp_path, content):
    file = tmp_path / ("bad.jpg" if content[:2] == b"\xff\xd8" else "bad.png")
    file.write_bytes(content)
    refused(hadal("run", MODELS / "fastestdet.onnx", "--input", f"input.1={file}", "--no-timing", "--memory-limit", "4 GiB"), "bad.")


def test_pictures_for_inputs_that_are_no_pictures(hadal):
    refused(hadal("run", AD, "--input", f"input={MODELS}/pictures/chelsea.png"), "input")


def test_unknown_inputs_list_the_known_ones(hadal, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 640), np.float32))
    refused(hadal("run", AD, "--input", f"inptu={tmp_path}/x.npy"), "inptu", "input")
    refused(hadal("run", AD, "--shape", "inptu=1,640"), "inptu", "input")
    refused(hadal("run", AD, "--expected", f"outptu={tmp_path}/x.npy"), "outptu", "output")


def test_other_shapes_than_the_model_s(hadal, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 641), np.float32))
    refused(hadal("run", AD, "--input", f"input={tmp_path}/x.npy"), "640", "641")
    refused(hadal("run", AD, "--shape", "input=1,641"), "640", "641")


# ---------------------------------------------------------------- programs, chips


@pytest.fixture(scope="module")
def program(hadal, tmp_path_factory):
    file = tmp_path_factory.mktemp("program") / "kws.hadal"
    hadal.ok("compile", MODELS / "tiny_kws_f32.onnx", "-o", file)
    return file


def test_programs_cut_short_or_changed(hadal, tmp_path, program):
    whole = program.read_bytes()
    file = tmp_path / "bad.hadal"
    for size in [0, 1, 8, 64, len(whole) // 2, len(whole) - 1]:
        file.write_bytes(whole[:size])
        refused(hadal("run", file))
    for at in range(0, len(whole), len(whole) // 23):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        refused(hadal("run", file, "--no-timing"))
    file.write_bytes(whole + b"\0")
    refused(hadal("verify", file))


def test_programs_take_the_inputs_and_chips_that_they_were_compiled_for(hadal, tmp_path, program):
    np.save(tmp_path / "x.npy", np.zeros((1, 1, 49, 11), np.float32))
    refused(hadal("run", program, "--shape", "inptu=1,1,49,10"), "inptu", "input")
    refused(hadal("run", program, "--shape", "input=1,1,49,11"), "49x11", "49x10")
    refused(hadal("run", program, "--input", f"inptu={tmp_path}/x.npy", "--no-values"), "inptu", "input")
    refused(hadal("run", program, "--input", f"input={tmp_path}/x.npy"), "49x11", "49x10")
    for chip in ["hadal-edge", "gemmini"]:
        refused(hadal("run", program, "--chip", chip), "limits.", "cores", chip)


LOOP = """program big chip any precision f32
limit cores 1
limit scratchpad 64
limit accumulator 0
limit memory 64
region x input 16
region y output 16
tensor x in x f32 [4]
tensor y in y f32 [4]
tensor a scratchpad f32 16 bytes at 0
layer l copy nodes [n] macs 0 bytes 32 precision f32
input x f32 [4] in x
output y f32 [4] in y
code
  loop r2, TRIPS
    load a [4], x[0] [4]
    store y[0] [4], a [4]
  end
  halt
"""


def test_programs_that_run_too_long_are_refused_at_once(hadal, tmp_path):
    text, file = tmp_path / "loop.hasm", tmp_path / "loop.hadal"
    for trips, fits in [(3, True), (10**9, False), (2**31 - 1, False)]:
        text.write_text(LOOP.replace("TRIPS", str(trips)))
        hadal.ok("asm", text, "-o", file)
        hadal.ok("verify", file)
        if fits:
            hadal.ok("run", file)
        else:
            refused(hadal("run", file, timeout=20), "run.budget", "instructions")


def test_assembler_text_that_is_wrong(hadal, tmp_path, program):
    text = tmp_path / "a.text"
    hadal.ok("dis", program, "-o", text, "--inline")
    good = text.read_text()
    for bad in ["", "frobnicate\n", good[: len(good) // 2], good.replace("loop", "lop", 1), "\0" * 100, "(" * 100_000, "loop " * 100_000]:
        if bad != good:
            text.write_text(bad)
            refused(hadal("asm", text, "-o", tmp_path / "b.hadal"))
            assert not (tmp_path / "b.hadal").exists()


@pytest.mark.parametrize("text", ["", "[", "name = 1", "a = \"\\u0000\"", "x = " + "[" * 10_000, "extends = \"me\"", "extends = \"../../etc/passwd\""],
                         ids=["empty", "broken", "type", "nul", "nested", "itself", "path"])
def test_bad_chips(hadal, tmp_path, text):
    file = tmp_path / "me.toml"
    file.write_text(text)
    refused(hadal("run", AD, "--chip", file), "me.toml")
