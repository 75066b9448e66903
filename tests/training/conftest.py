"""A small run: 300 made-up images of three classes, networks of a few thousand parameters, seconds on one core."""

from pathlib import Path

import numpy as np
import pytest
from accelerate.state import AcceleratorState

from gan_hub.training import trainer
from gan_hub.training.batches import Batches
from gan_hub.training.config import TrainConfig
from gan_hub.training.train_state import TrainState


@pytest.fixture(scope="session")
def shapes_npz(tmp_path_factory) -> Path:
    """300 grey 28 × 28 images in x_train, 100 in x_test: a bright bar whose place is its class, on noise."""
    rng = np.random.default_rng(0)

    def make(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.integers(0, 3, count)
        images = rng.integers(0, 60, (count, 28, 28))
        for image, label in zip(images, labels):
            image[4 + 8 * label : 8 + 8 * label, 4:24] += 180
        return images.astype(np.uint8), labels

    path = tmp_path_factory.mktemp("data") / "shapes.npz"
    (x_train, y_train), (x_test, y_test) = make(300), make(100)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


@pytest.fixture
def small_options(shapes_npz, tmp_path) -> dict:
    """Options of a run of 24 steps of 16 images."""
    return {
        "name": "small",
        "data": str(shapes_npz),
        "output": str(tmp_path / "runs"),
        "generator": {"latent_size": 8, "base_channels": 4},
        "discriminator": {"base_channels": 4, "norm": "none", "minibatch_stddev": True},
        "batch_size": 16,
        "total_kimg": 0.384,
        "decay_kimg": 0.1,
        "penalty_interval": 4,
        "ema_halflife_kimg": 0.1,
        "log_kimg": 0.064,
        "sample_kimg": 9.0,  # at the end: a sample in between draws the plot, which takes as long as twenty steps
        "checkpoint_kimg": 0.096,
        "evaluate_kimg": 0,
        "timelapse_frames": 3,
        "device": "cpu",
    }


@pytest.fixture
def small_config(small_options) -> TrainConfig:
    return TrainConfig(**small_options)


@pytest.fixture(autouse=True)
def fresh_accelerate():
    """Accelerate keeps device and precision for the life of a process; each test starts without them."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def new_game(small_options):
    """new_game(kind of Batches, **options) → (state, batches, config) of a run that has not begun."""

    def make(kind: type[Batches], **options) -> tuple[TrainState, Batches, TrainConfig]:
        AcceleratorState._reset_state(reset_partial_state=True)
        config = TrainConfig(**small_options | {"trackers": "none"} | options)
        accelerator = trainer.make_accelerator(config)
        data = trainer.load_data(config)
        state = TrainState(config, data.classes, accelerator)
        return state, kind(data.train, config, state.latent_size, accelerator), config

    return make
