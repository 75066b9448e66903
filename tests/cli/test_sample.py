"""`gan-hub sample` and `gan-hub interpolate`: the files they write are the images of the library."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_hub import GANPipeline, sampling
from gan_hub.data import load_images
from gan_hub.pipeline import streaming
from tests.cli.conftest import present


def test_sample_draws_the_images_of_the_seeds_in_a_grid_that_tells_how_it_was_made(run, tiny_model, tmp_path):
    code, out, err = run("sample", tiny_model, "--seeds", "0-3,7", "--label", "star", "--out", "grid.png")
    assert (code, out, err) == (0, "grid.png: 5 images\n", "")
    expected = GANPipeline.from_pretrained(tiny_model)(seeds=[0, 1, 2, 3, 7], labels="star", output_type="np").images
    with Image.open("grid.png") as sheet:
        assert sheet.size == (3 * 30 - 2, 2 * 30 - 2)
        assert np.array_equal(np.asarray(sheet)[:28, :28], expected[0, ..., 0])
        assert np.array_equal(np.asarray(sheet)[30:, 30:58], expected[4, ..., 0])
        assert sheet.text == {"model": str(tiny_model), "label": "star", "truncation": "1.0", "seeds": "0,1,2,3,7"}
    assert present(tmp_path) == {"grid.png"}


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        (["0 1 2"], "0,1,2"),
        (["0-3 7"], "0,1,2,3,7"),
        (["0", "1", "2"], "0,1,2"),
        (["0-3", "7"], "0,1,2,3,7"),
        (["0-3,", "7"], "0,1,2,3,7"),
        (["1", "-", "3", "9"], "1,2,3,9"),
        (["5–6"], "5,6"),
    ],
)
def test_seeds_of_a_shell_are_never_glued_together(given, drawn, run, tiny_model):
    for arguments in (["sample", tiny_model, "--seeds", *given], ["sample", "--seeds", *given, tiny_model]):
        code, out, err = run(*arguments, "--out", "grid.png")
        assert (code, err) == (0, "") and out == f"grid.png: {drawn.count(',') + 1} images\n"
        with Image.open("grid.png") as sheet:
            assert sheet.text["seeds"] == drawn


def test_a_label_may_be_an_index_and_truncation_0_gives_one_image(run, tiny_model, tiny_pipeline):
    for label in ("2", "star"):
        run("sample", tiny_model, "--seeds", 4, "--label", label, "--out", f"{label}.png", "--scale", "2")
    assert Path("2.png").stat().st_size > 0 and np.array_equal(
        *(np.asarray(Image.open(f"{x}.png")) for x in ("2", "star"))
    )
    assert Image.open("star.png").size == (56, 56)
    run("sample", tiny_model, "--seeds", "1,2", "--label", 0, "--truncation", 0, "--columns", 1, "--out", "mean.png")
    mean = np.asarray(Image.open("mean.png"))
    assert mean.shape == (58, 28) and np.array_equal(mean[:28], mean[30:])


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_interpolate_walks_from_the_first_seed_to_the_last(ending, run, tiny_model, tiny_pipeline, tmp_path):
    out = f"walk.{ending}"
    code, said, err = run(
        "interpolate", tiny_model, "--seeds", "1,5,9", "--label", "circle", "--frames", 7, "--out", out
    )
    assert (code, said, err) == (0, f"{out}: 7 frames\n", "")
    keys = tiny_pipeline(seeds=[1, 5, 9], labels="circle", output_type="np").images[..., 0]
    with Image.open(out) as animation:
        assert animation.n_frames == 7
        for frame, key in zip((0, 3, 6), keys):
            animation.seek(frame)
            assert np.array_equal(np.asarray(animation.convert("L")), key)
    assert present(tmp_path) == {out}


def test_a_walk_keeps_the_class_of_its_first_seed(run, tiny_model, tiny_pipeline, tmp_path):
    run("interpolate", tiny_model, "--seeds", "1,5", "--frames", 6, "--out", "own.webp")
    own = tiny_pipeline(seeds=[1]).labels[0]
    run("interpolate", tiny_model, "--seeds", "1,5", "--frames", 6, "--label", own, "--out", "asked.webp")
    assert Path("own.webp").read_bytes() == Path("asked.webp").read_bytes()


def test_single_files_are_the_images_of_the_library_and_each_tells_how_it_was_made(
    run, tiny_model, tiny_pipeline, tmp_path
):
    code, out, err = run("sample", tiny_model, "--seeds", "3,12345,3", "--out", "images", "--scale", 2)
    assert (code, out, err) == (0, "images: 3 images\n", "")
    assert present(tmp_path / "images") == {"seed0003.png", "seed12345.png"} and present(tmp_path) == {"images"}
    expected = tiny_pipeline(seeds=[3, 12345], output_type="np")
    for name, pixels, label in zip(("seed0003", "seed12345"), expected.images, expected.labels, strict=True):
        with Image.open(tmp_path / "images" / f"{name}.png") as image:
            assert np.array_equal(np.asarray(image), pixels[..., 0].repeat(2, 0).repeat(2, 1))
            assert image.text["label"] == tiny_pipeline.label_names[label]
            assert (image.text["seed"], image.text["model"]) == (str(int(name[4:])), str(tiny_model))
    (tmp_path / "images" / "mine.txt").write_text("stays")
    assert run("sample", tiny_model, "--seeds", "4", "--out", "images")[0] == 0
    assert present(tmp_path / "images") == {"seed0003.png", "seed12345.png", "seed0004.png", "mine.txt"}


def test_an_npz_holds_the_images_of_the_library_and_is_data_for_evaluate(run, tiny_model, tiny_pipeline):
    code, out, err = run("sample", tiny_model, "--seeds", "5-8", "--label", "star", "--out", "images.npz")
    assert (code, out, err) == (0, "images.npz: 4 images\n", "")
    with np.load("images.npz", allow_pickle=False) as arrays:
        assert np.array_equal(
            arrays["images"], tiny_pipeline(seeds=[5, 6, 7, 8], labels="star", output_type="np").images
        )
        assert arrays["labels"].tolist() == [2] * 4 and arrays["seeds"].tolist() == [5, 6, 7, 8]
        assert arrays["images"].dtype == np.uint8 and arrays["seeds"].dtype == np.uint32
    assert len(load_images("images.npz", 28, 1)) == 4


def test_python_and_the_shell_write_the_same_files(run, tiny_model, tmp_path):
    pipe = GANPipeline.from_pretrained(tiny_model)
    options = {"labels": "star", "truncation": 0.7}
    asked = ("--seeds", "0-8", "--label", "star", "--truncation", 0.7)
    for name in ("grid.png", "images.npz"):
        run("sample", tiny_model, *asked, "--out", f"shell-{name}")
    run("sample", tiny_model, *asked, "--out", "shell")
    sampling.save_grid(pipe, range(9), tmp_path / "python-grid.png", model_name=str(tiny_model), **options)
    sampling.save_npz(pipe, range(9), tmp_path / "python-images.npz", **options)
    sampling.save_files(pipe, range(9), tmp_path / "python", model_name=str(tiny_model), **options)
    assert (tmp_path / "shell-grid.png").read_bytes() == (tmp_path / "python-grid.png").read_bytes()
    for path in (tmp_path / "shell").iterdir():
        assert path.read_bytes() == (tmp_path / "python" / path.name).read_bytes()
    with np.load("shell-images.npz") as shell, np.load("python-images.npz") as python:
        assert all(np.array_equal(shell[name], python[name]) for name in ("images", "labels", "seeds"))


def test_many_seeds_are_drawn_in_blocks_and_batches_change_nothing(run, tiny_model, tiny_pipeline, monkeypatch):
    monkeypatch.setattr(streaming, "STREAM_IMAGES", 7)
    sizes = []
    draw = GANPipeline.__call__

    def count(self, seeds=None, **options):
        sizes.extend([len(seeds)] * bool(seeds))  # a stream asks for no image first, to refuse what is not allowed
        return draw(self, seeds, **options)

    monkeypatch.setattr(GANPipeline, "__call__", count)
    run("sample", tiny_model, "--seeds", "0-19", "--out", "a.npz")
    run("sample", tiny_model, "--seeds", "0-19", "--out", "b.npz", "--batch-size", 3)
    assert sizes == [7, 7, 6, 6, 6, 6, 2]
    expected = draw(tiny_pipeline, range(20), output_type="np").images
    for name in ("a.npz", "b.npz"):
        with np.load(name) as arrays:
            assert np.abs(arrays["images"].astype(int) - expected).max() <= (name == "b.npz")


def test_a_sample_needs_no_discriminator_and_takes_the_variant_it_is_asked_for(run, tiny_model_copy, tiny_pipeline):
    shutil.rmtree(tiny_model_copy / "discriminator")
    assert run("sample", tiny_model_copy, "--seeds", "1", "--out", "a.png")[0] == 0
    assert run("sample", tiny_model_copy, "--seeds", "1", "--out", "b.png", "--variant", "fp16")[0] == 0
    with Image.open("a.png") as full, Image.open("b.png") as half:
        assert np.array_equal(np.asarray(full), tiny_pipeline(seeds=[1], output_type="np").images[0, ..., 0])
        assert not np.array_equal(np.asarray(full), np.asarray(half))


def test_nothing_is_left_of_a_folder_whose_sampling_failed(run, tiny_model, tmp_path):
    code, _, err = run("sample", tiny_model, "--seeds", "0-3", "--label", "hat", "--out", "images")
    assert code == 2 and "label 'hat'" in err and present(tmp_path) == set()
    code, _, err = run("sample", tiny_model, "--seeds", "0-3", "--label", "hat", "--out", "images.npz")
    assert code == 2 and present(tmp_path) == set()
