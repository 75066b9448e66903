"""Before the first step: a folder that can be written, the checkpoint to go on from, processes that agree."""

import tempfile
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import gather_object

from gan_hub.training.best_checkpoint import PREFIX, check_best
from gan_hub.training.checkpoint_schema import check_state
from gan_hub.training.checkpoints import Tensors, load_newest
from gan_hub.training.config import FREE_OPTIONS, TrainConfig
from gan_hub.training.resume import changes, refuse_other, remedy_of_new_run
from gan_hub.training.train_state import TrainState


def make_folder(config: TrainConfig) -> None:
    """Make the run's folder; raises ValueError where nothing can be written there, before anything is computed."""
    try:
        config.run_folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=config.run_folder):
            pass
    except OSError as error:
        raise ValueError(
            f"output={config.output!r}: {config.run_folder} cannot be written ({error.strerror})."
        ) from error


def load_state(state: TrainState, checkpoints: Path, config: TrainConfig, fingerprint: str) -> dict:
    """Load the newest valid checkpoint of a run that goes on.

    Args:
        state: takes over its tensors and numbers.
        checkpoints: folder of the checkpoints.
        config: the current one; what differs from the checkpoint's is printed.
        fingerprint: of the current training images.

    Returns:
        The checkpoint's state.json, with `step` counted in this run's batches, the tensors of the best weights as
        `best_weights`, and as `changes` the options that have changed and move weights.

    Raises:
        ValueError: the configuration or the images are those of another run.
        LoadError: no checkpoint is valid.
    """
    accelerator, configs = state.accelerator, {}

    def check(path: Path, numbers: dict) -> None:
        configs[path] = check_state(path, numbers)
        refuse_other(path, numbers, configs[path], config)
        if numbers["data"] != fingerprint:
            raise ValueError(
                f"{path} was trained on other images than data={config.data!r} holds now. {remedy_of_new_run(config)}"
            )

    def take(path: Path, tensors: Tensors, numbers: dict) -> None:
        check_best(path, tensors, numbers, state.networks)
        state.load(path, tensors, numbers)

    path, tensors, numbers, refused = load_newest(checkpoints, tuple(state.tensors()), check, take)
    for reason in refused:
        accelerator.print(f"passed over a checkpoint: {reason}")
    if numbers["processes"] != accelerator.num_processes:
        accelerator.print(
            f"note: {numbers['processes']} process(es) then, {accelerator.num_processes} now; not bit-equal."
        )
    images = numbers["step"] * configs[path].batch_size
    accelerator.print(f"resumed from {path} ({images / 1000:.1f} kimg)")
    changed = changes(configs[path], config)
    if changed:
        accelerator.print(f"changed since: {', '.join(changed.values())}")
    deciding = [change for name, change in changed.items() if name not in FREE_OPTIONS]
    best = {name.removeprefix(PREFIX): content for name, content in tensors.items() if name.startswith(PREFIX)}
    return numbers | {"step": images // config.batch_size, "best_weights": best, "changes": deciding}


def check_agreement(accelerator: Accelerator, start: int, fingerprint: str) -> None:
    """Raise ValueError where the processes have other checkpoints or images, as on machines without a common disk.

    Args:
        accelerator: knows the processes.
        start: steps done, by the checkpoint that this process has loaded.
        fingerprint: of this process's training images.

    Raises:
        ValueError: on every process.
    """
    starts = gather_object([(start, fingerprint)]) if accelerator.num_processes > 1 else []
    if len(set(map(tuple, starts))) > 1:
        raise ValueError(
            f"the processes found different checkpoints or images (first steps {sorted({step for step, _ in starts})}); "
            "output and data must lie on a disk that all machines share."
        )
