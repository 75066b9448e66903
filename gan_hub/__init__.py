"""gan_hub: load, play with and train GANs. The public names; each is imported when it is first used."""

from typing import TYPE_CHECKING, Any

from gan_hub import _moved
from gan_hub.imports import import_lazily

if TYPE_CHECKING:  # for editors and type checkers
    from gan_hub.hub.zoo import list_models
    from gan_hub.model_folder.strict import LoadError
    from gan_hub.models import (
        ARCHITECTURES,
        BEGANDiscriminator,
        BEGANGenerator,
        DCGANDiscriminator,
        DCGANGenerator,
        FastGANDiscriminator,
        FastGANGenerator,
        FeaturesDiscriminator,
        GANModel,
        GMMNGenerator,
        LightweightGANGenerator,
        MLPDiscriminator,
        MLPGenerator,
        MSGGANDiscriminator,
        MSGGANGenerator,
        PlainStyleGAN2Generator,
        ProGANDiscriminator,
        ProGANGenerator,
        R3GANDiscriminator,
        R3GANGenerator,
        SequentialGenerator,
        SPADEDiscriminator,
        SPADEGenerator,
        StyleGAN2Discriminator,
        StyleGAN2Generator,
        StyleGAN3Generator,
        StyleGANDiscriminator,
        StyleGANGenerator,
        register_architecture,
    )
    from gan_hub.pipeline import GANOutput, GANPipeline
    from gan_hub.training.config import TrainConfig
    from gan_hub.training.trainer import train
    from gan_hub.verify import verify_model

__version__ = "0.2.0.dev0"
_moved.install()

__all__ = [
    "ARCHITECTURES",
    "BEGANDiscriminator",
    "BEGANGenerator",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "FastGANDiscriminator",
    "FastGANGenerator",
    "FeaturesDiscriminator",
    "GANModel",
    "GANOutput",
    "GANPipeline",
    "GMMNGenerator",
    "LoadError",
    "LightweightGANGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "MSGGANDiscriminator",
    "MSGGANGenerator",
    "PlainStyleGAN2Generator",
    "ProGANDiscriminator",
    "ProGANGenerator",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "SPADEDiscriminator",
    "SPADEGenerator",
    "SequentialGenerator",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
    "StyleGAN3Generator",
    "StyleGANDiscriminator",
    "StyleGANGenerator",
    "TrainConfig",
    "__version__",
    "list_models",
    "register_architecture",
    "train",
    "verify_model",
]
# Public name → the module that has it; all others are networks and their registry.
_HOMES = {name: "gan_hub.models" for name in __all__ if name != "__version__"} | {
    "GANOutput": "gan_hub.pipeline",
    "GANPipeline": "gan_hub.pipeline",
    "LoadError": "gan_hub.model_folder.strict",
    "list_models": "gan_hub.hub.zoo",
    "verify_model": "gan_hub.verify",
    "TrainConfig": "gan_hub.training.config",
    "train": "gan_hub.training.trainer",
}


def __getattr__(name: str) -> Any:
    """PEP 562: `import gan_hub` is cheap; torch and diffusers are imported with the first name that needs them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gan_hub' has no attribute {name!r}")
    return getattr(import_lazily(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
