"""SqueezeNet (Iandola et al. 2016): its layers, and version 1.0 with the weights that the package ships.

Shapes: N images, C channels, H, W. Images are RGB in [-1, 1].
"""

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import parse_tensors, read_bytes
from gan_hub.pretrained_networks.files import MAX_BYTES, path_of

# Number of a fire module → its output channels: squeezed, and each of the two expansions.
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}
# Version → channels and kernel of conv1, and the fire modules that a pool follows.
SQUEEZENETS = {"1.0": (96, 7, (4, 8)), "1.1": (64, 3, (3, 5))}
MIN_SIDE = 21  # pixels; of a smaller image, the last pool of version 1.0 leaves nothing


class CaffeInput(nn.Module):
    """RGB in [-1, 1] → BGR in [0, 255], less the mean of ImageNet: what networks from Caffe were trained on."""

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", None, persistent=False)
        self.fill_constants()

    def fill_constants(self, device: str | None = None) -> None:
        """Set the mean; again after a network was built on the meta device."""
        self.mean = torch.tensor([104.0, 117.0, 123.0], device=device)[:, None, None]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, H, W) → (N, 3, H, W)."""
        return (images.flip(1) + 1) * 127.5 - self.mean


class Fire(nn.Module):
    """(N, C, H, W) → (N, 2 · expanded, H, W): 1 × 1 to few channels, then 1 × 1 and 3 × 3 side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) → (N, 2 · expanded, H, W)."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1).relu()


def squeezenet_stages(version: str) -> dict[str, nn.Module]:
    """The stages conv1, pool1, fire2, … fire9 of SqueezeNet "1.0" or "1.1", freshly initialized; without its classifier."""
    channels, kernel, pooled = SQUEEZENETS[version]

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, stride=2, ceil_mode=True)

    stages: dict[str, nn.Module] = {
        "conv1": nn.Sequential(nn.Conv2d(3, channels, kernel, stride=2), nn.ReLU()),
        "pool1": pool(),
    }
    for number, (squeezed, expanded) in FIRES.items():
        stages[f"fire{number}"] = Fire(channels, squeezed, expanded)
        channels = 2 * expanded
        if number in pooled:
            stages[f"pool{number}"] = pool()
    return stages


def caffe_names() -> Iterator[tuple[str, str]]:
    """(name of a convolution here, its name in Caffe, with which the network was published)."""
    yield "conv1.0", "conv1"
    for number in FIRES:
        for part, caffe_name in (("squeeze", "conv1x1_1"), ("expand1x1", "conv1x1_2"), ("expand3x3", "conv3x3_2")):
            yield f"fire{number}.{part}", f"fire{number}.{caffe_name}"


class FrozenSqueezeNet(nn.Module):
    """SqueezeNet 1.0 trained on ImageNet, as a part of another network: never trained, and saved in no file.

    Its weights are buffers outside the state dict: no optimizer and no weight file sees them. They are read from the
    package when the network is built, or by `fill_constants` after it was built on the meta device. Gradients go to the
    images. Nothing is drawn from torch's generator.

    Args:
        layers: whose outputs are given, of conv1, pool1, fire2, fire3, fire4, pool4, fire5, … fire8, pool8, fire9. What
            lies beyond the last of them is not built.

    Raises:
        ValueError: no layer, one twice, or one that SqueezeNet does not have.
        LoadError: the weight file is damaged.

    Example:
        >>> import torch
        >>> from gan_hub.pretrained_networks import FrozenSqueezeNet
        >>> network = FrozenSqueezeNet(["conv1", "fire4"])
        >>> features = network(torch.zeros(2, 3, 64, 64))
        >>> features["fire4"].shape
        torch.Size([2, 256, 14, 14])
        >>> network.channels, len(network.state_dict())
        ({'conv1': 96, 'fire4': 256}, 0)
    """

    def __init__(self, layers: Sequence[str] = ("conv1", "fire4", "fire8", "fire9")) -> None:
        super().__init__()
        with torch.device("meta"):  # no weight is drawn before the file brings it
            stages = squeezenet_stages("1.0")
        self.layers = tuple(layers)
        if not self.layers or len(set(self.layers)) < len(self.layers) or not stages.keys() >= set(self.layers):
            raise ValueError(
                f"layers={short_repr(list(layers))} is not allowed; name at least one, each once, of {', '.join(stages)}."
            )
        order = list(stages)
        depth = 1 + max(order.index(layer) for layer in self.layers)
        self.prepare = CaffeInput()
        self.stages = nn.ModuleDict({name: stages[name] for name in order[:depth]})
        for module in self.stages.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, parameter.detach(), persistent=False)
        self.fill_constants()

    @property
    def channels(self) -> dict[str, int]:
        """Layer → the channels of its output."""
        outputs: dict[str, int] = {}
        count = SQUEEZENETS["1.0"][0]
        for name in self.stages:
            if name.startswith("fire"):  # a pool keeps the channels
                count = 2 * FIRES[int(name.removeprefix("fire"))][1]
            outputs[name] = count
        return {layer: outputs[layer] for layer in self.layers}

    def fill_constants(self, device: str | None = None) -> None:
        """Read the weights from the package: in torch's default dtype, on its default device, unless that is the meta device.

        With a `device`, in float32 there, after a network was built on the meta device. Raises LoadError where the file is
        damaged.
        """
        like = torch.empty(0) if device is None else torch.empty(0, dtype=torch.float32, device=device)
        if like.is_meta:
            return
        path = path_of("squeezenet")
        tensors = parse_tensors(path, read_bytes(path, MAX_BYTES))
        for name, caffe_name in caffe_names():
            if name.partition(".")[0] in self.stages:
                convolution = self.stages.get_submodule(name)
                convolution.weight = tensors[f"{caffe_name}.w"].to(like)
                convolution.bias = tensors[f"{caffe_name}.b"].to(like)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Images (N, 3, H, W) in [-1, 1], H and W from 21 → layer: its output (N, C, h, w); ValueError for another shape."""
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < MIN_SIDE:
            raise ValueError(
                f"SqueezeNet takes images (N, 3, H, W) of at least {MIN_SIDE} × {MIN_SIDE} pixels, given "
                f"{tuple(images.shape)}."
            )
        outputs, x = {}, self.prepare(images)
        for name, stage in self.stages.items():
            x = stage(x)
            outputs[name] = x
        return {layer: outputs[layer] for layer in self.layers}
