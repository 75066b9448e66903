"""Model cards: written from what a run measured, refused while a field is empty."""

import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

CARD_NAME = "README.md"
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

{provenance}

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
    scores: dict[str, float]
    scales: dict[str, float]  # the same distances for things everybody can picture (noise, real images)
    provenance: dict[str, object]
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
        scores=_score_table(facts),
        provenance=_provenance_line(facts),
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


def _front_matter(facts: CardFacts) -> ModelCardData:
    results = [
        EvalResult(
            task_type="unconditional-image-generation",
            dataset_type=facts.dataset_id or facts.dataset_name,
            dataset_name=facts.dataset_name,
            metric_type=name.lower().replace(" ", "-"),
            metric_name=name,
            metric_value=round(value, 4),
        )
        for name, value in facts.scores.items()
    ]
    return ModelCardData(
        license=facts.license,
        library_name="gan_hub",
        pipeline_tag="unconditional-image-generation",
        tags=["gan", facts.architecture],
        datasets=[facts.dataset_id] if facts.dataset_id else None,
        model_name=facts.name,
        eval_results=results,
    )


def _score_table(facts: CardFacts) -> str:
    rows = [f"| **{name}** | **{value:.3f}** |" for name, value in facts.scores.items()]
    rows += [f"| {name} | {value:.3f} |" for name, value in facts.scales.items()]
    return "\n".join(["| measure | value |", "|---|---|", *rows])


def _provenance_line(facts: CardFacts) -> str:
    said = "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.provenance.items())
    return f"Measured with: {said}. A Fréchet distance compares with others of the same extractor only; it is no FID."
