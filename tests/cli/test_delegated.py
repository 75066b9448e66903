"""`gan-hub train`, `demo` and `verify`: thin fronts, which do what the library does with the same words."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gan_hub import cli, verify
from gan_hub.cli.program import COMMANDS
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError
from gan_hub.training import TrainConfig, train
from tests.training.conftest import shapes_npz, small_options  # noqa: F401  (fixtures)

ROOT = Path(__file__).parents[2]


def test_train_runs_a_recipe_with_its_flags_as_train_py_does(run, small_options, tmp_path):  # noqa: F811
    recipe = tmp_path / "small.yaml"
    recipe.write_text(yaml.safe_dump(small_options))
    code, out, _ = run("train", recipe, "--name", "mine")
    export = Path(small_options["output"]) / "mine" / "export"
    assert code == 0 and out.splitlines()[-1] == f"done: {export}"
    assert json.loads((export / "config.json").read_text())["_class_name"] == "GANPipeline"
    assert run("info", export)[0] == 0


def test_python_and_the_shell_train_the_same_model_to_the_bit(run, small_options, tmp_path):  # noqa: F811
    recipe = tmp_path / "small.yaml"
    recipe.write_text(yaml.safe_dump(small_options))
    assert run("train", recipe, "--output", tmp_path / "shell", "--seed", "3")[0] == 0
    ours = train(TrainConfig(**small_options | {"output": str(tmp_path / "python"), "seed": 3}))
    theirs = tmp_path / "shell" / "small" / "export"
    networks = [name for name in Manifest(ours).files if name.endswith(".safetensors")]
    assert len(networks) >= 5
    for name in [*networks, "judge.json", "split.json"]:
        assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["recipes/no-such.yaml"], "recipe recipes/no-such.yaml: cannot be read"),
        (["small.yaml", "--total-kimgs", "1"], "did you mean"),
        (["small.yaml", "--total_kimg", "many"], "total_kimg"),
        ([], "recipe"),
    ],
)
def test_a_mistake_in_a_training_command_is_one_line(arguments, sentence, run, small_options):  # noqa: F811
    Path("small.yaml").write_text(yaml.safe_dump(small_options))
    code, out, err = run("train", *arguments)
    assert (code, out) == (2, "") and err.startswith("gan-hub train: ")
    assert sentence.lower() in err.lower() and len(err.splitlines()) == 1, err
    assert not Path(small_options["output"]).exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--prot", "1"], "did you mean --port?"),
        (["--port", "0"], "from 1 to 65535"),
        (["no-such-model"], "neither a folder, nor a bundled model"),
    ],
)
def test_a_mistake_in_a_demo_command_is_one_line_and_opens_no_page(arguments, sentence, run):
    code, out, err = run("demo", *arguments)
    assert (code, out) == (2, "") and sentence in err and err.startswith("gan-hub demo: ")
    assert len(err.splitlines()) == 1, err


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--prot", 2)])
def test_the_help_of_the_demo_and_its_mistakes_wait_for_no_library(argument, code):
    program = f"""
import sys
from gan_hub.cli.program import main
try:
    main(["demo", {argument!r}])
except SystemExit as leaving:
    assert leaving.code == {code} and not {{"gradio", "torch"}} & set(sys.modules)
    print("left")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.endswith("left\n"), done.stderr


def test_verify_lists_what_was_checked_as_the_library_does(run, tiny_model):
    for options, variant in (((), None), (("--variant", "fp16"), "fp16")):
        lines = verify.verify_model(tiny_model, variant=variant)
        assert run("verify", tiny_model, *options) == (0, "".join(f"{line}\n" for line in lines), "")
        assert len(lines) > 5


def test_verify_names_what_is_damaged_as_the_library_does(run, tiny_model_copy):
    path = tiny_model_copy / "generator" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(LoadError) as caught:
        verify.verify_model(tiny_model_copy)
    assert run("verify", tiny_model_copy) == (1, "", f"gan-hub verify: {caught.value}\n")


def test_the_page_on_commands_has_a_row_for_each_and_its_functions_and_commands_exist():
    document = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)[^|]*\|[^|]*\| (.*) \|$", document, flags=re.MULTILINE)
    assert list(dict.fromkeys(name for name, _ in rows)) == [command.EXAMPLES[0].split()[1] for command in COMMANDS]
    for path in re.findall(r"`(gan_hub[\w.]+)`", " ".join(functions for _, functions in rows)):
        module, _, name = path.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name)), path
    for line in re.findall(r"^gan-hub .*$", document, flags=re.MULTILINE):
        assert cli.parser().parse_args(shlex.split(line, comments=True)[1:]).command, line
