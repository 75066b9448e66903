"""Reruns the table of "Are GANs Created Equal?": `python -m benchmarks.created_equal --budget 20m` (see README.md here)."""

import argparse
import multiprocessing
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.created_equal import network
from benchmarks.created_equal.losses import CONTROLS, LOSSES, OURS, PROTOCOL
from benchmarks.created_equal.plan import (
    FULL_KIMG,
    PLAN_NAME,
    Plan,
    Task,
    agreed,
    kimg_within,
    minutes,
    read,
    scored_within,
)
from benchmarks.created_equal.study import EXTRACTOR, rescore, results_of, timing, work

HERE = Path(__file__).parent
ROWS = LOSSES | OURS | CONTROLS


def names(text: str, known: dict, what: str) -> list[str]:
    """The comma-separated names of a flag; raises ValueError for an unknown one."""
    given = [name.strip() for name in text.split(",") if name.strip()]
    for name in given:
        if name not in known:
            raise ValueError(f"{what} {name!r} is not allowed; choose from {', '.join(known)}.")
    return given


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.created_equal", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--budget", help="time for the whole plan, as 20m or 1.5h: fewer images a run, equally many for all"
    )
    size.add_argument("--kimg", type=float, help="thousand images a run, instead of a budget")
    size.add_argument("--full", action="store_true", help=f"20 epochs a run, {FULL_KIMG:g} kimg")
    parser.add_argument("--data", default="fashion-mnist,mnist", help="data sets, comma-separated [%(default)s]")
    parser.add_argument("--losses", default=",".join(ROWS), help="rows of losses.py, comma-separated [all]")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each loss on each data set [%(default)s]")
    parser.add_argument("--processes", type=int, default=1, help="that work at once, here [%(default)s]")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="small files to keep [%(default)s]")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/created_equal"), help="weights, checkpoints [%(default)s]"
    )
    parser.add_argument(
        "--docs", type=Path, default=HERE.parents[1] / "docs", help="where the table goes [%(default)s]"
    )
    parser.add_argument("--rescore", metavar="METRICS", help="score the kept generators anew, as fd,kid; plays nothing")
    parser.add_argument("--table", action="store_true", help="write the table of what is there; plays nothing")
    return parser.parse_args(arguments)


def asked(args: argparse.Namespace) -> Plan:
    """The plan that the flags ask for; raises ValueError for what is not allowed."""
    if args.seeds < 1 or args.processes < 1:
        raise ValueError(f"seeds={args.seeds} and processes={args.processes} are not allowed; each is 1 or more.")
    rows = {name: ROWS[name] for name in names(args.losses, ROWS, "loss")}
    budget, kimg = "", args.kimg or 0.0
    if args.full:
        budget, kimg = "full", FULL_KIMG
    elif args.kimg:
        budget = f"{args.kimg:g} kimg"
    elif args.budget:
        budget = f"{minutes(args.budget):g} minutes on {args.processes} process(es)"
    return Plan(kimg, budget, PROTOCOL, rows, names(args.data, EXTRACTOR, "data"), args.seeds)


def begin(args: argparse.Namespace) -> Plan:
    """The plan to follow, measured where a budget asks for it."""

    def measure(plan: Plan) -> Plan:
        torch.set_num_threads(threads_each(args))
        seconds, seconds_per_image = timing(plan, args.runs / "timing")
        budget = 60 * minutes(args.budget) * args.processes
        images = scored_within(budget, len(seconds), seconds_per_image)
        kimg = kimg_within(budget, seconds, seconds_per_image * images)
        return replace(plan, kimg=kimg, generated_images=images)

    plan = agreed(args.results, asked(args), measure)
    print(
        f"a plan of {len(plan.tasks())} runs of {plan.kimg:g} kimg, each scored by {plan.generated_images:,} images "
        f"({plan.budget})", flush=True,
    )  # fmt: skip
    return plan


def threads_each(args: argparse.Namespace) -> int:
    """Of each process, so that together they have no more than there are cores."""
    return max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) // args.processes))


def worker(plan: Plan, tasks: list[Task], results: Path, runs: Path, threads: int) -> None:
    """One process's share of the work."""
    torch.set_num_threads(threads)
    network.register()
    work(plan, tasks, results, runs)


def share(plan: Plan, args: argparse.Namespace) -> bool:
    """Lets several processes do the runs that were asked for; whether all of them came to their end."""
    wanted = set(asked(args).tasks())
    given = plan, [task for task in plan.tasks() if task in wanted], args.results, args.runs, threads_each(args)
    if args.processes == 1:
        worker(*given)
        return True
    context = multiprocessing.get_context("spawn")
    team = [context.Process(target=worker, args=given) for _ in range(args.processes)]
    for process in team:
        process.start()
    for process in team:
        process.join()
    return all(process.exitcode == 0 for process in team)


def main(arguments: list[str]) -> int:
    """Exit codes: 0 done, 1 a process failed, 2 wrong usage, 130 interrupted."""
    args = parse(arguments)
    network.register()
    try:
        if args.rescore or args.table:
            plan = read(args.results / PLAN_NAME)
            if args.rescore:
                print(f"{rescore(plan, args.results, args.runs, tuple(args.rescore.split(',')))} runs scored anew")
            whole = True
        else:
            plan = begin(args)
            whole = share(plan, args)
        from benchmarks.created_equal.table import write  # matplotlib comes with it

        print(f"→ {write(plan, results_of(plan, args.results), args.docs)}")
    except ValueError as error:  # LoadError is one
        print(f"created_equal: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("created_equal: interrupted; what is finished is kept, the same command goes on.", file=sys.stderr)
        return 130
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
