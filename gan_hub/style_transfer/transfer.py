"""The optimisation: from content or noise to a picture with the content's features and the style's Gram matrices.

Shapes: N is 1, C channels, H, W. Pictures are RGB in [-1, 1].
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from gan_hub.devices import find_device
from gan_hub.images import from_uint8, normalize_pil, to_pil
from gan_hub.latents import as_float, as_int, check_seeds, seeded
from gan_hub.messages import short_repr
from gan_hub.style_transfer.features import FeatureNetwork
from gan_hub.style_transfer.losses import content_loss, gram_matrix, style_loss, total_variation
from gan_hub.style_transfer.weights import load_features

SMALLEST, LARGEST = 32, 2048  # pixels of a side: less has no room for the pools, more none in memory
MOST_STEPS = 100_000
STARTS = ("content", "noise")
# One evaluation a step: L-BFGS without a line search, whose first step is short and whose later ones know the scale.
OPTIMIZERS: dict[str, Callable[[list[torch.Tensor]], torch.optim.Optimizer]] = {
    "lbfgs": lambda image: torch.optim.LBFGS(
        image, lr=1, max_iter=1, history_size=20, tolerance_grad=0, tolerance_change=0
    ),
    "adam": lambda image: torch.optim.Adam(image, lr=0.03),  # about 4 of 255 levels a step
}


@dataclass(frozen=True)
class Losses:
    """What one picture costs: the weighted sum, and each term before its weight."""

    total: float
    content: float
    style: float
    variation: float


@dataclass(frozen=True)
class StyleTransfer:
    """A finished picture, how it came about, and in whose features."""

    image: Image.Image
    history: list[Losses]  # before each step; the last entry is the finished picture's
    features: str
    note: str  # what to expect of these features


def style_transfer(
    content: Image.Image,
    style: Image.Image,
    *,
    features: FeatureNetwork | str | os.PathLike = "fashion",
    content_weight: float = 1.0,
    style_weight: float = 100.0,
    variation_weight: float = 1.0,
    steps: int = 300,
    optimizer: str = "lbfgs",
    size: int = 256,
    start: str = "content",
    seed: int = 0,
    content_layers: Sequence[str] | None = None,
    style_layers: Sequence[str] | None = None,
    progress: Callable[[int, Losses], None] | None = None,
    device: str | torch.device = "cpu",
) -> StyleTransfer:
    """The content of one picture in the style of another (Gatys et al. 2016).

    `features`: see `load_features`; the default ships with the project, needs no network, and shows little of a style.
    `size`: pixels of the longer side of both pictures; their proportions stay. `steps`: evaluations of the losses and
    their gradient. `start`: the content itself, or noise that depends on `seed` alone. Layers: by default the
    network's own. `progress` is called before each step with its number, from 0, and the losses.
    Raises ValueError for anything that is not allowed, LoadError for bad weights, ArithmeticError for a picture that
    ran away to NaN or Inf.
    """
    weights = {"content": content_weight, "style": style_weight, "variation": variation_weight}
    weights, steps, size = _checked(weights, steps, optimizer, size, start)
    (seed,), device = check_seeds([seed]), find_device(device)
    pixels, style_pixels = to_pixels("content", content, size), to_pixels("style", style, size)
    network = features if isinstance(features, FeatureNetwork) else load_features(features)
    network = network.to(device)
    objective = Objective(network, pixels.to(device), style_pixels.to(device), weights, content_layers, style_layers)

    image = (pixels.clone() if start == "content" else noise(pixels.shape, seed)).to(device).requires_grad_()
    history = descend(OPTIMIZERS[optimizer]([image]), objective, image, steps, progress)
    (finished,) = to_pil(image)
    with torch.no_grad():
        history.append(objective(to_pixels("result", finished, size).to(device))[1])
    return StyleTransfer(finished, history, network.name, network.note)


def _checked(
    weights: Mapping[str, object], steps: object, optimizer: object, size: object, start: object
) -> tuple[dict[str, float], int, int]:
    """(weights, steps, size) as plain numbers, whatever kind of number they were given as; raises ValueError for others."""
    numbers = {name: as_float(weight) for name, weight in weights.items()}
    for name, weight in numbers.items():
        if weight is None or not 0 <= weight < math.inf:  # "not", so that NaN is caught as well
            raise ValueError(f"{name}_weight={short_repr(weights[name])} is not allowed; it is a number from 0.")
    if not any(numbers.values()):
        raise ValueError("all three weights are 0; at least one is more, or there is nothing to do.")
    counts = []
    for name, value, least, most in (("steps", steps, 1, MOST_STEPS), ("size", size, SMALLEST, LARGEST)):
        counts.append(as_int(value))
        if counts[-1] is None or not least <= counts[-1] <= most:
            raise ValueError(f"{name}={short_repr(value)} is not allowed; it is a whole number from {least} to {most}.")
    for name, value, allowed in (("optimizer", optimizer, tuple(OPTIMIZERS)), ("start", start, STARTS)):
        if value not in allowed:
            raise ValueError(f"{name}={short_repr(value)} is not allowed; choose one of {', '.join(allowed)}.")
    return numbers, *counts


def to_pixels(name: str, image: Image.Image, size: int) -> torch.Tensor:
    """A picture whose longer side becomes `size` pixels, (1, 3, H, W) in [-1, 1]. Raises ValueError for a thin one."""
    if not isinstance(image, Image.Image):
        raise ValueError(f"{name} is a PIL image, not {type(image).__name__}.")
    image = normalize_pil(image, 3)
    scale = size / max(image.size)
    width, height = (round(side * scale) for side in image.size)
    if min(width, height) < SMALLEST:
        raise ValueError(
            f"{name} would be {width} × {height} pixels; each side needs {SMALLEST}, so take a larger size."
        )
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return from_uint8(np.asarray(image)[None])


def noise(shape: Sequence[int], seed: int) -> torch.Tensor:
    """White noise in [-1, 1], drawn on the CPU, so that every device starts from the same."""
    return torch.rand(shape, generator=seeded(seed), dtype=torch.float32) * 2 - 1


class Objective:
    """What a picture costs: weighted content, style and variation, against the features of the two given pictures."""

    def __init__(
        self,
        network: FeatureNetwork,
        content: torch.Tensor,
        style: torch.Tensor,
        weights: Mapping[str, float],
        content_layers: Sequence[str] | None = None,
        style_layers: Sequence[str] | None = None,
    ):
        """`content` and `style`: pictures (1, 3, H, W). `weights`: those of content, style and variation."""
        self.network, self.weights = network, weights
        self.content_layers = network.content_layers if content_layers is None else tuple(content_layers)
        self.style_layers = network.style_layers if style_layers is None else tuple(style_layers)
        for name, layers in (("content_layers", self.content_layers), ("style_layers", self.style_layers)):
            if not layers:
                raise ValueError(f"{name} is empty; choose from {', '.join(network.layers)}.")
        with torch.no_grad():
            self.features = network(content, self.content_layers)
            outputs = network(style, self.style_layers)
        self.grams = [gram_matrix(outputs[layer]) for layer in self.style_layers]

    def __call__(self, image: torch.Tensor) -> tuple[torch.Tensor, Losses]:
        """Image (1, 3, H, W) → the weighted sum, to be differentiated, and as numbers that and each term."""
        outputs = self.network(image, (*self.content_layers, *self.style_layers))
        contents = [content_loss(outputs[layer], self.features[layer]) for layer in self.content_layers]
        terms = {
            "content": torch.stack(contents).mean(),
            "style": style_loss([gram_matrix(outputs[layer]) for layer in self.style_layers], self.grams),
            "variation": total_variation(image),
        }
        total = sum(self.weights[name] * term for name, term in terms.items())
        return total, Losses(total.item(), **{name: term.item() for name, term in terms.items()})


def descend(
    optimizer: torch.optim.Optimizer,
    objective: Objective,
    image: torch.Tensor,
    steps: int,
    progress: Callable[[int, Losses], None] | None = None,
) -> list[Losses]:
    """Changes `image` in place, one evaluation a step, and keeps it in [-1, 1]; returns the losses before each step.

    Raises ArithmeticError where the losses become NaN or Inf.
    """
    history: list[Losses] = []

    def evaluate() -> torch.Tensor:
        total, losses = objective(image)
        if not math.isfinite(losses.total):
            raise ArithmeticError(f"the picture ran away at step {len(history)}; take smaller weights, or adam.")
        history.append(losses)
        if progress is not None:
            progress(len(history) - 1, losses)
        (image.grad,) = torch.autograd.grad(total, image)  # of the image alone: the network's weights stay untouched
        return total

    for _ in range(steps):
        optimizer.step(evaluate)
        with torch.no_grad():
            image.clamp_(-1, 1)  # here and not at the end, where it would cost as much as many steps have won
    return history
