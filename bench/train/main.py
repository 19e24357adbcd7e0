#!/usr/bin/env python3
"""Trains the CNN of digits.py on the chip, and holds its loss against JAX's (curves.json) and its answers against the labels
of held-out pictures.

    bench/train/main.py [--steps N] [--chip NAME]      prints a table; exit code 1 where a loss is further off than 1e-3
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import private_python  # noqa: E402, F401

import digits  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

ROOT = digits.HERE.parents[1]
BOUND = 1e-3  # Of the loss, relative.


def accuracy(model):
    images, labels = digits.data()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    logits = session.run(None, {"image": images[digits.TRAINED_ON :]})[0]
    return float(np.mean(logits.argmax(1) == labels[digits.TRAINED_ON :]))


def trained(kind, folder, files, steps, chip):
    model, data = files
    output, metrics = folder / f"{kind}.onnx", folder / f"{kind}.jsonl"
    subprocess.run([ROOT / "build/release/bin/hadal", "train", "--model", model, "--data", data, "--loss", "cross_entropy",
                    *digits.FLAGS[kind], "--batch", str(digits.BATCH), "--steps", str(steps), "--no-shuffle", "--chip", chip,
                    "--metrics", metrics, "--output", output], check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in metrics.read_text().splitlines()], accuracy(output)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=digits.STEPS)
    parser.add_argument("--chip", default="hadal-1")
    flags = parser.parse_args()
    steps = min(flags.steps, digits.STEPS)
    curves, worst = json.loads((digits.HERE / "curves.json").read_text()), 0
    print("optimizer  steps  first loss  last loss  JAX's last  largest relative error  held-out accuracy  cycles a step")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = digits.write(folder)
        for kind, curve in curves.items():
            lines, right = trained(kind, folder, files, steps, flags.chip)
            got, want = np.array([line["loss"] for line in lines]), np.array(curve[:steps])
            error = float(np.max(np.abs(got - want) / want))
            worst = max(worst, error)
            print(f"{kind:9}  {steps:5}  {got[0]:10.5f}  {got[-1]:9.5f}  {want[-1]:10.5f}  {error:22.1e}  {right:17.2%}  "
                  f"{lines[0]['cycles']:13}")
    return int(worst > BOUND)


if __name__ == "__main__":
    sys.exit(main())
