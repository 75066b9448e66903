"""The training step as the recipe has it: k updates, fresh draws, two rates, shared fakes, adaptive numbers."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from gan_hub.training import steps, trainer
from gan_hub.training.batches import NOISE_DISCRIMINATOR, NOISE_GENERATOR, Batches


class Recorded(Batches):
    """Batches that remember what was drawn from them."""

    def __init__(self, *args):
        super().__init__(*args)
        self.turns, self.noises = [], []

    def reals(self, turn):
        self.turns.append(turn)
        return super().reals(turn)

    def noise(self, turn, stream):
        self.noises.append((turn, stream))
        return super().noise(turn, stream)


@pytest.fixture
def game(new_game):
    """game(**options) → (state, recorded batches, config) of a run that has not begun."""
    return partial(new_game, Recorded)


def adam_steps(optimizer) -> int:
    (count,) = {int(state["step"]) for state in optimizer.optimizer.state.values()}
    return count


@pytest.mark.parametrize("k", [1, 3])
def test_the_discriminator_has_exactly_k_updates_with_fresh_images_and_noise_for_each_of_the_generators(game, k):
    state, batches, config = game(discriminator_steps=k)
    for step in range(4):
        trainer.train_step(state, config, batches, step)
    assert adam_steps(state.discriminator_optimizer) == 4 * k and adam_steps(state.generator_optimizer) == 4
    assert batches.turns == list(range(4 * k))
    assert [turn for turn, stream in batches.noises if stream == NOISE_DISCRIMINATOR] == list(range(4 * k))
    assert [turn for turn, stream in batches.noises if stream == NOISE_GENERATOR] == list(range(4))


def test_shared_fakes_are_drawn_once_and_teach_both_players(game):
    state, batches, config = game(share_fakes=True)
    before = [parameter.clone() for parameter in state.generator.parameters()]
    for step in range(2):
        metrics = trainer.train_step(state, config, batches, step)
    assert {stream for _, stream in batches.noises} == {NOISE_DISCRIMINATOR} and len(batches.noises) == 2
    assert adam_steps(state.generator_optimizer) == adam_steps(state.discriminator_optimizer) == 2
    assert not all(torch.equal(a, b) for a, b in zip(before, state.generator.parameters()))
    assert metrics["gradient/generator"] > 0


def test_a_relativistic_generator_is_shown_the_pairs_of_the_discriminators_step(game, monkeypatch):
    state, batches, config = game(loss="relativistic")
    seen = []
    real_step = steps.generator_step
    monkeypatch.setattr(steps, "generator_step", lambda *args: seen.append(args) or real_step(*args))
    trainer.train_step(state, config, batches, 5)
    _, _, reals, _, labels, _, _ = seen[0]
    expected, classes = batches.reals(5)
    assert torch.equal(reals, expected) and torch.equal(labels, classes)


def test_two_learning_rates_fall_together_and_come_back_after_a_resume(game):
    rates = {"learning_rate_generator": 1e-4, "learning_rate_discriminator": 4e-4}
    state, _, _ = game(**rates)
    for factor in (1.0, 0.5):
        state.set_lr_factor(factor)
        assert state.generator_optimizer.optimizer.param_groups[0]["lr"] == pytest.approx(1e-4 * factor)
        assert state.discriminator_optimizer.optimizer.param_groups[0]["lr"] == pytest.approx(4e-4 * factor)


def test_adas_p_climbs_while_the_reals_are_recognised_and_stays_where_it_is_off(game):
    for augment, expected in (("ada", True), ("none", False)):
        state, batches, config = game(augment=augment, ada_target=0.0, ada_kimg=1.0, learning_rate_generator=0.0)
        for step in range(12):
            trainer.train_step(state, config, batches, step)
        assert (state.adaptive.augment_p > 0) is expected
        assert batches.augment_pipe(0, 0, 0, state.adaptive.augment_p).p == (
            state.adaptive.augment_p if expected else 1.0
        )


def test_begans_balance_moves_and_stays_between_0_and_1(game):
    state, batches, config = game(
        architecture="began", loss="began", conditional=False, began_rate=0.5, r1_gamma=0.0,
        generator={"latent_size": 8, "base_channels": 4}, discriminator={"hidden_size": 8, "base_channels": 4},
    )  # fmt: skip
    values = []
    for step in range(6):
        trainer.train_step(state, config, batches, step)
        values.append(state.adaptive.balance)
    assert len(set(values)) > 1 and all(0 <= value <= 1 for value in values)


def test_the_average_of_a_run_with_a_long_half_life_follows_its_first_steps(game):
    state, batches, config = game(ema_halflife_kimg=500.0)
    start = torch.cat([parameter.detach().flatten().clone() for parameter in state.generator.parameters()])
    for step in range(12):
        trainer.train_step(state, config, batches, step)
        state.ema.update(state.unwrapped_generator, config.batch_size, (step + 1) * config.batch_size)
    now, average = (
        torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
        for network in (state.generator, state.averaged_generator)
    )
    assert (average - now).norm() < 0.3 * (start - now).norm()


def test_the_path_length_penalty_is_due_at_its_own_interval(game):
    state, batches, config = game(path_length_weight=2.0, path_length_interval=3)
    due = ["penalty/path_length" in trainer.train_step(state, config, batches, step) for step in range(6)]
    assert due == [True, False, False, True, False, False] and state.adaptive.path_length_mean > 0


def test_the_discriminators_penalty_is_due_at_its_interval(game):
    state, batches, config = game(penalty_interval=4)
    due = ["penalty/r1" in trainer.train_step(state, config, batches, step) for step in range(9)]
    assert due == [step % 4 == 0 for step in range(9)]


def weights_after(game, steps: int = 6, **options) -> torch.Tensor:
    state, batches, config = game(precision=options.pop("precision", "fp64"), **options)
    start = torch.cat([parameter.detach().flatten().clone() for parameter in state.generator.parameters()])
    for step in range(steps):
        trainer.train_step(state, config, batches, step)
    end = torch.cat([parameter.detach().flatten() for parameter in state.generator.parameters()])
    assert (end - start).abs().max() > 1e-4
    return end


def test_channels_last_changes_nothing_but_rounding(game):
    images = {"generator": {"latent_size": 8, "base_channels": 4}}
    plain, fast = (weights_after(game, channels_last=choice, **images) for choice in (False, True))
    assert (plain - fast).abs().max() <= 1e-10
    state, batches, _ = game()  # it is on by itself
    for network in (state.generator, state.averaged_generator):
        assert next(p for p in network.parameters() if p.dim() == 4).is_contiguous(memory_format=torch.channels_last)


def test_bf16_trains_what_fp32_trains(game):
    losses = {}
    for precision in ("fp32", "bf16"):
        state, batches, config = game(precision=precision)
        metrics = [trainer.train_step(state, config, batches, step) for step in range(20)]
        losses[precision] = sum(metric["loss/discriminator"].item() for metric in metrics) / 20
        assert state.unwrapped_generator.project.weight.dtype == torch.float32
        assert metrics[0]["penalty/r1"].dtype == torch.float32  # the penalty's pass has no autocast
    assert losses["bf16"] != losses["fp32"] and losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)


def test_compiled_networks_play_the_same_game_penalties_included(game):
    options = {"steps": 3, "precision": "fp32", "penalty_interval": 2, "share_fakes": True}
    plain, compiled = weights_after(game, **options), weights_after(game, compile=True, **options)
    assert not torch.equal(plain, compiled)  # the compiled kernels round in their own way: they were really run
    assert (plain - compiled).abs().max() <= 1e-4


@pytest.mark.parametrize("tf32", [False, True])
def test_tf32_is_as_the_recipe_says(game, tf32):
    game(tf32=tf32)
    assert torch.backends.cuda.matmul.allow_tf32 is tf32 and torch.backends.cudnn.allow_tf32 is tf32


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "2", "gradient accumulation is not exact with two players"),
        ("ACCELERATE_USE_DEEPSPEED", "true", "DeepSpeed shards one network"),
        ("ACCELERATE_USE_FSDP", "true", "FSDP shards one network"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR", "use compile=true"),
    ],
)
def test_what_accelerate_would_do_wrongly_is_refused(small_config, monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=said):
        trainer.make_accelerator(small_config)


def test_fp16_without_a_gpu_and_unknown_trackers_are_refused(small_config):
    with pytest.raises(ValueError, match="trackers='tensorboard, pigeon': 'pigeon' is not installed or not one"):
        trainer.make_accelerator(replace(small_config, trackers="tensorboard, pigeon"))
    with pytest.raises(ValueError, match="precision='fp16' needs a CUDA GPU"):
        trainer.make_accelerator(replace(small_config, precision="fp16"))
