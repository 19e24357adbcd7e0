"""Laws of time on a bounded set of models and chips; bench/laws checks them on all, and tells the margins."""

import chip_laws
import pytest
import roofline
import zoo

CASES = {case.name: case for case in zoo.bundled()}
SMALL = ["tiny_ad_f32", "tiny_kws_f32", "cct2_32_opset20"]


@pytest.fixture(scope="module")
def bench(hadal, tmp_path_factory):
    return chip_laws.Bench(tmp_path_factory.mktemp("laws"))


def hold(checks):
    """All are kept; how many there were."""
    checks = list(checks)
    broken = [f"{check.law}: {check.case}: {check.text}" for check in checks if not check.margin >= 0]
    assert not broken, "\n".join(broken)
    return len(checks)


@pytest.mark.parametrize("precision", chip_laws.PRECISIONS)
@pytest.mark.parametrize("name", CASES)
def test_no_cycles_below_the_roofline_of_the_files(bench, name, precision):
    assert hold(chip_laws.at_least_the_roofline(bench, CASES[name], "hadal-1", precision)) == 2


@pytest.mark.parametrize("chip", [chip for chip in chip_laws.CHIPS if chip != "hadal-1"])
@pytest.mark.parametrize("name", SMALL)
def test_no_cycles_below_the_roofline_on_other_chips(bench, name, chip):
    assert hold(chip_laws.at_least_the_roofline(bench, CASES[name], chip, "bf16")) == 2


@pytest.mark.parametrize("chip", chip_laws.CHIPS)
@pytest.mark.parametrize("name", SMALL)
def test_twice_as_fast_in_all_takes_half(bench, name, chip):
    assert hold(chip_laws.twice_as_fast(bench, CASES[name], chip, "bf16")) == 1


@pytest.mark.parametrize("chip", ["hadal-1", "hadal-edge", "tpu-v3"])
@pytest.mark.parametrize("name", SMALL)
def test_more_bandwidth_is_not_slower(bench, name, chip):
    assert hold(chip_laws.more_bandwidth(bench, CASES[name], chip, "bf16")) == len(chip_laws.BANDWIDTHS)


@pytest.mark.parametrize("name", [*SMALL, "fastestdet"])
def test_more_cores_are_not_slower(bench, name):
    chip = "tpu-v3-chip"
    assert hold(chip_laws.more_cores(bench, CASES[name], chip, "bf16")) == len(chip_laws.CORES[chip])


@pytest.mark.parametrize("chip", chip_laws.CHIPS)
@pytest.mark.parametrize("name", SMALL)
def test_layers_sum_to_the_total(bench, name, chip):
    assert hold(chip_laws.sums(bench, CASES[name], chip, "bf16")) == 1


@pytest.mark.parametrize("chip", ["hadal-1", "hadal-edge"])
@pytest.mark.parametrize("name", SMALL)
def test_threads_and_values_change_no_cycle(bench, name, chip):
    assert hold(chip_laws.same_on_any_host(bench, CASES[name], chip, "bf16")) == 3


def test_the_roofline_s_arithmetic(tmp_path):
    """By hand: 1,000 products on 2 cores of 4 x 5 at half a row a cycle; 600 elements of 2 bytes at 3 bytes a cycle."""
    figures = {"cores": 2, "clock": "1 GHz", "matrix.count": 1, "matrix.rows": 4, "matrix.columns": 5,
               "matrix.depthwise_on_lanes": True, "matrix.rows_per_cycle.bf16": 0.5, "vector.lanes": 0,
               "memory.bytes_per_second": "3 GB/s"}
    assert roofline.cycles(roofline.Work(products=1000), figures, "bf16") == pytest.approx(50)
    assert roofline.cycles(roofline.Work(products=1000, floats=600), figures, "bf16") == pytest.approx(400)
    assert roofline.cycles(roofline.Work(depthwise=1000), figures, "bf16") == pytest.approx(250)
    lanes = {**figures, "vector.lanes": 100, "vector.alu_per_lane": 1}
    assert roofline.cycles(roofline.Work(products=1000, depthwise=1000), lanes, "bf16") == pytest.approx(50)
    assert roofline.quantity("1.5 GHz") == 1.5e9 and roofline.quantity("64 KiB") == 65536 and roofline.quantity("2 us") == 2e-6
