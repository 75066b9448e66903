"""What a run notices by itself: numbers that are no longer numbers, before they reach a checkpoint."""

import pytest
import torch

from gan_hub import GANPipeline
from gan_hub.training import loop
from gan_hub.training.checkpoints import list_checkpoints
from gan_hub.training.config import TrainConfig
from gan_hub.training.players import Players
from gan_hub.training.records import read_log


def test_an_unconditional_run_on_labelled_data_ends_with_an_unconditional_model(small_options):
    folder = loop.train(TrainConfig(**small_options | {"conditional": False, "checkpoint_kimg": 100.0}))
    pipe = GANPipeline.from_pretrained(folder)
    assert pipe.label_names is None and len(pipe(seeds=[1, 2]).images) == 2
    with pytest.raises(ValueError, match="unconditional"):
        pipe(seeds=[1], labels=0)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_run_in_either_precision_publishes_float32_weights_that_moved(small_options, precision):
    folder = loop.train(TrainConfig(**small_options | {"precision": precision, "checkpoint_kimg": 100.0}))
    pipe = GANPipeline.from_pretrained(folder)
    assert pipe.generator.dtype == torch.float32
    torch.manual_seed(0)
    fresh = type(pipe.generator).from_config(pipe.generator.config)
    assert (pipe.generator.project.weight - fresh.project.weight).abs().max() > 1e-4
    assert GANPipeline.from_pretrained(folder, variant="fp16")(seeds=[1]).images


@pytest.fixture
def poison(monkeypatch):
    """After so many steps one weight of the discriminator is NaN, as after a step that diverged."""

    def after(steps: int) -> None:
        count, scale = [0], Players.scale_learning_rates

        def scale_and_poison(self, factor):
            scale(self, factor)
            count[0] += 1
            if count[0] == steps:
                with torch.no_grad():
                    self.bare_discriminator.score.bias.fill_(float("nan"))

        monkeypatch.setattr(Players, "scale_learning_rates", scale_and_poison)

    return after


def test_a_nan_ends_the_run_in_a_sentence_with_the_last_good_checkpoint_in_place(small_options, poison):
    config = TrainConfig(**small_options | {"log_kimg": 100.0, "sample_kimg": 100.0})  # checkpoints at steps 6, 12, …
    poison(8)
    with pytest.raises(ValueError, match="holds NaN or Inf after 0.2 kimg; no checkpoint was written"):
        loop.train(config)
    (kept,) = list_checkpoints(config.run_folder / "checkpoints")
    assert kept.name == "step-000000006"


def test_a_nan_loss_is_named_when_it_is_logged(small_options, poison):
    config = TrainConfig(**small_options)
    poison(3)
    with pytest.raises(ValueError, match="loss/discriminator became nan at 0.1 kimg"):
        loop.train(config)


def test_the_penalty_is_logged_though_it_falls_between_the_lines(small_options):
    config = TrainConfig(**small_options | {"r1_interval": 7})
    loop.train(config)
    lines = read_log(config.run_folder / "log.jsonl")
    assert ["penalty/r1" in line for line in lines if "loss/generator" in line] == [True] * 6


def test_a_resume_with_nothing_to_resume_starts_anew(small_options, capsys):
    assert loop.train(TrainConfig(**small_options), resume=True).is_dir()
    assert "nothing to resume" in capsys.readouterr().out
