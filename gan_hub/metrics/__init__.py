"""Scores with provenance: extractors, what is measured in their features, reports, and a discriminator as a judge."""

from gan_hub.metrics.evaluation import evaluate
from gan_hub.metrics.features import load_extractor
from gan_hub.metrics.report import Report, compare

__all__ = ["Report", "compare", "evaluate", "load_extractor"]
