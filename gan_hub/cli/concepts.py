"""`gan-hub concepts`: list, find, name, drop and draw a model's named directions."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gan_hub.atomic import atomic_file
from gan_hub.cli.arguments import (
    Commands,
    Parser,
    add_command,
    add_device,
    add_model,
    comma_list,
    load_model,
    once,
    output_folder,
    png_file,
    rename_pair,
    seed_list,
    whole_number,
    word_list,
)

if TYPE_CHECKING:
    from gan_hub.model_folder.concepts import Concept
    from gan_hub.pipeline import GANPipeline

EXAMPLES = [
    "gan-hub concepts dcgan-mnist",
    "gan-hub concepts my-gan --find brightness,sefa --picture concepts.png",
    'gan-hub concepts my-gan --name "sefa 1=long ears" --drop "sefa 2,sefa 3"',
]
PICTURE_SEEDS, PICTURE_STRENGTHS = range(4), [step / 2 for step in range(-4, 5)]
MAX_COMPARED_SEEDS = 4096  # their latents lie in memory at once


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "a model's named directions with their measured effects; a folder is changed in place without --out"
    parser = add_command(commands, "concepts", summary, run, EXAMPLES)
    add_model(parser)
    add_device(parser)
    parser.add_argument(
        "--out", type=output_folder, metavar="FOLDER", help="another folder of this model, or one to be made"
    )
    find = parser.add_argument_group("find")
    find.add_argument(
        "--find",
        type=word_list,
        action="extend",
        default=[],
        help="comma-separated: thickness, slant, … (docs/concepts.md has all), pca, sefa",
    )
    find.add_argument("--count", type=whole_number(1, 16), default=4, help="concepts that pca and sefa find each (4)")
    find.add_argument(
        "--seeds",
        type=seed_list(30, MAX_COMPARED_SEEDS),
        default="0-1999",
        help="that concepts are found with (0-1999)",
    )
    find.add_argument(
        "--held-out",
        type=seed_list(1, MAX_COMPARED_SEEDS),
        default="10000-10255",
        help="that effects are measured with (10000-10255)",
    )
    change = parser.add_argument_group("name and drop")
    change.add_argument(
        "--name", type=rename_pair, action="append", default=[], metavar="OLD=NEW", help='as in "pca 1=bright fur"'
    )
    change.add_argument(
        "--drop", type=comma_list, action="extend", default=[], help="names of concepts to leave out, comma-separated"
    )
    draw = parser.add_argument_group("draw")
    draw.add_argument("--picture", type=png_file, metavar="FILE.png", help="rows of seeds, strengths from -2 to 2")
    draw.add_argument("--scale", type=whole_number(1, 64), default=1, help="integer nearest-neighbour upscaling (1)")


def run(args: argparse.Namespace) -> None:
    """Find, name and drop concepts, write them, list those there are, and draw them."""
    from gan_hub.concepts_discovery.edit import SEARCHES, check_same_model, edit_concepts, find_concepts, save_concepts
    from gan_hub.sampling import check_size

    pipe = load_model(args)
    if args.picture is not None:
        count = len(pipe.concepts) + sum(args.count if way in SEARCHES else 1 for way in args.find)
        check_size(pipe, count * len(PICTURE_SEEDS) * len(PICTURE_STRENGTHS), args.scale)
    folder = _folder_to_change(args)
    if folder is not None:
        check_same_model(pipe, folder)  # before minutes of work
    new = find_concepts(
        pipe, args.find, args.seeds, args.held_out, args.count, lambda way: print(f"{way} …", file=sys.stderr)
    )
    pipe.concepts = edit_concepts(pipe.concepts, new, once(args.name, "--name"), args.drop)
    if folder is not None:
        save_concepts(pipe, folder)
    descriptions = [_describe(concept) for concept in pipe.concepts.values()]
    print("\n".join(descriptions) or f"{args.model} has no concepts; --find finds some.")
    if args.picture is not None and pipe.concepts:
        _draw(args, pipe)
    if folder is not None:
        print(f"{folder}: {len(pipe.concepts)} concepts")


def _folder_to_change(args: argparse.Namespace) -> Path | None:
    """--out, or MODEL where it is a folder; None where nothing changes."""
    if not (args.find or args.name or args.drop):
        return None
    if args.out is None and not os.path.isdir(args.model):
        raise ValueError(f"{args.model} is no folder that could be changed; give --out FOLDER.")
    return args.out or Path(args.model)


def _describe(concept: "Concept") -> str:
    """A concept in four lines: its effect, how it was found, seeds with it and seeds without it."""
    with_it, without_it = (", ".join(map(str, seeds)) for seeds in (concept.with_it, concept.without_it))
    effect = concept.effect.describe() if concept.effect else "not measured"
    return f"{concept.name}: {effect}\n  {concept.method}\n  seeds with it: {with_it}\n  seeds without it: {without_it}"


def _draw(args: argparse.Namespace, pipe: "GANPipeline") -> None:
    from gan_hub.concepts_discovery.discover import concept_grid
    from gan_hub.images import save_png

    sheet = concept_grid(pipe, list(pipe.concepts.values()), PICTURE_SEEDS, PICTURE_STRENGTHS, args.scale)
    with atomic_file(args.picture) as scratch:
        save_png(sheet, scratch, model=args.model, concepts=", ".join(pipe.concepts), seeds="0-3")
    print(f"{args.picture}: four rows a concept, in this order; strengths from -2 to 2 by halves")
