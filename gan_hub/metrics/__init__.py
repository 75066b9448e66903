"""Scores with provenance: features, Fréchet distance, and the calibration of a discriminator as a judge."""

from gan_hub.metrics.evaluation import evaluate

__all__ = ["evaluate"]
