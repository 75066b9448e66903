"""The trainer and what only some architectures can do: growing, mixed styles, path length in w, many scales, maps."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image

from gan_hub import GANPipeline
from gan_hub.losses import feature_matching, path_length_penalty
from gan_hub.model_folder import segmentations
from gan_hub.model_folder.files import SEGMENTATIONS_NAME
from gan_hub.model_folder.manifest import Manifest
from gan_hub.models.spade import SPADEGenerator
from gan_hub.training import steps
from gan_hub.training import trainer as loop
from gan_hub.training.batches import MIXING_DISCRIMINATOR, MIXING_GENERATOR, Batches, load_data
from gan_hub.training.checkpoints import load_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.run_files import sample_grid
from gan_hub.training.train_state import TENSOR_FILES
from tests.training.test_exact import newest, train

TINY = {"latent_size": 8, "base_channels": 2, "max_channels": 4}
STYLEGAN2 = {
    "architecture": "stylegan2",
    "generator": TINY | {"w_size": 6, "mapping_layers": 2},
    "discriminator": {"base_channels": 2, "max_channels": 4, "mapping_layers": 2},
}
PROGAN = {"architecture": "progan", "generator": TINY, "discriminator": {"base_channels": 2, "max_channels": 4}}
MSG_GAN = PROGAN | {"architecture": "msg_gan"}
SPADE = {
    "architecture": "spade",
    "conditional": False,
    "generator": TINY | {"hidden_channels": 4},
    "discriminator": {"base_channels": 2},
    "loss": "hinge",
    "r1_gamma": 0.0,
    "feature_matching_weight": 10.0,
}


@pytest.fixture
def game(new_game):
    """game(**options) → (state, batches, config) of a run that has not begun."""
    return partial(new_game, Batches)


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory):
    """60 pairs of 28 × 28: a map of two halves of three classes, and an image as bright as the class, with noise."""
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    for index in range(60):
        classes = np.repeat(np.array([[index % 3, (index + 1) % 3]], dtype=np.uint8), 14, axis=1).repeat(28, axis=0)
        image = (classes * 80 + rng.integers(0, 40, classes.shape)).astype(np.uint8)
        Image.fromarray(image).save(folder / f"pair{index:02d}.png")
        Image.fromarray(classes).save(folder / f"pair{index:02d}_labels.png")
    return str(folder)


# ------------------------------------------------------------------------------------------------ growing


def test_the_level_is_a_function_of_the_clock_each_doubling_fades_in_and_settles_as_long():
    config = TrainConfig(architecture="progan", grow_kimg=10.0, total_kimg=100.0)
    assert config.levels == 2  # 7, 14, 28
    expected = {0: 0, 5: 0, 10: 0, 12.5: 0.25, 20: 1, 25: 1, 30: 1, 35: 1.5, 39: 1.9, 40: 2, 70: 2, 100: 2}
    assert {kimg: config.level(1000 * kimg) for kimg in expected} == pytest.approx(expected)


def test_a_turn_sets_the_level_of_both_players_and_the_average_and_reaches_no_layer_beyond(game):
    state, batches, config = game(**PROGAN, grow_kimg=0.064)
    networks = state.unwrapped_generator, state.unwrapped_discriminator, state.ema.model
    for images, level, reached in ((0, 0.0, 1), (96, 0.5, 2), (160, 1.0, 2), (224, 1.5, 3), (384, 2.0, 3)):
        state.grow(images)
        assert [network.level for network in networks] == [level] * 3
        loop.train_step(state, config, batches, images // 16)
        for network, descent in (
            (networks[0], state.generator_optimizer),
            (networks[1], state.discriminator_optimizer),
        ):
            for stage, block in enumerate(network.blocks):
                for parameter in block.parameters():
                    assert (parameter in descent.optimizer.state) is (stage < reached), (images, stage)


def test_without_growing_the_whole_network_takes_part_from_the_start(game):
    state, batches, config = game(**PROGAN)
    state.grow(0)
    assert state.unwrapped_generator.level == state.unwrapped_generator.levels == 2
    loop.train_step(state, config, batches, 0)
    for network in (state.unwrapped_generator, state.unwrapped_discriminator):
        assert all(parameter.grad is not None for parameter in network.blocks.parameters())


def test_reals_are_shown_as_coarse_as_the_fakes_of_the_moment_and_fade_as_they_do(game):
    state, batches, _ = game(**PROGAN, grow_kimg=0.064)
    reals = batches.reals(0)[0]

    def squares(size: int) -> torch.Tensor:
        means = reals.unfold(2, size, size).unfold(3, size, size).mean((4, 5))
        return means.repeat_interleave(size, 2).repeat_interleave(size, 3)

    for images, expected in (
        (0, squares(4)),
        (96, 0.5 * squares(4) + 0.5 * squares(2)),
        (160, squares(2)),
        (384, reals),
    ):
        state.grow(images)
        torch.testing.assert_close(state.match_resolution(reals), expected)
    assert game()[0].match_resolution(reals) is reals


# ------------------------------------------------------------------------------------------ styles, paths


def test_so_many_fakes_as_mixing_says_have_two_latents_and_the_draws_belong_to_the_turn(game):
    _, batches, config = game(**STYLEGAN2, mixing=0.75)
    draws = [batches.mixing(turn, MIXING_GENERATOR) for turn in range(200)]
    shares = torch.cat([share for _, share in draws])
    assert (shares < 1).float().mean() == pytest.approx(0.75, abs=0.02)
    assert 0 <= shares.min() and shares[shares < 1].mean() == pytest.approx(0.5, abs=0.02)
    state, (second, share) = game(**STYLEGAN2)[0], draws[0]
    z, labels = batches.noise(0, 1), batches.reals(0)[1]
    _, ws = state.unwrapped_generator(z, labels, mixing=(second, share), with_ws=True)
    mixed = (ws != state.unwrapped_generator.map(z, labels)).flatten(1).any(1)
    assert torch.equal(mixed, share < 1)  # two latents in every fake that is to be mixed
    assert draws[0][0].shape == (16, 8) and not torch.equal(draws[0][0], draws[1][0])
    again = batches.mixing(1, MIXING_GENERATOR)
    assert torch.equal(again[0], draws[1][0]) and torch.equal(again[1], draws[1][1])
    assert not torch.equal(batches.mixing(1, MIXING_DISCRIMINATOR)[0], again[0])
    assert game(**STYLEGAN2)[1].mixing(0, MIXING_GENERATOR) is None


def test_mixed_fakes_are_those_of_the_generator_with_both_latents(game):
    state, batches, _ = game(**STYLEGAN2, mixing=1.0)
    reals, labels = batches.reals(0)
    z, mixing = batches.noise(0, 1), batches.mixing(0, MIXING_GENERATOR)
    fakes, latents = state.draw_fakes(z, mixing, labels, with_grad=True)
    state.unwrapped_generator.eval()
    assert latents is None and torch.equal(fakes, state.generator(z, labels, mixing=mixing))
    assert not torch.equal(fakes, state.generator(z, labels))


def test_path_lengths_are_taken_in_w_where_there_is_one_and_in_z_elsewhere(game, monkeypatch):
    from gan_hub.training import steps

    seen = []
    monkeypatch.setattr(
        steps,
        "path_length_penalty",
        lambda images, latents, *rest: seen.append(latents.shape) or path_length_penalty(images, latents, *rest),
    )
    for options in (STYLEGAN2, {}):
        state, batches, config = game(**options, path_length_weight=2.0, path_length_interval=2)
        for step in range(4):
            metrics = loop.train_step(state, config, batches, step)
            assert ("penalty/path_length" in metrics) is (step % 2 == 0)
        assert state.adaptive.path_length_mean > 0
    assert seen == [(16, 6, 6)] * 2 + [(16, 8)] * 2  # (N, L, W), then (N, Z)


# ------------------------------------------------------------------------------------------------- scales


def test_a_discriminator_of_many_scales_is_shown_every_scale_of_the_fakes_and_penalised_at_each(game, monkeypatch):
    state, batches, config = game(**MSG_GAN, r2_gamma=1.0, penalty_interval=1)
    shown, real_step = [], steps.discriminator_step
    monkeypatch.setattr(steps, "discriminator_step", lambda *args: shown.append(args[2:4]) or real_step(*args))
    metrics = loop.train_step(state, config, batches, 0)
    for images in shown[0]:
        assert [tuple(scale.shape) for scale in images] == [(16, 1, 7, 7), (16, 1, 14, 14), (16, 1, 28, 28)]
    assert metrics["penalty/r1"] > 0 and metrics["penalty/r2"] > 0
    for parameter in state.unwrapped_generator.parameters():
        assert parameter.grad is not None and parameter.grad.any()


# --------------------------------------------------------------------------------------------------- maps


def test_both_players_are_told_the_maps_of_their_images(game, pairs_folder):
    state, batches, _ = game(**SPADE, data=pairs_folder, held_out=12)
    images, maps = batches.reals(0)
    assert maps.shape == (16, 28, 28) and maps.dtype == torch.int64 and maps.unique().tolist() == [0, 1, 2]
    levels = (images[:, 0] + 1) * 127.5  # 80 · class + up to 40
    assert ((levels / 80).floor() == maps).all()
    assert state.unwrapped_generator.config["semantic_classes"] == 3
    assert not torch.equal(batches.labels(0), batches.labels(1))


def test_an_image_and_its_map_are_mirrored_together(game, pairs_folder):
    _, batches, _ = game(**SPADE, data=pairs_folder, held_out=12, flip=True)
    plain = game(**SPADE, data=pairs_folder, held_out=12)[1]
    (images, maps), (_, unflipped) = batches.reals(0), plain.reals(0)
    assert (((images[:, 0] + 1) * 127.5 / 80).floor() == maps).all()
    mirrored = [torch.equal(now, before.flip(1)) for now, before in zip(maps, unflipped)]
    assert any(mirrored) and not all(mirrored)
    alone = [torch.equal(now, before.flip(1)) for now, before in zip(batches.labels(0), plain.labels(0))]
    assert any(alone) and not all(alone)


def test_a_generator_of_maps_is_matched_with_the_features_of_the_real_images_of_the_same_maps(game, pairs_folder):
    state, batches, config = game(**SPADE, data=pairs_folder, held_out=12)
    assert config.pairs_matter
    seen, real_step = [], steps.generator_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "generator_step", lambda *args: seen.append(args) or real_step(*args))
        metrics = loop.train_step(state, config, batches, 3)
    expected, maps = batches.reals(3)
    assert torch.equal(seen[0][2], expected) and torch.equal(seen[0][4], maps)
    assert metrics["loss/features"] > 0
    features = state.discriminator(expected, maps, features=True)[1]
    assert feature_matching(features, features) == 0


def test_the_loss_of_features_weighs_in_the_generators_gradient(game, pairs_folder):
    norms = []
    for weight in (1e-9, 1.0, 10.0):
        state, batches, config = game(**SPADE | {"feature_matching_weight": weight}, data=pairs_folder, held_out=12)
        norms.append(loop.train_step(state, config, batches, 0)["gradient/generator"].item())
    assert norms[1] > 1.01 * norms[0] or norms[1] < 0.99 * norms[0]
    assert norms[2] > 2 * norms[0]


def test_a_run_on_pairs_resumes_bit_for_bit(small_options, pairs_folder):
    options = small_options | SPADE | {"data": pairs_folder, "held_out": 12, "trackers": "none", "flip": True}
    options |= {"total_kimg": 0.128, "decay_kimg": 0.0}
    found = []
    for name, stops in (("unbroken", ()), ("broken", (3,))):
        config = TrainConfig(**options | {"name": name})
        for stop in stops:
            train(config, stop_after=stop)
        train(config, resume=bool(stops))
        found.append(load_checkpoint(newest(config), TENSOR_FILES)[0])
    for file, content in found[0].items():
        for tensor, value in content.items():
            assert torch.equal(value, found[1][file][tensor]), f"{file}: {tensor}"


def test_a_run_on_pairs_ends_in_a_model_that_draws_from_maps(small_options, pairs_folder):
    AcceleratorState._reset_state(reset_partial_state=True)
    options = small_options | SPADE | {"data": pairs_folder, "held_out": 12, "trackers": "none", "total_kimg": 0.064}
    options |= {"decay_kimg": 0.0, "checkpoint_kimg": 1.0, "flip": True, "example_maps": 5}
    folder = loop.train(TrainConfig(**options))
    card = (folder / "README.md").read_text()
    assert "A map-conditional SPADE" in card and "up to 5 maps of the data" in card and "right of its map" in card
    pipe = GANPipeline.from_pretrained(folder)
    assert pipe.segmentations.shape == (5, 28, 28)
    assert pipe.calibration is not None and pipe(seeds=[0]).images[0].size == (28, 28)
    one, other = (pipe(seeds=[0], segmentation=np.full((28, 28), c), output_type="pt").images for c in (0, 2))
    assert not torch.equal(one, other)


def test_maps_that_may_not_be_shipped_are_replaced_by_a_published_models_and_no_time_lapse_shows_any(
    small_options, pairs_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder, made = Path("model_cards", "houses"), torch.arange(28 * 28, dtype=torch.uint8).view(1, 28, 28) % 2
    folder.mkdir(parents=True)
    segmentations.write(folder, made)
    Manifest.write(folder, [SEGMENTATIONS_NAME])
    options = small_options | SPADE | {"data": pairs_folder, "held_out": 12, "shipped_maps": str(folder)}
    assert torch.equal(load_data(TrainConfig(**options)).example_maps, made)

    network = SPADEGenerator(resolution=28, channels=3, semantic_classes=2, base_channels=4, max_channels=4)
    pipe = GANPipeline(network, segmentations=made)
    whole, images = sample_grid(pipe, 2, 4), sample_grid(pipe, 2, 4, with_maps=False)
    tile, gap = 2 * 28, 2
    for row in range(2):
        for column in range(2):
            spots = [(place * (tile + gap), row * (tile + gap)) for place in (2 * column + 1, column)]
            theirs, ours = (
                sheet.crop((x, y, x + tile, y + tile)).tobytes() for sheet, (x, y) in zip((whole, images), spots)
            )
            assert theirs == ours
    assert images.width == 2 * (tile + gap) - gap


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"grow_kimg": 1.0}, "grow_kimg=1.0 is not allowed with architecture='dcgan'; it goes with progan"),
        ({"mixing": 0.5}, "mixing=0.5 is not allowed with architecture='dcgan'; it goes with stylegan"),
        ({"feature_matching_weight": 1.0}, "it goes with spade"),
        (
            {"architecture": "progan", "grow_kimg": 251.0},
            "to grow 2 times takes 4 times that, and total_kimg is 1000.0",
        ),
        ({"architecture": "progan", "grow_kimg": 1.0, "compile": True}, "not allowed with compile=True"),
        ({"architecture": "stylegan", "path_length_weight": 2.0}, "path_length_weight=2.0 is not allowed"),
        ({"architecture": "msg_gan", "path_length_weight": 2.0}, "path_length_weight=2.0 is not allowed"),
        ({"architecture": "spade", "conditional": False, "path_length_weight": 2.0}, "path_length_weight=2.0 is not"),
        (
            {"architecture": "spade", "conditional": False, "generator": {"semantic_classes": 5}},
            "or by the data, not here",
        ),
        ({"architecture": "msg_gan", "augment": "ada"}, "whose images have several scales"),
        ({"architecture": "msg_gan", "wgan_gp_weight": 10.0}, "wgan_gp_weight=10.0 is not allowed"),
        ({"architecture": "msg_gan", "dragan_weight": 10.0}, "dragan_weight=10.0 is not allowed"),
        (
            {"architecture": "spade", "conditional": False, "augment": "ada"},
            "it would move the image and leave its map",
        ),
        ({"architecture": "spade", "conditional": True}, "whose data are pairs of images and maps"),
    ],
)
def test_what_an_architecture_cannot_do_is_refused_with_what_can(options, said):
    with pytest.raises(ValueError) as error:
        TrainConfig(**options)
    assert said in str(error.value)
