"""The base class of GANPipeline: loading, saving, moving and sharing networks, as in diffusers."""

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self, cast

import numpy as np
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from torch import nn

from gan_hub.hub.resolve import load_from, place_of, resolve
from gan_hub.latents import check_seeds_like
from gan_hub.messages import short_repr
from gan_hub.model_folder import concepts as directions
from gan_hub.model_folder import folder as model_folder
from gan_hub.model_folder import segmentations as semantic_maps
from gan_hub.model_folder.calibration import Calibration
from gan_hub.model_folder.concepts import Concept
from gan_hub.model_folder.files import COMPONENTS
from gan_hub.model_folder.folder import ModelParts, check_class_names
from gan_hub.model_folder.strict import LoadError
from gan_hub.models import GANModel
from gan_hub.models.diffusers_options import (
    REFUSED_ON_LOAD,
    REFUSED_ON_SAVE,
    folder_to_save,
    one_device,
    one_source,
    refuse_options,
    refuse_pickles,
    variant_to_save,
)
from gan_hub.models.modeling import DTYPES, UPLOAD_OPTIONS, as_dtype, one_dtype
from gan_hub.pipeline.roles import check_role, network_classes, unwrapped_network

REFUSED_FOR_PIPELINES = REFUSED_ON_LOAD | {
    "subfolder": "a model's files lie at the root of its folder or repository; one network is loaded by its class, as in "
    'DCGANGenerator.from_pretrained(source, subfolder="generator")',
}
PARTS = (
    "label_names",
    "calibration",
    "segmentations",
    "semantic_names",
    "concepts",
    "seeds_like",
)  # beside the networks


class PretrainedPipeline(DiffusionPipeline):
    """A generator, its discriminator, the names of its classes and what was measured of both.

    Loads strictly, from safetensors only; what could not be loaded again is not saved.
    """

    _optional_components: ClassVar[list[str]] = ["discriminator"]
    generator: nn.Module
    discriminator: nn.Module | None

    def __init__(
        self,
        generator: GANModel | nn.Module,
        discriminator: GANModel | nn.Module | None = None,
        label_names: Sequence[str] | None = None,
        calibration: Calibration | None = None,
        segmentations: torch.Tensor | np.ndarray | None = None,
        semantic_names: Sequence[str] | None = None,
        concepts: Mapping[str, Concept] | Iterable[Concept] = (),
        seeds_like: str = "torch",
    ) -> None:
        """Put a model together.

        Args:
            generator: a network of gan_hub.models; it may be compiled or wrapped otherwise.
            discriminator: its opponent; None for a model without.
            label_names: one name a class of images; by default their numbers.
            calibration: how the discriminator's logits become probabilities.
            segmentations: examples for a model that draws from maps of semantic classes: whole numbers (M, H, W), M from 1
                to 64.
            semantic_names: one name a semantic class; by default their numbers.
            concepts: named directions of the latents, by which images can be changed (`gan_hub.model_folder.concepts`).
            seeds_like: "numpy" draws the latent of a seed as NVIDIA's programs do, so that a converted model's seeds are
                those of its origin; "uniform" draws evenly from −1 to 1, for networks that were trained so.

        Raises:
            ValueError: where the parts do not fit each other.
        """
        super().__init__()
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            check_role(name, network)
        self.register_modules(generator=generator, discriminator=discriminator)
        config = self.unwrapped_generator.config
        self.label_names = _class_names("label_names", label_names, config["num_classes"])
        opponent = self.unwrapped_discriminator
        for key in ("resolution", "channels", "num_classes", "semantic_classes"):
            if opponent is not None and config.get(key) != opponent.config.get(key):
                raise ValueError(
                    f"{key} is {config.get(key)} in the generator, but {opponent.config.get(key)} in the discriminator."
                )
        if calibration is not None and not isinstance(calibration, Calibration):
            raise ValueError(f"calibration is {short_repr(calibration)}; allowed: a Calibration, or None.")
        self.calibration = calibration
        self.seeds_like = check_seeds_like(seeds_like)
        classes = config.get("semantic_classes", 0)
        if segmentations is not None and not classes:
            raise ValueError("segmentations are given, but this model does not draw from maps.")
        self.semantic_names = _class_names("semantic_names", semantic_names, classes)
        self.segmentations: torch.Tensor | None = None
        if segmentations is not None:
            self.segmentations = semantic_maps.as_examples(segmentations, config["resolution"], classes)
        self.concepts = directions.by_name(concepts, self.unwrapped_generator.latent_sizes)

    @property
    def unwrapped_generator(self) -> GANModel:
        """The generator itself, where the pipeline holds it compiled or wrapped otherwise: its class, config and methods.

        Raises ValueError where something else was put in its place.
        """
        return cast(GANModel, unwrapped_network("generator", self.generator))  # None is refused

    @property
    def unwrapped_discriminator(self) -> GANModel | None:
        """The discriminator itself, as `unwrapped_generator`; None for a model without."""
        return unwrapped_network("discriminator", self.discriminator)

    @property
    def device(self) -> torch.device:
        """The device that the generator is on."""
        return self.unwrapped_generator.device

    @property
    def components(self) -> dict[str, Any]:
        """All parts by the parameters of the class: `GANPipeline(**pipe.components)` shares its networks."""
        return {name: getattr(self, name) for name in (*COMPONENTS, *PARTS)}

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move both networks to a device, a dtype, or both, as `torch.nn.Module.to`; returns the pipeline.

        A dtype may also be given by its name. Raises ValueError for a device or dtype that is not there, or not known.
        """

        def known(value: object) -> object:
            value = DTYPES.get(value.removeprefix("torch."), value) if isinstance(value, str) else value
            return as_dtype(value) if isinstance(value, torch.dtype) else value

        kwargs.pop("silence_dtype_warnings", None)  # of diffusers; there are none
        target, options = [known(value) for value in args], {name: known(value) for name, value in kwargs.items()}
        try:
            for name in COMPONENTS:
                if getattr(self, name) is not None:
                    getattr(self, name).to(*target, **options)
        except (RuntimeError, AssertionError, TypeError) as error:  # of a wrong spelling, or a device without a driver
            place = ", ".join([*map(str, target), *(f"{name}={value}" for name, value in options.items())])
            raise ValueError(f"the pipeline cannot be moved to {place} ({str(error).splitlines()[0]}).") from error
        return self

    # ------------------------------------------------------------------------------------------ loading

    @classmethod
    def from_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]  # keywords that diffusers hides in **kwargs
        cls,
        source: str | os.PathLike | None = None,
        *,
        pretrained_model_name_or_path: str | os.PathLike | None = None,
        variant: str | None = None,
        dtype: torch.dtype | str | None = None,
        torch_dtype: torch.dtype | str | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        use_safetensors: bool | None = True,
        device_map: object = None,
        low_cpu_mem_usage: bool | None = True,
        **components: Any,
    ) -> Self:
        """Load a model. The global random state is left as it was.

        Args:
            source: a folder, the name of a bundled model, or a Hub id (also as the address of its page).
            pretrained_model_name_or_path: diffusers' name for `source`.
            variant: the weight files to read, "fp16" or "bf16"; by default the full precision.
            dtype: what the networks compute in, also by name; float32 by default.
            torch_dtype: an older name for `dtype`.
            revision, token, cache_dir, local_files_only: as of huggingface_hub's `snapshot_download`.
            force_download: fetches all of it from the Hub again; damaged files of a download are fetched again without it.
            use_safetensors: nothing else is ever loaded; False is refused.
            device_map: the device to put both networks on, such as "cuda".
            low_cpu_mem_usage: without effect; no memory is taken before a file is checked.
            **components: `generator=` or `discriminator=`, a network at hand in place of the folder's;
                `discriminator=None` loads (and downloads) without it.

        Returns: the pipeline, in eval mode, on the CPU unless `device_map` says otherwise.

        Raises:
            LoadError: for whatever is damaged, unknown or unreachable, naming file and field; a ValueError.
            ValueError: for an argument that is not supported.
        """
        replacements = {name: components.pop(name) for name in COMPONENTS if name in components}
        refuse_options("from_pretrained", components, REFUSED_FOR_PIPELINES)
        refuse_pickles(use_safetensors)
        source, device = one_source(source, pretrained_model_name_or_path), one_device(device_map)
        arithmetic = one_dtype(dtype, torch_dtype)
        for name, network in replacements.items():
            check_role(name, network)
        unwrapped = {name: unwrapped_network(name, network) for name, network in replacements.items()}
        wanted = tuple(name for name in COMPONENTS if name not in replacements)
        read = partial(
            model_folder.load, roles=network_classes(), variant=variant, dtype=arithmetic, replacements=unwrapped
        )
        download = {"revision": revision, "token": token, "cache_dir": cache_dir, "local_files_only": local_files_only}
        download |= {"variant": variant, "force_download": force_download}
        parts = load_from(source, wanted, read, whole=True, **download)
        pipeline = cls._assembled(parts, **replacements)
        return pipeline if device is None else pipeline.to(device)

    @classmethod
    def _assembled(cls, parts: ModelParts[GANModel], **replacements: Any) -> Self:
        """A pipeline of the parts that a folder holds; raises LoadError where they do not fit each other."""
        values = vars(parts) | replacements
        folder = values.pop("folder")
        try:
            pipeline = cls(**values)
        except ValueError as error:
            raise LoadError(f"{folder}: {error}") from error
        pipeline.register_to_config(_name_or_path=str(folder))
        return pipeline

    @classmethod
    def load_config(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any) -> Any:
        """The content of a model_index.json, unchecked, as diffusers reads it; a name without a slash is a bundled model."""
        return super().load_config(place_of(pretrained_model_name_or_path), **kwargs)

    @classmethod
    def download(cls, pretrained_model_name: str | os.PathLike, **kwargs: Any) -> str:
        """Fetches a model that `from_pretrained` will then load without a connection; returns its folder.

        `kwargs`: variant, revision, token, cache_dir, local_files_only, force_download. Raises LoadError.
        """
        return str(resolve(pretrained_model_name, COMPONENTS, **kwargs))

    @classmethod
    def from_pipe(cls, pipeline: DiffusionPipeline, **kwargs: Any) -> Self:
        """A second pipeline of the same networks and parts; no memory is copied.

        Args:
            pipeline: a GANPipeline.
            **kwargs: parts that take the place of the other's (`discriminator=None`, `label_names=…`); `dtype` casts the
                networks, which both pipelines share.

        Raises:
            ValueError: for a pipeline of another kind.
        """
        if not isinstance(pipeline, PretrainedPipeline):
            raise ValueError(f"from_pipe() takes a GANPipeline; a {type(pipeline).__name__} has no generator of a GAN.")
        dtypes = kwargs.pop("dtype", None), kwargs.pop("torch_dtype", None)
        unknown = sorted(kwargs.keys() - {*COMPONENTS, *PARTS})
        if unknown:
            raise TypeError(f"from_pipe() got an unexpected argument {unknown[0]!r}.")
        made = cls(**(pipeline.components | kwargs))
        made.register_to_config(_name_or_path=pipeline.name_or_path)
        return made if dtypes == (None, None) else made.to(dtype=one_dtype(*dtypes))

    @classmethod
    def extract_init_dict(cls, config_dict: Mapping[str, Any], **kwargs: Any) -> NoReturn:
        """Refuse diffusers' own loader, which would leave out names, calibration, concepts and the manifest."""
        raise ValueError(
            "a GAN's folder is not loaded by diffusers.DiffusionPipeline, which verifies no file and leaves out label names, "
            "calibration and concepts; use gan_hub.GANPipeline.from_pretrained(folder)."
        )

    # ------------------------------------------------------------------------------------------- saving

    def save_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]  # a variant in second place, as ever
        self,
        save_directory: str | os.PathLike,
        safe_serialization: bool | str | None = True,
        variant: str | None = None,
        max_shard_size: int | str | None = None,
        push_to_hub: bool = False,
        **kwargs: Any,
    ) -> None:
        """Write the model's files (see the README's "On disk"), all of them or none; a README.md is left alone.

        With `variant` the weights are cast, and join the folder's files where these are this very model's. Otherwise the
        manifest starts afresh: weights of an earlier model that may lie there are no longer listed, and will not load.

        Args:
            save_directory: the folder; made where it is missing.
            safe_serialization: nothing but safetensors is written; False is refused. (A variant in this place, as release
                0.1 had it, is taken for one.)
            variant: "fp16" or "bf16"; None for the full precision.
            max_shard_size: refused; the weights of one network are one file.
            push_to_hub: uploads the folder afterwards to `repo_id`, by default the folder's name.
            **kwargs: of `push_to_hub`: repo_id, private, token, commit_message, create_pr.

        Raises:
            ValueError: where what was written would not load again (weights in float64 or in several dtypes, a class of
                your own that is not registered, names that do not fit the classes); nothing is then saved.
        """
        variant = variant_to_save(safe_serialization, variant)
        upload = {name: kwargs.pop(name) for name in UPLOAD_OPTIONS if name in kwargs}
        refuse_options("save_pretrained", {**kwargs, "max_shard_size": max_shard_size}, REFUSED_ON_SAVE)
        folder, classes = folder_to_save(save_directory), network_classes()
        saved_class, values = self._saved_class(), self.components
        values |= {"generator": self.unwrapped_generator, "discriminator": self.unwrapped_discriminator}
        whole = saved_class(**values)  # refuses what was put into this pipeline since
        own_names = {name: getattr(self, name) for name in ("label_names", "semantic_names")}  # None is no default here
        parts = ModelParts[GANModel](**(whole.components | own_names))
        model_folder.save(folder, parts, classes, saved_class._assembled, variant)
        if push_to_hub:
            self._upload(folder, upload.pop("repo_id", None) or folder.resolve().name, **upload)

    def push_to_hub(  # pyright: ignore[reportIncompatibleMethodOverride]  # a variant in second place, as ever
        self, repo_id: str, variant: str | None = None, *, safe_serialization: bool = True, **kwargs: Any
    ) -> str:
        """Save the model and upload it to the Hub.

        Variants of these very weights stay on the Hub and load on, and so do files that no push of a model brings, such as
        the card; weights of another model go.

        Args:
            repo_id: the repository, "owner/name"; made where it is missing.
            variant: "fp16" or "bf16" sends these weights alone; None the full precision.
            safe_serialization: nothing but safetensors is sent; False is refused.
            **kwargs: private, token, commit_message, create_pr.

        Returns: the commit's address.

        Raises:
            ValueError: for what could not be loaded again, which is not uploaded.
            LoadError: for whatever the Hub refuses.
        """
        if not isinstance(repo_id, str) or not repo_id.strip():
            raise ValueError(f"repo_id is {short_repr(repo_id)}; give the repository to push to, as owner/name.")
        upload = {name: kwargs.pop(name) for name in UPLOAD_OPTIONS if name in kwargs}
        refuse_options("push_to_hub", kwargs, REFUSED_ON_SAVE)
        variant = variant_to_save(safe_serialization, variant)
        with tempfile.TemporaryDirectory() as scratch:
            self.save_pretrained(scratch)  # with a variant, too: what is on the Hub is compared with it
            if variant is not None:
                self.save_pretrained(scratch, variant=variant)
            return self._upload(Path(scratch), repo_id, variant=variant, **upload)

    @staticmethod
    def _saved_class() -> "type[PretrainedPipeline]":
        """The class that a saved folder names, and that will load it: never a subclass."""
        raise NotImplementedError

    @staticmethod
    def _upload(folder: Path, repo_id: str, **kwargs: Any) -> str:
        from gan_hub.hub.upload import upload

        return upload(folder, repo_id, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Draw images (`GANPipeline`)."""
        raise NotImplementedError

    # -------------------------------------------------------------------------- what diffusers has, and this has not

    def enable_model_cpu_offload(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: a GAN fits on one device."""
        self._refuse_offload("enable_model_cpu_offload")

    def enable_sequential_cpu_offload(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: a GAN fits on one device."""
        self._refuse_offload("enable_sequential_cpu_offload")

    def enable_group_offload(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: a GAN fits on one device."""
        self._refuse_offload("enable_group_offload")

    def _refuse_offload(self, method: str) -> NoReturn:
        raise ValueError(
            f"{method}() is not supported: an image is one pass through one network, which must lie on one device whole. "
            'pipe.to("cuda", "float16") halves its memory, and discriminator=None loads without the other network.'
        )


def _class_names(field: str, names: Sequence[str] | None, count: int) -> list[str] | None:
    """Checked names of classes, by default their numbers; None where there are no classes."""
    if names is None and count:
        return [str(index) for index in range(count)]
    check_class_names(field, names, count)
    return list(names) if names else None
