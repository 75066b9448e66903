"""What a load asks the Hub for: each file once, nothing that was not asked for, one question where all is there."""

import pytest

from tests.hub import client as act
from tests.hub.test_resolve import assert_is, damage

ASKED = "GET /api/models/me/my-gan/revision/main"
WEIGHTS = {f"{player}/diffusion_pytorch_model.safetensors" for player in ("generator", "discriminator")}
HALVES = {name.replace(".safetensors", ".fp16.safetensors") for name in WEIGHTS}


@pytest.fixture
def published(hub, client, tiny_model):
    """me/my-gan with float32 and fp16 weights, and as v1 what lay there before."""
    client(act.upload, tiny_model, "me/my-gan")
    repo = hub.repos["me/my-gan"]
    repo.branches["v1"] = repo.branches["main"]
    repo.commit({"README.md": b"---\nlicense: mit\n---\n"})
    hub.requests.clear()
    return repo


def test_a_first_load_asks_for_the_commit_the_list_and_each_file_once(hub, client, published, tmp_path):
    client(act.load, "me/my-gan", cache_dir=tmp_path)
    questions = [line for line in hub.requests if "/resolve/" not in line]
    assert questions == [ASKED, f"GET /api/models/me/my-gan/tree/{published.branches['main']}"]
    files = hub.downloads()
    assert len(files) == len({*files}) and WEIGHTS <= {*files} and not HALVES & {*files}
    asked = {line.split("/resolve/")[1].split("/", 1)[1] for line in hub.requests if line.startswith("HEAD ")}
    assert asked <= {*files}, "a file was asked about that nobody wanted"


@pytest.mark.parametrize(
    ("options", "requests"),
    [
        ({}, [ASKED]),
        ({"variant": "fp16"}, [ASKED]),
        ({"discriminator": None}, [ASKED]),
        ({"revision": "v1"}, [ASKED.replace("main", "v1")]),
        ({"token": "hf_made_up"}, [ASKED]),
        ({"local_files_only": True}, []),
    ],
    ids=str,
)
def test_a_load_of_what_is_cached_asks_one_question(hub, client, published, tmp_path, options, requests):
    first = {name: value for name, value in options.items() if name != "local_files_only"}
    assert "error" not in client(act.load, "me/my-gan", cache_dir=tmp_path, **first)
    hub.requests.clear()
    assert "error" not in client(act.load, "me/my-gan", cache_dir=tmp_path, **options)
    assert hub.requests == requests


def test_a_cached_commit_is_loaded_without_a_question(hub, client, published, tmp_path):
    commit = published.branches["v1"]
    client(act.load, "me/my-gan", revision=commit, cache_dir=tmp_path)
    hub.requests.clear()
    assert "error" not in client(act.load, f"me/my-gan@{commit}", cache_dir=tmp_path)
    assert hub.requests == []


def test_another_variant_or_network_brings_nothing_but_its_own_files(hub, client, published, tmp_path):
    client(act.load, "me/my-gan", discriminator=None, cache_dir=tmp_path)
    for options, files in (
        ({}, {"discriminator/config.json", "discriminator/diffusion_pytorch_model.safetensors"}),
        ({"variant": "fp16"}, HALVES),
        ({"revision": "v1"}, set()),  # another commit, but the same content
    ):
        hub.requests.clear()
        assert "error" not in client(act.load, "me/my-gan", cache_dir=tmp_path, **options)
        assert {*hub.downloads()} == files


def test_a_network_alone_asks_once_as_well(hub, client, published, tmp_path):
    for _ in range(2):
        hub.requests.clear()
        client(act.load_generator, "me/my-gan", subfolder="generator", cache_dir=tmp_path)
    assert hub.requests == [ASKED]


def test_a_private_model_wants_a_token_also_when_its_cache_is_mended(hub, client, published, tiny_pipeline, tmp_path):
    published.private = True
    assert "error" in client(act.load, "me/my-gan", cache_dir=tmp_path)
    assert_is(client(act.load, "me/my-gan", token="hf_made_up", cache_dir=tmp_path), tiny_pipeline)
    name = "generator/diffusion_pytorch_model.safetensors"
    damage(tmp_path, name)
    hub.tokens.clear()
    mended = client(act.load, "me/my-gan", token="hf_made_up", cache_dir=tmp_path)
    assert_is(mended, tiny_pipeline)
    assert f"{name} is damaged in the cache" in mended["told"] and hub.tokens == {"Bearer hf_made_up"}


def test_a_damaged_variant_of_an_older_revision_is_mended_as_that(hub, client, published, tmp_path):
    options = {"variant": "fp16", "revision": "v1", "cache_dir": tmp_path}
    name = "generator/diffusion_pytorch_model.fp16.safetensors"
    before = client(act.load, "me/my-gan", **options)
    published.commit({name: b"something else"})  # on main
    damage(tmp_path, name)
    hub.requests.clear()
    again = client(act.load, "me/my-gan", **options)
    assert (again["images"] == before["images"]).all() and again["folder"] == before["folder"]
    assert {*hub.downloads()} == {"manifest.json", name}
