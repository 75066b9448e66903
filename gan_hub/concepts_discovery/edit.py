"""Find, name and drop the concepts of a model, and write them into its folder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from gan_hub.concepts_discovery.discover import MEASURES, by_components, by_measure
from gan_hub.messages import did_you_mean
from gan_hub.model_folder.concepts import Concept, write_concepts
from gan_hub.model_folder.manifest import Manifest
from gan_hub.pipeline import GANPipeline

SEARCHES = ("pca", "sefa")  # finders of several concepts at once, unnamed at first


def find_concepts(
    pipe: GANPipeline,
    find: Iterable[str],
    seeds: Sequence[int] = range(2000),
    held_out: Sequence[int] = range(10_000, 10_256),
    count: int = 4,
    on_start: Callable[[str], None] | None = None,
) -> list[Concept]:
    """Find concepts, each with its measured effect.

    Args:
        pipe: the model.
        find: names of measures, "pca" or "sefa".
        seeds: the seeds that concepts are found with.
        held_out: the seeds that effects are measured with; none of them in `seeds`.
        count: how many concepts pca and sefa find each, 1 to the size of a latent.
        on_start: called with each name before its search, which takes minutes.

    Returns:
        The concepts: one of a measure, `count` of pca and sefa.

    Raises:
        ValueError: for a name that is not known, and for what the model or the seeds do not allow.
    """
    ways = list(find)
    known = (*MEASURES, *SEARCHES)
    for way in ways:
        if way not in known:
            meant = did_you_mean(way, known) or "."
            raise ValueError(f"find={way!r} is not known; choose among {', '.join(known)}{meant}")
    concepts: list[Concept] = []
    for way in ways:
        if on_start is not None:
            on_start(way)
        if way in SEARCHES:
            concepts += by_components(pipe, way, count, seeds, held_out)
        else:
            concepts.append(by_measure(pipe, way, seeds, held_out))
    return concepts


def edit_concepts(
    concepts: Mapping[str, Concept],
    add: Iterable[Concept] = (),
    rename: Mapping[str, str] | None = None,
    drop: Iterable[str] = (),
) -> dict[str, Concept]:
    """The concepts of a model after additions, renamings and removals, in this order.

    Args:
        concepts: name → concept, as `pipe.concepts`.
        add: new concepts; each takes the place of one of the same name.
        rename: old name → new name.
        drop: names of those to leave out.

    Returns:
        Name → concept.

    Raises:
        ValueError: for a name that no concept has, and where two would have the same one.
    """
    added, rename, dropped = list(add), dict(rename or {}), list(drop)
    new_names = {concept.name for concept in added}
    remaining = [concept for name, concept in concepts.items() if name not in new_names] + added
    names = [concept.name for concept in remaining]
    for name in (*rename, *dropped):
        if name not in names:
            raise ValueError(f"no concept is called {name!r}; there are {', '.join(names) or 'none'}.")
    edited = [
        concept.renamed(rename.get(concept.name, concept.name)) for concept in remaining if concept.name not in dropped
    ]
    if len({concept.name for concept in edited}) < len(edited):
        raise ValueError("two concepts would have one name.")
    return {concept.name: concept for concept in edited}


def save_concepts(pipe: GANPipeline, folder: Path) -> None:
    """Write the concepts of a pipeline into a folder of its model, or the whole model into a new folder.

    Raises ValueError for a folder that holds another model.
    """
    check_same_model(pipe, folder)
    if folder.exists():
        write_concepts(folder, pipe.concepts)
    else:
        pipe.save_pretrained(folder)


def check_same_model(pipe: GANPipeline, folder: Path) -> None:
    """Raise ValueError if `folder` exists and its generator has other weights than the one that `pipe` was loaded from."""
    if not folder.exists():
        return
    entries, other_entries = (Manifest(Path(place)).files for place in (pipe.name_or_path, folder))
    weights = [name for name in entries if name.startswith("generator/") and name.endswith(".safetensors")]
    if not any(other_entries.get(name) == entries[name] for name in weights):
        raise ValueError(f"{folder} holds another model than {pipe.name_or_path}.")
