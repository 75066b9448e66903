"""A plane of pictures: a sheet that the browser moves over without asking, and the exact picture where a visitor stops.

The plane is spanned by three seeds, or around one seed by two concepts. A place is (x, y), each from 0 to 1, from the top left.
"""

import itertools
import secrets
from typing import Any, cast
from urllib.parse import urlencode

import gradio as gr
import torch
from PIL import Image

from gan_hub.demo import image_files, inputs, models, showcase
from gan_hub.demo.answers import remembered
from gan_hub.demo.components import MAX_STRENGTH, Update, class_update, kept_class
from gan_hub.demo.inputs import OWN
from gan_hub.demo.picker import webp
from gan_hub.demo.texts import t, translate
from gan_hub.images import grid, height_width
from gan_hub.latents import format_seeds
from gan_hub.pipeline import GANPipeline

LINK_KEYS = ("corners", "axes", "label", "x", "y")
FIRST_CORNERS, FIRST_PLACE = "2, 11, 8", 0.5
CORNERS = 3
SEEDS_AXES = "seeds"  # the plane between three pictures; other axes are two concepts, "brightness,ginger"
RANDOM_BELOW = 1_000_000
COARSE = 5  # pictures a side of the sheet that is there at once
FINE = ((32, 21), (64, 15), (10_000, 9))  # up to so many pixels a side → pictures a side of the sheet that follows
SHEET_QUALITY = 92  # of WebP: it is shown while a finger moves, and the exact pictures are PNG
MAX_PAIRS = 15  # of concepts that are offered

Points = list[tuple[float, float]]


# ------------------------------------------------------------------------------------------------- the plane


def weights(points: Points) -> torch.Tensor:
    """How much of each of three latents there is at places of the plane between them.

    The corners (0, 0), (1, 0) and (0, 1) are the latents themselves. Elsewhere a weighted sum of independent normal latents
    has a smaller or larger norm than they have; dividing by the norm of the weights gives it theirs.

    Args:
        points: N places.

    Returns:
        (N, 3), rows of norm 1.
    """
    x, y = torch.tensor(points, dtype=torch.float32).unbind(1)
    rows = torch.stack([1 - x - y, x, y], 1)
    return rows / rows.norm(dim=1, keepdim=True)


def strengths_at(axes: tuple[str, str], x: float, y: float) -> dict[str, float]:
    """The strengths of two concepts at a place of a plane.

    Args:
        axes: the concepts.
        x, y: the place: more of the first concept to the right, more of the second further up.

    Returns:
        The strengths by concept.
    """
    across, up = MAX_STRENGTH * (2 * x - 1), MAX_STRENGTH * (1 - 2 * y)
    return {axes[0]: round(across, 4), axes[1]: round(up, 4)}


class Plane:
    """A plane of a model's latents.

    Example:
        >>> from gan_hub.demo import models
        >>> from gan_hub.demo.tabs.explore.handlers import Plane
        >>> plane = Plane(models.load("dcgan-mnist"), [2, 11, 8], None, "7")
        >>> [image.size for image in plane.draw([(0.5, 0.5), (0.1, 0.9)])]
        [(28, 28), (28, 28)]
    """

    def __init__(self, pipe: GANPipeline, seeds: list[int], axes: tuple[str, str] | None, label: str | None) -> None:
        """Make the object.

        Args:
            pipe: draws it.
            seeds: of its three corners; with axes, the first is in the middle.
            axes: two concepts, or None.
            label: the class of all pictures; None for that of the first seed.
        """
        self.pipe, self.seeds, self.axes = pipe, seeds, axes
        self.corners = pipe.sample_latents(seeds)
        first = pipe(latents=self.corners[:1], labels=label)
        self.label = models.drawn_classes(pipe, first)[0]
        self.map = models.first_map(first)

    def draw(self, points: Points) -> list[Image.Image]:
        """The pictures at places."""
        if not points:
            return []
        if self.axes is None:
            z = weights(points) @ self.corners
            return models.pil_images(self.pipe(latents=z, labels=self.label, segmentation=self.map))
        return self._along_concepts(self.axes, points)

    def exact(self, x: float, y: float) -> Image.Image:
        """The picture at one place, as the pipeline draws it by itself."""
        if self.axes is None:
            return self.draw([(x, y)])[0]
        moved = strengths_at(self.axes, x, y)
        out = self.pipe(seeds=self.seeds[:1], labels=self.label, concepts=moved, segmentation=self.map)
        return models.pil_images(out)[0]

    def _along_concepts(self, axes: tuple[str, str], points: Points) -> list[Image.Image]:
        amounts = [strengths_at(axes, x, y) for x, y in points]
        shifts = {"z": torch.zeros(len(points), self.corners.shape[1]), "w": None}
        for name in axes:
            concept = self.pipe.concepts[name]
            moved = torch.tensor([each[name] for each in amounts])[:, None] * concept.direction
            shifts[concept.space] = moved if shifts[concept.space] is None else shifts[concept.space] + moved
        z = self.corners[:1] + shifts["z"]
        if shifts["w"] is None:
            return models.pil_images(self.pipe(latents=z, labels=self.label, segmentation=self.map))
        w = self.pipe.map(z, self.label) + shifts["w"][:, None]
        return cast("list[Image.Image]", self.pipe.synthesize(w))


def sheet_points(side: int) -> Points:
    """The places of a sheet with so many pictures a side, row by row, both ends included."""
    steps = [place / (side - 1) for place in range(side)]
    return [(x, y) for y in steps for x in steps]


def fine_side(pipe: GANPipeline) -> int:
    """Pictures a side of a model's fine sheet: fewer of larger ones."""
    longest = max(height_width(pipe.unwrapped_generator.config["resolution"]))
    return next(side for most, side in FINE if longest <= most)


# --------------------------------------------------------------------------------------------- what is asked


def _plane(model: str, corners: object, axes: object, label: object) -> tuple[Plane, str | None]:
    """The plane that a form describes, and the class that was asked for."""
    pipe = models.load(model)
    with inputs.of("explore-corners"):
        seeds = inputs.seeds(corners, CORNERS, CORNERS)
    name = inputs.class_name(label, pipe.label_names)
    return Plane(pipe, seeds, _axes(axes, list(pipe.concepts)), name), name


def _axes(value: object, names: list[str]) -> tuple[str, str] | None:
    if value in (None, "", SEEDS_AXES):
        return None
    pair = value.split(",") if isinstance(value, str) else []
    if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(names):
        raise inputs.BadInputError("bad_concept", allowed=", ".join(names) or "–")
    return pair[0], pair[1]


def _sheet(model: str, plane: Plane, side: int, request: gr.Request | None) -> dict[str, Any]:
    """What the browser moves over: the sheet, its corners, and what lies at its ends."""
    images = plane.draw(sheet_points(side))
    corners = zip(plane.seeds, (images[0], images[side - 1], images[-side]), strict=True) if plane.axes is None else ()
    ends = [list(showcase.concept_ends(axis, request)) for axis in plane.axes or ()]
    return {
        "model": model,
        "src": webp(grid([image.convert("RGB") for image in images], side, padding=0), SHEET_QUALITY),
        "side": side,
        "is_fine": side >= fine_side(plane.pipe),
        "corners": [{"seed": seed, "src": image_files.data_uri(image)} for seed, image in corners],
        "ends": ends,
    }


def _exact(
    model: str, plane: Plane, name: str | None, x: float, y: float, request: gr.Request | None
) -> tuple[dict[str, Any], str, str]:
    """The picture at a place for the browser, the link to it, and a sentence."""
    x, y = round(x, 3), round(y, 3)
    moved = inputs.written_strengths(strengths_at(plane.axes, x, y)) if plane.axes else None
    fields = {"corners": format_seeds(plane.seeds), "x": x, "y": y, "label": plane.label, "concepts": moved}
    uri = image_files.png_uri(plane.exact(x, y), **models.recipe(model, **fields))
    caption = translate(request, "explore_place", across=round(100 * x), down=round(100 * y))
    values = {"tab": "explore", "model": model, "corners": ",".join(map(str, plane.seeds))}
    values |= {"axes": ",".join(plane.axes)} if plane.axes else {}
    values |= {"label": name} if name else {}
    link = "?" + urlencode(values | {"x": f"{x:g}", "y": f"{y:g}"}, safe=",")
    file = image_files.file_name(model, "plane", *plane.seeds, f"{x:g}", f"{y:g}")
    item = {"src": uri, "alt": caption, "caption": caption, "file": file, "model": model, "link": link, "x": x, "y": y}
    return item, link, caption


def exact(
    model: str,
    corners: str,
    axes: str,
    label: str,
    event: gr.EventData,
    request: gr.Request | None = None,
) -> tuple[dict[str, Any], float, float, str, str]:
    """The exact picture where a visitor stopped.

    Args:
        model, corners, axes, label: the form.
        event: its `x` and `y` are the place.
        request: has the visitor's language.

    Returns:
        The picture, its place, the link to it, and a sentence.
    """
    sent = getattr(event, "_data", None) or {}
    x, y = (inputs.number(sent.get(key), 0, 1, key) for key in "xy")
    plane, name = _plane(model, corners, axes, label)
    item, link, sentence = _exact(model, plane, name, x, y, request)
    return item | {"asked": True}, x, y, link, sentence


def picture_at(
    model: str, corners: str, axes: str, label: str, x: float, y: float, request: gr.Request | None = None
) -> tuple[dict[str, Any], str, str]:
    """The exact picture at a place of a plane.

    Args:
        model, corners, axes, label, x, y: as in `show`.
        request: has the visitor's language.

    Returns:
        The picture, the link to it, and a sentence.
    """
    x, y = (inputs.number(value, 0, 1, key) for key, value in (("x", x), ("y", y)))
    plane, name = _plane(model, corners, axes, label)
    return _exact(model, plane, name, x, y, request)


@remembered
def refine(
    model: str, corners: str, axes: str, label: str, request: gr.Request | None = None
) -> tuple[dict[str, Any], str]:
    """The fine sheet of a plane whose coarse one is there.

    Args:
        model, corners, axes, label: as in `show`.
        request: has the visitor's language.

    Returns:
        The sheet, and no sentence.
    """
    plane, _ = _plane(model, corners, axes, label)
    return _sheet(model, plane, fine_side(plane.pipe), request), ""


def show(
    model: str, corners: str, axes: str, label: str, x: float, y: float, request: gr.Request | None = None
) -> tuple[dict[str, Any], dict[str, Any], str, str]:
    """A plane with a coarse sheet, which the browser has refined, and the exact picture at a place.

    Args:
        model: the model.
        corners: three seeds: top left, top right, bottom left. With two concepts, the first is in the middle.
        axes: "seeds", or two concepts, "brightness,ginger".
        label: the class of all pictures, or "own" for that of the first seed.
        x, y: the place, 0 to 1, from the top left.
        request: has the visitor's language.

    Returns:
        The sheet, the picture, the link to it, and a sentence.
    """
    x, y = (inputs.number(value, 0, 1, key) for key, value in (("x", x), ("y", y)))
    plane, name = _plane(model, corners, axes, label)
    return _sheet(model, plane, COARSE, request), *_exact(model, plane, name, x, y, request)


def reroll(
    model: str,
    corners: str,
    axes: str,
    label: str,
    x: float,
    y: float,
    event: gr.EventData,
    request: gr.Request | None = None,
) -> tuple[str, dict[str, Any], dict[str, Any], str, str]:
    """Another picture in a corner.

    Args:
        model, corners, axes, label, x, y: the form, as in `show`.
        event: its `corner` is the corner, 0 to 2.
        request: has the visitor's language.

    Returns:
        The seeds of the corners, and what `show` returns.
    """
    with inputs.of("explore-corners"):
        seeds = inputs.seeds(corners, CORNERS, CORNERS)
    place = inputs.position((getattr(event, "_data", None) or {}).get("corner"), CORNERS)
    seeds[place] = secrets.randbelow(RANDOM_BELOW)
    changed = ", ".join(map(str, seeds))
    return changed, *show(model, changed, axes, label, x, y, request)


# -------------------------------------------------------------------------------------- links and the model


def axes_choices(names: list[str], request: gr.Request | None = None) -> list[tuple[Any, str]]:
    """What a plane may be spanned by: three pictures, or any two of a model's concepts."""
    pairs = itertools.islice(itertools.combinations(names, 2), MAX_PAIRS)
    return [(t("axes_seeds"), SEEDS_AXES)] + [
        (" × ".join(showcase.concept_title(name, request) for name in pair), ",".join(pair)) for pair in pairs
    ]


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """The form as a link fills it.

    Args:
        model: the model.
        link: the parameters of the link; what it does not say keeps its default.
        request: has the visitor's language.

    Returns:
        A value for each of the LINK_KEYS.

    Raises:
        BadInputError: for what is wrong in the link.
    """
    seeds = ", ".join(map(str, inputs.seeds(link.get("corners", FIRST_CORNERS), CORNERS, CORNERS)))
    axes = _axes(link.get("axes"), list(models.concepts(model)))
    label = inputs.class_name(link.get("label"), models.class_names(model)) or OWN
    place = [inputs.number(inputs.as_number(link.get(key, FIRST_PLACE)), 0, 1, key) for key in "xy"]
    return [seeds, ",".join(axes) if axes else SEEDS_AXES, label, *place]


@remembered
def draw(
    model: str, corners: str, axes: str, label: str, x: float, y: float, request: gr.Request | None = None
) -> tuple[Update, Update, dict[str, Any], dict[str, Any], str, str]:
    """The plane of the chosen model.

    Args:
        model, corners, x, y: as in `show`.
        axes, label: likewise; kept if the model has them.
        request: has the visitor's language.

    Returns:
        The updates of the pickers of directions and class, and what `show` returns.
    """
    names, classes = list(models.concepts(model)), models.class_names(model)
    choices = axes_choices(names, request)
    kept_axes = axes if axes in [value for _, value in choices] else SEEDS_AXES
    kept = kept_class(classes, label)
    pickers = (
        gr.update(choices=choices, value=kept_axes, visible=len(choices) > 1),
        class_update(classes, "explore_own", kept, request),
    )
    return *pickers, *show(model, corners, kept_axes, kept, x, y, request)
