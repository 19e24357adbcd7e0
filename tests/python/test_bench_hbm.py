"""The memory model on some of the reference rows of bench/reference.

The rows are from two public simulators driven with the traffic of src/memory/traffic.h from a cold start: Ramulator 2.1
(github.com/CMU-SAFARI/ramulator2 at c5b1c3a) and DRAMsim3 (github.com/umd-memsys/DRAMsim3 at 2981759).
"""

import json
import pathlib
import subprocess

import pytest
from conftest import Hadal, some_rows

ROWS = {"dramsim3.csv": [1, 56, 288, 167, 199, 205, 209, 255, 263, 269],
        "ramulator2_hbm2.csv": [1, 151, 165, 398, 309, 413, 322, 332, 338, 444, 353, 362, 368, 378],
        "ramulator2_hbm3.csv": [1, 50, 85, 95, 109, 134, 138, 145]}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dram")
    return [some_rows(name, numbers, folder) for name, numbers in ROWS.items()]


@pytest.fixture(scope="module")
def bench(hadal):
    binary = pathlib.Path(hadal.binary).parent / "bench_hbm"

    def run(*arguments):
        done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_exact_has_the_very_cycles(bench, files):
    out = json.loads(bench(*files, "--json"))
    assert len(out["rows"]) == sum(map(len, ROWS.values()))
    for row in out["rows"]:
        measured, predicted = row["measured"], row["predicted"]
        assert predicted["cycles"] == measured["cycles"], measured
        assert predicted["bandwidth_GBps"] == pytest.approx(measured["bandwidth_GBps"], rel=1e-3)
        if measured["mean_latency_ns"]:
            assert predicted["mean_latency_ns"] == pytest.approx(measured["mean_latency_ns"], rel=2e-3)
    assert out["mean_abs_error_percent"] < 0.01
    assert out["latency_error_percent"]["max"] < 0.2


def test_fast_keeps_the_bandwidth(bench, files):
    out = json.loads(bench(*files, "--memory", "fast", "--json"))
    assert out["bandwidth_error_percent"]["mean"] < 0.5
    assert out["bandwidth_error_percent"]["max"] < 2


def test_rows_that_nothing_stands_for_are_skipped_by_name(bench, tmp_path, files):
    lines = files[1].read_text().splitlines()
    strange = lines[1].replace("seq_read", "spiral").replace("seq_write", "spiral").replace("mix", "spiral")
    unknown = ",".join(["Other", "HBM9", "HBM9_1Gb"] + lines[1].split(",")[3:])
    (tmp_path / "rows.csv").write_text("\n".join([lines[0], strange, unknown, lines[1]]) + "\n")
    out = json.loads(bench(tmp_path / "rows.csv", "--json"))
    assert len(out["rows"]) == 1
    assert out["skipped"] == {'there is no pattern "spiral"': 1, "no memory stands for Other HBM9_1Gb": 1}


@pytest.mark.parametrize("column, cell, word", [("requests", "many", "no number"), ("channels", "-1", "out of range"),
                                                ("window", "1.5", "no whole number"), ("cycles", "", "no number")])
def test_a_wrong_cell_is_one_error(hadal, tmp_path, files, column, cell, word):
    header, row, *_ = files[1].read_text().splitlines()
    cells = dict(zip(header.split(","), row.split(",")))
    (tmp_path / "rows.csv").write_text(header + "\n" + ",".join((cells | {column: cell}).values()) + "\n")
    outcome = Hadal(str(pathlib.Path(hadal.binary).parent / "bench_hbm"))(tmp_path / "rows.csv", "--json")
    assert outcome.code == 1 and outcome.out == "" and outcome.err.count("error[") == 1
    assert f"rows.csv:2, column {column}" in outcome.err and word in outcome.err
