"""Which models the page offers, and what it says about them."""

import shutil
import threading
from types import SimpleNamespace

import pytest

from gan_hub.demo import models, picker, showcase
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.texts import TEXTS
from gan_hub.hub import resolve
from gan_hub.hub.resolve import bundled_models


def test_the_model_asked_for_is_offered_and_opened_first(offered, playable):
    assert models.offered_models() == {
        **{name: str(folder) for name, folder in bundled_models().items()},
        offered: str(playable),
    }
    assert models.default_model() == offered


def test_the_page_opens_with_the_most_beautiful_model_that_is_there(monkeypatch, tiny_model):
    monkeypatch.delenv(models.MODEL_VARIABLE, raising=False)
    offered = dict.fromkeys(reversed(showcase.EXHIBITS), tiny_model)
    monkeypatch.setattr(models, "bundled_models", lambda: offered)
    assert models.default_model() == next(iter(showcase.EXHIBITS))
    monkeypatch.setattr(models, "bundled_models", lambda: {"a": tiny_model, "b": tiny_model})
    assert models.default_model() == "a"
    monkeypatch.setattr(models, "bundled_models", dict)
    assert models.default_model() is None and models.class_names(models.default_model()) == []


def test_a_model_is_loaded_once_and_only_when_offered(offered):
    assert models.load(offered) is models.load(offered)
    for name in ("tiny-gan", "someone/else", "../tiny", None, 3, ["x"]):
        with pytest.raises(BadInputError, match="not offered"):
            models.load(name)


def test_one_line_says_what_a_model_is(offered):
    assert models.describe(offered).startswith("DCGAN, 28 × 28 pixels, grey, 3 classes, 0.0 million")


def test_the_line_of_a_colour_model_says_so(offered_rgb):
    assert "colour, 0.0 million" in models.describe(offered_rgb)


# ------------------------------------------------------------------------------------------------- names


def named(source, monkeypatch) -> str:
    """The name under which the page offers a model, as its picker shows it."""
    monkeypatch.setenv(models.MODEL_VARIABLE, str(source))
    return models.default_model()


def test_the_result_of_a_run_is_called_as_the_run_and_not_export(playable, tmp_path, monkeypatch):
    export = tmp_path / "runs" / "my-faces" / "export"
    shutil.copytree(playable, export)
    (export / "README.md").unlink()
    monkeypatch.chdir(export.parent)
    for source in (export, f"{export}/", "export", "./export/", "../my-faces/export"):
        assert named(source, monkeypatch) == "my-faces"
    monkeypatch.chdir(export)
    assert named(".", monkeypatch) == "my-faces"
    (tmp_path / "latest").symlink_to(export)
    assert named(tmp_path / "latest", monkeypatch) == "my-faces"
    (export / "README.md").write_text("---\nlicense: mit\n---\n\n# faces-of-my-run\n\nA DCGAN.\n")
    assert named(export, monkeypatch) == "faces-of-my-run"
    (export / "README.md").write_text("# <img src=x> a card's first line is a stranger's\n")
    assert named(export, monkeypatch) == "my-faces"


def test_a_folder_of_the_hubs_cache_is_called_as_its_repository_and_not_by_a_hash(playable, tmp_path, monkeypatch):
    snapshot = tmp_path / "models--some-owner--my-faces" / "snapshots" / ("0" * 40)
    shutil.copytree(playable, snapshot)
    assert named(snapshot, monkeypatch) == "some-owner/my-faces"


def test_any_other_folder_is_called_by_its_own_name(playable, tmp_path, monkeypatch):
    folder = tmp_path / "faces"
    shutil.copytree(playable, folder)
    monkeypatch.chdir(folder)
    assert [named(source, monkeypatch) for source in (folder, f"{folder}//", ".", "../faces")] == ["faces"] * 4


@pytest.mark.parametrize("address", ["https://huggingface.co/a/b", "hf://a/b", " a/b ", "https://hf.co/a/b/"])
def test_a_model_of_the_hub_is_called_by_its_id(address):
    assert models.display_name(address) == "a/b"


def test_an_own_model_hides_no_bundled_one_of_the_same_name(playable, tmp_path, monkeypatch):
    export = tmp_path / "runs" / "twin" / "export"
    shutil.copytree(playable, export)
    (export / "README.md").unlink()
    monkeypatch.setattr(models, "bundled_models", lambda: {"twin": playable})
    assert named(export, monkeypatch) == "twin (own)"
    assert models.offered_models() == {"twin": str(playable), "twin (own)": str(export)}
    assert named("twin", monkeypatch) == "twin" and list(models.offered_models()) == ["twin"]


# ------------------------------------------------------------------------------------- a model from the Hub


@pytest.fixture
def hub(playable, monkeypatch):
    """A Hub that answers when it is let: with a model, or with an error."""
    answer = SimpleNamespace(ready=threading.Event(), error=None)

    def download(repo_id, **options):
        answer.ready.wait(60)
        if answer.error:
            raise answer.error
        return str(playable)

    monkeypatch.setattr(resolve, "snapshot_download", download)
    monkeypatch.setattr(models, "HUB_TIMEOUT", 0.1)
    monkeypatch.setattr(models, "bundled_models", lambda: {playable.name: playable})
    models.load_in_background.cache_clear()
    yield answer
    answer.ready.set()
    end_of_downloads()
    models.load_in_background.cache_clear()
    models._load.cache_clear()


def names(update: dict) -> list[str]:
    """The models of the cards, in the order in which they are offered."""
    return [card["name"] for card in update["cards"]]


def end_of_downloads() -> None:
    """Waits until no model is being loaded, so that none gets into the caches that are emptied for the next test."""
    for thread in threading.enumerate():
        if thread.name.startswith("load "):
            thread.join(60)


def outcome(source: str) -> None:
    """Waits for the model, or for what comes in its place, and for what is said about it (after the future is done)."""
    models.load_in_background(source).exception(60)
    end_of_downloads()


def test_the_page_opens_with_the_bundled_models_while_the_hub_is_silent_and_says_so(hub, playable, monkeypatch, capsys):
    monkeypatch.setenv(models.MODEL_VARIABLE, "some/model")
    models.load_requested()
    assert "Waiting for some/model from the Hub" in capsys.readouterr().err
    assert list(models.offered_models()) == [playable.name] and models.default_model() == playable.name
    assert models.pending_model() == "some/model"
    sentence, cards, again = picker.pending_status()
    assert sentence == TEXTS["en"]["model_awaited"].format(name="some/model")
    assert names(cards) == [playable.name] and again["active"]


def test_a_model_that_arrives_later_is_offered_and_opened_with(hub, playable, monkeypatch, capsys):
    monkeypatch.setenv(models.MODEL_VARIABLE, "some/model")
    models.load_requested()
    hub.ready.set()
    outcome("some/model")
    assert list(models.offered_models()) == [playable.name, "some/model"] and models.default_model() == "some/model"
    assert models.load("some/model").label_names and models.pending_model() is None
    sentence, cards, again = picker.pending_status()
    assert sentence == TEXTS["en"]["model_arrived"].format(name="some/model")
    assert names(cards) == [playable.name, "some/model"] and not again["active"]
    assert "some/model has arrived" in capsys.readouterr().err


def test_a_model_that_does_not_arrive_leaves_a_sentence_on_the_page_and_in_the_log(hub, playable, monkeypatch, capsys):
    monkeypatch.setenv(models.MODEL_VARIABLE, "some/model")
    models.load_requested()
    hub.error = OSError("the line is cut")
    hub.ready.set()
    outcome("some/model")
    sentence, cards, again = picker.pending_status()
    assert sentence == TEXTS["en"]["model_missing"].format(name="some/model")
    assert names(cards) == [playable.name] and not again["active"] and models.default_model() == playable.name
    message = capsys.readouterr().err
    assert "some/model is not offered" in message and "the line is cut" in message and "Traceback" not in message


def test_a_model_of_the_hub_that_comes_at_once_is_there_when_the_page_opens(hub, monkeypatch):
    hub.ready.set()
    monkeypatch.setattr(models, "HUB_TIMEOUT", 60)
    monkeypatch.setenv(models.MODEL_VARIABLE, "some/model")
    models.load_requested()
    assert models.default_model() == "some/model" and models.pending_model() is None


def test_the_name_of_a_model_that_does_not_arrive_is_text(monkeypatch):
    source = "<img src=x onerror=alert(1)>/model"
    monkeypatch.setenv(models.MODEL_VARIABLE, source)
    outcome(source)
    sentence, *_ = picker.pending_status()
    assert sentence == TEXTS["en"]["model_missing"].format(name="&lt;img src=x onerror=alert(1)&gt;/model")
