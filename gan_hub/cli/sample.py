"""`gan-hub sample`: images of seeds, as one grid, as single files or as an array."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gan_hub.cli.arguments import (
    MAX_SEEDS,
    SEEDS_HELP,
    Commands,
    Parser,
    add_command,
    add_device,
    add_model,
    load_model,
    name_and_strength,
    once,
    output_file,
    output_folder,
    seed_list,
    whole_number,
)
from gan_hub.engines.record import AUTO, ENGINES

if TYPE_CHECKING:
    from gan_hub.pipeline import GANPipeline

EXAMPLES = [
    "gan-hub sample dcgan-fashion-mnist --seeds 0-15 --label sneaker --out grid.png",
    "gan-hub sample dcgan-mnist --seeds 0-99 --concept thickness=1.5 --out thick",
    "gan-hub sample dcgan-mnist --seeds 0-49999 --out digits.npz --device cuda",
]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    parser = add_command(commands, "sample", "draw images of seeds: a grid, single files, or an .npz", run, EXAMPLES)
    add_model(parser)
    add_sampling(parser, least_seeds=1)
    parser.add_argument(
        "--out", type=samples_out, required=True, metavar="PATH", help="FILE.png (one grid), FILE.npz, or a folder"
    )
    parser.add_argument(
        "--columns", type=whole_number(1, MAX_SEEDS), help="of the grid; by default as square as can be"
    )
    parser.add_argument("--scale", type=whole_number(1, 64), default=1, help="integer nearest-neighbour upscaling (1)")
    parser.add_argument(
        "--concept",
        type=name_and_strength,
        action="append",
        default=[],
        metavar="NAME=STRENGTH",
        help='moves the images along a concept of the model, as in "thickness=1.5"; may be given several times',
    )
    parser.add_argument(
        "--batch-size",
        type=whole_number(1, 4096),
        help="images drawn at a time (64; on a CPU as many as keep each one's bits)",
    )
    parser.add_argument(
        "--engine",
        choices=(AUTO, *ENGINES),
        default="plain",
        help="what draws: plain, the model's own pictures bit for bit; auto, the fastest here within a level of 255 (plain)",
    )


def add_sampling(parser: Parser, least_seeds: int) -> None:
    """Add --seeds, --label, --truncation and --device."""
    parser.add_argument("--seeds", type=seed_list(least_seeds), required=True, help=SEEDS_HELP)
    label_help = "name or index of a class; by default a seed's own, on a walk the first seed's"
    parser.add_argument("--label", dest="labels", metavar="CLASS", help=label_help)
    parser.add_argument("--truncation", type=float, default=1.0, help="1 (none) … 0 (the mean)")
    add_device(parser)


def samples_out(text: str) -> Path:
    """Read where samples go: a .png, an .npz, or a folder, which is made where it is missing."""
    path = Path(text)
    if path.is_dir() or not path.suffix:
        return output_folder(text)
    return output_file(text, (".png", ".npz"), otherwise=", or is a folder, without an ending")


def label_of(args: argparse.Namespace, pipe: "GANPipeline") -> str | int | None:
    """The label as the pipeline takes it: digits are an index, unless a class is called so."""
    label = args.labels
    if label is None or label in (pipe.label_names or ()):
        return label
    return int(label) if re.fullmatch(r"[0-9]{1,9}", label, re.ASCII) else label


def run(args: argparse.Namespace) -> None:
    """Draw the images and write them where --out says."""
    from gan_hub import sampling

    kind = args.out.suffix if not args.out.is_dir() else ""
    if args.columns is not None and kind != ".png":
        raise ValueError(f"--columns is not allowed with {args.out}; it is for a grid, a .png.")
    if args.scale != 1 and kind == ".npz":
        raise ValueError(f"--scale is not allowed with {args.out}; an .npz holds the images as they are.")
    concepts = once(args.concept, "--concept")
    pipe = load_model(args, with_discriminator=False)
    if args.engine != "plain":
        pipe.optimize(args.engine, batch_size=args.batch_size or 1)
        print(f"engine: {pipe.engine}")
    options: sampling.SamplingOptions = {
        "labels": label_of(args, pipe),
        "truncation": args.truncation,
        "concepts": concepts,
        "batch_size": args.batch_size,
    }
    if kind == ".npz":
        sampling.save_npz(pipe, args.seeds, args.out, progress=True, **options)
    elif kind == ".png":
        sampling.save_grid(
            pipe,
            args.seeds,
            args.out,
            columns=args.columns,
            scale=args.scale,
            model_name=args.model,
            progress=True,
            **options,
        )
    else:
        sampling.save_files(
            pipe, args.seeds, args.out, scale=args.scale, model_name=args.model, progress=True, **options
        )
    print(f"{args.out}: {len(args.seeds)} images")
