import torch

from gan_hub.augment import (
    ADA_COLUMNS,
    ada_augment,
    adjusted_p,
    diff_augment,
    flip_horizontally,
    noise_sigma,
    policy_columns,
)

images = torch.rand(4, 3, 32, 32) * 2 - 1
u = torch.rand(4, policy_columns("translation,cutout"))  # chance is passed in, never drawn here
print(diff_augment(images, u, "translation,cutout").shape)
print(flip_horizontally(images, torch.rand(4, 1)).shape)
p = adjusted_p(0.0, sign_mean=0.9, images=256)  # D is too sure of the reals: p rises
print(ada_augment(images, torch.rand(4, ADA_COLUMNS), p).shape)
print(p, noise_sigma(images_seen=5_000, start=0.1, images=10_000))  # 0.05: halfway to no noise
