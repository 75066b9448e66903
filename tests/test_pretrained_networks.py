"""The networks of other people that the package ships: known by their checksums, and one as a part of another network."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from gan_hub.model_folder.strict import LoadError
from gan_hub.pretrained_networks import PRETRAINED, FrozenSqueezeNet, files, path_of
from gan_hub.style_transfer.weights import read_features


def images(side: int = 64) -> torch.Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The folder of the weights, as a copy that a test may damage."""
    shutil.copytree(files.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(files, "WEIGHTS", tmp_path / "weights")
    return tmp_path / "weights"


def test_every_weight_file_is_in_the_table_and_its_license_lies_beside_it():
    shipped = {path.name for path in files.WEIGHTS.glob("*.safetensors")}
    assert shipped == {file.file_name for file in PRETRAINED.values()}
    notice = (files.WEIGHTS / "NOTICE").read_text()
    for file in PRETRAINED.values():
        assert file.file_name in notice and file.origin.partition(",")[0] in notice
    assert "Redistributions in binary form" in (files.WEIGHTS / "SQUEEZENET_LICENSE").read_text()


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_whole_file_is_given_and_a_damaged_one_refused_by_its_checksum(name, copied):
    path, sha256 = copied / PRETRAINED[name].file_name, PRETRAINED[name].sha256
    data = path.read_bytes()
    for damaged in (data[:-1] + bytes([data[-1] ^ 1]), data[:-1], data + b"\0"):
        path.write_bytes(damaged)
        with pytest.raises(LoadError, match=f"damaged, its sha256 is .* and not {sha256}") as caught:
            path_of(name)
        assert str(caught.value).startswith(f"{path}: ")
    path.unlink()
    with pytest.raises(LoadError, match="not found; installing gan_hub again brings it back"):
        path_of(name)
    path.write_bytes(data)
    assert path_of(name) == path  # what went wrong before is not remembered


def test_a_file_is_compared_once_in_a_process(copied):
    path = path_of("squeezenet")
    path.write_bytes(b"changed later")
    assert path_of("squeezenet") == path


def test_an_unknown_name_is_told_with_those_that_are_known():
    with pytest.raises(ValueError, match="'vgg' is not allowed; choose one of mobilenet-v2, squeezenet"):
        path_of("vgg")


def test_the_frozen_network_gives_what_the_file_says_at_every_layer():
    whole = read_features(path_of("squeezenet"))
    frozen = FrozenSqueezeNet(whole.layers)
    expected, actual = whole(images(), whole.layers), frozen(images())
    assert list(actual) == list(whole.layers)
    for layer in whole.layers:
        assert torch.equal(actual[layer], expected[layer]), layer
        assert frozen.channels[layer] == actual[layer].shape[1]


def test_layers_come_in_the_order_asked_for_and_nothing_beyond_the_last_is_built():
    network = FrozenSqueezeNet(["fire4", "conv1"])
    assert list(network(images())) == ["fire4", "conv1"] == list(network.channels)
    assert list(network.stages) == ["conv1", "pool1", "fire2", "fire3", "fire4"]


def test_it_is_never_trained_and_lies_in_no_file_yet_gradients_reach_the_images():
    network = FrozenSqueezeNet()
    assert not list(network.parameters()) and not network.state_dict()
    reals = images().requires_grad_()
    total = torch.stack([output.square().mean() for output in network(reals).values()]).sum()
    (gradient,) = torch.autograd.grad(total, reals, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), reals)  # as a gradient penalty needs
    assert gradient.abs().max() > 0 and second.abs().max() > 0


def test_it_is_built_without_memory_and_filled_afterwards():
    with torch.device("meta"):
        network = FrozenSqueezeNet()
    assert all(buffer.is_meta for buffer in network.buffers())
    for module in network.modules():
        if hasattr(module, "fill_constants"):
            module.fill_constants("cpu")
    expected, actual = FrozenSqueezeNet()(images()), network(images())
    assert all(torch.equal(actual[layer], expected[layer]) for layer in expected)


def test_building_draws_nothing_and_a_cast_keeps_the_weights():
    before = torch.get_rng_state()
    network = FrozenSqueezeNet(["conv1"])
    assert torch.equal(before, torch.get_rng_state())
    weight = load_file(path_of("squeezenet"))["conv1.w"]
    assert torch.equal(network.stages["conv1"][0].weight, weight.float())
    assert torch.equal(network.double().stages["conv1"][0].weight, weight.double())


def test_the_default_dtype_of_torch_is_that_of_a_new_network_and_rounds_nothing_of_a_loaded_one():
    weight = load_file(path_of("squeezenet"))["conv1.w"]
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        assert FrozenSqueezeNet()(images().double())["fire9"].dtype == torch.float64
        torch.set_default_dtype(torch.bfloat16)
        network = FrozenSqueezeNet(["conv1"])
        network.fill_constants("cpu")  # as a loaded model is filled
    finally:
        torch.set_default_dtype(before)
    assert torch.equal(network.stages["conv1"][0].weight, weight.float())


@pytest.mark.parametrize("layers", [[], ["conv1", "conv1"], ["relu1"], "conv1"])
def test_layers_that_are_not_there_are_told_with_those_that_are(layers):
    with pytest.raises(ValueError, match=r"is not allowed; name at least one, each once, of conv1, pool1, .*fire9\."):
        FrozenSqueezeNet(layers)


def test_images_too_small_or_grey_are_refused_and_the_smallest_are_not():
    network = FrozenSqueezeNet()
    assert network(images(21))["fire9"].shape == (2, 512, 1, 1)
    for wrong in (images(20), images()[:, :1], images()[0]):
        with pytest.raises(ValueError, match="at least 21 × 21 pixels, given"):
            network(wrong)
