"""A finished run as a model folder for the Hub: weights, judge, samples, real images that may be shipped, card."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
import torch
from tqdm import tqdm

from gan_hub.atomic import atomic_folder, write_text
from gan_hub.data import NAMED_DATASETS, ImageSet
from gan_hub.hub.cards import (
    NOT_FOR,
    SCORES_NAME,
    UNDESCRIBED,
    CardFacts,
    CardScores,
    write_card,
)
from gan_hub.hub.lint import lint
from gan_hub.hub.nearest_images import NearestTrainingImages
from gan_hub.hub.score_names import score_key
from gan_hub.images import from_uint8, height_width
from gan_hub.losses import moment_matching_generator
from gan_hub.metrics.calibration import calibrate
from gan_hub.metrics.card_scores import evaluate_command
from gan_hub.metrics.evaluation import Report
from gan_hub.metrics.feature_cache import ImageSource
from gan_hub.metrics.features import BY_FILE, is_bundled_file
from gan_hub.metrics.memorization import nearest_copies_in_pixels
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.files import LOG_NAME, RECIPE_NAME, TIMELAPSE_NAME
from gan_hub.model_folder.strict import write_json
from gan_hub.pipeline import Calibration, GANPipeline
from gan_hub.training.architecture_rules import sees_features
from gan_hub.training.best_checkpoint import Best
from gan_hub.training.config import TrainConfig, public_name, recipe_of
from gan_hub.training.evaluator import SCORED_TOGETHER, final_seed
from gan_hub.training.flops import describe_cost, flops_per_image
from gan_hub.training.recipes import PUBLISHED
from gan_hub.training.run_files import PLOT_NAME, SAMPLES_NAME, sample_grid
from gan_hub.training.snapshot import RunSnapshot
from gan_hub.version import full_version

EXPORT_NAME = "export"
MAX_CARD_SCORES = 10  # of the curve, in the card
SEARCHED_IMAGES = 1000  # generated images that are compared with the training images where no score drew any


def export(run: RunSnapshot, folder: Path) -> None:
    """Write the model of a run at one moment; an earlier export in `folder` is replaced once the new one is complete."""
    pipeline = GANPipeline(*run.networks, **run.data.names)
    pipeline.to(run.device)  # which draws thousands of images for the judge and the scores
    if pipeline.discriminator is not None:
        pipeline.calibration = calibrate(pipeline, run.data.held_out, final_seed(run.config), trained=run.data.train)
    report = run.scorer and run.scorer.score(pipeline, final=True)
    nearest = nearest_copies(run, pipeline, report)
    pipeline.to("cpu")  # reference images are those of a CPU
    with atomic_folder(folder) as fresh:
        _write(fresh, run, pipeline, report, nearest)
    for sentence in lint(folder):
        tqdm.write(f"before it is published: {sentence}")


def _write(
    fresh: Path, run: RunSnapshot, pipeline: GANPipeline, report: Report | None, nearest: NearestTrainingImages
) -> None:
    """Write all files of an export, the card last."""
    config, shipped = run.config, run.data.real_samples
    pipeline.save_pretrained(fresh)
    pipeline.save_pretrained(fresh, variant="fp16")
    sample_grid(pipeline).save(fresh / SAMPLES_NAME)
    run.timelapse.write(fresh / TIMELAPSE_NAME)
    run.records.copy_to(fresh / LOG_NAME)
    run.records.plot(fresh / PLOT_NAME)
    write_text(fresh / RECIPE_NAME, portable(config).to_yaml())
    run.data.split(config).write(fresh)
    if shipped is not None:
        labels = None if shipped.labels is None else shipped.labels.tolist()
        real_samples.write(fresh, np.asarray(shipped.images), labels, run.data.notice)
    facts = card_facts(run, pipeline, report, nearest.write(fresh, config.pictures_may_be_shown), nearest.repeated)
    if report is not None:
        write_json(fresh / SCORES_NAME, facts.scored.to_dict())
    write_card(fresh, facts, has_judge=pipeline.discriminator is not None)


def nearest_copies(run: RunSnapshot, pipeline: GANPipeline, report: Report | None) -> NearestTrainingImages:
    """The generated images that are nearest to a training image.

    Args:
        run: with the images that were trained on and held out.
        pipeline: the model that is exported.
        report: its scores, which may have them, by features; None or without them, they are searched for by pixels.

    Returns:
        the images, with the training image nearest to each.
    """
    if report is not None and report.nearest_training_images is not None:
        return report.nearest_training_images
    train, held_out, count = run.data.train, run.data.held_out, min(run.config.evaluate_images, SEARCHED_IMAGES)
    images = ImageSource.of_model(pipeline, count, final_seed(run.config), SCORED_TOGETHER, train.maps)
    return nearest_copies_in_pixels(images, train, held_out, final_seed(run.config))


def portable(config: TrainConfig) -> TrainConfig:
    """The configuration without the paths of one machine: of the run, its data, its extractor."""
    data, shipped = config.data, config.real_samples
    return replace(
        config,
        output="runs",
        data=public_name(data),
        extractor_weights=_portable_weights(config),
        initial="your-model" if config.initial and Path(config.initial).is_dir() else config.initial,
        real_samples=public_name(shipped) if shipped and not shipped.startswith(PUBLISHED) else shipped,
    )


def _portable_weights(config: TrainConfig) -> str:
    """The extractor's weights for other machines: a Hub id as it is, a placeholder for a file that they do not have."""
    name, weights = config.extractor, config.extractor_weights
    if not weights or (weights == public_name(weights) and not weights.endswith(".safetensors")):
        return weights
    if is_bundled_file(name, weights):
        return ""
    return f"your-{name}.safetensors" if name in BY_FILE else ""  # of a Hub model, the id alone says where they are


def held_out_discrepancy(pipeline: GANPipeline, held_out: ImageSet) -> float:
    """√MMD² between 1,000 held-out images and 1,000 fakes of the same labels, for a model without a discriminator."""
    chosen = held_out.take(np.arange(min(1000, len(held_out))))
    labels = None if chosen.labels is None else torch.from_numpy(chosen.labels)
    fakes = pipeline(
        num_images=len(chosen), seed=0, labels=None if labels is None else labels.tolist(), output_type="pt"
    ).images
    both = None if labels is None else (labels, labels)
    return moment_matching_generator(torch.as_tensor(fakes).cpu(), from_uint8(np.asarray(chosen.images)), both).item()


def card_facts(
    run: RunSnapshot, pipeline: GANPipeline, report: Report | None, memorization: str, repeated: int = 0
) -> CardFacts:
    """What the card says, from the run's own numbers.

    Args:
        run: the run at the moment of the export.
        pipeline: the model that is exported.
        report: its scores; None where nothing was scored.
        memorization: the section on the images nearest to training images, as `NearestTrainingImages.write` returns it.
        repeated: the number of held-out images that are near duplicates of training images.

    Returns:
        the facts that `write_card` takes.
    """
    config, calibration = run.config, pipeline.calibration
    if calibration is None:
        measured: dict[str, Any] = {"held-out images": min(1000, len(run.data.held_out))}
        own = {"root MMD² (held out)": held_out_discrepancy(pipeline, run.data.held_out)}
    else:
        own = {"discriminator AUC (held out)": calibration.auc}
        measured = {"held-out images of the judge": calibration.images}
    public = public_name(config.data) == config.data
    dataset = config.data if public else Path(config.data).name
    hub_id = NAMED_DATASETS[config.data].hub_id if config.data in NAMED_DATASETS else config.data
    return CardFacts(
        name=config.name,
        architecture=config.architecture,
        license=config.license,
        dataset_name=dataset,
        dataset_id=hub_id if public else None,
        summary=_summary(config, pipeline, dataset),
        samples=SAMPLES_NAME,
        caption="Seeds 0, 1, 2, … row by row"
        + (", each right of its map" if pipeline.segmentations is not None else "")
        + (f", one column a class: {', '.join(pipeline.label_names)}." if pipeline.label_names else "."),
        example_label=pipeline.label_names[-1] if pipeline.label_names else None,
        seen=config.seen or UNDESCRIBED,
        scored=_scored(run, pipeline, report, own, measured),
        judge=_judge(calibration, pipeline, repeated),
        memorization=memorization,
        training=_training(run),
        recipe=recipe_of(config),
        data=_data(config, dataset, run.data.notice) + "\n\n" + _limits(calibration),
        not_for=config.not_for.strip() or NOT_FOR,
        goals=config.goals.strip(),
        concepts="",  # discovered later, in the finished model; `gan-hub evaluate --card` adds them
    )


def _limits(calibration: Calibration | None) -> str:
    judge = " The judge knows this generator only: it was fitted on its images, and says little about those of others."
    images = "The images are small and show what the training set shows, its gaps and habits included."
    return images + (judge if calibration else "")


def _scored(
    run: RunSnapshot, pipeline: GANPipeline, report: Report | None, own: dict[str, float], measured: dict[str, Any]
) -> CardScores:
    """The numbers of the card, with the command that measures them again."""
    if report is None:
        return CardScores(own, measured)
    command = command_of_card(run, pipeline, report)
    return CardScores(report.scores | own, report.provenance, report.intervals, report.reference_scores, command)


def command_of_card(run: RunSnapshot, pipeline: GANPipeline, report: Report) -> str:
    """The command that measures every number of the card again.

    Args:
        run: its data must be public, and no image of them left out.
        pipeline: the model, which must have a discriminator: √MMD² of one without is no score of the command.
        report: the scores to measure again.

    Returns:
        a `gan-hub evaluate` line; "" where no command measures exactly the same.
    """
    config = run.config
    if config.data not in NAMED_DATASETS or run.data.left_out or pipeline.calibration is None:
        return ""
    recognised = any(score_key(name) == "accuracy" for name in report.scores)
    options = {
        "metrics": "fd,accuracy,auc" if recognised else "fd,auc",
        "extractor": config.extractor,
        "weights": _portable_weights(config),
        "num_images": report.provenance["generated_images"],
        "seed": report.provenance["seed"],
        "batch_size": SCORED_TOGETHER,
    }
    return evaluate_command(config.name, config.data, {name: value for name, value in options.items() if value != ""})


def _summary(config: TrainConfig, pipeline: GANPipeline, dataset: str) -> str:
    kind = "A map-conditional" if config.takes_maps else "An unconditional"
    kind = "A class-conditional" if config.conditional else kind
    architecture = type(pipeline.unwrapped_generator).__name__.removesuffix("Generator")
    colors = {1: "grey", 2: "grey with opacity", 3: "RGB", 4: "RGB with opacity"}[config.channels]
    height, width = height_width(config.resolution)
    size = sum(parameter.numel() for parameter in pipeline.generator.parameters()) / 1e6
    second = "without a discriminator" if pipeline.discriminator is None else "with its discriminator"
    return (
        f"{kind} {architecture} that draws {dataset} images of {width} × {height} "
        f"pixels ({colors}), {second}. Generator: {size:.2f} M parameters, latent size {pipeline.latent_size}."
    )


def _judge(calibration: Calibration | None, pipeline: GANPipeline, repeated: int) -> str:
    if calibration is None:
        return "There is none: this generator had no opponent, and was trained to match the moments of the data."
    labelled = " Both were given their class." if pipeline.label_names else ""
    if repeated:
        labelled += (
            f" Of the held-out images {repeated:,} show a picture that was also trained on (near duplicates): of new pictures "
            "it may be less sure."
        )
    return (
        f"Against its own generator, on {calibration.images:,} images neither player was trained on (half of them real), the "
        f"discriminator's held-out AUC is **{calibration.auc:.3f}** (0.5: a coin; 1: never wrong).{labelled} After fitting "
        f"scale and bias on as many others, its probabilities are off by {100 * calibration.error:.1f} percentage points "
        "on average (expected calibration error, 15 bins)."
    )


def _training(run: RunSnapshot) -> str:
    config, spent, alarms = run.config, run.elapsed, len(run.records.alarms)
    watched = {"off": "The monitors were off."}.get(
        config.alarms, f"The monitors raised {alarms} alarm(s); log.jsonl has their words." if alarms else
        "The monitors (collapse, imbalance, divergence, memorising) raised no alarm."
    )  # fmt: skip
    notes = "".join(f" The run {note}" for note in run.records.notes)
    return (
        f"{run.images / 1000:,.0f} thousand images in batches of {config.batch_size}, seed "
        f"{config.seed}, {config.precision}: {spent['seconds'] / 60:.0f} minutes by the clock, "
        f"{spent['cpu_seconds'] / 60:.0f} minutes of CPU time, scoring included, with {run.processes} "
        f"process(es) on {run.hardware}. gan_hub {full_version()}, torch {torch.__version__}, "
        f"accelerate {accelerate.__version__}. {watched}{notes}{_sight(config)}\n\n{_cost(run)}"
        + _course(run)
        + (
            f"\n\n![The same latents from the first step to the last]({TIMELAPSE_NAME})"
            if run.timelapse.frames()
            else ""
        )
    )


def _sight(config: TrainConfig) -> str:
    """Through which frozen network the discriminator saw, since scores in its features would flatter."""
    if not sees_features(config):
        return ""
    network = config.discriminator.get("features", "squeezenet")  # an own architecture may have it by default
    pixels = " and, beside that, their pixels" if config.discriminator.get("pixels", True) else ""
    return (
        f" The discriminator saw the images through a frozen {network}{pixels}; scores in the features of that network would "
        "flatter, and none is given."
    )


def _cost(run: RunSnapshot) -> str:
    """The operations of the run, and an estimate of the time they take on a consumer GPU."""
    return describe_cost(run.images * flops_per_image(run.config, run.data.classes, run.data.train))


def _course(run: RunSnapshot) -> str:
    """The Fréchet distance over time, and which weights are published; "" without scores."""
    best = run.best
    if best is None:
        last = "The published weights are the last: there was no score to choose by."
        return f"\n\n{last}" if run.config.publish == "best" else ""
    points = run.records.points(f"score/{best.name}")
    if len(points) < 2:
        return ""
    last, count = len(points) - 1, min(len(points), MAX_CARD_SCORES)
    listed = [points[round(place * last / (count - 1))] for place in range(count)]
    some = "" if len(listed) == len(points) else f", {len(listed)} of {len(points)} scores"
    times, values = ", ".join(f"{kimg:g}" for kimg, _ in listed), ", ".join(f"{value:.3g}" for _, value in listed)
    return f"\n\n{best.name} at {times} kimg: {values} (the curve is in `{PLOT_NAME}`{some}). {_which(run.config, best, points)}"


def _which(config: TrainConfig, best: Best, points: list[tuple[float, float]]) -> str:
    """Which weights were published; with both figures where the best are others than the last."""
    end, last = points[-1]
    if best.images / 1000 == end:
        return "The published weights are the last, which were also the best."
    flattery = f"The best is the minimum of {len(points)} noisy scores: it flatters."
    if config.publish == "best":
        return (
            f"The published weights are the best by this score, of {best.images / 1000:g} kimg ({best.score:.3f}), not the "
            f"last, of {end:g} kimg ({last:.3f}). {flattery} The score above is of other seeds."
        )
    return (
        f"The published weights are the last ({last:.3f}); those of {best.images / 1000:g} kimg were better by this score "
        f"({best.score:.3f}). {flattery}"
    )


def _data(config: TrainConfig, dataset: str, notice: str) -> str:
    text = f"Trained on {dataset}" + (f", licence {config.data_license}." if config.data_license else ".")
    text += f" The weights are published under {config.license}."
    if config.real_samples:
        text += " `real_samples.png` holds real images for the game that neither player was trained on: "
        text += notice.splitlines()[0]
    if config.takes_maps:
        held_out = f"up to {config.example_maps} maps of the data that were held out"
        shipped = f"the example maps of {config.shipped_maps}, none of the data's" if config.shipped_maps else held_out
        text += f" `segmentations.safetensors` holds {shipped}."
    return text
