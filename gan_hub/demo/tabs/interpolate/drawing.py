"""The frames of a walk: latents between keyframes, in z or w, with one class or map, or those of the keyframes blended.

Shapes: K keyframes, N frames, Z latent size, C classes, H × W pixels.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from PIL import Image

from gan_hub.demo import models
from gan_hub.latents import INTERPOLATIONS, interpolate
from gan_hub.models.mixins import StyleBased
from gan_hub.pipeline import GANOutput, GANPipeline

IN_W = "w"  # the path through the space behind a mapping network


@dataclass(frozen=True)
class Plan:
    """What a walk is.

    Attributes:
        seeds: its keyframes.
        mode: a name of INTERPOLATIONS, or IN_W.
        frames: how many pictures.
        is_loop: whether it returns to the first keyframe, which is not shown twice.
        easing: as in `latents.interpolate`.
        label: the class of all frames; None for those of the keyframes.
        is_blended: without a label, whether each keyframe has its own class or map, blended on the way; if not, all frames
            have the first one's.
    """

    seeds: list[int]
    mode: str
    frames: int
    is_loop: bool
    easing: str
    label: str | None
    is_blended: bool

    @property
    def stops(self) -> list[int]:
        """The places of the keyframes in the order of the walk: 0, 1, …, K − 1, and 0 again for a loop."""
        return [*range(len(self.seeds)), *([0] if self.is_loop else [])]

    def frame_of(self, stop: int) -> int:
        """The frame that is nearest to a keyframe."""
        return round(stop * (self.frames - 1 + self.is_loop) / (len(self.stops) - 1))

    def along(self, keyframes: torch.Tensor, mode: str) -> torch.Tensor:
        """Rows (K, …) at the keyframes → rows (N, …) at the frames."""
        path = interpolate(keyframes.flatten(1)[self.stops], self.frames + self.is_loop, mode, self.easing)
        return path[: self.frames].unflatten(1, keyframes.shape[1:])


@dataclass(frozen=True)
class Walk:
    """What was drawn: frames, uint8 (N, H, W, C), and each keyframe's picture and class."""

    frames: np.ndarray
    keyframes: list[Image.Image]
    classes: list[str | None]


def modes(pipe: GANPipeline) -> list[str]:
    """The paths that a model has."""
    return [*INTERPOLATIONS, *([IN_W] if isinstance(pipe.unwrapped_generator, StyleBased) else [])]


def condition(pipe: GANPipeline) -> str | None:
    """What pictures of a model differ in beside their latents: "class", "map", or None."""
    return "class" if pipe.label_names else "map" if pipe.segmentations is not None else None


def draw(pipe: GANPipeline, plan: Plan) -> Walk:
    """Draw the frames of a walk. Where a frame meets a keyframe, it is that picture."""
    out = pipe(seeds=plan.seeds, labels=plan.label)
    if not plan.is_blended and plan.label is None and condition(pipe):
        name = models.drawn_classes(pipe, out)[0]
        out = pipe(seeds=plan.seeds, labels=name, segmentation=models.first_map(out))
    return Walk(_frames(pipe, plan, out), models.pil_images(out), models.drawn_classes(pipe, out))


def _frames(pipe: GANPipeline, plan: Plan, out: GANOutput) -> np.ndarray:
    if plan.mode == IN_W:
        ws = plan.along(pipe.map(out.latents, out.labels), "lerp")
        return cast(np.ndarray, pipe.synthesize(ws, output_type="np"))
    z = plan.along(out.latents, plan.mode)
    if out.segmentations is not None:
        return _across_maps(pipe, z, plan.along(torch.eye(len(plan.seeds)), "lerp"), out.segmentations)
    if out.labels is None or len(set(out.labels)) == 1:
        return cast(np.ndarray, pipe(latents=z, labels=out.labels and out.labels[0], output_type="np").images)
    planes = torch.nn.functional.one_hot(torch.tensor(out.labels), len(pipe.label_names or ())).float()
    return cast(np.ndarray, pipe(latents=z, labels=plan.along(planes, "lerp"), output_type="np").images)


def _across_maps(pipe: GANPipeline, z: torch.Tensor, shares: torch.Tensor, maps: torch.Tensor) -> np.ndarray:
    """Each latent (N, Z) drawn from the maps (K, H, W) in which it has a share (N, K), and these pictures cross-faded."""
    kinds, kind_of = torch.unique(maps.flatten(1), dim=0, return_inverse=True)
    faded: np.ndarray | None = None
    for kind in range(len(kinds)):
        share = shares[:, kind_of == kind].sum(1)
        rows = share > 0
        if not rows.any():
            continue
        segmentation = kinds[kind].unflatten(0, maps.shape[1:])
        images = np.asarray(pipe(latents=z[rows], segmentation=segmentation, output_type="np").images, np.float32)
        if faded is None:
            faded = np.zeros((len(z), *images.shape[1:]), np.float32)
        faded[rows.numpy()] += share[rows].numpy()[:, None, None, None] * images
    return np.asarray(faded).round().astype(np.uint8)


def distances(frames: np.ndarray, is_loop: bool) -> list[float]:
    """The mean absolute difference of a pixel's channels from each frame to the next, in grey levels of 255.

    Args:
        frames: uint8 (N, H, W, C).
        is_loop: whether the first frame follows the last.

    Returns:
        N values for a loop, else N − 1.
    """
    values = frames.astype(np.int16)
    steps = np.abs(np.roll(values, -1, axis=0) - values).mean(axis=tuple(range(1, values.ndim)))
    return steps.tolist() if is_loop else steps[:-1].tolist()
