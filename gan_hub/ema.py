"""The running average of a generator's weights, its half-life counted in images."""

import copy

import torch


class EMA:
    """Exponential moving average (Karras et al. 2018, section A): the network that is sampled, scored and published.

    A half-life in images does not change with the batch size or the number of processes. While few images were seen,
    the half-life is at most `warmup` times those, so that the average is not made of the random start.
    Running statistics (floating buffers) are averaged like the weights they belong to; counters are copied.
    """

    def __init__(self, model: torch.nn.Module, halflife_kimg: float, warmup: float = 0.05):
        if not halflife_kimg >= 0:
            raise ValueError(f"halflife_kimg={halflife_kimg!r} is not allowed; it is 0 (no averaging) or more.")
        self.halflife_images = 1000 * halflife_kimg
        self.warmup = warmup
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    def decay(self, batch_size: int, images_seen: int) -> float:
        """The weight that the old average keeps in one update: ½ after a half-life of images."""
        halflife = min(self.halflife_images, self.warmup * images_seen)
        return 0.5 ** (batch_size / halflife) if halflife > 0 else 0.0

    @torch.no_grad()
    def update(self, model: torch.nn.Module, batch_size: int, images_seen: int) -> None:
        """average ← decay · average + (1 − decay) · model, after a step of `batch_size` images over all processes."""
        weight = 1.0 - self.decay(batch_size, images_seen)
        current = model.state_dict()
        for name, average in self.model.state_dict().items():
            if average.is_floating_point():
                average.lerp_(current[name].to(average.dtype), weight)
            else:
                average.copy_(current[name])
