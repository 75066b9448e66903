"""Small games that are over in seconds: points of the plane, two players for them, and the game without a trainer around it.

The losses and averages are the package's own. What a run needs beside the game (processes, checkpoints, precision) is left
to `gan_hub.training`.
"""

from gan_hub.toy.datasets import DATASETS, PointSet
from gan_hub.toy.digits import sample_digits
from gan_hub.toy.faces import sample_faces
from gan_hub.toy.fields import best_verdicts, square_grid, verdicts
from gan_hub.toy.game import LOSSES, Game, Settings
from gan_hub.toy.players import LATENT, Toy, make_players

__all__ = [
    "DATASETS",
    "LATENT",
    "LOSSES",
    "Game",
    "PointSet",
    "Settings",
    "Toy",
    "best_verdicts",
    "make_players",
    "sample_digits",
    "sample_faces",
    "square_grid",
    "verdicts",
]
