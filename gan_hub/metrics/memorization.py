"""The check for copies that every card shows: the generated images which come nearest to a training image.

Shapes: N images, F features.
"""

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from gan_hub.data import ImageSet
from gan_hub.hub.nearest_images import NearestTrainingImages
from gan_hub.images import from_uint8, to_pil
from gan_hub.metrics.feature_cache import PART, ImageSource
from gan_hub.metrics.neighbours import Memorization, memorization, most_at_risk
from gan_hub.metrics.registry import Evaluation

COUNT = 16  # images that a card shows
PIXELS = 32  # a side, to which images are averaged where pixels themselves are compared


def nearest_copies(e: Evaluation, count: int = COUNT) -> NearestTrainingImages:
    """The `count` scored images nearest to one that was trained on, in the extractor's features."""
    trained = e.reals_set if e.trained_set is None else e.reals_set.take(e.trained_rows.numpy())
    features = f"the features of {e.extractor.name}"
    return _told(e.copies, e.pictures, trained, len(e.held_out_set), e.seed, features, count)


def nearest_copies_in_pixels(
    pictures: ImageSource, train: ImageSet, held_out: ImageSet, seed: int, count: int = COUNT
) -> NearestTrainingImages:
    """The same without an extractor, by the pixels in [-1, 1]: they see shifts and shades more than content."""
    found = memorization(*map(_pixels, (pictures, ImageSource.of_set(train), ImageSource.of_set(held_out))))
    height, width = (min(PIXELS, side) for side in pictures.shape[:2])
    return _told(found, pictures, train, len(held_out), seed, f"pixels ({width} × {height}, from -1 to 1)", count)


def _told(
    found: Memorization, pictures: ImageSource, trained: ImageSet, held_out: int, seed: int, features: str, count: int
) -> NearestTrainingImages:
    rows = most_at_risk(found, count).tolist()
    originals = trained.images[found.nearest[rows].numpy()]
    pairs = [(pictures.rows(row, row + 1)[0], original) for row, original in zip(rows, originals)]
    return NearestTrainingImages(
        features=features,
        seeds=[seed + row for row in rows],
        distances=found.distances[rows].tolist(),
        typical=found.typical,
        threshold=found.threshold,
        pictures=found.pictures,
        repeated=found.repeated,
        different=found.different,
        witnesses=found.witnesses,
        nearer=found.nearer,
        copied=int(found.copied.sum()),
        searched=pictures.count,
        first_seed=seed,
        trained=len(trained),
        held_out=held_out,
        pairs=to_pil(np.stack([image for pair in pairs for image in pair])),
    )


def _pixels(pictures: ImageSource) -> torch.Tensor:
    """Images as vectors, float32 (N, F): what is larger than PIXELS a side is averaged down to it."""
    vectors = []
    for start in range(0, pictures.count, PART):
        images = from_uint8(pictures.rows(start, min(start + PART, pictures.count)))
        size = [min(PIXELS, side) for side in images.shape[2:]]
        vectors.append(adaptive_avg_pool2d(images, size).flatten(1))
    return torch.cat(vectors)
