import torch

from gan_hub import theory
from gan_hub.theory import line, mixture, normal

x = line(-8, 8)
target, generated = mixture(x, means=[-2, 2], stds=[0.5, 0.5]), normal(x, mean=0.0, std=2.0)
assert abs(theory.integral(target, x) - 1) < 1e-6

best = theory.optimal_discriminator(target, generated)  # p_t / (p_t + p_g)
value = theory.value(best, target, generated, x)
assert abs(value - theory.value_at_optimum(target, generated, x)) < 1e-4  # 2 JSD − 2 ln 2
print(theory.jensen_shannon(target, generated, x))

# The mean absolute error has another optimum, which is 0 or 1 everywhere.
other = theory.indicator_discriminator(target, generated)
error = theory.absolute_error(other, target, generated, x)
assert abs(error - theory.least_absolute_error(target, generated, x)) < 1e-6

# In the plane: four equal hills, at points (n, 2).
ring = torch.tensor([[0.0, 2.0], [2.0, 0.0], [0.0, -2.0], [-2.0, 0.0]])
print(theory.isotropic_mixture(torch.randn(5, 2), ring, std=0.2))
