"""Two measures of a game that the monitors read; they need neither accelerate nor a run.

Shapes: n examples, points or images.
"""

import torch


@torch.no_grad()
def pair_distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Mean root-mean-square difference of the images first[i] and second[i], each (n, ...)."""
    return (first.float() - second.float()).flatten(1).square().mean(1).sqrt().mean().item()


class WeightChange:
    """‖w − w₀‖ / ‖w₀‖ of a network's weights since the last call: 0 is a player that does not move.

    Example:
        >>> import torch
        >>> from gan_hub.training.measures import WeightChange
        >>> WeightChange(torch.nn.Linear(2, 2))()
        0.0
    """

    def __init__(self, network: torch.nn.Module) -> None:
        self.network, self.before = network, self._copy(network)

    @staticmethod
    def _copy(network: torch.nn.Module) -> list[torch.Tensor]:
        return [parameter.detach().clone() for parameter in network.parameters()]

    def __call__(self) -> float:
        """The relative change since the last call."""
        now, before = self._copy(self.network), self.before
        self.before = now
        moved = torch.nn.utils.get_total_norm([a - b for a, b in zip(now, before, strict=True)])
        return (moved / torch.nn.utils.get_total_norm(before).clamp(min=1e-12)).item()
