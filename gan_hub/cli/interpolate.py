"""`gan-hub interpolate`: a walk through the latents of some seeds, as an animation."""

import argparse

from gan_hub.cli.arguments import (
    MAX_FRAMES,
    Commands,
    Parser,
    add_command,
    add_model,
    animation_file,
    load_model,
    whole_number,
)
from gan_hub.cli.sample import add_sampling, label_of

EXAMPLES = [
    "gan-hub interpolate dcgan-mnist --seeds 1,5,9 --label 7 --out walk.webp",
    "gan-hub interpolate stylegan2-cats-64 --seeds 1-8 --frames 200 --scale 4 --out cats.gif",
]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "walk through the latents of some seeds, as an animation"
    parser = add_command(commands, "interpolate", summary, run, EXAMPLES)
    add_model(parser)
    add_sampling(parser, least_seeds=2)
    parser.add_argument("--out", type=animation_file, required=True, metavar="FILE.webp|gif")
    parser.add_argument(
        "--frames", type=whole_number(2, MAX_FRAMES), default=60, help="of the whole walk, 20 a second (60)"
    )
    parser.add_argument("--scale", type=whole_number(1, 64), default=1, help="integer nearest-neighbour upscaling (1)")


def run(args: argparse.Namespace) -> None:
    """Draw the walk and write it."""
    from gan_hub.sampling import save_walk

    pipe = load_model(args, with_discriminator=False)
    save_walk(
        pipe,
        args.seeds,
        args.out,
        frames=args.frames,
        scale=args.scale,
        labels=label_of(args, pipe),
        truncation=args.truncation,
    )
    print(f"{args.out}: {args.frames} frames")
