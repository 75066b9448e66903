"""What may change when a run goes on, and exactly what that does; what would be another run is refused with its remedy."""

import json

import pytest
import torch
from accelerate.state import AcceleratorState

from gan_hub.training import trainer
from gan_hub.training.checkpoints import load_checkpoint
from gan_hub.training.config import FIELDS, TrainConfig
from gan_hub.training.resume import MAY_CHANGE, refuse_other
from gan_hub.training.run_files import read_log
from gan_hub.training.train_state import TENSOR_FILES, TrainState
from tests.training.test_exact import newest, train


@pytest.fixture
def config(small_options) -> TrainConfig:
    return TrainConfig(**small_options | {"trackers": "none", "timelapse_frames": 0, "decay_kimg": 0.0})


def changed(config: TrainConfig, **options) -> TrainConfig:
    return TrainConfig(**vars(config) | options)


def images_of(config: TrainConfig) -> int:
    state = json.loads((newest(config) / "state.json").read_text())
    return state["step"] * state["config"]["batch_size"]


def test_a_finished_run_trains_longer_and_is_then_the_run_that_was_as_long_from_the_start(config, tmp_path, capfd):
    unbroken = changed(config, output=str(tmp_path / "unbroken"))
    train(unbroken)
    train(changed(config, total_kimg=0.192))
    capfd.readouterr()
    train(config, resume=True)
    assert "changed since: total_kimg 0.192 → 0.384\n" in capfd.readouterr().out
    expected, found = (load_checkpoint(newest(each), TENSOR_FILES)[0] for each in (unbroken, config))
    for file, content in expected.items():
        assert all(torch.equal(tensor, found[file][name]) for name, tensor in content.items()), file
    notes = [line["note"] for line in read_log(config.run_folder / "log.jsonl") if "note" in line]
    assert notes == ["went on at 0.192 kimg with total_kimg 0.192 → 0.384."]


def test_a_stopped_run_trains_shorter_but_never_back(config):
    train(config, stop_after=7)
    with pytest.raises(ValueError, match=r"total_kimg=0.09 is less than the 0.112 kimg .* gan-hub export .*small$"):
        train(changed(config, total_kimg=0.09), resume=True)
    train(changed(config, total_kimg=0.16), resume=True)
    assert images_of(config) == 160


def test_the_card_of_a_run_that_changed_says_so(config):
    train(config, stop_after=6)
    AcceleratorState._reset_state(reset_partial_state=True)
    rate = {"learning_rate_generator": 1e-4, "total_kimg": 0.192, "batch_size": 32}
    folder = trainer.train(changed(config, **rate), resume=True)
    said = (
        "The run went on at 0.096 kimg with batch_size 16 → 32, total_kimg 0.384 → 0.192, learning_rate_generator 0.0005 "
        "→ 0.0001."
    )
    assert said in (folder / "README.md").read_text()


@pytest.mark.parametrize("size", [8, 32])
def test_another_batch_size_goes_on_at_the_very_image_and_ends_at_the_same(config, size):
    train(config, stop_after=8)
    other = changed(config, batch_size=size)
    train(other, resume=True, stop_after=1)
    assert images_of(config) == 128 + size
    train(other, resume=True)
    assert images_of(config) == 384
    logged = [line["images"] for line in read_log(config.run_folder / "log.jsonl") if "loss/generator" in line]
    assert logged == [64, 128, 192, 256, 320, 384]


def test_another_batch_size_shows_the_images_that_come_next(new_game):
    from gan_hub.training.batches import Batches

    small, large = (new_game(Batches, batch_size=size)[1] for size in (16, 32))
    both = torch.cat([small.reals(turn)[0] for turn in (8, 9)])
    assert torch.equal(large.reals(4)[0], both)


@pytest.mark.parametrize("size", [64, 1000])
def test_a_batch_size_that_begins_at_no_such_image_is_refused_with_the_nearest_that_do(config, size):
    train(config, stop_after=7)
    said = rf"batch_size={size} .* no batch of it ends at the 112 images .* The nearest that do: 28, 56, 112\."
    with pytest.raises(ValueError, match=said):
        train(changed(config, batch_size=size), resume=True)


def test_other_learning_rates_are_those_of_the_next_step(config, monkeypatch):
    train(config, stop_after=7)
    rates, grow = [], TrainState.grow

    def watched(state, images_seen):
        rates.append([group["lr"] for group in state.generator_optimizer.optimizer.param_groups])
        grow(state, images_seen)

    monkeypatch.setattr(TrainState, "grow", watched)
    train(changed(config, learning_rate_generator=1e-5, decay_kimg=0.1), resume=True, stop_after=2)
    assert rates[1:] == [[1e-5], [1e-5]]


def test_intervals_and_names_change_without_a_word_in_the_card(config, capfd):
    train(config, stop_after=7)
    other = changed(config, log_kimg=0.128, checkpoint_kimg=0.2, keep_checkpoints=1, license="mit")
    train(other, resume=True)
    assert "log_kimg 0.064 → 0.128" in capfd.readouterr().out
    assert not [line for line in read_log(config.run_folder / "log.jsonl") if "note" in line]


def test_an_unchanged_run_says_nothing_of_changes(config, capfd):
    train(config, stop_after=7)
    train(config, resume=True)
    assert "changed since" not in capfd.readouterr().out


OTHER = {
    "architecture": ("mlp", {"generator": {}, "discriminator": {}, "conditional": True}),
    "channels": (3, {}),
    "conditional": (False, {}),
    "generator": ({"latent_size": 16}, {}),
    "loss": ("hinge", {}),
    "precision": ("bf16", {}),
    "seed": (1, {}),
    "r1_gamma": (2.0, {}),
    "flip": (True, {}),
    "discriminator_steps": (2, {}),
    "held_out": (500, {}),
}


@pytest.mark.parametrize("option", list(OTHER))
def test_what_would_be_another_run_is_refused_with_its_remedy(config, option, tmp_path):
    value, more = OTHER[option]
    now = changed(config, **{option: value} | more)
    with pytest.raises(
        ValueError, match=f"belongs to another configuration .*{option}: .* there, .* now.* another name="
    ) as said:
        refuse_other(tmp_path / "step-000000007", {"step": 7}, config, now)
    start = f"gan-hub export {config.run_folder}, then another name= with initial='{config.run_folder}/export'"
    fits = option not in ("architecture", "channels", "conditional", "generator")
    assert (start in str(said.value)) is fits


def test_every_option_says_itself_whether_it_may_change():
    """What a step is made of may not; the rest is either free, or a number that a step reads afresh."""
    weighing = {name for name in MAY_CHANGE if not FIELDS[name].metadata["free"]}
    assert weighing == {
        "batch_size", "total_kimg", "learning_rate_generator", "learning_rate_discriminator", "decay_kimg", "compile",
        "channels_last", "tf32",
    }  # fmt: skip
