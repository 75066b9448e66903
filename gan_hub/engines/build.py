"""What engines are made of: the parts of one generator, examples of their inputs, the operators they run."""

from collections.abc import Mapping

import torch
from torch import nn

from gan_hub.engines.drop_in import parts_of
from gan_hub.engines.operators import BATCHES, Recording, record
from gan_hub.engines.probes import Probes
from gan_hub.models import GANModel
from gan_hub.models.mixins import StyleBased


class Parts:
    """The parts of one generator in eval mode; each is recorded once, when an engine first asks."""

    def __init__(self, generator: GANModel, probes: Probes, batch_size: int) -> None:
        self.generator, self.probes, self.batch_size = generator, probes, batch_size
        self.modules: Mapping[str, nn.Module] = parts_of(generator)
        self._recordings: dict[str, Recording] = {}

    def inputs(self, name: str, count: int | None = None) -> tuple[torch.Tensor, ...]:
        """An example of a part's inputs, for `count` images, by default as many as are to be drawn at once."""
        batch = self.probes.batch(count or self.batch_size)
        if name == "synthesis" and isinstance(self.generator, StyleBased):
            with torch.no_grad():
                return (self.generator.map(batch[0], batch[1] if len(batch) > 1 else None).contiguous(),)
        return batch

    def recording(self, name: str) -> Recording:
        """A part's operators; raises CaptureError for a network that cannot be followed."""
        if name not in self._recordings:
            self._recordings[name] = record(self.modules[name], [self.inputs(name, count) for count in BATCHES])
        return self._recordings[name]
