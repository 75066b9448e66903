"""The files of a model's folder: one row of FILES each. A new file of a model is one new row here.

A row says what a file is called, how large it may be, whether the manifest lists it, what becomes of it on the Hub, and
which module reads it. Names are relative to the folder, with / between the parts.
"""

import re
from dataclasses import dataclass
from enum import Enum

COMPONENTS = ("generator", "discriminator")
VARIANTS = ("fp16", "bf16")

INDEX_NAME = "model_index.json"
# At the root: names and sizes; in a network's folder: the arguments of its class.
SUMMARY_NAME = CONFIG_NAME = "config.json"
MANIFEST_NAME = "manifest.json"
JUDGE_NAME = "judge.json"
REFERENCE_NAME = "reference.safetensors"
CONCEPTS_NAME = "concepts.safetensors"
SEGMENTATIONS_NAME = "segmentations.safetensors"
REAL_SAMPLES_PICTURE, REAL_SAMPLES_TABLE = "real_samples.png", "real_samples.json"
CARD_NAME, SCORES_NAME, SPLIT_NAME = "README.md", "scores.json", "split.json"
RECIPE_NAME, LOG_NAME = "recipe.yaml", "log.jsonl"
TIMELAPSE_NAME, TIMELAPSE_COUNTS_NAME = "timelapse.webp", "timelapse.json"
WEIGHTS_NAME = "diffusion_pytorch_model"  # what diffusers calls a network's weights, before variant and ending

MAX_JSON_BYTES = 1_000_000
MAX_FILE_BYTES = 50_000_000_000  # of any file, weights included
PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")  # never read, never written

# Weights of any variant, also of one that this version does not know: (network, variant or None).
WEIGHTS = re.compile(rf"({'|'.join(COMPONENTS)})/{WEIGHTS_NAME}(?:\.(\w+))?\.safetensors")


class Unlisted(Enum):
    """What a loader does with a file that is there, but that the manifest does not list."""

    REFUSED = "the model is refused"
    LEFT_OUT = "the model is loaded without it, with a warning: a write was interrupted"
    READ = "it is read unverified: release 0.1 did not list it"
    NORMAL = "no manifest lists it: it decides neither an image nor a verdict"


class OnHub(Enum):
    """What a push does with a file that lies on the Hub and that the push does not bring."""

    PART = "deleted: it is a part of the model that lay there"
    RECORD = "kept while the weights there are the very same: measured or shown of the model"
    VARIANT = "kept while it holds the very same weights in another dtype"
    WRITTEN = "written anew by the push"
    EXTRA = "kept: a card or another file that the loader does not read"


@dataclass(frozen=True)
class ModelFile:
    """One row: a file that may lie in a model's folder.

    Attributes:
        name: its name, or for weights the name of the variant-less file.
        max_bytes: the largest size that is read; a reader that knows the model may allow less.
        unlisted: what happens where the manifest does not list it.
        on_hub: what a push does with an older one on the Hub.
        fetched: whether every download of the model brings it, where it is there.
        read_by: the module of gan_hub that reads it; "" where none does.
    """

    name: str
    max_bytes: int
    unlisted: Unlisted
    on_hub: OnHub
    fetched: bool
    read_by: str

    @property
    def may_be_listed(self) -> bool:
        """Whether a manifest may list it."""
        return self.unlisted is not Unlisted.NORMAL


_CORE = (Unlisted.REFUSED, OnHub.PART, True)
_EXTRA = (MAX_FILE_BYTES, Unlisted.NORMAL, OnHub.EXTRA, False, "")
_PER_NETWORK = [
    row
    for network in COMPONENTS
    for row in (
        ModelFile(f"{network}/{CONFIG_NAME}", MAX_JSON_BYTES, Unlisted.REFUSED, OnHub.PART, False, "models.modeling"),
        ModelFile(
            f"{network}/{WEIGHTS_NAME}.safetensors",
            MAX_FILE_BYTES,
            Unlisted.REFUSED,
            OnHub.VARIANT,
            False,
            "models.modeling",
        ),
    )
]

FILES: tuple[ModelFile, ...] = (
    ModelFile(INDEX_NAME, MAX_JSON_BYTES, *_CORE, "model_folder.folder"),
    ModelFile(SUMMARY_NAME, MAX_JSON_BYTES, *_CORE, "model_folder.folder"),
    *_PER_NETWORK,
    ModelFile(JUDGE_NAME, MAX_JSON_BYTES, *_CORE, "model_folder.calibration"),
    ModelFile(SEGMENTATIONS_NAME, 70_000_000, *_CORE, "model_folder.segmentations"),  # 64 maps of 1024 × 1024
    ModelFile(CONCEPTS_NAME, 4_000_000, Unlisted.LEFT_OUT, OnHub.PART, True, "model_folder.concepts"),
    ModelFile(REFERENCE_NAME, 100_000_000, Unlisted.READ, OnHub.RECORD, True, "model_folder.reference"),
    ModelFile(REAL_SAMPLES_PICTURE, 64_000_000, Unlisted.READ, OnHub.RECORD, True, "model_folder.real_samples"),
    ModelFile(REAL_SAMPLES_TABLE, MAX_JSON_BYTES, Unlisted.READ, OnHub.RECORD, True, "model_folder.real_samples"),
    ModelFile(MANIFEST_NAME, MAX_JSON_BYTES, Unlisted.NORMAL, OnHub.WRITTEN, True, "model_folder.manifest"),
    ModelFile(SCORES_NAME, MAX_JSON_BYTES, Unlisted.NORMAL, OnHub.RECORD, True, "metrics.report"),
    ModelFile(SPLIT_NAME, MAX_JSON_BYTES, Unlisted.NORMAL, OnHub.RECORD, True, "metrics"),
    ModelFile(CARD_NAME, MAX_JSON_BYTES, Unlisted.NORMAL, OnHub.EXTRA, True, "hub.cards"),
    ModelFile(TIMELAPSE_NAME, 200_000_000, Unlisted.NORMAL, OnHub.EXTRA, False, "model_folder.timelapse"),
    ModelFile(TIMELAPSE_COUNTS_NAME, MAX_JSON_BYTES, Unlisted.NORMAL, OnHub.EXTRA, False, "model_folder.timelapse"),
    ModelFile(LOG_NAME, MAX_FILE_BYTES, Unlisted.NORMAL, OnHub.EXTRA, False, "model_folder.training_log"),
    *(ModelFile(name, *_EXTRA) for name in (RECIPE_NAME, "plot.png", "samples.png")),
    *(ModelFile(name, *_EXTRA) for name in ("memorised.png", "arithmetic.json", "arithmetic.png", "score.json")),
)
FILES_BY_NAME = {file.name: file for file in FILES}


def find(name: str) -> ModelFile | None:
    """The row of a file's name; None for a file that no model has. A variant's weights have the row of the weights."""
    match = WEIGHTS.fullmatch(name)
    if match and match[2] in VARIANTS:
        name = f"{match[1]}/{weights_name(None)}"
    return FILES_BY_NAME.get(name)


def weights_name(variant: str | None) -> str:
    """The name of a network's weights within its folder, as of "fp16"; None is the full precision."""
    return f"{WEIGHTS_NAME}{f'.{variant}' if variant else ''}.safetensors"


def names_on_hub(*kinds: OnHub) -> set[str]:
    """The names of all files of these kinds."""
    return {file.name for file in FILES if file.on_hub in kinds}


def fetched_names(components: tuple[str, ...], variant: str | None) -> tuple[list[str], list[str]]:
    """What a download of a model brings; the network "" is one that lies at the root of its repository.

    Returns: (files of the folder itself, each where it is there; files that the networks `components` need).
    """
    names = CONFIG_NAME, weights_name(variant)
    needed = [f"{network}/{name}" if network else name for network in components for name in names]
    return [file.name for file in FILES if file.fetched], needed
