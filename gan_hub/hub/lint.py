"""Check a card before its model is published: `lint(folder)` lists what is missing or contradicts other files."""

import re
from pathlib import Path

from huggingface_hub import ModelCard
from yaml import YAMLError

from gan_hub.hub.cards import (
    CARD_NAME,
    COPIES_SECTION,
    JUDGE_SECTION,
    MAX_CARD_BYTES,
    MEMORIZED_NAME,
    SCORES_NAME,
    SCORES_SECTION,
    SECTIONS,
    TRAINING_SECTION,
    UNDESCRIBED,
    check_card,
    format_number,
    format_provenance,
    linked_files,
    results_of,
    sections,
)
from gan_hub.hub.nearest_images import COUNT_IN_SUMMARY
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import JUDGE_NAME
from gan_hub.model_folder.strict import LoadError, read_bytes, read_json

# Keys of the provenance without which a score means nothing.
PROVENANCE = (
    "extractor", "extractor_sha256", "size", "resize", "data", "real_images", "real_split", "real_sha256",
    "generated_images", "seed", "dtype", "gan_hub",
)  # fmt: skip
# Questions that the section on training answers → how an answer looks.
ANSWERS = {
    "how many images were seen": r"\d[\d,.]* thousand images",
    "the seed": r"seed \d+",
    "how many minutes it took": r"\d+ minutes",
    "on what hardware": r"process\(es\) on \S+",
    "which versions made it": r"gan_hub \S+, torch \S+, accelerate \S+",
    "what it costs on a GPU": r"[PT]FLOP",
}
MACHINE_PATH = re.compile(r"(?<![\w./:~<-])(?:~|/[A-Za-z][\w.-]*)/[\w./-]+")


def lint(folder: Path) -> list[str]:
    """List what is wrong with the card of a model folder, a sentence each; none if it may be published.

    The card is compared with the other files of the folder. Nothing is run; `examples` gives the code that can be.
    """
    try:
        text = read_bytes(folder / CARD_NAME, MAX_CARD_BYTES).decode("utf-8")
        check_card(text)
    except YAMLError as error:
        return [f"card: its metadata cannot be read ({short_repr(str(error), 160)})."]
    except ValueError as error:  # LoadError, and bytes that are no text, among them
        return [str(error)]
    by_heading = sections(text)
    missing = [
        f"section {heading!r} is missing."
        for heading, needed in SECTIONS.items()
        if needed and heading not in by_heading
    ]
    return [
        *missing,
        *_gaps(text),
        *_wrong_scores(folder, text, by_heading.get(SCORES_SECTION, "")),
        *_wrong_judge(folder, by_heading.get(JUDGE_SECTION, "")),
        *_wrong_copies(folder, by_heading.get(COPIES_SECTION, "")),
        *_wrong_training(by_heading.get(TRAINING_SECTION, "")),
        *_wrong_examples(folder, text),
    ]


def examples(text: str) -> list[tuple[str, str]]:
    """(language, code) of every code block in a card; the language of a command line is ""."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def table(section: str) -> dict[str, float]:
    """Name → value of the scores, which are in bold, in the section "Scores"."""
    rows = re.findall(r"^\| \*\*(.+?)\*\* \| \*\*(\S+?)\*\* \|", section, flags=re.MULTILINE)
    return {name: float(value) for name, value in rows}


def _gaps(text: str) -> list[str]:
    """Placeholder sentences, and paths that exist on one machine only."""
    wrong = (
        [f"it says {UNDESCRIBED!r}: look at the samples, and say in the recipe what is seen."]
        if UNDESCRIBED in text
        else []
    )
    return wrong + [
        f"{path!r} is a path of one machine." for path in MACHINE_PATH.findall(re.sub(r"https?://\S+", "", text))
    ]


def _wrong_scores(folder: Path, text: str, section: str) -> list[str]:
    """Compare the table with the metadata, with scores.json and with its provenance."""
    if not (folder / SCORES_NAME).is_file():
        return [
            "it has no scores of its images: train with an extractor, or write them with `gan-hub evaluate --card`."
        ]
    try:
        measured = read_json(folder / SCORES_NAME)
        scores, provenance = dict(measured["scores"]), dict(measured["provenance"])
        rounded = {name: float(format_number(value)) for name, value in scores.items()}
    except (LoadError, KeyError, TypeError, ValueError) as error:
        return [f"{SCORES_NAME} has no scores with provenance ({error})."]
    results = {str(result.metric_name): result.metric_value for result in results_of(ModelCard(text))}
    in_table = table(section)
    wrong = [] if in_table else ["there is no table of scores."]
    for other, values in ((SCORES_NAME, rounded), ("the metadata", results)):
        for name in sorted(in_table.keys() | values.keys()):
            if in_table.get(name) != values.get(name):
                wrong.append(f"{name} is {in_table.get(name)} in the table and {values.get(name)} in {other}.")
    wrong += [f"scores without provenance: {key!r} is not stated." for key in PROVENANCE if provenance.get(key) is None]
    if format_provenance(provenance) not in section:
        wrong.append(f"the provenance in {SCORES_NAME} is not what stands below the table.")
    return wrong


def _wrong_judge(folder: Path, section: str) -> list[str]:
    """Compare AUC and calibration with judge.json; a judge that is never fooled is a fault of the generator."""
    if not (folder / JUDGE_NAME).is_file():
        return [] if not (folder / "discriminator").is_dir() else [f"its discriminator has no {JUDGE_NAME}."]
    judge = read_json(folder / JUDGE_NAME)
    wrong = []
    for quantity, text in (
        ("AUC", f"**{judge['auc']:.3f}**"),
        ("calibration error", f"{100 * judge['error']:.1f} percentage points"),
    ):
        if text not in section:
            wrong.append(f"the judge's {quantity} ({text.strip('*')}) is not in {JUDGE_SECTION!r}.")
    if f"{judge['auc']:.3f}" == "1.000":
        wrong.append("the judge's AUC is 1.000: it cannot be fooled, so the generator is weak.")
    return wrong


def _wrong_copies(folder: Path, section: str) -> list[str]:
    """The section shows the sixteen nearest images in a picture or a table, and the folder has no other picture."""
    pictured = f"({MEMORIZED_NAME})" in section
    wrong = [] if pictured == (folder / MEMORIZED_NAME).is_file() else [
        f"{MEMORIZED_NAME} is {'missing' if pictured else 'there, but not in the card'}."
    ]  # fmt: skip
    counted = COUNT_IN_SUMMARY.search(section)
    if not counted or int(counted[1]) < 16:
        wrong.append("the sixteen samples nearest to training images are missing.")
    return wrong


def _wrong_training(section: str) -> list[str]:
    return [f"{question} is not said." for question, answer in ANSWERS.items() if not re.search(answer, section)]


def _wrong_examples(folder: Path, text: str) -> list[str]:
    """Linked and named files exist, Python parses, and other code is commands of this project."""
    wrong = []
    for target in linked_files(text):
        if not (folder / target).is_file():
            wrong.append(f"{target} is not in the folder.")
    blocks = examples(text)
    if not any(language == "python" for language, _ in blocks):
        wrong.append("there is no example in Python.")
    for language, code in blocks:
        if language == "python":
            try:
                compile(code, CARD_NAME, "exec")
            except SyntaxError as error:
                wrong.append(f"an example in Python does not parse ({error}).")
        else:
            lines = [
                line for line in code.splitlines() if not line.startswith(("gan-hub ", "accelerate launch train.py "))
            ]
            wrong += [f"{line!r} is no command of this project." for line in lines]
    return wrong
