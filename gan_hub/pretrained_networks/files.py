"""The weight files of other people's networks that the package ships: one table, each file known by its checksum."""

import functools
from dataclasses import dataclass
from pathlib import Path

from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError, read_bytes, sha256

WEIGHTS = Path(__file__).parent / "weights"
MAX_BYTES = 10_000_000  # more than any of the files has


@dataclass(frozen=True)
class PretrainedFile:
    """One weight file, and whose it is.

    Args:
        file_name: its name in the folder `weights`.
        sha256: its checksum, 64 hex digits.
        license: SPDX name of its license; the notices lie beside the file.
        origin: where the weights come from, and what was done to them.
        paper: where the network is described.

    Example:
        >>> from gan_hub.pretrained_networks import PRETRAINED
        >>> PRETRAINED["squeezenet"].license
        'BSD-2-Clause'
    """

    file_name: str
    sha256: str
    license: str
    origin: str
    paper: str


PRETRAINED = {
    "mobilenet-v2": PretrainedFile(
        "mobilenet_v2_imagenet_fp16.safetensors",
        "77836b2012ea5b7acc36c6e5759ecb654e1ad40e6a64527c9383e38878d6846e",
        "Apache-2.0",
        "google-coral/test_data, tf2_mobilenet_v2_1.0_224_ptq.tflite: int8 dequantized, batch norm folded, in float16",
        "Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks",
    ),
    "squeezenet": PretrainedFile(
        "squeezenet_v10_imagenet_fp16.safetensors",
        "c555ffcc06424b4e16dc09f97a18e362a42cf336b1b6c311c7354304357c4927",
        "BSD-2-Clause",
        "songhan/SqueezeNet-Deep-Compression, compressed_SqueezeNet.net: decoded, in float16",
        "Iandola et al. 2016, SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
    ),
}


def path_of(name: str) -> Path:
    """The path of a shipped weight file, whose checksum is compared once in a process.

    Raises ValueError for a name that is not in PRETRAINED, LoadError naming the file where it is missing or differs.
    """
    if name not in PRETRAINED:
        raise ValueError(
            f"pretrained network {short_repr(name)} is not allowed; choose one of {', '.join(PRETRAINED)}."
        )
    path = WEIGHTS / PRETRAINED[name].file_name
    if not path.exists():
        raise LoadError(f"{path}: not found; installing gan_hub again brings it back.")
    _compare(path, PRETRAINED[name].sha256)
    return path


@functools.cache  # an error is not remembered: a file that was put right is read again
def _compare(path: Path, expected: str) -> None:
    actual = sha256(read_bytes(path, MAX_BYTES))
    if actual != expected:
        raise LoadError(
            f"{path}: damaged, its sha256 is {actual} and not {expected}; installing gan_hub again brings it back."
        )
