"""--push-to-hub, before anything is trained: its name, the login, the right to write."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub import client as act
from tests.hub.fake_hub import FakeHub
from tests.training.conftest import shapes_npz, small_options  # noqa: F401  (fixtures)

ROOT = Path(__file__).parents[2]


def me(**more) -> dict:
    return {"type": "user", "name": "me", "orgs": [], **more}


@pytest.fixture
def known_as(hub: FakeHub, monkeypatch):
    """known_as(answer): whom the Hub takes a login for."""
    route = hub._route

    def set_to(answer: dict) -> None:
        def answered(method: str, path: str, *rest: object):
            if path == "/api/whoami-v2":
                return 200, json.dumps(answer).encode(), {"Content-Type": "application/json"}
            return route(method, path, *rest)

        monkeypatch.setattr(hub, "_route", answered)

    return set_to


@pytest.mark.parametrize(
    ("repo_id", "who", "said"),
    [
        ("a/b/c", me(), "no name of a repository, which is OWNER/NAME ("),
        ("me/my gan", me(), "no name of a repository, which is OWNER/NAME ("),
        ("you/gan", me(), "may not write to 'you'; its own are me."),
        ("lab/gan", me(orgs=[{"name": "lab", "roleInOrg": "read"}]), "may not write to 'lab'; its own are lab, me."),
        ("me/gan", me(auth={"accessToken": {"role": "read"}}), "has a token for reading only"),
    ],
)
def test_a_push_that_will_be_refused_is_refused_before_training(repo_id, who, said, client, known_as):
    known_as(who)
    assert said in client(act.check, repo_id, "hf_made_up")


@pytest.mark.parametrize(
    ("repo_id", "who"),
    [
        ("me/gan", me()),
        ("gan", me()),
        ("lab/gan", me(orgs=[{"name": "lab", "roleInOrg": "write"}])),
        ("lab/gan", me(orgs=[{"name": "lab"}], auth={"accessToken": {"role": "fineGrained"}})),
    ],
)
def test_a_push_that_will_be_let_in_passes_and_creates_nothing(repo_id, who, hub, client, known_as):
    known_as(who)
    assert client(act.check, repo_id, "hf_made_up") is None
    assert hub.repos == {} and all(request.startswith("GET ") for request in hub.requests)


def test_a_login_and_the_hub_itself_are_asked_for_before_training(hub, client):
    assert "you are not logged in to the Hub" in client(act.check, "me/gan", None)
    for fault, where, said in (
        ("401", "whoami", "it does not take this token"),
        ("403", "auth-check", "this token may not write there"),
        ("500", "whoami", "it cannot be asked"),
        ("close", "whoami", "it cannot be asked"),
        ("garbage", "whoami", "it cannot be asked"),
    ):
        hub.fail(fault, where=where)
        assert said in client(act.check, "me/gan", "hf_made_up"), fault
        hub.fail(None)


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_run_that_could_not_be_published_does_not_begin(more, hub, small_options, tmp_path):  # noqa: F811
    recipe = tmp_path / "small.yaml"
    recipe.write_text(json.dumps(small_options))
    env = os.environ | {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_made_up", "NO_PROXY": "*"}
    command = [sys.executable, "train.py", str(recipe), "--push-to-hub", "you/small", *more]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 2 and "may not write to 'you'" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not Path(small_options["output"]).exists()
