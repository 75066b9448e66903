"""`gan-hub export`: a run that was stopped becomes a model, at any time, and nothing of the run is touched."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from gan_hub import GANPipeline, cli
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError
from gan_hub.training import checkpoints as room
from gan_hub.training import trainer
from gan_hub.training.checkpoints import list_checkpoints, load_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.export_checkpoint import export_run
from gan_hub.training.run_files import read_log
from gan_hub.training.train_state import TENSOR_FILES
from tests.training import test_best_checkpoint
from tests.training.test_exact import train
from tests.training.test_run_lock import content, living, until


@pytest.fixture
def config(small_options) -> TrainConfig:
    return TrainConfig(**small_options | {"trackers": "none", "evaluate_images": 60})


def of(config: TrainConfig, step: int) -> Path:
    return config.run_folder / "checkpoints" / f"step-{step:09d}"


def is_the_model_of(folder: Path, checkpoint: Path) -> bool:
    pipe, (tensors, _) = GANPipeline.from_pretrained(folder), load_checkpoint(checkpoint, TENSOR_FILES)
    pairs = (pipe.generator, tensors["ema"]), (pipe.discriminator, tensors["discriminator"])
    return all(torch.equal(state[name], tensor) for net, state in pairs for name, tensor in net.state_dict().items())


def test_a_stopped_run_becomes_a_model_with_its_card_judge_samples_and_log(config, capsys):
    train(config, stop_after=7)
    before = content(config.run_folder)
    assert cli.main(["export", str(config.run_folder)]) == 0
    out, export = capsys.readouterr().out, config.run_folder / "export"
    assert f"exporting {of(config, 7)} (0.1 of 0.384 kimg)" in out and f"wrote {export}" in out
    assert is_the_model_of(export, of(config, 7)) and GANPipeline.from_pretrained(export).verify_reference() == 0
    files = {path.name for path in export.iterdir()}
    assert files >= {"README.md", "judge.json", "samples.png", "log.jsonl", "plot.png", "recipe.yaml", "timelapse.webp"}
    assert "0 thousand images in batches of 16" in (export / "README.md").read_text()
    assert [line["images"] for line in read_log(export / "log.jsonl")][-1] <= 112
    after = content(config.run_folder)
    assert {name: after[name] for name in before} == before  # nothing of the run was touched
    train(config, resume=True)


def test_a_finished_run_is_exported_as_it_exported_itself(config, tmp_path):
    options = {"extractor": "digits", "checkpoint_kimg": 1.0, "total_kimg": 0.096, "decay_kimg": 0.0}
    folder = trainer.train(TrainConfig(**vars(config) | options))
    again = export_run(folder.parent, tmp_path / "again")
    one, two = content(folder), content(again)
    assert one.keys() == two.keys()
    minutes = {"README.md"}  # has the minutes of the last checkpoint
    assert {name for name in one if one[name] != two[name]} <= minutes
    without = export_run(folder.parent, tmp_path / "without", scores=False)
    assert set(content(folder)) - set(content(without)) == {"scores.json"}


def test_the_checkpoint_of_a_step_is_exported_and_another_step_is_named(config, tmp_path, capsys):
    train(config, stop_after=7)
    out = str(tmp_path / "six")
    assert cli.main(["export", str(config.run_folder), "--checkpoint", "6", "--out", out]) == 0
    assert is_the_model_of(Path(out), of(config, 6))
    assert cli.main(["export", str(config.run_folder), "--checkpoint", "5", "--out", out]) == 2
    assert "--checkpoint 5 is not allowed" in (error := capsys.readouterr().err) and "the steps 6, 7." in error


def test_a_running_run_is_exported_and_goes_on(config):
    with living(config, 8):
        export_run(config.run_folder)
        assert is_the_model_of(config.run_folder / "export", of(config, 6))
    assert list_checkpoints(config.run_folder / "checkpoints")[-1] == of(config, 24)


def test_a_checkpoint_that_is_pruned_under_the_export_makes_room_for_the_next(config, tmp_path, monkeypatch):
    train(config, stop_after=7)
    shutil.move(of(config, 7), tmp_path)
    verified, reads = room._verified, []

    def pruned(manifest, file, *limit):
        reads.append(file)
        if len(reads) == 5:
            shutil.move(tmp_path / of(config, 7).name, of(config, 7))
            shutil.rmtree(of(config, 6))
        return verified(manifest, file, *limit)

    monkeypatch.setattr(room, "_verified", pruned)
    export_run(config.run_folder)
    monkeypatch.undo()
    assert reads[0].parent == of(config, 6) and is_the_model_of(config.run_folder / "export", of(config, 7))


def test_a_damaged_newest_checkpoint_is_passed_over_with_a_word(config, capsys):
    train(config, stop_after=7)
    (of(config, 7) / "ema.safetensors").write_bytes(b"torn")
    export_run(config.run_folder)
    assert f"passed over a checkpoint: {of(config, 7)}" in capsys.readouterr().out
    assert is_the_model_of(config.run_folder / "export", of(config, 6))
    (of(config, 6) / "ema.safetensors").unlink()
    with pytest.raises(LoadError, match="no valid checkpoint"):
        export_run(config.run_folder)


def test_a_step_beyond_the_run_is_no_finished_run(config):
    train(config, stop_after=7)
    folder = of(config, 7)
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"step": 1_000_000}))
    far = folder.rename(folder.with_name("step-001000000"))
    Manifest.write(far, [path.name for path in far.iterdir() if path.name != "manifest.json"])
    shutil.rmtree(of(config, 6))
    for refused in (lambda: export_run(config.run_folder), lambda: train(config, resume=True)):
        with pytest.raises(LoadError, match="step is 1000000, but its run has steps 1 to 24 only"):
            refused()


def test_images_that_were_moved_are_found_where_data_says_and_others_are_refused(config, tmp_path, capsys):
    source = tmp_path / "mine.npz"
    shutil.copyfile(config.data, source)
    train(TrainConfig(**vars(config) | {"data": str(source)}), stop_after=6)
    moved = source.rename(tmp_path / "moved.npz")
    assert cli.main(["export", str(config.run_folder)]) != 0
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert cli.main(["export", str(config.run_folder), "--data", str(moved)]) == 0
    import numpy as np

    with np.load(moved) as arrays:
        other = dict(arrays)
    other["x_train"][0] = 0
    np.savez(moved, **other)
    assert cli.main(["export", str(config.run_folder), "--data", str(moved)]) == 2
    assert "was trained on other images" in capsys.readouterr().err


def test_what_is_no_run_or_would_be_overwritten_is_said(config, tmp_path, capsys):
    train(config, stop_after=6)
    model = export_run(config.run_folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    (tmp_path / "empty").mkdir()
    (tmp_path / "young").mkdir()
    shutil.copy(config.run_folder / "config.yaml", tmp_path / "young")
    other = shutil.copytree(model, tmp_path / "other")
    (other / "recipe.yaml").write_text("name: other\n")
    for arguments, said in (
        ([str(model)], "is a model already; a run is a folder with checkpoints/"),
        ([str(tmp_path / "absent")], "does not exist"),
        ([str(tmp_path / "mine")], "is no run; a run is a folder with checkpoints/"),
        ([str(tmp_path / "young")], "has no checkpoint yet"),
        ([str(config.run_folder / "checkpoints")], f"lies in a run; give its folder, {config.run_folder}"),
        ([str(config.run_folder / "checkpoints" / "step-000000006")], f"give its folder, {config.run_folder}"),
        ([str(config.run_folder), "--out", str(tmp_path / "mine")], "is there and is no earlier export of small"),
        ([str(config.run_folder), "--out", str(config.run_folder)], "is there and is no earlier export of small"),
        ([str(config.run_folder), "--out", str(other)], "is there and is no earlier export of small"),
    ):
        assert cli.main(["export", *arguments]) == 2
        error = capsys.readouterr().err
        assert said in error and len(error.splitlines()) == 1
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    assert export_run(config.run_folder, tmp_path / "empty") == tmp_path / "empty"
    assert export_run(config.run_folder, model) == model


def test_a_network_that_still_grows_is_no_model_yet(small_options):
    networks = {"base_channels": 2, "max_channels": 4}
    growing = {
        "architecture": "progan", "grow_kimg": 0.064, "generator": networks | {"latent_size": 8},
        "discriminator": networks, "trackers": "none",
    }  # fmt: skip
    config = TrainConfig(**small_options | growing)
    train(config, stop_after=7)
    with pytest.raises(ValueError, match=r"has grown 0.75 of 2 times, .* let the run go on to 0.256 kimg"):
        export_run(config.run_folder)
    train(config, resume=True)
    assert is_the_model_of(export_run(config.run_folder), of(config, 24))


def test_the_best_is_exported_where_the_run_publishes_it(shapes_npz, tmp_path):
    config = TrainConfig(**test_best_checkpoint.options(shapes_npz, tmp_path, publish="best"))
    test_best_checkpoint.play(config, test_best_checkpoint.SCORES[:3], kill_at=8)
    export_run(config.run_folder, scores=False)
    assert test_best_checkpoint.same(
        test_best_checkpoint.weights(config.run_folder / "export"), test_best_checkpoint.of_step(config, 4)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "fp64"},
        {
            "architecture": "gmmn", "loss": "mmd", "r1_gamma": 0.0, "discriminator": {}, "conditional": False,
            "generator": {"latent_size": 4, "hidden_size": 16},
        },
    ],
    ids=["float64", "no discriminator"],
)  # fmt: skip
def test_runs_of_every_kind_become_models(small_options, options):
    config = TrainConfig(**small_options | {"trackers": "none"} | options)
    train(config, stop_after=6)
    pipe = GANPipeline.from_pretrained(export_run(config.run_folder))
    assert pipe.generator.dtype == torch.float32 and (pipe.discriminator is None) is ("architecture" in options)


def test_the_run_and_the_command_wait_for_each_others_exports(config):
    """Both replace the same folder; each of them is whole."""
    train(config, stop_after=23)
    AcceleratorState._reset_state(reset_partial_state=True)
    child = os.fork()
    if child == 0:
        try:
            trainer.train(config, resume=True)
            os._exit(0)
        except BaseException:
            os._exit(1)
    until((config.run_folder / "running.json").exists)
    done = 0
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        export_run(config.run_folder)
        done += 1
    assert done and GANPipeline.from_pretrained(config.run_folder / "export").verify_reference() == 0
    assert not [path.name for path in config.run_folder.iterdir() if path.name.startswith(".")]
