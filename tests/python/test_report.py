"""The report keeps to its schema, and its parts agree with each other."""

import json

import jsonschema
import numpy as np
import pytest
import zoo
from conftest import MODELS, ROOT

SCHEMA = json.loads((ROOT / "docs/run.schema.json").read_text())
KEYS = SCHEMA["required"]


def checked(outcome):
    report = outcome.report()
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    return report


@pytest.mark.parametrize("flags", [[], ["--no-values"], ["--no-timing"], ["--precision", "bf16"], ["--chip", "hadal-edge"],
                                   ["--repeat", "3", "--deadline", "100ms"]], ids=" ".join)
def test_reports_keep_to_the_schema(hadal, flags):
    checked(hadal.ok("run", MODELS / "tiny_resnet8_f32.onnx", "--json", "-", *flags))


def test_what_is_switched_off_is_null(hadal):
    model = MODELS / "tiny_kws_f32.onnx"
    values = checked(hadal.ok("run", model, "--json", "-", "--no-timing"))
    for key in ["cycles", "seconds", "matrix_utilization", "layers"]:
        assert values[key] is None, key
    assert values["simulator"]["timing_seconds"] is None
    timing = checked(hadal.ok("run", model, "--json", "-", "--no-values"))
    assert timing["simulator"]["functional_seconds"] is None and timing["cycles"] > 0
    assert all(output["file"] is None for output in timing["outputs"])


def test_layers_sum_to_the_total(hadal):
    report = checked(hadal.ok("run", MODELS / "fastestdet.onnx", "--json", "-", "--no-values"))
    assert sum(layer["cycles"] for layer in report["layers"]) == report["cycles"]
    assert sum(layer["macs"] for layer in report["layers"]) == report["macs"]
    assert sum(layer["bytes_read"] for layer in report["layers"]) == report["memory"]["bytes_read"]
    assert report["cycles"] >= report["roofline_cycles"]


def test_files_are_named_by_index_and_output(hadal, tmp_path):
    report = checked(hadal.ok("run", MODELS / "ultraface_slim320.onnx", "--json", "-", "--output-dir", tmp_path))
    assert [output["name"] for output in report["outputs"]] == ["scores", "boxes"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0_scores.npy", "1_boxes.npy"]
    for output in report["outputs"]:
        assert list(np.load(output["file"]).shape) == output["shape"]


def test_json_on_stdout_leaves_the_text_to_stderr(hadal):
    outcome = hadal.ok("run", MODELS / "tiny_ad_f32.onnx", "--json", "-")
    assert outcome.report()["schema"] == "hadal.run/1" and "cycles" in outcome.err


def test_json_to_a_file_is_the_same(hadal, tmp_path):
    file = tmp_path / "run.json"
    hadal.ok("run", MODELS / "tiny_ad_f32.onnx", "--json", file)
    report = json.loads(file.read_text())
    assert set(KEYS) <= report.keys()


def test_same_cycles_whatever_the_threads_and_the_values(hadal):
    """And with values on or off: no count of these models depends on data."""
    flags = [["--threads", "1"], ["--threads", "2"], ["--threads", "8"], ["--no-values"]]
    cycles = {hadal.ok("run", MODELS / "fastestdet.onnx", "--json", "-", *f).report()["cycles"] for f in flags}
    assert len(cycles) == 1


@pytest.mark.parametrize("case", zoo.bundled(), ids=str)
def test_machines_agree_and_the_host_multiplies_nothing(hadal, case):
    """By class, too, whichever machine counts: the functional one alone, the timing one alone, or both."""
    run = lambda *flags: hadal.ok("run", case.model, "--json", "-", *flags).report()
    both, values, timing = run(), run("--no-timing"), run("--no-values")
    assert both["instructions"]["machines_agree"] is True
    assert both["instructions"]["by_class"] == values["instructions"]["by_class"] == timing["instructions"]["by_class"]
    assert both["instructions"]["executed"] == sum(both["instructions"]["by_class"].values()) > 0
    assert both["host"]["macs_share"] == 0 and both["host"]["ops"] == []


def test_peak_memory_is_that_of_the_command_not_of_who_started_it(hadal):
    mine = np.ones(40_000_000)  # 320 MB
    report = hadal.ok("run", MODELS / "tiny_kws_f32.onnx", "--json", "-").report()
    assert 1_000_000 < report["simulator"]["peak_memory_bytes"] < mine.nbytes / 2


@pytest.mark.parametrize("kind", ["json", "pftrace"])
def test_traces_hold_a_track_per_queue_with_named_slices(hadal, tmp_path, kind):
    file = tmp_path / f"trace.{kind}"
    hadal.ok("run", MODELS / "tiny_resnet8_f32.onnx", "--trace", file)
    if kind == "json":
        trace = json.loads(file.read_text())
        events = trace["traceEvents"] if isinstance(trace, dict) else trace
        slices = [e for e in events if e["ph"] == "X"]
        assert slices and all(e["dur"] >= 0 and e["name"] for e in slices)
        return
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

    trace = Trace.FromString(file.read_bytes())
    tracks = {p.track_descriptor.uuid: p.track_descriptor.name for p in trace.packet if p.HasField("track_descriptor")}
    depth = {}
    for packet in trace.packet:
        if packet.HasField("track_event"):
            event = packet.track_event
            step = {TrackEvent.TYPE_SLICE_BEGIN: 1, TrackEvent.TYPE_SLICE_END: -1}.get(event.type, 0)
            depth[event.track_uuid] = depth.get(event.track_uuid, 0) + step
            assert depth[event.track_uuid] >= 0, "a slice ends that did not begin"
    assert depth and set(depth.values()) == {0} and set(depth) <= set(tracks)
