"""GANPipeline: seeds to images, images to verdicts, files there and back."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gan_hub import GANOutput, GANPipeline, LoadError
from gan_hub.hub import resolve
from gan_hub.images import from_uint8
from gan_hub.model_folder.strict import read_json
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_hub.pipeline import Calibration
from tests.conftest import LABEL_NAMES, lively, make_pipeline

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(params=["conditional", "unconditional"])
def pipeline(request, tiny_pipeline, tiny_rgb_pipeline) -> GANPipeline:
    return tiny_pipeline if request.param == "conditional" else tiny_rgb_pipeline


def tensors(pipeline: GANPipeline) -> dict[str, torch.Tensor]:
    players = {"generator": pipeline.generator, "discriminator": pipeline.discriminator}
    return {f"{p}.{n}": t for p, player in players.items() if player for n, t in player.state_dict().items()}


def assert_same_weights(a: GANPipeline, b: GANPipeline) -> None:
    ours, theirs = tensors(a), tensors(b)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert tensor.dtype == theirs[name].dtype and torch.equal(tensor, theirs[name]), name


# ------------------------------------------------------------------------------------------- sampling


def test_the_same_seed_gives_the_same_bytes_in_a_batch_of_1_of_5_and_of_64(pipeline):
    seeds = list(range(100, 164))
    floats = pipeline(seeds=seeds, output_type="pt").images
    levels = pipeline(seeds=seeds, output_type="np").images
    assert len({image.tobytes() for image in levels}) > 32, "images that are all alike prove nothing"
    for count in (1, 5):
        for start in (0, 17, 64 - count):
            rows = slice(start, start + count)
            assert torch.equal(pipeline(seeds=seeds[rows], output_type="pt").images, floats[rows])
            assert np.array_equal(pipeline(seeds=seeds[rows], output_type="np").images, levels[rows])
    assert torch.equal(pipeline(seeds=seeds[::-1], output_type="pt").images, floats.flip(0))


def test_the_same_seed_gives_the_same_bytes_with_one_thread_and_with_two(pipeline):
    before = torch.get_num_threads()
    try:
        images = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            images.append(pipeline(seeds=range(8), output_type="np").images)
        assert np.array_equal(*images)
    finally:
        torch.set_num_threads(before)


def test_output_types_are_three_views_of_the_same_images(pipeline):
    size, channels = pipeline.generator.config["resolution"], pipeline.generator.config["channels"]
    pil, pt, array = (pipeline(seeds=[3, 14, 15], output_type=kind) for kind in ("pil", "pt", "np"))
    assert isinstance(pil, GANOutput) and isinstance(pil.images, list)
    assert pt.images.shape == (3, channels, size, size) and pt.images.dtype == torch.float32
    assert -1 <= pt.images.min() < pt.images.max() <= 1
    assert array.images.shape == (3, size, size, channels) and array.images.dtype == np.uint8
    for image, pixels, floats in zip(pil.images, array.images, pt.images):
        assert image.mode == ("L" if channels == 1 else "RGB")
        assert np.array_equal(np.asarray(image).reshape(size, size, channels), pixels)
        assert (from_uint8(pixels[None])[0] - floats).abs().max() <= 1 / 255 + 1e-6
    assert pil.seeds == [3, 14, 15] and torch.equal(pil.latents, pipeline.sample_latents([3, 14, 15]))
    with pytest.raises(ValueError, match="output_type 'latent' is not allowed; choose one of pil, pt, np"):
        pipeline(seeds=[1], output_type="latent")


def test_latents_make_the_image_of_the_seed_that_they_came_from(pipeline):
    z = pipeline.sample_latents([3, 14])
    assert z.shape == (2, 8) == (2, pipeline.latent_size) and z.dtype == torch.float32 and z.device.type == "cpu"
    from_seeds = pipeline(seeds=[3, 14], output_type="pt")
    from_latents = pipeline(latents=z, output_type="pt")
    assert torch.equal(from_seeds.images, from_latents.images)
    assert from_latents.seeds is None and torch.equal(from_latents.latents, z)
    assert torch.equal(pipeline(latents=z.double(), output_type="pt").images, from_seeds.images)


def test_a_number_of_images_takes_seeds_in_a_row_or_at_random(pipeline):
    out = pipeline(num_images=3, seed=40, output_type="pt")
    assert out.seeds == [40, 41, 42]
    assert torch.equal(out.images, pipeline(seeds=[40, 41, 42], output_type="pt").images)
    assert len(pipeline().images) == 1 and pipeline(seed=5).seeds == [5]
    first, second = pipeline(num_images=2), pipeline(num_images=2)
    assert first.seeds[1] == first.seeds[0] + 1 and first.seeds != second.seeds
    assert pipeline(num_images=0, output_type="np").images.shape[0] == 0 and pipeline(seeds=[]).images == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"seeds": [-1]}, "seed -1 is not allowed"),
        ({"seeds": [2**32]}, "seeds are whole numbers from 0 to 4294967295"),
        ({"seeds": [True]}, "seed True is not allowed"),
        ({"seeds": [1.0]}, "seed 1.0 is not allowed"),
        ({"seeds": 7}, "seeds=7 is not allowed; it is a list"),
        ({"seed": "7"}, "seed '7' is not allowed"),
        ({"num_images": -1}, "num_images=-1 is not allowed"),
        ({"num_images": True}, "num_images=True is not allowed"),
        ({"num_images": 1.5}, "num_images=1.5 is not allowed"),
        ({"num_images": 10**12}, "num_images=1000000000000 is not allowed"),
        ({"num_images": 2, "seed": 2**32 - 1}, "seed 4294967296 is not allowed"),
        ({"seeds": [1], "seed": 1}, "give either seeds, or latents, or num_images"),
        ({"seeds": [1], "latents": torch.zeros(1, 8)}, "give either seeds, or latents, or num_images"),
        ({"latents": torch.zeros(1, 9)}, r"latents are a tensor \(N, 8\), given \(1, 9\)"),
        ({"latents": torch.zeros(8)}, r"latents are a tensor \(N, 8\), given \(8,\)"),
        ({"latents": [[0.0] * 8]}, r"latents are a tensor \(N, 8\), given list"),
        ({"latents": torch.full((1, 8), float("nan"))}, "latents contain NaN or Inf"),
        ({"seeds": [1], "truncation": 1.5}, "truncation 1.5 is not allowed"),
        ({"seeds": [1], "truncation": float("nan")}, "truncation nan is not allowed"),
        ({"seeds": [1], "batch_size": 0}, "batch_size=0 is not allowed"),
        ({"seeds": [1], "batch_size": -1}, "batch_size=-1 is not allowed"),
        ({"seeds": [1], "batch_size": 1.5}, "batch_size=1.5 is not allowed"),
    ],
)
def test_what_is_not_allowed_is_refused_with_a_sentence(pipeline, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        pipeline(**arguments)


def test_truncation_moves_the_latents_and_leaves_the_answer_their_origin(pipeline):
    labels = None if pipeline.label_names is None else 1
    whole = pipeline(seeds=[3, 4], labels=labels, output_type="pt")
    short = pipeline(seeds=[3, 4], labels=labels, truncation=0.5, output_type="pt")
    assert torch.equal(whole.latents, short.latents) and not torch.equal(whole.images, short.images)
    by_hand = pipeline(latents=0.5 * whole.latents, labels=labels, output_type="pt")
    assert torch.equal(by_hand.images, short.images)
    centre = pipeline(seeds=[3, 4], labels=labels, truncation=0, output_type="pt").images
    assert torch.equal(centre[0], centre[1])


def test_the_batch_size_is_a_matter_of_speed_only(pipeline):
    one, many = (pipeline(seeds=range(7), output_type="pt", batch_size=size).images for size in (1, 4))
    assert (one - many).abs().max() < 1e-5


def test_sampling_in_training_mode_uses_and_moves_no_batch_statistics():
    pipe = make_pipeline(0, 28, 1)
    expected = pipe(seeds=range(4), output_type="pt").images
    pipe.generator.train(), pipe.discriminator.train()
    before = {name: tensor.clone() for name, tensor in tensors(pipe).items()}
    assert torch.equal(pipe(seeds=range(4), output_type="pt", batch_size=1).images, expected)
    pipe.discriminate(expected)
    assert pipe.generator.training and pipe.discriminator.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors(pipe).items())


def test_sampling_keeps_no_graph(pipeline):
    images = pipeline(seeds=[1], output_type="pt").images
    assert not images.requires_grad and not pipeline.discriminate(images).requires_grad


# --------------------------------------------------------------------------------------------- labels


def test_a_label_is_a_name_an_index_or_one_an_image(tiny_pipeline):
    def draw(labels):
        return tiny_pipeline(seeds=[1, 2], labels=labels, output_type="pt")

    by_name = draw("star")
    assert by_name.labels == [2, 2]
    for same in (2, np.int64(2), torch.tensor(2), [2, 2], ["star", 2], np.array([2, 2]), torch.tensor([2, 2]), (2, 2)):
        assert torch.equal(draw(same).images, by_name.images)
    mixed = draw(["circle", "star"])
    assert mixed.labels == [0, 2] and torch.equal(mixed.images[1], by_name.images[1])
    assert not torch.equal(mixed.images[0], by_name.images[0])


def test_without_a_label_the_latent_itself_decides_the_class(tiny_pipeline):
    out = tiny_pipeline(seeds=range(60), output_type="pt")
    assert set(out.labels) == {0, 1, 2} and min(map(out.labels.count, range(3))) > 8
    assert tiny_pipeline(seeds=[17]).labels == [out.labels[17]]
    again = tiny_pipeline(seeds=range(60), labels=out.labels, output_type="pt")
    assert torch.equal(again.images, out.images)
    assert tiny_pipeline(seeds=range(60), truncation=0.5).labels == out.labels


@pytest.mark.parametrize(
    "label", ["moon", "2", -1, 3, True, 1.0, 2.5, None, [0], "", "x" * 10**5], ids=lambda v: repr(v)[:9]
)
def test_an_unknown_label_is_refused_with_the_known_ones(tiny_pipeline, label):
    with pytest.raises(
        ValueError, match=r"label .* is not allowed; choose 0 to 2, or one of circle, square, star\.$"
    ) as e:
        tiny_pipeline(seeds=[1], labels=[label])
    assert len(str(e.value)) < 300
    if label is not None and label != [0]:
        with pytest.raises(ValueError, match="label .* is not allowed"):
            tiny_pipeline(seeds=[1], labels=label)


def test_labels_must_be_as_many_as_images_and_only_where_there_are_classes(tiny_pipeline, tiny_rgb_pipeline):
    with pytest.raises(ValueError, match="2 labels for 3 images; give one for all, or one an image"):
        tiny_pipeline(seeds=[1, 2, 3], labels=[0, 1])
    with pytest.raises(ValueError, match="labels='star': this model is unconditional and has no labels"):
        tiny_rgb_pipeline(seeds=[1], labels="star")
    assert tiny_rgb_pipeline(seeds=[1]).labels is None


# ------------------------------------------------------------------------------------------- verdicts


def test_an_image_gets_the_same_logit_as_pil_as_uint8_and_as_floats(pipeline):
    pixels = pipeline(seeds=range(6), output_type="np").images
    logits = pipeline.discriminate(pixels)
    assert logits.shape == (6,) and logits.dtype == torch.float32 and len(set(logits.tolist())) == 6
    pil = [Image.fromarray(image.squeeze()) for image in pixels]
    for images in (pil, tuple(pil), from_uint8(pixels), from_uint8(pixels).double()):
        assert torch.equal(pipeline.discriminate(images), logits)
    assert torch.equal(pipeline.discriminate(pil[2]), logits[2:3])


def test_a_logit_does_not_depend_on_the_other_images(pipeline):
    pixels = pipeline(seeds=range(64), output_type="np").images
    logits = pipeline.discriminate(pixels)
    for rows in (slice(0, 1), slice(9, 14), slice(63, 64)):
        assert torch.equal(pipeline.discriminate(pixels[rows]), logits[rows])
    assert torch.equal(pipeline.discriminate(pixels[::-1]), logits.flip(0))
    assert (pipeline.discriminate(pixels, batch_size=7) - logits).abs().max() < 1e-5


def test_pictures_of_any_size_and_mode_are_prepared_as_for_training(pipeline):
    size = pipeline.generator.config["resolution"]
    for mode in ("L", "RGB", "RGBA", "P", "I;16", "CMYK", "1"):
        assert torch.isfinite(pipeline.discriminate(Image.new(mode, (3 * size, 2 * size)))).all(), mode


def test_a_conditional_discriminator_without_a_label_takes_the_class_that_suits_best(tiny_pipeline):
    images = tiny_pipeline(seeds=range(5), output_type="pt").images
    each = torch.stack([tiny_pipeline.discriminate(images, label) for label in range(3)])
    assert torch.equal(tiny_pipeline.discriminate(images), each.amax(0)) and len(set(each.argmax(0).tolist())) > 0
    assert torch.equal(tiny_pipeline.discriminate(images, "square"), each[1])
    picked = tiny_pipeline.discriminate(images, [0, 1, 2, 0, 1])
    assert torch.equal(picked, each[[0, 1, 2, 0, 1], range(5)])


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 28, 28), np.uint8),
        np.zeros((1, 27, 28, 1), np.uint8),
        np.zeros((1, 28, 28, 1), np.float32),
        torch.zeros(1, 28, 28),
        torch.zeros(1, 3, 28, 28),
        torch.zeros(1, 1, 28, 28, dtype=torch.uint8),
        torch.full((1, 1, 28, 28), 1.01),
        torch.full((1, 1, 28, 28), float("nan")),
        "picture.png",
        None,
        [1, 2],
        [Image.new("L", (28, 28)), None],
    ],
    ids=lambda value: type(value).__name__,
)
def test_odd_images_are_refused_with_a_sentence(tiny_pipeline, images):
    with pytest.raises(ValueError, match=r"images are PIL images, uint8 \(N, 28, 28, 1\) or|float images lie in"):
        tiny_pipeline.discriminate(images)


def test_no_images_get_no_verdicts(pipeline):
    size, channels = pipeline.generator.config["resolution"], pipeline.generator.config["channels"]
    for nothing in ([], np.zeros((0, size, size, channels), np.uint8), torch.zeros(0, channels, size, size)):
        assert pipeline.discriminate(nothing).shape == pipeline.judge(nothing).shape == (0,)


def test_the_judge_is_the_calibrated_sigmoid_of_the_logit(tiny_pipeline):
    images = tiny_pipeline(seeds=range(5), output_type="pt").images
    for labels in (None, "star"):
        logits = tiny_pipeline.discriminate(images, labels)
        torch.testing.assert_close(tiny_pipeline.judge(images, labels), torch.sigmoid(0.8 * logits - 0.2))


def test_a_pair_is_judged_by_bayes_rule_from_both_verdicts(tiny_pipeline):
    images = tiny_pipeline(seeds=range(6), output_type="pt").images
    left, right = images[:3], images[3:]
    said = tiny_pipeline.judge_pair(left, right, labels=1)
    p, q = tiny_pipeline.judge(left, 1).double(), tiny_pipeline.judge(right, 1).double()
    torch.testing.assert_close(said.double(), p * (1 - q) / (p * (1 - q) + q * (1 - p)), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(tiny_pipeline.judge_pair(right, left, labels=1), 1 - said)
    torch.testing.assert_close(tiny_pipeline.judge_pair(left, left), torch.full((3,), 0.5))


def test_without_calibration_there_is_no_probability_but_still_a_pick(tiny_pipeline):
    bare = GANPipeline(tiny_pipeline.generator, tiny_pipeline.discriminator, LABEL_NAMES)
    images = bare(seeds=[1, 2], output_type="pt").images
    with pytest.raises(ValueError, match=r"never calibrated \(no judge\.json\); discriminate\(\) gives raw logits"):
        bare.judge(images)
    logits = bare.discriminate(images)
    torch.testing.assert_close(bare.judge_pair(images[:1], images[1:]), torch.sigmoid(logits[:1] - logits[1:]))


def test_without_a_discriminator_images_are_made_and_not_judged(tiny_model):
    pipe = GANPipeline.from_pretrained(tiny_model, discriminator=None)
    assert pipe.discriminator is None and len(pipe(seeds=[1]).images) == 1
    for method in (pipe.discriminate, pipe.judge):
        with pytest.raises(ValueError, match="published, or loaded, without a discriminator"):
            method(pipe(seeds=[1]).images)


# --------------------------------------------------------------------------------------- construction


def test_players_that_do_not_fit_are_refused(tiny_pipeline):
    shape = dict(resolution=28, channels=1, num_classes=3, base_channels=2)
    for key, value in (("resolution", 32), ("channels", 3), ("num_classes", 2)):
        with pytest.raises(ValueError, match=f"{key} is .* in the generator, but {value} in the discriminator"):
            GANPipeline(tiny_pipeline.generator, DCGANDiscriminator(**{**shape, key: value}), LABEL_NAMES)


@pytest.mark.parametrize(
    "names", [["a", "b"], ["a", "a", "b"], "abc", ["a", "b", 3], ["a", "b", ""], ["a", "b", "\x1b"]]
)
def test_label_names_are_one_printable_text_a_class(tiny_pipeline, tiny_rgb_pipeline, names):
    with pytest.raises(ValueError, match="label_names is .*; allowed: 3 different texts"):
        GANPipeline(tiny_pipeline.generator, None, names)
    with pytest.raises(ValueError, match="label_names is .*; allowed: none"):
        GANPipeline(tiny_rgb_pipeline.generator, None, names)


def test_classes_without_names_are_called_by_their_numbers(tiny_pipeline):
    assert GANPipeline(tiny_pipeline.generator).label_names == ["0", "1", "2"]


# ------------------------------------------------------------------------------------ no square images


@pytest.fixture(scope="module")
def tall_model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tall") / "tall"
    make_pipeline(3, [40, 24], 3).save_pretrained(folder)
    return folder


def test_a_model_of_tall_images_is_saved_loaded_drawn_and_judged(tall_model):
    pipe = GANPipeline.from_pretrained(tall_model)
    assert pipe.verify_reference() <= 1
    assert json.loads((tall_model / "config.json").read_text())["resolution"] == [40, 24]
    out = pipe(seeds=range(4), output_type="np")
    assert out.images.shape == (4, 40, 24, 3) and pipe(seeds=[1]).images[0].size == (24, 40)
    logits = pipe.discriminate(out.images)
    assert torch.equal(pipe.discriminate([Image.fromarray(image) for image in out.images]), logits)
    assert torch.equal(pipe.discriminate(from_uint8(out.images)), logits)
    assert torch.isfinite(pipe.discriminate(Image.new("L", (500, 100)))).all()
    with pytest.raises(ValueError, match=r"uint8 \(N, 40, 24, 3\) or float \(N, 3, 40, 24\)"):
        pipe.discriminate(np.zeros((1, 24, 40, 3), np.uint8))


@pytest.mark.parametrize("value", [[24, 40], [40.0, 24], [40, 24, 1], [40], 40, "40", None, [True, 24], {"h": 40}])
def test_a_summary_whose_size_is_not_the_generators_is_refused(tall_model, tmp_path, value):
    folder = Path(shutil.copytree(tall_model, tmp_path / "copy"))
    summary = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**summary, "resolution": value}))
    with pytest.raises(LoadError, match="resolution is .* but the generator's config says"):
        GANPipeline.from_pretrained(folder)


# ----------------------------------------------------------------------------------------------- files

FILES = {
    "config.json",
    "generator/config.json",
    "generator/diffusion_pytorch_model.safetensors",
    "judge.json",
    "manifest.json",
    "model_index.json",
    "reference.safetensors",
}
DISCRIMINATOR = {"discriminator/config.json", "discriminator/diffusion_pytorch_model.safetensors"}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_holds_exactly_these_files_all_listed_and_readable(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "a")
    assert files(tmp_path / "a") == FILES | DISCRIMINATOR
    assert set(read_json(tmp_path / "a" / "manifest.json")["files"]) == (FILES | DISCRIMINATOR) - {"manifest.json"}
    assert {path.stat().st_mode & 0o444 for path in (tmp_path / "a").rglob("*.safetensors")} == {
        (tmp_path / "a" / "config.json").stat().st_mode & 0o444
    }
    index = read_json(tmp_path / "a" / "model_index.json")
    index.pop("_diffusers_version")
    assert index == {  # the file format: these names may gain aliases and may never change
        "_class_name": "GANPipeline",
        "generator": ["gan_hub", "DCGANGenerator"],
        "discriminator": ["gan_hub", "DCGANDiscriminator"],
    }


def test_saved_and_loaded_in_a_fresh_process_it_is_bit_equal(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "a")
    code = """
import sys, torch
from safetensors.torch import save_file
from gan_hub import GANPipeline
pipe = GANPipeline.from_pretrained(sys.argv[1])
out = pipe(seeds=range(6), output_type="pt")
tensors = {f"{p}.{n}": t for p in ("generator", "discriminator") for n, t in getattr(pipe, p).state_dict().items()}
save_file({**tensors, "images": out.images, "logits": pipe.discriminate(out.images)}, sys.argv[2])
"""
    out = tmp_path / "out.safetensors"
    subprocess.run([sys.executable, "-c", code, tmp_path / "a", out], cwd=ROOT, check=True, timeout=120)
    theirs = load_file(out)
    images, logits = theirs.pop("images"), theirs.pop("logits")
    ours = tensors(pipeline)
    assert ours.keys() == theirs.keys() and all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert torch.equal(images, pipeline(seeds=range(6), output_type="pt").images)
    assert torch.equal(logits, pipeline.discriminate(images))


def test_saving_what_was_loaded_gives_the_same_bytes(tiny_model, tmp_path):
    pipe = GANPipeline.from_pretrained(tiny_model)
    pipe.save_pretrained(tmp_path / "again")
    pipe.save_pretrained(tmp_path / "again", variant="fp16")
    assert files(tmp_path / "again") == files(tiny_model)
    for name in files(tiny_model):
        assert (tmp_path / "again" / name).read_bytes() == (tiny_model / name).read_bytes(), name


def test_names_judge_and_eval_mode_come_back(tiny_model, tiny_pipeline):
    pipe = GANPipeline.from_pretrained(str(tiny_model))
    assert_same_weights(pipe, tiny_pipeline)
    assert pipe.label_names == list(LABEL_NAMES) and pipe.calibration == tiny_pipeline.calibration
    assert not pipe.generator.training and not pipe.discriminator.training
    assert pipe.verify_reference() == pipe.verify_reference(tiny_model) == 0


@pytest.mark.parametrize(("variant", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_a_variant_is_the_cast_weights_in_half_the_bytes(tiny_model, tiny_pipeline, tmp_path, variant, dtype):
    tiny_pipeline.save_pretrained(tmp_path / "a")
    tiny_pipeline.save_pretrained(tmp_path / "a", variant=variant)
    weights = tmp_path / "a" / "generator" / "diffusion_pytorch_model.safetensors"
    assert {tensor.dtype for tensor in load_file(weights.with_suffix(f".{variant}.safetensors")).values()} == {
        dtype,
        torch.int64,
    }
    rough = GANPipeline.from_pretrained(tmp_path / "a", variant=variant)
    for name, tensor in tensors(tiny_pipeline).items():
        expected = tensor.to(dtype).float() if tensor.is_floating_point() else tensor
        assert torch.equal(tensors(rough)[name], expected), name
    exact, rough = (pipe(seeds=range(4), output_type="pt").images for pipe in (tiny_pipeline, rough))
    assert 0 < (exact - rough).abs().max() < 0.05
    assert_same_weights(GANPipeline.from_pretrained(tmp_path / "a"), tiny_pipeline)


@pytest.mark.parametrize("argument", ["dtype", "torch_dtype"])
def test_dtype_is_the_precision_it_computes_in(tiny_model, tiny_pipeline, argument):
    pipe = GANPipeline.from_pretrained(tiny_model, **{argument: torch.bfloat16})
    assert pipe.generator.dtype == pipe.discriminator.dtype == torch.bfloat16
    out = pipe(seeds=range(4), output_type="pt")
    assert out.images.dtype == out.latents.dtype == torch.float32
    assert 0 < (out.images - tiny_pipeline(seeds=range(4), output_type="pt").images).abs().max() < 0.1
    assert torch.isfinite(pipe.discriminate(out.images)).all()
    moved = GANPipeline.from_pretrained(tiny_model).to("cpu", torch.bfloat16)
    assert torch.equal(moved(seeds=range(4), output_type="pt").images, out.images)


def test_a_model_at_hand_takes_the_place_of_the_file(tiny_model, tiny_pipeline):
    own = lively(DCGANDiscriminator(28, 1, num_classes=3, base_channels=2), seed=9)
    pipe = GANPipeline.from_pretrained(tiny_model, discriminator=own)
    assert pipe.discriminator is own
    with pytest.raises(LoadError, match="num_classes is 3 in the generator, but 0 in the discriminator"):
        GANPipeline.from_pretrained(tiny_model, discriminator=DCGANDiscriminator(28, 1, base_channels=2))


def test_an_unknown_argument_is_an_error_and_never_ignored(tiny_model, tiny_pipeline, tmp_path):
    with pytest.raises(TypeError, match="'safety_checker'"):
        GANPipeline.from_pretrained(tiny_model, safety_checker=None)
    with pytest.raises(TypeError, match="'unsafe'"):
        tiny_pipeline.save_pretrained(tmp_path / "a", unsafe=False)
    assert not (tmp_path / "a").exists()


def test_a_folder_without_a_discriminator_loads_without_one(tiny_pipeline, tmp_path):
    GANPipeline(tiny_pipeline.generator, None, LABEL_NAMES).save_pretrained(tmp_path / "a")
    assert files(tmp_path / "a") == FILES - {"judge.json"}
    pipe = GANPipeline.from_pretrained(tmp_path / "a")
    assert pipe.discriminator is None and pipe.calibration is None


# --------------------------------------------------------------------- saving over, and not saving at all


def test_saving_over_another_model_leaves_none_of_its_weights_loadable(tmp_path):
    first, second = make_pipeline(3, 28, 1, seed=0), make_pipeline(3, 28, 1, seed=50)
    first.save_pretrained(tmp_path / "a"), first.save_pretrained(tmp_path / "a", variant="fp16")
    (tmp_path / "a" / "README.md").write_text("the card")
    second.save_pretrained(tmp_path / "a")
    assert_same_weights(GANPipeline.from_pretrained(tmp_path / "a"), second)
    with pytest.raises(LoadError, match=r"fp16\.safetensors: not listed in manifest\.json"):
        GANPipeline.from_pretrained(tmp_path / "a", variant="fp16")
    assert (tmp_path / "a" / "README.md").read_text() == "the card"


def test_a_variant_beside_another_models_weights_makes_those_unloadable(tmp_path):
    first, second = make_pipeline(3, 28, 1, seed=0), make_pipeline(3, 28, 1, seed=50)
    first.save_pretrained(tmp_path / "a")
    second.save_pretrained(tmp_path / "a", variant="fp16")
    with pytest.raises(LoadError, match=r"model\.safetensors: not listed in manifest\.json"):
        GANPipeline.from_pretrained(tmp_path / "a")
    half = GANPipeline.from_pretrained(tmp_path / "a", variant="fp16")
    assert torch.equal(half.generator.project.weight, second.generator.project.weight.half().float())


def test_saving_over_a_judged_model_forgets_its_judge(tiny_pipeline, tmp_path):
    tiny_pipeline.save_pretrained(tmp_path / "a")
    GANPipeline(tiny_pipeline.generator, tiny_pipeline.discriminator, LABEL_NAMES).save_pretrained(tmp_path / "a")
    assert GANPipeline.from_pretrained(tmp_path / "a").calibration is None
    assert not (tmp_path / "a" / "judge.json").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_weights_that_are_not_finite_are_not_saved_and_what_was_there_stays(tiny_model_copy, player, value):
    before = {name: (tiny_model_copy / name).read_bytes() for name in files(tiny_model_copy)}
    pipe = GANPipeline.from_pretrained(tiny_model_copy)
    with torch.no_grad():
        next(getattr(pipe, player).parameters()).view(-1)[0] = value
    for variant in (None, "fp16"):
        with pytest.raises(
            ValueError, match=f"DCGAN{player.title()}: tensor '.*' contains NaN or Inf; it was not saved"
        ):
            pipe.save_pretrained(tiny_model_copy, variant=variant)
    assert {name: (tiny_model_copy / name).read_bytes() for name in files(tiny_model_copy)} == before
    with pytest.raises(ValueError):
        pipe.save_pretrained(tiny_model_copy / "elsewhere")
    assert not files(tiny_model_copy / "elsewhere")


def test_a_calibration_that_could_not_be_loaded_is_not_saved(tiny_pipeline, tmp_path):
    for field, value in (("scale", float("nan")), ("auc", 1.5), ("images", 0)):
        odd = dataclasses.replace(tiny_pipeline.calibration, **{field: value})
        pipe = GANPipeline(tiny_pipeline.generator, tiny_pipeline.discriminator, LABEL_NAMES, odd)
        with pytest.raises(ValueError):
            pipe.save_pretrained(tmp_path / "a")
        assert not files(tmp_path / "a")


def test_other_weights_do_not_draw_the_reference(tiny_model_copy):
    other = make_pipeline(3, 28, 1, seed=50)
    with pytest.raises(LoadError, match=r"reference\.safetensors: the images differ by up to \d+ levels"):
        other.verify_reference(tiny_model_copy)
    with pytest.raises(LoadError, match=r"reference\.safetensors: images of shape"):
        make_pipeline(0, 32, 3).verify_reference(tiny_model_copy)
    for content in (b"", b"garbage", (tiny_model_copy / "generator/diffusion_pytorch_model.safetensors").read_bytes()):
        (tiny_model_copy / "reference.safetensors").write_bytes(content)
        with pytest.raises(LoadError, match=r"reference\.safetensors: damaged"):
            other.verify_reference(tiny_model_copy)
    (tiny_model_copy / "reference.safetensors").unlink()
    with pytest.raises(LoadError, match=r"reference\.safetensors: cannot be read"):
        other.verify_reference(tiny_model_copy)


# ------------------------------------------------------------------------------------- names and places


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The Hub ids that were asked for: the download is the one seam that is replaced."""
    ids = []

    def download(repo_id, **_):
        ids.append(repo_id)
        raise resolve.OfflineModeIsEnabled("no network in this test")

    monkeypatch.setattr(resolve, "snapshot_download", download)
    return ids


def test_a_name_is_a_local_folder_then_a_bundled_model_then_a_hub_id(
    asked, tiny_model, tiny_rgb_model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resolve, "BUNDLED_MODELS_DIR", tmp_path / "zoo")
    with pytest.raises(
        LoadError, match=r"'shapes': neither a folder, nor a bundled model \(none at hand\), nor a Hub id"
    ):
        GANPipeline.from_pretrained("shapes")
    assert asked == []

    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "shapes").symlink_to(tiny_model)
    assert GANPipeline.from_pretrained("shapes").generator.config["channels"] == 1
    assert list(resolve.bundled_models()) == ["shapes"]

    (tmp_path / "shapes").symlink_to(tiny_rgb_model)
    assert GANPipeline.from_pretrained("shapes").generator.config["channels"] == 3
    assert asked == []

    with pytest.raises(LoadError, match="someone/their-gan: not in the cache.* Bundled: shapes"):
        GANPipeline.from_pretrained("someone/their-gan")
    assert asked == ["someone/their-gan"]


@pytest.mark.parametrize("name", ["dcgan-mnits", "shapes", "shapes@v1", "gpt2", "mlp-mnist@main", "gan-hub", "x.gan"])
def test_a_name_without_a_slash_never_reaches_the_hub(name, asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for load in (GANPipeline.from_pretrained, lambda name: DCGANGenerator.from_pretrained(name, subfolder="generator")):
        with pytest.raises(
            LoadError, match=f"'{name}': neither a folder, nor a bundled model .*, nor a Hub id, which is"
        ):
            load(name)
    assert asked == []


def test_a_misspelt_bundled_name_is_answered_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoadError, match=r"owner/name; did you mean dcgan-mnist\?$"):
        GANPipeline.from_pretrained("dcgan-mnits")
    with pytest.raises(LoadError, match=r"owner/name\.$"):
        GANPipeline.from_pretrained("qqqqqq")


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a//b",
        "../x",
        "./x",
        "/no/such",
        "~/x",
        "a/b/c",
        "x?y",
        "a\0b",
        "ü/ö?",
        "x" * 100_000,
        "a\n",
        "-" * 999,
    ],
    ids=lambda name: repr(name)[:12],
)
def test_a_name_that_cannot_be_one_is_refused_without_asking_the_hub_or_at_least_with_a_load_error(
    name, asked, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoadError) as caught:
        GANPipeline.from_pretrained(name)
    assert len(str(caught.value)) < 3000
    assert asked == []


def test_a_folder_that_is_no_model_is_not_looked_for_on_the_hub(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    for source in ("runs/mine", tmp_path / "runs", Path("nowhere")):
        with pytest.raises(LoadError, match="not a model folder"):
            GANPipeline.from_pretrained(source)
    assert asked == []


def test_offline_a_model_that_is_not_at_hand_is_refused_at_once():
    with pytest.raises(LoadError, match="someone/their-gan: not in the cache, and the Hub cannot be reached"):
        GANPipeline.from_pretrained("someone/their-gan")


def test_a_network_alone_resolves_names_like_the_pipeline(tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resolve, "BUNDLED_MODELS_DIR", tiny_model.parent)
    generator = DCGANGenerator.from_pretrained("tiny-gan", subfolder="generator")
    assert generator.config["num_classes"] == 3


def test_what_a_calibration_holds_is_its_file(tiny_model, tiny_pipeline):
    assert Calibration.read(tiny_model / "judge.json") == tiny_pipeline.calibration
    assert set(Calibration.LIMITS) == {spec.name for spec in dataclasses.fields(Calibration)}
