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


def spans_of(text):
    """The bytes of a region that each tensor spans, by name and by #number: (region, begin, end)."""
    sizes = {"8": 1, "16": 2, "32": 4, "64": 8}
    spans = {}
    for number, line in enumerate(re.findall(r"^tensor (.*)$", text, re.MULTILINE)):
        found = re.match(r'("(?:[^"\\]|\\.)*"|\S+) in (\S+) (\S+) \[([^\]]*)\](?: strides \[([^\]]*)\])?(?: at (\d+))?', line)
        if not found:
            continue  # A buffer of the scratchpad.
        name, region, dtype, extents, strides, begin = found.groups()
        size = 1 if dtype == "bool" or dtype.startswith("f8") else sizes[re.search(r"\d+$", dtype)[0]]
        extents, begin = [int(e) for e in extents.split(",")], int(begin or 0)
        last = 1
        if strides:
            last = sum((e - 1) * abs(int(s)) for e, s in zip(extents, strides.split(","))) + size
        else:
            for extent in extents:
                last *= extent
            last *= size
        spans[name] = spans[f"#{number}"] = region, begin, begin + last
    return spans


def early_reads(text):
    """Loads before a layer's wait of what it waits for, in words."""
    waits, layer_of, code = layers_of(text)
    spans, stored = spans_of(text), collections.defaultdict(set)
    name = r'("(?:[^"\\]|\\.)*"|[^\s\["]+)\['
    for layer, line in zip(layer_of, code):
        if found := re.match("store " + name, line):
            stored[layer].add(spans[found[1]])
    wrong = []
    for number, (layer, line) in enumerate(zip(layer_of, code)):
        if layer not in waits or number > waits[layer][0] or not (found := re.match(r"load [^,]*?\] \[.*?\], " + name, line)):
            continue
        region, begin, end = spans[found[1]]
        wrong += [f"layer {layer} loads {found[1]} before it waits for layer {earlier}" for earlier in waits[layer][1]
                  for r, b, e in stored[earlier] if r == region and b < end and begin < e]
    return wrong


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
    assert not early_reads(text)
    assert not loads_before_stores(text, trace["traceEvents"] if isinstance(trace, dict) else trace)
