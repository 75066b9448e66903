"""A run on pictures with opacity, from the folder to the published model: nothing on the way drops a channel."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_hub import GANPipeline
from gan_hub.images import MODES, normalize_pil, to_pil
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.manifest import Manifest
from gan_hub.training import trainer
from gan_hub.training.config import TrainConfig


def stickers(folder: Path, count: int, seed: int) -> str:
    """A folder of discs of one colour each, with a soft edge, on nothing at all."""
    rows, columns = np.indices((28, 28)) - 13.5
    opacity = (255 * np.clip(11 - np.hypot(rows, columns), 0, 1))[..., None]
    folder.mkdir()
    for index, colour in enumerate(np.random.default_rng(seed).integers(0, 256, (count, 3))):
        pixels = np.concatenate([np.broadcast_to(colour, (28, 28, 3)), opacity], 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    return str(folder)


@pytest.mark.parametrize(("channels", "words"), [(2, "grey with opacity"), (4, "RGB with opacity")])
def test_a_run_on_pictures_with_opacity_draws_publishes_and_shows_them(small_options, tmp_path, channels, words):
    data, others = stickers(tmp_path / "discs", 80, seed=0), stickers(tmp_path / "others", 20, seed=1)
    options = {
        "data": data,
        "real_samples": others,
        "real_samples_notice": "discs, public domain",
        "augment": "ada",
    }
    options |= {
        "channels": channels,
        "conditional": False,
        "total_kimg": 0.096,
        "decay_kimg": 0.0,
        "trackers": "tensorboard",
    }
    config = TrainConfig(**small_options | options)
    folder, mode = trainer.train(config), MODES[channels]

    for name in ("samples.png", "timelapse.webp"):
        with Image.open(folder / name) as picture:
            assert picture.mode == (mode if name.endswith(".png") else "RGBA"), name
    assert f"28 × 28 pixels ({words})" in (folder / "README.md").read_text(encoding="utf-8")
    (events,) = config.run_folder.glob("tensorboard/*/events.*")
    shown = EventAccumulator(str(events.parent)).Reload().Images("samples")[-1].encoded_image_string
    with Image.open(config.run_folder / "samples.png") as sheet:
        (config.run_folder / "shown.png").write_bytes(shown)
        with Image.open(config.run_folder / "shown.png") as picture:
            assert np.array_equal(np.asarray(picture), np.asarray(normalize_pil(sheet, 3)))  # on white

    pipe = GANPipeline.from_pretrained(folder)
    drawn = pipe(seeds=[1, 2])
    assert [image.mode for image in drawn.images] == [mode, mode]
    levels = pipe(seeds=[1, 2], output_type="np").images
    assert levels.shape == (2, 28, 28, channels) and [i.tobytes() for i in to_pil(levels)] == [
        i.tobytes() for i in drawn.images
    ]
    assert np.allclose(pipe.discriminate(drawn.images), pipe.discriminate(levels))
    assert pipe.judge(Image.new("RGB", (50, 60))).shape == (1,)
    reals = real_samples.read(folder, Manifest.if_any(folder), 28, channels, None)
    assert {image.mode for image in reals.images} == {mode}
    assert reals.images[0].getpixel((0, 0))[-1] == 0 and reals.images[0].getpixel((14, 14))[-1] == 255
