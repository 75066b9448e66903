"""What every test may use: no network, no telemetry, a cache of its own, and tiny real models."""

import os
import shutil
import tempfile
from collections import Counter

# huggingface_hub reads these when it is imported, so they come before everything that may import it.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="gan_hub-tests-")
os.environ["GAN_HUB_CACHE"] = os.path.join(os.environ["HF_HOME"], "decoded")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GAN_HUB_ENGINE"] = "plain"  # the page's pictures are compared bit for bit, and cores are few
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny networks gain nothing from a second thread
for name in ("HF_ENDPOINT", "HF_TOKEN", "GAN_HUB_DATA"):
    os.environ.pop(name, None)

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402

from gan_hub.model_folder.concepts import Concept, Effect  # noqa: E402
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator  # noqa: E402
from gan_hub.pipeline import Calibration, GANPipeline  # noqa: E402
from tests.browser import browser  # noqa: E402, F401  # a fixture

LABEL_NAMES = ("circle", "square", "star")

# Tests that make one claim many times over, by several processes, or for minutes: how many of their cases run by default. The
# others are marked as slow: `make test-all` and CI run them, too.
BULK = {
    "tests/test_imports.py::test_no_large_library_is_imported_under_the_eyes_of_the_collector": 1,
    "tests/demo/test_file_to_page.py::test_a_pickle_of_nvidias_program_is_played_with_after_two_commands": 0,
    "tests/demo/test_game_secrecy.py::test_a_bot_that_reads_everything_but_the_pixels_is_right_in_at_most_55_percent": 0,
    "tests/demo/test_plane.py::test_what_is_made_ill_is_ill_and_the_cure_cures_it": 0,
    "tests/demo/test_manners.py::test_after_four_quick_picks_all_of_the_page_shows_the_last_one": 1,
    "tests/demo/test_walk.py::test_every_tab_is_whole": 4,
    "tests/demo/test_sanitize.py::test_a_hostile_model_makes_no_browser_call_another_server": 0,
    "tests/engines/test_networks.py::test_a_bundled_model_draws_its_own_pictures_to_one_level": 4,
    "tests/engines/test_networks.py::test_every_architecture_draws_its_own_pictures_to_one_level": 6,
    "tests/foreign/test_reader.py::test_a_bomb_ends_in_one_sentence": 12,
    "tests/foreign/test_reader.py::test_a_payload_is_not_run": 24,
    "tests/foreign/test_reader.py::test_a_thousand_damaged_files_are_read_or_refused": 4,
    "tests/hub/test_before_training.py::test_a_run_that_could_not_be_published_does_not_begin": 1,
    "tests/hub/test_faults.py::test_a_push_that_fails_ends_in_one_sentence_and_the_next_one_succeeds": 8,
    "tests/hub/test_faults.py::test_with_an_empty_cache_a_load_ends_in_the_right_weights_or_one_sentence": 16,
    "tests/hub/test_resolve.py::test_half_a_download_is_refused_and_the_next_one_succeeds": 1,
    "tests/hub/test_upload.py::test_a_damaged_manifest_on_the_hub_is_told_and_written_anew": 2,
    "tests/hub/test_upload.py::test_pushes_of_the_variants_of_one_model_leave_each_other_alone": 2,
    "tests/hub/test_resolve.py::test_a_hub_that_hangs_is_waited_for_a_bounded_time": 1,
    "tests/metrics/test_evaluation.py::test_numbers_are_numbers_whatever_library_made_them": 1,
    "tests/metrics/test_evaluation.py::test_two_processes_give_the_same_number_as_one": 0,
    "tests/model_folder/test_strict.py::test_every_mutated_file_is_refused_by_name_or_loads_bit_identical": 0,
    "tests/exporting/test_onnx.py::test_a_bundled_model_draws_its_pictures_from_its_onnx_files_with_its_licence_inside": 1,
    "tests/exporting/test_onnx.py::test_every_architecture_is_exported_with_its_discriminator": 0,
    "tests/exporting/test_web.py::test_a_page_without_a_server_draws_the_librarys_pictures_and_asks_no_other_host": 1,
    "tests/models/test_export.py::test_a_compiled_network_is_one_graph_with_the_same_numbers": 4,
    "tests/models/test_export.py::test_an_onnx_file_computes_the_same_numbers_for_any_batch": 4,
    "tests/test_blocks.py::test_a_published_model_draws_blocks_with_the_bits_of_images_drawn_alone": 15,
    "tests/test_blocks.py::test_every_architecture_draws_blocks_with_the_bits_of_images_drawn_alone": 11,
    "tests/test_console.py::test_commands_print_in_any_locale": 2,
    "tests/test_inversion.py::test_a_published_model_finds_its_own_picture_again": 0,
    "tests/test_numbers.py::test_many_small_images_take_little_more_memory_than_what_is_returned": 0,
    "tests/test_pipeline.py::test_saved_and_loaded_in_a_fresh_process_it_is_bit_equal": 1,
    "tests/test_ring.py::test_the_recommended_game_hits_all_modes_with_every_seed": 0,
    "tests/test_ring.py::test_the_recommended_game_raises_no_alarm": 0,
    "tests/test_ring.py::test_the_vanilla_game_misses_modes_with_most_seeds": 0,
    "tests/test_torch_defaults.py::test_every_architecture_gives_the_same_numbers_whatever_the_defaults_of_torch": 8,
    "tests/test_wrapped_networks.py::test_a_wrapped_network_keeps_its_kind": 2,
    "tests/test_wrapped_networks.py::test_scores_and_directions_see_the_network_inside": 2,
    "tests/training/test_disk.py::test_a_disk_full_at_any_size_leaves_the_last_checkpoint_whole": 6,
    "tests/training/test_exact.py::test_a_run_stopped_anywhere_and_resumed_is_the_unbroken_one_bit_for_bit": 2,
    "tests/training/test_initial.py::test_another_network_is_refused_in_one_sentence": 1,
    "tests/training/test_launching.py::test_accumulated_gradients_are_refused_where_the_launcher_is_asked_for_them": 0,
    "tests/training/test_moments.py::test_a_run_stopped_anywhere_and_resumed_is_the_unbroken_one_bit_for_bit": 1,
    "tests/training/test_moments.py::test_two_processes_compare_all_images_with_all_as_one_does": 0,
    "tests/training/test_processes.py::test_a_batch_that_cannot_be_shared_equally_is_refused_before_anything_else": 0,
    "tests/training/test_processes.py::test_processes_without_a_common_disk_are_told_so_before_they_train": 0,
    "tests/training/test_processes.py::test_sigterm_to_the_launcher_of_two_stops_both_after_a_checkpoint": 0,
    "tests/training/test_processes.py::test_two_processes_end_with_the_weights_of_one": 1,
    "tests/training/test_processes.py::test_two_processes_resume_bit_for_bit": 0,
    "tests/training/test_processes.py::test_two_processes_share_one_lock_and_both_tell_a_second_run_who_holds_it": 0,
    "tests/training/test_processes.py::test_when_one_process_dies_the_other_says_so_and_ends_within_seconds": 1,
    "tests/training/test_resume.py::test_another_configuration_other_data_or_no_resume_are_refused_in_a_sentence": 0,
    "tests/training/test_resume.py::test_sigterm_to_accelerates_launcher_ends_the_run_as_well_and_leaves_no_orphan": 0,
    "tests/training/test_stopping.py::test_a_terminal_that_is_closed_ends_the_run_saved_or_not_at_all": 1,
    "tests/training/test_run.py::test_a_nan_in_the_average_or_a_buffer_is_not_checkpointed_and_no_good_checkpoint_is_pruned": 4,
    "tests/training/test_run_files.py::test_a_resume_that_meets_a_full_disk_loses_no_line": 1,
    "tests/training/test_run_lock.py::test_two_runs_of_one_name_do_not_mix_the_second_is_told_by_whom": 1,
    "tests/training/test_waits.py::test_a_step_waits_for_its_device_once": 8,
    "tests/training/test_waits.py::test_no_architecture_makes_a_step_wait_again": 3,
}

# Cases of the slow lane that say the same of more seeds, models and moments: `make nightly` alone runs them.
NIGHTLY = {
    f"tests/{name}"
    for name in (
        "demo/test_manners.py::test_after_four_quick_picks_all_of_the_page_shows_the_last_one[18]",
        "demo/test_plane.py::test_what_is_made_ill_is_ill_and_the_cure_cures_it[1-collapse]",
        "demo/test_plane.py::test_what_is_made_ill_is_ill_and_the_cure_cures_it[1-imbalance]",
        "test_inversion.py::test_a_published_model_finds_its_own_picture_again[r3gan-avatars-64]",
        "test_inversion.py::test_a_published_model_finds_its_own_picture_again[r3gan-cifar10-32]",
        "test_inversion.py::test_a_published_model_finds_its_own_picture_again[r3gan-emoji-64]",
        "training/test_resume.py::test_kills_wherever_they_fall_end_bit_equal[150 and more]",
    )
}


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items):
    if "NIGHTLY" not in os.environ:
        items[:] = [item for item in items if item.nodeid not in NIGHTLY]
    cases = Counter()
    for item in items:
        name = item.nodeid.partition("[")[0]
        cases[name] += 1
        if name in BULK and cases[name] > BULK[name]:
            item.add_marker(pytest.mark.slow)


def pytest_sessionfinish():
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


def lively(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Weights and running statistics large enough that seeds, classes and images can be told apart; in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.is_floating_point():
            tensor.normal_(1.0 if name.endswith("scale") else 0.0, 0.15, generator=generator)
    return model.eval()


def make_pipeline(num_classes: int, resolution: int, channels: int, seed: int = 0) -> GANPipeline:
    """A DCGAN of a few thousand weights with its discriminator and a made-up calibration."""
    shape = dict(resolution=resolution, channels=channels, num_classes=num_classes, base_channels=4)
    return GANPipeline(
        lively(DCGANGenerator(**shape, latent_size=8), seed),
        lively(DCGANDiscriminator(**shape, norm="none", minibatch_stddev=True), seed + 1),
        label_names=LABEL_NAMES[:num_classes] or None,
        calibration=Calibration(scale=0.8, bias=-0.2, auc=0.7, error=0.05, images=100),
    )


def made_concept(name: str, size: int, seed: int = 0, space: str = "z") -> Concept:
    """A random direction with made-up exemplars and a made-up effect."""
    direction = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    effect = Effect("ink", (-1, 0, 1), (0.25, 0.5, 0.625), deviation=0.125, right=0.75, seeds="100-199", images=100)
    return Concept(name, direction, space, (1, 2, 3), (4, 5, 6, 2**32 - 1), "made up", effect)


@pytest.fixture(scope="session")
def tiny_pipeline() -> GANPipeline:
    """Class-conditional, 28 × 28 × 1, three classes. Shared: do not change it."""
    return make_pipeline(3, 28, 1)


@pytest.fixture(scope="session")
def tiny_rgb_pipeline() -> GANPipeline:
    """Unconditional, 32 × 32 × 3. Shared: do not change it."""
    return make_pipeline(0, 32, 3)


@pytest.fixture(scope="session")
def tiny_model(tiny_pipeline, tmp_path_factory) -> Path:
    """A folder with `tiny_pipeline`, in float32 and as variant fp16. Shared: do not change it."""
    return saved(tiny_pipeline, tmp_path_factory.mktemp("tiny") / "tiny-gan")


@pytest.fixture(scope="session")
def tiny_rgb_model(tiny_rgb_pipeline, tmp_path_factory) -> Path:
    """A folder with `tiny_rgb_pipeline`, in float32 and as variant fp16. Shared: do not change it."""
    return saved(tiny_rgb_pipeline, tmp_path_factory.mktemp("tiny") / "tiny-rgb-gan")


@pytest.fixture
def tiny_model_copy(tiny_model, tmp_path) -> Path:
    """An own copy of `tiny_model`, to be damaged at will."""
    return Path(shutil.copytree(tiny_model, tmp_path / "tiny-gan"))


def saved(pipeline: GANPipeline, folder: Path) -> Path:
    pipeline.save_pretrained(folder)
    pipeline.save_pretrained(folder, variant="fp16")
    return folder
