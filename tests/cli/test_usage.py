"""Usage: mistakes are one line, an exit code and no file; help is quick; documents name options that exist."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import gan_hub
from gan_hub import cli
from gan_hub.cli.arguments import in_flags
from gan_hub.cli.program import COMMANDS
from tests.cli.conftest import present

ROOT = Path(__file__).parents[2]


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
        (["style-transfer", "{style}", "{style}", "x.png", "--steps", "0"], 2, "--steps 0 is not allowed"),
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
        (["info", "dcgan-mnits"], 1, "nor a Hub id, which is owner/name; did you mean dcgan-mnist?"),
        (["info", "{model}", "--revision", "v1"], 2, "--revision is not allowed with"),
        (["sample", "mlp-mnist", "--seeds", "1", "--out", "x.png", "--force-download"], 2, "no download from the Hub"),
        (["info", "{model}", "--variant", "fp64"], 1, "diffusion_pytorch_model.fp64.safetensors: not found"),
        (["sample", "{model}", "--seeds", "1", "--out", "x.png", "--devise", "cpu"], 2, "did you mean --device?"),
        (["sample", "{model}", "--seeds", "1", "--out", "x.png", "--device", "gpu"], 2, "device 'gpu' is not known"),
        (["sample", "{model}", "--seeds", "1", "--out", "no/x.npz"], 2, "'no/x.npz' cannot be written: its folder"),
        (
            ["sample", "{model}", "--seeds", "1", "--out", "new", "--columns", "2"],
            2,
            "--columns is not allowed with new",
        ),
        (
            ["sample", "{model}", "--seeds", "1", "--out", "x.npz", "--scale", "2"],
            2,
            "--scale is not allowed with x.npz",
        ),
        (["interpolate", "{model}", "--seeds", "1,2", "--out", "x.gif", "--frame", "9"], 2, "did you mean --frames?"),
        (["concepts", "{model}", "--fnd", "sefa"], 2, "unrecognized arguments: --fnd; did you mean --find?"),
        (
            ["concepts", "{model}", "--find", "brigthness", "--out", "new"],
            2,
            "--find 'brigthness' is not known; choose",
        ),
        (["compare", "a.json", "b.json", "--farce"], 2, "did you mean --force?"),
        (["export", "runs/x", "--output", "y"], 2, "unrecognized arguments: --output; did you mean --out?"),
        (["push", "{model}", "me/x", "--privat"], 2, "unrecognized arguments: --privat; did you mean --private?"),
        (["push", "{model}"], 2, "the following arguments are required: REPO_ID"),
        (["verify", "{model}", "--varaint", "fp16"], 2, "did you mean --variant?"),
        (["list", "--colour"], 2, "unrecognized arguments: --colour"),
        (["info", "no-such-model"], 1, "'no-such-model': neither a folder, nor a bundled model ("),
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
        (["style-transfer", "{style}", "{style}", "x.png", "--size", "31"], 2, "--size 31 is not allowed"),
        (["style-transfer", "{style}", "{style}", "x.png", "--steps", "many"], 2, "invalid int value: 'many'"),
        (
            ["style-transfer", "{style}", "{style}", "x.png", "--style-weight", "nan"],
            2,
            "--style-weight nan is not allowed",
        ),
        (["style-transfer", "{style}", "{style}", "x.png", "--optimizer", "sgd"], 2, "invalid choice: 'sgd'"),
        (["style-transfer", "{style}", "{style}", "x.png", "--features", "vgg.pth"], 1, "a pickle, which can run code"),
        (["style-transfer", "{style}", "{style}", "x.png", "--features", "timm/vgg19.tv_in1k"], 1, "cannot be reached"),
        (
            ["style-transfer", "{style}", "{style}", "x.png", "--size", "40", "--style-weight", "1e308"],
            1,
            "the losses became NaN or Inf",
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


def test_style_transfer_writes_a_picture_says_what_to_expect_and_shows_progress(run, pictures, tmp_path):
    code, out, err = run("style-transfer", *pictures, "out.png", "--steps", 3, "--size", 40, "--style-weight", 50)
    assert code == 0 and out.startswith("out.png: 40 × 40, total loss ")
    lines = err.splitlines()
    assert lines[0].startswith("features: squeezenet1.0, a small classifier of photos (ImageNet)")
    assert [line.split(":")[0] for line in lines[1:]] == ["step 0", "step 1", "step 2"] and "style 0." in lines[1]
    with Image.open("out.png") as picture:
        assert picture.text["features"] == "squeezenet1.0" and picture.text["style_weight"] == "50.0"
    assert present(tmp_path) == {"out.png", "content.png", "style.jpg"}


def test_an_empty_name_of_a_folder_is_not_taken_for_the_working_directory(run, tiny_model):
    before = sorted(Path().iterdir())
    for command in (
        ["sample", tiny_model, "--seeds", "1"],
        ["concepts", tiny_model, "--find", "pca"],
        ["export", "runs/a"],
    ):
        code, out, error = run(*command, "--out", "")
        assert (code, out) == (2, "") and "argument --out: '' is not allowed; it is a folder" in error
    assert sorted(Path().iterdir()) == before


def test_a_mistyped_name_of_data_is_answered_by_the_nearest_one(run, tiny_model):
    code, _, error = run("evaluate", tiny_model, "--data", "mnits")
    assert code == 2 and "data 'mnits': no such folder, .zip, .parquet or .npz; did you mean mnist?" in error
    assert len(error.splitlines()) == 1


def test_a_message_of_the_library_names_the_flags_that_were_typed():
    parser = cli.parser().command_parser("evaluate")
    for message, typed in {
        "num_images=4 is not allowed": "--num 4 is not allowed",
        "images need resolution=, the pixels of both": "images need --resolution, the pixels of both",
        "force_download=True downloads it again.": "--force-download downloads it again.",
        "replicates=1 is not allowed": "--bootstrap 1 is not allowed",
        "names the revision 'v1', but revision='main' is given": "names the revision 'v1', but --revision 'main' is given",
        "E=mc² and my_seed=3 stay": "E=mc² and my_seed=3 stay",
    }.items():
        assert in_flags(message, parser) == typed


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__.rpartition(".")[2])
def test_every_example_of_a_command_is_understood_by_it(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "path").mkdir()
    assert command.EXAMPLES
    for example in command.EXAMPLES:
        program, *words = shlex.split(example)
        args = cli.parser().parse_args(words)
        assert program == "gan-hub" and args.run is command.run, example


def test_the_examples_that_need_no_data_run(run):
    """Those of bundled models; sampling with fewer images than the example asks for."""
    for example in ("list", "info dcgan-mnist", "sample dcgan-fashion-mnist --seeds 0-15 --label sneaker --out grid.png",
                    "sample dcgan-mnist --seeds 0-9 --concept thickness=1.5 --out thick",
                    "interpolate dcgan-mnist --seeds 1,5,9 --label 7 --out walk.webp", "concepts dcgan-mnist"):  # fmt: skip
        code, out, err = run(*shlex.split(example))
        assert (code, err) == (0, "") and out, example


@pytest.mark.parametrize("command", ["train", "demo"])
def test_a_command_that_another_room_parses_gets_every_argument_as_it_was_typed(command):
    typed = ["recipe.yaml", "--seeds", "1", "2", "--dry-run", "--no-such-flag=3", "--help", "--", "-x"]
    assert cli.parser().parse_args([command, *typed]).arguments == typed


def test_the_version_is_that_of_the_package(run):
    assert run("--version") == (0, f"gan-hub {gan_hub.__version__}\n", "")


def test_an_interrupted_command_says_so_in_one_line(run, monkeypatch, tiny_model, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("gan_hub.pipeline.outputs.to_pil", interrupted)
    for out in ("x.png", "folder"):
        expected = (130, "", "gan-hub sample: interrupted; nothing was written.\n")
        assert run("sample", tiny_model, "--seeds", "1", "--out", out) == expected
    assert present(tmp_path) == set()
