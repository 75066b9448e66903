"""Any Hub model as an extractor: tiny random models in local folders, their preprocessing, and what is refused."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gan_hub.metrics.extractors.hub_model import Preprocessing
from gan_hub.metrics.features import load_extractor
from gan_hub.model_folder.strict import LoadError

FACTS = {
    "do_resize": True, "size": {"height": 16, "width": 16}, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.5], "image_processor_type": "Any",
}  # fmt: skip
VIT = dict(
    hidden_size=12, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=8
)


def saved(folder: Path, model, **facts) -> Path:
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(FACTS | facts))
    return folder


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


@pytest.fixture
def vit(transformers, tmp_path) -> Path:
    torch.manual_seed(0)
    return saved(tmp_path / "vit", transformers.ViTModel(transformers.ViTConfig(**VIT)))


def uniform(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def standardised(images: torch.Tensor) -> torch.Tensor:
    mean, deviation = (torch.tensor(FACTS[key])[:, None, None] for key in ("image_mean", "image_std"))
    return ((images + 1) / 2 - mean) / deviation


def test_a_hub_model_gives_its_pooled_output_on_images_prepared_as_its_repository_says(transformers, vit):
    extractor = load_extractor("somebody/tiny-vit", vit)
    assert (extractor.name, extractor.num_classes, extractor.label_names) == ("somebody/tiny-vit", None, None)
    assert extractor.resize == "antialiased bicubic to 16 × 16"
    images = uniform(13, 3, 16, 16)
    features, logits = extractor.outputs(images)
    with torch.no_grad():
        expected = transformers.ViTModel.from_pretrained(vit)(pixel_values=standardised(images)).pooler_output
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-5)
    assert logits is None and features.std(0).min() > 1e-4
    assert torch.equal(extractor.features(images[9:13]), features[9:13])
    assert torch.equal(extractor.features(images[2:3]), features[2:3])
    assert extractor.features(uniform(1, 1, 40, 30)).shape == (1, 12)


def test_the_checksum_of_a_hub_model_is_of_all_three_files_as_sha256sum_prints_them(vit):
    files = ("config.json", "preprocessor_config.json", "model.safetensors")
    printed = "".join(f"{hashlib.sha256((vit / name).read_bytes()).hexdigest()}  {name}\n" for name in files)
    known = [load_extractor("somebody/vit", vit).sha256]
    assert known == [hashlib.sha256(printed.encode()).hexdigest()]
    (vit / "preprocessor_config.json").write_text(json.dumps(FACTS | {"image_mean": [0.5, 0.4, 0.31]}))
    known.append(load_extractor("somebody/vit", vit).sha256)
    config = json.loads((vit / "config.json").read_text())
    (vit / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 0.1}))
    known.append(load_extractor("somebody/vit", vit).sha256)
    tensors = load_file(vit / "model.safetensors")
    save_file(tensors | {"layernorm.bias": tensors["layernorm.bias"] + 1}, vit / "model.safetensors", {"format": "pt"})
    known.append(load_extractor("somebody/vit", vit).sha256)
    assert len(set(known)) == 4


def test_a_pooler_without_weights_is_not_used(transformers, tmp_path):
    torch.manual_seed(0)
    folder = saved(tmp_path / "classifier", transformers.ViTForImageClassification(transformers.ViTConfig(**VIT)))
    images = uniform(2, 3, 16, 16)
    with torch.no_grad():
        model = transformers.ViTModel.from_pretrained(folder, add_pooling_layer=False)
        expected = model(pixel_values=standardised(images)).last_hidden_state.mean(1)
    for _ in range(2):  # a random pooler would differ
        features = load_extractor("somebody/classifier", folder).features(images)
        torch.testing.assert_close(features, expected, rtol=0, atol=1e-5)


def test_convolutional_models_and_the_seeing_half_of_clip_are_extractors_too(transformers, tmp_path):
    torch.manual_seed(0)
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic")
    resnet = saved(tmp_path / "resnet", transformers.ResNetModel(config))
    assert load_extractor("somebody/resnet", resnet).features(uniform(2, 3, 16, 16)).shape == (2, 8)
    text = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=20)
    clip = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=VIT, projection_dim=6))
    features = load_extractor("somebody/clip", saved(tmp_path / "clip", clip)).features(uniform(2, 3, 16, 16))
    with torch.no_grad():
        expected = clip.eval().vision_model(pixel_values=standardised(uniform(2, 3, 16, 16))).pooler_output
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-5)


def test_no_code_no_pickle_and_no_missing_weight_of_a_repository_is_taken(transformers, vit):
    config = json.loads((vit / "config.json").read_text())
    tensors = load_file(vit / "model.safetensors")
    cut = {name: tensor for name, tensor in tensors.items() if name != "layernorm.weight"}
    save_file(cut, vit / "model.safetensors", {"format": "pt"})
    with pytest.raises(LoadError, match="model.safetensors: tensor 'layernorm.weight' is missing"):
        load_extractor("somebody/vit", vit)
    nan = tensors | {"layernorm.weight": torch.full((12,), torch.nan)}
    save_file(nan, vit / "model.safetensors", {"format": "pt"})
    with pytest.raises(LoadError, match="tensor 'layernorm.weight' contains NaN"):
        load_extractor("somebody/vit", vit)

    (vit / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "modeling.Evil"}}))
    (vit / "modeling.py").write_text("raise SystemExit('foreign code ran')")
    with pytest.raises(
        LoadError, match="config.json: 'auto_map' asks for code of the repository's own, which is never run"
    ):
        load_extractor("somebody/vit", vit)
    (vit / "config.json").write_text(json.dumps(config | {"model_type": "unheard-of"}))
    with pytest.raises(LoadError, match="transformers cannot load it"):
        load_extractor("somebody/vit", vit)
    (vit / "model.safetensors").rename(vit / "pytorch_model.bin")
    with pytest.raises(LoadError, match="model.safetensors: not found; a model's folder has config.json"):
        load_extractor("somebody/vit", vit)


def test_the_shorter_side_is_resized_and_the_middle_cut_out(tmp_path):
    path = tmp_path / "preprocessor_config.json"
    facts = FACTS | {"size": {"shortest_edge": 8}, "crop_size": 4, "do_center_crop": True, "resample": 2}
    path.write_text(json.dumps(facts))
    prepare = Preprocessing(path)
    assert str(prepare) == "antialiased bilinear to 8 at the shorter side, the middle 4 × 4"
    images = uniform(1, 3, 8, 12)
    torch.testing.assert_close(prepare(images), standardised(images[:, :, 2:6, 4:8]))
    assert prepare(uniform(1, 3, 16, 20)).shape == (1, 3, 4, 4)
    prepared = prepare(torch.empty(2, 3, 16, 20, device="meta"))  # refuses to mix with tensors of other devices
    assert prepared.is_meta and prepared.shape == (2, 3, 4, 4)
    path.write_text(json.dumps(FACTS | {"do_rescale": False, "do_normalize": False}))
    assert Preprocessing(path)(torch.ones(1, 3, 16, 16)).unique().tolist() == [255.0]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"crop_pct": 0.9}, "'crop_pct' is not followed"),
        ({"do_pad": True}, "do_pad"),
        ({"resample": 1}, "resample is 1; allowed: {2: 'bilinear', 3: 'bicubic'}"),
        (
            {"size": {"height": 10**9, "width": 16}},
            "size is .* allowed: height and width, or shortest_edge, of 1 to 1024",
        ),
        ({"size": {"shortest_edge": 16}}, "says no height and width"),
        ({"image_std": [1, 0, 1]}, "image_std is"),
        ({"image_mean": "grey"}, "image_mean is 'grey'; allowed: three numbers"),
        ({"rescale_factor": "1/255"}, "rescale_factor is"),
    ],
)
def test_preprocessing_that_cannot_be_followed_is_refused_by_file_and_key(tmp_path, facts, said):
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(FACTS | facts))
    with pytest.raises(LoadError, match=f"preprocessor_config.json: .*{said}"):
        Preprocessing(path)
