"""train.py from outside: the dry run, one-sentence errors, and a whole run with a folder that loads and can be published."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from accelerate.state import AcceleratorState

from gan_hub import GANPipeline
from gan_hub.data.split_file import DataSplit
from gan_hub.hub.cards import check_card
from gan_hub.training.command import main
from tests.training.conftest import fresh_accelerate, shapes_npz, small_options  # noqa: F401  (fixtures)

ROOT = Path(__file__).parents[1]


def train(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    env = os.environ | {"OMP_NUM_THREADS": "1"} | variables
    return subprocess.run(
        [sys.executable, "train.py", *arguments], env=env, cwd=ROOT, capture_output=True, text=True, timeout=250
    )


def test_the_dry_run_looks_at_the_data_says_how_long_it_takes_and_does_nothing(tmp_path, shapes_npz):  # noqa: F811
    done = train(
        *("recipes/dcgan-fashion-mnist.yaml", "--dry-run", "--output", str(tmp_path / "runs"), "--batch-size", "32"),
        *("--data", str(shapes_npz), "--precision", "fp32"),
    )
    assert done.returncode == 0, done.stderr
    options = yaml.safe_load(done.stdout)  # all else is a comment
    assert options["batch_size"] == 32 and options["loss"] == "non_saturating" and options["beta2"] == 0.99
    remark, *_, sizes, images, minutes = [line for line in done.stdout.splitlines() if line.startswith("# ")]
    assert remark.startswith(
        "# recipes/dcgan-fashion-mnist.yaml: not taken over, for it is of the recipe's own images or model: "
    )
    assert "extractor, data_license, seen, goals" in remark and options["extractor"] == "none"
    assert re.match(
        r"# generator 69\d,\d+ parameters, discriminator 43\d,\d+; 3 classes; 31,250 steps of 32 images$", sizes
    )
    assert images.startswith("# training on 300 images of 28 × 28 × 1") and images.endswith("Held out: 100.")
    assert re.match(
        r"# About \S+ minutes, measured on a few steps just now: \S+ images a second with 1 process", minutes
    )
    assert not (tmp_path / "runs").exists()


def test_what_the_dry_run_says_of_the_data_is_what_the_run_would_say(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "empty").mkdir()
    for data, said in (("nowhere", "no such folder"), ("empty", "empty")):
        AcceleratorState._reset_state(reset_partial_state=True)
        arguments = ["recipes/own-images.yaml", "--dry-run", "--precision", "fp32", "--data", str(tmp_path / data)]
        assert main(arguments) == 2
        out, error = capfd.readouterr()
        assert said in error and len(error.splitlines()) == 1 and yaml.safe_load(out)["data"] == str(tmp_path / data)


def test_the_dry_run_looks_for_the_models_that_the_run_begins_and_scores_with(small_options, tmp_path, capfd):  # noqa: F811
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small_options | {"trackers": "none"}))
    for flags, said in (
        (["--initial", str(tmp_path)], "not a model folder"),
        (
            ["--extractor", "mobilenet-v2", "--extractor_weights", str(tmp_path / "none.safetensors")],
            "none.safetensors",
        ),
    ):
        AcceleratorState._reset_state(reset_partial_state=True)
        assert main([str(tmp_path / "small.yaml"), "--dry-run", *flags]) == 2
        error = capfd.readouterr().err
        assert said in error and len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["recipes/no-such.yaml"], 2, "recipe recipes/no-such.yaml: cannot be read"),
        (
            ["recipes/dcgan-mnist.yaml", "--device", "gpu"],
            2,
            "train.py: --device 'gpu' is not allowed; choose one of auto, cpu, cuda, mps",
        ),
        (["recipes/dcgan-mnist.yaml", "--name", "a\nb"], 2, "--name 'a\\nb' is not allowed"),
        (["recipes/dcgan-mnist.yaml", "--batch_size", "many"], 2, "--batch_size 'many' is not allowed"),
        (["recipes/dcgan-mnist.yaml", "--loss", "magic"], 2, "--loss 'magic' is not allowed"),
        (["recipes/dcgan-mnist.yaml", "--dry-run", "--generator", "{{depth: 3}}"], 2, "config key 'depth' is unknown"),
        (
            ["recipes/dcgan-mnist.yaml", "--dry-run", "--generator", "{{channels: 3}}"],
            2,
            "set for both networks at the top",
        ),
        (
            ["recipes/dcgan-mnist.yaml", "--data", "nowhere.npz", "--output", "{tmp}"],
            1,
            "data 'nowhere.npz': no such folder",
        ),
        (
            ["recipes/dcgan-mnist.yaml", "--precision", "fp16", "--device", "cpu", "--output", "{tmp}"],
            1,
            "needs a CUDA GPU",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(arguments, code, said, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(ROOT)
    AcceleratorState._reset_state(reset_partial_state=True)
    assert main([argument.format(tmp=tmp_path) for argument in arguments]) == code
    error = capfd.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("step-*"))


@pytest.mark.parametrize("prog", ["train.py", "gan-hub train"])
def test_the_command_speaks_of_itself_and_of_flags_as_they_were_typed(prog, capsys):
    for arguments, message in (
        (["dcgan-mnist", "--seed", "-1"], "--seed -1 is not allowed; it is 0 or more."),
        (["dcgan-mnist", "--loss", "mmd"], "--loss 'mmd' is not allowed with architecture='dcgan'; "),
        (["dcgan-mnist", "--extractor", "vgg"], "--extractor 'vgg' is not allowed; choose one of none, digits"),
    ):
        assert main(arguments, prog) == 2
        assert capsys.readouterr().err.startswith(f"{prog}: {message}")
    for arguments, message in (
        (["dcgan-mnist", "--totl_kimg", "3"], "unknown flag '--totl_kimg'; did you mean --total_kimg?"),
        (["dcgan-mnist", "--dry-rum"], "unknown flag '--dry-rum'; did you mean --dry-run?"),
        (["--zzz"], f"unknown flag '--zzz'; {prog} --help lists all options"),
        ([], "the following arguments are required: recipe"),
    ):
        with pytest.raises(SystemExit) as left:
            main(arguments, prog)
        error = capsys.readouterr().err
        assert error.startswith(f"{prog}: {message}") and len(error.splitlines()) == 1 and left.value.code == 2


def test_what_is_to_be_done_before_publishing_is_said_of_files_that_are_there(small_options, tmp_path, capfd):  # noqa: F811
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small_options | {"trackers": "none", "total_kimg": 0.112}))
    assert main([str(tmp_path / "small.yaml")]) == 0
    said = [line for line in capfd.readouterr().out.splitlines() if line.startswith("before it is published: ")]
    paths = [Path(path) for line in said for path in re.findall(rf"{tmp_path}[^ :]+", line)]
    assert all(path.exists() for path in paths), said
    assert any("it has no scores of its images: train with an extractor" in line for line in said), said
    assert not any("cannot be read" in line for line in said), said


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shapes_npz):  # noqa: F811
    """A whole run through `accelerate launch`, on a folder with a few bad files, with images to ship."""
    from PIL import Image

    tmp = tmp_path_factory.mktemp("whole")
    with np.load(shapes_npz) as arrays:
        for index, (image, label) in enumerate(zip(arrays["x_train"], arrays["y_train"])):
            folder = tmp / "images" / "train" / f"bar-{label}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{index:03d}.png")
        shipped = {"images": arrays["x_train"][:30], "labels": arrays["y_train"][:30]}
    np.savez(tmp / "shipped.npz", **shipped)
    (tmp / "images" / "train" / "bar-0" / "page.jpg").write_text("<html>not found</html>")
    (tmp / "images" / "train" / "bar-1" / "torn.png").write_bytes(
        (tmp / "images/train/bar-0").glob("0*.png").__next__().read_bytes()[:90]
    )
    options = {
        "name": "bars", "data": str(tmp / "images"), "output": str(tmp / "runs"),
        "generator": {"latent_size": 8, "base_channels": 4},
        "discriminator": {"base_channels": 4, "norm": "none", "minibatch_stddev": True},
        "batch_size": 16, "total_kimg": 0.32, "log_kimg": 0.1, "sample_kimg": 0.16, "checkpoint_kimg": 0.16,
        "evaluate_kimg": 0.16, "evaluate_images": 60, "extractor": "digits", "device": "cpu", "data_license": "CC0",
        "real_samples": str(tmp / "shipped.npz"), "real_samples_notice": "made for this test\nsecond line",
    }  # fmt: skip
    (tmp / "bars.yaml").write_text(yaml.safe_dump(options))
    command = [
        Path(sys.executable).with_name("accelerate"),
        "launch",
        "--cpu",
        "--num_processes",
        "1",
        "train.py",
        tmp / "bars.yaml",
    ]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(list(map(str, command)), env=env, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    return tmp / "runs" / "bars", done.stdout


def test_bad_files_are_counted_and_named_and_do_not_stop_the_run(finished):
    _, output = finished
    assert "2 files skipped: 1 truncated (train/bar-1/torn.png); 1 web page (train/bar-0/page.jpg)" in output
    assert "training on 216 images" in output  # 300, less the shipped 30, less a fifth that is held out


def test_the_run_leaves_log_samples_plot_tensorboard_and_checkpoints(finished):
    run, _ = finished
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines if "loss/generator" in line] == [96, 192, 288, 320]
    assert [line["images"] for line in lines if "score/FD-digits" in line] == [160, 320]
    assert sorted(path.name for path in (run / "samples").iterdir()) == ["000000000160.png", "000000000320.png"]
    assert (run / "plot.png").stat().st_size > 5000 and list((run / "tensorboard").glob("**/events.*"))
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == ["step-000000010", "step-000000020"]


def test_the_export_is_a_complete_hub_folder_that_loads(finished):
    run, _ = finished
    files = {path.relative_to(run / "export").as_posix() for path in (run / "export").rglob("*") if path.is_file()}
    weights = {
        f"{part}/diffusion_pytorch_model{kind}.safetensors"
        for part in ("generator", "discriminator")
        for kind in ("", ".fp16")
    }
    assert files == weights | {
        "README.md", "config.json", "discriminator/config.json", "generator/config.json", "judge.json", "log.jsonl",
        "manifest.json", "model_index.json", "plot.png", "real_samples.json", "real_samples.png", "recipe.yaml",
        "reference.safetensors", "samples.png", "scores.json", "split.json", "timelapse.json",
        "timelapse.webp",
    }  # fmt: skip
    pipe = GANPipeline.from_pretrained(run / "export")
    assert pipe.label_names == ["bar-0", "bar-1", "bar-2"] and pipe.verify_reference() == 0
    assert 0 <= pipe.calibration.auc <= 1 and pipe.judge(pipe(seeds=[1]).images).shape == (1,)


def test_the_run_and_its_export_say_which_images_were_trained_on_and_which_held_out(finished):
    run, _ = finished
    split = DataSplit.read(run)
    assert split == DataSplit.read(run / "export") and split.data == "your-data" and not split.held_out_is_test_split
    assert (split.train_images, split.held_out_images, len(split.left_out_sha256)) == (216, 54, 30)


def test_the_card_tells_what_was_measured_and_nothing_of_this_machine(finished):
    run, _ = finished
    card = (run / "export" / "README.md").read_text()
    check_card(card)
    scores = json.loads((run / "export" / "scores.json").read_text())
    assert f"{scores['scores']['FD-digits']:.3f}" in card and scores["provenance"]["extractor_sha256"] in card
    assert "held-out AUC" in card and "made for this test" in card and "licence CC0" in card
    recipe = (run / "export" / "recipe.yaml").read_text()
    assert str(run.parents[1]) not in card + recipe and "data: your-data" in recipe
