"""Pictures for the page: files to download in Gradio's cache, and small pictures inside the HTML itself."""

import base64
import html
import io
import os
import re
import secrets
import tempfile
from pathlib import Path

from PIL import Image

from gan_hub.images import save_png


def cache_folder() -> Path:
    """Gradio's cache, whose files are served in place and deleted by age (`delete_cache`)."""
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio")


def new_folder() -> Path:
    """A new folder in Gradio's cache."""
    folder = cache_folder() / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder


def file_name(*parts: object) -> str:
    """The parts joined by dashes; whatever is neither letter, digit nor dot becomes a dash."""
    return "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", str(part)).strip("-.") for part in parts)


def enlarge(image: Image.Image, at_least: int) -> Image.Image:
    """The image enlarged by a whole factor, without smoothing, until its longer side has `at_least` pixels."""
    scale = max(1, -(-at_least // max(image.size)))
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def data_uri(image: Image.Image) -> str:
    """The image as a PNG in a data URI: no file, no name, nothing beside the pixels."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def png_uri(image: Image.Image, **fields: object) -> str:
    """The image as a PNG in a data URI, with text fields that say how it was made; fields of None are left out."""
    buffer = io.BytesIO()
    save_png(image, buffer, **fields)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def png_bytes(uri: str) -> bytes:
    """The file that `png_uri` put into a data URI."""
    return base64.b64decode(uri.partition(",")[2])


def img_tag(image: Image.Image, alt: str, css_class: str = "") -> str:
    """An <img> that carries the picture itself; the style sheet enlarges it without smoothing.

    Args:
        image: the picture.
        alt: what it shows, as plain text; escaped here.
        css_class: a class beside "px", for the style sheet.

    Returns:
        HTML.
    """
    return f'<img class="px {css_class}" alt="{html.escape(alt, quote=True)}" src="{data_uri(image)}">'
