"""What a run notices by itself: numbers that are no longer numbers, before they reach a checkpoint."""

import pytest
import torch

from gan_hub import GANPipeline
from gan_hub.losses import ADVERSARIAL
from gan_hub.training import loop
from gan_hub.training.checkpoints import list_checkpoints, load_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.players import TENSOR_FILES, Players
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


NAN = float("nan")


@pytest.fixture
def poison(monkeypatch):
    """poison(what, player, at): in step `at` (from 1), a weight, gradient or loss of that player is NaN.

    Returns the list in which the run's players will be found.
    """

    def inject(what: str, player: str, at: int) -> list[Players]:
        found, set_pace = [], Players.set_pace
        game = ADVERSARIAL["non_saturating"]

        def counting(self, factor):
            set_pace(self, factor)
            found.append(self)
            network = self.bare_generator if player == "generator" else self.bare_discriminator
            parameter = next(network.parameters())
            if len(found) == at and what == "weight":
                with torch.no_grad():
                    parameter.view(-1)[0] = NAN
            if len(found) == at and what == "gradient":
                parameter.register_hook(lambda gradient: gradient * NAN)

        def spoilt(*logits, **options):
            value = getattr(game, player)(*logits, **options)
            return value * NAN if len(found) == at else value

        monkeypatch.setattr(Players, "set_pace", counting)
        if what == "loss":
            monkeypatch.setitem(ADVERSARIAL, "non_saturating", game._replace(**{player: spoilt}))
        return found

    return inject


@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize("what", ["loss", "gradient", "weight"])
def test_a_nan_is_seen_in_its_own_step_and_reaches_neither_average_nor_checkpoint(small_options, poison, what, player):
    config = TrainConfig(**small_options | {"log_kimg": 100.0, "sample_kimg": 100.0, "alarms": "off"})
    found = poison(what, player, 8)  # checkpoints at steps 6, 12, …
    with pytest.raises(ValueError, match=r"became nan at 0\.1 kimg; no checkpoint or average has it"):
        loop.train(config)
    assert len(found) == 8
    assert all(tensor.isfinite().all() for tensor in found[-1].ema.model.state_dict().values())
    (kept,) = list_checkpoints(config.run_folder / "checkpoints")
    assert kept.name == "step-000000006"
    for tensors in load_checkpoint(kept, TENSOR_FILES)[0].values():
        assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_the_penalty_is_logged_though_it_falls_between_the_lines(small_options):
    config = TrainConfig(**small_options | {"penalty_interval": 7})
    loop.train(config)
    lines = read_log(config.run_folder / "log.jsonl")
    assert ["penalty/r1" in line for line in lines if "loss/generator" in line] == [True] * 6


def test_a_resume_with_nothing_to_resume_starts_anew(small_options, capsys):
    assert loop.train(TrainConfig(**small_options), resume=True).is_dir()
    assert "nothing to resume" in capsys.readouterr().out
