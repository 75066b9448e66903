"""A model folder from a checkpoint of a run that was stopped, has ended, or still goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from gan_hub.metrics.features import Extractor
from gan_hub.model_folder.files import INDEX_NAME
from gan_hub.model_folder.strict import LoadError
from gan_hub.training.batches import Data, load_data
from gan_hub.training.best_checkpoint import PREFIX, BestSoFar, check_best
from gan_hub.training.checkpoint_schema import check_state
from gan_hub.training.checkpoints import (
    CHECKPOINTS_NAME,
    Tensors,
    check_tensors,
    list_checkpoints,
    load_newest,
    read_state,
)
from gan_hub.training.config import TrainConfig
from gan_hub.training.evaluator import Scorer
from gan_hub.training.export import EXPORT_NAME, RECIPE_NAME, export
from gan_hub.training.recipes import read_recipe
from gan_hub.training.run_files import CONFIG_NAME, RunLog, Timelapse
from gan_hub.training.run_lock import one_export_at_a_time
from gan_hub.training.snapshot import RunSnapshot
from gan_hub.training.train_state import build_networks

Content = TypeVar("Content")


def export_run(
    folder: Path, out: Path | None = None, step: int | None = None, data: str = "", scores: bool = True
) -> Path:
    """Writes the model of a checkpoint. The run may go on meanwhile: nothing of it is touched.

    Args:
        folder: the run's, as runs/<name>.
        out: where the model goes; None: `folder`/export, as at the end of the run.
        step: of which checkpoint; None: the newest valid one.
        data: where the images of the run lie now; "": where its configuration says.
        scores: whether to score the model as the run would have.

    Returns:
        the model's folder.

    Raises:
        ValueError: for a folder, step or data that do not fit, and where `out` holds anything else.
        LoadError: for a run that is damaged.
    """
    checkpoints = folder / CHECKPOINTS_NAME
    _refuse_what_is_no_run(folder, checkpoints)
    config = _while_pruned(checkpoints, lambda: _configuration(checkpoints, step))
    if out is None:
        out = folder / EXPORT_NAME
    elif out != folder / EXPORT_NAME:
        _refuse_what_would_be_lost(out, config)
    config = replace(config, data=data or config.data)
    images = load_data(config)
    run = _while_pruned(checkpoints, lambda: _snapshot(folder, checkpoints, step, images, config.data, scores))
    out.parent.mkdir(parents=True, exist_ok=True)
    with one_export_at_a_time(folder):
        export(run, out)
    return out


def _refuse_what_is_no_run(folder: Path, checkpoints: Path) -> None:
    if list_checkpoints(checkpoints):
        return
    what = f"a run is a folder with {CHECKPOINTS_NAME}/, as runs/<name>."
    if (folder / INDEX_NAME).is_file():
        raise ValueError(f"{folder} is a model already; {what}")
    if not folder.is_dir():
        raise ValueError(f"{folder} does not exist; {what}")
    for around in folder.absolute().parents[:2]:
        if list_checkpoints(around / CHECKPOINTS_NAME):
            raise ValueError(f"{folder} lies in a run; give its folder, {around}")
    if not (folder / CONFIG_NAME).is_file():
        raise ValueError(f"{folder} is no run; {what}")
    raise ValueError(
        f"{folder} has no checkpoint yet in {CHECKPOINTS_NAME}/; the run writes one every checkpoint_kimg."
    )


def _refuse_what_would_be_lost(out: Path, config: TrainConfig) -> None:
    """An export replaces a whole folder, so only an empty one and an earlier export of this run are allowed."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        earlier = (out / INDEX_NAME).is_file() and read_recipe(out / RECIPE_NAME).get("name") == config.name
    except ValueError:
        earlier = False
    if not earlier:
        raise ValueError(
            f"{out} is there and is no earlier export of {config.name}; nothing of it would be left. Choose another out=, or "
            "take it away first."
        )


def _while_pruned(checkpoints: Path, read: Callable[[], Content]) -> Content:
    """`read()`, repeated where it failed and the checkpoints have changed: a run that goes on removes old ones."""
    while True:
        there = list_checkpoints(checkpoints)
        try:
            return read()
        except LoadError:
            if list_checkpoints(checkpoints) == there:
                raise


def _configuration(checkpoints: Path, step: int | None) -> TrainConfig:
    """The configuration of the newest checkpoint with a valid state, or of the one at `step`."""
    refused = []
    for path in reversed(_candidates(checkpoints, step)):
        try:
            return check_state(path, read_state(path))
        except LoadError as error:
            refused.append(str(error))
    raise LoadError(f"{checkpoints}: no valid checkpoint in it. {' '.join(refused)}")


def _candidates(checkpoints: Path, step: int | None) -> list[Path]:
    existing = list_checkpoints(checkpoints)
    chosen = [path for path in existing if step is None or int(path.name.removeprefix("step-")) == step]
    if not chosen:
        steps = ", ".join(path.name.removeprefix("step-").lstrip("0") for path in existing)
        raise ValueError(f"checkpoint={step} is not allowed; {checkpoints} has those of the steps {steps}.")
    return chosen


def _snapshot(folder: Path, checkpoints: Path, step: int | None, data: Data, source: str, scores: bool) -> RunSnapshot:
    """The run as it was at the checkpoint; raises LoadError, and ValueError where the images differ."""
    configs, networks = {}, {}

    def check(path: Path, state: dict) -> None:
        configs[path] = config = check_state(path, state)
        if state["data"] != data.fingerprint():
            raise ValueError(f"{path} was trained on other images than data={source!r} holds now.")
        images = state["step"] * config.batch_size
        if config.grow_kimg and config.level(images) < config.levels:
            raise ValueError(
                f"{path} has grown {config.level(images):g} of {config.levels} times, and only a full-grown network is a "
                f"model: let the run go on to {2 * config.levels * config.grow_kimg:g} kimg."
            )

    def take(path: Path, tensors: Tensors, state: dict) -> None:
        networks[path] = _networks(path, configs[path], data.classes, tensors)
        check_best(path, tensors, state, networks[path])

    path, tensors, state, refused = load_newest(checkpoints, ("ema",), check, take, _candidates(checkpoints, step))
    for reason in refused:
        print(f"passed over a checkpoint: {reason}")
    config = replace(configs[path], data=source)
    print(f"exporting {path} ({state['step'] * config.batch_size / 1000:.1f} of {config.total_kimg:g} kimg)")
    return _assembled(folder, config, data, tensors, state, networks[path], scores)


def _networks(path: Path, config: TrainConfig, classes: int, tensors: Tensors) -> dict[str, torch.nn.Module]:
    """The averaged generator, and the discriminator of a game of two, float32 on the CPU, in eval mode."""
    built = zip(("generator", "discriminator"), build_networks(config, classes), strict=True)
    networks: dict[str, torch.nn.Module] = {name: network for name, network in built if network is not None}
    for name, network in networks.items():
        file = "ema" if name == "generator" else name
        network = network.double() if config.precision == "fp64" else network
        check_tensors(path / f"{file}.safetensors", tensors.get(file, {}), network.state_dict())
        network.load_state_dict(tensors[file])
        network.float().eval()
    return networks


def _assembled(
    folder: Path, config: TrainConfig, data: Data, tensors: Tensors, state: dict, networks: dict, scores: bool
) -> RunSnapshot:
    images = state["step"] * config.batch_size
    weights = {name.removeprefix(PREFIX): content for name, content in tensors.items() if name.startswith(PREFIX)}
    best = BestSoFar(folder, state["watched"]["best"], weights).best
    if best and config.publish == "best":
        for name, network in networks.items():
            network.load_state_dict(best.weights[name])
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    device = torch.device("cpu") if config.device == "cpu" or accelerator is None else accelerator
    scorer = None
    if scores and config.extractor != "none":
        extractor = Extractor(config.extractor, config.extractor_weights or None).to(device)
        scorer = Scorer(config, data, extractor)
    timelapse = Timelapse(folder, config.timelapse_frames, config.total_steps, config.batch_size, images)
    return RunSnapshot(
        config, data, images, (networks["generator"], networks.get("discriminator")), best, RunLog(folder, images),
        timelapse, state["elapsed"], state["processes"], state.get("hardware", "a machine that was not written down"),
        device, scorer,
    )  # fmt: skip
