"""What a look at another model costs the server: `python benchmarks/looks.py [CHECKOUT …] [--rounds N]`, Linux, some minutes.

Each round is a visitor who opens the page and chooses all bundled models that both pages have, one after the other: in the
first round they are looked at for the first time, later others have seen them. Pages of other checkouts are served beside this
one, and their visitors take turns with this one's, model by model; the ratios are those of the same model in the same round.
Each page draws with torch on one thread, and the processor's time is that of its process.
"""

import argparse
import asyncio
import importlib.util
import statistics
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SETTLING = 5.0  # seconds after the first window was opened, in which the pictures at the top are drawn


def visitors_of(checkout: Path) -> ModuleType:
    """The program that visits the page of a checkout; it knows what that page's browsers send."""
    spec = importlib.util.spec_from_file_location(f"visitors of {checkout}", checkout / "benchmarks" / "visitors.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def cpu(process: int) -> float:
    """Seconds of the processor that a process has used; finer than what /proc/PID/stat has."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


async def pick(visitor: Any, model: str, models: set[str]) -> None:
    """Choose a model as a browser does, also on pages from before only the open tab was drawn."""
    if hasattr(visitor, "pick"):
        return await visitor.pick(model)
    targets = [
        (call["inputs"][0], event) for call in visitor.calls.values() for _, event in call["targets"] if call["inputs"]
    ]
    picker = next(block for block, event in targets if event == "input" and str(visitor.values.get(block)) in models)
    visitor.values[picker] = model
    await visitor.trigger(picker, "input")


async def measure(checkouts: list[Path], rounds: int) -> list[list[list[float]]]:
    """Processor seconds of each look: by round, by checkout, by model."""
    programs = [visitors_of(checkout) for checkout in checkouts]
    models = set.intersection(*({path.name for path in (each / "model_cards").iterdir()} for each in checkouts))
    plain = {"GAN_HUB_ENGINE": "plain", "OMP_NUM_THREADS": "1"}
    seconds: list[list[list[float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        places = [
            {"PYTHONPATH": str(each), "GRADIO_TEMP_DIR": f"{folder}/{number}"} for number, each in enumerate(checkouts)
        ]
        servers = [program.Server(**plain, **place) for program, place in zip(programs, places, strict=True)]
        try:
            for number in range(rounds):
                visitors = [
                    program.Visitor(server.wait().url, program.Notes(), "10.0.0.1")
                    for program, server in zip(programs, servers, strict=True)
                ]
                for visitor in visitors:
                    await visitor.open()
                await asyncio.sleep(0 if number else SETTLING)
                seconds.append([[] for _ in checkouts])
                for model in sorted(models):
                    for visitor, server, costs in zip(visitors, servers, seconds[-1], strict=True):
                        before = cpu(server.process.pid)
                        await pick(visitor, model, models)
                        costs.append(cpu(server.process.pid) - before)
                for visitor in visitors:
                    await visitor.close()
        finally:
            for server in servers:
                server.stop()
    return seconds


def main() -> None:
    """Print a line a round for each page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "checkouts", nargs="*", type=Path, metavar="CHECKOUT", help="whose page is compared with this one"
    )
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    checkouts = [ROOT, *(path.resolve() for path in args.checkouts)]
    for number, (own, *others) in enumerate(asyncio.run(measure(checkouts, args.rounds)), 1):
        print(f"round {number}: {1000 * statistics.median(own):.1f} ms a look, the median of {len(own)} models")
        for checkout, other in zip(checkouts[1:], others, strict=True):
            low, middle, high = statistics.quantiles([a / b for a, b in zip(own, other, strict=True)], n=4)
            spread = f"{middle:.3f} times it (quartiles {low:.3f} to {high:.3f})"
            print(f"  {checkout.name}: {1000 * statistics.median(other):.1f} ms; this page takes {spread}")


if __name__ == "__main__":
    main()
