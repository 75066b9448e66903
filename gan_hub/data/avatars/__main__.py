"""`python -m gan_hub.data.avatars FOLDER --count 20000 --seed 0`: avatars64.zip (PNG) and attributes.csv."""

import argparse
from pathlib import Path

from gan_hub.data.avatars.dataset import write_files


def main() -> None:
    """Parse the command line and write the two files."""
    parser = argparse.ArgumentParser(
        "python -m gan_hub.data.avatars", description="Writes cartoon faces, avatars64.zip (PNG), and attributes.csv."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20_000, help="number of images (20000)")
    parser.add_argument("--seed", type=int, default=0, help="0 is the training split, 1 the test split (0)")
    args = parser.parse_args()
    if args.count < 1:
        parser.error(f"--count {args.count} is not allowed; it is a whole number from 1.")
    write_files(args.folder, args.count, args.seed)


if __name__ == "__main__":
    main()
