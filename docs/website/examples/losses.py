import torch

from gan_hub import losses
from gan_hub.losses import ADVERSARIAL, MATCHING, PENALTIES, Adversarial

torch.manual_seed(0)
critic = torch.nn.Linear(4, 1)
reals, fakes = torch.randn(8, 4, requires_grad=True), torch.randn(8, 4, requires_grad=True)
real, fake = critic(reals).squeeze(1), critic(fakes).squeeze(1)  # logits (N,)

# What a recipe's `loss:` asks for is a row of ADVERSARIAL: the discriminator's side, and the generator's.
game: Adversarial = ADVERSARIAL["non_saturating"]
assert game.discriminator(real, fake) == losses.non_saturating_discriminator(real, fake)
assert game.generator(fake) == losses.non_saturating_generator(fake)
print(losses.minimax_generator(fake))
print(losses.least_squares_discriminator(real, fake), losses.least_squares_generator(fake))
print(losses.hinge_discriminator(real, fake))  # its generator's side is Wasserstein's
print(losses.wasserstein_discriminator(real, fake), losses.wasserstein_generator(fake))
print(losses.relativistic_discriminator(real, fake), losses.relativistic_generator(fake, real))

# BEGAN's scores are minus the errors of reconstruction; k is moved between steps.
k = losses.began_balance(0.0, -0.5, -0.2, gamma=0.5, rate=0.001)
print(losses.began_discriminator(real, fake, balance=k), losses.began_generator(fake))
print(losses.began_convergence(-0.5, -0.2, gamma=0.5))

# Penalties, each at its own points; the weight is yours.
print(losses.r1_penalty(real, reals), losses.r2_penalty(fake, fakes), sorted(PENALTIES))
assert losses.input_gradients(real, reals).shape == (8, 4)
between = losses.interpolate_real_fake(reals, fakes, torch.rand(8, 1)).detach().requires_grad_()
print(losses.wgan_gp_penalty(critic(between).squeeze(1), between))
around = losses.dragan_points(reals.detach(), torch.rand(8, 5)).requires_grad_()
print(losses.dragan_penalty(critic(around).squeeze(1), around))
losses.clip_weights(critic, 0.01)

# Moments in place of an opponent.
print(losses.moment_matching_generator(fakes, reals), sorted(MATCHING))
print(losses.mmd2(fakes, reals, bandwidths=[1.0, 2.0]), losses.gaussian_kernel(fakes, reals, [1.0]).shape)

# Of the generator: equal steps of the latent, equal steps of the image; and the discriminator's features.
latents = torch.randn(8, 4, requires_grad=True)
images = (latents @ torch.randn(4, 48)).view(8, 3, 4, 4)
penalty, mean = losses.path_length_penalty(images, latents, torch.randn_like(images), mean=0.0)
print(penalty, mean, losses.feature_matching([[fakes]], [[reals]]))
