"""The monitors on made-up numbers, from both sides of every threshold; on toys they are tested in tests/test_ring.py."""

import ast
import doctest
import json
import re
from pathlib import Path

import pytest

from gan_hub.training import monitors
from gan_hub.training.config import FIELDS
from gan_hub.training.monitors import ALARMS, CLEARED, KEPT, REMINDED, START, WATCHED, Monitors
from gan_hub.training.run_files import read_log

ROOT = Path(__file__).resolve().parents[2]
HEALTHY = {
    "loss/discriminator": 1.3, "loss/generator": 0.8, "logit/real": 0.2, "logit/fake": -0.2, "accuracy/real": 0.6,
    "accuracy/fake": 0.6, "accuracy/pairs": 0.65, "gradient/discriminator": 2.0, "gradient/generator": 1.0,
    "penalty/r1": 0.01, "diversity": 0.9, "change/discriminator": 0.1, "change/generator": 0.05, "memorised": 1.0,
    "memory/GB": 3.0, "img/s": 200.0,
}  # fmt: skip


def causes(watch: Monitors, *looks: dict[str, float]) -> list[list[str]]:
    """The causes named at each of the looks: HEALTHY but for what is given."""
    said = [watch.observe(watch.images_seen + 50 * 64, HEALTHY | look) for look in looks]
    return [[sentence.split(": ")[0] for sentence in sentences] for sentences in said]


def named(watch: Monitors, *looks: dict[str, float]) -> set[str]:
    return {cause for found in causes(watch, *looks) for cause in found}


def settled(looks: int = KEPT + 5) -> Monitors:
    """Monitors that have seen a healthy run for so long."""
    watch = Monitors(64)
    assert named(watch, *[{}] * looks) == set()
    return watch


def test_nothing_is_said_of_a_healthy_run():
    assert named(Monitors(64), *[{}] * 500) == set()


@pytest.mark.parametrize("name", ["dcgan-mnist", "dcgan-fashion-mnist"])
def test_the_published_runs_raise_no_alarm(name):
    lines = read_log(ROOT / "model_cards" / name / "log.jsonl")
    watch, looks = Monitors(), 0
    for line in lines:
        numbers = {key: value for key, value in line.items() if not isinstance(value, str)}
        assert watch.observe(line["images"], numbers) == []
        looks += bool(WATCHED & numbers.keys())
    assert looks > 90


def test_numbers_that_are_missing_unknown_or_not_finite_raise_nothing():
    watch = Monitors(64)
    for step in range(1, 100):
        values = {"diversity": float("nan"), "gradient/generator": float("inf"), "memorised": float("nan"), "new": 0.0}
        assert watch.observe(step * 3200, values) == watch.observe(step * 3200 + 64, {}) == []
    assert all(watch.last(name, 1) == [] for name in ("diversity", "gradient/generator", "new"))
    json.dumps(watch.state(), allow_nan=False)


# --------------------------------------------------------------------------------- each alarm, from both sides

FIRED, SILENT = True, False


def led(leads: list[float], drift: float = 0.0) -> list[dict[str, float]]:
    """Looks of a discriminator that is always right, by these leads; each look moves both logits by `drift`."""
    return [
        {"accuracy/pairs": 1.0, "logit/real": index * drift + lead, "logit/fake": index * drift}
        for index, lead in enumerate(leads)
    ]


@pytest.mark.parametrize(
    ("cause", "looks", "fires"),
    [
        ("mode collapse", [{"diversity": 0.0}] * 3, FIRED),
        ("mode collapse", [{"diversity": 0.049}] * 3, FIRED),
        ("mode collapse", [{"diversity": 0.049}] * 2, SILENT),
        ("mode collapse", [{"diversity": 0.051}] * 3, SILENT),
        ("mode collapse", [{"diversity": 0.010}, {"diversity": 0.011}, {"diversity": 0.013}], SILENT),  # it grows
        ("mode collapse", [{"diversity": 0.010}, {"diversity": 0.011}, {"diversity": 0.012}], FIRED),
        ("mode collapse", [{"diversity": 0.39}] * 20, FIRED),
        ("mode collapse", [{"diversity": 0.39}] * 19, SILENT),
        ("mode collapse", [{"diversity": 0.41}] * 20, SILENT),
        ("mode collapse", [{"diversity": 0.2}] * 14 + [{"diversity": 0.39}], FIRED),
        ("mode collapse", [{"diversity": 0.2}] * 14 + [{"diversity": 0.41}], SILENT),  # over
        ("vanishing generator gradient", [{"gradient/generator": 0.0009}] * 3, FIRED),
        ("vanishing generator gradient", [{"gradient/generator": 0.0009}] * 2, SILENT),
        ("vanishing generator gradient", [{"gradient/generator": 0.0011}] * 3, SILENT),
        ("imbalance, discriminator wins", [{"accuracy/pairs": 1.0, "logit/real": x} for x in range(20)], FIRED),
        ("imbalance, discriminator wins", [{"accuracy/pairs": 0.99, "logit/real": x} for x in range(20)], FIRED),
        ("imbalance, discriminator wins", [{"accuracy/pairs": 0.98, "logit/real": x} for x in range(20)], SILENT),
        ("imbalance, discriminator wins", [{"accuracy/pairs": 1.0, "logit/real": x} for x in range(19)], SILENT),
        ("imbalance, discriminator wins", [{"accuracy/pairs": 1.0, "logit/real": 9.0}] * 40, SILENT),  # G keeps up
        # The lead of the last 250 steps against that of 500 steps earlier: a quarter more, by whatever detours.
        ("imbalance, discriminator wins", led([9] * 15 + [11.3] * 5), FIRED),
        ("imbalance, discriminator wins", led([9] * 15 + [11.2] * 5), SILENT),
        ("imbalance, discriminator wins", led([1] * 5 + [9] * 15), SILENT),  # it grew, but has come to an end
        ("imbalance, discriminator wins", led([20] * 5 + [9] * 10 + [11.3] * 5), FIRED),
        ("imbalance, discriminator wins", led([9] * 5 + [5] * 5 + [9] * 10), FIRED),
        ("imbalance, discriminator wins", led([9] * 19 + [20]), SILENT),  # one look is no growth
        ("imbalance, discriminator wins", led([9] * 20, drift=3), SILENT),  # both logits drift, the lead does not
        ("imbalance, discriminator wins", led([-9] * 10 + [-12] * 10), SILENT),
        ("imbalance, generator wins", [{"accuracy/pairs": 0.24}] * 3, FIRED),
        ("imbalance, generator wins", [{"accuracy/pairs": 0.24}] * 2, SILENT),
        ("imbalance, generator wins", [{"accuracy/pairs": 0.26}] * 3, SILENT),
        ("imbalance, generator wins", [{"accuracy/pairs": 0.0, "began/k": 0.1}] * 9, SILENT),
        ("imbalance, discriminator does not move", [{"change/discriminator": 0.0}] * 3, FIRED),
        ("imbalance, discriminator does not move", [{"change/discriminator": 9e-8}] * 3, FIRED),
        ("imbalance, discriminator does not move", [{"change/discriminator": 0.0}] * 2, SILENT),
        ("imbalance, discriminator does not move", [{"change/discriminator": 2e-7}] * 3, SILENT),
        ("imbalance, generator does not move", [{"change/generator": 0.0}] * 3, FIRED),
        ("imbalance, generator does not move", [{"change/generator": 2e-7}] * 3, SILENT),
        ("imbalance, discriminator leaps", [{"change/discriminator": 5.1}], FIRED),
        ("imbalance, discriminator leaps", [{"change/discriminator": 4.9}], SILENT),
        ("imbalance, generator leaps", [{"change/generator": 5.1}], FIRED),
        ("imbalance, generator leaps", [{"change/generator": 4.9}], SILENT),
        ("diverging", [{"loss/discriminator": 145.0}] * 3, FIRED),
        ("diverging", [{"loss/discriminator": -145.0}] * 3, FIRED),
        ("diverging", [{"loss/discriminator": 145.0}] * 2, SILENT),
        ("diverging", [{"loss/discriminator": 129.0}] * 3, SILENT),
        ("diverging", [{"gradient/discriminator": 220.0}] * 3, FIRED),
        ("diverging", [{"gradient/generator": 110.0}] * 3, FIRED),
        ("diverging", [{"logit/real": 44.0}] * 3, FIRED),  # a lead of 44.2 where 0.4 was usual
        ("diverging", [{"logit/real": 1e6, "logit/fake": 1e6 - 0.4}] * 9, SILENT),  # Wasserstein's zero is free
        ("diverging", [{"loss/generator": 1e6}] * 9, SILENT),  # as above
        ("memorising", [{"memorised": 0.49}] * 2, FIRED),
        ("memorising", [{"memorised": 0.49}], SILENT),
        ("memorising", [{"memorised": 0.51}] * 2, SILENT),
        ("memorising", [{"memorised": 0.1}, {"memorised": 0.6}, {"memorised": 0.1}], SILENT),
    ],
)
def test_an_alarm_is_raised_beyond_its_threshold_and_not_just_before_it(cause, looks, fires):
    found = causes(settled(), *looks)
    if fires:
        assert found[-1] == [cause], found
    else:
        assert not any(found)


@pytest.mark.parametrize(("factor", "pairs", "fires"), [(310, 0.6, True), (290, 0.6, False), (310, 0.97, False)])
def test_a_start_diverges_only_beyond_300_times_the_first_look_and_not_while_the_discriminator_learns(
    factor, pairs, fires
):
    loud = {"gradient/discriminator": factor * HEALTHY["gradient/discriminator"], "accuracy/pairs": pairs}
    assert named(Monitors(64), {}, *[loud] * (START + 2)) == ({"diverging"} if fires else set())


def test_what_is_usual_follows_a_run_that_grows_slowly():
    watch, slow = settled(), [{"gradient/generator": 1.005**look} for look in range(1500)]
    assert slow[-1]["gradient/generator"] > 1000 and named(watch, *slow) == set()


@pytest.mark.parametrize("start", [0, 25])
def test_a_constant_generator_is_named_within_200_steps_of_the_start_or_of_the_collapse(start):
    watch = settled(start)
    found = causes(watch, *[{"diversity": 0.0}] * 4)
    assert ["mode collapse"] in found


def test_a_generator_that_is_poor_at_its_start_is_not_collapsed_while_it_improves():
    growing, stuck = [{"diversity": 0.01 * 1.15**look} for look in range(25)], [{"diversity": 0.3}] * 25
    assert named(Monitors(64), *growing) == set()
    assert named(Monitors(64), *[{"diversity": 0.1 + 0.02 * look} for look in range(25)]) == set()
    assert named(Monitors(64), *stuck) == {"mode collapse"}


def test_a_consequence_is_not_named_beside_its_cause():
    frozen = {"change/discriminator": 0.0, "accuracy/pairs": 0.0, "gradient/generator": 1e-6}
    assert named(settled(), *[frozen] * 5) == {"imbalance, discriminator does not move"}
    assert named(settled(), *[frozen | {"change/discriminator": 0.1}] * 5) == {"imbalance, generator wins"}
    stuck = {"gradient/generator": 1e-9, "change/generator": 0.0}
    assert named(settled(), *[stuck] * 5) == {"vanishing generator gradient"}


# ---------------------------------------------------------------------------------------- what an alarm says, and when


def test_an_alarm_says_the_numbers_and_the_remedy():
    watch = settled()
    (said,) = [
        said for _ in range(3) for said in watch.observe(watch.images_seen + 3200, HEALTHY | {"diversity": 0.03})
    ]
    assert said.startswith("mode collapse: ") and said.endswith(".")
    assert "0.03" in said and "150 steps" in said and "minibatch_stddev" in said
    (said,) = watch.observe(
        watch.images_seen + 3200, HEALTHY | {"change/discriminator": 12.3, "loss/discriminator": 77}
    )
    for part in ("12.3", "loss/discriminator 77", "gradient/discriminator 2", "learning_rate_discriminator"):
        assert part in said


def test_a_remedy_names_options_that_exist():
    known = {*FIELDS, "minibatch_stddev", "non_saturating"}
    for cause, alarm in ALARMS.items():
        words = set(re.findall(r"[a-z0-9]+(?:_[a-z0-9]+)+", alarm.remedy))
        assert words <= known, cause
        assert words or "augment" in alarm.remedy
        assert set(alarm.explains) < ALARMS.keys() - {cause}


def test_an_alarm_is_not_repeated_until_it_has_cleared_or_a_long_time_has_passed():
    watch, sick = settled(), {"accuracy/pairs": 0.1}
    assert sum(map(len, causes(watch, *[sick] * REMINDED))) == 1
    assert sum(map(len, causes(watch, *[sick] * 3))) == 1  # reminded
    # The symptom of three looks is absent in the first two of a relapse as well.
    for _ in range(3):  # each relapse starts the count anew
        assert not any(causes(watch, *[{}] * (CLEARED - 3), *[sick] * 5))
    found = causes(watch, *[{}] * (CLEARED - 2), *[sick] * 3)
    assert found[-1] == ["imbalance, generator wins"] and not any(found[:-1])


def test_calls_closer_than_50_steps_make_the_same_looks():
    """A log line falls between two looks, and short runs are looked at in every step."""
    often, seldom = Monitors(64), Monitors(64)
    looks = [{"diversity": 0.0, "change/discriminator": 5.1}] * 5
    said = [seldom.observe(3200 * (index + 1), HEALTHY | look) for index, look in enumerate(looks)]
    tenth = {"change/discriminator": 0.51, "change/generator": 0.005}
    for index, look in enumerate(looks):
        for part in range(1, 11):
            found = often.observe(3200 * index + 320 * part, HEALTHY | look | tenth)
            assert found == (said[index] if part == 10 else [])
    assert often.looks == [pytest.approx(look) for look in seldom.looks]
    assert {name for sentences in said for name in (s.split(":")[0] for s in sentences)} >= {"mode collapse"}


def test_a_look_is_the_mean_weighted_with_steps():
    watch = Monitors(10)
    watch.observe(400, {"diversity": 1.0})  # 40 steps
    watch.observe(500, {"diversity": 0.5})  # 10 more
    assert watch.last("diversity", 1) == [pytest.approx(0.9)]


@pytest.mark.parametrize("cut", [1, 10, 23, 26, 27, 28, 30])
def test_a_run_that_was_stopped_and_resumed_says_the_same(cut):
    sick = {"diversity": 0.01, "gradient/generator": 1e-9, "memorised": 0.1, "change/discriminator": 9.0}
    stream = [HEALTHY] * 25 + [HEALTHY | sick] * 8 + [HEALTHY] * 4 + [HEALTHY | sick] * 20
    whole, first, second = Monitors(64), Monitors(64), Monitors(64)
    # Calls of 30 steps, so that a look is unfinished at most cuts.
    expected = [whole.observe(30 * 64 * (index + 1), values) for index, values in enumerate(stream)]
    found = [first.observe(30 * 64 * (index + 1), values) for index, values in enumerate(stream[:cut])]
    saved = json.dumps(first.state(), allow_nan=False)
    second.load(json.loads(saved))
    first.observe(10**9, HEALTHY)  # what goes on after the checkpoint must not be in it
    found += [second.observe(30 * 64 * (index + 1), stream[index]) for index in range(cut, len(stream))]
    assert found == expected and sum(map(len, expected)) >= 3
    assert second.state() == whole.state()


def test_a_state_without_a_part_of_it_is_refused():
    state = settled().state()
    del state["usual"]
    with pytest.raises(ValueError, match="'usual'"):
        Monitors(64).load(state)


def test_a_state_is_no_window_into_the_monitors():
    watch = settled()
    state = watch.state()
    state["looks"].clear()
    assert len(watch.looks) == KEPT
    fresh = Monitors(64)
    state = watch.state()
    fresh.load(state)
    state["looks"].clear()
    assert len(fresh.looks) == KEPT


def test_the_monitors_import_nothing_but_the_standard_library():
    tree = ast.parse(Path(monitors.__file__).read_text(encoding="utf-8"))
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert found == {"copy", "math", "collections.abc", "typing"}


def test_the_example_of_the_document_runs():
    result = doctest.testfile(str(ROOT / "docs" / "monitors.md"), module_relative=False)
    assert result.attempted >= 4 and result.failed == 0


def test_every_alarm_stands_in_the_document():
    text = (ROOT / "docs" / "monitors.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")}
    assert rows - {"alarm"} == set(ALARMS)
    for number in ("0.05", "0.4", "0.25", "99 %", "1e-7", "1/1000", "100 times", "300 times", "0.5"):
        assert number in text
