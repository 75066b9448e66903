"""Emoji to train on: `python benchmarks/collect_emoji.py PACKAGE OUT.zip`, the data of recipes/r3gan-emoji-64.yaml.

PACKAGE is the unpacked npm package `emoji-datasource-google` 16.0.0 (`npm pack emoji-datasource-google@16.0.0` and `tar
xzf` fetch it): 3,786 pictures of Noto Emoji, 64 × 64 with opacity, Apache-2.0. Every twelfth emoji goes into the test
split, with all its skin tones, for a hand of another colour would be no held-out picture.
"""

import argparse
import json
import zipfile
from pathlib import Path

EVERY = 12  # about 300 of them are held out: enough to fit a judge on


def splits(emoji: list[dict]) -> dict[str, list[str]]:
    """Split → file names, of the package's own list, in its order."""
    found = {"train": [], "test": []}
    for index, each in enumerate(emoji):
        tones = each.get("skin_variations", {}).values()
        names = [variant["image"] for variant in (each, *tones) if variant["has_img_google"]]
        found["test" if index % EVERY == EVERY - 1 else "train"] += names
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()

    found = splits(json.loads((args.package / "emoji.json").read_text(encoding="utf-8")))
    with zipfile.ZipFile(args.out, "w") as archive:  # stored as they are: PNG is compressed already
        for split, names in found.items():
            for name in names:
                archive.write(args.package / "img" / "google" / "64" / name, f"{split}/{name}")
    print(f"{', '.join(f'{split} {len(names):,}' for split, names in found.items())} → {args.out}")


if __name__ == "__main__":
    main()
