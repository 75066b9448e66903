"""Links to equations: what they say, and the form that they fill in."""

from typing import Any
from urllib.parse import urlencode

import gradio as gr

from gan_hub.demo import inputs, models
from gan_hub.demo.inputs import OWN
from gan_hub.demo.tabs.arithmetic import drawing, groups
from gan_hub.demo.tabs.arithmetic.drawing import LAYERS
from gan_hub.demo.tabs.arithmetic.groups import FIRST, MAX_POOL, POOL_SIZE, seeds_of, with_groups
from gan_hub.demo.texts import translate
from gan_hub.latents import format_seeds

FIRST_POOL = f"0-{POOL_SIZE - 1}"
PAPERS_RADIUS = 0.25  # of figure 7, where z is uniform in [−1, 1]
FIRST_RADIUS, MAX_RADIUS = 1.0, 3.0  # z is normal here: 0.25 looks like nine copies
SUM, MIX = "sum", "mix"
FIRST_LAYERS = "middle,fine"
LINK_KEYS = ("preset", "pool", "pool_label", "a", "b", "c", "label", "radius", "mode", "layers")


def link_of(
    model: str,
    preset: str,
    pool: str,
    pool_label: str,
    texts: groups.Groups,
    label: str,
    radius: float,
    mode: str,
    layers: str,
) -> str:
    """The parameters of a link to an equation.

    Args:
        model, preset, pool, pool_label, label, radius, mode, layers: the form, as in `handlers.show`.
        texts: seeds of the groups.

    Returns:
        "?tab=arithmetic&model=…".
    """
    values = {"pool": pool, "pool_label": pool_label, **dict(zip("abc", texts, strict=True)), "label": label}
    kept = {key: value.replace(", ", ",") for key, value in values.items() if value and value != OWN}
    kept |= {"preset": preset} if preset not in ("", FIRST) else {}
    kept |= {"radius": f"{radius:g}"} | ({"mode": mode, "layers": layers} if mode == MIX else {})
    return "?" + urlencode({"tab": "arithmetic", "model": model} | kept, safe=",")


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """The form as a link fills it; what the link does not say keeps its default.

    Args:
        model: the model.
        link: the values of a link.
        request: has the visitor's language.

    Returns:
        A value for each of LINK_KEYS.

    Raises:
        BadInputError: for what is not allowed.
    """
    pipe, names = models.load(model), models.class_names(model)
    preset = link.get("preset", FIRST)
    preset = FIRST if preset == FIRST else inputs.concept(preset, list(pipe.concepts)) or FIRST
    example = groups.example(model, preset, request)
    (a, b, c), pool = example.groups, example.pool
    if any(key in link for key in (*"abc", "pool")):
        a, b, c = (format_seeds(seeds_of(link.get(key, ""))) for key in "abc")
        pool = format_seeds(with_groups((a, b, c), inputs.seeds(link.get("pool", FIRST_POOL), most=MAX_POOL)))
    if ((a, b, c), pool) != (example.groups, example.pool):
        preset = ""  # the visitor's own groups, which stay when the model changes
    pool_label = inputs.class_name(link.get("pool_label"), names) or OWN
    label = inputs.class_name(link.get("label"), names) or OWN
    # A link with a pool and no radius was written when all had the paper's.
    usual = PAPERS_RADIUS if "pool" in link else FIRST_RADIUS
    radius = inputs.number(inputs.as_number(link.get("radius", usual)), 0, MAX_RADIUS, translate(request, "radius"))
    allowed = (SUM, MIX) if drawing.can_mix(pipe) else (SUM,)
    mode = inputs.choice(link.get("mode", SUM), allowed, translate(request, "arithmetic_mode"))
    layers = checked_layers(link.get("layers", FIRST_LAYERS), request)
    return [preset, pool, pool_label, a, b, c, label, radius, mode, layers]


def checked_layers(layers: object, request: gr.Request | None = None) -> list[str]:
    """The text "coarse,fine" → ["coarse", "fine"], in their order. Raises BadInputError for what is no layer."""
    names = [part.strip() for part in inputs.text(layers).split(",") if part.strip()]
    for name in names:
        inputs.choice(name, LAYERS, translate(request, "layers"))
    return [layer for layer in LAYERS if layer in names]
