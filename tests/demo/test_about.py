"""What a visitor reads about a model: licence, data and what it must not be used for come first."""

import re
from types import SimpleNamespace

import pytest

from gan_hub.demo import sanitize
from gan_hub.demo.about import about_html
from gan_hub.demo.texts import TEXTS, translate
from gan_hub.hub.resolve import bundled_models

PORTUGUESE = SimpleNamespace(headers={"accept-language": "pt-BR"}, query_params={})


def before_the_card(html: str) -> str:
    return html.partition("<details>")[0]


@pytest.mark.parametrize("name", sorted(bundled_models()))
def test_licence_data_and_misuse_of_each_bundled_model_come_first_and_its_whole_card_follows(name):
    html = about_html(name)
    first = before_the_card(html)
    licence = sanitize.card_parts(bundled_models()[name]).licence
    assert licence and f"<strong>{licence}</strong>" in first
    assert re.search(r"Trained on .*licence", first) and "Not for showing, imitating" in first
    whole = html.partition("<details>")[2]
    assert all(f"<h2>{heading}</h2>" in whole for heading in ("Use", "Training", "Data, licence, limits"))
    assert "a label says what was asked for, not what is seen." in whole


def test_the_frame_is_in_the_visitors_language():
    html = about_html("dcgan-fashion-mnist", PORTUGUESE)
    for key in ("licence_of_weights", "not_for_heading", "not_for", "whole_card"):
        assert translate(PORTUGUESE, key) in html
    assert TEXTS["en"]["not_for"] not in before_the_card(html)


CARD = """---
license: cc-by-4.0
---
# Mine

## How to use it
```python
# Limits of this code
```
### Out-of-scope use
No <b>faces</b>.
## Bias
Only cats.
"""


def test_a_strangers_card_has_its_own_words_first_as_text(tmp_path):
    (tmp_path / "README.md").write_text(CARD)
    card = sanitize.card_parts(tmp_path)
    assert card.licence == "cc-by-4.0"
    assert card.first == [("Out-of-scope use", "No <b>faces</b>."), ("Bias", "Only cats.")]


def test_a_card_that_says_nothing_of_limits_is_said_to(offered):
    html = about_html(offered)
    assert TEXTS["en"]["no_limits"] in html and "<strong>mit</strong>" in html and "<b>tests" not in html


def test_a_model_without_a_card_says_so(offered_rgb):
    assert TEXTS["en"]["no_card"] in about_html(offered_rgb)
