"""Model cards: written from what a run measured, refused while a field is empty; new scores replace old ones."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from gan_hub.loading import write_json, write_text

CARD_NAME, SCORES_NAME = "README.md", "scores.json"
_PLACEHOLDERS = re.compile(r"\[More Information Needed\]|TODO|FIXME|\{[a-z_]+\}")

TEMPLATE = """---
{front_matter}
---

# {name}

{summary}

![Samples]({samples})

*{caption}*

## Use

```python
from gan_hub import GANPipeline

pipe = GANPipeline.from_pretrained("{name}")  # or the folder this file lies in, or its Hub id
pipe(seeds=[7]{example_label}).images[0].save("sample.png")
```

The same seed gives the same image in any batch.{judging}

## What a person sees

{seen}

## Scores

{scores}

## The discriminator as a judge

{judge}

## Training

{training}

The recipe is `recipe.yaml`, the training log `log.jsonl`, the curves `plot.png`. Again, with one command:

```
accelerate launch train.py {recipe}
```

## Data, licence, limits

{data}

{limits}
"""


def in_words(provenance: dict[str, object]) -> str:
    """What a number was measured with, in one line; what does not apply is left out."""
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in provenance.items() if value is not None)


def written(value: float) -> str:
    """A number for a card: three decimals, or two digits of what is smaller; a count as it is."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"


@dataclass(frozen=True)
class Scored:
    """The numbers of a card: scores with their 95 % intervals, their provenance, the command that measures them again."""

    scores: dict[str, float]
    provenance: dict[str, object]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)  # the same distances of things everybody can picture
    command: str = ""

    def section(self) -> str:
        """The text under "Scores"."""
        rows = [f"| **{name}** | **{written(value)}** | {self._between(name)} |" for name, value in self.scores.items()]
        rows += [f"| {name} | {written(value)} | |" for name, value in self.scales.items()]
        said = in_words(self.provenance)
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
        return " to ".join(map(written, self.intervals.get(name, ())))

    def results(self, dataset_name: str, dataset_type: str) -> list[EvalResult]:
        """The same for the card's metadata (`model-index`)."""
        return [
            EvalResult(
                task_type="unconditional-image-generation",
                dataset_type=dataset_type,
                dataset_name=dataset_name,
                metric_type=re.sub(r"[^\w-]+", "-", name.lower()).strip("-"),
                metric_name=name,
                metric_value=float(f"{value:.4g}"),
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
    scored: "Scored"
    judge: str
    training: str
    recipe: str
    data: str
    limits: str


JUDGING = " `pipe.judge(images, labels)` says how real the discriminator takes them to be."


def write_card(folder: Path, facts: CardFacts, judges: bool = True) -> Path:
    """Writes README.md with its Hub metadata; raises ValueError naming the first field that is empty or unfilled.

    `judges` is whether the model has a discriminator, and so something to judge with.
    """
    text = TEMPLATE.format(
        front_matter=_front_matter(facts).to_yaml(),
        scores=facts.scored.section(),
        judging=JUDGING if judges else "",
        example_label=f', labels="{facts.example_label}"' if facts.example_label else "",
        **{name: getattr(facts, name) for name in _PLAIN},
    )
    check_card(text)
    path = folder / CARD_NAME
    path.write_text(text, encoding="utf-8")
    return path


_PLAIN = ("name", "summary", "samples", "caption", "seen", "judge", "training", "recipe", "data", "limits")


def check_card(text: str) -> None:
    """The lint every published card passes: parsable metadata, the fields the Hub shows, no gap and no placeholder."""
    data = ModelCard(text).data.to_dict()
    for key in ("license", "library_name", "pipeline_tag", "model-index"):
        if not data.get(key):
            raise ValueError(f"card: {key!r} is missing from its metadata.")
    body = text.split("---", 2)[2]
    found = _PLACEHOLDERS.search(re.sub(r"```.*?```", "", body, flags=re.DOTALL))
    if found:
        raise ValueError(f"card: unfilled placeholder {found.group()!r}.")
    for heading, content in re.findall(r"^## (.+)\n+((?:(?!^## ).*\n?)*)", body, flags=re.MULTILINE):
        if not content.strip():
            raise ValueError(f"card: the section {heading!r} is empty.")


def put_scores(folder: Path, scored: Scored, data: str) -> None:
    """Writes scores.json and the card of a model folder anew with other scores, against `data`; all else of the card stays.

    Raises ValueError, and changes nothing, where the card has no metadata or no section "Scores".
    """
    path = folder / CARD_NAME
    card = ModelCard.load(path)
    old = card.data.eval_results
    pattern = re.compile(r"(?<=^## Scores\n\n).*?(?=^## )", re.MULTILINE | re.DOTALL)
    if not old or not pattern.search(card.text):
        raise ValueError(f"{path}: no scores in it that could be replaced.")
    same = old[0].dataset_name == data
    card.data.eval_results = scored.results(data, old[0].dataset_type if same else data)
    body = pattern.sub(lambda _: scored.section() + "\n\n", card.text)
    text = f"---\n{card.data.to_yaml()}\n---\n{body}"
    check_card(text)
    write_text(path, text)
    write_json(folder / SCORES_NAME, scored.to_dict())


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
