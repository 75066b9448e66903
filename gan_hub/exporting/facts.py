"""What a program needs to know of a model to use it without this library: licence, latents, seeds, classes, range."""

import json
from dataclasses import dataclass
from pathlib import Path

from gan_hub.hub.cards import MISUSE_SECTION, load_card, metadata_of, sections
from gan_hub.images import height_width
from gan_hub.model_folder.files import CARD_NAME
from gan_hub.models.mixins import SegmentationConditional, StyleBased
from gan_hub.pipeline import GANPipeline
from gan_hub.version import __version__

UNKNOWN = "unknown"
# By `seeds_like`: the distribution of the latents, and the Python that makes those of a seed.
LATENTS = {
    "torch": "normal, mean 0, deviation 1",
    "numpy": "normal, mean 0, deviation 1",
    "uniform": "uniform from -1 to 1",
}
SEEDS = {
    "torch": "torch.empty(1, {size}).normal_(generator=torch.Generator().manual_seed(seed)).numpy()",
    "numpy": "numpy.random.RandomState(seed).randn(1, {size}).astype(numpy.float32)",
    "uniform": "torch.empty(1, {size}).uniform_(-1, 1, generator=torch.Generator().manual_seed(seed)).numpy()",
}
OUTPUT = "images (N, C, H, W), float32, to be clipped to [-1, 1]; (x + 1) * 127.5, rounded, is one of 256 levels"
TRUNCATION = "w_avg + psi * (w - w_avg) in each row, psi from 1 (none) to 0 (the mean); then w is (N, rows, {size})"
TRUNCATION_OF_Z = "psi * z, psi from 1 (none) to 0 (the mean)"


@dataclass(frozen=True)
class Facts:
    """A model in words and numbers."""

    name: str
    license: str
    not_for: str | None  # what its card says it must not be used for
    generator: str  # the class
    latent_size: int
    seeds_like: str
    channels: int
    height: int
    width: int
    label_names: list[str] | None
    semantic_names: list[str] | None  # of a model that draws from maps
    w_avg: list[float] | None  # of a style-based one
    rows: int | None

    @classmethod
    def of(cls, pipe: GANPipeline, name: str | None = None) -> "Facts":
        """The facts of a pipeline and of the card beside it; `name` is by default that of its folder."""
        generator, folder = pipe.unwrapped_generator, str(pipe.name_or_path or "")
        license, not_for = _card(Path(folder)) if folder else (UNKNOWN, None)
        height, width = height_width(generator.config["resolution"])
        is_styled = isinstance(generator, StyleBased)
        return cls(
            name=name or Path(folder).name or type(generator).__name__,
            license=license,
            not_for=not_for,
            generator=type(generator).__name__,
            latent_size=pipe.latent_size,
            seeds_like=pipe.seeds_like,
            channels=generator.config["channels"],
            height=height,
            width=width,
            label_names=pipe.label_names,
            semantic_names=pipe.semantic_names if isinstance(generator, SegmentationConditional) else None,
            w_avg=generator.w_avg.float().tolist() if is_styled else None,
            rows=generator.rows if is_styled else None,
        )

    @property
    def truncation(self) -> str:
        """How latents are drawn to their mean."""
        return TRUNCATION_OF_Z if self.w_avg is None else TRUNCATION.format(size=len(self.w_avg))

    def metadata(self) -> dict[str, str]:
        """The facts as an ONNX file holds them; lists in JSON."""
        metadata = {
            "model": self.name,
            "license": self.license,
            "generator": self.generator,
            "made_by": f"gan_hub {__version__}",
            "latents": f"z (N, {self.latent_size}), float32, {LATENTS[self.seeds_like]}",
            "seeds": SEEDS[self.seeds_like].format(size=self.latent_size),
            "output": OUTPUT,
            "truncation": self.truncation,
        }
        lists = {"label_names": self.label_names, "semantic_names": self.semantic_names, "w_avg": self.w_avg}
        metadata |= {key: json.dumps(value, ensure_ascii=False) for key, value in lists.items() if value is not None}
        return metadata if self.rows is None else metadata | {"rows": str(self.rows)}


def _card(folder: Path) -> tuple[str, str | None]:
    """The licence that a card names, and what it says the model must not be used for."""
    try:
        card = load_card(folder / CARD_NAME)
        return str(metadata_of(card).license or UNKNOWN), sections(card.content).get(MISUSE_SECTION)
    except Exception:  # no card, or one that its parsers, which raise many kinds of errors, cannot read
        return UNKNOWN, None
