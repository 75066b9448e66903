#!/usr/bin/env python
"""The run: `accelerate launch train.py recipes/NAME.yaml [--key value ...]` trains a GAN and writes its Hub folder.

One process:      python train.py recipes/dcgan-fashion-mnist.yaml
Several GPUs:     accelerate launch --multi_gpu --num_processes 4 train.py recipes/…
Several CPUs:     ACCELERATE_USE_CPU=true torchrun --standalone --nproc_per_node 2 train.py recipes/…
Look first:       python train.py recipes/… --dry-run
Go on:            python train.py recipes/… --resume        (after a crash, a SIGTERM, a new machine)
Publish:          python train.py recipes/… --push-to-hub me/my-gan
"""

import os
import sys


def main(arguments: list[str]) -> int:
    """Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 143 stopped by a signal with its state saved."""
    from gan_hub.console import print_in_any_encoding
    from gan_hub.training.config import TrainConfig, merge, read_recipe, remarks
    from gan_hub.training.flags import parse_flag, parser

    print_in_any_encoding()
    given = vars(parser(__doc__).parse_args(arguments))
    recipe, dry_run, resume, push, debug = (
        given.pop(key) for key in ("recipe", "dry_run", "resume", "push_to_hub", "debug")
    )
    first = os.environ.get("RANK", "0") == "0"  # of several processes
    try:
        options, flags = read_recipe(recipe), {name: parse_flag(name, text) for name, text in given.items()}
        config = TrainConfig(**merge(options, flags))
        if first:
            for remark in remarks(options, flags):
                print(f"# {recipe}: {remark}")
        if push is not None and first:
            from gan_hub.hub.access import check_push

            check_push(push)
        if dry_run:
            from gan_hub.training.dry_run import preview

            if first:
                print(config.to_yaml(), flush=True)
            preview(config)
            return 0
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError) as error:
        if debug:
            raise
        print(f"train.py: {error}", file=sys.stderr)
        return 2

    from accelerate import PartialState

    from gan_hub.hub.upload import upload
    from gan_hub.training.trainer import StoppedError, train

    try:
        folder = train(config, resume)
        if PartialState().is_main_process:
            print(f"done: {folder}")
            if push:
                print(f"published: {upload(folder, push)}")
    except KeyboardInterrupt:
        print("train.py: interrupted; what was saved is kept, --resume goes on.", file=sys.stderr)
        return 130
    except StoppedError as stopped:
        print(f"train.py: {stopped}", file=sys.stderr)
        return 143
    except (ValueError, OSError) as error:
        if debug:
            raise
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
