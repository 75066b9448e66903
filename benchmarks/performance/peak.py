"""What one core reaches: operations a second of the kernels that networks are made of, and bytes a second of a copy."""

from collections.abc import Callable

import torch
from torch.nn import functional

from benchmarks.performance.harness import Rounds, median, number, table, take_turns, work

TITLE = "What one core reaches"
ROUNDS = 5
LAYOUTS = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
Tensors = tuple[torch.Tensor, torch.Tensor]


def kernels() -> dict[str, tuple[Callable[[torch.Tensor, torch.Tensor], torch.Tensor], Tensors]]:
    """Name → the kernel, and its images (N, C, H, W) or rows and its weights."""
    randn = torch.randn
    return {
        "convolution 3 × 3, 256 maps, 16 px, batch 16": (
            lambda x, w: functional.conv2d(x, w, padding=1), (randn(16, 256, 16, 16), randn(256, 256, 3, 3))),
        "the same, batch 1": (
            lambda x, w: functional.conv2d(x, w, padding=1), (randn(1, 256, 16, 16), randn(256, 256, 3, 3))),
        "convolution 1 × 1, 128 → 256 maps, 32 px, batch 16": (
            functional.conv2d, (randn(16, 128, 32, 32), randn(256, 128, 1, 1))),
        "grouped 3 × 3, 16 maps a group of 128, 32 px, batch 16": (
            lambda x, w: functional.conv2d(x, w, padding=1, groups=8), (randn(16, 128, 32, 32), randn(128, 16, 3, 3))),
        "depthwise 4 × 4 (a blur), 128 maps, 32 px, batch 16": (
            lambda x, w: functional.conv2d(x, w, groups=128), (randn(16, 128, 35, 35), randn(128, 1, 4, 4))),
        "transposed 4 × 4, stride 2, 128 → 64 maps, 16 px, batch 16": (
            lambda x, w: functional.conv_transpose2d(x, w, stride=2, padding=1),
            (randn(16, 128, 16, 16), randn(128, 64, 4, 4))),
        "linear 1,024 → 1,024, 256 rows": (functional.linear, (randn(256, 1024), randn(1024, 1024))),
        "the same, 1 row": (functional.linear, (randn(1, 1024), randn(1024, 1024))),
    }  # fmt: skip


def variants(kernel: Callable[..., torch.Tensor], tensors: Tensors) -> dict[str, Callable[[], object]]:
    """The kernel in every dtype and memory layout."""
    each: dict[str, Callable[[], object]] = {}
    for dtype_name, dtype in DTYPES.items():
        for layout_name, layout in LAYOUTS.items() if tensors[0].dim() == 4 else [("NCHW", torch.contiguous_format)]:
            x, w = (tensor.to(dtype).contiguous(memory_format=layout) for tensor in tensors)
            each[f"{dtype_name} {layout_name}"] = lambda x=x, w=w: kernel(x, w)
    return each


@torch.no_grad()
def measure(_: object) -> dict:
    """Operations and seconds of each kernel, and of a copy of 128 MiB."""
    rows = []
    for name, (kernel, tensors) in kernels().items():
        flop = work(lambda kernel=kernel, tensors=tensors: kernel(*tensors))["flop"]
        rows.append({"kernel": name, "flop": flop, "rounds": take_turns(variants(kernel, tensors), ROUNDS)})
    source, target = torch.ones(2, 2**25)
    copied = take_turns({"copy": lambda: target.copy_(source)}, ROUNDS)
    return {"kernels": rows, "copied": {"bytes": 2 * source.nbytes, "rounds": copied}}


def speeds(flop: float, rounds: Rounds) -> dict[str, float]:
    """Operations a second of each variant."""
    return {name: flop / median(rounds, name) for name in rounds[0]}


def peak(raw: dict, dtype: str) -> float:
    """The most operations a second that any kernel reached in a dtype."""
    return max(
        speed
        for row in raw["kernels"]
        for name, speed in speeds(row["flop"], row["rounds"]).items()
        if name.startswith(dtype)
    )


def bandwidth(raw: dict) -> float:
    """Bytes a second of a copy, reading and writing counted."""
    return raw["copied"]["bytes"] / median(raw["copied"]["rounds"], "copy")


def render(raw: dict, _: dict) -> str:
    """GFLOP/s of each kernel, and the peaks that the other tables are held against."""
    columns = [f"{dtype} {layout}" for dtype in DTYPES for layout in LAYOUTS]
    rows = []
    for row in raw["kernels"]:
        reached = speeds(row["flop"], row["rounds"])
        rows.append([row["kernel"], *(number(reached[name] / 1e9) if name in reached else "–" for name in columns)])
    return (
        f"{table(['GFLOP a second, one thread', *columns], rows)}\n\n"
        f"The peak, against which the shares below are taken, is the largest of each dtype: "
        f"**{number(peak(raw, 'fp32') / 1e9)} GFLOP/s in fp32, {number(peak(raw, 'bf16') / 1e9)} in bf16**. A copy moves "
        f"{number(bandwidth(raw) / 1e9)} GB/s, read and written."
    )
