"""The command gan-hub: what each command writes, and that a mistake is one line, an exit code and no file."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard, ModelCardData
from PIL import Image

from gan_hub import GANPipeline, cli, list_models
from gan_hub.hub import resolve
from gan_hub.hub.cards import CardScores, check_card, format_number
from gan_hub.hub.resolve import bundled_models
from gan_hub.images import height_width
from gan_hub.model_folder import real_samples
from gan_hub.models import ARCHITECTURES
from tests.models.test_registry import build_pair

ROOT = Path(__file__).parents[1]


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Runs one command in an empty folder → (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            code = cli.main(list(map(str, arguments)))
        except SystemExit as left:
            code = left.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    """A content and a style, 40 × 40 pixels of noise."""
    made = []
    for seed, name in enumerate(("content.png", "style.jpg")):
        pixels = np.random.default_rng(seed).integers(0, 255, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((40, 40)).save(tmp_path / name)
        made.append(tmp_path / name)
    return made


def present(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def digits(tmp_path) -> Path:
    """The real digits that a bundled model ships, as an .npz beside it."""
    found = real_samples.read(bundled_models()["dcgan-mnist"], 28, 1, 10)
    np.savez(tmp_path.parent / "digits.npz", images=found.images, labels=found.labels)
    return tmp_path.parent / "digits.npz"


# ---------------------------------------------------------------------------------------------------------- commands


def test_list_tells_each_bundled_model_with_its_score_in_columns(run):
    code, out, err = run("list")
    assert (code, err) == (0, "")
    head, *lines = out.splitlines()
    assert [line.split()[0] for line in lines] == [model.name for model in list_models()]
    columns = [match.start() for match in re.finditer(r"\S+", head)]
    for line, model in zip(lines, list_models()):
        cells = [line[start:end].rstrip() for start, end in zip(columns, (*columns[1:], None))]
        height, width = height_width(model.resolution)
        assert cells[0] == model.name and cells[1].startswith(model.architecture) and cells[2] == model.dataset
        assert cells[3].startswith(f"{width} × {height} ") and float(cells[4]) == round(model.megabytes, 1)
        assert cells[5] == (f"{model.score[0]} {format_number(model.score[1])}" if model.score else "–")
        assert cells[6] == f"{model.auc:.3f}"
    assert any("DCGAN, 10 classes" in line and "fashion-mnist" in line and "28 × 28 grey" in line for line in lines)


@pytest.fixture
def made_zoo(tmp_path_factory, monkeypatch, tiny_pipeline) -> Path:
    """A zoo of five tiny models of three kinds; three have a judge, two of them a score."""
    zoo = tmp_path_factory.mktemp("zoo")
    alone, (generator, discriminator) = (build_pair(ARCHITECTURES[name]) for name in ("gmmn", "spade"))
    maps = GANPipeline(generator, discriminator, segmentations=torch.zeros(1, 32, 32, dtype=torch.uint8))
    kinds = {name: tiny_pipeline for name in ("worse", "better", "unscored")} | {
        "alone": GANPipeline(*alone),
        "maps": maps,
    }
    for name, pipeline in kinds.items():
        pipeline.save_pretrained(zoo / name)
    for name, distance in (("better", 2.0), ("worse", 10.0)):
        judge = {"discriminator AUC (held out)": 0.7}
        results = CardScores(judge | {"accuracy": 0.9, "FD-shapes": distance}, {}).results("shapes", "shapes")
        ModelCard(f"---\n{ModelCardData(model_name=name, eval_results=results).to_yaml()}\n---\n# {name}\n").save(
            zoo / name / "README.md"
        )
    monkeypatch.setattr(resolve, "BUNDLED_MODELS_DIR", zoo)
    return zoo


def test_list_tells_what_draws_from_maps_and_what_has_no_score_small_images_first(run, made_zoo):
    code, out, err = run("list")
    assert (code, err) == (0, "")
    rows = [re.split(r"\s{2,}", line) for line in out.splitlines()[1:]]
    assert [row[0] for row in rows] == ["better", "worse", "unscored", "alone", "maps"]
    assert rows[0] == ["better", "DCGAN, 3 classes", "shapes", "28 × 28 grey", "0.0", "FD-shapes 2.000", "0.700"]
    assert rows[2][-2:] == ["–", "0.700"] and rows[3][-2:] == ["–", "–"]
    assert rows[4][1] == "SPADE, from maps" and rows[4][3] == "32 × 32 RGB"


def test_info_tells_what_a_model_is_made_of(run, tiny_model, tiny_rgb_model):
    code, out, err = run("info", tiny_model)
    assert (code, err) == (0, "")
    assert "images of 28 × 28 × 1 from 8 numbers" in out and "generator: DCGANGenerator, " in out
    assert "classes: circle, square, star" in out and "judge: held-out AUC 0.700" in out and "scores" not in out
    assert "classes: none" in run("info", tiny_rgb_model)[1]
    assert "scores against mnist, as its card states them: FD-digits " in run("info", "dcgan-mnist")[1]


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
    """Real digits as files, and as many as asked whose end is cut off."""
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
    assert code == 2 and "num_images=4 is not allowed; it is a whole number from 1 to 3" in err


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
    given = cli.parser().parse_args(asked)
    assert cli._again(given, bundled_models()["dcgan-mnist"]) == (
        "gan-hub evaluate dcgan-mnist --data mnist --metrics fd,kid --num 20 --seed 4294967295"
    )


def test_the_command_in_a_card_names_an_extractors_file_in_words_and_never_by_its_path(tmp_path):
    (tmp_path / "net.safetensors").touch()
    own = ["--extractor", "mobilenet-v2", "--extractor-weights", str(tmp_path / "net.safetensors")]
    given = cli.parser().parse_args(["evaluate", "dcgan-mnist", "--data", "mnist", *own])
    assert cli._again(given, bundled_models()["dcgan-mnist"]) == (
        "gan-hub evaluate dcgan-mnist --data mnist --extractor mobilenet-v2 --extractor-weights your-mobilenet-v2.safetensors"
    )


def test_sample_draws_the_images_of_the_seeds_in_a_grid_that_tells_how_it_was_made(run, tiny_model, tmp_path):
    code, out, err = run("sample", tiny_model, "--seeds", "0-3,7", "--label", "star", "--out", "grid.png")
    assert (code, out, err) == (0, "grid.png: 5 images\n", "")
    expected = GANPipeline.from_pretrained(tiny_model)(seeds=[0, 1, 2, 3, 7], labels="star", output_type="np").images
    with Image.open("grid.png") as sheet:
        assert sheet.size == (3 * 30 - 2, 2 * 30 - 2)
        assert np.array_equal(np.asarray(sheet)[:28, :28], expected[0, ..., 0])
        assert np.array_equal(np.asarray(sheet)[30:, 30:58], expected[4, ..., 0])
        assert sheet.text == {"model": str(tiny_model), "label": "star", "truncation": "1.0", "seeds": "0,1,2,3,7"}
    assert present(tmp_path) == {"grid.png"}


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        (["0 1 2"], "0,1,2"),
        (["0-3 7"], "0,1,2,3,7"),
        (["0", "1", "2"], "0,1,2"),
        (["0-3", "7"], "0,1,2,3,7"),
        (["0-3,", "7"], "0,1,2,3,7"),
        (["1", "-", "3", "9"], "1,2,3,9"),
        (["5–6"], "5,6"),
    ],
)
def test_seeds_of_a_shell_are_never_glued_together(given, drawn, run, tiny_model):
    for arguments in (["sample", tiny_model, "--seeds", *given], ["sample", "--seeds", *given, tiny_model]):
        code, out, err = run(*arguments, "--out", "grid.png")
        assert (code, err) == (0, "") and out == f"grid.png: {drawn.count(',') + 1} images\n"
        with Image.open("grid.png") as sheet:
            assert sheet.text["seeds"] == drawn


def test_the_seeds_of_concepts_and_the_names_of_scores_are_lists_too(run):
    read = cli.parser().parse_args
    given = read(["concepts", "m", "--seeds", "0-39", "50", "--held-out=60", "61-62", "--find", "slant width,pca"])
    assert (
        given.seeds == [*range(40), 50] and given.held_out == [60, 61, 62] and given.find == ["slant", "width", "pca"]
    )
    for text in ("fd,kid", "fd kid", "fd, kid", " fd  kid,"):
        assert read(["evaluate", "m", "--data", "d", "--metrics", text]).metrics == ["fd", "kid"]
    twice = read(["concepts", "m", "--drop", "sefa 1,sefa 2", "--drop", "sefa 3", "--name", "a b = c d"])
    assert twice.drop == ["sefa 1", "sefa 2", "sefa 3"] and twice.name == [("a b", "c d")]


def test_a_label_may_be_an_index_and_truncation_0_gives_one_image(run, tiny_model, tiny_pipeline):
    for label in ("2", "star"):
        run("sample", tiny_model, "--seeds", 4, "--label", label, "--out", f"{label}.png", "--scale", "2")
    assert Path("2.png").stat().st_size > 0 and np.array_equal(
        *(np.asarray(Image.open(f"{x}.png")) for x in ("2", "star"))
    )
    assert Image.open("star.png").size == (56, 56)
    run("sample", tiny_model, "--seeds", "1,2", "--label", 0, "--truncation", 0, "--columns", 1, "--out", "mean.png")
    mean = np.asarray(Image.open("mean.png"))
    assert mean.shape == (58, 28) and np.array_equal(mean[:28], mean[30:])


FEW = ("--seeds", "0-99", "--held-out", "500-519")


def test_concepts_are_found_named_dropped_and_drawn(run, tiny_model_copy, tmp_path):
    model = tiny_model_copy
    assert run("concepts", model) == (0, f"{model} has no concepts; --find finds some.\n", "")
    code, out, err = run("concepts", model, "--find", "brightness,sefa", "--count", 2, *FEW, "--picture", "look.png")
    assert code == 0 and err.split() == ["brightness", "…", "sefa", "…"]
    assert out.count("of 20 seeds\n") == 3 and f"{model}: 3 concepts" in out and "four rows a concept" in out
    assert Image.open("look.png").size == (9 * 30 - 2, 12 * 30 - 2)
    assert list(GANPipeline.from_pretrained(model).concepts) == ["brightness", "sefa 1", "sefa 2"]

    code, out, err = run("concepts", model, "--name", "sefa 1=long ears", "--drop", "sefa 2")
    pipe = GANPipeline.from_pretrained(model)
    assert (code, err, list(pipe.concepts)) == (0, "", ["brightness", "long ears"])
    assert pipe.concepts["long ears"].found == "SeFa 1 in z, length by 100 seeds"
    assert run("concepts", model)[1] == "".join(out.rsplit(f"{model}: 2 concepts\n"))

    code, out, err = run(
        "sample", model, "--seeds", 4, "--concept", "long ears=-1.5", "--concept", "brightness=1", "--out", "x.png"
    )
    assert (code, err) == (0, "")
    with Image.open("x.png") as picture:
        expected = pipe(seeds=[4], concepts={"long ears": -1.5, "brightness": 1}, output_type="np").images[0]
        assert np.array_equal(np.asarray(picture), expected[..., 0])
        assert picture.text["concepts"] == "long ears=-1.5, brightness=1"


def test_concepts_go_into_another_folder_of_the_same_model_or_a_new_one(
    run, tiny_model, tiny_rgb_model, tiny_model_copy
):
    for folder in (tiny_model_copy, Path("new")):
        assert run("concepts", tiny_model, "--find", "contrast", *FEW, "--out", folder)[0] == 0
        assert list(GANPipeline.from_pretrained(folder).concepts) == ["contrast"]
    assert GANPipeline.from_pretrained(tiny_model).concepts == {}
    for arguments, sentence in (
        ((tiny_rgb_model, "--find", "contrast", *FEW, "--out", tiny_model_copy), "holds another model than"),
        (
            ("dcgan-mnist", "--find", "contrast", *FEW),
            "dcgan-mnist is no folder that could be changed; give --out FOLDER",
        ),
        ((tiny_model_copy, "--find", "beauty", *FEW), "--find beauty is not known; choose among brightness, "),
        ((tiny_model_copy, "--find", "warmth", *FEW), "these images are grey"),
        ((tiny_model_copy, "--find", "pca", *FEW), "pca needs a model with a w"),
        ((tiny_model_copy, "--name", "beauty=x"), "no concept is called 'beauty'; there are contrast"),
        ((tiny_model_copy, "--name", "contrast=a=b"), "concept name 'a=b' is not allowed"),
        ((tiny_model_copy, "--name", "contrast"), "'contrast' is not allowed; two names"),
        ((tiny_model_copy, "--find", "contrast", "--seeds", "0-99", "--held-out", "99"), "held-out seeds also find"),
    ):
        code, out, err = run("concepts", *arguments)
        assert (code, out) == (2, "") and sentence in err.replace("contrast …\n", ""), err
    assert list(GANPipeline.from_pretrained(tiny_model_copy).concepts) == ["contrast"]
    for wrong in ("contrast", "=1", "contrast=x", "contrast=nan"):
        assert run("sample", tiny_model_copy, "--seeds", 1, "--out", "y.png", "--concept", wrong)[0] == 2
    assert not Path("y.png").exists()


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_interpolate_walks_from_the_first_seed_to_the_last(ending, run, tiny_model, tiny_pipeline, tmp_path):
    out = f"walk.{ending}"
    code, said, err = run(
        "interpolate", tiny_model, "--seeds", "1,5,9", "--label", "circle", "--frames", 7, "--out", out
    )
    assert (code, said, err) == (0, f"{out}: 7 frames\n", "")
    keys = tiny_pipeline(seeds=[1, 5, 9], labels="circle", output_type="np").images[..., 0]
    with Image.open(out) as animation:
        assert animation.n_frames == 7
        for frame, key in zip((0, 3, 6), keys):
            animation.seek(frame)
            assert np.array_equal(np.asarray(animation.convert("L")), key)
    assert present(tmp_path) == {out}


def test_a_walk_keeps_the_class_of_its_first_seed(run, tiny_model, tiny_pipeline, tmp_path):
    run("interpolate", tiny_model, "--seeds", "1,5", "--frames", 6, "--out", "own.webp")
    own = tiny_pipeline(seeds=[1]).labels[0]
    run("interpolate", tiny_model, "--seeds", "1,5", "--frames", 6, "--label", own, "--out", "asked.webp")
    assert Path("own.webp").read_bytes() == Path("asked.webp").read_bytes()


def test_style_transfer_writes_a_picture_says_what_to_expect_and_shows_progress(run, pictures, tmp_path):
    code, out, err = run("style-transfer", *pictures, "out.png", "--steps", 3, "--size", 40, "--style-weight", 50)
    assert code == 0 and out.startswith("out.png: 40 × 40, total loss ")
    lines = err.splitlines()
    assert lines[0].startswith("features: fashion, the project's own classifier") and "no brush strokes" in lines[0]
    assert [line.split(":")[0] for line in lines[1:]] == ["step 0", "step 1", "step 2"] and "style 0." in lines[1]
    with Image.open("out.png") as picture:
        assert picture.text["features"] == "fashion" and picture.text["style_weight"] == "50.0"
    assert present(tmp_path) == {"out.png", "content.png", "style.jpg"}


# ---------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["dance"], 2, "argument COMMAND: invalid choice: 'dance'"),
        (["smaple"], 2, "invalid choice: 'smaple'; did you mean sample?"),
        (["evalute"], 2, "did you mean evaluate?"),
        (["--colour", "list"], 2, "unrecognized arguments: --colour"),
        (["sample", "{model}", "--seed", "1"], 2, "unrecognized arguments: --seed; did you mean --seeds?"),
        (["evaluate", "{model}", "--metric", "fd"], 2, "unrecognized arguments: --metric; did you mean --metrics?"),
        (["evaluate", "{model}", "--data", "x", "--num_images=5"], 2, "did you mean --num-images?"),
        (
            ["evaluate", "{model}", "--data", "x", "--metrics", "fd", "kid"],
            2,
            "kid; quotes hold what has blanks, and commas",
        ),
        (["evaluate", "{model}", "--data", "x", "--metrics", ","], 2, "',' is not allowed; names, joined by commas"),
        (
            ["evaluate", "{model}", "--data", "{rgb}", "--extractor", "digits", "--device", "gpu"],
            2,
            "device 'gpu' is not known",
        ),
        (
            ["style-transfer", "{style}", "{style}", "x.png", "--device", "mps:9"],
            2,
            "'mps:9' is not on this machine; choose",
        ),
        (["style-transfer", "{style}", "{style}", "x.png", "--optimizer", "adamw"], 2, "did you mean adam?"),
        (["style-transfer", "{style}", "{style}", "x.png", "--seed", "-1"], 2, "seed -1 is not allowed"),
        (["style-transfer", "{style}", "{style}", "x.png", "--steps", "0"], 2, "steps=0 is not allowed"),
        (["sample", "{model}", "--seeds", "3", "-5", "--out", "x.png"], 2, "unrecognized arguments: -5"),
        (
            ["sample", "{model}", "--seeds", "0-4095", "--scale", "64", "--out", "x.png"],
            2,
            "take fewer, or a smaller --scale",
        ),
        (
            ["interpolate", "{model}", "--seeds", "1,2", "--frames", "4096", "--scale", "64", "--out", "x.gif"],
            2,
            "take fewer",
        ),
        (
            ["sample", "{model}", "--seeds", "1", "--concept", "a=1", "--concept", "a=2", "--out", "x.png"],
            2,
            "given twice",
        ),
        (["compare", "{style}", "{style}"], 1, "style.jpg: not valid JSON"),
        (["compare", "{model}", "{model}"], 1, "cannot be read (Is a directory)"),
        ([], 2, "the following arguments are required: COMMAND"),
        (["list", "--colour"], 2, "unrecognized arguments: --colour"),
        (["info", "no-such-model"], 1, "gan-hub/no-such-model: not in the cache, and the Hub cannot be reached"),
        (["info", "../nowhere"], 1, "not a model folder"),
        (["sample", "{model}", "--out", "x.png"], 2, "the following arguments are required: --seeds"),
        (["sample", "{model}", "--seeds", "1"], 2, "the following arguments are required: --out"),
        (["sample", "{model}", "--seeds", "3-1", "--out", "x.png"], 2, "'3-1' is not allowed; seeds are whole numbers"),
        (["sample", "{model}", "--seeds", "", "--out", "x.png"], 2, "'' is not allowed; seeds are whole numbers"),
        (["sample", "{model}", "--seeds", "0-4294967295", "--out", "x.png"], 2, "4294967296 seeds are not allowed"),
        (["sample", "{model}", "--seeds", "4294967296", "--out", "x.png"], 2, "from 0 to 4294967295"),
        (["sample", "{model}", "--seeds", "1", "--out", "x.tiff"], 2, "'x.tiff' is not allowed; it ends in .png"),
        (["sample", "{model}", "--seeds", "1", "--out", "no/x.png"], 2, "'no/x.png' cannot be written: its folder"),
        (["sample", "{model}", "--seeds", "1", "--out", "x.png", "--label", "hat"], 2, "label 'hat' is not allowed"),
        (["sample", "{model}", "--seeds", "1", "--out", "x.png", "--label", "9"], 2, "label 9 is not allowed"),
        (["sample", "{rgb}", "--seeds", "1", "--out", "x.png", "--label", "hat"], 2, "this model is unconditional"),
        (
            ["sample", "{model}", "--seeds", "1", "--out", "x.png", "--truncation", "2"],
            2,
            "truncation 2.0 is not allowed",
        ),
        (["sample", "{model}", "--seeds", "1", "--out", "x.png", "--truncation", "nan"], 2, "truncation nan is not"),
        (
            ["sample", "{model}", "--seeds", "1", "--out", "x.png", "--scale", "0"],
            2,
            "'0' is not allowed; a whole number",
        ),
        (["interpolate", "{model}", "--seeds", "1", "--out", "x.webp"], 2, "1 seeds are not allowed; from 2"),
        (["interpolate", "{model}", "--seeds", "1,2", "--out", "x.mp4"], 2, "gan_hub has no writer of .mp4"),
        (["interpolate", "{model}", "--seeds", "1,2", "--out", "x.gif", "--frames", "1"], 2, "'1' is not allowed"),
        (
            ["style-transfer", "absent.png", "{style}", "x.png"],
            1,
            "absent.png: not a picture that can be read (No such",
        ),
        (["style-transfer", "{torn}", "{style}", "x.png"], 1, "torn.png: not a picture that can be read (damaged"),
        (["style-transfer", "{style}", "{style}", "x.png", "--size", "31"], 2, "size=31 is not allowed"),
        (["style-transfer", "{style}", "{style}", "x.png", "--steps", "many"], 2, "invalid int value: 'many'"),
        (
            ["style-transfer", "{style}", "{style}", "x.png", "--style-weight", "nan"],
            2,
            "style_weight=nan is not allowed",
        ),
        (["style-transfer", "{style}", "{style}", "x.png", "--optimizer", "sgd"], 2, "invalid choice: 'sgd'"),
        (["style-transfer", "{style}", "{style}", "x.png", "--features", "vgg.pth"], 1, "a pickle, which can run code"),
        (["style-transfer", "{style}", "{style}", "x.png", "--features", "timm/vgg19.tv_in1k"], 1, "cannot be reached"),
        (
            ["style-transfer", "{style}", "{style}", "x.png", "--size", "40", "--style-weight", "1e308"],
            1,
            "the picture ran away",
        ),
        (
            ["style-transfer", "{style}", "{style}", "x.png", "--device", "abacus"],
            2,
            "device 'abacus' is not known; choose cpu",
        ),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code_and_writes_nothing(
    arguments, code, said, run, tiny_model, tiny_rgb_model, pictures, tmp_path
):
    (tmp_path / "torn.png").write_bytes(pictures[0].read_bytes()[:200])
    (tmp_path / "x.png").write_bytes(b"an earlier result")
    before = present(tmp_path)
    places = {"model": tiny_model, "rgb": tiny_rgb_model, "style": pictures[1], "torn": tmp_path / "torn.png"}
    got, out, err = run(*[argument.format(**places) for argument in arguments])
    reasons = [line for line in err.splitlines() if not line.startswith(("features: ", "step "))]
    assert (got, out) == (code, "") and len(reasons) == 1, err
    assert reasons[0].startswith("gan-hub") and said in reasons[0]
    assert present(tmp_path) == before and (tmp_path / "x.png").read_bytes() == b"an earlier result"


def test_debug_shows_where_it_failed(run, tmp_path):
    with pytest.raises(ValueError, match="not a model folder"):
        run("info", "../nowhere", "--debug")


def test_the_help_and_the_defaults_it_names_need_no_torch():
    code = """
import sys
from gan_hub import cli
try:
    cli.main(["style-transfer", "--help"])
except SystemExit as left:
    assert left.code == 0
assert not {"torch", "numpy", "PIL", "huggingface_hub"} & set(sys.modules), "slow"
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

    import inspect

    from gan_hub.style_transfer import style_transfer

    help_ = " ".join(done.stdout.split())
    parameters = inspect.signature(style_transfer).parameters
    for name in ("features", "steps", "content_weight", "style_weight", "variation_weight", "size", "seed", "device"):
        said = help_.split(f"--{name.replace('_', '-')} {name.upper()} ")[1].split(")")[0] + ")"
        assert said.endswith(f"({parameters[name].default:g})" if name not in ("features", "device") else
                             f"({parameters[name].default})"), said  # fmt: skip
    for name in ("optimizer", "start"):
        assert f"({parameters[name].default})" in help_


def test_the_document_names_only_options_that_exist():
    document = (ROOT / "docs" / "style-transfer.md").read_text(encoding="utf-8")
    commands = next(a for a in cli.parser()._actions if a.dest == "command").choices
    known = set(commands["style-transfer"]._option_string_actions)
    named = set(re.findall(r"--[a-z][a-z-]+", document))
    assert named <= known and known - named <= {"-h", "--help", "--debug"}


def test_the_module_runs_as_a_program_and_an_error_has_no_traceback(tmp_path):
    for arguments, code in ((["style-transfer", "absent.png", "absent.png", "x.png"], 1), (["walk"], 2)):
        command = [sys.executable, "-m", "gan_hub.cli", *arguments]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == code and "Traceback" not in done.stderr
        assert done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
