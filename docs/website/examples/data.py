import numpy as np
from PIL import Image

from gan_hub.data import NAMED_DATASETS, ImageSet, NoSuchSplitError, hold_out, load_images, load_pairs

pixels = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
np.savez("images.npz", x_train=pixels, y_train=np.arange(60) % 3)
images: ImageSet = load_images("images.npz", resolution=16, channels=1)  # or a folder, a .zip, a Hub id, …
print(images.report(), images.images.shape, images.labels[:6], "by name:", *NAMED_DATASETS)
try:
    load_images("images.npz", split="test", resolution=16, channels=1)
except NoSuchSplitError:
    training, unseen = hold_out(images, 12, seed=0)

for number in range(4):  # a picture, and a map of its classes beside it
    Image.fromarray(pixels[number]).save(f"{number}.png")
    Image.fromarray((pixels[number, :, :, 0] > 127).astype(np.uint8)).save(f"{number}_labels.png")
print(load_pairs(".", resolution=16, channels=3).images.shape)
