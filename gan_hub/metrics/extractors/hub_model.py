"""Vision models of the Hub as feature extractors, through transformers (optional: `pip install gan_hub[features]`).

Shapes: N images, C channels, H, W.
"""

import os
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import interpolate

from gan_hub.hub.resolve import download_file
from gan_hub.messages import short_repr
from gan_hub.metrics.extractors.inputs import to_rgb
from gan_hub.metrics.extractors.network import ExtractorNetwork, Outputs
from gan_hub.model_folder.strict import LoadError, read_header, read_json

FILES = CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
FILTERS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which "resample" holds
MAX_SIZE = 1024  # pixels a side
KNOWN = {  # keys of preprocessor_config.json that are followed, or that change no number
    *("do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor", "do_normalize"),
    *("image_mean", "image_std", "do_convert_rgb", "image_processor_type", "feature_extractor_type", "processor_class"),
    *("_valid_processor_keys", "data_format", "input_data_format", "device", "return_tensors", "disable_grouping"),
    *("default_to_square", "pad_size", "do_pad", "image_seq_length"),
}


class Preprocessing:
    """The preprocessing of preprocessor_config.json: size, filter, crop, mean and standard deviation."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises LoadError for what is not followed here."""
        facts = read_json(path)
        # null means that a fact is not given; an unknown fact could change every number.
        facts = {key: value for key, value in facts.items() if value is not None}
        for key in sorted(facts.keys() - KNOWN) + (["do_pad"] if facts.get("do_pad") else []):
            raise LoadError(
                f"{path}: {short_repr(key)} is not followed here, so this model's images cannot be prepared."
            )

        self.path = path
        self.resized = self._sides(facts, "size") if facts.get("do_resize", True) else None
        self.cropped = self._sides(facts, "crop_size") if facts.get("do_center_crop", False) else None
        if self.cropped and "shortest_edge" in self.cropped:
            raise LoadError(f"{path}: crop_size has no height and width.")
        if self.cropped is None and (self.resized is None or "shortest_edge" in self.resized):
            raise LoadError(f"{path}: says no height and width to which all images are brought.")
        resample = facts.get("resample", 2)
        if resample not in FILTERS:
            raise LoadError(f"{path}: resample is {short_repr(resample)}; allowed: {FILTERS}.")
        self.filter = FILTERS[resample]
        self.scale = 255 * self._number(facts, "rescale_factor", 1 / 255) if facts.get("do_rescale", True) else 255.0
        self.mean, self.deviation = [0.0] * 3, [1.0] * 3
        if facts.get("do_normalize", True):
            self.mean, self.deviation = (self._three(facts, key) for key in ("image_mean", "image_std"))

    def _number(self, facts: dict, key: str, default: float) -> float:
        value = facts.get(key, default)
        if type(value) not in (int, float) or not 0 < value <= 1:
            raise LoadError(f"{self.path}: {key} is {short_repr(value)}; allowed: a number of at most 1, above 0.")
        return float(value)

    def _three(self, facts: dict, key: str) -> list[float]:
        value = facts.get(key)
        numbers = value if isinstance(value, list) and all(type(v) in (int, float) for v in value) else []
        if len(numbers) != 3 or (key == "image_std" and min(numbers) <= 0):
            raise LoadError(f"{self.path}: {key} is {short_repr(value)}; allowed: three numbers.")
        return [float(v) for v in numbers]

    def _sides(self, facts: dict, key: str) -> dict[str, int]:
        """{"height", "width"} or {"shortest_edge"}; a single number is the shortest edge, or both sides of a crop."""
        value = facts.get(key)
        if type(value) is int:
            value = {"height": value, "width": value} if key == "crop_size" else {"shortest_edge": value}
        sides: dict[str, int] = value if isinstance(value, dict) else {}
        is_known = set(sides) in ({"height", "width"}, {"shortest_edge"})
        if not is_known or not all(type(side) is int and 1 <= side <= MAX_SIZE for side in sides.values()):
            raise LoadError(
                f"{self.path}: {key} is {short_repr(value)}; allowed: height and width, or shortest_edge, of 1 to {MAX_SIZE}."
            )
        return sides

    def __str__(self) -> str:
        steps = []
        if self.resized:
            sides = [str(self.resized[side]) for side in ("height", "width") if side in self.resized]
            to = " × ".join(sides) or f"{self.resized['shortest_edge']} at the shorter side"
            steps.append(f"antialiased {self.filter} to {to}")
        if self.cropped:
            steps.append(f"the middle {self.cropped['height']} × {self.cropped['width']}")
        return ", ".join(steps)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """RGB (N, 3, H, W) in [-1, 1] → what the model takes; raises ValueError for images smaller than the crop."""
        if self.resized:
            height, width = self._target(self.resized, *images.shape[2:])
            if images.shape[2:] != (height, width):
                images = interpolate(images, (height, width), mode=self.filter, antialias=True).clamp(-1, 1)
        if self.cropped:
            height, width = self.cropped["height"], self.cropped["width"]
            top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
            if top < 0 or left < 0:
                raise ValueError(f"it takes images of at least {height} × {width}, given {tuple(images.shape)}.")
            images = images[:, :, top : top + height, left : left + width]
        images = (images + 1) / 2 * self.scale
        return (images - images.new_tensor(self.mean)[:, None, None]) / images.new_tensor(self.deviation)[:, None, None]

    @staticmethod
    def _target(sides: dict[str, int], height: int, width: int) -> tuple[int, int]:
        """Height and width of the resized image."""
        if "height" in sides:
            return sides["height"], sides["width"]
        shortest = sides["shortest_edge"]
        return height * shortest // min(height, width), width * shortest // min(height, width)


class HubModel(ExtractorNetwork):
    """Images of any colour → the model's pooled output (N, F); for vision-language models, that of the vision tower.

    Where it has no pooled output with weights, the mean of the last hidden state over all positions.
    """

    block = 10

    def __init__(self, model: nn.Module, preprocessing: Preprocessing, pooled: bool) -> None:
        super().__init__()
        self.model, self.preprocessing, self.pooled = model, preprocessing, pooled
        self.resize = str(preprocessing)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Images of any colour, prepared as preprocessor_config.json says."""
        return self.preprocessing(to_rgb(images))

    def outputs(self, x: torch.Tensor) -> Outputs:
        """Prepared images (N, 3, H, W) → features (N, F)."""
        outputs = self.model(pixel_values=x)
        if self.pooled and getattr(outputs, "pooler_output", None) is not None:
            return Outputs(outputs.pooler_output.flatten(1), None)  # some keep (N, F, 1, 1)
        state = outputs.last_hidden_state  # (N, positions, F), or (N, F, H, W) of a convolutional network
        return Outputs(state.mean(1) if state.ndim == 3 else state.mean((2, 3)), None)


def fetch(repo_id: str, folder: str | os.PathLike | None) -> Path:
    """The folder with the three files that are needed; of a Hub repository nothing else is downloaded."""
    if folder is None:
        paths = [download_file(repo_id, name) for name in FILES]
        return paths[-1].parent
    for name in FILES:
        if not os.path.isfile(Path(folder) / name):
            raise LoadError(f"{Path(folder) / name}: not found; a model's folder has {', '.join(FILES)}.")
    return Path(folder)


def load(folder: Path) -> HubModel:
    """The model of a folder with config.json, preprocessor_config.json and model.safetensors.

    No code of the repository runs. Raises ValueError where transformers is not installed, and LoadError for a model that
    asks for code of its own, that transformers does not know, or that lacks weights.
    """
    try:
        import transformers  # pyright: ignore[reportMissingImports]  # an optional library
    except ImportError as error:
        raise ValueError("a Hub model needs the library transformers: pip install 'gan_hub[features]'.") from error
    if "auto_map" in read_json(folder / CONFIG):
        raise LoadError(f"{folder / CONFIG}: 'auto_map' asks for code of the repository's own, which is never run.")
    preprocessing = Preprocessing(folder / PREPROCESSOR)
    read_header(folder / WEIGHTS)
    try:
        model, info = transformers.AutoModel.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True, dtype=torch.float32
        )
    except Exception as error:  # damaged files and unknown architectures raise errors of many types
        raise LoadError(f"{folder}: transformers cannot load it ({short_repr(str(error), 300)}).") from error
    # Checkpoints of classifiers often lack a pooler; the random one that transformers adds then is not used.
    absent = sorted(name for name in info["missing_keys"] if not name.startswith("pooler."))
    if absent:
        raise LoadError(f"{folder / WEIGHTS}: tensor {absent[0]!r} is missing.")
    for name, tensor in model.named_parameters():
        if not torch.isfinite(tensor).all():
            raise LoadError(f"{folder / WEIGHTS}: tensor {name!r} contains NaN or Inf.")
    pooled = not info["missing_keys"]
    model = getattr(model, "vision_model", model)
    return HubModel(model, preprocessing, pooled).eval().requires_grad_(False)
