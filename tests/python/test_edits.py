"""The program is what runs: whatever operand of it is changed, the machine refuses it, or computes or takes something else."""

import collections
import concurrent.futures
import random
import subprocess

import numpy as np
import pytest
import zoo
from program_edits import KINDS, SAME, SLACK, edits_of

# Of every family: convolutions, residuals, attention, a detector with depthwise convolutions, element-wise work.
PROGRAMS = [("tiny_kws_f32", "f32"), ("tiny_resnet8_f32", "bf16"), ("cct2_32_opset20", "f32"),
            ("ultraface_slim320", "bf16"), ("magika_v3_3", "f32")]
MOST_SURVIVORS = 0.05


class Subject:
    """A compiled model as text, and what it computes and takes unedited."""

    def __init__(self, hadal, folder, name, precision):
        case = next(case for case in zoo.bundled() if case.name == name)
        self.name, self.hadal, self.folder = name, hadal, folder / name
        self.given = zoo.input_flags(case.inputs, self.folder)
        program, text = self.folder / "a.hadal", self.folder / "a.text"
        hadal.ok("compile", case.model, "--precision", precision, "-o", program)
        hadal.ok("dis", program, "-o", text)  # The weights beside it, for all edits.
        self.lines = text.read_text().splitlines()
        self.with_weights = hadal.ok("dis", program, "--inline").out.splitlines()
        self.values, self.cycles = self.run(self.lines, "unedited")

    def run(self, lines, tag):
        """Output bytes and cycles; or the error that refused it, and None."""
        text, program, out = (self.folder / f"{tag}.{end}" for end in ["text", "hadal", "out"])
        text.write_text("\n".join(lines) + "\n")
        outcome = self.hadal("asm", text, "-o", program)
        text.unlink()
        if outcome.code == 0:
            try:
                outcome = self.hadal("run", program, *self.given, "--threads", 1, "--output-dir", out, "--json", "-", timeout=60)
            except subprocess.TimeoutExpired:
                return "does not end", None
            program.unlink()
        if outcome.code != 0:
            assert outcome.code == 1 and "error[" in outcome.err, f"{tag}: exit code {outcome.code}\n{outcome.err}"
            return outcome.err, None
        report = outcome.report()
        return [np.load(output["file"]).tobytes() for output in report["outputs"]], report["cycles"]

    def lines_of(self, kind):
        """The text that edits of a kind are made in."""
        return self.with_weights if kind.startswith("weight") else self.lines

    def judge(self, edit, tag):
        values, cycles = self.run(edit.apply(self.lines_of(edit.kind)), tag)
        if cycles is None:
            return "refused"
        if values != self.values:
            return "values"
        return "cycles" if cycles != self.cycles else "survived"


@pytest.fixture(scope="module")
def subjects(hadal, tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits")
    return [Subject(hadal, folder, *program) for program in PROGRAMS]


def chosen(subjects):
    """(subject, edit): for each kind as many as it asks for, taking turns over the programs that have such operands."""
    for index, kind in enumerate(KINDS):
        seeds = [random.Random(1000 * index + place) for place in range(len(subjects))]
        turns = [(subject, edits_of(kind, subject.lines_of(kind.name), seed)) for subject, seed in zip(subjects, seeds)]
        wanted = kind.edits
        while wanted and turns:
            subject, edits = turns.pop(0)
            if edit := next(edits, None):
                turns.append((subject, edits))
                wanted -= 1
                yield subject, edit


def test_an_edited_operand_is_refused_or_changes_a_value_or_the_cycles(subjects):
    edits = list(chosen(subjects))
    assert len(edits) >= 200
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(lambda job: job[1][0].judge(job[1][1], f"e{job[0]}"), enumerate(edits)))
    counts, survivors = collections.defaultdict(collections.Counter), []
    for (subject, edit), verdict in zip(edits, verdicts):
        counts[edit.kind][verdict] += 1
        if verdict == "survived":
            place = edit.show(subject.lines_of(edit.kind))
            survivors.append(f"{subject.name} {edit.kind}: {place}\n    {SLACK.get(edit.kind, SAME)}")
    names = ["refused", "values", "cycles", "survived"]
    print(f"\n{'kind':24}edits " + "".join(f"{name:>9}" for name in names))
    rows = [*counts.items(), ("all", sum(counts.values(), collections.Counter()))]
    for kind, count in rows:
        print(f"{kind:24}{count.total():5} " + "".join(f"{count[name]:9}" for name in names))
    print("\n".join(survivors))
    assert set(counts) == {kind.name for kind in KINDS}, "a kind found no operand"
    assert len(survivors) <= MOST_SURVIVORS * len(edits), survivors
