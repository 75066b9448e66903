"""Which weight files a style transfer knows, and how they are read: safetensors only, every tensor accounted for."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from gan_hub.hub.resolve import download_file
from gan_hub.messages import short_repr
from gan_hub.metrics.extractors.network import header
from gan_hub.metrics.features import BUNDLED
from gan_hub.model_folder.strict import PICKLE_SUFFIXES, LoadError, read_weights
from gan_hub.style_transfer.features import (
    FIRES,
    SQUEEZENETS,
    VGG16,
    VGG19,
    CaffeInput,
    FeatureNetwork,
    ImageNetInput,
    bundled,
    squeezenet,
    vgg,
)

HUB_FILE = "model.safetensors"  # what timm's repositories call their weights
HUB_IDS = ("timm/vgg19.tv_in1k", "timm/vgg16.tv_in1k")  # to be recommended; any with a known layout loads


@dataclass(frozen=True)
class Layout:
    """One way in which files name the tensors of one network."""

    title: str
    build: Callable[[], FeatureNetwork]
    modules: tuple[tuple[str, str], ...]  # (ours, the file's)
    heads: dict[str, tuple[int, ...]]  # the file's classifier, which must be whole and is not used: module → shape
    suffixes: tuple[str, str] = ("weight", "bias")

    @property
    def names(self) -> dict[str, str]:
        """Tensor of the file → tensor of ours; without the classifier."""
        pairs = zip(("weight", "bias"), self.suffixes)
        return {f"{theirs}.{suffix}": f"{ours}.{kind}" for kind, suffix in pairs for ours, theirs in self.modules}

    @property
    def head_shapes(self) -> dict[str, tuple[int, ...]]:
        weight, bias = self.suffixes
        shapes = {f"{module}.{weight}": shape for module, shape in self.heads.items()}
        return shapes | {f"{module}.{bias}": shape[:1] for module, shape in self.heads.items()}


def vgg_modules(depths: Sequence[int]) -> Iterator[tuple[str, str]]:
    """torchvision, and timm after it, count convolutions, ReLUs and pools in one row."""
    index = 0
    for block, depth in enumerate(depths, start=1):
        for layer in range(1, depth + 1):
            yield f"stages.conv{block}_{layer}.0", f"features.{index}"
            index += 2
        index += 1


# Version → the place of fire2 … fire9 in torchvision's row, where pools stand between them.
FIRE_INDICES = {"1.0": (3, 4, 5, 7, 8, 9, 10, 12), "1.1": (3, 4, 6, 7, 9, 10, 11, 12)}


def squeezenet_modules(version: str) -> Iterator[tuple[str, str]]:
    yield "stages.conv1.0", "features.0"
    for number, index in zip(FIRES, FIRE_INDICES[version]):
        for part in ("squeeze", "expand1x1", "expand3x3"):
            yield f"stages.fire{number}.{part}", f"features.{index}.{part}"


def caffe_squeezenet_modules() -> Iterator[tuple[str, str]]:
    """The names that the layers had in Caffe, where the network was published."""
    yield "stages.conv1.0", "conv1"
    for number in FIRES:
        for ours, theirs in (("squeeze", "conv1x1_1"), ("expand1x1", "conv1x1_2"), ("expand3x3", "conv3x3_2")):
            yield f"stages.fire{number}.{ours}", f"fire{number}.{theirs}"


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
        tuple(caffe_squeezenet_modules()),
        {"conv_final": (1000, 512, 1, 1)},
        ("w", "b"),
    ),
)


def load_features(source: str | os.PathLike) -> FeatureNetwork:
    """A feature network: the name of a bundled classifier, a .safetensors file, or a Hub id ("owner/name").

    Of a Hub repository only model.safetensors is fetched. A file must hold exactly the tensors of one of LAYOUTS, its
    classifier included. Raises LoadError naming file and tensor for whatever is damaged, renamed, missing or too much.
    """
    name = os.fspath(source)
    if name in BUNDLED:
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
    """The network whose weights the file holds."""
    layout = recognise(path)
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn, and then overwritten
        network = layout.build()
    ours = network.state_dict()
    expected = {theirs: ours[name] for theirs, name in layout.names.items()}
    expected |= {name: torch.empty(shape, device="meta") for name, shape in layout.head_shapes.items()}
    tensors = read_weights(path, expected, mixed_dtypes=True)
    network.load_state_dict({name: tensors[theirs].float() for theirs, name in layout.names.items()})
    return network


def recognise(path: Path) -> Layout:
    """The layout whose tensor names are nearest to the file's; read_weights then names the first that differs."""
    names, _ = header(path)
    layout = min(LAYOUTS, key=lambda layout: len(names ^ (layout.names.keys() | layout.head_shapes.keys())))
    if names.isdisjoint(layout.names):
        known = "; ".join(layout.title for layout in LAYOUTS)
        raise LoadError(
            f"{path}: none of the layouts that are known ({known}); its tensors are {short_repr(sorted(names))}."
        )
    return layout
