"""The processes that measure one score together: who does which part, and how the parts come together exactly."""

import os
from datetime import timedelta

import torch

PATIENCE = timedelta(hours=2)  # for a process that has more of its parts to measure than the others


class ProcessGroup:
    """This process alone, or, with `together`, all that `accelerate launch` or torchrun started.

    Work is cut into numbered parts that do not depend on how many processes there are, and results are brought together
    in the order of the parts: on equal devices the number that comes out is the same for any number of processes, bit for
    bit.
    """

    def __init__(self, together: bool = False):
        self.rank, self.size, self.device = 0, 1, torch.device("cpu")
        if together and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from accelerate import PartialState  # seconds of import that one process alone does not pay

            asked = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
            state = PartialState(cpu=asked or not torch.accelerator.is_available(), timeout=PATIENCE)
            self.rank, self.size, self.device = state.process_index, state.num_processes, state.device

    @property
    def first(self) -> bool:
        """Whether this is the process that prints and writes."""
        return self.rank == 0

    def place(self, device: str | torch.device | None) -> str | torch.device | None:
        """`device` for this process: of several that are to use the same kind, each has its own."""
        shared = device is None or torch.device(device).type == self.device.type
        return self.device if self.size > 1 and shared else device

    def mine(self, parts: int) -> range:
        """The numbers of this process's parts."""
        return range(self.rank, parts, self.size)

    def gathered(self, mine: dict[int, torch.Tensor], sizes: list[int]) -> torch.Tensor:
        """All parts in order, on every process: part i has sizes[i] rows, and `mine` holds those of this process.

        On the way parts are padded to the largest one, since processes exchange tensors of equal shapes only.
        """
        if self.size == 1:
            return torch.cat([mine[part] for part in range(len(sizes))])
        from accelerate.utils import gather, gather_object

        # A process that has no part (there are fewer parts than processes) does not know what a row looks like.
        own = (tuple(mine[self.rank].shape[1:]), mine[self.rank].dtype) if mine else None
        shape, dtype = next(known for known in gather_object([own]) if known is not None)
        rounds = -(-len(sizes) // self.size)
        padded = torch.zeros(rounds, max(sizes), *shape, dtype=dtype)
        for part, rows in mine.items():
            padded[part // self.size, : len(rows)] = rows
        everyone = gather(padded.to(self.device)).cpu().unflatten(0, (self.size, rounds))
        return torch.cat([everyone[part % self.size, part // self.size, :size] for part, size in enumerate(sizes)])
