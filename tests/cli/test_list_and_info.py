"""`gan-hub list` and `gan-hub info`: what they tell of a model."""

import re
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, ModelCardData

from gan_hub import GANPipeline, list_models
from gan_hub.hub import resolve
from gan_hub.hub.cards import CardScores, format_number
from gan_hub.images import height_width
from gan_hub.models import ARCHITECTURES
from tests.models.test_registry import build_pair


def test_list_tells_each_bundled_model_with_its_score_in_columns(run):
    code, out, err = run("list")
    assert (code, err) == (0, "")
    head, *lines = out.splitlines()
    assert [line.split()[0] for line in lines] == [model.name for model in list_models()]
    columns = [match.start() for match in re.finditer(r"\S+", head)]
    for line, model in zip(lines, list_models()):
        cells = [line[start:end].rstrip() for start, end in zip(columns, (*columns[1:], None))]
        height, width = height_width(model.resolution)
        assert cells[0] == model.name and cells[1].startswith(model.architecture) and cells[2] == model.dataset
        assert cells[3].startswith(f"{width} × {height} ") and float(cells[4]) == round(model.megabytes, 1)
        assert cells[5] == (f"{model.score[0]} {format_number(model.score[1])}" if model.score else "–")
        assert cells[6] == f"{model.auc:.3f}"
    assert any("DCGAN, 10 classes" in line and "fashion-mnist" in line and "28 × 28 grey" in line for line in lines)


@pytest.fixture
def made_zoo(tmp_path_factory, monkeypatch, tiny_pipeline) -> Path:
    """A zoo of five tiny models of three kinds; three have a judge, two of them a score."""
    zoo = tmp_path_factory.mktemp("zoo")
    alone, (generator, discriminator) = (build_pair(ARCHITECTURES[name]) for name in ("gmmn", "spade"))
    maps = GANPipeline(generator, discriminator, segmentations=torch.zeros(1, 32, 32, dtype=torch.uint8))
    kinds = {name: tiny_pipeline for name in ("worse", "better", "unscored")} | {
        "alone": GANPipeline(*alone),
        "maps": maps,
    }
    for name, pipeline in kinds.items():
        pipeline.save_pretrained(zoo / name)
    for name, distance in (("better", 2.0), ("worse", 10.0)):
        judge = {"discriminator AUC (held out)": 0.7}
        results = CardScores(judge | {"accuracy": 0.9, "FD-shapes": distance}, {}).results("shapes", "shapes")
        ModelCard(f"---\n{ModelCardData(model_name=name, eval_results=results).to_yaml()}\n---\n# {name}\n").save(
            zoo / name / "README.md"
        )
    monkeypatch.setattr(resolve, "BUNDLED_MODELS_DIR", zoo)
    return zoo


def test_list_tells_what_draws_from_maps_and_what_has_no_score_small_images_first(run, made_zoo):
    code, out, err = run("list")
    assert (code, err) == (0, "")
    rows = [re.split(r"\s{2,}", line) for line in out.splitlines()[1:]]
    assert [row[0] for row in rows] == ["better", "worse", "unscored", "alone", "maps"]
    assert rows[0] == ["better", "DCGAN, 3 classes", "shapes", "28 × 28 grey", "0.0", "FD-shapes 2.000", "0.700"]
    assert rows[2][-2:] == ["–", "0.700"] and rows[3][-2:] == ["–", "–"]
    assert rows[4][1] == "SPADE, from maps" and rows[4][3] == "32 × 32 RGB"


def test_info_tells_what_a_model_is_made_of(run, tiny_model, tiny_rgb_model):
    code, out, err = run("info", tiny_model)
    assert (code, err) == (0, "")
    assert "images of 28 × 28 × 1 from 8 numbers" in out and "generator: DCGANGenerator, " in out
    assert "classes: circle, square, star" in out and "judge: held-out AUC 0.700" in out and "scores" not in out
    assert "classes: none" in run("info", tiny_rgb_model)[1]
    assert "scores against mnist, as its card states them: FD-digits " in run("info", "dcgan-mnist")[1]
