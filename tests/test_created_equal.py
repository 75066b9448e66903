"""The study of benchmarks/created_equal: its plan, its work shared and resumed, its words; on tiny networks and images."""

import ast
import dataclasses
import json
import multiprocessing
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from benchmarks.created_equal import __main__ as command
from benchmarks.created_equal import network, study, table
from benchmarks.created_equal.losses import BASELINE, CONTROLS, LOSSES, OURS, PROTOCOL
from benchmarks.created_equal.plan import FULL_KIMG, PLAN_NAME, Plan, Task, agreed, kimg_within, minutes, scored_within
from gan_hub.models import ARCHITECTURES, CLASSES

FOLDER = Path(command.__file__).parent
ROWS = LOSSES | OURS | CONTROLS
TINY = {"generator": {"latent_size": 4, "base_channels": 2, "hidden_size": 4}, "batch_size": 4, "precision": "fp32"}
SMALL = {"base_channels": 2, "hidden_size": 4}


@pytest.fixture(autouse=True)
def registered():
    """The study's networks are in the registry for the time of a test, as they are for the time of the command."""
    before, classes = dict(ARCHITECTURES), dict(CLASSES)
    network.register()
    yield
    for registry, content in ((ARCHITECTURES, before), (CLASSES, classes)):
        registry.clear()
        registry.update(content)


@pytest.fixture
def digits(tmp_path, monkeypatch) -> None:
    """An MNIST of 48 noise images to train on and 32 to be measured against."""
    rng = np.random.default_rng(0)
    arrays = {f"{kind}_{split}": rng.integers(0, 256 if kind == "x" else 10, shape, np.uint8)
              for split, count in (("train", 48), ("test", 32))
              for kind, shape in (("x", (count, 28, 28)), ("y", count))}  # fmt: skip
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    np.savez(tmp_path / "data" / "mnist" / "mnist.npz", **arrays)
    monkeypatch.setenv("GAN_HUB_DATA", str(tmp_path / "data"))


def tiny_plan(rows: dict[str, dict], seeds: int = 1, kimg: float = 0.016) -> Plan:
    """Four steps of networks with a few hundred weights."""
    return Plan(kimg, f"{kimg:g} kimg", PROTOCOL | TINY, rows, ["mnist"], seeds, generated_images=8)


NS, HINGE = ({"NS GAN": LOSSES["NS GAN"] | {"discriminator": SMALL}}, {"H": {"loss": "hinge", "discriminator": SMALL}})


# ---------------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize(
    ("made", "millions"),
    [("InfoGANGenerator", 6.63), ("InfoGANDiscriminator", 6.56), ("InfoGANAutoencoder", 1.07)],
)
def test_the_networks_have_the_papers_layers_and_the_sizes_their_docstrings_state(made, millions):
    cls = getattr(network, made)
    with torch.device("meta"):
        parameters = list(cls().parameters())
    assert f"{millions} M." in " ".join(cls.__doc__.split("\n\n")[0].split())
    assert round(sum(p.numel() for p in parameters) / 1e6, 2) == millions
    expected = {
        "InfoGANGenerator": [(1024, 64), (6272, 1024), (128, 64, 4, 4), (64, 1, 4, 4)],
        "InfoGANDiscriminator": [(64, 1, 4, 4), (128, 64, 4, 4), (1024, 6272), (1, 1024)],
        "InfoGANAutoencoder": [
            (64, 1, 4, 4), (128, 64, 4, 4), (64, 6272), (6272, 64), (128, 64, 4, 4), (64, 1, 4, 4)
        ],
    }  # fmt: skip
    assert [tuple(p.shape) for p in parameters if p.dim() > 1] == expected[made]


def test_generators_give_images_and_discriminators_a_number_for_each():
    images = network.InfoGANGenerator(base_channels=2, hidden_size=4, latent_size=3)(torch.randn(5, 3))
    assert images.shape == (5, 1, 28, 28) and images.abs().max() <= 1
    assert network.InfoGANDiscriminator(base_channels=2, hidden_size=4)(images).shape == (5,)
    autoencoder = network.InfoGANAutoencoder(base_channels=2, code_size=3)
    assert autoencoder(images).shape == (5,) and (autoencoder(images) < 0).all()
    assert autoencoder.reconstruct(images).shape == images.shape


def test_without_batch_normalisation_a_logit_does_not_depend_on_the_other_images():
    images = torch.randn(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for norm, alone in (("none", True), ("batch", False)):
        discriminator = network.InfoGANDiscriminator(base_channels=2, hidden_size=4, norm=norm)
        for parameter in discriminator.parameters():
            torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(1))
        assert torch.allclose(discriminator(images)[:3], discriminator(images[:3]), atol=1e-5) == alone


# --------------------------------------------------------------------------------------------------- the plan


@pytest.mark.parametrize("kimg", [1.6, 19.2, FULL_KIMG])
def test_every_run_of_a_plan_sees_equally_many_images(kimg, tmp_path):
    plan = Plan(kimg, "", PROTOCOL, ROWS, ["fashion-mnist", "mnist"], 3)
    configs = [plan.config(task, tmp_path) for task in plan.tasks()]
    assert {config.total_steps * config.batch_size for config in configs} == {round(1000 * kimg)}
    assert len({config.run_folder for config in configs}) == len(configs) == 2 * 3 * len(ROWS)


def test_the_penalised_losses_of_the_table_have_no_batch_normalisation(tmp_path):
    plan = Plan(1.6, "", PROTOCOL, LOSSES, ["mnist"], 1)
    configs = {task.row: plan.config(task, tmp_path) for task in plan.tasks()}
    penalised = {row for row, config in configs.items() if config.penalties}
    assert penalised == {"WGAN-GP", "DRAGAN", "RpGAN + R1 + R2"}
    assert {row for row, config in configs.items() if config.discriminator.get("norm") == "none"} == penalised


def test_work_is_ordered_so_that_a_cut_leaves_whole_tables():
    plan = Plan(1.6, "", PROTOCOL, {"A": {}, "B": {}}, ["fashion-mnist", "mnist"], 2)
    assert [tuple(task) for task in plan.tasks()][:5] == [
        ("fashion-mnist", "A", 0), ("fashion-mnist", "B", 0), ("fashion-mnist", "A", 1), ("fashion-mnist", "B", 1),
        ("mnist", "A", 0),
    ]  # fmt: skip


def test_a_budget_is_filled_with_images_and_never_overrun():
    paces = [2.0, 3.0, 5.0]  # seconds a kimg
    for budget in (100, 500, 10_000):
        kimg = kimg_within(budget, paces, seconds_per_score=5)
        assert sum(pace * kimg for pace in paces) + 15 <= budget < sum(pace * (kimg + 1.6) for pace in paces) + 15
    assert kimg_within(1e9, paces, 5) == FULL_KIMG
    with pytest.raises(ValueError, match="a budget of 0.5 minutes is not enough for 3 runs; the least is 1m"):
        kimg_within(30, paces, seconds_per_score=5)


def test_scores_take_a_quarter_of_a_budget_at_most_or_the_fewest_images():
    assert [scored_within(seconds, 10, 0.001) for seconds in (401, 399, 101, 39, 1)] == [
        10_000,
        5_000,
        2_500,
        1_000,
        1_000,
    ]


def test_a_budget_is_measured_before_anything_is_known_of_its_length(monkeypatch, tmp_path):
    monkeypatch.setattr(study, "score", lambda *given: {})
    monkeypatch.setattr(study, "Match", Instant)
    seconds, each = study.timing(Plan(0.0, "20 minutes", PROTOCOL, NS, ["mnist"], 2), tmp_path)
    assert len(seconds) == 2 and min(seconds) > 0 <= each


class Instant:
    """Networks that take no time; their configuration is built as for a run."""

    def __init__(self, config):
        assert config.total_kimg > 0
        self.players = self

    def step(self, step: int) -> None:
        pass

    def published(self):
        return None, None


@pytest.mark.parametrize(("text", "value"), [("20m", 20), ("1.5h", 90)])
def test_budgets_are_minutes_or_hours(text, value):
    assert minutes(text) == value


@pytest.mark.parametrize("text", ["20", "m", "-3m", "20s", "nanm"])
def test_other_budgets_are_refused(text):
    with pytest.raises(ValueError, match=re.escape(f"budget {text!r} is not allowed")):
        minutes(text)


def never(plan: Plan) -> float:
    raise AssertionError("images were measured though the plan is there")


def test_a_plan_is_measured_once_and_resumed_afterwards(tmp_path):
    asked = Plan(0.0, "20 minutes on 1 process(es)", PROTOCOL, ROWS, ["mnist"], 3)
    first = agreed(tmp_path, asked, lambda plan: dataclasses.replace(plan, kimg=4.8, generated_images=2500))
    assert (first.kimg, first.generated_images) == (4.8, 2500)
    assert agreed(tmp_path, asked, never) == first
    assert agreed(tmp_path, dataclasses.replace(asked, budget=""), never) == first


def test_rows_data_and_seeds_may_be_added_to_a_plan(tmp_path):
    asked = Plan(1.6, "1.6 kimg", PROTOCOL, NS, ["mnist"], 2)
    agreed(tmp_path, asked, never)
    more = agreed(tmp_path, dataclasses.replace(asked, rows=HINGE, data=["fashion-mnist"], seeds=1), never)
    assert (list(more.rows), more.data, more.seeds) == (["NS GAN", "H"], ["mnist", "fashion-mnist"], 2)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kimg": 3.2}, "(kimg: 1.6 there, 3.2 now)"),
        ({"budget": "full"}, "(budget: 1.6 kimg there, full now)"),
        ({"protocol": PROTOCOL | {"beta1": 0.0}}, "(protocol: "),
        ({"rows": {"NS GAN": {"loss": "hinge"}}}, "(NS GAN: "),
    ],
)
def test_a_changed_plan_is_refused(tmp_path, changed, said):
    asked = Plan(1.6, "1.6 kimg", PROTOCOL, NS, ["mnist"], 2)
    agreed(tmp_path, asked, never)
    before = (tmp_path / PLAN_NAME).read_bytes()
    with pytest.raises(ValueError, match=re.escape(said)):
        agreed(tmp_path, dataclasses.replace(asked, **changed), never)
    assert (tmp_path / PLAN_NAME).read_bytes() == before


# ------------------------------------------------------------------------------------------------------- work


def test_the_work_is_done_once_and_what_is_done_is_left_alone(tmp_path, digits):
    plan, results, runs = tiny_plan(NS | HINGE), tmp_path / "results", tmp_path / "runs"
    assert study.work(plan, plan.tasks(), results, runs) == plan.tasks()
    written = {path: path.read_bytes() for path in results.rglob("*.json")}
    assert study.work(plan, plan.tasks(), results, runs) == []
    assert {path: path.read_bytes() for path in results.rglob("*.json")} == written

    for task, result in study.results_of(plan, results).items():
        assert (result["data"], result["row"], result["seed"], result["kimg"], result["images"]) == (*task, 0.016, 16)
        assert (
            result["recipe"].get("loss", "non_saturating") == plan.rows[task.row]["loss"]
            and "output" not in result["recipe"]
        )
        assert list(result["report"]["scores"]) == ["FD-digits"]
        assert result["report"]["provenance"]["extractor"] == "digits"
        assert str(tmp_path) not in json.dumps(result)


def test_a_run_that_another_process_is_at_is_passed_over(tmp_path, digits):
    plan, results, runs = tiny_plan(NS | HINGE), tmp_path / "results", tmp_path / "runs"
    first, second = plan.tasks()
    (runs / first.slug).mkdir(parents=True)
    with FileLock(runs / first.slug / "lock"):
        assert study.work(plan, plan.tasks(), results, runs) == [second]
    assert study.work(plan, plan.tasks(), results, runs) == [first]


def _share(plan, results, runs, told):
    torch.set_num_threads(1)
    told.put([task.slug for task in study.work(plan, plan.tasks(), results, runs)])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes_share_the_work_without_doing_a_run_twice(tmp_path, digits):
    plan, context = tiny_plan(NS | HINGE, seeds=2), multiprocessing.get_context("fork")
    told = context.Queue()
    team = [context.Process(target=_share, args=(plan, tmp_path / "r", tmp_path / "runs", told)) for _ in range(2)]
    for process in team:
        process.start()
    done = [told.get(timeout=200) for _ in team]
    for process in team:
        process.join()
    assert sorted(done[0] + done[1]) == sorted(task.slug for task in plan.tasks())  # all, and none twice
    assert all(done)


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, digits, monkeypatch):
    def config(folder):
        found = tiny_plan(NS, kimg=0.024).config(Task("mnist", "NS GAN", 0), tmp_path / folder)
        return dataclasses.replace(found, checkpoint_kimg=0.012)

    whole, _ = study.play_out(config("whole"))
    kept = study.save_checkpoint

    def interrupted(*args, **kwargs):
        kept(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "save_checkpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study.play_out(config("cut"))
    monkeypatch.undo()
    monkeypatch.setenv("GAN_HUB_DATA", str(tmp_path / "data"))
    steps = []
    monkeypatch.setattr(
        study.Match, "step", lambda self, step, play=study.Match.step: (steps.append(step), play(self, step))
    )
    resumed, facts = study.play_out(config("cut"))
    assert steps == [3, 4, 5] and facts["images"] == 24
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_run_that_diverges_is_recorded_as_such(tmp_path, digits):
    bad = {"NS GAN": NS["NS GAN"] | {"learning_rate_generator": 1e30, "learning_rate_discriminator": 1e30}}
    plan = tiny_plan(bad)
    study.work(plan, plan.tasks(), tmp_path / "results", tmp_path / "runs")
    (result,) = study.results_of(plan, tmp_path / "results").values()
    assert result["failed"].startswith("weights became NaN or Inf at 0.0") and "report" not in result


def test_kept_generators_are_scored_anew(tmp_path, digits):
    plan, results, runs = tiny_plan(NS), tmp_path / "results", tmp_path / "runs"
    study.work(plan, plan.tasks(), results, runs)
    (path,) = results.rglob("*-seed0.json")
    before = json.loads(path.read_text())
    path.write_text(json.dumps(before | {"report": {"scores": {}}}))
    assert study.rescore(plan, results, runs, ("fd",)) == 1
    after = json.loads(path.read_text())
    assert after["report"]["scores"] == pytest.approx(before["report"]["scores"], rel=1e-4)


def test_the_readmes_example_of_a_new_loss_in_one_line_runs(tmp_path, digits):
    (block,) = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (line,) = block.strip().splitlines()
    added = ast.literal_eval("{" + line + "}")
    assert not added.keys() & ROWS.keys()
    (name, options), = added.items()  # fmt: skip
    plan = tiny_plan(NS)
    agreed(tmp_path / "results", plan, never)
    plan = agreed(
        tmp_path / "results", dataclasses.replace(plan, rows={name: options | {"discriminator": SMALL}}), never
    )
    assert {task.row for task in study.work(plan, plan.tasks(), tmp_path / "results", tmp_path / "runs")} == {
        "NS GAN",
        name,
    }


def test_a_call_for_one_loss_leaves_the_others_for_later(tmp_path, digits, monkeypatch):
    monkeypatch.setattr(command, "ROWS", NS | HINGE)
    monkeypatch.setattr(command, "PROTOCOL", PROTOCOL | TINY)
    folders = [f"--{name}={tmp_path / name}" for name in ("results", "runs", "docs")]
    size = ["--data=mnist", "--seeds=1", "--losses=NS GAN,H"]
    args = command.parse([*folders, *size, "--kimg=0.016"])
    plan = command.begin(args)
    args = command.parse([*folders, "--data=mnist", "--seeds=1", "--losses=H"])
    assert command.begin(args) == plan
    small = dataclasses.replace(plan, generated_images=8)
    assert command.share(small, args)
    assert [task.row for task in study.results_of(plan, tmp_path / "results")] == ["H"]


# --------------------------------------------------------------------------------------------- numbers and words


def test_welchs_p_is_students_where_the_variances_are_equal():
    t = 6**0.5  # of 1, 2, 3 against 3, 4, 5; with 4 degrees of freedom p has a closed form
    assert table.welch([1, 2, 3], [3, 4, 5]) == pytest.approx(1 - t * (t**2 + 6) / (t**2 + 4) ** 1.5, abs=1e-9)
    assert table.welch([1, 2, 3], [3, 2, 1]) == pytest.approx(1)
    assert table.welch([1, 1], [2, 2]) == 0 and table.welch([1, 1], [1, 1]) == 1
    with pytest.raises(ValueError, match="1 and 2 numbers are not enough"):
        table.welch([1], [1, 2])


def test_holm_adjusts_for_the_number_of_comparisons():
    assert table.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert table.holm([0.6, 0.7]) == [1, 1]


def test_rank_correlation_is_of_orders_and_its_chance_counts_them():
    assert table.rank_correlation([1, 2, 3, 40], [5, 6, 7, 8]) == (pytest.approx(1), pytest.approx(1 / 24))
    assert table.rank_correlation([1, 2, 3, 40], [8, 7, 6, 5]) == (pytest.approx(-1), 1)


def near(mean: float) -> list[float]:
    return [mean - 1, mean, mean + 1]


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"NS GAN": near(50), "LSGAN": near(20), "WGAN": near(90), "BEGAN": near(51)},
         "**LSGAN beats NS GAN beyond noise.** Beyond noise worse: WGAN. The seeds do not tell BEGAN from NS GAN."),
        ({"NS GAN": near(50), "LSGAN": near(20), "WGAN": near(10)}, "**LSGAN and WGAN beat NS GAN beyond noise.**"),
        ({"NS GAN": near(50), "LSGAN": [20, 49, 79]},
         "**No loss beats NS GAN beyond noise.** The seeds do not tell LSGAN from NS GAN."),
        ({"NS GAN": near(50), "LSGAN": [20]}, "Too few seeds are done to compare the losses with NS GAN."),
    ],
)  # fmt: skip
def test_the_words_about_the_baseline_follow_the_numbers(scores, said):
    assert table.against_baseline(table.verdicts(scores, BASELINE, list(scores))) == said


def test_the_words_about_our_recipes_follow_the_numbers():
    row = next(iter(OURS))
    scores = {"NS GAN": near(50), "LSGAN": near(80), row: near(20)}
    assert table.of_ours(scores, row) == (
        f"{row}: 20.0, 0.40 times the best mean of the table (NS GAN, 50.0); beyond noise better than every loss of the table."
    )
    scores["NS GAN"] = [20, 30, 40]
    assert table.of_ours(scores, row).endswith("beyond noise better than 1 of 2 losses; not than NS GAN.")
    assert table.of_ours({row: near(20)}, row) == f"{row}: not run."


@pytest.mark.parametrize(
    ("control", "said"),
    [
        ([20.5, 21, 20], "the seeds do not tell the last from the first, so the pace alone may be worth as much."),
        (near(40), "the rest of the recipe does better still."),
        (near(10), "the rest of the recipe costs."),
        ([10], "too few seeds to compare them."),
    ],
)
def test_the_words_about_the_control_follow_the_numbers(control, said):
    ours, row = next(iter(OURS)), next(iter(CONTROLS))
    found = table.of_control({"NS GAN": near(50), ours: near(20), row: control}, row)
    assert found.startswith(
        f"{row}: {np.mean(control):.1f}, against 50.0 of NS GAN by the protocol and 20.0 of {ours}; "
    )
    assert found.endswith(said)
    assert table.of_control({"NS GAN": near(50), ours: near(20)}, row) == ""


def made_up(plan: Plan) -> dict[Task, dict]:
    """Results as runs write them: the row's place in the plan is its score."""
    places = {row: 10.0 + 10 * place for place, row in enumerate(plan.rows)}
    facts = {
        "cpu_seconds": 60.0,
        "hardware": "a processor",
        "versions": {"torch": "2"},
        "parameters": {"generator": 10**6},
    }
    return {
        task: facts
        | {"report": {"scores": {"FD-fashion": places[task.row] + task.seed}, "provenance": {"split": "test"}}}
        for task in plan.tasks()
    }


def test_the_page_says_what_was_run_and_what_was_not(tmp_path):
    plan = Plan(12.0, "", PROTOCOL, ROWS, ["fashion-mnist"], 3)
    results = made_up(plan)
    results.pop(plan.tasks()[-1])
    results[plan.tasks()[0]] = {"failed": "weights became NaN"}
    text = table.write(plan, results, tmp_path).read_text(encoding="utf-8")
    assert "1.0 % of the paper's 20 epochs" in text and f"{len(results)} of its {len(plan.tasks())} runs" in text
    assert "| MM GAN | 11.5 ± 0.7 (1 diverged) | 11.0 12.0 |" in text
    assert "| NS GAN | 21.0 ± 1.0 | 20.0 21.0 22.0 | – | 26.5 ± 1.6 |" in text
    assert "split test" in text and "a processor" in text
    assert max(map(len, (line for line in text.splitlines() if not line.startswith("|")))) <= 120
    assert (tmp_path / "created-equal.png").stat().st_size > 10_000


# ------------------------------------------------------------------------------------------------ the command


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "there is no plan in"),
        (["--budget", "soon"], "budget 'soon' is not allowed"),
        (["--full", "--losses", "NS GAN,GAN of thrones"], "loss 'GAN of thrones' is not allowed; choose from MM GAN"),
        (["--full", "--data", "cifar10"], "data 'cifar10' is not allowed; choose from fashion-mnist, mnist"),
        (["--full", "--seeds", "0"], "seeds=0 and processes=1 are not allowed"),
        (["--table"], "plan.json"),
    ],
)
def test_wrong_usage_gets_a_sentence(tmp_path, capsys, flags, said):
    folders = [f"--{name}={tmp_path / name}" for name in ("results", "runs", "docs")]
    assert command.main(folders + flags) == 2
    assert said in capsys.readouterr().err
