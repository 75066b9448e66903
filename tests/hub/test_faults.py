"""A Hub that fails in every way it can: the right weights or one sentence, and nothing damaged stays behind."""

from pathlib import Path

import pytest

from gan_hub.model_folder.strict import LoadError
from tests.hub import client as act
from tests.hub.fake_hub import FAULTS
from tests.hub.test_resolve import assert_is

GENERATOR = "generator/diffusion_pytorch_model.safetensors"
STAGES = ("", "/tree/", GENERATOR)  # all it is asked, the list of files, one file


@pytest.fixture
def published(hub, client, tiny_model):
    client(act.upload, tiny_model, "me/my-gan")
    hub.requests.clear()
    return hub.repos["me/my-gan"]


def is_a_sentence(text: str) -> bool:
    return "my-gan" in text and text.endswith(".") and "\n" not in text and "Traceback" not in text


def files(folder: str | Path) -> set[str]:
    return {str(path) for path in Path(folder).rglob("*") if path.is_file()}


# A Hub that is out of order is asked again for half a minute, at every stage alike.
@pytest.mark.parametrize(
    ("where", "fault"),
    [(where, fault) for where in STAGES for fault in FAULTS if not where or fault not in ("429", "500", "503")],
)
def test_with_an_empty_cache_a_load_ends_in_the_right_weights_or_one_sentence(
    hub, client, published, tiny_pipeline, tmp_path, fault, where
):
    home = client(act.home)
    before = files(home)
    hub.fail(fault, where=where)
    loaded = client(act.load, "me/my-gan", cache_dir=tmp_path / "cache")
    hub.fail(None)
    if "error" in loaded:
        assert is_a_sentence(loaded["error"])
    else:
        assert_is(loaded, tiny_pipeline)
    for offline in (False, True):  # nothing damaged stays in the cache
        again = client(act.load, "me/my-gan", cache_dir=tmp_path / "cache", local_files_only=offline)
        assert_is(again, tiny_pipeline)
    assert files(home) == before and {path.name for path in tmp_path.iterdir()} == {"cache"}


@pytest.mark.parametrize("fault", FAULTS)
def test_with_a_warm_cache_a_load_has_the_right_weights_whatever_the_hub_does(
    hub, client, published, tiny_pipeline, tmp_path, fault
):
    client(act.load, "me/my-gan", cache_dir=tmp_path)
    hub.fail(fault)
    assert_is(client(act.load, "me/my-gan", cache_dir=tmp_path), tiny_pipeline)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("401", "the Hub does not take this token (401); run `hf auth login` again."),
        ("403", "the Hub does not allow it to this token (403)."),
        ("413", "the Hub does not take as much at once (413)."),
        ("429", "the Hub is asked too often (429); try again in some minutes."),
        ("503", "the Hub is out of order (503); try again later."),
        ("429:3600", "the Hub asks to come back in 60 minutes."),
    ],
)
def test_what_the_hub_answers_is_said_in_words(hub, client, tmp_path, fault, sentence):
    hub.fail(fault)
    error = client(act.load, "me/my-gan", cache_dir=tmp_path)["error"]
    assert is_a_sentence(error) and error.split(" Bundled: ")[0].endswith(sentence)


UPLOAD = (
    "POST /api/repos/create",
    "GET /api/models/me/my-gan",
    "/preupload/",
    "/lfs/objects/batch",
    "PUT ",
    "/commit/",
)


# A repository that is there already; of a storage's answer only the status is read.
NO_FAILURE = (("409", "POST /api/repos/create"), ("garbage", "PUT "))


@pytest.mark.parametrize("fault", ["401", "403", "409", "413", "429:3600", "silent", "close", "garbage"])
@pytest.mark.parametrize("where", UPLOAD)
def test_a_push_that_fails_ends_in_one_sentence_and_the_next_one_succeeds(
    hub, client, tiny_model, tiny_pipeline, tmp_path, fault, where
):
    hub.fail(fault, where=where)
    try:
        client(act.upload, tiny_model, "me/my-gan")
    except LoadError as error:
        assert is_a_sentence(str(error)) and "upload failed: " in str(error)
    else:
        assert (fault, where) in NO_FAILURE
    has_committed = any(repo.commits for repo in hub.repos.values())
    assert not has_committed or (fault, where) in (
        *NO_FAILURE,
        ("garbage", "/commit/"),
    )  # its answer is what is damaged
    hub.fail(None)
    client(act.upload, tiny_model, "me/my-gan")
    assert_is(client(act.load, "me/my-gan", cache_dir=tmp_path), tiny_pipeline)
