"""The extractors that get their weights by file: structure against plain recomputations, colour, sizes, bad files."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import conv2d, pad

from gan_hub.metrics.extractors import cifar_resnet, inception, mobilenet_v2
from gan_hub.metrics.extractors.inputs import bicubic, bilinear_tensorflow1, to_rgb
from gan_hub.metrics.extractors.small_classifier import SmallClassifier
from gan_hub.metrics.features import load_extractor
from gan_hub.model_folder.strict import LoadError
from gan_hub.pretrained_networks import path_of
from tests.metrics.made_weights import drawn, write


def uniform(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


# ----------------------------------------------------------------------------------------------------------- inputs


def test_grey_is_repeated_and_opacity_laid_over_white():
    colours = torch.tensor([[-1.0, 0.5, 0.25]])[..., None, None]
    assert torch.equal(to_rgb(colours), colours)
    assert to_rgb(colours[:, :1]).flatten().tolist() == [-1, -1, -1]
    for opacity, black in ((1.0, -1.0), (-1.0, 1.0), (0.0, 0.0)):  # whole, none, half
        layer = torch.full((1, 1, 1, 1), opacity)
        assert to_rgb(torch.cat([colours, layer], 1))[0, 0].item() == black
        assert to_rgb(torch.cat([colours[:, :1], layer], 1)).flatten().tolist() == [black] * 3
    with pytest.raises(ValueError, match=r"1 to 4 channels, H, W\), given \(1, 5, 2, 2\)"):
        to_rgb(torch.zeros(1, 5, 2, 2))


@pytest.mark.parametrize("size", [(20, 24), (7, 5)])
def test_the_bicubic_filter_is_that_of_pillow_and_stays_within_black_and_white(size):
    image = (uniform(1, 1, 12, 9) > 0).float() * 2 - 1  # nothing but edges
    ours = bicubic(image, *size)
    theirs = Image.fromarray(image[0, 0].numpy()).resize(size[::-1], Image.Resampling.BICUBIC)
    theirs = torch.from_numpy(np.array(theirs))
    torch.testing.assert_close(ours[0, 0], theirs.clamp(-1, 1), rtol=0, atol=1e-5)
    assert size == (7, 5) or theirs.max() > 1.05  # edges overshoot where an image grows
    assert bicubic(image, 12, 9) is image


@pytest.mark.parametrize(("size", "wanted"), [((5, 4), (7, 9)), ((8, 8), (3, 5)), ((3, 2), (3, 2)), ((1, 1), (2, 2))])
def test_tensorflows_bilinear_filter_equals_a_loop_over_pixels(size, wanted):
    image = uniform(1, 1, *size)
    ours = bilinear_tensorflow1(image, *wanted)
    for row in range(wanted[0]):
        for column in range(wanted[1]):
            y, x = row * size[0] / wanted[0], column * size[1] / wanted[1]
            total = 0.0
            for dy in (0, 1):
                for dx in (0, 1):
                    there = image[0, 0, min(int(y) + dy, size[0] - 1), min(int(x) + dx, size[1] - 1)].item()
                    total += there * abs(1 - dy - (y - int(y))) * abs(1 - dx - (x - int(x)))
            assert ours[0, 0, row, column].item() == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize(
    ("build", "channels"),
    [(SmallClassifier, 1), (mobilenet_v2.MobileNetV2, 2), (cifar_resnet.CIFARResNet56, 3), (inception.FIDInception, 4)],
)
def test_a_network_makes_nothing_on_any_other_device_than_its_images(build, channels):
    with torch.device("meta"):  # it computes shapes alone, and refuses to mix with tensors of other devices
        network = build().eval()
    images = torch.empty(2, channels, 28, 28, device="meta")
    x = network.prepare(images)
    features, logits = network.outputs(x)
    assert x.is_meta and features.is_meta and logits.is_meta
    assert logits.shape == (2, network.num_classes)


# ---------------------------------------------------------------------------------------------------------- MobileNetV2


def mobilenet_tensors() -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        network = mobilenet_v2.MobileNetV2()
    names = mobilenet_v2.file_names(network)
    return drawn({names[name]: tensor.shape for name, tensor in network.state_dict().items()})


def plain_mobilenet(tensors: dict[str, torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Convolution after convolution, by the numbers of those with stride 2, without ReLU6, and with a sum after them."""
    halving, summed = {0, 4, 10, 19, 40}, {8, 14, 17, 23, 26, 29, 35, 38, 44, 47}
    narrow = torch.empty(0)
    for i in range(52):
        weight = tensors[f"conv{i:02d}.weight"]
        groups = weight.shape[0] if weight.shape[1] == 1 else 1
        if weight.shape[2] == 3:  # at stride 2 and an even size, one more row and column at the bottom and the right
            x = pad(x, (0, 1, 0, 1) if i in halving and x.shape[2] % 2 == 0 else (1, 1, 1, 1))
        x = conv2d(x, weight, tensors[f"conv{i:02d}.bias"], stride=2 if i in halving else 1, groups=groups)
        if i in summed:
            x = x + narrow
        if i % 3 == 2:  # a bottleneck's last
            narrow = x
        else:
            x = x.clamp(0, 6)
    features = x.sum((2, 3)) / x[0, 0].numel()
    return features, features @ tensors["conv52.weight"].flatten(1).T + tensors["conv52.bias"]


def test_mobilenet_v2_is_the_plain_row_of_its_53_convolutions(tmp_path):
    tensors = mobilenet_tensors()
    # Weights, biases, and a classifier of 1001 classes.
    assert sum(t.numel() for t in tensors.values()) == 2_189_760 + 17_056 + 1001 * 1281
    network = mobilenet_v2.load(write(tmp_path / "made.safetensors", tensors))
    for size in (64, 45):  # 45: odd sizes are padded on both sides
        x = uniform(1, 3, size, size)
        features, logits = network.outputs(x)
        expected = plain_mobilenet(tensors, x)
        torch.testing.assert_close(features, expected[0], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(logits, expected[1], rtol=1e-4, atol=1e-4)


def test_mobilenet_v2_takes_any_colour_and_size_and_gives_the_same_in_any_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(mobilenet_v2, "SIZE", 32)
    extractor = load_extractor("mobilenet-v2", write(tmp_path / "made.safetensors", mobilenet_tensors()))
    assert (extractor.num_classes, extractor.test_accuracy, extractor.label_names) == (1001, None, None)
    assert extractor.resize == "antialiased bicubic to 128 × 128"
    images = uniform(25, 1, 28, 28)
    features, logits = extractor.outputs(images)
    assert features.shape == (25, 1280) and logits.shape == (25, 1001)
    assert torch.equal(extractor.features(images[9:10]), features[9:10])
    assert torch.equal(extractor.features(images[18:25]), features[18:25])
    assert torch.equal(extractor.features(images[:3].expand(-1, 3, -1, -1)), features[:3])


def test_a_file_that_misses_the_feature_it_states_is_refused(tmp_path):
    tensors = mobilenet_tensors()
    feature = plain_mobilenet(tensors, mobilenet_v2.check_image())[0]
    mobilenet_v2.load(write(tmp_path / "right.safetensors", tensors | {"check.feature": feature}))
    path = write(tmp_path / "wrong.safetensors", tensors | {"check.feature": feature + 0.01})
    with pytest.raises(LoadError, match=r"wrong.safetensors: its weights miss its 'check.feature' by 0.01"):
        mobilenet_v2.load(path)


def test_the_trained_mobilenet_v2_reproduces_the_feature_in_its_file():
    with torch.no_grad():
        assert mobilenet_v2.load(path_of("mobilenet-v2")).outputs(mobilenet_v2.check_image()).features.shape == (
            1,
            1280,
        )


# ------------------------------------------------------------------------------------------------------------ ResNet-56


def resnet_tensors() -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        network = cifar_resnet.CIFARResNet56()
    return drawn({name: tensor.shape for name, tensor in network.state_dict().items()})


def plain_resnet(t: dict[str, torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    def layer(conv: str, norm: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        x = conv2d(x, t[f"{conv}.weight"], stride=stride, padding=1)
        mean, var, scale, shift = (
            t[f"{norm}.{n}"][:, None, None] for n in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * scale + shift

    x = layer("conv1", "bn1", x).clamp_min(0)
    for stage, channels in ((1, 16), (2, 32), (3, 64)):
        for block in range(9):
            name = f"layer{stage}.{block}"
            first = stage > 1 and block == 0
            inner = layer(f"{name}.conv1", f"{name}.bn1", x, 2 if first else 1).clamp_min(0)
            inner = layer(f"{name}.conv2", f"{name}.bn2", inner)
            if first:  # every second pixel, in the middle half of the channels
                wider = torch.zeros_like(inner)
                wider[:, channels // 4 : channels // 4 + channels // 2] = x[:, :, ::2, ::2]
                x = wider
            x = (inner + x).clamp_min(0)
    features = x.flatten(2).mean(2)
    return features, features @ t["linear.weight"].T + t["linear.bias"]


def test_resnet56_is_the_plain_row_of_its_layers_and_standardises_colours(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar_resnet.CIFARResNet56, "block", 5)
    tensors = resnet_tensors()
    assert sum(t.numel() for name, t in tensors.items() if "running" not in name) == 853_018  # 0.85 M in table 6
    path = write(tmp_path / "made.safetensors", tensors, test_accuracy="93.40 % on the images of cifar10/ test")
    extractor = load_extractor("resnet56-cifar10", path)
    assert (extractor.test_accuracy, extractor.num_classes) == (0.934, 10)
    assert len(set(extractor.label_names)) == 10 and extractor.label_names[::9] == ("airplane", "truck")
    assert extractor.resize == "antialiased bicubic to 32 × 32"
    images = uniform(8, 3, 32, 32)
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = plain_resnet(tensors, ((images[:2] + 1) / 2 - mean) / deviation)
    features, logits = extractor.outputs(images)
    torch.testing.assert_close(features[:2], expected[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(logits[:2], expected[1], rtol=1e-3, atol=1e-3)
    assert torch.equal(extractor.features(images[4:8]), features[4:8])
    assert torch.equal(extractor.outputs(images[3:4]).logits, logits[3:4])


def test_a_bad_weight_file_is_refused_by_file_and_tensor(tmp_path):
    tensors = resnet_tensors()
    norms = {
        f"{name.removesuffix('running_var')}num_batches_tracked" for name in tensors if name.endswith("running_var")
    }
    counted = tensors | {name: torch.tensor(7) for name in norms}
    assert cifar_resnet.load(write(tmp_path / "counted.safetensors", counted)).test_accuracy is None

    def refusal(name: str, content: dict[str, torch.Tensor]) -> str:
        with pytest.raises(LoadError) as error:
            load_extractor("resnet56-cifar10", write(tmp_path / f"{name}.safetensors", content))
        return str(error.value)

    without = {name: tensor for name, tensor in tensors.items() if name != "layer2.0.conv1.weight"}
    assert "missing.safetensors: tensor 'layer2.0.conv1.weight' is missing" in refusal("missing", without)
    assert "more.safetensors: tensor 'fc.weight' is not part" in refusal("more", tensors | {"fc.weight": torch.ones(1)})
    assert "'linear.bias' has shape [9]" in refusal("shape", tensors | {"linear.bias": torch.ones(9)})
    assert "'bn1.bias' contains NaN" in refusal("nan", tensors | {"bn1.bias": torch.full((16,), torch.nan)})
    for name, content, said in (("a.pth", b"\x80\x02", "a pickle"), ("b.safetensors", b"{}", "not a safetensors file")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LoadError, match=f"{name}: {said}"):
            load_extractor("resnet56-cifar10", tmp_path / name)
    with pytest.raises(LoadError, match="nowhere.safetensors: not found"):
        load_extractor("resnet56-cifar10", "nowhere.safetensors")
