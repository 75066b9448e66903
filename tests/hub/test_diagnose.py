"""Things that are no model, given where a model is wanted: each is answered in one sentence that names it and its cure."""

import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from gan_hub import GANPipeline, cli
from gan_hub.hub.addresses import HubModel, parse
from gan_hub.hub.resolve import bundled_models, resolve
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.dcgan import DCGANGenerator
from tests.hub import client as act

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1234\n"


def refused(source) -> str:
    """The sentence with which `source` is refused, the same by from_pretrained, by resolve and by the command."""
    with pytest.raises(LoadError) as caught:
        GANPipeline.from_pretrained(source)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and "Traceback" not in sentence
    return sentence


def weights(path: Path, *names: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.zeros(2, np.float32) for name in names}, path)


# ------------------------------------------------------------------------------------------------- single files


@pytest.mark.parametrize("name", ["net.pkl", "G.pth", "G.pt", "last.ckpt", "pytorch_model.bin", "no_ending"])
def test_a_pickle_is_named_and_never_loaded(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps({"G": 1}))
    cure = (
        f"`gan-hub convert {tmp_path / name} OUT` makes a model of it, if its program is known, and runs nothing in it"
    )
    told = f"{tmp_path / name}: a pickle, which can run code; it is never loaded, but {cure}."
    assert refused(tmp_path / name) == told


def test_a_file_of_torch_without_an_ending_is_no_archive_to_be_unpacked(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "G")
    assert "a pickle, which can run code; it is never loaded, but `gan-hub convert" in refused(tmp_path / "G")


def test_a_file_is_told_by_what_it_is(tmp_path):
    weights(tmp_path / "lora.safetensors", "unet.down.weight")
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07onnx")
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("a", "b")
    Image.new("L", (4, 4)).save(tmp_path / "cat.png")
    (tmp_path / "notes").write_text("hello")
    (tmp_path / "big.safetensors").write_text(POINTER)
    for name, told in {
        "lora.safetensors": "weights alone (of tensors such as 'unet.down.weight'); a model is a folder with model_index",
        "net.onnx": "an ONNX graph, which is not run here; a model is a folder",
        "model.zip": "an archive; unpack it, and give the model's folder",
        "cat.png": "a picture; a model is a folder",
        "notes": "a file; a model is a folder",
        "big.safetensors": "a Git LFS pointer in place of a file; run `git lfs pull`",
    }.items():
        for source in (tmp_path / name, str(tmp_path / name)):
            assert refused(source).startswith(f"{tmp_path / name}: {told}")


def test_one_file_of_a_model_names_the_models_folder(tiny_model):
    for name in ("manifest.json", "model_index.json", "generator/diffusion_pytorch_model.safetensors"):
        assert refused(tiny_model / name) == f"{tiny_model / name}: one file of a model; give its folder, {tiny_model}."


def test_a_fifo_is_answered_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    os.symlink(tmp_path / "gone", tmp_path / "link")
    for name in ("pipe.safetensors", "link"):
        assert "neither a folder nor a regular file" in refused(tmp_path / name)


# ----------------------------------------------------------------------------------------------------- folders


def test_one_network_of_a_model_names_the_models_folder(tiny_model):
    folder = tiny_model / "generator"
    assert refused(folder) == f"{folder}: one network of a model; give the model's folder, {tiny_model}."
    DCGANGenerator.from_pretrained(folder)  # which is how a network alone is loaded


def test_a_runs_folder_names_the_export_in_it(tiny_model, tmp_path):
    run = tmp_path / "runs" / "mine"
    (run / "checkpoints" / "step-000000010").mkdir(parents=True)
    (run / "config.yaml").write_text("name: mine")
    for name in ("state.json", "manifest.json"):
        (run / "checkpoints" / "step-000000010" / name).write_text("{}")
    for folder in (run, run / "checkpoints"):
        assert f"a run without a model yet; `gan-hub export {run}` makes one" in refused(folder)
    checkpoint = run / "checkpoints" / "step-000000010"
    told = f"a checkpoint of a run, which --resume reads; `gan-hub export {run}` makes a model of it."
    assert refused(checkpoint) == f"{checkpoint}: {told}"
    weights(checkpoint / "generator.safetensors", "x")
    told = f"one file of a run's checkpoint; `gan-hub export {run}` makes a model of it."
    assert refused(checkpoint / "generator.safetensors") == f"{checkpoint / 'generator.safetensors'}: {told}"
    shutil.copytree(tiny_model, run / "export")
    assert refused(run) == f"{run}: the folder of a run; give the model in it, {run / 'export'}."
    assert f"a model lies in it; give {run / 'export'}." in refused(run.parent)


def test_a_folder_of_several_models_names_one(tiny_model, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(tiny_model, tmp_path / name)
    assert refused(tmp_path).endswith(f"a model lies in it; give {tmp_path / 'a'} or another of its 2 models.")


FOREIGN = {  # files of a folder from elsewhere → what is said of it
    "empty": ({}, "not a model folder, but an empty one; a model is a folder with model_index.json"),
    "hidden files only": ({".gitattributes": ""}, "not a model folder, but an empty one"),
    "diffusers": (
        {"model_index.json": {"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"]}},
        "a diffusers pipeline of the class 'DDPMPipeline', not GANPipeline; diffusers loads it",
    ),
    "diffusers network": (
        {"config.json": {"_class_name": "UNet2DModel"}},
        "a single network ('UNet2DModel'); a model here is",
    ),
    "transformers": (
        {"config.json": {"architectures": ["BertModel"], "model_type": "bert"}},
        "a transformers model ('BertModel'); a model here is",
    ),
    "transformers pickle": (
        {"config.json": {"model_type": "vit"}, "pytorch_model.bin": "x"},
        "a transformers model ('vit'), with weights in pytorch_model.bin, a pickle, which can run code; it is never",
    ),
    "BigGAN": (
        {
            "config.json": {"z_dim": 128, "class_embed_dim": 128, "attention_layer_position": 8},
            "pytorch_model.bin": "x",
        },
        "a BigGAN of pytorch-pretrained-biggan, with weights in pytorch_model.bin, a pickle",
    ),
    "HugGAN": (
        {"config.json": {"image_size": 512, "latent_dim": 256}, "pytorch_model.bin": "x", "README.md": "huggan"},
        "no model of this library; it holds pytorch_model.bin, a pickle, which can run code; it is never loaded",
    ),
    "StyleGAN": ({"network-snapshot-000200.pkl": "x"}, "it holds network-snapshot-000200.pkl, a pickle"),
    "pictures": ({"1.png": "x", "2.jpg": "x"}, "not a model folder (no model_index.json in it, but pictures)"),
    "weights": (
        {"config.json": {"latent_dim": 256}, "model.safetensors": "x"},
        "no model of this library, but weights alone in model.safetensors; `gan-hub convert",
    ),
    "archives": ({"images.zip": "x"}, "not a model folder (no model_index.json in it, but archives)"),
}


def lay_out(folder: Path, files: dict[str, object]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_folder_from_elsewhere_is_told_by_what_it_is(tmp_path, kind, capsys):
    files, told = FOREIGN[kind]
    folder = lay_out(tmp_path / "there", files)
    assert refused(folder).startswith(f"{folder}: ") and told in refused(folder)
    assert cli.main(["info", str(folder)]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_repository_from_elsewhere_is_told_by_what_it_is(hub, client, tmp_path, kind):
    files, told = FOREIGN[kind]
    client(act.upload_files, lay_out(tmp_path / "there", files | {".gitattributes": "x"}), "me/other")
    error = client(act.load, "me/other", cache_dir=tmp_path / "cache")["error"]
    assert (
        error.startswith("me/other: ") and told.replace("folder, but an empty one", "but an empty repository") in error
    )
    assert not [line for line in hub.requests if "GET /me/other/resolve" in line and (".bin" in line or ".pkl" in line)]


@pytest.mark.parametrize(
    "name", ["model_index.json", "generator/config.json", "generator/diffusion_pytorch_model.safetensors"]
)
def test_a_git_lfs_pointer_in_place_of_a_file_is_named_with_its_cure(tiny_model_copy, name):
    (tiny_model_copy / name).write_text(POINTER)
    said = f"{tiny_model_copy / name}: a Git LFS pointer in place of the file; `git lfs pull` in its repository fetches it."
    assert refused(tiny_model_copy).startswith(said)
    if name.startswith("generator"):
        with pytest.raises(LoadError, match="a Git LFS pointer"):
            DCGANGenerator.from_pretrained(tiny_model_copy / "generator")


def test_a_damaged_model_is_not_called_something_else(tiny_model_copy):
    (tiny_model_copy / "generator" / "diffusion_pytorch_model.safetensors").unlink()
    assert "diffusion_pytorch_model.safetensors: not found" in refused(tiny_model_copy)
    (tiny_model_copy / "model_index.json").write_text('{"_class_name": ')
    assert "model_index.json: not valid JSON" in refused(tiny_model_copy)


# ------------------------------------------------------------------------------------------ addresses and names


@pytest.mark.parametrize(
    "text",
    [
        "me/my-gan", "me/my-gan/", "https://huggingface.co/me/my-gan", "https://huggingface.co/me/my-gan/",
        "http://www.huggingface.co/me/my-gan?library=diffusers#files", "huggingface.co/me/my-gan", "hf.co/me/my-gan",
        "https://hf.co/me/my-gan.git", "https://huggingface.co/models/me/my-gan", "hf://me/my-gan", "git@hf.co:me/my-gan",
        "hf://models/me/my-gan/config.json", "https://huggingface.co/me/my-gan/discussions/3", "HF.co/me/my-gan",
        "https://huggingface.co/me/my-gan/tree",
    ],
)  # fmt: skip
def test_a_pasted_address_of_a_model_is_understood(text):
    assert parse(text) == HubModel("me/my-gan", None)


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        ("me/my-gan@v1", "v1"),
        ("me/my-gan@refs/pr/1", "refs/pr/1"),
        ("hf://me/my-gan@v1/generator/config.json", "v1"),
        ("https://huggingface.co/me/my-gan/tree/main", "main"),
        ("https://huggingface.co/me/my-gan/tree/refs%2Fpr%2F1/generator", "refs/pr/1"),
        ("https://huggingface.co/me/my-gan/blob/v1/generator/diffusion_pytorch_model.safetensors", "v1"),
        ("https://huggingface.co/me/my-gan/resolve/v1/model_index.json?download=true", "v1"),
        ("hf.co/me/my-gan/commit/0123abc", "0123abc"),
    ],
)
def test_a_revision_in_an_address_is_understood(text, revision):
    assert parse(text) == HubModel("me/my-gan", revision)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://huggingface.co/datasets/me/cats", "a data set of the Hub, not a model; give the id of a model"),
        ("datasets/me/cats", "a data set of the Hub, not a model"),
        ("hf://datasets/me/cats", "a data set of the Hub, not a model"),
        ("https://huggingface.co/spaces/me/page", "a Space of the Hub, not a model; give the id of the model that it"),
        ("spaces/me/page", "a Space of the Hub, not a model"),
        ("https://huggingface.co/collections/me/gans", "a collection of the Hub, not a model"),
        ("https://huggingface.co/me", "an address of the Hub, but of no model; give a Hub id (owner/name)"),
        ("https://huggingface.co/", "an address of the Hub, but of no model"),
        ("hf://me", "an address of the Hub, but of no model"),
        ("https://example.com/me/my-gan", "an address that is not the Hub's; download it and give the folder"),
        ("s3://bucket/model", "an address that is not the Hub's"),
        ("https://huggingface.co.evil.example/me/my-gan", "an address that is not the Hub's"),
        ("https://evil.example/huggingface.co/me/my-gan", "an address that is not the Hub's"),
    ],
)
def test_an_address_of_something_else_is_told_by_what_it_is(text, told):
    assert refused(text).startswith(f"{text!r}: {told}")


@pytest.mark.parametrize(
    ("text", "download", "file"),
    [
        ("https://huggingface.co/me/gan/blob/main/G.pkl", "me/gan G.pkl", "G.pkl"),
        ("hf.co/me/gan/resolve/v1/nets/G.pth?download=true", "me/gan nets/G.pth", "nets/G.pth"),
        ("hf://me/gan/pytorch_model.bin", "me/gan pytorch_model.bin", "pytorch_model.bin"),
    ],
)
def test_an_address_of_a_pickle_says_how_it_becomes_a_model(text, download, file):
    assert refused(text) == (
        f"{text!r}: a pickle, which can run code; it is never loaded, but after `hf download {download} --local-dir .` "
        f"`gan-hub convert {file} OUT` makes a model of it."
    )


@pytest.mark.parametrize("name", ["stylegan3-r-ffhq.pkl", "G.safetensors", "last.CKPT"])
def test_a_checkpoint_at_another_address_is_told_with_its_command(name):
    assert refused(f"https://example.com/nets/{name}") == (
        f"'https://example.com/nets/{name}': an address that is not the Hub's; download the file, and `gan-hub convert FILE "
        "OUT` makes a model of it, running nothing in it."
    )


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["sample", "--seeds", "1", "--out", "x.png"],
        ["verify"],
        ["demo"],
        ["concepts"],
        ["interpolate", "--seeds", "1,2", "--out", "x.webp"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_answers_a_foreign_file_with_the_command_that_opens_it(tmp_path, capsys, command):
    file = tmp_path / "network-snapshot.pkl"
    file.write_bytes(pickle.dumps({"G": 1}))
    try:
        code = cli.main([command[0], str(file), *command[1:]])
    except SystemExit as left:
        code = left.code
    said = capsys.readouterr().err
    assert (
        code in (1, 2) and f"`gan-hub convert {file} OUT` makes a model of it" in said and len(said.splitlines()) == 1
    )


def test_an_address_of_the_hub_loads_what_its_id_loads(hub, client, tiny_model, tmp_path):
    client(act.upload, tiny_model, "me/my-gan")
    hub.repos["me/my-gan"].branches["v1"] = hub.repos["me/my-gan"].branches["main"]
    for source in (f"{hub.address}/me/my-gan/tree/main", " me/my-gan@v1\n", "hf://me/my-gan"):
        assert "error" not in client(act.load, source, cache_dir=tmp_path)
    error = client(act.load, "me/my-gan@v1", revision="main", cache_dir=tmp_path)["error"]
    assert error == "'me/my-gan@v1' names the revision 'v1', but revision='main' is given."


@pytest.mark.parametrize(
    "source",
    ["./pics", "../pics", "/no/such/folder", "~/no-such-folder", r"C:\models\mine", "C:/models/mine", r"models\mine",
     "runs/mine/export", "a/b/c"],
)  # fmt: skip
def test_what_looks_like_a_path_is_answered_as_a_path_that_is_not_there(source):
    assert (
        refused(source)
        == f"{os.path.expanduser(source)!r}: not a model folder (there is no such folder here; a Hub id is owner/name)."
    )


@pytest.mark.parametrize(
    "source", ["G.pkl", "me/G.pth", "last.ckpt", "lora.safetensors", "cat.png", "runs/x/model.zip"]
)
def test_a_name_with_a_files_ending_is_answered_as_a_file_that_is_not_there(source):
    assert refused(source) == f"{source!r}: not a model folder (there is no such file here; a Hub id is owner/name)."


def test_a_tilde_and_blanks_are_understood(tiny_model, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny_model.parent))
    for source in (f"~/{tiny_model.name}", Path(f"~/{tiny_model.name}"), f"  {tiny_model}\n"):
        assert resolve(source, ()) == tiny_model
    assert resolve(" dcgan-mnist ", ()) == bundled_models()["dcgan-mnist"]


@pytest.mark.parametrize("source", ["", "  ", "no such model", "a@b@c", "me/my gan", "x" * 5000, "a\0b", "me/gan@"])
def test_what_is_nothing_at_all_is_answered_with_what_there_is(source):
    assert "neither a folder, nor a bundled model" in refused(source) or "no such folder" in refused(source)


@pytest.mark.parametrize("source", [None, 5, {"a": 1}, ["dcgan-mnist"]])
def test_a_thing_that_is_no_name_is_told_by_its_type(source):
    assert refused(source) == (
        f"a model is given as a folder, a bundled name or a Hub id, not as {type(source).__name__}."
    )


def test_a_bundled_name_with_the_slash_of_a_folder_is_the_bundled_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve("mlp-mnist/", ()) == resolve("mlp-mnist", ()) == bundled_models()["mlp-mnist"]
