"""The card of a converted model: what it is, where it came from, what was done to it, and what is not known."""

from huggingface_hub import ModelCardData

from gan_hub.foreign.report import Report
from gan_hub.hub.cards import NOT_FOR
from gan_hub.images import height_width
from gan_hub.pipeline import GANPipeline

SAMPLES_NAME = "samples.png"
UNKNOWN_LICENSE = (
    "**The licence is not known.** Weights may be used and passed on only as the licence of their origin allows: find it, and "
    "write it here, before this folder goes to anybody else."
)
UNKNOWN_ORIGIN = "It is not known where the file came from."
BODY = """
# {name}

Converted from `{file}` by `gan-hub convert`; nothing in that file was run.

![Samples]({samples})

*Seeds 0 to 15, not chosen.*

## Use

```python
from gan_hub import GANPipeline

pipe = GANPipeline.from_pretrained("{name}")  # or the folder this file lies in, or its Hub id
pipe(seeds=[85]).images[0].save("sample.png")
```

{seeds}

## What was converted

{rows}

## Data, licence, limits

{origin}

{license}

How it was trained, on which images, and how good it is, was not measured here; `gan-hub evaluate` scores it against images.

## What it must not be used for

{not_for}
"""
SEEDS = {
    "numpy": "Seeds mean what they mean in NVIDIA's programs: the latent of a seed is numpy's `RandomState(seed).randn`.",
    "uniform": "Latents are even from −1 to 1, as the network was trained; the pictures of a seed are not those of its program.",
    "torch": "Seeds mean what they mean in this library; those of the file's own program are other pictures.",
}


def converted_card(
    name: str, pipe: GANPipeline, report: Report, license: str | None, origin: str | None, file: str
) -> str:
    """The text of the card.

    Args:
        name: the model's.
        pipe: the model.
        report: what was done.
        license, origin: as the user gave them; None for unknown.
        file: the name of the foreign file.

    Returns: Markdown with the Hub's metadata.
    """
    config = pipe.unwrapped_generator.config
    architecture = type(pipe.unwrapped_generator).__name__.removesuffix("Generator").lower()
    metadata = ModelCardData(
        license=license or "unknown",
        library_name="gan_hub",
        pipeline_tag="unconditional-image-generation",
        tags=["gan", architecture, "converted"],
        model_name=name,
    )
    height, width = height_width(config["resolution"])
    rows = [("images", f"{width} × {height}, {config['channels']} channel(s)"), *report.lines()]
    if pipe.discriminator is None:
        rows.append(("discriminator", "none: the model draws, and does not judge"))
    body = BODY.format(
        name=name,
        file=_plain(file),
        samples=SAMPLES_NAME,
        seeds=SEEDS[pipe.seeds_like],
        rows="\n".join(f"- {title}: {_plain(text)}" for title, text in rows),
        origin=f"Origin, as given: {_plain(origin)}" if origin else UNKNOWN_ORIGIN,
        license=f"Licence, as given: {_plain(license)}" if license else UNKNOWN_LICENSE,
        not_for=NOT_FOR,
    )
    return f"---\n{metadata.to_yaml()}\n---\n{body}"


def _plain(text: str) -> str:
    """A text from outside in one line of Markdown, without markup of its own."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line.replace("<", "&lt;").replace("`", "'").replace("[", "\\[")
