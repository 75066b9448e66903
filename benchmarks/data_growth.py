"""How loading grows with the number and the size of photographs, and an evaluation with the number of images.

python benchmarks/data_growth.py [--photographs FOLDER] [--images 500 1000 …] [--out FILE.md]     some four minutes of two cores

Photographs are made: noise with the spectrum of natural pictures, as JPEG. Each row of the first table takes turns in one
process: decoded by one thread, by two, and read from the cache. Seconds are of the CPU clock, on all threads together; what
two threads save is seen in the clock on the wall alone, and only on a machine that does nothing else. Each row of the second
table is a process of its own, so that its largest memory is known. Expected is what the first row says of the others: in
proportion to the number of images.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from gan_hub.data import ImageSet, load, load_images, workers

SIZES = {"1 megapixel": (1280, 800), "4 megapixels": (2560, 1600)}  # width and height
COUNTS = (20, 40, 80)  # of photographs
RESOLUTION, ROUNDS = 64, 3
IMAGES = (1000, 2000, 4000, 8000)  # that are scored
MODEL, EXTRACTOR, REALS = "dcgan-mnist", "digits", 2000


# ------------------------------------------------------------------------------------------------------------ loading


def make_photographs(folder: Path, count: int, size: tuple[int, int]) -> None:
    """JPEGs with a spectrum of 1 / f, as natural pictures have it: about half a byte a pixel at this quality.

    Args:
        folder: where they are written.
        count: of files; eight are different.
        size: width and height in pixels.
    """
    width, height = size
    frequency = np.hypot(*np.meshgrid(np.fft.rfftfreq(width), np.fft.fftfreq(height)))
    frequency[0, 0] = 1
    pictures = []
    for seed in range(min(8, count)):
        noise = np.random.default_rng(seed).standard_normal((3, height, width))
        layers = np.fft.irfft2(np.fft.rfft2(noise) / frequency, (height, width))
        layers = layers.mean(0, keepdims=True) + 0.3 * layers  # colors go together
        scaled = (128 + 50 * layers / layers.std()).clip(0, 255).astype(np.uint8)
        pictures.append(Image.fromarray(scaled.transpose(1, 2, 0)))
    folder.mkdir(parents=True)
    for number in range(count):
        pictures[number % len(pictures)].save(folder / f"{number:05d}.jpg", quality=90)


def seconds(function: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of all threads, and seconds on the wall."""
    cpu, wall = time.process_time(), time.perf_counter()
    function()
    return time.process_time() - cpu, time.perf_counter() - wall


def loading_row(folder: Path, name: str, count: int, rounds: int = ROUNDS) -> dict:
    """Photographs a second of one folder, by one thread, by two, and from the cache, in turns.

    Args:
        folder: of the photographs.
        name: of their size.
        count: how many of them are loaded.
        rounds: of which medians are given.

    Returns:
        The row: `size`, `count`, and for `one`, `two` and `cached` the CPU seconds; `wall_gain` of the second thread, with
        the least and the most.
    """
    times: dict[str, list[tuple[float, float]]] = {"one": [], "two": [], "cached": []}
    kept, usual = (load.CACHED_COUNT, load.CACHED_BYTES), workers.worker_count
    fingerprints: set[str] = set()
    for _ in range(rounds):
        for variant, threads, cached_count in (("one", 1, sys.maxsize), ("two", 2, sys.maxsize), ("cached", 2, 1)):
            workers.worker_count = lambda threads=threads: threads
            load.CACHED_COUNT = load.CACHED_BYTES = cached_count
            loaded: list[ImageSet] = []
            read = partial(load_images, folder, RESOLUTION, 3, limit=count)
            if variant == "cached":
                read()  # is there from now on
            times[variant].append(seconds(lambda loaded=loaded, read=read: loaded.append(read())))
            fingerprints.add(loaded[0].fingerprint())
    assert len(fingerprints) == 1, "the pictures are the same, however they are read"
    (load.CACHED_COUNT, load.CACHED_BYTES), workers.worker_count = kept, usual
    gains = sorted(one[1] / two[1] for one, two in zip(times["one"], times["two"], strict=True))
    cpu = {variant: statistics.median(each[0] for each in values) for variant, values in times.items()}
    return {"size": name, "count": count, **cpu, "wall_gain": [gains[0], statistics.median(gains), gains[-1]]}


def loading_rows(photographs: Path | None = None) -> list[dict]:
    """The rows of every size and count, of made photographs, or of the one folder that is given."""
    with tempfile.TemporaryDirectory() as temporary:
        before = os.environ.get("GAN_HUB_CACHE")
        os.environ["GAN_HUB_CACHE"] = str(Path(temporary, "cache"))
        try:
            if photographs is not None:
                return [loading_row(photographs, photographs.name, count) for count in COUNTS]
            rows = []
            for name, size in SIZES.items():
                make_photographs(Path(temporary, name), max(COUNTS), size)
                rows += [loading_row(Path(temporary, name), name, count) for count in COUNTS]
            return rows
        finally:
            os.environ.pop("GAN_HUB_CACHE")
            if before is not None:
                os.environ["GAN_HUB_CACHE"] = before


# --------------------------------------------------------------------------------------------------------- evaluation


def evaluation_row(count: int) -> dict:
    """CPU seconds of the parts of an evaluation of `count` images, and the most memory that this process ever held."""
    from gan_hub import GANPipeline
    from gan_hub.metrics.evaluation import real_moments
    from gan_hub.metrics.feature_cache import ImageSource, extract_features
    from gan_hub.metrics.features import load_extractor
    from gan_hub.metrics.frechet import ResampledFrechet, frechet_distance, moments

    pipe, extractor = GANPipeline.from_pretrained(MODEL), load_extractor(EXTRACTOR)
    height, width, channels = ImageSource.of_model(pipe, 1, 0).shape
    pixels = np.random.default_rng(0).integers(0, 256, (REALS, height, width, channels), dtype=np.uint8)
    reals = real_moments(ImageSet(pixels), extractor)
    source, drawing = ImageSource.of_model(pipe, count, 0, 16), [0.0]

    def read(start: int, stop: int) -> np.ndarray:
        began = time.process_time()
        images = source.read(start, stop)
        drawing[0] += time.process_time() - began
        return images

    extract_features(ImageSource.of_model(pipe, 64, 0, 16), extractor)  # warms up
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    timed = ImageSource(count, read, source.shape, None, None, {})
    began = time.process_time()
    features = extract_features(timed, extractor).features
    whole = time.process_time() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    distance, _ = seconds(lambda: frechet_distance(moments(features), reals))
    weights = features.new_ones(count).double()
    resampled = ResampledFrechet(features, reals)
    interval, _ = seconds(lambda: resampled(weights))
    return {
        "count": count, "drawing": drawing[0], "features": whole - drawing[0], "distance": distance,
        "interval": 100 * interval, "grown_mb": (after - before) / 1024, "features_mb": features.nbytes / 1e6,
    }  # fmt: skip


def evaluation_rows(counts: tuple[int, ...] = IMAGES) -> list[dict]:
    """The rows of `counts`, each measured in a process of its own."""
    rows = []
    for count in counts:
        command = [sys.executable, __file__, "--one", str(count)]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return rows


# ------------------------------------------------------------------------------------------------------------- tables


def measure(photographs: Path | None = None, counts: tuple[int, ...] = IMAGES) -> dict:
    """Both tables as data; `tables` writes them out."""
    return {"loading": loading_rows(photographs), "evaluation": evaluation_rows(counts)}


def tables(measured: dict) -> str:
    """Both tables in Markdown, with what was expected beside what was measured."""
    lines = [
        "| photographs | number | 1 thread, /s of CPU | 2 threads, /s of CPU | faster on the wall | from the cache, /s of CPU "
        "| seconds, 1 thread | expected (∝ number) |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in measured["loading"]:
        first = next(each for each in measured["loading"] if each["size"] == row["size"])
        expected = first["one"] * row["count"] / first["count"]
        least, median, most = row["wall_gain"]
        rates = [row["count"] / row[variant] for variant in ("one", "two", "cached")]
        lines.append(
            f"| {row['size']} | {row['count']} | {rates[0]:,.0f} | {rates[1]:,.0f} | {median:.2f} × ({least:.2f} to "
            f"{most:.2f}) | {rates[2]:,.0f} | {row['one']:.2f} | {expected:.2f} |"
        )
    lines += [
        "",
        "| images | drawing, s | features, s | distance, s | its interval, s | all, s | expected (∝ images) | memory grown, MB "
        "| features, MB |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    parts = ("drawing", "features", "distance", "interval")
    first = measured["evaluation"][0]
    for row in measured["evaluation"]:
        whole = sum(row[part] for part in parts)
        expected = sum(first[part] for part in parts) * row["count"] / first["count"]
        cells = " | ".join(f"{row[part]:.2f}" for part in parts)
        lines.append(
            f"| {row['count']:,} | {cells} | {whole:.1f} | {expected:.1f} | {row['grown_mb']:.0f} | {row['features_mb']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the tables, or one row of the second for the process that asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photographs", type=Path, help=f"a folder of {max(COUNTS)} or more, in place of made ones")
    parser.add_argument("--images", type=int, nargs="+", default=IMAGES, help="numbers of images that are scored")
    parser.add_argument("--out", type=Path, help="a file for the tables")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(evaluation_row(options.one)))
        return
    text = tables(measure(options.photographs, tuple(options.images)))
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
