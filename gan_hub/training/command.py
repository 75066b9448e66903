"""The command that trains: `train.py RECIPE …`, and `gan-hub train RECIPE …`.

One process:      gan-hub train dcgan-fashion-mnist
Several GPUs:     accelerate launch --multi_gpu --num_processes 4 train.py recipes/…
Several CPUs:     ACCELERATE_USE_CPU=true torchrun --standalone --nproc_per_node 2 train.py recipes/…
Look first:       gan-hub train RECIPE --dry-run
Go on:            gan-hub train RECIPE --resume        (after a crash, a SIGTERM, a new machine)
Publish:          gan-hub train RECIPE --push-to-hub me/my-gan
"""

import os
import re
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from gan_hub.console import print_in_any_encoding

if TYPE_CHECKING:
    from gan_hub.training.config import TrainConfig

DONE, FAILED, WRONG_USAGE, INTERRUPTED, STOPPED = 0, 1, 2, 130, 143


def main(arguments: Sequence[str] | None = None, prog: str = "train.py") -> int:
    """Train as the command line says; arguments that cannot be parsed exit with code 2.

    Args:
        arguments: those after the name of the program; by default the process's own.
        prog: the name of the program in messages, as "gan-hub train".

    Returns:
        the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 143 stopped by a signal with its state saved.
    """
    from gan_hub.training.flags import parser

    print_in_any_encoding()
    flags = vars(parser(__doc__ or "", prog).parse_args(sys.argv[1:] if arguments is None else arguments))
    recipe, dry_run, resume, push, debug = (
        flags.pop(key) for key in ("recipe", "dry_run", "resume", "push_to_hub", "debug")
    )
    code = WRONG_USAGE  # until the run begins
    try:
        config = _configure(recipe, flags, push)
        if dry_run:
            return _preview(config)
        code = FAILED
        return _train(config, resume, push, prog)
    except KeyboardInterrupt:
        if code == FAILED:
            print(f"{prog}: interrupted; what was saved is kept, --resume goes on.", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError) as error:
        if debug:
            raise
        print(f"{prog}: {_in_flags(str(error), flags)}", file=sys.stderr)
        return code


def _configure(recipe: str, flags: dict[str, str], push: str | None) -> "TrainConfig":
    """The configuration of a recipe and flags, once what it leaves out is printed; raises ValueError."""
    from gan_hub.training.config import TrainConfig
    from gan_hub.training.flags import parse_flag
    from gan_hub.training.recipes import merge, read_recipe, remarks

    options, changes = read_recipe(recipe), {name: parse_flag(name, text) for name, text in flags.items()}
    try:
        config = TrainConfig(**merge(options, changes))
    except ValueError as error:
        raise ValueError(_in_flags(str(error), changes)) from error
    if _is_first_process():
        for remark in remarks(options, changes):
            print(f"# {recipe}: {remark}")
        if push is not None:
            from gan_hub.hub.access import check_push

            check_push(push)
    return config


def _in_flags(message: str, flags: Collection[str]) -> str:
    """A library's message in the words of the shell: options that were typed as `flags`, and what to do next.

    As --seed 3 for seed=3, --resume for resume=True, "another --name" for "another name=". What the recipe says stays.
    """
    message = re.sub(r"\bresume=True\b", "--resume", message)
    message = re.sub(r"\banother name=", "another --name", message).replace(" with initial=", " with --initial ")
    return re.sub(r"\b(\w+)=", lambda match: f"--{match[1]} " if match[1] in flags else match[0], message)


def _is_first_process() -> bool:
    """Whether this is the first of several processes, by what the launcher says."""
    return os.environ.get("RANK", "0") == "0"


def _preview(config: "TrainConfig") -> int:
    from gan_hub.training.dry_run import preview

    if _is_first_process():
        print(config.to_yaml(), flush=True)
    preview(config)
    return DONE


def _train(config: "TrainConfig", resume: bool, push: str | None, prog: str) -> int:
    from gan_hub.training.trainer import StoppedError, train

    try:
        folder = train(config, resume)
    except StoppedError as stopped:
        print(f"{prog}: {_in_flags(str(stopped), ())}", file=sys.stderr)
        return STOPPED
    if _is_first_process():
        print(f"done: {folder}")
        if push:
            from gan_hub.hub.publish import publish

            publish(folder, push)
    return DONE
