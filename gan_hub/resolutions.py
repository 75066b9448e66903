"""The size of images as configs write it, for what lists models without the libraries that draw."""

from collections.abc import Sequence


def height_width(resolution: int | Sequence[int]) -> tuple[int, int]:
    """(H, W) in pixels of a `resolution` as configs write it: one number is a square, a pair is [height, width].

    Raises ValueError for anything else. The sizes that a network can have are in the rules of its config.
    """
    pair = resolution if isinstance(resolution, (list, tuple)) else (resolution, resolution)
    sides = [side for side in pair if type(side) is int and side > 0]
    if len(pair) != 2 or len(sides) != 2:
        raise ValueError(f"resolution {resolution!r} is not allowed; it is a number of pixels, or [height, width].")
    return sides[0], sides[1]
