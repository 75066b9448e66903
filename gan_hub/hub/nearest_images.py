"""The section of a card on memorisation: the generated images nearest to a training image, and what chance explains."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from gan_hub.hub.cards import MEMORIZED_NAME, format_number
from gan_hub.images import grid, save_png

# How `summary` says how many images it is about; lint looks for it in cards.
COUNT_IN_SUMMARY = re.compile(r"these (\d+) come nearest")
CHANCE = 0.05  # a number of copies that is less likely than this is called more than chance


@dataclass(frozen=True)
class NearestTrainingImages:
    """The check for memorisation: generated images nearest to a training image, against held-out real images."""

    features: str  # the space that distances are measured in
    seeds: list[int]  # of the generated images, the nearest first
    distances: list[float]
    typical: float  # the median distance of held-out real images to the nearest training image
    threshold: float  # the distance that `nearer` of the held-out images do not exceed
    nearer: int  # held-out images at or below the threshold, near duplicates counted once
    copied: int  # generated images at or below the threshold
    searched: int  # generated images that were compared
    first_seed: int
    trained: int  # training images
    held_out: int
    pairs: list[Image.Image]  # each generated image, then its nearest training image
    pictures: int | None = None  # different held-out pictures, near duplicates being one; None: all images
    repeated: int = 0  # held-out images with a picture that is also in the training set
    different: int | None = None  # different training pictures, about; None: all images
    witnesses: float | None = None  # effective number of independent held-out distances; None: one a picture

    def write(self, folder: Path, show_images: bool) -> str:
        """The text under "Memorisation"; writes its picture into `folder` if the training images may be shown.

        If they may not, a picture of an earlier card is removed.
        """
        if not show_images:
            (folder / MEMORIZED_NAME).unlink(missing_ok=True)
            return f"{self.summary()} The training images may not be shown; these are the distances:\n\n{self._table()}"
        save_png(grid(self.pairs, columns=8, scale=2 if self.pairs[0].width < 64 else 1), folder / MEMORIZED_NAME)
        text = f"{self.summary()}\n\n![Generated images, each with its nearest training image]({MEMORIZED_NAME})\n\n"
        pairs = ", ".join(
            f"{seed} ({format_number(distance)})" for seed, distance in zip(self.seeds, self.distances, strict=True)
        )
        return f"{text}*Four pairs a row, the nearest first: left generated, right trained on. Seeds (distances): {pairs}.*"

    def summary(self) -> str:
        """The result in words, with the verdict whether chance explains the number of copies."""
        last, near = self.first_seed + self.searched - 1, self.nearer / self._pictures
        expected = self.nearer / (self._witnesses + 1) * self.searched
        verdict = f"That is {'more' if self._chance(self.copied) < CHANCE else 'no more'} than chance explains."
        if self._chance(self.searched) >= CHANCE:
            verdict = "So few different pictures were held out that chance could explain any number: look at the pairs."
        return (
            f"Of {self.searched:,} generated images (seeds {self.first_seed} to {last}), these {len(self.seeds)} come "
            f"nearest to one of the {self.trained:,} training images{self._training_duplicates()}, by Euclidean distance in "
            f"{self.features}. For scale: of {self.held_out:,} real images that were held out"
            f"{self._held_out_duplicates()}, half come nearer than {format_number(self.typical)}, and {100 * near:.2g} % as "
            f"near as {format_number(self.threshold)} or nearer. So do {self.copied} of the generated ones; of a model that "
            f"copies nothing, {expected:.3g} would be expected. {verdict}"
        )

    @property
    def _pictures(self) -> int:
        return self.held_out if self.pictures is None else self.pictures

    @property
    def _witnesses(self) -> float:
        return self._pictures if self.witnesses is None else self.witnesses

    def _chance(self, copied: int) -> float:
        """The probability of `copied` copies or more from a generator that only draws new pictures: a beta-binomial tail.

        The share of new pictures below the r-th smallest of n independent distances is distributed as Beta(r, n + 1 − r).
        """
        a, b, searched = self.nearer, max(self._witnesses + 1 - self.nearer, 1e-9), self.searched

        def log_beta(x: float, y: float) -> float:
            return math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y)

        return sum(
            math.exp(
                log_beta(a + count, b + searched - count)
                - log_beta(a, b)
                - log_beta(count + 1, searched - count + 1)
                - math.log(searched + 1)
            )
            for count in range(copied, searched + 1)
        )

    def _training_duplicates(self) -> str:
        """How many different pictures the training images show, if some repeat."""
        if self.different is None or self.different >= self.trained:
            return ""
        return f" (about {self.different:,} different pictures: near duplicates are one)"

    def _held_out_duplicates(self) -> str:
        """How the held-out images are counted, if they repeat each other or the training images."""
        notes = []
        if self._pictures < self.held_out:
            notes.append(f"{self._pictures:,} different pictures, each counted once")
        if self.repeated:
            notes.append(f"{self.repeated:,} show one that is also trained on, and are held against the others alone")
        return f" ({'; '.join(notes)})" if notes else ""

    def _table(self, columns: int = 4) -> str:
        cells = [
            f"{seed} | {format_number(distance)}" for seed, distance in zip(self.seeds, self.distances, strict=True)
        ]
        rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
        head = ["| " + " | ".join(["seed | distance"] * columns) + " |", "|" + "---|" * (2 * columns)]
        return "\n".join(head + ["| " + " | ".join(row + [" | "] * (columns - len(row))) + " |" for row in rows])
