"""The best weights of a run by its scores, in its folder and its checkpoints, and how long no score was better."""

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError

from gan_hub.atomic import replace_folder
from gan_hub.hub.score_names import is_frechet_distance
from gan_hub.metrics.report import Report
from gan_hub.model_folder.strict import LoadError, write_json
from gan_hub.pipeline import GANPipeline
from gan_hub.training.checkpoints import check_tensors

BEST_NAME, SCORE_NAME = "best", "score.json"
PREFIX = "best_"  # of the tensor files that a checkpoint has of the best weights

Weights = dict[str, dict[str, torch.Tensor]]  # player → its state, of the averaged generator and of the discriminator


@dataclass(frozen=True)
class Best:
    """The pair of networks with the lowest score so far, float32 on the CPU, as it would be published."""

    images: int  # seen when it was scored
    name: str  # of the score, as FD-digits
    score: float
    report: Report
    weights: Weights


class BestSoFar:
    """The best weights of a run, and how long it has waited for better ones; only the main process has one.

    A checkpoint holds the best weights as well, so a run that goes on from it knows what the unbroken one knew there; what
    was better only later is forgotten, and found again. The folder is a copy for people, a model like any other, and is
    written anew at a resume.
    """

    def __init__(self, folder: Path, past: dict, weights: Weights) -> None:
        """`past` is an earlier `state`, `weights` what its checkpoint holds of `tensors`; both empty at the start."""
        self.folder = folder
        self.scored: int = past.get("scored", 0)  # images seen at the newest score
        self.best: Best | None = None
        if past.get("best"):
            known = past["best"]
            report = Report.from_dict(known["report"], folder)
            self.best = Best(known["images"], known["name"], known["score"], report, weights)

    @property
    def waited(self) -> int:
        """Images between the best score and the newest one."""
        return 0 if self.best is None else self.scored - self.best.images

    def consider(self, images: int, report: Report, weights: Callable[[], Weights]) -> bool:
        """Keep the weights if the report's first Fréchet distance is the lowest so far.

        Scores that were measured in another way than the best (another extractor, more images) do not compare: the first
        of them is the new best.

        Args:
            images: seen so far.
            report: the scores; without a finite Fréchet distance nothing is kept.
            weights: returns the weights that were scored.

        Returns:
            Whether they are the new best.
        """
        name = frechet_name(report.scores)
        if name is None or not math.isfinite(report.scores[name]):
            return False
        self.scored = images
        # As it will come back from a checkpoint.
        report = Report.from_dict(json.loads(json.dumps(report.to_dict())), self.folder)
        known = self.best
        if known and known.report.provenance == report.provenance and report.scores[name] >= known.score:
            return False
        self.best = Best(images, name, report.scores[name], report, weights())
        return True

    def state(self) -> dict:
        """What a checkpoint must hold as numbers."""
        best = self.best
        known = best and {
            "images": best.images, "name": best.name, "score": best.score, "report": best.report.to_dict(),
        }  # fmt: skip
        return {"scored": self.scored, "best": known}

    def tensors(self) -> Weights:
        """What a checkpoint must hold as tensors, by file."""
        return {} if self.best is None else {PREFIX + name: state for name, state in self.best.weights.items()}

    def write(self, pipeline: Callable[[Weights], GANPipeline]) -> None:
        """Replace the folder by the best model of now and its score; remove it where there is none.

        Raises OSError for a disk that does not take it.
        """
        fresh, best = self.folder.with_name(f".{self.folder.name}-unfinished"), self.best
        shutil.rmtree(fresh, ignore_errors=True)
        if best is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        try:
            pipeline(best.weights).save_pretrained(fresh)
            write_json(fresh / SCORE_NAME, {"kimg": best.images / 1000, "name": best.name} | best.report.to_dict())
            replace_folder(fresh, self.folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise OSError(
                f"{self.folder}: the best weights could not be written ({' '.join(str(error).split())}). What was saved "
                "before is kept: make room, or the folder writable, and go on with resume=True."
            ) from error


def check_best(path: Path, tensors: Weights, state: dict, networks: Mapping[str, torch.nn.Module]) -> None:
    """Check that a checkpoint has the tensors of the best weights if, and only if, its state mentions some.

    Args:
        path: folder of the checkpoint, for messages.
        tensors: file → its tensors.
        state: its state.json.
        networks: player → a network of the shape that the weights must have.

    Raises:
        LoadError: names the file.
    """
    there = {name: content for name, content in tensors.items() if name.startswith(PREFIX)}
    expected = networks if state["watched"]["best"]["best"] else {}
    for name in sorted({PREFIX + name for name in expected} ^ there.keys()):
        raise LoadError(f"{path}/{name}.safetensors: {'not expected' if name in there else 'missing'}.")
    for name, network in ((name, networks[name]) for name in expected):
        like = {
            key: tensor.float() if tensor.is_floating_point() else tensor
            for key, tensor in network.state_dict().items()
        }
        check_tensors(path / f"{PREFIX}{name}.safetensors", there[PREFIX + name], like)


def frechet_name(scores: dict[str, float]) -> str | None:
    """The name of the first Fréchet distance among the scores, of which lower is better."""
    return next((name for name in scores if is_frechet_distance(name)), None)
