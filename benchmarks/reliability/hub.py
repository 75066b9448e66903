"""Loading from a Hub that fails in each of sixteen ways, with an empty cache and with a warm one (row A7)."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.reliability.row import Row
from tests.conftest import make_pipeline
from tests.hub import client as act
from tests.hub.beside import process_beside
from tests.hub.fake_hub import FAULTS, FakeHub

SECONDS = 30  # until the weights are there, or a sentence
MODEL = "me/my-gan"
WEIGHTS = "generator/diffusion_pytorch_model.safetensors"
STAGES = {  # what is asked when it fails → in words; a warm cache asks for one thing alone
    "": "all it is asked",
    "/tree/": "the list of files",
    WEIGHTS: "one file of weights",
}
RIGHT, SENTENCE, WRONG = "right weights", "a sentence", "anything else"


def a7(folder: Path) -> list[Row]:
    """All faults, each against an empty cache and against one that has the model."""
    make_pipeline(3, 28, 1).save_pretrained(folder / "model")
    hub = FakeHub()
    try:
        with process_beside(hub.address, folder / "home") as call:
            call(act.upload, folder / "model", MODEL)
            good = call(act.load, str(folder / "model"))["tensors"]
            cold = [_row(hub, call, good, folder / f"cold-{n}", where) for n, where in enumerate(STAGES)]
            return [*cold, _row(hub, call, good, folder / "warm", "", is_warm=True)]
    finally:
        hub.close()


def _row(
    hub: FakeHub, call: Callable, good: dict[str, np.ndarray], folder: Path, where: str, is_warm: bool = False
) -> Row:
    home = folder.parent / "home"
    outcomes, afterwards, slowest, outside = Counter[str](), Counter[str](), 0.0, _files(home)
    for number, fault in enumerate(FAULTS):
        cache = folder / f"cache-{number}"
        if is_warm:
            call(act.load, MODEL, cache_dir=cache)
        hub.fail(fault, where=where)
        loaded = call(act.load, MODEL, cache_dir=cache)
        hub.fail(None)
        outcomes[outcome(loaded, good)] += 1
        slowest = max(slowest, loaded["seconds"])
        later = call(act.load, MODEL, cache_dir=cache), call(act.load, MODEL, cache_dir=cache, local_files_only=True)
        afterwards.update(outcome(each, good) for each in later)
        seen = f"{fault}: {outcome(loaded, good)} after {loaded['seconds']:.1f} s; {loaded.get('error', '')}"
        print(f"A7, {STAGES[where]}, {seen} {[each.get('error', '') for each in later]}", file=sys.stderr)
    added = len(_files(home) - outside)
    found = ", ".join(f"{count} {what}" for what, count in outcomes.items())
    found += f", the slowest after {slowest:.0f} s; once the Hub is back, and then offline: {afterwards[RIGHT]} of "
    found += f"{afterwards.total()} right; {added} files outside of the cache"
    is_met = not outcomes[WRONG] and afterwards[RIGHT] == afterwards.total() and not added and slowest <= SECONDS
    is_met &= outcomes[RIGHT] == outcomes.total() or not is_warm
    wanted = f"right weights{'' if is_warm else ' or one sentence'} within {SECONDS} s; nothing damaged stays"
    what = f"a Hub that fails in {len(FAULTS)} ways at {STAGES[where]}, {'a warm' if is_warm else 'an empty'} cache"
    return Row("A7", what, wanted, found, is_met)


def outcome(loaded: dict, good: dict[str, np.ndarray]) -> str:
    """What a load came to: RIGHT, SENTENCE or WRONG."""
    if "error" in loaded:
        is_one = loaded["error"].endswith(".") and "\n" not in loaded["error"]
        return SENTENCE if is_one else WRONG
    same = loaded["tensors"].keys() == good.keys()
    return RIGHT if same and all(np.array_equal(good[name], loaded["tensors"][name]) for name in good) else WRONG


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}
