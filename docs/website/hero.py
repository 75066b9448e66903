"""Draws hero.png, the picture of the site's first page, from the samples in model_cards: `python docs/website/hero.py`.

A row is the first twelve images of a model's grid, not picked.
"""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
PICTURE = Path(__file__).with_name("hero.png")
ROWS = {
    "r3gan-cats-64": 64,
    "r3gan-avatars-64": 64,
    "dcgan-fashion-mnist": 56,
}  # model → pixels of an image in its grid
COLUMNS, IN_GRID, GAP, TILE = 12, 10, 2, 64


def tiles(model: str, side: int) -> list[Image.Image]:
    """The first images of a model's grid, all of one size."""
    grid = Image.open(ROOT / "model_cards" / model / "samples.png").convert("RGB")
    corners = [((side + GAP) * (n % IN_GRID), (side + GAP) * (n // IN_GRID)) for n in range(COLUMNS)]
    return [grid.crop((x, y, x + side, y + side)).resize((TILE, TILE)) for x, y in corners]


def hero() -> Image.Image:
    """The whole picture."""
    picture = Image.new("RGB", (COLUMNS * TILE, len(ROWS) * TILE))
    for row, (model, side) in enumerate(ROWS.items()):
        for column, tile in enumerate(tiles(model, side)):
            picture.paste(tile, (column * TILE, row * TILE))
    return picture


if __name__ == "__main__":
    hero().save(PICTURE, optimize=True)
