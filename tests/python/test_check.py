"""hadal check: nothing in compiled models, and findings with their lines in programs that are wrong."""

import pytest

from conftest import MODELS, ROOT

ALL = sorted(model.stem for model in MODELS.glob("*.onnx"))
SMALL = [name for name in ALL if name.startswith("tiny")]
SUBJECTS = [(name, chip) for chip in ("hadal-1", "hadal-edge") for name in ALL] + [(name, "a100") for name in SMALL]
COPY = (ROOT / "tests/data/two_queues.hasm").read_text()


@pytest.mark.parametrize("name, chip", SUBJECTS)
def test_compiled_models_are_clean(hadal, name, chip):
    checked = hadal.ok("check", MODELS / f"{name}.onnx", "--chip", chip)
    assert "no order of queues, cores and transfers changes a value" in checked.out


def test_a_run_can_be_checked_first(hadal):
    model = MODELS / "tiny_ad_f32.onnx"
    report = hadal.ok("run", model, "--check", "--json", "-").report()
    assert report["check"]["instructions"] > 100 and report["check"]["accesses"] > 100
    assert report["simulator"]["check_seconds"] > 0
    assert hadal.ok("run", model, "--json", "-").report()["check"] is None


def test_texts_are_checked(hadal):
    for text in sorted((ROOT / "tests/data").glob("*.hasm")):
        hadal.ok("check", text)


@pytest.fixture
def racing(tmp_path):
    """The store no longer waits for the odd strips."""
    text = tmp_path / "racing.hasm"
    text.write_text(COPY.replace("  wait even, odd", "  wait even").replace("  signal odd", ""))
    return text


def test_a_race_is_told_with_both_lines(hadal, racing):
    failed = hadal("check", racing)
    assert failed.code == 1 and failed.out == ""
    lines = racing.read_text().splitlines()
    load, store = (next(i for i, line in enumerate(lines, 1) if word in line) for word in ("load on prefetch", "store Y"))
    assert "error[race.R1]: `store` reads bytes 1024 to 2047 of the scratchpad of core 0 (x), which `load` writes" in failed.err
    assert f"core 0, instruction 5 of copy, {racing}:{store}, nodes Identity_0" in failed.err
    assert f"core 0, instruction 4 of copy, {racing}:{load}, nodes Identity_0" in failed.err


def test_a_run_with_a_race_is_refused(hadal, racing, tmp_path):
    program = tmp_path / "racing.hadal"
    hadal.ok("asm", racing, "-o", program)
    hadal.ok("run", program)
    failed = hadal("run", program, "--check", "--output-dir", tmp_path / "out")
    assert failed.code == 1 and "error[race.R1]" in failed.err and not (tmp_path / "out").exists()


def test_a_deadlock_is_told(hadal, tmp_path):
    text = tmp_path / "stuck.hasm"
    text.write_text(COPY.replace("  signal odd", ""))
    failed = hadal("check", text)
    assert failed.code == 1 and "deadlock: core 0 waits for 1 of semaphore odd" in failed.err
