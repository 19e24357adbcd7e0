"""In the timing, too, nothing is read before it is written: loads behind a layer's wait begin when all cores have stored."""

import collections
import json
import re

import pytest
import zoo

CASES = zoo.bundled()


def layers_of(text):
    """(waits, layer of each instruction, instructions) of a disassembly; waits[n] is the instruction that layer n waits at,
    and the layers that it waits for. Loads before that read what was stored long ago."""
    waits, signals, layer_of, code, layer = {}, {}, [], [], None
    for line in text[text.index("\ncode\n") + 6 :].splitlines():
        if at := re.match(r" +at (\d+)", line):
            layer = int(at[1])
            continue
        layer_of.append(layer)
        code.append(line.strip())
        if line.lstrip().startswith("sync on load"):
            first, earlier = waits.get(layer, (len(code) - 1, set()))
            waits[layer] = first, earlier | {signals[name] for name in re.findall(r"(ready\.\d+) \*", line)}
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
        if re.match(r"(load|gather) (?!on prefetch)", code[number]) and number > waits.get(layer, (0,))[0]:
            loaded[layer] = min(loaded[layer], event["ts"])
    return [f"layer {layer} loads at {loaded[layer]} us what layer {earlier} stores until {stored[earlier]} us"
            for layer, (_, those) in waits.items() for earlier in those if loaded[layer] < stored[earlier] - 1e-6]


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
