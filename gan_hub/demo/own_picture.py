"""Pictures of visitors: the browser reads the file, crops it and sends some pixels; no file is ever stored on the server.

What arrives is a small data URI in a form. It is checked before it is decoded, and only its pixels are kept.
"""

import base64
import binascii
import io
from typing import Any

import gradio as gr
from PIL import Image

from gan_hub.demo import texts
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.texts import translate

MAX_CHARACTERS = 90_000  # of a data URI: a request of the page has 100,000 bytes
MAX_SIDE = 256  # pixels
KINDS = {"data:image/png;base64,": "PNG", "data:image/jpeg;base64,": "JPEG"}
WORDS = ("choose", "drop", "zoom", "move", "unreadable")

texts.add(
    {
        "en": {
            "own_choose": "Choose a picture",
            "own_drop": "or drop one here. It stays in your browser: only the cut-out, {width} × {height} pixels, is sent, and "
            "nothing is kept.",
            "own_zoom": "Zoom",
            "own_move": "The cut-out. Drag it, or move it with the arrow keys; + and − zoom.",
            "own_unreadable": "Your browser cannot read this file as a picture; PNG, JPEG and WebP work everywhere.",
            "no_picture": "Choose a picture first.",
            "bad_picture": "A picture is PNG or JPEG in a data URI of at most {characters} characters, with at most {side} × "
            "{side} pixels, as this page sends it.",
        },
        "pt": {
            "own_choose": "Escolher uma imagem",
            "own_drop": "ou solte uma aqui. Ela fica no seu navegador: só o recorte, de {width} × {height} pixels, é enviado, e "
            "nada é guardado.",
            "own_zoom": "Zoom",
            "own_move": "O recorte. Arraste-o ou mova-o com as setas; + e − mudam o zoom.",
            "own_unreadable": "Seu navegador não consegue ler este arquivo como imagem; PNG, JPEG e WebP funcionam em todos.",
            "no_picture": "Escolha antes uma imagem.",
            "bad_picture": "Uma imagem é PNG ou JPEG num data URI de até {characters} caracteres, com até {side} × {side} "
            "pixels, como esta página a envia.",
        },
    }
)

Chosen = dict[str, Any]  # the widget: its picture as a data URI, empty at first, the size to send, and its words


def own_picture(elem_id: str) -> gr.HTML:
    """The widget in which a visitor chooses and crops a picture; its value is for `read_picture`."""
    return gr.HTML(
        {"picture": ""},
        html_template='<div class="own-picture"></div>',
        js_on_load="ganHub.ownPicture(element, props, trigger, watch);  // calls 'input'",
        elem_id=elem_id,
    )


def widget(size: tuple[int, int], request: gr.Request | None) -> Chosen:
    """The empty widget for pictures of a size.

    Args:
        size: (H, W) that the model or the handler works with; more than MAX_SIDE pixels are not sent.
        request: has the visitor's language.

    Returns:
        The widget's value.
    """
    scale = min(1.0, MAX_SIDE / max(size))
    height, width = (max(1, round(side * scale)) for side in size)
    words = {word: translate(request, f"own_{word}", width=width, height=height) for word in WORDS}
    return {"picture": "", "width": width, "height": height, "words": words}


def read_picture(chosen: object) -> Image.Image:
    """The picture in a widget, of mode RGB, with nothing but its pixels.

    Raises BadInputError where there is none, and for anything but a PNG or JPEG of at most MAX_SIDE pixels a side.
    """
    uri = chosen.get("picture") if isinstance(chosen, dict) else None
    if not uri:
        raise BadInputError("no_picture")
    head = next((head for head in KINDS if isinstance(uri, str) and uri.startswith(head)), None)
    if head is None or len(uri) > MAX_CHARACTERS:
        raise BadInputError("bad_picture", characters=MAX_CHARACTERS, side=MAX_SIDE)
    try:
        content = base64.b64decode(uri[len(head) :], validate=True)
        with Image.open(io.BytesIO(content), formats=[KINDS[head]]) as image:
            if max(image.size) > MAX_SIDE:  # before it is decoded
                raise BadInputError("bad_picture", characters=MAX_CHARACTERS, side=MAX_SIDE)
            pixels = image.convert("RGB")
    except (
        binascii.Error,
        OSError,
        ValueError,
        SyntaxError,
    ) as error:  # Pillow raises SyntaxError for some broken PNGs
        if isinstance(error, BadInputError):
            raise
        raise BadInputError("bad_picture", characters=MAX_CHARACTERS, side=MAX_SIDE) from error
    return Image.frombytes("RGB", pixels.size, pixels.tobytes())
