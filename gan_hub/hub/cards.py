"""Model cards: written from what a run measured, refused while a field is empty; what is measured anew replaces the old.

What a card must have before it is published, lint.py says.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from PIL import Image
from yaml import YAMLError

from gan_hub.atomic import write_text
from gan_hub.images import grid, save_png
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import read_bytes, write_json

MAX_CARD_BYTES = 1_000_000
CARD_NAME, SCORES_NAME, MEMORIZED_NAME = "README.md", "scores.json", "memorised.png"
PLACEHOLDERS = re.compile(r"\[More Information Needed\]|TODO|FIXME|\{[a-z_]+\}")
UNDESCRIBED = "Nobody has described these samples yet; look at the grid above."
CHANCE = 0.05  # what is less likely than that is called more than chance
NOT_FOR = (
    "Not for showing, imitating or identifying real people, nor for deceiving anybody about what is real; not as evidence "
    "of anything; not for medical, forensic or other decisions about people; not as training or test data of a system, such "
    "as one that reads writing, whose mistakes could harm somebody. Its images are made up, and a label says what was asked "
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
    """What a number was measured with, in one line; what does not apply is left out."""
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in provenance.items() if value is not None)


def format_number(value: float) -> str:
    """A number for a card: three decimals, or two digits of what is smaller; a count as it is."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"


@dataclass(frozen=True)
class CardScores:
    """The numbers of a card: scores with their 95 % intervals, their provenance, the command that measures them again."""

    scores: dict[str, float]
    provenance: dict[str, object]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)  # the same distances of things everybody can picture
    command: str = ""

    def section(self) -> str:
        """The text under "Scores"."""
        rows = [
            f"| **{name}** | **{format_number(value)}** | {self._between(name)} |"
            for name, value in self.scores.items()
        ]
        rows += [f"| {name} | {format_number(value)} | |" for name, value in self.scales.items()]
        said = format_provenance(self.provenance)
        text = "\n".join(["| measure | value | 95 % interval |", "|---|---|---|", *rows])
        text += f"\n\nMeasured with: {said}."
        if "FID" not in self.scores:
            text += " A Fréchet distance compares with others of the same extractor only; it is no FID."
        if self.intervals:
            text += (
                " Intervals are over the scored images: the mean of such scores over all seeds lies within them, 19 times "
                "of 20; they say nothing of another training run."
            )
        return text + (f" Again, with one command:\n\n```\n{self.command}\n```" if self.command else "")

    def _between(self, name: str) -> str:
        return " to ".join(map(format_number, self.intervals.get(name, ())))

    def results(self, dataset_name: str, dataset_type: str) -> list[EvalResult]:
        """The same for the card's metadata (`model-index`)."""
        return [
            EvalResult(
                task_type="unconditional-image-generation",
                dataset_type=dataset_type,
                dataset_name=dataset_name,
                metric_type=re.sub(r"[^\w-]+", "-", name.lower()).strip("-"),
                metric_name=name,
                metric_value=float(format_number(value)),  # as in the table
            )
            for name, value in self.scores.items()
        ]

    def to_dict(self) -> dict:
        intervals = {name: list(ends) for name, ends in self.intervals.items()}
        told = {"command": self.command} if self.command else {}
        return {
            "scores": self.scores,
            "intervals": intervals,
            "scales": self.scales,
            "provenance": self.provenance,
        } | told


@dataclass(frozen=True)
class NearestTrainingImages:
    """The generated images of a model that come nearest to a training image, and how near unseen real images come."""

    features: str  # what distances are measured in
    seeds: list[int]  # of those images, the nearest first
    distances: list[float]
    typical: float  # the median distance of held-out real images to the nearest training image
    threshold: float  # nearer come only `nearer` of the held-out images
    nearer: int  # held-out images, of each picture one, at the threshold or below it
    copied: int  # searched images there
    searched: int
    first_seed: int
    trained: int  # training images
    held_out: int
    pairs: list[Image.Image]  # each generated image, then its nearest training image
    pictures: int | None = None  # that the held-out images show, near duplicates being one; None: as many as images
    repeated: int = 0  # held-out images whose picture is also trained on
    different: int | None = None  # pictures that the training images show, about; None: as many as images
    witnesses: float | None = None  # independent distances that the held-out pictures are worth; None: one each

    def write(self, folder: Path, show_images: bool) -> str:
        """The text under "Memorisation"; writes its picture into `folder` if the training images may be shown.

        If they may not, a picture of an earlier card is removed.
        """
        if not show_images:
            (folder / MEMORIZED_NAME).unlink(missing_ok=True)
            return f"{self.summary()} The training images may not be shown; these are the distances:\n\n{self._table()}"
        save_png(grid(self.pairs, columns=8, scale=2 if self.pairs[0].width < 64 else 1), folder / MEMORIZED_NAME)
        text = f"{self.summary()}\n\n![Generated images, each with its nearest training image]({MEMORIZED_NAME})\n\n"
        pairs = ", ".join(f"{seed} ({format_number(distance)})" for seed, distance in zip(self.seeds, self.distances))
        return f"{text}*Four pairs a row, the nearest first: left generated, right trained on. Seeds (distances): {pairs}.*"

    def summary(self) -> str:
        """All of it in words."""
        last, near = self.first_seed + self.searched - 1, self.nearer / self._pictures
        expected = self.nearer / (self._witnesses + 1) * self.searched
        verdict = f"That is {'more' if self._chance(self.copied) < CHANCE else 'no more'} than chance explains."
        if self._chance(self.searched) >= CHANCE:
            verdict = "So few different pictures were held out that chance could explain any number: look at the pairs."
        return (
            f"Of {self.searched:,} generated images (seeds {self.first_seed} to {last}), these {len(self.seeds)} come nearest to "
            f"one of the {self.trained:,} training images{self._of_pictures()}, by Euclidean distance in {self.features}. For "
            f"scale: of {self.held_out:,} real images that were held out{self._of_repetitions()}, half come nearer than "
            f"{format_number(self.typical)}, and {100 * near:.2g} % as near as {format_number(self.threshold)} or nearer. So do "
            f"{self.copied} of the generated ones; of a model that copies nothing, {expected:.3g} would be expected. {verdict}"
        )

    @property
    def _pictures(self) -> int:
        return self.held_out if self.pictures is None else self.pictures

    @property
    def _witnesses(self) -> float:
        return self._pictures if self.witnesses is None else self.witnesses

    def _chance(self, copied: int) -> float:
        """How likely so many copies, or more, are of a generator that draws new pictures: a beta-binomial tail.

        The share of new pictures that lie below the r-th smallest of n independent distances of such is Beta(r, n + 1 − r).
        """
        a, b, searched = self.nearer, max(self._witnesses + 1 - self.nearer, 1e-9), self.searched

        def log_beta(x: float, y: float) -> float:
            return math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y)

        return sum(
            math.exp(
                log_beta(a + count, b + searched - count)
                - log_beta(a, b)
                - log_beta(count + 1, searched - count + 1)
                - math.log(searched + 1)
            )
            for count in range(copied, searched + 1)
        )

    def _of_pictures(self) -> str:
        """How many pictures the training images show, where they repeat themselves."""
        if self.different is None or self.different >= self.trained:
            return ""
        return f" (about {self.different:,} different pictures: near duplicates are one)"

    def _of_repetitions(self) -> str:
        """How the held-out images are counted, where they repeat each other or the training images."""
        told = []
        if self._pictures < self.held_out:
            told.append(f"{self._pictures:,} different pictures, each counted once")
        if self.repeated:
            told.append(f"{self.repeated:,} show one that is also trained on, and are held against the others alone")
        return f" ({'; '.join(told)})" if told else ""

    def _table(self, columns: int = 4) -> str:
        cells = [f"{seed} | {format_number(distance)}" for seed, distance in zip(self.seeds, self.distances)]
        rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
        head = ["| " + " | ".join(["seed | distance"] * columns) + " |", "|" + "---|" * (2 * columns)]
        return "\n".join(head + ["| " + " | ".join(row + [" | "] * (columns - len(row))) + " |" for row in rows])


def concepts_section(concepts: Iterable) -> str:
    """The text under "Concepts", a row for each concept of a pipeline ; "" where there is none."""
    rows = []
    for concept in concepts:
        effect = f"{concept.effect.told()} ({concept.effect.seeds})" if concept.effect else "not measured"
        rows.append(f"| `{concept.name}` | {concept.found} | {effect} |")
    head = "Named directions of the latents; `pipe.concepts` has them, with the seeds of their exemplars."
    return (
        "\n".join([f"{head}\n", "| concept | found by | measured effect (seeds) |", "|---|---|---|", *rows])
        if rows
        else ""
    )


@dataclass(frozen=True)
class CardFacts:
    """What a card says. Texts are Markdown; `scores` are name → value as measured, `provenance` how."""

    name: str
    architecture: str
    license: str
    dataset_name: str
    dataset_id: str | None  # on the Hub, for the front matter
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
        """Heading → text, in the order of SECTIONS; `judges` is whether the model has a discriminator."""
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
    """Writes README.md with its Hub metadata; raises ValueError naming the first field that is empty or unfilled.

    `judges` is whether the model has a discriminator, and so something to judge with.
    """
    head = {name: getattr(facts, name) for name in ("name", "summary", "samples", "caption")}
    text = HEAD.format(front_matter=_front_matter(facts).to_yaml(), **head)
    text += "".join(f"\n## {name}\n\n{content.strip()}\n" for name, content in facts.sections(has_judge).items())
    check_card(text)
    path = folder / CARD_NAME
    write_text(path, text)
    return path


def check_card(text: str) -> None:
    """What no card may lack, however it came to be: parsable metadata, the fields the Hub shows, no gap, no placeholder.

    Raises ValueError naming the first one.
    """
    data = ModelCard(text).data.to_dict()
    for key in ("license", "library_name", "pipeline_tag", "model-index"):
        if not data.get(key):
            raise ValueError(f"card: {key!r} is missing from its metadata.")
    body = text.split("---", 2)[2]
    found = PLACEHOLDERS.search(re.sub(r"```.*?```", "", body, flags=re.DOTALL))
    if found:
        raise ValueError(f"card: unfilled placeholder {found.group()!r}.")
    for heading, content in sections(text).items():
        if not content:
            raise ValueError(f"card: the section {heading!r} is empty.")


def sections(text: str) -> dict[str, str]:
    """Heading → text of a card's sections, in their order."""
    body = text.split("---", 2)[2]
    found = re.findall(r"^## (.+)\n+((?:(?!^## ).*\n?)*)", body, flags=re.MULTILINE)
    return {heading: content.strip() for heading, content in found}


def update_card(folder: Path, scored: CardScores, data: str, others: dict[str, str] | None = None) -> None:
    """Writes scores.json and the card of a model folder anew with other scores, against `data`.

    `others`, heading → text, are sections that are replaced, or put where they belong; all else of the card stays.
    Raises ValueError, and changes nothing, where the card has no metadata or no section "Scores".
    """
    path, card = folder / CARD_NAME, scored_card(folder)
    old = card.data.eval_results
    same = old[0].dataset_name == data
    card.data.eval_results = scored.results(data, old[0].dataset_type if same else data)
    body = card.text
    for heading, content in ((others or {}) | {SCORES_SECTION: scored.section()}).items():
        body = _with_section(body, heading, content.strip())
    text = f"---\n{card.data.to_yaml()}\n---\n{body}"
    check_card(text)
    write_text(path, text)
    write_json(folder / SCORES_NAME, scored.to_dict())


def scored_card(folder: Path) -> ModelCard:
    """The card of a model folder, whose scores `update_card` can replace; raises ValueError, LoadError where it cannot."""
    path = folder / CARD_NAME
    try:
        card = ModelCard(read_bytes(path, MAX_CARD_BYTES).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: it is no text in UTF-8.") from error
    except (YAMLError, TypeError) as error:
        raise ValueError(f"{path}: its metadata cannot be read ({short_repr(str(error))}).") from error
    if not card.data.eval_results or SCORES_SECTION not in sections(card.content):
        raise ValueError(f"{path}: no scores in it that could be replaced.")
    return card


def _with_section(body: str, heading: str, content: str) -> str:
    """A card's body with a section of that content: in the place of the one it has, else where SECTIONS has it."""
    section = f"## {heading}\n\n{content}\n\n"
    there = re.compile(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    order = list(SECTIONS)
    if not there.search(body):
        following = "|".join(map(re.escape, order[order.index(heading) + 1 :]))
        there = re.compile(rf"(?=^## (?:{following})$)" if following else r"\Z", re.MULTILINE)
        body = body if there.search(body) and following else body.rstrip() + "\n\n"
        there = there if following and there.search(body) else re.compile(r"\Z")
    return there.sub(lambda _: section, body, count=1).rstrip() + "\n"


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
