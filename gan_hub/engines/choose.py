"""Build the engines that a machine can run, compare their images with plain ones, time them in turns, take the fastest."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import nn

from gan_hub.engines import gpu, onnx_runtime, torch_packed
from gan_hub.engines.build import Parts
from gan_hub.engines.drop_in import DropIn, Running, UnsupportedError, isolated
from gan_hub.engines.onnx_graph import cache_key, drop_graphs
from gan_hub.engines.probes import Probes, first_line, largest_differences, probes_of
from gan_hub.engines.record import AUTO, ENGINES, Engine
from gan_hub.latents import as_float
from gan_hub.messages import did_you_mean, short_repr
from gan_hub.models import GANModel
from gan_hub.models.modeling import evaluating, precision, unwrapped

WORTH = 1.05  # how many times as fast as plain an engine must be: a measurement this short errs by a few percent
MARGIN = 2.0  # probes do not show the worst seed: an engine may differ in them by max_levels / MARGIN
ROUNDS, MAX_ROUNDS = 3, 50  # of timing
BFLOAT16_LEVELS = 2.0  # bfloat16 has 8 bits, and rounds away more than a level
MAX_LEVELS, MAX_SECONDS, MAX_BATCH = 255.0, 3600.0, 4096


def choose(
    generator: nn.Module,
    engine: str,
    examples: torch.Tensor | None = None,
    *,
    batch_size: int = 1,
    max_levels: float = 1,
    seconds: float = 2.0,
) -> Running | Engine:
    """The fastest engine for a generator on this machine, or the one of a name.

    Args:
        generator: the network, also wrapped; it is not changed.
        engine: a key of ENGINES, or "auto".
        examples: maps (M, H, W) that it draws from, where it does.
        batch_size: images at a time that are timed, and that kernels are chosen for.
        max_levels: how far a number of an image may be from plain's, in levels of 255.
        seconds: of measuring. Making an engine comes on top; an ONNX graph that is not in the cache is only made for "auto"
            where that is expected to take no longer than this.

    Returns:
        The engine at work; for plain the record alone.

    Raises:
        ValueError: for another name or number; and for an engine asked for by its name that cannot be had here or whose
            images are further away.
    """
    _check(engine, batch_size, max_levels, seconds)
    source = unwrapped_source(generator)
    bare = cast(GANModel, unwrapped(evaluating(generator)))
    dtype = str(bare.dtype).removeprefix("torch.")
    if engine == "plain":
        return Engine(dtype=dtype)
    wanted, reasons = _wanted(engine, bare, max_levels)
    probes = probes_of(bare, examples, bare.device)
    with torch.no_grad(), precision(bare.device, force_fp32=True):
        built = _built(wanted, bare, probes, batch_size, None if engine != AUTO else seconds, reasons)
        levels, failed = largest_differences(bare, built, probes, batch_size, seconds / 4)
        reasons |= failed
        far = {name: value for name, value in levels.items() if value > max_levels / MARGIN}
        reasons |= {
            name: f"differs by {value:.2g} levels in the probes, more than half of max_levels={max_levels:g}"
            for name, value in far.items()
        }
        if "onnxruntime" in {*far, *failed}:
            drop_graphs(cache_key(bare))  # a class from outside the package may draw otherwise since it was made
        near = {name: network for name, network in built.items() if name in levels and name not in far}
        milliseconds = timed({"plain": bare, **near}, probes.batch(batch_size), seconds, bare.device)
    name = engine if engine != AUTO else min(milliseconds, key=lambda name: milliseconds[name])
    if engine != AUTO and engine not in near:
        raise ValueError(f"engine={engine!r} is not possible here: it {reasons[engine]}.")
    if engine == AUTO and name != "plain" and milliseconds[name] * WORTH > milliseconds["plain"]:
        name = "plain"
    if name != "plain":
        dtype = "bfloat16" if name == "torch-bfloat16" else dtype
    slower = [other for other in near if other != name]
    reasons |= {other: f"takes {milliseconds[other]:.3g} ms" for other in slower}
    record = Engine(name, dtype, batch_size, milliseconds, levels, reasons)
    return record if name == "plain" else Running(generator, source, near[name], record)


def unwrapped_source(generator: nn.Module) -> GANModel:
    """The network inside a pipeline's generator, whose changes count; raises ValueError for anything else."""
    inner = unwrapped(generator)
    if not isinstance(inner, GANModel):
        raise ValueError(f"generator is a {type(inner).__name__}; allowed: a network of gan_hub.models.")
    return inner


def _check(engine: object, batch_size: object, max_levels: object, seconds: object) -> None:
    """Raise ValueError for anything that is not allowed."""
    if not isinstance(engine, str) or engine not in (AUTO, *ENGINES):
        hint = did_you_mean(engine, (AUTO, *ENGINES)) if isinstance(engine, str) else ""
        raise ValueError(
            f"engine={short_repr(engine)} is not allowed; choose one of {', '.join((AUTO, *ENGINES))}.{hint}"
        )
    if type(batch_size) is not int or not 1 <= batch_size <= MAX_BATCH:
        raise ValueError(
            f"batch_size={short_repr(batch_size)} is not allowed; it is a whole number from 1 to {MAX_BATCH}."
        )
    for name, value, most in (("max_levels", max_levels, MAX_LEVELS), ("seconds", seconds, MAX_SECONDS)):
        number = as_float(value)
        if number is None or not 0 <= number <= most:
            raise ValueError(f"{name}={short_repr(value)} is not allowed; it is a number from 0 to {most:g}.")


def bfloat16_is_fast() -> bool:
    """Whether this CPU has instructions for bfloat16; where it has none, a network could take minutes."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        return False


def _wanted(engine: str, generator: GANModel, max_levels: float) -> tuple[list[str], dict[str, str]]:
    """The engines to build, and of the others the reason why not."""
    reasons: dict[str, str] = {}
    place, dtype = generator.device.type, generator.dtype
    if place == "cpu" and dtype != torch.float32:
        reasons = dict.fromkeys(("torch", "torch-bfloat16", "onnxruntime"), "needs a generator in float32")
    elif place != "cpu":
        reasons = dict.fromkeys(("torch", "torch-bfloat16", "onnxruntime"), "needs a generator on the CPU")
    if place != "cuda":
        reasons["cuda-graphs"] = "needs a CUDA device that the generator is on"
    if engine != AUTO:
        if engine in reasons:
            raise ValueError(f"engine={engine!r} is not possible here: it {reasons[engine]}.")
        return [engine], {}
    reasons["compile"] = "is only taken by name, as it needs a compiler and its time"
    if max_levels < BFLOAT16_LEVELS:
        reasons.setdefault("torch-bfloat16", f"is not tried below max_levels={BFLOAT16_LEVELS:g}")
    elif not bfloat16_is_fast():
        reasons.setdefault("torch-bfloat16", "is emulated on this CPU")
    return [name for name in ENGINES if name != "plain" and name not in reasons], reasons


def _built(
    wanted: Sequence[str],
    generator: GANModel,
    probes: Probes,
    batch_size: int,
    seconds: float | None,
    reasons: dict[str, str],
) -> dict[str, DropIn]:
    """The engines that could be made; `reasons` gets why the others could not."""
    try:
        parts = Parts(isolated(generator), probes, batch_size)
    except UnsupportedError as error:
        reasons |= dict.fromkeys(wanted, str(error))
        return {}
    makers: dict[str, Callable[[], dict[str, Callable[..., torch.Tensor]]]] = {
        "torch": partial(torch_packed.build, parts, torch.float32),
        "torch-bfloat16": partial(torch_packed.build, parts, torch.bfloat16),
        "onnxruntime": partial(onnx_runtime.build, parts, seconds),
        "cuda-graphs": partial(gpu.build_graphs, parts),
        "compile": partial(gpu.build_compiled, parts),
    }
    built = {}
    for name in wanted:
        try:
            built[name] = DropIn(generator, makers[name]())
        except UnsupportedError as error:
            reasons[name] = str(error)
        except Exception as error:  # of a network that torch or another library cannot follow
            reasons[name] = f"cannot follow this network ({first_line(error)})"
    return built


def timed(
    networks: dict[str, Any], batch: tuple[torch.Tensor, ...], seconds: float, device: torch.device
) -> dict[str, float]:
    """Milliseconds an image of each network by the wall clock, the median of turns that they take.

    Args:
        networks: by name.
        batch: what each draws from.
        seconds: half of them go to the turns, of which there are ROUNDS to MAX_ROUNDS.
        device: where they draw.

    Returns:
        Milliseconds by name.
    """
    turns: dict[str, list[float]] = {name: [] for name in networks}
    began, rounds = time.monotonic(), 0
    while rounds < ROUNDS or (rounds < MAX_ROUNDS and time.monotonic() - began < seconds / 2):
        for name, network in networks.items():
            start = time.perf_counter()
            network(*batch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            turns[name].append(time.perf_counter() - start)
        rounds += 1
    return {name: 1000 * statistics.median(taken) / len(batch[0]) for name, taken in turns.items()}
