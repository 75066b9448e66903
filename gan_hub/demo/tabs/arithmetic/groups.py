"""The groups A, B and C of seeds: examples that mean something, their names, and what clicks make of them.

Everywhere a group is a text of seeds, "0-2, 14", as it stands in links; "" is an empty group.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gradio as gr
import numpy as np

from gan_hub.demo import inputs, models, showcase
from gan_hub.demo.texts import translate
from gan_hub.latents import format_seeds
from gan_hub.model_folder.concepts import Concept
from gan_hub.pipeline import GANPipeline

NAMES = ("A", "B", "C")
EXEMPLARS = 3  # of a group, as in the paper: single ones are unstable, means of three are not
MAX_EXEMPLARS = 12
POOL_SIZE, MAX_POOL = 24, 48
FIRST = "first"  # the example that a model opens with
RANDOM_BELOW = 1_000_000  # new seeds stay short enough to read out

Groups = tuple[str, str, str]


@dataclass(frozen=True)
class Example:
    """An equation to begin with: its groups, the pool that shows them first, and what each group is, in words."""

    groups: Groups
    pool: str
    titles: tuple[str, str, str]


def seeds_of(group: object) -> list[int]:
    """The seeds of a group. Raises BadInputError for another text, and for more than MAX_EXEMPLARS."""
    return inputs.seeds(group, 0, MAX_EXEMPLARS)


def with_groups(groups: Groups, pool: Sequence[int]) -> list[int]:
    """The seeds of the pool, those of the groups first where it does not have them: what is in a group can be clicked out."""
    members = dict.fromkeys(seed for group in groups for seed in seeds_of(group))
    seeds = [*(seed for seed in members if seed not in pool), *pool]
    others = [place for place, seed in enumerate(seeds) if seed not in members]
    dropped = set(others[len(others) - max(0, len(seeds) - MAX_POOL) :])
    return [seed for place, seed in enumerate(seeds) if place not in dropped]


# -------------------------------------------------------------------------------------------------- examples


def presets(pipe: GANPipeline, request: gr.Request | None = None) -> list[tuple[str, str]]:
    """The examples of a model's concepts: (the concept, the equation in words)."""
    return [(name, _equation(concept_example(pipe.concepts, name, request).titles)) for name in in_order(pipe)]


def in_order(pipe: GANPipeline) -> list[str]:
    """A model's concepts, the most particular first: brightness, which every picture has, comes first in the files."""
    return list(reversed(pipe.concepts))


def _equation(titles: tuple[str, str, str]) -> str:
    return f"{titles[0]} − {titles[1]} + {titles[2]}"


def example(model: str, preset: str, request: gr.Request | None = None) -> Example:
    """The example of a concept; where the model does not have it, of another one, or else of bright and dark pictures.

    Args:
        model: a model of this page.
        preset: the name of a concept, or FIRST.
        request: has the visitor's language.

    Returns:
        The example.
    """
    pipe = models.load(model)
    if not pipe.concepts:
        return _bright_example(pipe, request)
    return concept_example(pipe.concepts, preset if preset in pipe.concepts else in_order(pipe)[0], request)


def concept_example(concepts: Mapping[str, Concept], name: str, request: gr.Request | None = None) -> Example:
    """With the concept − without it + others without it, which get it: the analogy of the paper's figure 7.

    Args:
        concepts: those of the model.
        name: one of them.
        request: has the visitor's language.

    Returns:
        The example.
    """
    less, more = _ends(name, request)
    with_it, without_it = concepts[name].with_it, concepts[name].without_it
    minus, third, title = without_it[:EXEMPLARS], without_it[EXEMPLARS : 2 * EXEMPLARS], "others_like"
    if len(third) < EXEMPLARS:
        third, title = [seed for seed in range(100) if seed not in {*with_it, *without_it}][:EXEMPLARS], "three_others"
    groups = [format_seeds(sorted(group)) for group in (with_it[:EXEMPLARS], minus, third)]
    return _example(groups, (more, less, translate(request, title, end=less)))


def _bright_example(pipe: GANPipeline, request: gr.Request | None) -> Example:
    """The brightest pictures of the first pool − the darkest + three others, for a model without concepts."""
    images = np.asarray(pipe(seeds=range(POOL_SIZE), output_type="np").images)
    order = [int(seed) for seed in images.reshape(POOL_SIZE, -1).mean(1).argsort()]
    middle = POOL_SIZE // 2 - 1
    groups = tuple(format_seeds(sorted(each)) for each in (order[-3:], order[:3], order[middle : middle + EXEMPLARS]))
    titles = [translate(request, key) for key in ("brightest", "darkest", "three_others")]
    return _example(groups, (titles[0], titles[1], titles[2]))


def _example(groups: Sequence[str], titles: tuple[str, str, str]) -> Example:
    a, b, c = groups
    pool = with_groups((a, b, c), [])
    pool += [seed for seed in range(100) if seed not in pool][: POOL_SIZE - len(pool)]
    return Example((a, b, c), format_seeds(pool), titles)


def _ends(name: str, request: gr.Request | None) -> tuple[str, str]:
    """What less and what more of a concept is called."""
    ends = showcase.concept_ends(name, request)
    title = showcase.concept_title(name, request)
    known = ends != showcase.concept_ends("", request)
    return (
        ends
        if known
        else (translate(request, "without_it", concept=title), translate(request, "with_it", concept=title))
    )


def titles(pipe: GANPipeline, groups: Groups, request: gr.Request | None = None) -> list[str]:
    """What each group is in the words of the model's concepts, "" where it is none of them: a link needs no words for it.

    Args:
        pipe: the model.
        groups: its groups.
        request: has the visitor's language.

    Returns:
        The words, one for each group.
    """
    words = []
    for group in groups:
        seeds = set(seeds_of(group))
        ends = (
            (end, exemplars)
            for name, concept in pipe.concepts.items()
            for end, exemplars in zip(_ends(name, request), (concept.without_it, concept.with_it), strict=True)
        )
        words.append(next((end for end, exemplars in ends if seeds and seeds <= set(exemplars)), ""))
    return words


# ---------------------------------------------------------------------------------------------------- clicks


def toggled(active: object, groups: Groups, seed: int, request: gr.Request | None = None) -> Groups:
    """The groups after a click: the picture's seed joins the active group, or leaves it.

    Args:
        active: the group, one of NAMES.
        groups: the groups.
        seed: that of the clicked picture.
        request: has the visitor's language.

    Returns:
        The groups. Raises BadInputError where one would be too large.
    """
    place = NAMES.index(inputs.choice(active, NAMES, translate(request, "active")))
    group = seeds_of(groups[place])
    written = format_seeds([other for other in group if other != seed] if seed in group else [*group, seed])
    seeds_of(written)  # refuses a group that is too large now
    a, b, c = (written if index == place else text for index, text in enumerate(groups))
    return a, b, c


def random_groups(seeds: str) -> Groups:
    """Three groups of three, drawn from the pool without repetition."""
    numbers = inputs.seeds(seeds, len(NAMES) * EXEMPLARS, MAX_POOL)
    secrets.SystemRandom().shuffle(numbers)
    a, b, c = (format_seeds(sorted(numbers[start::3][:EXEMPLARS])) for start in range(3))
    return a, b, c


def new_pool(groups: Groups) -> str:
    """Seeds of a new pool, in a row, those of the groups before them."""
    first = secrets.randbelow(RANDOM_BELOW)
    pool = with_groups(groups, [])
    return format_seeds([*pool, *range(first, first + POOL_SIZE)][:MAX_POOL])


def marks(pool: str, groups: Groups) -> dict[str, str]:
    """Place in the pool → the letters of the groups that its picture is in."""
    members = [set(seeds_of(group)) for group in groups]
    numbers = inputs.seeds(pool, most=MAX_POOL)
    letters = (
        (str(place), "".join(name for name, group in zip(NAMES, members, strict=True) if seed in group))
        for place, seed in enumerate(numbers)
    )
    return {place: names for place, names in letters if names}
