#!/usr/bin/env python
"""A model of the SPADE recipe on maps that nobody photographed: `made_facades.py runs/spade-facades/export grid.png`.

Draws houses as maps of the CMP facades' classes, by a few random numbers each, and the model's image right of each map;
then turns one window of each into wall, and prints how much more that window's pixels change than those far from it; and
how much farther another z moves the walls' colour than another map does. The data set's own maps are for research only, so
that these stand in the documents.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from gan_hub import GANPipeline
from gan_hub.images import grid
from gan_hub.model_folder.files import MANIFEST_NAME, SEGMENTATIONS_NAME
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.segmentations import colorize, write

BACKGROUND, FACADE, WINDOW, DOOR, CORNICE, SILL, BALCONY, BLIND, DECO, MOLDING, PILLAR, SHOP = range(12)
SIDE, HOUSES, COLUMNS = 64, 30, 10


def house(rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """A map uint8 (64, 64) and one of its windows: top, bottom, left, right."""
    drawn = np.full((SIDE, SIDE), BACKGROUND, np.uint8)
    top, left, right = rng.integers(4, 16), rng.integers(0, 8), rng.integers(56, 65)
    drawn[top:, left:right] = FACADE
    drawn[top : top + 2, left:right] = CORNICE
    floors, windows = rng.integers(3, 6), rng.integers(3, 6)
    height, width = (62 - top) // floors, (right - left) // windows
    balcony, shop, spots = rng.integers(0, floors), rng.random() < 0.6, []
    for floor in range(floors):
        ground = floor == floors - 1
        for column in range(windows):
            y, x = top + 4 + floor * height, left + 2 + column * width
            bottom, end = y + height - 5, x + max(3, width - 5)
            kind = SHOP if ground and shop else DOOR if ground and column == windows // 2 else WINDOW
            drawn[y : bottom + 4 * ground, x:end] = kind
            if kind == WINDOW:
                drawn[bottom : bottom + 1, x:end] = SILL
                drawn[y - 1, x:end] = DECO
                spots.append((y, bottom, x, end))
        if floor == balcony and not ground:
            drawn[bottom - 1 : bottom + 1, left + 1 : right - 1] = BALCONY
        drawn[top + 3 + (floor + 1) * height - 3, left:right] = MOLDING
    return drawn, spots[rng.integers(len(spots))]


def locality(pipe: GANPipeline, drawn: np.ndarray, spots: list[tuple[int, int, int, int]]) -> float:
    """How much more a window's pixels change, when it becomes wall, than those at least a quarter of the picture away."""
    walled = drawn.copy()
    near, far = np.zeros(drawn.shape, bool), np.ones(drawn.shape, bool)
    for number, (top, bottom, left, right) in enumerate(spots):
        walled[number, top : bottom + 1, left:right] = FACADE
        near[number, top:bottom, left:right] = True
        far[number, max(0, top - 16) : bottom + 16, max(0, left - 16) : right + 16] = False
    seeds = range(len(drawn))
    before, after = (pipe(seeds=seeds, segmentation=each, output_type="pt").images for each in (drawn, walled))
    change = (before - after).abs().mean(1)  # (N, H, W)
    return (change[torch.from_numpy(near)].mean() / change[torch.from_numpy(far)].mean()).item()


def walls(pipe: GANPipeline, drawn: np.ndarray) -> torch.Tensor:
    """The mean colour (N, 3) of each house's wall, house n drawn with seed n."""
    images = pipe(seeds=range(len(drawn)), segmentation=drawn, output_type="pt").images
    wall = torch.from_numpy(drawn == FACADE)[:, None]  # (N, 1, H, W)
    return (images * wall).sum((2, 3)) / wall.sum((2, 3))


def style_kept(pipe: GANPipeline, drawn: np.ndarray) -> float:
    """How far apart the walls' colours of two z on one map lie, against those of one z on two maps."""
    here, there = walls(pipe, drawn), walls(pipe, np.roll(drawn, 1, 0))
    other_map = (here - there).norm(dim=1).mean()  # row n of both is of one z
    other_z = (here[:-1] - there[1:]).norm(dim=1).mean()  # row n and row n + 1 are of one map
    return (other_z / other_map).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("picture", nargs="?")
    parser.add_argument("--maps", type=Path, metavar="FOLDER", help="draw the maps into this folder, without any model")
    given = parser.parse_args()
    if (given.picture is None) == (given.maps is None):
        parser.error("either MODEL and PICTURE are given, or --maps FOLDER.")
    rng = np.random.default_rng(0)
    drawn, spots = zip(*(house(rng) for _ in range(HOUSES)))
    drawn = np.stack(drawn)
    if given.maps:
        if (given.maps / MANIFEST_NAME).exists():
            parser.error(f"--maps {given.maps} already has a {MANIFEST_NAME}, which would forget its other files.")
        given.maps.mkdir(parents=True, exist_ok=True)
        write(given.maps, torch.from_numpy(drawn))
        Manifest.write(given.maps, [SEGMENTATIONS_NAME])
        return
    pipe = GANPipeline.from_pretrained(given.model)
    out = pipe(seeds=range(HOUSES), segmentation=drawn)
    pairs = zip(colorize(out.segmentations), out.images)
    grid([picture for pair in pairs for picture in pair], COLUMNS).save(given.picture)
    print(
        f"a window that becomes wall changes {locality(pipe, drawn, list(spots)):.0f} times as much as what is far from it"
    )

    print(f"another z moves the walls' mean colour {style_kept(pipe, drawn):.1f} times as far as another map")


if __name__ == "__main__":
    main()
