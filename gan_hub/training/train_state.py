"""Networks, optimizers and averaged generator of a run, and how they go into a checkpoint and back."""

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

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
from gan_hub.training.processes import reduce

Images = torch.Tensor | list[torch.Tensor]  # (n, C, H, W), or one such tensor a scale
Weights = dict[str, dict[str, torch.Tensor]]  # player → its state dict

TENSOR_FILES = ("generator", "discriminator", "ema", "optimizer_generator", "optimizer_discriminator")
ADA_INTERVAL = 4  # steps between adjustments of p (Karras et al. 2020a, section 3.1)
SMALLEST_SCALE = 2.0**-10  # of an fp16 loss: below it, the gradient itself is not finite


def build_networks(config: TrainConfig, num_classes: int) -> tuple[GANModel, GANModel | None]:
    """The generator and, unless it has none, the discriminator of a config, with fresh weights.

    The weights are drawn from torch's global generator. `num_classes` counts the data's labels, or the classes of its
    maps where the architecture takes maps.
    """
    pair = ARCHITECTURES[config.architecture]
    classes = {"num_classes": num_classes}
    if issubclass(pair.generator, SegmentationConditional):
        classes = {"num_classes": 0, "semantic_classes": num_classes}
    shape = {"resolution": config.resolution, "channels": config.channels, **classes}
    generator = pair.generator(**shape, **config.generator)
    cls = config.discriminator_class
    return generator, cls and cls(**shape, **config.discriminator)


class ScaledOptimizer:
    """One network's optimizer with its own loss scaler, so that an overflow of one player leaves the other alone.

    `scaled` (fp16): small gradients would round to 0, so the loss is multiplied before backward and the gradient divided
    after it; a step whose gradient overflows is skipped, and the scale halved.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: str = "cpu", scaled: bool = False) -> None:
        self.optimizer = optimizer
        self.scaler = torch.amp.GradScaler(device, enabled=scaled)

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """The parameters that it updates."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def zero_grad(self) -> None:
        """Drop the gradients of the last step."""
        self.optimizer.zero_grad(set_to_none=True)

    def step(self, loss: torch.Tensor) -> torch.Tensor:
        """Backward and one update; returns the norm of the gradient over all processes' images."""
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return norm.detach()

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def load(self, optimizer: dict[str, torch.Tensor], scaler: dict) -> None:
        """Take over `optimizer_tensors` and the scaler's state of a checkpoint."""
        load_optimizer(self.optimizer, optimizer)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)


@dataclass
class AdaptiveState:
    """Adaptive training state, the same on every process: ADA's p, BEGAN's k, the mean path length."""

    augment_p: float = 0.0  # ADA: probability of each augmentation
    balance: float = 0.0  # BEGAN: k, the weight of fakes in the discriminator's loss
    path_length_mean: float = 0.0  # StyleGAN2: running mean of the path length


class TrainState:
    """Generator and discriminator as `accelerator.prepare` wraps them, an optimizer for each, and the average.

    Where the generator's loss needs no opponent, `discriminator` and `discriminator_optimizer` are None.
    """

    discriminator: torch.nn.Module | None
    discriminator_optimizer: ScaledOptimizer | None

    def __init__(self, config: TrainConfig, num_classes: int, accelerator: Accelerator) -> None:
        torch.manual_seed(config.seed)
        generator, discriminator = build_networks(config, num_classes)
        self.config, self.accelerator, self.adaptive = config, accelerator, AdaptiveState()
        if config.precision == "fp64":
            generator.double()
        # Before `prepare`, which patches `forward` with autocast: the average is sampled as it will be published.
        self.ema = EMA(generator.to(accelerator.device), config.ema_halflife_kimg)
        self.generator, self.generator_optimizer = self._prepare("generator", generator)
        if config.channels_last:  # as the weights that it averages
            self.averaged_generator.to(memory_format=torch.channels_last)
        self.discriminator = self.discriminator_optimizer = None
        if discriminator is not None:
            self.discriminator, self.discriminator_optimizer = self._prepare("discriminator", discriminator)

    def _prepare(self, name: str, network: GANModel) -> tuple[torch.nn.Module, ScaledOptimizer]:
        """The network in its precision, memory format and wrapping, and an optimizer for it."""
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
        # Not prepared by accelerate: its optimizers share one loss scaler.
        return prepared, ScaledOptimizer(optimizer, self.accelerator.device.type, scaled=config.precision == "fp16")

    @property
    def unwrapped_generator(self) -> GANModel:
        """The network without its wrapping, to save and average. A loss needs `generator`, which reduces gradients."""
        return self.accelerator.unwrap_model(self.generator)

    @property
    def unwrapped_discriminator(self) -> GANModel | None:
        """The discriminator without its wrapping; None where there is none."""
        return None if self.discriminator is None else self.accelerator.unwrap_model(self.discriminator)

    @property
    def networks(self) -> dict[str, GANModel]:
        """Player → its network without the wrapping, of the players that there are."""
        both = {"generator": self.unwrapped_generator, "discriminator": self.unwrapped_discriminator}
        return {name: network for name, network in both.items() if network is not None}

    @property
    def optimizers(self) -> dict[str, ScaledOptimizer]:
        """Player → its optimizer, of the same players."""
        return {name: getattr(self, f"{name}_optimizer") for name in self.networks}

    @property
    def averaged_generator(self) -> GANModel:
        """The running average of the generator's weights: what is sampled, scored and published."""
        return cast(GANModel, self.ema.model)  # EMA copies any module

    @property
    def latent_size(self) -> int:
        """Numbers in a z."""
        return self.averaged_generator.config["latent_size"]

    def draw_fakes(
        self,
        z: torch.Tensor,
        mixing: tuple[torch.Tensor, torch.Tensor] | None,
        labels: torch.Tensor | None,
        with_grad: bool,
        path_length: bool = False,
    ) -> tuple[Images, torch.Tensor | None]:
        """Draw G(z), and the latents that a path length penalty differentiates by.

        Args:
            z: latents (n, Z).
            mixing: second latents (n, Z) and shares (n,) in [0, 1] of rows that stay with the first, or None.
            labels: classes (n,), maps (n, H, W), or None.
            with_grad: for the generator's own step; otherwise nothing of the graph is kept.
            path_length: with `with_grad`, for a path length penalty: the images can then be differentiated twice.

        Returns:
            Images (n, C, H, W) in [-1, 1], of a multi-scale generator a list of them; and with `path_length`
            w (n, L, W) where the generator has one, else z, otherwise None.
        """
        path_length = path_length and with_grad
        options: dict[str, object] = {} if mixing is None else {"mixing": mixing}
        if isinstance(self.averaged_generator, MultiScale):
            options["scales"] = True
        in_w = path_length and isinstance(self.averaged_generator, StyleBased)
        if in_w:
            options["with_ws"] = True
        with torch.set_grad_enabled(with_grad), self.eager_for_double_backward(path_length):
            images = self.generator(z.requires_grad_(path_length), labels, force_fp32=path_length, **options)
        return images if in_w else (images, z if path_length else None)

    def match_resolution(self, reals: torch.Tensor) -> Images:
        """Reals (n, C, H, W) in the form of the fakes: as coarse as a growing network's, or a list of all scales."""
        network = self.unwrapped_discriminator
        if isinstance(network, MultiScale):
            return network.pyramid(reals)
        return network.downsample_to_level(reals) if isinstance(network, ProgressiveGrowing) else reals

    def eager_for_double_backward(self, needed: bool) -> contextlib.AbstractContextManager:
        """Inside, where `needed`, compiled networks run eagerly: torch.compile's code has no second derivative."""
        return torch.compiler.set_stance("force_eager") if needed and self.config.compile else contextlib.nullcontext()

    def gather_batch(self, share: torch.Tensor) -> torch.Tensor:
        """Gather the batch of all processes; only this one's `share` (n, …) keeps its gradient."""
        gathered = self.accelerator.gather(share.detach())
        assert isinstance(gathered, torch.Tensor)
        parts = list(gathered.split(len(share)))
        parts[self.accelerator.process_index] = share
        return torch.cat(parts)

    @property
    def adaptive(self) -> AdaptiveState:
        """The adaptive state after all steps so far; waits for the device if the last step moved it unread."""
        if self._unread:
            self.read()
        return self._adaptive

    @adaptive.setter
    def adaptive(self, value: AdaptiveState) -> None:
        self._adaptive, self._unread = value, {}

    def mean(self, value: torch.Tensor) -> float:
        """The mean of a scalar over the processes; waits for the device."""
        return reduce(self.accelerator, value.detach(), "mean").item()

    def keep_path_length(self, mean: torch.Tensor) -> None:
        """Take over a new mean path length of this process, a scalar. It is read later, see `read`."""
        self._unread["path_length_mean"] = reduce(self.accelerator, mean.detach(), "mean")

    def read(self, *values: torch.Tensor) -> list[float]:
        """Read numbers from the device, and with them what the adaptive state has not read yet: one wait for all.

        Args:
            values: scalars.

        Returns:
            The numbers.
        """
        names, adaptive, config = list(self._unread), self._adaptive, self.config
        tensors = [value.detach().double() for value in (*values, *self._unread.values())]
        numbers = torch.stack(tensors).tolist() if tensors else []
        unread = dict(zip(names, numbers[len(values) :], strict=True))
        self._unread = {}
        if "path_length_mean" in unread:
            adaptive.path_length_mean = unread["path_length_mean"]
        if "logit/real" in unread:
            real, fake = unread["logit/real"], unread["logit/fake"]
            adaptive.balance = began_balance(adaptive.balance, real, fake, config.began_gamma, config.began_rate)
        return numbers[: len(values)]

    def update_adaptive(self, step: int, metrics: dict[str, torch.Tensor]) -> None:
        """Move ADA's p and BEGAN's k, where the run has them, after the discriminator's step.

        BEGAN's k moves by the errors of that step's fakes, where the paper has those of the generator's. It is not needed
        before the next step, and is read by then (`read`).
        """
        config = self.config
        if config.augment == "ada" and step % ADA_INTERVAL == 0:
            # E[sign D(x)] of this step's reals: an even chance of each sign is accuracy ½
            sign = 2 * self.mean(metrics["accuracy/real"]) - 1
            images = ADA_INTERVAL * config.batch_size
            p = self._adaptive.augment_p  # read at once: this step's generator needs the next one
            self._adaptive.augment_p = adjusted_p(p, sign, images, config.ada_target, config.ada_kimg)
        if config.loss == "began":
            for name in ("logit/real", "logit/fake"):
                self._unread[name] = reduce(self.accelerator, metrics[name].detach(), "mean")

    def set_lr_factor(self, factor: float) -> None:
        """Set both learning rates to `factor` times the configured ones; it follows from the clock, so no checkpoint has it."""
        for name, optimizer in self.optimizers.items():
            optimizer.set_learning_rate(getattr(self.config, f"learning_rate_{name}") * factor)

    def grow(self, images_seen: int) -> None:
        """Set growing networks to their level after `images_seen` images; no checkpoint needs it, either."""
        if self.config.grow_kimg > 0:
            for network in (*self.networks.values(), self.averaged_generator):
                assert isinstance(network, ProgressiveGrowing)  # the config allows grow_kimg to these only
                network.set_level(self.config.level(images_seen))

    def start_from(self, source: str, which: str) -> None:
        """Take over the weights of a published model: of "both" players, or of the "generator"; the average gets them, too.

        Raises ValueError where that model lacks a network, or has one of another class or config.
        """
        model = GANPipeline.from_pretrained(source)
        for name, network in self.networks.items():
            if which not in ("both", name):
                continue
            published = getattr(model, name)
            if published is None:
                raise ValueError(f"initial={source!r} is not allowed; that model has no {name}.")
            there, here = ({"class": type(each).__name__} | dict(each.config) for each in (published, network))
            for key in here:
                if there.get(key) != here[key] and not key.startswith("_"):
                    raise ValueError(
                        f"initial={source!r} is not allowed; the {key} of its {name} is {there.get(key)!r}, this run's "
                        f"is {here[key]!r}."
                    )
            network.load_state_dict(published.state_dict())
        self.ema.model.load_state_dict(model.generator.state_dict())

    def published(self, weights: Weights | None = None) -> tuple[GANModel, GANModel | None]:
        """Copies of the averaged generator and of the discriminator, float32 on the CPU, in eval mode.

        They have the current weights, or `weights`, which an earlier `published_weights` returned.
        """
        copies = {}
        for name, network in (self.networks | {"generator": self.averaged_generator}).items():
            copies[name] = type(network).from_config(network.config)
            copies[name].load_state_dict(network.state_dict() if weights is None else weights[name])
            copies[name].eval()
        return copies["generator"], copies.get("discriminator")

    def published_weights(self) -> Weights:
        """The weights of `published`, as tensors of their own."""
        both = zip(("generator", "discriminator"), self.published(), strict=True)
        return {name: network.state_dict() for name, network in both if network is not None}

    def weight_norms(self) -> dict[str, torch.Tensor]:
        """‖weights‖ of each network: NaN or Inf in any weight makes it NaN or Inf."""
        return {
            f"weights/{name}": torch.nn.utils.get_total_norm([p.detach() for p in network.parameters()])
            for name, network in self.networks.items()
        }

    def exhausted_scaler(self) -> str | None:
        """The first player with an fp16 loss scale halved to nothing, because its gradient is never finite; or None."""
        for name, optimizer in self.optimizers.items():
            if optimizer.scaler.is_enabled() and optimizer.scaler.get_scale() < SMALLEST_SCALE:
                return name
        return None

    def tensors(self) -> dict[str, dict[str, torch.Tensor]]:
        """The tensors of a checkpoint: file of TENSOR_FILES → its tensors."""
        contents = {name: network.state_dict() for name, network in self.networks.items()}
        contents["ema"] = self.ema.model.state_dict()
        for name, optimizer in self.optimizers.items():
            contents[f"optimizer_{name}"] = optimizer_tensors(optimizer.optimizer)
        return contents

    def numbers(self) -> dict[str, dict]:
        """The numbers of a checkpoint: the adaptive state, and both loss scalers (empty without fp16)."""
        scalers = {f"scaler_{name}": optimizer.scaler.state_dict() for name, optimizer in self.optimizers.items()}
        return {"controls": asdict(self.adaptive)} | scalers

    def load(self, path: Path, tensors: Tensors, numbers: dict) -> None:
        """Take over a checkpoint: the inverse of `tensors` and `numbers`. Everything is checked before anything is changed.

        Args:
            path: folder of the checkpoint, for messages.
            tensors: file → its tensors.
            numbers: the checkpoint's state.json.

        Raises:
            LoadError: the checkpoint is of another network; names the file.
        """
        missing = asdict(self.adaptive).keys() - numbers["controls"].keys()
        if missing:
            raise LoadError(f"{path}: the checkpoint's controls lack {sorted(missing)[0]!r}.")
        expected = {name: network.state_dict() for name, network in self.networks.items()}
        expected["ema"] = self.ema.model.state_dict()
        for name, optimizer in self.optimizers.items():
            file = f"optimizer_{name}"
            expected[file] = expected_of_optimizer(optimizer.optimizer, tensors[file])
            if f"scaler_{name}" not in numbers:
                raise LoadError(f"{path}: 'scaler_{name}' is missing from its state.")
        for file, content in expected.items():
            check_tensors(path / f"{file}.safetensors", tensors[file], content)
        try:
            for name, network in self.networks.items():
                network.load_state_dict(tensors[name])
            self.ema.model.load_state_dict(tensors["ema"])
            for name, optimizer in self.optimizers.items():
                optimizer.load(tensors[f"optimizer_{name}"], numbers[f"scaler_{name}"])
            self.adaptive = AdaptiveState(**numbers["controls"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise LoadError(
                f"{path}: the checkpoint does not fit this configuration: {' '.join(str(error).split())}"
            ) from error
