"""Feature extractors by name: the networks behind every score.

A score has its extractor's name (FD-fashion, FD-mobilenet-v2). It is an FID only with the Inception of 2015, whose weights
are recognized by their checksum.
"""

import hashlib
import os
import re
from pathlib import Path

import torch

from gan_hub.data import NAMED_DATASETS
from gan_hub.hub.resolve import download_file
from gan_hub.messages import short_repr
from gan_hub.metrics.extractors import cifar_resnet, hub_model, inception, mobilenet_v2, small_classifier
from gan_hub.metrics.extractors.network import ExtractorNetwork, Outputs
from gan_hub.metrics.extractors.small_classifier import SmallClassifier
from gan_hub.model_folder.strict import LoadError
from gan_hub.pretrained_networks import PRETRAINED, path_of

__all__ = [
    "BUNDLED",
    "EXTRACTORS",
    "OWN_CLASSIFIERS",
    "WEIGHTS",
    "Extractor",
    "Outputs",
    "SmallClassifier",
    "is_bundled_file",
    "load_extractor",
]

WEIGHTS = Path(__file__).parent / "weights"
OWN_CLASSIFIERS = ("digits", "fashion")  # of 28 × 28 grey images, trained by benchmarks/feature_nets.py
BY_FILE = {"inception": inception.load, "mobilenet-v2": mobilenet_v2.load, "resnet56-cifar10": cifar_resnet.load}
EXTRACTORS = (*OWN_CLASSIFIERS, *BY_FILE)
BUNDLED = (*OWN_CLASSIFIERS, *(name for name in BY_FILE if name in PRETRAINED))  # their weights come with the package
LABEL_NAMES: dict[str, tuple[str, ...]] = {  # of the classes, in the order of the logits
    "digits": tuple("0123456789"),
    "fashion": NAMED_DATASETS["fashion-mnist"].label_names or (),
    "resnet56-cifar10": cifar_resnet.LABEL_NAMES,
}
HUB_ID = r"[\w.-]{1,96}/[\w.-]{1,96}"
HUB_FILE = "model.safetensors"


class Extractor:
    """A network with its provenance: name, sha256, how images reach its size, accuracy.

    `sha256` is its weight file's. A Hub model's numbers also depend on its configuration and preprocessing, so that its
    checksum is of all its files: `sha256sum config.json preprocessor_config.json model.safetensors | sha256sum`.

    Images go through it in blocks of one size, the last one filled up: the features of an image do not depend, to the last
    bit, on the other images.

    Example:
        >>> import torch
        >>> from gan_hub.metrics import load_extractor
        >>> digits = load_extractor("digits")
        >>> digits.features(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 128])
    """

    def __init__(self, name: str, weights: str | os.PathLike | None = None) -> None:
        """Load a network; arguments and errors as of `load_extractor`."""
        self.name, self.device = name, torch.device("cpu")
        path, self.network = _find(name, weights)
        self.sha256 = _sha256_of_folder(path) if path.is_dir() else _sha256(path)

    def to(self, device: str | torch.device) -> "Extractor":
        """This extractor, moved to `device`; its results are on the CPU all the same."""
        self.device = torch.device(device)
        self.network.to(self.device)
        return self

    @property
    def resize(self) -> str:
        """How images reach the network's size, in one phrase."""
        return self.network.resize

    @property
    def test_accuracy(self) -> float | None:
        """Accuracy of its classifier, as stated with the weights."""
        return self.network.test_accuracy

    @property
    def num_classes(self) -> int | None:
        """Number of logits; None without a classifier."""
        return self.network.num_classes

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """Names of its classes, in the order of the logits; None where they are not known, or there is no classifier."""
        return LABEL_NAMES.get(self.name)

    @property
    def is_fid_inception(self) -> bool:
        """Whether its weights are those that define FID."""
        return self.trusted_by is not None

    @property
    def trusted_by(self) -> str | None:
        """Who vouches for that: "gan_hub", or "GAN_HUB_FID_INCEPTION" where that variable has their checksum; else None."""
        return self.network.trusted_by

    @torch.no_grad()
    def outputs(self, images: torch.Tensor) -> Outputs:
        """Images (N, C, H, W) in [-1, 1] → float32 features (N, F) and logits (N, K) or None, on the CPU.

        Grey is repeated for networks that take colours, and transparent images are laid over white. Raises ValueError for
        images that the network cannot take.
        """
        if images.ndim != 4 or not len(images):
            raise ValueError(f"an extractor takes images (N, C, H, W), one at least, given {tuple(images.shape)}.")
        blocks = [self.outputs_of_block(block) for block in images.split(self.network.block)]
        logits = [outputs.logits for outputs in blocks if outputs.logits is not None]
        return Outputs(torch.cat([outputs.features for outputs in blocks]), torch.cat(logits) if logits else None)

    def outputs_of_block(self, images: torch.Tensor) -> Outputs:
        """Outputs of at most a block of images, which is filled up for the network."""
        count, block = len(images), self.network.block
        images = images.to(self.device).float()
        try:
            images = self.network.prepare(torch.cat([images, images[:1].expand(block - count, -1, -1, -1)]))
        except ValueError as error:
            raise ValueError(f"extractor {self.name!r}: {error}") from error
        features, logits = self.network.outputs(images)
        return Outputs(features[:count].cpu(), None if logits is None else logits[:count].cpu())

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in [-1, 1] → float32 features (N, F) on the CPU."""
        return self.outputs(images).features

    def classes(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in [-1, 1] → the recognized class of each, int64 (N,); ValueError without a classifier."""
        logits = None if self.num_classes is None else self.outputs(images).logits
        if logits is None:
            raise ValueError(f"extractor {self.name!r} has no classifier, so it recognises no classes.")
        return logits.argmax(1)


def load_extractor(name: str, weights: str | os.PathLike | None = None) -> Extractor:
    """Load a feature extractor.

    `name` is one of EXTRACTORS, or the Hub id ("owner/name") of a vision model. BUNDLED ones need no `weights`;
    OWN_CLASSIFIERS take none. The others need a .safetensors file, or a Hub id, of which model.safetensors is downloaded; of
    a Hub model, `weights` may be a folder with its files. Raises ValueError for an unknown name, LoadError naming file and
    tensor for weights that are damaged or of another network.
    """
    return Extractor(name, weights)


def _find(name: str, weights: str | os.PathLike | None) -> tuple[Path, ExtractorNetwork]:
    """The weight file of an extractor, or the folder of a Hub model's files; and the network."""
    if name in OWN_CLASSIFIERS:
        if weights is not None:
            raise ValueError(
                f"extractor {name!r} has its weights with it; weights={short_repr(weights)} is not allowed."
            )
        path = WEIGHTS / f"{name}.safetensors"
        if not path.is_file():
            raise LoadError(f"{path}: not found; `python benchmarks/feature_nets.py {name}` trains it.")
        return path, small_classifier.load(path)
    if name in BY_FILE:
        if weights is None and name not in PRETRAINED:
            raise ValueError(
                f"extractor {name!r} needs weights=, a .safetensors file or the Hub id of a repository with one."
            )
        path = path_of(name) if weights is None else _weight_file(weights)
        return path, BY_FILE[name](path)
    if re.fullmatch(HUB_ID, name):
        folder = hub_model.fetch(name, weights)
        return folder, hub_model.load(folder)
    raise ValueError(
        f"extractor {short_repr(name)} is not allowed; choose one of {', '.join(EXTRACTORS)}, or a Hub id (owner/name)."
    )


def is_bundled_file(name: str, weights: str | os.PathLike) -> bool:
    """Whether the file `weights` is the very one that comes with the package for the extractor `name`."""
    return name in PRETRAINED and os.path.isfile(weights) and _sha256(Path(weights)) == PRETRAINED[name].sha256


def _weight_file(weights: str | os.PathLike) -> Path:
    """A local path as it is; else the downloaded file of a Hub id."""
    is_path = os.path.lexists(weights) or isinstance(weights, os.PathLike) or str(weights).endswith(".safetensors")
    return Path(weights) if is_path or not re.fullmatch(HUB_ID, str(weights)) else download_file(str(weights), HUB_FILE)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256_of_folder(folder: Path) -> str:
    """The checksum of the lines that `sha256sum` prints for a Hub model's files."""
    lines = (f"{_sha256(folder / name)}  {name}\n" for name in hub_model.FILES)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
