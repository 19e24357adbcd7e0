"""bench_noc: the network models beside rows measured with other simulators."""

import json
import pathlib

import pytest
from conftest import Hadal, some_rows

ROWS = {"booksim2.csv": [9, 22, 29, 43, 57, 68, 79, 101, 103, 121, 125],
        "link_collectives.csv": [1, 23, 35, 45, 55, 76, 92, 95, 109, 111],
        "astra_sim_collectives.csv": [1, 8, 32, 47, 57]}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noc")
    return [some_rows(name, numbers, folder) for name, numbers in ROWS.items()]


@pytest.fixture(scope="module")
def bench(hadal):
    return Hadal(str(pathlib.Path(hadal.binary).parent / "bench_noc"))


def rows(bench, *arguments):
    report = bench.ok("--json", *arguments).report()
    assert report["skipped"] == {}
    return report


def test_flits_take_the_cycles_of_booksim(bench, files):
    """The same packets take the same cycles, so that figures agree to the digits of the table."""
    report = rows(bench, files[0])
    assert len(report["rows"]) == 11
    for row in report["rows"]:
        measured, predicted = row["measured"], row["predicted"]
        assert row["error_percent"] < 0.01, row
        assert predicted["accepted_flits_per_node_cycle"] == pytest.approx(measured["accepted_flits_per_node_cycle"], rel=1e-4)
        assert predicted["saturated"] == measured["saturated"]


def test_whole_messages_are_within_a_tenth(bench, files):
    report = rows(bench, "--noc", "flow", files[0])
    assert report["mean_abs_error_percent"] < 5
    assert all(row["error_percent"] < 10 for row in report["rows"])


def test_links_take_the_times_of_astra_sim(bench, files):
    for row in rows(bench, files[1])["rows"]:
        assert row["predicted"]["time_ns"] == row["measured"]["time_ns"], row
        assert row["predicted"]["seconds"] == pytest.approx(row["measured"]["time_ns"] * 1e-9)


def test_chunked_collectives_take_the_times_of_astra_sim(bench, files):
    for row in rows(bench, files[2])["rows"]:
        exact = row["measured"]["algorithm"] != "halvingDoubling"
        assert row["error_percent"] <= (0 if exact else 1), row


def test_the_table_has_all_groups(bench, files):
    text = bench.ok(*files[1:]).out
    assert "Switch ring_all_reduce" in text and "all " in text.splitlines()[-1]


def test_rows_that_are_not_covered_are_counted_by_name(bench, tmp_path, files):
    file = tmp_path / "rows.csv"
    lines = files[1].read_text().splitlines()
    file.write_text("\n".join([lines[0], lines[1].replace("Ring", "Dragonfly"), lines[1]]))
    report = bench.ok(file, "--json").report()
    assert len(report["rows"]) == 1
    assert report["skipped"] == {f'{file}: no topology "Dragonfly"': 1}
    assert 'skipped 1 rows' in bench.ok(file).out


def edited(tmp_path, source, **cells):
    """The first row of a file with other cells."""
    head, row, *_ = source.read_text().splitlines()
    columns = head.split(",")
    values = [str(cells.get(column, value)) for column, value in zip(columns, row.split(","))]
    file = tmp_path / "rows.csv"
    file.write_text("\n".join([head, ",".join(values)]) + "\n")
    return file


def test_sizes_that_are_not_square(bench, tmp_path, files):
    file = edited(tmp_path, files[0], k="8x4", offered_flits_per_node_cycle=0.05)
    predicted = bench.ok(file, "--json").report()["rows"][0]["predicted"]
    assert predicted["hops"] == pytest.approx(1 + 7 * 9 / 24 + 5 * 3 / 12, rel=0.02)  # Mean distance of 8 and of 4 in a line.


@pytest.mark.parametrize("source, cells, words", [
    (0, {"num_vcs": 0}, ["rows.csv:2, column num_vcs", "from 1 to"]),
    (0, {"k": "8x"}, ["rows.csv:2, column k", "8x4"]),
    (0, {"traffic": "unifrom"}, ["rows.csv:2", 'did you mean "uniform"?']),
    (0, {"offered_flits_per_node_cycle": "much"}, ["rows.csv:2, column offered_flits_per_node_cycle", "no number"]),
    (0, {"topology": "torus", "num_vcs": 1}, ["rows.csv:2", "a torus has from 2"]),
    (1, {"npus": 2.5}, ["rows.csv:2, column npus", "no whole number"]),
    (1, {"bytes": -1}, ["rows.csv:2, column bytes", "out of range"]),
])
def test_bad_cells_are_one_error(bench, tmp_path, files, source, cells, words):
    outcome = bench(edited(tmp_path, files[source], **cells))
    assert outcome.code == 1 and outcome.out == ""
    assert outcome.err.count("error[") == 1
    assert all(word in outcome.err for word in words), outcome.err


@pytest.mark.parametrize("text, word", [
    ("", "no rows"), ("a,b\n", "no rows"), ("a,b\n1,2\n", "no kind"), ("a,a\n1,2\n", 'two columns "a"'),
    ("a,b\n1,2,3\n", "3 cells under 2")])
def test_bad_files_are_one_error(bench, tmp_path, text, word):
    file = tmp_path / "rows.csv"
    file.write_text(text)
    outcome = bench(file)
    assert outcome.code == 1 and word in outcome.err and str(file) in outcome.err


def test_bad_flags_fail(bench, tmp_path, files):
    for arguments in [[], ["--noc", "fluid", files[0]], ["--jsn", files[0]], [tmp_path / "none.csv"]]:
        assert bench(*arguments).code != 0, arguments
