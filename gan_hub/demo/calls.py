"""The page's calls by name, for programs: `gradio_client`, any HTTP client, and tools of language models."""

import zipfile
from collections.abc import Callable
from typing import Any, TypedDict, get_type_hints

import gradio as gr
from gradio.context import get_blocks_context
from gradio.events import api
from gradio.utils import get_function_description

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.components import LONG_QUEUE, MODEL_QUEUE
from gan_hub.demo.inputs import NONE, OWN, with_error_toast
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.arithmetic.links import FIRST_LAYERS, PAPERS_RADIUS
from gan_hub.demo.tabs.explore import handlers as explore
from gan_hub.demo.tabs.game import handlers as game
from gan_hub.demo.tabs.game import markup, rounds
from gan_hub.demo.tabs.interpolate import handlers as interpolate
from gan_hub.demo.tabs.paint import handlers as paint
from gan_hub.demo.tabs.sample import handlers as sample
from gan_hub.demo.tabs.watch import handlers as watch
from gan_hub.demo.tabs.yours import handlers as yours


class FileMeta(TypedDict):
    """Marks a file for the clients, which download it."""

    _type: str


class File(TypedDict):
    """A file of the answer."""

    path: str
    meta: FileMeta


class Picture(TypedDict):
    """A picture as a PNG file, and what it is."""

    image: File
    caption: str


class Pictures(TypedDict):
    """Drawn pictures, a zip of them, what they are in a sentence, and the parameters of a link to them."""

    pictures: list[Picture]
    archive: File
    sentence: str
    link: str


class Point(TypedDict):
    """The picture at a place of a plane as a PNG file, where it is, and the parameters of a link to it."""

    picture: File
    sentence: str
    link: str


class Film(TypedDict):
    """A walk as an animation and as one PNG of its frames, a sentence, and the parameters of a link."""

    animation: File
    frames: File
    sentence: str
    link: str


class Sum(TypedDict):
    """The picture of A − B + C, and the 3 × 3 grid with it in the middle, as PNG files."""

    result: File
    neighbours: File


class Round(TypedDict):
    """A round of the game: the token to go on with, which round it is, what is asked, and both pictures side by side as a PNG."""

    game: str
    round: int
    rounds: int
    question: str
    pair: File


class Verdict(TypedDict):
    """Whether a pick was right, the right side, why in a sentence, and the score so far.

    `discriminator` is the side that the discriminator took for real, "" where it does not play.
    """

    right: bool
    answer: str
    discriminator: str
    sentence: str
    score: int
    discriminator_score: int
    rounds_played: int


class Training(TypedDict):
    """The time-lapse of a training as all of its frames below each other, and what the log says.

    `images` are the images seen at each frame, [] where nothing says so; `exact` is false where they are an estimate.
    """

    frames: File
    images: list[int]
    exact: bool
    alarms: list[str]


class Mixed(TypedDict):
    """Pictures of A in the styles of B as one PNG."""

    table: File


def _file(path: str) -> File:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def sample_call(
    model: str,
    seeds: str = sample.FIRST_SEEDS,
    label: str = OWN,
    truncation: float = sample.FIRST_TRUNCATION,
    concept: str = NONE,
    strength: float = 1.0,
    concepts: str = "",
    request: gr.Request | None = None,
) -> Pictures:
    """Draw one picture a seed. The same seed gives the same picture, in any selection and on any day.

    Args:
        model: a model of this page, for example dcgan-fashion-mnist
        seeds: whole numbers and ranges, for example "0-15" or "3, 14, 15"; at most 64
        label: the name of a class, or "own" for each seed's own
        truncation: 1 for full variety, less for more typical pictures, 0 for the average
        concept: a concept of the model that all pictures are moved along, or "none"
        strength: how far, from -2 to 2; below 0 to its opposite
        concepts: several concepts in its place, "brightness=1.5,ginger=-0.5"
        request: has the visitor's language

    Returns:
        the pictures (PNG, original size), a zip of everything, a sentence, the parameters of a link to it
    """
    one = sample.one_concept(model, concept, strength, request)
    items, link, _, sentence = sample.sample(model, seeds, label, truncation, one or concepts, request)
    folder, pictures = image_files.new_folder(), []
    for place, item in enumerate(items):
        path = folder / f"{place:02d}-{item['file']}.png"
        path.write_bytes(image_files.png_bytes(item["src"]))
        pictures.append({"image": _file(str(path)), "caption": item["caption"]})
    archive = folder / f"{image_files.file_name(model)}.zip"
    with zipfile.ZipFile(archive, "w") as file:  # stored, not deflated: PNG is compressed already
        for path in sorted(folder.glob("*.png")):
            file.write(path, path.name)
    return {"pictures": pictures, "archive": _file(str(archive)), "sentence": sentence, "link": link}


def explore_call(
    model: str,
    corners: str = explore.FIRST_CORNERS,
    x: float = explore.FIRST_PLACE,
    y: float = explore.FIRST_PLACE,
    axes: str = explore.SEEDS_AXES,
    label: str = OWN,
    request: gr.Request | None = None,
) -> Point:
    """Draw the picture at a place of a plane between three pictures, or along two concepts.

    Args:
        model: a model of this page
        corners: three seeds: top left, top right, bottom left; with two concepts, the first is in the middle
        x: from 0, left, to 1, right
        y: from 0, top, to 1, bottom
        axes: "seeds" for the plane between the three, or two concepts such as "brightness,ginger"
        label: the name of a class, or "own" for that of the first seed
        request: has the visitor's language

    Returns:
        the picture (PNG, original size), a sentence, the parameters of a link to it
    """
    item, link, sentence = explore.picture_at(model, corners, axes, label, x, y, request)
    path = image_files.new_folder() / f"{item['file']}.png"
    path.write_bytes(image_files.png_bytes(item["src"]))
    return {"picture": _file(str(path)), "sentence": sentence, "link": link}


def interpolate_call(
    model: str,
    seeds: str = interpolate.FIRST_SEEDS,
    mode: str = "slerp",
    frames: int = interpolate.FIRST_FRAMES,
    label: str = OWN,
    loop: bool = True,
    easing: str = "linear",
    conditions: str = interpolate.KEEP,
    file_format: str = "webp",
    request: gr.Request | None = None,
) -> Film:
    """Walk through latent space from seed to seed.

    Args:
        model: a model of this page
        seeds: two to sixteen seeds, for example "3, 14, 15"
        mode: "slerp" (an arc, at the usual distance from the centre), "lerp" (a straight line), or "w" (a straight line behind
            the mapping network of a style-based model)
        frames: how many pictures, 2 to 120
        label: the name of a class, or "own" for that of the first seed or, blended, of each seed
        loop: whether the walk returns to the first seed
        easing: "linear", or "smooth", which slows down at each seed
        conditions: "keep" the first seed's class or map, or "blend" those of all seeds
        file_format: "webp" (lossless), "gif", or "mp4" where the server has an encoder
        request: has the visitor's language

    Returns:
        an animation, its frames as one PNG, a sentence, the parameters of a link to it
    """
    film, strip, link, sentence = interpolate.walk(
        model, seeds, mode, frames, label, loop, easing, conditions, file_format, request
    )
    return {"animation": _file(film), "frames": _file(strip), "sentence": sentence, "link": link}


def arithmetic_call(
    model: str,
    a: str,
    b: str,
    c: str,
    exemplar_label: str = OWN,
    label: str = OWN,
    radius: float = PAPERS_RADIUS,
    request: gr.Request | None = None,
) -> Sum:
    """Calculate mean(A) − mean(B) + mean(C) in latent space and draw the result among eight neighbours.

    Args:
        model: a model of this page
        a: seeds of group A, for example "0-2"
        b: seeds of group B
        c: seeds of group C
        exemplar_label: the class the exemplars are drawn in, or "own" for each seed's own
        label: the class of the result, or "own" for that of the first exemplar of A
        radius: how far each coordinate of the neighbours is moved at most, from 0 to 3
        request: has the visitor's language

    Returns:
        the result, and the 3 × 3 grid with the result in its middle
    """
    _, result, neighbours = arithmetic.calculate(model, a, b, c, exemplar_label, label, radius, request)
    return {"result": _file(str(result)), "neighbours": _file(str(neighbours))}


class Painting(TypedDict):
    """A picture drawn from a map, the map as text, a sentence, and the parameters of a link."""

    image: File
    map: str
    sentence: str
    link: str


def paint_call(model: str, map: str = "", seed: str = paint.FIRST_SEED, request: gr.Request | None = None) -> Painting:
    """Draw a map of classes by a model that draws from maps.

    Args:
        model: a model of this page that draws from maps, for example spade-facades
        map: its lines from top to bottom, with a full stop between them; a line is its runs from left to right, such as
            "0x5_1x54_0" (five pixels of class 0, 54 of class 1, class 0 up to the end), and "~8" after it repeats it
            eight times; empty for the seed's own map
        seed: a whole number, of the picture's light and colours
        request: has the visitor's language

    Returns:
        the picture (PNG, original size), the map, a sentence, the parameters of a link to it
    """
    path, text, link, sentence = paint.paint_file(model, map, seed, request)
    return {"image": _file(path), "map": text, "sentence": sentence, "link": link}


class FoundPicture(TypedDict):
    """The nearest picture that a model can draw, its latent, and how near it is."""

    image: File
    space: str
    latents: list[float]
    label: str | None
    levels: float
    perceptual: float


def invert_call(model: str, picture: str, request: gr.Request | None = None) -> FoundPicture:
    """Find the latent whose picture comes nearest to a picture; this takes some seconds.

    Args:
        model: a model of this page that does not draw from maps
        picture: PNG or JPEG in a data URI of at most 90,000 characters, at most 256 × 256 pixels
        request: has the visitor's language

    Returns:
        the picture found (PNG, original size), its latent in the space "z", or the numbers of all layers one after the other in
            "w", the name of its class, and its distance: the mean difference of the pixels in levels of 255, and a
            perceptual one
    """
    path, result, label = yours.find_file(model, picture)
    numbers = [float(number) for number in result.latents.flatten()]
    return {
        "image": _file(path),
        "space": result.space,
        "latents": numbers,
        "label": label,
        "levels": result.levels,
        "perceptual": result.perceptual,
    }


LONG_CALLS = {"invert"}  # wait in the line of long work


def game_round_call(
    model: str,
    kind: str = "real",
    difficulty: str = game.FIRST_LEVEL,
    day: str = "",
    game_token: str = "",
    request: gr.Request | None = None,
) -> Round:
    """Begin a game of ten rounds, or deal the next pair of one; game_pick answers it.

    Args:
        model: a model of this page
        kind: "real" (which picture is real?), "preferred" (which does the discriminator take for more real?), "later" (which
            was drawn later in training?) or "better" (which network has the better score?); not every model has each
        difficulty: "easy", "normal" or "hard"
        day: a day such as 2026-11-29 for its ten pairs, which are the same for everyone; "" for pairs of one's own
        game_token: of the game to go on with, as the answer of the first call has it; "" begins a new one
        request: has the visitor's language

    Returns:
        the token, the number of the round and of all rounds, the question, and the pair

    Raises:
        BadInputError: all ten rounds are played, the one before is open, or there is no such game, kind, difficulty or day
    """
    if game_token:
        rounds.go_on(game_token)
        dealt = rounds.supply(game_token)
    else:
        dealt = rounds.begin(model, *game.checked(model, kind, difficulty, day))
    if dealt.pair is None:
        raise inputs.BadInputError("game_over")
    path = image_files.new_folder() / "pair.png"
    path.write_bytes(dealt.pair.picture)
    return {
        "game": dealt.token,
        "round": len(dealt.rounds) + 1,
        "rounds": rounds.ROUNDS,
        "question": markup.question(dealt, request),
        "pair": _file(str(path)),
    }


def game_pick_call(game_token: str, side: str, request: gr.Request | None = None) -> Verdict:
    """Answer the round of a game that is open.

    Args:
        game_token: as game_round returned it
        side: "left" or "right"
        request: has the visitor's language

    Returns:
        whether that was right, the right side, the side that the discriminator took for real, a sentence, and the score
    """
    decided = rounds.pick(game_token, side)
    played = decided.rounds[-1]
    probability = played.pair.left_probability
    return {
        "right": played.is_right,
        "answer": rounds.SIDES[0 if played.pair.answer_is_left else 1],
        "discriminator": "" if probability is None else rounds.SIDES[0 if probability > 0.5 else 1],
        "sentence": markup.truth(decided, request),
        "score": sum(each.is_right for each in decided.rounds),
        "discriminator_score": sum(bool(each.judge_is_right) for each in decided.rounds),
        "rounds_played": len(decided.rounds),
    }


def training_call(model: str, request: gr.Request | None = None) -> Training:
    """Look at the training of a model: always the same latents, drawn again and again while it learnt.

    Args:
        model: a model of this page
        request: has the visitor's language

    Returns:
        the frames as one lossless WebP, the images seen at each, whether these are exact, and the monitors' alarms
    """
    _, film, _ = watch.draw(model, "", request)
    lapse, log = watch.read_training(models.load(model))
    return {
        "frames": _file(film),
        "images": list(lapse.images or ()),
        "exact": lapse.is_exact,
        "alarms": [line["alarm"] for line in log if "alarm" in line],
    }


def mix_styles_call(
    model: str,
    a: str,
    b: str,
    layers: str = FIRST_LAYERS,
    exemplar_label: str = OWN,
    request: gr.Request | None = None,
) -> Mixed:
    """Draw each picture of A with some layers' styles from each picture of B, for models that have styles.

    Args:
        model: a style-based model of this page
        a: seeds of the pictures that keep the other layers, for example "0-2"; the first six are drawn
        b: seeds of the pictures that give their styles
        layers: which, of "coarse", "middle" and "fine", for example "middle,fine"
        exemplar_label: the class of the pictures, or "own" for each seed's own
        request: has the visitor's language

    Returns:
        a table with B along the top and A down the side
    """
    _, table = arithmetic.mix(model, a, b, layers, exemplar_label, request)
    return {"table": _file(table)}


def publish(name: str, call: Callable[..., Any]) -> None:
    """Offer a call by name on the page that is being composed, described by its docstring.

    Args:
        name: of the call.
        call: a typed function with a section on its arguments and one on what it returns.
    """
    line = LONG_QUEUE if name in LONG_CALLS else MODEL_QUEUE
    event, page = api(with_error_toast(call), api_name=name, **line), get_blocks_context()
    assert page is not None
    inputs, outputs = page.fns[event["id"]].inputs, page.fns[event["id"]].outputs
    _, parameters, returned = get_function_description(call)
    named = [parameter for parameter in get_type_hints(call) if parameter not in ("request", "return")]
    for component, parameter in zip(inputs, named, strict=True):
        # Not the parameter's name alone: Gradio's front end translates each label that is a word of its own, such as "label".
        _describe(component, f"{name}.{parameter}", additional_description=parameters[parameter])
    _describe(outputs[0], ", ".join(get_type_hints(get_type_hints(call)["return"])), description=" ".join(returned))


def _describe(component: Any, label: str, **texts: str) -> None:
    """Give a nameless component of a call a name and a description, where Gradio looks for them."""
    component.label = label
    component._api_info = {**component._api_info, **texts}


CALLS: dict[str, Callable[..., Any]] = {
    "sample": sample_call,
    "explore": explore_call,
    "interpolate": interpolate_call,
    "arithmetic": arithmetic_call,
    "paint": paint_call,
    "invert": invert_call,
    "game_round": game_round_call,
    "game_pick": game_pick_call,
    "training": training_call,
    "mix_styles": mix_styles_call,
}
