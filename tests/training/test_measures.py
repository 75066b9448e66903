"""The flight recorder's own instruments, each against cases whose answer is known."""

import numpy as np
import pytest
import torch
from torch import nn

from gan_hub.data import ImageSet
from gan_hub.images import from_uint8
from gan_hub.training.measures import Change, Diversity, Memorising, pair_distance, peak_memory_gb


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
    assert low <= Diversity(data, latent_size=4)(Drawing(noisy_bars(300, 1), how)) <= high


def test_diversity_of_unlabelled_data_counts_the_classes_as_diversity():
    data = noisy_bars(300, 0)
    unlabelled = ImageSet(data.images)
    assert Diversity(unlabelled, 4).reals > 1.2 * Diversity(data, 4).reals


def test_asking_for_the_diversity_changes_nothing_of_the_generator():
    generator = Drawing(noisy_bars(50, 1), "any").train()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    Diversity(noisy_bars(50, 0), 4)(generator)
    assert generator.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())


def test_pair_distance_is_the_root_mean_square_difference():
    assert pair_distance(torch.zeros(3, 1, 2, 2), torch.full((3, 1, 2, 2), 0.5)) == pytest.approx(0.5)


def test_change_is_the_relative_step_since_the_last_question():
    network = nn.Linear(3, 1, bias=False)
    nn.init.ones_(network.weight)
    change = Change(network)
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
    memorising = Memorising(train, noisy_bars(60, 1, classes=1))
    copies = from_uint8(train.images[:64])
    images = {
        "unseen": from_uint8(noisy_bars(64, 2, classes=1).images),
        "copies": copies,
        "nearly copies": copies + 0.05 * torch.randn(copies.shape, generator=torch.Generator().manual_seed(0)),
        "mean": from_uint8(train.images).mean(0, keepdim=True).expand(64, -1, -1, -1),
    }[fakes]
    assert low <= memorising(images) <= high


def test_only_small_data_sets_are_searched_for_copies():
    assert Memorising.possible(ImageSet(np.zeros((10_000, 1, 1, 1), np.uint8)))
    assert not Memorising.possible(ImageSet(np.zeros((10_001, 1, 1, 1), np.uint8)))


def test_the_peak_of_memory_is_that_of_a_process_with_torch_in_it():
    assert 0.1 < peak_memory_gb(torch.device("cpu")) < 50
