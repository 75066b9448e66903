"""TrainConfig, recipes and flags: every mistake is one sentence with the key, the value and what is allowed."""

import argparse
from pathlib import Path

import pytest
import yaml

from gan_hub.training.config import FIELDS, TrainConfig, add_flags, merge, parse_flag, read_recipe
from gan_hub.training.export import portable

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
CARDS = Path(__file__).parents[2] / "model_cards"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_a_valid_configuration_named_like_its_file(path):
    assert TrainConfig(**read_recipe(path)).name == path.stem


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("batch_size", "64", "batch_size='64'"),
        ("batch_size", 0, "batch_size=0"),
        ("batch_size", True, "batch_size=True"),
        ("total_kimg", float("nan"), "total_kimg=nan"),
        ("total_kimg", -1, "total_kimg=-1.0"),
        ("loss", "magic", "loss='magic'"),
        ("precision", "fp8", "choose one of fp32, bf16, fp16, fp64"),
        ("name", "../up", "no spaces or slashes"),
        ("generator", [1], "of type dict"),
        ("license", " ", "license=''"),
        ("data", "", "data=''"),
        ("decay_kimg", 5000.0, "at most total_kimg"),
        ("real_samples", "mnist", "real_samples_notice=''"),
        ("shipped_maps", "model_cards/houses", "an architecture that draws from maps"),
        ("label_smoothing", 0.6, "it is 0.5 or less"),
        ("ada_target", 1.5, "it is 1 or less"),
        ("resolution", "64", "of type int or list"),
        ("augment", "mixup", "choose one of none, diffaugment, ada"),
        ("augment_policy", "colour", "augment_policy"),
        ("discriminator_steps", 0, "discriminator_steps=0"),
        ("alarms", "loud", "choose one of warn, stop, off"),
        ("strict_data", 1, "of type bool"),
        ("beta1", 1.0, "it is 0.9999 or less"),
        ("seed", 2**64, "or less"),
        ("began_gamma", 9, "it is 1 or less"),
    ],
)
def test_a_bad_value_is_refused_with_what_was_given_and_what_is_allowed(option, value, said):
    with pytest.raises(ValueError, match="not allowed") as error:
        TrainConfig(**{option: value})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"label_smoothing": 0.1, "loss": "hinge"}, "goes with minimax, non_saturating, least_squares"),
        ({"loss": "began"}, "loss='began' is not allowed with architecture='dcgan'"),
        ({"architecture": "began"}, "loss='non_saturating' is not allowed with architecture='began'"),
        (
            {"architecture": "began", "loss": "began", "conditional": False, "augment": "ada"},
            "augment='ada' is not allowed with loss='began'",
        ),
        ({"loss": "relativistic", "augment": "ada"}, "it goes with minimax, non_saturating, least_squares, hinge"),
        ({"loss": "wasserstein", "skip_discriminator_below": 0.1}, "no value that means a discriminator that has won"),
        ({"instance_noise": 0.1, "instance_noise_kimg": 5000}, "instance_noise_kimg=5000.0 is not allowed"),
        ({"architecture": "began", "loss": "began"}, "conditional=True is not allowed with architecture='began'"),
        ({"share_fakes": True, "discriminator_steps": 2}, "each of several updates needs fresh fakes"),
        ({"instance_noise": 0.1}, "instance_noise=0.1 and instance_noise_kimg=0.0 go together"),
        ({"instance_noise_kimg": 5}, "instance_noise=0.0 and instance_noise_kimg=5.0 go together"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, said):
    with pytest.raises(ValueError, match="not allowed|go together") as error:
        TrainConfig(**options)
    assert said in str(error.value)
    assert TrainConfig(label_smoothing=0.1, instance_noise=0.1, instance_noise_kimg=5, share_fakes=True)


def test_sides_may_differ():
    config = TrainConfig(resolution=[32, 48], conditional=False)
    assert TrainConfig(**yaml.safe_load(config.to_yaml())) == config
    with pytest.raises(ValueError, match="generator: config key 'resolution' has the value"):
        TrainConfig(resolution=[28, 30])
    assert parse_flag("resolution", "[32, 48]") == [32, 48] and parse_flag("resolution", "64") == 64


def test_an_option_that_was_renamed_is_still_read_from_recipes_and_flags(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("r1_interval: 8\n")
    assert read_recipe(path) == {"penalty_interval": 8}
    parser = argparse.ArgumentParser()
    add_flags(parser)
    for flag in ("--r1_interval", "--r1-interval", "--penalty_interval"):
        assert vars(parser.parse_args([flag, "4"])) == {"penalty_interval": "4"}


def test_a_switch_may_stand_alone():
    parser = argparse.ArgumentParser()
    add_flags(parser)
    for given, text in (
        (["--strict-data"], "true"),
        (["--strict_data", "false"], "false"),
        (["--strict-data", "--seed", "3"], "true"),
    ):
        assert vars(parser.parse_args(given))["strict_data"] == text
    assert parse_flag("strict_data", "true") is True


@pytest.mark.parametrize("path", sorted(CARDS.glob("*/recipe.yaml")), ids=lambda path: path.parent.name)
def test_the_recipe_of_every_published_model_is_still_read(path):
    assert TrainConfig(**read_recipe(path)).name == path.parent.name


def test_penalties_are_those_with_a_weight():
    assert TrainConfig().penalties == {"r1": 0.5}
    assert TrainConfig(r1_gamma=0).penalties == {}
    assert TrainConfig(r1_gamma=0, r2_gamma=2, wgan_gp_weight=10, dragan_weight=3).penalties == {
        "r2": 2.0,
        "wgan_gp": 10.0,
        "dragan": 3.0,
    }


def test_whole_numbers_serve_where_fractions_are_wanted():
    assert TrainConfig(total_kimg=3).total_kimg == 3.0


def test_an_unknown_recipe_key_is_named(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("learning_rate: 0.1\n")
    with pytest.raises(ValueError, match="unknown key 'learning_rate'; known keys: name, data"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("batch_size: 8\nbatch_size: 16\n", "the key 'batch_size' is there twice"),
        ("r1_interval: 8\npenalty_interval: 16\n", "'r1_interval' is the old name of 'penalty_interval'"),
    ],
)
def test_an_option_given_twice_is_refused(tmp_path, text, said):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_recipe(path)


@pytest.mark.parametrize("text", ["- a\n- b\n", "key: [", "just words"])
def test_a_recipe_that_is_no_list_of_options_is_refused(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"recipe {path}"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("learning_rate_generator", "5e-4", 5e-4),
        ("total_kimg", "3", 3.0),
        ("batch_size", "32", 32),
        ("conditional", "false", False),
        ("generator", "{latent_size: 8}", {"latent_size": 8}),
        ("name", "123", "123"),
    ],
)
def test_flags_are_read_as_the_type_of_their_option(name, text, value):
    assert parse_flag(name, text) == value and type(parse_flag(name, text)) is FIELDS[name].type


@pytest.mark.parametrize(("name", "text"), [("batch_size", "many"), ("batch_size", "1.5"), ("conditional", "2")])
def test_a_flag_of_another_type_is_refused(name, text):
    with pytest.raises(ValueError, match=f"--{name} '{text}' is not allowed"):
        parse_flag(name, text)


def test_learning_rates_stay_and_then_fall_linearly_to_zero():
    config = TrainConfig(total_kimg=10, decay_kimg=4)
    factors = [config.learning_rate_factor(images) for images in (0, 6000, 8000, 10_000, 11_000)]
    assert factors == [1.0, 1.0, 0.5, 0.0, 0.0]
    assert TrainConfig(total_kimg=10).learning_rate_factor(10_000) == 1.0


def test_what_a_recipe_says_of_its_images_is_not_said_of_others():
    recipe = {"data": "mnist", "seen": "fine digits", "data_license": "CC", "real_samples": "x", "seed": 1}
    assert merge(recipe, {"output": "elsewhere"}) == recipe | {"output": "elsewhere"}
    assert merge(recipe, {"seed": 2}) == {name: recipe[name] for name in recipe if name != "seen"} | {"seed": 2}
    assert merge(recipe, {"data": "mine"}) == {"data": "mine", "seed": 1}
    assert merge(recipe, {"data": "mine", "seen": "cats"}) == {"data": "mine", "seed": 1, "seen": "cats"}


def test_an_extractor_that_cannot_take_the_images_is_refused_before_the_run():
    with pytest.raises(ValueError, match="extractor='digits' is not allowed with 32 pixels and 1 channels"):
        TrainConfig(extractor="digits", resolution=32)


def test_an_extractor_has_its_weights_or_is_told_them():
    options = {"extractor": "mobilenet-v2", "resolution": 32, "channels": 3}
    with pytest.raises(ValueError, match="extractor='mobilenet-v2' needs extractor_weights"):
        TrainConfig(**options)
    with pytest.raises(ValueError, match="extractor_weights='a.safetensors' is not allowed with extractor='digits'"):
        TrainConfig(extractor="digits", extractor_weights="a.safetensors")
    with pytest.raises(ValueError, match="extractor='vgg' is not allowed; choose one of none, digits, .*or a Hub id"):
        TrainConfig(extractor="vgg")
    TrainConfig(extractor="facebook/dinov2-small", resolution=32, channels=3)


def test_the_place_of_an_extractors_file_is_not_published(tmp_path):
    def published(name: str, weights: str) -> str:
        return portable(TrainConfig(extractor=name, extractor_weights=weights)).extractor_weights

    (tmp_path / "net.safetensors").write_bytes(b"")
    assert published("mobilenet-v2", str(tmp_path / "net.safetensors")) == "your-mobilenet-v2.safetensors"
    assert published("inception", "nets/inception.safetensors") == "your-inception.safetensors"
    assert published("inception", "somebody/inception") == "somebody/inception"
    assert published("somebody/vision", str(tmp_path)) == published("none", "") == ""
