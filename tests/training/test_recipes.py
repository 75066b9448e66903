"""Recipes: where they are, the block of the card, what is refused in files from elsewhere, and the door from Python."""

import doctest
import os
import re
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from benchmarks import recipe_table
from gan_hub.training import recipes
from gan_hub.training.checkpoint_schema import check_state
from gan_hub.training.config import TrainConfig
from gan_hub.training.recipes import flatten, nest, read_recipe
from gan_hub.training.sections import CARD_OPTIONS, FIELDS

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def recipe(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


# ---------------------------------------------------------------------------------------- the block of the card


def test_options_of_the_card_stand_under_card_or_as_in_older_recipes_at_the_top(tmp_path):
    new = read_recipe(recipe(tmp_path, "seed: 3\ncard:\n  license: mit\n  seen: >-\n    Fine\n    digits.\n"))
    old = read_recipe(recipe(tmp_path, "license: mit\nseed: 3\nseen: Fine digits.\n"))
    mixed = read_recipe(recipe(tmp_path, "license: mit\nseed: 3\ncard: {seen: Fine digits.}\n"))
    assert new == old == mixed == {"seed": 3, "license": "mit", "seen": "Fine digits."}
    assert read_recipe(recipe(tmp_path, "card: {pictures_may_be_shown: yes}\n")) == {"pictures_may_be_shown": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("card: {sene: x}", "card: unknown key 'sene'; did you mean seen?"),
        ("card: {lr: 1}", "card: unknown key 'lr'; here it is learning_rate_generator and"),
        ("card: {seed: 1}", "card: 'seed' is no option of the card; it stands at the top of the recipe."),
        (
            "card: {license: mit}\nlicense: mit",
            "'license' stands both at the top and under card; one of them is enough.",
        ),
        ("card: fine", "card: 'key: value' lines are expected, as license: mit."),
        ("card:", "card: 'key: value' lines are expected, as license: mit."),
        ("card: {1: 2}", "card: unknown key 1; "),
    ],
)
def test_a_mistake_in_the_block_of_the_card_is_one_sentence(text, message, tmp_path):
    assert message in refused(recipe(tmp_path, text))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_of_the_repository_have_a_block_of_the_card(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert not content.keys() & CARD_OPTIONS and content.keys() - {"card"} <= FIELDS.keys()
    assert content.get("card", {}).keys() <= CARD_OPTIONS


def test_a_configuration_is_written_with_the_block_of_the_card_and_both_forms_are_read_back(tmp_path):
    config = TrainConfig(seen="a\nb", license="mit", seed=4)
    content = yaml.safe_load(config.to_yaml())
    assert content["card"].keys() == CARD_OPTIONS and content["card"]["license"] == "mit" and content["seed"] == 4
    assert TrainConfig(**read_recipe(recipe(tmp_path, config.to_yaml()))) == config
    assert TrainConfig(**read_recipe(recipe(tmp_path, yaml.safe_dump(asdict(config))))) == config
    assert flatten(nest(asdict(config))) == asdict(config) and nest({"seed": 1}) == {"seed": 1}


def test_a_checkpoint_holds_the_options_flat_as_in_older_releases(small_config):
    """Those of 0.1.0 are read here, and those of today there."""
    state = {
        "step": 1, "config": asdict(small_config), "data": "", "processes": 1, "tensors": {}, "controls": {},
        "elapsed": {"seconds": 1.0, "cpu_seconds": 1.0}, "scaler_generator": {},
        "watched": {
            "monitors": {
                "images_seen": 0, "count": 0, "pending": {}, "pending_steps": 0, "looks": [], "first": {}, "usual": {},
                "memorised": [], "raised": {}, "absent": {},
            },
            "line": {}, "changed": {}, "latest": {}, "score_due": False, "best": {"scored": 0, "best": None},
        },
    }  # fmt: skip
    assert "license" in state["config"] and "card" not in state["config"]
    assert check_state(Path("step-000000001"), state) == small_config


# -------------------------------------------------------------------------------------------------- documents


def test_the_table_of_recipes_is_the_one_that_its_command_writes():
    written = recipe_table.DOCUMENT.read_text(encoding="utf-8")
    assert written == recipe_table.document(), "python benchmarks/recipe_table.py writes it anew"
    rows = [line.split("|")[1].strip() for line in written.splitlines() if line.startswith("| [")]
    assert [row[1 : row.index("]")] for row in rows] == [path.stem for path in RECIPES]


def test_the_examples_of_the_training_document_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(ROOT / "docs" / "training.md"), module_relative=False, encoding="utf-8")
    assert result.failed == 0 and result.attempted >= 3


def test_the_recipe_that_the_training_document_shows_is_one(tmp_path):
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    config = TrainConfig.from_recipe(recipe(tmp_path, example + "conditional: false\n"))
    assert (config.license, config.data_license, config.channels) == ("mit", "CC0", 3)


# ------------------------------------------------------------------------------------------------ from Python


def test_a_recipe_by_name_is_found_from_anywhere_and_is_what_the_file_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = TrainConfig.from_recipe("dcgan-mnist")
    assert config == TrainConfig.from_recipe(ROOT / "recipes" / "dcgan-mnist.yaml")
    assert config == TrainConfig(**read_recipe("dcgan-mnist")) and config.name == "dcgan-mnist"
    (tmp_path / "dcgan-mnist").mkdir()  # as a run's folder may be called
    assert TrainConfig.from_recipe("dcgan-mnist") == config
    (tmp_path / "dcgan-mnist").rmdir()
    (tmp_path / "dcgan-mnist").write_text("seed: 5\n")  # a file that is there comes first
    assert TrainConfig.from_recipe("dcgan-mnist") == TrainConfig(seed=5)


def test_overrides_do_what_the_flags_do_and_say_what_they_leave_out():
    with pytest.warns(UserWarning) as warned:
        config = TrainConfig.from_recipe("dcgan-mnist", total_kimg=100, data="mine", card={"license": "mit"})
    messages = [str(each.message) for each in warned]
    assert len(messages) == 2 and all(message.startswith("dcgan-mnist: ") for message in messages)
    assert "not taken over, for it is of the recipe's own images or model: extractor, data_license, seen" in messages[0]
    assert "decay_kimg 40 (the recipe's is 200)" in messages[1] and warned[0].filename == __file__
    assert (config.decay_kimg, config.license, config.seen, config.extractor) == (40.0, "mit", "", "none")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"lr": 1}, "unknown option 'lr'; here it is learning_rate_generator and learning_rate_discriminator"),
        ({"batch_sizes": 1}, "unknown option 'batch_sizes'; did you mean batch_size?"),
        ({"card": {"licence": "mit"}}, "card: unknown option 'licence'; did you mean license?"),
        ({"batch_size": 0}, "batch_size=0 is not allowed; it is 1 or more."),
    ],
)
def test_a_wrong_override_is_one_sentence(overrides, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        TrainConfig.from_recipe("dcgan-mnist", **overrides)


def test_the_images_of_a_bundled_model_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert recipes.published_folder("model_cards/dcgan-mnist") == ROOT / "model_cards" / "dcgan-mnist"
    assert recipes.published_folder("model_cards/no-such") == Path("model_cards/no-such")
    assert recipes.published_folder("my/images") == Path("my/images")


# --------------------------------------------------------------------------------------- recipes from elsewhere


def refused(path: Path) -> str:
    with pytest.raises(ValueError) as error:
        read_recipe(path)
    said = str(error.value)
    assert said.startswith(f"recipe {path}: ") and len(said) < 500 + len(str(path)) and "\n" not in said
    return said


LEVELS = "".join(f"k{level}: &k{level} [{', '.join([f'*k{level - 1}'] * 10)}]\n" for level in range(1, 10))
MERGES = "".join(f"k{level}: &k{level} {{<<: [{', '.join([f'*k{level - 1}'] * 10)}]}}\n" for level in range(1, 10))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("k0: &k0 [x, x, x]\n" + LEVELS + "seed: *k9\n", "more than 10,000 keys and values"),
        ("k0: &k0 {x: 1, y: 2}\n" + MERGES + "generator: *k9\n", "more than 10,000 keys and values"),
        ("[" * 5000, "nested more than 20 deep"),
        ("{a: " * 3000, "nested more than 20 deep"),
        ("".join(f"k{number}: 1\n" for number in range(8000)), "more than 10,000"),
        ("".join(f"k{number}: 1\n" for number in range(30_000)), "at most 100,000 are allowed"),
        ("seed: " + "9" * 5000 + "\n", "a value is not what its kind asks for"),
        ("seed: !!bool maybe\n", "a value is not what its kind asks for"),
        ("seed: !!timestamp 2001-99-99\n", "could not determine a constructor"),
        ("seed: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
        ("generator: &a {x: *a}\n", "repeats what it stands in"),
        ("seed: \x00\n", "special characters are not allowed"),
    ],
)
def test_a_hostile_recipe_is_refused_in_one_sentence_that_names_it(text, said, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    assert said in refused(path)


def test_a_date_that_is_none_is_text(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("seen: 2001-99-99\nname: 2001-01-01\n")
    assert read_recipe(path) == {"seen": "2001-99-99", "name": "2001-01-01"}


def test_a_recipe_is_a_regular_file_of_text(tmp_path):
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "latin.yaml").write_bytes("seen: é\n".encode("latin-1"))
    assert "not a regular file" in refused(tmp_path / "fifo.yaml")
    assert "not a regular file" in refused(tmp_path / "zero.yaml")
    assert "no text in UTF-8" in refused(tmp_path / "latin.yaml")
    assert "it is a folder" in refused(tmp_path)


def test_honest_anchors_and_merges_work(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "generator: &wide {latent_size: 8, base_channels: 4}\ndiscriminator: {<<: *wide, base_channels: 16}\n"
    )
    both = {"latent_size": 8, "base_channels": 16}
    assert read_recipe(path) == {"generator": {"latent_size": 8, "base_channels": 4}, "discriminator": both}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("recipes/dcgan-mnist.yaml", "The recipe of that name in gan_hub is dcgan-mnist"),
        ("dcgan-mnits.yaml", "Did you mean dcgan-mnist?"),
        ("what", "Recipes are in {recipes}."),
    ],
)
def test_a_recipe_that_is_not_there_is_answered_with_the_one_that_is(given, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said.format(recipes=RECIPES[0].parent) in refused(Path(given))
