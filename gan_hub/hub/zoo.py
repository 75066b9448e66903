"""The bundled models: names, data sets, sizes and scores, read from their folders without any weights."""

from dataclasses import dataclass
from pathlib import Path

from gan_hub.hub.cards import load_card, results_of
from gan_hub.hub.resolve import bundled_models
from gan_hub.hub.score_names import is_frechet_distance, score_key
from gan_hub.model_folder.files import CARD_NAME, CONFIG_NAME, JUDGE_NAME, SUMMARY_NAME, weights_name
from gan_hub.model_folder.strict import read_json
from gan_hub.resolutions import height_width


@dataclass(frozen=True)
class ModelInfo:
    """One bundled model, a line of `list_models()`.

    Example:
        >>> from gan_hub import list_models
        >>> model = next(model for model in list_models() if model.name == "dcgan-mnist")
        >>> model.architecture, model.dataset, model.resolution
        ('DCGAN', 'mnist', 28)
    """

    name: str
    dataset: str
    resolution: int | list[int]  # pixels: of a square, or [height, width]
    label_names: list[str] | None
    megabytes: float  # of the generator's float32 weights
    scores: dict[str, float]
    architecture: str = "unknown"  # as its class is called: "DCGAN", "StyleGAN2"
    channels: int = 1  # 1 grey; 2 grey, opacity; 3 RGB; 4 RGB, opacity
    from_maps: bool = False  # whether it draws from maps of semantic classes
    auc: float | None = None  # held out, of its discriminator against it; None where it has no judge

    @property
    def score(self) -> tuple[str, float] | None:
        """(name, value) of the score to compare it by: its Fréchet distance, else its first; None where it has none."""
        own = [(name, value) for name, value in self.scores.items() if score_key(name) != "auc"]
        return next((each for each in own if is_frechet_distance(each[0])), own[0] if own else None)


def list_models() -> list[ModelInfo]:
    """List the bundled models with data set, size and scores as their cards state them; no weights are read.

    They come from small to large images, those of one data set together, the best of them first.
    """
    return sorted((describe(name, folder) for name, folder in bundled_models().items()), key=sort_key)


def describe(name: str, folder: Path) -> ModelInfo:
    """Describe one model folder by its configs and, if it has one, the metadata of its card."""
    summary = read_json(folder / SUMMARY_NAME)
    network = read_json(folder / "generator" / CONFIG_NAME)
    card, judge = folder / CARD_NAME, folder / JUDGE_NAME
    results = results_of(load_card(card)) if card.is_file() else []
    return ModelInfo(
        name=name,
        dataset=results[0].dataset_name if results else "unknown",
        resolution=summary["resolution"],
        label_names=summary["label_names"],
        megabytes=round((folder / "generator" / weights_name(None)).stat().st_size / 1e6, 2),
        scores={str(result.metric_name): result.metric_value for result in results},
        architecture=str(network.get("_class_name", "unknown")).removesuffix("Generator"),
        channels=summary["channels"],
        from_maps="semantic_names" in summary,
        auc=read_json(judge)["auc"] if judge.is_file() else None,
    )


def sort_key(model: ModelInfo) -> tuple[int, int, str, str, float, str]:
    """The order of the list; a score compares within one data set only, and a smaller one is better."""
    height, width = height_width(model.resolution)
    score_name, value = model.score or ("~", 0.0)  # ~ is behind every letter
    return height * width, model.channels, model.dataset, score_name, value, model.name
