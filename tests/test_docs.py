"""What the documents say of options and files is so."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from gan_hub import GANPipeline, cli
from gan_hub.concepts_discovery.image_statistics import MEASURES
from gan_hub.losses import ADVERSARIAL
from gan_hub.metrics.features import EXTRACTORS, OWN_CLASSIFIERS, Extractor
from gan_hub.metrics.registry import SCORES
from gan_hub.models import ARCHITECTURES, CLASSES
from gan_hub.models.config_schema import rules
from gan_hub.training.config import TrainConfig
from gan_hub.training.recipes import read_recipe
from gan_hub.training.sections import FIELDS

ROOT = Path(__file__).parents[1]
GALLERY = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
TRAINING = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
METRICS = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
CONCEPTS = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")


def rows(heading: str, document: str = TRAINING) -> list[list[str]]:
    """The cells of the first table under a heading, its head left out."""
    section = document.split(f"## {heading}\n")[1].split("\n## ")[0]
    table = re.findall(r"^\|.*\|$", section, flags=re.MULTILINE)
    cells = [[cell.strip() for cell in re.split(r"(?<!‖)\|(?!‖)", line)[1:-1]] for line in table]
    return [row for row in cells[2:]]


def test_each_loss_has_its_row():
    named = [re.match(r"`(\w+)`", row[0]) for row in rows("The game")]
    assert {found[1] for found in named if found} >= set(ADVERSARIAL)


def test_all_17_tips_are_a_switch_a_habit_or_a_refusal_with_its_reason():
    table = rows("The 17 tips of ganhacks")
    assert [row[0] for row in table] == [str(number) for number in range(1, 18)]
    for number, tip, here in table:
        refusal = re.search(r"refused: (.{30,})|is refused: (.{30,})|Noisy: refused\. (.{30,})", here)
        assert tip and (refusal or "`" in here or here.startswith("always so")), number


def test_every_option_named_in_the_training_document_exists():
    """`option`, `option: value` and `discriminator: {key: value}` in backticks are read as YAML and built."""
    network = {key for cls in CLASSES.values() for key in rules(cls.__init__.__wrapped__)}
    checked = 0
    for code in re.findall(r"`([^`\n]+)`", TRAINING):
        try:
            parsed = yaml.safe_load(code)
        except yaml.YAMLError:
            continue
        if isinstance(parsed, dict):
            (name, value), checked = *parsed.items(), checked + 1
            assert name in FIELDS, code
            if isinstance(value, dict):
                assert set(value) <= network, code
            elif value is not None and name != "architecture" and value != "began":
                TrainConfig(**{name: value})
        elif re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", code):
            checked += 1
            known = set(FIELDS) | set(ADVERSARIAL) | set(ARCHITECTURES) | network
            assert code in known, code
    assert checked > 30


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ({"label_flip": 0.1}, "unexpected keyword"),
        ({"replay": 100}, "unexpected keyword"),
        ({"generator": {"dropout": 0.5}}, "'dropout' is unknown"),
        ({"discriminator": {"auxiliary_classifier": True}}, "'auxiliary_classifier' is unknown"),
    ],
)
def test_what_is_refused_cannot_be_switched_on(refused, said):
    with pytest.raises((TypeError, ValueError), match=said):
        TrainConfig(**refused)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes" / "accelerate").glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerates_configurations_are_read_by_accelerate_and_described(path):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert config.num_processes >= 1 and config.mixed_precision == "no"
    assert f"`{path.name}`" in (path.parent / "README.md").read_text()


SHOWN = sorted(ARCHITECTURES.keys() - {"began", "stylegan3"})  # the gallery says why these have no grid


@pytest.mark.parametrize("architecture", SHOWN)
def test_the_gallery_shows_each_architecture_with_its_recipe_its_grid_and_its_flaws(architecture):
    section = GALLERY.split(f"## `{architecture}`")[1].split("\n## ")[0]
    (recipe,) = re.findall(r"\(\.\./(recipes/[\w-]+\.yaml)\)", section)
    config = TrainConfig(**read_recipe(ROOT / recipe))
    assert config.architecture == architecture
    (picture,) = re.findall(r"!\[[^]]+\]\(([^)]+\.png)\)", section)
    assert (ROOT / "docs" / picture).is_file()
    assert f"{config.total_kimg:,.0f} kimg" in section and "**See:**" in section and "**Wrong:**" in section


def test_each_score_and_each_extractor_has_its_row():
    assert [row[0].strip("`") for row in rows("Scores", METRICS)] == list(SCORES)
    table = {name: row for row in rows("Extractors", METRICS) for name in re.findall(r"`([^`]+)`", row[0])}
    assert table.keys() - {"owner/name"} == set(EXTRACTORS)
    for name in OWN_CLASSIFIERS:
        known = Extractor(name)
        assert [table[name][1], table[name][2]] == [str(known.network.hidden.out_features), str(known.num_classes)]
        assert f"{100 * known.test_accuracy:.1f} %" in table[name][4]


def test_the_commands_that_score_are_commands():
    """Every gan-hub line of the document, and of the bundled cards, is understood as it stands."""
    cards = [path.read_text(encoding="utf-8") for path in (ROOT / "model_cards").glob("*/README.md")]
    lines = [
        line.split("#")[0] for text in (METRICS, *cards) for line in re.findall(r"^gan-hub .*$", text, re.MULTILINE)
    ]
    assert len(lines) > 2
    for line in lines:
        assert cli.parser().parse_args(line.split()[1:]).command in ("evaluate", "compare"), line


def test_each_measure_has_its_row_and_the_concepts_commands_are_commands():
    assert [row[0].strip("`") for row in rows("Measures", CONCEPTS)] == list(MEASURES)
    lines = re.findall(r"^gan-hub .*$", CONCEPTS, re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        assert cli.parser().parse_args(shlex.split(line)[1:]).command in ("concepts", "sample"), line


def test_the_example_of_a_classifiers_concept_runs(tiny_model_copy, monkeypatch):
    monkeypatch.chdir(tiny_model_copy.parent)
    code = re.findall(r"```python\n(.*?)```", CONCEPTS, re.DOTALL)[1]
    code = code.replace("my-gan", tiny_model_copy.name).replace("range(2000)", "range(60)").replace("10_256", "10_008")
    code = code.replace("> 0.5", "> scores.median()")
    exec(
        compile(code, "concepts.md", "exec"), {"probability": MEASURES["symmetry"].function}
    )  # our own text, beside this test
    assert GANPipeline.from_pretrained(tiny_model_copy).concepts["glasses"].effect.images == 8
