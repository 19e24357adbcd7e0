"""Tests of the onnx package that pass go on passing: tests/data/conformance.txt names them; HADAL_UPDATE=1 adds what passes
newly, but for networks that take long."""

import os
import re

import onnx_cases
from conftest import ROOT

NAMES = ROOT / "tests/data/conformance.txt"
SLOW = r"real/test_(?!shufflenet|squeezenet)"


def test_cases_that_pass_go_on_passing(hadal):
    known, cases = NAMES.read_text().split(), onnx_cases.collect()
    update = bool(os.environ.get("HADAL_UPDATE"))
    chosen = [case for name, case in cases.items() if not re.match(SLOW, name)] if update else [cases[name] for name in known]
    results = list(onnx_cases.Runner(hadal.binary).run_all(chosen, os.cpu_count()))
    passed = {result.name for result in results if result.status == "passed"}
    if update:
        NAMES.write_text("\n".join(sorted(passed | set(known))) + "\n")
    lost = [f"{result.name}: {result.reason}" for result in results if result.name in known and result.name not in passed]
    assert not lost, "\n".join(lost)


def test_a_fault_is_no_missing_feature():
    """What Hadal says it lacks is unsupported; an error of a program that it made is a failure."""
    assert re.search(onnx_cases.REFUSALS, "error[onnx.operator]: the operator is not known")
    assert not re.search(onnx_cases.REFUSALS, "error[sync.C1]: a queue waits forever")
