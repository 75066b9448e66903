"""Cartoon faces with exactly known attributes, drawn by this package: the data set `avatars`.

`draw(seed, index)` gives one image and its attributes, `attributes(split)` those of a whole split without drawing it.
`python -m gan_hub.data.avatars FOLDER` writes them as files.
"""

from gan_hub.data.avatars.drawing import SIDE, draw, draw_face
from gan_hub.data.avatars.faces import SPLITS, VALUES, Attributes, Pose, attributes, sample_face

__all__ = ["SIDE", "SPLITS", "VALUES", "Attributes", "Pose", "attributes", "draw", "draw_face", "sample_face"]
