"""The time-lapse of a training: timelapse.webp, and timelapse.json with the images that the run had seen at each frame.

Models that were published before the counts were written have the animation alone. Where recipe and log show that the run went
as planned, the counts follow from the recipe; elsewhere they are about right.
"""

import contextlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image

from gan_hub.atomic import write_text
from gan_hub.images import MODES, height_width
from gan_hub.model_folder.files import (
    FILES_BY_NAME,
    LOG_NAME,
    RECIPE_NAME,
    TIMELAPSE_COUNTS_NAME,
    TIMELAPSE_NAME,
)
from gan_hub.model_folder.strict import LoadError, read_bytes, read_json, to_json
from gan_hub.model_folder.training_log import read_log

SECONDS_PER_FRAME = 0.25
HELD = 6  # times that the last frame is repeated at the end of the animation
ROWS, COLUMNS, PADDING = 4, 8, 2  # of a frame's grid; with classes, a column is a class
ENLARGED_BELOW = 64  # pixels: frames show smaller images twice as large
MAX_PIXELS = 100_000_000  # of all frames together; those of a model of 256 × 256 pixels have 50,000,000


@dataclass(frozen=True)
class Timelapse:
    """Frames, oldest first, of always the same latents: a grid each.

    Attributes:
        frames: pictures of one size.
        images: how many images the run had seen at each frame; None where nothing says so.
        is_exact: whether these are the counts, and not an estimate.
        resolution: (height, width) of an image in the grid.
    """

    frames: tuple[Image.Image, ...]
    images: tuple[int, ...] | None
    is_exact: bool
    resolution: tuple[int, int]

    @property
    def scale(self) -> int:
        """How many pixels of a frame one pixel of an image takes, along a side."""
        return 2 if max(self.resolution) < ENLARGED_BELOW else 1

    @property
    def layout(self) -> tuple[int, int]:
        """(rows, columns) of the grid; (0, 0) where the frames are no such grid."""
        counts = []
        for side, whole in zip(self.resolution, self.frames[0].size[::-1], strict=True):
            count, rest = divmod(whole + PADDING, side * self.scale + PADDING)
            counts.append(0 if rest else count)
        return (counts[0], counts[1]) if all(counts) else (0, 0)

    def image(self, frame: int, row: int, column: int) -> Image.Image:
        """One image of a frame's grid.

        Args:
            frame: its place among the frames.
            row, column: its place in the grid, see `layout`.

        Returns:
            The image in its own size.
        """
        height, width = (side * self.scale for side in self.resolution)
        left, top = column * (width + PADDING), row * (height + PADDING)
        cell = self.frames[frame].crop((left, top, left + width, top + height))
        return cell.resize((width // self.scale, height // self.scale), Image.Resampling.NEAREST)


def write_counts(folder: Path, images: Sequence[int]) -> None:
    """Write beside the animation how many images the run had seen at each of its frames."""
    write_text(folder / TIMELAPSE_COUNTS_NAME, to_json({"images": list(images)}))


def exists(folder: Path) -> bool:
    """Whether a model's folder has a time-lapse."""
    return (folder / TIMELAPSE_NAME).is_file()


def read(folder: Path, resolution: int | Sequence[int], channels: int) -> Timelapse | None:
    """The time-lapse of a model's folder.

    Args:
        folder: the model's folder.
        resolution: the size of the images, as in the model's config.
        channels: 1 grey; 2 grey, opacity; 3 RGB; 4 RGB, opacity.

    Returns:
        The time-lapse; None for a model without.

    Raises:
        LoadError: the animation, or the table of counts, is damaged or too large.
    """
    if not exists(folder):
        return None
    path = folder / TIMELAPSE_NAME
    frames, places = _decoded(path, read_bytes(path, FILES_BY_NAME[TIMELAPSE_NAME].max_bytes), MODES[channels])
    counts, is_exact = _counts(folder, places[-1] + 1)
    images = None if counts is None else tuple(counts[place] for place in places)
    return Timelapse(tuple(frames), images, is_exact, height_width(resolution))


def _decoded(path: Path, data: bytes, mode: str) -> tuple[list[Image.Image], list[int]]:
    """The frames, and the place of each among those that were written: equal ones in a row are stored as one."""
    try:
        film = Image.open(io.BytesIO(data), formats=["WEBP"])
        count = getattr(film, "n_frames", 1)
        if count * film.width * film.height > MAX_PIXELS:
            raise LoadError(f"{path}: {count} frames of {film.width} × {film.height} pixels are too many to show.")
        frames, places, milliseconds = [], [], 0
        for number in range(count):
            film.seek(number)
            frames.append(film.convert(mode))
            places.append(round(milliseconds / 1000 / SECONDS_PER_FRAME))
            milliseconds += film.info.get("duration", 0)
    except LoadError:
        raise
    except Exception as error:  # Pillow raises many kinds for torn files
        raise LoadError(f"{path}: not a readable animation ({error}).") from error
    if sorted(set(places)) != places:
        return frames, list(range(count))  # of another program, whose frames follow each other at another pace
    written = max(1, round(milliseconds / 1000 / SECONDS_PER_FRAME) - HELD)  # what comes later repeats the last one
    kept = sum(place < written for place in places)
    return frames[:kept], places[:kept]


def _counts(folder: Path, frames: int) -> tuple[list[int] | None, bool]:
    """The images seen at each frame, and whether these are exact: as written, by the recipe, or about."""
    path = folder / TIMELAPSE_COUNTS_NAME
    if path.is_file():
        images: list[int] = read_json(path).get("images", [])
        is_list = isinstance(images, list) and all(type(count) is int and count >= 0 for count in images)
        if not is_list or len(images) < frames or images != sorted(images):
            raise LoadError(f"{path}: images has to be a growing list of whole numbers, one for each frame.")
        return images, True
    log = read_log(folder / LOG_NAME)
    last = max((line["images"] for line in log), default=0)
    planned = _planned(folder / RECIPE_NAME)
    if planned and len(planned) == frames and planned[-1] == last and not any("note" in line for line in log):
        return planned, True
    if not last:
        return None, False
    # A run that ended early ended somewhere between two frames of its plan.
    span = frames - 1.5 if len(planned) > frames else frames - 1.0
    return [*(_rounded(last * min(1.0, frame / span) ** 2) for frame in range(frames - 1)), last], False


def _rounded(count: float) -> int:
    """A count to two digits, since it is an estimate."""
    return int(float(f"{count:.2g}"))


def _planned(path: Path) -> list[int]:
    """The images seen at each frame of a run of this recipe that nothing interrupts; none where it cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, yaml.YAMLError, OverflowError):
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
        batch_size = int(recipe["batch_size"])
        total_steps = math.ceil(1000 * float(recipe["total_kimg"]) / batch_size)
        return [step * batch_size for step in frame_steps(int(recipe["timelapse_frames"]), total_steps)]
    return []


def frame_steps(frames: int, total_steps: int) -> list[int]:
    """The steps of a run after which a frame is taken: close together at the start, the last one at the end.

    Args:
        frames: how many, as the recipe says; fewer where steps are few.
        total_steps: of the run.

    Returns:
        Growing numbers, 0 first.
    """
    last = max(1, frames - 1)
    return sorted({round(total_steps * (frame / last) ** 2) for frame in range(frames)})
