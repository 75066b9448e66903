"""Alarms of a run: mode collapse, imbalance, divergence, memorization; each says the cause, the evidence and the remedy.

All thresholds are shares, ratios or numbers of steps, so that they mean the same for every loss and every data set. They
are set so that healthy runs raise none from the first step on; docs/monitors.md has them in a table, with the broken run
that proves each one.
"""

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

LOOK_STEPS = 50  # steps of a look, which is the mean over them; a run looks at least that often
KEPT = 20  # looks that are remembered
CLEARED = 10  # looks without the symptom; then an alarm may be raised again
REMINDED = 200  # looks after which an alarm that never cleared is raised again
START = 6  # looks at the start; the largest value in them is a magnitude's first usual value

Look = dict[str, float]  # name → mean over the look's steps; of `change/…`, the sum

SAME = 0.05  # diversity below which a generator draws one and the same image, whatever z is
POOR = 0.4  # diversity below which it misses most of the data, if it stays there
FOOLED = 0.25  # share of pairs in the right order below which the generator has won
CERTAIN = 0.99  # and above which the discriminator has, if its lead still grows
STILL = 1e-7  # relative change of weights that float32 rounds away: there was no update
LEAP = 5.0  # relative change of weights in a look; beyond it nothing learnt is left; healthy starts reach 1.4
VANISHED = 1e-3  # of the generator's usual gradient
DIVERGED = 100.0  # times the usual value
EXPLODED = 300.0  # times the value of the first look, while nothing is usual yet
COPIES = 0.5  # times the distance of unseen pictures to the nearest training image


STOPPED_BY_ALARM = "stopped by an alarm: {} What was saved is kept; alarms=warn goes on."


class AlarmError(ValueError):
    """A monitor's alarm in a run with alarms=stop."""


class Monitors:
    """Watches the numbers of one run and raises alarms; `batch_size` images are a step.

    Without `batch_size` each call of `observe` counts as one look of LOOK_STEPS steps. `alone`: the generator has no
    discriminator, which changes some remedies.
    """

    def __init__(self, batch_size: int | None = None, alone: bool = False) -> None:
        self.batch_size, self.alone = batch_size, alone
        self.images_seen, self.count = 0, 0  # of the run, and its looks so far
        self.pending: dict[str, list[float]] = {}  # name → [sum of value · steps, steps] of the look being made
        self.pending_steps = 0
        self.looks: list[Look] = []  # the newest last
        self.first: dict[str, float] = {}  # magnitude → its first value that was not 0
        self.usual: dict[str, float] = {}  # magnitude → its usual value
        self.memorised: list[float] = []  # the newest two, which are many looks apart
        self.raised: dict[str, int] = {}  # alarm → the look it was raised at
        self.absent: dict[str, int] = {}  # alarm that was raised → looks in a row without its symptom

    def observe(self, images_seen: int, values: dict[str, float]) -> list[str]:
        """New alarms, a sentence each, after `images_seen` images of the run.

        To be called every LOOK_STEPS steps or more often, with means over the steps since the last call, by the names of
        docs/monitors.md. Any name may be missing. Other names are ignored, and so are NaN and Inf, at which the run itself
        stops.
        """
        steps = LOOK_STEPS
        if self.batch_size is not None:
            steps = max(1, round((images_seen - self.images_seen) / self.batch_size))
        self.images_seen = images_seen
        self._collect(values, steps)
        return self._look() if self.pending_steps >= LOOK_STEPS else []

    def _collect(self, values: dict[str, float], steps: int) -> None:
        self.pending_steps += steps
        for name, value in values.items():
            if name == "memorised" and math.isfinite(value):
                self.memorised = [*self.memorised[-1:], float(value)]
            elif name in WATCHED and math.isfinite(value):
                total = self.pending.setdefault(name, [0.0, 0])
                weight = (
                    (1, 0) if name.startswith("change/") else (steps, steps)
                )  # changes add up, the others are means
                total[0] += float(value) * weight[0]
                total[1] += weight[1]

    def _look(self) -> list[str]:
        look = {name: total / max(1, steps) for name, (total, steps) in self.pending.items()}
        self.pending, self.pending_steps = {}, 0
        if {"logit/real", "logit/fake"} <= look.keys():
            look["lead"] = look["logit/real"] - look["logit/fake"]  # of the reals, in logits
        self.looks = [*self.looks[1 - KEPT :], look]
        self.count += 1
        # Before this look becomes part of what is usual.
        symptoms = {name: alarm.symptom(self) for name, alarm in ALARMS.items()}
        self._learn(look)
        hidden = {other for name, evidence in symptoms.items() if evidence for other in ALARMS[name].explains}
        return [
            self._sentence(name, evidence)
            for name, evidence in symptoms.items()
            if self._is_new(name, evidence, hidden) and evidence
        ]

    def _is_new(self, name: str, evidence: str | None, hidden: set[str]) -> bool:
        """Whether an alarm is to be raised; remembers when it was, and since when its symptom is absent."""
        if not evidence:
            if name in self.raised:
                self.absent[name] = self.absent.get(name, 0) + 1
                if self.absent[name] >= CLEARED:
                    del self.raised[name], self.absent[name]
            return False
        self.absent.pop(name, None)
        if name in hidden or self.count - self.raised.get(name, -REMINDED) < REMINDED:
            return False
        self.raised[name] = self.count
        return True

    def _sentence(self, name: str, evidence: str) -> str:
        alarm = ALARMS[name]
        return f"{name}: {evidence}; {self.alone and alarm.alone or alarm.remedy}."

    def _learn(self, look: Look) -> None:
        """Update the usual value of each magnitude: the largest of the first looks, then a slow average of logarithms."""
        for name in MAGNITUDES:
            value = abs(look.get(name, 0.0))
            if value == 0:
                continue
            self.first.setdefault(name, value)
            usual = self.usual.get(name, 0.0)
            if self.count <= START or usual == 0:
                self.usual[name] = max(usual, value)
            elif value > usual:  # upwards only: a gradient that vanishes must not become what is usual
                self.usual[name] = usual * (value / usual) ** (math.log(2) / 100)  # half-life 100 looks

    def last(self, name: str, looks: int) -> list[float]:
        """The values of the last `looks` looks, the newest last; none where there are fewer or one lacks the name."""
        values = [look[name] for look in self.looks[-looks:] if name in look]
        return values if len(values) == looks else []

    def state(self) -> dict:
        """Everything remembered, for a checkpoint, as JSON can hold it."""
        return {name: copy.deepcopy(getattr(self, name)) for name in STATE}

    def load(self, state: dict) -> None:
        """The inverse of `state`; raises ValueError where something is missing."""
        missing = [name for name in STATE if name not in state]
        if missing:
            raise ValueError(f"the monitors' state lacks {missing[0]!r}.")
        for name in STATE:
            setattr(self, name, copy.deepcopy(state[name]))


STATE = (
    "images_seen", "count", "pending", "pending_steps", "looks", "first", "usual", "memorised", "raised", "absent",
)  # fmt: skip
# What must not grow without end. The generator's loss may: with Wasserstein it is a logit, which can drift freely.
MAGNITUDES = ("loss/discriminator", "lead", "gradient/discriminator", "gradient/generator")
WATCHED = {
    "loss/discriminator", "logit/real", "logit/fake", "accuracy/pairs", "gradient/discriminator",
    "gradient/generator", "diversity", "change/discriminator", "change/generator", "began/k",
}  # fmt: skip


# ------------------------------------------------------------------- symptoms: the evidence, or None where there is none


def _collapsed(seen: Monitors) -> str | None:
    few, many = seen.last("diversity", 3), seen.last("diversity", KEPT)
    # A generator at its start may be just as poor: it is not called collapsed as long as it is getting better.
    if few and max(few) < SAME and few[-1] <= 1.25 * few[0]:
        return (
            f"two images of a class differ by {few[-1]:.2g} of what the data's do (diversity) and have differed by less "
            f"than {SAME} for {3 * LOOK_STEPS} steps, so the generator draws the same for every z"
        )
    if many and max(_mean(many), many[-1]) < POOR and _mean(many[-5:]) <= 1.5 * _mean(many[:5]):
        return (
            f"diversity, which is 1 for the data, has been {_mean(many):.2g} on average for {KEPT * LOOK_STEPS} steps "
            f"(now {many[-1]:.2g}), so the generator draws a few kinds of image only"
        )
    return None


def _vanished(seen: Monitors) -> str | None:
    norms, usual = seen.last("gradient/generator", 3), seen.usual.get("gradient/generator", 0.0)
    if not norms or usual == 0 or max(norms) >= VANISHED * usual:
        return None
    return (
        f"gradient/generator is {norms[-1]:.2g}, where {usual:.2g} was usual, for {3 * LOOK_STEPS} steps{_verdict(seen)}, "
        "so the generator learns nothing more"
    )


def _discriminator_won(seen: Monitors) -> str | None:
    pairs, leads = seen.last("accuracy/pairs", KEPT), seen.last("lead", KEPT)
    # Certainty alone is no fault: every discriminator is certain in its first steps, a good critic for much longer. It
    # is one where the generator does not catch up.
    if not pairs or not leads or min(pairs) < CERTAIN or _mean(leads[-5:]) <= 1.25 * _mean(leads[5:10]):
        return None
    return (
        f"for {KEPT * LOOK_STEPS} steps it has known at least {min(pairs):.1%} of reals from fakes and its lead still "
        f"grows (logit/real − logit/fake {leads[-1]:.3g}{_evidence(seen)}), so the generator falls behind"
    )


def _generator_won(seen: Monitors) -> str | None:
    pairs = seen.last("accuracy/pairs", 3)
    # BEGAN's scores say nothing of who wins: it wants fakes that are reconstructed better than reals.
    if not pairs or max(pairs) >= FOOLED or "began/k" in seen.looks[-1]:
        return None
    return (
        f"for {3 * LOOK_STEPS} steps the discriminator has put the fake above the real in {1 - max(pairs):.0%} of pairs or "
        f"more{_evidence(seen)}, so it teaches the generator nothing true"
    )


def _still(player: str) -> Callable[[Monitors], str | None]:
    def symptom(seen: Monitors) -> str | None:
        changes = seen.last(f"change/{player}", 3)
        if not changes or max(changes) >= STILL:
            return None
        return f"its weights have changed by {changes[-1]:.1g} of themselves in {LOOK_STEPS} steps{_evidence(seen)}"

    return symptom


def _leapt(player: str) -> Callable[[Monitors], str | None]:
    def symptom(seen: Monitors) -> str | None:
        changes = seen.last(f"change/{player}", 1)
        if not changes or changes[0] <= LEAP:
            return None
        return (
            f"{LOOK_STEPS} steps have changed its weights by {changes[0]:.3g} times themselves{_evidence(seen)}, so nothing of "
            "what it had learnt is left and the other player cannot follow"
        )

    return symptom


def _diverging(seen: Monitors) -> str | None:
    early, pairs = seen.count <= KEPT, seen.last("accuracy/pairs", 3)
    if early and pairs and min(pairs) > 0.95:
        return None  # magnitudes grow fast from a start near 0 while a discriminator learns what is easy
    known, factor = (seen.first, EXPLODED) if early else (seen.usual, DIVERGED)
    for name in MAGNITUDES:
        values, usual = [abs(value) for value in seen.last(name, 3)], known.get(name, 0.0)
        if values and usual > 0 and min(values) > factor * usual:
            label = {"lead": "logit/real − logit/fake"}.get(name, name)
            return (
                f"{label} has grown to {values[-1]:.3g} where {usual:.3g} was usual and has been more than {factor:.0f} times "
                f"that for {3 * LOOK_STEPS} steps"
            )
    return None


def _memorizing(seen: Monitors) -> str | None:
    if len(seen.memorised) < 2 or max(seen.memorised) >= COPIES:
        return None
    return (
        f"generated images are nearer to a training image than unseen pictures are, at {seen.memorised[-1]:.2f} of their "
        f"distance (memorised; below {COPIES} twice in a row)"
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _evidence(seen: Monitors) -> str:
    """The newest known losses and gradients of both players, as part of a sentence."""
    names = ("loss/discriminator", "gradient/discriminator", "gradient/generator")
    return "".join(f", {name} {seen.looks[-1][name]:.3g}" for name in names if name in seen.looks[-1])


def _verdict(seen: Monitors) -> str:
    look = seen.looks[-1]
    if "accuracy/pairs" not in look or "loss/discriminator" not in look:
        return ""
    share, loss = look["accuracy/pairs"], look["loss/discriminator"]
    return f", while the discriminator is right on {share:.0%} of pairs (loss/discriminator {loss:.2g})"


class Alarm(NamedTuple):
    """One cause: how its symptom shows, and what to do."""

    symptom: Callable[[Monitors], str | None]
    remedy: str
    explains: tuple[str, ...] = ()  # alarms that are consequences of this one, and not raised beside it
    alone: str = ""  # the remedy where there is no discriminator, if it differs


# cause → how it shows, and what to do in words of the recipe
ALARMS: dict[str, Alarm] = {
    "diverging": Alarm(
        _diverging,
        "lower learning_rate_discriminator and learning_rate_generator or raise r1_gamma (with loss wasserstein: set "
        "wgan_gp_weight or weight_clip), and go on from an earlier checkpoint",
        alone="lower learning_rate_generator, and go on from an earlier checkpoint",
    ),
    "imbalance, discriminator leaps": Alarm(
        _leapt("discriminator"),
        "lower learning_rate_discriminator, by ten to begin with",
    ),
    "imbalance, generator leaps": Alarm(_leapt("generator"), "lower learning_rate_generator, by ten to begin with"),
    "imbalance, discriminator does not move": Alarm(
        _still("discriminator"),
        "raise learning_rate_discriminator if it is 0, lower skip_discriminator_below if that skips its updates, and where "
        "its gradient is 0 it is dead, so start again with a lower learning_rate_discriminator",
        explains=("imbalance, generator wins", "vanishing generator gradient"),
    ),
    "imbalance, generator wins": Alarm(
        _generator_won,
        "raise learning_rate_discriminator or discriminator_steps, or lower learning_rate_generator, label_smoothing or "
        "r1_gamma",
        explains=("vanishing generator gradient",),
    ),
    "vanishing generator gradient": Alarm(
        _vanished,
        "take loss non_saturating or relativistic instead of minimax, lower learning_rate_discriminator, and raise "
        "r1_gamma or instance_noise",
        explains=("imbalance, discriminator wins", "imbalance, generator does not move"),
        alone="raise learning_rate_generator if it is small; else it has come as near to the data as it can, so give it more "
        "units or end the run",
    ),
    "imbalance, discriminator wins": Alarm(
        _discriminator_won,
        "raise r1_gamma, lower learning_rate_discriminator or discriminator_steps, add instance_noise or "
        "label_smoothing, and with few images augment: ada or diffaugment",
    ),
    "imbalance, generator does not move": Alarm(
        _still("generator"),
        "raise learning_rate_generator if it is 0",
        explains=("imbalance, discriminator wins",),
    ),
    "mode collapse": Alarm(
        _collapsed,
        "go back to a checkpoint from before, raise r1_gamma and r2_gamma, give the discriminator minibatch_stddev, take "
        "loss relativistic, or lower learning_rate_generator",
        alone="go back to a checkpoint from before, raise batch_size, or lower learning_rate_generator",
    ),
    "memorising": Alarm(
        _memorizing,
        "stop earlier (total_kimg), use more different pictures, or augment: ada or diffaugment, and flip where mirroring is "
        "harmless",
        alone="stop earlier (total_kimg), use more different pictures, and flip where mirroring is harmless",
    ),
}
