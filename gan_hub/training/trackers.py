"""The trackers of a run (TensorBoard, Weights & Biases, …), by accelerate: what each is asked for, told and shown."""

import os
from collections.abc import Callable

import numpy as np
from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
from accelerate.utils import LoggerType, ProjectConfiguration
from PIL import Image

from gan_hub.images import normalize_pil
from gan_hub.messages import short_repr
from gan_hub.training import strict_yaml
from gan_hub.training.config import TrainConfig

# Where a tracker keeps what it writes, of those that do not take the run's folder from accelerate. A person's own setting stays.
FOLDERS = {
    "wandb": {"WANDB_DIR": ""},
    "trackio": {"TRACKIO_DIR": "trackio"},
    "swanlab": {"SWANLAB_LOG_DIR": "swanlab", "SWANLAB_LOGDIR": "swanlab"},
    "comet_ml": {"COMET_OFFLINE_DIRECTORY": "comet"},
    "mlflow": {"MLFLOW_TRACKING_URI": "mlruns"},
}


def check(config: TrainConfig) -> None:
    """Raises ValueError for a tracker that is not there, or that nobody is logged in to, as far as it tells; asks no server."""
    own = LOGGER_TYPE_TO_CLASS.keys() - {str(kind) for kind in LoggerType}  # registered with accelerate by a program
    available = {str(tracker) for tracker in get_available_trackers()} | own
    for name in config.tracker_names:
        if name not in available:
            raise ValueError(
                f"trackers={config.trackers!r}: {name!r} is not installed or not one of accelerate's; here are none, "
                f"{', '.join(sorted(available))}."
            )
        login = LOGINS.get(name)
        missing = login and login()
        if missing:
            raise ValueError(f"trackers={config.trackers!r}: nobody is logged in to {name}; {missing}.")


def _wandb() -> str | None:
    import wandb

    if os.environ.get("WANDB_MODE") in ("offline", "disabled", "dryrun") or wandb.api.api_key:
        return None
    return "run `wandb login`, set WANDB_API_KEY, or WANDB_MODE=offline"


def _comet_ml() -> str | None:
    import comet_ml

    if os.environ.get("COMET_START_MODE") or comet_ml.get_config("comet.api_key"):
        return None
    return "run `comet login`, or set COMET_API_KEY"


LOGINS: dict[str, Callable[[], str | None]] = {"wandb": _wandb, "comet_ml": _comet_ml}  # → what to do, or None


def folders(config: TrainConfig) -> ProjectConfiguration:
    """Accelerate's own folders. What a tracker makes by itself goes into the run's, too."""
    for name in config.tracker_names:
        for variable, folder in FOLDERS.get(name, {}).items():
            os.environ.setdefault(variable, str((config.run_folder / folder).resolve()))
    return ProjectConfiguration(project_dir=config.run_folder, logging_dir=config.run_folder / "tensorboard")


def start(accelerator: Accelerator, config: TrainConfig, images_seen: int) -> None:
    """Begins a record of the run with each tracker, under the run's name, with its configuration.

    Raises ValueError where one of them cannot be begun.
    """
    arguments = {
        "tensorboard": {"purge_step": images_seen},
        "dvclive": {"dir": str(config.run_folder / "dvclive")},
        "wandb": {"name": config.name},
    }
    try:
        accelerator.init_trackers(config.name, config=flat(config), init_kwargs=arguments)
    except Exception as error:  # theirs: each library has its own
        raise ValueError(
            f"trackers={config.trackers!r}: cannot be started ({short_repr(str(error), 200)}); log in, or choose --trackers none."
        ) from error


def flat(config: TrainConfig) -> dict[str, str | int | float | bool]:
    """The options as trackers take them: one level, a network's arguments as generator/latent_size, the rest as text."""
    values = {}
    for name, value in vars(config).items():
        nested = value and isinstance(value, dict)
        values |= {f"{name}/{key}": part for key, part in value.items()} if nested else {name: value}
    plain = (str, int, float, bool)
    return {
        name: value if isinstance(value, plain) else strict_yaml.dump(value).strip() for name, value in values.items()
    }


def log_grid(accelerator: Accelerator, sheet: Image.Image, images_seen: int) -> None:
    """Shows a sample grid to each tracker that takes pictures."""
    sheet = normalize_pil(sheet, 3)
    pixels = np.asarray(sheet)
    # ClearML and Aim take one picture a name, all others a list; TensorBoard is told how it lies.
    taken = {"aim": sheet, "clearml": pixels}
    for tracker in accelerator.trackers:
        if hasattr(tracker, "log_images"):
            layout = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
            tracker.log_images({"samples": taken.get(tracker.name, pixels[None])}, step=images_seen, **layout)
