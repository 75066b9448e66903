"""Turns the Inception of FID into safetensors: `python benchmarks/convert_inception.py pt_inception….pth inception.safetensors`.

The .pth is that of pytorch-fid (github.com/mseitzer/pytorch-fid/releases/tag/fid_weights), and is opened only when its
sha256 is the published one. Prints the checksum by which gan_hub knows the weights again.
"""

import argparse
import hashlib
import io
from pathlib import Path

import torch
from safetensors.torch import save_file

from gan_hub.metrics.extractors.inception import TRUSTED_VARIABLE, tensors_sha256

PUBLISHED = (
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"  # its first digits are in the file's name
)


def convert(source: Path, target: Path, published: str = PUBLISHED) -> str:
    """Writes `target`, returns its tensors' checksum; raises ValueError where `source` is any other file."""
    data = source.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != published:
        raise ValueError(f"{source}: its sha256 is {found}; allowed: {published}.")
    tensors = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)  # the very bytes that were hashed
    tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    save_file(tensors, target, {"origin": f"pytorch-fid, sha256 {found}"})
    return tensors_sha256(tensors)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    print(f"export {TRUSTED_VARIABLE}={convert(args.source, args.target)}")
