"""Several processes that measure one score together: which chunks each one does, and how the results are gathered."""

import os
from datetime import timedelta
from typing import cast

import torch

from gan_hub._moved import renamed_arguments

TIMEOUT = timedelta(hours=2)  # how long the others wait for a process that has more chunks to measure


class ProcessGroup:
    """This process alone, or all that `accelerate launch` or torchrun started.

    Work is cut into numbered chunks that do not depend on the number of processes, and results are concatenated in the
    order of the chunks: on equal devices the result is the same, bit for bit, for any number of processes.

    Attributes:
        rank, size: number of this process, from 0, and how many there are.
        device: where this process works, if nothing else is asked for.
    """

    @renamed_arguments(together="distributed")
    def __init__(self, distributed: bool = False) -> None:
        """With `distributed`, joins the processes that a launcher started; where there is none, this one is alone."""
        self.rank, self.size, self.device = 0, 1, torch.device("cpu")
        if distributed and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from accelerate import PartialState  # seconds of import that a single process does not pay

            use_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
            state = PartialState(cpu=use_cpu or not torch.accelerator.is_available(), timeout=TIMEOUT)
            self.rank, self.size = state.process_index, state.num_processes
            self.device = state.device or self.device

    @property
    def is_main_process(self) -> bool:
        """Whether this is the process that prints and writes."""
        return self.rank == 0

    first = is_main_process  # its old name

    def local_device(self, device: str | torch.device | None) -> str | torch.device | None:
        """The device of this process; where several share a kind of device, each has its own of that kind."""
        if self.size > 1 and (device is None or torch.device(device).type == self.device.type):
            return self.device
        return device

    def shard(self, chunks: int) -> range:
        """The numbers of this process's chunks, of `chunks` in all."""
        return range(self.rank, chunks, self.size)

    def gather(self, own: dict[int, torch.Tensor], sizes: list[int]) -> torch.Tensor:
        """All chunks in order, on every process.

        Chunk i has sizes[i] rows, and `own` holds this process's chunks by number; a process alone empties it, so that no row
        is held twice. For the exchange they are padded to the largest one, since processes exchange tensors of equal shapes
        only.
        """
        if self.size == 1:
            return _joined(own, sizes)
        from accelerate.utils import gather, gather_object

        # A process without a chunk (there are fewer chunks than processes) does not know what a row looks like.
        row = (tuple(own[self.rank].shape[1:]), own[self.rank].dtype) if own else None
        shape, dtype = next(known for known in gather_object([row]) if known is not None)
        rounds = -(-len(sizes) // self.size)
        padded = torch.zeros(rounds, max(sizes), *shape, dtype=dtype)
        for chunk, rows in own.items():
            padded[chunk // self.size, : len(rows)] = rows
        gathered = gather(padded.to(self.device))
        per_process = cast(torch.Tensor, gathered).cpu().unflatten(0, (self.size, rounds))
        return torch.cat([per_process[i % self.size, i // self.size, :size] for i, size in enumerate(sizes)])


def _joined(chunks: dict[int, torch.Tensor], sizes: list[int]) -> torch.Tensor:
    """All chunks in order; each one's memory is given back as soon as it is copied."""
    rows = torch.empty(sum(sizes), *chunks[0].shape[1:], dtype=chunks[0].dtype)
    start = 0
    for number, size in enumerate(sizes):
        rows[start : start + size] = chunks.pop(number)
        start += size
    return rows
