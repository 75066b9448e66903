"""What sizes of a foreign network mean in our configs, or why they cannot be had."""

from typing import TypedDict

from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.layers import stage_widths


def checked_resolution(resolution: object, title: str) -> int:
    """A side that the networks here can have; raises LoadError, naming the network `title`, for any other."""
    if type(resolution) is not int or resolution < 8 or resolution > 1024 or resolution & (resolution - 1):
        raise LoadError(f"{title}: its resolution is {short_repr(resolution)}; allowed: a power of 2 from 8 to 1024.")
    return resolution


def hundredths(name: str, slope: float | None) -> int:
    """A slope as our configs have it; raises ValueError for one that is no number of hundredths from 0 to 1."""
    leak = 100 * float(slope or 0)
    if not 0 <= leak <= 100 or abs(leak - round(leak)) > 1e-9:
        raise ValueError(f"{name}={slope} is not allowed; it is a number of hundredths from 0 to 1.")
    return round(leak)


class Widths(TypedDict):
    """The options of our networks that say how many feature maps each stage has."""

    base_channels: int
    max_channels: int


def width_options(resolution: int, widths: list[int], title: str) -> Widths:
    """The options `base_channels` and `max_channels`.

    Args:
        resolution: of the images.
        widths: feature maps of each stage, coarse to fine.
        title: what messages call the network.

    Returns: the two options.

    Raises:
        LoadError: for widths that no two options give.
    """
    options = Widths(base_channels=widths[-1], max_channels=max(widths))
    if stage_widths(resolution, **options) != widths:
        raise LoadError(
            f"{title}: its feature maps are {widths} from coarse to fine; allowed: halved from a largest number on."
        )
    return options
