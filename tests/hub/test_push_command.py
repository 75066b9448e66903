"""`gan-hub push`: what the library's upload sends, after the Hub was asked whether it will take it."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.hub import client as act


def stored(hub, name: str) -> dict[str, bytes]:
    """File → content of a repository's main branch."""
    repo = hub.repos[name]
    return repo.commits[repo.branches["main"]]


def test_python_and_the_shell_push_the_same_files(hub, client, tiny_model):
    client(act.upload, tiny_model, "me/python")
    code, out, err = client(act.shell, "push", tiny_model, "me/shell", "--token", "hf_made_up")
    commit = hub.repos["me/shell"].branches["main"]
    assert (code, err) == (0, "") and out == f"published: {hub.address}/me/shell/commit/{commit}\n"
    assert stored(hub, "me/shell") == stored(hub, "me/python")


def test_the_options_of_a_push_reach_the_hub(hub, client, tiny_model):
    options = ("--private", "--variant", "fp16", "--token", "hf_made_up", "--message", "First try", "--create-pr")
    code, _, err = client(act.shell, "push", tiny_model, "me/secret", *options)
    assert (code, err) == (0, "") and hub.repos["me/secret"].private is True and hub.tokens == {"Bearer hf_made_up"}
    weights = {name for name in stored(hub, "me/secret") if "diffusion_pytorch_model" in name}
    assert {name.split(".")[1] for name in weights} == {"fp16"} and hub.messages == ["First try"]
    assert hub.pull_requests[-1] == "POST /api/models/me/secret/commit/main"


@pytest.mark.parametrize(
    ("repo_id", "token", "sentence"),
    [
        ("you/my-gan", "hf_made_up", "may not write to 'you'; its own are me."),
        ("me/my gan", "hf_made_up", "no name of a repository, which is OWNER/NAME"),
        ("me/my-gan", None, "you are not logged in to the Hub; run `hf auth login`, or set HF_TOKEN."),
    ],
)
def test_a_push_that_will_be_refused_creates_nothing(repo_id, token, sentence, hub, client, tiny_model):
    options = ("--token", token) if token else ()
    code, out, err = client(act.shell, "push", tiny_model, repo_id, *options)
    assert (code, out) == (1, "") and sentence in err and len(err.splitlines()) == 1 and hub.repos == {}


def test_a_folder_that_is_no_model_is_not_pushed(hub, client, tiny_model_copy, tmp_path):
    for folder, sentence in ((tmp_path, "manifest.json"), (Path("/no/such"), "no/such"), (tiny_model_copy, "sha256")):
        path = tiny_model_copy / "judge.json"
        path.write_bytes(path.read_bytes().replace(b"0.7", b"0.6"))
        code, out, err = client(act.shell, "push", folder, "me/my-gan", "--token", "hf_made_up")
        assert (code, out) == (1, "") and sentence in err and len(err.splitlines()) == 1, err
    assert hub.repos == {}


def test_the_shell_loads_a_revision_of_a_private_model_with_a_token(hub, client, tiny_model, tmp_path):
    client(act.upload, tiny_model, "me/my-gan")
    hub.repos["me/my-gan"].branches["v1"] = hub.repos["me/my-gan"].branches["main"]
    hub.tokens.clear()
    out = tmp_path / "x.png"
    options = ("--revision", "v1", "--token", "hf_made_up", "--seeds", 1, "--out", out)
    assert client(act.shell, "sample", "me/my-gan", *options) == (0, f"{out}: 1 images\n", "")
    assert hub.tokens == {"Bearer hf_made_up"} and not [name for name in hub.downloads() if "discriminator" in name]
    code, _, err = client(act.shell, "info", "me/my-gan@v1", "--revision", "main")
    assert (code, err) == (
        1, "gan-hub info: 'me/my-gan@v1' names the revision 'v1', but --revision 'main' is given.\n"
    )  # fmt: skip


def test_a_model_of_the_hub_is_scored_under_its_own_name(hub, client, tiny_model, tmp_path):
    client(act.upload, tiny_model, "me/my-gan")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), dtype=np.uint8)
    np.savez(tmp_path / "real.npz", images=pixels)
    options = ("--extractor", "digits", "--num", 20, "--bootstrap", 0, "--no-cache", "--out", tmp_path / "x.json")
    code, _, err = client(
        act.shell, "evaluate", "me/my-gan", "--token", "hf_made_up", "--data", tmp_path / "real.npz", *options
    )
    assert (code, err) == (0, "") and json.loads((tmp_path / "x.json").read_text())["subject"] == "my-gan"
