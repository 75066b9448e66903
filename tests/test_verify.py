"""verify_model: a line for each whole file, and one sentence that names the first damaged one."""

import shutil
from pathlib import Path

import pytest

import gan_hub
from gan_hub import LoadError, verify_model
from gan_hub.hub.resolve import bundled_models
from gan_hub.model_folder.manifest import Manifest
from tests.conftest import make_pipeline

HALF = "generator/diffusion_pytorch_model.fp16.safetensors"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["dcgan-mnist", "spade-facades"])
def test_a_bundled_model_is_whole_and_every_listed_file_has_its_line(name):
    lines = verify_model(name)
    for file in Manifest(bundled_models()[name]).files:
        assert [line for line in lines if line.startswith(f"{file}: ") and line.endswith("manifest.json lists them")], (
            file
        )
    assert lines[0].startswith("loaded: ") and "4 images drawn again, at most" in lines[-1]
    assert any("real_samples.png and real_samples.json: " in line for line in lines) or name == "spade-facades"
    assert gan_hub.verify_model is verify_model


def test_a_variant_is_verified_without_the_reference_of_the_others(tiny_model):
    lines = verify_model(tiny_model, variant="fp16")
    assert lines[-1] == "reference.safetensors: not compared, as the full precision drew it and not fp16"


@pytest.mark.parametrize("name", [HALF, "reference.safetensors", "real_samples.png", "judge.json"])
def test_a_flipped_bit_in_any_listed_file_is_found_also_where_loading_does_not_read_it(name, tmp_path):
    folder = Path(shutil.copytree(bundled_models()["dcgan-mnist"], tmp_path / "model"))
    flip(folder / name)
    with pytest.raises(LoadError, match=Path(name).name) as error:
        verify_model(folder)
    assert len(str(error.value).splitlines()) == 1


def test_a_listed_file_that_is_missing_is_named(tiny_model_copy):
    (tiny_model_copy / HALF).unlink()
    with pytest.raises(LoadError, match="fp16.safetensors: cannot be read"):
        verify_model(tiny_model_copy)


def test_another_models_reference_is_noticed(tiny_model_copy, tmp_path):
    make_pipeline(3, 28, 1, seed=9).save_pretrained(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "reference.safetensors", tiny_model_copy)
    Manifest.write(tiny_model_copy, list(Manifest(tiny_model_copy).files))
    with pytest.raises(LoadError, match="these are not the published weights"):
        verify_model(tiny_model_copy)


def test_weights_that_would_not_load_are_told(tiny_model_copy):
    Manifest.write(tiny_model_copy, [name for name in Manifest(tiny_model_copy).files if name != HALF])
    assert f"{HALF}: not listed in manifest.json; it is not loaded" in verify_model(tiny_model_copy)


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(LoadError, match="not a model folder"):
        verify_model(tmp_path)


def test_a_damaged_record_of_the_split_is_found(tiny_model_copy):
    (tiny_model_copy / "split.json").write_text('{"seed": 1}')
    with pytest.raises(LoadError, match="split.json: key 'channels' is missing"):
        verify_model(tiny_model_copy)
