"""The running average of a generator's weights, its half-life counted in images."""

import copy

import torch


class EMA:
    """Exponential moving average of weights (Karras et al. 2018, section A), for sampling, scoring and publishing.

    Running statistics (floating buffers) are averaged like the weights they belong to; counters are copied. `model` is the
    average: a copy in eval mode without gradients.

    Example:
        >>> import torch
        >>> from gan_hub.ema import EMA
        >>> network = torch.nn.Linear(2, 2)
        >>> ema = EMA(network, halflife_kimg=10)
        >>> ema.update(network, batch_size=64, images_seen=64)
        >>> ema.model.training
        False
    """

    def __init__(self, model: torch.nn.Module, halflife_kimg: float, warmup: float = 0.05) -> None:
        """Copy `model` as the first average.

        Args:
            model: The network that is trained.
            halflife_kimg: Thousands of images after which a weight counts half, whatever the batch size or the number of
                processes. 0: no averaging.
            warmup: While few images were seen, the half-life is at most this share of them, so that the random start is
                soon forgotten.

        Raises:
            ValueError: for a half-life below 0.
        """
        if not halflife_kimg >= 0:
            raise ValueError(f"halflife_kimg={halflife_kimg!r} is not allowed; it is 0 (no averaging) or more.")
        self.halflife_images = 1000 * halflife_kimg
        self.warmup = warmup
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    def decay(self, batch_size: int, images_seen: int) -> float:
        """The share that the old average keeps in one update: ½ where the batch is a half-life of images."""
        halflife = min(self.halflife_images, self.warmup * images_seen)
        return 0.5 ** (batch_size / halflife) if halflife > 0 else 0.0

    @torch.no_grad()
    def update(self, model: torch.nn.Module, batch_size: int, images_seen: int) -> None:
        """average ← decay · average + (1 − decay) · model, after a training step.

        Args:
            model: The network that is trained.
            batch_size: Images of the step, over all processes.
            images_seen: Images of the run so far.
        """
        weight = 1.0 - self.decay(batch_size, images_seen)
        current = model.state_dict()
        for name, average in self.model.state_dict().items():
            if average.is_floating_point():
                average.lerp_(current[name].to(average.dtype), weight)
            else:
                average.copy_(current[name])
