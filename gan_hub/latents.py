"""Latent space: seeds → z, walks between latents, arithmetic, neighbours, truncation.

Shapes: N latents, Z latent size, L rows of w, W size of w. `sample` gives float32 on the CPU; the other functions keep dtype
and device.
"""

import itertools
import operator
from collections.abc import Sequence
from typing import SupportsIndex, cast

import numpy as np
import torch

from gan_hub.seeds import MAX_SEED

SEEDS_LIKE = ("torch", "numpy", "uniform")


def check_seeds(seeds: Sequence[int], most: int | None = None) -> list[int]:
    """The seeds as a list of ints in 0 … 2**32 - 1; raises ValueError for anything else, bools included.

    With `most`, also for more seeds than that, even from an endless iterable.
    """
    try:
        seeds = list(itertools.islice(seeds, None if most is None else most + 1))
    except TypeError:
        raise ValueError(f"seeds={seeds!r} is not allowed; it is a list, as in seeds=[3, 14].") from None
    if most is not None and len(seeds) > most:
        raise ValueError(f"more than {most:,} seeds are not allowed at a time.")
    checked = []
    for seed in seeds:
        value = as_int(seed)
        if value is None or not 0 <= value <= MAX_SEED:
            raise ValueError(f"seed {seed!r} is not allowed; seeds are whole numbers from 0 to {MAX_SEED}.")
        checked.append(value)
    return checked


def format_seeds(numbers: Sequence[int]) -> str:
    """[0, 1, 2, 3, 14] → "0-3, 14": seeds as text, three or more in a row as a range."""
    runs: list[list[int]] = []
    for seed in numbers:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def as_int(value: object) -> int | None:
    """A Python, numpy or torch whole number as an int; None for anything else, bools and 3.0 included."""
    if isinstance(value, (bool, np.bool_)) or getattr(value, "dtype", None) is torch.bool:
        return None
    try:
        return operator.index(cast(SupportsIndex, value))
    except TypeError:
        return None


def as_float(value: object) -> float | None:
    """A Python, numpy or 0-d torch real number as a float; None for anything else, bools included."""
    integer = as_int(value)
    if integer is not None:
        return float(integer)
    item = value.item() if isinstance(value, (np.generic, np.ndarray, torch.Tensor)) and value.ndim == 0 else value
    return item if isinstance(item, float) else None


def seeded(seed: int) -> torch.Generator:
    """A CPU generator seeded with any kind of whole number; raises ValueError for anything else."""
    (seed,) = check_seeds([seed])
    return torch.Generator("cpu").manual_seed(seed)


def check_seeds_like(seeds_like: object) -> str:
    """Which library's random numbers seeds stand for; raises ValueError for any but "torch" and "numpy"."""
    if not isinstance(seeds_like, str) or seeds_like not in SEEDS_LIKE:
        raise ValueError(f"seeds_like is {seeds_like!r}; allowed: {', '.join(map(repr, SEEDS_LIKE))}.")
    return seeds_like


def sample(seeds: Sequence[int], latent_size: int, seeds_like: str = "torch") -> torch.Tensor:
    """z ~ N(0, 1), one generator a seed, so that row i depends on `seeds[i]` alone.

    Args:
        seeds: whole numbers from 0 to 2**32 − 1.
        latent_size: Z.
        seeds_like: "numpy" takes numpy's RandomState(seed).randn(Z), as NVIDIA's programs do: a seed is their image.
            "uniform" takes torch's numbers, evenly from −1 to 1, for networks that were trained on such.

    Returns:
        z (N, Z), float32 on the CPU, whatever torch's default dtype and device are.

    Raises:
        ValueError: for seeds that are not allowed.
    """
    seeds = check_seeds(seeds)
    if check_seeds_like(seeds_like) == "numpy":
        rows = [np.random.RandomState(seed).randn(latent_size) for seed in seeds]
        return torch.from_numpy(np.asarray(rows, np.float32).reshape(len(seeds), latent_size))
    z, generator = torch.empty(len(seeds), latent_size, dtype=torch.float32, device="cpu"), torch.Generator("cpu")
    for row, seed in enumerate(seeds):  # to iterate over z would make a tensor for each row, all at once
        generator.manual_seed(seed)
        if seeds_like == "uniform":
            z[row].uniform_(-1, 1, generator=generator)
        else:
            z[row].normal_(generator=generator)
    return z


def lerp(a: torch.Tensor, b: torch.Tensor, t: float) -> torch.Tensor:
    """A point on the straight line between two latents.

    Args:
        a, b: Tensors of equal shape (…, Z).
        t: 0 gives exactly a, 1 exactly b.

    Returns:
        The point, (…, Z).
    """
    return torch.lerp(a, b, float(t))


def slerp(a: torch.Tensor, b: torch.Tensor, t: float) -> torch.Tensor:
    """A point on the arc between two latents: the direction turns at constant speed, the norm changes linearly.

    Shoemake 1985; Gaussian latents live near a sphere (White 2016, arXiv 1609.04468). Nearly parallel and zero vectors are
    interpolated by `lerp`, opposite ones through a fixed direction at right angles.

    Args:
        a, b: Tensors of equal shape (…, Z).
        t: 0 gives exactly a, 1 exactly b.

    Returns:
        The point, (…, Z).
    """
    t = float(t)
    if t == 0.0:
        return a.clone()
    if t == 1.0:
        return b.clone()
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    tiny = torch.finfo(a.dtype).tiny
    unit_a, unit_b = a / norm_a.clamp_min(tiny), b / norm_b.clamp_min(tiny)

    cosine = (unit_a * unit_b).sum(-1, keepdim=True)
    across = unit_b - cosine * unit_a  # the part of b at right angles to a; its length is the sine
    sine = across.norm(dim=-1, keepdim=True)
    degenerate = sine < 1e-4
    across = torch.where(degenerate, _right_angle(unit_a), across / sine.clamp_min(tiny))
    angle = torch.atan2(torch.where(degenerate, torch.zeros_like(sine), sine), cosine)

    arc = torch.cos(t * angle) * unit_a + torch.sin(t * angle) * across
    arc = arc / arc.norm(dim=-1, keepdim=True).clamp_min(tiny) * torch.lerp(norm_a, norm_b, t)
    return torch.where((degenerate & (cosine >= 0)) | (norm_a == 0) | (norm_b == 0), torch.lerp(a, b, t), arc)


def _right_angle(unit: torch.Tensor) -> torch.Tensor:
    """For each unit vector (…, Z) a unit vector at right angles: the axis it leans on least, made orthogonal."""
    axis = torch.zeros_like(unit).scatter_(-1, unit.abs().argmin(-1, keepdim=True), 1.0)
    axis = axis - (axis * unit).sum(-1, keepdim=True) * unit
    return axis / axis.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(unit.dtype).tiny)


INTERPOLATIONS = {"slerp": slerp, "lerp": lerp}


EASINGS = ("linear", "smooth")


def ease(t: float, easing: str) -> float:
    """How far a walk has come at time t of a part of it, both from 0 to 1: "linear", or "smooth", which starts and stops gently.

    "smooth" is 3 t² − 2 t³, whose speed is 0 at both ends. Raises ValueError for another easing.
    """
    if easing not in EASINGS:
        raise ValueError(f"easing {easing!r} is not allowed; choose one of {', '.join(EASINGS)}.")
    return t if easing == "linear" else t * t * (3 - 2 * t)


def interpolate(keyframes: torch.Tensor, frames: int, mode: str = "slerp", easing: str = "linear") -> torch.Tensor:
    """A walk through keyframes, evenly spaced, both ends hit exactly.

    Args:
        keyframes: (K, Z), two or more.
        frames: Latents of the walk, two or more.
        mode: "slerp" or "lerp".
        easing: "linear" keeps its speed, "smooth" slows down at each keyframe (`ease`).

    Returns:
        Latents (frames, Z).

    Raises:
        ValueError: for fewer keyframes or frames, and for another mode or easing.
    """
    if keyframes.ndim != 2 or len(keyframes) < 2:
        raise ValueError(f"at least two keyframes of shape (K, Z) are needed, given {tuple(keyframes.shape)}.")
    count = as_int(frames)
    if count is None or count < 2:
        raise ValueError(f"frames={frames!r} is not allowed; a walk has a whole number of frames, at least 2.")
    if mode not in INTERPOLATIONS:
        raise ValueError(f"mode {mode!r} is not allowed; choose one of {', '.join(INTERPOLATIONS)}.")
    segments = len(keyframes) - 1
    walk = []
    for frame in range(count):
        segment, rest = divmod(frame * segments, count - 1)  # whole numbers: keyframes are met without rounding
        if segment == segments:
            segment, rest = segments - 1, count - 1
        walk.append(INTERPOLATIONS[mode](keyframes[segment], keyframes[segment + 1], ease(rest / (count - 1), easing)))
    return torch.stack(walk)


def arithmetic(plus: torch.Tensor, minus: torch.Tensor, then_plus: torch.Tensor) -> torch.Tensor:
    """mean(plus) − mean(minus) + mean(then_plus).

    Radford et al. 2016 (arXiv 1511.06434), section 6.3.2: single exemplars are unstable, means of three are not.

    Args:
        plus, minus, then_plus: Latents (n, Z), each with its own n of 1 or more.

    Returns:
        One latent (Z,).

    Raises:
        ValueError: for a group of another shape, or an empty one.
    """
    for name, group in (("plus", plus), ("minus", minus), ("then_plus", then_plus)):
        if group.ndim != 2 or len(group) == 0:
            raise ValueError(f"{name} needs at least one latent, shape (n, Z), given {tuple(group.shape)}.")
    return plus.mean(0) - minus.mean(0) + then_plus.mean(0)


def neighbours(z: torch.Tensor, n: int, radius: float, generator: torch.Generator) -> torch.Tensor:
    """Latents around one: z + U(−radius, radius) per coordinate.

    Radford et al. 2016 (arXiv 1511.06434), figure 7, where radius = 0.25 surrounds the result of an arithmetic.

    Args:
        z: The latent (Z,).
        n: How many latents.
        radius: Half the side of the cube around z.
        generator: Where random numbers come from.

    Returns:
        Latents (n, Z).
    """
    offsets = torch.rand(n, z.shape[-1], generator=generator, dtype=z.dtype, device=generator.device) * 2 - 1
    return z + float(radius) * offsets.to(z.device)


def truncate(z_or_w: torch.Tensor, psi: float, mean: torch.Tensor | float = 0.0) -> torch.Tensor:
    """Interpolate latents towards their mean: less variety, more typical images (Karras et al. 2019, appendix B).

    Args:
        z_or_w: Latents of any shape.
        psi: From 0, which gives the mean, to 1, which leaves them. ValueError outside.
        mean: In z it is 0, the centre of the prior.

    Returns:
        Latents of the same shape.
    """
    psi = check_psi(psi)
    return z_or_w if psi == 1 else mean + psi * (z_or_w - mean)


def check_psi(psi: float) -> float:
    """`psi` as a float; raises ValueError for anything but a number from 0 to 1."""
    value = as_float(psi)
    if value is None or not 0 <= value <= 1:
        raise ValueError(f"truncation {psi!r} is not allowed; it is a number from 0 (the mean) to 1 (none).")
    return value


def mix_styles(first: torch.Tensor, second: torch.Tensor, crossover: int) -> torch.Tensor:
    """Mix styles: early rows of w decide pose and shape, late ones colours and texture (Karras et al. 2019, section 3.1).

    Args:
        first, second: w (N, L, W).
        crossover: Rows that come from `first`, from 0 to L; the others come from `second`.

    Returns:
        w (N, L, W).

    Raises:
        ValueError: for other shapes or another crossover.
    """
    if first.ndim != 3 or first.shape[1:] != second.shape[1:] or len(first) != len(second):
        raise ValueError(
            f"styles of shape {tuple(first.shape)} and {tuple(second.shape)} cannot be mixed; give (N, L, W)."
        )
    if as_int(crossover) is None or not 0 <= crossover <= first.shape[1]:
        raise ValueError(f"crossover={crossover!r} is not allowed; it is a whole number from 0 to {first.shape[1]}.")
    return torch.cat([first[:, :crossover], second[:, crossover:]], 1)
