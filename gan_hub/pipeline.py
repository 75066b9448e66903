"""GANPipeline: seeds or latents → images, images → verdicts of the discriminator; one class for every published GAN.

Shapes: N images, C channels, H, W, Z latent size. Images are float in [-1, 1] inside.
"""

import dataclasses
import json
import os
import re
import secrets
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers import __version__ as diffusers_version
from PIL import Image
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save_file
from torch import nn

from gan_hub import latents as latent_space
from gan_hub.atomic import move_files, scratch_folder
from gan_hub.hub.resolve import load_from
from gan_hub.images import fit_pil, from_uint8, height_width, to_pil, to_uint8
from gan_hub.messages import short_repr
from gan_hub.model_folder import concepts as directions
from gan_hub.model_folder import real_samples
from gan_hub.model_folder import segmentations as semantic_maps
from gan_hub.model_folder.concepts import Concept
from gan_hub.model_folder.strict import (
    MANIFEST_NAME,
    VARIANT_DTYPES,
    WEIGHTS_NAME,
    LoadError,
    Manifest,
    read_bytes,
    read_json,
    refuse_unloadable,
    write_json,
)
from gan_hub.models import ARCHITECTURES, CLASSES, GANModel
from gan_hub.models.mixins import SegmentationConditional, StyleBased
from gan_hub.models.modeling import DTYPES, as_dtype, evaluating, precision, unwrapped

COMPONENTS = ("generator", "discriminator")
INDEX_NAME, SUMMARY_NAME, JUDGE_NAME, REFERENCE_NAME = (
    "model_index.json",
    "config.json",
    "judge.json",
    "reference.safetensors",
)
REFERENCE_SEEDS = (0, 1, 2, 3)
LISTED = re.compile(  # what a manifest lists; real_samples.* and concepts may also have come later than the rest
    rf"model_index\.json|config\.json|judge\.json|(reference|segmentations|concepts)\.safetensors|real_samples\.(json|png)"
    rf"|({'|'.join(COMPONENTS)})/(config\.json|{WEIGHTS_NAME}(\.({'|'.join(VARIANT_DTYPES)}))?\.safetensors)"
)
MAX_IMAGES = 1_000_000  # of one call; they all lie in memory at once
BLOCK, BLOCK_BYTES = 64, 16_000_000  # images, of at most so many bytes, that are converted at a time
OUTPUT_TYPES = ("pil", "pt", "np")


@dataclass(frozen=True)
class GANOutput:
    """What a pipeline made: images in the asked type, and what makes them again."""

    images: list[Image.Image] | torch.Tensor | np.ndarray
    latents: torch.Tensor  # (N, Z) float32 on the CPU, before truncation, and before concepts moved them
    labels: list[int] | None  # class index of each image; None for an unconditional model
    seeds: list[int] | None  # None where the latents were given
    segmentations: torch.Tensor | None = None  # (N, H, W) uint8, the map of each image; None for a model without maps


@dataclass(frozen=True)
class Calibration:
    """How a discriminator's logit becomes a probability of "real": sigmoid(scale · logit + bias), and how good that is.

    Fitted on one half of held-out real and fresh generated images, measured on the other (metrics/calibration.py).
    """

    scale: float
    bias: float
    auc: float  # held-out: the chance that a real image scores higher than a generated one
    error: float  # held-out expected calibration error, 15 bins
    images: int  # real and generated ones it was measured on
    # For logits without a label (the most favourable class, see `discriminate`); as above where there are no classes.
    unlabelled_scale: float | None = None
    unlabelled_bias: float | None = None

    LIMITS: ClassVar = {
        "scale": (-1e9, 1e9),
        "bias": (-1e9, 1e9),
        "auc": (0, 1),
        "error": (0, 1),
        "images": (1, 1_000_000_000),
        "unlabelled_scale": (-1e9, 1e9),
        "unlabelled_bias": (-1e9, 1e9),
    }

    def __post_init__(self):
        if self.unlabelled_scale is None or self.unlabelled_bias is None:
            object.__setattr__(self, "unlabelled_scale", self.scale)
            object.__setattr__(self, "unlabelled_bias", self.bias)

    @classmethod
    def read(cls, path: Path) -> "Calibration":
        """Raises LoadError naming the field that is missing, unknown or beyond its LIMITS."""
        content = read_json(path)
        names = [spec.name for spec in dataclasses.fields(cls)]
        for name in sorted(set(content) ^ set(names)):
            raise LoadError(f"{path}: key {short_repr(name)} is {'missing' if name in names else 'unknown'}.")
        for name, value in content.items():
            low, high = cls.LIMITS[name]
            whole = name == "images"
            if type(value) not in ((int,) if whole else (int, float)) or not low <= value <= high:
                kind = "a whole number" if whole else "a number"
                raise LoadError(
                    f"{path}: {name} has the value {short_repr(value)}; allowed: {kind} from {low} to {high}."
                )
        return cls(**content)


class GANPipeline(DiffusionPipeline):
    """A generator, its discriminator and the names of its classes; loads strictly, from safetensors only."""

    _optional_components = ["discriminator"]

    def __init__(
        self,
        generator: GANModel,
        discriminator: GANModel | None = None,
        label_names: Sequence[str] | None = None,
        calibration: Calibration | None = None,
        segmentations: torch.Tensor | np.ndarray | None = None,
        semantic_names: Sequence[str] | None = None,
        concepts: Mapping[str, Concept] | Iterable[Concept] = (),
    ):
        """`label_names` has one name a class. A model that draws from maps of semantic classes brings examples of them,
        `segmentations`, whole numbers (M, H, W), M from 1 to 64; `semantic_names` has one name a semantic class (never
        `label_names`, which are classes of whole images). `concepts` are named directions of the latents, by which
        images can be changed (`gan_hub.model_folder.concepts`). Raises ValueError where the parts do not fit each other.
        """
        super().__init__()
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            _check_role(name, network)
        self.register_modules(generator=generator, discriminator=discriminator)
        generator, discriminator = self.unwrapped_generator, self.unwrapped_discriminator
        classes = generator.config["num_classes"]
        if label_names is None and classes:
            label_names = [str(index) for index in range(classes)]
        if (classes or label_names) and not _are_label_names(label_names, classes):
            raise ValueError(f"label_names is {short_repr(label_names)}; allowed: {_label_rule(classes)}.")
        for key in ("resolution", "channels", "num_classes", "semantic_classes"):
            ours, theirs = (player and player.config.get(key) for player in (generator, discriminator))
            if discriminator is not None and ours != theirs:
                raise ValueError(f"{key} is {ours} in the generator, but {theirs} in the discriminator.")
        if calibration is not None and not isinstance(calibration, Calibration):
            raise ValueError(f"calibration is {short_repr(calibration)}; allowed: a Calibration, or None.")
        self.label_names = list(label_names) if label_names else None
        self.calibration = calibration
        self._keep_maps(segmentations, semantic_names)
        self.concepts = directions.by_name(concepts, self._latent_sizes)

    def _keep_maps(self, segmentations, semantic_names: Sequence[str] | None) -> None:
        config = self.unwrapped_generator.config
        classes = config.get("semantic_classes", 0)
        if segmentations is not None and not classes:
            raise ValueError("segmentations are given, but this model does not draw from maps.")
        if semantic_names is None and classes:
            semantic_names = [str(index) for index in range(classes)]
        if (classes or semantic_names) and not _are_label_names(semantic_names, classes):
            raise ValueError(f"semantic_names is {short_repr(semantic_names)}; allowed: {_label_rule(classes)}.")
        self.semantic_names = list(semantic_names) if semantic_names else None
        self.segmentations = None
        if segmentations is not None:
            self.segmentations = semantic_maps.as_examples(segmentations, config["resolution"], classes)

    @property
    def unwrapped_generator(self) -> GANModel:
        """The generator itself, where the pipeline holds it compiled or wrapped otherwise: its class, config and methods.

        Raises ValueError where something else was put in its place.
        """
        return self._bare("generator")

    @property
    def unwrapped_discriminator(self) -> GANModel | None:
        """The discriminator itself, as `unwrapped_generator`; None for a model without."""
        return self._bare("discriminator")

    def _bare(self, name: str) -> GANModel | None:
        network = unwrapped(getattr(self, name))
        if not isinstance(network, GANModel):
            _check_role(name, network)
        return network

    @property
    def device(self) -> torch.device:
        """Where the generator is."""
        return self.unwrapped_generator.device

    def to(self, *args, **kwargs) -> "GANPipeline":
        """Moves both networks to a device, a dtype, or both, as `torch.nn.Module.to`; returns the pipeline.

        A dtype may also be given by its name. Raises ValueError for a device or dtype that is not there, or not known.
        """

        def known(value: object) -> object:
            value = DTYPES.get(value, value) if isinstance(value, str) else value
            return as_dtype(value) if isinstance(value, torch.dtype) else value

        args, kwargs = [known(value) for value in args], {name: known(value) for name, value in kwargs.items()}
        try:
            for name in COMPONENTS:
                if getattr(self, name) is not None:
                    getattr(self, name).to(*args, **kwargs)
        except (RuntimeError, AssertionError, TypeError) as error:  # of a wrong spelling, or a device without a driver
            given = ", ".join([*map(str, args), *(f"{name}={value}" for name, value in kwargs.items())])
            raise ValueError(f"the pipeline cannot be moved to {given} ({str(error).splitlines()[0]}).") from error
        return self

    # ------------------------------------------------------------------------------------------ files

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike,
        *,
        variant: str | None = None,
        dtype: torch.dtype | str | None = None,
        torch_dtype: torch.dtype | str | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        **components: GANModel | None,
    ) -> "GANPipeline":
        """The model `source`: a folder, the name of a bundled model, or a Hub id (also as the address of its page).

        `variant` ("fp16", "bf16") picks the weight files, `dtype` the arithmetic (float32). `discriminator=None` loads
        (and downloads) without it; `generator=` and `discriminator=` may also be networks at hand. `force_download`
        fetches all of it from the Hub again; damaged files of a download are fetched again once without it.
        Raises LoadError, a ValueError naming file and field, for whatever is damaged, unknown or unreachable.
        """
        unknown = set(components) - set(COMPONENTS)
        if unknown:
            raise TypeError(f"from_pretrained() got an unexpected argument {sorted(unknown)[0]!r}.")
        arithmetic = as_dtype(dtype or torch_dtype or torch.float32)
        wanted = tuple(name for name in COMPONENTS if name not in components)
        download = {"revision": revision, "token": token, "cache_dir": cache_dir, "local_files_only": local_files_only}
        download |= {"variant": variant, "force_download": force_download}
        return load_from(
            source,
            wanted,
            lambda folder: cls._read(folder, wanted, variant, arithmetic, dict(components)),
            whole=True,
            **download,
        )

    @classmethod
    def _read(cls, folder: Path, wanted: tuple[str, ...], variant: str | None, dtype: torch.dtype, components: dict):
        """`from_pretrained` of a folder that is at hand; `components` are those that are not `wanted` from it."""
        manifest = _read_manifest(folder)
        classes = _read_index(folder / INDEX_NAME)
        for name in wanted:
            components[name] = None
            if name in classes:
                components[name] = classes[name].load(folder, name, variant, dtype, manifest)
        if components["generator"] is None:
            raise LoadError(f"{folder / INDEX_NAME}: no generator in it.")
        _check_role("generator", components["generator"])
        generator = unwrapped(components["generator"])
        names = _read_summary(folder / SUMMARY_NAME, generator)
        has_judge = JUDGE_NAME in manifest.files or (folder / JUDGE_NAME).exists()
        calibration = Calibration.read(folder / JUDGE_NAME) if has_judge else None
        for name in [INDEX_NAME, SUMMARY_NAME] + [JUDGE_NAME] * has_judge:
            manifest.verify(name, read_bytes(folder / name, 1_000_000))
        examples = None
        config, file = generator.config, semantic_maps.FILE_NAME
        if "semantic_classes" in config and (file in manifest.files or (folder / file).exists()):
            examples = semantic_maps.read(folder, config["resolution"], config["semantic_classes"], manifest)
        try:
            pipeline = cls(**components, **names, calibration=calibration, segmentations=examples)
        except ValueError as error:
            raise LoadError(f"{folder}: {error}") from error
        pipeline.concepts = directions.read(folder, pipeline._latent_sizes, manifest)
        pipeline.register_to_config(_name_or_path=str(folder))
        return pipeline

    def save_pretrained(self, save_directory: str | os.PathLike, variant: str | None = None, **kwargs) -> None:
        """Writes the model's files (see the README's "On disk"), all of them or none; a README.md is left alone.

        With `variant` ("fp16", "bf16") the weights are cast, and join the folder's files where these are this very
        model's. Otherwise the manifest starts afresh: weights of an earlier model that may lie there are no longer
        listed, and will not load. `push_to_hub=True, repo_id=…` uploads the folder afterwards.
        Raises ValueError where what was written would not load again (weights in float64 or in several dtypes, a class of
        your own, names that do not fit the classes): then nothing is saved.
        """
        push, repo_id = kwargs.pop("push_to_hub", False), kwargs.pop("repo_id", None)
        if kwargs and not push:
            raise TypeError(f"save_pretrained() got an unexpected argument {sorted(kwargs)[0]!r}.")
        if not os.fspath(save_directory):
            raise ValueError("save_directory is empty; give the folder to save in, '.' for the one you are in.")
        folder = Path(save_directory)
        with scratch_folder(folder) as fresh:
            self._write_files(fresh, variant)
            # Of the files that are there, those that still are this model's.
            kept = list(real_samples.NAMES)
            if variant and self._lies_in(folder, VARIANT_DTYPES[variant][1]):
                kept += Manifest(folder).files
            written = move_files(fresh, folder)
        if self.calibration is None:
            (folder / JUDGE_NAME).unlink(missing_ok=True)
        if self.segmentations is None:
            (folder / semantic_maps.FILE_NAME).unlink(missing_ok=True)
        if not self.concepts:
            (folder / directions.FILE_NAME).unlink(missing_ok=True)
        Manifest.write(folder, sorted({*written, *(name for name in kept if (folder / name).is_file())}))
        if push:
            self._upload(folder, repo_id or folder.name, **kwargs)

    def _lies_in(self, folder: Path, dtype: torch.dtype) -> bool:
        """Whether the float32 weights in `folder` are this model's, up to a cast to `dtype`."""
        try:
            other = GANPipeline.from_pretrained(folder, dtype=dtype)
        except LoadError:
            return False

        def tensors(pipeline: GANPipeline) -> dict[str, torch.Tensor]:
            players = {name: pipeline._bare(name) for name in COMPONENTS if getattr(pipeline, name) is not None}
            return {f"{p}.{name}": tensor for p in players for name, tensor in players[p].state_dict().items()}

        ours, theirs = tensors(self), tensors(other)
        return ours.keys() == theirs.keys() and all(
            torch.equal(tensor.cpu().to(theirs[name].dtype), theirs[name]) for name, tensor in ours.items()
        )

    def push_to_hub(self, repo_id: str, variant: str | None = None, **kwargs) -> str:
        """Saves and uploads to the Hub repository `repo_id`; returns the commit's address.

        `kwargs`: private, token, commit_message, create_pr. Variants of these very weights stay on the Hub and load on,
        and so do files that no push of a model brings, such as the card; weights of another model go.
        """
        with tempfile.TemporaryDirectory() as scratch:
            self.save_pretrained(scratch)  # with a variant, too: what is on the Hub is compared with it
            if variant is not None:
                self.save_pretrained(scratch, variant=variant)
            return self._upload(Path(scratch), repo_id, variant=variant, **kwargs)

    @staticmethod
    def _upload(folder: Path, repo_id: str, **kwargs) -> str:
        from gan_hub.hub.upload import upload

        return upload(folder, repo_id, **kwargs)

    def _write_files(self, folder: Path, variant: str | None) -> None:
        """All files of the model into an empty folder, in which they are loaded again before anybody relies on them."""
        parts = ("label_names", "calibration", "segmentations", "semantic_names", "concepts")
        networks = {name: self._bare(name) for name in COMPONENTS}
        GANPipeline(**networks, **{name: getattr(self, name) for name in parts})  # refuses what was put into it since
        index = {"_class_name": "GANPipeline", "_diffusers_version": diffusers_version}
        for name, network in networks.items():
            if network is not None:
                network.write_files(folder / name, variant)
                index[name] = ["gan_hub", type(network).__name__]
        write_json(folder / INDEX_NAME, index)
        write_json(folder / SUMMARY_NAME, self._summary())
        if self.calibration is not None:
            write_json(folder / JUDGE_NAME, dataclasses.asdict(self.calibration))
        if self.segmentations is not None:
            semantic_maps.write(folder, self.segmentations)
        if self.concepts:
            directions.write(folder, directions.by_name(self.concepts, self._latent_sizes))
        Manifest.write(folder, [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()])
        with refuse_unloadable(folder):
            loaded = GANPipeline.from_pretrained(folder, variant=variant)
        (folder / MANIFEST_NAME).unlink()
        if variant is None:
            # Drawn as whoever loads it will draw, whatever dtype, device and wrapping this pipeline has.
            out = loaded(seeds=REFERENCE_SEEDS, output_type="np")
            seeds = torch.tensor(REFERENCE_SEEDS, device="cpu")
            save_file({"seeds": seeds, "images": torch.from_numpy(out.images)}, folder / REFERENCE_NAME)

    def _summary(self) -> dict:
        config = self.unwrapped_generator.config
        shape = {key: config[key] for key in ("resolution", "channels", "latent_size")}
        maps = {"semantic_names": self.semantic_names} if self.semantic_names else {}
        return {"_class_name": "GANPipeline", **shape, "label_names": self.label_names, **maps}

    def verify_reference(self, folder: str | os.PathLike | None = None) -> int:
        """Draws the seeds of reference.safetensors again; returns the largest difference of a pixel, in levels of 255.

        0 on the kind of machine that saved it, 1 on others (rounding). Raises LoadError above 2, or without the file.
        """
        path = Path(folder or self.name_or_path) / REFERENCE_NAME
        try:
            reference = parse_safetensors(read_bytes(path, 100_000_000))
            expected = reference["images"].numpy().astype(int)
            images = self(seeds=reference["seeds"].tolist(), output_type="np").images
        except LoadError:
            raise
        except Exception as error:  # the parser's errors, a missing tensor, seeds that are none
            raise LoadError(f"{path}: damaged ({short_repr(str(error))}).") from error
        if expected.shape != images.shape or not expected.size:
            raise LoadError(f"{path}: images of shape {expected.shape}, but this model makes {images.shape}.")
        worst = int(np.abs(images - expected).max())
        if worst > 2:
            raise LoadError(f"{path}: the images differ by up to {worst} levels; these are not the published weights.")
        return worst

    # ---------------------------------------------------------------------------------------- sampling

    @property
    def latent_size(self) -> int:
        return self.unwrapped_generator.config["latent_size"]

    @property
    def _latent_sizes(self) -> dict[str, int]:
        """How long a latent is in each space that a concept of this model may be a direction of."""
        generator = self.unwrapped_generator
        styles = {"w": len(generator.w_avg)} if isinstance(generator, StyleBased) else {}
        return {"z": self.latent_size, **styles}

    def sample_latents(self, seeds: Sequence[int]) -> torch.Tensor:
        """z of shape (N, Z), float32 on the CPU; row i depends on `seeds[i]` alone."""
        return latent_space.sample(seeds, self.latent_size)

    @torch.no_grad()
    def __call__(
        self,
        seeds: Sequence[int] | None = None,
        *,
        latents: torch.Tensor | None = None,
        num_images: int | None = None,
        seed: int | None = None,
        labels: str | int | Sequence[str | int] | None = None,
        truncation: float = 1.0,
        output_type: str = "pil",
        batch_size: int | None = None,
        segmentation: torch.Tensor | np.ndarray | Image.Image | Sequence[Image.Image] | None = None,
        concepts: Mapping[str, float] | None = None,
    ) -> GANOutput:
        """Images of `seeds`, of own `latents` (N, Z), or `num_images` of seed, seed + 1, … (random without `seed`).

        `labels`: a name or index for all images, or one an image. A conditional model that is given none takes the
        class from each latent itself, so that a latent alone still makes one image. `truncation` 1 (none) … 0 (mean)
        draws w to its mean where the model has one (`map`), else z to 0.
        `output_type`: "pil"; "pt", float (N, C, H, W) in [-1, 1]; "np", uint8 (N, H, W, C).
        `batch_size`: images at a time. By default 1 on the CPU, where sums in another order would otherwise change
        the last bit with the size of the batch, and 64 on an accelerator, where they may.
        `segmentation`: of a model that draws from maps, the semantic class of each pixel: whole numbers (H, W) for all
        images or (N, H, W), or pictures of mode L or P. Where none is given, each latent takes one of the model's examples.
        `concepts`: strengths by name, as in {"thickness": 1.0}: each image is moved along those of the model's `concepts`,
        in z before truncation, in w after it; its class and its map stay as they were.
        The same seed gives the same image in any batch, thread and dtype or device that torch may have for a default, and
        inside autocast as outside: the arithmetic is that of the generator's own dtype. A machine of another kind, or
        another number of torch's threads, may round a pixel to the next of 256 levels.
        Raises ValueError, in one sentence, for anything that is not allowed.
        """
        _check_output_type(output_type)
        seeds, z = self._latents(seeds, latents, num_images, seed)
        indices, maps = self._label_indices(labels, z), self._maps(segmentation, z)
        moves = directions.moves(directions.by_name(self.concepts, self._latent_sizes), concepts)
        moved = z + moves["z"] if "z" in moves else z
        psi = latent_space.check_psi(truncation)
        styled = isinstance(self.unwrapped_generator, StyleBased) and (psi != 1 or "w" in moves)
        truncated = moved if styled else latent_space.truncate(moved, psi)

        def draw(generator: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
            if not styled:
                return generator(*batch)
            generator = unwrapped(generator)
            ws = generator.map(*batch, truncation=psi)
            return generator.synthesize(ws + moves["w"].to(ws) if "w" in moves else ws)

        images = self._drawn(draw, truncated, indices if maps is None else maps, batch_size, output_type)
        labels = None if indices is None else indices.tolist()
        return GANOutput(images, z, labels, seeds, maps)

    def _drawn(
        self, draw, latents: torch.Tensor, labels: torch.Tensor | None, batch_size: int | None, output_type: str
    ) -> list[Image.Image] | torch.Tensor | np.ndarray:
        """What `draw` (generator, latents, labels) makes of the latents, in the type asked for.

        Block by block, so that many images take little more memory than what is returned.
        """
        config = self.unwrapped_generator.config
        (height, width), channels, count = height_width(config["resolution"]), config["channels"], len(latents)
        size = max(1, min(BLOCK, BLOCK_BYTES // (4 * height * width * channels)))
        blocks = _joined(self._drawn_batches(draw, latents, labels, batch_size), size)
        if output_type == "pil":
            return [image for block in blocks for image in to_pil(block)]
        if output_type == "np":
            images, convert = np.empty((count, height, width, channels), np.uint8), to_uint8
        else:
            shape = (count, channels, height, width)
            images, convert = torch.empty(shape, dtype=torch.float32, device="cpu"), lambda block: block
        start = 0
        for block in blocks:
            images[start : start + len(block)] = convert(block)
            start += len(block)
        return images

    def _drawn_batches(self, draw, latents, labels, batch_size: int | None) -> Iterator[torch.Tensor]:
        """Images (n, C, H, W) in [-1, 1], float32 on the CPU, batch by batch."""
        generator, bare = evaluating(self.generator), self.unwrapped_generator
        dtype = bare.dtype
        for batch, *rest in _batches(batch_size, latents, labels, bare.device):
            with precision(bare.device, force_fp32=True):
                images = draw(generator, batch.to(dtype), *rest)
            yield images.clamp(-1, 1).float().cpu()

    @torch.no_grad()
    def map(
        self, z: torch.Tensor, labels: str | int | Sequence[str | int] | None = None, truncation: float = 1.0
    ) -> torch.Tensor:
        """Latents z (N, Z) → w (N, L, W), float32 on the CPU: a row for each of L layers, which `synthesize` draws from.

        `labels` and `truncation` as in sampling. Rows of several images can be mixed (`latents.mix_styles`), and w can be
        interpolated like z. Raises ValueError for a model without a w, and for what sampling refuses.
        """
        self._need_w()
        z = self._own_latents(z)
        psi, indices = latent_space.check_psi(truncation), self._label_indices(labels, z)
        generator = unwrapped(evaluating(self.generator))
        ws = [torch.empty(0, generator.rows, len(generator.w_avg), dtype=torch.float32, device="cpu")]
        for batch, *rest in _batches(None, z, indices, generator.device):
            with precision(generator.device, force_fp32=True):
                ws.append(generator.map(batch.to(generator.dtype), *rest, truncation=psi).float().cpu())
        return torch.cat(ws)

    @torch.no_grad()
    def synthesize(
        self, w: torch.Tensor, output_type: str = "pil", batch_size: int | None = None
    ) -> list[Image.Image] | torch.Tensor | np.ndarray:
        """w (N, L, W) → images, in the types of sampling: what `map` gave, mixed, moved or averaged.

        Raises ValueError for a model without a w, and for a w of another shape or with NaN or Inf in it.
        """
        _check_output_type(output_type)
        self._need_w()
        generator = self.unwrapped_generator
        wanted = (generator.rows, len(generator.w_avg))
        ws = _as_floats(w)
        if ws is None or ws.ndim != 3 or ws.shape[1:] != wanted or not torch.isfinite(ws).all():
            given = type(w).__name__ if ws is None else tuple(ws.shape)
            raise ValueError(f"w is a tensor (N, {wanted[0]}, {wanted[1]}) without NaN or Inf, given {given}.")
        return self._drawn(lambda network, ws: unwrapped(network).synthesize(ws), ws, None, batch_size, output_type)

    def _need_w(self) -> None:
        generator = self.unwrapped_generator
        if not isinstance(generator, StyleBased):
            raise ValueError(f"this model's generator ({type(generator).__name__}) has no w; its latents are z alone.")

    def _latents(self, seeds, latents, num_images, seed) -> tuple[list[int] | None, torch.Tensor]:
        if (seeds is not None) + (latents is not None) + (num_images is not None or seed is not None) > 1:
            raise ValueError("give either seeds, or latents, or num_images with seed, not several of them.")
        if latents is not None:
            return None, self._own_latents(latents)
        if seeds is None:
            count = 1 if num_images is None else latent_space.as_int(num_images)
            if count is None or not 0 <= count <= MAX_IMAGES:
                raise ValueError(
                    f"num_images={short_repr(num_images)} is not allowed; it is a whole number from 0 to {MAX_IMAGES}."
                )
            if seed is None:
                first = secrets.randbelow(latent_space.MAX_SEED - count)
            else:
                first = latent_space.check_seeds([seed])[0]
            seeds = range(first, first + count)
        seeds = latent_space.check_seeds(seeds, most=MAX_IMAGES)
        return seeds, latent_space.sample(seeds, self.latent_size)

    def _own_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Given latents (N, Z) as float32 on the CPU; raises ValueError where they are none."""
        z = _as_floats(latents)
        if z is None or z.ndim != 2 or z.shape[1] != self.latent_size:
            given = type(latents).__name__ if z is None else tuple(z.shape)
            raise ValueError(f"latents are a tensor (N, {self.latent_size}), given {given}.")
        if not torch.isfinite(z).all():
            raise ValueError("latents contain NaN or Inf.")
        return z

    def labels_of(self, latents: torch.Tensor) -> torch.Tensor | None:
        """The class, int64 (N,), that each of `latents` (N, Z) takes where none is named; None without classes."""
        return self._label_indices(None, self._own_latents(latents))

    def _label_indices(self, labels, z: torch.Tensor) -> torch.Tensor | None:
        """Class indices (N,), or None for an unconditional model."""
        if self.label_names is None:
            if labels is not None:
                raise ValueError(f"labels={short_repr(labels)}: this model is unconditional and has no labels.")
            return None
        if labels is None:
            given = (zlib.crc32(row.tobytes()) % len(self.label_names) for row in z.numpy())
            return torch.from_numpy(np.fromiter(given, np.int64, len(z)))
        one = isinstance(labels, str) or not isinstance(labels, Iterable) or latent_space.as_int(labels) is not None
        given = [labels] * len(z) if one else list(labels)
        if len(given) != len(z):
            raise ValueError(f"{len(given)} labels for {len(z)} images; give one for all, or one an image.")
        return torch.from_numpy(np.fromiter(map(self._label_index, given), np.int64, len(given)))

    def _label_index(self, label: str | int) -> int:
        if isinstance(label, str) and label in self.label_names:
            return self.label_names.index(label)
        index = latent_space.as_int(label)
        if index is None or not 0 <= index < len(self.label_names):
            names = ", ".join(self.label_names[:20])
            raise ValueError(
                f"label {short_repr(label)} is not allowed; choose 0 to {len(self.label_names) - 1}, or one of {names}."
            )
        return index

    def _maps(self, segmentation, images: torch.Tensor, examples: bool = True) -> torch.Tensor | None:
        """uint8 (N, H, W), a map for each of N latents or images; None for a model that does not draw from maps.

        Where no map is given, latents take one of the `examples`; images, of whose maps nothing is known, cannot.
        """
        generator = self.unwrapped_generator
        config = generator.config
        if not isinstance(generator, SegmentationConditional):
            if segmentation is not None:
                raise ValueError("segmentation is given, but this model does not draw from maps.")
            return None
        if segmentation is not None:
            return semantic_maps.as_maps(segmentation, len(images), config["resolution"], config["semantic_classes"])
        if not examples:
            raise ValueError(
                "this model judges an image by the map it was drawn from; give segmentation= (an output has segmentations)."
            )
        if self.segmentations is None:
            height, width = height_width(config["resolution"])
            raise ValueError(
                f"this model draws from maps and has no examples of them; give segmentation=, whole numbers ({height}, "
                f"{width}) from 0 to {config['semantic_classes'] - 1}, or the pipeline its segmentations=."
            )
        return semantic_maps.choose_examples(self.segmentations, images)

    # ----------------------------------------------------------------------------------------- judging

    @torch.no_grad()
    def discriminate(self, images, labels=None, batch_size: int | None = None, segmentation=None) -> torch.Tensor:
        """Raw logits (N,), float32 on the CPU: the discriminator's opinion, higher is more real, on no fixed scale.

        `images`: a PIL image or a list of them (any size: cropped, resized and converted as for training), uint8
        (N, H, W, C), or float (N, C, H, W) in [-1, 1]. `labels` as in sampling; a conditional discriminator that is
        given none takes, for each image, the class that suits it best. An image's logit does not depend on the others.
        A model that draws from maps judges by them, too: `segmentation` as in sampling; its logit is the patches' mean.
        Raises ValueError where the model has no discriminator or the images have another shape or range.
        """
        if self.discriminator is None:
            raise ValueError("this model was published, or loaded, without a discriminator.")
        pixels = self._pixels(images)
        if self.label_names is not None and labels is None:
            each = [self.discriminate(pixels, index, batch_size) for index in range(len(self.label_names))]
            return torch.stack(each).amax(0)
        indices, maps = self._label_indices(labels, pixels), self._maps(segmentation, pixels, examples=False)
        discriminator, bare = evaluating(self.discriminator), self.unwrapped_discriminator
        logits = [torch.empty(0, dtype=torch.float32, device="cpu")]
        for batch, *rest in _batches(batch_size, pixels, indices if maps is None else maps, bare.device):
            with precision(bare.device, force_fp32=True):
                scores = discriminator(batch.to(bare.dtype), *rest).float().cpu()  # (N,), or (N, P) of patches
            logits.append(scores if scores.dim() == 1 else scores.mean(1))
        return torch.cat(logits)

    def judge(self, images, labels=None, segmentation=None) -> torch.Tensor:
        """The calibrated probability (N,) that each image is real, where real and generated are equally likely.

        Surer with the `labels` of a conditional model than without; each way has a calibration of its own.
        Raises ValueError where the model has no judge.json.
        """
        if self.calibration is None:
            raise ValueError(
                "this model's discriminator was never calibrated (no judge.json); discriminate() gives raw logits."
            )
        scale, bias = self._scale_and_bias(labels)
        return torch.sigmoid(scale * self.discriminate(images, labels, segmentation=segmentation) + bias)

    def judge_pair(self, left, right, labels=None, segmentation=None) -> torch.Tensor:
        """The probability (N,) that `left` is the real one of two images of which one is: sigmoid of scaled D(l) − D(r).

        With judge()'s odds for each image alone, Bayes' rule gives exactly this, and the bias cancels. An uncalibrated
        discriminator is taken at its word (scale 1).
        """
        scale, _ = self._scale_and_bias(labels)
        left, right = self._pixels(left), self._pixels(right)
        if len(left) != len(right):
            raise ValueError(f"left has {len(left)} images and right has {len(right)}; a pair is one of each.")
        first, second = (self.discriminate(each, labels, segmentation=segmentation) for each in (left, right))
        return torch.sigmoid(scale * (first - second))

    def _scale_and_bias(self, labels) -> tuple[float, float]:
        """Those fitted to logits with the images' labels, or without; (1, 0) for an uncalibrated discriminator."""
        known = self.calibration
        if known is None:
            return 1.0, 0.0
        return (known.unlabelled_scale, known.unlabelled_bias) if labels is None else (known.scale, known.bias)

    def _pixels(self, images) -> torch.Tensor:
        """Images as `discriminate` takes them → float32 (N, C, H, W) in [-1, 1] on the CPU."""
        config = self.unwrapped_generator.config
        (height, width), channels = height_width(config["resolution"]), config["channels"]
        if isinstance(images, Image.Image):
            images = [images]
        if isinstance(images, (list, tuple)) and all(isinstance(image, Image.Image) for image in images):
            fitted = [np.asarray(fit_pil(image, (height, width), channels)) for image in images]
            return from_uint8(np.array(fitted, dtype=np.uint8).reshape(len(fitted), height, width, channels))
        array = images.detach().cpu() if isinstance(images, torch.Tensor) else images
        if isinstance(array, np.ndarray) and array.dtype.kind in "uif":
            array = torch.from_numpy(np.ascontiguousarray(array))
        if isinstance(array, torch.Tensor) and array.ndim == 4:
            if array.dtype == torch.uint8 and array.shape[1:] == (height, width, channels):
                return from_uint8(array.numpy())
            if array.is_floating_point() and array.shape[1:] == (channels, height, width):
                if not (array.abs() <= 1.001).all():  # NaN is not either
                    raise ValueError("float images lie in [-1, 1]; these do not.")
                return array.float()
        given = f"{type(images).__name__} {getattr(images, 'dtype', '')} {tuple(getattr(images, 'shape', ()))}"
        raise ValueError(
            f"images are PIL images, uint8 (N, {height}, {width}, {channels}) or float (N, {channels}, {height}, {width}); "
            f"given {given}."
        )


def _batches(
    batch_size: int | None, values: torch.Tensor, labels: torch.Tensor | None, device: torch.device
) -> Iterator[tuple[torch.Tensor, ...]]:
    """(values, labels) in slices of `batch_size`, on the device; labels are left out where there are none."""
    size = (1 if device.type == "cpu" else 64) if batch_size is None else latent_space.as_int(batch_size)
    if size is None or size < 1:
        raise ValueError(f"batch_size={short_repr(batch_size)} is not allowed; it is a whole number from 1.")
    for start in range(0, len(values), size):
        rows = slice(start, start + size)
        # Cloned: kernels look at the strides, also of a batch of one, and another layout changes the last bit.
        batch = values[rows].clone(memory_format=torch.contiguous_format)
        yield (batch.to(device), *([] if labels is None else [labels[rows].to(device)]))


def _joined(batches: Iterable[torch.Tensor], size: int) -> Iterator[torch.Tensor]:
    """Batches of images (n, C, H, W), put together until there are `size` of them or more."""
    waiting, count = [], 0
    for batch in batches:
        waiting, count = [*waiting, batch], count + len(batch)
        if count >= size:
            yield torch.cat(waiting)
            waiting, count = [], 0
    if waiting:
        yield torch.cat(waiting)


def _as_floats(values: object) -> torch.Tensor | None:
    """Real numbers in a tensor or a numpy array as float32 on the CPU; None for anything else."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "uif":
        values = torch.from_numpy(np.ascontiguousarray(values))
    if not isinstance(values, torch.Tensor) or values.is_complex() or values.is_meta or values.layout != torch.strided:
        return None
    return values.detach().to("cpu", torch.float32)


def _check_role(name: str, network: object) -> None:
    """Raises ValueError where `network` cannot be a pipeline's generator or discriminator, the two mixed up included."""
    inner = unwrapped(network)
    if network is None and name == "discriminator":
        return
    if not isinstance(inner, GANModel):
        raise ValueError(f"{name} is a {type(inner).__name__}; allowed: a network of gan_hub.models.")
    (other,) = set(COMPONENTS) - {name}
    if isinstance(inner, tuple(cls for pair in ARCHITECTURES.values() if (cls := getattr(pair, other)) is not None)):
        raise ValueError(f"{name} is a {type(inner).__name__}, which is a {other}; the generator is given first.")


def _check_output_type(output_type: str) -> None:
    if output_type not in OUTPUT_TYPES:
        raise ValueError(f"output_type {output_type!r} is not allowed; choose one of {', '.join(OUTPUT_TYPES)}.")


def _read_manifest(folder: Path) -> Manifest:
    """Raises LoadError for a name that is no file of a model: what was meant by it would otherwise be left out quietly."""
    manifest = Manifest(folder)
    for name in manifest.files:
        if not LISTED.fullmatch(name):
            raise LoadError(
                f"{manifest.path}: it lists {short_repr(name)}, which this version of gan_hub does not know."
            )
    return manifest


def _read_index(path: Path) -> dict[str, type[GANModel]]:
    """Component name → class, from model_index.json; the recorded module is ignored, the class name is the format."""
    index = read_json(path)
    if index.get("_class_name") != "GANPipeline":
        raise LoadError(
            f"{path}: _class_name is {short_repr(index.get('_class_name'))}, but GANPipeline is to be loaded."
        )
    classes = {}
    for name, entry in index.items():
        if name.startswith("_"):
            continue
        if name not in COMPONENTS:
            raise LoadError(f"{path}: component {short_repr(name)} is unknown; known: {', '.join(COMPONENTS)}.")
        if entry == [None, None]:
            continue
        role = {getattr(pair, name) for pair in ARCHITECTURES.values()}
        allowed = [known for known, cls in CLASSES.items() if cls in role]
        if not isinstance(entry, list) or len(entry) != 2 or entry[1] not in allowed:
            raise LoadError(
                f"{path}: {name} is {short_repr(entry)}; allowed: [module, one of {', '.join(allowed)}]. A network from "
                "outside the package is registered before it is loaded: gan_hub.register_architecture."
            )
        classes[name] = CLASSES[entry[1]]
    return classes


def _are_label_names(names: object, classes: int) -> bool:
    valid = isinstance(names, (list, tuple)) and all(
        isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable() for name in names
    )
    return valid and len(names) == len(set(names)) == classes


def _label_rule(classes: int) -> str:
    return f"{classes} different texts of 1 to 200 printable characters" if classes else "none, as there are no classes"


def _read_summary(path: Path, generator: GANModel) -> dict[str, list[str] | None]:
    """label_names and semantic_names of the root config.json, which must agree with the generator's own config."""
    summary = read_json(path)
    expected = {key: generator.config[key] for key in ("resolution", "channels", "latent_size")}
    counts = {"label_names": generator.config["num_classes"]}
    if isinstance(generator, SegmentationConditional):
        counts["semantic_names"] = generator.config["semantic_classes"]
    for name in summary:
        if name not in ("_class_name", *counts, *expected):
            raise LoadError(f"{path}: config key {short_repr(name)} is unknown.")
    for name, value in expected.items():
        if json.dumps(summary.get(name)) != json.dumps(value):  # as text, for 28.0 == 28 and True == 1 in Python
            raise LoadError(
                f"{path}: {name} is {short_repr(summary.get(name))}, but the generator's config says {value}."
            )
    for name, classes in counts.items():
        names = summary.get(name)
        if (classes or names is not None) and not _are_label_names(names, classes):
            raise LoadError(f"{path}: {name} is {short_repr(names)}; allowed: {_label_rule(classes)}.")
    return {name: summary.get(name) for name in counts}
