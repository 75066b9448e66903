"""The bundled models: each folder is a complete, loadable, honest Hub repository, and the documents say what is in it.

Each test takes every folder for what it is: with classes or without, from maps, with real images or without.
"""

import argparse
import functools
import math
import shlex
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import zoo_strip, zoo_table
from gan_hub import GANPipeline, cli, list_models
from gan_hub.data import NAMED_DATASETS
from gan_hub.hub.cards import format_number
from gan_hub.hub.lint import examples, lint
from gan_hub.hub.resolve import bundled_models
from gan_hub.images import from_uint8, height_width
from gan_hub.metrics.features import OWN_CLASSIFIERS, Extractor
from gan_hub.metrics.report import Report
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.files import WEIGHTS_NAME
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import PICKLE_SUFFIXES, read_json
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.training.config import TrainConfig, public_name
from gan_hub.training.flags import add_flags, parse_flag
from gan_hub.training.recipes import merge, read_recipe
from gan_hub.training.sections import FREE_OPTIONS, SELECTION_OPTIONS

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = bundled_models()
COMPLETE = {
    *("README.md", "config.json", "model_index.json", "manifest.json", "reference.safetensors", "judge.json"),
    *("samples.png", "timelapse.webp", "recipe.yaml", "log.jsonl", "plot.png", "scores.json"),
    *(f"{player}/config.json" for player in ("generator", "discriminator")),
    *(
        f"{player}/{WEIGHTS_NAME}{kind}.safetensors"
        for player in ("generator", "discriminator")
        for kind in ("", ".fp16")
    ),
}
LARGEST_GENERATOR = 16_000_000  # bytes in fp16; larger ones go to the Hub only


def recipe(name: str) -> TrainConfig:
    return TrainConfig(**read_recipe(FOLDERS[name] / "recipe.yaml"))


@functools.cache
def pipeline(name: str) -> GANPipeline:
    return GANPipeline.from_pretrained(name)


def drawn_as(name: str, count: int, labels: list[int] | None = None) -> torch.Tensor:
    """The classes (N,) that the classifier of the model's data sees in the images of seeds 0, 1, 2 …"""
    images = pipeline(name)(seeds=range(count), labels=labels, output_type="np").images
    return Extractor(recipe(name).extractor).classes(from_uint8(images))


RECOGNISABLE = [name for name in FOLDERS if recipe(name).extractor in OWN_CLASSIFIERS]
CONDITIONAL = [name for name in RECOGNISABLE if recipe(name).conditional]
WITH_REALS = [name for name in FOLDERS if recipe(name).real_samples]
# Of each data set the best conditional model: the list has it first.
BEST = {
    model.dataset: model.name for model in reversed(list_models()) if {model.name} <= set(CONDITIONAL) & set(WITH_REALS)
}
NAMED_DATA = [name for name in FOLDERS if recipe(name).data in NAMED_DATASETS]


def test_the_zoo_holds_what_was_planned_and_the_list_names_all_of_it():
    assert set(FOLDERS) == {model.name for model in list_models()} and set(FOLDERS) <= set(zoo_table.PLAN)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_model_draws_its_reference_images_again(name):
    assert pipeline(name).verify_reference() <= 1


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_complete_small_enough_and_holds_no_pickle(name):
    folder, config = FOLDERS[name], recipe(name)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert COMPLETE <= files
    assert ({"real_samples.png", "real_samples.json"} <= files) == bool(config.real_samples)
    assert ("segmentations.safetensors" in files) == config.takes_maps
    assert ("memorised.png" in files) == config.pictures_may_be_shown
    assert not [file for file in files if file.endswith(PICKLE_SUFFIXES)]
    assert (folder / "generator" / f"{WEIGHTS_NAME}.fp16.safetensors").stat().st_size <= LARGEST_GENERATOR
    for picture in (file for file in files if file.endswith((".png", ".webp"))):
        with Image.open(folder / picture) as opened:
            opened.verify()


@pytest.mark.parametrize("name", [name for name in FOLDERS if not recipe(name).takes_maps])
def test_a_model_brings_concepts_that_do_what_the_card_says(name):
    """But for models that draw from maps, for which nobody has looked for any yet."""
    concepts = pipeline(name).concepts
    assert concepts
    card = (FOLDERS[name] / "README.md").read_text()
    for concept in concepts.values():
        low, middle, high = concept.effect.means
        assert low < middle < high and concept.effect.right > 0.9, concept.name
        assert concept.name in card


@pytest.mark.parametrize("name", FOLDERS)
def test_the_card_passes_the_lint_and_states_the_measured_numbers(name):
    folder = FOLDERS[name]
    card = (folder / "README.md").read_text()
    assert lint(folder) == []
    scores, judge = (read_json(folder / file) for file in ("scores.json", "judge.json"))
    for value in [*scores["scores"].values(), judge["auc"]]:
        assert format_number(value) in card
    assert f"{100 * judge['error']:.1f} percentage points" in card


@pytest.mark.parametrize("name", FOLDERS)
def test_the_cards_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for language, code in examples((FOLDERS[name] / "README.md").read_text()):
        if language == "python":
            exec(compile(code, name, "exec"), {})  # our own text, committed beside this test
    with Image.open(tmp_path / "sample.png") as drawn:
        height, width = height_width(pipeline(name).generator.config["resolution"])
        assert drawn.size == (width, height)


@pytest.mark.parametrize("name", FOLDERS)
def test_every_score_has_its_provenance_its_interval_and_the_command_that_measures_it_again(name):
    folder = FOLDERS[name]
    report, scores = Report.read(folder / "scores.json"), read_json(folder / "scores.json")
    single = {score for score in report.scores if score.startswith(("recall", "coverage", "modes"))}
    assert report.intervals.keys() == report.scores.keys() - single
    for score, (low, high) in report.intervals.items():
        assert low <= report.scores[score] <= high, score
    assert {"extractor_sha256", "resize", "real_sha256", "real_split", "seed", "dtype"} <= report.provenance.keys()
    assert ("command" in scores) == (name in NAMED_DATA)  # data that nobody can have by a name have no command
    if name in NAMED_DATA:
        given = cli.parser().parse_args(scores["command"].split()[1:])
        assert (given.command, given.model, given.data) == ("evaluate", name, report.provenance["data"])
        assert scores["command"] in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", FOLDERS)
def test_the_published_recipe_is_a_valid_configuration_with_no_path_of_any_machine(name):
    config = recipe(name)
    assert config.output == "runs" and "/" not in config.data and not config.real_samples.startswith("/")


@pytest.mark.parametrize("name", FOLDERS)
def test_the_recipe_in_the_repository_is_the_one_that_the_published_weights_were_made_by(name):
    ours, published = TrainConfig(**read_recipe(ROOT / "recipes" / f"{name}.yaml")), recipe(name)
    options = asdict(ours).keys() - (FREE_OPTIONS - SELECTION_OPTIONS)  # those that the published weights hang on
    assert {option: getattr(ours, option) for option in options} == {
        option: getattr(published, option) for option in options
    }
    assert Path(public_name(ours.data)).name == published.data


@pytest.mark.parametrize("name", CONDITIONAL)
def test_the_class_that_is_asked_for_is_drawn_as_often_as_the_card_says(name):
    asked = torch.arange(200) % 10
    seen = drawn_as(name, 200, asked.tolist())
    stated = read_json(FOLDERS[name] / "scores.json")["scores"][f"label accuracy ({recipe(name).extractor})"]
    assert (seen == asked).float().mean() > stated - 0.08
    assert len(seen.unique()) == 10


@pytest.mark.parametrize("name", [name for name in RECOGNISABLE if name not in CONDITIONAL])
def test_a_model_without_classes_draws_all_ten_by_itself(name):
    assert len(drawn_as(name, 200).unique()) == 10


def test_a_sneaker_is_a_sneaker():
    pipe = pipeline("dcgan-fashion-mnist")
    sneaker = pipe(seeds=[7], labels="sneaker", output_type="np").images
    assert pipe.label_names[Extractor("fashion").classes(from_uint8(sneaker)).item()] == "sneaker"


def means(name: str, told: bool) -> tuple[float, float]:
    """The judge's mean probability of 64 real and of 64 generated images of the same classes, told them or not."""
    pipe, config = pipeline(name), pipeline(name).generator.config
    samples = real_samples.read(
        FOLDERS[name], Manifest.if_any(FOLDERS[name]), config["resolution"], config["channels"], config["num_classes"]
    )
    count = len(samples.images)
    chosen = range(0, count, math.ceil(count / 64))  # through all classes, which lie one after the other
    reals = [samples.images[index] for index in chosen]
    labels = samples.labels and [samples.labels[index] for index in chosen]
    fakes = pipe(seeds=range(len(reals)), labels=labels).images
    return tuple(pipe.judge(images, labels if told else None).mean().item() for images in (reals, fakes))


@pytest.mark.parametrize("name", WITH_REALS)
def test_the_judges_probabilities_are_honest(name):
    real, fake = means(name, told=True)
    # Calibrated on equally many of both: the two means lie on either side of one half, about equally far.
    assert real > fake + 0.05 and abs(real + fake - 1) < 0.15, (real, fake)


@pytest.mark.parametrize("name", BEST.values())
def test_a_judge_that_is_told_no_class_knows_less_and_is_as_honest(name):
    knowing = means(name, told=True)
    real, fake = means(name, told=False)  # each image against every class: ten times the work, so of some models only
    assert real > fake and abs(real + fake - 1) < 0.15, (real, fake)
    assert real - fake < knowing[0] - knowing[1]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_judge_knows_more_than_a_coin_and_less_than_everything(name):
    pipe = pipeline(name)
    assert 0.5 < pipe.calibration.auc < 1 and pipe.calibration.error < 0.1
    labels = 3 if pipe.label_names else None
    fakes = pipe(seeds=range(20), labels=labels, output_type="np")
    told = {"labels": labels}
    if isinstance(pipe.generator, SegmentationConditional):
        told["segmentation"] = fakes.segmentations[0]
    left = pipe.judge_pair(fakes.images[:10], fakes.images[10:], **told)
    right = pipe.judge_pair(fakes.images[10:], fakes.images[:10], **told)
    torch.testing.assert_close(left + right, torch.ones(10))
    assert all(0 < p < 1 and math.isfinite(p) for p in left.tolist())


# ------------------------------------------------------------------------------------------ the documents


@pytest.mark.parametrize("document", zoo_table.DOCUMENTS)
def test_the_tables_of_the_documents_say_what_the_model_folders_say(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    written_now = zoo_table.filled(text, zoo_table.DOCUMENTS[document]())
    assert text == written_now, "python benchmarks/zoo_table.py writes it anew"
    assert {name for name in FOLDERS if f"[`{name}`](" in text} == set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_goal_that_was_missed_says_why_and_one_without_a_score_what_was_found(name):
    for goal in zoo_table.PLAN[name].goals:
        found, met = zoo_table.reached(name, goal)
        assert met in ("yes", "no") and found != "–", f"{goal.said}: nobody has measured it"
        assert met == "yes" or len(goal.why) > 20, f"{goal.said}: missed, and nothing says why"


def test_a_goal_is_met_on_its_side_of_the_limit_or_of_another_models_score():
    most, least = zoo_table.Goal("", "FD", 2.0), zoo_table.Goal("", "accuracy", 0.9, at_least=True)
    rival, seen = zoo_table.Goal("", "FD", against="other"), zoo_table.Goal("", met=False)
    half = zoo_table.Goal("", "FD", against="other", share=0.5)
    assert [most.verdict({"FD": value}, {}) for value in (1.9, 2.0, 2.1)] == [True, True, False]
    assert [least.verdict({"accuracy": value}, {}) for value in (0.89, 0.9)] == [False, True]
    assert [rival.verdict({"FD": value}, {"FD": 5.0}) for value in (4.0, 6.0)] == [True, False]
    assert [half.verdict({"FD": value}, {"FD": 5.0}) for value in (2.5, 2.6)] == [True, False]
    assert most.verdict({"KID": 1.0}, {}) is rival.verdict({"FD": 1.0}, {}) is None and seen.verdict({}, {}) is False


@pytest.mark.parametrize("path", sorted(zoo_table.CONTROLS.glob("*.json")), ids=lambda path: path.stem)
def test_a_control_says_how_it_was_run_and_was_scored_as_what_is_held_against_it(path):
    control = read_json(path)
    launch, command = control["run"].split(" ", 3)[:3], shlex.split(control["run"])[3:]
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe", type=Path)
    add_flags(parser)
    flags = vars(parser.parse_args(command))
    options = read_recipe(ROOT / flags.pop("recipe"))
    config = TrainConfig(**merge(options, {name: parse_flag(name, text) for name, text in flags.items()}))
    assert launch == ["accelerate", "launch", "train.py"] and config.name == path.stem
    assert "minutes of" in control["cost"] and path.stem not in FOLDERS
    rivals = [name for name, purpose in zoo_table.PLAN.items() for goal in purpose.goals if goal.against == path.stem]
    assert rivals
    for name in rivals:
        theirs = read_json(FOLDERS[name] / "scores.json")["provenance"]
        assert control["provenance"] == theirs, f"{name} was not scored alike"


def test_the_strip_shows_each_models_first_images_in_the_order_of_the_list():
    names = [model.name for model in list_models()]
    with Image.open(zoo_strip.PICTURE) as shown:
        assert shown.text["models"] == ", ".join(names)
        pixels = np.asarray(shown.convert("RGB")).astype(int)
    drawn = np.asarray(zoo_strip.strip({name: zoo_strip.row(pipeline(name)) for name in names})).astype(int)
    assert pixels.shape == drawn.shape
    samples = np.abs(pixels - drawn)[:, zoo_strip.NAME_WIDTH :]  # the names' letters are another matter than the images
    assert samples.max() <= 2, "python benchmarks/zoo_strip.py draws it anew"
