"""The search for the latent of an image: from the best of many random ones, by Adam, with a falling rate and falling noise.

Rate and noise fall as in StyleGAN2's projection (Karras et al. 2020, appendix D); the objective is theirs with the features of
SqueezeNet and with pixels beside them. The noise maps of a network stay as they are: what is found is a latent alone, which
the pipeline draws.

Shapes: N candidates, Z latent size, L rows of w, W size of w, C channels, H × W.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from PIL import Image

from gan_hub.images import from_uint8, to_pil
from gan_hub.inversion.distance import Distance
from gan_hub.inversion.spaces import Space, space_of
from gan_hub.latents import as_int, check_seeds, seeded
from gan_hub.messages import short_repr
from gan_hub.pipeline import GANPipeline
from gan_hub.pipeline.inputs import ImagesIn, as_pixels, label_indices
from gan_hub.pipeline.optimized import plain_twin

MAX_STEPS, MAX_CANDIDATES, MAX_STARTS = 10_000, 4096, 64
RATE = 0.1  # of Adam, at its highest, per deviation of the space
RAMP_UP, RAMP_DOWN = 0.05, 0.25  # shares of the steps in which the rate rises, and falls by a cosine
NOISE, NOISE_UNTIL = 0.05, 0.75  # of the space's deviation at first, and the share of the steps at which it is gone
PRIOR_WEIGHT = 0.1
BATCH = 16  # candidates drawn at a time


@dataclass(frozen=True)
class Inversion:
    """The best latent that a search has come across.

    Attributes:
        step, steps: how far the search is.
        space: "z", "w" or "w+".
        latents: z (1, Z), which `pipe(latents=)` draws; or w (1, L, W), which `pipe.synthesize` draws. Float32, on the CPU.
        label: index of the class; None for an unconditional model.
        image: what the pipeline draws of it.
        target: the given image as the model would draw it: cropped and resized.
        levels: the mean absolute difference between both, in levels of 255.
        perceptual: their distance by the features of SqueezeNet, see `Distance`.
        history: (step, levels, perceptual) of the best image at that step.

    Example:
        >>> from gan_hub import GANPipeline
        >>> from gan_hub.inversion import invert
        >>> pipe = GANPipeline.from_pretrained("dcgan-mnist")
        >>> result = invert(pipe, pipe(seeds=[7]).images[0], steps=30)
        >>> result.levels < result.history[0][1]
        True
        >>> pipe(latents=result.latents, labels=result.label).images[0].size
        (28, 28)
    """

    step: int
    steps: int
    space: str
    latents: torch.Tensor
    label: int | None
    image: Image.Image
    target: Image.Image
    levels: float
    perceptual: float
    history: list[tuple[int, float, float]]


def invert(
    pipe: GANPipeline,
    image: ImagesIn,
    *,
    space: str | None = None,
    label: str | int | None = None,
    steps: int = 200,
    seed: int = 0,
    candidates: int = 64,
    starts: int = 4,
    callback: Callable[[Inversion], None] | None = None,
) -> Inversion:
    """Find the latent whose image comes nearest to an image.

    The pipeline's weights and modes stay as they are, and an engine that draws for it is passed over.

    Args:
        pipe: the model's pipeline.
        image: one image: PIL of any size, which is cropped and resized as for training; uint8 (1, H, W, C); or float
            (1, C, H, W) in [-1, 1].
        space: "z"; for style-based models also "w", one style for all layers, which is their default, and "w+", a style for
            each, which comes nearer and can be edited less.
        label: the class by name or index; without, that of the best candidates.
        steps: of Adam, 1 to 10,000.
        seed: of the candidates and the noise; the same seed finds the same on one machine.
        candidates: random latents to begin with, 1 to 4,096.
        starts: how many of them are followed side by side, 1 to 64; the best at the end counts.
        callback: called every tenth step with the best so far.

    Returns:
        What was found; its image is no worse than that of the best candidate.

    Raises:
        ValueError: for anything that is not allowed.
    """
    options = {"space": space, "label": label, "steps": steps, "seed": seed}
    result = None
    for result in search(pipe, image, **options, candidates=candidates, starts=starts):
        if callback is not None:
            callback(result)
    assert result is not None  # a search begins with a result
    return result


def search(
    pipe: GANPipeline,
    image: ImagesIn,
    *,
    space: str | None = None,
    label: str | int | None = None,
    steps: int = 200,
    seed: int = 0,
    candidates: int = 64,
    starts: int = 4,
    every: int = 10,
) -> Iterator[Inversion]:
    """As `invert`, step by step: a loop over it may show each result, and end at any time.

    Args:
        pipe, image, space, label, steps, seed, candidates, starts: as in `invert`.
        every: steps between results.

    Returns:
        An iterator over the best so far: of the candidates, after every so many steps, and at the end.

    Raises:
        ValueError: for anything that is not allowed, at once.
    """
    steps = _count("steps", steps, MAX_STEPS)
    candidates, starts = _count("candidates", candidates, MAX_CANDIDATES), _count("starts", starts, MAX_STARTS)
    every, (seed,) = _count("every", every, MAX_STEPS), check_seeds([seed])
    plain = plain_twin(pipe)
    place = space_of(plain, space)
    target = _target(plain, image)
    randomness = seeded(seed)
    # The first row would be the latent of the seed itself: an image of that seed would be found without any search.
    z = torch.randn(candidates + 1, plain.latent_size, generator=randomness, dtype=torch.float32, device="cpu")[1:]
    labels = _labels(plain, label, candidates)
    return _Search(plain, place, target, steps, randomness).run(z, labels, min(starts, candidates), every)


def _count(name: str, value: object, most: int) -> int:
    count = as_int(value)
    if count is None or not 1 <= count <= most:
        raise ValueError(f"{name}={short_repr(value)} is not allowed; it is a whole number from 1 to {most:,}.")
    return count


def _target(pipe: GANPipeline, image: ImagesIn) -> torch.Tensor:
    """The image as float (1, C, H, W) on the CPU; raises ValueError for none, several, and one that cannot be decoded."""
    try:
        pixels = as_pixels(image, pipe.unwrapped_generator.config)
    except OSError as error:
        raise ValueError(f"the image cannot be decoded: {error}.") from error
    if len(pixels) != 1:
        raise ValueError(f"{len(pixels)} images are given; one is found at a time.")
    return pixels


def _labels(pipe: GANPipeline, label: str | int | None, count: int) -> torch.Tensor | None:
    """The class of each candidate: the given one, or all in turn; None for an unconditional model."""
    names = pipe.label_names
    if label is None and names is not None:
        return torch.arange(count) % len(names)
    return label_indices(label, torch.empty(count, 1), names)


class _Search:
    """One search: its target, where it looks, and the best that it has come across."""

    def __init__(
        self, pipe: GANPipeline, space: Space, target: torch.Tensor, steps: int, randomness: torch.Generator
    ) -> None:
        device = next(pipe.unwrapped_generator.parameters()).device
        self.pipe, self.space, self.steps, self.randomness = pipe, space, steps, randomness
        self.target = target.to(device)
        self.distance = Distance(self.target)
        self.best: Inversion | None = None
        self.best_objective = math.inf
        self.history: list[tuple[int, float, float]] = []

    def run(self, z: torch.Tensor, labels: torch.Tensor | None, starts: int, every: int) -> Iterator[Inversion]:
        """Results from the candidates z (N, Z) on."""
        chosen = self._objectives(z, labels).argsort()[:starts]
        labels = None if labels is None else labels[chosen]
        points = self.space.start(z[chosen], labels).to(self.target).requires_grad_()
        optimizer = torch.optim.Adam([points], lr=RATE)
        yield self._result(0, points, labels, 0)
        for step in range(1, self.steps + 1):
            best = self._step(step - 1, points, labels, optimizer)
            if step % every == 0 or step == self.steps:
                yield self._result(step, points, labels, best)

    @torch.no_grad()
    def _objectives(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """What is minimized (N,), of the candidates."""
        values = []
        for rows in torch.arange(len(z)).split(BATCH):
            classes = None if labels is None else labels[rows]
            images = self.space.draw(self.space.start(z[rows], classes).to(self.target), classes)
            values.append(self.distance.objective(images.clamp(-1, 1)))
        return torch.cat(values).cpu()

    @torch.enable_grad()
    def _step(
        self, step: int, points: torch.Tensor, labels: torch.Tensor | None, optimizer: torch.optim.Optimizer
    ) -> int:
        """Move all points (N, …) a step; the index of the best of them."""
        share = step / self.steps
        rise = min(1.0, (step + 1) / max(1.0, RAMP_UP * self.steps))
        fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - share) / RAMP_DOWN))
        optimizer.param_groups[0]["lr"] = RATE * self.space.scale * rise * fall
        amount = NOISE * self.space.scale * max(0.0, 1 - share / NOISE_UNTIL) ** 2
        noise = torch.randn(points.shape, generator=self.randomness, dtype=torch.float32, device="cpu").to(points)
        images = self.space.draw(points + amount * noise, labels)
        objectives = self.distance.objective(images)
        total = (objectives + PRIOR_WEIGHT * self.space.prior(points)).sum()
        (points.grad,) = torch.autograd.grad(total, points)  # of the points alone: the weights stay untouched
        optimizer.step()
        return int(objectives.argmin())

    @torch.no_grad()
    def _result(self, step: int, points: torch.Tensor, labels: torch.Tensor | None, index: int) -> Inversion:
        """The best so far, as the pipeline draws it."""
        row = points[index : index + 1].detach().clone().cpu().float()  # the next step changes the points in place
        label = None if labels is None else int(labels[index])
        drawn: Any
        if self.space.name == "z":
            drawn = self.pipe(latents=row, labels=label, output_type="np").images
        else:
            rows = cast(int, self.pipe.unwrapped_generator.rows)
            row = row.expand(-1, rows, -1).contiguous()
            drawn = self.pipe.synthesize(row, output_type="np")
        pixels = from_uint8(drawn).to(self.target)
        levels, perceptual = (value.item() for value in self.distance(pixels))
        objective = self.distance.objective(pixels).item()
        if self.best is None or objective < self.best_objective:
            (image,), (target,) = to_pil(drawn), to_pil(self.target)
            self.best_objective = objective
            self.best = Inversion(step, self.steps, self.space.name, row, label, image, target, levels, perceptual, [])
        best = self.best
        self.history.append((step, best.levels, best.perceptual))
        return Inversion(**{**vars(best), "step": step, "history": list(self.history)})
