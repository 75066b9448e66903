"""What a conversion did, for the terminal and for the card."""

import os
from dataclasses import dataclass, field
from typing import Any, TypedDict

import torch

from gan_hub.models.modeling import GANModel


@dataclass
class Report:
    """What was recognised, renamed, folded, ignored and lost, each as sentences.

    Example:
        >>> from gan_hub.foreign.report import Report
        >>> print(Report("DCGAN of a course", renamed=12, ignored=["the optimizer's state"]).text())
        recognised: DCGAN of a course
        renamed: 12 tensors, no number changed
        ignored: the optimizer's state
    """

    recognized: str
    renamed: int = 0
    folded: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)

    def lines(self) -> list[tuple[str, str]]:
        """(what was done, to what) of everything that was done."""
        lines = [("recognised", self.recognized), ("renamed", f"{self.renamed} tensors, no number changed")]
        for title in ("folded", "ignored", "lost", "compared"):
            lines += [(title, sentence) for sentence in getattr(self, title)]
        return lines

    def text(self) -> str:
        """The report, a line each."""
        return "\n".join(f"{title}: {sentence}" for title, sentence in self.lines())


class Said(TypedDict, total=False):
    """What a user may say of a network whose file does not; `Answers` says what each is.

    Example:
        >>> from gan_hub.foreign.report import Answers, Said
        >>> Answers(**Said(latents="uniform")).answered()
        ['latents']
    """

    negative_slope: float | None
    output: str | None
    latents: str | None
    start_activation: bool | None
    discriminator_negative_slope: float | None
    real_label: int | None
    upsampling_layers: str | None
    resolution: str | None
    instance_edges: bool | None
    maps: str | os.PathLike[str] | None


@dataclass(frozen=True)
class Answers:
    """What some files do not say of their network, as the user knows it; None for what was not answered.

    Example:
        >>> from gan_hub.foreign.report import Answers
        >>> Answers(negative_slope=0.2).answered()
        ['negative_slope']
    """

    negative_slope: float | None = None  # of the generator's activation below 0; 0 is a ReLU
    output: str | None = None  # "tanh", "sigmoid" or "none"
    latents: str | None = None  # "normal" or "uniform"
    start_activation: bool | None = None  # whether one follows a first layer that has no norm
    layers: Any = None  # a list of a plain generator's, as `models.ops.layer_list` has them
    discriminator: Any = None  # the content of its file, where it is another one
    discriminator_negative_slope: float | None = None
    real_label: int | None = None  # what the discriminator was trained to say of real images: 1, or 0
    upsampling_layers: str | None = None  # of SPADE: "normal", "more" or "most"
    resolution: str | None = None  # of its images, where no layer has their size: "256", or "256x512", height first
    instance_edges: bool | None = None  # whether the last plane of its maps is the edges of objects
    maps: str | os.PathLike[str] | None = None  # a folder with example maps, pictures whose numbers are classes

    def answered(self) -> list[str]:
        """The names of what was answered."""
        return [name for name, value in vars(self).items() if value is not None]


@dataclass
class Converted:
    """The networks of a foreign file, built and filled, and how its seeds become latents."""

    report: Report
    generator: GANModel
    discriminator: GANModel | None = None
    seeds_like: str = "torch"
    segmentations: torch.Tensor | None = None  # examples of maps (M, H, W), for a network that draws from such
