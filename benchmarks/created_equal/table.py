"""Results → docs/created-equal.md and its plot: the numbers, and words that follow from them."""

import itertools
import math
import statistics
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.created_equal.losses import BASELINE, CONTROLS, LOSSES, OURS
from benchmarks.created_equal.plan import FULL_KIMG, Plan, Task

LEVEL = 0.05  # of an adjusted p: below it a difference is called "beyond noise"

# Lucic et al. 2018 (arXiv 1711.10337), table 2: the best FID found, mean and standard deviation over seeds.
PUBLISHED: dict[str, dict[str, tuple[float, float]]] = {
    "mnist": {
        "MM GAN": (9.8, 0.9), "NS GAN": (6.8, 0.5), "LSGAN": (7.8, 0.6), "WGAN": (6.7, 0.4), "WGAN-GP": (20.3, 5.0),
        "DRAGAN": (7.6, 0.4), "BEGAN": (13.1, 1.0),
    },
    "fashion-mnist": {
        "MM GAN": (29.6, 1.6), "NS GAN": (26.5, 1.6), "LSGAN": (30.7, 2.2), "WGAN": (21.5, 1.6), "WGAN-GP": (24.5, 2.1),
        "DRAGAN": (27.7, 1.2), "BEGAN": (22.9, 0.9),
    },
}  # fmt: skip


# ------------------------------------------------------------------------------------------------- statistics


def welch(first: Sequence[float], second: Sequence[float]) -> float:
    """p of Welch's t-test, two-sided: how often equal means give samples that are at least so far apart.

    Welch 1947 (Biometrika 34). With t = √ν tan φ, Student's density is cos^(ν − 1) φ up to a factor: summed by Simpson's
    rule. Raises ValueError for fewer than two numbers on a side.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(
            f"{len(first)} and {len(second)} numbers are not enough for a t-test; it takes 2 on each side."
        )
    apart = abs(statistics.mean(first) - statistics.mean(second))
    parts = [statistics.variance(side) / len(side) for side in (first, second)]
    if sum(parts) == 0:
        return 1.0 if apart == 0 else 0.0
    freedom = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (first, second)))
    limit = math.atan(apart / math.sqrt(sum(parts) * freedom))

    def area(low: float, high: float) -> float:
        heights = np.cos(np.linspace(low, high, 2001)).clip(0) ** (freedom - 1)
        return (high - low) / 6000 * (heights[0] + heights[-1] + 4 * heights[1::2].sum() + 2 * heights[2:-1:2].sum())

    return float(area(limit, math.pi / 2) / area(0, math.pi / 2))


def holm(values: Sequence[float]) -> list[float]:
    """Each p adjusted for their number: the chance that any one of them is a false alarm stays below the level.

    Holm 1979 (Scandinavian Journal of Statistics 6).
    """
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = largest
    return adjusted


def ranks(values: Sequence[float]) -> list[float]:
    """1 for the smallest; equal ones share the mean of their ranks."""
    return [
        sum(other < value for other in values) + (1 + sum(other == value for other in values)) / 2 for value in values
    ]


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """(Spearman's ρ, how often a random order gives at least so large a one) of up to 8 pairs, over all their orders."""
    a, b = np.array(ranks(first)), np.array(ranks(second))
    found = float(np.corrcoef(a, b)[0, 1])
    orders = np.array(list(itertools.permutations(b)))  # (n!, n)
    centred = (orders - b.mean()) @ (a - a.mean()) / (len(a) * a.std() * b.std())
    return found, float((centred >= found - 1e-9).mean())


# ------------------------------------------------------------------------------------------------------ words


class Verdict(NamedTuple):
    """One row against another, on the seeds."""

    row: str
    better: bool  # its mean is lower
    p: float  # adjusted

    @property
    def beyond_noise(self) -> bool:
        return self.p < LEVEL


def verdicts(scores: dict[str, list[float]], base: str, rows: Sequence[str]) -> list[Verdict]:
    """Each of `rows` against `base`, adjusted for their number; those with fewer than two scores are left out."""
    rows = [row for row in rows if row != base and len(scores.get(row, ())) > 1]
    if len(scores.get(base, ())) < 2:
        return []
    adjusted = holm([welch(scores[row], scores[base]) for row in rows])
    means = {row: statistics.mean(scores[row]) for row in (*rows, base)}
    return [Verdict(row, means[row] < means[base], p) for row, p in zip(rows, adjusted)]


def listed(names: Sequence[str]) -> str:
    """A, B and C."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def against_baseline(found: list[Verdict]) -> str:
    """Whether any loss beats non-saturating beyond noise, in words."""
    if not found:
        return f"Too few seeds are done to compare the losses with {BASELINE}."
    better = [verdict.row for verdict in found if verdict.beyond_noise and verdict.better]
    worse = [verdict.row for verdict in found if verdict.beyond_noise and not verdict.better]
    level = [verdict.row for verdict in found if not verdict.beyond_noise]
    said = f"{listed(better)} beat{'s' * (len(better) == 1)} {BASELINE} beyond noise" if better else (
        f"no loss beats {BASELINE} beyond noise"
    )  # fmt: skip
    said = f"**{said[0].upper()}{said[1:]}.**"
    if worse:
        said += f" Beyond noise worse: {listed(worse)}."
    if level:
        said += f" The seeds do not tell {listed(level)} from {BASELINE}."
    return said


def of_ours(scores: dict[str, list[float]], row: str) -> str:
    """How a recipe of ours stands against the losses of the table, in words."""
    table = {loss: statistics.mean(scores[loss]) for loss in LOSSES if scores.get(loss)}
    if not table or not scores.get(row):
        return f"{row}: not run."
    best, mean = min(table, key=table.get), statistics.mean(scores[row])
    found = verdicts(scores, row, list(table))
    beaten = [verdict.row for verdict in found if verdict.beyond_noise and not verdict.better]
    others = [loss for loss in table if loss not in beaten]
    beats = "beyond noise better than every loss of the table" if not others else (
        f"beyond noise better than {len(beaten)} of {len(table)} losses; not than {listed(others)}"
    )  # fmt: skip
    return f"{row}: {mean:.1f}, {mean / table[best]:.2f} times the best mean of the table ({best}, {table[best]:.1f}); {beats}."


def of_control(scores: dict[str, list[float]], row: str) -> str:
    """What the pace of our recipes is worth without the rest of them, in words; empty where that was not run."""
    ours = next(iter(OURS))
    if not all(scores.get(each) for each in (row, BASELINE, ours)):
        return ""
    control, base, whole = (statistics.mean(scores[each]) for each in (row, BASELINE, ours))
    said = f"{row}: {control:.1f}, against {base:.1f} of {BASELINE} by the protocol and {whole:.1f} of {ours}; "
    found = verdicts(scores, ours, [row])
    if not found:
        return said + "too few seeds to compare them."
    if not found[0].beyond_noise:
        return said + "the seeds do not tell the last from the first, so the pace alone may be worth as much."
    return said + ("the rest of the recipe costs." if found[0].better else "the rest of the recipe does better still.")


def order_of(scores: dict[str, list[float]], data: str) -> str:
    """How the order of the losses agrees with the published one, in words."""
    published = PUBLISHED.get(data, {})
    common = [loss for loss in published if scores.get(loss)]
    if len(common) < 4:
        return "Too few of the published losses are done to compare the order."
    rho, chance = rank_correlation(
        [statistics.mean(scores[loss]) for loss in common], [published[loss][0] for loss in common]
    )
    return (
        f"Against the published order of these {len(common)} losses, Spearman's rank correlation is {rho:+.2f} (1: the same "
        f"order, 0: none, −1: reversed); of all possible orders {100 * chance:.0f} % agree at least as well"
        + (", so this is no more than chance would give." if chance >= LEVEL else ".")
    )


# ---------------------------------------------------------------------------------------------------- the page

PAGE = """\
# Are GANs created equal? The table, run again

Lucic et al. 2018 ([arXiv 1711.10337](https://arxiv.org/abs/1711.10337)) gave seven losses the same network, the same data
and the same search, and found none that was consistently better than the non-saturating one. Here is their table once more,
with this project's trainer: {networks}, batches of 64, 64 latent numbers, no classes, and the **same {kimg:g} thousand
images** for every run. {extent}

{sections}
![Every run: one dot a seed]({plot})

## What "beyond noise" means

Two rows differ beyond noise where Welch's t-test on their seeds, two-sided and adjusted for the number of comparisons of its
paragraph (Holm), has p < {level:g}. With {seeds} seeds that is a weak test: it sees only differences of several standard
deviations, and what it does not see may still be there. ± is the standard deviation over seeds (n − 1), not the error of
the mean.

## What was fair, and what was not

Every row got the same images, seeds and number of generated images. The losses of the table share one learning rate
({rate:g}) and their authors' weights; none was tuned, neither was the network. {tuned}

The published numbers are the best of a search over many settings after 20 epochs, in another feature network (Inception):
only the order of the losses may be compared with them, never a number.

## How it was measured

{provenance}

{machine}

| row | what its line in `losses.py` says | G + D, million weights | CPU minutes a run |
|---|---|---|---|
{recipes}

All other options are the protocol of `benchmarks/created_equal/losses.py`. Every run's scores, full recipe, time and
provenance: `benchmarks/created_equal/results/`. Written by `python -m benchmarks.created_equal`
([how to run, resume and extend it](../benchmarks/created_equal/README.md)).
"""
SECTION = """\
## {data}

| | {name}, mean ± sd | seed by seed | against {baseline}: p | published FID |
|---|---|---|---|---|
{rows}

{words}
"""


def wrapped(text: str) -> str:
    """Paragraphs and lists of the page in lines of at most 120 letters; tables, headings and pictures as they are."""

    def filled(paragraph: str, indent: str = "") -> str:
        unbroken = paragraph.replace(" + ", "\x1f+\x1f")  # a line that begins with + would be a list
        lines = textwrap.fill(unbroken, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        return lines.replace("\x1f", " ")

    blocks = []
    for block in text.strip().split("\n\n"):
        if block.startswith("- "):
            block = "\n".join(filled(line, "  ") for line in block.splitlines())
        elif not block.lstrip().startswith(("|", "#", "!")):
            block = filled(block)
        blocks.append(block.strip("\n"))
    return "\n\n".join(blocks) + "\n"


TUNED = """\
The recipes of ours are other settings of the same trainer: they were chosen by a few short trials, single runs on
Fashion-MNIST of about this length, scored against the same test split; MNIST had no part in it. The losses of the table had no
such trials, and smaller batches, larger rates and averaging are open to them as well."""
CONTROLLED = """\
{control} is the non-saturating loss with those of ours, so its row shows how much of the lead is due to the pace, and how much
to R1 in place of batch normalisation."""


class Findings(NamedTuple):
    """What a data set's runs say."""

    scores: dict[str, list[float]]  # row → one number a seed that came to its end
    diverged: dict[str, int]  # row → seeds that did not
    name: str  # of the number


def findings(plan: Plan, results: dict[Task, dict], data: str) -> Findings:
    scores: dict[str, list[float]] = {row: [] for row in plan.rows}
    diverged, name = dict.fromkeys(plan.rows, 0), "FD"
    for task, result in results.items():
        if task.data == data and "failed" in result:
            diverged[task.row] += 1
        elif task.data == data:
            name = next(key for key in result["report"]["scores"] if key.startswith("FD-"))
            scores[task.row].append(result["report"]["scores"][name])
    return Findings(scores, diverged, name)


def section(plan: Plan, found: Findings, data: str) -> str:
    """One data set: its table, best first, and what it says in words."""
    scores = found.scores
    against = verdicts(scores, BASELINE, [row for row in plan.rows if row in LOSSES])
    adjusted = {verdict.row: verdict.p for verdict in against}
    rows = []
    for row in sorted(plan.rows, key=lambda row: statistics.mean(scores[row]) if scores[row] else math.inf):
        numbers, (mean, sd) = scores[row], PUBLISHED.get(data, {}).get(row, (None, None))
        spread = f" ± {statistics.stdev(numbers):.1f}" if len(numbers) > 1 else ""
        shown = f"{statistics.mean(numbers):.1f}{spread}" if numbers else "not run"
        shown += f" ({found.diverged[row]} diverged)" if found.diverged[row] else ""
        each = " ".join(f"{number:.1f}" for number in numbers)
        p = f"{adjusted[row]:.3f}" if row in adjusted else "–"
        title = {"recipe of ours": f"**{row}**", "control": f"*{row}*"}.get(kind(row), row)
        cells = (title, shown, each, p, "–" if mean is None else f"{mean} ± {sd}")
        rows.append("| " + " | ".join(cells) + " |")
    words = [against_baseline(against), order_of(scores, data)]
    ours = [of_ours(scores, row) for row in plan.rows if row in OURS]
    ours += [said for said in (of_control(scores, row) for row in plan.rows if row in CONTROLS) if said]
    text = "\n\n".join(words) + ("\n\n" + "\n".join(f"- {line}" for line in ours) if ours else "")
    return SECTION.format(data=data, name=found.name, baseline=BASELINE, rows="\n".join(rows), words=text)


def fairness(plan: Plan, found: dict[str, Findings]) -> str:
    """What has to be said of recipes of ours beside untuned losses, where there are any."""
    if not any(row in OURS for row in plan.rows):
        return ""
    controls = [row for row in plan.rows if row in CONTROLS and any(each.scores[row] for each in found.values())]
    return " ".join([TUNED, CONTROLLED.format(control=listed(controls))] if controls else [TUNED])


def recipe_lines(plan: Plan, results: dict[Task, dict]) -> str:
    lines = []
    for row, options in plan.rows.items():
        runs = [result for task, result in results.items() if task.row == row and "report" in result]
        said = ", ".join(f"{name} {value}" for name, value in options.items()).replace("|", "\\|")
        sizes = [f"{number / 1e6:.2f}" for number in runs[0]["parameters"].values()] if runs else ["–"]
        spent = f"{statistics.mean(result['cpu_seconds'] for result in runs) / 60:.1f}" if runs else "–"
        lines.append(f"| {row} | {said} | {' + '.join(sizes)} | {spent} |")
    return "\n".join(lines)


def extent(plan: Plan, results: dict[Task, dict]) -> str:
    """How much of the plan, and of the paper's study, this is."""
    done, planned, share = len(results), len(plan.tasks()), plan.kimg / FULL_KIMG
    size = "That is the full study: 20 epochs." if share >= 1 else (
        f"That is a reduced study: {100 * share:.1f} % of the paper's 20 epochs. It says which losses learn fastest with these "
        "settings, not which end best."
    )  # fmt: skip
    return size + (f" {done} of its {planned} runs are done." if done < planned else f" All {planned} runs are done.")


def provenance(results: dict[Task, dict]) -> str:
    """What the numbers were measured with, a line a data set."""
    lines = {}
    for task, result in results.items():
        if "report" in result:
            facts = "; ".join(f"{name} {value}" for name, value in result["report"]["provenance"].items())
            lines.setdefault(f"- {task.data}: {facts}.")
    return "\n".join(lines)


def machine(plan: Plan, results: dict[Task, dict]) -> str:
    runs = [result for result in results.values() if "report" in result]
    hours = sum(result["cpu_seconds"] for result in runs) / 3600
    devices = listed(sorted({result["hardware"] for result in runs}))
    versions = listed(sorted({f"torch {result['versions']['torch']}" for result in runs}))
    return (
        f"Trained on {devices} with {versions}, {plan.protocol['precision']}: {hours:.1f} hours of CPU time in all, scoring not "
        "counted."
    )


def write(plan: Plan, results: dict[Task, dict], docs: Path) -> Path:
    """Writes created-equal.md and created-equal.png into `docs`; raises ValueError where no run is done yet."""
    done = {task: result for task, result in results.items() if "report" in result}
    if not done:
        raise ValueError("no run of the plan is done yet; there is nothing to write a table of.")
    sets = [data for data in plan.data if any(task.data == data for task in done)]
    found = {data: findings(plan, results, data) for data in sets}
    docs.mkdir(parents=True, exist_ok=True)
    plot, page = docs / "created-equal.png", docs / "created-equal.md"
    draw(found, plan, plot)
    text = PAGE.format(
        networks="their InfoGAN-size networks",
        kimg=plan.kimg,
        extent=extent(plan, results),
        sections="\n".join(section(plan, found[data], data) for data in sets),
        plot=plot.name,
        level=LEVEL,
        seeds=plan.seeds,
        rate=plan.protocol["learning_rate_generator"],
        tuned=fairness(plan, found),
        provenance=provenance(done),
        machine=machine(plan, done),
        recipes=recipe_lines(plan, done),
    )
    page.write_text(wrapped(text), encoding="utf-8")
    return page


# ---------------------------------------------------------------------------------------------------- the plot

# Okabe & Ito's palette, which colour-blind people can tell apart; the shapes differ as well.
STYLES = {
    "loss of the table": ("#0072B2", "o"),
    "recipe of ours": ("#D55E00", "D"),
    "control": ("#666666", "s"),
}


def kind(row: str) -> str:
    """Which of STYLES a row has."""
    return "recipe of ours" if row in OURS else "control" if row in CONTROLS else "loss of the table"


def draw(found: dict[str, Findings], plan: Plan, path: Path) -> None:
    """One panel a data set, best row on top: a dot a seed, a bar at their mean, distances on a logarithmic axis."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter

    figure = Figure(figsize=(5.6 * len(found), 1.6 + 0.36 * len(plan.rows)), layout="constrained")
    for axes, (data, each) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items()):
        scores = {row: numbers for row, numbers in each.scores.items() if numbers}
        rows = sorted(scores, key=lambda row: statistics.mean(scores[row]))
        for height, row in enumerate(rows):
            colour, shape = STYLES[kind(row)]
            numbers, mean = scores[row], statistics.mean(scores[row])
            axes.plot(
                numbers, [height] * len(numbers), shape, color=colour, markersize=6, alpha=0.55, markeredgewidth=0
            )
            axes.plot([mean, mean], [height - 0.32, height + 0.32], color=colour, linewidth=2.2)
        axes.set_yticks(range(len(rows)), rows)
        axes.set(xscale="log", xlabel=f"{each.name} (lower is better)", title=data, ylim=(len(rows) - 0.4, -0.6))
        low, high = (edge(value for numbers in scores.values() for value in numbers) for edge in (min, max))
        axes.set_xlim(low / 1.25, high * 1.25)
        ticks = [m * 10**e for e in range(-1, 5) for m in (1, 2, 3, 5, 7) if low / 1.25 <= m * 10**e <= high * 1.25]
        axes.xaxis.set(major_locator=FixedLocator(ticks), minor_locator=NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    marks = [
        Line2D([], [], color=colour, marker=shape, linestyle="", label=f"a seed, {name}")
        for name, (colour, shape) in STYLES.items()
        if any(kind(row) == name and numbers for each in found.values() for row, numbers in each.scores.items())
    ]
    marks.append(
        Line2D([], [], color="black", marker="|", markersize=12, markeredgewidth=2.2, linestyle="", label="mean")
    )
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False)
    figure.savefig(path, dpi=110)
