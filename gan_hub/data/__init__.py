"""Images from a folder, zip, parquet, idx, npz or Hub data set → one uint8 array; what cannot be used is counted and named."""

from gan_hub.data.image_set import ImageSet, balanced_order, hold_out, without
from gan_hub.data.load import NAMED, load_images
from gan_hub.data.pairs import load_pairs
from gan_hub.data.splits import NoSuchSplit

__all__ = ["NAMED", "ImageSet", "NoSuchSplit", "balanced_order", "hold_out", "load_images", "load_pairs", "without"]
