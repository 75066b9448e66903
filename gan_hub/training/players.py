"""The two networks, their descents and the averaged generator of one run, and their way into a checkpoint and back."""

import contextlib
from dataclasses import asdict, dataclass

import torch
from accelerate import Accelerator

from gan_hub.augment import adjusted_p
from gan_hub.ema import EMA
from gan_hub.loading import LoadError
from gan_hub.losses import began_balance
from gan_hub.models import ARCHITECTURES, GANModel
from gan_hub.models.abilities import MultiScale, Semantic, StyleBased
from gan_hub.training.checkpoints import load_optimizer, optimizer_tensors
from gan_hub.training.config import TrainConfig

TENSOR_FILES = ("generator", "discriminator", "ema", "optimizer_generator", "optimizer_discriminator")
ADA_INTERVAL = 4  # steps between adjustments of p (Karras et al. 2020a, section 3.1)
SMALLEST_SCALE = 2.0**-10  # of an fp16 loss: so many halvings in a row mean that the gradient itself is not finite


def build_networks(config: TrainConfig, num_classes: int) -> tuple[GANModel, GANModel]:
    """The generator and the discriminator of a config, with fresh weights from the global generator.

    `num_classes` of the data: of its labels, or of its maps where the architecture is drawn from maps.
    """
    pair = ARCHITECTURES[config.architecture]
    classes = {"num_classes": num_classes}
    if issubclass(pair.generator, Semantic):
        classes = {"num_classes": 0, "semantic_classes": num_classes}
    shape = {"resolution": config.resolution, "channels": config.channels, **classes}
    return pair.generator(**shape, **config.generator), pair.discriminator(**shape, **config.discriminator)


class Descent:
    """One network's optimizer with a loss scaler of its own, so that one player's overflow is not the other's.

    `scaled` (fp16): small gradients would round to 0, so the loss is multiplied before backward and the gradient divided
    after it; a step whose gradient overflows is left out and the scale halved.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: str = "cpu", scaled: bool = False):
        self.optimizer = optimizer
        self.scaler = torch.amp.GradScaler(device, enabled=scaled)

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def zero_grad(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)

    def step(self, loss: torch.Tensor) -> torch.Tensor:
        """Backward and one update; returns the norm of the gradient, of all processes' images, before the update."""
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return norm.detach()

    def set_learning_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def load(self, optimizer: dict[str, torch.Tensor], scaler: dict) -> None:
        load_optimizer(self.optimizer, optimizer)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)


@dataclass
class Controls:
    """Numbers that the game itself moves while it is played, the same on every process."""

    augment_p: float = 0.0  # ADA: probability of each augmentation
    balance: float = 0.0  # BEGAN: k, the weight of fakes in the discriminator's loss
    path_length_mean: float = 0.0  # StyleGAN2: running mean of the path length


class Players:
    """Generator and discriminator as `accelerator.prepare` wraps them, each with its descent; plus the average."""

    def __init__(self, config: TrainConfig, num_classes: int, accelerator: Accelerator):
        torch.manual_seed(config.seed)
        generator, discriminator = build_networks(config, num_classes)
        if config.precision == "fp64":
            generator, discriminator = generator.double(), discriminator.double()
        self.config, self.accelerator, self.controls = config, accelerator, Controls()
        # Before `prepare`, which patches `forward` with autocast: the average is sampled as it will be published.
        self.ema = EMA(generator.to(accelerator.device), config.ema_halflife_kimg)
        if config.channels_last:
            generator, discriminator = (net.to(memory_format=torch.channels_last) for net in (generator, discriminator))
        self.generator, self.discriminator = accelerator.prepare(generator.train(), discriminator.train())
        if config.compile:
            self.bare_generator.compile()
            self.bare_discriminator.compile()
        # The optimizers stay unprepared: accelerate's share one loss scaler, and there is no loader whose pace they keep.
        self.generator_descent = self._descent(self.bare_generator, config.learning_rate_generator)
        self.discriminator_descent = self._descent(self.bare_discriminator, config.learning_rate_discriminator)

    def _descent(self, network: GANModel, rate: float) -> Descent:
        optimizer = torch.optim.Adam(network.parameters(), rate, (self.config.beta1, self.config.beta2))
        return Descent(optimizer, self.accelerator.device.type, scaled=self.config.precision == "fp16")

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

    def fakes(
        self,
        z: torch.Tensor,
        mixing: tuple[torch.Tensor, torch.Tensor] | None,
        labels: torch.Tensor | None,
        graph: bool,
        stretch: bool = False,
    ) -> tuple[torch.Tensor | list[torch.Tensor], torch.Tensor | None]:
        """G(z): images (n, C, H, W), of a multi-scale generator a list of them; and the latents of a path length.

        With `graph` for the generator's own step; with `stretch` as well, for a path length penalty on it: the latents
        are then w (n, L, W) where the generator has one, else z, and the images can be differentiated twice.
        """
        stretch = stretch and graph
        asked = {} if mixing is None else {"mixing": mixing}
        if isinstance(self.ema.model, MultiScale):
            asked["scales"] = True
        in_w = stretch and isinstance(self.ema.model, StyleBased)
        if in_w:
            asked["with_ws"] = True
        with torch.set_grad_enabled(graph), self.twice_differentiable(stretch):
            made = self.generator(z.requires_grad_(stretch), labels, force_fp32=stretch, **asked)
        return made if in_w else (made, z if stretch else None)

    def twice_differentiable(self, needed: bool) -> contextlib.AbstractContextManager:
        """Inside, where `needed`, compiled networks run eagerly: what torch.compile made has no second derivative."""
        return torch.compiler.set_stance("force_eager") if needed and self.config.compile else contextlib.nullcontext()

    def mean(self, value: torch.Tensor) -> float:
        """A scalar's mean over the processes; the processor waits for it."""
        return self.accelerator.reduce(value.detach(), "mean").item()

    def adjust(self, step: int, metrics: dict[str, torch.Tensor]) -> None:
        """Moves ADA's p and BEGAN's balance, where the run has them, after the discriminator's step.

        BEGAN's k moves by the errors of that step's fakes, where the paper has those of the generator's.
        """
        config, controls = self.config, self.controls
        if config.augment == "ada" and step % ADA_INTERVAL == 0:
            # E[sign D(x)] of this step's reals: an even chance of each sign is accuracy ½
            sign = 2 * self.mean(metrics["accuracy/real"]) - 1
            images = ADA_INTERVAL * config.batch_size
            controls.augment_p = adjusted_p(controls.augment_p, sign, images, config.ada_target, config.ada_kimg)
        if config.loss == "began":
            real, fake = self.mean(metrics["logit/real"]), self.mean(metrics["logit/fake"])
            controls.balance = began_balance(controls.balance, real, fake, config.began_gamma, config.began_rate)

    def set_pace(self, factor: float) -> None:
        """Both learning rates at `factor` of their configured values: a function of the clock, nothing to resume."""
        self.generator_descent.set_learning_rate(self.config.learning_rate_generator * factor)
        self.discriminator_descent.set_learning_rate(self.config.learning_rate_discriminator * factor)

    def grow(self, images_seen: int) -> None:
        """Sets growing networks to their level at a time: a function of the clock as well."""
        if self.config.grow_kimg > 0:
            for network in (self.bare_generator, self.bare_discriminator, self.ema.model):
                network.grow(self.config.level(images_seen))

    def published(self) -> tuple[GANModel, GANModel]:
        """The averaged generator and the discriminator as float32 networks of their own, on the CPU, in eval mode."""
        copies = []
        for network in (self.ema.model, self.bare_discriminator):
            copy = type(network).from_config(network.config)
            copy.load_state_dict(network.state_dict())
            copies.append(copy.eval())
        return copies[0], copies[1]

    def weight_norms(self) -> dict[str, torch.Tensor]:
        """‖weights‖ of both networks: one number each that NaN or Inf in any weight spoils."""
        networks = {"generator": self.bare_generator, "discriminator": self.bare_discriminator}
        return {
            f"weights/{name}": torch.nn.utils.get_total_norm([p.detach() for p in network.parameters()])
            for name, network in networks.items()
        }

    def exhausted_scaler(self) -> str | None:
        """The player whose fp16 loss scale has been halved to nothing, for its gradient is never finite; else None."""
        for name, descent in (("generator", self.generator_descent), ("discriminator", self.discriminator_descent)):
            if descent.scaler.is_enabled() and descent.scaler.get_scale() < SMALLEST_SCALE:
                return name
        return None

    def tensors(self) -> dict[str, dict[str, torch.Tensor]]:
        """Everything a checkpoint must hold as tensors, by file (TENSOR_FILES)."""
        contents = (
            self.bare_generator.state_dict(),
            self.bare_discriminator.state_dict(),
            self.ema.model.state_dict(),
            optimizer_tensors(self.generator_descent.optimizer),
            optimizer_tensors(self.discriminator_descent.optimizer),
        )
        return dict(zip(TENSOR_FILES, contents))

    def state(self) -> dict[str, dict]:
        """Everything a checkpoint must hold as numbers: the controls, and both loss scalers (empty but under fp16)."""
        return {
            "controls": asdict(self.controls),
            "scaler_generator": self.generator_descent.scaler.state_dict(),
            "scaler_discriminator": self.discriminator_descent.scaler.state_dict(),
        }

    def load(self, tensors: dict[str, dict[str, torch.Tensor]], state: dict) -> None:
        """The inverse of `tensors` and `state`; raises LoadError where the checkpoint is of another network."""
        missing = asdict(self.controls).keys() - state["controls"].keys()
        if missing:
            raise LoadError(f"the checkpoint's controls lack {sorted(missing)[0]!r}.")
        try:
            self.bare_generator.load_state_dict(tensors["generator"])
            self.bare_discriminator.load_state_dict(tensors["discriminator"])
            self.ema.model.load_state_dict(tensors["ema"])
            self.generator_descent.load(tensors["optimizer_generator"], state["scaler_generator"])
            self.discriminator_descent.load(tensors["optimizer_discriminator"], state["scaler_discriminator"])
            self.controls = Controls(**state["controls"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise LoadError(
                f"the checkpoint does not fit this configuration: {' '.join(str(error).split())}"
            ) from error
