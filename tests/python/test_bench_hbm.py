"""The memory model on reference rows: tests/data/dram_rows.csv.

The rows are from two public simulators driven with the traffic of src/memory/traffic.h from a cold start: Ramulator 2.1
(github.com/CMU-SAFARI/ramulator2 at c5b1c3a) and DRAMsim3 (github.com/umd-memsys/DRAMsim3 at 2981759).
"""

import csv
import json
import pathlib
import subprocess

import pytest

ROWS = pathlib.Path(__file__).resolve().parents[1] / "data" / "dram_rows.csv"


@pytest.fixture(scope="module")
def bench(hadal):
    binary = pathlib.Path(hadal.binary).parent / "bench_hbm"

    def run(*arguments):
        done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_exact_has_the_very_cycles(bench):
    out = json.loads(bench(ROWS, "--json"))
    assert len(out["rows"]) == len(list(csv.DictReader(ROWS.open())))
    for row in out["rows"]:
        measured, predicted = row["measured"], row["predicted"]
        assert predicted["cycles"] == measured["cycles"], measured
        assert predicted["bandwidth_GBps"] == pytest.approx(measured["bandwidth_GBps"], rel=1e-3)
        if "mean_latency_ns" in measured:
            assert predicted["mean_latency_ns"] == pytest.approx(measured["mean_latency_ns"], rel=2e-3)
    assert out["mean_abs_error_percent"] < 0.01
    assert out["latency_error_percent"]["max"] < 0.2


def test_fast_keeps_the_bandwidth(bench):
    out = json.loads(bench(ROWS, "--memory", "fast", "--json"))
    assert out["bandwidth_error_percent"]["mean"] < 0.5
    assert out["bandwidth_error_percent"]["max"] < 2


def test_rows_that_nothing_stands_for_are_skipped_by_name(bench, tmp_path):
    lines = ROWS.read_text().splitlines()
    strange = lines[1].replace("seq_read", "spiral").replace("seq_write", "spiral").replace("mix", "spiral")
    unknown = ",".join(["Other", "HBM9", "HBM9_1Gb"] + lines[1].split(",")[3:])
    (tmp_path / "rows.csv").write_text("\n".join([lines[0], strange, unknown, lines[1]]) + "\n")
    out = json.loads(bench(tmp_path / "rows.csv", "--json"))
    assert len(out["rows"]) == 1
    assert out["skipped"] == {'there is no pattern "spiral"': 1, "no memory stands for Other HBM9_1Gb": 1}
