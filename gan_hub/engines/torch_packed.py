"""The engine "torch": a generator's operators with folded and packed weights, and no more dependencies than torch."""

from collections.abc import Callable

import torch

from gan_hub.engines.build import Parts
from gan_hub.engines.capture import folded
from gan_hub.engines.kernels import with_fast_kernels


def build(parts: Parts, dtype: torch.dtype) -> dict[str, Callable[..., torch.Tensor]]:
    """The parts of a generator as functions, their layers by the fastest kernels of this machine.

    Args:
        parts: of the generator.
        dtype: what layers compute in; all between them is float32.

    Returns:
        A function a part.
    """
    return {name: with_fast_kernels(folded(parts.recording(name)), parts.inputs(name), dtype) for name in parts.modules}
