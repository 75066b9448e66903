import torch
from PIL import Image

from gan_hub.style_transfer import (
    FeatureNetwork,
    Losses,
    StyleTransfer,
    content_loss,
    gram_matrix,
    load_features,
    style_loss,
    style_transfer,
    total_variation,
)

content, style = Image.new("RGB", (48, 48), "navy"), Image.effect_noise((48, 48), 60).convert("RGB")
network: FeatureNetwork = load_features("squeezenet")
result: StyleTransfer = style_transfer(content, style, features=network, steps=2, size=48)
print(result)

features = torch.randn(1, 8, 6, 6)
gram = gram_matrix(features)
print(content_loss(features, features), style_loss([gram], [gram]), total_variation(torch.rand(1, 3, 8, 8)), Losses)
