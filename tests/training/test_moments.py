"""Training without an opponent, with dropout and with momentum: what the trainer does beyond a game of two Adams."""

import copy
from pathlib import Path

import pytest
import torch
import yaml

from gan_hub.hub.cards import check_card
from gan_hub.losses import MATCHING, mmd2
from gan_hub.models.layers import Perceptron
from gan_hub.pipeline import GANPipeline
from gan_hub.training import trainer as loop
from gan_hub.training.batches import Batches
from gan_hub.training.checkpoints import load_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.dry_run import preview
from gan_hub.training.monitors import ALARMS, Monitors
from gan_hub.training.recipes import flatten
from gan_hub.training.run_files import read_log
from tests.training.test_exact import newest, train
from tests.training.test_processes import TORCHRUN, launch

ALONE = {
    "architecture": "gmmn", "loss": "mmd", "generator": {"latent_size": 4, "hidden_size": 32}, "discriminator": {},
    "learning_rate_generator": 5e-3, "trackers": "none",
}  # fmt: skip
PERCEPTRONS = {
    "architecture": "mlp", "generator": {"latent_size": 8, "hidden_size": 16},
    "discriminator": {"hidden_size": 16, "pieces": 3, "dropout_percent": 50}, "trackers": "none",
}  # fmt: skip
MOMENTUM = {
    "optimizer_generator": "sgd", "optimizer_discriminator": "sgd", "momentum": 0.8,
    "learning_rate_generator": 0.05, "learning_rate_discriminator": 0.05, "r1_gamma": 0.0,
}  # fmt: skip


@pytest.fixture
def game(new_game):
    """game(options) → (state, batches, config) of a run that has not begun."""
    return lambda options: new_game(Batches, **options)


# --------------------------------------------------------------------------------- the loss, on points of the plane

BANDWIDTHS = [0.1, 0.3, 1.0]


def points(count: int, generator: torch.Generator) -> torch.Tensor:
    """(count, 2) of a mixture: a round cloud on the left, a long one on the right."""
    right = torch.rand(count, 1, generator=generator) < 0.5
    noise = torch.randn(count, 2, generator=generator)
    return torch.where(right, noise * torch.tensor([0.1, 0.5]) + 1, noise * 0.2 - 1)


def chance_of(fakes: torch.Tensor, reals: torch.Tensor, shuffles: int = 199) -> float:
    """The permutation test of Gretton et al. 2012: how often a random halving of all points differs as much, p."""
    everything, half = torch.cat([fakes, reals]), len(fakes)
    found, chance = mmd2(fakes, reals, BANDWIDTHS), torch.Generator().manual_seed(0)
    as_far = 0
    for _ in range(shuffles):
        order = torch.randperm(len(everything), generator=chance)
        as_far += mmd2(everything[order[:half]], everything[order[half:]], BANDWIDTHS) >= found
    return (int(as_far) + 1) / (shuffles + 1)


def test_a_generator_trained_on_the_discrepancy_cannot_be_told_from_held_out_data():
    torch.manual_seed(0)
    chance, generator = torch.Generator().manual_seed(0), Perceptron([2, 64, 64, 2])
    optimizer = torch.optim.Adam(generator.parameters(), 3e-3)
    reals, z = points(200, chance), torch.rand(200, 2, generator=chance) * 2 - 1
    with torch.no_grad():
        before = chance_of(generator(z), reals)
    for step in range(400):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, 2 - step / 200)
        optimizer.zero_grad()
        mmd2(generator(torch.rand(200, 2, generator=chance) * 2 - 1), points(200, chance), BANDWIDTHS).backward()
        optimizer.step()
    with torch.no_grad():
        after = chance_of(generator(z), reals)
    assert before == 1 / 200 and after > 0.05


# ------------------------------------------------------------------------------------------ a turn, and a whole run


@pytest.mark.parametrize("conditional", [False, True])
def test_a_generator_that_plays_alone_comes_nearer_to_the_data(game, conditional):
    state, batches, config = game(ALONE | {"conditional": conditional})
    assert state.discriminator is None and state.networks.keys() == state.optimizers.keys() == {"generator"}
    start = copy.deepcopy(state.unwrapped_generator)
    losses = []
    for step in range(40):
        metrics = loop.train_step(state, config, batches, step)
        losses.append(metrics["loss/generator"].item())
    assert metrics.keys() == {"loss/generator", "gradient/generator", "weights/generator"}
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert all(not torch.equal(a, b) for a, b in zip(start.parameters(), state.unwrapped_generator.parameters()))


def test_its_fakes_have_the_labels_of_the_reals_that_they_are_compared_with(game, monkeypatch):
    state, batches, config = game(ALONE)
    seen, loss = [], MATCHING["mmd"]
    monkeypatch.setitem(MATCHING, "mmd", lambda *given: seen.append(given) or loss(*given))
    loop.train_step(state, config, batches, 3)
    fakes, reals, (of_fakes, of_reals) = seen[0]
    expected, classes = batches.reals(3)
    assert torch.equal(reals, expected) and len(fakes) == len(reals)
    assert torch.equal(of_fakes, classes) and torch.equal(of_reals, classes)


def test_a_run_without_a_discriminator_is_exported_scored_and_says_so(small_options):
    config = TrainConfig(**small_options | ALONE)
    folder = loop.train(config)
    files = {path.name for path in folder.iterdir()}
    assert {"README.md", "generator", "model_index.json"} <= files and not {"discriminator", "judge.json"} & files
    card = (folder / "README.md").read_text()
    check_card(card)
    assert "without a discriminator" in card and "There is none: this generator had no opponent" in card
    assert "pipe.judge" not in card and "root MMD² (held out)" in card and "The judge knows" not in card
    pipeline = GANPipeline.from_pretrained(folder)
    assert pipeline.discriminator is None and pipeline(seeds=[0], labels=1).images[0].size == (28, 28)
    logged = {name for line in read_log(config.run_folder / "log.jsonl") for name in line}
    assert {"loss/generator", "gradient/generator", "diversity", "change/generator"} <= logged
    assert not [name for name in logged if "discriminator" in name or "logit" in name or "accuracy" in name]


def test_no_alarm_of_a_generator_that_plays_alone_speaks_of_a_discriminator():
    told = {"loss/generator": 0.3, "gradient/generator": 1.0, "diversity": 0.9, "change/generator": 0.1}
    collapsed, healthy = told | {"diversity": 0.0}, Monitors()
    for alone in (True, False):
        monitors = Monitors(alone=alone)
        said = " ".join(sentence for images in range(5) for sentence in monitors.observe(images, collapsed))
        assert said.startswith("mode collapse") and ("discriminator" in said) is not alone
    assert not [sentence for images in range(30) for sentence in healthy.observe(images, told)]
    possible = [
        alarm for name, alarm in ALARMS.items() if "discriminator" not in name and name != "imbalance, generator wins"
    ]
    for alarm in possible:
        remedy = alarm.alone or alarm.remedy
        assert not [word for word in ("discriminator", "r1_gamma", "augment") if word in remedy], remedy


# -------------------------------------------------------------------------------------------- resume, bit for bit


@pytest.mark.parametrize(
    "options",
    [ALONE, ALONE | {"precision": "bf16", "conditional": False}, PERCEPTRONS, PERCEPTRONS | MOMENTUM],
    ids=["alone", "alone, bf16", "dropout", "dropout, momentum"],
)
def test_a_run_stopped_anywhere_and_resumed_is_the_unbroken_one_bit_for_bit(small_options, options):
    options = small_options | {"timelapse_frames": 0, "sample_kimg": 10.0} | options
    unbroken, broken = (TrainConfig(**options | {"name": name}) for name in ("unbroken", "broken"))
    train(unbroken)
    train(broken, stop_after=7)
    train(broken, resume=True, stop_after=6)
    train(broken, resume=True)
    files = [path.stem for path in newest(unbroken).glob("*.safetensors")]
    assert ("discriminator" in files) == ("optimizer_discriminator" in files) == (options["architecture"] == "mlp")
    expected, found = (load_checkpoint(newest(config), tuple(files))[0] for config in (unbroken, broken))
    for file, content in expected.items():
        assert content.keys() == found[file].keys() and content
        for name, tensor in content.items():
            assert torch.equal(tensor, found[file][name]), f"{file}: {name}"
    if "momentum" in options:
        assert all(name.endswith("momentum_buffer") for name in expected["optimizer_generator"])


def test_what_networks_draw_themselves_differs_from_step_to_step_and_from_process_to_process(game):
    state, batches, config = game(PERCEPTRONS)
    drawn = {}
    for process, step in ((0, 0), (0, 1), (1, 0), (0, 0)):
        batches.process = process
        batches.seed_layers(step)
        drawn.setdefault((process, step), []).append(torch.rand(3).tolist())
    assert drawn[0, 0][0] == drawn[0, 0][1] and len({str(found[0]) for found in drawn.values()}) == 3


# ----------------------------------------------------------------------------------------------- several processes


def test_two_processes_compare_all_images_with_all_as_one_does(small_options, tmp_path):
    options = small_options | ALONE | {"precision": "fp64", "sample_kimg": 10.0, "timelapse_frames": 0}
    options |= {"optimizer_generator": "sgd", "learning_rate_generator": 0.5}  # to which a gradient's size matters
    one, two = (TrainConfig(**options | {"name": name}) for name in ("one", "two"))
    train(one)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(options | {"name": "two"}))
    done = launch([*TORCHRUN, str(Path(loop.__file__).parents[2] / "train.py"), str(tmp_path / "recipe.yaml")])
    assert done.returncode == 0 and "2 process(es)" in done.stdout, done.stderr
    single, double = (load_checkpoint(newest(config), ("generator",))[0]["generator"] for config in (one, two))
    assert all((tensor - double[name]).abs().max() <= 1e-12 for name, tensor in single.items())


# ------------------------------------------------------------------------------------------- momentum and options


def test_an_update_with_momentum_by_hand(game):
    state, batches, config = game(PERCEPTRONS | MOMENTUM | {"optimizer_generator": "adam"})
    assert isinstance(state.generator_optimizer.optimizer, torch.optim.Adam)
    optimizer, weight = state.discriminator_optimizer, next(state.unwrapped_discriminator.parameters())
    speed = torch.zeros_like(weight)
    for step in range(3):
        before = weight.detach().clone()
        optimizer.zero_grad()
        optimizer.step((weight * (step + 1)).sum())
        speed = 0.8 * speed + (step + 1)
        torch.testing.assert_close(weight.detach(), before - 0.05 * speed)
    state.set_lr_factor(0.5)
    assert optimizer.optimizer.param_groups[0]["lr"] == 0.025


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"loss": "mmd"},
            "loss='mmd' is not allowed with architecture='dcgan'; the loss mmd and the architecture gmmn",
        ),
        ({"architecture": "gmmn"}, "loss='non_saturating' is not allowed with architecture='gmmn'"),
        ({"momentum": 0.5}, "momentum=0.5 is not allowed without sgd; Adam's is beta1"),
        (ALONE | {"discriminator": {"base_channels": 4}}, "which has no discriminator"),
        (ALONE | {"r1_gamma": 1.0}, "r1_gamma=1.0 is not allowed with architecture='gmmn', which has no discriminator"),
        (ALONE | {"augment": "ada"}, "augment='ada' is not allowed with architecture='gmmn'"),
        (ALONE | {"instance_noise": 0.1, "instance_noise_kimg": 1.0}, "instance_noise=0.1 is not allowed"),
        (ALONE | {"discriminator_steps": 2}, "discriminator_steps=2 is not allowed"),
        (ALONE | {"mixing": 0.9}, "mixing=0.9 is not allowed with architecture='gmmn'"),
        (ALONE | {"generator": {"dropout": 1}}, "generator: config key 'dropout' is unknown"),
    ],
)
def test_options_that_would_do_nothing_are_refused(options, said):
    with pytest.raises(ValueError, match="not allowed|unknown") as error:
        TrainConfig(**options)
    assert said in str(error.value)


def test_options_of_a_game_of_two_are_let_pass_where_nobody_set_them():
    assert TrainConfig(**ALONE).r1_gamma == 0.5 and TrainConfig(**ALONE | {"r1_gamma": 0}).r1_gamma == 0
    assert TrainConfig(**flatten(yaml.safe_load(TrainConfig(**ALONE).to_yaml()))) == TrainConfig(**ALONE)


def test_a_dry_run_counts_the_parameters_of_one_player(small_options, capsys):
    preview(TrainConfig(**small_options | ALONE | {"conditional": False}))
    assert "parameters, discriminator 0; 0 classes" in capsys.readouterr().out
