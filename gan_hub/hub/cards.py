"""Model cards: render one from the facts of a run, replace its scores by new ones, refuse one with gaps.

lint.py says what a card must have before it is published.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from yaml import YAMLError

from gan_hub.atomic import write_text
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import CARD_NAME, SCORES_NAME
from gan_hub.model_folder.strict import read_bytes, write_json

if TYPE_CHECKING:
    from gan_hub.model_folder.concepts import Concept

MAX_CARD_BYTES = 1_000_000
MEMORIZED_NAME = "memorised.png"
PLACEHOLDERS = re.compile(r"\[More Information Needed\]|TODO|FIXME|\{[a-z_]+\}")
UNDESCRIBED = "These samples were not described yet; look at the grid above."
NOT_FOR = (
    "Not for showing, imitating or identifying real people, nor for deceiving anybody about what is real; not as evidence "
    "of anything; not for medical, forensic or other decisions about people; not as training or test data of a system, such "
    "as one that reads writing, whose mistakes could do harm. Its images are made up, and a label says what was asked "
    "for, not what is seen."
)

HEAD = """---
{front_matter}
---

# {name}

{summary}

![Samples]({samples})

*{caption}*
"""
USE = """```python
from gan_hub import GANPipeline

pipe = GANPipeline.from_pretrained("{name}")  # or the folder this file lies in, or its Hub id
pipe(seeds=[7]{example_label}).images[0].save("sample.png")
```

The same seed gives the same image in any batch.{judging}"""
TRAINING = """{training}

The recipe is `recipe.yaml`, the training log `log.jsonl`, the curves `plot.png`. Again, with one command:

```
accelerate launch train.py {recipe}
```"""
# The sections of a card in their order, each with whether every published card has it.
USE_SECTION, SEEN_SECTION = "Use", "What a person sees, and what is wrong with it"
SCORES_SECTION, GOALS_SECTION, JUDGE_SECTION = "Scores", "Goals", "The discriminator as a judge"
COPIES_SECTION, CONCEPTS_SECTION, TRAINING_SECTION = "Memorisation", "Concepts", "Training"
DATA_SECTION, MISUSE_SECTION = "Data, licence, limits", "What it must not be used for"
SECTIONS = {
    USE_SECTION: True,
    SEEN_SECTION: True,
    SCORES_SECTION: True,
    GOALS_SECTION: False,
    JUDGE_SECTION: True,
    COPIES_SECTION: True,
    CONCEPTS_SECTION: False,
    TRAINING_SECTION: True,
    DATA_SECTION: True,
    MISUSE_SECTION: True,
}


def format_provenance(provenance: dict[str, object]) -> str:
    """Format what a number was measured with, in one line; None is left out."""
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in provenance.items() if value is not None)


def format_number(value: float) -> str:
    """Format a number for a card: three decimals, or two digits if it is smaller; a count as it is."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"


@dataclass(frozen=True)
class CardScores:
    """The numbers of a card: scores with their 95 % intervals, their provenance, the command that measures them again.

    `scales` are the same distances of held-out real images and of noise, for comparison.
    """

    scores: dict[str, float]
    provenance: dict[str, object]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    command: str = ""

    def section(self) -> str:
        """The text under "Scores"."""
        rows = [
            f"| **{name}** | **{format_number(value)}** | {self._interval(name)} |"
            for name, value in self.scores.items()
        ]
        rows += [f"| {name} | {format_number(value)} | |" for name, value in self.scales.items()]
        text = "\n".join(["| measure | value | 95 % interval |", "|---|---|---|", *rows])
        text += f"\n\nMeasured with: {format_provenance(self.provenance)}."
        if "FID" not in self.scores:
            text += " A Fréchet distance compares with others of the same extractor only; it is no FID."
        if self.intervals:
            text += (
                " Intervals are over the scored images: the mean of such scores over all seeds lies within them, 19 times "
                "of 20; they say nothing of another training run."
            )
        return text + (f" Again, with one command:\n\n```\n{self.command}\n```" if self.command else "")

    def _interval(self, name: str) -> str:
        return " to ".join(map(format_number, self.intervals.get(name, ())))

    def results(self, dataset_name: str, dataset_type: str) -> list[EvalResult]:
        """The scores as the card's metadata (`model-index`), rounded as in the table."""
        return [
            EvalResult(
                task_type="unconditional-image-generation",
                dataset_type=dataset_type,
                dataset_name=dataset_name,
                metric_type=re.sub(r"[^\w-]+", "-", name.lower()).strip("-"),
                metric_name=name,
                metric_value=float(format_number(value)),
            )
            for name, value in self.scores.items()
        ]

    def to_dict(self) -> dict[str, object]:
        """The content of scores.json."""
        content: dict[str, object] = {
            "scores": self.scores,
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "scales": self.scales,
            "provenance": self.provenance,
        }
        return content | {"command": self.command} if self.command else content


def concepts_section(concepts: "Iterable[Concept]") -> str:
    """The text under "Concepts", a row for each concept of a pipeline; "" if there is none."""
    rows = []
    for concept in concepts:
        effect = f"{concept.effect.describe()} ({concept.effect.seeds})" if concept.effect else "not measured"
        rows.append(f"| `{concept.name}` | {concept.method} | {effect} |")
    head = "Named directions of the latents; `pipe.concepts` has them, with the seeds of their exemplars."
    return (
        "\n".join([f"{head}\n", "| concept | found by | measured effect (seeds) |", "|---|---|---|", *rows])
        if rows
        else ""
    )


@dataclass(frozen=True)
class CardFacts:
    """Everything that a card says; texts are Markdown."""

    name: str
    architecture: str
    license: str
    dataset_name: str
    dataset_id: str | None  # on the Hub, for the metadata; None if the data are not public
    summary: str
    samples: str
    caption: str
    example_label: str | None
    seen: str
    scored: CardScores
    judge: str
    memorization: str
    training: str
    recipe: str
    data: str
    not_for: str = NOT_FOR
    goals: str = ""
    concepts: str = ""

    def sections(self, has_judge: bool) -> dict[str, str]:
        """Heading → text, in the order of SECTIONS; a model with a discriminator has a judge."""
        example_label = f', labels="{self.example_label}"' if self.example_label else ""
        texts = {
            USE_SECTION: USE.format(name=self.name, example_label=example_label, judging=JUDGING if has_judge else ""),
            SEEN_SECTION: self.seen,
            SCORES_SECTION: self.scored.section(),
            GOALS_SECTION: self.goals,
            JUDGE_SECTION: self.judge,
            COPIES_SECTION: self.memorization,
            CONCEPTS_SECTION: self.concepts,
            TRAINING_SECTION: TRAINING.format(training=self.training, recipe=self.recipe),
            DATA_SECTION: self.data,
            MISUSE_SECTION: self.not_for,
        }
        return {name: text for name, text in texts.items() if text or SECTIONS[name]}


JUDGING = " `pipe.judge(images, labels)` says how real the discriminator takes them to be."


def write_card(folder: Path, facts: CardFacts, has_judge: bool = True) -> Path:
    """Write README.md with its Hub metadata.

    Args:
        folder: the model's folder.
        facts: what the card says.
        has_judge: whether the model has a discriminator to judge images with.

    Returns:
        The path of the card. ValueError names the first field that is empty or unfilled; nothing is then written.
    """
    head = {name: getattr(facts, name) for name in ("name", "summary", "samples", "caption")}
    text = HEAD.format(front_matter=_front_matter(facts).to_yaml(), **head)
    text += "".join(f"\n## {name}\n\n{content.strip()}\n" for name, content in facts.sections(has_judge).items())
    check_card(text)
    path = folder / CARD_NAME
    write_text(path, text)
    return path


def check_card(text: str) -> None:
    """Check what every card must have: metadata that the Hub shows, no empty section, no placeholder.

    Raises ValueError naming the first fault.
    """
    data = ModelCard(text).data.to_dict()
    for key in ("license", "library_name", "pipeline_tag", "model-index"):
        if not data.get(key):
            raise ValueError(f"card: {key!r} is missing from its metadata.")
    body = text.split("---", 2)[2]
    placeholder = PLACEHOLDERS.search(re.sub(r"```.*?```", "", body, flags=re.DOTALL))
    if placeholder:
        raise ValueError(f"card: unfilled placeholder {placeholder.group()!r}.")
    for heading, content in sections(text).items():
        if not content:
            raise ValueError(f"card: the section {heading!r} is empty.")


def sections(text: str) -> dict[str, str]:
    """Heading → text of a card's sections, in their order."""
    body = text.split("---", 2)[2]
    pairs = re.findall(r"^## (.+)\n+((?:(?!^## ).*\n?)*)", body, flags=re.MULTILINE)
    return {heading: content.strip() for heading, content in pairs}


def linked_files(text: str) -> list[str]:
    """The files beside a card that it links, shows or names, relative to it, in their order."""
    links = re.findall(r"\]\((?!\w+:)([^)#\s]+)[^)]*\)|\bsrc=[\"'](?!\w+:)([^\"']+)[\"']", text)
    names = re.findall(r"`([\w-]+\.(?:yaml|jsonl|png|json))`", text)
    return [name.removeprefix("./") for name in (*("".join(link) for link in links), *names)]


def update_card(folder: Path, scored: CardScores, data: str, others: dict[str, str] | None = None) -> None:
    """Replace the scores in scores.json and in the card of a model folder; the rest of the card stays.

    Args:
        folder: the model's folder. ValueError says why its card cannot take scores; nothing is then changed.
        scored: the new scores.
        data: the name of the data set that they were measured against.
        others: heading → text of sections that are replaced as well, or put where they belong.
    """
    path, card = folder / CARD_NAME, scored_card(folder)
    old = results_of(card)[0]
    dataset_type = old.dataset_type if old.dataset_name == data else data
    metadata_of(card).eval_results = scored.results(data, dataset_type)
    body = card.text
    for heading, content in ((others or {}) | {SCORES_SECTION: scored.section()}).items():
        body = _with_section(body, heading, content.strip())
    text = f"---\n{card.data.to_yaml()}\n---\n{body}"
    check_card(text)
    write_text(path, text)
    write_json(folder / SCORES_NAME, scored.to_dict())


def scored_card(folder: Path) -> ModelCard:
    """The card of a model folder, if `update_card` can replace its scores; raises ValueError or LoadError if not."""
    path = folder / CARD_NAME
    try:
        card = load_card(path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: it is no text in UTF-8.") from error
    except (YAMLError, TypeError) as error:
        raise ValueError(f"{path}: its metadata cannot be read ({short_repr(str(error))}).") from error
    if not results_of(card) or SCORES_SECTION not in sections(card.content):
        raise ValueError(f"{path}: no scores in it that could be replaced.")
    return card


def load_card(path: Path) -> ModelCard:
    """Read a card; raises LoadError for a file that cannot be read, and what its parsers raise for other text."""
    return ModelCard(read_bytes(path, MAX_CARD_BYTES).decode("utf-8"))


def metadata_of(card: ModelCard) -> ModelCardData:
    """The metadata of a card, in the type that a ModelCard has."""
    assert isinstance(card.data, ModelCardData)
    return card.data


def results_of(card: ModelCard) -> list[EvalResult]:
    """The scores in the metadata of a card."""
    return metadata_of(card).eval_results or []


def _with_section(body: str, heading: str, content: str) -> str:
    """A card's body with this section, in place of the old one or, if place is none, where SECTIONS has it."""
    section = f"## {heading}\n\n{content}\n\n"
    place = re.compile(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    order = list(SECTIONS)
    if not place.search(body):
        following = "|".join(map(re.escape, order[order.index(heading) + 1 :]))
        place = re.compile(rf"(?=^## (?:{following})$)" if following else r"\Z", re.MULTILINE)
        body = body if place.search(body) and following else body.rstrip() + "\n\n"
        place = place if following and place.search(body) else re.compile(r"\Z")
    return place.sub(lambda _: section, body, count=1).rstrip() + "\n"


def _front_matter(facts: CardFacts) -> ModelCardData:
    return ModelCardData(
        license=facts.license,
        library_name="gan_hub",
        pipeline_tag="unconditional-image-generation",
        tags=["gan", facts.architecture],
        datasets=[facts.dataset_id] if facts.dataset_id else None,
        model_name=facts.name,
        eval_results=facts.scored.results(facts.dataset_name, facts.dataset_id or facts.dataset_name),
    )
