"""Cards: what they are written from, what the lint refuses, and what of them is replaced when a model is measured anew."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from gan_hub import cli
from gan_hub.hub.cards import (
    COPIES_SECTION,
    MEMORIZED_NAME,
    MISUSE_SECTION,
    NOT_FOR,
    SCORES_SECTION,
    SECTIONS,
    UNDESCRIBED,
    CardFacts,
    CardScores,
    concepts_section,
    sections,
    update_card,
    write_card,
)
from gan_hub.hub.lint import PROVENANCE, examples, lint
from gan_hub.hub.nearest_images import NearestTrainingImages
from gan_hub.hub.resolve import bundled_models
from gan_hub.model_folder.concepts import Concept, Effect
from gan_hub.training.config import TrainConfig, read_recipe

ROOT = Path(__file__).parents[2]

AT_RISK = NearestTrainingImages(
    features="the features of digits",
    seeds=list(range(100, 116)),
    distances=[0.5 + 0.1 * place for place in range(16)],
    typical=3.0,
    threshold=0.75,
    nearer=2,
    copied=3,
    searched=1000,
    first_seed=0,
    trained=60_000,
    held_out=2000,
    pairs=[Image.new("L", (28, 28), shade) for shade in range(32)],
)
SCORED = CardScores(
    {"FD-digits": 0.37531, "KID-digits": 0.0066083, "modes of 10 (digits)": 10},
    dict.fromkeys(PROVENANCE, "as ever"),
    {"FD-digits": (0.3, 0.4)},
    command="gan-hub evaluate tiny-gan --data mnist --metrics fd,kid,modes",
)
TRAINING = (
    "4 thousand images in batches of 16, seed 0, bf16: 3 minutes by the clock, 2 minutes of CPU time, scoring included, with 1 "
    "process(es) on a CPU (1 thread(s)). gan_hub 0.1.0, torch 2.0.0, accelerate 1.0.0. Its arithmetic is 1 TFLOP."
)


def facts(memorization: str, **changes) -> CardFacts:
    told = {
        "name": "tiny-gan", "architecture": "dcgan", "license": "apache-2.0", "dataset_name": "mnist",
        "dataset_id": "ylecun/mnist", "summary": "A DCGAN that draws shapes.", "samples": "samples.png",
        "caption": "Seeds 0, 1, 2.", "example_label": "star", "seen": "Stars with six points.", "scored": SCORED,
        "judge": "Its AUC is **0.700**, off by 5.0 percentage points.", "memorization": memorization, "training": TRAINING,
        "recipe": "recipe.yaml", "data": "Trained on mnist.",
    }  # fmt: skip
    return CardFacts(**told | changes)


@pytest.fixture
def folder(tiny_model_copy) -> Path:
    """A model folder that may be published as it is."""
    Image.new("L", (8, 8)).save(tiny_model_copy / "samples.png")
    for name in ("plot.png", "recipe.yaml", "log.jsonl"):
        (tiny_model_copy / name).write_text("as it came")
    (tiny_model_copy / "scores.json").write_text(json.dumps(SCORED.to_dict()))
    write_card(tiny_model_copy, facts(AT_RISK.write(tiny_model_copy, show_images=True)))
    return tiny_model_copy


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_card_that_says_everything_passes_the_lint_and_its_example_runs(folder, monkeypatch, tmp_path):
    text = (folder / "README.md").read_text()
    assert lint(folder) == []
    assert list(sections(text)) == [heading for heading, needed in SECTIONS.items() if needed]
    monkeypatch.chdir(folder.parent)  # where "tiny-gan" is a folder
    (code,) = (code for language, code in examples(text) if language == "python")
    exec(compile(code, "card", "exec"), {})
    assert (folder.parent / "sample.png").is_file()


WRONG = {  # what is done to a card → what the lint says of it
    "nobody looked": ("Stars with six points.", UNDESCRIBED, "look at the samples"),
    "a section is missing": (
        "## What it must not be used for",
        "## Otherwise",
        "'What it must not be used for' is missing",
    ),
    "a placeholder": ("Trained on mnist.", "Trained on {dataset}.", "unfilled placeholder '{dataset}'"),
    "an empty section": (NOT_FOR, "", "'What it must not be used for' is empty"),
    "a rounder number in the table": (
        "**0.375**",
        "**0.370**",
        "FD-digits is 0.37 in the table and 0.375 in the metadata",
    ),
    "a better number in the metadata": ("value: 0.375", "value: 0.275", "0.375 in the table and 0.275 in the metadata"),
    "a number of no file": ("| **KID-digits** |", "| **MMD** |", "MMD is 0.0066 in the table and None in scores.json"),
    "another provenance": ("real sha256 as ever", "real sha256 another", "is not what stands below the table"),
    "another judge": ("**0.700**", "**0.900**", "AUC (0.700) is not in"),
    "no calibration": ("off by 5.0 percentage points", "sometimes off", "calibration error (5.0 percentage points)"),
    "no picture of copies": ("](memorised.png)", "](copies.png)", "memorised.png is there, but not in the card"),
    "few at risk": ("these 16 come nearest", "these 3 come nearest", "sixteen samples nearest to training images"),
    "no seed": ("seed 0, bf16", "bf16", "the seed is not said"),
    "no minutes": ("minutes", "moments", "how many minutes it took is not said"),
    "no hardware": ("process(es) on a CPU", "process(es)", "on what hardware is not said"),
    "no versions": ("torch 2.0.0", "", "which versions made it is not said"),
    "no cost": ("1 TFLOP", "small", "what it costs on a GPU is not said"),
    "a path": ("Trained on mnist.", "Trained on /home/me/mnist.npz.", "'/home/me/mnist.npz.' is a path of one machine"),
    "a missing file": ("`plot.png`", "`curves.png`", "curves.png is not in the folder"),
    "Python that is none": ("pipe(seeds=[7]", "pipe(seeds=[7", "an example in Python does not parse"),
    "a foreign command": ("accelerate launch train.py", "rm -r", "'rm -r recipe.yaml' is no command of this project"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_lint_says_what_is_wrong(wrong, folder):
    old, new, said = WRONG[wrong]
    edit(folder / "README.md", old, new)
    assert any(said in sentence for sentence in lint(folder)), lint(folder)


def test_the_lint_wants_a_judge_that_can_be_fooled_and_a_provenance_for_every_number(folder):
    edit(folder / "judge.json", "0.7", "0.9999")
    edit(folder / "README.md", "**0.700**", "**1.000**")
    measured = json.loads((folder / "scores.json").read_text())
    del measured["provenance"]["extractor_sha256"]
    (folder / "scores.json").write_text(json.dumps(measured))
    said = "\n".join(lint(folder))
    assert "AUC is 1.000: it cannot be fooled" in said and "'extractor_sha256' is not stated" in said
    (folder / "judge.json").unlink()
    assert any("no judge.json" in sentence for sentence in lint(folder))


def test_training_images_that_may_not_be_shown_are_in_no_picture(folder):
    assert (folder / MEMORIZED_NAME).is_file()
    text = AT_RISK.write(folder, show_images=False)
    assert not (folder / MEMORIZED_NAME).exists() and MEMORIZED_NAME not in text
    assert "| 100 | 0.500 | 101 | 0.600 | 102 | 0.700 | 103 | 0.800 |" in text and text.count("\n| 1") == 4
    write_card(folder, facts(text))
    assert lint(folder) == []
    with Image.open(shutil.copy(folder / "samples.png", folder / MEMORIZED_NAME)) as left_over:
        left_over.load()
    assert lint(folder) == [f"{MEMORIZED_NAME} is there, but not in the card."]


def test_more_copies_than_chance_explains_are_called_so():
    said = AT_RISK.summary()
    # 2 of 2,000 held-out images are at the threshold: 1 of 1,000 generated ones may be, and twice √(1 + 1²/2) more.
    assert "So do 3 of the generated ones" in said and "1 would be expected" in said and "no more than chance" in said
    more = NearestTrainingImages(**vars(AT_RISK) | {"copied": 4}).summary()
    assert "That is more than chance explains" in more


def test_duplicates_among_the_real_images_are_told_in_the_card_and_count_once():
    repeating = NearestTrainingImages(
        **vars(AT_RISK) | {"pictures": 40, "repeated": 1900, "different": 45, "witnesses": 21.8, "nearer": 1}
    )
    said = repeating.summary()
    assert "60,000 training images (about 45 different pictures: near duplicates are one)" in said
    assert (
        "held out (40 different pictures, each counted once; 1,900 show one that is also trained on, and are held against the "
        "others alone), half come nearer" in said
    )
    assert "2.5 % as near as" in said and "43.9 would be expected" in said and "no more than chance" in said
    assert "That is more than chance" in NearestTrainingImages(**vars(repeating) | {"copied": 150}).summary()
    single = NearestTrainingImages(
        **vars(repeating) | {"pictures": 1, "different": 1, "witnesses": 0.0, "copied": 1000}
    )
    assert "chance could explain any number" in single.summary()


def test_other_scores_take_the_place_of_the_old_and_a_section_comes_where_it_belongs(folder):
    path, other = folder / "README.md", CardScores({"FD-digits": 0.5}, SCORED.provenance)
    before = sections(path.read_text())
    update_card(folder, other, "mnist", {"Goals": "Below 1: **reached**.", MISUSE_SECTION: "Not for **this**."})
    after = sections(path.read_text())
    assert list(after) == [heading for heading, needed in SECTIONS.items() if needed or heading == "Goals"]
    assert "**0.500**" in after[SCORES_SECTION] and after[MISUSE_SECTION] == "Not for **this**."
    unchanged = before.keys() - {SCORES_SECTION, MISUSE_SECTION}
    assert {heading: after[heading] for heading in unchanged} == {heading: before[heading] for heading in unchanged}
    assert lint(folder) == []


def test_a_card_of_release_0_1_0_gets_the_sections_it_had_not(folder):
    """It had no section on copies, none on misuse, and a shorter heading over what is seen."""
    path = folder / "README.md"
    text = path.read_text()
    for heading in (COPIES_SECTION, MISUSE_SECTION):
        text = text.replace(f"## {heading}\n\n{sections(text)[heading]}\n", "")
    path.write_text(text.replace("## What a person sees, and what is wrong with it", "## What a person sees"))
    update_card(folder, SCORED, "mnist", {COPIES_SECTION: AT_RISK.write(folder, True), MISUSE_SECTION: NOT_FOR})
    order = list(sections(path.read_text()))
    assert order.index(COPIES_SECTION) == order.index("Training") - 1 and order[-1] == MISUSE_SECTION
    assert lint(folder) == ["section 'What a person sees, and what is wrong with it' is missing."]


def test_concepts_stand_in_a_card_with_how_they_were_found_and_what_they_do():
    effect = Effect("thickness (pixels)", (-1, 0, 1), (1.9, 2.4, 2.9), 0.3, 0.97, "10000-10255", 256)
    concept = Concept("thickness", torch.ones(4), "z", (1, 2, 3), (4, 5, 6), "by a measure of ink", effect)
    assert concepts_section([concept]).splitlines()[-1] == (
        f"| `thickness` | by a measure of ink | {effect.describe()} (10000-10255) |"
    )
    assert concepts_section([]) == ""


@pytest.mark.parametrize("name", bundled_models())
def test_every_command_of_a_bundled_card_is_understood_and_its_recipe_is_there(name):
    lines = [line for language, code in examples((bundled_models()[name] / "README.md").read_text()) if not language
             for line in code.splitlines()]  # fmt: skip
    assert lines
    for program, *words in map(shlex.split, lines):
        if program == "gan-hub":
            assert cli.parser().parse_args(words).model == name
        else:
            assert [program, *words[:2]] == ["accelerate", "launch", "train.py"] and len(words) == 3
            path = bundled_models()[name] / words[2] if words[2] == "recipe.yaml" else ROOT / words[2]
            assert TrainConfig(**read_recipe(path)).name == name
