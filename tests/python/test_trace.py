"""Traces, read with Perfetto's own message types: what `hadal run --trace` tells of a model."""

import collections
import json

import pytest
from conftest import MODELS
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

MODEL = MODELS / "tiny_resnet8_f32.onnx"


@pytest.fixture(scope="module")
def perfetto(hadal, tmp_path_factory):
    file = tmp_path_factory.mktemp("trace") / "trace.pftrace"
    report = hadal.ok("run", MODEL, "--no-values", "--trace", file, "--json", "-").report()
    return Trace.FromString(file.read_bytes()), report


def tracks_of(trace):
    """Track name with its group ("core 0 / matrix") by uuid."""
    found = {p.track_descriptor.uuid: p.track_descriptor for p in trace.packet if p.HasField("track_descriptor")}
    name = lambda d: f"{found[d.parent_uuid].name} / {d.name}" if d.parent_uuid else d.name
    return {uuid: name(descriptor) for uuid, descriptor in found.items()}


def spans_of(trace):
    """(track, depth, name, begin, end, details) of every slice, nested as the packets say."""
    tracks, open_spans, spans = tracks_of(trace), collections.defaultdict(list), []
    for packet in trace.packet:
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        stack = open_spans[event.track_uuid]
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            details = {d.name: d.int_value for d in event.debug_annotations}
            stack.append((tracks[event.track_uuid], len(stack), event.name, packet.timestamp, details))
        else:
            track, depth, name, begin, details = stack.pop()
            spans.append((track, depth, name, begin, packet.timestamp, details))
    assert not any(open_spans.values()), "a slice does not end"
    return spans


def test_each_queue_of_each_core_has_a_track(perfetto):
    trace, _ = perfetto
    tracks = set(tracks_of(trace).values())
    assert "layers" in tracks
    assert {"core 0 / load", "core 0 / matrix", "core 0 / store"} <= tracks


def test_slices_nest_and_follow_one_another(perfetto):
    trace, _ = perfetto
    by_level = collections.defaultdict(list)
    for track, depth, name, begin, end, _ in spans_of(trace):
        assert begin <= end and name
        by_level[track, depth].append((begin, end))
    for spans in by_level.values():
        assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:]))
    assert {depth for _, depth in by_level} == {0, 1}  # A layer, its instructions.


def test_layers_are_named_and_end_with_the_run(perfetto):
    trace, report = perfetto
    layers = [span for span in spans_of(trace) if span[0] == "layers" and span[2] != "launch"]
    assert {span[2] for span in layers} <= {layer["name"] for layer in report["layers"]}
    outer = {span[2] for span in spans_of(trace) if span[0] != "layers" and span[1] == 0}
    assert outer <= {layer["name"] for layer in report["layers"]}
    assert all({"instruction", "start_ns", "stalled_ns"} <= span[5].keys() for span in spans_of(trace) if span[1] == 1)
    assert max(span[4] for span in layers) == max(span[4] for span in spans_of(trace))


def test_both_formats_tell_the_same(hadal, perfetto, tmp_path):
    file = tmp_path / "trace.json"
    hadal.ok("run", MODEL, "--no-values", "--trace", file)
    events = [e for e in json.loads(file.read_text())["traceEvents"] if e["ph"] == "X"]
    told = sorted((e["name"], round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000)) for e in events)
    assert told == sorted((name, begin, end) for _, _, name, begin, end, _ in spans_of(perfetto[0]))
