"""`gan-hub evaluate` and `gan-hub compare`: reports, cards, and refusals before the work."""

import argparse
import json
import re
import shutil
from pathlib import Path

import numpy as np
from huggingface_hub import ModelCard
from PIL import Image

from gan_hub import cli, metrics
from gan_hub.cli.evaluate import OPTIONS
from gan_hub.hub.cards import check_card, format_number
from gan_hub.hub.resolve import bundled_models
from gan_hub.metrics.card_scores import FLAGS, evaluate_command
from gan_hub.pretrained_networks import path_of
from tests.cli.conftest import present

QUICKLY = ("--extractor", "digits", "--metrics", "fd,accuracy", "--bootstrap", "5", "--no-cache")


def test_evaluate_prints_scores_with_their_provenance_and_compare_holds_two_reports_together(run, digits):
    for name, seed in (("first", 0), ("second", 0), ("other", 1)):
        asked = ("--num", "40", "--seed", seed, *QUICKLY, "--out", f"{name}.json")
        code, out, err = run("evaluate", "dcgan-mnist", "--data", digits, *asked)
        assert (code, err) == (0, "")
        assert out.startswith(f"dcgan-mnist against {digits}\nFD-digits ")
        assert "label accuracy (digits)" in out and "generated images 40" in out and "noise" in out
    code, out, err = run("compare", "first.json", "second.json")
    assert (code, err) == (0, "") and out.splitlines()[0].split() == ["dcgan-mnist", "|", "dcgan-mnist"]
    assert out.count("within noise") == 2
    code, out, err = run("compare", "first.json", "other.json")
    assert (code, out) == (2, "") and "these reports were not measured alike: seed 0 against 1" in err
    assert run("compare", "first.json", "other.json", "--force")[0] == 0
    assert "no.json: cannot be read" in run("compare", "no.json", "first.json")[2]


def folder_of(digits: Path, where: Path, whole: int, broken: int = 0) -> Path:
    """Real digits as files, some of them truncated."""
    where.mkdir()
    images = np.load(digits)["images"]
    for index, pixels in enumerate(images[:whole]):
        Image.fromarray(pixels).save(where / f"{index:03d}.png")
    for index in range(broken):
        (where / f"cut-{index:03d}.png").write_bytes((where / "000.png").read_bytes()[:60])
    return where


FOLDERS = ("--extractor", "digits", "--bootstrap", "0", "--no-cache")


def test_skipped_files_are_told_by_evaluate_on_both_sides_and_stand_in_the_report(run, digits, tmp_path):
    ours, theirs = folder_of(digits, tmp_path / "ours", 30, 30), folder_of(digits, tmp_path / "theirs", 40, 2)
    (theirs / "empty.jpg").touch()
    code, out, err = run("evaluate", ours, "--data", theirs, *FOLDERS, "--out", "report.json")
    assert code == 0 and err.splitlines() == [
        "note: scored images: 30 images of 28 × 28 × 1; 30 files skipped: 30 truncated (cut-000.png, cut-001.png, "
        "cut-002.png, …).",
        "note: real images: 40 images of 28 × 28 × 1; 3 files skipped: 1 empty (empty.jpg); 2 truncated (cut-000.png, "
        "cut-001.png).",
    ]
    skipped = "30 scored files (30 truncated), 3 real files (1 empty, 2 truncated)"
    assert (
        json.loads(Path("report.json").read_text())["provenance"]["skipped"] == skipped and f"skipped {skipped}" in out
    )
    code, out, err = run(
        "evaluate", folder_of(digits, tmp_path / "clean", 30), "--data", theirs, *FOLDERS, "--out", "x.json"
    )
    assert code == 0 and run("compare", "report.json", "x.json")[0] == 0  # the same images were measured
    code, out, err = run("evaluate", "dcgan-mnist", "--data", theirs, "--num", "20", *FOLDERS)
    assert code == 0 and err.count("note: real images: 40 images") == 1


def test_one_scored_image_has_no_score_and_that_is_an_error(run, digits, tmp_path):
    one, many = folder_of(digits, tmp_path / "one", 1, 3), folder_of(digits, tmp_path / "many", 30)
    for arguments in (("evaluate", one, "--data", many), ("evaluate", many, "--data", one)):
        code, out, err = run(*arguments, *FOLDERS, "--out", "report.json")
        assert (code, out) == (2, "") and "metric 'fd' needs two images at least on both sides" in err
        assert "3 files skipped: 3 truncated" in err and not Path("report.json").exists()


def test_scores_that_need_more_images_say_how_many(run, digits, tmp_path):
    three, many = folder_of(digits, tmp_path / "three", 3), folder_of(digits, tmp_path / "many", 30)
    for metric, scored, real, said in (
        ("pr", three, many, "metric 'pr' needs 4 images at least on both sides"),
        ("dc", many, three, "metric 'dc' needs 6 real images at least"),
        ("is", three, many, "metric 'is' needs 10 scored images at least"),
        ("fd", many, three, ""),
    ):
        code, out, err = run("evaluate", scored, "--data", real, *FOLDERS, "--metrics", metric)
        assert (
            (code == 2 and said in err) if said else (code == 0 and "of 3 images in 128 features is mostly bias" in err)
        )
    code, out, err = run("evaluate", three, "--data", many, *FOLDERS, "--num", "4")
    assert code == 2 and "--num 4 is not allowed; it is a whole number from 1 to 3" in err


def test_a_card_that_cannot_take_scores_is_told_before_the_work(run, digits, tmp_path):
    folder = tmp_path / "my-gan"
    shutil.copytree(bundled_models()["dcgan-mnist"], folder)
    for content, said in (
        (None, "README.md: cannot be read"),
        (b"\xff\xfe no text", "README.md: it is no text in UTF-8"),
        (b"# a card without metadata", "README.md: no scores in it that could be replaced"),
        (b"---\nlicense: [\n---\n", "README.md: its metadata cannot be read"),
    ):
        (folder / "README.md").unlink(missing_ok=True)
        if content is not None:
            (folder / "README.md").write_bytes(content)
        code, out, err = run("evaluate", folder, "--data", digits, "--metrics", "nonsense", *FOLDERS, "--card")
        assert code in (1, 2) and said in err and "nonsense" not in err and len(err.splitlines()) == 1, err


def test_evaluate_writes_the_scores_into_a_models_card(run, digits, tmp_path):
    folder = tmp_path / "my-gan"
    shutil.copytree(bundled_models()["dcgan-mnist"], folder)
    before = (folder / "README.md").read_text()
    code, out, err = run("evaluate", folder, "--data", digits, "--num", "30", *QUICKLY, "--card")
    assert (code, err) == (0, "") and f"{folder / 'README.md'}: its scores are these now" in out
    after, scores = (folder / "README.md").read_text(), json.loads((folder / "scores.json").read_text())
    check_card(after)
    fd = scores["scores"]["FD-digits"]
    low, high = scores["intervals"]["FD-digits"]
    assert f"| **FD-digits** | **{fd:.3f}** | {format_number(low)} to {high:.3f} |" in after
    assert (
        "command" not in scores and "one command" not in after.split("## The discriminator")[0]
    )  # nobody has that file
    results = ModelCard(after).data.eval_results
    assert {(result.dataset_name, result.dataset_type) for result in results} == {("digits.npz", "digits.npz")}
    stated = {result.metric_name: result.metric_value for result in results}
    assert stated == {name: float(format_number(value)) for name, value in scores["scores"].items()}
    rest = [
        re.sub(r"(?s)## (Scores|Memorisation|What it must not).*?((?=\n## )|\Z)|^---.*?---\n", "", text).split()
        for text in (before, after)
    ]
    assert rest[0] == rest[1] and present(folder) == present(bundled_models()["dcgan-mnist"])
    code, out, err = run("evaluate", "absent-model", "--data", digits, *QUICKLY, "--card")
    assert code == 1 and len(err.splitlines()) == 1


def command_of(args: argparse.Namespace) -> str:
    """The command that a card gets for the options of a command line."""
    return evaluate_command(args.model, args.data, {name: getattr(args, name) for name in OPTIONS if name in args})


def test_the_command_in_a_card_is_one_that_a_shell_understands():
    asked = [
        "evaluate",
        "dcgan-mnist",
        "--data",
        "mnist",
        "--metrics",
        "fd, kid",
        "--num-images",
        "20",
        "--seed",
        "4294967295",
    ]
    assert command_of(cli.parser().parse_args(asked)) == (
        "gan-hub evaluate dcgan-mnist --data mnist --metrics fd,kid --num 20 --seed 4294967295"
    )


def test_the_command_in_a_card_names_an_extractors_file_in_words_and_never_by_its_path(tmp_path):
    (tmp_path / "net.safetensors").touch()
    own = ["--extractor", "mobilenet-v2", "--extractor-weights", str(tmp_path / "net.safetensors")]
    command = "gan-hub evaluate dcgan-mnist --data mnist --extractor mobilenet-v2"
    assert command_of(cli.parser().parse_args(["evaluate", "dcgan-mnist", "--data", "mnist", *own])) == (
        f"{command} --extractor-weights your-mobilenet-v2.safetensors"
    )
    shutil.copy(path_of("mobilenet-v2"), tmp_path / "net.safetensors")  # everybody has this one
    assert command_of(cli.parser().parse_args(["evaluate", "dcgan-mnist", "--data", "mnist", *own])) == command


def test_a_file_whose_extractor_was_not_named_is_called_by_the_one_that_took_it(tmp_path):
    (tmp_path / "net.safetensors").touch()
    file = {"weights": str(tmp_path / "net.safetensors")}
    for asked, name in (("fd", "mobilenet-v2"), (["fid", "kid"], "inception"), ("fid,kid", "inception")):
        line = evaluate_command("mine", "avatars", file | {"metrics": asked})
        assert line.endswith(f"--extractor-weights your-{name}.safetensors")


def test_every_flag_in_a_card_is_one_of_the_command():
    assert {name: flag for name, flag in FLAGS.items()} == {name: OPTIONS[name][0][0] for name in FLAGS}


def test_python_and_the_shell_give_the_same_report(run, digits):
    code, _, err = run("evaluate", "dcgan-mnist", "--data", digits, "--num", 40, *QUICKLY, "--out", "shell.json")
    assert (code, err) == (0, "")
    report = metrics.evaluate(
        "dcgan-mnist", str(digits), ["fd", "accuracy"], extractor="digits", num_images=40, replicates=5
    )
    assert json.loads(Path("shell.json").read_text()) == json.loads(json.dumps(report.to_dict()))


def test_a_variant_is_scored_with_its_own_weights_and_the_report_keeps_the_models_name(run, digits, tiny_model):
    scores = {}
    for variant in ((), ("--variant", "fp16")):
        code, _, err = run("evaluate", tiny_model, *variant, "--data", digits, "--num", 20, *FOLDERS, "--out", "x.json")
        report = json.loads(Path("x.json").read_text())
        assert (code, err, report["subject"]) == (0, "", "tiny-gan")
        scores[variant] = report["scores"]["FD-digits"]
    assert len(set(scores.values())) == 2
    assert "fp64" in run("evaluate", tiny_model, "--variant", "fp64", "--data", digits, *FOLDERS)[2]
