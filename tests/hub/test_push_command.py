"""`gan-hub push`: what the library's upload sends, after the Hub was asked whether it will take it."""

import json
from pathlib import Path

import numpy as np
import pytest

from gan_hub.hub.resolve import bundled_models
from gan_hub.model_folder.manifest import Manifest
from tests.hub import client as act

TOKEN = ("--token", "hf_made_up")


def no_card(folder: Path) -> str:
    """The remark about a folder without a card."""
    return f"{folder}: no README.md in it, so the Hub shows neither its licence nor what it is good for.\n"


def stored(hub, name: str, branch: str = "main") -> dict[str, bytes]:
    """File → content of a repository's branch."""
    repo = hub.repos[name]
    return repo.commits[repo.branches[branch]]


def test_python_and_the_shell_push_the_same_files(hub, client, tiny_model):
    client(act.upload, tiny_model, "me/python")
    code, out, err = client(act.shell, "push", tiny_model, "me/shell", "--token", "hf_made_up")
    commit = hub.repos["me/shell"].branches["main"]
    assert (code, err) == (0, no_card(tiny_model)) and out == f"published: {hub.address}/me/shell/commit/{commit}\n"
    assert stored(hub, "me/shell") == stored(hub, "me/python")


def test_the_options_of_a_push_reach_the_hub(hub, client, tiny_model):
    options = ("--private", "--variant", "fp16", "--token", "hf_made_up", "--message", "First try", "--create-pr")
    code, _, err = client(act.shell, "push", tiny_model, "me/secret", *options)
    assert (
        (code, err) == (0, no_card(tiny_model))
        and hub.repos["me/secret"].private is True
        and hub.tokens == {"Bearer hf_made_up"}
    )
    weights = {name for name in stored(hub, "me/secret", "refs/pr/1") if "diffusion_pytorch_model" in name}
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
    for folder, sentence in (
        (tmp_path, "a model lies in it; give"),
        (Path("/no/such"), "no/such"),
        (tiny_model_copy, "sha256"),
    ):
        path = tiny_model_copy / "judge.json"
        path.write_bytes(path.read_bytes().replace(b"0.7", b"0.6"))
        code, out, err = client(act.shell, "push", folder, "me/my-gan", "--token", "hf_made_up")
        assert (code, out) == (1, "") and sentence in err and len(err.splitlines()) == 1, err
    assert hub.repos == {}


def test_a_second_push_sends_nothing(hub, client, tiny_model):
    for variant in ((), ("--variant", "fp16")):
        client(act.shell, "push", tiny_model, "me/my-gan", *TOKEN, *variant)
        before, commits = stored(hub, "me/my-gan"), len(hub.repos["me/my-gan"].commits)
        hub.requests.clear()
        code, out, _ = client(act.shell, "push", tiny_model, "me/my-gan", *TOKEN, *variant)
        address = f"{hub.address}/me/my-gan/commit/{hub.repos['me/my-gan'].branches['main']}"
        assert (code, out) == (0, f"nothing new: {address} has it all\n")
        assert [line for line in hub.requests if not line.startswith(("GET ", "HEAD "))] == ["POST /api/repos/create"]
        assert stored(hub, "me/my-gan") == before and len(hub.repos["me/my-gan"].commits) == commits


def test_of_a_changed_model_only_what_changed_is_sent(hub, client, tiny_model_copy):
    client(act.shell, "push", tiny_model_copy, "me/my-gan", *TOKEN)
    (tiny_model_copy / "README.md").write_text("---\nlicense: mit\n---\n# Mine\n")
    hub.requests.clear()
    assert client(act.shell, "push", tiny_model_copy, "me/my-gan", *TOKEN)[0] == 0
    assert hub.uploads() == ["POST /api/models/me/my-gan/commit/main"], "weights that lie there already were sent again"
    assert stored(hub, "me/my-gan")["README.md"] == (tiny_model_copy / "README.md").read_bytes()


def test_what_is_no_file_of_a_model_stays_at_home_and_what_the_card_shows_goes(hub, client, tiny_model_copy):
    card = "![Mine](docs/mine.png) <img src='./other.webp'> [far](https://example.org/x.png) [up](../secret.txt)"
    belongs = {"README.md": card, "docs/mine.png": "x", "other.webp": "x", "LICENSE.txt": "mit", "log.jsonl": "{}\n"}
    strangers = {"notes.txt": "x", "secret.env": "x", "docs/plan.png": "x", ".netrc": "x", "data/train.npz": "x"}
    (tiny_model_copy.parent / "secret.txt").write_text("x")
    for name, text in (belongs | strangers).items():
        (tiny_model_copy / name).parent.mkdir(exist_ok=True)
        (tiny_model_copy / name).write_text(text)
    code, _, err = client(act.shell, "push", tiny_model_copy, "me/my-gan", *TOKEN)
    names = stored(hub, "me/my-gan").keys()
    assert code == 0 and belongs.keys() <= names and not strangers.keys() & names and "secret.txt" not in str(names)
    assert (
        f"{tiny_model_copy}: not sent, as no file of a model: data/train.npz, docs/plan.png, notes.txt, secret.env\n"
        in err
    )


def test_a_push_to_a_branch_makes_it_and_leaves_the_main_one_alone(hub, client, tiny_model, tmp_path):
    client(act.shell, "push", tiny_model, "me/my-gan", *TOKEN, "--variant", "fp16")
    before = stored(hub, "me/my-gan")
    for _ in range(2):  # the branch is new, and then is there
        assert client(act.shell, "push", tiny_model, "me/my-gan", *TOKEN, "--revision", "next")[0] == 0
    assert stored(hub, "me/my-gan") == before
    assert "error" not in client(act.load, "me/my-gan", revision="next", cache_dir=tmp_path)
    assert "error" in client(act.load, "me/my-gan", cache_dir=tmp_path)


def test_what_is_to_be_private_is_not_sent_into_a_public_repository(hub, client, tiny_model):
    for names in ((tiny_model, "me/my-gan"), ("--space", "me/my-gan", tiny_model)):
        assert client(act.shell, "push", *names, *TOKEN)[0] == 0
        before = {name: dict(repo.branches) for name, repo in hub.repos.items()}
        code, out, err = client(act.shell, "push", *names, *TOKEN, "--private")
        assert (code, out) == (1, "") and "me/my-gan: public already, so it is not as private as wanted" in err
        assert {name: dict(repo.branches) for name, repo in hub.repos.items()} == before


def test_a_pull_request_says_where_it_is_and_changes_no_branch(hub, client, tiny_model):
    client(act.shell, "push", tiny_model, "me/my-gan", *TOKEN, "--variant", "fp16")
    before = stored(hub, "me/my-gan")
    code, out, _ = client(act.shell, "push", tiny_model, "me/my-gan", *TOKEN, "--create-pr")
    assert (code, out) == (0, f"published: {hub.address}/me/my-gan/discussions/1\n")
    assert stored(hub, "me/my-gan") == before and before.keys() < stored(hub, "me/my-gan", "refs/pr/1").keys()


@pytest.mark.parametrize(
    ("card", "sentence"),
    [
        (None, "no README.md in it, so the Hub shows neither its licence nor what it is good for."),
        ("# Mine\n", "its card states no licence, without which others may not use it; `license: ID` belongs"),
        ("---\nlicense: unknown\n---\n# Mine\n", "its card states no licence"),
        ("---\nlicense: mit\n---\n# Mine\n", "README.md: card: 'library_name' is missing from its metadata."),
    ],
)
def test_what_a_card_lacks_is_told_and_refused_where_that_is_wanted(hub, client, tiny_model_copy, card, sentence):
    if card is not None:
        (tiny_model_copy / "README.md").write_text(card)
    code, out, err = client(act.shell, "push", tiny_model_copy, "me/my-gan", *TOKEN, "--strict")
    assert (code, out) == (1, "") and f"{tiny_model_copy}: {sentence}" in err and "not sent, as" in err
    assert hub.repos == {} and "Traceback" not in err
    code, out, err = client(act.shell, "push", tiny_model_copy, "me/my-gan", *TOKEN)
    assert code == 0 and out.startswith("published: ") and f"{tiny_model_copy}: {sentence}" in err


def test_a_card_that_cannot_be_read_is_told_and_refused_by_the_hub(hub, client, tiny_model_copy):
    (tiny_model_copy / "README.md").write_text("---\nlicense: [\n---\n# Mine\n")
    code, out, err = client(act.shell, "push", tiny_model_copy, "me/my-gan", *TOKEN)
    assert (code, out) == (1, "") and hub.repos["me/my-gan"].commits == {} and "Traceback" not in err
    assert "README.md: card: its metadata cannot be read (" in err
    assert "me/my-gan: upload failed: the Hub does not take the first lines of README.md (" in err.splitlines()[-1]


def test_a_model_with_a_whole_card_is_pushed_without_a_remark(hub, client):
    code, out, err = client(act.shell, "push", bundled_models()["mlp-mnist"], "me/mnist", *TOKEN, "--strict")
    assert (code, err) == (0, "") and out.startswith("published: ")


def test_a_model_that_does_not_draw_its_reference_is_not_pushed(hub, client, tiny_model_copy, tiny_rgb_model):
    weights = tiny_model_copy / "generator" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-4:] = np.float32(9).tobytes()
    weights.write_bytes(data)
    Manifest.write(tiny_model_copy, list(Manifest(tiny_model_copy).files))  # which lists the file as it is now
    code, out, err = client(act.shell, "push", tiny_model_copy, "me/my-gan", *TOKEN)
    assert (code, out) == (1, "") and "reference" in err and len(err.splitlines()) == 1 and hub.repos == {}, err


def test_a_variant_that_the_folder_lacks_is_not_pushed(hub, client, tiny_model):
    code, _, err = client(act.shell, "push", tiny_model, "me/my-gan", *TOKEN, "--variant", "bf16")
    assert code == 1 and "no weights of the variant 'bf16' in it." in err and hub.repos == {}


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
