"""The generated images nearest to a training image: the check for copies that every card shows.

Shapes: N images, F features.
"""

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from gan_hub.data import ImageSet
from gan_hub.hub.nearest_images import NearestTrainingImages
from gan_hub.images import from_uint8, to_pil
from gan_hub.metrics.feature_cache import CHUNK, ImageSource
from gan_hub.metrics.neighbours import Memorization, memorization, nearest_to_training
from gan_hub.metrics.registry import HELD_OUT, Evaluation, required

COUNT = 16  # images that a card shows
PIXELS = 32  # a side, to which larger images are averaged before their pixels are compared


def nearest_copies(evaluation: Evaluation, count: int = COUNT) -> NearestTrainingImages:
    """The `count` scored images nearest to a training image, in the extractor's features; needs held-out images."""
    reals, held_out = evaluation.real_images, required(evaluation.held_out_images, HELD_OUT)
    trained = reals if evaluation.trained_images is None else reals.take(evaluation.trained_rows.numpy())
    features = f"the features of {evaluation.extractor.name}"
    return _nearest_images(
        evaluation.copies, evaluation.scored_images, trained, len(held_out), evaluation.seed, features, count
    )


def nearest_copies_in_pixels(
    pictures: ImageSource, train: ImageSet, held_out: ImageSet, seed: int, count: int = COUNT
) -> NearestTrainingImages:
    """The same without an extractor, by pixels, which see shifts and shades more than content.

    Args:
        pictures: generated images of the seeds `seed`, `seed` + 1 and so on.
        train, held_out: real images of the same size that the model was, and was not, trained on.
        seed: of the first generated image.
        count: how many images are returned.

    Returns:
        The images nearest to a training image, the nearest first.
    """
    vectors = _pixels(pictures), _pixels(ImageSource.of_set(train)), _pixels(ImageSource.of_set(held_out))
    copies = memorization(*vectors)
    height, width = (min(PIXELS, side) for side in pictures.shape[:2])
    features = f"pixels ({width} × {height}, from -1 to 1)"
    return _nearest_images(copies, pictures, train, len(held_out), seed, features, count)


def _nearest_images(
    copies: Memorization, pictures: ImageSource, trained: ImageSet, held_out: int, seed: int, features: str, count: int
) -> NearestTrainingImages:
    """The `count` nearest images, for a card; `features` says in words what distances are measured in."""
    rows = nearest_to_training(copies, count).tolist()
    originals = trained.images[copies.nearest[rows].numpy()]
    pairs = [(pictures.read(row, row + 1)[0], original) for row, original in zip(rows, originals, strict=True)]
    return NearestTrainingImages(
        features=features,
        seeds=[seed + row for row in rows],
        distances=copies.distances[rows].tolist(),
        typical=copies.typical,
        threshold=copies.threshold,
        pictures=copies.pictures,
        repeated=copies.repeated,
        different=copies.different,
        witnesses=copies.witnesses,
        nearer=copies.nearer,
        copied=int(copies.copied.sum()),
        searched=pictures.count,
        first_seed=seed,
        trained=len(trained),
        held_out=held_out,
        pairs=to_pil(np.stack([image for pair in pairs for image in pair])),
    )


def _pixels(pictures: ImageSource) -> torch.Tensor:
    """Images as vectors, float32 (N, F), averaged down to at most PIXELS a side."""
    vectors = []
    for start in range(0, pictures.count, CHUNK):
        images = from_uint8(pictures.read(start, min(start + CHUNK, pictures.count)))
        height, width = (min(PIXELS, side) for side in images.shape[2:])
        vectors.append(adaptive_avg_pool2d(images, (height, width)).flatten(1))
    return torch.cat(vectors)
