"""The models that the benchmarks and tests run, each with its inputs: what a case is stands here once."""

import base64
import dataclasses
import gzip
import json
import os
import pathlib
import re
import subprocess
import sys
import zlib

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"


@dataclasses.dataclass
class Case:
    """A model, the inputs to run it on, and which output holds class scores in its last axis, if any."""

    name: str
    model: pathlib.Path
    inputs: dict
    scores: str | None = None

    def __str__(self):
        return self.name


def random(name, shape, low=0.0, high=1.0):
    """Seeded by the name: the same in every run, and no two inputs alike."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return generator.uniform(low, high, shape).astype(np.float32)


def picture(file, height, width):
    """A bundled picture as 1x3xHxW, RGB, 0..1, bilinear."""
    image = Image.open(MODELS / "pictures" / file).convert("RGB").resize((width, height), Image.BILINEAR)
    return np.ascontiguousarray(np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255)


def stored(model, key, suffix=""):
    with np.load(MODELS / f"{model}{suffix}.npz") as data:
        return data[key]


def magika_features(content, config):
    """The model's 2048 tokens: the first bytes of the stripped beginning, the last of the stripped end."""
    begin = content[: config["block_size"]].lstrip()[: config["beg_size"]]
    end = content[-config["block_size"] :].rstrip()[-config["end_size"] :]
    tokens = np.full((2, config["beg_size"]), config["padding_token"], np.int32)
    tokens[0, : len(begin)] = list(begin)
    tokens[1, tokens.shape[1] - len(end) :] = list(end)
    return tokens.ravel()


def magika_labels():
    """The labelled files that the model itself decides: for each distinct one its tokens, its label, its score and how
    many of the 129 labels it stands for (one file is labelled in three modes); and the names of the classes."""
    config = json.loads((MODELS / "magika_v3_3.config.json").read_text())
    with gzip.open(MODELS / "magika_v3_3_labels.json.gz") as file:
        entries = [e for e in json.load(file) if e["prediction"]["dl"] != "undefined"]
    files = {}
    for entry in entries:
        files.setdefault(entry["content_base64"], []).append(entry["prediction"])
    rows = []
    for content, predictions in files.items():
        tokens = magika_features(base64.b64decode(content), config)[None]
        rows.append((tokens, predictions[0]["dl"], predictions[0]["score"], len(predictions)))
    return rows, config["target_labels_space"]


SENTENCES = ["A cat sits on the mat.", "A kitten is resting on a rug.", "The stock market fell sharply on Monday."]


def sentence_tokens(sentences, vocabulary):
    """The encoder's three inputs: lower-case words and signs, each as the longest pieces that the vocabulary has."""
    rank = {word: index for index, word in enumerate(pathlib.Path(vocabulary).read_text().split("\n"))}
    rows = []
    for sentence in sentences:
        row = [rank["[CLS]"]]
        for word in re.findall(r"\w+|[^\w\s]", sentence.lower()):
            pieces, start = [], 0
            while start < len(word):
                ends = (end for end in range(len(word), start, -1) if "##" * (start > 0) + word[start:end] in rank)
                end = next(ends, None)
                if end is None:
                    pieces = [rank["[UNK]"]]
                    break
                pieces.append(rank["##" * (start > 0) + word[start:end]])
                start = end
            row += pieces
        rows.append(row + [rank["[SEP]"]])
    length = max(map(len, rows))
    ids = np.array([row + [0] * (length - len(row)) for row in rows], np.int64)
    mask = np.array([[1] * len(row) + [0] * (length - len(row)) for row in rows], np.int64)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def bundled():
    """The models in models/."""
    case = lambda name, inputs, scores=None: Case(name, MODELS / f"{name}.onnx", inputs, scores)
    tiny = lambda name, scores: case(name, {"input": stored(name, "in_0")}, scores)
    return [
        tiny("tiny_ad_f32", None),
        tiny("tiny_kws_f32", "output"),
        tiny("tiny_resnet8_f32", "output"),
        tiny("tiny_sww_f32", "output"),
        tiny("tiny_vww_f32", "output"),
        case("fastestdet", {"input.1": picture("chelsea.png", 352, 352)[:, ::-1].copy()}),
        case("ultraface_slim320", {"input": (picture("astronaut.png", 240, 320) * 255 - 127) / 128}, "scores"),
        case("cct2_32_opset20", {"input": stored("cct2_32_opset20", "input", ".in")}, "output"),
        case("magika_v3_3", {"bytes": magika_labels()[0][-1][0]}, "target_label"),
    ]


def made(folder):
    """The models that make_models.py wrote to a folder; those that are not there are left out."""
    folder = pathlib.Path(folder)
    words = np.random.default_rng(7).integers(1000, 30000, (1, 128), dtype=np.int64)
    mask = (np.arange(128) < 100).astype(np.int64)[None]
    text = {"input_ids": words, "attention_mask": mask, "token_type_ids": np.zeros_like(words)}
    vocabulary = folder / "minilm.vocab.txt"
    sentences = sentence_tokens(SENTENCES, vocabulary) if vocabulary.exists() else {}
    image = {"input": (picture("chelsea.png", 224, 224) - 0.45) / 0.225}
    cases = [
        Case("resnet50", folder / "resnet50.onnx", image, "logits"),
        Case("mobilenet_v2", folder / "mobilenet_v2.onnx", image, "logits"),
        Case("vit_b16", folder / "vit_b16.onnx", image, "logits"),
        Case("bert_base", folder / "bert_base.onnx", text),
        Case("minilm", folder / "minilm.onnx", sentences),
    ]
    return [case for case in cases if case.model.exists()]


def reference(case, threads=os.cpu_count()):
    """ONNX Runtime's outputs by name, its graph optimisation off."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(case.model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, case.inputs)))


def rounded_reference(case, dtype="bfloat16", cast=None):
    """ONNX Runtime's outputs where weights, inputs and every node's results are rounded to a type of ml_dtypes, ONNX's `cast`
    (bf16): what that type itself costs."""
    import ml_dtypes
    import onnx
    import onnxruntime

    def rounded(array):
        return array.astype(getattr(ml_dtypes, dtype)).astype(np.float32) if array.dtype == np.float32 else array

    model = onnx.shape_inference.infer_shapes(onnx.load(case.model))
    floats = {value.name for value in [*model.graph.value_info, *model.graph.output]
              if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT:
            weight.CopyFrom(onnx.numpy_helper.from_array(rounded(onnx.numpy_helper.to_array(weight)), weight.name))
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        for index, name in enumerate(node.output):
            if name in floats and node.op_type != "Constant":
                node.output[index] = f"{name}/wide"
                nodes.append(onnx.helper.make_node("Cast", [f"{name}/wide"], [f"{name}/narrow"],
                                                   to=cast or onnx.TensorProto.BFLOAT16))
                nodes.append(onnx.helper.make_node("Cast", [f"{name}/narrow"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    for opset in model.opset_import:  # The first with Cast to bf16; these models mean the same in it.
        opset.version = max(opset.version, 13) if opset.domain in ("", "ai.onnx") else opset.version
    inputs = {name: rounded(value) for name, value in case.inputs.items()}
    return reference(Case(case.name, model.SerializeToString(), inputs))


def bound(case, precision, want):
    """The error that outputs may have: 1e-3 in f32. In bf16 2e-2, or 1.5 times what the rounding of every tensor to bf16
    costs ONNX Runtime itself, whichever is more."""
    if precision == "f32":
        return 1e-3
    rounded = rounded_reference(case)
    return max(2e-2, 1.5 * max(error(rounded[name], want[name]) for name in want))


def input_flags(inputs, folder):
    """Writes the inputs as .npy and returns the flags that name them to hadal."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    flags = []
    for index, (name, value) in enumerate(inputs.items()):
        np.save(folder / f"in_{index}.npy", value)
        flags += ["--input", f"{name}={folder / f'in_{index}.npy'}"]
    return flags


class Failed(Exception):
    """hadal did not succeed; the text is its error."""


def hadal(*arguments, timeout=600):
    """Runs the command (HADAL names another binary) and returns what it printed on stdout."""
    binary = os.environ.get("HADAL", str(ROOT / "build/release/bin/hadal"))
    if not os.path.exists(binary):
        sys.exit(f"{binary} is not built: run scripts/build release")
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Failed(next((line for line in lines if line.startswith("error[")), lines[-1]))
    return done.stdout


def run_report(model, inputs, folder, *flags):
    """The report of `hadal run` on these inputs."""
    return json.loads(hadal("run", model, *input_flags(inputs, folder), "--json", "-", *flags))


def run(model, inputs, folder, *flags):
    """`hadal run` on these inputs: its report, and its outputs by name."""
    report = run_report(model, inputs, folder, "--output-dir", pathlib.Path(folder) / "out", *flags)
    outputs = {o["name"]: np.load(o["file"]) for o in report["outputs"]}
    return report, outputs


def warm_values_seconds(report):
    """Measured seconds of the values of one warm run of `hadal run --repeat`."""
    return report["repeat"]["functional"]["median_seconds"]


def error(got, want):
    """max |got - want| / max |want|; infinite where shapes, NaN or infinities differ."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    if got.shape != want.shape:
        return np.inf
    odd = ~np.isfinite(want)
    if not np.array_equal(got[odd], want[odd], equal_nan=True) or not np.isfinite(got[~odd]).all():
        return np.inf
    if not (~odd).any():
        return 0.0
    scale = np.abs(want[~odd]).max()
    gap = np.abs(got[~odd] - want[~odd]).max()
    return gap / scale if scale > 0 else (0.0 if gap == 0 else np.inf)


def same_labels(got, want, bound):
    """(agreeing, decided): rows whose best class is the same, of those where the reference's margin exceeds the bound."""
    got, want = got.reshape(-1, got.shape[-1]), want.reshape(-1, want.shape[-1])
    best = np.sort(want, axis=-1)
    decided = best[:, -1] - best[:, -2] > 2 * bound * np.abs(want).max()
    return int((got.argmax(-1) == want.argmax(-1))[decided].sum()), int(decided.sum())


def chosen(names, folder, bundled_only=False):
    """The cases by name, all where none is named; made models are made first where they are missing."""
    cases = bundled()
    if not bundled_only:
        import make_models

        wanted = [name for name in make_models.MAKERS if not names or name in names]
        make_models.make(wanted, folder)
        cases += made(folder)
    unknown = set(names) - {case.name for case in cases}
    if unknown:
        sys.exit(f"no model {', '.join(sorted(unknown))}; there are {', '.join(case.name for case in cases)}")
    return [case for case in cases if not names or case.name in names]
