"""Playing the game in tests: games begun, played on and finished."""

import io
from dataclasses import replace

from PIL import Image

from gan_hub.demo.tabs.game import rounds
from gan_hub.demo.tabs.game.rounds import Game
from gan_hub.images import grid
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.manifest import Manifest

PLAYED = [
    ("dcgan-mnist", "real"),
    ("dcgan-mnist", "preferred"),
    ("dcgan-mnist", "later"),
    ("progan-fashion-mnist", "better"),
]


def begun(model: str, kind: str = "real", level: str = "normal") -> Game:
    return rounds.begin(model, kind, level)


def play(game: Game, side: str = "left") -> Game:
    """One round, up to the next pair or the sheet."""
    rounds.pick(game.token, side)
    rounds.go_on(game.token)
    rounds.supply(game.token)
    return rounds.GAMES.find(game.token)


def finished(model: str, kind: str = "real", always_right: bool = False) -> Game:
    game = begun(model, kind, "easy")
    while game.pair is not None:
        right = "left" if game.pair.answer_is_left else "right"
        game = play(game, right if always_right else "left")
    return game


def with_answers(game: Game, answer: Image.Image, other: Image.Image) -> Game:
    """The game with other pictures in all of its rounds."""
    made = []
    for played in game.rounds:
        halves = [answer, other] if played.pair.answer_is_left else [other, answer]
        buffer = io.BytesIO()
        grid(halves, 2, padding=0).save(buffer, "PNG")
        made.append(replace(played, pair=replace(played.pair, picture=buffer.getvalue())))
    return replace(game, rounds=tuple(made))


def known_pictures(folder) -> dict[bytes, int]:
    """The class of each real picture of a tiny model, by its pixels."""
    samples = real_samples.read(folder, Manifest.if_any(folder), 28, 1, 3)
    return {image.tobytes(): label for image, label in zip(samples.images, samples.labels)}
