"""The files of a run that people read: JSONL log, plot, sample grids, time-lapse; and its lines on a console."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from gan_hub.atomic import atomic_file, fsync, write_text
from gan_hub.images import grid, height_width, save_animation
from gan_hub.model_folder.files import LOG_NAME
from gan_hub.model_folder.segmentations import colorize
from gan_hub.model_folder.timelapse import (
    COLUMNS,
    ENLARGED_BELOW,
    HELD,
    ROWS,
    SECONDS_PER_FRAME,
    frame_steps,
    write_counts,
)
from gan_hub.model_folder.training_log import read_log
from gan_hub.pipeline import GANPipeline

CONFIG_NAME, PLOT_NAME, SAMPLES_NAME = "config.yaml", "plot.png", "samples.png"
SAMPLES_FOLDER, TIMELAPSE_FOLDER = "samples", "timelapse"
PLOTS = {  # title → the columns drawn in it
    "losses": ("loss/discriminator", "loss/generator"),
    "mean logits": ("logit/real", "logit/fake"),
    "discriminator accuracy": ("accuracy/real", "accuracy/fake", "accuracy/pairs"),
    "gradient norms": ("gradient/discriminator", "gradient/generator"),
    "diversity (the data's is 1)": ("diversity",),
}


class RunLog:
    """log.jsonl of a run, as far as `images_seen` images: later lines are not read. The main process has one."""

    def __init__(self, folder: Path, images_seen: int) -> None:
        self.path = folder / LOG_NAME
        self.lines = [line for line in read_log(self.path) if line["images"] <= images_seen] if images_seen else []

    def begin(self) -> None:
        """Write the file anew from `lines`: a resumed run makes those after its checkpoint again."""
        self.copy_to(self.path)

    def copy_to(self, path: Path) -> None:
        """Write the lines to a file, whole or not at all."""
        write_text(path, "".join(json.dumps(line) + "\n" for line in self.lines))

    def write(self, images_seen: int, values: dict[str, float]) -> None:
        """Add a line of numbers, to six digits."""
        self._append({"images": images_seen} | {name: float(f"{value:.6g}") for name, value in values.items()})

    def alarm(self, images_seen: int, sentence: str) -> None:
        """Add the sentence of an alarm."""
        self._append({"images": images_seen, "alarm": sentence})

    def note(self, images_seen: int, sentence: str) -> None:
        """Add a decision of the run, unless the log has it already."""
        if sentence not in self.notes:
            self._append({"images": images_seen, "note": sentence})

    @property
    def notes(self) -> list[str]:
        """The sentences of `note` so far."""
        return [line["note"] for line in self.lines if "note" in line]

    def points(self, name: str) -> list[tuple[float, float]]:
        """A column over time: (kimg, value) of each line that has it."""
        return [(line["images"] / 1000, line[name]) for line in self.lines if name in line]

    @property
    def alarms(self) -> list[str]:
        """The sentences of `alarm` so far."""
        return [line["alarm"] for line in self.lines if "alarm" in line]

    def sync(self) -> None:
        """Wait until every line is on the disk, before the checkpoint that goes on from it."""
        fsync(self.path)

    def _append(self, line: dict) -> None:
        self.lines.append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def plot(self, path: Path) -> None:
        """Draw losses, logits, accuracy, gradients, diversity and scores over the images seen."""
        from matplotlib.figure import Figure  # its import takes a second, and only runs draw plots

        scores = sorted({name for line in self.lines for name in line if name.startswith("score/")})
        plots = PLOTS | {name.removeprefix("score/"): (name,) for name in scores}
        columns = min(4, len(plots))
        rows = -(-len(plots) // columns)
        figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).flatten()
        for empty in panels[len(plots) :]:
            empty.set_axis_off()
        for axes, (title, names) in zip(panels[: len(plots)], plots.items(), strict=True):
            axes.set(title=title, xlabel="kimg")
            axes.grid(alpha=0.3)
            values: list[float] = []
            for name in names:
                points = self.points(name)
                if points:
                    values = [value for _, value in points]
                    axes.plot([kimg for kimg, _ in points], values, label=name, linewidth=1)
            if len(axes.lines) > 1:
                axes.legend(fontsize=7)
            elif values and 0 < 10 * min(values) < max(values):
                axes.set_yscale("log")
        save_whole(lambda scratch: figure.savefig(scratch, dpi=110), path)


class ConsoleLines:
    """Progress lines on a console that is no terminal: each line of the log, and one after 30 silent seconds.

    `images` is where this stint begins, `total_images` the run's length; `clock` returns seconds.
    """

    SILENCE = 30.0  # seconds

    def __init__(self, total_images: int, images: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.first, self.images, self.clock = total_images, images, images, clock
        self.began = self.written = clock()
        self.paused: float | None = None  # since when

    def step(self, images: int) -> None:
        """After each step: a line, if the last one is long ago."""
        self.images = images
        self.remind()

    def write(self, images: int, words: str) -> None:
        """Print a line now."""
        self.images, self.written = images, self.clock()
        parts = f"{images / 1000:9.1f} kimg", words, self._left()
        print("  ".join(part for part in parts if part), flush=True)

    def remind(self, words: str = "") -> None:
        """Print a line, if the last one is long ago."""
        if self.clock() - self.written >= self.SILENCE:
            self.write(self.images, words)

    def pause(self) -> None:
        """Stop the clock of the steps until `go_on`."""
        self.paused = self.clock()

    def go_on(self) -> None:
        """Start the clock of the steps again."""
        if self.paused is not None:
            self.began, self.paused = self.began + self.clock() - self.paused, None

    def _left(self) -> str:
        """The time that is left at the pace of this stint's steps."""
        spent, made = (self.paused or self.clock()) - self.began, self.images - self.first
        return f"ETA {(self.total - self.images) * spent / made / 60:.0f} min" if made > 0 else ""


class Timelapse:
    """The same latents at set points of a run, close together at the start, as an animation: timelapse.webp.

    Frames are PNGs in timelapse/, named by the images seen; those of more than `images_seen` belong to another run.
    """

    def __init__(self, folder: Path, frames: int, total_steps: int, batch_size: int, images_seen: int) -> None:
        self.folder, self.batch_size = folder / TIMELAPSE_FOLDER, batch_size
        self.steps = set(frame_steps(frames, total_steps))
        self.known = [path for path in self._files() if int(path.stem) <= images_seen] if images_seen else []

    def begin(self) -> None:
        """Remove the frames of another run, and those that a resumed run makes again."""
        if not self.known:
            shutil.rmtree(self.folder, ignore_errors=True)
        for path in set(self._files()) - set(self.known):
            with contextlib.suppress(PermissionError):  # Windows removes no file that a viewer has open
                path.unlink()

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("[0-9]" * 12 + ".png") if path.is_file())

    def frames(self) -> list[Path]:
        """The frames so far, oldest first."""
        return [path for path in self.known if path.is_file()]

    def due(self, step: int) -> bool:
        """Whether a frame is taken after this step."""
        return step in self.steps

    def end(self, step: int) -> None:
        """Make this step the last one, with a frame, since the run ends early."""
        self.steps = {earlier for earlier in self.steps if earlier < step} | {step} if self.steps else set()

    def add(self, step: int, pipeline: GANPipeline) -> None:
        """Take a frame."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sheet = sample_grid(pipeline, ROWS, COLUMNS, with_maps=False)  # maps stay the same
        path = self.folder / f"{step * self.batch_size:012d}.png"
        save_whole(sheet.save, path)
        self.known = sorted({*self.known, path})

    def write(self, path: Path) -> bool:
        """Write the frames as one animation that holds the last one, and their counts beside it; False where there are none.

        A damaged frame, or one of another size than the last, is left out, which a note says.
        """
        opened = {frame.name: _opened(frame) for frame in self.frames()}
        sizes = [(image.size, image.mode) for image in opened.values() if image is not None]
        usable = {
            name: image for name, image in opened.items() if image is not None and (image.size, image.mode) == sizes[-1]
        }
        frames, left_out = [*usable.values()], len(opened) - len(usable)
        if left_out:
            tqdm.write(f"note: {left_out} of {len(opened)} frames in {self.folder} cannot be used, and are left out.")
        if frames:
            save_animation(frames + frames[-1:] * HELD, path, seconds_per_frame=SECONDS_PER_FRAME)
            write_counts(path.parent, [int(Path(name).stem) for name in usable])
        return bool(frames)


def _opened(path: Path) -> Image.Image | None:
    """An image file in memory; None where it is damaged."""
    try:
        with Image.open(path) as image:
            return image.copy()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # SyntaxError: some damaged PNGs
        return None


def save_whole(save: Callable[[Path], object], path: Path) -> None:
    """Call `save` with a scratch name and move the result to `path`, which is always a whole picture.

    Windows replaces no file that a viewer has open: a note says so, and the run goes on.
    """
    try:
        with atomic_file(path) as scratch:
            save(scratch)
    except PermissionError as error:
        tqdm.write(f"note: {path} could not be written ({error.strerror}); is it open elsewhere? The run goes on.")


def sample_grid(pipeline: GANPipeline, rows: int = 6, columns: int = 10, with_maps: bool = True) -> Image.Image:
    """Draw a grid of always the same latents: seeds 0, 1, …; with classes, one column a class.

    Args:
        pipeline: what to draw with.
        rows: of the grid.
        columns: of the grid, where there are no classes.
        with_maps: of a model that draws from maps, show each map left of its image; without them there are half the
            columns, with the same images.

    Returns:
        One picture; images below 64 pixels are enlarged twofold.
    """
    names = pipeline.label_names
    if names is not None:
        columns = min(len(names), 20)
    labels = None if names is None else [index % columns for index in range(rows * columns)]
    pictures_each = 1 if pipeline.segmentations is None else 2
    out = pipeline(seeds=range(rows * columns // pictures_each), labels=labels)
    assert isinstance(out.images, list)  # of PIL images, the default
    pictures = out.images
    if out.segmentations is not None and not with_maps:
        columns //= pictures_each
    elif out.segmentations is not None:
        maps = (picture.convert(pictures[0].mode) for picture in colorize(out.segmentations))
        pictures = [picture for pair in zip(maps, out.images, strict=True) for picture in pair]
    side = max(height_width(pipeline.unwrapped_generator.config["resolution"]))
    return grid(pictures, columns, scale=2 if side < ENLARGED_BELOW else 1)
