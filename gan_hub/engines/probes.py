"""A few images that an engine is compared and timed by: seeds, classes or maps, with truncation and without.

Shapes: N images, Z latent size, K classes, H × W resolution.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import nn

from gan_hub import latents
from gan_hub.images import height_width
from gan_hub.models import GANModel
from gan_hub.models.mixins import SegmentationConditional, StyleBased

PROBES = 12  # seeds at most, each with and without truncation
LEAST = 3  # seeds that are always compared
TRUNCATION = 0.5
HALF_RANGE = 127.5  # levels of 255 in 1 of images in [-1, 1]


class Probes(NamedTuple):
    """Latents (N, Z) and their classes (N,) or maps (N, H, W), None without."""

    z: torch.Tensor
    condition: torch.Tensor | None

    def batch(self, size: int) -> tuple[torch.Tensor, ...]:
        """`size` latents with their condition, the probes over and over."""
        rows = torch.arange(size, device=self.z.device) % len(self.z)
        return (self.z[rows],) if self.condition is None else (self.z[rows], self.condition[rows])


def probes_of(generator: GANModel, examples: torch.Tensor | None, device: torch.device) -> Probes:
    """The probes of a generator.

    Args:
        generator: the generator.
        examples: maps (M, H, W) to draw from, for a generator that does; made up where there are none.
        device: where it is.

    Returns:
        PROBES latents, each with a class or a map of its own as far as there are as many.
    """
    z = latents.sample(range(PROBES), generator.config["latent_size"])
    condition, places = None, torch.arange(PROBES, device="cpu")
    if isinstance(generator, SegmentationConditional):
        if examples is None:
            size, classes = height_width(generator.config["resolution"]), generator.config["semantic_classes"]
            examples = torch.randint(0, classes, (PROBES, *size), generator=latents.seeded(0), device="cpu")
        condition = examples[places % len(examples)].long()
    elif generator.config["num_classes"]:
        condition = places % generator.config["num_classes"]
    return Probes(z.to(device, generator.dtype), None if condition is None else condition.to(device))


def drawn(network: Any, batch: tuple[torch.Tensor, ...], truncation: float, by_style: bool) -> torch.Tensor:
    """Draw a batch of probes.

    Args:
        network: a generator, or what takes its place.
        batch: latents (N, Z), and classes or maps where it takes them.
        truncation: from 1 to 0.
        by_style: whether w is truncated and drawn from, instead of z.

    Returns:
        Images (N, C, H, W), float32, clipped to [-1, 1].
    """
    if by_style:
        images = network.synthesize(network.map(*batch, truncation=truncation))
    else:
        images = network(latents.truncate(batch[0], truncation), *batch[1:])
    return images.float().clamp(-1, 1)


def largest_differences(
    plain: nn.Module, others: dict[str, Any], probes: Probes, batch_size: int, seconds: float
) -> tuple[dict[str, float], dict[str, str]]:
    """How far each network's images are from the plain one's.

    Plain draws one at a time, as it promises its pictures; the others so and in batches, whose last is another size.

    Args:
        plain: the generator in eval mode.
        others: networks by the names of their engines.
        probes: what to draw.
        batch_size: images at a time, up to the number of probes.
        seconds: after so long, no more than LEAST seeds are drawn.

    Returns:
        Levels of 255 by name, the worst of all numbers of all images; and of those that failed the reason by name.
    """
    worst, failed = dict.fromkeys(others, 0.0), {}
    by_style, began = isinstance(plain, StyleBased), time.monotonic()
    ways = [(psi, False) for psi in (1.0, TRUNCATION)] + [(TRUNCATION, True)] * by_style
    for row in range(len(probes.z)):
        if row >= LEAST and time.monotonic() - began > seconds:
            break
        one = tuple(part[row : row + 1] for part in probes if part is not None)
        for psi, styled in ways:
            expected = drawn(plain, one, psi, styled)
            for name, network in others.items():
                _compare(name, worst, failed, lambda: drawn(network, one, psi, styled), expected)  # noqa: B023
    many = min(batch_size, len(probes.z)) if batch_size > 1 else 2
    batch = probes.batch(many)
    expected = torch.cat(
        [drawn(plain, tuple(part[row : row + 1] for part in batch), 1.0, False) for row in range(many)]
    )
    for name, network in others.items():
        _compare(name, worst, failed, lambda: drawn(network, batch, 1.0, False), expected)  # noqa: B023
    return {name: value for name, value in worst.items() if name not in failed}, failed


def _compare(
    name: str,
    worst: dict[str, float],
    failed: dict[str, str],
    draw: Callable[[], torch.Tensor],
    expected: torch.Tensor,
) -> None:
    """Note the difference of one network's images, or why there are none."""
    if name in failed:
        return
    try:
        images = draw()
    except Exception as error:  # whatever a library says of an operator that it cannot compute
        failed[name] = f"fails on this network ({first_line(error)})"
        return
    if images.shape != expected.shape or not torch.isfinite(images).all():
        failed[name] = "draws no images of this network's shape"
        return
    worst[name] = max(worst[name], cast(float, (images - expected).abs().max().item()) * HALF_RANGE)


def first_line(error: Exception) -> str:
    """The beginning of what an error says."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:120]
