"""Feature extractors by name: what they recognise, refuse and state, and that no image depends on another."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from gan_hub.data import NAMED_DATASETS
from gan_hub.hub import resolve
from gan_hub.hub.resolve import BUNDLED_MODELS_DIR
from gan_hub.images import from_uint8
from gan_hub.metrics.extractors.network import ExtractorNetwork, Outputs
from gan_hub.metrics.features import (
    BUNDLED,
    EXTRACTORS,
    OWN_CLASSIFIERS,
    WEIGHTS,
    Extractor,
    is_bundled_file,
    load_extractor,
)
from gan_hub.model_folder.strict import LoadError
from gan_hub.pretrained_networks import PRETRAINED, files, path_of


def real_samples(model: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The real images that a bundled model ships, and their labels."""
    facts = json.loads((BUNDLED_MODELS_DIR / model / "real_samples.json").read_text())
    sheet = np.asarray(Image.open(BUNDLED_MODELS_DIR / model / "real_samples.png"))
    tile, columns = facts["tile"], facts["columns"]
    tiles = sheet.reshape(-1, tile, columns, tile).swapaxes(1, 2).reshape(-1, tile, tile, 1)[: facts["count"]]
    return from_uint8(tiles), torch.tensor(facts["labels"])


@pytest.mark.parametrize(
    ("name", "model", "least"), [("fashion", "dcgan-fashion-mnist", 0.85), ("digits", "dcgan-mnist", 0.95)]
)
def test_an_extractor_recognises_real_images_as_what_they_are_and_as_nothing_else(name, model, least):
    images, labels = real_samples(model)
    guesses = Extractor(name).classes(images)
    assert (guesses == labels).float().mean() >= least
    assert (guesses == (labels + 1) % 10).float().mean() < 0.1


@pytest.mark.parametrize(("name", "model"), [("fashion", "dcgan-fashion-mnist"), ("digits", "dcgan-mnist")])
def test_features_have_a_variance_of_about_one(name, model):
    features = Extractor(name).features(real_samples(model)[0])
    assert features.shape[1] == 128 and (features >= 0).all()
    assert 0.7 < features.var(0).mean() < 1.4


@pytest.mark.parametrize("name", OWN_CLASSIFIERS)
def test_what_is_said_of_an_image_does_not_depend_on_its_batch_to_the_last_bit(name):
    extractor = load_extractor(name)
    images = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features, logits = extractor.outputs(images)
    for size in (1, 7):
        for start in (0, 35, 49, 56):
            alone = extractor.outputs(images[start : start + size])
            assert torch.equal(alone.features, features[start : start + size])
            assert torch.equal(alone.logits, logits[start : start + size])
    assert torch.equal(extractor.features(images), features)
    assert torch.equal(extractor.classes(images), logits.argmax(1))


def test_a_network_sees_blocks_of_one_size_and_nothing_that_fills_them_up_comes_back():
    seen = []

    class Sums(ExtractorNetwork):
        block = 4

        def prepare(self, images):
            return images

        def outputs(self, x):
            seen.append(len(x))
            return Outputs(x.sum((1, 2, 3))[:, None], None)

    extractor = Extractor("digits")
    extractor.network = Sums()
    images = torch.arange(9.0).reshape(9, 1, 1, 1)
    assert extractor.features(images).flatten().tolist() == list(range(9))
    assert seen == [4, 4, 4]
    assert extractor.outputs(images).logits is None and extractor.num_classes is None
    with pytest.raises(ValueError, match="'digits' has no classifier, so it recognises no classes"):
        extractor.classes(images)


def test_an_unknown_extractor_missing_weights_or_other_shapes_are_refused():
    with pytest.raises(
        ValueError, match="'vgg' is not allowed; choose one of digits, fashion, inception, mobilenet-v2, resnet56"
    ):
        load_extractor("vgg")
    for name in set(EXTRACTORS) - set(BUNDLED):
        with pytest.raises(ValueError, match=f"{name!r} needs weights=, a .safetensors file or the Hub id"):
            load_extractor(name)
    with pytest.raises(ValueError, match="'digits' has its weights with it; weights='x.safetensors' is not allowed"):
        load_extractor("digits", "x.safetensors")
    with pytest.raises(ValueError, match=r"'digits': it takes images \(N, 1, 28, 28\), given \(50, 3, 28, 28\)"):
        Extractor("digits").features(torch.zeros(2, 3, 28, 28))
    with pytest.raises(ValueError, match=r"one at least, given \(0, 1, 28, 28\)"):
        Extractor("digits").features(torch.zeros(0, 1, 28, 28))


def test_an_extractor_states_its_provenance():
    for name in OWN_CLASSIFIERS:
        extractor = Extractor(name)
        assert 0.9 < extractor.test_accuracy < 1 and extractor.num_classes == 10
        assert extractor.resize == "none (28 × 28)"
        assert extractor.sha256 == hashlib.sha256((WEIGHTS / f"{name}.safetensors").read_bytes()).hexdigest()
        assert not extractor.is_fid_inception and extractor.trusted_by is None


def test_the_shipped_mobilenet_needs_no_file_and_a_given_one_wins(tmp_path, monkeypatch):
    monkeypatch.setattr(resolve, "snapshot_download", None)  # nothing is fetched
    assert set(BUNDLED) == {"digits", "fashion", "mobilenet-v2"}
    images = torch.rand(3, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    shipped, path = load_extractor("mobilenet-v2"), path_of("mobilenet-v2")
    given = load_extractor("mobilenet-v2", shutil.copy(path, tmp_path / "same.safetensors"))
    assert shipped.sha256 == given.sha256 == PRETRAINED["mobilenet-v2"].sha256
    assert torch.equal(shipped.features(images), given.features(images))  # to the bit

    tensors = load_file(path)
    save_file({name: tensor * 0 for name, tensor in tensors.items()}, tmp_path / "zeros.safetensors")
    other = load_extractor("mobilenet-v2", tmp_path / "zeros.safetensors")
    assert other.sha256 != shipped.sha256 and not other.features(images).any()
    for file, is_shipped in (("same", True), ("zeros", False), ("absent", False)):
        assert is_bundled_file("mobilenet-v2", tmp_path / f"{file}.safetensors") is is_shipped
    assert not is_bundled_file("resnet56-cifar10", path)


def test_a_damaged_mobilenet_of_the_package_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    data = path_of("mobilenet-v2").read_bytes()
    monkeypatch.setattr(files, "WEIGHTS", tmp_path)
    name = PRETRAINED["mobilenet-v2"].file_name
    (tmp_path / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(LoadError, match=f"{name}: damaged, its sha256 is"):
        load_extractor("mobilenet-v2")


@pytest.mark.parametrize("name", OWN_CLASSIFIERS)
def test_a_bundled_extractor_names_each_of_its_classes_by_what_the_images_show(name):
    extractor = Extractor(name)
    assert len(extractor.label_names) == extractor.num_classes == len(set(extractor.label_names))
    known = NAMED_DATASETS[{"digits": "mnist", "fashion": "fashion-mnist"}[name]].label_names
    assert extractor.label_names == tuple(known)
