"""Loads images from a folder, zip, parquet, idx, npz or Hub data set as uint8 arrays; unusable files are counted and named."""

from gan_hub import _moved
from gan_hub.data.image_set import ImageSet, balanced_order, hold_out, without
from gan_hub.data.load import NAMED_DATASETS, load_images
from gan_hub.data.pairs import load_pairs
from gan_hub.data.splits import NoSuchSplitError

__all__ = [
    "NAMED_DATASETS",
    "ImageSet",
    "NoSuchSplitError",
    "balanced_order",
    "hold_out",
    "load_images",
    "load_pairs",
    "without",
]

__getattr__ = _moved.renamed_names(__name__, {"NAMED": "NAMED_DATASETS", "NoSuchSplit": "NoSuchSplitError"})
