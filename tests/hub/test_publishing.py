"""Publishing: what a finished run uploads by itself, and what stays at home."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from gan_hub import GANPipeline
from tests.hub import client as act
from tests.training.conftest import shapes_npz, small_options  # noqa: F401  (fixtures)

ROOT = Path(__file__).parents[2]


def test_a_run_with_push_to_hub_uploads_its_whole_export(hub, client, small_options, tmp_path):  # noqa: F811
    recipe = tmp_path / "small.yaml"
    recipe.write_text(yaml.safe_dump(small_options))
    env = os.environ | {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_made_up", "NO_PROXY": "*"}
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


def test_what_an_older_version_had_and_this_one_has_not_goes(hub, client, tiny_model, tmp_path):
    client(act.upload, tiny_model, "me/my-gan")
    pipe = GANPipeline.from_pretrained(tiny_model)
    pipe.calibration = None
    pipe.save_pretrained(tmp_path / "uncalibrated")
    client(act.upload, tmp_path / "uncalibrated", "me/my-gan")
    loaded = client(act.load, "me/my-gan", cache_dir=tmp_path / "cache")
    assert "error" not in loaded and loaded["calibration"] is None
    assert "error" in client(act.load, "me/my-gan", variant="fp16", cache_dir=tmp_path / "cache")
