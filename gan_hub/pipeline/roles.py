"""Which networks may be a pipeline's generator and which its discriminator."""

from torch import nn

from gan_hub.model_folder.files import COMPONENTS
from gan_hub.models import ARCHITECTURES, CLASSES, GANModel
from gan_hub.models.modeling import unwrapped
from gan_hub.models.registry import CONVERTED_GENERATORS, JOINING_DISCRIMINATORS


def check_role(name: str, network: object) -> None:
    """Raise ValueError where `network` cannot be a pipeline's generator or discriminator, the two mixed up included."""
    if network is None and name == "discriminator":
        return
    inner = unwrapped(network) if isinstance(network, nn.Module) else network
    if not isinstance(inner, GANModel):
        raise ValueError(f"{name} is a {type(inner).__name__}; allowed: a network of gan_hub.models.")
    (other,) = set(COMPONENTS) - {name}
    if isinstance(inner, tuple(_classes_of(other))):
        raise ValueError(f"{name} is a {type(inner).__name__}, which is a {other}; the generator is given first.")


def unwrapped_network(name: str, network: object) -> GANModel | None:
    """The network inside a pipeline's `name`, compiled or wrapped otherwise; None for no discriminator.

    Raises ValueError where something else was put in its place.
    """
    inner = unwrapped(network) if isinstance(network, nn.Module) else network
    if isinstance(inner, GANModel):
        return inner
    check_role(name, inner)
    return None


def network_classes() -> dict[str, dict[str, type[GANModel]]]:
    """Component → class name in a file → class, of all architectures that are registered now."""
    roles = {name: _classes_of(name) for name in COMPONENTS}
    every = CLASSES | CONVERTED_GENERATORS
    return {name: {known: cls for known, cls in every.items() if cls in role} for name, role in roles.items()}


def _classes_of(name: str) -> set[type[GANModel]]:
    """The classes that may be a pipeline's `name`."""
    classes = {getattr(pair, name) for pair in ARCHITECTURES.values()} - {None}
    return classes | set((JOINING_DISCRIMINATORS if name == "discriminator" else CONVERTED_GENERATORS).values())
