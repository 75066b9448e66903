"""The diagnostics of a run, each against cases with a known answer."""

import numpy as np
import pytest
import torch
from torch import nn

from gan_hub.data import ImageSet
from gan_hub.data.image_set import hold_out
from gan_hub.images import from_uint8
from gan_hub.training.diagnostics import DiversityProbe, MemorizationProbe, WeightChange, pair_distance, peak_memory_gb
from gan_hub.training.monitors import Monitors


def noisy_bars(count: int, seed: int, classes: int = 3) -> ImageSet:
    """Images of `classes` bars on noise; within a class only the noise differs."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    images = rng.integers(0, 100, (count, 16, 16, 1))
    for image, label in zip(images, labels):
        image[5 * label : 5 * label + 4] += 100
    return ImageSet(images.astype(np.uint8), labels, [str(index) for index in range(classes)])


class Drawing(nn.Module):
    """A generator that draws images of a set: any of the class, always the first of the class, or always the very first."""

    def __init__(self, data: ImageSet, how: str):
        super().__init__()
        self.data, self.how, self.unused = data, how, nn.Parameter(torch.zeros(()))
        self.norm = nn.BatchNorm1d(4)

    def forward(self, z, labels=None):
        rng = np.random.default_rng(int(1e6 * z[0, 0].abs()))
        chosen = []
        for label in np.zeros(len(z), int) if labels is None else labels.numpy():
            of_class = np.flatnonzero(self.data.labels == label)
            chosen.append({"any": rng.choice(of_class), "first": of_class[0], "one": 0}[self.how])
        self.norm(z)
        return from_uint8(self.data.images[np.array(chosen)])


@pytest.mark.parametrize(("how", "low", "high"), [("any", 0.9, 1.1), ("first", 0.0, 0.0), ("one", 0.0, 0.0)])
def test_diversity_is_1_for_the_data_itself_and_0_for_one_image_a_class(how, low, high):
    data = noisy_bars(300, 0)
    assert low <= DiversityProbe(data, latent_size=4)(Drawing(noisy_bars(300, 1), how)) <= high


def test_diversity_of_unlabelled_data_counts_the_classes_as_diversity():
    data = noisy_bars(300, 0)
    unlabelled = ImageSet(data.images)
    assert DiversityProbe(unlabelled, 4).reals > 1.2 * DiversityProbe(data, 4).reals


def test_asking_for_the_diversity_changes_nothing_of_the_generator():
    generator = Drawing(noisy_bars(50, 1), "any").train()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    DiversityProbe(noisy_bars(50, 0), 4)(generator)
    assert generator.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())


def test_pair_distance_is_the_root_mean_square_difference():
    assert pair_distance(torch.zeros(3, 1, 2, 2), torch.full((3, 1, 2, 2), 0.5)) == pytest.approx(0.5)


def test_change_is_the_relative_step_since_the_last_question():
    network = nn.Linear(3, 1, bias=False)
    nn.init.ones_(network.weight)
    change = WeightChange(network)
    assert change() == 0
    with torch.no_grad():
        network.weight += torch.tensor([[0.3, 0.0, 0.0]])
    assert change() == pytest.approx(0.3 / 3**0.5) and change() == 0


@pytest.mark.parametrize(
    ("fakes", "low", "high"),
    [("unseen", 0.95, 1.05), ("copies", 0.0, 0.0), ("nearly copies", 0.05, 0.4), ("mean", 0.65, 0.8)],
)
def test_copies_of_training_images_are_told_from_new_and_from_smooth_ones(fakes, low, high):
    train = noisy_bars(200, 0, classes=1)
    memorising = MemorizationProbe(train, noisy_bars(60, 1, classes=1))
    copies = from_uint8(train.images[:64])
    images = {
        "unseen": from_uint8(noisy_bars(64, 2, classes=1).images),
        "copies": copies,
        "nearly copies": copies + 0.05 * torch.randn(copies.shape, generator=torch.Generator().manual_seed(0)),
        "mean": from_uint8(train.images).mean(0, keepdim=True).expand(64, -1, -1, -1),
    }[fakes]
    assert low <= memorising(images) <= high


def film(pictures: int, frames: int, seed: int) -> ImageSet:
    """Frames of pictures that have nothing in common, which differ by noise."""
    squares = np.random.default_rng(0).integers(0, 256, (pictures, 4, 4, 1)).repeat(4, 1).repeat(4, 2)
    shown = np.tile(squares, (frames, 1, 1, 1))
    noisy = shown + np.random.default_rng(seed).normal(0, 6, shown.shape)
    return ImageSet(np.clip(noisy, 0, 255).astype(np.uint8))


def test_duplicates_do_not_blind_the_monitor_frames_of_5_pictures_drawn_from_memory_raise_the_alarm():
    train, held_out = hold_out(film(5, 40, 1), 40, 0)
    memorising = MemorizationProbe(train, held_out)
    copied, learnt_nothing = (from_uint8(images) for images in (film(5, 12, 2).images, 255 - film(5, 12, 3).images))
    assert memorising(copied) < 0.2 and 0.7 < memorising(learnt_nothing) < 1.5
    monitors, said = Monitors(), []
    for images in (1000, 2000, 3000):
        said += monitors.observe(images, {"memorised": memorising(copied)})
    assert len(said) == 1 and said[0].startswith(
        "memorising: generated images are nearer to a training image than unseen"
    )
    assert "more different pictures" in said[0]


def test_duplicates_are_told_at_the_start_with_what_the_monitor_then_can_and_cannot_say():
    train, held_out = hold_out(film(5, 40, 1), 40, 0)
    assert MemorizationProbe(train, held_out).warning == (
        "near duplicates: the 160 training images show about 5 different pictures, and 40 of 40 held-out images looked at show "
        "one of them. Copies are told by the distance between different pictures; a new frame of a picture is not told from a "
        "copy of it."
    )
    train = noisy_bars(200, 0, classes=1)
    assert MemorizationProbe(train, noisy_bars(60, 1, classes=1)).warning == ""


def test_a_data_set_given_twice_is_told_and_does_not_blind_the_monitor():
    once = film(60, 1, 1).images
    train, held_out = hold_out(ImageSet(np.concatenate([once, once])), 24, 0)
    memorising = MemorizationProbe(train, held_out)
    assert memorising(from_uint8(once[:20])) < 0.1 and memorising(from_uint8(255 - once)) > 0.7
    assert 50 <= memorising.different <= 65 and "96 training images show about " in memorising.warning


def test_a_film_sorted_by_picture_is_looked_at_from_beginning_to_end():
    frames = film(8, 20, 1)
    in_order = ImageSet(np.concatenate([frames.images[picture::8] for picture in range(8)]))
    assert MemorizationProbe(in_order, in_order, count=16).held_out == 16
    assert MemorizationProbe(in_order, in_order, count=16).different == 8


def test_only_small_data_sets_are_searched_for_copies():
    assert MemorizationProbe.possible(ImageSet(np.zeros((10_000, 1, 1, 1), np.uint8)))
    assert not MemorizationProbe.possible(ImageSet(np.zeros((10_001, 1, 1, 1), np.uint8)))


def test_the_peak_of_memory_is_that_of_a_process_with_torch_in_it():
    assert 0.1 < peak_memory_gb(torch.device("cpu")) < 50
