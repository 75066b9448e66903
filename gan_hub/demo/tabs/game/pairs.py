"""Pairs of pictures with one right answer: what is dealt for each kind of game, and how hard it is.

A pair leaves the server as one picture, as pixels and nothing else. Which half is the answer is tossed by the operating system
for each player, whatever else a day's secret fixes.
"""

import functools
import io
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from PIL import Image

from gan_hub.demo import models
from gan_hub.demo.tabs.game import material
from gan_hub.images import grid
from gan_hub.latents import MAX_SEED
from gan_hub.pipeline import GANPipeline

LEVELS = ("easy", "normal", "hard")
EARLY = "early"  # easier still, where a model has it: the generated picture is of an early stage of the training
STAGES = (0.25, 0.6)  # of a time-lapse, from which share of its frames to which: 6 to 36 % of the images seen
FAKES = {EARLY: 1, "easy": 1, "normal": 4, "hard": 16}  # of so many one is chosen
HARD_TRUNCATION = 0.7  # of half of the fakes of a hard round: typical pictures have fewer faults
HALVED_FROM = 48  # pixels along the longer side: at half the size a smeared edge gives less away
COMPARED = 16  # pictures whose logits are compared
RANKS = {"easy": (0, 15), "normal": (3, 12), "hard": (6, 9)}  # among them, of the two that are dealt
EARLIEST = {"easy": 0.0, "normal": 0.2, "hard": 0.3}  # share of a time-lapse's frames that are not dealt
APART = {"easy": 0.5, "normal": 0.2, "hard": 0.08}  # share of them between the two that are dealt
SHOWN = 4  # pictures of each network, in two rows
TRIES = 8  # to find two pictures that differ


@dataclass(frozen=True)
class Pair:
    """Two pictures side by side, and the answer. Stays on the server."""

    picture: bytes  # a PNG of both, as the player sees them
    originals: bytes  # a PNG of both, as the discriminator sees them
    shape: str  # width / height of one of them, as the style sheet takes it
    answer_is_left: bool
    level: str = ""  # one of LEVELS, or EARLY
    label: str | None = None  # the class of both
    left_probability: float | None = (
        None  # that the left one is real, by the discriminator; None where it does not play
    )
    index: int | None = None  # of the real picture
    segmentation: torch.Tensor | None = None  # (H, W), the map of both
    facts: dict[str, object] = field(default_factory=dict)  # for the sentence that says what the answer was

    @property
    def halves(self) -> tuple[Image.Image, Image.Image]:
        """The left and the right picture, as the player sees them."""
        return _cut(self.picture)

    @property
    def judged(self) -> tuple[Image.Image, Image.Image]:
        """The left and the right picture, as the discriminator sees them."""
        return _cut(self.originals)


def levels_of(pipe: GANPipeline, kind: str) -> tuple[str, ...]:
    """How hard a kind of game can be with a model, the easiest first."""
    return (EARLY, *LEVELS) if kind == "real" and material.has_early_fakes(pipe) else LEVELS


def _cut(picture: bytes) -> tuple[Image.Image, Image.Image]:
    with Image.open(io.BytesIO(picture)) as both:
        both.load()
        middle = both.width // 2
        return both.crop((0, 0, middle, both.height)), both.crop((middle, 0, both.width, both.height))


def _side_by_side(left: Image.Image, right: Image.Image) -> bytes:
    buffer = io.BytesIO()
    grid([left, right], 2, padding=0).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Sent:
    """A picture that a player has sent into the game, to be judged against another one."""

    seed: int
    label: str | None = None  # its class; None for the seed's own


def deal(
    model: str, kind: str, level: str, chance: random.Random, seen: frozenset[int], sent: Sent | None = None
) -> Pair:
    """Draw a pair.

    Args:
        model: a model of this page.
        kind: one of `material.KINDS` that the model has.
        level: one of `levels_of` the model and the kind.
        chance: what decides which pictures are drawn.
        seen: indices of the real pictures that were shown already.
        sent: the player's own picture, of a pair of the kind "preferred".

    Returns:
        The pair.
    """
    pipe = models.load(model)
    dealer = DEALERS[kind] if sent is None else functools.partial(_preferred, sent=sent)
    answer, other, pair = dealer(pipe, level, chance, seen)
    answer_is_left = bool(secrets.randbits(1))
    left, right = (answer, other) if answer_is_left else (other, answer)
    probability = pair.left_probability  # of the answer, so far
    if probability is not None and not answer_is_left:
        probability = 1 - probability
    originals = picture = _side_by_side(left, right)
    if kind == "real" and level == "hard" and max(left.size) >= HALVED_FROM:
        picture = _side_by_side(left.reduce(2), right.reduce(2))
    known = {name: getattr(pair, name) for name in ("label", "index", "segmentation", "facts")}
    shape = f"{left.width} / {left.height}"
    return Pair(picture, originals, shape, answer_is_left, level, left_probability=probability, **known)


Dealt = tuple[Image.Image, Image.Image, Pair]  # the answer, the other one, and what else is known of both


def _of(answer: Image.Image, other: Image.Image, **known: object) -> Dealt:
    return answer, other, Pair(b"", b"", "", True, **known)  # pyright: ignore[reportArgumentType]  # by the names of its fields


def _seeds(chance: random.Random, count: int) -> list[int]:
    return [chance.randrange(MAX_SEED + 1) for _ in range(count)]


def _real(pipe: GANPipeline, level: str, chance: random.Random, seen: frozenset[int]) -> Dealt:
    """A real picture that was not shown yet (any of them, once all were), and a fake of its class."""
    samples = material.real_pictures(pipe)
    assert samples is not None, "the kind is offered where there are some"
    seen = frozenset() if len(seen) >= len(samples.images) else seen
    index = chance.choice([index for index in range(len(samples.images)) if index not in seen])
    label = pipe.label_names[samples.labels[index]] if samples.labels and pipe.label_names else None
    facts: dict[str, object] = {}
    if level == EARLY:
        fake, facts = _early_fake(pipe, label, chance)
    else:
        fake = _fake(pipe, level, label, chance)
    real = samples.images[index]
    probability = None
    if material.can_judge(pipe):
        probability = pipe.judge_pair(real, fake, labels=None if label is None else [label]).item()
    return _of(real, fake, label=label, index=index, left_probability=probability, facts=facts)


def _early_fake(pipe: GANPipeline, label: str | None, chance: random.Random) -> tuple[Image.Image, dict[str, object]]:
    """A picture of an early stage of the training, of the class of the real one; and when it was drawn."""
    lapse = material.time_lapse(pipe)
    assert lapse is not None, "the level is offered where there is one"
    last = len(lapse.frames) - 1
    frame = chance.randint(max(1, round(STAGES[0] * last)), int(STAGES[1] * last))
    rows, columns = lapse.layout
    column = chance.randrange(columns) if label is None else (pipe.label_names or []).index(label)
    facts: dict[str, object] = {"about": not lapse.is_exact}
    if lapse.images is not None:
        facts["early"] = lapse.images[frame]
    return lapse.image(frame, chance.randrange(rows), column), facts


def _fake(pipe: GANPipeline, level: str, label: str | None, chance: random.Random) -> Image.Image:
    """A generated picture: of several, the one that the discriminator takes for real most of all.

    In a hard round its taste and the distance to the nearest real picture count alike: what fools a network alone seldom fools an
    eye.
    """
    count = FAKES[level] if material.can_judge(pipe) else 1
    typical = 0 if level != "hard" else max(1, count // 2)
    drawn = []
    for seeds, truncation in ((_seeds(chance, count - typical), 1.0), (_seeds(chance, typical), HARD_TRUNCATION)):
        if seeds:
            drawn += models.pil_images(pipe(seeds=seeds, labels=label, truncation=truncation))
    if len(drawn) == 1:
        return drawn[0]
    logits = pipe.discriminate(drawn, None if label is None else [label] * len(drawn))
    if level != "hard":
        return drawn[int(logits.argmax())]
    distances = torch.from_numpy(material.distances_to_reals(pipe, drawn))
    ranks = logits.argsort(descending=True).argsort() + distances.argsort().argsort()
    return drawn[int(ranks.argmin())]


def _preferred(
    pipe: GANPipeline, level: str, chance: random.Random, seen: frozenset[int], sent: Sent | None = None
) -> Dealt:
    """Two generated pictures of one class or one map; the answer is the one with the higher logit."""
    label = chance.choice(pipe.label_names) if pipe.label_names else None
    seeds = _seeds(chance, COMPARED)
    if sent is not None:
        seeds[0] = sent.seed
        label = models.drawn_classes(pipe, pipe(seeds=seeds[:1], labels=sent.label))[0]
    segmentation = models.first_map(pipe(seeds=seeds[:1], labels=label))
    drawn = models.pil_images(pipe(seeds=seeds, labels=label, segmentation=segmentation))
    logits = pipe.discriminate(drawn, None if label is None else [label] * COMPARED, segmentation=segmentation)
    order = logits.argsort(descending=True).tolist()
    first, second = RANKS[level] if sent is None else _around(order.index(0), RANKS[level])
    answer, other = order[first], order[second]
    scale = 1.0 if pipe.calibration is None else pipe.calibration.line(label is not None)[0]
    probability = torch.sigmoid(scale * (logits[answer] - logits[other])).item()
    facts: dict[str, object] = {"percent": percent(probability)}
    if sent is not None:
        facts["sent"] = sent.seed
    return _of(drawn[answer], drawn[other], label=label, segmentation=segmentation, facts=facts)


def _around(place: int, ranks: tuple[int, int]) -> tuple[int, int]:
    """The rank of the player's picture and another one, about as far apart as `ranks` are; the smaller one first."""
    apart = ranks[1] - ranks[0]
    other = min((rank for rank in range(COMPARED) if rank != place), key=lambda rank: abs(abs(rank - place) - apart))
    return min(place, other), max(place, other)


def _later(pipe: GANPipeline, level: str, chance: random.Random, seen: frozenset[int]) -> Dealt:
    """The same latent at two moments of the training; the answer is the later one."""
    lapse = material.time_lapse(pipe)
    assert lapse is not None, "the kind is offered where there is one"
    count, (rows, columns) = len(lapse.frames), lapse.layout
    apart = max(1, round(APART[level] * count))
    earliest = min(round(EARLIEST[level] * count), count - 1 - apart)
    for _ in range(TRIES):
        early = chance.randrange(earliest, count - apart)
        row, column = chance.randrange(rows), chance.randrange(columns)
        first, second = (lapse.image(frame, row, column) for frame in (early, early + apart))
        if first.tobytes() != second.tobytes():
            break
    label = pipe.label_names[column] if pipe.label_names and column < len(pipe.label_names) else None
    facts: dict[str, object] = {"about": not lapse.is_exact}
    if lapse.images is not None:
        facts |= {"early": lapse.images[early], "late": lapse.images[early + apart]}
    return _of(second, first, label=label, facts=facts)


def _better(pipe: GANPipeline, level: str, chance: random.Random, seen: frozenset[int]) -> Dealt:
    """Pictures of two networks that learnt the same data; the answer are those of the one with the better score."""
    rivals = material.rivals(pipe)  # the nearest scores first
    third = max(1, len(rivals) // 3)
    chosen = {"hard": rivals[:third], "normal": rivals[third:-third] or rivals, "easy": rivals[-third:]}[level]
    rival = chance.choice(chosen)
    labels = [chance.choice(pipe.label_names) for _ in range(SHOWN)] if pipe.label_names else None
    sheets = []
    for network in (pipe, models.load(rival.name)):
        drawn = models.pil_images(network(seeds=_seeds(chance, SHOWN), labels=labels))
        sheets.append(grid(drawn, 2, padding=0))
    own, others = sheets
    facts = {"score": rival.score, "better": rival.better, "worse": rival.worse, "network": rival.winner}
    return _of(own, others, facts=facts) if rival.loses else _of(others, own, facts=facts)


DEALERS: dict[str, Callable[[GANPipeline, str, random.Random, frozenset[int]], Dealt]] = {
    "real": _real,
    "preferred": _preferred,
    "later": _later,
    "better": _better,
}


def percent(probability: float) -> str:
    """How sure a probability of one of two is, as the page writes it."""
    sure = max(probability, 1 - probability)
    return f"{100 * sure:.0f} %" if sure < 0.995 else "> 99 %"
