"""Blocks of images that a CPU draws at once with the bits of images drawn alone.

A CPU chooses a kernel, and with it the order of a sum, by the shapes: the matrix product of one row is another kernel than
that of eight, and torch leaves small convolutions of one image to a kernel of its own. Products and convolutions whose bits
change with the number of images are computed image by image here, and all else in the block.

Kernels do not look at values. So a trial with random numbers settles whether the bits are the same, for this generator, this
number of threads and this machine.

Shapes: N images of a block.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from gan_hub.models import GANModel

BLOCK = 8  # images; from 16 on, torch takes other 1 × 1 convolutions than for one
WORTH = 1.0  # the most time that a block may take, as a share of its images' one by one
TRIED_AFTER = 64  # images of a generator, as a trial takes as long as some 16 of them

# Functions of torch → the argument that has a row for each image, and the dimensions of the one after it, the weight.
PER_IMAGE: dict[Callable[..., Any], tuple[int, int]] = {
    torch.conv2d: (0, 4), torch.conv_transpose2d: (0, 4), torch.convolution: (0, 4),
    functional.linear: (0, 2), torch.matmul: (0, 2), torch.Tensor.matmul: (0, 2), torch.mm: (0, 2), torch.addmm: (1, 2),
}  # fmt: skip
_equal: dict[tuple[object, ...], bool] = {}  # signature of a call → whether its bits are those of single images


class SingleImageBits(TorchFunctionMode):
    """Within it, products and convolutions of `count` images have the bits of images that go through alone.

    Example:
        >>> import torch
        >>> from gan_hub.pipeline.blocks import SingleImageBits
        >>> layer, x = torch.nn.Linear(32, 32), torch.randn(8, 32)
        >>> with torch.no_grad(), SingleImageBits(8):
        ...     block = layer(x)
        >>> with torch.no_grad():
        ...     torch.equal(block[3:4], layer(x[3:4].clone()))
        True
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`, image by image where its bits depend on how many there are."""
        kwargs = kwargs or {}
        if func not in PER_IMAGE or not self._has_images(func, args):
            return func(*args, **kwargs)
        signature = (func, torch.get_num_threads(), *map(_signature, args), *kwargs, *map(_signature, kwargs.values()))
        if signature not in _equal:
            _equal[signature] = _has_equal_bits(func, args, kwargs)
        return func(*args, **kwargs) if _equal[signature] else _one_by_one(func, args, kwargs)

    def _has_images(self, func: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        """Whether the rows of an argument seem to be images, and all others the same for each of them."""
        place, weight_dim = PER_IMAGE[func]
        if len(args) < place + 2:  # given by name
            return False
        (*before, x), weight = args[: place + 1], args[place + 1]
        fits = x.dim() >= weight.dim() == weight_dim and all(each.dim() < 2 for each in before)
        return fits and len(x) == self.count


def _signature(value: object) -> object:
    """What a kernel is chosen by: of a tensor its shape, strides and dtype."""
    return (value.shape, value.stride(), value.dtype) if isinstance(value, torch.Tensor) else str(value)


def _one_by_one(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
    place, _ = PER_IMAGE[func]
    # Cloned, as a row inside of a block may begin where no tensor of its own would, and kernels look at that, too.
    rows = (row.clone() for row in args[place].split(1))
    return torch.cat([func(*args[:place], row, *args[place + 1 :], **kwargs) for row in rows])


def _has_equal_bits(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether random numbers in place of all tensors give the same bits in a block as one by one."""
    generator = torch.Generator("cpu").manual_seed(0)

    def random(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        span = 1 + sum((size - 1) * stride for size, stride in zip(value.shape, value.stride(), strict=True))
        numbers = torch.randn(span, generator=generator, dtype=torch.float32, device="cpu").to(value.dtype)
        return numbers.as_strided(value.shape, value.stride())

    args, kwargs = tuple(map(random, args)), {name: random(value) for name, value in kwargs.items()}
    return torch.equal(func(*args, **kwargs), _one_by_one(func, args, kwargs))


@dataclass
class _Trial:
    images: int = 0  # drawn so far
    size: int | None = None  # its outcome


_trials: WeakKeyDictionary[GANModel, dict[tuple[object, ...], _Trial]] = WeakKeyDictionary()


def block_size(
    generator: GANModel,
    draw: Callable[..., torch.Tensor],
    rows: torch.Tensor,
    labels: torch.Tensor | None,
) -> int:
    """The number of images that are to be drawn at once on the CPU, within `SingleImageBits`: BLOCK, or 1.

    BLOCK where a trial gave the bits of images drawn alone, in less time. It is made once for a generator, and again for
    another dtype, another number of threads, another level of growing, and for w in place of z.

    Args:
        generator: whose images they are.
        draw: (rows, labels) → images.
        rows: latents or w of all images to be drawn, a row each.
        labels: a row each; None where there are none.

    Returns:
        A number of images.
    """
    if len(rows) < BLOCK:
        return 1
    level = getattr(generator, "level", None)  # of growing: other layers draw
    key = (rows.shape[1:], next(generator.parameters()).dtype, torch.get_num_threads(), level)
    trial = _trials.setdefault(generator, {}).setdefault(key, _Trial())
    trial.images += len(rows)
    if trial.size is None and trial.images >= TRIED_AFTER:
        conditions = () if labels is None else (labels[:BLOCK],)
        trial.size = BLOCK if _is_faster(draw, rows[:BLOCK], *conditions) else 1
    return trial.size or 1


def _is_faster(draw: Callable[..., torch.Tensor], rows: torch.Tensor, *conditions: torch.Tensor) -> bool:
    """Whether a block of random latents takes less time than one by one, and has the same bits."""
    rows = torch.randn(rows.shape, generator=torch.Generator("cpu").manual_seed(0), dtype=torch.float32, device="cpu")
    images, seconds = [], []
    for place in range(BLOCK):
        start = time.thread_time()
        images.append(draw(*(each[place : place + 1].clone() for each in (rows, *conditions))))
        seconds.append(time.thread_time() - start)
    try:
        with SingleImageBits(BLOCK):
            is_equal = torch.equal(draw(rows, *conditions), torch.cat(images))
            start = time.thread_time()
            draw(rows, *conditions)
    except RuntimeError:  # a network that takes one image only, or no memory for several
        return False
    return is_equal and time.thread_time() - start <= WORTH * BLOCK * statistics.median(seconds)
