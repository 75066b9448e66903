"""The page's pictures by an engine: it takes over in the background, and a picture stays what it was to one level of 255."""

import numpy as np
import pytest

from gan_hub.demo import fast_drawing, models
from gan_hub.demo.arguments import parse
from gan_hub.pipeline import GANPipeline
from tests.engines.test_networks import worst


@pytest.fixture
def optimizer(monkeypatch) -> fast_drawing.Optimizer:
    """One that starts at once, for a page that takes any engine."""
    monkeypatch.setattr(fast_drawing, "optimizer", fast_drawing.Optimizer(delay=0, seconds=0, graphs=False))
    models._load.cache_clear()
    yield fast_drawing.optimizer
    models._load.cache_clear()


def test_the_page_draws_by_the_engine_that_is_asked_for_and_the_librarys_pictures_to_one_level(
    offered, optimizer, playable, monkeypatch
):
    monkeypatch.setenv(fast_drawing.ENGINE_VARIABLE, "torch")
    pipe = models.load(offered)
    optimizer.wait()
    assert pipe.engine.name == "torch"
    expected = GANPipeline.from_pretrained(playable)(seeds=[3, 14], labels="star", truncation=0.5, output_type="np")
    drawn = models.load(offered)(seeds=[3, 14], labels="star", truncation=0.5, output_type="np")
    assert worst(expected.images, drawn.images) <= 1


def test_the_page_measures_by_default_and_does_not_where_it_is_told_so(offered, optimizer, monkeypatch):
    monkeypatch.setenv(fast_drawing.ENGINE_VARIABLE, "plain")
    models.load(offered)
    assert optimizer.thread is None
    monkeypatch.delenv(fast_drawing.ENGINE_VARIABLE)
    models._load.cache_clear()
    pipe = models.load(offered)
    optimizer.wait()
    assert "torch" in pipe.engine.milliseconds
    assert "makes one in the main thread alone" in pipe.engine.reasons["onnxruntime"]


def test_graphs_are_made_by_another_process_and_taken_from_the_cache(offered, optimizer, monkeypatch, tmp_path):
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv(fast_drawing.ENGINE_VARIABLE, "auto")
    optimizer.graphs = True
    pipe = models.load(offered)
    optimizer.wait()
    assert [file.suffix for file in (tmp_path / "engines").iterdir()] == [".graph"]
    assert "onnxruntime" in pipe.engine.milliseconds and pipe.engine.levels["onnxruntime"] < 0.5


def test_an_engine_that_cannot_be_had_leaves_the_page_plain_and_is_told(offered, optimizer, monkeypatch, capsys):
    monkeypatch.setenv(fast_drawing.ENGINE_VARIABLE, "cuda-graphs")
    pipe = models.load(offered)
    optimizer.wait()
    assert pipe.engine.name == "plain"
    assert "draws plain: engine='cuda-graphs' is not possible here" in capsys.readouterr().err
    assert np.asarray(pipe(seeds=[3]).images[0]).any()


def test_the_flag_and_the_variable_are_checked_before_anything_is_loaded(monkeypatch, capsys):
    assert parse(["--engine", "plain"], "app.py").engine == "plain"
    for variable, arguments in (("auto", ["--engine", "fast"]), ("fast", [])):
        monkeypatch.setenv(fast_drawing.ENGINE_VARIABLE, variable)
        with pytest.raises(SystemExit):
            parse(arguments, "app.py")
        message = capsys.readouterr().err
        assert "fast" in message and "onnxruntime" in message and message.count("\n") == 1
