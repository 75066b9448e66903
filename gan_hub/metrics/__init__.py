"""Scores with provenance: `evaluate` for models and image sets, the single metrics for features, and the extractors."""

from gan_hub.metrics.classes import inception_score
from gan_hub.metrics.evaluation import evaluate
from gan_hub.metrics.features import Extractor, load_extractor
from gan_hub.metrics.frechet import frechet_distance, moments
from gan_hub.metrics.kernels import kid
from gan_hub.metrics.neighbours import density_coverage, precision_recall
from gan_hub.metrics.report import Report, compare

__all__ = [
    "Extractor",
    "Report",
    "compare",
    "density_coverage",
    "evaluate",
    "frechet_distance",
    "inception_score",
    "kid",
    "load_extractor",
    "moments",
    "precision_recall",
]
