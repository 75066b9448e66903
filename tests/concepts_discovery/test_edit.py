"""Concepts in Python: found, renamed, dropped and saved by the functions that `gan-hub concepts` calls."""

import pytest
import torch

from gan_hub import GANPipeline
from gan_hub.concepts_discovery.edit import edit_concepts, find_concepts, save_concepts
from tests.conftest import made_concept

SEEDS, HELD_OUT = range(100), range(500, 520)


def concepts(*names: str) -> dict:
    return {name: made_concept(name, 8, seed) for seed, name in enumerate(names)}


def test_what_is_found_is_added_renamed_and_saved_into_the_models_own_folder(tiny_model_copy):
    pipe, started = GANPipeline.from_pretrained(tiny_model_copy), []
    new = find_concepts(pipe, ["brightness", "sefa"], SEEDS, HELD_OUT, count=2, on_start=started.append)
    assert [concept.name for concept in new] == ["brightness", "sefa 1", "sefa 2"] and started == ["brightness", "sefa"]
    assert all(concept.effect is not None and concept.effect.images == 20 for concept in new)
    pipe.concepts = edit_concepts(pipe.concepts, new, rename={"sefa 1": "long ears"}, drop=["sefa 2"])
    save_concepts(pipe, tiny_model_copy)
    assert list(GANPipeline.from_pretrained(tiny_model_copy).concepts) == ["brightness", "long ears"]


def test_a_new_concept_takes_the_place_of_one_of_its_name_and_the_rest_keep_their_order():
    old, new = concepts("a", "b", "c"), made_concept("b", 8, seed=9)
    edited = edit_concepts(old, [new], rename={"c": "d"}, drop=["a"])
    assert list(edited) == ["d", "b"] and torch.equal(edited["b"].direction, new.direction)
    assert old.keys() == {"a", "b", "c"} and not torch.equal(old["b"].direction, new.direction)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"drop": ["x"]}, "no concept is called 'x'; there are a, b."),
        ({"rename": {"x": "y"}}, "no concept is called 'x'; there are a, b."),
        ({"rename": {"a": "b"}}, "two concepts would have one name."),
        ({"rename": {"a": "b=c"}}, "concept name 'b=c' is not allowed"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        edit_concepts(concepts("a", "b"), **options)


def test_an_unknown_way_is_refused_before_any_search_with_the_nearest(tiny_pipeline):
    started = []
    with pytest.raises(ValueError, match="find='brigthness' is not known; choose among .*did you mean brightness"):
        find_concepts(tiny_pipeline, ["contrast", "brigthness"], SEEDS, HELD_OUT, on_start=started.append)
    assert started == []


def test_concepts_are_not_saved_into_another_models_folder_and_a_new_folder_gets_the_whole_model(
    tiny_model, tiny_rgb_model, tmp_path
):
    pipe = GANPipeline.from_pretrained(tiny_model)
    pipe.concepts = concepts("a")
    with pytest.raises(ValueError, match="holds another model than"):
        save_concepts(pipe, tiny_rgb_model)
    save_concepts(pipe, tmp_path / "new")
    assert list(GANPipeline.from_pretrained(tmp_path / "new").concepts) == ["a"]
