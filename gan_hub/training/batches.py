"""What a step sees: images, labels and noise as a function of (seed, step) alone.

No generator runs on between steps, so a resumed run draws what the unbroken one drew, and every process draws the whole
global batch and keeps its share: the union over processes is what one process would see, whatever their number.
"""

import functools

import numpy as np
import torch

from gan_hub.data import ImageSet
from gan_hub.images import from_uint8

# One independent stream of randomness a purpose; the numbers are part of what makes a run repeatable.
ORDER, NOISE_DISCRIMINATOR, NOISE_GENERATOR, LABELS_GENERATOR = range(4)


def generator_for(seed: int, stream: int, step: int) -> torch.Generator:
    """A CPU generator for one purpose at one step; neighbouring seeds and steps share nothing."""
    (state,) = np.random.SeedSequence([seed, stream, step]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state >> 1))


class Batches:
    """The global batches of a run, of which this process gets rows rank · n … (rank + 1) · n."""

    def __init__(
        self, data: ImageSet, batch_size: int, latent_size: int, seed: int, conditional: bool, accelerator, dtype
    ):
        if batch_size % accelerator.num_processes:
            raise ValueError(f"batch_size={batch_size} is not divisible by the {accelerator.num_processes} processes.")
        self.data, self.batch_size, self.latent_size, self.seed = data, batch_size, latent_size, seed
        self.device, self.dtype, self.conditional = accelerator.device, dtype, conditional
        share = batch_size // accelerator.num_processes
        self.rows = slice(accelerator.process_index * share, (accelerator.process_index + 1) * share)
        self._order = functools.lru_cache(maxsize=2)(self._order_of_epoch)

    def _order_of_epoch(self, epoch: int) -> np.ndarray:
        return torch.randperm(len(self.data), generator=generator_for(self.seed, ORDER, epoch)).numpy()

    def reals(self, step: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Images (n, C, H, W) in [-1, 1] and labels (n,) or None; each image once an epoch, in a new order."""
        positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)[self.rows]
        indices = np.array([self._order(int(p) // len(self.data))[p % len(self.data)] for p in positions])
        labels = torch.from_numpy(self.data.labels[indices]).to(self.device) if self.conditional else None
        return from_uint8(self.data.images[indices]).to(self.device, self.dtype), labels

    def noise(self, step: int, stream: int) -> torch.Tensor:
        """z (n, Z) ~ N(0, 1) of one player's step."""
        z = torch.randn(self.batch_size, self.latent_size, generator=generator_for(self.seed, stream, step))
        return z[self.rows].to(self.device, self.dtype)

    def labels(self, step: int) -> torch.Tensor | None:
        """Labels (n,) for the generator's step, drawn as often as the data has them."""
        if not self.conditional:
            return None
        drawn = torch.randint(
            len(self.data), (self.batch_size,), generator=generator_for(self.seed, LABELS_GENERATOR, step)
        )
        return torch.from_numpy(self.data.labels[drawn.numpy()[self.rows]]).to(self.device)
