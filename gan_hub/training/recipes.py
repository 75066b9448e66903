"""Recipes (YAML files of options): finding them, reading them, and merging other options into one."""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gan_hub.hub.resolve import bundled_models
from gan_hub.models import ARCHITECTURES, GANModel, discriminator_class
from gan_hub.models.layers import stage_resolutions
from gan_hub.models.registry import JOINING_DISCRIMINATORS
from gan_hub.training import strict_yaml
from gan_hub.training.option_aliases import unknown_option
from gan_hub.training.options import default_of
from gan_hub.training.sections import (
    ALIASES,
    CARD_OPTIONS,
    FIELDS,
    FREE_OPTIONS,
    MAX_KIMG,
    SELECTION_OPTIONS,
    options_with,
)

PACKAGE = Path(__file__).resolve().parents[1]
# Beside the package in a checkout, inside it where a wheel was installed.
RECIPES = next((folder for folder in (PACKAGE / "recipes", PACKAGE.parent / "recipes") if folder.is_dir()), PACKAGE)
PUBLISHED = "model_cards/"  # bundled models: another recipe may ship their real images or maps again
CARD = "card"  # key of a recipe under which the options of the card stand

Options = dict[str, Any]


def bundled_recipes() -> dict[str, Path]:
    """The recipes that come with the package: name → file, sorted."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.yaml"))}


def find_recipe(recipe: str | os.PathLike) -> Path:
    """The file of a recipe: a path, or the bare name of one that comes with the package. Other paths are returned as they are."""
    path = Path(recipe)
    return path if path.is_file() else bundled_recipes().get(os.fspath(recipe), path)


def read_recipe(recipe: str | os.PathLike) -> Options:
    """The options that a recipe sets, flat and under their current names; those of the card may stand under `card:`.

    Raises ValueError for an unreadable file or a key that is no option.
    """
    path = find_recipe(recipe)
    if not os.path.lexists(path):
        raise ValueError(f"recipe {path}: cannot be read (there is no such file). {_where_recipes_are(path)}")
    if os.path.isdir(path):
        inside = "recipe.yaml" if (path / "recipe.yaml").is_file() else "NAME.yaml"
        raise ValueError(f"recipe {path}: cannot be read (it is a folder). A recipe is a file: {path / inside}")
    try:
        options = strict_yaml.read(path)
    except ValueError as error:
        raise ValueError(f"recipe {error}") from error
    if not isinstance(options, dict):
        raise ValueError(f"recipe {path}: 'key: value' lines are expected.")
    try:
        return flatten(options)
    except ValueError as error:
        raise ValueError(f"recipe {path}: {error}") from error


def flatten(options: Mapping[Any, Any], what: str = "key") -> Options:
    """Options as a recipe has them, those of the `card:` block among the others, under their current names and typed.

    Raises ValueError for a `what` that is no option, and for an option that is set twice.
    """
    card = options.get(CARD, {})
    if not isinstance(card, Mapping):
        raise ValueError(f"{CARD}: 'key: value' lines are expected, as license: mit.")
    for key in card:
        if key in FIELDS and key not in CARD_OPTIONS:
            raise ValueError(f"{CARD}: {key!r} is no option of the card; it stands at the top of the recipe.")
        if key not in CARD_OPTIONS:
            raise ValueError(f"{CARD}: {_unknown(what, key, CARD_OPTIONS)}")
        if key in options:
            raise ValueError(f"{key!r} stands both at the top and under {CARD}; one of them is enough.")
    flat = {key: value for key, value in options.items() if key != CARD} | dict(card)
    for key in flat:
        if key not in FIELDS and key not in ALIASES:
            raise ValueError(_unknown(what, key, FIELDS))
    for old, new in ALIASES.items():
        if old in flat and new in flat:
            raise ValueError(f"{old!r} is the old name of {new!r}; one of them is enough.")
    return {name: typed(name, value) for name, value in with_current_names(flat).items()}


def _unknown(what: str, key: object, known: Iterable[str]) -> str:
    """The sentence about a key that is no option, which may end in a question."""
    sentence = unknown_option(what, key, known)
    return sentence if sentence.endswith("?") else f"{sentence}."


def nest(options: Options) -> Options:
    """Options as a recipe has them: the inverse of `flatten`."""
    top = {name: value for name, value in options.items() if name not in CARD_OPTIONS}
    card = {name: value for name, value in options.items() if name in CARD_OPTIONS}
    return top | ({CARD: card} if card else {})


def with_current_names(options: Options) -> Options:
    """Options with today's names, whichever release wrote them."""
    return {ALIASES.get(name, name): value for name, value in options.items()}


def typed(name: str, value: Any) -> Any:
    """An option's value as its type: YAML 1.1's words for switches, and text that is a number, are converted."""
    wanted = FIELDS[name].type
    if wanted is bool and isinstance(value, str):
        return {"yes": True, "on": True, "no": False, "off": False}.get(value.lower(), value)
    if wanted is int and isinstance(value, float) and value.is_integer():  # 1e3
        return int(value)
    if wanted is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def published_folder(source: str) -> Path:
    """The folder that `real_samples` or `shipped_maps` names: model_cards/<model> is found wherever bundled models are."""
    name = source.removeprefix(PUBLISHED)
    return Path(source) if name == source else bundled_models().get(name, Path(source))


def _where_recipes_are(path: Path) -> str:
    """Half a sentence for a recipe that does not exist: where recipes are."""
    recipes, models = bundled_recipes(), bundled_models()
    if path.stem in recipes:
        return f"The recipe of that name in gan_hub is {path.stem}"
    if str(path) in models and (models[str(path)] / "recipe.yaml").is_file():
        return f"That is a model; its recipe is {_short(models[str(path)] / 'recipe.yaml')}"
    nearest = difflib.get_close_matches(path.stem, recipes, n=1)
    if nearest:
        return f"Did you mean {nearest[0]}?"
    return f"Recipes are in {_short(RECIPES)}." if recipes else "Recipes are in the project's repository."


def _short(path: Path) -> str:
    """A path relative to the working directory where it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def merge(recipe: Options, changes: Options) -> Options:
    """A recipe's options with `changes` over them, without what holds only for the recipe's own images or model.

    With other `data`, all is dropped that the recipe says or has of its own images; with any change of the weights, the
    words about the model. Parts of the run are shortened with it. `remarks` tells of both.
    """
    dropped = _dropped(recipe, changes)
    return (
        {name: value for name, value in recipe.items() if name not in dropped} | _shortened(recipe, changes) | changes
    )


def remarks(recipe: Options, changes: Options) -> list[str]:
    """One sentence each on what `merge` left out of a recipe, on what it shortened, and on another kind of discriminator."""
    dropped, shortened = _dropped(recipe, changes), _shortened(recipe, changes)
    sentences = []
    if dropped:
        sentences.append(f"not taken over, for it is of the recipe's own images or model: {', '.join(dropped)}.")
    if shortened:
        values = ", ".join(f"{name} {value:g} (the recipe's is {recipe[name]:g})" for name, value in shortened.items())
        sentences.append(
            f"as much shorter as the run, for it would not fit into total_kimg {changes['total_kimg']:g}: {values}."
        )
    own, chosen = _class_of_discriminator(recipe), _class_of_discriminator(recipe | changes)
    left_out = own in JOINING_DISCRIMINATORS.values() and "discriminator" in changes
    if left_out and own is not None and chosen is not None and chosen is not own:
        sentences.append(
            f"discriminator={changes['discriminator']!r} stands in place of all of {recipe['discriminator']!r}: "
            f"{chosen.__name__} is trained, not {own.__name__}."
        )
    return sentences


def _class_of_discriminator(options: Options) -> type[GANModel] | None:
    """The class that options ask for; None where there is none, or they are not valid."""
    architecture, arguments = (
        options.get("architecture", FIELDS["architecture"].default),
        options.get("discriminator", {}),
    )
    valid = isinstance(architecture, str) and architecture in ARCHITECTURES and isinstance(arguments, Mapping)
    return discriminator_class(architecture, arguments) if valid else None


def _dropped(recipe: Options, changes: Options) -> list[str]:
    """The recipe's options that a run with these changes must not repeat."""
    not_repeated = {"data", "model"} if _is_other_data(recipe, changes) else set()
    if changes.keys() - (FREE_OPTIONS - SELECTION_OPTIONS) - {"name"}:
        not_repeated.add("model")
    candidates = [name for name in recipe if name not in changes and recipe[name] != default_of(FIELDS[name])]
    dropped = []
    for name in candidates:
        about, owner = FIELDS[name].metadata["about"], FIELDS[name].metadata["part_of"]
        owner_changes = owner in changes and changes[owner] != recipe.get(owner)
        if (about(recipe[name]) if callable(about) else about) in not_repeated or owner_changes:
            dropped.append(name)
    if "extractor" in dropped and "extractor" not in changes:  # without which there is nothing to choose by
        dropped += [name for name in candidates if name in SELECTION_OPTIONS]
    return dropped


def _is_other_data(recipe: Options, changes: Options) -> bool:
    own = recipe.get("data", FIELDS["data"].default)
    return os.path.normpath(str(changes.get("data", own))) != os.path.normpath(str(own))


def _shortened(recipe: Options, changes: Options) -> dict[str, float]:
    """Parts of the recipe's run that do not fit into a shorter `total_kimg`, shortened in proportion."""
    whole, total = recipe.get("total_kimg", FIELDS["total_kimg"].default), changes.get("total_kimg")
    if not _is_length(whole) or not _is_length(total) or total >= whole:
        return {}
    shortened = {}
    for name in options_with("shrinks_with_run") & recipe.keys() - changes.keys():
        parts = 2 * _levels(recipe | changes) if name == "grow_kimg" else 1
        if _is_length(recipe[name]) and total < parts * recipe[name] <= whole:
            shortened[name] = recipe[name] * total / whole
    return {name: shortened[name] for name in FIELDS if name in shortened}


def _is_length(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_KIMG


def _levels(options: Options) -> int:
    """How often a network of these options would grow; 0 where the resolution is not valid."""
    try:
        return len(stage_resolutions(options.get("resolution", FIELDS["resolution"].default))) - 1
    except (ValueError, TypeError):
        return 0
