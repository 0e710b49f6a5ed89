"""Trains the built-in network and writes its two files, from nothing but scikit-learn's digits.

    python -m host.data.digits.train [--out DIR] [--seed N] [--validate]

The recipe was chosen by the accuracy on held-out writers of the training part alone (--validate, README.md).
The test writers serve for nothing but the accuracy that is printed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import time
from pathlib import Path

import numpy as np
import torch

from host.data import digits
from host.data.digits import images, network, quantise
from host.model import graph as g
from host.model.tflite_import import import_tflite
from host.model.tflite_write import write_tflite
from host.oracle.run import run_graph

SEED = 1
# Of each digit every second test image goes along with the network: about 200 images, of all test writers.
SHIPPED_STEP = 2


def int8_accuracy(graph: g.Graph, split: images.Split) -> float:
    """Share of the split's images that the int8 network classifies right, computed by the oracle."""
    output, hits = graph.outputs[0].tensor, 0
    for x, y in zip(digits.to_input(split.x), split.y, strict=True):
        hits += int(run_graph(graph, [x[None]])[output].argmax() == y)
    return hits / len(split)


def shipped_part(test: images.Split) -> images.Split:
    """Every SHIPPED_STEP-th image of each digit, in the data set's order, whatever the network says of it."""
    picks = [np.flatnonzero(test.y == digit)[::SHIPPED_STEP] for digit in range(network.CLASSES)]
    order = np.sort(np.concatenate(picks))
    return images.Split(test.x[order], test.y[order])


def npz_bytes(split: images.Split) -> bytes:
    """The split as a compressed .npz; numpy dates its members 1980, so that equal data are equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=split.x, y=split.y)
    return buffer.getvalue()


def main() -> None:
    """Train, quantise, write, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where the files go")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--validate", action="store_true", help="hold the validation writers out; no files")
    args = parser.parse_args()
    begin = time.monotonic()
    train, validation, test = images.load()
    if not args.validate:
        x, y = np.concatenate([train.x, validation.x]), np.concatenate([train.y, validation.y])
        train = images.Split(x, y)
    print(f"training on {len(train)} images, torch {torch.__version__}, seed {args.seed}")
    net = network.train(train, args.seed)
    # Import what is written, so that the file is judged and not what we meant to write.
    content = write_tflite(quantise.quantise(net, train.x))
    graph = import_tflite(content)
    shipped = shipped_part(test)
    held_out = {"validation": validation} if args.validate else {"test": test, "shipped": shipped}
    for name, split in {"training": train, **held_out}.items():
        float_percent = 100 * network.accuracy(net, split)
        int8_percent = 100 * int8_accuracy(graph, split)
        print(f"{name:10} {len(split):5} images: float {float_percent:6.2f} %, int8 {int8_percent:6.2f} %")
    macs, weight_bytes, bias_bytes = quantise.count(graph)
    print(f"{macs} MACs, {weight_bytes} bytes of weights, {bias_bytes} bytes of biases")
    if not args.validate:
        args.out.mkdir(parents=True, exist_ok=True)
        for name, data in ((digits.MODEL, content), (digits.IMAGES, npz_bytes(shipped))):
            (args.out / name).write_bytes(data)
            print(f"{args.out / name}: {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
