"""Means of a run's metrics: summed on the device, and over all processes only when they are looked at."""

import torch
from accelerate import Accelerator

from gan_hub.training.processes import reduce


class MetricMeans:
    """The means since the last look, those since the last log line, and the newest known value of every column.

    `past` is an earlier `state`, or empty.
    """

    def __init__(self, past: dict) -> None:
        self.sums: dict[str, torch.Tensor] = {}  # since the last look, on the device
        self.counts: dict[str, torch.Tensor] = {}  # how many values each sum has
        self.line: dict[str, list[float]] = past.get("line", {})  # [sum, count] of each since the last log line
        self.changed: dict[str, float] = past.get("changed", {})  # change of the weights since then
        self.latest: dict[str, float] = past.get("latest", {})

    def add(self, metrics: dict[str, torch.Tensor]) -> None:
        """Add one step's metrics, without waiting for the device. What overflowed in fp16 does not count."""
        for name, value in metrics.items():
            if not name.startswith("weights/"):
                finite = torch.isfinite(value)
                self.sums[name] = self.sums.get(name, 0) + torch.where(finite, value, 0).double()
                self.counts[name] = self.counts.get(name, 0) + finite.double()

    def reduce(self, accelerator: Accelerator) -> dict[str, float]:
        """The means since the last call, over all processes; each of them has to call it."""
        names = sorted(self.sums)
        if not names:
            return {}
        both = [self.sums[name] for name in names] + [self.counts[name] for name in names]
        totals = reduce(accelerator, torch.stack(both), "sum").tolist()
        self.sums, self.counts = {}, {}
        counted = [(name, totals[i], totals[i + len(names)]) for i, name in enumerate(names) if totals[i + len(names)]]
        for name, total, count in counted:
            known = self.line.setdefault(name, [0.0, 0.0])
            self.line[name] = [known[0] + total, known[1] + count]
        return {name: total / count for name, total, count in counted}

    def learn(self, values: dict[str, float]) -> None:
        """Remember what a look showed. The changes of weights, `change/…`, add up until the next log line."""
        for name, value in values.items():
            if name.startswith("change/"):
                self.changed[name] = self.changed.get(name, 0.0) + value
            else:
                self.latest[name] = value

    def next_line(self) -> dict[str, float]:
        """What a log line says: means since the line before; of a column without a value since then, its newest."""
        values = self.latest | {name: total / count for name, (total, count) in self.line.items()} | self.changed
        self.line, self.changed = {}, {}
        return values

    def state(self) -> dict[str, dict]:
        """What a checkpoint holds. Call `reduce` first: what is still on the device is not in it."""
        return {"line": self.line, "changed": self.changed, "latest": self.latest}
