"""What users of diffusers type works as they expect, or is refused in one sentence that says what to do instead."""

import copy
from pathlib import PurePosixPath

import diffusers
import pytest
import torch
from diffusers import DiffusionPipeline

from gan_hub import GANPipeline, LoadError
from gan_hub.hub.resolve import bundled_models
from gan_hub.models.dcgan import DCGANGenerator
from gan_hub.models.diffusers_options import REFUSED_ON_LOAD
from tests.conftest import LABEL_NAMES, made_concept, make_pipeline


def refused(call, sentence: str, kind: type[Exception] = ValueError) -> None:
    with pytest.raises(kind, match=sentence) as error:
        call()
    assert len(str(error.value).splitlines()) == 1


def loaders(tiny_model) -> list:
    """The pipeline's and a network's from_pretrained, of one folder."""
    return [
        lambda **options: GANPipeline.from_pretrained(tiny_model, **options),
        lambda **options: DCGANGenerator.from_pretrained(tiny_model, subfolder="generator", **options),
    ]


# ------------------------------------------------------------------------------------------------- loading


def test_diffusers_own_loader_ends_in_a_sentence_that_names_ours(tiny_model):
    assert diffusers.GANPipeline is GANPipeline
    for options in ({}, {"torch_dtype": torch.float16}, {"use_safetensors": True}):
        refused(
            lambda options=options: DiffusionPipeline.from_pretrained(tiny_model, **options), "use gan_hub.GANPipeline"
        )
    refused(lambda: GANPipeline.from_config({}), "use gan_hub.GANPipeline")


def test_the_documented_keyword_of_diffusers_is_the_source(tiny_model):
    for cls, more in ((GANPipeline, {}), (DCGANGenerator, {"subfolder": "generator"})):
        assert isinstance(cls.from_pretrained(pretrained_model_name_or_path=tiny_model, **more), cls)
        both = {"pretrained_model_name_or_path": tiny_model, **more}
        refused(lambda cls=cls, both=both: cls.from_pretrained(tiny_model, **both), "the model twice", TypeError)
        refused(lambda cls=cls, more=more: cls.from_pretrained(**more), "not as NoneType", LoadError)


def test_what_is_done_anyway_may_be_asked_for(tiny_model, tiny_pipeline):
    usual = {"use_safetensors": True, "low_cpu_mem_usage": True, "device_map": "cpu", "torch_dtype": torch.bfloat16}
    for load in loaders(tiny_model):
        for options in (usual, {"use_safetensors": None, "low_cpu_mem_usage": False, "device_map": {"": "cpu"}}):
            assert load(**options).device == torch.device("cpu")
        assert load(**usual).to("cpu", torch.float32).device.type == "cpu"
        assert load(**dict.fromkeys(REFUSED_ON_LOAD), local_files_only=True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"use_safetensors": False}, "use_safetensors=False is not allowed: pickles"),
        ({"device_map": "balanced"}, "device_map='balanced' is not supported: a GAN fits on one device"),
        ({"device_map": "auto"}, "device_map='auto' is not supported"),
        ({"device_map": {"generator": "cpu"}}, "device_map={'generator': 'cpu'} is not supported"),
        ({"trust_remote_code": True}, "trust_remote_code=True is not supported: no code of a repository is ever run"),
        ({"quantization_config": {"bits": 4}}, "quantization_config=.* is not supported"),
        ({"output_loading_info": True}, "missing or unexpected weights .* raise LoadError"),
        ({"max_memory": {0: "1GB"}}, "max_memory=.* is not supported: a network is loaded whole"),
    ],
    ids=str,
)
def test_what_cannot_be_had_is_refused_with_the_reason(tiny_model, options, sentence):
    for load in loaders(tiny_model):
        refused(lambda load=load: load(**options), sentence)


def test_a_keyword_that_nobody_knows_is_a_type_error(tiny_model):
    for load in loaders(tiny_model):
        refused(lambda load=load: load(safety_checker=None), "'safety_checker'", TypeError)


def test_a_subfolder_is_a_networks_and_not_a_pipelines(tiny_model):
    refused(lambda: GANPipeline.from_pretrained(tiny_model, subfolder="export"), "loaded by its class, as in DCGAN")
    assert GANPipeline.from_pretrained(tiny_model, subfolder="").label_names == list(LABEL_NAMES)


def test_a_local_folder_is_not_downloaded_whatever_the_options_of_a_download(tiny_model):
    for load in loaders(tiny_model):
        assert load(force_download=True, revision="main", token=False, cache_dir="nowhere").device.type == "cpu"


# -------------------------------------------------------------------------------------------------- saving


def test_the_second_place_of_save_pretrained_is_diffusers_and_a_variant_there_still_is_one(tiny_pipeline, tmp_path):
    network = tiny_pipeline.generator
    for save, name, place in (
        (tiny_pipeline.save_pretrained, "model", "generator"),
        (network.save_pretrained, "network", ""),
    ):
        folder = tmp_path / name
        save(folder, True)
        assert (folder / place / "diffusion_pytorch_model.safetensors").exists()
        save(folder, "fp16")
        assert (folder / place / "diffusion_pytorch_model.fp16.safetensors").exists()
        save(folder, safe_serialization=True, variant="bf16")
        assert (folder / place / "diffusion_pytorch_model.bf16.safetensors").exists()
        save(folder, None)
        refused(lambda save=save, folder=folder: save(folder, "fp16", variant="bf16"), "two variants", TypeError)
    tiny_pipeline.save_pretrained(tmp_path, True, "fp16")
    tiny_pipeline.generator.save_pretrained(tmp_path / "alone", True, None, True, "fp16")
    assert {path.name for path in (tmp_path / "alone").iterdir()} == {
        "config.json",
        "diffusion_pytorch_model.fp16.safetensors",
    }


def test_pickles_and_shards_are_not_written(tiny_pipeline, tmp_path):
    for save in (tiny_pipeline.save_pretrained, tiny_pipeline.generator.save_pretrained):
        refused(
            lambda save=save: save(tmp_path / "a", safe_serialization=False), "safe_serialization=False is not allowed"
        )
        refused(lambda save=save: save(tmp_path / "a", max_shard_size="1KB"), "the weights of one network are one file")
        refused(lambda save=save: save(tmp_path / "a", variant="int8"), "variant 'int8' is not allowed")
        refused(lambda save=save: save(tmp_path / "a", unknown=1), "'unknown'", TypeError)
    refused(
        lambda: tiny_pipeline.generator.save_pretrained(tmp_path / "a", save_function=torch.save), "safetensors files"
    )
    assert not (tmp_path / "a").exists()


def test_only_the_main_process_writes_a_network(tiny_pipeline, tmp_path):
    tiny_pipeline.generator.save_pretrained(tmp_path / "a", is_main_process=False)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("repo_id", [None, "", " ", 3])
def test_a_push_to_nowhere_is_refused(tiny_pipeline, repo_id):
    refused(lambda: tiny_pipeline.push_to_hub(repo_id), "repo_id is .*; give the repository to push to, as owner/name")


def test_a_push_refuses_pickles_and_subfolders(tiny_pipeline):
    refused(lambda: tiny_pipeline.push_to_hub("me/mine", safe_serialization=False), "pickles")
    refused(lambda: tiny_pipeline.push_to_hub("me/mine", subfolder="x"), "subfolder=.x. is not supported")


def test_a_network_that_would_not_load_is_not_pushed(tiny_pipeline, tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(DCGANGenerator, "_upload_folder", lambda *args, **kwargs: sent.append(args))
    network = copy.deepcopy(tiny_pipeline.generator).double()
    refused(lambda: network.save_pretrained(tmp_path / "a", push_to_hub=True, repo_id="me/mine"), "has dtype 'F64'")
    assert sent == [] and not (tmp_path / "a").exists()


# ---------------------------------------------------------------------------------------- moving, handing on


def test_another_pipeline_of_the_same_networks_has_all_of_the_parts(tiny_model):
    pipe = GANPipeline.from_pretrained(tiny_model)
    pipe.concepts = {"thick": made_concept("thick", 8)}
    for other in (GANPipeline.from_pipe(pipe), GANPipeline(**pipe.components)):
        assert other.generator is pipe.generator and other.discriminator is pipe.discriminator
        assert (other.label_names, other.calibration) == (pipe.label_names, pipe.calibration)
        assert list(other.concepts) == ["thick"] and other.generator.dtype == torch.float32
    assert GANPipeline.from_pipe(pipe).verify_reference() == 0
    alone = GANPipeline.from_pipe(pipe, discriminator=None, label_names=["a", "b", "c"])
    assert alone.discriminator is None and alone.label_names == ["a", "b", "c"]
    refused(lambda: GANPipeline.from_pipe(pipe, scheduler=1), "'scheduler'", TypeError)
    refused(lambda: GANPipeline.from_pipe(object()), "from_pipe.. takes a GANPipeline; a object has no generator")


def test_from_pipe_keeps_half_precision_and_casts_only_when_asked():
    pipe = make_pipeline(0, 28, 1).to(torch.bfloat16)
    assert GANPipeline.from_pipe(pipe).generator.dtype == torch.bfloat16
    assert GANPipeline.from_pipe(pipe, torch_dtype=torch.float32).generator.dtype == torch.float32


def test_components_name_every_parameter_of_the_class_and_maps_come_along():
    pipe = GANPipeline.from_pretrained(bundled_models()["spade-facades"])
    assert list(pipe.components)[:2] == ["generator", "discriminator"]
    again = GANPipeline(**pipe.components)
    assert torch.equal(again.segmentations, pipe.segmentations) and again.semantic_names == pipe.semantic_names


def test_a_pipeline_moves_by_dtype_as_diffusers_pipelines_do():
    pipe = make_pipeline(0, 28, 1)
    assert pipe.to(torch.float16).generator.dtype == torch.float16
    assert pipe.to(dtype="float32", silence_dtype_warnings=True).discriminator.dtype == torch.float32
    assert pipe.to("cpu", "bfloat16") is pipe


@pytest.mark.parametrize(
    "method", ["enable_model_cpu_offload", "enable_sequential_cpu_offload", "enable_group_offload"]
)
def test_offloading_is_refused_with_what_to_do_instead(tiny_pipeline, method):
    refused(getattr(tiny_pipeline, method), f"{method}.. is not supported: .* must lie on one device whole")
    assert len(tiny_pipeline(seeds=[1]).images) == 1


# ------------------------------------------------------------------------------------------- what is typed slightly differently


@pytest.mark.parametrize(
    "subfolder", ["generator", "generator/", "./generator", "generator//", PurePosixPath("generator")]
)
def test_a_networks_folder_may_be_spelled_as_shells_complete_it(tiny_model, subfolder):
    assert DCGANGenerator.from_pretrained(tiny_model, subfolder=subfolder).config["resolution"] == 28


@pytest.mark.parametrize("subfolder", ["../generator", "generator/../generator", "/generator", 3])
def test_a_networks_folder_lies_within_the_model(tiny_model, subfolder):
    refused(lambda: DCGANGenerator.from_pretrained(tiny_model, subfolder=subfolder), "subfolder=.* is not allowed")


@pytest.mark.parametrize("device_map", ["no-such-device", "bfloat16", "meta", "disk", "", "cuda:99", {"": "cuda:99"}])
def test_a_device_that_is_not_here_is_refused_before_anything_is_read(device_map):
    for load in loaders("no/such-model"):
        refused(lambda load=load: load(device_map=device_map), "device '.*' is not (known|on this machine); choose cpu")


@pytest.mark.parametrize("device_map", [True, -1, 99, 1.0])
def test_a_device_map_that_names_no_device_is_refused(tiny_model, device_map):
    for load in loaders(tiny_model):
        refused(lambda load=load: load(device_map=device_map), "device")


def test_a_dtype_may_be_spelled_as_torch_prints_it_and_two_of_them_are_refused(tiny_model, tiny_pipeline):
    for load in loaders(tiny_model):
        assert load(torch_dtype=str(torch.float16)).dtype == torch.float16
        assert load(dtype=torch.float16, torch_dtype="float16").dtype == torch.float16
        refused(lambda load=load: load(dtype="float16", torch_dtype="bfloat16"), "are one argument; give one of them")
        refused(lambda load=load: load(dtype=""), "dtype='' is not allowed")
    assert GANPipeline.from_pretrained(tiny_model).to("torch.bfloat16").dtype == torch.bfloat16


def test_a_repository_may_be_named_where_nothing_is_pushed(tiny_pipeline, tmp_path):
    options = {"repo_id": "me/mine", "token": "x", "private": True, "commit_message": "new", "create_pr": False}
    tiny_pipeline.save_pretrained(tmp_path / "model", push_to_hub=False, **options)
    tiny_pipeline.generator.save_pretrained(tmp_path / "network", **options)
    assert GANPipeline.from_pretrained(tmp_path / "model").verify_reference() == 0


def test_a_push_names_its_own_method_in_front_of_an_unknown_keyword(tiny_pipeline):
    sentence = "push_to_hub.. got an unexpected argument 'commit_description'"
    refused(lambda: tiny_pipeline.push_to_hub("me/mine", commit_description="long"), sentence, TypeError)


def test_a_network_is_not_saved_over_the_model_that_it_is_a_part_of(
    tiny_pipeline, tiny_model_copy, tmp_path, monkeypatch
):
    network = tiny_pipeline.generator
    refused(lambda: network.save_pretrained(tiny_model_copy), "the folder of a whole model")
    assert GANPipeline.from_pretrained(tiny_model_copy).verify_reference() == 0
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    refused(lambda: network.save_pretrained(""), "save_directory is empty")
    assert sorted(tmp_path.iterdir()) == before


def test_a_name_without_a_slash_is_a_bundled_model_for_every_method_that_takes_a_name(monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.hf_hub_download", None)  # nothing is asked for
    monkeypatch.setattr("diffusers.configuration_utils.hf_hub_download", None)
    folder = bundled_models()["dcgan-mnist"]
    assert GANPipeline.download("dcgan-mnist") == str(folder)
    assert GANPipeline.load_config("dcgan-mnist")["_class_name"] == "GANPipeline"
    config = DCGANGenerator.load_config("dcgan-mnist", subfolder="generator")
    assert config["resolution"] == 28 and DCGANGenerator.from_config(config).config["latent_size"] == 64
    for method in (GANPipeline.download, GANPipeline.load_config, DCGANGenerator.load_config):
        refused(lambda method=method: method("no-such-model"), "neither a folder, nor a bundled model", LoadError)
