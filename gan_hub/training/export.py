"""From a finished run to a Hub-ready folder: weights, judge, samples, real images that may be shipped, card."""

import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path

import accelerate
import numpy as np
import torch

import gan_hub
from gan_hub import real_samples
from gan_hub.data import NAMED, ImageSet
from gan_hub.hub.cards import SCORES_NAME, CardFacts, Scored, write_card
from gan_hub.images import from_uint8, height_width
from gan_hub.loading import write_json
from gan_hub.losses import moment_matching_generator
from gan_hub.metrics.calibration import calibrate
from gan_hub.metrics.evaluation import Report, real_moments
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.frechet import frechet_distance, moments
from gan_hub.pipeline import Calibration, GANPipeline
from gan_hub.training.config import TrainConfig
from gan_hub.training.records import LOG_NAME, PLOT_NAME, SAMPLES_NAME, TIMELAPSE_NAME, sample_grid
from gan_hub.training.run import Run


def finish(run: Run) -> Path:
    """Ends a run on all processes: scores, calibrates and exports on the first; returns the folder."""
    run.bar.close()
    folder = run.config.run_folder / "export"
    if run.accelerator.is_main_process:
        run.records.plot()
        export_run(run, folder)
    run.accelerator.wait_for_everyone()
    run.accelerator.end_training()
    return folder


def export_run(run: Run, folder: Path) -> None:
    """Writes `folder` anew at a run's end; an older export is replaced only by a complete one."""
    config = run.config
    pipeline = GANPipeline(*run.players.published(), **run.data.names)
    if pipeline.discriminator is not None:
        pipeline.calibration = calibrate(pipeline, run.data.held_out, config.seed)
    report = run.report or (run.extractor and run.score())  # scored in the last step, or resumed after it
    scales = {} if report is None else reference_scales(run.extractor, run.reals, run.data.held_out)

    fresh = folder.with_name(f".{folder.name}-unfinished")
    shutil.rmtree(fresh, ignore_errors=True)
    pipeline.save_pretrained(fresh)
    pipeline.save_pretrained(fresh, variant="fp16")
    sample_grid(pipeline).save(fresh / SAMPLES_NAME)
    run.timelapse.write(fresh / TIMELAPSE_NAME)
    for name in (LOG_NAME, PLOT_NAME):
        shutil.copyfile(config.run_folder / name, fresh / name)
    (fresh / "recipe.yaml").write_text(portable(config).to_yaml(), encoding="utf-8")
    if run.data.real_samples is not None:
        chosen = run.data.real_samples
        labels = None if chosen.labels is None else chosen.labels.tolist()
        real_samples.write(fresh, chosen.images, labels, config.real_samples_notice.strip())
    if report is not None:
        write_json(fresh / SCORES_NAME, report.to_dict() | {"scales": scales})
    write_card(fresh, facts(run, pipeline, report, scales), judges=pipeline.discriminator is not None)
    old = folder.with_name(f".{folder.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def portable(config: TrainConfig) -> TrainConfig:
    """The configuration without what belongs to one machine: folders of the run, where the data lay."""
    data, shipped = config.data, config.real_samples
    return replace(
        config,
        output="runs",
        data=data if _is_public(data) else "your-data",
        real_samples=shipped if shipped in NAMED or shipped.startswith("model_cards/") else "",
    )


def _is_public(data: str) -> bool:
    return data in NAMED or (data.count("/") == 1 and not Path(data).exists())


def reference_scales(extractor: Extractor, reals, held_out: ImageSet) -> dict[str, float]:
    """The same distance for real held-out images (the floor) and for uniform noise (the ceiling), for scale."""
    noise = (
        torch.rand(2000, *from_uint8(held_out.images[:1]).shape[1:], generator=torch.Generator().manual_seed(0)) * 2 - 1
    )
    return {
        f"FD-{extractor.name} of {len(held_out):,} held-out real images": frechet_distance(
            real_moments(held_out, extractor), reals
        ),
        f"FD-{extractor.name} of uniform noise": frechet_distance(moments(extractor.features(noise)), reals),
    }


def held_out_discrepancy(pipeline: GANPipeline, held_out: ImageSet) -> float:
    """√MMD² between 1,000 held-out images and as many fakes of their labels: what a generator that played alone learnt."""
    chosen = held_out.take(np.arange(min(1000, len(held_out))))
    labels = None if chosen.labels is None else torch.from_numpy(chosen.labels)
    fakes = pipeline(
        num_images=len(chosen), seed=0, labels=None if labels is None else labels.tolist(), output_type="pt"
    ).images
    both = None if labels is None else (labels, labels)
    return moment_matching_generator(fakes.cpu(), from_uint8(chosen.images), both).item()


def facts(run: Run, pipeline: GANPipeline, report: Report | None, scales: dict[str, float]) -> CardFacts:
    """What the card says, from the run's own numbers."""
    config, calibration = run.config, pipeline.calibration
    if calibration is None:
        own = {"root MMD² (held out)": held_out_discrepancy(pipeline, run.data.held_out)}
        measured = {"held-out images": min(1000, len(run.data.held_out))}
    else:
        own = {"discriminator AUC (held out)": calibration.auc}
        measured = {"held-out images of the judge": calibration.images}
    named = NAMED.get(config.data)
    dataset = config.data if named or _is_public(config.data) else Path(config.data).name
    return CardFacts(
        name=config.name,
        architecture=config.architecture,
        license=config.license,
        dataset_name=dataset,
        dataset_id=named.hub_id if named else (config.data if _is_public(config.data) else None),
        summary=_summary(config, pipeline, dataset),
        samples=SAMPLES_NAME,
        caption="Seeds 0, 1, 2, … row by row"
        + (", each right of its map" if pipeline.segmentations is not None else "")
        + (f", one column a class: {', '.join(pipeline.label_names)}." if pipeline.label_names else "."),
        example_label=pipeline.label_names[-1] if pipeline.label_names else None,
        seen=config.seen or "Nobody has described these samples yet; look at the grid above.",
        scored=Scored(
            ({} if report is None else report.scores) | own,
            measured if report is None else report.provenance,
            {} if report is None else report.intervals,
            scales,
        ),
        judge=_judge(calibration, pipeline),
        training=_training(run),
        recipe=f"recipes/{config.name}.yaml" if (Path("recipes") / f"{config.name}.yaml").is_file() else "recipe.yaml",
        data=_data(config, dataset),
        limits="The images are small and show what the training set shows, its gaps and habits included."
        + (
            " The judge knows this generator only: it was fitted on its images, and says little about those of others."
            if calibration
            else ""
        ),
    )


def _summary(config: TrainConfig, pipeline: GANPipeline, dataset: str) -> str:
    kind = "A map-conditional" if config.takes_maps else "An unconditional"
    kind = "A class-conditional" if config.conditional else kind
    architecture = type(pipeline.generator).__name__.removesuffix("Generator")
    colours = {1: "grey", 2: "grey with opacity", 3: "RGB", 4: "RGB with opacity"}[config.channels]
    height, width = height_width(config.resolution)
    size = sum(parameter.numel() for parameter in pipeline.generator.parameters()) / 1e6
    second = "without a discriminator" if pipeline.discriminator is None else "with its discriminator"
    return (
        f"{kind} {architecture} that draws {dataset} images of {width} × {height} "
        f"pixels ({colours}), {second}. Generator: {size:.2f} M parameters, latent size {pipeline.latent_size}."
    )


def _judge(calibration: Calibration | None, pipeline: GANPipeline) -> str:
    if calibration is None:
        return "There is none: this generator had no opponent, and was trained to match the moments of the data."
    labelled = " Both were given their class." if pipeline.label_names else ""
    return (
        f"Against its own generator, on {calibration.images:,} images neither player was trained on (half of them real), the "
        f"discriminator's held-out AUC is **{calibration.auc:.3f}** (0.5: a coin; 1: never wrong).{labelled} After fitting "
        f"scale and bias on as many others, its probabilities are off by {100 * calibration.error:.1f} percentage points "
        "on average (expected calibration error, 15 bins)."
    )


def _training(run: Run) -> str:
    config, spent, alarms = run.config, run.elapsed(), len(run.records.alarms)
    watched = {"off": "The monitors were off."}.get(
        config.alarms, f"The monitors raised {alarms} alarm(s); log.jsonl has their words." if alarms else
        "The monitors (collapse, imbalance, divergence, memorising) raised no alarm."
    )  # fmt: skip
    return (
        f"{config.total_steps * config.batch_size / 1000:,.0f} thousand images in batches of {config.batch_size}, seed "
        f"{config.seed}, {config.precision}: {spent['seconds'] / 60:.0f} minutes by the clock, "
        f"{spent['cpu_seconds'] / 60:.0f} minutes of CPU time, scoring included, with {run.accelerator.num_processes} "
        f"process(es) on {hardware(run.accelerator.device)}. gan_hub {gan_hub.__version__}, torch {torch.__version__}, "
        f"accelerate {accelerate.__version__}. {watched}"
        + (
            f"\n\n![The same latents from the first step to the last]({TIMELAPSE_NAME})"
            if run.timelapse.frames()
            else ""
        )
    )


def hardware(device: torch.device) -> str:
    """The device's name as its maker gives it, as far as the system tells."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model} ({torch.get_num_threads()} thread(s))"


def _data(config: TrainConfig, dataset: str) -> str:
    text = f"Trained on {dataset}" + (f", licence {config.data_license}." if config.data_license else ".")
    text += f" The weights are published under {config.license}."
    if config.real_samples:
        notice = config.real_samples_notice.strip().splitlines()[0]
        text += f" `real_samples.png` holds real images for the game that neither player was trained on: {notice}"
    if config.takes_maps:
        text += f" `segmentations.safetensors` holds up to {config.example_maps} maps of the data that were held out."
    return text
