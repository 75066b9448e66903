"""Streams of images: any number of seeds, the pictures of `pipe(...)`, and an end at any time."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from gan_hub import GANPipeline
from gan_hub.models.dcgan import DCGANGenerator
from gan_hub.pipeline import streaming
from tests.conftest import lively
from tests.test_torch_defaults import saved


@pytest.fixture
def counted(tiny_pipeline):
    """A pipeline, and the seeds that were asked for so far."""
    asked = []

    def seeds(numbers):
        for number in numbers:
            asked.append(number)
            yield number

    return tiny_pipeline, seeds, asked


@pytest.mark.parametrize("block_size", [1, 7, 20, 64])
def test_the_images_are_those_of_one_call(block_size, tiny_pipeline):
    options = {"labels": "star", "truncation": 0.7}
    whole = tiny_pipeline(seeds=range(100, 120), output_type="pt", **options)
    outputs = list(tiny_pipeline.stream(range(100, 120), block_size=block_size, output_type="pt", **options))
    assert [len(output.images) for output in outputs[:-1]] == [block_size] * (len(outputs) - 1)
    assert torch.equal(torch.cat([output.images for output in outputs]), whole.images)
    assert torch.equal(torch.cat([output.latents for output in outputs]), whole.latents)
    assert sum([output.seeds for output in outputs], []) == whole.seeds
    assert sum([output.labels for output in outputs], []) == whole.labels


def test_each_image_of_a_stream_takes_the_class_or_the_map_that_its_seed_takes(tiny_pipeline, tmp_path):
    saved("spade", tmp_path)
    for pipe in (tiny_pipeline, GANPipeline.from_pretrained(tmp_path)):
        whole = pipe(seeds=range(9), output_type="np")
        outputs = list(pipe.stream(range(9), block_size=4, output_type="np"))
        assert np.array_equal(np.concatenate([output.images for output in outputs]), whole.images)


def test_seeds_may_have_no_end_and_none_is_taken_before_its_time(counted):
    pipe, seeds, asked = counted
    stream = pipe.stream(seeds(itertools.count(5)), block_size=3)
    assert asked == []
    first, second = next(stream), next(stream)
    assert (first.seeds, second.seeds, asked) == ([5, 6, 7], [8, 9, 10], [5, 6, 7, 8, 9, 10])
    expected = pipe(seeds=[9]).images[0]
    assert second.images[1].tobytes() == expected.tobytes()


def test_who_stops_early_leaves_nothing_open(counted, capsys):
    pipe, seeds, asked = counted
    with torch.enable_grad():
        for _ in pipe.stream(seeds(range(10**9)), block_size=2, progress=True):
            assert torch.is_grad_enabled(), "what a stream is computed in is no business of the loop's"
            break
    assert asked == [0, 1]
    assert capsys.readouterr().err.endswith("\n"), "the bar is closed"
    stream = pipe.stream(range(4), block_size=2)
    next(stream)
    stream.close()
    assert list(stream) == []


def test_no_seeds_are_no_outputs(tiny_pipeline):
    assert list(tiny_pipeline.stream([])) == []


def test_a_bar_shows_how_far_it_is_where_it_is_asked_for(tiny_pipeline, capsys):
    list(tiny_pipeline.stream(range(6), block_size=3))
    assert capsys.readouterr().err == ""
    list(tiny_pipeline.stream(range(6), block_size=3, progress=True))
    assert "6/6" in capsys.readouterr().err
    list(tiny_pipeline.stream(iter(range(6)), block_size=3, progress=True))
    assert "6image" in capsys.readouterr().err


def test_blocks_of_large_images_are_smaller_and_hold_whole_batches(monkeypatch):
    config = {"resolution": [1024, 2048], "channels": 3}
    assert streaming.stream_block({"resolution": 28, "channels": 1}, None, 1) == 256
    assert streaming.stream_block(config, None, 1) == 10
    assert streaming.stream_block(config, None, 4) == 8
    assert streaming.stream_block(config, None, 64) == 64
    pipe = GANPipeline(lively(DCGANGenerator(resolution=16, channels=1, latent_size=8, base_channels=4), 0))
    monkeypatch.setattr(streaming, "STREAM_IMAGES", 10)
    whole = pipe(seeds=range(20), batch_size=4, output_type="pt").images
    streamed = torch.cat([output.images for output in pipe.stream(range(20), batch_size=4, output_type="pt")])
    assert torch.equal(streamed, whole)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"seeds": 7}, r"seeds=7 is not allowed; it is a list"),
        ({"block_size": 0}, r"block_size=0 is not allowed; it is a whole number from 1\."),
        ({"block_size": 2.5}, r"block_size=2\.5 is not allowed"),
        ({"block_size": 6, "batch_size": 4}, r"block_size=6 is not allowed; .* a multiple of the batch size, 4\."),
        ({"batch_size": 0}, r"batch_size=0 is not allowed"),
        ({"labels": "cube"}, r"label 'cube' is not allowed"),
        ({"labels": ["star"] * 3}, r"a stream takes a name or an index, for all its images"),
        ({"truncation": 2}, r"truncation 2 is not allowed"),
        ({"output_type": "jpg"}, r"output_type 'jpg' is not allowed"),
        ({"concepts": {"smile": 1.0}}, r"smile"),
    ],
)
def test_what_is_not_allowed_is_refused_before_the_first_image_is_asked_for(arguments, sentence, tiny_pipeline):
    with pytest.raises(ValueError, match=sentence):
        tiny_pipeline.stream(**({"seeds": range(3)} | arguments))


@pytest.mark.parametrize("maps", [np.zeros((3, 8, 8), np.uint8), [Image.new("L", (8, 8))] * 3])
def test_a_map_an_image_is_refused_of_a_stream(maps, tmp_path):
    saved("spade", tmp_path)
    with pytest.raises(ValueError, match=r"^segmentation: a stream takes one map, .* for all its images\.$"):
        GANPipeline.from_pretrained(tmp_path).stream(range(3), segmentation=maps)


def test_a_seed_that_is_none_is_refused_before_its_block(tiny_pipeline):
    stream = tiny_pipeline.stream([1, 2, -3, 4], block_size=2)
    assert next(stream).seeds == [1, 2]
    with pytest.raises(ValueError, match="seed -3 is not allowed"):
        next(stream)
