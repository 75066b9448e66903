"""Style transfer: each formula against a loop, the optimisation from both starts, and strictness of the weights."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save, save_file

from gan_hub import style_transfer as st
from gan_hub.hub import resolve
from gan_hub.images import to_pil
from gan_hub.model_folder.strict import LoadError
from gan_hub.pretrained_networks import PRETRAINED, files, path_of
from gan_hub.style_transfer.feature_networks import CaffeInput, ImageNetInput, squeezenet, vgg_stages
from gan_hub.style_transfer.transfer import Objective, to_tensor
from gan_hub.style_transfer.weights import HUB_IDS, LAYOUTS, Layout, read_features

LAYOUT = {layout.title: layout for layout in LAYOUTS}
CAFFE, TORCHVISION = LAYOUT["SqueezeNet 1.0, Caffe"], LAYOUT["SqueezeNet 1.1, torchvision"]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def content() -> Image.Image:
    """A bright disc on a dark slope, 48 × 36."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 36), torch.linspace(-1.33, 1.33, 48), indexing="ij")
    disc = (x**2 + y**2 < 0.4).float()
    return to_pil(torch.stack([disc * 1.4 - 0.7, y * 0.5, disc - 0.5])[None])[0]


@pytest.fixture(scope="module")
def style() -> Image.Image:
    """Slanted red and yellow stripes, 40 × 40."""
    stripes = torch.sin(torch.arange(40)[:, None] * 0.9 + torch.arange(40) * 0.6)
    return to_pil(torch.stack([0.6 + 0.3 * stripes, stripes * 0.8, -0.7 - 0.2 * stripes])[None])[0]


@pytest.fixture(scope="module")
def fashion() -> st.FeatureNetwork:
    return st.load_features("fashion")


# --------------------------------------------------------------------------------------------------------- formulas


def test_the_gram_matrix_is_the_mean_product_of_two_channels_over_all_positions():
    features = normal(2, 3, 4, 5)
    gram = st.gram_matrix(features)
    assert gram.shape == (2, 3, 3)
    for n in range(2):
        for i in range(3):
            for j in range(3):
                products = [features[n, i, y, x] * features[n, j, y, x] for y in range(4) for x in range(5)]
                torch.testing.assert_close(gram[n, i, j], sum(products) / 20)


def test_the_variation_is_the_mean_difference_of_neighbours():
    images = normal(2, 3, 4, 5)
    differences = []
    for image in images.flatten(0, 1):
        differences += [abs(image[y, x] - image[y, x + 1]) for y in range(4) for x in range(4)]
        differences += [abs(image[y, x] - image[y + 1, x]) for y in range(3) for x in range(5)]
    torch.testing.assert_close(st.total_variation(images), sum(differences) / len(differences))
    assert st.total_variation(torch.full((1, 3, 4, 4), 0.3)) == 0


def test_content_and_style_are_0_for_equal_features_and_1_against_nothing():
    wanted, other = normal(1, 3, 4, 5), normal(1, 3, 4, 5, seed=1)
    assert st.content_loss(wanted, wanted) == 0 and st.content_loss(0 * wanted, wanted) == 1
    torch.testing.assert_close(st.content_loss(other, wanted), ((other - wanted) ** 2).sum() / (wanted**2).sum())
    assert st.content_loss(other, 0 * wanted) == other.square().sum()  # a silent layer divides by nothing

    grams, targets = [normal(1, 3, 3), normal(1, 2, 2)], [normal(1, 3, 3, seed=1), normal(1, 2, 2, seed=1)]
    each = [((gram - target) ** 2).sum() / (target**2).sum() for gram, target in zip(grams, targets)]
    torch.testing.assert_close(st.style_loss(grams, targets), sum(each) / 2)
    assert st.style_loss(targets, targets) == 0
    for bad in ([], grams[:1]):
        with pytest.raises(ValueError, match="Gram matrices for 2"):
            st.style_loss(bad, targets)


def test_the_total_is_the_weighted_sum_of_the_three_terms(fashion, content, style):
    weights = {"content": 0.7, "style": 30.0, "variation": 2.0}
    objective = Objective(fashion, to_tensor("content", content, 48), to_tensor("style", style, 48), weights)
    image = normal(1, 3, 36, 48).clamp(-1, 1)
    total, losses = objective(image)
    layers = fashion(image, fashion.layers)
    wanted = fashion(to_tensor("content", content, 48), ["conv3"])["conv3"]
    styles = fashion(to_tensor("style", style, 48), fashion.style_layers)
    assert losses.content == pytest.approx(st.content_loss(layers["conv3"], wanted).item())
    grams = [[st.gram_matrix(outputs[name]) for name in fashion.style_layers] for outputs in (layers, styles)]
    assert losses.style == pytest.approx(st.style_loss(*grams).item())
    assert losses.variation == pytest.approx(st.total_variation(image).item())
    assert losses.total == total.item()
    assert losses.total == pytest.approx(0.7 * losses.content + 30 * losses.style + 2 * losses.variation)


# ----------------------------------------------------------------------------------------------------- optimisation


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_from_noise_the_loss_falls_by_nine_tenths(optimizer, fashion, content, style):
    before = {name: tensor.clone() for name, tensor in fashion.state_dict().items()}
    seen = []
    result = st.style_transfer(
        content, style, features=fashion, size=48, steps=30, optimizer=optimizer, start="noise",
        progress=lambda step, losses: seen.append((step, losses)),
    )  # fmt: skip
    assert result.history[-1].total < 0.1 * result.history[0].total
    assert seen == list(enumerate(result.history[:-1])) and len(seen) == 30
    assert (result.image.size, result.image.mode) == ((48, 36), "RGB")
    assert all(torch.equal(tensor, before[name]) for name, tensor in fashion.state_dict().items())
    assert all(parameter.grad is None for parameter in fashion.parameters())


def test_the_style_comes_nearer_and_a_larger_weight_keeps_more_of_the_content(fashion, content, style):
    settings = dict(features=fashion, size=48, steps=20)
    free, held = (st.style_transfer(content, style, content_weight=weight, **settings) for weight in (1, 50))
    for result in (free, held):
        assert result.history[0].content == 0  # it starts from the content itself
        assert result.history[-1].style < 0.5 * result.history[0].style
    assert held.history[-1].content < 0.7 * free.history[-1].content
    assert held.history[-1].style > free.history[-1].style


def test_the_last_losses_are_those_of_the_picture_that_is_handed_out(fashion, content, style):
    result = st.style_transfer(content, style, features=fashion, size=48, steps=5, variation_weight=0)
    weights = {"content": 1.0, "style": 100.0, "variation": 0.0}
    objective = Objective(fashion, to_tensor("content", content, 48), to_tensor("style", style, 48), weights)
    assert objective(to_tensor("image", result.image, 48))[1] == result.history[-1]


def test_the_same_seed_gives_the_same_picture_and_another_another(fashion, content, style):
    def picture(seed: int) -> bytes:
        settings = dict(features=fashion, size=48, steps=3, start="noise")
        return st.style_transfer(content, style, seed=seed, **settings).image.tobytes()

    torch.manual_seed(5)
    first = picture(1)
    torch.manual_seed(6)
    assert picture(1) == first != picture(2)


def test_the_bundled_features_say_what_they_are(content, style):
    result = st.style_transfer(content, style, features="digits", size=48, steps=1)
    assert result.features == "digits" and "28 × 28 grey pictures" in result.note and "no brush strokes" in result.note


def test_squeezenet_comes_with_the_package_and_is_the_default(content, style, monkeypatch):
    monkeypatch.setattr(resolve, "snapshot_download", None)  # nothing is fetched
    settings = dict(size=48, steps=10)
    result = st.style_transfer(content, style, **settings)
    assert result.features == "squeezenet1.0" and "photos (ImageNet)" in result.note
    assert result == st.style_transfer(content, style, features="squeezenet", **settings)
    given = st.style_transfer(content, style, features=path_of("squeezenet"), **settings)  # the same file: to the bit
    assert given.history == result.history and given.image.tobytes() == result.image.tobytes()
    assert result.history[-1].style < 0.5 * result.history[0].style
    other = st.style_transfer(content, style, features="fashion", **settings)
    assert other.image.tobytes() != result.image.tobytes()


def test_a_damaged_squeezenet_of_the_package_is_refused(tmp_path, monkeypatch):
    data = bytearray(path_of("squeezenet").read_bytes())
    data[-1] ^= 1
    monkeypatch.setattr(files, "WEIGHTS", tmp_path)
    (tmp_path / PRETRAINED["squeezenet"].file_name).write_bytes(data)
    with pytest.raises(LoadError, match="fp16.safetensors: damaged, its sha256 is"):
        st.load_features("squeezenet")


def test_own_layers_are_used_and_colours_are_not_mixed_by_grey_networks(fashion, content, style):
    image = normal(1, 3, 36, 48).clamp(-1, 1)
    for layer, channels in (("conv1", 32), ("pool1", 32), ("conv2", 64), ("conv3", 64)):
        (colours,) = fashion(image, [layer]).values()
        assert colours.shape[1] == 3 * channels
        alone = fashion(image[:, 1:2].repeat(1, 3, 1, 1), [layer])[layer]
        torch.testing.assert_close(colours[:, channels : 2 * channels], alone[:, :channels])
    settings = dict(features=fashion, size=48, steps=1)
    own = st.style_transfer(content, style, content_layers=["conv1"], style_layers=["conv2"], **settings).history[0]
    assert own.style != st.style_transfer(content, style, **settings).history[0].style


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 31}, "size=31 is not allowed; it is a whole number from 32 to 2048"),
        ({"size": 48.0}, "size=48.0 is not allowed"),
        ({"size": 40}, "content would be 40 × 30 pixels; each side needs 32"),
        ({"steps": 0}, "steps=0 is not allowed"),
        ({"steps": True}, "steps=True is not allowed"),
        ({"seed": -1}, "seed -1 is not allowed"),
        ({"style_weight": float("nan")}, "style_weight=nan is not allowed"),
        ({"content_weight": -1}, "content_weight=-1 is not allowed"),
        ({"variation_weight": "1"}, "variation_weight='1' is not allowed"),
        ({"content_weight": 0, "style_weight": 0, "variation_weight": 0}, "all three weights are 0"),
        ({"optimizer": "sgd"}, "optimizer='sgd' is not allowed; choose one of lbfgs, adam"),
        ({"start": "style"}, "start='style' is not allowed; choose one of content, noise"),
        (
            {"style_layers": ["relu1"]},
            "layer 'relu1' is not in squeezenet1.0; choose from conv1, pool1, fire2, fire3, ",
        ),
        ({"content_layers": []}, "content_layers is empty"),
        ({"style": "painting.jpg"}, "style is a PIL image, not str"),
    ],
)
def test_what_is_not_allowed_is_one_sentence(changes, said, content, style):
    with pytest.raises(ValueError) as caught:
        st.style_transfer(**{"content": content, "style": style, "size": 48, "steps": 1} | changes)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [np.float32, np.array, torch.tensor])
def test_numbers_are_numbers_whatever_library_made_them(kind, content, style):
    plainly = st.style_transfer(content, style, steps=2, size=48, seed=3, content_weight=0.5, style_weight=64.0)
    given = {"content_weight": kind(0.5), "style_weight": kind(64.0)}
    whole = {
        name: np.int64(n) if kind is np.float32 else kind(n) for name, n in (("steps", 2), ("size", 48), ("seed", 3))
    }
    assert st.style_transfer(content, style, **given, **whole).history == plainly.history


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "abacus", None])
def test_a_device_that_is_not_here_is_told_with_those_that_are(device, content, style):
    with pytest.raises(ValueError, match="device .* choose cpu"):
        st.style_transfer(content, style, steps=1, size=32, device=device)


def test_a_picture_that_runs_away_is_an_error_and_no_black_picture(content, style):
    with pytest.raises(ArithmeticError, match="NaN or Inf at step"):
        st.style_transfer(content, style, size=48, steps=2, style_weight=1e300, content_weight=1e308)


# ---------------------------------------------------------------------------------------------------------- weights


def made_weights(layout: Layout) -> dict[str, torch.Tensor]:
    """Random weights under the names and in the shapes of a layout; small enough that nothing overflows in float16."""
    ours = layout.build().state_dict()
    shapes = {theirs: ours[name].shape for theirs, name in layout.names.items()} | layout.head_shapes
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) * 0.05 for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def squeezenet_file(tmp_path_factory) -> Path:
    """As the published file is: the Caffe names, weights in float16, biases in float32."""
    weights = {k: v.half() if k.endswith(".w") else v for k, v in made_weights(CAFFE).items()}
    path = tmp_path_factory.mktemp("nets") / "squeezenet.safetensors"
    save_file(weights, path)
    return path


def test_a_squeezenet_file_is_read_into_the_right_layers(squeezenet_file, content, style):
    network, weights = read_features(squeezenet_file), made_weights(CAFFE)
    assert network.name == "squeezenet1.0" and isinstance(network.prepare, CaffeInput)
    fire4 = network.stages["fire4"]
    assert torch.equal(fire4.squeeze.weight, weights["fire4.conv1x1_1.w"].half().float())
    assert torch.equal(fire4.expand3x3.bias, weights["fire4.conv3x3_2.b"])
    result = st.style_transfer(content, style, features=squeezenet_file, size=64, steps=2)
    assert result.features == "squeezenet1.0" and result.history[-1].total < result.history[0].total


def test_torchvisions_names_are_known_too_and_its_networks_see_rgb(tmp_path):
    save_file(made_weights(TORCHVISION), tmp_path / "squeezenet1_1.safetensors")
    network = read_features(tmp_path / "squeezenet1_1.safetensors")
    assert network.name == "squeezenet1.1" and isinstance(network.prepare, ImageNetInput)
    weights = made_weights(TORCHVISION)
    assert torch.equal(network.stages["fire9"].expand1x1.weight, weights["features.12.expand1x1.weight"])
    assert torch.equal(network.stages["fire4"].squeeze.bias, weights["features.6.squeeze.bias"])


def test_each_kind_of_network_is_shown_pictures_as_in_its_training():
    white, red = torch.ones(1, 3, 1, 1), torch.tensor([1.0, -1.0, -1.0])[None, :, None, None]
    assert ImageNetInput()(white).flatten().tolist() == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-4)
    assert CaffeInput()(red).flatten().tolist() == [-104, -117, 132]  # blue, green, red


def test_squeezenets_are_as_deep_as_their_papers_say():
    x = torch.zeros(1, 3, 224, 224)
    for version, conv1, pool1, fire9 in (("1.0", 109, 54, 13), ("1.1", 111, 55, 13)):
        outputs = squeezenet(version, CaffeInput)(x, ["conv1", "pool1", "fire9"])
        assert [output.shape[-1] for output in outputs.values()] == [conv1, pool1, fire9]
        assert outputs["fire9"].shape[1] == 512


@pytest.mark.parametrize(
    ("title", "convolutions", "parameters", "names"),
    [
        ("VGG-19, timm", 16, 143_667_240, {"features.34.weight", "pre_logits.fc1.bias", "head.fc.weight"}),
        ("VGG-16, timm", 13, 138_357_544, {"features.28.weight", "pre_logits.fc2.weight", "head.fc.bias"}),
        ("VGG-19, torchvision", 16, 143_667_240, {"features.34.bias", "classifier.0.weight", "classifier.6.bias"}),
        ("SqueezeNet 1.0, torchvision", 25, 1_248_424, {"features.12.expand3x3.weight", "classifier.1.weight"}),
        ("SqueezeNet 1.1, torchvision", 25, 1_235_496, {"features.12.expand3x3.weight", "classifier.1.weight"}),
        ("SqueezeNet 1.0, Caffe", 25, 1_248_424, {"conv1.w", "fire9.conv3x3_2.b", "conv_final.w"}),
    ],
)
def test_each_layout_has_the_published_number_of_parameters(title, convolutions, parameters, names):
    layout = LAYOUT[title]
    with torch.device("meta"):
        ours = layout.build().state_dict()
    sizes = [ours[name].numel() for name in layout.names.values()]
    heads = [torch.Size(shape).numel() for shape in layout.head_shapes.values()]
    assert len(layout.modules) == convolutions and sorted(layout.names.values()) == sorted(ours)
    assert sum(sizes) + sum(heads) == parameters
    assert names <= layout.names.keys() | layout.head_shapes.keys()


def test_vggs_layers_have_the_papers_names_and_take_means():
    stages = vgg_stages((2, 2, 4, 4, 4))
    assert list(stages)[:6] == ["conv1_1", "conv1_2", "pool1", "conv2_1", "conv2_2", "pool2"]
    assert list(stages)[-2:] == ["conv5_3", "conv5_4"]
    assert stages["pool3"](torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])).item() == 3
    assert (stages["conv4_2"][0].in_channels, stages["conv4_1"][0].in_channels) == (512, 256)


def renamed(weights: dict) -> dict:
    return {"fire4.squeeze.w" if name == "fire4.conv1x1_1.w" else name: value for name, value in weights.items()}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (renamed, "tensor 'fire4.conv1x1_1.w' is missing"),
        (lambda w: {k: v for k, v in w.items() if k != "fire9.conv3x3_2.b"}, "tensor 'fire9.conv3x3_2.b' is missing"),
        (lambda w: {k: v for k, v in w.items() if k != "conv_final.w"}, "tensor 'conv_final.w' is missing"),
        (lambda w: w | {"conv10.w": torch.zeros(1)}, "tensor 'conv10.w' is not part of this network"),
        (lambda w: w | {"conv1.w": w["conv1.w"][:, :, :3, :3].clone()}, "'conv1.w' has shape [96, 3, 3, 3]"),
        (lambda w: w | {"conv1.b": w["conv1.b"].long()}, "tensor 'conv1.b' has dtype 'I64'"),
        (lambda w: w | {"fire2.conv1x1_1.b": torch.full([16], torch.nan)}, "'fire2.conv1x1_1.b' contains NaN or Inf"),
        (lambda w: {"a": torch.zeros(3)}, "no known layout"),
    ],
)
def test_weights_that_are_not_whole_are_refused_by_file_and_tensor(damage, said, tmp_path):
    path = tmp_path / "damaged.safetensors"
    save_file(damage(made_weights(CAFFE)), path)
    with pytest.raises(LoadError) as caught:
        st.load_features(str(path))
    assert str(caught.value).startswith(f"{path}: ") and said in str(caught.value)


def test_files_that_are_no_safetensors_are_refused(tmp_path, squeezenet_file):
    data = squeezenet_file.read_bytes()
    for name, content, said in (
        ("cut.safetensors", data[: len(data) // 2], "not a safetensors file"),
        ("page.safetensors", b"<html>not found</html>", "not a safetensors file"),
        ("empty.safetensors", b"", "not a safetensors file"),
        ("vgg19.pth", save({"a": torch.zeros(1)}), "a pickle, which can run code"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LoadError, match=said):
            st.load_features(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.safetensors")
    for name in ("pipe.safetensors", "absent.safetensors", ""):
        with pytest.raises(LoadError, match="not found, or not a regular file"):
            st.load_features(tmp_path / name)
    for name in ("vgg", "a/b/c", "", "x" * 300, "timm/vgg19 .tv_in1k"):
        with pytest.raises(LoadError, match="neither bundled"):
            st.load_features(name)


def test_a_hub_id_fetches_the_one_file_and_nothing_else(monkeypatch, tmp_path, squeezenet_file):
    asked = {}

    def download(repo_id, **settings):
        asked.update(settings, repo_id=repo_id)
        return str(tmp_path)

    monkeypatch.setattr(resolve, "snapshot_download", download)
    with pytest.raises(LoadError, match="someone/squeezenet: no model.safetensors in it"):
        st.load_features("someone/squeezenet")
    (tmp_path / "model.safetensors").write_bytes(squeezenet_file.read_bytes())
    assert st.load_features("someone/squeezenet").name == "squeezenet1.0"
    assert (asked["repo_id"], asked["allow_patterns"]) == ("someone/squeezenet", ["model.safetensors"])


def test_without_a_network_a_hub_id_is_one_sentence():
    with pytest.raises(LoadError, match=f"{HUB_IDS[0]}: not in the cache, and the Hub cannot be reached"):
        st.load_features(HUB_IDS[0])


def test_loading_draws_nothing_from_torchs_generator(squeezenet_file):
    before = torch.get_rng_state()
    st.load_features(squeezenet_file)
    st.load_features("digits")
    assert torch.equal(before, torch.get_rng_state())
