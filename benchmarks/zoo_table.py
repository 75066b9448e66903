"""Fills the tables of docs/zoo.md from the folders of model_cards/: `python benchmarks/zoo_table.py`.

What each model is for, the goal it was made with and why a goal was missed stand here, once; every number comes from
scores.json and judge.json. tests/test_zoo.py holds the document against the same functions.

A goal may be held against a control: a network that was trained for nothing else, and is not in the zoo. benchmarks/controls/
has what is left of each, the scores.json of its run with the command of the run, `run`, and its `cost` in words added.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from gan_hub.atomic import write_text
from gan_hub.hub.cards import SCORES_NAME, format_number
from gan_hub.hub.resolve import bundled_models
from gan_hub.hub.score_names import score_key
from gan_hub.hub.zoo import ModelInfo, list_models
from gan_hub.images import height_width
from gan_hub.model_folder.files import JUDGE_NAME
from gan_hub.model_folder.strict import read_json

ROOT = Path(__file__).resolve().parents[1]
CONTROLS = ROOT / "benchmarks" / "controls"
GOALS = "## The goals\n\nThey were set before the runs, and a missed goal says why."
BEGIN, END = "<!-- zoo: written by benchmarks/zoo_table.py -->", "<!-- zoo: end -->"


@dataclass(frozen=True)
class Goal:
    """What a model was made to reach: a score of scores.json on one side of a limit, or words alone."""

    said: str
    score: str = ""  # "" where no score can tell; then `found` does
    limit: float | None = None
    against: str = ""  # the model or control whose same score is the limit,
    share: float = 1.0  # or so much of it
    at_least: bool = False
    found: str = ""  # of a goal without a score: what was seen or measured elsewhere, and where
    met: bool | None = None  # of a goal without a score; None: nobody has looked yet
    why: str = ""  # it was missed; told only where it was

    def verdict(self, scores: dict[str, float], others: dict[str, float]) -> bool | None:
        """Whether the goal is met; None where a number that it takes was not measured."""
        if not self.score:
            return self.met
        value, limit = scores.get(self.score), others.get(self.score) if self.against else self.limit
        if value is None or limit is None:
            return None
        limit *= self.share
        return value >= limit if self.at_least else value <= limit


@dataclass(frozen=True)
class Purpose:
    """One row of the plan: what a model is for, and the goals it was made with."""

    what_for: str
    goals: tuple[Goal, ...]
    absent: str = "still to be trained"  # why it is not in the zoo, while it is not


def _histogram(extractor: str) -> Goal:
    return Goal("class histogram off by ≤ 10 %", f"class histogram distance ({extractor})", 0.1)


SINGLE_SCALE = "no worse than the same networks at a single scale, at equal images"
FEW_IMAGES = (
    "A network of 0.6 million weights saw 280 kimg on one CPU core; the distance was still falling. A wider one that shared a "
    "GPU for 7 minutes came to 473 in 206 kimg, and is not published."
)
SHORT_RUN = (
    "A short run of networks of a million weights: 296 kimg, 7 minutes on an H100 that six other trainings shared."
)
ARITHMETIC = "attribute arithmetic right in ≥ 80 % of 200 trials, by a classifier that is ≥ 98 % accurate"

PLAN = {
    "dcgan-mnist": Purpose(
        "the lessons' first example: ten digits to ask for",
        (
            Goal("the digit asked for is recognised in ≥ 97 %", "label accuracy (digits)", 0.97, at_least=True),
            _histogram("digits"),
        ),
    ),
    "dcgan-fashion-mnist": Purpose(
        "grey clothes in a blink, and a game that is hard to win",
        (
            Goal("FD-fashion ≤ 1.0", "FD-fashion", 1.0),
            Goal(
                "FD-fashion ≤ 0.5 (stretch)",
                "FD-fashion",
                0.5,
                why="It fell to 0.52 as the learning rates fell to 0, and hardly moved any more: these networks have "
                "come as far as 1,000 kimg bring them.",
            ),
            _histogram("fashion"),
        ),
    ),
    "mlp-mnist": Purpose(
        "where it all began: the two perceptrons of 2014, beside the convolutions",
        (Goal("all ten digits", "modes of 10 (digits)", 10, at_least=True),),
    ),
    "progan-fashion-mnist": Purpose(
        "growing, side by side with multi-scale gradients",
        (
            Goal(
                SINGLE_SCALE,
                "FD-fashion",
                against="progan-single-scale",
                why="It is about as good, and worse by little more than chance explains, with one training run each (the "
                "control's in fp32): grown by 25 kimg a step, it had its full size for 140 of the 240 kimg only. What "
                "growing saves, small images, is cheap at 28 × 28 anyway.",
            ),
        ),
    ),
    "msg-gan-fashion-mnist": Purpose(
        "multi-scale gradients, side by side with growing",
        (
            Goal(
                SINGLE_SCALE,
                "FD-fashion",
                against="msg-gan-single-scale",
                why="One run each, the control's in fp32. At 28 × 28 a single scale is stable anyway, so that "
                "there is nothing to steady; and the images of 7 × 7 and 14 × 14 take room in narrow "
                "networks that drawing could use.",
            ),
        ),
    ),
    "stylegan-fashion-mnist": Purpose(
        "StyleGAN to play with: styles, mixing, noise",
        (Goal("all ten classes", "modes of 10 (fashion)", 10, at_least=True),),
    ),
    "r3gan-fashion-mnist": Purpose(
        "the modern baseline, with classes",
        (Goal("all ten classes", "modes of 10 (fashion)", 10, at_least=True),),
    ),
    "r3gan-cats-64": Purpose(
        "photographs for the game; the modern baseline against StyleGAN2",
        (
            Goal("as good as stylegan2-cats-64, or better", "FD-mobilenet-v2", against="stylegan2-cats-64"),
            Goal("FD-mobilenet-v2 ≤ 150", "FD-mobilenet-v2", 150, why=SHORT_RUN),
            Goal("FD-mobilenet-v2 ≤ 80 (stretch)", "FD-mobilenet-v2", 80, why=SHORT_RUN),
        ),
    ),
    "stylegan2-cats-64": Purpose(
        "photographs for the game; style mixing and truncation",
        (
            Goal("FD-mobilenet-v2 ≤ 150", "FD-mobilenet-v2", 150, why=FEW_IMAGES),
            Goal("FD-mobilenet-v2 ≤ 80 (stretch)", "FD-mobilenet-v2", 80, why=FEW_IMAGES),
            Goal("photographs that make a player hesitate", found="a dozen of sixty would pass at a glance", met=True),
        ),
    ),
    "r3gan-cats-32": Purpose(
        "the same game for a CPU: half an hour of one core",
        (
            Goal(
                "as good as StyleGAN2 after equal images, or better",
                "FD-mobilenet-v2",
                against="stylegan2-cats-32",
            ),
        ),
    ),
    "r3gan-avatars-64": Purpose(
        "the lessons' figure: with glasses − without + other = other with glasses",
        (
            Goal(
                ARITHMETIC,
                found="29.5 % (23.6 % to 36.2 %); single exemplars 22.0 %, nothing added 4.0 %; the classifier 99.9 % or better "
                "(glasses, hair, skin, background)",
                met=False,
                why="Glasses appeared in 52.5 %, the other attribute stayed in 57.5 %. The drawings are clean, but R3GAN has no "
                "mapping network that would straighten its z: a direction does not mean the same "
                "everywhere. A StyleGAN2 that shared the "
                "same GPU drew too smudged to be counted. benchmarks/avatar_arithmetic.py measures it.",
            ),
        ),
    ),
    "stylegan2-avatars-32": Purpose(
        "the same in w, by a network for a CPU",
        (
            Goal(
                ARITHMETIC,
                found="35.0 % (28.7 % to 41.8 %); single exemplars 23.0 %, nothing added 2.5 %; the classifier 99.9 % "
                "(glasses) and 100 % (hair, skin, background)",
                met=False,
                why="Glasses appeared in 60.5 %, the other attribute stayed in 62.5 %: a narrow network of 16 CPU minutes draws "
                "too smudged to keep small attributes apart. benchmarks/avatar_arithmetic.py measures it.",
            ),
        ),
    ),
    "r3gan-emoji-64": Purpose(
        "a cheerful second look",
        (
            Goal(
                "varied",
                found="no two of sixty are alike, and about half can nearly be named",
                met=True,
            ),
            Goal(
                "no copies by the memorisation check",
                found="the nearest of 10,000 is 19.0 from a training image, where half of the held-out emoji are nearer than "
                "22.8; the sixteen nearest were looked at (its card)",
                met=True,
            ),
        ),
    ),
    "fastgan-fruit-64": Purpose(
        "painted fruit that anybody may pass on: the game, memorisation, a discriminator that sees through a frozen network",
        (
            Goal(
                "the game and the picture of the nearest training images have pictures that may be shown",
                found="256 paintings of the test split lie beside the model, and its card shows the sixteen nearest",
                met=True,
            ),
        ),
    ),
    "r3gan-cifar10-32": Purpose(
        "the set everybody compares on",
        (
            Goal(
                "FD-resnet56 at most half of the DCGAN recipe's after the same GPU minutes",
                "FD-resnet56-cifar10",
                against="dcgan-cifar10-32",
                share=0.5,
            ),
            Goal(
                "FD-mobilenet-v2 at most half of it, too",
                found="167 (164 to 169) of 10,000 images; there 318 (314 to 321), 52 %",
                met=False,
                why="Narrowly, and by one training run each. Measured with `--metrics fd --extractor mobilenet-v2`, beside "
                "the scores of its card.",
            ),
            Goal(
                "the class asked for is recognised in ≥ 85 %",
                "label accuracy (resnet56-cifar10)",
                0.85,
                at_least=True,
                why="It is in 46.6 % of the DCGAN's. 389 kimg, on a GPU that six other trainings shared, are eight images for "
                "each of the set: cats, dogs and deer have no heads yet.",
            ),
        ),
    ),
    "spade-facades": Purpose(
        "paint a map, get a house",
        (
            Goal(
                "readable façades; the map is respected (a change in it is felt ≥ 5 times as much there as elsewhere)",
                found="readable at a glance, without panes or doors; 13 times (benchmarks/made_facades.py)",
                met=True,
            ),
        ),
    ),
}


# --------------------------------------------------------------------------------------------- tables


def overview(prefix: str) -> str:
    """The first table: what each bundled model draws and how good it is. `prefix` leads to model_cards/."""
    rows = [
        "| model | draws | network | measured against its data | judge's AUC |",
        "|---|---|---|---|---|",
    ]
    for model in list_models():
        told = read_scores(model.name)
        auc = "–" if model.auc is None else f"{model.auc:.3f}"
        link = f"[`{model.name}`]({prefix}model_cards/{model.name}/README.md)"
        rows.append(f"| {link} | {_draws(model)} | {model.architecture} | {_measured(model, told)} | {auc} |")
    return "\n".join(rows)


def goals(prefix: str) -> str:
    """The table of docs/zoo.md, a row a goal, and below it each model in words. `prefix` leads to model_cards/."""
    rows = ["| model | goal | measured | met |", "|---|---|---|---|"]
    for name, purpose in PLAN.items():
        for first, goal in enumerate(purpose.goals):
            shown = "" if first else f"[`{name}`](#{name})" if name in bundled_models() else f"`{name}`"
            rows.append(f"| {shown} | {goal.said} | {' | '.join(reached(name, goal))} |")
    sections = [_words(model, prefix) for model in list_models() if model.name in PLAN]
    absent = [f"`{name}` ({purpose.absent})" for name, purpose in PLAN.items() if name not in bundled_models()]
    told = [f"Planned, and not in the zoo: {', '.join(absent)}."] if absent else []
    return "\n\n".join(["\n".join(rows), *told, *sections, _controls()])


def reached(name: str, goal: Goal) -> tuple[str, str]:
    """(what was measured, whether that meets the goal), in words for the table."""
    if name not in bundled_models():
        return "not in the zoo yet", "–"
    scores = read_scores(name)["scores"]
    others = read_scores(goal.against)["scores"] if goal.against else {}
    met = {True: "yes", False: "no", None: "not measured"}[goal.verdict(scores, others)]
    if not goal.score or goal.score not in scores:
        return goal.found or "–", met
    said = _value(goal.score, scores[goal.score])
    low_high = read_scores(name).get("intervals", {}).get(goal.score)
    said += f" ({' to '.join(_value(goal.score, end) for end in low_high)})" if low_high else ""
    return said + (f"; there {_value(goal.score, others[goal.score])}" if goal.score in others else ""), met


def missed(name: str) -> list[Goal]:
    """The goals that a bundled model was measured at and did not meet."""
    return [goal for goal in PLAN[name].goals if reached(name, goal)[1] == "no"]


def read_scores(name: str) -> dict:
    """scores.json of a bundled model, or of a control; without scores where a run had no extractor, or there is none yet."""
    path = bundled_models()[name] / SCORES_NAME if name in bundled_models() else CONTROLS / f"{name}.json"
    return read_json(path) if path.is_file() else {"scores": {}}


def _controls() -> str:
    """The last section: the runs that goals are held against, what they scored, and how to run them again."""
    lines = [
        "## Controls",
        "Networks that were trained to be compared with, by the same recipes, and are not in the zoo:",
    ]
    for path in sorted(CONTROLS.glob("*.json")):
        told = read_json(path)
        scores = ", ".join(
            f"{name} {_value(name, value)}"
            for name, value in told["scores"].items()
            if score_key(name) in ("fd", "accuracy")
        )
        lines.append(f"**`{path.stem}`**: {scores}; {told['cost']}.")
        lines.append(f"```bash\n{told['run']}\n```")
    return "\n\n".join(lines)


def _draws(model: ModelInfo) -> str:
    height, width = height_width(model.resolution)
    kind = "from maps" if model.from_maps else f"{len(model.label_names)} classes" if model.label_names else ""
    colour = "grey" if model.channels < 3 else "RGB"
    return f"{model.dataset}, {width} × {height} {colour}" + (f", {kind}" if kind else "")


def _measured(model: ModelInfo, told: dict) -> str:
    """The Fréchet distance beside that of real images and of noise, and the share of classes that were recognised."""
    if model.score is None:
        return "–"
    name, _ = model.score
    words = f"{name} {_value(name, told['scores'][name])}"
    scales = told.get("scales", {})
    beside = [
        f"{said} {_value(name, value)}"
        for said, sign in (("real images", "real images"), ("noise", "noise"))
        for key, value in scales.items()
        if key.startswith(f"{name} of ") and sign in key
    ]
    words += f" ({', '.join(beside)})" if beside else ""
    asked = [value for key, value in told["scores"].items() if score_key(key) == "accuracy"]
    return words + "".join(f"; class recognised in {100 * value:.1f} %" for value in asked)


def _value(name: str, value: float) -> str:
    """Shares in per cent, large distances in whole numbers, others as cards have them."""
    if score_key(name) in ("accuracy", "histogram") or name.startswith("attribute"):
        return f"{100 * value:.1f} %"
    return f"{value:.0f}" if value >= 100 else format_number(value)


def _words(model: ModelInfo, prefix: str) -> str:
    """The section of one model: what it is for, how large, how well judged, and why a goal was missed."""
    name = model.name
    told = f"For: {PLAN[name].what_for}. Network: {model.architecture}, {model.megabytes:.1f} MB in fp32. Draws: {_draws(model)}."
    if model.auc is not None:
        error = read_json(bundled_models()[name] / JUDGE_NAME)["error"]
        told += f" Judge: held-out AUC {model.auc:.3f}, its probabilities off by {100 * error:.1f} percentage points."
    lines = [told]
    lines += [f"**Missed:** {goal.said}. {goal.why}" for goal in missed(name)]
    lines.append(f"[Its card]({prefix}model_cards/{name}/README.md): data, licence, training, every score.")
    return f"## {name}\n\n" + "\n\n".join(lines)


def filled(text: str, table: str) -> str:
    """A document with what stands between the two comments replaced. Raises ValueError where they are not there once."""
    pattern = re.compile(re.escape(BEGIN) + r"\n.*?" + re.escape(END), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"the document needs the comments {BEGIN} and {END}, once.")
    return pattern.sub(lambda _: f"{BEGIN}\n{table}\n{END}", text)


DOCUMENTS = {"docs/zoo.md": lambda: f"{overview('../')}\n\n{GOALS}\n\n{goals('../')}"}


def main() -> None:
    for name, table in DOCUMENTS.items():
        path = ROOT / name
        write_text(path, filled(path.read_text(encoding="utf-8"), table()))
        print(f"{name}: its table is what the model folders say")


if __name__ == "__main__":
    main()
