"""Old import paths and arguments of public names: each still works, with a DeprecationWarning that says the new one."""

import functools
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Module of 0.1.0 → its module of today.
MODULES = {
    "gan_hub.loading": "gan_hub.model_folder.strict",
    "gan_hub.concepts": "gan_hub.model_folder.concepts",
    "gan_hub.segmentations": "gan_hub.model_folder.segmentations",
    "gan_hub.real_samples": "gan_hub.model_folder.real_samples",
    "gan_hub.hub.places": "gan_hub.hub.resolve",
    "gan_hub.hub.publishing": "gan_hub.hub.upload",
    "gan_hub.models.abilities": "gan_hub.models.mixins",
    "gan_hub.metrics.directions": "gan_hub.concepts_discovery.discover",
    "gan_hub.metrics.appearance": "gan_hub.concepts_discovery.image_statistics",
    "gan_hub.metrics.scores": "gan_hub.metrics.registry",
    "gan_hub.training.loop": "gan_hub.training.trainer",
    "gan_hub.training.players": "gan_hub.training.train_state",
}
# Old name → new name, for those whose own name changed as well; "module:name" where it lies in another module than most.
NAMES = {
    "gan_hub.loading": {
        "shown": "short_repr",
        "as_json": "to_json",
        "Manifest": "gan_hub.model_folder.manifest:Manifest",
        "MANIFEST_NAME": "gan_hub.model_folder.files:MANIFEST_NAME",
        "WEIGHTS_NAME": "gan_hub.model_folder.files:WEIGHTS_NAME",
    },
    "gan_hub.concepts": {
        "put": "write_concepts",
        "moves": "shifts",
        "FILE_NAME": "gan_hub.model_folder.files:CONCEPTS_NAME",
    },
    "gan_hub.segmentations": {
        "as_pictures": "colorize",
        "chosen": "choose_examples",
        "FILE_NAME": "gan_hub.model_folder.files:SEGMENTATIONS_NAME",
    },
    "gan_hub.real_samples": {
        "PICTURE_NAME": "gan_hub.model_folder.files:REAL_SAMPLES_PICTURE",
        "TABLE_NAME": "gan_hub.model_folder.files:REAL_SAMPLES_TABLE",
    },
    "gan_hub.hub.places": {"ZOO": "BUNDLED_MODELS_DIR", "bundled": "bundled_models", "read_from": "load_from"},
    "gan_hub.models.abilities": {
        "Autoencoding": "AutoencoderDiscriminator",
        "Factorable": "HasLatentProjection",
        "Growing": "ProgressiveGrowing",
        "Semantic": "SegmentationConditional",
    },
    "gan_hub.metrics.directions": {"along": "by_direction", "home": "default_space", "look": "concept_grid"},
    "gan_hub.training.loop": {"Stopped": "StoppedError"},
    "gan_hub.training.players": {
        "Controls": "AdaptiveState",
        "Descent": "ScaledOptimizer",
        "Players": "TrainState",
    },
}


def lookup(old: str, name: str) -> object:
    """Today's object for `name` of the old module `old`; raises AttributeError where it is gone."""
    module, _, attribute = NAMES.get(old, {}).get(name, name).rpartition(":")
    return getattr(import_module(module or MODULES[old]), attribute)


class MovedModules(MetaPathFinder, Loader):
    """Import finder for the modules of 0.1.0 that lie elsewhere now; it finds nothing else."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the old modules (importlib's protocol).

        Args:
            name: the dotted name that is imported.
            path, target: not used.

        Returns: a spec for an old module's name, None for any other.
        """
        return ModuleSpec(name, self) if name in MODULES else None

    def exec_module(self, module: ModuleType) -> None:
        """Fill `module`: a name is looked up in its new module when it is asked for."""
        old, new = module.__name__, MODULES[module.__name__]
        warnings.warn(f"{old} is {new} now; the old path will go in 1.0.", DeprecationWarning, stacklevel=2)
        there, renamed = import_module(new), NAMES.get(old, {})
        module.__doc__ = there.__doc__
        module.__getattr__ = lambda name: lookup(old, name)
        module.__dir__ = lambda: sorted({*dir(there), *renamed})


def install() -> None:
    """Register the finder of old modules, once."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())


def renamed_arguments(**names: str) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Make a decorator by which old keywords, such as `at_risk="nearest_training_images"`, go to the new arguments."""

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        name = function.__qualname__.removesuffix(".__init__")

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Result:
            for old in names.keys() & kwargs.keys():
                new = names[old]
                if new in kwargs:
                    raise TypeError(f"{name}() takes {new}= or its old name {old}=, not both.")
                message = f"{old}= of {name}() is {new}= now; the old name will go in 1.0."
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapped

    return decorate


def renamed_names(module: str, names: Mapping[str, str]) -> Callable[[str], object]:
    """A module's `__getattr__` (PEP 562) that finds its old public names under their new ones.

    Args:
        module: the name of the module, as `__name__`.
        names: old name → new name.

    Returns:
        the function; it raises AttributeError for any other name.
    """

    def __getattr__(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(
            f"{module}.{name} is {names[name]} now; the old name will go in 1.0.", DeprecationWarning, stacklevel=2
        )
        return getattr(import_module(module), names[name])

    return __getattr__
