"""Bad flags, and a world that does not help: full disks, closed pipes, folders without permission, signals."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import tempfile

import numpy as np
import pytest
from hostile import AD, refused


# ---------------------------------------------------------------- flags


@pytest.mark.parametrize("arguments", [
    [], ["rnu"], ["run"], ["run", AD, "--no-timng"], ["run", AD, "--threads"], ["run", AD, "--threads", "many"], ["run", AD, "--threads", "0"],
    ["run", AD, "--threads", "1000000000"], ["run", AD, "--threads", "99999999999999999999"], ["run", AD, "--repeat", "-1"], ["run", AD, "--repeat", "0"],
    ["run", AD, "--repeat", "1e3"], ["run", AD, "--seed", "-1"], ["run", AD, "--input", "x"], ["run", AD, "--input", "x="], ["run", AD, "--numerics", "guess"],
    ["run", AD, "extra"], ["run", AD, "--tolerance", "-1"], ["run", AD, "--tolerance", "nan"], ["run", AD, "--tolerance", "0,5"], ["run", AD, "--shape", "input=1,x"],
    ["run", AD, "--shape", "input=1,"], ["run", AD, "--shape", "input=-1"], ["run", AD, "--shape", "input=1", "--shape", "input=2"],
    ["run", AD, "--memory-limit", "lots"], ["run", AD, "--memory-limit", "10"], ["run", AD, "--memory-limit", "-1GiB"], ["run", AD, "--precision", "f33"],
    ["run", AD, "--layers", "few"], ["run", AD, "--trace", "trace.txt"], ["run", AD, "--json", ""], ["run", AD, "--output-dir", ""], ["run", ""],
    ["run", AD, "--repeat", "3", "--deadline", "100"], ["compile", AD], ["compile", AD, "-o", "-"], ["asm", "-", "-o", "-"], ["inspect"],
    ["inspect", AD, "--ops"], ["chips", "a100", "h800"], ["doctor", "now"],
], ids=lambda a: " ".join(map(str, a))[-40:])
def test_usage(hadal, arguments):
    refused(hadal(*arguments), code=2)


def test_slips_are_answered_with_the_nearest_name(hadal):
    for arguments, meant in [(["rnu"], "run"), (["run", AD, "--precison", "f32"], "--precision")]:
        outcome = hadal(*arguments)
        assert outcome.code == 2 and "did you mean" in outcome.err and meant in outcome.err
    refused(hadal("run", AD, "--chip", "hadal-2"), "hadal-1")


@pytest.mark.parametrize("flags", [
    "--no-values --no-timing", "--no-values --output-dir o", "--no-values --expected output=x.npy", "--no-values --numerics exact", "--no-timing --trace t.json",
    "--no-timing --repeat 3 --deadline 1s", "--no-timing --layers 3", "--deadline 100ms", "--tolerance 1e-3", "--json t.json --trace t.json",
])
def test_flags_that_contradict_each_other(hadal, tmp_path, flags):
    refused(hadal("run", AD, *flags.split(), cwd=tmp_path), "--", code=2)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- the world around


def test_a_comma_locale_changes_nothing(hadal):
    run = lambda **e: hadal.ok("run", AD, "--json", "-", env={**os.environ, **e}).report()["cycles"]
    assert run(LC_ALL="C") == run(LC_ALL="de_DE.UTF-8", LANG="de_DE.UTF-8", LC_NUMERIC="de_DE.UTF-8")


def test_a_full_disk_leaves_no_partial_output(hadal, tmp_path):
    refused(hadal("run", AD, "--json", "/dev/full"))
    refused(hadal("compile", AD, "-o", "/dev/full"))

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    for arguments in [["run", AD, "--output-dir", tmp_path / "out"], ["run", AD, "--trace", tmp_path / "trace.json"],
                      ["run", AD, "--trace", tmp_path / "trace.pftrace"], ["run", AD, "--json", tmp_path / "run.json"],
                      ["compile", AD, "-o", tmp_path / "ad.hadal"]]:
        refused(hadal(*arguments, preexec_fn=small_files))
    assert not files_in(tmp_path)


def files_in(folder):
    return [f for f in folder.rglob("*") if f.is_file()]


@pytest.mark.parametrize("arguments", [["run", AD], ["run", AD, "--json", "-"], ["chips"], ["chips", "a100"], ["inspect", AD], ["doctor"], ["--help"], ["--version"]],
                         ids=lambda a: " ".join(map(str, a))[-20:])
def test_a_full_stdout_is_told(hadal, arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run([hadal.binary, *map(str, arguments)], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and b"cannot write to stdout" in done.stderr


def test_outputs_that_cannot_be_made_are_told_before_the_work(hadal, tmp_path):
    (tmp_path / "file").write_text("kept")
    for flag, name, word in [("--output-dir", "file/out", "file"), ("--output-dir", "file", "file"), ("--json", "none/run.json", "none"), ("--json", ".", "folder"),
                             ("--trace", "none/t.json", "none"), ("--trace", "file/t.pftrace", "file")]:
        # The shape is wrong too, but that is found only when the model is read.
        refused(hadal("run", AD, flag, tmp_path / name, "--shape", "input=1,641"), flag, word)
    for command in [["compile", AD], ["asm", tmp_path / "file"]]:
        for name in ["none/p.hadal", "."]:
            refused(hadal(*command, "-o", tmp_path / name), "--output")
    assert [f.name for f in files_in(tmp_path)] == ["file"] and (tmp_path / "file").read_text() == "kept"


def test_what_is_read_is_not_written_over(hadal, tmp_path):
    model = tmp_path / "m.onnx"
    model.write_bytes(AD.read_bytes())
    (tmp_path / "link.json").symlink_to("m.onnx")
    for arguments in [["compile", model, "-o", model], ["run", model, "--json", model], ["run", model, "--json", tmp_path / "link.json"]]:
        refused(hadal(*arguments), "replace")
    assert model.read_bytes() == AD.read_bytes()


def as_nobody():
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


@pytest.fixture
def shared():
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="hadal-") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


def test_files_and_folders_without_permission(hadal, shared):
    model, secret, folder, chip = shared / "m.onnx", shared / "secret.npy", shared / "closed", shared / "chip.toml"
    model.write_bytes(AD.read_bytes())
    np.save(secret, np.zeros((1, 640), np.float32))
    chip.write_text('extends = "hadal-1"')
    folder.mkdir()
    for closed in [secret, chip]:
        closed.chmod(0)
    folder.chmod(0o555)
    try:
        reachable = subprocess.run([hadal.binary, "chips"], preexec_fn=as_nobody, capture_output=True).returncode == 0
    except OSError:
        reachable = False
    if not reachable:
        pytest.skip("the command is in a folder that other users cannot read")
    run = lambda *a: hadal(*a, preexec_fn=as_nobody)
    refused(run("run", model, "--input", f"input={secret}"), "Permission denied", "secret.npy")
    refused(run("run", model, "--chip", chip), "Permission denied", "chip.toml")
    refused(run("run", model, "--output-dir", folder), "Permission denied", "--output-dir")
    refused(run("run", model, "--output-dir", folder / "deeper/still"), "Permission denied", "--output-dir")
    refused(run("run", model, "--json", folder / "run.json"), "Permission denied", "--json")
    refused(run("compile", model, "-o", folder / "m.hadal"), "Permission denied", "--output")
    model.chmod(0)
    refused(run("run", model), "Permission denied", "m.onnx")
    assert not list(folder.iterdir())


def test_names_that_are_no_text(hadal, tmp_path):
    """Bytes that are no UTF-8, and control characters, in names of files."""
    folder = os.fsencode(tmp_path) + b"/\xff\x1b[31m"
    os.mkdir(folder)
    model, data, out = folder + b"/m\xfe.onnx", folder + b"/x\xfd.npy", folder + b"/out\xfc"
    pathlib.Path(os.fsdecode(model)).write_bytes(AD.read_bytes())
    np.save(os.fsdecode(data), np.zeros((1, 640), np.float32))
    program = folder + b"/p\xfb.hadal"
    command = lambda *a: subprocess.run([os.fsencode(hadal.binary), *a], capture_output=True, timeout=60)
    for arguments in [[b"run", model, b"--input", b"input=" + data, b"--output-dir", out, b"--json", folder + b"/r.json"], [b"compile", model, b"-o", program],
                      [b"run", program], [b"dis", program], [b"inspect", model]]:
        done = command(*arguments)
        assert done.returncode == 0, done.stderr
        if arguments[0] != b"dis":
            done.stdout.decode("utf-8")
        assert b"\x1b" not in done.stdout + done.stderr
    assert len(os.listdir(out)) == 1
    json.loads(pathlib.Path(os.fsdecode(folder + b"/r.json")).read_text("utf-8"))
    done = command(b"run", folder + b"/none\xff")
    assert done.returncode == 1 and b"\\xff" in done.stderr and b"\x1b" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_partial_file(hadal, tmp_path, number):
    command = [hadal.binary, "run", str(AD), "--repeat", "1000000", "--output-dir", str(tmp_path / "out"), "--json", str(tmp_path / "r.json"),
               "--trace", str(tmp_path / "t.json")]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(1.5)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == -number and not out and b"Sanitizer" not in err
    assert not files_in(tmp_path)


def test_closed_stdout(hadal, tmp_path):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([hadal.binary, "run", str(AD), "--json", "-"], stdout=write, stderr=subprocess.PIPE, timeout=60)
    os.close(write)
    assert done.returncode in (0, 1, -signal.SIGPIPE) and b"Sanitizer" not in done.stderr
    # No descriptor at all: a file that is opened must not take its place and the report with it.
    file = tmp_path / "run.json"
    done = subprocess.run(["sh", "-c", '"$0" run "$1" --json "$2" >&-', hadal.binary, str(AD), str(file)], stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and b"cannot write to stdout" in done.stderr
    assert json.loads(file.read_text())["cycles"] > 0
