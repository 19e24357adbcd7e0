"""Laws that times of any model on any chip must keep. Each yields Checks; a margin below 0 breaks its law."""

import dataclasses
import math
import pathlib

import roofline
import zoo

CHIPS = ["hadal-1", "hadal-edge", "tpu-v3", "tpu-v3-chip", "tpu-v6e", "a100", "h800", "mi210"]
INTEGER_CHIPS = ["gemmini"]  # Without a float type: they run quantised models alone, and none is bundled.
PRECISIONS = ["f32", "bf16"]
BANDWIDTHS = [2, 4]
# Twice and four times the cores, on a network of that size.
CORES = {"hadal-1": ["cores = 32\n[network]\nx = 8\ny = 4", "cores = 64\n[network]\nx = 8\ny = 8"],
         "tpu-v3-chip": ["cores = 4", "cores = 8"], "a100": ["cores = 216"]}
SLOWER = 0.03
RATES = ["clock", "memory.bytes_per_second", "host.bytes_per_second", "host.memory_bytes_per_second",
         "host.operations_per_second"]
LATENCIES = ["memory.latency", "cache.latency", "host.link_latency", "host.launch"]


@dataclasses.dataclass
class Check:
    """One case of a law: how far it is from breaking it (a share), and what was compared."""

    law: str
    case: str
    margin: float
    text: str = ""


class Bench:
    """Runs models without values, each once on the same chip and flags; refusals are kept."""

    def __init__(self, folder):
        self.folder, self.known, self.refused, self.works = pathlib.Path(folder), {}, {}, {}

    def run(self, case, chip, precision, *flags):
        key = (case.name, str(chip), precision, flags)
        if key not in self.known:
            try:
                values = [] if "--values" in flags else ["--no-values"]
                more = [flag for flag in flags if flag != "--values"]
                self.known[key] = zoo.run_report(case.model, case.inputs, self.folder, "--chip", chip, "--precision", precision,
                                                 *values, *more)
            except zoo.Failed as failure:
                self.known[key] = None
                self.refused[f"{case.name} on {pathlib.Path(chip).stem} in {precision}"] = str(failure)
        return self.known[key]

    def variant(self, name, base, lines):
        file = self.folder / f"{name}.toml"
        file.write_text(f'extends = "{base}"\nname = "{name}"\nsummary = "A variant of {base}."\n{lines}\n')
        return file

    def work(self, case):
        if case.name not in self.works:
            self.works[case.name] = roofline.work(case.model, case.inputs)
        return self.works[case.name]


def at_least_the_roofline(bench, case, chip, precision):
    """No program beats the roofline that the model file and the chip's file give, and the report states the same one."""
    if not (report := bench.run(case, chip, precision)):
        return
    least = roofline.cycles(bench.work(case), roofline.chip(chip), precision)
    name = f"{case.name} on {chip} in {precision}"
    yield Check("cycles >= the roofline of model and chip files", name, report["cycles"] / least - 1,
                f"{report['cycles']:,} cycles, at least {least:,.0f}")
    apart = abs(report["roofline_cycles"] / least - 1)
    yield Check("the report's roofline is that one, within 3 %", name, 0.03 - apart,
                f"{report['roofline_cycles']:,.1f} in the report, {least:,.1f} from the files")


def twice_as_fast(bench, case, chip, precision):
    """Every clock and every latency twice as fast: half the time."""
    if not (report := bench.run(case, chip, precision)):
        return
    figures, tables = roofline.chip(chip), {}
    units = {"clock": "Hz", "host.operations_per_second": "op/s"}
    for field in RATES:
        tables[field] = f"{roofline.quantity(figures[field]) * 2:.0f} {units.get(field, 'B/s')}"
    for field in [latency for latency in LATENCIES if latency in figures]:
        tables[field] = f"{roofline.quantity(figures[field]) / 2 * 1e15:.0f} fs"
    lines = [f'clock = "{tables.pop("clock")}"']
    for table in dict.fromkeys(field.split(".")[0] for field in tables):
        lines.append(f"[{table}]")
        lines += [f'{field.split(".")[1]} = "{text}"' for field, text in tables.items() if field.startswith(f"{table}.")]
    fast = bench.run(case, bench.variant(f"{chip}-twice", chip, "\n".join(lines)), precision)
    apart = abs(2 * fast["seconds"] / report["seconds"] - 1)
    yield Check("twice as fast in all takes half, within 0.1 %", f"{case.name} on {chip} in {precision}", 0.001 - apart,
                f"{report['seconds'] * 1e6:.3f} us, then {fast['seconds'] * 1e6:.3f} us")


def no_slower(law, case, precision, before, after):
    yield Check(law, f"{case.name} on {before['chip']} in {precision}", SLOWER - (after["cycles"] / before["cycles"] - 1),
                f"{before['cycles']:,} cycles, then {after['cycles']:,} on {after['chip']}")


def more_bandwidth(bench, case, chip, precision):
    """A model compiled for more memory bandwidth is not slower by over 3 %."""
    before = bench.run(case, chip, precision)
    for factor in BANDWIDTHS if before else []:
        rate = roofline.quantity(roofline.chip(chip)["memory.bytes_per_second"]) * factor
        faster = bench.variant(f"{chip}-bandwidth-x{factor}", chip, f'[memory]\nbytes_per_second = "{rate:.0f} B/s"')
        if after := bench.run(case, faster, precision):
            yield from no_slower("more bandwidth is at most 3 % slower", case, precision, before, after)
        before = after or before


def more_cores(bench, case, chip, precision):
    """A model compiled for more cores, on the same memory, is not slower by over 3 %."""
    before = bench.run(case, chip, precision)
    for index, lines in enumerate(CORES.get(chip, []) if before else []):
        after = bench.run(case, bench.variant(f"{chip}-cores-x{2 << index}", chip, lines), precision)
        if after:
            yield from no_slower("more cores are at most 3 % slower", case, precision, before, after)
        before = after or before


def sums(bench, case, chip, precision):
    """Layers sum to the total."""
    if report := bench.run(case, chip, precision):
        total = sum(layer["cycles"] for layer in report["layers"])
        yield Check("layers sum to the cycles", f"{case.name} on {chip} in {precision}", 0 - abs(total - report["cycles"]),
                    f"{total:,} in layers, {report['cycles']:,} in all")


def same_on_any_host(bench, case, chip, precision):
    """Neither this computer's threads nor the values change a cycle."""
    if not (report := bench.run(case, chip, precision)):
        return
    for flags in [("--threads", "1", "--values"), ("--threads", "2"), ("--threads", "8")]:
        other = bench.run(case, chip, precision, *flags)
        yield Check("the same cycles on 1, 2 and 8 threads, with values and without", f"{case.name} on {chip} in {precision}",
                    0 if other["cycles"] == report["cycles"] else -math.inf,
                    f"{report['cycles']:,}, and {other['cycles']:,} with {' '.join(flags)}")


LAWS = [at_least_the_roofline, twice_as_fast, more_bandwidth, more_cores, sums, same_on_any_host]
