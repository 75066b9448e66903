"""The best weights by score: kept, resumed, published; and the end of a run that has waited long enough for better ones.

The scores are given, so that which is the best is known; the weights are those of real runs of a few steps.
"""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from gan_hub import GANPipeline
from gan_hub.metrics.report import Report
from gan_hub.model_folder.strict import LoadError
from gan_hub.training import evaluator, trainer
from gan_hub.training.best_checkpoint import BestSoFar
from gan_hub.training.checkpoints import list_checkpoints, load_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.recipes import merge
from gan_hub.training.run_files import read_log
from gan_hub.training.stopping import StoppedError
from gan_hub.training.train_state import TENSOR_FILES

CUT_SHORT = -1.0  # a score during which the process is told to stop
# What the run of `impatient` scores after steps 2, 4, 6 and 8, of 12: step 8 is as far beyond step 4 as patience goes.
SCORES = [5.25, 3.125, 6.0, 4.75]
ENDED = "ended early, at 0.128 kimg: FD-digits has not fallen below the 3.125 of 0.064 kimg for 0.064 kimg"


def options(shapes_npz: Path, folder: Path, **changes) -> dict:
    """12 steps of 16 images, scored and saved after every second one."""
    return {
        "name": "small", "data": str(shapes_npz), "output": str(folder), "device": "cpu", "batch_size": 16,
        "generator": {"latent_size": 8, "base_channels": 4}, "discriminator": {"base_channels": 4, "norm": "none"},
        "total_kimg": 0.192, "ema_halflife_kimg": 0.1, "sample_kimg": 9.0, "timelapse_frames": 2, "trackers": "none",
        "extractor": "digits", "evaluate_kimg": 0.032, "checkpoint_kimg": 0.032, "keep_checkpoints": 9,
    } | changes  # fmt: skip


def play(config: TrainConfig, scores: list[float], resume=False, kill_at=None, whole=False, ends=None) -> int:
    """A run with these scores, of which it asks for all; the number of steps played.

    It is lost before step `kill_at`, or ends with `ends`; it is exported if it is `whole`.
    """
    AcceleratorState._reset_state(reset_partial_state=True)
    left, steps, turn = list(scores), [], trainer.train_step

    class Killed(Exception):
        pass

    def counted(players, config, batches, step):
        if step + 1 == kill_at:
            raise Killed
        steps.append(step)
        return turn(players, config, batches, step)

    def scored(*given, **options):
        if options["reference_scores"]:  # of the published weights, for their card
            return Report({"FD-digits": 50.0 + options["seed"]}, {"extractor": "digits"}, {"FD-digits": (49.0, 51.0)})
        score = left.pop(0)
        if score == CUT_SHORT:
            os.kill(os.getpid(), signal.SIGTERM)
            raise StoppedError
        return Report({"FD-digits": score}, {"extractor": "digits"})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "train_step", counted)
        patch.setattr(evaluator, "evaluate", scored)
        patch.setattr(evaluator, "real_moments", lambda *given: None)
        if not whole:
            patch.setattr(trainer, "finish", lambda run: run.config.run_folder)
        if kill_at or ends:
            with pytest.raises(ends or Killed):
                trainer.train(config, resume)
        else:
            trainer.train(config, resume)
    assert not left
    return len(steps)


@pytest.fixture(scope="module")
def impatient(shapes_npz, tmp_path_factory) -> TrainConfig:
    """A whole run whose patience has ended, with everything it wrote."""
    folder = tmp_path_factory.mktemp("impatient")
    config = TrainConfig(**options(shapes_npz, folder, patience_kimg=0.064))
    assert play(config, SCORES, whole=True) == 8
    return config


def weights(folder: Path) -> dict[str, torch.Tensor]:
    pipe = GANPipeline.from_pretrained(folder)
    return {
        f"{name}.{key}": tensor
        for name in ("generator", "discriminator")
        for key, tensor in getattr(pipe, name).state_dict().items()
    }


def of_step(config: TrainConfig, step: int) -> dict[str, torch.Tensor]:
    """What would have been published after that step, from its checkpoint."""
    files, _ = load_checkpoint(config.run_folder / "checkpoints" / f"step-{step:09d}", TENSOR_FILES)
    return {
        f"{name}.{key}": tensor
        for name, file in (("generator", "ema"), ("discriminator", "discriminator"))
        for key, tensor in files[file].items()
    }


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def newest(config: TrainConfig) -> Path:
    return list_checkpoints(config.run_folder / "checkpoints")[-1]


def test_the_best_pair_lies_in_the_runs_folder_as_a_model_with_its_score(impatient):
    kept = weights(impatient.run_folder / "best")
    assert same(kept, of_step(impatient, 4)) and not same(kept, of_step(impatient, 8))
    said = json.loads((impatient.run_folder / "best" / "score.json").read_text())
    assert (said["kimg"], said["name"], said["scores"]) == (0.064, "FD-digits", {"FD-digits": 3.125})
    assert said["provenance"] == {"extractor": "digits"}
    assert not [path.name for path in impatient.run_folder.iterdir() if path.name.startswith(".")]


def test_a_run_ends_when_it_has_waited_long_enough_and_says_so(impatient):
    assert newest(impatient).name == "step-000000008"
    notes = [line["note"] for line in read_log(impatient.run_folder / "log.jsonl") if "note" in line]
    assert notes == [f"{ENDED} (patience_kimg 0.064)."]
    frames = sorted((impatient.run_folder / "timelapse").iterdir())
    assert [int(path.stem) for path in frames] == [0, 128]  # from the first step to the one that became the last
    card = (impatient.run_folder / "export" / "README.md").read_text()
    assert "FD-digits at 0.032, 0.064, 0.096, 0.128 kimg: 5.25, 3.12, 6, 4.75 (the curve is in `plot.png`)." in card
    assert f"The run {ENDED}" in card


def figures(config: TrainConfig) -> tuple[dict[str, float], str]:
    """The scores of the export, and what its card says of its weights."""
    folder = config.run_folder / "export"
    said = (folder / "README.md").read_text().split("The published weights are ")[1].split("\n")[0]
    return json.loads((folder / "scores.json").read_text())["scores"], said


def test_last_or_best_are_published_as_asked_and_an_ended_run_is_exported_again_without_a_step(
    impatient, tmp_path, capsys
):
    config = TrainConfig(**vars(impatient) | {"output": str(tmp_path)})
    shutil.copytree(impatient.run_folder, config.run_folder)
    assert same(weights(config.run_folder / "export"), of_step(config, 8))
    scores, said = figures(config)
    assert scores["FD-digits"] == 50  # measured once more, with intervals
    assert said.startswith("the last (4.750); those of 0.064 kimg were better by this score (3.125).")
    assert said.endswith("The best is the minimum of 4 noisy scores: it flatters.")

    assert play(TrainConfig(**vars(config) | {"publish": "best"}), [], resume=True, whole=True) == 0
    out = capsys.readouterr()
    assert f"nothing is left to train: {ENDED}" in out.out + out.err
    assert same(weights(config.run_folder / "export"), of_step(config, 4))
    scores, said = figures(config)
    assert scores["FD-digits"] == 50 + config.evaluate_images  # with other seeds than it was chosen by
    assert said.startswith("the best by this score, of 0.064 kimg (3.125), not the last, of 0.128 kimg (4.750).")
    assert said.endswith("it flatters. The score above is of other seeds.")
    assert len([line for line in read_log(config.run_folder / "log.jsonl") if "note" in line]) == 1
    assert play(TrainConfig(**vars(config) | {"patience_kimg": 0.0}), [9.0, 9.0], resume=True) == 4


def test_a_resume_forgets_what_was_better_only_after_its_checkpoint(impatient, tmp_path):
    """On a GPU it may not come again; what the run ends with is then what the unbroken one would have."""
    config = TrainConfig(**vars(impatient) | {"output": str(tmp_path), "checkpoint_kimg": 0.064})
    assert play(config, [*SCORES[:2], 2.0], kill_at=8) == 7
    assert same(weights(config.run_folder / "best"), of_step(impatient, 6))
    assert play(config, [], resume=True, kill_at=5) == 0
    assert same(weights(config.run_folder / "best"), of_step(impatient, 4))
    assert play(config, SCORES[2:], resume=True) == 4
    states = [load_checkpoint(newest(one), TENSOR_FILES) for one in (impatient, config)]
    assert states[0][1]["watched"]["best"] == states[1][1]["watched"]["best"]
    assert {"best_generator", "best_discriminator"} < states[0][0].keys()
    for name, content in states[0][0].items():
        assert same(content, states[1][0][name]), name


def test_a_best_that_a_checkpoint_lost_is_missed_at_the_resume(impatient, tmp_path):
    config = TrainConfig(**vars(impatient) | {"output": str(tmp_path)})
    shutil.copytree(newest(impatient), config.run_folder / "checkpoints" / "step-000000008")
    (newest(config) / "best_generator.safetensors").unlink()
    with pytest.raises(LoadError, match=r"best_generator\.safetensors: missing from the checkpoint"):
        play(config, [], resume=True)


def test_a_score_that_a_signal_cut_short_ends_the_run_after_the_resume_if_it_would_have_ended_it_before(
    shapes_npz, tmp_path
):
    config = TrainConfig(**options(shapes_npz, tmp_path, patience_kimg=0.032))
    assert play(config, [3.0, CUT_SHORT], ends=StoppedError) == 4
    assert play(config, [3.5], resume=True) == 0
    state = json.loads((newest(config) / "state.json").read_text())
    assert (state["step"], state["watched"]["best"]["scored"]) == (4, 32)  # of when it was stopped


def test_a_network_that_still_grows_is_no_candidate(shapes_npz, tmp_path):
    """Published networks are full-grown: weights of a lower level would not be what was scored."""
    networks = {"base_channels": 2, "max_channels": 4}
    growing = {"architecture": "progan", "grow_kimg": 0.016, "total_kimg": 0.064, "discriminator": networks}
    growing["generator"] = networks | {"latent_size": 8}
    config = TrainConfig(**options(shapes_npz, tmp_path, **growing))
    assert [config.level(images) for images in (32, 64)] == [1.0, 2.0]
    assert play(config, [1.0, 3.0]) == 4
    assert json.loads((config.run_folder / "best" / "score.json").read_text())["kimg"] == 0.064


def report(score: float, **provenance) -> Report:
    return Report({"label accuracy (digits)": 0.0, "FD-digits": score, "FD-other": -1.0}, provenance)


def test_only_a_lower_score_that_was_measured_alike_is_better(tmp_path):
    known = BestSoFar(tmp_path / "best", {}, {})
    assert not known.consider(10, report(float("nan"), images=5), dict) and known.waited == 0
    assert known.consider(20, report(3.0, images=5), dict)
    assert not known.consider(30, report(3.0, images=5), dict) and known.waited == 10
    assert not known.consider(40, report(float("nan"), images=5), dict)
    assert known.consider(50, report(2.9, images=5), dict) and known.waited == 0
    assert not known.consider(60, Report({"label accuracy (digits)": 0.0}, {"images": 5}), dict)
    assert known.consider(70, report(9.0, images=(5, 6)), dict)  # nobody knows what 2.9 would be there
    again = BestSoFar(tmp_path / "best", json.loads(json.dumps(known.state())), {})
    assert again.best == known.best and not again.consider(80, report(9.0, images=(5, 6)), dict)


def test_a_new_run_does_not_inherit_the_best_of_another(tmp_path):
    (tmp_path / "best").mkdir()
    (tmp_path / ".best-unfinished").mkdir()
    BestSoFar(tmp_path / "best", {}, {}).write(lambda weights: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [{"publish": "best"}, {"patience_kimg": 10.0}])
@pytest.mark.parametrize("without", [{"extractor": "none"}, {"extractor": "digits", "evaluate_kimg": 0.0}])
def test_what_follows_scores_is_refused_without_them(option, without):
    (name,) = option
    with pytest.raises(ValueError, match=f"{name}=.* is not allowed with extractor="):
        TrainConfig(**option | without)
    TrainConfig(**option | {"extractor": "digits"})


def test_words_about_the_samples_are_not_repeated_of_other_weights():
    recipe = {"seen": "a zoo", "beta1": 0.5}
    assert "seen" not in merge(recipe, {"publish": "best"}) and "seen" in merge(recipe, {"alarms": "off"})
