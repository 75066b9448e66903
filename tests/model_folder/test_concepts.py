"""Concepts: what they do to an image, their file beside the model, and that nothing in it is taken on trust."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gan_hub import GANPipeline, LoadError
from gan_hub.model_folder.concepts import Concept, Effect, write_concepts
from gan_hub.model_folder.files import CONCEPTS_NAME
from gan_hub.model_folder.manifest import Manifest
from gan_hub.models.stylegan2 import StyleGAN2Generator
from tests.conftest import lively, made_concept, make_pipeline


def with_concepts(*names: str) -> GANPipeline:
    pipe = make_pipeline(3, 28, 1)
    pipe.concepts = {name: made_concept(name, 8, number) for number, name in enumerate(names)}
    return pipe


@pytest.fixture(scope="module")
def conditional() -> GANPipeline:
    return with_concepts("thick", "slanted to the right")


@pytest.fixture(scope="module")
def styled() -> GANPipeline:
    generator = StyleGAN2Generator(resolution=32, latent_size=8, w_size=6, base_channels=4, max_channels=8)
    lively(generator, 0)
    return GANPipeline(generator, concepts=[made_concept("open mouth", 6, 0, "w"), made_concept("fur", 8, 1, "z")])


@pytest.fixture
def folder(conditional, tmp_path) -> Path:
    conditional.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


# ------------------------------------------------------------------------------------------------------------ drawing


def test_a_concept_moves_z_and_leaves_class_and_latents_as_they_were(conditional):
    seeds, plain = [3, 14, 15], conditional(seeds=[3, 14, 15], output_type="pt")
    moved = conditional(seeds=seeds, concepts={"thick": 1.5}, output_type="pt")
    z = conditional.sample_latents(seeds) + 1.5 * conditional.concepts["thick"].direction
    assert torch.equal(moved.images, conditional(latents=z, labels=plain.labels, output_type="pt").images)
    assert moved.labels == plain.labels and torch.equal(moved.latents, plain.latents)
    assert not torch.equal(moved.images, plain.images)


def test_truncation_comes_after_a_concept_in_z_and_before_one_in_w(conditional, styled):
    out = conditional(seeds=[5], truncation=0.5, concepts={"thick": 1.0}, output_type="pt")
    z = conditional.sample_latents([5]) + conditional.concepts["thick"].direction
    assert torch.equal(out.images, conditional(latents=z, labels=out.labels, truncation=0.5, output_type="pt").images)
    z = styled.sample_latents([5])
    for psi in (1.0, 0.4):
        found = styled(seeds=[5], truncation=psi, concepts={"open mouth": -2}, output_type="pt").images
        w = styled.map(z, truncation=psi) - 2 * styled.concepts["open mouth"].direction
        assert torch.equal(found, styled.synthesize(w, output_type="pt"))
        assert not torch.equal(found, styled(seeds=[5], truncation=psi, output_type="pt").images)


def test_concepts_of_both_spaces_are_taken_together_and_strength_0_changes_nothing(styled):
    found = styled(seeds=[1], concepts={"open mouth": 1, "fur": 2.0}, output_type="pt").images
    w = styled.map(styled.sample_latents([1]) + 2 * styled.concepts["fur"].direction)
    assert torch.equal(found, styled.synthesize(w + styled.concepts["open mouth"].direction, output_type="pt"))
    still = styled(seeds=[1], concepts={"open mouth": 0, "fur": 0.0}, output_type="pt").images
    assert torch.equal(still, styled(seeds=[1], output_type="pt").images)


@pytest.mark.parametrize("which", ["conditional", "styled"])
def test_the_same_seed_gives_the_same_image_in_any_batch(which, request):
    pipe = request.getfixturevalue(which)
    asked = dict.fromkeys(pipe.concepts, 0.7)
    together = pipe(seeds=range(5), concepts=asked, output_type="pt").images
    for seed in range(5):
        assert torch.equal(pipe(seeds=[seed], concepts=asked, output_type="pt").images[0], together[seed])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"glasses": 1.0}, "concept 'glasses' is not known; choose among thick, slanted to the right"),
        ({"thick": float("nan")}, "strength nan of concept 'thick'"),
        ({"thick": 11}, "strength 11 .* a number from -10 to 10"),
        ({"thick": True}, "strength True"),
        ({"thick": "1"}, "strength '1'"),
        (["thick"], "give strengths by name"),
        ("thick", "give strengths by name"),
    ],
)
def test_what_is_asked_wrongly_gets_one_sentence(conditional, asked, sentence):
    with pytest.raises(ValueError, match=sentence):
        conditional(seeds=[0], concepts=asked)


def test_a_model_without_concepts_says_so(tiny_rgb_pipeline):
    assert tiny_rgb_pipeline.concepts == {}
    with pytest.raises(ValueError, match="this model has none"):
        tiny_rgb_pipeline(seeds=[0], concepts={"thick": 1})


def test_directions_of_another_model_are_refused(conditional):
    for wrong, sentence in (
        (made_concept("a", 9), "9 numbers in z; allowed: of 8"),
        (made_concept("a", 6, 0, "w"), "in w; allowed: none"),
    ):
        with pytest.raises(ValueError, match=sentence):
            GANPipeline(conditional.generator, concepts=[wrong])
    with pytest.raises(ValueError, match="two concepts are called 'a'"):
        GANPipeline(conditional.generator, concepts=[made_concept("a", 8), made_concept("a", 8)])


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a=b"},
        {"name": " a"},
        {"name": "__metadata__"},
        {"name": "a\nb"},
        {"name": "x" * 41},
        {"direction": torch.zeros(8)},
        {"direction": torch.full((8,), float("inf"))},
        {"direction": torch.ones(2, 4)},
        {"space": "s"},
        {"with_it": (1, 2)},
        {"without_it": (1, 1, 2)},
        {"with_it": (1, 2, -3)},
        {"method": ""},
        {"effect": {}},
    ],
    ids=str,
)
def test_a_concept_that_is_none_is_refused(changes):
    with pytest.raises(ValueError):
        replace(made_concept("a", 8), **changes)


def test_an_effect_takes_numbers_whatever_library_made_them():
    plainly = Effect("light", (-1.0, 0.0, 1.0), (0.25, 0.5, 0.75), 0.5, 0.75, "0-9", 10)
    for kind in (np.float32, torch.tensor, np.array):
        for several in (tuple, list):
            numbers = (
                several(kind(value) for value in (-1.0, 0.0, 1.0)),
                several(kind(value) for value in (0.25, 0.5, 0.75)),
            )
            made = Effect("light", *numbers, kind(0.5), kind(0.75), "0-9", np.int64(10))
            assert made == plainly and type(made.images) is int and type(made.deviation) is float
    assert Effect("light", torch.tensor([-1.0, 0, 1]), np.array([0.25, 0.5, 0.75]), 0.5, 0.75, "0-9", 10) == plainly


@pytest.mark.parametrize(
    "changes",
    [{"strengths": (1, 2, 3)}, {"strengths": (1, 0, -1)}, {"means": (1.0, 2.0)}, {"means": (1.0, 2.0, float("nan"))}]
    + [{"right": 1.5}, {"images": 0}, {"images": 2.0}, {"deviation": -1.0}, {"measure": ""}, {"seeds": 3}],
    ids=str,
)
def test_an_effect_that_is_none_is_refused(changes):
    with pytest.raises(ValueError):
        replace(made_concept("a", 8).effect, **changes)


# ------------------------------------------------------------------------------------------------------------ the file


def assert_same(found: dict[str, Concept], expected: dict[str, Concept]) -> None:
    assert list(found) == list(expected)
    for name, concept in expected.items():
        ours, theirs = vars(found[name]).copy(), vars(concept).copy()
        assert torch.equal(ours.pop("direction"), theirs.pop("direction")) and ours == theirs


def test_concepts_are_saved_and_loaded_again_with_everything_that_is_known_of_them(
    conditional, styled, folder, tmp_path
):
    assert_same(GANPipeline.from_pretrained(folder).concepts, conditional.concepts)
    assert CONCEPTS_NAME in Manifest(folder).files
    styled.save_pretrained(tmp_path / "styled")
    assert_same(GANPipeline.from_pretrained(tmp_path / "styled").concepts, styled.concepts)


def test_saving_a_model_without_concepts_removes_those_of_an_earlier_one(folder):
    pipe = GANPipeline.from_pretrained(folder)
    pipe.concepts = {}
    pipe.save_pretrained(folder)
    assert not (folder / CONCEPTS_NAME).exists() and GANPipeline.from_pretrained(folder).concepts == {}


def test_a_variant_joins_a_folder_that_keeps_its_concepts(conditional, folder):
    conditional.save_pretrained(folder, variant="fp16")
    assert_same(GANPipeline.from_pretrained(folder, variant="fp16").concepts, conditional.concepts)


def test_an_unmeasured_concept_is_not_saved(conditional, tmp_path):
    pipe = GANPipeline(conditional.generator, concepts=[replace(made_concept("thick", 8), effect=None)])
    with pytest.raises(ValueError, match="'thick' has no measured effect"):
        pipe.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def rewritten(folder: Path, change) -> None:
    """The file after `change` of its tensors and entries, listed in the manifest as if it were meant so."""
    path = folder / CONCEPTS_NAME
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    tensors, entries = load_file(path), json.loads(header["__metadata__"]["concepts"])["concepts"]
    metadata = change(tensors, entries)
    described = {"concepts": json.dumps({"concepts": entries})}
    save_file(tensors, path, metadata if isinstance(metadata, dict) else described)
    Manifest.write(folder, list(Manifest(folder).files))


DAMAGES = {
    "direction too long": lambda t, e: t.update(thick=torch.ones(9)),
    "direction with NaN": lambda t, e: t["thick"].fill_(float("nan")),
    "direction of another dtype": lambda t, e: t.update(thick=t["thick"].double()),
    "direction missing": lambda t, e: t.pop("thick"),
    "direction too many": lambda t, e: t.update(more=torch.ones(8)),
    "unknown space": lambda t, e: e[0].update(space="s"),
    "a space the model has not": lambda t, e: e[0].update(space="w"),
    "key missing": lambda t, e: e[0].pop("found"),
    "key unknown": lambda t, e: e[0].update(more=1),
    "no effect": lambda t, e: e[0].update(effect=None),
    "half an effect": lambda t, e: e[0]["effect"].pop("right"),
    "seeds that are none": lambda t, e: e[0].update(with_it=["a", "b", "c"]),
    "seeds of another kind": lambda t, e: e[0].update(with_it=3),
    "a name of another kind": lambda t, e: e[0].update(name=["thick"]),
    "an entry that is none": lambda t, e: e.append("more"),
    "an entry twice": lambda t, e: e.append(e[0]),
    "no metadata": lambda t, e: {},
    "other metadata": lambda t, e: {"concept": "{}"},
    "metadata that is no JSON": lambda t, e: {"concepts": "{"},
    "metadata that is no list": lambda t, e: {"concepts": '{"concepts": 3}'},
    "metadata with a constant": lambda t, e: {"concepts": '{"concepts": NaN}'},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_not_as_it_must_be_does_not_load(folder, damage):
    rewritten(folder, lambda tensors, entries: None)
    GANPipeline.from_pretrained(folder)  # the rewriting alone does no harm
    rewritten(folder, DAMAGES[damage])
    with pytest.raises(LoadError, match=CONCEPTS_NAME) as caught:
        GANPipeline.from_pretrained(folder)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_a_file_that_the_manifest_does_not_confirm_does_not_load(folder):
    path = folder / CONCEPTS_NAME
    whole = path.read_bytes()
    for wrong, sentence in ((whole[:-1] + b"\x01", "sha256"), (whole[:-4], "bytes, but"), (b"", "bytes, but")):
        path.write_bytes(wrong)
        with pytest.raises(LoadError, match=sentence):
            GANPipeline.from_pretrained(folder)
    path.unlink()
    with pytest.raises(LoadError, match="cannot be read"):
        GANPipeline.from_pretrained(folder)
    path.write_bytes(b"\x10" * 40)
    Manifest.write(folder, list(Manifest(folder).files))
    with pytest.raises(LoadError, match="damaged"):
        GANPipeline.from_pretrained(folder)


def test_concepts_are_put_into_a_finished_folder_and_the_rest_of_it_stays(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    new = with_concepts("wide").concepts
    write_concepts(folder, new)
    assert_same(GANPipeline.from_pretrained(folder).concepts, new)
    after = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    assert {path.name for path in before if before[path] != after.get(path)} == {CONCEPTS_NAME, "manifest.json"}
    assert before.keys() == after.keys()
    write_concepts(folder, {})
    assert not (folder / CONCEPTS_NAME).exists() and GANPipeline.from_pretrained(folder).concepts == {}


@pytest.mark.parametrize("step", [1, 2, 3])
def test_an_interrupted_put_leaves_a_folder_that_loads_and_can_be_put_into_again(folder, step, monkeypatch):
    new, steps, really = with_concepts("wide").concepts, [], os.replace

    def interrupted(*paths):
        steps.append(paths)
        if len(steps) == step:
            raise OSError("no more")
        really(*paths)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(OSError, match="no more"):
        write_concepts(folder, new)
    monkeypatch.undo()
    if step == 1:
        assert list(GANPipeline.from_pretrained(folder).concepts) == ["thick", "slanted to the right"]
    else:
        with pytest.warns(UserWarning, match="not listed in manifest.json; the model is loaded without concepts"):
            assert GANPipeline.from_pretrained(folder).concepts == {}
    write_concepts(folder, new)
    assert_same(GANPipeline.from_pretrained(folder).concepts, new)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_copy_of_the_folder_is_the_whole_model(folder, conditional, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    assert_same(GANPipeline.from_pretrained(tmp_path / "copy").concepts, conditional.concepts)
