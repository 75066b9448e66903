"""Images per CPU-second of one training step, DCGAN 64 × 64, batch 64: ours against the classic example's.

python benchmarks/dcgan_step.py [--rounds 7]        one thread; prints a table, writes nothing

Ours is the whole step of recipes/dcgan-64.yaml: batch from memory, both players, NaN check, running average. Theirs is the
loop that tutorials teach (float32, sigmoid and BCELoss, the discriminator not frozen), written here from its description,
without its image loading, on a batch at hand. Both play the same losses on networks of the same shapes. They take turns in
one process, so that a busy machine slows both; the ratio is the median of the rounds' ratios.
"""

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

from gan_hub.data import ImageSet
from gan_hub.training.batches import Batches
from gan_hub.training.config import TrainConfig
from gan_hub.training.diagnostics import hardware
from gan_hub.training.recipes import read_recipe
from gan_hub.training.train_state import TrainState
from gan_hub.training.trainer import make_accelerator, train_step

RECIPE = Path(__file__).parents[1] / "recipes" / "dcgan-64.yaml"
WIDTHS = (64, 128, 256, 512)


def classic_networks() -> tuple[nn.Module, nn.Module]:
    """Generator of z (N, 100, 1, 1) and discriminator ending in a sigmoid, as sequences of layers."""
    up: list[nn.Module] = []
    for inputs, outputs in zip((100, *WIDTHS[::-1]), WIDTHS[::-1]):
        first = inputs == 100
        up += [nn.ConvTranspose2d(inputs, outputs, 4, 1 if first else 2, 0 if first else 1, bias=False)]
        up += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    down: list[nn.Module] = []
    for inputs, outputs in zip((3, *WIDTHS), WIDTHS):
        norm = [] if inputs == 3 else [nn.BatchNorm2d(outputs)]
        down += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), *norm, nn.LeakyReLU(0.2, inplace=True)]
    generator = nn.Sequential(*up, nn.ConvTranspose2d(WIDTHS[0], 3, 4, 2, 1, bias=False), nn.Tanh())
    discriminator = nn.Sequential(*down, nn.Conv2d(WIDTHS[-1], 1, 4, 1, 0, bias=False), nn.Sigmoid(), nn.Flatten(0))
    return generator, discriminator


class Classic:
    """The step of the classic example: D on reals, D on fakes, then G through the same fakes."""

    def __init__(self, reals: torch.Tensor):
        torch.manual_seed(0)
        self.reals, self.loss = reals, nn.BCELoss()
        self.generator, self.discriminator = classic_networks()
        for network in (self.generator, self.discriminator):
            for module in network.modules():
                if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                    nn.init.normal_(module.weight, std=0.02)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
            for network in (self.generator, self.discriminator)
        ]

    def step(self) -> None:
        ones, zeros = torch.ones(len(self.reals)), torch.zeros(len(self.reals))
        of_generator, of_discriminator = self.optimizers
        of_discriminator.zero_grad()
        self.loss(self.discriminator(self.reals), ones).backward()
        fakes = self.generator(torch.randn(len(self.reals), 100, 1, 1))
        self.loss(self.discriminator(fakes.detach()), zeros).backward()
        of_discriminator.step()
        of_generator.zero_grad()
        self.loss(self.discriminator(fakes), ones).backward()
        of_generator.step()


class Ours:
    """The step of a run, from memory to the running average."""

    def __init__(self, config: TrainConfig, data: ImageSet):
        self.config, self.turn = config, 0
        accelerator = make_accelerator(config)
        self.state = TrainState(config, 0, accelerator)
        self.batches = Batches(data, config, self.state.latent_size, accelerator)

    def step(self) -> None:
        metrics = train_step(self.state, self.config, self.batches, self.turn)
        watched = torch.stack([value.double() for name, value in metrics.items() if name != "penalty/r1"])
        assert torch.isfinite(watched).all()
        self.state.ema.update(self.state.unwrapped_generator, self.config.batch_size, 64 * (self.turn + 1))
        self.turn += 1


def cpu_seconds(step, repeats: int) -> float:
    """CPU seconds of one step, the mean over `repeats`."""
    began = time.process_time()
    for _ in range(repeats):
        step()
    return (time.process_time() - began) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each; the median counts")
    parser.add_argument("--repeats", type=int, default=3, help="steps in a turn")
    given = parser.parse_args()
    torch.set_num_threads(1)

    images = np.random.default_rng(0).integers(0, 256, (640, 64, 64, 3)).astype(np.uint8)
    config = TrainConfig(**read_recipe(RECIPE) | {"output": tempfile.mkdtemp(), "trackers": "none", "device": "cpu"})
    data = ImageSet(images)
    contenders = {
        "classic example": Classic(torch.from_numpy(images[:64]).permute(0, 3, 1, 2).float() / 127.5 - 1),
        "the recipe": Ours(config, data),
        "the recipe with compile: true": Ours(replace(config, compile=True), data),
    }
    for name, contender in contenders.items():
        began = time.process_time()
        contender.step()
        contender.step()
        print(f"warm-up of {name}: {time.process_time() - began:.1f} CPU-s", flush=True)

    rounds = [
        {name: cpu_seconds(contender.step, given.repeats) for name, contender in contenders.items()}
        for _ in range(given.rounds)
    ]
    print(f"\nDCGAN 64 × 64, batch 64, {hardware(torch.device('cpu'))}, torch {torch.__version__}")
    print("| step | images per CPU-second | ratio to the classic example (smallest and largest round) |\n|---|---|---|")
    for name in contenders:
        ratios = [each["classic example"] / each[name] for each in rounds]
        speed = 64 / statistics.median(each[name] for each in rounds)
        print(f"| {name} | {speed:.0f} | {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f}) |")


if __name__ == "__main__":
    main()
