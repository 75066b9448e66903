"""The page shows whatever stands in the registry: a saved tiny model of each architecture goes through all its tabs."""

import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from gan_hub.demo import image_files, models
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.explore import handlers as explore
from gan_hub.demo.tabs.game import handlers as game
from gan_hub.demo.tabs.game.rounds import GAMES
from gan_hub.demo.tabs.interpolate import handlers as interpolate
from gan_hub.demo.tabs.paint import handlers as paint
from gan_hub.demo.tabs.sample import handlers as sample
from gan_hub.demo.tabs.yours import handlers as yours
from gan_hub.model_folder import real_samples
from gan_hub.models import ARCHITECTURES, LightweightGANGenerator, PlainStyleGAN2Generator, SequentialGenerator
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.pipeline import GANPipeline
from tests.models.test_registry import build_pair, inputs, moved

ALONE = {  # architecture → why its discriminator does not play
    "gmmn": "This model came without a discriminator; you play alone.",
    "spade": "This model's discriminator judges a picture by the map it was drawn from",
    "converted": "This model came without a discriminator; you play alone.",
}


def offer(name: str, folder, monkeypatch, **changes) -> str:
    """The name under which the page offers a model of the architecture, with six real pictures."""
    torch.manual_seed(0)
    generator, discriminator = build_pair(ARCHITECTURES[name], **changes)
    _, images, maps = inputs(generator, count=6)
    examples = {"segmentations": maps} if isinstance(generator, SegmentationConditional) else {}
    return offer_pipeline(
        name, GANPipeline(moved(generator), moved(discriminator), **examples), images, folder, monkeypatch
    )


def offer_pipeline(name: str, pipeline: GANPipeline, images: torch.Tensor, folder, monkeypatch) -> str:
    """The name under which the page offers a model, with these real pictures."""
    pipeline.save_pretrained(folder / name)
    pixels = ((images + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy()
    real_samples.write(folder / name, pixels, None, "noise, public domain")
    monkeypatch.setenv(models.MODEL_VARIABLE, str(folder / name))
    return name


def through_all_tabs(name: str, channels: int) -> None:
    gallery, *_, status = sample.sample(name, "0-3", "own", 0.7)
    drawn = [np.asarray(Image.open(io.BytesIO(image_files.png_bytes(item["src"])))) for item in gallery]
    assert {image.shape for image in drawn} == {(32, 32, channels)[: 2 if channels == 1 else 3]}
    assert not np.array_equal(drawn[0], drawn[1]) and "4 pictures" in status

    form = ("3, 14", "slerp", 4, "own", True, "smooth", "blend")
    assert 'data-count="4"' in interpolate.show(name, *form)[4]
    frames, _ = interpolate.frames_file(None, name, *form)
    with Image.open(interpolate.save_film(frames, "webp", 4)[0]) as film:
        assert (film.n_frames, film.size) == (4, (128, 128))
    item, *_ = explore.picture_at(name, "3, 14, 15", "seeds", "own", 1.0, 0.0)
    assert (
        image_files.png_bytes(item["src"])[:4] == b"\x89PNG"
        and explore.refine(name, "3, 14, 15", "seeds", "own")[0]["is_fine"]
    )

    animation, strip, *_ = interpolate.walk(name, "3, 14", "slerp", 4, "own")
    with Image.open(animation) as film:
        assert film.n_frames == 4
    ends = models.load(name)(seeds=[3]).images[0], Image.open(strip).crop((0, 0, 32, 32))
    assert ends[0].tobytes() == ends[1].tobytes()

    equation, result, _ = arithmetic.calculate(name, "0-1", "2", "3", "own", "own")
    assert equation.count("<img") == 3 + 4 + 9 and Image.open(result).size == (32, 32)
    shown = arithmetic.show(name, "first", "0-3", "own", "", "", "", "own", 1.0, "mix", ["fine"])
    assert shown[2] and shown[13].count("<img") >= 15

    token = game.draw(name, "real")[6]
    assert "data:image/png" in game.draw(name, "real", memory={"games": {f"{name}|real|rising|": token}})[8]
    verdict = game.pick_left(token)[3]
    (played,) = GAMES.find(token).rounds
    assert ALONE.get(name, "scrimin") in verdict.replace("&#x27;", "'")
    assert (played.judge_is_right is None) == (name in ALONE)

    if paint.can_paint(models.load(name)):
        assert "data:image/png" in paint.from_seed(name, "3")[1]
        return
    first, second = itertools.islice(yours.find_seed(name, "3"), 2)
    assert first[1].count("data:image/png") == 2 and second[0].latents.isfinite().all()
    assert yours.change(second[0], "none", 0, "7", 0.5)[0].count("data:image/png") == 2


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_goes_through_all_tabs(name, tmp_path, monkeypatch):
    through_all_tabs(offer(name, tmp_path, monkeypatch), 3)


def declared() -> SequentialGenerator:
    start = [{"kind": "linear", "out": 512}, {"kind": "reshape", "to": [8, 8, 8]}, {"kind": "relu"}]
    ups = [
        {"kind": "upsample", "factor": 4},
        {"kind": "conv", "out": 3, "kernel": 5, "padding": 2},
        {"kind": "sigmoid"},
    ]
    return SequentialGenerator(resolution=32, latent_size=6, layers=start + ups)


def plain_stylegan2() -> PlainStyleGAN2Generator:
    return PlainStyleGAN2Generator(resolution=32, latent_size=6, base_channels=4, max_channels=8, mapping_layers=2)


def lightweight_gan() -> LightweightGANGenerator:
    return LightweightGANGenerator(resolution=32, latent_size=6, max_channels=8, width_power=6, attention=8)


@pytest.mark.parametrize("make", [declared, plain_stylegan2, lightweight_gan])
def test_a_generator_that_only_conversion_makes_goes_through_all_tabs(make, tmp_path, monkeypatch):
    torch.manual_seed(0)
    generator = make()
    _, images, _ = inputs(generator, count=6)
    name = offer_pipeline("converted", GANPipeline(moved(generator).eval()), images, tmp_path, monkeypatch)
    through_all_tabs(name, 3)


@pytest.mark.parametrize(("channels", "words"), [(1, "grey,"), (2, "grey with opacity,"), (4, "colour with opacity,")])
def test_pictures_of_any_number_of_channels_go_through_all_tabs(channels, words, tmp_path, monkeypatch):
    name = offer("dcgan", tmp_path, monkeypatch, channels=channels)
    assert words in models.describe(name)
    through_all_tabs(name, channels)


def test_a_walk_and_a_sum_keep_to_the_map_of_their_first_picture(tmp_path, monkeypatch):
    name = offer("spade", tmp_path, monkeypatch)
    pipe = models.load(name)
    maps = pipe(seeds=range(3, 40), output_type="pt").segmentations
    other = next(seed for seed in range(4, 40) if not torch.equal(maps[seed - 3], maps[0]))
    _, strip, *_ = interpolate.walk(name, f"3, {other}", "lerp", 2, "own", loop=False)
    last = Image.open(strip).crop((34, 0, 66, 32))
    assert last.tobytes() == pipe(seeds=[other], segmentation=maps[0]).images[0].tobytes()
    assert last.tobytes() != pipe(seeds=[other]).images[0].tobytes()
    _, strip, *_ = interpolate.walk(name, f"3, {other}", "lerp", 3, "own", loop=False, conditions="blend")
    middle, own = (Image.open(strip).crop((left, 0, left + 32, 32)) for left in (34, 68))
    assert own.tobytes() == pipe(seeds=[other]).images[0].tobytes()
    z = pipe.sample_latents([3, other]).mean(0, keepdim=True)
    faded = np.mean(
        [np.asarray(pipe(latents=z, segmentation=each).images[0]) for each in (maps[0], maps[other - 3])], 0
    )
    assert np.abs(np.asarray(middle) - faded).max() <= 1
    _, result, _ = arithmetic.calculate(name, "3", str(other), str(other), "own", "own")
    expected = pipe(seeds=[3], segmentation=maps[0]).images[0]
    assert np.abs(np.asarray(Image.open(result)).astype(int) - np.asarray(expected)).max() <= 1
