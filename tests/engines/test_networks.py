"""Every network in every engine that this machine can run: its images are the generator's to one level of 255."""

import numpy as np
import pytest
import torch

from gan_hub import GANPipeline
from gan_hub.engines import operators
from gan_hub.hub.resolve import bundled_models
from gan_hub.models import ARCHITECTURES
from gan_hub.models.config_schema import rules
from gan_hub.models.mixins import StyleBased
from tests.conftest import make_pipeline
from tests.models.test_registry import build, moved

SEEDS = [3, 14, 159, 2653, 58979]
each_engine = pytest.mark.parametrize("engine", ["torch", "onnxruntime"])


def worst(ours: np.ndarray, theirs: np.ndarray) -> int:
    """The largest difference of a number, in levels of 255."""
    return int(np.abs(ours.astype(int) - theirs.astype(int)).max())


def pictures(pipe: GANPipeline, **options) -> np.ndarray:
    return pipe(seeds=SEEDS, output_type="np", **options).images


def assert_the_same_to_one_level(pipe: GANPipeline, engine: str) -> None:
    ways = [{}, {"truncation": 0.5}, {"batch_size": 2}, {"batch_size": 5, "truncation": 0.25}]
    if pipe.label_names:
        ways += [{"labels": pipe.label_names[-1]}, {"labels": [0, 1, 0, 1, 0], "batch_size": 3}]
    if pipe.segmentations is not None:
        ways.append({"segmentation": pipe.segmentations[-1]})
    before = [pictures(pipe, **way) for way in ways]
    assert pipe.optimize(engine, seconds=0).engine.name == engine
    after = [pictures(pipe, **way) for way in ways]
    for way, plain, fast in zip(ways, before, after, strict=True):
        assert worst(plain, fast) <= 1, way
    assert len({image.tobytes() for image in after[0]}) == len(SEEDS), "images that are all alike prove nothing"
    assert pipe.engine.levels[engine] < 0.5


@each_engine
@pytest.mark.parametrize("name", sorted(bundled_models()))
def test_a_bundled_model_draws_its_own_pictures_to_one_level(name, engine):
    assert_the_same_to_one_level(GANPipeline.from_pretrained(name, discriminator=None), engine)


@each_engine
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_every_architecture_draws_its_own_pictures_to_one_level(architecture, num_classes, engine):
    cls = ARCHITECTURES[architecture].generator
    if not rules(cls.__init__.__wrapped__)["num_classes"].allows(num_classes):
        num_classes = 0
    generator = moved(build(cls, num_classes)).eval()
    maps = torch.randint(3, (4, 32, 32), generator=torch.Generator().manual_seed(0))
    conditional = "semantic_classes" in generator.config
    assert_the_same_to_one_level(GANPipeline(generator, segmentations=maps if conditional else None), engine)


@each_engine
@pytest.mark.parametrize("architecture", ["stylegan", "stylegan2"])
def test_w_is_mapped_mixed_and_drawn_from_as_before(architecture, engine):
    generator = moved(build(ARCHITECTURES[architecture].generator)).eval()
    assert isinstance(generator, StyleBased)
    generator.w_avg.normal_(generator=torch.Generator().manual_seed(0))
    pipe = GANPipeline(generator)
    z = pipe.sample_latents(SEEDS)

    def drawn() -> tuple[torch.Tensor, np.ndarray]:
        ws = pipe.map(z, truncation=0.7)
        ws[:, 2:] = ws[:1, 2:]  # the coarse rows of each, the fine ones of the first
        return ws, pipe.synthesize(ws, output_type="np")

    (plain_ws, plain), (ws, fast) = drawn(), (pipe.optimize(engine, seconds=0), drawn())[1]
    torch.testing.assert_close(ws, plain_ws, rtol=0, atol=1e-4)
    assert worst(plain, fast) <= 1


def test_a_recording_has_the_shapes_of_features_and_none_of_their_numbers():
    """They would fill the memory: those of StyleGAN2 at 256 pixels are 833 MB an image."""
    generator = make_pipeline(0, 32, 3).generator
    recording = operators.record(generator, [(torch.randn(count, 8),) for count in operators.BATCHES])
    features = [result for call in recording.calls for result in call.results]
    assert len(features) > 10 and all(feature.is_meta for feature in features)
    assert recording.result.shape == (operators.BATCHES[1], 3, 32, 32)
