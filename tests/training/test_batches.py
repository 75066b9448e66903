"""What a step sees depends on seed and step alone, and processes share one global batch."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan_hub.data import ImageSet, load_images
from gan_hub.data.split_file import DataSplit
from gan_hub.model_folder import real_samples
from gan_hub.training.batches import (
    AUGMENT_DISCRIMINATOR,
    AUGMENT_GENERATOR,
    LABELS_GENERATOR,
    NOISE_DISCRIMINATOR,
    NOISE_GENERATOR,
    ORDER,
    Batches,
    generator_for,
    load_data,
)
from gan_hub.training.config import TrainConfig, public_name
from tests.made_files import encoded, picture, write


def batches_of(rank: int, processes: int, batch_size: int = 4, count: int = 10) -> Batches:
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 28, 28, 1), np.uint8)
    data = ImageSet(images, np.arange(count), [str(i) for i in range(count)])
    accelerator = SimpleNamespace(num_processes=processes, process_index=rank, device=torch.device("cpu"))
    return Batches(data, TrainConfig(batch_size=batch_size, seed=3), 5, accelerator)


def test_each_image_comes_once_an_epoch_in_another_order():
    batches = batches_of(0, 1)
    seen = torch.cat([batches.reals(step)[1] for step in range(5)]).tolist()  # 20 images: two epochs of 10
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]


def test_images_and_labels_stay_together():
    images, labels = batches_of(0, 1).reals(2)
    assert torch.equal(((images[:, 0, 0, 0] + 1) * 127.5).round().long(), labels)


def test_two_processes_together_see_what_one_sees():
    one, ranks = batches_of(0, 1), [batches_of(rank, 2) for rank in range(2)]
    for step in (0, 3):
        assert torch.equal(one.reals(step)[0], torch.cat([rank.reals(step)[0] for rank in ranks]))
        assert torch.equal(one.labels(step), torch.cat([rank.labels(step) for rank in ranks]))
        for stream in (NOISE_DISCRIMINATOR, NOISE_GENERATOR):
            assert torch.equal(one.noise(step, stream), torch.cat([rank.noise(step, stream) for rank in ranks]))
    assert not torch.equal(ranks[0].noise(0, NOISE_GENERATOR), ranks[1].noise(0, NOISE_GENERATOR))


def test_the_two_players_and_each_step_have_noise_of_their_own():
    batches = batches_of(0, 1)
    draws = [batches.noise(step, stream) for step in range(3) for stream in (NOISE_DISCRIMINATOR, NOISE_GENERATOR)]
    assert len({draw.numpy().tobytes() for draw in draws}) == 6


def test_reals_are_mirrored_at_random_and_alike_for_any_number_of_processes():
    images = np.random.default_rng(0).integers(0, 256, (10, 28, 28, 1)).astype(np.uint8)
    data = ImageSet(images, np.arange(10), [str(index) for index in range(10)])

    def reals(rank: int, processes: int, flip: bool) -> tuple[torch.Tensor, torch.Tensor]:
        accelerator = SimpleNamespace(num_processes=processes, process_index=rank, device=torch.device("cpu"))
        return Batches(data, TrainConfig(batch_size=8, flip=flip), 5, accelerator).reals(1)

    (plain, _), (flipped, _) = reals(0, 1, False), reals(0, 1, True)
    kinds = [
        "same" if torch.equal(a, b) else "mirrored" if torch.equal(a.flip(-1), b) else "other"
        for a, b in zip(plain, flipped)
    ]
    assert set(kinds) == {"same", "mirrored"}
    assert torch.equal(flipped, torch.cat([reals(rank, 2, True)[0] for rank in range(2)]))


def test_the_view_has_the_recipes_augmentation_and_a_noise_that_ends():
    options = {"augment": "ada", "instance_noise": 0.2, "instance_noise_kimg": 0.04, "batch_size": 4}
    accelerator = SimpleNamespace(num_processes=1, process_index=0, device=torch.device("cpu"))
    data = ImageSet(np.zeros((10, 28, 28, 1), np.uint8), np.zeros(10, np.int64), ["all"])
    batches = Batches(data, TrainConfig(**options), 5, accelerator)
    sigmas = [batches.augment_pipe(0, AUGMENT_DISCRIMINATOR, step, 0.3).sigma for step in (0, 5, 10, 11)]
    assert sigmas == pytest.approx([0.2, 0.1, 0.0, 0.0]) and sigmas[2] == 0.0
    assert batches.augment_pipe(0, AUGMENT_DISCRIMINATOR, 0, 0.3).p == 0.3
    players = [
        batches.augment_pipe(3, stream, 3, 0.3).uniform(2, torch.zeros(4, 1))
        for stream in (AUGMENT_DISCRIMINATOR, AUGMENT_GENERATOR)
    ]
    assert not torch.equal(*players)


def test_images_that_are_shipped_are_left_out_of_training(shapes_npz, tmp_path):
    everything = load_images(str(shapes_npz), 28, 1)
    shipped = tmp_path / "shipped.npz"
    np.savez(shipped, images=everything.images[:40, ..., 0], labels=everything.labels[:40])
    config = TrainConfig(data=str(shapes_npz), real_samples=str(shipped), real_samples_notice="made up")
    data = load_data(config)
    assert len(data.real_samples) == 40 and len(data.train) == 260 and data.left_out == 40
    assert load_data(TrainConfig(data=str(shapes_npz))).left_out == 0
    trained_on = {image.tobytes() for image in data.train.images}
    assert not any(image.tobytes() in trained_on for image in data.real_samples.images)


def test_a_published_models_own_images_are_left_out_as_well(shapes_npz, tmp_path):
    everything = load_images(str(shapes_npz), 28, 1)
    real_samples.write(tmp_path, everything.images[:20], everything.labels[:20].tolist(), "made up", columns=8)
    data = load_data(TrainConfig(data=str(shapes_npz), real_samples=str(tmp_path), real_samples_notice="made up"))
    assert data.notice == "made up"
    assert np.array_equal(data.real_samples.images, everything.images[:20])
    assert np.array_equal(data.real_samples.labels, everything.labels[:20])
    assert np.array_equal(data.train.images, everything.images[20:])


def test_a_published_models_images_bring_their_notice_along(shapes_npz, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    published = tmp_path / "model_cards" / "first"
    published.mkdir(parents=True)
    real_samples.write(published, load_images(str(shapes_npz), 28, 1).images[:20], [0] * 20, "theirs, CC0")
    assert load_data(TrainConfig(data=str(shapes_npz), real_samples="model_cards/first")).notice == "theirs, CC0"


@pytest.mark.parametrize("kind", ["with a test split", "without one", "with images to ship"])
def test_the_split_file_of_a_run_tells_its_images_apart_again(kind, shapes_npz, tmp_path):
    everything, test = (load_images(str(shapes_npz), 28, 1, split) for split in ("train", "test"))
    source, options = shapes_npz, {}
    if kind != "with a test split":
        source = tmp_path / "plain.npz"
        np.savez(source, images=everything.images[..., 0], labels=everything.labels)
    if kind == "with images to ship":
        np.savez(tmp_path / "shipped.npz", images=everything.images[:40, ..., 0], labels=everything.labels[:40])
        options = {"real_samples": str(tmp_path / "shipped.npz"), "real_samples_notice": "made up"}
    config = TrainConfig(data=str(source), seed=3, held_out=30, **options)
    data = load_data(config)
    data.split(config).write(tmp_path)
    split = DataSplit.read(tmp_path)
    assert (split.data, split.seed, len(split.left_out_sha256)) == ("your-data", 3, 40 * bool(options))
    train, held_out = split.apply(everything, test if split.held_out_is_test_split else None)
    assert np.array_equal(train.images, data.train.images) and np.array_equal(train.labels, data.train.labels)
    assert np.array_equal(held_out.images, data.held_out.images)
    assert str(tmp_path) not in (tmp_path / "split.json").read_text()


def test_images_to_ship_with_other_classes_are_refused(shapes_npz, tmp_path):
    everything = load_images(str(shapes_npz), 28, 1)
    np.savez(tmp_path / "two.npz", images=everything.images[..., 0], labels=everything.labels % 2)
    config = TrainConfig(data=str(shapes_npz), real_samples=str(tmp_path / "two.npz"), real_samples_notice="made up")
    with pytest.raises(ValueError, match="the real_samples has the classes"):
        load_data(config)


def test_an_unconditional_run_may_ship_a_published_models_images(shapes_npz, tmp_path):
    everything = load_images(str(shapes_npz), 28, 1)
    real_samples.write(tmp_path, everything.images[:20], everything.labels[:20].tolist(), "made up")
    config = TrainConfig(data=str(shapes_npz), conditional=False, real_samples=str(tmp_path), real_samples_notice="x")
    data = load_data(config)
    assert len(data.real_samples) == 20 and data.real_samples.labels is None


def test_data_without_a_test_split_keeps_some_back(tmp_path):
    path = tmp_path / "plain.npz"
    images = np.random.default_rng(0).integers(0, 255, (50, 28, 28), dtype=np.uint8)
    np.savez(path, images=images)
    data = load_data(TrainConfig(data=str(path), conditional=False, held_out=1000))
    assert (len(data.train), len(data.held_out), data.left_out) == (40, 10, 10)
    assert {i.tobytes() for i in data.train.images} | {i.tobytes() for i in data.held_out.images} == {
        image.tobytes() for image in images
    }


def test_a_conditional_run_on_data_without_labels_is_refused(tmp_path):
    path = tmp_path / "plain.npz"
    np.savez(path, images=np.zeros((50, 28, 28), np.uint8))
    with pytest.raises(ValueError, match="has no labels; set conditional to false"):
        load_data(TrainConfig(data=str(path)))


@pytest.mark.parametrize("count", [1, 3, 4, 5, 19])
def test_five_pictures_are_too_few_and_the_sentence_says_how_many_are_enough(tmp_path, count):
    path = tmp_path / "few.npz"
    np.savez(path, images=np.zeros((count, 28, 28), np.uint8))
    with pytest.raises(
        ValueError, match="held out for the judge.* needs 4 or more. Give a test split of that size, or 20"
    ):
        load_data(TrainConfig(data=str(path), conditional=False))
    np.savez(path, images=np.zeros((20, 28, 28), np.uint8))
    assert len(load_data(TrainConfig(data=str(path), conditional=False)).held_out) == 4


def pictures_in(folder, **counts: int) -> str:
    for seed, (name, count) in enumerate(counts.items()):
        for number in range(count):
            write(folder, {f"{name.replace('__', '/')}/{number}.png": encoded(picture(100 * seed + number))})
    return str(folder)


@pytest.mark.parametrize("conditional", [True, False])
def test_a_validation_folder_is_what_a_run_holds_out_and_its_headline_says_so(tmp_path, conditional):
    source = pictures_in(tmp_path, train__cat=6, train__dog=4, val__cat=2, val__dog=3)
    write(tmp_path, {"train/cat/torn.png": b"", "stray.png": encoded(picture(9))})
    data = load_data(TrainConfig(data=source, conditional=conditional))
    assert (len(data.train), len(data.held_out)) == (10, 5)
    classes = " classes: cat 6, dog 4;" if conditional else ""
    unused = "" if conditional else " 2 classes are not used (conditional is false);"
    assert data.train.report() == (
        f"10 images of 28 × 28 × 1;{classes} split: folders train and val;{unused} 2 files skipped: 1 empty "
        "(train/cat/torn.png); 1 outside the folders (stray.png)."
    )


@pytest.mark.parametrize("conditional", [True, False])
def test_skipped_files_of_the_held_out_images_are_told_as_well(tmp_path, conditional):
    source = pictures_in(tmp_path, train__cat=6, train__dog=4, val__cat=2, val__dog=3)
    write(tmp_path, {"val/cat/torn.png": b""})
    data = load_data(TrainConfig(data=source, conditional=conditional))
    assert data.headline().startswith("training on 10 images of 28 × 28 × 1;")
    assert data.headline().endswith(". Held out: 5; 1 file skipped: 1 empty (val/cat/torn.png).")


def test_files_that_were_skipped_before_some_images_were_held_out_are_told_once(tmp_path):
    source = pictures_in(tmp_path, cat=20, dog=10)
    write(tmp_path, {"cat/torn.png": b""})
    headline = load_data(TrainConfig(data=source)).headline()
    assert headline.count("torn.png") == 1 and headline.endswith("Held out: 6.")


def test_what_a_run_without_a_test_split_holds_out_is_in_its_headline(tmp_path):
    data = load_data(TrainConfig(data=pictures_in(tmp_path, cat=20, dog=10)))
    assert data.train.report().endswith("split: none, so 6 images drawn at random are held out.")


def test_a_test_split_without_labels_is_named(tmp_path):
    source = pictures_in(tmp_path, train__cat=6, train__dog=4, test=4)
    with pytest.raises(
        ValueError, match=r"no labels in its test split \(no classes: 4 of 4 images lie outside cat and"
    ):
        load_data(TrainConfig(data=source))


def batches_of_unequal_classes(rank: int, processes: int, **options) -> Batches:
    """90 images of class 0 and 10 of class 2, none of class 1; ten batches of ten an epoch."""
    images = np.arange(100, dtype=np.uint8)[:, None, None, None] * np.ones((1, 28, 28, 1), np.uint8)
    data = ImageSet(images, np.repeat([0, 2], [90, 10]), ["many", "none", "few"])
    accelerator = SimpleNamespace(num_processes=processes, process_index=rank, device=torch.device("cpu"))
    return Batches(data, TrainConfig(batch_size=10, seed=3, **options), 5, accelerator)


def test_unequal_classes_can_be_balanced_and_are_as_the_data_have_them_otherwise():
    for options, expected in (({}, [90, 0, 10]), ({"balance_classes": True}, [50, 0, 50])):
        batches = batches_of_unequal_classes(0, 1, **options)
        turns = [batches.reals(turn) for turn in range(20)]
        shown = torch.cat([labels for _, labels in turns])
        assert [torch.bincount(part, minlength=3).tolist() for part in shown.split(100)] == [expected, expected]
        images = torch.cat([images[:, 0, 0, 0] for images, _ in turns])
        assert torch.equal((images + 1) * 127.5 >= 89.5, shown == 2), "images and labels stay together"
        told = torch.cat([batches.labels(turn) for turn in range(200)])
        share = torch.bincount(told, minlength=3) / len(told)
        assert torch.allclose(share, torch.tensor(expected) / 100, atol=0.05)


def test_balanced_batches_are_shared_by_processes_and_new_in_each_epoch():
    one = batches_of_unequal_classes(0, 1, balance_classes=True)
    ranks = [batches_of_unequal_classes(rank, 2, balance_classes=True) for rank in range(2)]
    for turn in (0, 13):
        assert torch.equal(one.reals(turn)[0], torch.cat([rank.reals(turn)[0] for rank in ranks]))
        assert torch.equal(one.labels(turn), torch.cat([rank.labels(turn) for rank in ranks]))
    assert not torch.equal(one.reals(0)[0], one.reals(10)[0])


def test_what_is_drawn_without_balance_has_not_changed():
    batches = batches_of_unequal_classes(0, 1)
    order = torch.randperm(100, generator=generator_for(3, ORDER, 0)).numpy()
    assert np.array_equal(((batches.reals(0)[0][:, 0, 0, 0] + 1) * 127.5).round().numpy(), order[:10])
    drawn = torch.randint(100, (10,), generator=generator_for(3, LABELS_GENERATOR, 4)).numpy()
    assert batches.labels(4).tolist() == np.repeat([0, 2], [90, 10])[drawn].tolist()


def test_balance_without_classes_is_refused():
    with pytest.raises(
        ValueError, match="balance_classes=True is not allowed with conditional=False, which has no classes"
    ):
        TrainConfig(balance_classes=True, conditional=False)


@pytest.mark.parametrize("source", ["~/pics", "./pics", "../pics", "sets/pics.zip"])
def test_a_path_is_never_taken_for_a_public_name(source):
    assert public_name(source) == "your-data" and public_name("owner/name") == "owner/name"
