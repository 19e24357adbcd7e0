"""What tests of bad input share: how a refusal looks, and small models."""

import pathlib

from conftest import MODELS
from onnx import TensorProto, helper

FLOAT = TensorProto.FLOAT
AD = MODELS / "tiny_ad_f32.onnx"


def refused(outcome, *words, code=1):
    """One error, with these words; the exit code of a diagnosed error; no sanitizer's or library's own complaint."""
    assert outcome.code == code, f"exit {outcome.code}\n{outcome.out}\n{outcome.err}"
    assert "Sanitizer" not in outcome.err and "runtime error" not in outcome.err and "what():" not in outcome.err
    assert outcome.err.strip(), "silent"
    if code == 1:
        assert outcome.err.count("error[") == 1, outcome.err
    for word in words:
        assert word in outcome.err, f"{word!r} is not in: {outcome.err}"
    # Nothing of the input reaches the terminal as a control character.
    assert not set(outcome.err) & set(map(chr, [*range(0, 9), *range(11, 32), 127])), repr(outcome.err)


def accepted_or_refused(outcome, *words):
    """Large but legal input: done, or refused with words; never a crash."""
    if outcome.code != 0:
        refused(outcome, *words)


def graph(nodes, inputs, outputs, weights=(), **fields):
    value = lambda name, shape, kind=FLOAT: helper.make_tensor_value_info(name, kind, shape)
    made = helper.make_graph(nodes, "g", [value(*i) for i in inputs], [value(*o) for o in outputs], list(weights))
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, **fields)


def relu(name="y", source="x"):
    return helper.make_node("Relu", [source], [name], name=f"relu_{name}")


def save(model, file):
    pathlib.Path(file).write_bytes(model.SerializeToString())
    return file
