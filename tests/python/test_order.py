"""In the timing, too, nothing is read before it is written: a layer's loads begin when all cores have stored what it reads."""

import collections
import json
import re

import pytest
import zoo

CASES = zoo.bundled()


def layers_of(text):
    """(layers, layer of each instruction, instructions) of a disassembly; layers[n] is the layers that n waits for."""
    waits, signals, layer_of, code, layer = collections.defaultdict(set), {}, [], [], None
    for line in text[text.index("\ncode\n") + 6 :].splitlines():
        if at := re.match(r" +at (\d+)", line):
            layer = int(at[1])
            continue
        layer_of.append(layer)
        code.append(line.strip())
        if line.lstrip().startswith("sync on load"):
            waits[layer] |= {signals[name] for name in re.findall(r"(ready\.\d+) \*", line)}
        if signal := re.search(r"signal (ready\.\d+) everywhere", line):
            signals[signal[1]] = layer
    return waits, layer_of, code


def loads_before_stores(text, events):
    """Loads of activations that begin before a store that their layer waits for has ended, in words."""
    waits, layer_of, code = layers_of(text)
    stored, loaded = collections.defaultdict(float), collections.defaultdict(lambda: float("inf"))
    for event in events:
        number = event.get("args", {}).get("instruction")
        if number is None:
            continue
        layer = layer_of[number]
        if code[number].startswith("store"):
            stored[layer] = max(stored[layer], event["ts"] + event["dur"])
        if re.match(r"(load|gather) (?!on prefetch)", code[number]):
            loaded[layer] = min(loaded[layer], event["ts"])
    return [f"layer {layer} loads at {loaded[layer]} us what layer {earlier} stores until {stored[earlier]} us"
            for layer, those in waits.items() for earlier in those if loaded[layer] < stored[earlier] - 1e-6]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_layer_loads_what_is_not_yet_stored(hadal, tmp_path, case):
    program, trace = tmp_path / "a.hadal", tmp_path / "a.json"
    hadal.ok("compile", case.model, "-o", program)
    hadal.ok("run", program, "--no-values", "--trace", trace)
    trace = json.loads(trace.read_text())
    text = hadal.ok("dis", program, "--inline").out
    waits, _, _ = layers_of(text)
    assert waits, "no layer waits for another"
    assert not loads_before_stores(text, trace["traceEvents"] if isinstance(trace, dict) else trace)
