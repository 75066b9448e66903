"""Small games that are over in seconds: points of the plane, two players for them, and the game without a trainer around it.

The losses and averages are the package's own. What a run needs beside the game (processes, checkpoints, precision) is left
to `gan_hub.training`.
"""
