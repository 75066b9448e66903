"""Feature networks of a style transfer: VGG, SqueezeNet, and the project's own small classifiers.

Shapes: N pictures, C channels, H, W. Pictures are RGB in [-1, 1], of any size from 32 × 32 pixels.
"""

from collections.abc import Sequence

import torch
from torch import nn

from gan_hub.metrics.features import Extractor


class FeatureNetwork(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1] → the outputs of named layers. Its weights are fixed."""

    def __init__(
        self,
        name: str,
        prepare: nn.Module,
        stages: dict[str, nn.Module],
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        note: str,
    ):
        """`prepare` turns the pictures into what the first stage was trained on. `note` says what to expect."""
        super().__init__()
        self.name, self.note = name, note
        self.content_layers, self.style_layers = tuple(content_layers), tuple(style_layers)
        self.prepare, self.stages = prepare, nn.ModuleDict(stages)
        self.eval().requires_grad_(False)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names a content or style layer may have, from the picture upwards."""
        return tuple(self.stages)

    def forward(self, images: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        """Layer → its output (N, C, h, w); nothing beyond the last of `layers` is computed."""
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

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return ((images + 1) / 2 - self.mean) / self.deviation


class CaffeInput(nn.Module):
    """RGB in [-1, 1] → BGR in [0, 255], less the mean of ImageNet: what networks from Caffe were trained on."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([104.0, 117.0, 123.0])[:, None, None], persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images.flip(1) + 1) * 127.5 - self.mean


# --------------------------------------------------------------------------------- VGG (Simonyan and Zisserman 2015)


VGG16, VGG19 = (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)  # convolutions between pools


def vgg_stages(depths: Sequence[int]) -> dict[str, nn.Module]:
    """conv1_1, conv1_2, pool1, … conv5_n: the convolutions in the paper's names, each with its ReLU.

    Pools take the mean instead of the maximum, as Gatys et al. 2016 (section 2) found better to look at.
    """
    stages, inputs = {}, 3
    for block, (depth, outputs) in enumerate(zip(depths, (64, 128, 256, 512, 512)), start=1):
        if block > 1:
            stages[f"pool{block - 1}"] = nn.AvgPool2d(2)
        for index in range(1, depth + 1):
            stages[f"conv{block}_{index}"] = nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU())
            inputs = outputs
    return stages


def vgg(depths: Sequence[int]) -> FeatureNetwork:
    return FeatureNetwork(
        f"vgg{sum(depths) + 3}",  # three layers of its classifier are counted in its name
        ImageNetInput(),
        vgg_stages(depths),
        content_layers=["conv4_2"],
        style_layers=[f"conv{block}_1" for block in range(1, 6)],
        note="a classifier of photos (ImageNet), the paper's kind: brush strokes and motifs of several sizes.",
    )


# ------------------------------------------------------------------------------------ SqueezeNet (Iandola et al. 2016)

# Output channels of fire2 … fire9: squeezed, and each of the two expansions.
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


class Fire(nn.Module):
    """(N, C, H, W) → (N, 2 · expanded, H, W): 1 × 1 to few channels, then 1 × 1 and 3 × 3 side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1).relu()


# Version → channels and kernel of conv1, and the fires that a pool follows.
SQUEEZENETS = {"1.0": (96, 7, (4, 8)), "1.1": (64, 3, (3, 5))}


def squeezenet(version: str, prepare: type[nn.Module]) -> FeatureNetwork:
    channels, kernel, pooled = SQUEEZENETS[version]

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, stride=2, ceil_mode=True)

    stages = {"conv1": nn.Sequential(nn.Conv2d(3, channels, kernel, stride=2), nn.ReLU()), "pool1": pool()}
    for number, (squeezed, expanded) in FIRES.items():
        stages[f"fire{number}"] = Fire(channels, squeezed, expanded)
        channels = 2 * expanded
        if number in pooled:
            stages[f"pool{number}"] = pool()
    return FeatureNetwork(
        f"squeezenet{version}",
        prepare(),
        stages,
        content_layers=["fire5"],
        style_layers=["conv1", "fire2", "fire3", "fire4", "fire6"],
        note="a small classifier of photos (ImageNet): strokes and colours, with more grain than VGG leaves.",
    )


# -------------------------------------------------------------------------------------------------- the project's own


class GreyStage(nn.Module):
    """Layers made for grey pictures, on each of the three colours alone: (N, 3 c, H, W) → (N, 3 d, h, w)."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.unflatten(1, (3, -1)).flatten(0, 1)  # (3 N, c, H, W)
        return self.layers(x).unflatten(0, (-1, 3)).flatten(1, 2)  # (N, 3 d, h, w)


def bundled(name: str) -> FeatureNetwork:
    """The convolutions of a shipped classifier of 28 × 28 grey pictures, on each of the three colours."""
    body = Extractor(name).network.body  # convolution, norm, ReLU, pool; twice convolution, norm, ReLU; pool
    stages = {"conv1": GreyStage(*body[:3]), "pool1": GreyStage(body[3]), "conv2": GreyStage(*body[4:7])}
    stages["conv3"] = GreyStage(*body[7:10])
    return FeatureNetwork(
        name,
        nn.Identity(),
        stages,
        content_layers=["conv3"],
        style_layers=["conv1", "conv2", "conv3"],
        note=f"the project's own classifier ({name}), trained on 28 × 28 grey pictures: it knows edges and colours, so "
        "expect the style's palette and fine texture, but no brush strokes and no motifs.",
    )
