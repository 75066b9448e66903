"""Put the scores of a report into the card of the model that was scored, with the command that measures them again."""

import itertools
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from gan_hub.hub.cards import (
    CONCEPTS_SECTION,
    COPIES_SECTION,
    GOALS_SECTION,
    MISUSE_SECTION,
    NOT_FOR,
    CardScores,
    concepts_section,
    update_card,
)
from gan_hub.hub.lint import lint
from gan_hub.metrics.evaluation import ANY_EXTRACTOR
from gan_hub.metrics.features import is_bundled_file
from gan_hub.metrics.report import Report
from gan_hub.pipeline import GANPipeline

# Parameter of `evaluate` → flag of `gan-hub evaluate`, for those by which scores are measured again.
FLAGS = {
    "metrics": "--metrics",
    "extractor": "--extractor",
    "weights": "--extractor-weights",
    "num_images": "--num",
    "num_real": "--num-real",
    "split": "--split",
    "seed": "--seed",
    "batch_size": "--batch-size",
    "replicates": "--bootstrap",
}


def write_card_scores(
    folder: Path,
    report: Report,
    *,
    command: str = "",
    goals: str = "",
    not_for: str = "",
    show_training_images: bool = False,
) -> list[str]:
    """Replace the scores in a model's card and scores.json by those of a report; the rest of the card stays.

    Args:
        folder: the model's folder; its README.md must have scores.
        report: the scores, as `evaluate` returns them.
        command: the command line that measures them again, if others can have the data (`evaluate_command`).
        goals: text of the section on goals; "" leaves that of the card.
        not_for: text of the section on misuse; "" writes the usual one.
        show_training_images: whether the section on memorisation may show training images.

    Returns:
        What is still wrong with the card before it may be published, a sentence each.

    Raises:
        ValueError: for a card without scores, or one that would become invalid; nothing is then changed.
        LoadError: for a card that cannot be read.
    """
    nearest = report.nearest_training_images
    concepts = GANPipeline.from_pretrained(folder, discriminator=None).concepts
    sections = {
        GOALS_SECTION: goals.strip(),
        COPIES_SECTION: nearest.write(folder, show_training_images) if nearest else "",
        CONCEPTS_SECTION: concepts_section(concepts.values()),
        MISUSE_SECTION: not_for.strip() or NOT_FOR,
    }
    scores = CardScores(report.scores, report.provenance, report.intervals, report.reference_scores, command)
    filled = {heading: text for heading, text in sections.items() if text}
    update_card(folder, scores, str(report.provenance["data"]), filled)
    return lint(folder)


def evaluate_command(model: str, data: str, options: Mapping[str, object]) -> str:
    """The command line that measures the same scores again.

    Args:
        model: what the model is called.
        data: the data set; of a path there is no command, because only its owner has it.
        options: keyword arguments of `evaluate`; those that do not change a score are left out. A file of weights is
            replaced by words, because its path means nothing elsewhere: the provenance has its checksum. It is left out
            where it is the one that comes with the package.

    Returns:
        A line that a shell understands, or "" for data that others cannot have by a name.
    """
    if os.path.exists(data):
        return ""
    values = {name: str(options[name]) for name in FLAGS if name in options}
    metrics = options.get("metrics")
    if isinstance(metrics, list | tuple):
        values["metrics"] = ",".join(map(str, metrics))
    if os.path.exists(values.get("weights", "")):
        usual = "inception" if "fid" in values.get("metrics", "").split(",") else ANY_EXTRACTOR
        extractor, file = values.get("extractor", usual), values.pop("weights")
        if not is_bundled_file(extractor, file):
            values["weights"] = f"your-{extractor.replace('/', '-')}.safetensors"
    flags = [(FLAGS[name], values[name]) for name in FLAGS if name in values]
    return shlex.join(["gan-hub", "evaluate", model, "--data", data, *itertools.chain(*flags)])
