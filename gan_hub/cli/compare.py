"""`gan-hub compare`: two reports of `gan-hub evaluate`, side by side."""

import argparse
from pathlib import Path

from gan_hub.cli.arguments import Commands, Parser, add_command

EXAMPLES = ["gan-hub compare ours.json theirs.json", "gan-hub compare ours.json theirs.json --force"]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "two reports of `evaluate`, side by side; refused where they were not measured alike"
    parser = add_command(commands, "compare", summary, run, EXAMPLES)
    parser.add_argument("first", type=Path, metavar="FIRST.json")
    parser.add_argument("second", type=Path, metavar="SECOND.json")
    parser.add_argument("--force", action="store_true", help="compare all the same")


def run(args: argparse.Namespace) -> None:
    """Print a line for each score that both reports have."""
    from gan_hub.metrics import Report, compare

    first, second = Report.read(args.first), Report.read(args.second)
    rows = compare(first, second, args.force)
    width = max(len(row.name) for row in rows)
    print(f"{'':{width}}  {first.subject} | {second.subject}")
    for row in rows:
        verdict = {None: "", True: "within noise", False: "beyond noise"}[row.overlap]
        print(f"{row.name:{width}}  {row.first:.4g} | {row.second:.4g}  {verdict}".rstrip())
