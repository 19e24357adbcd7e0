"""Times of real devices beside ours, on some rows of bench/reference."""

import json
import pathlib
import subprocess

import pytest
from conftest import Hadal, some_rows

ROWS = {"tpuv3_cycles.csv": [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        "a100_matmul.csv": [1, 2, 3, 9, 11, 13], "a100_vector.csv": [1, 4, 7, 13, 18, 22, 30, 40, 45],
        "mi210_matmul.csv": [1, 2, 4, 9, 12], "mi210_vector.csv": [1, 6, 12, 18, 26, 31, 43],
        "tpuv6e_gemm.csv": [1, 4, 9, 15, 19, 27, 40, 44, 52, 60, 68, 75, 80, 88], "tpuv6e_ffn.csv": [1, 6, 9, 15, 20],
        "tpuv6e_attention.csv": [2, 3, 12, 14, 15], "tpuv6e_sdpa.csv": [3, 7, 12, 20, 23, 28],
        "h800_deepgemm.csv": list(range(3, 49, 3))}


@pytest.fixture(scope="module")
def bench(hadal):
    return Hadal(str(pathlib.Path(hadal.binary).parent / "bench_silicon"))


@pytest.fixture(scope="module")
def found(bench, tmp_path_factory):
    folder = tmp_path_factory.mktemp("silicon")
    files = [some_rows(name, numbers, folder) for name, numbers in ROWS.items()]
    return bench.ok("--json", "--schedules", "profile", *files, timeout=300).report()


def test_every_row_is_predicted(found):
    assert len(found["rows"]) == sum(map(len, ROWS.values()))
    assert found["skipped"] == {}
    for row in found["rows"]:
        assert row["predicted"]["seconds"] > 0 and row["predicted"]["cycles"] > 0
        cells = row["measured"]
        measured = cells.get("measured_seconds", cells.get("measured_seconds_at_940MHz"))
        if "metric" in cells:
            assert cells["metric"] == "time" and cells["unit"] == "us"
            measured = cells["value"] * 1e-6
        assert row["error_percent"] == pytest.approx(100 * (row["predicted"]["seconds"] / measured - 1), abs=1e-6)


@pytest.mark.parametrize("device", ["TPUv3", "TPUv6e", "A100", "H800", "MI210"])
def test_profiles_are_within_eight_percent(found, device):
    def name(row):
        return row["measured"].get("device", row["measured"].get("hardware"))
    errors = [abs(row["error_percent"]) for row in found["rows"] if name(row).startswith(device)]
    assert sum(errors) / len(errors) < 8, errors
    assert max(errors) < 25, errors


def test_the_compilers_own_schedule_is_another(bench, tmp_path):
    file = some_rows("tpuv3_cycles.csv", [8], tmp_path)
    row, = bench.ok("--json", file).report()["rows"]
    assert row["without_profile"]["seconds"] < row["predicted"]["seconds"]  # A layer norm in one pass, not four.


def test_quoted_cells_have_commas_and_quotation_marks(bench, tmp_path):
    (tmp_path / "rows.csv").write_text('op,device,dtype,m,n,k,measured_seconds\nmatmul,"Aba""cus (1, 2)",fp16,1,1,1,1\n')
    assert bench.ok("--json", tmp_path / "rows.csv").report()["skipped"] == {'no chip stands for Aba"cus (1, 2)': 1}


def test_published_figures_that_are_no_times_are_skipped(bench, tmp_path):
    file = some_rows("h800_deepgemm.csv", [1, 2], tmp_path)
    out = bench.ok("--json", "--schedules", "profile", file).report()
    assert out["rows"] == [] and sum(out["skipped"].values()) == 2


def test_what_nothing_stands_for_is_skipped_by_name(bench, tmp_path):
    (tmp_path / "rows.csv").write_text("op,device,dtype,m,n,k,measured_seconds\nmatmul,Abacus,fp16,1,1,1,1\n"
                                       "conjure,A100,fp16,1,1,1,1\n")
    out = bench.ok("--json", tmp_path / "rows.csv").report()
    assert out["rows"] == [] and out["skipped"] == {"no chip stands for Abacus": 1, "no model of conjure": 1}


@pytest.mark.parametrize("cells, word", [("matmul,A100,fp16,0,1,1,1", "column m"), ("matmul,A100,fp99,1,1,1,1", "fp99"),
                                         ("matmul,A100,fp16,1,1,1,soon", "column measured_seconds")])
def test_a_wrong_cell_is_one_error(bench, tmp_path, cells, word):
    (tmp_path / "rows.csv").write_text(f"op,device,dtype,m,n,k,measured_seconds\n{cells}\n")
    outcome = bench("--json", tmp_path / "rows.csv")
    assert outcome.code == 1 and outcome.out == "" and outcome.err.count("error[") == 1
    assert "rows.csv:2" in outcome.err and word in outcome.err


def test_a_profile_is_obeyed_by_run(hadal, bench):
    model = pathlib.Path(__file__).parents[2] / "models/tiny_ad_f32.onnx"
    report = hadal.ok("run", model, "--profile", "tpu-v3-xla", "--no-values", "--json", "-").report()
    assert report["chip"]["name"] == "tpu-v3" if isinstance(report["chip"], dict) else report["chip"] == "tpu-v3"
    own = hadal.ok("run", model, "--chip", "tpu-v3", "--no-values", "--json", "-").report()
    assert report["cycles"] != own["cycles"]
    refused = hadal("run", model, "--profile", "tpu-v3-xla", "--chip", "hadal-1")
    assert refused.code == 1 and "error[profile.chip]" in refused.err and refused.err.count("error[") == 1
    unknown = hadal("run", model, "--profile", "tpu-v3-xls")
    assert unknown.code == 1 and "tpu-v3-xla" in unknown.err
