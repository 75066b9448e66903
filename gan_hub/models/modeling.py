"""The strict base class of every generator and discriminator: checked configs, checked weights, no silent repairs."""

import contextlib
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
from safetensors.torch import save_file
from torch import nn

from gan_hub.atomic import move_files, scratch_folder
from gan_hub.hub.resolve import load_from, place_of
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import CONFIG_NAME, INDEX_NAME, weights_name
from gan_hub.model_folder.manifest import Manifest, read_file
from gan_hub.model_folder.strict import (
    VARIANT_DTYPES,
    LoadError,
    is_finite,
    parse_json,
    read_weights,
    refuse_unloadable,
    weights_path,
)
from gan_hub.models.config_schema import validate
from gan_hub.models.diffusers_options import (
    REFUSED_ON_LOAD,
    REFUSED_ON_SAVE,
    folder_to_save,
    one_device,
    one_source,
    one_subfolder,
    refuse_options,
    refuse_pickles,
    variant_to_save,
)

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}
Init = TypeVar("Init", bound=Callable[..., None])
UPLOAD_OPTIONS = ("repo_id", "private", "token", "commit_message", "create_pr")
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
    and gives images (N, C, H, W) in [-1, 1]. A discriminator's `forward(images, labels, force_fp32)` gives logits (N,), or
    (N, P) of P patches or parts. `force_fp32` announces a gradient penalty: autocast is off inside, and parts that no penalty
    is about may leave out their gradient by the images.

    Example:
        >>> from gan_hub import GANModel, DCGANGenerator
        >>> generator = DCGANGenerator.from_pretrained("dcgan-mnist", subfolder="generator")
        >>> isinstance(generator, GANModel), generator.config["resolution"]
        (True, 28)
    """

    config_name = CONFIG_NAME
    # Keys that an architecture's config got after models of it were published → what a file without the key means.
    # Every other key must be there.
    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar[Mapping[str, object]] = {}

    @classmethod
    def from_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]  # keywords that diffusers hides in **kwargs
        cls,
        source: str | os.PathLike | None = None,
        *,
        pretrained_model_name_or_path: str | os.PathLike | None = None,
        subfolder: str | None = None,
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
        **unsupported: object,
    ) -> Self:
        """Load one network. The global random state is left as it was.

        Args:
            source: a folder, the name of a bundled model, or a Hub id (also as the address of its page).
            pretrained_model_name_or_path: diffusers' name for `source`.
            subfolder: the network's folder within the model's, such as "generator".
            variant: the weight file to read, "fp16" or "bf16"; by default the full precision.
            dtype: what the network computes in, also by name; float32 by default.
            torch_dtype: an older name for `dtype`.
            revision, token, cache_dir, local_files_only: as of huggingface_hub's `snapshot_download`.
            force_download: fetches it from the Hub again.
            use_safetensors: nothing else is ever loaded; False is refused.
            device_map: the device to put it on, such as "cuda".
            low_cpu_mem_usage: without effect; no memory is taken before the file is checked.
            **unsupported: other keywords of diffusers, refused with the reason.

        Returns: the network, in eval mode, on the CPU unless `device_map` says otherwise.

        Raises:
            LoadError: for whatever is damaged, unknown or unreachable, naming file and field.
            ValueError: for an argument that is not supported.
        """
        refuse_options("from_pretrained", unsupported, REFUSED_ON_LOAD)
        refuse_pickles(use_safetensors)
        source, device = one_source(source, pretrained_model_name_or_path), one_device(device_map)
        arithmetic, place = one_dtype(dtype, torch_dtype), one_subfolder(subfolder)

        def read(root: Path) -> Self:
            return cls.load(root, place or None, variant, arithmetic, Manifest.if_any(root))

        download = {"revision": revision, "token": token, "cache_dir": cache_dir, "local_files_only": local_files_only}
        if os.path.isdir(source) and not force_download and not any(download.values()):
            network = read(Path(source))
        else:
            download |= {"variant": variant, "force_download": force_download}
            network = load_from(source, (place,), read, **download)
        return network if device is None else network.to(device)

    @classmethod
    def load_config(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any) -> Any:
        """The content of a config.json, unchecked, as diffusers reads it; a name without a slash is a bundled model."""
        return super().load_config(place_of(pretrained_model_name_or_path), **kwargs)

    @classmethod
    def load(
        cls, root: Path, subfolder: str | None, variant: str | None, dtype: torch.dtype, manifest: Manifest | None
    ) -> Self:
        """Read a network of a folder that is at hand: config.json and one weight file, each once.

        Args:
            root: the model's folder, or that of a network saved alone.
            subfolder: the network's folder within, such as "generator".
            variant: the weight file to read, "fp16" or "bf16"; None for the full precision.
            dtype: what the network computes in.
            manifest: verifies both files; None where there is none.

        Returns: the network, in eval mode, on the CPU.
        """
        name = f"{subfolder}/{CONFIG_NAME}" if subfolder else CONFIG_NAME
        data = read_file(root, name)
        config = cls.check_config(root / name, parse_json(root / name, data))
        with torch.device("meta"):  # no memory, and no random number is drawn
            model = cls(**config)
        if manifest is not None:
            manifest.verify(name, data)
        folder = root / subfolder if subfolder else root
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
        for module in model.modules():  # buffers that are no weights, and so are in no file
            fill_constants = getattr(module, "fill_constants", None)
            if fill_constants is not None:
                fill_constants("cpu")
        return model.to("cpu", dtype).eval()

    @classmethod
    def check_config(cls, path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
        """The `__init__` arguments in the content of the config.json `path`.

        Raises LoadError for another class, and for a key that is unknown, missing or not allowed.
        """
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

    @property
    def latent_sizes(self) -> dict[str, int]:
        """The size of a generator's latent in each space it has: "z", and "w" where it maps z to w."""
        w_avg = getattr(self, "w_avg", None)
        return {"z": self.config["latent_size"]} | ({} if w_avg is None else {"w": len(w_avg)})

    def check_labels(self, labels: torch.Tensor | None) -> None:
        """Raise ValueError where a class-conditional network got no labels, or an unconditional one got some."""
        if (labels is None) == bool(self.config["num_classes"]):
            wanted = "needs labels (N,)" if self.config["num_classes"] else "has no classes and takes no labels"
            raise ValueError(f"{type(self).__name__} {wanted}.")

    def save_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]  # narrower than diffusers: no shards
        self,
        save_directory: str | os.PathLike,
        is_main_process: bool | str | None = True,
        save_function: None = None,
        safe_serialization: bool | None = True,
        variant: str | None = None,
        push_to_hub: bool = False,
        **kwargs: Any,
    ) -> None:
        """Write config.json and one safetensors file, all of it or nothing: it is loaded again before it is moved.

        Args:
            save_directory: the folder; made where it is missing.
            is_main_process: False in the other processes of several, which write nothing. (A variant in this place, as
                release 0.1 had it, is taken for one.)
            save_function: not supported.
            safe_serialization: nothing but safetensors is written; False is refused.
            variant: "fp16" or "bf16" casts the weights (diffusers itself does not).
            push_to_hub: uploads the network afterwards to `repo_id`, by default the folder's name.
            **kwargs: of `push_to_hub`: repo_id, private, token, commit_message, create_pr.

        Raises:
            ValueError: for what could not be loaded again: weights that are not finite after the cast, or not of one dtype
                that files hold; for the folder of a whole model; and for an argument that is not supported.
        """
        if isinstance(is_main_process, str) or is_main_process is None:
            is_main_process, variant = True, variant_to_save(is_main_process, variant)
        variant = variant_to_save(safe_serialization, variant)
        upload = {name: kwargs.pop(name) for name in UPLOAD_OPTIONS if name in kwargs}
        refuse_options("save_pretrained", {**kwargs, "save_function": save_function}, REFUSED_ON_SAVE)
        folder = folder_to_save(save_directory)
        if not is_main_process:
            return
        if (folder / INDEX_NAME).is_file():  # whose own config.json would be lost
            raise ValueError(
                f"{folder}: the folder of a whole model; save a network of it elsewhere, or the whole pipeline."
            )
        with scratch_folder(folder) as scratch:
            self.write_files(scratch, variant)
            with refuse_unloadable(scratch):
                type(self).load(scratch, None, variant, torch.float32, None)
            move_files(scratch, folder)
        if push_to_hub:
            self.push_to_hub(upload.pop("repo_id", None) or folder.resolve().name, variant=variant, **upload)

    def write_files(self, folder: Path, variant: str | None = None) -> None:
        """`save_pretrained` without loading the result again, for callers that load it together with other files."""
        if variant is not None and variant not in VARIANT_DTYPES:
            raise ValueError(f"variant {variant!r} is not allowed; choose one of {', '.join(VARIANT_DTYPES)}, or none.")
        folder.mkdir(parents=True, exist_ok=True)
        self.save_config(folder)
        # One file, whatever its size: diffusers' own save_pretrained would split more than 10 GB.
        save_file(self._tensors_to_save(variant), folder / weights_name(variant), {"format": "pt"})

    def _tensors_to_save(self, variant: str | None) -> dict[str, torch.Tensor]:
        """Weights and buffers on the CPU, cast to the variant's dtype, each with memory of its own.

        Raises ValueError for what no file can hold: tensors that are not plain, complex or finite numbers.
        """
        tensors, places = {}, set()
        for name, tensor in self.state_dict().items():
            if not isinstance(tensor, torch.Tensor) or tensor.is_quantized or tensor.is_meta:
                raise ValueError(
                    f"{type(self).__name__}: {name!r} is no tensor of plain numbers, as in a network that was quantised or "
                    "made without memory; it was not saved."
                )
            if tensor.is_complex():  # a cast would keep its real part alone
                raise ValueError(f"{type(self).__name__}: its weights have a complex dtype; files hold real numbers.")
            dtype = DTYPES[VARIANT_DTYPES[variant][1]] if variant and tensor.is_floating_point() else tensor.dtype
            plain_tensor = tensor.detach().to("cpu", dtype).contiguous()
            if plain_tensor.is_floating_point() and not is_finite(plain_tensor):
                raise ValueError(f"{type(self).__name__}: tensor {name!r} contains NaN or Inf; it was not saved.")
            if plain_tensor.untyped_storage().data_ptr() in places:  # tied weights: a file holds each on its own
                plain_tensor = plain_tensor.clone()
            places.add(plain_tensor.untyped_storage().data_ptr())
            tensors[name] = plain_tensor
        return tensors


def as_dtype(dtype: torch.dtype | str) -> torch.dtype:
    """A floating dtype of torch, also by its name; raises ValueError for anything else."""
    known = DTYPES.get(dtype.removeprefix("torch.")) if isinstance(dtype, str) else dtype
    if known is None or known not in DTYPES.values():
        raise ValueError(
            f"dtype={short_repr(dtype)} is not allowed; choose one of {', '.join(f'torch.{name}' for name in DTYPES)}."
        )
    return known


def one_dtype(dtype: torch.dtype | str | None, torch_dtype: torch.dtype | str | None) -> torch.dtype:
    """What a network computes in: `dtype`, or the same by its older name; float32 where neither is given.

    Raises ValueError for two different ones.
    """
    chosen = [as_dtype(value) for value in (dtype, torch_dtype) if value is not None] or [torch.float32]
    if len(set(chosen)) > 1:
        raise ValueError(f"dtype={chosen[0]} and torch_dtype={chosen[1]} are one argument; give one of them.")
    return chosen[0]


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
    network is touched, as another thread may use it. A wrapped network's twin is that of the network inside.
    """
    inside: list[nn.Module | None] = [network]  # `modules()` is slower, by a tenth of a millisecond of every picture
    for module in inside:  # which grows meanwhile
        if module is not None and module.training:
            return _twin(unwrapped(network), {})
        inside += () if module is None else module._modules.values()
    return network


def _twin(module: nn.Module, twins: dict[int, nn.Module]) -> nn.Module:
    """A module in eval mode with the same tensors; `twins`, by the id of the original, keeps shared modules shared."""
    if id(module) in twins:
        return twins[id(module)]
    twin = twins[id(module)] = type(module).__new__(type(module))
    twin.__dict__.update(module.__dict__, training=False, _compiled_call_impl=None)  # compiled, it is in training mode
    twin._modules = {}
    for name, value in module.__dict__.items():  # a forward that was patched, as accelerate does, is still the module's
        if isinstance(value, MethodType) and value.__self__ is module:
            twin.__dict__[name] = MethodType(value.__func__, twin)
    for name, child in module._modules.items():
        # Of a compiled block, the block inside: the compiled call is in training mode.
        block = None if child is None else getattr(child, "_orig_mod", child)
        twin._modules[name] = None if block is None else _twin(block, twins)
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
