import numpy as np
import torch

from gan_hub.metrics import (
    Report,
    compare,
    density_coverage,
    evaluate,
    frechet_distance,
    inception_score,
    kid,
    load_extractor,
    moments,
    precision_recall,
)

pixels = np.random.default_rng(0).integers(0, 256, (48, 28, 28, 1), dtype=np.uint8)
np.savez("real.npz", images=pixels)
report: Report = evaluate("dcgan-mnist", "real.npz", ["fd"], extractor="digits", num_images=32, reference_scores=False)
print(report.scores, [score.overlap for score in compare(report, report)])

# The metrics by themselves take features.
extractor = load_extractor("digits")
real, fake = (extractor.features(torch.rand(32, 1, 28, 28) * 2 - 1) for _ in range(2))
print(frechet_distance(moments(real), moments(fake)), kid(real, fake, size=16))
print(precision_recall(real, fake), density_coverage(real, fake), inception_score(torch.randn(40, 10)))
