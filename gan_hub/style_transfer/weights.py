"""Loads the weights of feature networks from known layouts: safetensors only, no tensor missing, none left over."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from gan_hub.hub.resolve import download_file
from gan_hub.messages import short_repr
from gan_hub.metrics.features import OWN_CLASSIFIERS
from gan_hub.model_folder.strict import PICKLE_SUFFIXES, LoadError, read_header, read_weights
from gan_hub.pretrained_networks import path_of
from gan_hub.pretrained_networks.squeezenet import FIRES, SQUEEZENETS, CaffeInput, caffe_names
from gan_hub.style_transfer.feature_networks import (
    VGG16,
    VGG19,
    FeatureNetwork,
    ImageNetInput,
    bundled,
    squeezenet,
    vgg,
)

BUNDLED = ("squeezenet", *OWN_CLASSIFIERS)  # their weights come with the package
HUB_FILE = "model.safetensors"  # what timm's repositories call their weights
HUB_IDS = ("timm/vgg19.tv_in1k", "timm/vgg16.tv_in1k")  # recommended; any repository with a known layout loads


@dataclass(frozen=True)
class Layout:
    """The names that one library gives to the tensors of one network."""

    title: str
    build: Callable[[], FeatureNetwork]
    modules: tuple[tuple[str, str], ...]  # (name in FeatureNetwork, name in the file)
    heads: dict[str, tuple[int, ...]]  # the file's classifier, which must be complete and is not used: module → shape
    suffixes: tuple[str, str] = ("weight", "bias")

    @property
    def names(self) -> dict[str, str]:
        """Tensor of the file → tensor of FeatureNetwork; without the classifier."""
        return {
            f"{file_module}.{suffix}": f"{module}.{kind}"
            for kind, suffix in zip(("weight", "bias"), self.suffixes, strict=True)
            for module, file_module in self.modules
        }

    @property
    def head_shapes(self) -> dict[str, tuple[int, ...]]:
        """Tensor of the file's classifier → its shape."""
        weight, bias = self.suffixes
        shapes = {f"{module}.{weight}": shape for module, shape in self.heads.items()}
        return shapes | {f"{module}.{bias}": shape[:1] for module, shape in self.heads.items()}


def vgg_modules(depths: Sequence[int]) -> Iterator[tuple[str, str]]:
    """(our name, name in torchvision and timm, which number convolutions, ReLUs and pools consecutively)."""
    index = 0
    for block, depth in enumerate(depths, start=1):
        for layer in range(1, depth + 1):
            yield f"stages.conv{block}_{layer}.0", f"features.{index}"
            index += 2
        index += 1


# Version → index of fire2 … fire9 in torchvision's sequence, which has pools between them.
FIRE_INDICES = {"1.0": (3, 4, 5, 7, 8, 9, 10, 12), "1.1": (3, 4, 6, 7, 9, 10, 11, 12)}


def squeezenet_modules(version: str) -> Iterator[tuple[str, str]]:
    """(our name, name in torchvision)."""
    yield "stages.conv1.0", "features.0"
    for number, index in zip(FIRES, FIRE_INDICES[version], strict=True):
        for part in ("squeeze", "expand1x1", "expand3x3"):
            yield f"stages.fire{number}.{part}", f"features.{index}.{part}"


TIMM_HEADS = {"pre_logits.fc1": (4096, 512, 7, 7), "pre_logits.fc2": (4096, 4096, 1, 1), "head.fc": (1000, 4096)}
TORCHVISION_HEADS = {"classifier.0": (4096, 25088), "classifier.3": (4096, 4096), "classifier.6": (1000, 4096)}

LAYOUTS = (
    *(
        Layout(f"{title}, {source}", partial(vgg, depths), tuple(vgg_modules(depths)), heads)
        for title, depths in (("VGG-19", VGG19), ("VGG-16", VGG16))
        for source, heads in (("timm", TIMM_HEADS), ("torchvision", TORCHVISION_HEADS))
    ),
    *(
        Layout(
            f"SqueezeNet {version}, torchvision",
            partial(squeezenet, version, ImageNetInput),
            tuple(squeezenet_modules(version)),
            {"classifier.1": (1000, 512, 1, 1)},
        )
        for version in SQUEEZENETS
    ),
    Layout(
        "SqueezeNet 1.0, Caffe",
        partial(squeezenet, "1.0", CaffeInput),
        tuple((f"stages.{name}", caffe_name) for name, caffe_name in caffe_names()),
        {"conv_final": (1000, 512, 1, 1)},
        ("w", "b"),
    ),
)


def load_features(source: str | os.PathLike[str]) -> FeatureNetwork:
    """Load a feature network: a bundled one by its name, a .safetensors file, or a Hub id ("owner/name").

    Of a Hub repository only model.safetensors is fetched. A file must hold exactly the tensors of one of LAYOUTS, its
    classifier included. Raises LoadError naming file and tensor for what is damaged, renamed, missing or left over.
    """
    name = os.fspath(source)
    if name == "squeezenet":
        return read_features(path_of(name))
    if name in OWN_CLASSIFIERS:
        return bundled(name)
    if os.path.lexists(name) or isinstance(source, os.PathLike) or name.endswith((".safetensors", *PICKLE_SUFFIXES)):
        return read_features(Path(name))
    if re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", name):
        return read_features(download_file(name, HUB_FILE))
    raise LoadError(
        f"features {short_repr(name)}: neither bundled ({', '.join(BUNDLED)}), nor a .safetensors file, nor a Hub id "
        f"such as {HUB_IDS[0]}."
    )


def read_features(path: Path) -> FeatureNetwork:
    """Load the network that a weight file belongs to. Raises LoadError for a file of no known layout."""
    layout = detect_layout(path)
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn, and then overwritten
        network = layout.build()
    state = network.state_dict()
    expected = {file_name: state[name] for file_name, name in layout.names.items()}
    expected |= {name: torch.empty(shape, device="meta") for name, shape in layout.head_shapes.items()}
    tensors = read_weights(path, expected, mixed_dtypes=True)
    network.load_state_dict({name: tensors[file_name].float() for file_name, name in layout.names.items()})
    return network


def detect_layout(path: Path) -> Layout:
    """The layout with the tensor names nearest to the file's; `read_weights` then names the first that differs.

    Raises LoadError where no tensor of the file has a known name.
    """
    names, _ = read_header(path)
    layout = min(LAYOUTS, key=lambda layout: len(names ^ (layout.names.keys() | layout.head_shapes.keys())))
    if names.isdisjoint(layout.names):
        known = "; ".join(layout.title for layout in LAYOUTS)
        raise LoadError(f"{path}: no known layout ({known}); its tensors are {short_repr(sorted(names))}.")
    return layout
