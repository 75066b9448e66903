"""The two networks, their optimizers and the averaged generator of one run, and their way into a checkpoint and back."""

import torch
from accelerate import Accelerator

from gan_hub.ema import EMA
from gan_hub.loading import LoadError
from gan_hub.models import ARCHITECTURES, GANModel
from gan_hub.training.checkpoints import load_optimizer, optimizer_tensors
from gan_hub.training.config import TrainConfig

TENSOR_FILES = ("generator", "discriminator", "ema", "optimizer_generator", "optimizer_discriminator")


def build_networks(config: TrainConfig, num_classes: int) -> tuple[GANModel, GANModel]:
    """The generator and the discriminator of a config, with fresh weights from the global generator."""
    shape = {"resolution": config.resolution, "channels": config.channels, "num_classes": num_classes}
    pair = ARCHITECTURES[config.architecture]
    return pair.generator(**shape, **config.generator), pair.discriminator(**shape, **config.discriminator)


class Players:
    """Generator and discriminator as `accelerator.prepare` wraps them, each with its Adam; plus the average."""

    def __init__(self, config: TrainConfig, num_classes: int, accelerator: Accelerator):
        torch.manual_seed(config.seed)
        generator, discriminator = build_networks(config, num_classes)
        if config.precision == "fp64":
            generator, discriminator = generator.double(), discriminator.double()
        betas = (config.beta1, config.beta2)
        optimizers = (
            torch.optim.Adam(generator.parameters(), config.learning_rate_generator, betas),
            torch.optim.Adam(discriminator.parameters(), config.learning_rate_discriminator, betas),
        )
        self.accelerator = accelerator
        # Before `prepare`, which patches `forward` with autocast: the average is sampled as it will be published.
        self.ema = EMA(generator.to(accelerator.device), config.ema_halflife_kimg)
        self.generator, self.discriminator = accelerator.prepare(generator.train(), discriminator.train())
        self.generator_optimizer, self.discriminator_optimizer = accelerator.prepare(*optimizers)
        self._rates = (config.learning_rate_generator, config.learning_rate_discriminator)

    @property
    def bare_generator(self) -> GANModel:
        """The network itself, to save and to average: never for a loss, where unwrapping would skip the reduction."""
        return self.accelerator.unwrap_model(self.generator)

    @property
    def bare_discriminator(self) -> GANModel:
        return self.accelerator.unwrap_model(self.discriminator)

    @property
    def latent_size(self) -> int:
        return self.ema.model.config["latent_size"]

    def published(self) -> tuple[GANModel, GANModel]:
        """The averaged generator and the discriminator as float32 networks of their own, on the CPU, in eval mode."""
        copies = []
        for network in (self.ema.model, self.bare_discriminator):
            copy = type(network).from_config(network.config)
            copy.load_state_dict(network.state_dict())
            copies.append(copy.eval())
        return copies[0], copies[1]

    def backward(self, loss: torch.Tensor) -> None:
        self.accelerator.backward(loss)

    def scale_learning_rates(self, factor: float) -> None:
        """Both rates at `factor` of their configured values: a function of the clock, so there is nothing to resume."""
        for optimizer, rate in zip((self.generator_optimizer, self.discriminator_optimizer), self._rates):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor

    def tensors(self) -> dict[str, dict[str, torch.Tensor]]:
        """Everything a checkpoint must hold, by file (TENSOR_FILES)."""
        contents = (
            self.bare_generator.state_dict(),
            self.bare_discriminator.state_dict(),
            self.ema.model.state_dict(),
            optimizer_tensors(self.generator_optimizer),
            optimizer_tensors(self.discriminator_optimizer),
        )
        return dict(zip(TENSOR_FILES, contents))

    def scaler_state(self) -> dict | None:
        """The loss scaler's numbers under fp16, else None."""
        return None if self.accelerator.scaler is None else self.accelerator.scaler.state_dict()

    def load(self, tensors: dict[str, dict[str, torch.Tensor]], scaler: dict | None) -> None:
        """The inverse of `tensors` and `scaler_state`; raises LoadError where the checkpoint is of another network."""
        try:
            self.bare_generator.load_state_dict(tensors["generator"])
            self.bare_discriminator.load_state_dict(tensors["discriminator"])
            self.ema.model.load_state_dict(tensors["ema"])
            load_optimizer(self.generator_optimizer, tensors["optimizer_generator"])
            load_optimizer(self.discriminator_optimizer, tensors["optimizer_discriminator"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise LoadError(f"the checkpoint does not fit this configuration: {str(error).splitlines()[0]}") from error
        if scaler and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(scaler)
