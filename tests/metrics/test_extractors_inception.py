"""The Inception of FID, as far as it can be tested without its weights: on weights drawn by a stated rule.

Structure against a plain recomputation, which is written with the tensors' names alone; preprocessing against its formula.
"""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import conv2d, max_pool2d

from benchmarks import convert_inception
from gan_hub.metrics.extractors import inception
from gan_hub.metrics.features import load_extractor
from tests.metrics.made_weights import drawn, write


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        network = inception.FIDInception()
    return drawn({name: tensor.shape for name, tensor in network.state_dict().items()})


@pytest.fixture(scope="module")
def made(tensors, tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("inception") / "made.safetensors", tensors)


class Plain:
    """The graph in the names of its tensors: layer names to convolutions, pools written out."""

    def __init__(self, tensors: dict[str, torch.Tensor]):
        self.tensors = tensors

    def __call__(self, x: torch.Tensor, *names: str, stride: int = 1, same: bool = True) -> torch.Tensor:
        """One convolution after the other; `stride` and `same` (padding) hold for the last."""
        for name in names:
            last = name == names[-1]
            weight = self.tensors[f"{name}.conv.weight"]
            padding = (weight.shape[2] // 2, weight.shape[3] // 2) if same or not last else (0, 0)
            x = conv2d(x, weight, stride=stride if last else 1, padding=padding)
            of_norm = (self.tensors[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
            mean, variance, scale, shift = (part[:, None, None] for part in of_norm)
            x = ((x - mean) / (variance + 0.001).sqrt() * scale + shift).clamp_min(0)
        return x

    @staticmethod
    def mean(x: torch.Tensor) -> torch.Tensor:
        """Of those of the nine pixels that are there."""
        kernel = torch.ones(x.shape[1], 1, 3, 3)
        total = conv2d(x, kernel, padding=1, groups=x.shape[1])
        return total / conv2d(torch.ones_like(x), kernel, padding=1, groups=x.shape[1])

    def branch(self, x: torch.Tensor, block: str, stem: str, *parts: str, **last) -> torch.Tensor:
        return self(x, *(f"{block}.{stem}_{part}" for part in parts), **last)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = self(self(x, "Conv2d_1a_3x3", stride=2, same=False), "Conv2d_2a_3x3", same=False)
        x = max_pool2d(self(x, "Conv2d_2b_3x3"), 3, 2)
        x = max_pool2d(self(x, "Conv2d_3b_1x1", "Conv2d_4a_3x3", same=False), 3, 2)
        for b in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            five, double = self.branch(x, b, "branch5x5", "1", "2"), self.branch(x, b, "branch3x3dbl", "1", "2", "3")
            x = torch.cat([self(x, f"{b}.branch1x1"), five, double, self(self.mean(x), f"{b}.branch_pool")], 1)
        double = self.branch(x, "Mixed_6a", "branch3x3dbl", "1", "2", "3", stride=2, same=False)
        x = torch.cat([self(x, "Mixed_6a.branch3x3", stride=2, same=False), double, max_pool2d(x, 3, 2)], 1)
        for b in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            seven, double = self.branch(x, b, "branch7x7", *"123"), self.branch(x, b, "branch7x7dbl", *"12345")
            x = torch.cat([self(x, f"{b}.branch1x1"), seven, double, self(self.mean(x), f"{b}.branch_pool")], 1)
        three = self.branch(x, "Mixed_7a", "branch3x3", "1", "2", stride=2, same=False)
        seven = self.branch(x, "Mixed_7a", "branch7x7x3", *"1234", stride=2, same=False)
        x = torch.cat([three, seven, max_pool2d(x, 3, 2)], 1)
        for b, pool in (("Mixed_7b", self.mean), ("Mixed_7c", lambda x: max_pool2d(x, 3, 1, padding=1))):
            three, double = self.branch(x, b, "branch3x3", "1"), self.branch(x, b, "branch3x3dbl", "1", "2")
            three = [self.branch(three, b, "branch3x3", part) for part in ("2a", "2b")]
            double = [self.branch(double, b, "branch3x3dbl", part) for part in ("3a", "3b")]
            x = torch.cat([self(x, f"{b}.branch1x1"), *three, *double, self(pool(x), f"{b}.branch_pool")], 1)
        return x.flatten(2).mean(2)


def test_the_graph_is_that_of_2015_with_its_pools_and_its_logits_without_bias(tensors, made):
    network = inception.load(made)
    assert len(tensors) == 94 * 5 + 2
    # Inception v3 without its side branch has 21,785,568 weights before the classifier (Szegedy et al.: "25 million").
    parameters = sum(t.numel() for name, t in tensors.items() if "running" not in name)
    assert parameters == 21_785_568 + 1008 * 2049
    x = (
        torch.rand(2, 3, 107, 91, generator=torch.Generator().manual_seed(2)) * 2 - 1
    )  # the smallest that tell rows apart
    features, logits = network.outputs(x)
    expected = Plain(tensors).features(x)
    assert features.shape == (2, 2048) and expected.std() > 0.1
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(logits, expected @ tensors["fc.weight"].T, rtol=1e-3, atol=1e-2)


def test_kernels_lie_as_in_the_port(tensors):
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert shapes["Conv2d_4a_3x3.conv.weight"] == (192, 80, 3, 3)
    assert shapes["Mixed_5b.branch_pool.conv.weight"] == (32, 192, 1, 1)
    assert shapes["Mixed_6b.branch7x7_2.conv.weight"] == (128, 128, 1, 7)
    assert shapes["Mixed_6b.branch7x7dbl_2.conv.weight"] == (128, 128, 7, 1)
    assert shapes["Mixed_6c.branch7x7dbl_5.conv.weight"] == (192, 160, 1, 7)
    assert shapes["Mixed_7a.branch7x7x3_3.conv.weight"] == (192, 192, 7, 1)
    assert shapes["Mixed_7c.branch3x3dbl_3b.conv.weight"] == (384, 384, 3, 1)
    assert (shapes["fc.weight"], shapes["fc.bias"]) == ((1008, 2048), (1008,))


def test_images_become_299_pixels_a_side_around_128(made):
    network = inception.load(made)
    white, black = network.prepare(torch.ones(1, 1, 5, 8)), network.prepare(-torch.ones(1, 3, 299, 299))
    assert white.shape == (1, 3, 299, 299)
    torch.testing.assert_close(white, torch.full_like(white, 127 / 128))
    torch.testing.assert_close(black, torch.full_like(black, -1.0))
    columns = torch.tensor([0.0, 255.0]).expand(1, 1, 2, 2) / 127.5 - 1
    row = network.prepare(columns)[0, 0, 0] * 128 + 128
    # TensorFlow 1: pixel i lies at 2 i / 299 of two columns, and what lies past the last one is the last one.
    expected = torch.tensor([255 * min(2 * i / 299, 1.0) for i in range(299)])
    torch.testing.assert_close(row, expected, rtol=0, atol=1e-3)


def test_what_inception_says_of_an_image_does_not_depend_on_its_batch_to_the_last_bit(made, monkeypatch):
    monkeypatch.setattr(inception, "SIZE", 75)
    monkeypatch.setattr(inception.FIDInception, "block", 3)
    extractor = load_extractor("inception", made)
    assert (extractor.num_classes, extractor.resize) == (1008, "bilinear to 299 × 299 as in TensorFlow 1")
    assert extractor.label_names is None  # 1008 classes, in an order that the file does not tell
    images = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1
    features, logits = extractor.outputs(images)
    alone = extractor.outputs(images[3:5])
    assert torch.equal(alone.features, features[3:5]) and torch.equal(alone.logits, logits[3:5])


def test_only_trusted_weights_are_the_inception_of_fid_and_who_vouches_for_them_is_told(made, tensors, monkeypatch):
    checksum = inception.tensors_sha256(tensors)
    monkeypatch.setenv(inception.TRUSTED_VARIABLE, "0" * 64)
    unknown = load_extractor("inception", made)
    assert not unknown.is_fid_inception and unknown.trusted_by is None
    monkeypatch.setenv(inception.TRUSTED_VARIABLE, f"{'0' * 64}, {checksum}")
    named = load_extractor("inception", made)
    assert named.is_fid_inception and named.trusted_by == "GAN_HUB_FID_INCEPTION"
    monkeypatch.setattr(inception, "TRUSTED", frozenset({checksum}))
    known = load_extractor("inception", made)  # what the package itself knows needs nobody else
    assert known.is_fid_inception and known.trusted_by == "gan_hub"


def test_the_checksum_is_of_names_shapes_and_values_and_of_nothing_else():
    tensors = {"a.bn.bias": torch.arange(6.0), "b.weight": torch.ones(2, 3)}
    checksum = inception.tensors_sha256(tensors)
    same = {
        "b.weight": torch.ones(2, 3).half(),
        "a.bn.num_batches_tracked": torch.tensor(3),
        "a.bn.bias": torch.arange(6.0),
    }
    assert inception.tensors_sha256(same) == checksum
    for change in (
        {"a.bn.bias": torch.arange(6.0).nextafter(torch.tensor(9.0))},
        {"a.bn.bias": torch.arange(6.0).flip(0)},
        {"b.weight": torch.ones(3, 2)},
        {"c.weight": torch.ones(1)},
    ):
        assert inception.tensors_sha256(tensors | change) != checksum


def test_the_conversion_opens_only_the_published_file_and_keeps_every_value(tmp_path):
    tensors = {"a.weight": torch.arange(6.0).reshape(2, 3).T, "a.bias": torch.ones(2)}
    source, target = tmp_path / "made.pth", tmp_path / "made.safetensors"
    torch.save(tensors, source)
    with pytest.raises(ValueError, match=f"made.pth: its sha256 is .*; allowed: {convert_inception.PUBLISHED}"):
        convert_inception.convert(source, target)
    assert not target.exists()
    published = hashlib.sha256(source.read_bytes()).hexdigest()
    checksum = convert_inception.convert(source, target, published)
    written = load_file(target)
    assert all(torch.equal(written[name], tensor) for name, tensor in tensors.items()) and len(written) == 2
    assert checksum == inception.tensors_sha256(written)
