"""TrainConfig, recipes and flags: every mistake is one sentence with the key, the value and what is allowed."""

import argparse
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from gan_hub.pretrained_networks import path_of
from gan_hub.training.config import TrainConfig, recipe_of
from gan_hub.training.export import portable
from gan_hub.training.flags import add_flags, heading, parse_flag, parser
from gan_hub.training.option_aliases import ELSEWHERE
from gan_hub.training.options import card_option
from gan_hub.training.recipes import flatten, merge, read_recipe, remarks
from gan_hub.training.sections import ALIASES, CARD_OPTIONS, FIELDS, SECTIONS

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
    assert TrainConfig(**flatten(yaml.safe_load(config.to_yaml()))) == config
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


def test_numbers_of_numpy_and_torch_are_numbers():
    config = TrainConfig(
        total_kimg=np.float32(3), batch_size=np.int64(8), r1_gamma=torch.tensor(0.25), flip=np.bool_(True)
    )
    assert (config.total_kimg, config.batch_size, config.r1_gamma, config.flip) == (3.0, 8, 0.25, True)
    assert TrainConfig(**flatten(yaml.safe_load(config.to_yaml()))) == config
    with pytest.raises(ValueError, match="batch_size=.* is not allowed; it is a value of type int"):
        TrainConfig(batch_size=np.ones(3))


def test_an_unknown_recipe_key_is_named(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("learning_rate: 0.1\n")
    with pytest.raises(ValueError, match="unknown key 'learning_rate'; here it is learning_rate_generator and"):
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
        ("evaluate_images", "1e4", 10_000),
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
    with pytest.raises(ValueError, match="extractor='digits' is not allowed with 32 pixels and 1 channels") as caught:
        TrainConfig(extractor="digits", resolution=32)
    assert "Choose mobilenet-v2, which takes any size and needs no file" in str(caught.value)
    TrainConfig(extractor="mobilenet-v2", resolution=32)  # as it says


def test_an_extractor_has_its_weights_or_is_told_them():
    options = {"resolution": 32, "channels": 3}
    for name in ("inception", "resnet56-cifar10"):
        with pytest.raises(ValueError, match=f"extractor='{name}' needs extractor_weights"):
            TrainConfig(extractor=name, **options)
    TrainConfig(extractor="mobilenet-v2", **options)
    TrainConfig(extractor="mobilenet-v2", extractor_weights="other.safetensors", **options)
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
    assert published("mobilenet-v2", str(path_of("mobilenet-v2"))) == published("mobilenet-v2", "") == ""
    assert published("inception", "nets/inception.safetensors") == "your-inception.safetensors"
    assert published("inception", "somebody/inception") == "somebody/inception"
    assert published("somebody/vision", str(tmp_path)) == published("none", "") == ""


# --------------------------------------------------------------------------------------- recipes and other data

OWN = "/somewhere/own-pictures"
# What a run on other images may have of a recipe that is text: it names a thing of the run, or of the program.
TEXT_OF_THE_RUN = {
    "name", "data", "output", "architecture", "initial_players", "loss", "augment", "augment_policy", "optimizer_generator",
    "optimizer_discriminator", "precision", "device", "trackers", "alarms", "publish", "extractor", "extractor_weights",
}  # fmt: skip
OF_ITS_OWN = {
    "initial", "license", "data_license", "shipped_maps", "real_samples", "real_samples_notice", "pictures_may_be_shown",
    "seen", "goals", "not_for",
}  # fmt: skip


@pytest.mark.parametrize("path", [*RECIPES, *sorted(CARDS.glob("*/recipe.yaml"))], ids=str)
def test_recipes_carry_nothing_of_their_own_images_into_other_peoples_runs(path):
    recipe = read_recipe(path)
    config = TrainConfig(**merge(recipe, {"data": OWN}))
    default = TrainConfig()
    for name in OF_ITS_OWN:
        assert getattr(config, name) == getattr(default, name), name
    assert config.extractor not in ("digits", "fashion")
    assert config.learning_rate_generator > 0
    told = " ".join(remarks(recipe, {"data": OWN}))
    for name in recipe:
        changed = getattr(config, name) != getattr(TrainConfig(**recipe), name)
        assert (name in told.replace(",", " ").replace(".", " ").split()) == (changed and name != "data"), name


def test_an_option_that_is_text_says_whether_it_goes_along_to_other_images():
    """A new one fails here until somebody has thought about it."""
    text = {name for name, spec in FIELDS.items() if spec.type is str}
    assert text - TEXT_OF_THE_RUN == OF_ITS_OWN - {"pictures_may_be_shown"}
    for name in OF_ITS_OWN:
        assert FIELDS[name].metadata["about"] in ("data", "model"), name


def test_an_option_for_the_card_cannot_be_made_without_saying_what_it_is_about():
    with pytest.raises(TypeError, match="about"):
        card_option("", "a new line of the card")
    assert {FIELDS[name].metadata["free"] for name in CARD_OPTIONS} == {True}


def test_what_was_given_beside_the_data_is_kept():
    recipe = {
        "data": "mnist",
        "extractor": "digits",
        "publish": "best",
        "real_samples": "x",
        "real_samples_notice": "y",
    }
    assert merge(recipe, {"data": OWN}) == {"data": OWN}
    assert merge(recipe, {"data": OWN, "extractor": "digits"}) == {
        "data": OWN,
        "extractor": "digits",
        "publish": "best",
    }
    given = {"data": OWN, "real_samples": "mine", "real_samples_notice": "mine, CC0"}
    assert merge(recipe, given) == given
    assert merge({"data": "faces/"}, {"data": "./faces"}) == {"data": "./faces"}
    assert merge({"data": "faces", "license": "mit"}, {"data": "./faces/"})["license"] == "mit"


def test_a_notice_goes_with_the_images_it_is_of():
    recipe = {"real_samples": "x", "real_samples_notice": "of x", "extractor_weights": "a", "extractor": "inception"}
    others = {"extractor_weights": "a", "extractor": "inception"}
    assert merge(recipe, {"real_samples": "z"}) == others | {"real_samples": "z"}
    assert "extractor_weights" not in merge(recipe, {"extractor": "mobilenet-v2"})


def test_a_card_names_a_recipe_only_where_that_makes_its_model(monkeypatch):
    monkeypatch.chdir(RECIPES[0].parents[1])
    recipe = read_recipe(Path("recipes/dcgan-mnist.yaml"))
    assert recipe_of(TrainConfig(**recipe)) == "recipes/dcgan-mnist.yaml"
    for flags in ({"data": OWN}, {"seed": 1}, {"name": "another"}):
        assert recipe_of(TrainConfig(**merge(recipe, flags))) == "recipe.yaml"


# --------------------------------------------------------------------------------------------- shorter runs


def test_a_flag_that_shortens_a_run_shortens_the_parts_that_no_longer_fit():
    recipe = {"total_kimg": 500, "decay_kimg": 200, "instance_noise": 0.1, "instance_noise_kimg": 400}
    assert merge(recipe, {"total_kimg": 100.0}) == {
        "total_kimg": 100.0, "decay_kimg": 40.0, "instance_noise": 0.1, "instance_noise_kimg": 80.0,
    }  # fmt: skip
    assert remarks(recipe, {"total_kimg": 100.0}) == [
        "as much shorter as the run, for it would not fit into total_kimg 100: instance_noise_kimg 80 (the recipe's is 400), "
        "decay_kimg 40 (the recipe's is 200)."
    ]
    assert merge(recipe, {"total_kimg": 450.0}) == recipe | {"total_kimg": 450.0}, "what fits stays as it is"
    assert merge(recipe, {"total_kimg": 900.0}) == recipe | {"total_kimg": 900.0} and remarks(recipe, {}) == []
    with pytest.raises(
        ValueError, match="decay_kimg=150.0 is not allowed; it is at most total_kimg, 100.0: choose less"
    ):
        TrainConfig(**merge({"total_kimg": 500}, {"total_kimg": 100.0, "decay_kimg": 150.0}))


def test_arguments_that_leave_out_a_recipe_s_frozen_features_are_told_to_be_another_discriminator():
    recipe = {"architecture": "fastgan", "discriminator": {"features": "squeezenet", "pixels": 32}}
    (told,) = remarks(recipe, {"discriminator": {"max_channels": 64}})
    assert told.endswith("FastGANDiscriminator is trained, not FeaturesDiscriminator.") and "'pixels': 32" in told
    for changes in ({"discriminator": {"features": "squeezenet"}}, {"architecture": "dcgan"}, {"discriminator": 3}, {}):
        assert remarks(recipe, changes) == []
    assert remarks({"architecture": "fastgan"}, {"discriminator": {"features": "squeezenet"}}) == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_can_be_tried_for_a_short_time(path):
    config = TrainConfig(**merge(read_recipe(path), {"total_kimg": 1.0}))
    assert config.total_kimg == 1 and 2 * config.levels * config.grow_kimg <= 1


# ------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lr", "learning_rate_generator and learning_rate_discriminator"), ("epochs", "total_kimg"), ("batch", "batch_size"),
        ("batchsize", "batch_size"), ("kimg", "total_kimg"), ("mirror", "flip"), ("fp16", "precision: fp16"),
        ("bf16", "precision: bf16"), ("gpus", "--num_processes"), ("outdir", "output"), ("gamma", "r1_gamma"),
        ("res", "resolution"), ("total_kimgs", "total_kimg?"),
        ("nEpochs", "total_kimg"), ("batchSize", "batch_size"), ("imageSize", "resolution"), ("zzz", "--help lists all"),
    ],
)  # fmt: skip
def test_an_unknown_flag_and_an_unknown_key_are_answered_with_what_it_is_here(name, meant, tmp_path, capsys):
    for flag in (f"--{name}", f"--{name.replace('_', '-')}=1"):
        with pytest.raises(SystemExit) as left:
            parser("").parse_args([flag, "1", "recipes/dcgan-mnist.yaml"])
        said = capsys.readouterr().err
        assert left.value.code == 2 and len(said.splitlines()) == 1 and meant in said and "unknown flag" in said
    path = tmp_path / "recipe.yaml"
    path.write_text(f"{name}: 1\n")
    with pytest.raises(ValueError) as error:
        read_recipe(path)
    assert str(error.value).startswith(f"recipe {path}: unknown key '{name}'; ") and meant in str(error.value)


def test_a_flag_with_one_dash_is_unknown_as_with_two_and_a_negative_number_is_a_value(capsys):
    with pytest.raises(SystemExit):
        parser("").parse_args(["recipes/dcgan-mnist.yaml", "-lr", "3"])
    assert "unknown flag '-lr'; here it is learning_rate_generator" in capsys.readouterr().err
    assert parser("").parse_args(["r.yaml", "--total_kimg", "-5", "--seed=-1"]).total_kimg == "-5"


def test_a_time_lapse_has_no_more_frames_than_a_run_can_count_at_once():
    with pytest.raises(ValueError, match="timelapse_frames=1000000000 is not allowed; it is 10000 or less"):
        TrainConfig(timelapse_frames=10**9)


def test_names_from_elsewhere_are_no_options_here_and_lead_to_one():
    assert not ELSEWHERE.keys() & (FIELDS.keys() | ALIASES.keys())
    for name, meant in ELSEWHERE.items():
        words = set(re.findall(r"\w+", meant))
        assert words & (FIELDS.keys() | {"resume", "push", "nothing"}), name


def test_the_help_has_one_line_of_usage_and_the_options_in_groups():
    text = parser("What it does.").format_help()
    usage, rest = text.split("\n\n", 1)
    assert usage.startswith("usage: train.py RECIPE") and "\n" not in usage
    assert re.findall(r"^(\w+) \(.*\):$", rest, re.MULTILINE) == list(SECTIONS)
    for title, options in SECTIONS.items():
        section = rest.split(f"\n{title} ({heading(options)}):\n")[1].split("\n\n")[0]
        for spec in dataclasses.fields(options):
            assert f"--{spec.name} " in section, spec.name
    assert "--total-kimg" not in text  # which is understood


# ------------------------------------------------------------------------------------------------ values


def test_numbers_in_a_recipe_are_numbers_and_switches_are_switches(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("learning_rate_generator: 2e-4\ntotal_kimg: '3'\nalarms: off\nflip: yes\n")
    recipe = read_recipe(path)
    assert recipe == {"learning_rate_generator": 2e-4, "total_kimg": 3.0, "alarms": "off", "flip": True}
    assert TrainConfig(**recipe).alarms == "off"
    path.write_text("generator: {a: 2e-4, b: [1e5, -3E+2]}\n")
    assert read_recipe(path)["generator"] == {"a": 2e-4, "b": [1e5, -300.0]}
    assert parse_flag("generator", "{a: 2e-4}") == {"a": 2e-4} and parse_flag("total_kimg", "1e2") == 100


def test_a_configuration_is_read_back_as_it_was_written(tmp_path):
    path = tmp_path / "recipe.yaml"
    for name in ("2e-4", "off", "1e5", "0x10", "2001-01-01", "010", "null", "1.5"):
        config = TrainConfig(name=name, seen=name, learning_rate_generator=2e-5)
        path.write_text(config.to_yaml(), encoding="utf-8")
        assert TrainConfig(**read_recipe(path)) == config == TrainConfig(**flatten(yaml.safe_load(config.to_yaml())))


NO_NAMES = (
    "a\nb", "a\tb", "a\x7fb", "a\u200bb", "a\u202eb", "a\0", "CON", "com1.gan", "what?", "a:b", "end.", "-x", "x" * 201,
    "é" * 101,
)  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES, ids=repr)
def test_a_name_is_printable_and_can_be_a_folder_on_any_system(name):
    with pytest.raises(ValueError, match=r"^name=.* is not allowed; ") as error:
        TrainConfig(name=name)
    assert str(error.value).isprintable() and len(str(error.value)) < 300
    assert TrainConfig(name="härte-2.0_🙂").name


TOO_LARGE = [
    ("total_kimg", 1e308), ("total_kimg", 10**400), ("log_kimg", 1e300), ("ema_halflife_kimg", 1e200), ("seed", 10**4000),
    ("seed", -(10**4000)), ("batch_size", 10**5000), ("data", "a\0b"), ("seed", [["x" * 100] * 1000] * 1000),
    ("device", "gpu"), ("device", "cuda:1"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "value"), TOO_LARGE, ids=range(len(TOO_LARGE)))
def test_no_value_is_too_large_for_a_sentence(option, value):
    with pytest.raises(ValueError, match=f"{option}=.* is not allowed; ") as error:
        TrainConfig(**{option: value})
    assert len(str(error.value)) < 400


def test_every_length_has_a_limit_below_which_its_steps_can_be_counted():
    for name in (name for name in FIELDS if name.endswith("_kimg")):
        assert FIELDS[name].metadata["high"] == 1e9, name
    longest = TrainConfig(total_kimg=1e9, batch_size=1, log_kimg=1e9, ada_kimg=1e9)
    assert longest.total_steps == 10**12 and longest.every(longest.log_kimg) == 10**12
