"""The bundled models, one image at a time: the bare network, the pipeline around it, and each engine."""

import argparse
import statistics

import torch

from benchmarks.performance import peak
from benchmarks.performance.engines import PLAIN, pipelines
from benchmarks.performance.harness import Goal, median, number, ratios, spread, table, take_turns, work
from benchmarks.performance.inference import dtype_of
from gan_hub import GANPipeline, list_models

TITLE = "The bundled models, one image at a time"
NETWORK, PICTURE = "bare network", "pipeline, plain, PIL"
OVERHEAD = 0.15  # milliseconds of the pipeline's own, an image
OVERHEAD_REASON = (
    "Checking, latents of seeds, copying the image: some dozens of calls from Python, whatever the network is."
)


def measure(options: argparse.Namespace) -> dict:
    """Seconds of every bundled model's variants."""
    return {"rows": [measure_model(model.name, options.rounds) for model in list_models()]}


@torch.no_grad()
def measure_model(name: str, rounds: int) -> dict:
    """One model: operations of an image and seconds a call."""
    loaded = GANPipeline.from_pretrained(name)
    generator = loaded.unwrapped_generator.eval()
    pipes, about = pipelines(lambda: GANPipeline.from_pretrained(name), 1, choose=True)
    labels = loaded.labels_of(loaded.sample_latents([0]))
    maps = loaded(seeds=[0], output_type="pt").segmentations
    batch = [loaded.sample_latents([0]), *([maps] if maps is not None else [] if labels is None else [labels])]
    with torch.enable_grad():
        flop = work(lambda: generator(*batch))["flop"]
    variants = {NETWORK: lambda: generator(*batch)}
    variants |= {key: lambda pipe=pipe: pipe(seeds=[0], output_type="pt") for key, pipe in pipes.items()}
    variants[PICTURE] = lambda: pipes[PLAIN](seeds=[0])
    parameters = sum(parameter.numel() for parameter in generator.parameters())
    # More and longer turns than usual: what is sought is a tenth of a millisecond.
    rows = take_turns(variants, 2 * rounds - 1, turn=0.05)
    return {"model": name, "flop": flop, "parameters": parameters, "about": about, "rounds": rows}


def overhead(row: dict) -> float:
    """Milliseconds that the plain pipeline takes beside its network: the median of the rounds' differences."""
    return 1000 * statistics.median(each[PLAIN] - each[NETWORK] for each in row["rounds"])


def chosen(name: str, about: dict[str, dict]) -> str:
    """A variant's name, marked where it is the engine that `auto` took."""
    return f"**{name}**" if about.get("auto", {}).get("engine") == name else name


def render(raw: dict, results: dict) -> str:
    """A row for each model."""
    lines, ceiling = [], results.get("peak")
    for row in raw["rows"]:
        rounds = row["rounds"]
        engines = [
            name for name in rounds[0] if row["about"].get(name, {}).get("levels", 2) <= 1
        ]  # neither plain nor rough
        best = max(engines, key=lambda name: ratios(rounds, PLAIN, name)[0], default=PLAIN)
        share = row["flop"] / median(rounds, best) / peak.peak(ceiling, dtype_of(best, row["about"])) if ceiling else 0
        levels = row["about"].get(best, {}).get("levels")
        lines.append([
            f"`{row['model']}`", number(row["flop"] / 1e6), number(row["parameters"] / 1e6),
            *(number(1000 * median(rounds, name)) for name in (NETWORK, PLAIN, PICTURE)), f"{overhead(row):.2f}",
            chosen(best.removeprefix("pipeline, "), row["about"]), number(1000 * median(rounds, best)),
            spread(ratios(rounds, PLAIN, best)),
            "–" if levels is None else f"{levels:.2g}", f"{100 * share:.0f} %" if ceiling else "–",
        ])  # fmt: skip
    head = [
        "model", "MFLOP", "million weights", "network, ms", "pipeline, ms", "to PIL, ms", "overhead, ms", "best engine",
        "with it, ms", "times plain", "levels", "share of the peak",
    ]  # fmt: skip
    return (
        "CPU milliseconds of one image, one thread, from a seed to the image in memory. The overhead is the plain pipeline "
        f"(a tensor) less its network, round by round. Bold is the engine that `optimize()` takes by "
        f"itself.\n\n{table(head, lines)}"
    )


def goals(raw: dict, _: dict) -> list[Goal]:
    """The overhead of the model in the middle: of a network of 20 ms, noise alone is more than what is sought."""
    middle = statistics.median(map(overhead, raw["rows"]))
    what = f"the pipeline beside the network, the median of {len(raw['rows'])} models"
    return [Goal(what, middle, OVERHEAD, "ms an image", at_least=False, reason=OVERHEAD_REASON)]
