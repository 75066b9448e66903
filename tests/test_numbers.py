"""Numbers are numbers, whoever made them; and what is no number, device, dtype or image gets a sentence."""

import copy
import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from gan_hub import GANPipeline, latents
from gan_hub.models.dcgan import DCGANGenerator
from gan_hub.models.spade import SPADEGenerator
from gan_hub.models.stylegan2 import StyleGAN2Generator
from tests.conftest import made_concept

REALS = [np.float32, np.float64, np.float16, np.array, torch.tensor, lambda value: torch.tensor(value).double()]
WHOLES = [np.int64, np.uint8, np.array, torch.tensor, lambda value: torch.tensor(value, dtype=torch.uint8)]


@pytest.fixture(scope="module", params=["z", "w"])
def pipe(request) -> GANPipeline:
    torch.manual_seed(0)
    shape = dict(resolution=16, channels=1, num_classes=3)
    if request.param == "z":
        generator = DCGANGenerator(**shape, latent_size=8, base_channels=4)
    else:
        generator = StyleGAN2Generator(**shape, latent_size=8, w_size=8, base_channels=4, mapping_layers=2)
        torch.nn.init.normal_(generator.w_avg)
    size = 8
    return GANPipeline(
        generator, label_names=["a", "b", "c"], concepts=[made_concept("thick", size, space=request.param)]
    )


@pytest.mark.parametrize("kind", REALS)
def test_any_real_number_is_one(pipe, kind):
    def levels(**options):
        return pipe(seeds=[0, 1], output_type="np", **options).images

    assert np.array_equal(levels(truncation=kind(0.5)), levels(truncation=0.5))
    assert np.array_equal(levels(truncation=kind(1.0)), levels())
    assert np.array_equal(levels(concepts={"thick": kind(1.5)}), levels(concepts={"thick": 1.5}))
    z = pipe.sample_latents([0, 1])
    for function in (latents.lerp, latents.slerp):
        assert torch.equal(function(z[0], z[1], kind(0.25)), function(z[0], z[1], 0.25))
    assert torch.equal(latents.truncate(z, kind(0.5)), latents.truncate(z, 0.5))
    around = (latents.neighbours(z[0], 2, radius, torch.Generator().manual_seed(0)) for radius in (kind(0.5), 0.5))
    assert torch.equal(*around)


@pytest.mark.parametrize("kind", WHOLES)
def test_any_whole_number_is_one(pipe, kind):
    expected = pipe(num_images=3, seed=5, labels=1, batch_size=2, output_type="np")
    out = pipe(num_images=kind(3), seed=kind(5), labels=kind(1), batch_size=kind(2), output_type="np")
    assert np.array_equal(out.images, expected.images) and out.seeds == [5, 6, 7] and out.labels == [1, 1, 1]
    assert all(type(value) is int for value in out.seeds + out.labels)
    many = pipe(seeds=[kind(5), kind(6), kind(7)], labels=[kind(1), "b", 1], output_type="np")
    assert np.array_equal(many.images, expected.images)
    assert pipe(seeds=np.arange(5, 8), labels=torch.tensor([1, 1, 1]), output_type="np").seeds == [5, 6, 7]
    z = pipe.sample_latents([0, 1])
    assert torch.equal(latents.interpolate(z, kind(5)), latents.interpolate(z, 5))


@pytest.mark.parametrize("kind", WHOLES)
def test_a_network_is_built_of_any_whole_numbers(kind):
    network = DCGANGenerator(resolution=kind(32), channels=kind(1), base_channels=kind(4), latent_size=kind(8))
    plain = DCGANGenerator(resolution=32, channels=1, base_channels=4, latent_size=8)
    assert network.config == plain.config
    assert SPADEGenerator(resolution=[kind(16), kind(24)], base_channels=4).config["resolution"] == [16, 24]


NO_NUMBERS = [True, np.True_, torch.tensor(True), "0.5", None, np.nan, [0.5], torch.ones(2), 1j]


@pytest.mark.parametrize("value", [*NO_NUMBERS, 1.5, -0.1], ids=repr)
def test_what_is_no_truncation_is_refused(pipe, value):
    with pytest.raises(ValueError, match="truncation .* is not allowed; it is a number from 0"):
        pipe(seeds=[0], truncation=value)


@pytest.mark.parametrize("value", [*NO_NUMBERS, 10.5, -11], ids=repr)
def test_what_is_no_strength_is_refused(pipe, value):
    with pytest.raises(ValueError, match="strength .* is not allowed; it is a number"):
        pipe(seeds=[0], concepts={"thick": value})


@pytest.mark.parametrize("value", [True, np.True_, "2", 1.0, np.float32(1), [1], -1], ids=repr)
@pytest.mark.parametrize("option", ["num_images", "batch_size"])
def test_what_is_no_whole_number_is_refused(pipe, option, value):
    with pytest.raises(ValueError, match=f"{option}=.* is not allowed; it is a whole number"):
        pipe(**{"num_images": 1, "seed": 0, option: value})


def test_latents_and_w_may_be_numpy_arrays(pipe):
    z = pipe.sample_latents([0, 1])
    expected = pipe(latents=z, output_type="pt").images
    for array in (z.numpy(), z.numpy()[::-1][::-1], z.double(), z.double().numpy()):
        assert torch.equal(pipe(latents=array, output_type="pt").images, expected)
    if hasattr(pipe.generator, "w_avg"):
        w = pipe.map(z)
        assert torch.equal(pipe.synthesize(w.numpy(), "pt"), pipe.synthesize(w, "pt"))


# ------------------------------------------------------------------------------------------------- images


def test_images_may_be_levels_or_floats_in_arrays_or_tensors(tiny_rgb_pipeline):
    levels = tiny_rgb_pipeline(seeds=range(3), output_type="np").images
    expected = tiny_rgb_pipeline.discriminate(levels)
    floats = torch.from_numpy(levels).permute(0, 3, 1, 2) / 127.5 - 1
    flipped = np.ascontiguousarray(levels[::-1])[::-1]  # negative strides, as slices leave them
    for images in (torch.from_numpy(levels), flipped, [Image.fromarray(each) for each in levels]):
        assert torch.equal(tiny_rgb_pipeline.discriminate(images), expected)
    for images in (floats, floats.numpy(), floats.double()):
        assert torch.allclose(tiny_rgb_pipeline.discriminate(images), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (Image.new("RGB", (0, 0)), "0 × 0 pixels"),
        ([Image.new("RGB", (5, 0))], "5 × 0 pixels"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), r"given Tensor torch.uint8 \(2, 3, 32, 32\)"),
        (np.zeros((2, 32, 32, 3), np.int64), "given ndarray int64"),
        (np.zeros((32, 32, 3), np.uint8), r"given ndarray uint8 \(32, 32, 3\)"),
        (np.zeros((0,), object), "given ndarray object"),
        ("cat.png", "given str"),
        (None, "given NoneType"),
        (torch.full((1, 3, 32, 32), 2.0), r"float images lie in \[-1, 1\]"),
    ],
    ids=["empty", "flat", "channels first", "int64", "one image", "objects", "path", "nothing", "out of range"],
)
def test_what_is_no_image_gets_a_sentence(images, sentence, tiny_rgb_pipeline):
    with pytest.raises(ValueError, match=sentence):
        tiny_rgb_pipeline.discriminate(images)


def test_a_pair_is_one_image_of_each(tiny_rgb_pipeline):
    images = tiny_rgb_pipeline(seeds=range(3)).images
    with pytest.raises(ValueError, match="left has 3 images and right has 2; a pair is one of each"):
        tiny_rgb_pipeline.judge_pair(images, images[:2])
    with pytest.raises(ValueError, match="left has 3 images and right has 1"):
        tiny_rgb_pipeline.judge_pair(images, images[0])


# --------------------------------------------------------------------------------------- networks, dtypes, devices


def test_generator_and_discriminator_mixed_up_get_a_sentence(tiny_pipeline):
    generator, discriminator = tiny_pipeline.generator, tiny_pipeline.discriminator
    with pytest.raises(ValueError, match="generator is a DCGANDiscriminator, which is a discriminator"):
        GANPipeline(discriminator, generator)
    with pytest.raises(ValueError, match="discriminator is a DCGANGenerator, which is a generator"):
        GANPipeline(generator, generator)
    for wrong in (None, "dcgan", torch.nn.Linear(2, 2), DCGANGenerator):
        with pytest.raises(ValueError, match="generator is a .*; allowed: a network of gan_hub.models"):
            GANPipeline(wrong)
    with pytest.raises(ValueError, match="generator is a DCGANDiscriminator"):
        GANPipeline.from_pretrained("dcgan-mnist", generator=discriminator)


@pytest.mark.parametrize("name", ["float64", "bfloat16"])
def test_a_network_and_a_move_take_a_dtype_by_its_name(name, tiny_pipeline, tmp_path):
    tiny_pipeline.save_pretrained(tmp_path)
    network = DCGANGenerator.from_pretrained(tmp_path, subfolder="generator", dtype=name)
    assert network.dtype == getattr(torch, name)
    for given in (("cpu", name), (name,)):
        assert copy.deepcopy(tiny_pipeline).to(*given).generator.dtype == network.dtype
    assert copy.deepcopy(tiny_pipeline).to(dtype=name).discriminator.dtype == network.dtype


@pytest.mark.parametrize("dtype", ["fp16", "auto", torch.int8, torch.complex64, np.float32, 16], ids=str)
def test_what_is_no_dtype_gets_a_sentence(dtype, tiny_pipeline, tmp_path):
    tiny_pipeline.save_pretrained(tmp_path)
    for use in (
        lambda: DCGANGenerator.from_pretrained(tmp_path, subfolder="generator", dtype=dtype),
        lambda: GANPipeline.from_pretrained(tmp_path, dtype=dtype),
        lambda: tiny_pipeline.to(dtype=dtype),
    ):
        with pytest.raises(ValueError) as error:
            use()
        assert len(str(error.value).splitlines()) == 1


def test_a_variant_that_is_no_text_gets_a_sentence(tiny_pipeline, tmp_path):
    tiny_pipeline.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="diffusion_pytorch_model.3.safetensors: not found"):
        GANPipeline.from_pretrained(tmp_path, variant=3)


def test_more_seeds_than_fit_into_memory_are_refused_before_they_are_spelled_out(pipe):
    for seeds in (range(2**32), itertools.count(), range(1_000_001)):
        with pytest.raises(ValueError, match="more than 1,000,000 seeds"):
            pipe(seeds=seeds)


@pytest.mark.parametrize("kind", ["complex", "sparse", "meta"])
def test_latents_without_plain_numbers_get_a_sentence(kind, pipe):
    change = {"complex": torch.Tensor.cfloat, "sparse": torch.Tensor.to_sparse, "meta": lambda z: z.to("meta")}[kind]
    with pytest.raises(ValueError, match="latents are a tensor"):
        pipe(latents=change(pipe.sample_latents([0, 1])))


@pytest.mark.parametrize("keyword", ["dtype", "torch_dtype"])
def test_a_dtype_may_be_given_by_its_name(keyword):
    loaded = GANPipeline.from_pretrained("mlp-mnist", **{keyword: "float16"})
    assert loaded.generator.dtype == torch.float16
    for wrong in ("half", torch.int8, "int8", 16, "auto"):
        with pytest.raises(ValueError, match="dtype=.* is not allowed; choose one of torch.float32"):
            GANPipeline.from_pretrained("mlp-mnist", **{keyword: wrong})


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:cpu"])
def test_a_device_that_is_not_there_gets_a_sentence(device, tiny_pipeline):
    pipe = copy.copy(tiny_pipeline)
    with pytest.raises(ValueError, match=f"the pipeline cannot be moved to {device} ") as error:
        pipe.to(device)
    assert len(str(error.value).splitlines()) == 1
    assert pipe.device.type == "cpu" and len(pipe(seeds=[0]).images) == 1


# ------------------------------------------------------------------------------------------------- memory

MEASURE = """
import resource, sys
import torch
from gan_hub import GANPipeline
from gan_hub.models.dcgan import DCGANGenerator
torch.set_num_threads(1)
kind, count, channels = sys.argv[1], *map(int, sys.argv[2:])
pipe = GANPipeline(DCGANGenerator(resolution=16, channels=channels, latent_size=8, base_channels=4).eval())
pipe(num_images=300, seed=0, output_type=kind)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
out = pipe(num_images=count, seed=0, output_type=kind)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
PIL_OBJECT = 900  # bytes that Pillow takes for a picture beside its pixels, at the least


@pytest.mark.parametrize(
    ("kind", "channels", "each"),
    [("np", 1, 256), ("np", 3, 768), ("pt", 1, 4 * 256), ("pil", 1, 256 + PIL_OBJECT), ("pil", 3, 768 + PIL_OBJECT)],
)
def test_many_small_images_take_little_more_memory_than_what_is_returned(kind, channels, each):
    """Twice the pixels, latents and seeds that come back is the limit."""
    count = 50_000
    arguments = [sys.executable, "-c", MEASURE, kind, str(count), str(channels)]
    run = subprocess.run(arguments, capture_output=True, text=True, check=True)
    returned = count * (each + 4 * 8 + 40)  # pixels, z in float32, a seed as Python's int in a list
    assert int(run.stdout) < 2 * returned


LATENTS = """
import resource
from gan_hub.latents import sample
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
sample(range(100), 4)
before = peak()
z = sample(range(300_000), 4)
print(peak() - before)
"""


def test_latents_of_many_seeds_take_no_tensor_each():
    run = subprocess.run([sys.executable, "-c", LATENTS], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 2 * 300_000 * (4 * 4 + 40)  # z in float32, and the seeds as Python's ints in a list
