"""The bundled models: each folder is a complete, loadable, honest Hub repository."""

import json
import math

import pytest
import torch

from gan_hub import GANPipeline, cli, list_models, real_samples
from gan_hub.hub.cards import check_card, written
from gan_hub.hub.places import bundled
from gan_hub.images import from_uint8
from gan_hub.loading import PICKLE_SUFFIXES
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.report import Report
from gan_hub.training.config import TrainConfig, read_recipe

MODELS = {"dcgan-fashion-mnist": "fashion", "dcgan-mnist": "digits"}


def test_the_zoo_holds_exactly_the_published_models():
    assert set(bundled()) == set(MODELS) == {model.name for model in list_models()}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_draws_its_reference_images_again(name):
    assert GANPipeline.from_pretrained(name).verify_reference() <= 1


@pytest.mark.parametrize("name", MODELS)
def test_a_folder_is_complete_and_holds_no_pickle(name):
    files = {path.relative_to(bundled()[name]).as_posix() for path in bundled()[name].rglob("*") if path.is_file()}
    assert {"README.md", "judge.json", "samples.png", "real_samples.png", "real_samples.json", "recipe.yaml"} <= files
    assert not [file for file in files if file.endswith(PICKLE_SUFFIXES)]


@pytest.mark.parametrize("name", MODELS)
def test_the_card_passes_the_lint_and_states_the_measured_numbers(name):
    folder = bundled()[name]
    card = (folder / "README.md").read_text()
    check_card(card)
    scores, judge = (json.loads((folder / file).read_text()) for file in ("scores.json", "judge.json"))
    for value in [*scores["scores"].values(), judge["auc"]]:
        assert written(value) in card
    assert "Nobody has described these samples" not in card


@pytest.mark.parametrize("name", MODELS)
def test_every_score_has_its_provenance_its_interval_and_the_command_that_measures_it_again(name):
    folder = bundled()[name]
    report, scores = Report.read(folder / "scores.json"), json.loads((folder / "scores.json").read_text())
    single = {score for score in report.scores if score.startswith(("recall", "coverage", "modes"))}
    assert report.intervals.keys() == report.scores.keys() - single
    for score, (low, high) in report.intervals.items():
        assert low <= report.scores[score] <= high, score
    assert {"extractor_sha256", "resize", "real_sha256", "real_split", "seed", "dtype"} <= report.provenance.keys()
    given = cli.parser().parse_args(scores["command"].split()[1:])
    assert (given.command, given.model, given.data) == ("evaluate", name, report.provenance["data"])
    assert scores["command"] in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", MODELS)
def test_the_published_recipe_is_a_valid_configuration_with_no_path_of_any_machine(name):
    config = TrainConfig(**read_recipe(bundled()[name] / "recipe.yaml"))
    assert config.output == "runs" and "/" not in config.data and not config.real_samples.startswith("/")


@pytest.mark.parametrize(("name", "extractor"), MODELS.items())
def test_the_class_that_is_asked_for_is_drawn(name, extractor):
    pipe = GANPipeline.from_pretrained(name)
    asked = torch.arange(200) % 10
    seen = Extractor(extractor).classes(
        from_uint8(pipe(seeds=range(200), labels=asked.tolist(), output_type="np").images)
    )
    assert (seen == asked).float().mean() > 0.85
    assert len(seen.unique()) == 10


def test_a_sneaker_is_a_sneaker():
    pipe = GANPipeline.from_pretrained("dcgan-fashion-mnist")
    sneaker = pipe(seeds=[7], labels="sneaker", output_type="np").images
    assert pipe.label_names[Extractor("fashion").classes(from_uint8(sneaker)).item()] == "sneaker"


@pytest.mark.parametrize("name", MODELS)
def test_the_judges_probabilities_are_honest_with_labels_and_without(name):
    pipe = GANPipeline.from_pretrained(name)
    reals = real_samples.read(bundled()[name], 28, 1, 10)
    fakes = pipe(seeds=range(256), labels=reals.labels)
    for labels, apart in ((reals.labels, 0.05), (None, 0.02)):  # told no class, the judge knows less
        real, fake = pipe.judge(list(reals.images), labels).mean(), pipe.judge(fakes.images, labels).mean()
        # Calibrated on equally many of both: the two means lie on either side of one half, about equally far.
        assert real > fake + apart and abs(real + fake - 1) < 0.15, (labels is None, real, fake)


@pytest.mark.parametrize("name", MODELS)
def test_the_judge_knows_more_than_a_coin_and_less_than_everything(name):
    pipe = GANPipeline.from_pretrained(name)
    assert 0.5 < pipe.calibration.auc < 1 and pipe.calibration.error < 0.1
    fakes = pipe(seeds=range(20), labels=3, output_type="np").images
    left = pipe.judge_pair(fakes[:10], fakes[10:], labels=3)
    right = pipe.judge_pair(fakes[10:], fakes[:10], labels=3)
    torch.testing.assert_close(left + right, torch.ones(10))
    assert all(0 < p < 1 and math.isfinite(p) for p in left.tolist())
