"""The trackers of a run (TensorBoard, Weights & Biases, …), through accelerate: checked, started, written to."""

import contextlib
import os
from collections.abc import Callable, Iterator

import numpy as np
from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
from accelerate.utils import LoggerType, ProjectConfiguration

from gan_hub.images import normalize_pil
from gan_hub.messages import short_repr
from gan_hub.training import strict_yaml
from gan_hub.training.callbacks import Callback, TrainContext
from gan_hub.training.config import TrainConfig

# Where a tracker keeps what it writes, of those that do not take the run's folder from accelerate. Variables that are set
# already stay.
FOLDERS = {
    "wandb": {"WANDB_DIR": ""},
    "trackio": {"TRACKIO_DIR": "trackio"},
    "swanlab": {"SWANLAB_LOG_DIR": "swanlab", "SWANLAB_LOGDIR": "swanlab"},
    "comet_ml": {"COMET_OFFLINE_DIRECTORY": "comet"},
    "mlflow": {"MLFLOW_TRACKING_URI": "mlruns"},
}


def check(config: TrainConfig) -> None:
    """Raises ValueError for a tracker that is not installed, or has no login, as far as its library knows; asks no server."""
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
            raise ValueError(f"trackers={config.trackers!r}: there is no login for {name}; {missing}.")


def _wandb() -> str | None:
    import wandb  # pyright: ignore[reportMissingImports]  # only where it is installed

    if os.environ.get("WANDB_MODE") in ("offline", "disabled", "dryrun") or wandb.api.api_key:
        return None
    return "run `wandb login`, set WANDB_API_KEY, or WANDB_MODE=offline"


def _comet_ml() -> str | None:
    import comet_ml  # pyright: ignore[reportMissingImports]  # only where it is installed

    if os.environ.get("COMET_START_MODE") or comet_ml.get_config("comet.api_key"):
        return None
    return "run `comet login`, or set COMET_API_KEY"


LOGINS: dict[str, Callable[[], str | None]] = {"wandb": _wandb, "comet_ml": _comet_ml}  # → what to do, or None


def folders(config: TrainConfig) -> ProjectConfiguration:
    """The folders of accelerate; environment variables direct the other trackers into the run's folder, too."""
    for name in config.tracker_names:
        for variable, folder in FOLDERS.get(name, {}).items():
            os.environ.setdefault(variable, str((config.run_folder / folder).resolve()))
    folder = config.run_folder
    return ProjectConfiguration(folder, folder / "tensorboard")  # pyright: ignore[reportArgumentType]  # any path


def start(accelerator: Accelerator, config: TrainConfig, images_seen: int) -> None:
    """Begin a record of the run with each tracker, under the run's name, with its configuration.

    Args:
        accelerator: has the trackers.
        config: of the run.
        images_seen: where the run begins; TensorBoard drops what it has from after that.

    Raises:
        ValueError: one of them cannot be started.
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
            f"trackers={config.trackers!r}: cannot be started ({short_repr(str(error), 200)}); log in, or choose none."
        ) from error


def flat(config: TrainConfig) -> dict[str, str | int | float | bool]:
    """The options as trackers take them: one level, the networks' arguments as generator/latent_size, lists as text."""
    values = {}
    for name, value in vars(config).items():
        nested = value and isinstance(value, dict)
        values |= {f"{name}/{key}": part for key, part in value.items()} if nested else {name: value}
    plain = (str, int, float, bool)
    return {
        name: value if isinstance(value, plain) else strict_yaml.dump(value).strip() for name, value in values.items()
    }


class TrackerLogger(Callback):
    """Shows each tracker every line of the log and, if it takes pictures, the sample grids."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator

    def on_score(self, run: TrainContext) -> None:
        """The scores, by the names they have in the log."""
        self.on_log(run)

    def on_log(self, run: TrainContext) -> None:
        """The line of the log, at the images seen."""
        self.accelerator.log(run.metrics, step=run.images)

    def on_sample(self, run: TrainContext) -> None:
        """The grid."""
        assert run.samples is not None
        sheet = normalize_pil(run.samples, 3)
        pixels = np.asarray(sheet)
        # ClearML and Aim take one picture a name, all others a list; TensorBoard has to know the order of its axes.
        pictures = {"aim": sheet, "clearml": pixels}
        for tracker in self.accelerator.trackers:
            if hasattr(tracker, "log_images"):
                layout = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
                tracker.log_images({"samples": pictures.get(tracker.name, pixels[None])}, step=run.images, **layout)


@contextlib.contextmanager
def closed_on_failure(accelerator: Accelerator) -> Iterator[None]:
    """A run that fails inside closes its trackers, so that the next one of this process does not write into its records."""
    try:
        yield
    except BaseException:
        for tracker in accelerator.trackers:
            with contextlib.suppress(Exception):  # theirs; the run's own error matters more
                if tracker.name == "wandb":
                    tracker.tracker.finish(exit_code=1)
                else:
                    tracker.finish()
        raise
