"""`gan-hub evaluate`: score a model, or a set of images, against a data set."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_hub.cli.arguments import (
    Commands,
    Parser,
    add_command,
    add_model,
    json_file,
    load_model,
    source_of,
    whole_number,
    word_list,
)
from gan_hub.seeds import MAX_SEED

if TYPE_CHECKING:
    from gan_hub.metrics.report import Report
    from gan_hub.training.config import TrainConfig

EXAMPLES = [
    "gan-hub evaluate dcgan-mnist --data mnist --metrics fd,kid,pr --out scores.json",
    "gan-hub evaluate path/to/images --data mnist --metrics fd,kid",
    "gan-hub evaluate my-gan --data mnist --card",
]
# Parameter of `gan_hub.metrics.evaluate` → its flags, how it is read, and its help. The defaults stand in `evaluate`
# alone: an option that is not given is not passed on. Launchers of several processes take --num for an abbreviation of
# an option of their own, hence --num-images.
OPTIONS: dict[str, tuple[tuple[str, ...], Callable[[str], object], str]] = {
    "metrics": (
        ("--metrics",),
        word_list,
        "comma-separated: fid, fd, kid, is, pr, dc, …; docs/metrics.md has all (fd, accuracy)",
    ),
    "extractor": (
        ("--extractor",),
        str,
        "whose features: digits, fashion, mobilenet-v2, … (the data set's own, or mobilenet-v2; inception for fid)",
    ),
    "weights": (
        ("--extractor-weights",),
        str,
        "its .safetensors file, or a Hub id; digits, fashion and mobilenet-v2 have theirs",
    ),
    "num_images": (
        ("--num", "--num-images"),
        whole_number(1, 10_000_000),
        "scored images (10,000 of a model, all of a folder)",
    ),
    "num_real": (("--num-real",), whole_number(1, 10_000_000), "real images (all)"),
    "split": (("--split",), str, "of the data: train or test (train)"),
    "seed": (("--seed",), whole_number(0, MAX_SEED), "the first image's; image n has seed + n (0)"),
    "batch_size": (
        ("--batch-size",),
        whole_number(1, 4096),
        "images a model makes at a time (16 on a CPU, 64 on an accelerator)",
    ),
    "resolution": (
        ("--resolution",),
        whole_number(1, 4096),
        "of two sets of images without a model, to which both are brought",
    ),
    "replicates": (
        ("--bootstrap",),
        whole_number(0, 100_000),
        "resamplings an interval is made of; 0: no intervals (100)",
    ),
    "device": (("--device",), str, "cpu, cuda or mps (cpu)"),
}


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "score a model, or images (a folder, .zip, .npz, .parquet), against a data set"
    parser = add_command(commands, "evaluate", summary, run, EXAMPLES)
    add_model(parser)
    parser.add_argument(
        "--data", required=True, help="mnist, fashion-mnist, avatars, a folder, .zip, .npz, or a Hub data set id"
    )
    for name, (flags, kind, help_text) in OPTIONS.items():
        metavar = flags[0].strip("-").replace("-", "_").upper()
        parser.add_argument(*flags, dest=name, type=kind, metavar=metavar, help=help_text, default=argparse.SUPPRESS)
    parser.add_argument("--no-cache", action="store_true", help="keep no features on the disk, and use none")
    parser.add_argument("--out", type=json_file, metavar="FILE.json", help="where the report goes, with its provenance")
    parser.add_argument("--card", action="store_true", help="also write the scores into the card of MODEL, a folder")


def run(args: argparse.Namespace) -> None:
    """Score, print the report, and write it where --out and --card say."""
    from gan_hub.hub.cards import scored_card
    from gan_hub.hub.resolve import resolve
    from gan_hub.metrics import evaluate
    from gan_hub.metrics.distributed import ProcessGroup
    from gan_hub.metrics.memorization import COUNT

    options: dict[str, Any] = {name: value for name, value in vars(args).items() if name in OPTIONS}
    folder = resolve(args.model, (), **source_of(args)) if args.card else None
    if folder is not None:
        scored_card(folder)  # refuses a card that can take no scores before hours of work
    subject = load_model(args) if source_of(args) else args.model
    settings: dict[str, Any] = {
        "keep": not args.no_cache,
        "distributed": True,
        "progress": True,
        "nearest_training_images": COUNT if args.card else 0,
    }
    try:
        report = evaluate(subject, args.data, **settings, **options)
    except KeyboardInterrupt:
        outcome = (
            "nothing was written." if args.no_cache else "features measured so far are kept; run it again to go on."
        )
        raise KeyboardInterrupt(outcome) from None
    if not ProcessGroup(distributed=True).is_main_process:
        return
    report = replace(report, subject=Path(args.model).name)
    print(f"{args.model} against {args.data}\n{_table(report)}")
    if args.out is not None:
        report.write(args.out)
    if folder is not None:
        _write_card(args, folder, report, options)


def _write_card(args: argparse.Namespace, folder: Path, report: "Report", options: dict[str, object]) -> None:
    from gan_hub.hub.cards import CARD_NAME
    from gan_hub.metrics.card_scores import evaluate_command, write_card_scores

    config = _recipe(folder)
    faults = write_card_scores(
        folder,
        report,
        command=evaluate_command(folder.name, args.data, options),
        goals=config.goals if config else "",
        not_for=config.not_for if config else "",
        show_training_images=config is not None and config.pictures_may_be_shown and _is_recipe_data(args.data, config),
    )
    print(f"{folder / CARD_NAME}: its scores are these now")
    for fault in faults:
        print(f"before it is published: {fault}")


def _table(report: "Report") -> str:
    """A report for a terminal: a line a score, then what it was measured with."""
    from gan_hub.hub.cards import format_provenance

    rows = report.scores | report.reference_scores
    width = max(map(len, rows))
    intervals = {name: "  ({:.4g} to {:.4g})".format(*ends) for name, ends in report.intervals.items()}
    lines = [f"{name:{width}}  {value:.4g}{intervals.get(name, '')}" for name, value in rows.items()]
    return "\n".join([*lines, format_provenance(report.provenance)])


def _recipe(folder: Path) -> "TrainConfig | None":
    """The configuration of the run that made a model; None where the folder has none that this release reads."""
    from gan_hub.training.config import TrainConfig, read_recipe

    try:
        return TrainConfig(**read_recipe(folder / "recipe.yaml"))
    except ValueError:
        return None


def _is_recipe_data(data: str, config: "TrainConfig") -> bool:
    """Whether data are those of the recipe, as far as their name tells: the same name, or files that only some have."""
    from gan_hub.training.config import public_name

    return public_name(data) == config.data
