"""Draws docs/zoo.png, a row of eight samples of each bundled model: `python benchmarks/zoo_strip.py`.

Nothing is picked: seeds 0 to 7; of a model with classes, classes 0 to 7; of one that draws from maps, the maps of seeds 0 to
3, each left of its image. Small images are enlarged by whole pixels.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from gan_hub.hub.zoo import list_models
from gan_hub.images import save_png
from gan_hub.model_folder.segmentations import colorize
from gan_hub.pipeline import GANPipeline

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "zoo.png"
TILE, GAP, COUNT = 64, 4, 8  # pixels; pixels; tiles in a row
NAME_WIDTH, FONT_SIZE = 176, 15  # pixels
ROW = TILE + GAP


def row(pipe: GANPipeline) -> list[Image.Image]:
    """The eight pictures of one model, in their own size."""
    if pipe.segmentations is not None:
        out = pipe(seeds=range(COUNT // 2))
        return [picture for pair in zip(colorize(out.segmentations), out.images) for picture in pair]
    labels = [seed % len(pipe.label_names) for seed in range(COUNT)] if pipe.label_names else None
    return pipe(seeds=range(COUNT), labels=labels).images


def tile(image: Image.Image) -> Image.Image:
    """The picture in the middle of a white square, enlarged by as many whole pixels as fit."""
    scale = max(1, TILE // max(image.size))
    large = image.convert("RGB").resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    square = Image.new("RGB", (TILE, TILE), "white")
    square.paste(large, ((TILE - large.width) // 2, (TILE - large.height) // 2))
    return square


def strip(pictures: dict[str, list[Image.Image]]) -> Image.Image:
    """All rows, each after its model's name."""
    sheet = Image.new("RGB", (NAME_WIDTH + COUNT * ROW, len(pictures) * ROW), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    for place, (name, images) in enumerate(pictures.items()):
        pen.text((GAP, place * ROW + TILE // 2), name, "black", font, anchor="lm")
        for column, image in enumerate(images):
            sheet.paste(tile(image), (NAME_WIDTH + column * ROW, place * ROW))
    return sheet


def main() -> None:
    names = [model.name for model in list_models()]
    save_png(strip({name: row(GANPipeline.from_pretrained(name)) for name in names}), PICTURE, models=", ".join(names))
    print(f"{PICTURE.name}: {len(names)} models")


if __name__ == "__main__":
    main()
