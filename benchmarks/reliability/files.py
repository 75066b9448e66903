"""Damaged and hostile files of a model, each loaded as a person would load it (rows A1 to A6)."""

import contextlib
import json
import os
import random
import shutil
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.reliability.row import Row
from gan_hub.model_folder.strict import LoadError
from gan_hub.models import GANModel
from gan_hub.pipeline import GANPipeline
from tests.conftest import make_pipeline
from tests.model_folder import test_strict as strict

REFUSED, IDENTICAL = "refused in one sentence", "bit-identical"
GENERATOR = f"generator/{strict.WEIGHTS}"


class Trial:
    """A tiny model in a folder, one of whose files is exchanged for a load."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.pipeline = folder / "model", make_pipeline(3, 28, 1)
        self.pipeline.save_pretrained(self.folder)
        self.good = {name: (self.folder / name).read_bytes() for name in strict.loaded_files(self.folder)}
        self.outcomes, self.slowest, self.messages = Counter[str](), 0.0, list[str]()

    def load(self, mutation: strict.Mutation, megabytes: int = 200, expected: GANPipeline | None = None) -> str:
        """Load the model with one file exchanged.

        Args:
            mutation: the file and what it holds.
            megabytes: of memory that loading may take.
            expected: what to compare with, by default the model as it was saved.

        Returns:
            What came of it, in words.
        """
        (self.folder / mutation.file).write_bytes(mutation.content)
        if mutation.sealed and mutation.file != "manifest.json":
            strict.seal(self.folder, mutation.file, mutation.content)
        start = time.process_time()
        try:
            with strict.AddressSpace(megabytes):
                outcome = self.outcome(expected)
        finally:
            self.slowest = max(self.slowest, time.process_time() - start)
            for name in {mutation.file, "manifest.json"}:
                (self.folder / name).write_bytes(self.good[name])
        self.outcomes[outcome] += 1
        return outcome

    def outcome(self, expected: GANPipeline | None = None, **options: object) -> str:
        """Whether the model is refused, the same as `expected` (by default what was saved), or anything else."""
        try:
            loaded = GANPipeline.from_pretrained(self.folder, **options)
        except LoadError as error:
            self.messages.append(str(error))
            return REFUSED if "\n" not in str(error) else "refused in several lines"
        except BaseException as error:
            return f"{type(error).__name__}: {str(error)[:60]}"
        return IDENTICAL if strict.same(loaded, expected or self.pipeline) else "other weights"

    def found(self) -> str:
        """The outcomes in words, with the dearest load."""
        counts = ", ".join(f"{count:,} {what}" for what, count in self.outcomes.most_common())
        return f"{counts}; at most {self.slowest * 1000:.0f} ms of the processor each"

    def is_good(self, *allowed: str) -> bool:
        """Whether nothing else came out, and the folder is what it was."""
        return self.outcomes.keys() <= {*allowed} and self.outcome() == IDENTICAL


def a1(folder: Path, count: int = 10_000) -> list[Row]:
    """Everything that tests/model_folder/test_strict.py makes of a model's files, and random damage up to `count`."""
    trial, draw = Trial(folder / "a1"), random.Random(1)
    corpus = strict.corpus(trial.folder)
    names = sorted(trial.good)
    while len(corpus) < count:
        name = draw.choice(names)
        corpus.append(strict.Mutation("damaged", name, _damaged(trial.good[name], draw), sealed=False))
    missed = sum(trial.load(mutation) == IDENTICAL and mutation.must_fail for mutation in corpus)
    met = trial.is_good(REFUSED, IDENTICAL) and not missed and trial.slowest < 1
    goal = "refused in one sentence, or the very same weights; within 1 s and 200 MB each"
    return [Row("A1", f"{len(corpus):,} truncated, flipped and hostile files of a model", goal, trial.found(), met)]


def _damaged(data: bytes, draw: random.Random) -> bytes:
    """Some bytes cut off, flipped, doubled or exchanged."""
    place = draw.randrange(len(data))
    length = min(draw.randrange(1, 64), len(data) - place)
    return draw.choice([
        lambda: data[:place],
        lambda: strict.flipped(data, place, draw),
        lambda: data[:place] + data[place : place + length] + data[place:],
        lambda: data[:place] + draw.randbytes(length) + data[place + length :],
        lambda: data[:place] + data[place + length :],
    ])()  # fmt: skip


def a2(folder: Path, count: int = 500) -> list[Row]:
    """Bits that flip in the tensors of a file, and numbers that are none in one that agrees with its manifest."""
    trial, draw = Trial(folder / "a2"), random.Random(2)
    data = trial.good[GENERATOR]
    start = 8 + struct.unpack("<Q", data[:8])[0]
    for _ in range(count):
        flipped = strict.flipped(data, draw.randrange(start, len(data)), draw)
        trial.load(strict.Mutation("bit flipped", GENERATOR, flipped, sealed=False))
    flips = Row("A2", f"{count} bits flipped among the weights", "all refused", trial.found(), trial.is_good(REFUSED))
    odd = Trial(folder / "a2-odd")
    for mutation in strict.hostile_weights(GENERATOR, data):
        if mutation.kind == "not finite":
            odd.load(mutation)
    what = f"NaN or infinity in one of {odd.outcomes.total()} places, the manifest written anew"
    return [flips, Row("A2", what, "all refused", odd.found(), odd.is_good(REFUSED))]


def a3(folder: Path, count: int = 2000) -> list[Row]:
    """Configs of the generator with made-up values, and the absurd ones of the tests."""
    trial, draw, unnamed, possible = Trial(folder / "a3"), random.Random(3), 0, 0
    name = "generator/config.json"
    config = json.loads(trial.good[name])
    keys = [key for key in config if not key.startswith("_diffusers")]
    may_lack = type(trial.pipeline.unwrapped_generator).CONFIG_DEFAULTS_FOR_OLD_FILES
    by_hand = strict.hostile_json(name, trial.good[name], tuple(keys), may_lack=may_lack)
    mutations = [(mutation, "") for mutation in by_hand]
    while len(mutations) < count:
        key, value = draw.choice(keys), _made_up(draw)
        if value != config[key]:
            content = json.dumps({**config, key: value}).encode()
            mutations.append((strict.Mutation("made up", name, content, sealed=True), key))
    for mutation, key in mutations:
        # A width that is never reached or another slope is another network, whose weights these may be, too.
        network = _network(mutation.content, trial.pipeline) if not mutation.must_fail else None
        expected = network and GANPipeline.from_pipe(trial.pipeline, generator=network)
        outcome = trial.load(mutation, 50, expected)
        possible += network is not None and outcome == IDENTICAL
        # The field is named, or the weights that do not fit what it says.
        words = (key, "shape", "not part of", "tensor")
        unnamed += outcome == REFUSED and not any(word in trial.messages[-1] for word in words)
    met = trial.is_good(REFUSED, IDENTICAL) and trial.outcomes[IDENTICAL] == possible
    met = met and not unnamed and trial.slowest < 0.05
    found = f"{trial.found()}; {possible} are possible, and draw as they say; {unnamed} refused without the name of "
    found += "the field, or of the weights that do not fit"
    goal = "refused by name, within 50 ms and 50 MB, unless the config is possible and has these weights"
    return [Row("A3", f"{len(mutations):,} configs with made-up values", goal, found, met)]


def _network(content: bytes, pipeline: GANPipeline) -> GANModel | None:
    """The network that a config describes, with the weights of a pipeline's generator; None where there is none."""
    generator = pipeline.unwrapped_generator
    options = {key: value for key, value in json.loads(content).items() if not key.startswith("_")}
    try:
        with torch.device("meta"):  # it may be of any size
            network = type(generator)(**options)
        network.load_state_dict(generator.state_dict(), assign=True)
    except (ValueError, TypeError, RuntimeError):  # of the constructor, and of weights that do not fit
        return None
    return network.eval()


def _made_up(draw: random.Random, depth: int = 0) -> object:
    """A JSON value of any kind."""
    kinds: list[Callable[[], object]] = [
        lambda: draw.randrange(-(2**40), 2**40),
        lambda: draw.randrange(-9, 2000),
        lambda: draw.uniform(-1e6, 1e6),
        lambda: "".join(map(chr, (draw.randrange(1, 0xD000) for _ in range(draw.randrange(40))))),
        lambda: draw.choice((None, True, False, "none", "batch", "relu")),
        lambda: [_made_up(draw, depth + 1) for _ in range(draw.randrange(4))],
        lambda: {str(number): _made_up(draw, depth + 1) for number in range(draw.randrange(3))},
    ]
    return draw.choice(kinds[: 5 if depth > 3 else None])()


def a4(folder: Path) -> list[Row]:
    """Weights that do not fit in each of twelve ways; a pickle beside them is never taken instead."""
    trial = Trial(folder / "a4")
    data = trial.good[GENERATOR]
    kinds = (
        "tensor missing",
        "tensor renamed",
        "tensor extra",
        "wrong dtype",
        "wrong shape",
        "mixed dtypes",
        "empty",
        "a pickle",
    )
    first = {mutation.kind: mutation for mutation in strict.hostile_weights(GENERATOR, data)}
    complex_numbers = next(
        each
        for each in strict.hostile_weights(GENERATOR, data)
        if each.kind == "wrong dtype" and b"C64" in each.content
    )
    for mutation in [*(first[kind] for kind in kinds), complex_numbers]:
        trial.load(mutation)
    trial.outcomes[trial.outcome(variant="fp16")] += 1
    path, other = trial.folder / GENERATOR, trial.folder / "generator" / "diffusion_pytorch_model.fp16.safetensors"
    os.rename(path, other)
    for name in ("diffusion_pytorch_model.bin", "network.pkl"):
        (path.parent / name).write_bytes(data)
        trial.outcomes[trial.outcome()] += 1
        (path.parent / name).unlink()
    os.rename(other, path)
    goal = "all refused, with no other file in their place"
    return [
        Row(
            "A4",
            f"weights that do not fit in {trial.outcomes.total()} ways",
            goal,
            trial.found(),
            trial.is_good(REFUSED),
        )
    ]


def a5(folder: Path) -> list[Row]:
    """Things that are no files, names that lead outside, and a file that shrinks, each in a process of its own."""
    trial = Trial(folder / "a5")
    path, outside = trial.folder / GENERATOR, folder / "outside.safetensors"
    shutil.copyfile(path, outside)
    cases: dict[str, Callable[[], object]] = {
        "a FIFO": lambda: os.mkfifo(path),
        "a folder": path.mkdir,
        "a link to nothing": lambda: path.symlink_to(folder / "gone"),
        "a link to another file": lambda: path.symlink_to("config.json"),
        "a link to a device": lambda: path.symlink_to("/dev/zero"),
        "a name with ..": lambda: _list(trial.folder, "../../outside.safetensors"),
        "an absolute name": lambda: _list(trial.folder, str(outside)),
    }
    outcomes, read = Counter[str](), 0
    for make in cases.values():
        path.unlink()
        make()
        outcome, opened = _in_a_process(lambda: trial.outcome(), outside)
        outcomes[outcome] += 1
        read += opened
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for name, data in trial.good.items():
            (trial.folder / name).write_bytes(data)
    outcome, _ = _in_a_process(lambda: _shrink(trial, path), outside)
    path.write_bytes(trial.good[GENERATOR])
    outcomes[f"after it shrank, {outcome}"] += 1
    found = ", ".join(f"{count} {what}" for what, count in outcomes.items()) + f"; {read} files outside were opened"
    met = outcomes == {REFUSED: len(cases), f"after it shrank, {IDENTICAL}": 1} and not read
    what = f"{len(cases)} things in place of a file of weights, and one that shrinks once it is loaded"
    return [Row("A5", what, "refused, nothing outside is opened, no process dies", found, met)]


def _list(folder: Path, name: str) -> None:
    """Put weights of a name into a manifest, in place of the generator's own."""
    files = json.loads((folder / "manifest.json").read_bytes())["files"]
    files[name] = files.pop(GENERATOR)
    (folder / "manifest.json").write_text(json.dumps({"files": files}))


def _shrink(trial: Trial, path: Path) -> str:
    """Cut a file off once its model is loaded, and look at all weights."""
    loaded = GANPipeline.from_pretrained(trial.folder)
    os.truncate(path, 100)
    return IDENTICAL if strict.same(loaded, trial.pipeline) else "other weights"


def _in_a_process(function: Callable[[], str], outside: Path) -> tuple[str, bool]:
    """What a function returns in a child, or how that died within 20 seconds; whether it opened the file `outside`."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        opened = []
        with contextlib.suppress(BaseException):
            sys.addaudithook(lambda event, args: event == "open" and _is(args[0], outside) and opened.append(1))
            signal.alarm(20)
            os.write(sender, json.dumps([function(), bool(opened)]).encode())
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    return tuple(json.loads(text)) if text else (f"the process died ({status})", False)


def _is(path: object, file: Path) -> bool:
    """Whether something that was opened is this file, however it was named."""
    return isinstance(path, (str, Path)) and os.path.realpath(path) == os.path.realpath(file)


def a6(folder: Path, seconds: float = 60) -> list[Row]:
    """Files of weights with random damage and a manifest that agrees, as many as the processor reads in a minute."""
    trial, draw = Trial(folder / "a6"), random.Random(6)
    data, number = trial.good[GENERATOR], 0
    generator = trial.folder / "generator"
    config = json.loads((generator / "config.json").read_bytes())
    outcomes, began = Counter[str](), time.process_time()
    header = 8 + struct.unpack("<Q", data[:8])[0]
    while time.process_time() - began < seconds:
        damaged = data
        for _ in range(draw.randrange(1, 4)):  # most of it where a reader can go wrong
            cut = header if draw.random() < 0.9 else len(damaged)
            damaged = _damaged(damaged[:cut] or b"\0", draw) + damaged[cut:]
        (generator / strict.WEIGHTS).write_bytes(damaged)
        number += 1
        outcomes[_read(generator, config)] += 1
    counts = ", ".join(f"{count:,} {what}" for what, count in outcomes.most_common())
    met = outcomes.keys() <= {REFUSED, "read"}
    goal = "refused in one sentence, or read as a network of these very shapes; no crash"
    return [
        Row(
            "A6",
            f"damaged files of weights for {seconds:.0f} s of the processor",
            goal,
            f"{number:,} files: {counts}",
            met,
        )
    ]


def _read(folder: Path, config: dict) -> str:
    """Read a network from a folder; whatever its reader raises beside LoadError comes back by its name."""
    try:
        network = strict.DCGANGenerator.from_pretrained(folder)
    except LoadError as error:
        return REFUSED if "\n" not in str(error) else "refused in several lines"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:60]}"
    options = {key: value for key, value in config.items() if not key.startswith("_")}
    return "read" if dict(network.config).items() >= options.items() else "another network"
