"""Runs a study's plan: trains each run, scores it, and writes one small JSON a run; several processes may share it."""

import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from filelock import FileLock, Timeout

import gan_hub
from benchmarks.created_equal.plan import Plan, Task
from gan_hub.metrics import evaluate
from gan_hub.model_folder.strict import read_json, write_json
from gan_hub.models import CLASSES, GANModel
from gan_hub.pipeline import GANPipeline
from gan_hub.training.batches import Batches, load_data
from gan_hub.training.checkpoints import NotFiniteError, list_checkpoints, load_newest, save_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.diagnostics import hardware
from gan_hub.training.train_state import TrainState
from gan_hub.training.trainer import make_accelerator, train_step

EXTRACTOR = {"fashion-mnist": "fashion", "mnist": "digits"}  # data set → the classifier whose features measure it
WATCH_STEPS = 20  # between two looks for NaN
WARM_UP, TIMED = 3, 16  # steps of a timing: enough that one lazy penalty is among them
TIMED_IMAGES = 1000  # of a score's timing


class Diverged(Exception):
    """A run whose weights became NaN or Inf."""


class Match:
    """Two networks and their images, as `gan_hub.training.train` sets them up, without its log, samples and monitors."""

    def __init__(self, config: TrainConfig):
        self.config, self.data, self.accelerator = config, load_data(config), make_accelerator(config)
        self.players = TrainState(config, self.data.classes, self.accelerator)
        self.batches = Batches(self.data.train, config, self.players.latent_size, self.accelerator)
        # The same Adam in one kernel: a fifth of these large networks' time.
        for optimizer in self.players.optimizers.values():
            betas = (config.beta1, config.beta2)
            optimizer.optimizer = torch.optim.Adam(optimizer.parameters, betas=betas, fused=True)

    def step(self, step: int) -> None:
        """One training step of both networks."""
        images_seen = (step + 1) * self.config.batch_size
        self.players.set_lr_factor(self.config.learning_rate_factor(images_seen))
        train_step(self.players, self.config, self.batches, step)
        self.players.ema.update(self.players.unwrapped_generator, self.config.batch_size, images_seen)

    def finite(self) -> bool:
        return all(torch.isfinite(norm) for norm in self.players.weight_norms().values())

    def sizes(self) -> dict[str, int]:
        """Numbers in each player's weights."""
        return {name: sum(p.numel() for p in network.parameters()) for name, network in self.players.networks.items()}


def play_out(config: TrainConfig) -> tuple[GANModel, dict]:
    """(the generator at the end, facts about the run); goes on from the run's newest checkpoint, bit for bit.

    Raises Diverged.
    """
    match, checkpoints = Match(config), config.run_folder / "checkpoints"
    players, start, spent = match.players, 0, {"seconds": 0.0, "cpu_seconds": 0.0}
    if list_checkpoints(checkpoints):
        path, tensors, state, _ = load_newest(checkpoints, tuple(players.tensors()))
        players.load(path, tensors, state)
        start, spent = state["step"], state["spent"]
    began = time.monotonic(), time.process_time()

    def elapsed() -> dict[str, float]:
        now = time.monotonic(), time.process_time()
        return {name: round(spent[name] + b - a, 1) for name, a, b in zip(spent, began, now)}

    for step in range(start, config.total_steps):
        match.step(step)
        last = step + 1 == config.total_steps
        if (last or step % WATCH_STEPS == 0) and not match.finite():
            raise Diverged(f"weights became NaN or Inf at {(step + 1) * config.batch_size / 1000:.1f} kimg")
        if (step + 1) % config.every(config.checkpoint_kimg) == 0 and not last:
            state = players.numbers() | {"spent": elapsed()}
            try:
                save_checkpoint(checkpoints, step + 1, players.tensors(), state, keep=1)
            except NotFiniteError as error:
                raise Diverged(str(error)) from error
    facts = {
        "images": config.total_steps * config.batch_size,
        **elapsed(),
        "hardware": hardware(match.accelerator.device),
        "parameters": match.sizes(),
        "versions": {"gan_hub": gan_hub.__version__, "torch": torch.__version__},
    }
    return players.published()[0], facts


def score(generator: GANModel, data: str, images: int, metrics: tuple[str, ...] = ("fd",)) -> dict:
    """The report of a generator against the test split of `data`, in the features of its extractor, which are kept."""
    report = evaluate(
        GANPipeline(generator), data, metrics=metrics, extractor=EXTRACTOR[data], num_images=images, seed=0, split="test",
        replicates=0, reference_scores=False, keep=True,  # what counts here is how much seeds differ
    )  # fmt: skip
    return report.to_dict()


def recipe(config: TrainConfig) -> dict:
    """The options that are not the trainer's defaults, without the machine's folders."""
    defaults = asdict(TrainConfig())
    return {name: value for name, value in asdict(config).items() if value != defaults[name] and name != "output"}


def run(plan: Plan, task: Task, runs: Path) -> dict:
    """Plays and scores one run; what its JSON says. The generator stays in the run's folder."""
    config = plan.config(task, runs)
    told = task._asdict() | {"kimg": plan.kimg, "recipe": recipe(config)}
    try:
        generator, facts = play_out(config)
    except Diverged as error:
        return told | {"failed": str(error)}
    generator.save_pretrained(config.run_folder / "generator")
    shutil.rmtree(config.run_folder / "checkpoints", ignore_errors=True)
    return told | facts | {"report": score(generator, task.data, plan.generated_images)}


def work(plan: Plan, tasks: list[Task], results: Path, runs: Path) -> list[Task]:
    """Does those of the plan's `tasks` that have no result and that no other process is at; returns those it did.

    A run is held by a lock that ends with its process: what a killed one leaves is taken up by the next.
    """
    done = []
    for task in tasks:
        path, folder = results / f"{task.slug}.json", runs / task.slug
        if path.is_file():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / "lock", timeout=0):
                if path.is_file():  # written since we looked
                    continue
                began = time.monotonic()
                result = run(plan, task, runs)
                write_json(path, result)
                done.append(task)
                said = result.get("failed") or ", ".join(f"{k} {v:.2f}" for k, v in result["report"]["scores"].items())
                print(f"{task.slug}: {said} ({time.monotonic() - began:.0f} s)", flush=True)
        except Timeout:
            continue
    return done


def rescore(plan: Plan, results: Path, runs: Path, metrics: tuple[str, ...]) -> int:
    """Scores every run anew whose generator is still there, with other metrics beside fd; returns how many."""
    count, metrics = 0, tuple(dict.fromkeys(("fd", *metrics)))
    for task in plan.tasks():
        path, folder = results / f"{task.slug}.json", runs / task.slug / "generator"
        if not (path.is_file() and folder.is_dir()):
            continue
        name = read_json(folder / "config.json")["_class_name"]
        report = score(CLASSES[name].from_pretrained(folder), task.data, plan.generated_images, metrics)
        write_json(path, read_json(path) | {"report": report})
        count += 1
    return count


def results_of(plan: Plan, results: Path) -> dict[Task, dict]:
    """What is there so far."""
    paths = {task: results / f"{task.slug}.json" for task in plan.tasks()}
    return {task: read_json(path) for task, path in paths.items() if path.is_file()}


def timing(plan: Plan, runs: Path) -> tuple[list[float], float]:
    """(seconds a kimg of every run of the plan, seconds a scored image), from some steps of each row on this machine."""
    seconds, generator = {}, None
    plan = replace(plan, kimg=100.0)  # how long a run is has still to be found
    for row in plan.rows:
        config = plan.config(Task(plan.data[0], row, 0), runs)
        match = Match(config)
        for step in range(WARM_UP):
            match.step(step)
        began = time.monotonic()
        for step in range(TIMED):
            match.step(step)
        seconds[row] = 1000 * (time.monotonic() - began) / (TIMED * config.batch_size)
        generator = match.players.published()[0]
        print(f"{row}: {1000 / seconds[row]:.0f} img/s", flush=True)
    score(generator, plan.data[0], 2)  # the real images are measured once for all runs
    began = time.monotonic()
    score(generator, plan.data[0], TIMED_IMAGES)
    each = (time.monotonic() - began) / TIMED_IMAGES
    return [seconds[task.row] for task in plan.tasks()], each
