"""What scores are called, and the key that code asks for instead of parsing a name."""

import pytest

from gan_hub.hub.resolve import bundled_models
from gan_hub.hub.score_names import PHRASES, STEMS, is_frechet_distance, score_key, score_name
from gan_hub.model_folder.strict import read_json

KEYS = {**STEMS, **PHRASES}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("is_fid", [False, True])
def test_a_name_leads_back_to_its_key(key, is_fid):
    for extractor in ("digits", "mobilenet-v2", "owner/name"):
        assert score_key(score_name(key, extractor, is_fid, classes=10)) == key


def test_names_are_those_that_cards_and_reports_have():
    assert score_name("fd", "digits") == "FD-digits" and score_name("fd", "inception", is_fid=True) == "FID"
    assert score_name("kid", "inception", is_fid=True) == "KID"
    assert score_name("accuracy", "fashion") == "label accuracy (fashion)"
    assert score_name("modes", "digits", classes=10) == "modes of 10 (digits)"
    assert score_name("auc", "digits") == "discriminator AUC (held out)"


def test_a_distance_within_classes_is_no_frechet_distance_of_the_whole():
    assert is_frechet_distance("FD-digits") and is_frechet_distance("FID")
    assert not any(map(is_frechet_distance, ("intra-FD-digits", "KID-digits", "attribute accuracy", "FDX", "")))


def test_every_score_of_every_bundled_model_has_a_key():
    for name, folder in bundled_models().items():
        for score in read_json(folder / "scores.json")["scores"]:
            assert score_key(score) is not None, (name, score)
