"""The bundled zoo: what its models are called, what they were trained on, how large and how good they are."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import ModelCard

from gan_hub.hub.cards import CARD_NAME
from gan_hub.hub.places import bundled
from gan_hub.loading import read_json


@dataclass(frozen=True)
class ModelInfo:
    """One line of `list_models()`."""

    name: str
    dataset: str
    resolution: int | list[int]  # pixels: of a square, or [height, width]
    label_names: list[str] | None
    megabytes: float  # of the generator's float32 weights
    scores: dict[str, float]


def list_models() -> list[ModelInfo]:
    """The bundled models with data set, size and scores as their cards state them; reads no weights."""
    return [describe(name, folder) for name, folder in bundled().items()]


def describe(name: str, folder: Path) -> ModelInfo:
    """One model folder, from its config.json and the metadata of its card."""
    summary = read_json(folder / "config.json")
    card = ModelCard.load(folder / CARD_NAME).data
    results = card.eval_results or []
    return ModelInfo(
        name=name,
        dataset=results[0].dataset_name if results else "unknown",
        resolution=summary["resolution"],
        label_names=summary["label_names"],
        megabytes=round((folder / "generator" / "diffusion_pytorch_model.safetensors").stat().st_size / 1e6, 2),
        scores={result.metric_name: result.metric_value for result in results},
    )
