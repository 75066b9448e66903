"""What a run writes down for people: a JSONL log, a plot, sample grids, a time-lapse."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from gan_hub.images import grid, height_width, save_animation
from gan_hub.pipeline import GANPipeline
from gan_hub.segmentations import as_pictures

LOG_NAME, PLOT_NAME, SAMPLES_NAME, TIMELAPSE_NAME = "log.jsonl", "plot.png", "samples.png", "timelapse.webp"
PLOTS = {  # title → the columns drawn in it
    "losses": ("loss/discriminator", "loss/generator"),
    "mean logits": ("logit/real", "logit/fake"),
    "discriminator accuracy": ("accuracy/real", "accuracy/fake", "accuracy/pairs"),
    "gradient norms": ("gradient/discriminator", "gradient/generator"),
    "diversity (the data's is 1)": ("diversity",),
}


class Records:
    """The log of one run; only the main process has one."""

    def __init__(self, folder: Path, images_seen: int):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.path = folder, folder / LOG_NAME
        # A resumed run writes the lines after its checkpoint again.
        self.lines = [line for line in read_log(self.path) if line["images"] <= images_seen] if images_seen else []
        self.path.write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")

    def write(self, images_seen: int, values: dict[str, float]) -> None:
        self._append({"images": images_seen} | {name: float(f"{value:.6g}") for name, value in values.items()})

    def alarm(self, images_seen: int, sentence: str) -> None:
        """What a monitor said, among the numbers it said it about."""
        self._append({"images": images_seen, "alarm": sentence})

    def note(self, images_seen: int, sentence: str) -> None:
        """What the run decided by itself, once."""
        if sentence not in self.notes:
            self._append({"images": images_seen, "note": sentence})

    @property
    def notes(self) -> list[str]:
        return [line["note"] for line in self.lines if "note" in line]

    def points(self, name: str) -> list[tuple[float, float]]:
        """A column against time: (kimg, value) of each line that has it."""
        return [(line["images"] / 1000, line[name]) for line in self.lines if name in line]

    @property
    def alarms(self) -> list[str]:
        return [line["alarm"] for line in self.lines if "alarm" in line]

    def _append(self, line: dict) -> None:
        self.lines.append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def plot(self) -> None:
        """Losses, logits, accuracy, gradients, diversity and scores against images seen, as plot.png."""
        from matplotlib.figure import Figure  # a second of import that only a training run pays

        scores = sorted({name for line in self.lines for name in line if name.startswith("score/")})
        plots = PLOTS | {name.removeprefix("score/"): (name,) for name in scores}
        columns = min(4, len(plots))
        rows = -(-len(plots) // columns)
        figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).flatten()
        for empty in panels[len(plots) :]:
            empty.set_axis_off()
        for axes, (title, names) in zip(panels, plots.items()):
            axes.set(title=title, xlabel="kimg")
            axes.grid(alpha=0.3)
            for name in names:
                points = self.points(name)
                if points:
                    axes.plot(*zip(*points), label=name, linewidth=1)
            if len(axes.lines) > 1:
                axes.legend(fontsize=7)
            elif (
                axes.lines and points and 0 < 10 * min(value for _, value in points) < max(value for _, value in points)
            ):
                axes.set_yscale("log")
        figure.savefig(self.folder / PLOT_NAME, dpi=110)


class Lines:
    """The progress of a run on a console that is no terminal: a line for each of the log, and one where it was long silent."""

    SILENCE = 30.0  # seconds

    def __init__(self, total_images: int, images: int, clock: Callable[[], float] = time.monotonic):
        self.total, self.first, self.images, self.clock = total_images, images, images, clock
        self.began = self.told = clock()
        self.paused: float | None = None  # since when

    def step(self, images: int) -> None:
        """Heard after each step: a line, if the last one is long ago."""
        self.images = images
        self.remind()

    def write(self, images: int, words: str) -> None:
        self.images, self.told = images, self.clock()
        parts = f"{images / 1000:9.1f} kimg", words, self._left()
        print("  ".join(part for part in parts if part), flush=True)

    def remind(self, words: str = "") -> None:
        """A line, if the last one is long ago."""
        if self.clock() - self.told >= self.SILENCE:
            self.write(self.images, words)

    def pause(self) -> None:
        """From now on until `go_on`, time is not that of steps."""
        self.paused = self.clock()

    def go_on(self) -> None:
        if self.paused is not None:
            self.began, self.paused = self.began + self.clock() - self.paused, None

    def _left(self) -> str:
        """The time to the end at the pace of this stint's steps."""
        spent, made = (self.paused or self.clock()) - self.began, self.images - self.first
        return f"ETA {(self.total - self.images) * spent / made / 60:.0f} min" if made > 0 else ""


class Timelapse:
    """The same latents at set points of a run, close together at the start: images being born, as timelapse.webp.

    Frames are PNGs in timelapse/, named by the images seen; a resumed run takes up those before its checkpoint.
    """

    ROWS, COLUMNS = 4, 8

    def __init__(self, folder: Path, frames: int, total_steps: int, batch_size: int, images_seen: int):
        self.folder, self.batch_size = folder / "timelapse", batch_size
        last = max(1, frames - 1)
        self.steps = {round(total_steps * (frame / last) ** 2) for frame in range(frames)}
        if images_seen == 0:
            shutil.rmtree(self.folder, ignore_errors=True)
        for path in self.frames():
            if int(path.stem) > images_seen:
                path.unlink()

    def frames(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]" * 12 + ".png"))

    def due(self, step: int) -> bool:
        return step in self.steps

    def end(self, step: int) -> None:
        """The run ends after this step, which is the last frame's."""
        self.steps = {earlier for earlier in self.steps if earlier < step} | {step} if self.steps else set()

    def add(self, step: int, pipeline: GANPipeline) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        sheet = sample_grid(pipeline, self.ROWS, self.COLUMNS, with_maps=False)  # which stay the same from start to end
        sheet.save(self.folder / f"{step * self.batch_size:012d}.png")

    def write(self, path: Path) -> bool:
        """The frames as one animation, the last one held; False where there is none to write."""
        frames = []
        for frame in self.frames():
            with Image.open(frame) as image:
                frames.append(image.copy())
        if frames:
            save_animation(frames + frames[-1:] * 6, path, seconds_per_frame=0.25)
        return bool(frames)


def read_log(path: Path) -> list[dict]:
    """The lines of a log; a last line that was cut off in the middle is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def sample_grid(pipeline: GANPipeline, rows: int = 6, columns: int = 10, with_maps: bool = True) -> Image.Image:
    """Always the same latents (seeds 0, 1, …); with classes, one column a class; with maps, each left of its image.

    Without the maps of a model that draws from them, half as many columns show the same images.
    """
    names = pipeline.label_names
    if names is not None:
        columns = min(len(names), 20)
    labels = None if names is None else [index % columns for index in range(rows * columns)]
    pictures_each = 1 if pipeline.segmentations is None else 2
    out = pipeline(seeds=range(rows * columns // pictures_each), labels=labels)
    pictures = out.images
    if out.segmentations is not None and not with_maps:
        columns //= pictures_each
    elif out.segmentations is not None:
        maps = (picture.convert(out.images[0].mode) for picture in as_pictures(out.segmentations))
        pictures = [picture for pair in zip(maps, out.images) for picture in pair]
    return grid(
        pictures,
        columns,
        scale=2 if max(height_width(pipeline.generator.config["resolution"])) < 64 else 1,
    )
