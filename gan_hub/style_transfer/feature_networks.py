"""Feature networks of a style transfer: VGG, SqueezeNet, and the project's own small classifiers.

Shapes: N images, C channels, H, W. Images are RGB in [-1, 1], of any size from 32 × 32 pixels.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from gan_hub.metrics.extractors.inputs import IMAGENET_DEVIATION, IMAGENET_MEAN
from gan_hub.metrics.features import Extractor
from gan_hub.pretrained_networks.squeezenet import FIRES, SQUEEZENETS, CaffeInput, Fire, squeezenet_stages

__all__ = [
    "FIRES",
    "SQUEEZENETS",
    "CaffeInput",
    "FeatureNetwork",
    "Fire",
    "ImageNetInput",
    "bundled",
    "squeezenet",
    "vgg",
]


class FeatureNetwork(nn.Module):
    """A network with fixed weights; the outputs of its layers are the features of images.

    Args:
        name: the network's name.
        prepare: turns images (N, 3, H, W) in [-1, 1] into what the first stage was trained on.
        stages: layer → module; each takes the output of the one before.
        content_layers, style_layers: layers that a style transfer compares by default.
        note: what to expect of a style transfer with these features.

    Example:
        >>> import torch
        >>> from gan_hub.style_transfer import load_features
        >>> network = load_features("fashion")
        >>> network.layers
        ('conv1', 'pool1', 'conv2', 'conv3')
        >>> features = network(torch.zeros(1, 3, 32, 32), ["conv3"])
        >>> features["conv3"].shape[2:]
        torch.Size([16, 16])
    """

    def __init__(
        self,
        name: str,
        prepare: nn.Module,
        stages: Mapping[str, nn.Module],
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        note: str,
    ) -> None:
        super().__init__()
        self.name, self.note = name, note
        self.content_layers, self.style_layers = tuple(content_layers), tuple(style_layers)
        self.prepare, self.stages = prepare, nn.ModuleDict(dict(stages))
        self.eval().requires_grad_(False)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names a content or style layer may have, from the image upwards."""
        return tuple(self.stages)

    def forward(self, images: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        """Images (N, 3, H, W) in [-1, 1] → layer: its output (N, C, h, w). Nothing beyond the last of `layers` is computed.

        Raises ValueError for a layer that the network does not have.
        """
        for layer in layers:
            if layer not in self.stages:
                raise ValueError(f"layer {layer!r} is not in {self.name}; choose from {', '.join(self.layers)}.")
        outputs, x = {}, self.prepare(images)
        for name, stage in self.stages.items():
            if len(outputs) == len(set(layers)):
                break
            x = stage(x)
            if name in layers:
                outputs[name] = x
        return outputs


class ImageNetInput(nn.Module):
    """RGB in [-1, 1] → RGB in [0, 1], less the mean of ImageNet, divided by its standard deviation."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGENET_DEVIATION)[:, None, None], persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, H, W) → (N, 3, H, W)."""
        return ((images + 1) / 2 - self.mean) / self.deviation


# --------------------------------------------------------------------------------- VGG (Simonyan and Zisserman 2015)


VGG16, VGG19 = (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)  # convolutions between pools


def vgg_stages(depths: Sequence[int]) -> dict[str, nn.Module]:
    """The stages conv1_1, conv1_2, pool1, … conv5_n: convolutions in the paper's names, each with its ReLU.

    Pools take the mean instead of the maximum, which gives better-looking images (Gatys et al. 2016, section 2).
    """
    stages: dict[str, nn.Module] = {}
    inputs = 3
    for block, (depth, outputs) in enumerate(zip(depths, (64, 128, 256, 512, 512), strict=True), start=1):
        if block > 1:
            stages[f"pool{block - 1}"] = nn.AvgPool2d(2)
        for index in range(1, depth + 1):
            stages[f"conv{block}_{index}"] = nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU())
            inputs = outputs
    return stages


def vgg(depths: Sequence[int]) -> FeatureNetwork:
    """VGG without its classifier, with `depths` convolutions in its blocks; freshly initialized."""
    return FeatureNetwork(
        f"vgg{sum(depths) + 3}",  # its name counts three layers of the classifier
        ImageNetInput(),
        vgg_stages(depths),
        content_layers=["conv4_2"],
        style_layers=[f"conv{block}_1" for block in range(1, 6)],
        note="a classifier of photos (ImageNet), the paper's kind: brush strokes and motifs of several sizes.",
    )


# ------------------------------------------------------------------------------------ SqueezeNet (Iandola et al. 2016)


def squeezenet(version: str, prepare: type[nn.Module]) -> FeatureNetwork:
    """SqueezeNet "1.0" or "1.1" without its classifier, freshly initialized; `prepare` is its input normalization."""
    return FeatureNetwork(
        f"squeezenet{version}",
        prepare(),
        squeezenet_stages(version),
        content_layers=["fire5"],
        style_layers=["conv1", "fire2", "fire3", "fire4", "fire6"],
        note="a small classifier of photos (ImageNet): strokes and colours, with more grain than VGG leaves.",
    )


# -------------------------------------------------------------------------------------------------- the project's own


class GreyStage(nn.Module):
    """Layers made for grey images, run on each of the three colors by itself: (N, 3 c, H, W) → (N, 3 d, h, w)."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3 c, H, W) → (N, 3 d, h, w)."""
        x = x.unflatten(1, (3, -1)).flatten(0, 1)  # (3 N, c, H, W)
        return self.layers(x).unflatten(0, (-1, 3)).flatten(1, 2)  # (N, 3 d, h, w)


def bundled(name: str) -> FeatureNetwork:
    """The convolutions of a bundled classifier of 28 × 28 grey images, run on each of the three colors by itself."""
    body = Extractor(name).network.body
    assert isinstance(body, nn.Sequential)
    layers = list(body)  # convolution, norm, ReLU, pool; twice convolution, norm, ReLU; pool
    stages = {"conv1": GreyStage(*layers[:3]), "pool1": GreyStage(layers[3])}
    stages |= {"conv2": GreyStage(*layers[4:7]), "conv3": GreyStage(*layers[7:10])}
    return FeatureNetwork(
        name,
        nn.Identity(),
        stages,
        content_layers=["conv3"],
        style_layers=["conv1", "conv2", "conv3"],
        note=f"the project's own classifier ({name}), trained on 28 × 28 grey pictures: it knows edges and colours, so "
        "expect the style's palette and fine texture, but no brush strokes and no motifs.",
    )
