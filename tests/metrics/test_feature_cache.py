"""Features of the same real images are measured once, and no image or feature is held in memory twice."""

import tracemalloc

import numpy as np
import pytest
import torch

from gan_hub.data import ImageSet, without
from gan_hub.data.image_set import image_checksums
from gan_hub.metrics import evaluate
from gan_hub.metrics.distributed import ProcessGroup
from gan_hub.metrics.evaluation import real_moments
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.frechet import ResampledFrechet, frechet_distance, moments
from gan_hub.training.batches import Data
from gan_hub.training.config import TrainConfig
from gan_hub.training.evaluator import Scorer
from tests.conftest import make_pipeline


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def reals() -> ImageSet:
    return ImageSet(np.random.default_rng(0).integers(0, 256, (70, 28, 28, 1), dtype=np.uint8))


class Counting(Extractor):
    """An extractor that knows how many images it has seen."""

    seen = 0

    def outputs_of_block(self, images):
        self.seen += len(images)
        return super().outputs_of_block(images)


def scores(seed: int, reals: ImageSet, extractor: Extractor, keep: bool = True):
    pipe = make_pipeline(0, 28, 1, seed)
    report = evaluate(pipe, reals, "fd", extractor, num_images=20, replicates=0, reference_scores=False, keep=keep)
    return report.scores


def test_the_second_model_is_scored_without_looking_at_the_real_images_again(reals):
    first, second = Counting("digits"), Counting("digits")
    scores(0, reals, first)
    assert first.seen == 70 + 20
    score = scores(9, reals, second)
    assert second.seen == 20
    assert score == scores(9, reals, first, keep=False)
    reals.images[0, 0, 0] ^= 1
    scores(0, reals, second)
    assert second.seen == 20 + 70  # the images of the first model are kept as well


def test_a_run_reads_the_features_that_an_earlier_one_on_these_images_measured(reals):
    moments_of_runs, seen = [], []
    for _ in range(2):
        extractor = Counting("digits")
        moments_of_runs.append(Scorer(TrainConfig(), Data(reals, reals, None), extractor).reals)
        seen.append(extractor.seen)
    assert seen == [70, 0]
    for ours, theirs in zip(*moments_of_runs, strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(moments_of_runs[1], real_moments(reals, Extractor("digits")), strict=True):
        assert torch.equal(ours, theirs)


def test_a_process_alone_joins_its_chunks_and_keeps_no_second_copy():
    chunks = {number: torch.full((size, 3), float(number)) for number, size in enumerate((4, 4, 2))}
    expected = torch.cat(list(chunks.values()))
    assert torch.equal(ProcessGroup().gather(chunks, [4, 4, 2]), expected)
    assert not chunks


def test_images_are_told_apart_by_checksums_in_a_fraction_of_their_memory():
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 32, 32, 3), dtype=np.uint8)
    images = ImageSet(pixels)
    tracemalloc.start()
    try:
        known = set(image_checksums(images))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(known) == 2000 and peak < pixels.nbytes / 10
    assert len(without(images, images.take(np.arange(5)))) == 1995


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_resampled_distance_leaves_the_features_as_they_are(dtype):
    features, others = torch.randn(2, 60, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    before = features.clone()
    distance = ResampledFrechet(features, moments(others))
    weights = torch.ones(60, dtype=torch.float64)
    values = [distance(weights), distance(weights)]
    assert values[0] == values[1] == pytest.approx(frechet_distance(moments(features), moments(others)), rel=1e-9)
    assert torch.equal(features, before)
