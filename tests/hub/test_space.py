"""`gan-hub push --space`: the page with chosen models, as files that a Space and anybody's own machine can serve."""

import ast
import os
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml
from packaging.requirements import Requirement

from gan_hub import cli
from gan_hub.demo.models import MODEL_VARIABLE
from tests.hub import client as act

TOKEN = ("--token", "hf_made_up")


def front_matter(text: str) -> dict:
    return yaml.safe_load(text.split("---")[1])


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def served(folder: Path) -> str:
    """What the program of a folder answers, run as a Space runs it: with its own package, and nothing of ours around it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", MODEL_VARIABLE)}
    env |= {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(folder / "tmp"),
    }
    page = subprocess.Popen([sys.executable, "app.py"], cwd=folder, env=env, stderr=subprocess.PIPE, text=True)
    try:
        while page.poll() is None:
            try:
                return urlopen(f"http://127.0.0.1:{port}/config", timeout=60).read().decode()
            except URLError:
                time.sleep(0.2)
        raise AssertionError(page.stderr.read())
    finally:
        page.kill()
        page.wait()


def test_a_dry_run_writes_a_space_that_serves_the_page(tiny_model, tmp_path, capsys):
    folder = tmp_path / "page"
    assert cli.main(["push", "--space", "me/my-page", str(tiny_model), "mlp-mnist", "--out", str(folder)]) == 0
    assert capsys.readouterr().out == f"wrote {folder}; `python {folder / 'app.py'}` serves it here\n"
    card = front_matter((folder / "README.md").read_text())
    assert (card["title"], card["sdk"], card["app_file"]) == ("my-page", "gradio", "app.py") and "models" not in card
    assert card["sdk_version"] == version("gradio") and card["python_version"] == f"3.{sys.version_info.minor}"
    needed = {each.name: each for each in map(Requirement, (folder / "requirements.txt").read_text().splitlines())}
    assert needed["gradio"].specifier.contains(card["sdk_version"]) and "torch" in needed and "spaces" not in needed
    parts = {Path(name).parts[0] for name in files(folder)}
    assert parts == {"README.md", "app.py", "requirements.txt", "LICENSE", "gan_hub", "model_cards", "recipes"}
    assert {path.name for path in (folder / "model_cards").iterdir()} == {"tiny-gan", "mlp-mnist"}
    assert files(folder / "model_cards" / "tiny-gan") == files(tiny_model)
    assert not [name for name in files(folder) if "__pycache__" in name]
    config = served(folder)
    assert "tiny-gan" in config and "mlp-mnist" in config and "dcgan-mnist" not in config


def test_a_space_is_uploaded_with_models_of_the_hub_and_a_second_time_nothing_is(hub, client, tiny_model):
    client(act.upload, tiny_model, "me/my-gan")
    for _ in range(2):
        hub.requests.clear()
        code, out, err = client(act.shell, "push", "--space", "me/page", "me/my-gan", "--private", *TOKEN)
        assert (code, out) == (0, f"published: {hub.address}/spaces/me/page\n"), err
    assert hub.uploads() == []
    space = hub.repos["spaces/me/page"]
    there = space.commits[space.branches["main"]]
    assert (space.sdk, space.private) == ("gradio", True)
    assert front_matter(there["README.md"].decode())["models"] == ["me/my-gan"]
    assert "model_cards/my-gan/generator/diffusion_pytorch_model.safetensors" in there
    assert {"app.py", "requirements.txt", "gan_hub/demo/app.py"} <= there.keys()
    assert client(act.shell, "push", "--space", "me/page", tiny_model, *TOKEN)[0] == 0
    names = {name.split("/")[1] for name in space.commits[space.branches["main"]] if name.startswith("model_cards/")}
    assert names == {"tiny-gan"}, "a model that the Space does not show any more stays there"


def test_a_space_for_zerogpu_imports_spaces_first_and_asks_for_a_gpu_by_one_function(tiny_model, tmp_path):
    folder = tmp_path / "page"
    assert cli.main(["push", "--space", "me/page", str(tiny_model), "--zerogpu", "--out", str(folder)]) == 0
    assert "spaces" in (folder / "requirements.txt").read_text().splitlines()
    program = ast.parse((folder / "app.py").read_text())
    modules = [getattr(node, "module", None) or node.names[0].name for node in program.body if hasattr(node, "names")]
    assert modules == ["os", "spaces", "gan_hub.imports"]
    (asked,) = [node for node in program.body if isinstance(node, ast.FunctionDef)]
    assert ast.unparse(asked.decorator_list[0]).startswith("spaces.GPU(")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (
            ["--space", "me/page", "{model}", "{copy}", "--out", "{new}"],
            1,
            "another of the models is called tiny-gan",
        ),
        (["--space", "me/page", "no-such-model", "--out", "{new}"], 1, "neither a folder, nor a bundled model"),
        (
            ["--space", "me/page", "{model}", "--out", "{model}"],
            1,
            "not an empty folder; a Space is written into a new",
        ),
        (["--space", "me/page", "{model}", "--title", "a: b", "--out", "{new}"], 1, "title 'a: b' is not allowed"),
        (["--space", "me/page", "--variant", "fp16"], 2, "--variant does not go with --space"),
        (["{model}", "me/my-gan", "--zerogpu"], 2, "--zerogpu does not go without --space"),
        ([], 2, "the following arguments are required: FOLDER, REPO_ID"),
        (["{model}", "me/a", "mlp-mnist"], 2, "unrecognized arguments: mlp-mnist; models of a page go with --space"),
    ],
)
def test_a_space_that_cannot_be_is_refused_and_nothing_is_written(
    tiny_model, tiny_model_copy, tmp_path, capsys, arguments, code, sentence
):
    places = {"model": tiny_model, "copy": tiny_model_copy, "new": tmp_path / "new"}
    before = files(tiny_model)
    try:
        assert cli.main(["push", *(each.format(**places) for each in arguments)]) == code
    except SystemExit as left:
        assert left.code == code
    err = capsys.readouterr().err
    assert sentence in err and len(err.splitlines()) == 1
    assert not (tmp_path / "new").exists() and files(tiny_model) == before


def test_a_space_that_the_hub_refuses_is_refused_before_anything_is_written(hub, client, tiny_model):
    code, out, err = client(act.shell, "push", "--space", "you/page", tiny_model, *TOKEN)
    assert (code, out) == (1, "") and "may not write to 'you'" in err and hub.repos == {}
    hub.fail("413", where="/commit/")
    code, out, err = client(act.shell, "push", "--space", "me/page", tiny_model, *TOKEN)
    assert (code, out) == (1, "") and "me/page: upload failed: the Hub does not take as much at once (413)." in err
