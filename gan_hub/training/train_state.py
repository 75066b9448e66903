"""The two networks, their descents and the averaged generator of one run, and their way into a checkpoint and back."""

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator

from gan_hub.augment import adjusted_p
from gan_hub.ema import EMA
from gan_hub.losses import began_balance
from gan_hub.model_folder.strict import LoadError
from gan_hub.models import ARCHITECTURES, GANModel
from gan_hub.models.mixins import MultiScale, ProgressiveGrowing, SegmentationConditional, StyleBased
from gan_hub.pipeline import GANPipeline
from gan_hub.training.checkpoints import (
    Tensors,
    check_tensors,
    expected_of_optimizer,
    load_optimizer,
    optimizer_tensors,
)
from gan_hub.training.config import TrainConfig

TENSOR_FILES = ("generator", "discriminator", "ema", "optimizer_generator", "optimizer_discriminator")
ADA_INTERVAL = 4  # steps between adjustments of p (Karras et al. 2020a, section 3.1)
SMALLEST_SCALE = 2.0**-10  # of an fp16 loss: so many halvings in a row mean that the gradient itself is not finite


def build_networks(config: TrainConfig, num_classes: int) -> tuple[GANModel, GANModel | None]:
    """The generator and the discriminator of a config, if it has one, with fresh weights from the global generator.

    `num_classes` of the data: of its labels, or of its maps where the architecture is drawn from maps.
    """
    pair = ARCHITECTURES[config.architecture]
    classes = {"num_classes": num_classes}
    if issubclass(pair.generator, SegmentationConditional):
        classes = {"num_classes": 0, "semantic_classes": num_classes}
    shape = {"resolution": config.resolution, "channels": config.channels, **classes}
    generator = pair.generator(**shape, **config.generator)
    return generator, pair.discriminator and pair.discriminator(**shape, **config.discriminator)


class ScaledOptimizer:
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
class AdaptiveState:
    """Numbers that the game itself moves while it is played, the same on every process."""

    augment_p: float = 0.0  # ADA: probability of each augmentation
    balance: float = 0.0  # BEGAN: k, the weight of fakes in the discriminator's loss
    path_length_mean: float = 0.0  # StyleGAN2: running mean of the path length


class TrainState:
    """Generator and discriminator as `accelerator.prepare` wraps them, each with its descent; plus the average.

    Where the generator's loss needs no opponent, `discriminator` and all that belongs to it is None.
    """

    def __init__(self, config: TrainConfig, num_classes: int, accelerator: Accelerator):
        torch.manual_seed(config.seed)
        generator, discriminator = build_networks(config, num_classes)
        self.config, self.accelerator, self.controls = config, accelerator, AdaptiveState()
        if config.precision == "fp64":
            generator.double()
        # Before `prepare`, which patches `forward` with autocast: the average is sampled as it will be published.
        self.ema = EMA(generator.to(accelerator.device), config.ema_halflife_kimg)
        self.generator, self.generator_descent = self._enter("generator", generator)
        self.discriminator = self.discriminator_descent = None
        if discriminator is not None:
            self.discriminator, self.discriminator_descent = self._enter("discriminator", discriminator)

    def _enter(self, name: str, network: GANModel) -> tuple[torch.nn.Module, ScaledOptimizer]:
        """A player as it takes part, and its descent."""
        config = self.config
        if config.precision == "fp64":
            network.double()
        if config.channels_last:
            network.to(memory_format=torch.channels_last)
        prepared = self.accelerator.prepare(network.train())
        if config.compile:
            network.compile()
        rate = getattr(config, f"learning_rate_{name}")
        if getattr(config, f"optimizer_{name}") == "sgd":
            optimizer = torch.optim.SGD(network.parameters(), rate, config.momentum)
        else:
            optimizer = torch.optim.Adam(network.parameters(), rate, (config.beta1, config.beta2))
        # It stays unprepared: accelerate's optimizers share one loss scaler, and there is no loader whose pace they keep.
        return prepared, ScaledOptimizer(optimizer, self.accelerator.device.type, scaled=config.precision == "fp16")

    @property
    def unwrapped_generator(self) -> GANModel:
        """The network itself, to save and to average: never for a loss, where unwrapping would skip the reduction."""
        return self.accelerator.unwrap_model(self.generator)

    @property
    def unwrapped_discriminator(self) -> GANModel | None:
        return None if self.discriminator is None else self.accelerator.unwrap_model(self.discriminator)

    @property
    def networks(self) -> dict[str, GANModel]:
        """Each player that takes part, as the network itself."""
        both = {"generator": self.unwrapped_generator, "discriminator": self.unwrapped_discriminator}
        return {name: network for name, network in both.items() if network is not None}

    @property
    def descents(self) -> dict[str, ScaledOptimizer]:
        """The same players' descents."""
        return {name: getattr(self, f"{name}_descent") for name in self.networks}

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
        with torch.set_grad_enabled(graph), self.eager_for_double_backward(stretch):
            made = self.generator(z.requires_grad_(stretch), labels, force_fp32=stretch, **asked)
        return made if in_w else (made, z if stretch else None)

    def match_resolution(self, reals: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Reals (n, C, H, W) in the form that the fakes have now: as coarse as a growing network's, at every scale."""
        network = self.unwrapped_discriminator
        if isinstance(network, MultiScale):
            return network.pyramid(reals)
        return network.downsample_to_level(reals) if isinstance(network, ProgressiveGrowing) else reals

    def eager_for_double_backward(self, needed: bool) -> contextlib.AbstractContextManager:
        """Inside, where `needed`, compiled networks run eagerly: what torch.compile made has no second derivative."""
        return torch.compiler.set_stance("force_eager") if needed and self.config.compile else contextlib.nullcontext()

    def gather_batch(self, share: torch.Tensor) -> torch.Tensor:
        """The global batch that this process has a share (n, ...) of; only its own share carries a gradient."""
        parts = list(self.accelerator.gather(share.detach()).split(len(share)))
        parts[self.accelerator.process_index] = share
        return torch.cat(parts)

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

    def set_lr_factor(self, factor: float) -> None:
        """Both learning rates at `factor` of their configured values: a function of the clock, nothing to resume."""
        for name, descent in self.descents.items():
            descent.set_learning_rate(getattr(self.config, f"learning_rate_{name}") * factor)

    def grow(self, images_seen: int) -> None:
        """Sets growing networks to their level at a time: a function of the clock as well."""
        if self.config.grow_kimg > 0:
            for network in (*self.networks.values(), self.ema.model):
                network.set_level(self.config.level(images_seen))

    def start_from(self, source: str, which: str) -> None:
        """Gives the generator and its average, or "both" players, the weights of a published model, to go on from there.

        Raises ValueError where a network of it is missing or is another than ours.
        """
        model = GANPipeline.from_pretrained(source)
        for name, ours in self.networks.items():
            if which not in ("both", name):
                continue
            theirs = getattr(model, name)
            if theirs is None:
                raise ValueError(f"initial={source!r} is not allowed; that model has no {name}.")
            there, here = ({"class": type(network).__name__} | dict(network.config) for network in (theirs, ours))
            for key in here:
                if there.get(key) != here[key] and not key.startswith("_"):
                    raise ValueError(
                        f"initial={source!r} is not allowed; the {key} of its {name} is {there.get(key)!r}, this run's "
                        f"is {here[key]!r}."
                    )
            ours.load_state_dict(theirs.state_dict())
        self.ema.model.load_state_dict(model.generator.state_dict())

    def published(self, weights: dict[str, dict[str, torch.Tensor]] | None = None) -> tuple[GANModel, GANModel | None]:
        """The averaged generator and the discriminator as float32 networks of their own, on the CPU, in eval mode.

        Those of now, or with the `weights` that an earlier `published_weights` gave.
        """
        copies = {}
        for name, network in (self.networks | {"generator": self.ema.model}).items():
            copies[name] = type(network).from_config(network.config)
            copies[name].load_state_dict(network.state_dict() if weights is None else weights[name])
            copies[name].eval()
        return copies["generator"], copies.get("discriminator")

    def published_weights(self) -> dict[str, dict[str, torch.Tensor]]:
        """Player → the state of what `published` gives now: tensors of their own."""
        both = zip(("generator", "discriminator"), self.published())
        return {name: network.state_dict() for name, network in both if network is not None}

    def weight_norms(self) -> dict[str, torch.Tensor]:
        """‖weights‖ of both networks: one number each that NaN or Inf in any weight spoils."""
        return {
            f"weights/{name}": torch.nn.utils.get_total_norm([p.detach() for p in network.parameters()])
            for name, network in self.networks.items()
        }

    def exhausted_scaler(self) -> str | None:
        """The player whose fp16 loss scale has been halved to nothing, for its gradient is never finite; else None."""
        for name, descent in self.descents.items():
            if descent.scaler.is_enabled() and descent.scaler.get_scale() < SMALLEST_SCALE:
                return name
        return None

    def tensors(self) -> dict[str, dict[str, torch.Tensor]]:
        """Everything a checkpoint must hold as tensors, by file (of TENSOR_FILES, those of the players that are there)."""
        contents = {name: network.state_dict() for name, network in self.networks.items()}
        contents["ema"] = self.ema.model.state_dict()
        for name, descent in self.descents.items():
            contents[f"optimizer_{name}"] = optimizer_tensors(descent.optimizer)
        return contents

    def state(self) -> dict[str, dict]:
        """Everything a checkpoint must hold as numbers: the controls, and both loss scalers (empty but under fp16)."""
        scalers = {f"scaler_{name}": descent.scaler.state_dict() for name, descent in self.descents.items()}
        return {"controls": asdict(self.controls)} | scalers

    def load(self, path: Path, tensors: Tensors, state: dict) -> None:
        """The inverse of `tensors` and `state`, of the checkpoint in folder `path`.

        Raises LoadError naming the file where the checkpoint is of another network; all of it is looked at before.
        """
        missing = asdict(self.controls).keys() - state["controls"].keys()
        if missing:
            raise LoadError(f"{path}: the checkpoint's controls lack {sorted(missing)[0]!r}.")
        ours = {name: network.state_dict() for name, network in self.networks.items()}
        ours["ema"] = self.ema.model.state_dict()
        for name, descent in self.descents.items():
            file = f"optimizer_{name}"
            ours[file] = expected_of_optimizer(descent.optimizer, tensors[file])
            if f"scaler_{name}" not in state:
                raise LoadError(f"{path}: 'scaler_{name}' is missing from its state.")
        for file, content in ours.items():
            check_tensors(path / f"{file}.safetensors", tensors[file], content)
        try:
            for name, network in self.networks.items():
                network.load_state_dict(tensors[name])
            self.ema.model.load_state_dict(tensors["ema"])
            for name, descent in self.descents.items():
                descent.load(tensors[f"optimizer_{name}"], state[f"scaler_{name}"])
            self.controls = AdaptiveState(**state["controls"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise LoadError(
                f"{path}: the checkpoint does not fit this configuration: {' '.join(str(error).split())}"
            ) from error
