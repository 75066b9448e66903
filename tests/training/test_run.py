"""What a run notices by itself: numbers that are no longer numbers, before they reach a checkpoint."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from gan_hub import GANPipeline
from gan_hub.losses import ADVERSARIAL
from gan_hub.metrics.features import SmallClassifier
from gan_hub.training import trainer
from gan_hub.training.checkpoints import list_checkpoints, load_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.monitors import Monitors
from gan_hub.training.run_files import read_log
from gan_hub.training.stopping import StoppedError
from gan_hub.training.train_state import TENSOR_FILES, ScaledOptimizer, TrainState


def test_an_unconditional_run_on_labelled_data_ends_with_an_unconditional_model(small_options):
    folder = trainer.train(TrainConfig(**small_options | {"conditional": False, "checkpoint_kimg": 100.0}))
    pipe = GANPipeline.from_pretrained(folder)
    assert pipe.label_names is None and len(pipe(seeds=[1, 2]).images) == 2
    with pytest.raises(ValueError, match="unconditional"):
        pipe(seeds=[1], labels=0)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_run_in_either_precision_publishes_float32_weights_that_moved(small_options, precision):
    folder = trainer.train(TrainConfig(**small_options | {"precision": precision, "checkpoint_kimg": 100.0}))
    pipe = GANPipeline.from_pretrained(folder)
    assert pipe.generator.dtype == torch.float32
    torch.manual_seed(0)
    fresh = type(pipe.generator).from_config(pipe.generator.config)
    assert (pipe.generator.project.weight - fresh.project.weight).abs().max() > 1e-4
    assert GANPipeline.from_pretrained(folder, variant="fp16")(seeds=[1]).images


X86 = {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}


@pytest.mark.parametrize(
    "cpu, emulated",
    [
        (X86, True),
        (X86 | {"avx512_bf16": True}, False),
        (X86 | {"amx_bf16": True}, False),
        ({"architecture": "aarch64"}, False),  # nobody has measured it
        ({}, False),  # a torch that does not tell
    ],
)
def test_only_an_x86_cpu_without_its_instructions_is_said_to_emulate_bf16(cpu, emulated):
    assert trainer.emulates_bf16(cpu) == emulated


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_run_in_bf16_says_where_the_cpu_has_no_arithmetic_for_it(small_options, monkeypatch, capsys, precision):
    monkeypatch.setattr(trainer, "CPU", X86)
    trainer.train(TrainConfig(**small_options | {"precision": precision, "checkpoint_kimg": 100.0}))
    assert ("choose precision fp32" in capsys.readouterr().out) == (precision == "bf16")


NAN = float("nan")


@pytest.fixture
def poison(monkeypatch):
    """poison(what, player, at): in step `at` (from 1), a weight, gradient, loss or update of that player is NaN.

    Returns the list in which the run's players will be found.
    """

    def inject(what: str, player: str, at: int) -> list[TrainState]:
        found, set_pace, step = [], TrainState.set_lr_factor, ScaledOptimizer.step
        game = ADVERSARIAL["non_saturating"]

        def counting(self, factor):
            set_pace(self, factor)
            found.append(self)
            network = self.unwrapped_generator if player == "generator" else self.unwrapped_discriminator
            parameter = next(network.parameters())
            if len(found) == at and what == "weight":
                with torch.no_grad():
                    parameter.view(-1)[0] = NAN
            if len(found) == at and what == "gradient":
                parameter.register_hook(lambda gradient: gradient * NAN)

        def ruined(self, loss):
            norm = step(self, loss)
            if len(found) == at and self is getattr(found[-1], f"{player}_optimizer"):
                with torch.no_grad():
                    self.parameters[0].view(-1)[0] = NAN
            return norm

        def spoilt(*logits, **options):
            value = getattr(game, player)(*logits, **options)
            return value * NAN if len(found) == at else value

        monkeypatch.setattr(TrainState, "set_lr_factor", counting)
        if what == "update":
            monkeypatch.setattr(ScaledOptimizer, "step", ruined)
        if what == "loss":
            monkeypatch.setitem(ADVERSARIAL, "non_saturating", game._replace(**{player: spoilt}))
        return found

    return inject


@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize("what", ["loss", "gradient", "weight", "update"])
def test_a_nan_is_seen_in_its_own_step_and_reaches_neither_average_nor_checkpoint(small_options, poison, what, player):
    config = TrainConfig(**small_options | {"log_kimg": 100.0, "sample_kimg": 100.0, "alarms": "off"})
    found = poison(what, player, 8)  # checkpoints at steps 6, 12, …
    first = {
        ("weight", "generator"): "loss/discriminator",  # its fakes are NaN, and so is everything after them
        ("weight", "discriminator"): "loss/discriminator",
        ("update", "generator"): "weights/generator",
        ("update", "discriminator"): "loss/generator",
    }.get((what, player), f"{what}/{player}")
    with pytest.raises(ValueError, match=rf"^{first} became nan at 0\.1 kimg; no checkpoint or average has it"):
        trainer.train(config)
    assert len(found) == 8
    assert all(tensor.isfinite().all() for tensor in found[-1].ema.model.state_dict().values())
    (kept,) = list_checkpoints(config.run_folder / "checkpoints")
    assert kept.name == "step-000000006"
    for tensors in load_checkpoint(kept, TENSOR_FILES)[0].values():
        assert all(tensor.isfinite().all() for tensor in tensors.values())


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize(
    "where, named",
    [
        ("average", "project.weight of ema"),
        ("buffer of the average", r"norms\.\S+running_mean of ema"),
        ("buffer", r"norms\.\S+running_mean of generator"),
        ("moment", r"0\.exp_avg_sq of optimizer_discriminator"),
        ("measure", r"watched\.latest\.diversity"),
    ],
)
def test_a_nan_in_the_average_or_a_buffer_is_not_checkpointed_and_no_good_checkpoint_is_pruned(
    small_options, monkeypatch, where, named, resumed
):
    options = small_options | {"log_kimg": 100.0, "sample_kimg": 100.0, "alarms": "off", "trackers": "none"}
    config = TrainConfig(**options | {"generator": {"latent_size": 8, "base_channels": 4}, "keep_checkpoints": 1})
    save = trainer.Trainer.save

    def spoilt(run, folder, step):
        average, network = run.state.ema.model, run.state.unwrapped_generator
        optimizer = run.state.discriminator_optimizer.optimizer
        if step >= 12:
            place = {
                "average": lambda: average.project.weight,
                "buffer of the average": lambda: running_mean(average),
                "buffer": lambda: running_mean(network),
                "moment": lambda: next(iter(optimizer.state.values()))["exp_avg_sq"],
            }
            if where == "measure":
                run.main.diagnostics.diversity = lambda network: NAN
            else:
                with torch.no_grad():
                    place[where]().view(-1)[0] = NAN
        save(run, folder, step)

    monkeypatch.setattr(trainer.Trainer, "save", spoilt)
    with pytest.raises(ValueError, match=rf"^{named} is NaN after step 12: no checkpoint has it, the last one is from"):
        trainer.train(config)
    monkeypatch.undo()
    (kept,) = list_checkpoints(config.run_folder / "checkpoints")
    assert kept.name == "step-000000006"
    if resumed:
        AcceleratorState._reset_state(reset_partial_state=True)
        assert trainer.train(config, resume=True).is_dir()


def running_mean(network: torch.nn.Module) -> torch.Tensor:
    return next(tensor for name, tensor in network.named_buffers() if name.endswith("running_mean"))


def test_the_log_holds_means_over_the_steps_since_the_monitors_looked_last(small_options, monkeypatch):
    config, played, play = TrainConfig(**small_options | {"trackers": "none"}), [], trainer.train_step
    monkeypatch.setattr(trainer, "train_step", lambda *args: played.append(play(*args)) or played[-1])
    trainer.train(config)
    lines = [line for line in read_log(config.run_folder / "log.jsonl") if "loss/generator" in line]
    assert [line["images"] for line in lines] == [64, 128, 192, 256, 320, 384]
    for index, line in enumerate(lines):
        for name in ("loss/discriminator", "gradient/generator", "accuracy/pairs"):
            mean = sum(metrics[name].item() for metrics in played[4 * index : 4 * index + 4]) / 4
            assert line[name] == pytest.approx(mean, rel=1e-4)


def test_a_signal_during_a_score_gives_up_the_score_and_saves(small_options, monkeypatch):
    config = TrainConfig(**small_options | {"extractor": "digits", "evaluate_kimg": 0.16, "evaluate_images": 1500})
    chunks, features = [], SmallClassifier.features

    def interrupted(self, images):
        chunks.append(len(images))
        if len(chunks) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return features(self, images)

    monkeypatch.setattr(SmallClassifier, "features", interrupted)
    with pytest.raises(StoppedError, match=r"stopped at 0\.2 kimg; its state is saved"):
        trainer.train(config)
    assert len(chunks) < 8  # not the 14 of 300 real and 1,500 drawn images, in chunks of at most 250
    assert list_checkpoints(config.run_folder / "checkpoints")[-1].name == "step-000000010"
    assert not any("score/FD-digits" in line for line in read_log(config.run_folder / "log.jsonl"))


def train_until_a_signal_cuts_a_score_short(config: TrainConfig, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        features = SmallClassifier.features
        patch.setattr(
            SmallClassifier, "features", lambda *arguments: os.kill(os.getpid(), signal.SIGTERM) or features(*arguments)
        )
        with pytest.raises(StoppedError):
            trainer.train(config)


def test_a_score_that_a_signal_cut_short_is_measured_after_the_resume(small_options, monkeypatch):
    options = {"extractor": "digits", "evaluate_kimg": 0.16, "evaluate_images": 300, "total_kimg": 0.24}
    config = TrainConfig(**small_options | options)
    train_until_a_signal_cuts_a_score_short(config, monkeypatch)
    AcceleratorState._reset_state(reset_partial_state=True)
    trainer.train(config, resume=True)
    lines = read_log(config.run_folder / "log.jsonl")
    assert [line["images"] for line in lines if "score/FD-digits" in line] == [160, 240]


def test_a_score_that_a_signal_cut_short_is_given_up_where_the_run_goes_on_without_scores(small_options, monkeypatch):
    config = TrainConfig(**small_options | {"extractor": "digits", "evaluate_kimg": 0.16, "evaluate_images": 300})
    train_until_a_signal_cuts_a_score_short(config, monkeypatch)
    monkeypatch.setattr(trainer, "finish", lambda run: run.config.run_folder)
    trainer.train(TrainConfig(**vars(config) | {"extractor": "none"}), resume=True)
    assert not any("score/FD-digits" in line for line in read_log(config.run_folder / "log.jsonl"))
    newest = list_checkpoints(config.run_folder / "checkpoints")[-1]
    assert newest.name == "step-000000024"


def test_copies_are_looked_for_at_every_sample_whenever_the_monitors_look(small_options, monkeypatch):
    told, observe = [], Monitors.observe
    monkeypatch.setattr(Monitors, "observe", lambda *given: told.append(given[1:]) or observe(*given))
    trainer.train(TrainConfig(**small_options | {"sample_kimg": 0.112, "log_kimg": 100.0, "checkpoint_kimg": 100.0}))
    assert [images // 16 for images, values in told if "memorised" in values] == [7, 14, 21, 24]


def test_too_few_images_to_hold_out_are_refused_before_the_run(small_options, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "few.npz", images=rng.integers(0, 256, (8, 28, 28)).astype(np.uint8))
    with pytest.raises(
        ValueError, match="1 image\\(s\\) are held out for the judge, of 7 to train on; it needs 4 or more"
    ):
        trainer.train(TrainConfig(**small_options | {"data": str(tmp_path / "few.npz"), "conditional": False}))


def test_the_penalty_is_logged_though_it_falls_between_the_lines(small_options):
    config = TrainConfig(**small_options | {"penalty_interval": 7})
    trainer.train(config)
    lines = read_log(config.run_folder / "log.jsonl")
    assert ["penalty/r1" in line for line in lines if "loss/generator" in line] == [True] * 6


def test_a_resume_with_nothing_to_resume_starts_anew(small_options, capsys):
    assert trainer.train(TrainConfig(**small_options), resume=True).is_dir()
    assert "nothing to resume" in capsys.readouterr().out


BROKEN = {
    "a generator that does not move": ({"learning_rate_generator": 0.0}, "generator does not move"),
    "a discriminator that does not move": ({"learning_rate_discriminator": 0.0}, "discriminator does not move"),
}


@pytest.mark.parametrize("how", list(BROKEN))
def test_a_broken_game_is_named_within_200_steps_and_can_end_the_run(small_options, how, capsys):
    options, said = BROKEN[how]
    options = (
        small_options | options | {"total_kimg": 16.0, "sample_kimg": 16.0, "checkpoint_kimg": 1.6, "alarms": "stop"}
    )
    config = TrainConfig(**options)
    with pytest.raises(ValueError, match=f"stopped by an alarm: .*{said}.*alarms=warn goes on"):
        trainer.train(config)
    lines = read_log(config.run_folder / "log.jsonl")
    (alarm,) = [line for line in lines if "alarm" in line][:1]
    assert alarm["images"] <= 200 * config.batch_size and said in alarm["alarm"]
    assert "warning at" in capsys.readouterr().out
    assert [path.name for path in list_checkpoints(config.run_folder / "checkpoints")] == ["step-000000100"]


def test_a_healthy_run_raises_no_alarm_and_its_card_says_so(small_options):
    folder = trainer.train(
        TrainConfig(**small_options | {"total_kimg": 3.2, "checkpoint_kimg": 3.2, "sample_kimg": 3.2})
    )
    assert not [line for line in read_log(folder.parent / "log.jsonl") if "alarm" in line]
    card = (folder / "README.md").read_text()
    assert "raised no alarm" in card and "](timelapse.webp)" in card


def test_alarms_that_are_off_are_not_raised(small_options):
    options = {
        "learning_rate_generator": 0.0,
        "total_kimg": 3.2,
        "checkpoint_kimg": 3.2,
        "sample_kimg": 3.2,
        "alarms": "off",
    }
    folder = trainer.train(TrainConfig(**small_options | options))
    assert not [line for line in read_log(folder.parent / "log.jsonl") if "alarm" in line]
    assert "The monitors were off." in (folder / "README.md").read_text()


def test_a_run_under_another_default_dtype_is_refused_before_it_costs_anything(small_options):
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(ValueError, match="torch's default dtype is torch.float64; a run needs float32"):
            trainer.train(TrainConfig(**small_options))
    finally:
        torch.set_default_dtype(torch.float32)
    assert not (Path(small_options["output"]) / "small").exists()
