"""The chip's DRAM in time: row by row by default, command by command on request."""

import pytest
from conftest import MODELS


def cycles(hadal, model, *flags):
    return hadal.ok("run", MODELS / f"{model}.onnx", "--no-values", "--json", "-", *flags).report()["cycles"]


@pytest.mark.parametrize("chip", ["hadal-1", "hadal-edge"])
@pytest.mark.parametrize("model", ["tiny_ad_f32", "fastestdet"])
def test_rows_and_commands_agree(hadal, model, chip):
    rows, commands = (cycles(hadal, model, "--chip", chip, "--memory", level) for level in ["fast", "exact"])
    assert rows != commands
    assert rows == pytest.approx(commands, rel=0.07)


def test_the_device_counts(hadal, tmp_path):
    slow = tmp_path / "slow.toml"
    slow.write_text('extends = "hadal-1"\nname = "slow"\nsummary = "Refreshes that take long."\n'
                    '[memory]\ndevice = "slow-memory.toml"\n')
    (tmp_path / "slow-memory.toml").write_text('name = "slow-memory"\nsummary = "A variant."\nextends = "hbm3-5200"\n'
                                               '[timing]\ntRFC = "2000 ns"\n')
    assert cycles(hadal, "fastestdet", "--chip", slow) > cycles(hadal, "fastestdet", "--chip", "hadal-1")


@pytest.mark.parametrize("lines, code, said", [
    ('device = "hbm9"', "memory.not_found", "chip.toml: memory.device"),
    ('device = "absent.toml"', "file.", "absent.toml"),
    ('interleave_bytes = "192 B"', "memory.granule", "chip.toml: memory.interleave_bytes"),
    ('channels = 159', "memory.channels", "chip.toml: memory.channels"),
])
def test_a_memory_that_cannot_be_there_is_refused(hadal, tmp_path, lines, code, said):
    chip = tmp_path / "chip.toml"
    chip.write_text(f'extends = "hadal-1"\nname = "chip"\nsummary = "A variant."\n[memory]\n{lines}\n')
    outcome = hadal("run", MODELS / "tiny_ad_f32.onnx", "--no-values", "--chip", chip)
    assert outcome.code == 1 and f"error[{code}" in outcome.err and said in outcome.err, outcome.err


def test_a_chip_without_a_device_has_no_exact_memory(hadal):
    outcome = hadal("run", MODELS / "tiny_ad_f32.onnx", "--no-values", "--chip", "a100", "--memory", "exact")
    assert outcome.code == 1 and "error[memory.none]" in outcome.err
