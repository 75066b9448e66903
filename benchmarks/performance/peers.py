"""Generators and training steps of three authors' programs, run from clones in a folder; nothing of theirs is kept here.

    git clone https://github.com/pytorch/examples                      # 77f55b9
    git clone https://github.com/NVlabs/stylegan2-ada-pytorch          # d72cc7d
    git clone https://github.com/brownvc/R3GAN                         # 19a7ddf

A step is the update of both players as the authors' own code makes it, without their image loading.
"""

import ast
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import torch
from packaging.version import parse
from torch import nn

from gan_hub.images import height_width
from gan_hub.training.config import TrainConfig

CLONES = {"dcgan": "examples", "stylegan2": "stylegan2-ada-pytorch", "r3gan": "R3GAN"}
CPU = torch.device("cpu")
Step = Callable[[int], object]


def clone(peers: Path | None, game: str) -> Path | None:
    """The folder of a game's clone, where there is one."""
    folder = None if peers is None else peers / CLONES[game]
    return folder if folder is not None and folder.is_dir() else None


@contextlib.contextmanager
def modules_of(folder: Path) -> Iterator[None]:
    """Inside, a clone's modules can be imported; afterwards their names are free, for two clones use the same ones."""
    before = set(sys.modules)
    # R3GAN asks setuptools for this one function, which newer ones lack.
    sys.modules.setdefault("pkg_resources", cast(ModuleType, SimpleNamespace(parse_version=parse)))
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")) or name == "pkg_resources":
                del sys.modules[name]


def reals_of(config: TrainConfig) -> torch.Tensor:
    """A batch of random images (N, C, H, W) in [-1, 1]."""
    images = torch.randint(256, (config.batch_size, config.channels, *height_width(config.resolution)))
    return images / 127.5 - 1


# ----------------------------------------------------------------------------------------------------------- dcgan


def _dcgan_scope(folder: Path) -> tuple[dict[str, Any], list[ast.stmt]]:
    """The example's classes with the sizes of its own defaults, and its script."""
    body = ast.parse((folder / "dcgan" / "main.py").read_text(encoding="utf-8")).body
    scope: dict = {"torch": torch, "nn": nn, "ngpu": 1, "nz": 100, "ngf": 64, "ndf": 64, "nc": 3, "device": CPU}
    definitions: list[ast.stmt] = [part for part in body if isinstance(part, (ast.FunctionDef, ast.ClassDef))]
    exec(compile(ast.Module(definitions, []), "main.py", "exec"), scope)
    return scope, body


def dcgan_step(folder: Path, config: TrainConfig) -> Step:
    """The body of the example's own loop, cut out of its script, up to the generator's update."""
    scope, body = _dcgan_scope(folder)
    networks = {f"net{name[0]}": scope[name](1) for name in ("Generator", "Discriminator")}
    for name, network in networks.items():
        network.apply(scope["weights_init"])
        scope[f"optimizer{name[-1]}"] = torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
    scope |= networks | {"criterion": nn.BCELoss(), "real_label": 1, "fake_label": 0, "data": [reals_of(config)]}
    epochs = next(part for part in body if isinstance(part, ast.For))
    loop = next(part for part in epochs.body if isinstance(part, ast.For)).body
    last = next(place for place, part in enumerate(loop) if ast.unparse(part) == "optimizerG.step()")
    code = compile(ast.Module(loop[: last + 1], []), "main.py", "exec")
    return lambda number: exec(code, scope)


def dcgan_images(folder: Path) -> Callable[[int], torch.Tensor]:
    """The example's generator: a number of images → the images."""
    scope, _ = _dcgan_scope(folder)
    generator = scope["Generator"](1).eval()
    return lambda count: generator(torch.randn(count, 100, 1, 1))


# ------------------------------------------------------------------------------------------------------- stylegan2


def stylegan2_step(folder: Path, config: TrainConfig) -> Step:
    """Their networks at the recipe's widths, their loss, and the phases of their loop."""
    own, side = config.generator, config.resolution
    widths = {"channel_base": own["base_channels"] * side, "channel_max": own["max_channels"]}
    mapping = {"num_layers": own["mapping_layers"]}
    with modules_of(folder):
        from training.loss import StyleGAN2Loss  # type: ignore[import-not-found]
        from training.networks import Discriminator, Generator  # type: ignore[import-not-found]

        latent, w = own["latent_size"], own["w_size"]
        generator = Generator(latent, 0, w, side, 3, mapping_kwargs=mapping, synthesis_kwargs=widths).train()
        discriminator = Discriminator(0, side, 3, **widths).train()
    networks = generator.requires_grad_(False).mapping, generator.synthesis, discriminator.requires_grad_(False)
    loss = StyleGAN2Loss(CPU, *networks, style_mixing_prob=config.mixing, r1_gamma=config.r1_gamma)
    optimizers = {net: torch.optim.Adam(net.parameters(), 2.5e-3, (0.0, 0.99)) for net in (generator, discriminator)}
    phases = [
        ("Gmain", generator, 1),
        ("Greg", generator, config.path_length_interval),
        ("Dmain", discriminator, 1),
        ("Dreg", discriminator, config.penalty_interval),
    ]
    reals, none = reals_of(config), torch.zeros(config.batch_size, 0)

    def step(number: int) -> None:
        for phase, network, interval in phases:
            if number % interval == 0:
                optimizers[network].zero_grad(set_to_none=True)
                network.requires_grad_(True)
                z = torch.randn(config.batch_size, own["latent_size"])
                loss.accumulate_gradients(phase, reals, none, z, none, sync=True, gain=interval)
                network.requires_grad_(False)
                optimizers[network].step()

    return step


def stylegan2_images(folder: Path) -> Callable[[int], torch.Tensor]:
    """Their generator for 64 pixels: half the feature maps, eight mapping layers, 23.8 million weights."""
    widths = {"channel_base": 16384, "channel_max": 512}
    with modules_of(folder):
        from training.networks import Generator  # type: ignore[import-not-found]

        generator = Generator(512, 0, 512, 64, 3, mapping_kwargs={"num_layers": 8}, synthesis_kwargs=widths).eval()
    return lambda count: generator(torch.randn(count, 512), None, noise_mode="const")


# ----------------------------------------------------------------------------------------------------------- r3gan


def r3gan_step(folder: Path, config: TrainConfig) -> Step:
    """Their networks at the recipe's sizes, and both players' updates as their loop makes them."""
    with modules_of(folder):
        from R3GAN.Networks import Discriminator, Generator  # type: ignore[import-not-found]
        from R3GAN.Trainer import AdversarialTraining  # type: ignore[import-not-found]

    widths = [256, 256, 192, 96, 48]  # the recipe's at 4, 8, 16, 32 and 64 pixels
    groups, blocks, kernel = [2 * width // 16 for width in widths], [1] * 5, [1, 2, 1]
    generator = Generator(64, widths, groups, blocks, 2, ResamplingFilter=kernel).requires_grad_(False)
    discriminator = Discriminator(widths[::-1], groups[::-1], blocks, 2, ResamplingFilter=kernel).requires_grad_(False)
    game = AdversarialTraining(generator, discriminator)
    optimizers = {net: torch.optim.Adam(net.parameters(), 6e-4, (0.0, 0.99)) for net in (generator, discriminator)}
    reals = reals_of(config)

    def step(number: int) -> None:
        for network in (discriminator, generator):
            optimizers[network].zero_grad(set_to_none=True)
            network.requires_grad_(True)
            z = torch.randn(config.batch_size, 64)
            if network is discriminator:
                game.AccumulateDiscriminatorGradients(z, reals, None, config.r1_gamma)
            else:
                game.AccumulateGeneratorGradients(z, reals, None)
            network.requires_grad_(False)
            optimizers[network].step()

    return step


def r3gan_images(folder: Path) -> Callable[[int], torch.Tensor]:
    """Their generator at the sizes of their preset FFHQ-64, 22.4 million weights."""
    with modules_of(folder):
        from R3GAN.Networks import Generator  # type: ignore[import-not-found]

    generator = Generator(64, [768, 768, 768, 768, 384], [96, 96, 96, 96, 48], [2] * 5, 2).eval()
    return lambda count: generator(torch.randn(count, 64))


STEPS = {"dcgan": dcgan_step, "stylegan2": stylegan2_step, "r3gan": r3gan_step}
IMAGES = {"dcgan": dcgan_images, "stylegan2": stylegan2_images, "r3gan": r3gan_images}
