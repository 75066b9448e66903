"""The optimization: from content or noise to an image with the content's features and the style's Gram matrices.

Shapes: N is 1, C channels, H, W. Images are RGB in [-1, 1].
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
from gan_hub.style_transfer.feature_networks import FeatureNetwork
from gan_hub.style_transfer.losses import content_loss, gram_matrix, style_loss, total_variation
from gan_hub.style_transfer.weights import load_features

MIN_SIDE, MAX_SIDE = 32, 2048  # pixels: a smaller image has no room for the pools, a larger one none in memory
MAX_STEPS = 100_000
STARTS = ("content", "noise")
# One evaluation a step: L-BFGS without a line search. Its first step is short; later ones know the scale.
OPTIMIZERS: dict[str, Callable[[list[torch.Tensor]], torch.optim.Optimizer]] = {
    "lbfgs": lambda image: torch.optim.LBFGS(
        image, lr=1, max_iter=1, history_size=20, tolerance_grad=0, tolerance_change=0
    ),
    "adam": lambda image: torch.optim.Adam(image, lr=0.03),  # about 4 of 255 levels a step
}


@dataclass(frozen=True)
class Losses:
    """The losses of one image: the weighted sum, and each term before its weight.

    Example:
        >>> from gan_hub.style_transfer import Losses
        >>> losses = Losses(total=3.5, content=1.5, style=0.02, variation=0.0)  # weights 1, 100, 1
        >>> losses.total == losses.content + 100 * losses.style + losses.variation
        True
    """

    total: float
    content: float
    style: float
    variation: float


@dataclass(frozen=True)
class StyleTransfer:
    """The result of a style transfer.

    Args:
        image: the finished image, RGB.
        history: the losses before each step; the last entry is that of the finished image.
        features: name of the feature network.
        note: what to expect of these features.

    Example:
        >>> from PIL import Image
        >>> from gan_hub.style_transfer import style_transfer
        >>> content, style = Image.linear_gradient("L"), Image.radial_gradient("L")
        >>> result = style_transfer(content, style, size=32, steps=2)
        >>> result.image.size, len(result.history), result.features
        ((32, 32), 3, 'squeezenet1.0')
    """

    image: Image.Image
    history: list[Losses]
    features: str
    note: str


def style_transfer(
    content: Image.Image,
    style: Image.Image,
    *,
    features: FeatureNetwork | str | os.PathLike[str] = "squeezenet",
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
    """Render the content of one image in the style of another (Gatys et al. 2016).

    Args:
        content, style: images of any size and mode.
        features: a network, or what `load_features` takes. The default comes with the package and was trained on
            photographs.
        content_weight, style_weight, variation_weight: from 0; only their ratios matter.
        steps: evaluations of the losses and their gradient, 1 to 100,000.
        optimizer: "lbfgs" or "adam".
        size: pixels of the longer side of both images, 32 to 2048; their proportions stay.
        start: "content", or "noise" that depends on `seed` alone.
        seed: of the noise.
        content_layers, style_layers: layers that are compared; by default the network's own choice.
        progress: called before each step with its number, from 0, and the losses.
        device: where it is computed.

    Returns:
        The image, and the losses on the way.

    Raises:
        ValueError: an argument is not allowed.
        LoadError: the weights of the features cannot be used.
        ArithmeticError: the losses became NaN or Inf.
    """
    weights = {"content": content_weight, "style": style_weight, "variation": variation_weight}
    checked_weights, steps, size = _check_options(weights, steps, optimizer, size, start)
    (seed,), device = check_seeds([seed]), find_device(device)
    content_image, style_image = to_tensor("content", content, size), to_tensor("style", style, size)
    network = features if isinstance(features, FeatureNetwork) else load_features(features)
    network = network.to(device)
    objective = Objective(
        network, content_image.to(device), style_image.to(device), checked_weights, content_layers, style_layers
    )

    image = content_image.clone() if start == "content" else noise(content_image.shape, seed)
    image = image.to(device).requires_grad_()
    history = optimize(OPTIMIZERS[optimizer]([image]), objective, image, steps, progress)
    (finished,) = to_pil(image)
    with torch.no_grad():
        history.append(objective(to_tensor("result", finished, size).to(device))[1])
    return StyleTransfer(finished, history, network.name, network.note)


def _check_options(
    weights: Mapping[str, object], steps: object, optimizer: object, size: object, start: object
) -> tuple[dict[str, float], int, int]:
    """(weights, steps, size) as plain numbers, from any kind of number; raises ValueError for what is not allowed."""
    numbers = {name: _check_weight(name, weight) for name, weight in weights.items()}
    if not any(numbers.values()):
        raise ValueError("all three weights are 0; at least one is more, or there is nothing to do.")
    counts = _check_count("steps", steps, 1, MAX_STEPS), _check_count("size", size, MIN_SIDE, MAX_SIDE)
    for name, value, allowed in (("optimizer", optimizer, tuple(OPTIMIZERS)), ("start", start, STARTS)):
        if value not in allowed:
            raise ValueError(f"{name}={short_repr(value)} is not allowed; choose one of {', '.join(allowed)}.")
    return numbers, *counts


def _check_weight(name: str, value: object) -> float:
    weight = as_float(value)
    if weight is None or not 0 <= weight < math.inf:  # "not", so that NaN is caught as well
        raise ValueError(f"{name}_weight={short_repr(value)} is not allowed; it is a number from 0.")
    return weight


def _check_count(name: str, value: object, least: int, most: int) -> int:
    count = as_int(value)
    if count is None or not least <= count <= most:
        raise ValueError(f"{name}={short_repr(value)} is not allowed; it is a whole number from {least} to {most}.")
    return count


def to_tensor(name: str, image: Image.Image, size: int) -> torch.Tensor:
    """Resize an image and convert it to a tensor; its proportions stay.

    Args:
        name: what the image is, for messages.
        image: a PIL image of any size and mode.
        size: pixels of its longer side.

    Returns:
        float32 (1, 3, H, W) in [-1, 1].

    Raises:
        ValueError: no PIL image, or one so thin that its shorter side would have less than 32 pixels.
    """
    if not isinstance(image, Image.Image):
        raise ValueError(f"{name} is a PIL image, not {type(image).__name__}.")
    image = normalize_pil(image, 3)
    scale = size / max(image.size)
    width, height = (round(side * scale) for side in image.size)
    if min(width, height) < MIN_SIDE:
        raise ValueError(
            f"{name} would be {width} × {height} pixels; each side needs {MIN_SIDE}, so take a larger size."
        )
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return from_uint8(np.asarray(image)[None])


def noise(shape: Sequence[int], seed: int) -> torch.Tensor:
    """White noise in [-1, 1], drawn on the CPU, so that every device starts from the same image."""
    return torch.rand(shape, generator=seeded(seed), dtype=torch.float32) * 2 - 1


class Objective:
    """The weighted sum of content, style and variation losses, against the features of the content and style images.

    Args:
        network: gives the features.
        content, style: images (1, 3, H, W) in [-1, 1].
        weights: those of "content", "style" and "variation".
        content_layers, style_layers: layers that are compared; by default the network's own choice.
    """

    def __init__(
        self,
        network: FeatureNetwork,
        content: torch.Tensor,
        style: torch.Tensor,
        weights: Mapping[str, float],
        content_layers: Sequence[str] | None = None,
        style_layers: Sequence[str] | None = None,
    ) -> None:
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
        """Image (1, 3, H, W) → (the weighted sum, to be differentiated; it and each term as numbers)."""
        outputs = self.network(image, (*self.content_layers, *self.style_layers))
        contents = [content_loss(outputs[layer], self.features[layer]) for layer in self.content_layers]
        content = torch.stack(contents).mean()
        style = style_loss([gram_matrix(outputs[layer]) for layer in self.style_layers], self.grams)
        variation = total_variation(image)
        weights = self.weights
        total = weights["content"] * content + weights["style"] * style + weights["variation"] * variation
        return total, Losses(total.item(), content.item(), style.item(), variation.item())


def optimize(
    optimizer: torch.optim.Optimizer,
    objective: Objective,
    image: torch.Tensor,
    steps: int,
    progress: Callable[[int, Losses], None] | None = None,
) -> list[Losses]:
    """Optimize `image` in place, one evaluation a step, and keep it in [-1, 1].

    Args:
        optimizer: of the image alone.
        objective: the loss.
        image: (1, 3, H, W), a leaf that requires its gradient.
        steps: evaluations of the loss and its gradient.
        progress: called before each step with its number, from 0, and the losses.

    Returns:
        The losses before each step.

    Raises:
        ArithmeticError: the losses became NaN or Inf.
    """
    history: list[Losses] = []

    def evaluate() -> float:
        total, losses = objective(image)
        if not math.isfinite(losses.total):
            raise ArithmeticError(
                f"the losses became NaN or Inf at step {len(history)}; take smaller weights, or adam."
            )
        history.append(losses)
        if progress is not None:
            progress(len(history) - 1, losses)
        (image.grad,) = torch.autograd.grad(total, image)  # of the image alone: the network's weights stay untouched
        return losses.total

    for _ in range(steps):
        optimizer.step(evaluate)
        with torch.no_grad():
            image.clamp_(-1, 1)  # after each step: clamping at the end alone loses what many steps have gained
    return history
