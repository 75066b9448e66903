"""evaluate(): scores with provenance, the same whoever calls it and however it is shared out or interrupted."""

import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from gan_hub.data import ImageSet
from gan_hub.data.image_set import LazyRows
from gan_hub.images import fit_pil, from_uint8, to_pil, to_uint8
from gan_hub.metrics import evaluate, feature_cache
from gan_hub.metrics.distributed import ProcessGroup
from gan_hub.metrics.evaluation import real_moments
from gan_hub.metrics.feature_cache import FeatureCache, ImageSource, extract_features
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.frechet import moments
from gan_hub.metrics.registry import NEEDS, SCORES
from gan_hub.metrics.report import Estimate, Report, compare
from gan_hub.pretrained_networks import PRETRAINED, path_of
from tests.metrics.test_features import real_samples

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reals() -> ImageSet:
    images, labels = real_samples("dcgan-mnist")
    return ImageSet(to_uint8(images), labels.numpy(), [str(digit) for digit in range(10)])


@pytest.fixture(scope="module")
def digits() -> Extractor:
    return Extractor("digits")


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of few images, so that a small set has several."""
    monkeypatch.setattr(feature_cache, "CHUNK", 16)


# --------------------------------------------------------------------------------------------------- what is scored


def test_a_trained_model_scores_far_better_than_a_random_one(reals, tiny_pipeline, digits):
    trained = evaluate("dcgan-mnist", reals, extractor=digits, num_images=200, replicates=20)
    random = evaluate(tiny_pipeline, reals, ("fd",), extractor=digits, num_images=200, replicates=0)
    assert 0 < trained.scores["FD-digits"] < random.scores["FD-digits"] / 3
    assert trained.scores["label accuracy (digits)"] > 0.9
    low, high = trained.intervals["FD-digits"]
    assert low < trained.scores["FD-digits"] < high < random.scores["FD-digits"]
    noise = trained.reference_scores["FD-digits of uniform noise"]
    assert noise > trained.scores["FD-digits"] and random.reference_scores["FD-digits of uniform noise"] == noise


def test_every_score_can_be_asked_for_and_bears_the_extractors_name(reals, digits):
    found = evaluate(
        "dcgan-mnist",
        reals,
        tuple(SCORES),
        extractor=digits,
        num_images=120,
        num_real=200,
        held_out=reals,
        replicates=5,
    )
    assert {name for name in found.scores if "digits" not in name} == {"discriminator AUC (held out)"}
    without = {"modes of 10 (digits)", "MMD²-digits", "p of equal distributions (digits)"}
    without |= {"recall-digits", "coverage-digits"}
    assert found.scores.keys() - found.intervals.keys() == without
    assert all(np.isfinite(value) for value in found.scores.values())
    assert found.scores["modes of 10 (digits)"] == 10 and found.scores["memorised-digits"] < 0.5
    assert 0.5 < found.scores["discriminator AUC (held out)"] < 1 < found.scores["IS-digits"] < 10


def test_the_real_images_themselves_score_as_the_best_there_can_be(reals, digits):
    names = ("fd", "kid", "pr", "dc", "mmd", "modes", "accuracy", "intra-fd", "memorised")
    found = evaluate(reals, reals, names, extractor=digits, held_out=reals, replicates=0).scores
    assert abs(found["FD-digits"]) < 1e-8 and abs(found["intra-FD-digits"]) < 1e-8
    assert found["precision-digits"] == found["recall-digits"] == found["coverage-digits"] == 1
    assert found["density-digits"] >= 1 and found["memorised-digits"] == 1
    assert found["KID-digits"] < 0 and found["p of equal distributions (digits)"] == 1
    assert found["modes of 10 (digits)"] == 10 and found["class histogram distance (digits)"] < 0.02


def test_two_folders_of_pictures_need_no_model_and_may_be_dirty(reals, digits, tmp_path):
    for name, chosen in (("ours", reals.images[:100]), ("theirs", reals.images[100:200])):
        for index, picture in enumerate(to_pil(chosen)):
            (tmp_path / name / "deeper").mkdir(parents=True, exist_ok=True)
            picture.save(tmp_path / name / ("deeper" if index % 2 else ".") / f"{index:03d}.png")
        (tmp_path / name / "notes.txt").write_text("no picture")
        (tmp_path / name / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
        Image.new("RGB", (90, 60), "red").save(tmp_path / name / "large.jpg")
    found = evaluate(tmp_path / "ours", str(tmp_path / "theirs"), extractor="digits", replicates=0)
    with Image.open(tmp_path / "ours" / "large.jpg") as large:
        extra = np.asarray(fit_pil(large, 28, 1))[None, :, :, None]
    clean = [ImageSet(np.concatenate([chosen, extra])) for chosen in (reals.images[:100], reals.images[100:200])]
    plainly = evaluate(*clean, extractor="digits", replicates=0)
    assert found.scores["FD-digits"] == pytest.approx(plainly.scores["FD-digits"], rel=1e-6)
    for split in ("train", "test"):  # both are scored, where a folder has splits
        shutil.copytree(tmp_path / "ours", tmp_path / "split" / split)
    assert evaluate(tmp_path / "split", reals, extractor="digits", replicates=0).provenance["generated_images"] == 202
    assert found.provenance["generated_images"] == found.provenance["real_images"] == 101
    assert (found.subject, found.provenance["data"], found.provenance["dtype"]) == ("ours", "theirs", None)
    back = evaluate(tmp_path / "theirs", str(tmp_path / "ours"), extractor="digits", replicates=0)
    assert back.scores["FD-digits"] == pytest.approx(found.scores["FD-digits"], rel=1e-9)
    zipped = tmp_path / "ours.npz"
    np.savez(zipped, images=reals.images[:100], labels=reals.labels[:100])
    assert evaluate(zipped, reals, extractor="digits", replicates=0).provenance["generated_images"] == 100


def test_no_score_depends_on_the_order_of_a_set_that_is_sorted_by_class(reals, digits):
    in_order = reals.take(np.argsort(reals.labels, kind="stable"))
    mixed = reals.take(np.random.default_rng(0).permutation(len(reals)))
    for ours, theirs in ((in_order, mixed), (mixed, in_order)):
        found = evaluate(ours, theirs, ("is", "mmd", "fd", "pr"), extractor=digits, replicates=0).scores
        assert found["IS-digits"] > 5 and found["p of equal distributions (digits)"] > 0.5
        assert abs(found["FD-digits"]) < 1e-8


def test_classes_are_compared_by_name_whatever_their_numbers(reals, digits):
    turned = ImageSet(reals.images, 9 - reals.labels, list("9876543210"))
    found = evaluate(turned, reals, ("intra-fd", "modes"), extractor=digits, replicates=3)
    assert found.scores["intra-FD-digits"] < 1e-8 and found.scores["class histogram distance (digits)"] < 0.02
    with pytest.raises(ValueError, match="metric 'accuracy' needs classes that are, by name,"):
        evaluate(turned, reals, ("accuracy",), extractor=digits)
    late = reals.take(np.flatnonzero(reals.labels > 6))
    late = ImageSet(late.images, late.labels - 7, ["7", "8", "9"])
    assert evaluate(late, late, ("modes",), extractor=digits).scores["class histogram distance (digits)"] == 0


def test_without_resamplings_no_score_has_an_interval(reals, digits):
    found = evaluate("dcgan-mnist", reals, ("fd", "kid", "is", "pr", "dc", "accuracy"), digits, 30, replicates=0)
    assert found.intervals == {} and "recall-digits" in found.scores


def test_the_judge_is_asked_only_about_images_whose_classes_are_known(reals, digits):
    nameless = ImageSet(reals.images)
    with pytest.raises(ValueError, match="metric 'auc' needs labels, or maps, of the held-out images"):
        evaluate("dcgan-mnist", reals, ("auc",), digits, held_out=nameless)


# ------------------------------------------------------------------------------------------------------- provenance


def test_the_score_bears_its_provenance_and_repeats_itself(reals, tiny_pipeline):
    first, second = (evaluate(tiny_pipeline, reals, extractor="digits", num_images=40, seed=5) for _ in range(2))
    assert first == second
    other = evaluate(tiny_pipeline, reals, extractor="digits", num_images=40, seed=6)
    assert other.scores != first.scores
    with pytest.raises(ValueError, match="not measured alike: seed 5 against 6"):
        compare(first, other)
    told = first.to_dict()["provenance"]
    assert (told["extractor"], told["generated_images"], told["real_images"], told["seed"]) == ("digits", 40, 256, 5)
    assert len(told["extractor_sha256"]) == len(told["real_sha256"]) == 64 and told["dtype"] == "float32"
    assert told["resize"] == "none (28 × 28)"


def test_fewer_real_images_are_drawn_by_the_seed_and_stated(reals, tiny_pipeline, digits):
    found = [
        evaluate(tiny_pipeline, reals, extractor=digits, num_images=20, num_real=50, seed=seed, replicates=0)
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1] and found[0].provenance["real_images"] == 50
    assert found[0].provenance["real_sha256"] != found[2].provenance["real_sha256"]


def test_no_number_is_called_fid_but_inceptions(reals, tiny_pipeline):
    names = evaluate(tiny_pipeline, reals, extractor="fashion", num_images=20, replicates=0).scores
    assert set(names) == {"FD-fashion"}  # and no accuracy: its three classes are not the extractor's ten
    with pytest.raises(
        ValueError, match="fid is a distance in the features of inception, and no other .* 'digits' ask"
    ):
        evaluate(tiny_pipeline, reals, ("fid",), extractor="digits")
    another = Extractor("digits")
    another.name = "inception"  # of whatever weights
    with pytest.raises(ValueError, match="these weights are not known to be it .* called FD-inception"):
        evaluate(tiny_pipeline, reals, ("fid",), extractor=another)
    with pytest.raises(ValueError, match="extractor 'inception' needs weights"):
        evaluate(tiny_pipeline, reals, ("fid",))


# ------------------------------------------------------------------------------------- the same number, however it is had


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_the_number_does_not_depend_on_how_many_images_a_model_makes_at_a_time(reals, digits, batch_size):
    usual = evaluate("dcgan-mnist", reals, ("fd",), digits, 40, replicates=0, reference_scores=False).scores[
        "FD-digits"
    ]
    found = evaluate(
        "dcgan-mnist", reals, ("fd",), digits, 40, replicates=0, reference_scores=False, batch_size=batch_size
    )
    assert found.scores["FD-digits"] == pytest.approx(usual, rel=1e-6)


def test_an_interrupted_evaluation_goes_on_where_it_was_and_gives_the_same_number(
    reals, tiny_pipeline, digits, small_parts
):
    asked = {"extractor": digits, "num_images": 50, "seed": 77, "replicates": 0, "reference_scores": False}
    expected = evaluate(tiny_pipeline, reals, ("fd", "kid"), **asked)
    measured, whole = [], digits.outputs

    def counted(images):
        if len(measured) == 5:
            raise KeyboardInterrupt
        measured.append(len(images))
        return whole(images)

    digits.outputs = counted
    try:
        with pytest.raises(KeyboardInterrupt):
            evaluate(tiny_pipeline, reals, ("fd", "kid"), keep=True, **asked)
        assert len(measured) == 5
        measured[:] = [0, 0]  # three parts more, then it is cut off again
        with pytest.raises(KeyboardInterrupt):
            evaluate(tiny_pipeline, reals, ("fd", "kid"), keep=True, **asked)
        digits.outputs = whole
        resumed = evaluate(tiny_pipeline, reals, ("fd", "kid"), keep=True, **asked)
        digits.outputs = lambda images: pytest.fail("measured what was on the disk")
        again = evaluate(tiny_pipeline, reals, ("fd", "kid"), keep=True, **asked)
    finally:
        del digits.outputs
    assert resumed == expected == again


def test_a_kept_part_that_was_changed_is_measured_anew_and_others_images_are_never_taken_for_it(
    reals, digits, small_parts
):
    pictures = ImageSource.of_set(reals.take(np.arange(40)))
    expected = extract_features(pictures, digits, keep=True)
    shelf = FeatureCache(pictures, digits)
    kept = sorted(shelf.folder.glob("*.safetensors"))
    assert [path.name[:6] for path in kept] == ["000000", "000001", "000002"]
    data = bytearray(kept[1].read_bytes())
    data[-1] ^= 1
    kept[1].write_bytes(data)
    kept[2].write_bytes(kept[2].read_bytes()[:100])
    found = extract_features(pictures, digits, keep=True)
    assert torch.equal(found.features, expected.features) and torch.equal(found.logits, expected.logits)
    folders = {FeatureCache(ImageSource.of_set(reals.take(np.arange(count))), digits).folder for count in (39, 40)}
    wide, high = (ImageSource.of_set(ImageSet(np.zeros((4, *sides, 1), np.uint8))) for sides in ((28, 56), (56, 28)))
    assert wide.identity == high.identity and FeatureCache(wide, digits).folder != FeatureCache(high, digits).folder
    assert len(folders | {FeatureCache(pictures, Extractor("fashion")).folder}) == 3


def test_models_are_told_apart_by_their_weights_and_seeds(tiny_pipeline, tiny_rgb_pipeline):
    def identity(pipe, seed=0):
        return ImageSource.of_model(pipe, 3, seed).identity

    assert identity(tiny_pipeline) == identity(tiny_pipeline) != identity(tiny_pipeline, 1)
    assert identity(tiny_pipeline)["weights"] != identity(tiny_rgb_pipeline)["weights"]
    before = identity(tiny_pipeline)["weights"]
    parameter = next(tiny_pipeline.generator.parameters())
    kept = parameter.data.clone()
    try:
        parameter.data.flatten()[0] += 1e-6
        assert identity(tiny_pipeline)["weights"] != before
    finally:
        parameter.data.copy_(kept)


def test_two_processes_give_the_same_number_as_one(reals, tmp_path):
    """Through the command line under torchrun: features come together exactly, also where a process has no part."""
    np.savez(tmp_path / "reals.npz", images=reals.images, labels=reals.labels)
    asked = [
        "evaluate", "dcgan-mnist", "--data", str(tmp_path / "reals.npz"), "--extractor", "digits", "--num-images", "9",
        "--metrics", "fd,kid,accuracy", "--bootstrap", "10", "--no-cache", "--debug",
    ]  # fmt: skip
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    driver = str(ROOT / "tests/metrics/two_process_driver.py")
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)}
    reports = []
    for start in ([sys.executable], launch):
        out = tmp_path / f"{len(start)}.json"
        done = subprocess.run(
            [*start, driver, *asked, "--out", str(out)], capture_output=True, text=True, timeout=240, env=environment
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.count("FD-digits  ") == 1  # only the first process speaks
        assert f"{2 if start is launch else 1} process(es)" in done.stderr
        reports.append(json.loads(out.read_text()))
    assert reports[0] == reports[1]


# ---------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"metrics": ("fda",)}, "metric 'fda' is not allowed; choose from fid, fd, kid"),
        (
            {"metrics": ("auc",)},
            r"metric 'auc' needs held-out real images \(the data's test split; in Python also held_out=\)",
        ),
        (
            {"metrics": ("accuracy",)},
            "metric 'accuracy' needs classes that are, by name, those the extractor recognises",
        ),
        ({"metrics": ("intra-fd",)}, "metric 'intra-fd' needs the same classes on both sides, and 5 images of each"),
        ({"replicates": 1}, r"replicates=1 is not allowed; it is 0 \(no intervals\), or 2 and more"),
        ({"num_images": 0}, "num_images=0 is not allowed; it is a whole number from 1"),
        ({"num_real": 257}, "num_real=257 is not allowed; it is a whole number from 1 to 256"),
        ({"extractor": "no"}, "extractor 'no' is not allowed; choose one of digits, fashion"),
        ({"num_images": 1, "metrics": ("kid",)}, "metric 'kid' needs two images at least"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(reals, tiny_pipeline, asked, said):
    with pytest.raises(ValueError, match=said):
        evaluate(tiny_pipeline, reals, **({"extractor": "digits", "num_images": 5} | asked))


@pytest.mark.parametrize("kind", [np.int64, np.uint8, torch.tensor, np.array])
def test_numbers_are_numbers_whatever_library_made_them(reals, tiny_pipeline, digits, kind, tmp_path):
    asked = {"num_images": 6, "seed": 3, "num_real": 9, "batch_size": 2, "replicates": 2}
    plainly = evaluate(tiny_pipeline, reals, ("fd",), digits, **asked)
    found = evaluate(tiny_pipeline, reals, ("fd",), digits, keep=True, **{name: kind(n) for name, n in asked.items()})
    assert found == plainly and type(found.provenance["seed"]) is int
    found.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json").provenance["generated_images"] == 6


@pytest.mark.parametrize("name", ["num_images", "num_real", "batch_size", "replicates", "nearest_training_images"])
@pytest.mark.parametrize("value", [True, 2.0, "2", -1, np.float32(2), torch.tensor([1, 2]), [2]])
def test_what_is_no_whole_number_is_refused_by_its_name(reals, tiny_pipeline, digits, name, value):
    with pytest.raises(ValueError, match=f"{name}=.* is not allowed; it is a whole number from"):
        evaluate(tiny_pipeline, reals, ("fd",), digits, **{name: value})


def test_seeds_that_run_out_are_told_with_the_last_one(reals, tiny_pipeline, digits):
    with pytest.raises(ValueError, match="seed=4294967290 leaves no seeds for 10 images; the last one is 4294967295"):
        evaluate(tiny_pipeline, reals, ("fd",), digits, 10, seed=4294967290)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((3, 0, 0, 1), np.uint8), np.zeros((0, 28, 28, 1), np.uint8), np.zeros((3, 28, 28), np.uint8),
     np.zeros((3, 28, 28, 1)), np.zeros((3, 1, 28, 28), np.uint8)],
)  # fmt: skip
def test_images_of_another_kind_are_refused_in_a_sentence_on_either_side(reals, tiny_pipeline, digits, pixels):
    for pair in ((ImageSet(pixels), reals), (tiny_pipeline, ImageSet(pixels))):
        with pytest.raises(ValueError, match=r"images to be scored are uint8 \(N, H, W, C\)"):
            evaluate(*pair, ("fd",), digits, 5)


def test_a_device_that_is_not_here_is_told_with_those_that_are(reals, tiny_pipeline, digits):
    for device in ("gpu", "cuda:99", "meta", 1.5):
        with pytest.raises(ValueError, match="device .* choose cpu"):
            evaluate(tiny_pipeline, reals, ("fd",), digits, 5, device=device)
    named = evaluate(tiny_pipeline, reals, ("fd",), digits, 5, device=torch.device("cpu"), replicates=0)
    assert named == evaluate(tiny_pipeline, reals, ("fd",), digits, 5, replicates=0)


def test_one_scored_image_is_no_report_without_scores(reals, digits):
    with pytest.raises(ValueError, match="metric 'fd' needs two images at least on both sides"):
        evaluate(reals.take(np.arange(1)), ImageSet(reals.images), extractor=digits)


def test_a_test_split_of_one_image_is_no_floor_and_costs_no_score(reals, digits):
    found = evaluate(reals.take(np.arange(40)), reals, ("fd",), digits, held_out=reals.take(np.arange(1)), replicates=0)
    assert "FD-digits" in found.scores and list(found.reference_scores) == ["FD-digits of uniform noise"]


def test_a_score_that_is_no_number_makes_no_report(reals, digits, monkeypatch):
    broken = replace(SCORES["fd"], measure=lambda e: {"fd": Estimate(float("nan"))})
    monkeypatch.setitem(SCORES, "fd", broken)
    with pytest.raises(ArithmeticError, match="FD-digits is nan for these images: no report is made of it"):
        evaluate(reals, reals, ("fd",), digits)


def test_skipped_files_of_both_splits_of_a_folder_are_told(reals, digits, tmp_path):
    for split, broken in (("train", 2), ("test", 1)):
        (tmp_path / split).mkdir()
        for index, picture in enumerate(to_pil(reals.images[:20])):
            picture.save(tmp_path / split / f"{index}.png")
        for index in range(broken):
            (tmp_path / split / f"torn-{index}.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    found = evaluate(tmp_path, reals, ("fd",), digits, replicates=0)
    assert found.provenance["skipped"] == "3 scored files (3 truncated)"


def test_the_pictures_of_a_run_are_never_scored_as_images(reals, digits, tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints" / "step-000000006").mkdir(parents=True)
    (run / "checkpoints" / "step-000000006" / "state.json").write_text("{}")
    (run / "samples").mkdir()
    for name in ("samples.png", "plot.png", "samples/000000000384.png"):
        to_pil(reals.images[:1])[0].save(run / name)
    with pytest.raises(ValueError, match="a run without a model yet; `gan-hub export"):
        evaluate(run, reals, ("fd",), digits)
    (run / "export").mkdir()
    (run / "export" / "model_index.json").write_text('{"_class_name": "GANPipeline"}')
    with pytest.raises(ValueError, match="the folder of a run; give the model in it"):
        evaluate(run, reals, ("fd",), digits)


def test_arguments_and_attributes_of_the_last_release_keep_working(reals, tiny_pipeline, digits):
    usual = evaluate(tiny_pipeline, reals, ("fd",), digits, 20, held_out=reals, nearest_training_images=2)
    with pytest.warns(DeprecationWarning, match=r"at_risk= of evaluate\(\) is nearest_training_images= now"):
        old = evaluate(tiny_pipeline, reals, ("fd",), digits, 20, held_out=reals, at_risk=2, together=False)
    assert old == usual and old.at_risk.seeds == usual.nearest_training_images.seeds
    assert old.scales == usual.reference_scores != {}
    with pytest.warns(DeprecationWarning):
        assert evaluate(tiny_pipeline, reals, ("fd",), digits, 20, scales=False).reference_scores == {}
    with pytest.raises(TypeError, match="takes reference_scores= or its old name scales=, not both"):
        evaluate(tiny_pipeline, reals, ("fd",), digits, 20, scales=False, reference_scores=True)
    with pytest.warns(DeprecationWarning, match=r"together= of ProcessGroup\(\) is distributed= now"):
        assert ProcessGroup(together=False).first


def test_no_score_depends_on_the_default_dtype_of_torch(reals, tiny_pipeline, digits):
    asked = (("fd", "memorised"), digits, 20)
    usual = evaluate(tiny_pipeline, reals, *asked, held_out=reals, replicates=3)
    torch.set_default_dtype(torch.float64)
    try:
        assert evaluate(tiny_pipeline, reals, *asked, held_out=reals, replicates=3) == usual
    finally:
        torch.set_default_dtype(torch.float32)


def test_data_without_an_extractor_of_its_own_are_measured_by_the_shipped_mobilenet(tiny_pipeline, reals, tmp_path):
    few = reals.take(np.arange(12))
    report = evaluate(tiny_pipeline, few, num_images=4, replicates=0, reference_scores=False)
    assert list(report.scores) == ["FD-mobilenet-v2"] and math.isfinite(report.scores["FD-mobilenet-v2"])
    copy = shutil.copy(path_of("mobilenet-v2"), tmp_path / "net.safetensors")
    given = evaluate(
        tiny_pipeline, few, extractor="mobilenet-v2", weights=copy, num_images=4, replicates=0, reference_scores=False
    )
    assert given == report and compare(given, report)[0].first == report.scores["FD-mobilenet-v2"]  # to the bit
    assert report.provenance["extractor_sha256"] == PRETRAINED["mobilenet-v2"].sha256


def test_features_by_the_shipped_network_serve_whoever_gives_the_same_file_and_no_other(tmp_path):
    images = ImageSource.of_set(ImageSet(np.zeros((3, 8, 8, 3), np.uint8), None, None))
    shipped = FeatureCache(images, Extractor("mobilenet-v2"))
    copy = shutil.copy(path_of("mobilenet-v2"), tmp_path / "net.safetensors")
    assert FeatureCache(images, Extractor("mobilenet-v2", copy)).folder == shipped.folder
    other = load_file(copy)
    del other["check.feature"]
    save_file({name: 0.5 * tensor for name, tensor in other.items()}, copy)
    assert FeatureCache(images, Extractor("mobilenet-v2", copy)).folder != shipped.folder


def test_images_without_a_model_need_their_size(tmp_path):
    with pytest.raises(ValueError, match="need resolution=, the pixels that both sides are brought to"):
        (tmp_path / "pictures").mkdir()
        made = Extractor("digits")
        made.name = "another"
        evaluate(tmp_path / "pictures", str(tmp_path), extractor=made)


def test_every_need_is_some_scores(reals):
    assert {need for score in SCORES.values() for need in score.needs} == NEEDS.keys()


def test_real_images_that_lie_on_the_disk_have_the_same_moments(reals, tmp_path, digits):
    np.save(tmp_path / "images.npy", np.tile(reals.images, (3, 1, 1, 1)))
    disk = ImageSet(np.load(tmp_path / "images.npy", mmap_mode="r"), memory_bytes=1000).take(np.arange(767, -1, -1))
    expected = moments(digits.features(from_uint8(np.tile(reals.images, (3, 1, 1, 1))[::-1])))
    for found in (real_moments(disk, digits), real_moments(ImageSet(np.asarray(disk.images)), digits)):
        for ours, theirs in zip(found, expected):
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    assert isinstance(disk.images, LazyRows)
