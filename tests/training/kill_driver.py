"""Run by test_resume.py: trains once unbroken, then again and again with a kill -9, each time resumed to the end.

kill_driver.py OPTIONS PLAN; a plan is {"aimed": [n, …]} (the n-th call of a save that touches the disk) or {"random": count,
"seed": s} (anywhere in the run). Each training is a forked child, so that the libraries are imported once. Prints one JSON
line for each kill.
"""

import functools
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from gan_hub.training import checkpoints, trainer
from gan_hub.training.checkpoints import list_checkpoints
from gan_hub.training.config import TrainConfig


def start(work) -> int:
    """A forked child that does `work`; its process id."""
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
    return child


def wait(child: int) -> int:
    """Its wait status: 0, or -9 where it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def train(config: TrainConfig, die_at: int | None = None) -> None:
    """Trains on from whatever is there; with `die_at`, it kills itself before that call of its saves, from 0."""
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
    checkpoints.os.rename = counted(os.rename)
    checkpoints.fsync = counted(checkpoints.fsync)
    checkpoints.write_json = counted(checkpoints.write_json)
    checkpoints.save_file = counted(checkpoints.save_file)
    trainer.finish = lambda run: None  # scoring and export come after the last checkpoint
    trainer.Trainer._sample = lambda self: None  # drawing the plot takes longer than the training
    trainer.train(config, resume=True)


def final_bytes(config: TrainConfig) -> dict[str, str]:
    """File → sha256 of the last checkpoint's tensors, as its manifest has them."""
    newest = list_checkpoints(config.run_folder / "checkpoints")[-1]
    files = json.loads((newest / "manifest.json").read_text())["files"]
    return {"step": newest.name} | {name: entry["sha256"] for name, entry in files.items() if name != "state.json"}


def main() -> None:
    options, plan = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    unbroken = TrainConfig(**options | {"output": options["output"] + "/unbroken"})
    began = time.monotonic()
    assert wait(start(functools.partial(train, unbroken))) == 0
    whole, expected = time.monotonic() - began, final_bytes(unbroken)

    dice = random.Random(plan.get("seed"))
    aims = plan.get("aimed", [None] * plan.get("random", 0))
    while aims:
        point = aims[0]
        config = TrainConfig(**options | {"output": f"{options['output']}/killed"})
        shutil.rmtree(config.run_folder, ignore_errors=True)
        child = start(functools.partial(train, config, die_at=point))
        if point is None:
            time.sleep(dice.uniform(0, whole))
            os.kill(child, signal.SIGKILL)
        killed = wait(child)
        if point is None and killed == 0:
            continue  # it was done before: another throw of the dice
        aims.pop(0)
        folder = config.run_folder / "checkpoints"
        left = [path.name for path in list_checkpoints(folder)]
        resumed = wait(start(functools.partial(train, config)))
        found = {"killed": killed, "left": left, "resumed": resumed, "point": point}
        found["equal"] = resumed == 0 and final_bytes(config) == expected
        found["litter"] = [path.name for path in Path(folder).glob(".unfinished-*")]
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
