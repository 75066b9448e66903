"""GANPipeline with a model that draws from maps: maps given and chosen, verdicts by the map, files there and back."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from gan_hub import GANPipeline, LoadError
from gan_hub.model_folder.files import SEGMENTATIONS_NAME
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.segmentations import MAX_EXAMPLES
from gan_hub.model_folder.strict import read_json, write_json
from gan_hub.models.spade import SPADEDiscriminator, SPADEGenerator
from gan_hub.pipeline import Calibration
from tests.conftest import lively

CLASSES, SIZE = 4, (16, 24)
SHAPE = dict(resolution=list(SIZE), channels=3, semantic_classes=CLASSES, base_channels=4, max_channels=8)
NAMES = ["sky", "wall", "door", "tree"]


def maps(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(CLASSES, (count, *SIZE), generator=torch.Generator().manual_seed(seed))


def make_pipeline(**changes) -> GANPipeline:
    torch.manual_seed(0)
    parts = {
        "discriminator": lively(SPADEDiscriminator(**SHAPE, layers=3), 1),
        "segmentations": maps(5, seed=9),
        "semantic_names": NAMES,
        "calibration": Calibration(scale=0.8, bias=-0.2, auc=0.7, error=0.05, images=100),
    }
    generator = lively(SPADEGenerator(**SHAPE, latent_size=8, hidden_channels=4), 0)
    return GANPipeline(generator, **{**parts, **changes})


@pytest.fixture(scope="module")
def pipeline() -> GANPipeline:
    return make_pipeline()


@pytest.fixture(scope="module")
def saved(pipeline, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture
def copied(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


# ------------------------------------------------------------------------------------------- sampling


def test_each_image_is_drawn_from_its_own_map(pipeline):
    three = maps(3)
    out = pipeline(seeds=[1, 2, 3], segmentation=three, output_type="pt")
    assert out.images.shape == (3, 3, *SIZE) and out.labels is None
    assert out.segmentations.dtype == torch.uint8 and torch.equal(out.segmentations.long(), three)
    for row in range(3):
        alone = pipeline(seeds=[row + 1], segmentation=three[row], output_type="pt")
        assert torch.equal(alone.images[0], out.images[row])
    with torch.no_grad():
        expected = pipeline.generator(pipeline.sample_latents([2]), three[1:2])
    assert torch.equal(out.images[1:2], expected)


def test_one_map_serves_all_images_and_z_still_makes_them_differ(pipeline):
    one = maps(1)[0]
    out = pipeline(seeds=range(3), segmentation=one, output_type="pt")
    assert torch.equal(out.images, pipeline(seeds=range(3), segmentation=one.expand(3, *SIZE), output_type="pt").images)
    assert not torch.equal(out.images[0], out.images[1]) and torch.equal(out.segmentations[2].long(), one)


@pytest.mark.parametrize("kind", ["uint8", "int32", "array", "array16", "picture", "palette", "pictures", "larger"])
def test_a_map_may_be_a_tensor_an_array_or_a_picture(pipeline, kind):
    two = maps(2)
    levels = two.numpy().astype(np.uint8)
    pictures = [Image.fromarray(level) for level in levels]
    given = {
        "uint8": two.to(torch.uint8),
        "int32": two.int(),
        "array": levels,
        "array16": levels.astype(np.uint16),
        "picture": pictures[0],
        "palette": Image.fromarray(levels[0]),
        "pictures": pictures,
        "larger": [picture.resize((72, 48), Image.Resampling.NEAREST) for picture in pictures],
    }[kind]
    if kind == "palette":
        given.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
        assert given.mode == "P"
    expected = two if kind not in ("picture", "palette") else two[0]
    found = pipeline(seeds=[0, 1], segmentation=given, output_type="pt")
    assert torch.equal(found.images, pipeline(seeds=[0, 1], segmentation=expected, output_type="pt").images)


def test_without_a_map_each_latent_takes_one_of_the_examples_and_always_the_same(pipeline):
    out = pipeline(seeds=range(40), output_type="pt")
    taken = {tuple(segmentation.flatten().tolist()) for segmentation in out.segmentations}
    assert taken == {tuple(example.flatten().tolist()) for example in pipeline.segmentations}
    for seed in (0, 7, 39):
        alone = pipeline(seeds=[seed], output_type="pt")
        assert torch.equal(alone.images[0], out.images[seed])
        assert torch.equal(alone.segmentations[0], out.segmentations[seed])
    again = pipeline(latents=out.latents, segmentation=out.segmentations, output_type="pt")
    assert torch.equal(again.images, out.images)
    assert len(pipeline(seeds=[]).images) == 0


def test_without_examples_the_sentence_says_what_is_needed(tmp_path):
    bare = make_pipeline(segmentations=None)
    with pytest.raises(
        ValueError, match=r"has no examples of them; give segmentation=, whole numbers \(16, 24\) from 0 to 3"
    ):
        bare(seeds=[0])
    assert len(bare(seeds=[0], segmentation=maps(1)).images) == 1
    with pytest.raises(ValueError, match="has no examples of them.*or the pipeline its segmentations="):
        bare.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("segmentation", "sentence"),
    [
        (
            torch.zeros(24, 16, dtype=torch.long),
            r"whole numbers \(16, 24\) or \(N, 16, 24\); given Tensor torch.int64 \(24, 16\)",
        ),
        (torch.zeros(SIZE), r"given Tensor torch.float32 \(16, 24\)"),
        (torch.zeros(SIZE, dtype=torch.bool), "given Tensor torch.bool"),
        (np.zeros(SIZE), "given ndarray float64"),
        (torch.zeros(1, 2, *SIZE, dtype=torch.long), r"given Tensor torch.int64 \(1, 2, 16, 24\)"),
        ([[0]], r"given list \(\)"),
        ("door", r"given str \(\)"),
        ([], r"given list \(\)"),
        (
            torch.zeros(3, *SIZE, dtype=torch.long),
            r"3 segmentations for 2 images; give one \(H, W\) for all, or one an image",
        ),
        (torch.full(SIZE, 4), "has the class 4; this model's classes are 0 to 3"),
        (torch.full(SIZE, -1), "has the class -1"),
        (np.full(SIZE, 259, np.uint16), "has the class 259"),
        (Image.new("RGB", (24, 16)), r"holds class numbers \(mode L or P\); this one is of mode RGB"),
        ([Image.new("L", (24, 16)), Image.new("RGBA", (24, 16))], "this one is of mode RGBA"),
    ],
)
def test_a_wrong_map_is_refused_with_a_sentence(pipeline, segmentation, sentence):
    for call in (
        pipeline,
        lambda seeds, segmentation: pipeline.discriminate(np.zeros((2, *SIZE, 3), np.uint8), segmentation=segmentation),
    ):
        with pytest.raises(ValueError, match=sentence):
            call(seeds=[0, 1], segmentation=segmentation)


def test_a_model_without_maps_refuses_them_with_a_sentence(tiny_pipeline):
    given = torch.zeros(28, 28, dtype=torch.long)
    images = tiny_pipeline(seeds=[0], output_type="pt")
    assert images.segmentations is None and tiny_pipeline.segmentations is None and tiny_pipeline.semantic_names is None
    for call in (
        lambda: tiny_pipeline(seeds=[0], segmentation=given),
        lambda: tiny_pipeline.judge(images.images, 0, given),
    ):
        with pytest.raises(ValueError, match="segmentation is given, but this model does not draw from maps"):
            call()
    with pytest.raises(ValueError, match="segmentations are given, but this model does not draw from maps"):
        GANPipeline(tiny_pipeline.generator, segmentations=given[None])
    with pytest.raises(ValueError, match="semantic_names is .*none, as there are no classes"):
        GANPipeline(tiny_pipeline.generator, semantic_names=["a"])


# -------------------------------------------------------------------------------------------- judging


def test_a_verdict_is_the_mean_over_the_patches_and_depends_on_the_map(pipeline):
    out = pipeline(seeds=range(3), output_type="pt")
    logits = pipeline.discriminate(out.images, segmentation=out.segmentations)
    assert logits.shape == (3,) and logits.dtype == torch.float32
    with torch.no_grad():
        expected = pipeline.discriminator(out.images[1:2], out.segmentations[1:2]).mean(1)
    assert torch.equal(logits[1:2], expected)
    assert not torch.equal(logits, pipeline.discriminate(out.images, segmentation=maps(3, seed=1)))
    for row in range(3):
        alone = pipeline.discriminate(out.images[row : row + 1], segmentation=out.segmentations[row])
        assert torch.equal(alone, logits[row : row + 1])
    torch.testing.assert_close(logits, pipeline.discriminate(out.images, batch_size=3, segmentation=out.segmentations))
    torch.testing.assert_close(
        pipeline.judge(out.images, segmentation=out.segmentations), torch.sigmoid(0.8 * logits - 0.2)
    )
    pair = pipeline.judge_pair(out.images[:1], out.images[1:2], segmentation=out.segmentations[0])
    other = pipeline.discriminate(out.images[1:2], segmentation=out.segmentations[0])
    torch.testing.assert_close(pair, torch.sigmoid(0.8 * (logits[:1] - other)))


def test_an_image_whose_map_is_unknown_is_not_judged_and_a_sentence_says_why(pipeline):
    images = pipeline(seeds=[0, 1]).images
    for call in (pipeline.discriminate, pipeline.judge, lambda images: pipeline.judge_pair(images, images)):
        with pytest.raises(ValueError, match="judges an image by the map it was drawn from; give segmentation="):
            call(images)


def test_players_with_other_classes_and_odd_parts_are_refused():
    others = [
        ({"discriminator": SPADEDiscriminator(**{**SHAPE, "semantic_classes": 5})}, "semantic_classes is 4 .* but 5"),
        ({"segmentations": torch.zeros(0, *SIZE, dtype=torch.uint8)}, "segmentations are 1 to 64 example maps"),
        ({"segmentations": maps(MAX_EXAMPLES + 1)}, r"1 to 64 example maps \(M, H, W\); given \(65, 16, 24\)"),
        ({"segmentations": maps(1)[0]}, r"given \(16, 24\)"),
        ({"segmentations": maps(2) + 2}, "has the class"),
        ({"segmentations": maps(2).float()}, "whole numbers"),
        ({"semantic_names": NAMES[:3]}, "semantic_names is .*4 different texts"),
        ({"semantic_names": ["sky"] * 4}, "semantic_names is .*4 different texts"),
        ({"label_names": NAMES}, "label_names is .*none, as there are no classes"),
    ]
    for changes, sentence in others:
        with pytest.raises(ValueError, match=sentence):
            make_pipeline(**changes)
    assert make_pipeline(semantic_names=None).semantic_names == ["0", "1", "2", "3"]


# ---------------------------------------------------------------------------------------------- files


def test_saved_and_loaded_it_is_bit_equal_with_its_examples_and_names(pipeline, saved):
    loaded = GANPipeline.from_pretrained(saved)
    assert torch.equal(loaded.segmentations, pipeline.segmentations) and loaded.segmentations.dtype == torch.uint8
    assert loaded.semantic_names == NAMES and loaded.label_names is None
    ours, theirs = (each(seeds=range(6), output_type="pt") for each in (pipeline, loaded))
    assert torch.equal(ours.images, theirs.images) and torch.equal(ours.segmentations, theirs.segmentations)
    assert torch.equal(*(each.judge(ours.images, segmentation=ours.segmentations) for each in (pipeline, loaded)))
    assert loaded.verify_reference() == 0
    assert read_json(saved / "config.json")["semantic_names"] == NAMES
    assert SEGMENTATIONS_NAME in read_json(saved / "manifest.json")["files"]


def test_saving_what_was_loaded_gives_the_same_bytes(saved, tmp_path):
    GANPipeline.from_pretrained(saved).save_pretrained(tmp_path)
    for path in saved.rglob("*"):
        assert path.is_dir() or (tmp_path / path.relative_to(saved)).read_bytes() == path.read_bytes(), path


def test_a_variant_joins_with_the_same_examples(copied, pipeline):
    pipeline.save_pretrained(copied, variant="fp16")
    half = GANPipeline.from_pretrained(copied, variant="fp16")
    assert torch.equal(half.segmentations, pipeline.segmentations)
    assert GANPipeline.from_pretrained(copied).verify_reference() == 0


def test_without_the_examples_file_the_model_loads_and_asks_for_a_map(saved, tmp_path):
    folder = Path(shutil.copytree(saved, tmp_path / "bare"))
    (folder / SEGMENTATIONS_NAME).unlink()
    with pytest.raises(LoadError, match="segmentations.safetensors: cannot be read"):  # the manifest lists it
        GANPipeline.from_pretrained(folder)
    listed = read_json(folder / "manifest.json")
    del listed["files"][SEGMENTATIONS_NAME]
    write_json(folder / "manifest.json", listed)
    with pytest.raises(ValueError, match="has no examples"):
        GANPipeline.from_pretrained(folder)(seeds=[0])


def test_a_folder_that_gets_another_model_keeps_no_examples(copied, tiny_pipeline):
    tiny_pipeline.save_pretrained(copied)
    assert not (copied / SEGMENTATIONS_NAME).exists()
    assert GANPipeline.from_pretrained(copied).segmentations is None


HOSTILE = {
    "float32": {"segmentations": torch.zeros(2, *SIZE)},
    "int64": {"segmentations": maps(2)},
    "another name": {"maps": torch.zeros(2, *SIZE, dtype=torch.uint8)},
    "a second tensor": {name: torch.zeros(2, *SIZE, dtype=torch.uint8) for name in ("segmentations", "more")},
    "nothing": {},
    "other size": {"segmentations": torch.zeros(2, 24, 16, dtype=torch.uint8)},
    "two dimensions": {"segmentations": torch.zeros(SIZE, dtype=torch.uint8)},
    "none at all": {"segmentations": torch.zeros(0, *SIZE, dtype=torch.uint8)},
    "too many": {"segmentations": torch.zeros(MAX_EXAMPLES + 1, *SIZE, dtype=torch.uint8)},
    "a class too many": {"segmentations": torch.full((2, *SIZE), CLASSES, dtype=torch.uint8)},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_odd_examples_do_not_load_even_where_the_manifest_knows_them(copied, kind):
    save_file(HOSTILE[kind], copied / SEGMENTATIONS_NAME)
    with pytest.raises(LoadError, match=SEGMENTATIONS_NAME):  # the manifest knows others
        GANPipeline.from_pretrained(copied)
    Manifest.write(copied, list(read_json(copied / "manifest.json")["files"]))
    with pytest.raises(LoadError, match=SEGMENTATIONS_NAME):
        GANPipeline.from_pretrained(copied)


def test_every_cut_and_every_changed_byte_of_the_examples_is_noticed(copied):
    data = (copied / SEGMENTATIONS_NAME).read_bytes()
    for changed in (b"", data[:50], data[:-1], data + b"\0", data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]):
        (copied / SEGMENTATIONS_NAME).write_bytes(changed)
        with pytest.raises(LoadError, match=SEGMENTATIONS_NAME):
            GANPipeline.from_pretrained(copied)
    (copied / SEGMENTATIONS_NAME).write_bytes(data)
    assert torch.equal(
        GANPipeline.from_pretrained(copied).segmentations, load_file(copied / SEGMENTATIONS_NAME)["segmentations"]
    )


@pytest.mark.parametrize("names", [None, [], NAMES[:2], ["a", "a", "b", "c"], [1, 2, 3, 4], "abcd", {"a": 1}])
def test_odd_names_of_semantic_classes_do_not_load(copied, names):
    summary = read_json(copied / "config.json") | {"semantic_names": names}
    (copied / "config.json").write_text(json.dumps(summary))
    Manifest.write(copied, list(read_json(copied / "manifest.json")["files"]))
    with pytest.raises(LoadError, match="config.json: semantic_names is"):
        GANPipeline.from_pretrained(copied)


def test_names_of_semantic_classes_in_a_model_without_maps_are_an_unknown_key(tiny_model_copy):
    summary = read_json(tiny_model_copy / "config.json") | {"semantic_names": NAMES}
    (tiny_model_copy / "config.json").write_text(json.dumps(summary))
    with pytest.raises(LoadError, match="config key 'semantic_names' is unknown"):
        GANPipeline.from_pretrained(tiny_model_copy)
