"""Architectures as exporters write them, against ONNX Runtime: the measure and the bounds are those of bench/exports."""

import importlib.machinery
import importlib.util

import exported
import pytest

from conftest import ROOT


@pytest.fixture(scope="module")
def exports(hadal):
    loader = importlib.machinery.SourceFileLoader("exports", str(ROOT / "bench/exports"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("exports", loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("name, form", [*((name, "f32") for name in exported.MAKERS), ("bert", "bf16"), ("swin", "bf16"),
                                        ("yolo", "f8e4m3"), ("bert", "int8"), ("resnet", "int8"),
                                        *((name, form) for name in ("resnet", "unet", "bert", "llama")
                                          for form in ("optimised", "float16", "qdq", "dynamic"))])
def test_architecture_agrees_with_onnx_runtime(exports, tmp_path, monkeypatch, hadal, name, form):
    monkeypatch.setenv("HADAL", str(hadal.binary))
    row, good = exports.compare(name, form, tmp_path)
    assert good, row
