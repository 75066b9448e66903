"""What a run writes down for people: a JSONL log, TensorBoard, sample grids, a plot."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from gan_hub.images import grid
from gan_hub.pipeline import GANPipeline

LOG_NAME, PLOT_NAME, SAMPLES_NAME = "log.jsonl", "plot.png", "samples.png"
PLOTS = {  # title → the columns drawn in it
    "losses": ("loss/discriminator", "loss/generator"),
    "mean logits": ("logit/real", "logit/fake"),
    "discriminator accuracy": ("accuracy/real", "accuracy/fake"),
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
        line = {"images": images_seen} | {name: round(float(value), 6) for name, value in values.items()}
        self.lines.append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def plot(self) -> None:
        """Losses, logits, accuracy and scores against images seen, as plot.png."""
        from matplotlib.figure import Figure  # a second of import that only a training run pays

        scores = sorted({name for line in self.lines for name in line if name.startswith("score/")})
        plots = PLOTS | {name.removeprefix("score/"): (name,) for name in scores}
        figure = Figure(figsize=(4 * len(plots), 3), layout="constrained")
        for axes, (title, names) in zip(np.atleast_1d(figure.subplots(1, len(plots))), plots.items()):
            axes.set(title=title, xlabel="kimg")
            axes.grid(alpha=0.3)
            for name in names:
                points = [(line["images"] / 1000, line[name]) for line in self.lines if name in line]
                if points:
                    axes.plot(*zip(*points), label=name, linewidth=1)
            if len(names) > 1:
                axes.legend(fontsize=7)
            elif points and 0 < 10 * min(value for _, value in points) < max(value for _, value in points):
                axes.set_yscale("log")
        figure.savefig(self.folder / PLOT_NAME, dpi=110)


def read_log(path: Path) -> list[dict]:
    """The lines of a log; a last line that was cut off in the middle is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def sample_grid(pipeline: GANPipeline, rows: int = 6, columns: int = 10) -> Image.Image:
    """Always the same latents (seeds 0, 1, …); with classes, one column a class."""
    names = pipeline.label_names
    if names is not None:
        columns = min(len(names), 20)
    labels = None if names is None else [index % columns for index in range(rows * columns)]
    return grid(
        pipeline(seeds=range(rows * columns), labels=labels).images,
        columns,
        scale=2 if pipeline.generator.config["resolution"] < 64 else 1,
    )
