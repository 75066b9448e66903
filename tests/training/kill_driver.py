"""Run by test_resume.py: trains once unbroken, then again and again with a kill -9 aimed at one system call of a save.

Each training is a forked child, so that the libraries are imported once. Prints one JSON line for each kill.
"""

import functools
import json
import os
import signal
import sys
from pathlib import Path

from gan_hub.training import checkpoints
from gan_hub.training.checkpoints import list_checkpoints
from gan_hub.training.config import TrainConfig


def in_child(work) -> int:
    """The wait status of `work` done in a forked child: 0, or -9 where it was killed."""
    child = os.fork()
    if child == 0:
        log = os.open("/dev/null", os.O_WRONLY)
        os.dup2(log, 1)
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(f"child: {error!r}", file=sys.stderr)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def train(config: TrainConfig, resume: bool = False, die_at: int | None = None) -> None:
    """Trains; with `die_at`, the process kills itself at that system call of its saves, counted from 0."""
    from gan_hub.training.loop import train as run

    if die_at is not None:
        calls = [0]

        def counted(real):
            def call(*args, **kwargs):
                if calls[0] == die_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                calls[0] += 1
                return real(*args, **kwargs)

            return call

        checkpoints.os = type(sys)("os")
        checkpoints.os.__dict__.update(os.__dict__)
        for name in ("fsync", "rename"):
            setattr(checkpoints.os, name, counted(getattr(os, name)))
        checkpoints.write_json = counted(checkpoints.write_json)
    run(config, resume=resume)


def final_bytes(config: TrainConfig) -> dict[str, str]:
    """File → sha256 of the last checkpoint's tensors, as its manifest has them."""
    newest = list_checkpoints(config.run_folder / "checkpoints")[-1]
    files = json.loads((newest / "manifest.json").read_text())["files"]
    return {"step": newest.name} | {name: entry["sha256"] for name, entry in files.items() if name != "state.json"}


def main() -> None:
    options, points = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    unbroken = TrainConfig(**options | {"output": options["output"] + "/unbroken"})
    assert in_child(functools.partial(train, unbroken)) == 0
    expected = final_bytes(unbroken)
    for point in points:
        config = TrainConfig(**options | {"output": f"{options['output']}/killed-{point}"})
        killed = in_child(functools.partial(train, config, die_at=point))
        left = [path.name for path in list_checkpoints(config.run_folder / "checkpoints")]
        resumed = in_child(functools.partial(train, config, resume=bool(left)))
        equal = resumed == 0 and final_bytes(config) == expected
        litter = [path.name for path in Path(config.run_folder / "checkpoints").glob(".unfinished-*")]
        print(
            json.dumps(
                {"point": point, "killed": killed, "left": left, "resumed": resumed, "equal": equal, "litter": litter}
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
