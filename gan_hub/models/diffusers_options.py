"""Arguments that users of diffusers know, of loading and saving: what is followed, and what is refused, with the reason."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import torch

from gan_hub.devices import find_device
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import VARIANTS
from gan_hub.model_folder.strict import LoadError

_NO_CODE = "no code of a repository is ever run"
_SAFETENSORS_ONLY = "weights are read from safetensors files only"
_ONE_DEVICE = "a network is loaded whole, into the memory of one device; dtype=torch.float16 halves it"
# Keyword of diffusers → why it is refused. None, False and "", which ask for nothing, are taken.
REFUSED_ON_LOAD = {
    "trust_remote_code": _NO_CODE,
    "custom_pipeline": _NO_CODE,
    "custom_revision": _NO_CODE,
    "load_connected_pipeline": "a GAN's folder is complete in itself",
    "quantization_config": f"quantized weights are not supported; {_ONE_DEVICE}",
    "use_flashpack": _SAFETENSORS_ONLY,
    "use_onnx": _SAFETENSORS_ONLY,
    "from_flax": _SAFETENSORS_ONLY,
    "provider": _SAFETENSORS_ONLY,
    "provider_options": _SAFETENSORS_ONLY,
    "sess_options": _SAFETENSORS_ONLY,
    "max_memory": _ONE_DEVICE,
    "offload_folder": _ONE_DEVICE,
    "offload_state_dict": _ONE_DEVICE,
    "parallel_config": _ONE_DEVICE,
    "tp_plan": _ONE_DEVICE,
    "disable_mmap": "files are never mapped into memory, but read once and verified",
    "output_loading_info": "there are no missing or unexpected weights to tell of: they raise LoadError",
    "ignore_mismatched_sizes": "weights of another shape raise LoadError",
    "proxies": "set the environment variable HTTPS_PROXY in its place",
}
REFUSED_ON_SAVE = {
    "max_shard_size": "the weights of one network are one file",
    "use_flashpack": "weights are written as safetensors files only",
    "subfolder": "a model's files lie at the root of its repository",
    "save_function": "weights are written as safetensors files only",
}


def refuse_options(method: str, options: Mapping[str, object], reasons: Mapping[str, str]) -> None:
    """Refuse keyword arguments that a method does not take.

    Args:
        method: its name, for the message.
        options: the arguments, by name.
        reasons: keyword of diffusers → why it is refused where it asks for something.

    Raises:
        ValueError: for one of these.
        TypeError: for an unknown keyword.
    """
    for name, value in options.items():
        if name not in reasons:
            raise TypeError(f"{method}() got an unexpected argument {name!r}.")
        if value is not None and value is not False and value != "":
            raise ValueError(f"{name}={short_repr(value)} is not supported: {reasons[name]}.")


def one_source(source: str | os.PathLike | None, alias: str | os.PathLike | None) -> str | os.PathLike:
    """The model to load: `source`, or the same by diffusers' keyword.

    Raises TypeError for both, LoadError for neither.
    """
    if source is not None and alias is not None:
        raise TypeError(
            "from_pretrained() got the model twice: as its first argument and as pretrained_model_name_or_path=."
        )
    chosen = alias if source is None else source
    if chosen is None:
        raise LoadError("a model is given as a folder, a bundled name or a Hub id, not as NoneType.")
    return chosen


def refuse_pickles(use_safetensors: object) -> None:
    """Raise ValueError for use_safetensors=False; True and None, diffusers' default, are what is done anyway."""
    if use_safetensors is not None and not use_safetensors:
        raise ValueError("use_safetensors=False is not allowed: pickles can run code and are never loaded.")


def one_device(device_map: object) -> torch.device | None:
    """The device that a `device_map` of diffusers means: "cuda", or {"": "cuda"}; None for none.

    Raises ValueError for a device that is not on this machine, for a map over several devices, and for "auto" and
    "balanced", which make one.
    """
    if isinstance(device_map, Mapping) and set(device_map) == {""}:
        device_map = device_map[""]
    if device_map is None or isinstance(device_map, torch.device):
        return None if device_map is None else find_device(device_map)
    if type(device_map) is int and torch.accelerator.is_available():
        return find_device(torch.device(device_map))
    if not isinstance(device_map, str) or device_map in ("auto", "balanced", "balanced_low_0", "sequential"):
        raise ValueError(
            f"device_map={short_repr(device_map)} is not supported: a GAN fits on one device; give that one, as in "
            'device_map="cuda", or call .to("cuda").'
        )
    return find_device(device_map)


def one_subfolder(subfolder: str | os.PathLike | None) -> str:
    """A network's folder within a model's, with / between the parts; "" for the model's folder itself.

    Raises ValueError for a path that leads out of the model's folder.
    """
    if not subfolder:
        return ""
    if not isinstance(subfolder, (str, os.PathLike)):
        raise ValueError(f"subfolder={short_repr(subfolder)} is not allowed; it is a name, such as generator.")
    path = PurePosixPath(os.fspath(subfolder))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(
            f"subfolder={short_repr(subfolder)} is not allowed; it lies within the model, as generator does."
        )
    return "" if str(path) == "." else str(path)


def folder_to_save(save_directory: str | os.PathLike) -> Path:
    """The folder of `save_pretrained`; raises ValueError for an empty name, which would mean the folder one is in."""
    if not os.fspath(save_directory):
        raise ValueError("save_directory is empty; give the folder to save in, '.' for the one you are in.")
    return Path(save_directory)


def variant_to_save(safe_serialization: object, variant: str | None) -> str | None:
    """The variant of `save_pretrained(folder, safe_serialization, variant)`, as in diffusers.

    Release 0.1 had the variant in second place, so that `save_pretrained(folder, "fp16")` means one, too.

    Raises:
        ValueError: for safe_serialization=False, and for a variant that is not known.
        TypeError: for two variants.
    """
    if isinstance(safe_serialization, str):
        if variant is not None:
            raise TypeError(f"save_pretrained() got two variants, {safe_serialization!r} and {short_repr(variant)}.")
        variant = safe_serialization
    elif safe_serialization is not None and not safe_serialization:
        raise ValueError("safe_serialization=False is not allowed: pickles can run code and are never written.")
    if variant is not None and variant not in VARIANTS:
        raise ValueError(f"variant {short_repr(variant)} is not allowed; choose one of {', '.join(VARIANTS)}, or none.")
    return variant
