"""Augmentation and instance noise for discriminator inputs. Random numbers are passed in, never drawn by an augmentation.

An augmentation is a function of images (n, C, H, W) in [-1, 1] and of uniform numbers u (n, K) in [0, 1). So every process
can draw the numbers of the whole global batch and keep its rows (`AugmentPipe`), and a run augments alike on one GPU and on
eight. All are differentiable, twice if need be (they index where grid_sample has no second derivative), and compute in
float32 or better, whatever the images come in; the result has the images' own dtype. Nothing is clamped to [-1, 1]
afterwards: beyond the clamp, the generator would get no gradient.
"""

import math

import torch

from gan_hub.host_copy import to_device

# ------------------------------------------------------------------------------------- differentiable augmentation


def _split_opacity(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The colours (n, 1 or 3, H, W) of images, and their opacity (n, 1 or 0, H, W), which changes of colour leave alone."""
    colors, opacity = x.tensor_split([1 if x.shape[1] < 3 else 3], 1)
    return colors, opacity


def _color(x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Brightness ±½, saturation ×[0, 2) (nothing on grey images), contrast ×[½, 1½)."""
    x, opacity = _split_opacity(x)
    brightness, saturation, contrast = u[:, :, None, None, None].unbind(1)  # each (n, 1, 1, 1)
    x = x + (brightness - 0.5)
    grey = x.mean(1, keepdim=True)  # (n, 1, H, W)
    x = grey + (x - grey) * (2 * saturation)
    middle = x.mean((1, 2, 3), keepdim=True)  # (n, 1, 1, 1)
    return torch.cat([middle + (x - middle) * (contrast + 0.5), opacity], 1)


def _translation(x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """A shift by whole pixels, at most an eighth of the side each way; 0 (middle grey) moves in."""
    for axis in (2, 3):
        side = x.shape[axis]
        max_shift = (side + 4) // 8
        shift = (u[:, axis - 2] * (2 * max_shift + 1)).long() - max_shift  # (n,), downwards or to the right
        source = torch.arange(side, device=x.device) - shift[:, None]  # (n, side)
        shape = (-1, 1, side, 1) if axis == 2 else (-1, 1, 1, side)
        inside = ((source >= 0) & (source < side)).view(shape)
        x = x.gather(axis, source.clamp(0, side - 1).view(shape).expand_as(x)) * inside
    return x


def _cutout(x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """A rectangle of half the height and width, centred anywhere in the image, becomes 0 (middle grey)."""
    hidden = []
    for axis in (2, 3):
        side = x.shape[axis]
        size = (side + 1) // 2
        start = (u[:, axis - 2] * (side + 1 - size % 2)).long() - size // 2  # (n,), may lie outside
        position = torch.arange(side, device=x.device) - start[:, None]  # (n, side)
        hidden.append((position >= 0) & (position < size))
    rows, columns = hidden
    return x * ~(rows[:, None, :, None] & columns[:, None, None, :])


# name in a policy → (the transform, how many uniform numbers an image needs)
POLICIES = {"color": (_color, 3), "translation": (_translation, 2), "cutout": (_cutout, 2)}


def policy_columns(policy: str) -> int:
    """How many uniform numbers an image needs under `policy`, as "color,cutout"; raises ValueError for others."""
    names = policy.split(",")
    unknown = [name for name in names if name not in POLICIES]
    if unknown:
        raise ValueError(f"policy {policy!r} is not allowed: {unknown[0]!r} is none of {', '.join(POLICIES)}.")
    return sum(POLICIES[name][1] for name in names)


def diff_augment(images: torch.Tensor, u: torch.Tensor, policy: str = "color,translation,cutout") -> torch.Tensor:
    """DiffAugment: every image changed, each by its own random numbers.

    Zhao et al. 2020 (arXiv 2006.10738), section 3.2 and its strengths.

    Args:
        images: (n, C, H, W) in [-1, 1].
        u: Uniform numbers (n, policy_columns(policy)) in [0, 1). ValueError for another shape.
        policy: Names of POLICIES with commas between them, applied in this order. ValueError for others.

    Returns:
        Images (n, C, H, W); changes of colour may leave [-1, 1].
    """
    _check_shape(images, u, policy_columns(policy))
    x, start = _at_least_float32(images), 0
    u = u.to(x.dtype)
    for name in policy.split(","):
        transform, columns = POLICIES[name]
        x, start = transform(x, u[:, start : start + columns]), start + columns
    return x.to(images.dtype)


# ------------------------------------------------------------------------------ adaptive discriminator augmentation

# Transform, in the order they are applied → how many numbers it needs besides the first, which decides whether an image
# gets it at all.
ADA_TRANSFORMS = {
    "x_flip": 1,
    "rotate_90": 1,
    "integer_translation": 2,
    "scale": 1,
    "rotation_before": 1,
    "stretch": 1,
    "rotation_after": 1,
    "translation": 2,
    "brightness": 1,
    "contrast": 1,
    "luma_flip": 1,
    "hue": 1,
    "saturation": 1,
}
ADA_COLUMNS = len(ADA_TRANSFORMS) + sum(ADA_TRANSFORMS.values())


def ada_augment(images: torch.Tensor, u: torch.Tensor, p: float) -> torch.Tensor:
    """Adaptive augmentation: each transform of ADA_TRANSFORMS with probability p on each image.

    Karras et al. 2020a (arXiv 2006.06676), appendix B, the groups "bgc" (pixel blitting, geometry, colour) with its
    strengths. Deviations: all geometry is one affine map sampled bilinearly, with reflection at the image's edges, where
    the paper blits exactly and resamples through a wavelet filter on a padded, doubled image, so that shrinking by up to
    ½ may alias. Images that are not square are turned by 180° only. Grey images have no hue and saturation; their luma
    flip is the negative.

    Args:
        images: (n, C, H, W) in [-1, 1].
        u: Uniform numbers (n, ADA_COLUMNS) in [0, 1). ValueError for another shape.
        p: Probability in [0, 1]; at 0 the images come back exactly as they were.

    Returns:
        Images (n, C, H, W); changes of colour may leave [-1, 1].
    """
    _check_shape(images, u, ADA_COLUMNS)
    x = _at_least_float32(images)
    blocks = u.to(x.dtype).split([1 + numbers for numbers in ADA_TRANSFORMS.values()], 1)
    probability = dict.fromkeys(ADA_TRANSFORMS, p)
    # of two rotations at least one shall happen with probability p
    probability["rotation_before"] = probability["rotation_after"] = 1 - math.sqrt(1 - p)
    drawn = {
        name: (block[:, 0] < probability[name], *block[:, 1:].unbind(1))
        for name, block in zip(ADA_TRANSFORMS, blocks, strict=True)
    }
    return _ada_color(_ada_geometry(x, drawn), drawn).to(images.dtype)


def _ada_geometry(x: torch.Tensor, drawn: dict[str, tuple[torch.Tensor, ...]]) -> torch.Tensor:
    """Resample the images through one affine map each, from centred output pixels to places in the input."""
    height, width = x.shape[2:]

    def where_drawn(name: str, value: torch.Tensor, otherwise: float = 0.0) -> torch.Tensor:
        return torch.where(drawn[name][0], value, otherwise)  # (n,)

    flip = 1 - 2 * where_drawn("x_flip", _integer(drawn["x_flip"][1], 2))
    turns = _integer(drawn["rotate_90"][1], 4) if height == width else 2 * _integer(drawn["rotate_90"][1], 2)
    turns = where_drawn("rotate_90", turns).long()
    cosine, sine = ((turns == place).to(x.dtype) - (turns == place + 2).to(x.dtype) for place in (0, 1))
    right, down = (0.25 * number - 0.125 for number in drawn["integer_translation"][1:])
    scale = where_drawn("scale", torch.exp2(0.2 * _standard_normal(drawn["scale"][1])), 1.0)
    before, after = (
        where_drawn(name, (2 * drawn[name][1] - 1) * math.pi) for name in ("rotation_before", "rotation_after")
    )
    stretch = where_drawn("stretch", torch.exp2(0.2 * _standard_normal(drawn["stretch"][1])), 1.0)
    right_normal, down_normal = (0.125 * _standard_normal(number) for number in drawn["translation"][1:])

    inverse = _affine(flip, 0, 0, 1)  # (n, 2, 3)
    for step in (
        _affine(cosine, -sine, sine, cosine),
        _inverse_shift(
            where_drawn("integer_translation", (right * width).round()),
            where_drawn("integer_translation", (down * height).round()),
        ),
        _affine(1 / scale, 0, 0, 1 / scale),
        _affine(before.cos(), -before.sin(), before.sin(), before.cos()),
        _affine(1 / stretch, 0, 0, stretch),
        _affine(after.cos(), -after.sin(), after.sin(), after.cos()),
        _inverse_shift(
            where_drawn("translation", right_normal * width), where_drawn("translation", down_normal * height)
        ),
    ):
        inverse = _compose(inverse, step)

    across = torch.arange(width, device=x.device, dtype=x.dtype) - (width - 1) / 2  # (W,)
    along = torch.arange(height, device=x.device, dtype=x.dtype)[:, None] - (height - 1) / 2  # (H, 1)
    horizontal, vertical = (row[:, :, None, None] for row in inverse.unbind(1))  # each (n, 3, 1, 1)
    columns = horizontal[:, 0] * across + horizontal[:, 1] * along + horizontal[:, 2] + (width - 1) / 2  # (n, H, W)
    rows = vertical[:, 0] * across + vertical[:, 1] * along + vertical[:, 2] + (height - 1) / 2  # (n, H, W)
    return _sample_bilinear(x, columns, rows)


def _ada_color(x: torch.Tensor, drawn: dict[str, tuple[torch.Tensor, ...]]) -> torch.Tensor:
    """Brightness and contrast, then, about the grey axis v of RGB space: reflection, rotation, stretching."""

    def where_drawn(name: str, value: torch.Tensor, otherwise: float = 0.0) -> torch.Tensor:
        return torch.where(drawn[name][0], value, otherwise)[:, None, None]  # (n, 1, 1)

    brightness = where_drawn("brightness", 0.2 * _standard_normal(drawn["brightness"][1]))
    contrast = where_drawn("contrast", torch.exp2(0.5 * _standard_normal(drawn["contrast"][1])), 1.0)
    luma_flip = where_drawn("luma_flip", _integer(drawn["luma_flip"][1], 2))
    x, opacity = _split_opacity(x)
    x = (x + brightness[..., None]) * contrast[..., None]
    if x.shape[1] == 1:
        return torch.cat([x * (1 - 2 * luma_flip[..., None]), opacity], 1)
    hue = where_drawn("hue", (2 * drawn["hue"][1] - 1) * math.pi)
    saturation = where_drawn("saturation", torch.exp2(_standard_normal(drawn["saturation"][1])), 1.0)

    same, axis = torch.eye(3, dtype=x.dtype, device=x.device), x.new_full((3, 3), 1 / 3)  # I and v vᵀ
    cross = (same.roll(1, 0) - same.roll(-1, 0)) / math.sqrt(3)  # v ×
    matrix = same - 2 * luma_flip * axis  # (n, 3, 3)
    matrix = _matmul(hue.cos() * same + hue.sin() * cross + (1 - hue.cos()) * axis, matrix)
    matrix = _matmul(saturation * same + (1 - saturation) * axis, matrix)
    rotated = (matrix[:, :, :, None, None] * x[:, None]).sum(2)  # (n, 3, 3, H, W) → (n, 3, H, W)
    return torch.cat([rotated, opacity], 1)


def _affine(a: torch.Tensor, b: torch.Tensor | float, c: torch.Tensor | float, d: torch.Tensor | float) -> torch.Tensor:
    """(x, y) → (a x + b y, c x + d y) as (n, 2, 3), from numbers (n,), or one for all images."""
    b, c, d = (v if isinstance(v, torch.Tensor) else torch.full_like(a, v) for v in (b, c, d))
    return torch.stack([a, b, torch.zeros_like(a), c, d, torch.zeros_like(a)], 1).view(-1, 2, 3)


def _inverse_shift(right: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """The inverse of a shift of the content by (n,) pixels each way, as (n, 2, 3)."""
    zero, one = torch.zeros_like(right), torch.ones_like(right)
    return torch.stack([one, zero, -right, zero, one, -down], 1).view(-1, 2, 3)


def _compose(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """first ∘ second of affine maps (n, 2, 3)."""
    linear = _matmul(first[:, :, :2], second)
    return torch.cat([linear[:, :, :2], linear[:, :, 2:] + first[:, :, 2:]], 2)


def _matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Products of matrices without torch.matmul: TF32 or autocast would leave coordinates three digits."""
    return (a[:, :, :, None] * b[:, None]).sum(2)


def _sample_bilinear(x: torch.Tensor, columns: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Sample images at real-valued places (n, H, W), in pixels from the first one's centre: bilinear, mirrored at edges.

    grid_sample(mode="bilinear", padding_mode="reflection", align_corners=False), but with a second derivative.
    """
    height, width = x.shape[2:]
    flat, result = x.flatten(2), torch.zeros((), dtype=x.dtype, device=x.device)  # (n, C, H · W)
    left, top = columns.floor(), rows.floor()
    for column, across in ((left, 1 - (columns - left)), (left + 1, columns - left)):
        for row, along in ((top, 1 - (rows - top)), (top + 1, rows - top)):
            place = _reflect(row.long(), height) * width + _reflect(column.long(), width)  # (n, H, W)
            values = flat.gather(2, place.flatten(1)[:, None].expand(-1, x.shape[1], -1)).view_as(x)
            result = result + (across * along)[:, None] * values
    return result


def _reflect(index: torch.Tensor, side: int) -> torch.Tensor:
    """Index outside 0 … side − 1 → the one it mirrors: −1 → 0, side → side − 1, and so on without end."""
    index = index.remainder(2 * side)
    return torch.where(index < side, index, 2 * side - 1 - index)


def _integer(u: torch.Tensor, count: int) -> torch.Tensor:
    """u in [0, 1) → 0, 1, … count − 1, equally likely, as floats."""
    return (u * count).floor()


def _standard_normal(u: torch.Tensor) -> torch.Tensor:
    """u in [0, 1) → N(0, 1) by its inverse distribution function; 0, which would be −∞, counts as half a step of rand."""
    return torch.special.ndtri(u.clamp_min(2.0**-25))


def _at_least_float32(images: torch.Tensor) -> torch.Tensor:
    """float32, or float64 where the images are: half precision has too few digits for coordinates and sums."""
    return images.to(torch.promote_types(images.dtype, torch.float32))


def _check_shape(images: torch.Tensor, u: torch.Tensor, columns: int) -> None:
    if u.shape != (len(images), columns):
        raise ValueError(f"u has the shape {tuple(u.shape)}; {len(images)} images need {(len(images), columns)}.")


def adjusted_p(p: float, sign_mean: float, images: int, target: float = 0.6, kimg: float = 500.0) -> float:
    """The next p of `ada_augment`: p + sign(r_t − target) · images / (1000 · kimg), clipped to [0, 1].

    Karras et al. 2020a (arXiv 2006.06676), section 3. r_t = E[sign D(x)] is 1 where the discriminator overfits and 0 where
    it cannot tell.

    Args:
        p: The probability so far, in [0, 1].
        sign_mean: r_t, the mean sign of the logits of these reals, in [-1, 1].
        images: How many reals these are.
        target: The wanted r_t.
        kimg: Thousands of images that take p from 0 to 1.

    Returns:
        p for the next steps, in [0, 1].
    """
    direction = (sign_mean > target) - (sign_mean < target)
    return min(1.0, max(0.0, p + direction * images / (1000 * kimg)))


# ------------------------------------------------------------------------------------------- noise, flips, the pipe


def noise_sigma(images_seen: int, start: float, images: float) -> float:
    """The standard deviation of instance noise, which falls linearly to exactly 0.

    Noise makes the supports of reals and fakes overlap, so that no discriminator separates them perfectly: Sønderby et
    al. 2017 (arXiv 1610.04490); Arjovsky & Bottou 2017 (arXiv 1701.04862), section 3.

    Args:
        images_seen: Images so far.
        start: The deviation at first, in units of pixels in [-1, 1].
        images: Number of images after which it is 0.

    Returns:
        The deviation now, 0 or more.
    """
    return 0.0 if images_seen >= images else start * (1 - images_seen / images)


def flip_horizontally(images: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Images (n, C, H, W) of any dtype, mirrored left to right where their u (n, 1) is below ½."""
    return torch.where(u.view(-1, 1, 1, 1) < 0.5, images.flip(3), images)


class AugmentPipe:
    """Augmentation and instance noise of one step, for reals and fakes alike.

    Random numbers are drawn on the CPU for the whole global batch, so that neither the number of processes nor the device
    changes them.

    Example:
        >>> import torch
        >>> from gan_hub.augment import AugmentPipe
        >>> augment = AugmentPipe(torch.Generator().manual_seed(0), total=4, augment="ada", p=0.5, sigma=0.1)
        >>> augment(torch.zeros(4, 3, 32, 32)).shape
        torch.Size([4, 3, 32, 32])
    """

    AUGMENTS = ("none", "diffaugment", "ada")

    def __init__(
        self,
        generator: torch.Generator,
        total: int,
        rows: slice | None = None,
        augment: str = "none",
        policy: str = "color,translation,cutout",
        p: float = 1.0,
        sigma: float = 0.0,
    ) -> None:
        """Set up the pipe; it draws nothing yet.

        Args:
            generator: Where random numbers come from, on the CPU.
            total: Images of the global batch.
            rows: Those of them that this process has; None for all.
            augment: One of `AUGMENTS`.
            policy: The policy of "diffaugment", see `diff_augment`.
            p: The probability of "ada", see `ada_augment`.
            sigma: The standard deviation of instance noise.

        Raises:
            ValueError: for another `augment` or policy.
        """
        if augment not in self.AUGMENTS:
            raise ValueError(f"augment={augment!r} is not allowed; choose one of {', '.join(self.AUGMENTS)}.")
        self.generator, self.total, self.rows = generator, total, slice(None) if rows is None else rows
        self.augment, self.policy, self.p, self.sigma = augment, policy, p, sigma
        self.columns = {"none": 0, "diffaugment": policy_columns(policy), "ada": ADA_COLUMNS if p > 0 else 0}[augment]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, C, H, W) → the same shape and dtype. Each call draws anew; with nothing to do, nothing is drawn."""
        if self.columns:
            u = self.uniform(self.columns, images)
            images = (
                diff_augment(images, u, self.policy)
                if self.augment == "diffaugment"
                else ada_augment(images, u, self.p)
            )
        if self.sigma:
            images = images + self.sigma * self.normal(images)
        return images

    def uniform(self, columns: int, like: torch.Tensor) -> torch.Tensor:
        """Uniform numbers (n, columns) in [0, 1) for the n images `like`, on their device, in float32 or float64."""
        drawn = torch.rand(self.total, columns, generator=self.generator)
        return self._own_rows(drawn, like).to(torch.promote_types(like.dtype, torch.float32))

    def normal(self, like: torch.Tensor) -> torch.Tensor:
        """N(0, 1) in the shape (n, C, H, W), on the device and in the dtype of `like`."""
        return self._own_rows(torch.randn(self.total, *like.shape[1:], generator=self.generator), like).to(like.dtype)

    def _own_rows(self, drawn: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        own = drawn[self.rows]
        if len(own) != len(like):
            raise ValueError(f"{len(like)} images were given; this process has {len(own)} of the {self.total}.")
        return to_device(own, like.device)
