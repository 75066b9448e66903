"""The logger of a run: log.jsonl, the console, sample grids, the plot, the time-lapse, config.yaml."""

from tqdm import tqdm

from gan_hub.atomic import clear_scratch, write_text
from gan_hub.training.callbacks import Callback, TrainContext
from gan_hub.training.config import TrainConfig
from gan_hub.training.run_files import (
    CONFIG_NAME,
    PLOT_NAME,
    SAMPLES_FOLDER,
    SAMPLES_NAME,
    TIMELAPSE_FOLDER,
    ConsoleLines,
    RunLog,
    Timelapse,
    save_whole,
)

CONSOLE = ("loss/", "accuracy/pairs", "diversity", "score/", "img/s")  # columns of the log that the console shows


class Logger(Callback):
    """Writes the files of one run, and its progress to the console: a bar in a terminal, lines elsewhere.

    `images` is where the run begins. `changes` are the options that differ from those of the checkpoint it goes on from,
    as `resume.changes` says them.
    """

    def __init__(self, config: TrainConfig, images: int, changes: list[str]) -> None:
        self.config, self.changes = config, changes
        self.records = RunLog(config.run_folder, images)
        total = config.total_steps * config.batch_size
        self.timelapse = Timelapse(
            config.run_folder, config.timelapse_frames, config.total_steps, config.batch_size, images
        )
        self.bar = tqdm(total=total, initial=images, unit="img", smoothing=0.05, disable=None)
        self.lines = ConsoleLines(total, images)

    def on_train_begin(self, run: TrainContext) -> None:
        """Begin the log where the checkpoint was; `config.yaml`; the first frame of the time-lapse."""
        for folder in (run.folder, run.folder / SAMPLES_FOLDER, run.folder / TIMELAPSE_FOLDER):
            clear_scratch(folder)
        self.records.begin()
        if self.changes:
            self.records.note(run.images, f"went on at {run.images / 1000:g} kimg with {', '.join(self.changes)}.")
        write_text(run.folder / CONFIG_NAME, self.config.to_yaml())
        self.timelapse.begin()
        if run.step == 0:
            self.add_frame(run)

    def on_step_end(self, run: TrainContext) -> None:
        """Move the bar, or print a line where the last one is long ago."""
        self.bar.update(self.config.batch_size)
        if self.bar.disable:
            self.lines.step(run.images)

    def on_score(self, run: TrainContext) -> None:
        """Add the scores to the next line of the log."""
        self.on_log(run)

    def on_log(self, run: TrainContext) -> None:
        """Write a line of the log and show its main numbers."""
        self.records.write(run.images, run.metrics)
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in run.metrics.items() if name.startswith(CONSOLE))
        if self.bar.disable:
            self.lines.write(run.images, numbers)
        else:
            self.bar.set_postfix_str(numbers[:60])

    def on_sample(self, run: TrainContext) -> None:
        """Save the grid and the plot; after the last step, the export draws the plot."""
        assert run.samples is not None
        folder = run.folder / SAMPLES_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        save_whole(run.samples.save, folder / f"{run.images:012d}.png")
        save_whole(run.samples.save, run.folder / SAMPLES_NAME)
        if run.step < run.last_step:
            self.records.plot(run.folder / PLOT_NAME)

    def add_frame(self, run: TrainContext) -> None:
        """Add a frame to the time-lapse, if one is due after this step."""
        if self.timelapse.due(run.step):
            self.timelapse.add(run.step, run.pipeline)

    def alarm(self, images: int, sentence: str) -> None:
        """Log an alarm and show it."""
        self.records.alarm(images, sentence)
        tqdm.write(f"warning at {images / 1000:.1f} kimg: {sentence}")

    def end_early(self, run: TrainContext) -> None:
        """Log that this step is the last, and why; if the log has that already, show how to go on all the same."""
        self.timelapse.end(run.step)
        sentence = f"ended early, at {run.images / 1000:g} kimg: {run.stop_reason}"
        again = sentence in self.records.notes
        self.records.note(run.images, sentence)
        tqdm.write(f"nothing is left to train: {sentence} {run.remedy}".rstrip() if again else sentence)

    def pause(self) -> None:
        """Stop the clock of the steps until `go_on`."""
        self.lines.pause()

    def go_on(self) -> None:
        """Start the clock of the steps again."""
        self.lines.go_on()

    def remind(self, words: str) -> None:
        """Print what takes so long, on a console that is no terminal."""
        if self.bar.disable:
            self.lines.remind(words)

    def close(self) -> None:
        """Remove the progress bar."""
        self.bar.close()
