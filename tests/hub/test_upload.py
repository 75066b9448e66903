"""Publishing: what a finished run uploads by itself, and what stays at home."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from gan_hub import GANPipeline
from gan_hub.model_folder.strict import LoadError
from tests.conftest import make_pipeline
from tests.hub import client as act
from tests.training.conftest import shapes_npz, small_options  # noqa: F401  (fixtures)

ROOT = Path(__file__).parents[2]


def test_a_run_with_push_to_hub_uploads_its_whole_export(hub, client, small_options, tmp_path):  # noqa: F811
    recipe = tmp_path / "small.yaml"
    recipe.write_text(yaml.safe_dump(small_options))
    env = os.environ | {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_made_up", "NO_PROXY": "*"}
    env["HF_HUB_DISABLE_XET"] = "1"  # whose storage is another protocol
    command = [sys.executable, "train.py", str(recipe), "--push-to-hub", "me/small"]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert f"published: {hub.address}/me/small/commit/" in done.stdout

    repo, export = hub.repos["me/small"], Path(small_options["output"]) / "small" / "export"
    uploaded = repo.commits[repo.branches["main"]]
    assert uploaded.keys() == {path.relative_to(export).as_posix() for path in export.rglob("*") if path.is_file()}
    assert "error" not in client(act.load, "me/small", cache_dir=tmp_path / "cache")


def test_weights_that_the_manifest_does_not_list_stay_at_home(hub, client, tiny_model_copy):
    stale = tiny_model_copy / "generator" / "diffusion_pytorch_model.bf16.safetensors"
    shutil.copyfile(tiny_model_copy / "generator" / "diffusion_pytorch_model.safetensors", stale)
    client(act.upload, tiny_model_copy, "me/my-gan")
    repo = hub.repos["me/my-gan"]
    uploaded = repo.commits[repo.branches["main"]]
    assert "generator/diffusion_pytorch_model.safetensors" in uploaded and not [n for n in uploaded if "bf16" in n]


@pytest.fixture
def other_model(tmp_path) -> Path:
    """A model of the same shapes as `tiny_model`, with other weights; float32 alone."""
    make_pipeline(3, 28, 1, seed=7).save_pretrained(tmp_path / "other")
    return tmp_path / "other"


@pytest.fixture
def there(hub):
    """there() is what lies on the Hub now: file → content of me/my-gan."""
    return lambda: dict((repo := hub.repos["me/my-gan"]).commits[repo.branches["main"]])


def weights(variant: str = "") -> set[str]:
    return {f"{player}/diffusion_pytorch_model{variant}.safetensors" for player in ("generator", "discriminator")}


def loads(client, cache: Path, pipeline: GANPipeline, *variants: str | None) -> None:
    """Asserts that `variants` load from the Hub, and are the weights of `pipeline`."""
    for variant in variants:
        loaded = client(act.load, "me/my-gan", variant=variant, cache_dir=cache)
        assert "error" not in loaded, loaded["error"]
        dtype = {None: torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[variant]
        ours = pipeline.generator.project.weight.detach().to(dtype).float().numpy()
        assert np.array_equal(loaded["tensors"]["generator.project.weight"], ours), variant


@pytest.mark.parametrize("order", list(itertools.permutations([None, "fp16", "bf16"])))
def test_pushes_of_the_variants_of_one_model_leave_each_other_alone(
    hub, client, there, tiny_model, tiny_pipeline, tmp_path, order
):
    for variant in order:
        client(act.push, tiny_model, "me/my-gan", variant=variant)
    loads(client, tmp_path / "cache", tiny_pipeline, *order)
    listed = json.loads(there()["manifest.json"])["files"]
    assert weights() | weights(".fp16") | weights(".bf16") | {"reference.safetensors", "judge.json"} <= listed.keys()
    assert {name for name in there() if name != "manifest.json"} == listed.keys()


def test_a_push_removes_only_what_an_older_push_of_this_format_left(
    hub, client, there, tiny_model, other_model, tmp_path
):
    client(act.upload, tiny_model, "me/my-gan")
    strangers = {name: b"of somebody" for name in (
        "extra.safetensors", "README.md", "notes.json", "samples.png", "generator/notes.txt", "lora/weights.safetensors",
        "unet/diffusion_pytorch_model.safetensors", "model.bin", ".gitattributes",
    )}  # fmt: skip
    left_behind = dict.fromkeys(["scores.json", "real_samples.png", "real_samples.json"], b"of the old model")
    hub.repos["me/my-gan"].commit(strangers | left_behind)
    client(act.push, other_model, "me/my-gan")
    ours = {path.relative_to(other_model).as_posix() for path in other_model.rglob("*") if path.is_file()}
    assert there().keys() == strangers.keys() | ours
    assert strangers.items() <= there().items()
    loads(client, tmp_path / "cache", GANPipeline.from_pretrained(other_model), None)
    assert "not found" in client(act.load, "me/my-gan", variant="fp16", cache_dir=tmp_path / "cache")["error"]


def test_a_variant_of_another_model_takes_the_old_weights_away(hub, client, there, tiny_model, other_model, tmp_path):
    client(act.upload, tiny_model, "me/my-gan")
    client(act.push, other_model, "me/my-gan", variant="fp16")
    assert {name for name in there() if name.endswith(".safetensors")} == weights(".fp16")
    loads(client, tmp_path / "cache", GANPipeline.from_pretrained(other_model), "fp16")
    assert "not found" in client(act.load, "me/my-gan", cache_dir=tmp_path / "cache")["error"]


def test_one_changed_network_takes_the_old_variant_of_both_away(hub, client, there, tiny_model, tmp_path):
    client(act.upload, tiny_model, "me/my-gan")
    pipe = GANPipeline.from_pretrained(tiny_model)
    with torch.no_grad():
        next(pipe.discriminator.parameters()).mul_(1.01)
    pipe.save_pretrained(tmp_path / "changed")
    client(act.push, tmp_path / "changed", "me/my-gan")
    assert {name for name in there() if "diffusion_pytorch_model" in name} == weights()


def test_a_model_that_lost_its_discriminator_leaves_none_behind(hub, client, there, tiny_model, tmp_path):
    client(act.upload, tiny_model, "me/my-gan")
    pipe = GANPipeline.from_pretrained(tiny_model, discriminator=None)
    pipe.calibration = None
    pipe.save_pretrained(tmp_path / "alone")
    client(act.push, tmp_path / "alone", "me/my-gan")
    assert not [name for name in there() if name.startswith("discriminator/")] and "judge.json" not in there()
    assert "error" not in client(act.load, "me/my-gan", cache_dir=tmp_path / "cache")


def test_a_model_that_was_loaded_from_a_variant_and_pushed_as_it_leaves_the_float32_weights(
    hub, client, there, tiny_model, tiny_pipeline, tmp_path
):
    client(act.push, tiny_model, "me/my-gan")
    GANPipeline.from_pretrained(tiny_model, variant="fp16").save_pretrained(tmp_path / "half")
    client(act.push, tmp_path / "half", "me/my-gan", variant="fp16")
    loads(client, tmp_path / "cache", tiny_pipeline, None, "fp16")


def test_scores_and_real_samples_of_the_same_weights_stay(hub, client, there, tiny_model):
    client(act.upload, tiny_model, "me/my-gan")
    measured = dict.fromkeys(["scores.json", "real_samples.png", "real_samples.json"], b"of this model")
    hub.repos["me/my-gan"].commit(measured)
    for variant in ("fp16", None):
        client(act.push, tiny_model, "me/my-gan", variant=variant)
        assert measured.items() <= there().items()


def test_saving_a_variant_with_push_to_hub_leaves_the_float32_weights(hub, client, tiny_model, tiny_pipeline, tmp_path):
    client(act.push, tiny_model, "me/my-gan")
    client(act.save_and_push, tiny_model, tmp_path / "half", "me/my-gan", variant="fp16")
    loads(client, tmp_path / "cache", tiny_pipeline, None, "fp16")


def test_a_repository_that_this_format_was_never_pushed_to_loses_nothing(hub, client, there, tiny_model, tmp_path):
    before = {name: b"of somebody" for name in (*weights(".fp16"), "scores.json", "judge.json", "unet/config.json")}
    client(act.upload_files, tmp_path, "me/my-gan")
    hub.repos["me/my-gan"].commit(before)
    client(act.push, tiny_model, "me/my-gan")
    assert there().keys() >= before.keys()
    assert {name: there()[name] for name in weights(".fp16")} == {name: b"of somebody" for name in weights(".fp16")}
    assert "error" not in client(act.load, "me/my-gan", cache_dir=tmp_path / "cache")
    assert "error" in client(act.load, "me/my-gan", variant="fp16", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff" * 10, b'{"files": {"a": 1}}'])
def test_a_damaged_manifest_on_the_hub_is_told_and_written_anew(
    hub, client, there, tiny_model, tiny_pipeline, other_model, tmp_path, damage
):
    client(act.upload, tiny_model, "me/my-gan")
    hub.repos["me/my-gan"].commit({"manifest.json": damage, "extra.safetensors": b"of somebody"})
    told = client(act.told_by, act.push, tiny_model, "me/my-gan", variant="fp16")
    assert told == (
        "me/my-gan: the manifest.json on the Hub is damaged; weights there that are this very model's are kept and listed "
        "anew, all others go.\n"
    )
    loads(client, tmp_path / "cache", tiny_pipeline, None, "fp16")
    hub.repos["me/my-gan"].commit({"manifest.json": damage})
    client(act.push, other_model, "me/my-gan")
    others = {"reference.safetensors", "extra.safetensors"}
    assert {name for name in there() if name.endswith(".safetensors")} == weights() | others


def test_a_manifest_that_cannot_be_fetched_stops_the_push_before_it_changes_anything(hub, client, there, tiny_model):
    client(act.upload, tiny_model, "me/my-gan")
    before = there()
    hub.fail("503", where="manifest.json")
    with pytest.raises(LoadError, match="me/my-gan: download failed"):
        client(act.push, tiny_model, "me/my-gan", variant="fp16")
    hub.fail(None)
    assert there() == before


def test_weights_on_the_hub_that_are_damaged_stop_a_push_that_would_have_to_judge_them(hub, client, there, tiny_model):
    client(act.push, tiny_model, "me/my-gan", variant="fp16")
    name = "generator/diffusion_pytorch_model.fp16.safetensors"
    hub.repos["me/my-gan"].commit({name: there()[name][:-1] + b"x"})
    listed = json.loads(there()["manifest.json"])
    listed["files"][name]["sha256"] = "0" * 64
    hub.repos["me/my-gan"].commit({"manifest.json": json.dumps(listed).encode()})
    before = there()
    with pytest.raises(
        LoadError, match=f"me/my-gan: {name} on the Hub is not what its manifest.json lists.* Nothing was"
    ):
        client(act.push, tiny_model, "me/my-gan")
    assert there() == before
    client(act.upload, tiny_model, "me/my-gan")  # which brings all weights


def test_who_pushes_at_the_same_time_loses_nothing(hub, client, there, tiny_model, tiny_pipeline, tmp_path):
    client(act.push, tiny_model, "me/my-gan")
    theirs = {"theirs.txt": b"pushed meanwhile"}

    def meanwhile():
        hub.before_commit = None
        hub.repos["me/my-gan"].commit(theirs)

    hub.before_commit = meanwhile
    client(act.push, tiny_model, "me/my-gan", variant="fp16")
    assert theirs.items() <= there().items()
    loads(client, tmp_path / "cache", tiny_pipeline, None, "fp16")

    hub.before_commit = lambda: hub.repos["me/my-gan"].commit({"theirs.txt": str(len(hub.requests)).encode()})
    before = there()
    with pytest.raises(
        LoadError, match="me/my-gan: others push to it, 3 times in a row; nothing was changed, so push again."
    ):
        client(act.push, tiny_model, "me/my-gan", variant="bf16")
    assert there().keys() == before.keys()


def test_a_hub_that_hangs_does_not_hold_a_push_for_ever(hub, client, tiny_model):
    for where in ("POST /api/repos/create", "GET /api/models/me/my-gan"):
        hub.fail("silent", where=where)
        with pytest.raises(
            LoadError, match="me/my-gan: upload failed .the Hub does not answer.|the Hub does not answer"
        ):
            client(act.upload, tiny_model, "me/my-gan")


def test_what_an_older_version_had_and_this_one_has_not_goes(hub, client, tiny_model, tiny_pipeline, tmp_path):
    client(act.upload, tiny_model, "me/my-gan")
    pipe = GANPipeline.from_pretrained(tiny_model)
    pipe.calibration = None
    pipe.save_pretrained(tmp_path / "uncalibrated")
    client(act.upload, tmp_path / "uncalibrated", "me/my-gan")
    for variant in (None, "fp16"):  # which is of the very same weights
        loaded = client(act.load, "me/my-gan", variant=variant, cache_dir=tmp_path / "cache")
        assert "error" not in loaded and loaded["calibration"] is None
