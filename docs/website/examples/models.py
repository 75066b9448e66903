import torch

from gan_hub.models import ARCHITECTURES, CLASSES, discriminator_class, precision

generator_class, own = ARCHITECTURES["dcgan"]
assert discriminator_class("dcgan", {}) is own
through_a_frozen_network = discriminator_class("dcgan", {"features": "squeezenet"})
assert CLASSES["DCGANGenerator"] is generator_class  # what model_index.json names

with torch.autocast("cpu", torch.bfloat16), precision(torch.device("cpu"), force_fp32=True):
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32  # autocast is off: penalties need it

# register_checked and register_architecture: see "Your own architecture".
