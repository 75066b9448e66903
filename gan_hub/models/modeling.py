"""The strict base class of every generator and discriminator: checked configs, checked weights, no silent repairs."""

import contextlib
import copy
import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MethodType
from typing import Any, ClassVar, Self, TypeVar, cast

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from gan_hub.atomic import move_files, scratch_folder
from gan_hub.hub.resolve import load_from
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import (
    MANIFEST_NAME,
    VARIANT_DTYPES,
    LoadError,
    Manifest,
    read_bytes,
    read_json,
    read_weights,
    refuse_unloadable,
    weights_path,
)
from gan_hub.models.config_schema import validate

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}
Init = TypeVar("Init", bound=Callable[..., None])
_OWN_KEYS = {"_class_name", "_diffusers_version"}  # what diffusers adds to a config.json


def register_checked(init: Init) -> Init:
    """Decorate the `__init__` of a network: its arguments are checked by the rules of their annotations, and recorded.

    The rules are those of config_schema.py; diffusers' `register_to_config` records. ValueError is raised before any tensor is
    made, so that 10^9 channels cost nothing.
    """
    registered = register_to_config(init)
    signature = inspect.signature(init)

    @functools.wraps(init)
    def checked(self: "GANModel", *args: object, **kwargs: object) -> None:
        private = {name: value for name, value in kwargs.items() if name.startswith("_")}
        arguments = signature.bind(self, *args, **{k: v for k, v in kwargs.items() if k not in private}).arguments
        del arguments["self"]
        values = {name: plain(value) for name, value in arguments.items()}
        sentence = validate(init, values, complete=False)
        if sentence:
            raise ValueError(f"{type(self).__name__}: {sentence}")
        # All by keyword: diffusers takes positional arguments for defaults, and its from_config() would drop them.
        registered(self, **values, **private)

    return cast(Init, checked)


class GANModel(ModelMixin, ConfigMixin):
    """Base class of generators and discriminators: diffusers' files and `.to()`, but loaded strictly or not at all.

    `ModelMixin.from_pretrained` warns about a missing or renamed tensor and goes on, falls back to pickles, and ignores
    unknown config keys. Here each of these raises `LoadError` with file and field, before large memory is taken.

    A generator's `forward(z, labels, force_fp32)` takes latents (N, Z) and labels (N,), None in a network without classes,
    and gives images (N, C, H, W) in [-1, 1]. A discriminator's `forward(images, labels, force_fp32)` gives logits (N,).
    `force_fp32` switches autocast off inside, for gradient penalties.

    Example:
        >>> from gan_hub import GANModel, DCGANGenerator
        >>> generator = DCGANGenerator.from_pretrained("dcgan-mnist", subfolder="generator")
        >>> isinstance(generator, GANModel), generator.config["resolution"]
        (True, 28)
    """

    config_name = "config.json"
    # Keys that an architecture's config got after models of it were published → the value of files without them. Every
    # other key must be in the file.
    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar[Mapping[str, object]] = {}

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike,
        *,
        subfolder: str | None = None,
        variant: str | None = None,
        dtype: torch.dtype | str | None = None,
        torch_dtype: torch.dtype | str | None = None,
        use_safetensors: bool = True,
        **download,
    ) -> "GANModel":
        """The network of a folder, a bundled model or a Hub id, in eval mode, float32 unless `dtype` says otherwise.

        `variant` ("fp16", "bf16") picks the weight file; `download` is what `hub.places.resolve` takes (revision,
        token, cache_dir, local_files_only, force_download). The global random state is left as it was. Raises LoadError.
        """
        if not use_safetensors:
            raise ValueError("use_safetensors=False is not allowed: pickles can run code and are never loaded.")
        arithmetic = as_dtype(dtype or torch_dtype or torch.float32)
        components = (subfolder,) if subfolder else ()

        def read(root: Path) -> "GANModel":
            manifest = Manifest(root) if (root / MANIFEST_NAME).is_file() else None
            return cls.load(root, subfolder, variant, arithmetic, manifest)

        if os.path.isdir(source) and not download:
            return read(Path(source))
        return load_from(source, components, read, variant=variant, **download)

    @classmethod
    def load(
        cls, root: Path, subfolder: str | None, variant: str | None, dtype: torch.dtype, manifest: Manifest | None
    ):
        """`from_pretrained` of a folder that is at hand, its `manifest` already read."""
        folder = root / subfolder if subfolder else root
        config = cls.read_config(folder / cls.config_name)
        with torch.device("meta"):  # no memory, and no random number is drawn
            model = cls(**config)
        if manifest is not None:
            name = (folder / cls.config_name).relative_to(root).as_posix()
            manifest.verify(name, read_bytes(root / name, 1_000_000))
        expected = model.state_dict()
        weights = read_weights(weights_path(folder, variant), expected, variant, manifest)
        # Laid out in memory as the network made them: kernels look at the strides, and so does the last bit of an image.
        filled = {
            name: torch.empty_like(
                tensor, device="cpu", dtype=torch.float32 if tensor.is_floating_point() else tensor.dtype
            ).copy_(weights[name])
            for name, tensor in expected.items()
        }
        model.load_state_dict(filled, assign=True)
        for module in model.modules():  # buffers that are no weights, and so stand in no file
            if hasattr(module, "fill_constants"):
                module.fill_constants("cpu")
        return model.to("cpu", dtype).eval()

    @classmethod
    def read_config(cls, path: Path) -> dict:
        """The checked `__init__` arguments of a config.json; raises LoadError for another class or any odd key."""
        config = read_json(path)
        name = config.get("_class_name")
        if name != cls.__name__:
            raise LoadError(f"{path}: _class_name is {short_repr(name)}, but {cls.__name__} is to be loaded.")
        values = {
            **cls.CONFIG_DEFAULTS_FOR_OLD_FILES,
            **{key: value for key, value in config.items() if key not in _OWN_KEYS},
        }
        init = getattr(cls.__init__, "__wrapped__", None)
        if init is None:
            raise LoadError(f"{path}: {cls.__name__} has an __init__ without rules for its config (register_checked).")
        sentence = validate(init, values, complete=True)
        if sentence:
            raise LoadError(f"{path}: {sentence}")
        return values

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """`torch.nn.Module.to`: diffusers 0.42's own warns at every cast, also where nothing must stay in float32."""
        torch.nn.Module.to(self, *args, **kwargs)
        return self

    def check_labels(self, labels: torch.Tensor | None) -> None:
        """Raise ValueError where a class-conditional network got no labels, or an unconditional one got some."""
        if (labels is None) == bool(self.config["num_classes"]):
            wanted = "needs labels (N,)" if self.config["num_classes"] else "has no classes and takes no labels"
            raise ValueError(f"{type(self).__name__} {wanted}.")

    def save_pretrained(self, save_directory: str | os.PathLike, variant: str | None = None, **kwargs) -> None:
        """Writes config.json and the safetensors file; `variant` "fp16" or "bf16" casts (diffusers itself does not).

        All of it or nothing: it is loaded again before it is moved to its place. Raises ValueError for another variant,
        and for what could not be loaded: weights that are not finite after the cast, or not of one dtype that files hold.
        """
        folder = Path(save_directory)
        with scratch_folder(folder) as scratch:
            self.write_files(scratch, variant, **kwargs)
            with refuse_unloadable(scratch):
                type(self).load(scratch, None, variant, torch.float32, None)
            move_files(scratch, folder)

    def write_files(self, folder: Path, variant: str | None = None, **kwargs) -> None:
        """`save_pretrained` without a look at the result, for who looks at it together with other files."""
        if not kwargs.get("safe_serialization", True):
            raise ValueError("safe_serialization=False is not allowed: pickles can run code and are never written.")
        if "max_shard_size" in kwargs:
            raise ValueError("max_shard_size is not allowed: the weights of one network are one file.")
        if variant is not None and variant not in VARIANT_DTYPES:
            raise ValueError(f"variant {variant!r} is not allowed; choose one of {', '.join(VARIANT_DTYPES)}, or none.")
        for key, tensor in self.state_dict().items():
            if not isinstance(tensor, torch.Tensor) or tensor.is_quantized or tensor.is_meta:
                raise ValueError(
                    f"{type(self).__name__}: {key!r} is no tensor of plain numbers, as in a network that was quantised or "
                    "made without memory; it was not saved."
                )
            if tensor.is_complex():  # of which a cast would leave a half
                raise ValueError(f"{type(self).__name__}: its weights have a complex dtype; files hold real numbers.")
        saved = self if variant is None else copy.deepcopy(self).to(VARIANT_DTYPES[variant][1])
        for name, tensor in saved.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise ValueError(f"{type(self).__name__}: tensor {name!r} contains NaN or Inf; it was not saved.")
        # diffusers splits a network of more than 10 GB into files that name each other; ours is one file.
        ModelMixin.save_pretrained(saved, folder, variant=variant, max_shard_size="1000TB", **kwargs)


def as_dtype(dtype: torch.dtype | str) -> torch.dtype:
    """A floating dtype of torch, also by its name; raises ValueError for anything else."""
    known = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if known is None or known not in DTYPES.values():
        raise ValueError(
            f"dtype={short_repr(dtype)} is not allowed; choose one of {', '.join(f'torch.{name}' for name in DTYPES)}."
        )
    return known


def plain(value: object) -> object:
    """A numpy or 0-d tensor number as Python's own, also in a list; anything else is left as it is."""
    if type(value) is list:
        return [plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray, torch.Tensor)) and value.ndim == 0:
        return value.item()
    return value


def unwrapped(network: nn.Module) -> nn.Module:
    """The network inside `torch.compile`, DataParallel, an average of weights and the like: they hide class and methods."""
    while not isinstance(network, GANModel):
        candidates = [getattr(network, name, None) for name in ("_orig_mod", "module")]
        inner = next((candidate for candidate in candidates if isinstance(candidate, nn.Module)), None)
        if inner is None:
            break
        network = inner
    return network


def evaluating(network: nn.Module) -> nn.Module:
    """`network` itself where all of it is in eval mode, else a twin in eval mode that shares its parameters and buffers.

    In training mode, batch statistics would tie an image to its batch, and sampling would change them. No flag of the
    network is touched, as another thread may be using it. The twin of a wrapped network is that of the network inside.
    """
    if not any(module.training for module in network.modules()):
        return network
    return _twin(unwrapped(network), {})


def _twin(module: nn.Module, twins: dict[int, nn.Module]) -> nn.Module:
    """A module in eval mode with the same tensors; `twins`, by the id of the original, keeps shared modules shared."""
    if id(module) in twins:
        return twins[id(module)]
    twin = twins[id(module)] = type(module).__new__(type(module))
    twin.__dict__.update(
        module.__dict__, training=False, _compiled_call_impl=None
    )  # the compiled call is in training mode
    for name, value in module.__dict__.items():  # a forward that was patched, as accelerate does, is still the module's
        if isinstance(value, MethodType) and value.__self__ is module:
            twin.__dict__[name] = MethodType(value.__func__, twin)
    twin._modules = {name: child and _twin(child, twins) for name, child in module._modules.items()}
    return twin


@contextlib.contextmanager
def precision(device: torch.device, force_fp32: bool) -> Iterator[None]:
    """Switch autocast off inside a `forward` where `force_fp32`, as gradient penalties need.

    It cannot be done from outside: `accelerator.prepare` patches `forward` with an autocast of its own.
    """
    # The meta device has no autocast; and asking whether one is on is cheaper than opening a context.
    exact = force_fp32 and device.type != "meta" and torch.is_autocast_enabled(device.type)
    with torch.autocast(device.type, enabled=False) if exact else contextlib.nullcontext():
        yield
