"""What a core-hour buys: `python benchmarks/core_hours.py --data path/to/cats64.zip --output runs/core-hours`.

Each generator plays against its architecture's own discriminator and against one that sees through a frozen network. Each pair
is trained on one core; after 15, 30, 60 and 120 minutes of that core's time its averaged generator is scored and drawn. The
clock stands still while that happens. An interrupted run goes on where its last checkpoint is. Afterwards, and at any time with
--table, docs/core-hours.md and its picture are written from what has been measured.

The score is the Fréchet distance of 5,000 images in the features of MobileNetV2, which no discriminator here sees.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from gan_hub.atomic import write_text
from gan_hub.metrics.evaluation import evaluate, real_moments
from gan_hub.metrics.features import load_extractor
from gan_hub.model_folder.strict import read_json, write_json
from gan_hub.training import Callback, TrainConfig, TrainContext, train
from gan_hub.training.batches import load_data
from gan_hub.training.checkpoints import list_checkpoints
from gan_hub.training.diagnostics import hardware
from gan_hub.training.run_files import sample_grid

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT, PICTURE = ROOT / "docs" / "core-hours.md", ROOT / "docs" / "core-hours.png"
MARKS = (15, 30, 60, 120)  # minutes of one core
IMAGES = 5000  # of a score
ROWS, COLUMNS = 3, 6  # images a mark in the picture
GAP, MARGIN = 4, 130  # pixels between the grids, and for the names beside them

SHARED: dict[str, Any] = {
    "resolution": 64,
    "channels": 3,
    "conditional": False,
    "flip": True,
    "batch_size": 64,
    "total_kimg": 100_000,  # the clock ends a run
    "beta1": 0.0,
    "beta2": 0.99,
    "ema_halflife_kimg": 5,
    "share_fakes": True,
    "precision": "auto",
    "channels_last": True,
    "device": "cpu",
    "trackers": "none",
    "alarms": "off",
    "sample_kimg": 100_000,
    "checkpoint_kimg": 10,
    "evaluate_kimg": 0,
    "timelapse_frames": 0,
}
# Generator → its recipe's options: sizes that cost about as much, the rate that suits it.
GENERATORS: dict[str, dict[str, Any]] = {
    "dcgan": {
        "generator": {"latent_size": 128, "base_channels": 64, "max_channels": 512},
        "learning_rate_generator": 3e-4,
    },
    "fastgan": {
        "generator": {"latent_size": 128, "base_channels": 16, "max_channels": 256},
        "learning_rate_generator": 3e-4,
    },
    "stylegan2": {
        "generator": {
            "latent_size": 128, "w_size": 128, "base_channels": 16, "max_channels": 128, "mapping_layers": 2,
        },
        "learning_rate_generator": 2.5e-3,
    },
    "r3gan": {
        "generator": {"latent_size": 64, "base_channels": 48, "max_channels": 256, "blocks": 1},
        "learning_rate_generator": 6e-4,
    },
}  # fmt: skip
FEATURES: dict[str, Any] = {
    "discriminator": {"features": "squeezenet", "pixels": 32},
    "learning_rate_discriminator": 2e-4,
    "loss": "hinge",
    "r1_gamma": 0.1,
    "penalty_interval": 16,
    "augment": "diffaugment",
    "augment_policy": "translation,cutout",
}
# Architecture → the game of its own discriminator, as its recipe for these images has it.
OWN: dict[str, dict[str, Any]] = {
    "dcgan": {
        "discriminator": {"base_channels": 64, "max_channels": 512, "norm": "none", "minibatch_stddev": True},
        "learning_rate_discriminator": 3e-4, "r1_gamma": 1.0, "penalty_interval": 16,
    },
    "fastgan": {
        "discriminator": {"base_channels": 32, "max_channels": 256}, "learning_rate_discriminator": 3e-4,
        "loss": "hinge", "r1_gamma": 0.0, "augment": "diffaugment",
    },
    "stylegan2": {
        "discriminator": {"base_channels": 16, "max_channels": 128}, "learning_rate_discriminator": 2.5e-3,
        "r1_gamma": 0.5, "penalty_interval": 16, "mixing": 0.5, "augment": "ada", "ada_kimg": 100.0,
    },
    "r3gan": {
        "discriminator": {"base_channels": 48, "max_channels": 256, "blocks": 1}, "learning_rate_discriminator": 6e-4,
        "loss": "relativistic", "r1_gamma": 1.0, "r2_gamma": 1.0, "penalty_interval": 8,
    },
}  # fmt: skip
PAIRS = [f"{generator}-{discriminator}" for generator in GENERATORS for discriminator in ("own", "features")]


class Clock(Callback):
    """Measures a run at the marks of its core's clock, writes what it found to `folder`, and ends it at the last."""

    def __init__(self, folder: Path, marks: Sequence[float], data: Any) -> None:
        self.folder, self.marks, self.data = folder, marks, data
        self.extractor = load_extractor("mobilenet-v2")
        self.seconds, self.moments, self.resumed_at = 0.0, None, time.process_time()

    def on_train_begin(self, run: TrainContext) -> None:
        """Start the clock."""
        self.resumed_at = time.process_time()

    def on_step_end(self, run: TrainContext) -> None:
        """Measure at a mark; the time that takes is not the run's."""
        self.seconds += time.process_time() - self.resumed_at
        for mark in self.marks:
            if self.seconds >= 60 * mark and not self._file(mark, "json").exists():
                self._measure(run, mark)
        if self.seconds >= 60 * max(self.marks):
            run.stop(f"it has had {max(self.marks):g} minutes of a core.")
        self.resumed_at = time.process_time()

    def _measure(self, run: TrainContext, mark: float) -> None:
        if self.moments is None:
            self.moments = real_moments(self.data.train, self.extractor)
        report = evaluate(
            run.pipeline, self.data.train, extractor=self.extractor, num_images=IMAGES, real_moments=self.moments,
            replicates=0, reference_scores=False, batch_size=100,
        )  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        sample_grid(run.pipeline, ROWS, COLUMNS).save(self._file(mark, "png"))
        scores = {"kimg": run.images / 1000, "FD-mobilenet-v2": report.scores["FD-mobilenet-v2"]}
        write_json(self._file(mark, "json"), scores | {"hardware": hardware(torch.device("cpu"))})
        print(f"{self.folder.name}: {mark:g} core-minutes, {scores}", flush=True)

    def _file(self, mark: float, ending: str) -> Path:
        return self.folder / f"{mark:g}.{ending}"

    def state_dict(self) -> dict:
        """The core's time so far, for a run that goes on."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state: dict) -> None:
        """Go on from there."""
        self.seconds = state["seconds"]


def config_of(pair: str, data: str, output: Path) -> TrainConfig:
    """The run of one pair, as "dcgan-features"."""
    generator, discriminator = pair.split("-")
    game = FEATURES if discriminator == "features" else OWN[generator]
    options = SHARED | GENERATORS[generator] | game | {"architecture": generator, "data": data, "name": pair}
    return TrainConfig(**options, output=str(output))


def measure(pair: str, data: str, output: Path, marks: Sequence[float]) -> None:
    """Train one pair on one core to the last mark, from its newest checkpoint where it has one."""
    if all((output / pair / "marks" / f"{mark:g}.json").exists() for mark in marks):
        return
    torch.set_num_threads(1)
    config = config_of(pair, data, output)
    clock = Clock(config.run_folder / "marks", marks, load_data(config))
    train(config, resume=bool(list_checkpoints(config.run_folder / "checkpoints")), callbacks=[clock])


def document(output: Path, marks: Sequence[float]) -> str:
    """The page's text, from what was measured so far."""
    measured = {pair: {mark: _read(output, pair, mark) for mark in marks} for pair in PAIRS}
    machines = sorted({row["hardware"] for rows in measured.values() for row in rows.values() if row})
    lines = [
        "# What a core-hour buys",
        "",
        "`python benchmarks/core_hours.py --data path/to/cats64.zip --output runs/core-hours` measures it, in 16 core-hours.",
        "",
        "FD-mobilenet-v2 of 5,000 images on 8,303 cat faces, 64 × 64, lower is better, and in brackets the thousands of images",
        "seen. *features*: a discriminator that sees through a frozen SqueezeNet, and one of pixels beside it; *own*: the one of",
        f"the generator's paper. One thread of {'; '.join(machines)}.",
        "",
        "| generator | discriminator | " + " | ".join(f"{mark:g} min" for mark in marks) + " |",
        "| --- | --- |" + " ---: |" * len(marks),
    ]
    for pair, rows in measured.items():
        cells = [f"{row['FD-mobilenet-v2']:.0f} ({row['kimg']:.0f})" if row else "–" for row in rows.values()]
        lines.append("| " + " | ".join([*pair.split("-"), *cells]) + " |")
    return "\n".join([*lines, "", f"![Six by three samples of each]({PICTURE.name})", ""])


def _read(output: Path, pair: str, mark: float) -> dict[str, Any] | None:
    path = output / pair / "marks" / f"{mark:g}.json"
    return read_json(path) if path.exists() else None


def picture(output: Path, marks: Sequence[float]) -> Image.Image:
    """All grids: a row a pair, a column a mark."""
    grids = {(pair, mark): output / pair / "marks" / f"{mark:g}.png" for pair in PAIRS for mark in marks}
    drawn = {place: Image.open(path) for place, path in grids.items() if path.exists()}
    width, height = next(iter(drawn.values())).size
    canvas = Image.new("RGB", (MARGIN + len(marks) * (width + GAP), 16 + len(PAIRS) * (height + GAP)), "white")
    pen = ImageDraw.Draw(canvas)
    for column, mark in enumerate(marks):
        pen.text((MARGIN + column * (width + GAP), 2), f"{mark:g} core-minutes", "black")
    for row, pair in enumerate(PAIRS):
        top = 16 + row * (height + GAP)
        pen.text((4, top + height // 2), pair.replace("-", ", "), "black")
        for column, mark in enumerate(marks):
            if (pair, mark) in drawn:
                canvas.paste(drawn[pair, mark], (MARGIN + column * (width + GAP), top))
    return canvas


def main() -> None:
    """Measure what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cats64.zip")
    parser.add_argument("--output", type=Path, default=Path("runs/core-hours"))
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=PAIRS)
    parser.add_argument("--minutes", nargs="+", type=float, default=MARKS)
    parser.add_argument("--table", action="store_true", help="only write the page from what is there")
    arguments = parser.parse_args()
    for pair in [] if arguments.table else arguments.pairs:
        measure(pair, arguments.data, arguments.output, arguments.minutes)
    if not any(_read(arguments.output, pair, mark) for pair in PAIRS for mark in arguments.minutes):
        parser.error(
            f"{arguments.output} has no measurement at {', '.join(map('{:g}'.format, arguments.minutes))} minutes."
        )
    write_text(DOCUMENT, document(arguments.output, arguments.minutes))
    picture(arguments.output, arguments.minutes).save(PICTURE)


if __name__ == "__main__":
    main()
