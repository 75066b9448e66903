#!/usr/bin/env python
"""The run: `accelerate launch train.py recipes/NAME.yaml [--key value ...]` trains a GAN and writes its Hub folder.

One process:      python train.py recipes/dcgan-fashion-mnist.yaml
Several GPUs:     accelerate launch --multi_gpu --num_processes 4 train.py recipes/…
Several CPUs:     ACCELERATE_USE_CPU=true torchrun --standalone --nproc_per_node 2 train.py recipes/…
Look first:       python train.py recipes/… --dry-run
Go on:            python train.py recipes/… --resume        (after a crash, a SIGTERM, a new machine)
Publish:          python train.py recipes/… --push-to-hub me/my-gan
"""

import argparse
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Exit codes: 0 done, 1 failed, 2 wrong usage, 143 stopped by a signal with its state saved."""
    from gan_hub.console import print_in_any_encoding
    from gan_hub.training.config import TrainConfig, add_flags, merge, parse_flag, read_recipe

    print_in_any_encoding()
    parser = argparse.ArgumentParser(
        prog="train.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", type=Path, help="a YAML file of options, see recipes/")
    parser.add_argument("--dry-run", action="store_true", help="print the full configuration and the sizes, do nothing")
    parser.add_argument("--resume", action="store_true", help="go on from the newest valid checkpoint")
    parser.add_argument("--push-to-hub", metavar="REPO_ID", help="upload the finished model")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    add_flags(parser)
    given = vars(parser.parse_args(arguments))
    recipe, dry_run, resume, push, debug = (
        given.pop(key) for key in ("recipe", "dry_run", "resume", "push_to_hub", "debug")
    )
    try:
        flags = {name: parse_flag(name, text) for name, text in given.items()}
        config = TrainConfig(**merge(read_recipe(recipe), flags))
        if dry_run:
            print(describe(config))
            return 0
    except ValueError as error:
        if debug:
            raise
        print(f"train.py: {error}", file=sys.stderr)
        return 2

    from accelerate import PartialState

    from gan_hub.hub.publishing import upload
    from gan_hub.training.loop import Stopped, train

    try:
        folder = train(config, resume)
        if PartialState().is_main_process:
            print(f"done: {folder}")
            if push:
                print(f"published: {upload(folder, push)}")
    except KeyboardInterrupt:
        print("train.py: interrupted; what was saved is kept, --resume goes on.", file=sys.stderr)
        return 130
    except Stopped as stopped:
        print(f"train.py: {stopped}", file=sys.stderr)
        return 143
    except (ValueError, OSError) as error:
        if debug:
            raise
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    return 0


def describe(config) -> str:
    """The full configuration as YAML, then the sizes of both networks (built without memory)."""
    import torch

    from gan_hub.data import NAMED, load_images, load_pairs
    from gan_hub.training.players import build_networks

    classes = 0
    if config.conditional:
        names = NAMED[config.data].label_names if config.data in NAMED else None
        classes = len(names or load_images(config.data, config.resolution, config.channels).label_names or ())
    if config.takes_maps:
        classes = len(load_pairs(config.data, config.resolution, config.channels).map_names)
    with torch.device("meta"):
        sizes = [
            network and sum(p.numel() for p in network.parameters()) for network in build_networks(config, classes)
        ]
    return (
        f"{config.to_yaml()}\n# generator {sizes[0]:,} parameters, discriminator {sizes[1] or 0:,}; {classes} classes; "
        f"{config.total_steps:,} steps of {config.batch_size} images"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
