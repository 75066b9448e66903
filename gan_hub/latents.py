"""Latent space: seeds → z, walks between latents, arithmetic, neighbours, truncation.

Shapes: N latents, Z latent size. Latents are float32 on the CPU unless the caller made them otherwise.
"""

import itertools
import operator
from collections.abc import Sequence

import numpy as np
import torch

from gan_hub.seeds import MAX_SEED


def check_seeds(seeds: Sequence[int], most: int | None = None) -> list[int]:
    """The seeds as a list of plain ints in 0 … 2**32 - 1; raises ValueError for anything else, bools included.

    With `most`, also for more than so many, of which no more are then looked at.
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
    """[0, 1, 2, 3, 14] → "0-3, 14": a list of seeds in words."""
    runs: list[list[int]] = []
    for as_float in numbers:
        if runs and as_float == runs[-1][-1] + 1:
            runs[-1].append(as_float)
        else:
            runs.append([as_float])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def as_int(value: object) -> int | None:
    """A Python, numpy or torch whole number as an int; None for anything else, bools and 3.0 included."""
    if isinstance(value, (bool, np.bool_)) or getattr(value, "dtype", None) is torch.bool:
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def as_float(value: object) -> float | None:
    """A Python, numpy or 0-d torch real number as a float; None for anything else, bools included."""
    if as_int(value) is not None:
        return float(value)
    item = value.item() if isinstance(value, (np.generic, np.ndarray, torch.Tensor)) and value.ndim == 0 else value
    return item if isinstance(item, float) else None


def seeded(seed: int) -> torch.Generator:
    """A CPU generator that starts from a seed, any kind of whole number; raises ValueError for anything else."""
    (seed,) = check_seeds([seed])
    return torch.Generator("cpu").manual_seed(seed)


def sample(seeds: Sequence[int], latent_size: int) -> torch.Tensor:
    """z ~ N(0, 1) of shape (N, Z), one CPU generator a seed, so that row i depends on `seeds[i]` alone.

    Float32 on the CPU, whatever torch's default dtype and device are.
    """
    seeds = check_seeds(seeds)
    z, generator = torch.empty(len(seeds), latent_size, dtype=torch.float32, device="cpu"), torch.Generator("cpu")
    for row, seed in enumerate(seeds):
        z[row].normal_(generator=generator.manual_seed(seed))
    return z


def lerp(a: torch.Tensor, b: torch.Tensor, t: float) -> torch.Tensor:
    """Straight line from `a` (t = 0) to `b` (t = 1), both hit exactly."""
    return torch.lerp(a, b, float(t))


def slerp(a: torch.Tensor, b: torch.Tensor, t: float) -> torch.Tensor:
    """Arc from `a` (t = 0) to `b` (t = 1), tensors of equal shape (…, Z).

    The direction turns at constant speed (Shoemake 1985) while the norm changes linearly: Gaussian latents live near
    a sphere (White 2016, arXiv 1609.04468). Parallel, opposite and zero vectors are served: nearly parallel ones by
    lerp, opposite ones through a fixed direction at right angles.
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


def interpolate(keyframes: torch.Tensor, frames: int, mode: str = "slerp") -> torch.Tensor:
    """A walk of `frames` latents (frames, Z) through the keyframes (K, Z), evenly spaced, both ends hit exactly.

    Raises ValueError for fewer than two keyframes, fewer than two frames, or a mode other than "slerp" and "lerp".
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
        walk.append(INTERPOLATIONS[mode](keyframes[segment], keyframes[segment + 1], rest / (count - 1)))
    return torch.stack(walk)


def arithmetic(plus: torch.Tensor, minus: torch.Tensor, then_plus: torch.Tensor) -> torch.Tensor:
    """mean(plus) − mean(minus) + mean(then_plus), each (n, Z) with its own n ≥ 1 → (Z,).

    Radford et al. 2016, section 6.3.2: single exemplars are unstable, means of three are not.
    """
    for name, group in (("plus", plus), ("minus", minus), ("then_plus", then_plus)):
        if group.ndim != 2 or len(group) == 0:
            raise ValueError(f"{name} needs at least one latent, shape (n, Z), given {tuple(group.shape)}.")
    return plus.mean(0) - minus.mean(0) + then_plus.mean(0)


def neighbours(z: torch.Tensor, n: int, radius: float, generator: torch.Generator) -> torch.Tensor:
    """`n` latents (n, Z) around `z` (Z,): z + U(−radius, radius) per coordinate.

    Radford et al. 2016, figure 7, where radius = 0.25 surrounds the result of an arithmetic.
    """
    offsets = torch.rand(n, z.shape[-1], generator=generator, dtype=z.dtype, device=generator.device) * 2 - 1
    return z + float(radius) * offsets.to(z.device)


def truncate(z_or_w: torch.Tensor, psi: float, mean: torch.Tensor | float = 0.0) -> torch.Tensor:
    """Moves latents towards `mean`: 1 leaves them, 0 gives the mean (Karras et al. 2019, appendix B).

    In z the mean is 0, the centre of the prior. Less variety, more typical images.
    Raises ValueError for a psi outside 0 … 1.
    """
    psi = check_psi(psi)
    return z_or_w if psi == 1 else mean + psi * (z_or_w - mean)


def check_psi(psi: float) -> float:
    """`psi` as a float; raises ValueError where it is no number from 0 to 1."""
    value = as_float(psi)
    if value is None or not 0 <= value <= 1:
        raise ValueError(f"truncation {psi!r} is not allowed; it is a number from 0 (the mean) to 1 (none).")
    return value


def mix_styles(first: torch.Tensor, second: torch.Tensor, crossover: int) -> torch.Tensor:
    """w (N, L, W) with the first `crossover` rows of `first` and the others of `second` (Karras et al. 2019, section 3.1).

    Early rows rule the coarse things (pose, shape), late ones colours and texture; 0 gives `second`, L gives `first`.
    Raises ValueError for other shapes or a crossover outside 0 … L.
    """
    if first.ndim != 3 or first.shape[1:] != second.shape[1:] or len(first) != len(second):
        raise ValueError(
            f"styles of shape {tuple(first.shape)} and {tuple(second.shape)} cannot be mixed; give (N, L, W)."
        )
    if as_int(crossover) is None or not 0 <= crossover <= first.shape[1]:
        raise ValueError(f"crossover={crossover!r} is not allowed; it is a whole number from 0 to {first.shape[1]}.")
    return torch.cat([first[:, :crossover], second[:, crossover:]], 1)
