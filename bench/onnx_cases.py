"""Tests of the onnx package, each run by the command as a user would: nodes, which it generates, and suites of models."""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import tempfile
import warnings

import numpy
import onnx
import onnx.numpy_helper
from onnx.backend.test.case import node
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner as Backend

ROOT = pathlib.Path(__file__).resolve().parents[1]
SUITES = ["pytorch-converted", "pytorch-operator", "simple", "real"]
GROUPS = ["plain tensors", "low precision", "strings", "control flow and sequences", *SUITES]
NARROW = {name for name in onnx.TensorProto.DataType.keys() if re.match(r"BFLOAT16|FLOAT[48]|U?INT[24]$", name)}
REFUSALS = r"error\[(onnx|compile|plan|input|npy)\."  # What Hadal says it lacks; any other error is a fault.
FLOATS = {"FLOAT", "FLOAT16", "DOUBLE"} | NARROW
ARITHMETIC = {"matmul", "matmul_scaled", "conv", "conv_depthwise", "conv_transpose", "map", "reduce", "arg_reduce", "softmax",
              "norm", "pool", "resample", "topk", "scan"}  # Instructions; all others move values, or order what does.


@dataclasses.dataclass
class Result:
    """How a case ended. `reason` is empty where it passed; `host` names functions that ran on the host, `arithmetic`
    instructions of cores that did."""

    name: str
    operator: str
    group: str
    status: str  # passed, failed or unsupported
    reason: str = ""
    floats: bool = False
    host: tuple = ()
    arithmetic: tuple = ()


def collect():
    """All cases by name; of suites, SUITE/NAME."""
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        cases = {case.name: case for case in node.collect_testcases(None)}
    of_suites = [of_suite(suite, case) for suite in SUITES for case in load_model_tests(kind=suite)]
    return cases | {case.name: case for case in of_suites}


def of_suite(suite, case):
    """A case in files as one in memory."""
    if suite == "real":
        return of_network(case)
    folder = pathlib.Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    sets = [[[value_in(folder / f"{side}_{i}.pb", port) for i, port in enumerate(ports)]
             for side, ports in (("input", inputs_of(model)), ("output", model.graph.output))]
            for folder in sorted(folder.glob("test_data_set_*"))]
    return dataclasses.replace(case, name=f"{suite}/{case.name}", model=model, data_sets=sets)


def of_network(case):
    """A network without its weights, which are all alike: the package has its output for one ramp as input."""
    file = pathlib.Path(onnx.__file__).parents[1] / case.url
    model = onnx.load(file)
    inputs = [Backend.generate_dummy_data(port, name=case.model_name) for port in inputs_of(model)]
    outputs = [onnx.numpy_helper.to_array(onnx.load_tensor(file.with_name(f"{file.stem}_output_0.pb")))]
    return dataclasses.replace(case, name=f"real/{case.name}", model=model, data_sets=[(inputs, outputs)])


def inputs_of(model):
    """Inputs without initialisers."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def value_in(file, port):
    """A tensor, or a sequence's as a list."""
    if port.type.HasField("tensor_type"):
        return onnx.numpy_helper.to_array(onnx.load_tensor(file))
    return onnx.numpy_helper.to_list(onnx.SequenceProto.FromString(file.read_bytes()))


def types_of(case):
    values = [value.type for value in [*case.model.graph.input, *case.model.graph.output]]
    names = {onnx.TensorProto.DataType.Name(t.tensor_type.elem_type) for t in values if t.HasField("tensor_type")}
    return names | {t.WhichOneof("value") for t in values if not t.HasField("tensor_type")}


def operator_of(case):
    """The first node's operator; of an expanded function, what the case's name begins with; of a suite, none."""
    nodes = case.model.graph.node
    if case.kind in SUITES:
        return ""
    return nodes[0].op_type if nodes and "_expanded" not in case.name else case.name.removeprefix("test_").split("_")[0]


def operators_of(case):
    return {node.op_type for node in case.model.graph.node}


def group_of(case):
    types, operators = types_of(case), operators_of(case)
    if case.kind in SUITES:
        return GROUPS[2] if "STRING" in types else case.kind
    if types & {"sequence_type", "optional_type", "map_type"} or operators & {"If", "Loop", "Scan"}:
        return GROUPS[3]
    if types & NARROW:
        return GROUPS[1]
    return GROUPS[2] if "STRING" in types else GROUPS[0]


def same(got, want, rtol, atol):
    """Why two outputs differ, or nothing."""
    if got.shape != want.shape or (want.dtype.isbuiltin == 1 and got.dtype != want.dtype):  # Others are saved as wider ones.
        return f"{got.dtype}{got.shape}, not {want.dtype}{want.shape}"
    if want.dtype.kind in "biu":
        wrong = int((got != want).sum())
        return f"{wrong} of {want.size} elements differ" if wrong else ""
    if want.dtype.name == "bfloat16":
        rtol = max(rtol, 2**-6)  # As the package's own runner: two units in the last place.
    got, want = got.astype(numpy.float64), want.astype(numpy.float64)
    close = numpy.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return ""
    with numpy.errstate(all="ignore"):
        return f"{int((~close).sum())} of {want.size} elements differ, by up to {numpy.abs(got - want).max():.3g}"


def alike(got, want):
    """Why random outputs differ in more than which numbers were drawn: ONNX leaves those to each implementation."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return same(got, want, 0, 0)
    strange = set(got.ravel()) - set(want.ravel())
    return f"{sorted(strange)} are no values of such an output" if strange else ""


def as_array(value):
    """Data sets hold arrays, scalars, and tensors as the model would."""
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else numpy.asarray(value)


def named(ports, values):
    """Values of a data set as tensors by name: of a sequence its elements, of an optional without a value none."""
    out = {}
    for port, value in zip(ports, values):
        if isinstance(value, list):
            out |= {f"{port.name}[{i}]": as_array(element) for i, element in enumerate(value)}
        elif value is not None:
            out[port.name] = as_array(value)
    return out


def read(file, want):
    """Types that NumPy lacks are stored as their bits."""
    got = numpy.load(file)
    if got.dtype != want.dtype and got.dtype.itemsize == want.dtype.itemsize and want.dtype.kind == "V":
        got = got.view(want.dtype)
    return got


class Runner:
    def __init__(self, binary=None, chip="hadal-1"):
        self.binary = str(binary or os.environ.get("HADAL", ROOT / "build/release/bin/hadal"))
        self.chip = chip

    def command(self, model, inputs, folder):
        """Writes a case's files; returns the command that runs them."""
        onnx.save(model, folder / "model.onnx")
        command = [self.binary, "run", folder / "model.onnx", "--chip", self.chip, "--no-timing", "--threads", "1",
                   "--output-dir", folder / "out", "--json", folder / "run.json"]
        for i, (name, value) in enumerate(inputs.items()):
            numpy.save(folder / f"{i}.npy", value)
            command += ["--input", f"{name}={folder / f'{i}.npy'}"]
        return list(map(str, command))

    def run_set(self, case, data, result):
        """Runs one data set of a case; fills in the result's status and reason."""
        inputs, wanted = [named(ports, values) for ports, values in
                          zip((inputs_of(case.model), case.model.graph.output), data)]
        with tempfile.TemporaryDirectory(prefix="hadal-") as folder:
            folder = pathlib.Path(folder)
            try:
                done = subprocess.run(self.command(case.model, inputs, folder), capture_output=True, timeout=300)
            except subprocess.TimeoutExpired:
                result.status, result.reason = "failed", "it takes more than five minutes"
                return
            if done.returncode == 1:
                result.reason = error_of(done.stderr.decode(errors="replace"))
                result.status = "unsupported" if re.search(REFUSALS, result.reason) else "failed"
                return
            if done.returncode != 0:
                result.status, result.reason = "failed", f"it ends with {done.returncode}"
                return
            report = json.loads((folder / "run.json").read_text())
            result.host = tuple(op["function"] for op in report["host"]["ops"])
            result.arithmetic = tuple(sorted(ARITHMETIC & set(report["instructions"]["by_class"])))
            files = sorted((folder / "out").iterdir(), key=lambda file: int(file.name.split("_")[0]))
            is_random = operators_of(case) & {"Bernoulli", "RandomUniformLike"}
            reasons = [alike(read(file, want), want) if is_random else same(read(file, want), want, case.rtol, case.atol)
                       for file, want in zip(files, wanted.values())]
            result.reason = "; ".join(filter(None, reasons))
            result.status = "failed" if result.reason or len(files) != len(wanted) else "passed"

    def run(self, case):
        result = Result(case.name, operator_of(case), group_of(case), "passed", floats=bool(types_of(case) & FLOATS))
        for data in case.data_sets:
            self.run_set(case, data, result)
            if result.status != "passed":
                break
        return result

    def run_all(self, cases, jobs=2):
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(self.run, cases)


def error_of(text):
    """The first line of the command's error, without colours."""
    lines = [line for line in text.splitlines() if line.startswith("error")]
    return lines[0] if lines else text.strip().splitlines()[-1] if text.strip() else "no message"
