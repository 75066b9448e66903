"""The content of an avatar: its named attributes and its pose, both determined by (seed, index).

Each face has a random generator of its own, so it is the same whatever was sampled before it, and however many.
Coordinates: 64 units a side, x to the right, y down; inside a head from the middle between the eyes, in its own scale.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

SPLITS = {"train": (0, 20_000), "test": (1, 2_000)}  # split → seed, count

# Value of an attribute → its color.
BACKGROUNDS = {"sky": "#aedff5", "lilac": "#c7b6ef", "rose": "#ffc6d3", "mint": "#bdeccb", "lemon": "#fff0a8"}
SKINS = {"pale": "#ffdcc8", "fair": "#f2bd94", "tan": "#d6955f", "brown": "#b0703f", "dark": "#84503a"}
HAIR_COLORS = {"black": "#26222a", "brown": "#58290f", "blond": "#f0c244", "red": "#d4491f", "silver": "#c3c8d2"}
CLOTHES_COLORS = {"coral": "#f2665a", "blue": "#3f74d1", "green": "#3a9d6b", "violet": "#7f4fb0", "white": "#f6f6f6"}

HAIRS = ("bald", "short", "long", "curly", "bun")
EYES = ("open", "happy", "wide", "wink")
BROWS = ("raised", "flat", "stern", "worried")
MOUTHS = ("smile", "laugh", "serious", "sad")
GLASSES = ("round", "square", "browline", "sunglasses")
BEARDS = ("full", "goatee", "moustache")
CLOTHES = ("crew", "collar", "stripes")
GLASSES_SHARE, BEARD_SHARE = 0.4, 0.3

# Attribute → its values, in the order in which a classifier may number them.
VALUES = {
    "background": tuple(BACKGROUNDS),
    "skin": tuple(SKINS),
    "hair": HAIRS,
    "hair_colour": tuple(HAIR_COLORS),
    "eyes": EYES,
    "brows": BROWS,
    "mouth": MOUTHS,
    "glasses": ("none", *GLASSES),
    "beard": ("none", *BEARDS),
    "clothes": CLOTHES,
    "clothes_colour": tuple(CLOTHES_COLORS),
}


@dataclass(frozen=True)
class Attributes:
    """The named attributes of a face, independent of each other; the values of each are equally frequent.

    Some cannot always be seen: sunglasses hide the eyes, and a bald head shows its hair's color in brows and beard only.
    The names are also the columns of attributes.csv and keys of published reports, hence their spelling.
    """

    background: str
    skin: str
    hair: str
    hair_colour: str
    eyes: str
    brows: str
    mouth: str
    glasses: str  # "none" in 60 %
    beard: str  # "none" in 70 %
    clothes: str
    clothes_colour: str


@dataclass(frozen=True)
class Pose:
    """Place, size and proportions of a head: continuous and unnamed, uniform within the ranges in `sample_face`."""

    x: float  # the middle between the eyes
    y: float
    scale: float
    width: float  # half of the head's, at the ears
    chin: float  # below the eyes
    eye_distance: float  # of each eye from the middle
    mouth_width: float  # half of the mouth's
    parting: float  # −1 left … 1 right


def sample_face(seed: int, index: int) -> tuple[Attributes, Pose]:
    """Attributes and pose of image number `index` of a `seed`, without drawing it."""
    rng = random.Random(f"avatar {seed} {index}")  # seeded by the text's sha512: no two pairs share a generator

    def one_of(values: Iterable[str]) -> str:
        values = list(values)
        return values[int(rng.random() * len(values))]  # of all methods, only random() is promised to stay the same

    def between(low: float, high: float) -> float:
        return low + (high - low) * rng.random()

    with_glasses, with_beard = rng.random() < GLASSES_SHARE, rng.random() < BEARD_SHARE
    attributes = Attributes(
        background=one_of(BACKGROUNDS),
        skin=one_of(SKINS),
        hair=one_of(HAIRS),
        hair_colour=one_of(HAIR_COLORS),
        eyes=one_of(EYES),
        brows=one_of(BROWS),
        mouth=one_of(MOUTHS),
        glasses=one_of(GLASSES) if with_glasses else "none",
        beard=one_of(BEARDS) if with_beard else "none",
        clothes=one_of(CLOTHES),
        clothes_colour=one_of(CLOTHES_COLORS),
    )
    pose = Pose(
        x=between(30.5, 33.5),
        y=between(32.0, 34.0),
        scale=between(1.06, 1.14),
        width=between(14.2, 16.0),
        chin=between(16.5, 18.5),
        eye_distance=between(6.2, 7.0),
        mouth_width=between(4.6, 5.8),
        parting=between(-1, 1),
    )
    return attributes, pose


def attributes(split: str) -> list[Attributes]:
    """Attributes of all images of a split ("train" or "test") of the data set `avatars`, in their order.

    Nothing is drawn. Raises ValueError for another split.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is not allowed; choose {' or '.join(SPLITS)}.")
    seed, count = SPLITS[split]
    return [sample_face(seed, index)[0] for index in range(count)]
