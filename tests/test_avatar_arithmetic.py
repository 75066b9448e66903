"""Counting latent arithmetic on avatars: which trials are drawn, when a result is right, and how sure a share is."""

import json
import random

import pytest
import torch
from torch.nn import functional as F

from benchmarks.avatar_arithmetic import (
    CHANGES,
    GROUP,
    KEPT,
    Reader,
    Trial,
    attribute_of,
    draw_trials,
    interval,
    outcome,
    reader_of,
    results_of,
    roughened,
    scores_of,
    targets,
)
from gan_hub.data import avatars

FACES = [avatars.sample_face(0, index)[0] for index in range(600)]


def read_surely(faces: list[avatars.Attributes]) -> dict[str, torch.Tensor]:
    """What a classifier that is never wrong and never in doubt says of faces."""
    return {
        name: F.one_hot(torch.tensor([values.index(getattr(face, name)) for face in faces]), len(values)).float()
        for name, values in avatars.VALUES.items()
    }


@pytest.mark.parametrize("change", CHANGES)
def test_a_trials_groups_show_what_it_says_and_nothing_is_in_two_of_them(change):
    trials = draw_trials(read_surely(FACES), change, 60, random.Random(0))
    wanted = CHANGES[change]
    for trial in trials:
        assert trial.change == change and trial.kept != change and trial.other != trial.kind
        assert len({*trial.plus, *trial.minus, *trial.then_plus}) == 3 * GROUP
        for seeds, values, kind in (
            (trial.plus, wanted.present, trial.other),
            (trial.minus, wanted.absent, trial.other),
            (trial.then_plus, wanted.absent, trial.kind),
        ):
            for seed in seeds:
                assert getattr(FACES[seed], wanted.attribute) in values
                assert getattr(FACES[seed], attribute_of(trial.kept)) in KEPT[trial.kept][kind]
                assert trial.kept != "hair_colour" or FACES[seed].hair != "bald"
    assert {trial.kept for trial in trials} == set(KEPT) - {change}
    assert draw_trials(read_surely(FACES), change, 60, random.Random(0)) == trials
    assert draw_trials(read_surely(FACES), change, 60, random.Random(1)) != trials


def test_pictures_of_which_the_classifier_is_in_doubt_are_no_exemplars():
    doubtful = {name: 0.8 * read + 0.2 / read.shape[1] for name, read in read_surely(FACES).items()}
    with pytest.raises(
        ValueError, match="glasses: among 600 pictures, the classifier finds too few with and without it"
    ):
        draw_trials(doubtful, "glasses", 5, random.Random(0))


def test_a_result_is_right_when_it_shows_the_change_and_is_of_the_third_groups_kind():
    seeds = {"plus": (0, 1, 2), "minus": (3, 4, 5), "then_plus": (6, 7, 8)}
    red = avatars.VALUES["hair_colour"].index("red")
    trial = Trial("glasses", "hair_colour", 0, red, **seeds)
    shows = [
        next(f for f in FACES if (f.glasses != "none") == glasses and (f.hair_colour == "red") == is_red)
        for glasses in (True, False)
        for is_red in (True, False)
    ]
    assert outcome(read_surely(shows), [trial] * 4) == ([True, True, False, False], [True, False, True, False])


def test_a_result_is_the_sum_of_the_groups_means_or_of_their_first_exemplars():
    latents = torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    made = results_of([Trial("glasses", "skin", 0, 1, (0, 1, 2), (3, 4, 5), (6, 7, 8))], latents)
    means = latents.view(3, 3, 5).mean(1)
    torch.testing.assert_close(made["means of 3"][0], means[0] - means[1] + means[2])
    torch.testing.assert_close(made["single exemplars"][0], latents[0] - latents[3] + latents[6])
    torch.testing.assert_close(made["nothing added"][0], means[2])


def test_the_scores_of_a_change_are_those_of_all_its_values():
    scores = scores_of(read_surely(FACES))
    assert scores["glasses"].tolist() == [float(face.glasses != "none") for face in FACES]
    assert scores["smile"].tolist() == [float(face.mouth in ("smile", "laugh")) for face in FACES]
    assert scores["hair: bun"].tolist() == [float(face.hair == "bun") for face in FACES]
    assert len(scores) == len(CHANGES) + sum(map(len, avatars.VALUES.values()))


def test_what_cannot_be_seen_is_not_asked_of_the_classifier():
    wanted = targets(FACES)
    for row, face in enumerate(FACES):
        assert (wanted["eyes"][row] == -100) == (face.glasses == "sunglasses")
        assert (wanted["hair_colour"][row] == -100) == (face.hair == "bald" and face.beard == "none")
    assert min(wanted[name].min() for name in avatars.VALUES if name not in ("eyes", "hair_colour")) == 0


def test_roughened_pictures_depend_on_their_generator_alone_and_stay_in_range():
    images = torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    one, same, other = (roughened(images, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert one.shape == images.shape and one.abs().max() <= 1


def test_a_kept_classifier_is_not_trained_again_and_one_of_other_attributes_is_refused(tmp_path, monkeypatch):
    trained = []

    def fresh() -> Reader:
        trained.append(Reader().eval())
        return trained[-1]

    monkeypatch.setattr("benchmarks.avatar_arithmetic.train_reader", fresh)
    monkeypatch.setattr("benchmarks.avatar_arithmetic.accuracy", lambda reader: {"drawn": {"glasses": 0.5}})
    path = tmp_path / "deep" / "reader.safetensors"
    (_, about), (second, again) = reader_of(path), reader_of(path)
    assert len(trained) == 1 and about == again and json.dumps(about) and about["accuracy"]["drawn"]["glasses"] == 0.5
    images = torch.zeros(2, 3, 32, 32)
    read = trained[0].read(images)
    assert all(torch.equal(second.read(images)[name], read[name]) for name in read)
    assert {name: found.shape for name, found in read.items()} == {n: (2, len(v)) for n, v in avatars.VALUES.items()}

    monkeypatch.setitem(avatars.VALUES, "skin", ("green", "blue"))
    with pytest.raises(ValueError, match="is no classifier of these avatars"):
        reader_of(path)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(0, 200, 0.0, 0.01885), (100, 200, 0.43136, 0.56864), (200, 200, 0.98115, 1.0), (81, 263, 0.25529, 0.36619)],
)
def test_the_interval_of_a_share_is_wilsons(hits, count, low, high):
    assert interval(hits, count) == pytest.approx((low, high), abs=2e-4)


@pytest.mark.parametrize(("hits", "count"), [(3, 2), (-1, 2), (0, 0)])
def test_no_share_has_no_interval(hits, count):
    with pytest.raises(ValueError, match="is no share"):
        interval(hits, count)
