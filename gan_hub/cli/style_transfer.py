"""`gan-hub style-transfer`: one picture's content in the style of another (Gatys et al. 2016)."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gan_hub.atomic import atomic_file
from gan_hub.cli.arguments import Commands, Parser, add_command, png_file

if TYPE_CHECKING:
    from PIL import Image

    from gan_hub.style_transfer import Losses

EXAMPLES = [
    "gan-hub style-transfer photo.jpg painting.jpg out.png --features timm/vgg19.tv_in1k",
    "gan-hub style-transfer photo.jpg painting.jpg out.png --steps 200 --size 128",
]
# Options of the function of the same name; their defaults stand there, and only what is given is passed on.
OPTIONS = {
    "features": (
        str,
        "squeezenet, fashion or digits, which are bundled; a .safetensors file; or a Hub id (squeezenet)",
    ),
    "steps": (int, "evaluations of losses and gradient (300)"),
    "content_weight": (float, "(1)"),
    "style_weight": (float, "(100)"),
    "variation_weight": (float, "(1)"),
    "size": (int, "pixels of the longer side (256)"),
    "seed": (int, "of the noise (0)"),
    "device": (str, "cpu, cuda or mps (cpu)"),
}
CHOICES = {"optimizer": ("lbfgs", "adam"), "start": ("content", "noise")}


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "one picture's content in the style of another (Gatys et al. 2016)"
    parser = add_command(commands, "style-transfer", summary, run, EXAMPLES)
    parser.add_argument("content", type=Path, metavar="CONTENT", help="the picture whose content is kept")
    parser.add_argument("style", type=Path, metavar="STYLE", help="the picture whose style is taken")
    parser.add_argument("out", type=png_file, metavar="OUT.png")
    for name, (kind, help_text) in OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=help_text, default=argparse.SUPPRESS)
    for name, choices in CHOICES.items():
        help_text = f"{' or '.join(choices)} ({choices[0]})"
        parser.add_argument(f"--{name}", choices=choices, help=help_text, default=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> None:
    """Paint the picture, with a line of progress ten times, and write it with how it was made."""
    from gan_hub.images import save_png
    from gan_hub.style_transfer import load_features, style_transfer

    settings = {name: value for name, value in vars(args).items() if name in OPTIONS or name in CHOICES}
    content, style = _open(args.content), _open(args.style)
    network = load_features(settings.pop("features", "squeezenet"))
    print(f"features: {network.name}, {network.note}", file=sys.stderr)
    every, begun = max(settings.get("steps", 300) // 10, 1), time.monotonic()

    def progress(step: int, losses: "Losses") -> None:
        if step % every == 0:
            terms = f"content {losses.content:.4f}, style {losses.style:.5f}, variation {losses.variation:.4f}"
            spent = time.monotonic() - begun
            print(f"step {step}: total {losses.total:.4g} ({terms}), {spent:.0f} s", file=sys.stderr)

    result = style_transfer(content, style, features=network, progress=progress, **settings)
    fields = {"features": result.features, "content": args.content.name, "style": args.style.name} | settings
    with atomic_file(args.out) as scratch:
        save_png(result.image, scratch, **fields)
    print(f"{args.out}: {result.image.width} × {result.image.height}, total loss {result.history[-1].total:.4g}")


def _open(path: Path) -> "Image.Image":
    """A picture, whole and in RGB; raises OSError or ValueError naming the file."""
    from PIL import Image

    from gan_hub.images import normalize_pil

    try:
        with Image.open(path) as image:
            return normalize_pil(image, 3)
    except (ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: {error}") from error
    except (OSError, SyntaxError) as error:  # SyntaxError is what Pillow raises for some damaged PNGs
        reason = getattr(error, "strerror", None) or "damaged, or of an unknown kind"
        raise OSError(f"{path}: not a picture that can be read ({reason}).") from error
