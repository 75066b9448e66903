"""Global state does not leak into promised numbers: same seed, same image, whatever torch's defaults and threads are."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from gan_hub import GANPipeline, latents
from gan_hub.hub.resolve import bundled_models
from gan_hub.images import to_uint8
from gan_hub.models import ARCHITECTURES
from gan_hub.models.mixins import SegmentationConditional, StyleBased
from tests.models.test_registry import build_pair, inputs, moved

SEEDS = [0, 3, 2**32 - 1]


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


DEFAULTS = {
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "float16": lambda: default_dtype(torch.float16),
    "device": lambda: torch.device("meta"),
}


@pytest.fixture(params=DEFAULTS)
def odd_defaults(request):
    return DEFAULTS[request.param]


@pytest.mark.parametrize("name", bundled_models())
def test_a_published_model_draws_its_reference_whatever_the_defaults_of_torch(name, odd_defaults):
    with odd_defaults():
        assert GANPipeline.from_pretrained(name).verify_reference() <= 1


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("dcgan-mnist", "torch"),
        ("dcgan-mnist", "onnxruntime"),
        ("spade-facades", "torch"),
        ("progan-fashion-mnist", "torch"),
    ],
)
def test_an_engine_draws_its_own_picture_whatever_the_defaults_of_torch(name, engine, odd_defaults):
    with odd_defaults():
        pipe = GANPipeline.from_pretrained(name).optimize(engine, seconds=0)
        images = pipe(seeds=SEEDS, output_type="pt").images
    assert pipe.engine.name == engine and pipe.engine.dtype == "float32"
    plain = GANPipeline.from_pretrained(name)(seeds=SEEDS, output_type="pt").images
    assert (images - plain).abs().max() * 127.5 < 0.1


def saved(architecture: str, folder) -> None:
    torch.manual_seed(0)
    classes = 0 if architecture in ("spade", "began") else 3
    generator, discriminator = build_pair(ARCHITECTURES[architecture], classes)
    _, _, maps = inputs(generator)
    examples = {"segmentations": maps} if isinstance(generator, SegmentationConditional) else {}
    GANPipeline(moved(generator), discriminator and moved(discriminator), **examples).save_pretrained(folder)


def everything(folder) -> dict[str, torch.Tensor]:
    """What the public functions of a pipeline make of seeds."""
    pipe = GANPipeline.from_pretrained(folder)
    out = pipe(seeds=SEEDS, truncation=0.5, output_type="pt")
    results = {"images": out.images, "latents": out.latents, "own": pipe(latents=out.latents, output_type="pt").images}
    results["levels"] = torch.from_numpy(pipe(seeds=SEEDS, output_type="np").images)
    results["pictures"] = torch.from_numpy(np.stack([np.asarray(image) for image in pipe(seeds=SEEDS).images]))
    results["nothing"] = pipe(num_images=0, seed=0, output_type="pt").images
    if isinstance(pipe.generator, StyleBased):
        results["w"] = pipe.map(out.latents)
        results["of w"] = pipe.synthesize(results["w"], "pt")
    if pipe.label_names:
        results["labels"] = pipe.labels_of(out.latents)
    if pipe.discriminator is not None:
        maps = {} if out.segmentations is None else {"segmentation": out.segmentations}
        results["logits"] = pipe.discriminate(out.images, **maps)
        results["pair"] = pipe.judge_pair(out.images, pipe(seeds=SEEDS, **maps).images, **maps)
    return results


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_gives_the_same_numbers_whatever_the_defaults_of_torch(architecture, odd_defaults, tmp_path):
    saved(architecture, tmp_path)
    expected = everything(tmp_path)
    with odd_defaults():
        results = everything(tmp_path)
    for name, tensor in expected.items():
        assert results[name].dtype == tensor.dtype and results[name].device.type == "cpu", name
        assert torch.equal(results[name], tensor), name


def test_a_model_saved_under_other_defaults_is_the_same_model(tiny_pipeline, odd_defaults, tmp_path):
    with odd_defaults():
        tiny_pipeline.save_pretrained(tmp_path)
        tiny_pipeline.save_pretrained(tmp_path, variant="fp16")
    loaded = GANPipeline.from_pretrained(tmp_path)
    assert loaded.verify_reference() == 0
    assert torch.equal(
        loaded(seeds=SEEDS, output_type="pt").images, tiny_pipeline(seeds=SEEDS, output_type="pt").images
    )


def test_latents_are_float32_whatever_the_defaults_of_torch(odd_defaults):
    z = latents.sample(SEEDS, 20)
    around = latents.neighbours(z[0], 4, 0.25, torch.Generator().manual_seed(0))
    with odd_defaults():
        again = latents.sample(SEEDS, 20)
        assert torch.equal(again, z) and again.dtype == torch.float32
        assert torch.equal(latents.neighbours(z[0], 4, 0.25, torch.Generator("cpu").manual_seed(0)), around)
        assert torch.equal(latents.interpolate(z, 7), latents.interpolate(again, 7))


def test_loading_and_saving_leave_the_global_random_state_alone_at_every_moment(tiny_pipeline, tmp_path):
    draws = []

    def draw(stop):
        generator = torch.default_generator
        while not stop.is_set():
            draws.append(torch.rand(1, generator=generator).item())

    stop = threading.Event()
    thread = threading.Thread(target=draw, args=(stop,))
    torch.manual_seed(0)
    thread.start()
    for _ in range(20):
        tiny_pipeline.save_pretrained(tmp_path, variant="fp16")
        GANPipeline.from_pretrained(tmp_path, variant="fp16")
    stop.set()
    thread.join()
    torch.manual_seed(0)
    assert draws == [torch.rand(1).item() for _ in draws]


# ------------------------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_threads_share_a_pipeline_whose_network_is_in_training_mode(architecture, tmp_path):
    """Sampling touches neither the flag nor the batch statistics of a network that somebody is training."""
    saved(architecture, tmp_path)
    loaded = GANPipeline.from_pretrained(tmp_path)
    maps = {} if loaded.segmentations is None else {"segmentations": loaded.segmentations}
    expected = to_uint8(loaded(seeds=range(40), output_type="pt").images)
    pipe = GANPipeline(loaded.generator.train(), loaded.discriminator and loaded.discriminator.train(), **maps)
    before = {name: tensor.clone() for name, tensor in pipe.generator.state_dict().items()}
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda seed: pipe(seeds=[seed], output_type="np").images[0], range(40)))
    assert np.array_equal(np.stack(rows), expected)
    assert all(module.training for module in pipe.generator.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in pipe.generator.state_dict().items())


def test_threads_that_judge_do_not_disturb_each_other(tiny_pipeline):
    images = tiny_pipeline(seeds=range(30), output_type="np").images
    expected = tiny_pipeline.discriminate(images)
    tiny_pipeline.discriminator.train()
    try:
        with ThreadPoolExecutor(4) as pool:
            logits = list(pool.map(lambda row: tiny_pipeline.discriminate(images[row : row + 1]), range(30)))
        assert torch.equal(torch.cat(logits), expected) and tiny_pipeline.discriminator.training
    finally:
        tiny_pipeline.discriminator.eval()


def test_other_numbers_of_threads_round_a_pixel_at_most():
    """What the docstring of sampling says: not bit-equal, but never more than one level of 256."""
    pipe, threads = GANPipeline.from_pretrained("spade-facades"), torch.get_num_threads()
    try:
        images = {}
        for count in (1, 2):
            torch.set_num_threads(count)
            images[count] = pipe(seeds=range(8), output_type="np").images.astype(int)
    finally:
        torch.set_num_threads(threads)
    assert np.abs(images[1] - images[2]).max() <= 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_gives_the_same_numbers_inside_autocast(architecture, tmp_path):
    """The dtype of a pipeline decides what it is computed in, not what somebody trains or measures with around it."""
    saved(architecture, tmp_path)
    expected = everything(tmp_path)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        results = everything(tmp_path)
    for name, tensor in expected.items():
        assert torch.equal(results[name], tensor), name
