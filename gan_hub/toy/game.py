"""The game of two networks in a few lines: losses, penalties, two optimizers and the averaged generator.

Shapes: N examples of a batch, Z latent size; examples are points (N, 2) or images (N, C, H, W). Logits are (N,).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from gan_hub.ema import EMA
from gan_hub.losses import ADVERSARIAL, interpolate_real_fake, r1_penalty, r2_penalty, wgan_gp_penalty

LOSSES = ("non_saturating", "minimax", "least_squares", "hinge", "wasserstein", "relativistic")


@dataclass(frozen=True)
class Settings:
    """What a game is played by, named as the options of a recipe. Any of it may change while a game goes on.

    Example:
        >>> from gan_hub.toy.game import Settings
        >>> Settings(loss="hinge", r1_gamma=0.02).discriminator_steps
        1
    """

    loss: str = "non_saturating"  # one of LOSSES
    discriminator_steps: int = 1  # k: updates of the discriminator for each of the generator
    learning_rate_generator: float = 5e-3
    learning_rate_discriminator: float = 5e-3
    instance_noise: float = 0.0  # standard deviation of the normal noise on all that the discriminator sees
    r1_gamma: float = 0.0  # weight of the penalty on reals
    r2_gamma: float = 0.0  # and on fakes
    wgan_gp_weight: float = 0.0  # and between them
    penalty_interval: int = 1  # penalties count every so many steps, so many times as much
    beta1: float = 0.0  # of Adam
    beta2: float = 0.99
    ema_halflife_kimg: float = 2.0  # of the averaged generator
    batch_size: int = 128

    def __post_init__(self) -> None:
        """Refuse an unknown loss."""
        if self.loss not in LOSSES:
            raise ValueError(f"loss={self.loss!r} is not allowed; it is one of {', '.join(LOSSES)}.")


class Game:
    """Two networks that play against each other, a step at a time. The same seed gives the same game.

    `step_count` counts the generator's updates; `settings` may be replaced between two steps. The networks are called as
    those of this package: generator(z) → examples, discriminator(examples) → logits (N,).

    Example:
        >>> import torch
        >>> from gan_hub.toy import datasets
        >>> from gan_hub.toy.game import Game, Settings
        >>> from gan_hub.toy.players import make_players
        >>> game = Game(*make_players(seed=0), datasets.DATASETS["ring"].sample, 2, Settings(batch_size=8), seed=0)
        >>> sorted(game.step())[:2]
        ['accuracy/pairs', 'gradient/discriminator']
        >>> game.step_count, game.sample(5).shape
        (1, torch.Size([5, 2]))
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        reals: Callable[[int, torch.Generator], torch.Tensor],
        latent_size: int,
        settings: Settings,
        seed: int = 0,
    ) -> None:
        """Begin a game.

        Args:
            generator, discriminator: The players, which are trained in place.
            reals: (N, random generator) → N examples of the data.
            latent_size: Z, the numbers in a z.
            settings: How it is played.
            seed: Of everything random in it.
        """
        self.generator, self.discriminator, self.reals = generator, discriminator, reals
        self.latent_size, self.settings, self.step_count = latent_size, settings, 0
        self.random = torch.Generator().manual_seed(seed)
        betas = settings.beta1, settings.beta2
        self.optimizers = [
            torch.optim.Adam(each.parameters(), 0.0, betas, fused=True) for each in (generator, discriminator)
        ]
        self.ema = EMA(generator, settings.ema_halflife_kimg)

    def step(self) -> dict[str, torch.Tensor]:
        """Play k updates of the discriminator and one of the generator (Goodfellow et al. 2014, algorithm 1).

        Returns:
            Losses, mean logits, the share of pairs in the right order and norms of the gradients of the last updates,
            detached scalars, by the names of docs/monitors.md.
        """
        settings = self.settings
        penalize = self.step_count % settings.penalty_interval == 0
        for _ in range(settings.discriminator_steps):
            reals = self.reals(settings.batch_size, self.random)
            metrics = self._discriminator_step(reals, penalize)
        metrics |= self._generator_step(reals)
        self.step_count += 1
        self.ema.update(self.generator, settings.batch_size, self.step_count * settings.batch_size)
        return {name: value.detach() for name, value in metrics.items()}

    def noise(self, count: int) -> torch.Tensor:
        """The next z of the game, (count, Z)."""
        return torch.randn(count, self.latent_size, generator=self.random)

    @torch.no_grad()
    def sample(self, count: int, seed: int = 0) -> torch.Tensor:
        """Examples of the averaged generator, always of the same z for a seed: they do not disturb the game.

        Args:
            count: how many.
            seed: of their z.

        Returns:
            (count, 2) points or (count, C, H, W) images.
        """
        z = torch.randn(count, self.latent_size, generator=torch.Generator().manual_seed(seed))
        return self.ema.model(z)

    def _discriminator_step(self, reals: torch.Tensor, penalize: bool) -> dict[str, torch.Tensor]:
        settings, game = self.settings, ADVERSARIAL[self.settings.loss]
        with torch.no_grad():
            fakes = self._blurred(self.generator(self.noise(len(reals))))
        reals = self._blurred(reals)
        r1, r2, gp = (penalize * w for w in (settings.r1_gamma, settings.r2_gamma, settings.wgan_gp_weight))
        reals.requires_grad_(r1 > 0)
        fakes.requires_grad_(r2 > 0)
        real_out, fake_out = self.discriminator(reals), self.discriminator(fakes)
        loss = total = game.discriminator(real_out, fake_out)
        if r1:
            total = total + settings.penalty_interval * r1 * r1_penalty(real_out, reals)
        if r2:
            total = total + settings.penalty_interval * r2 * r2_penalty(fake_out, fakes)
        if gp:
            between = interpolate_real_fake(reals, fakes, torch.rand(len(reals), 1, generator=self.random))
            total = total + settings.penalty_interval * gp * wgan_gp_penalty(self.discriminator(between), between)
        gradient = self._descend(1, self.discriminator, total, settings.learning_rate_discriminator)
        pairs = (real_out > fake_out).float() + 0.5 * (real_out == fake_out).float()
        return {"loss/discriminator": loss, "logit/real": real_out.mean(), "logit/fake": fake_out.mean(),
                "accuracy/pairs": pairs.mean(), "gradient/discriminator": gradient}  # fmt: skip

    def _generator_step(self, reals: torch.Tensor) -> dict[str, torch.Tensor]:
        game = ADVERSARIAL[self.settings.loss]
        self.discriminator.requires_grad_(False)  # its own gradient is of no use here
        fake_out = self.discriminator(self._blurred(self.generator(self.noise(len(reals)))))
        if game.paired:
            with torch.no_grad():
                real_out = self.discriminator(self._blurred(reals))
        loss = game.generator(fake_out, real_out) if game.paired else game.generator(fake_out)
        gradient = self._descend(0, self.generator, loss, self.settings.learning_rate_generator)
        self.discriminator.requires_grad_(True)
        return {"loss/generator": loss, "gradient/generator": gradient}

    def _blurred(self, examples: torch.Tensor) -> torch.Tensor:
        """What the discriminator sees: the examples with instance noise on them, if there is any."""
        sigma = self.settings.instance_noise
        return examples + sigma * torch.randn(examples.shape, generator=self.random) if sigma else examples

    def _descend(self, player: int, network: nn.Module, loss: torch.Tensor, rate: float) -> torch.Tensor:
        optimizer = self.optimizers[player]
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
