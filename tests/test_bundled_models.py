"""Every bundled model loads as it was published: weights, names, concepts and calibration to the bit, images to the level.

`python tests/test_bundled_models.py` prints the table that tests/golden/bundled_models.json holds.
"""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gan_hub import GANPipeline
from gan_hub.hub.resolve import bundled_models

TABLE = Path(__file__).parent / "golden" / "bundled_models.json"


def digest(network: torch.nn.Module | None) -> str | None:
    """sha256 over the names, dtypes, shapes and bytes of a network's state dict, in its order."""
    if network is None:
        return None
    total = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        total.update(tensor.contiguous().numpy().tobytes())
    return total.hexdigest()


def concept_digest(concept) -> str:
    """sha256 over the direction, the exemplars and the measured effect of a concept."""
    values = [getattr(concept, field.name) for field in dataclasses.fields(concept) if field.name != "direction"]
    text = json.dumps([*values[:-1], dataclasses.asdict(values[-1])], ensure_ascii=False)  # the effect comes last
    return hashlib.sha256(text.encode() + concept.direction.numpy().tobytes()).hexdigest()


def facts(pipe: GANPipeline) -> dict:
    """What a loaded model is, in JSON."""
    maps = pipe.segmentations
    return {
        "classes": [type(network).__name__ for network in (pipe.generator, pipe.discriminator) if network is not None],
        "generator": digest(pipe.generator),
        "discriminator": digest(pipe.discriminator),
        "label_names": pipe.label_names,
        "semantic_names": pipe.semantic_names,
        "segmentations": None if maps is None else hashlib.sha256(maps.numpy().tobytes()).hexdigest(),
        "concepts": {name: concept_digest(concept) for name, concept in pipe.concepts.items()},
        "calibration": pipe.calibration and dataclasses.asdict(pipe.calibration),
    }


RECORDED = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.is_file() else {}


def test_the_table_names_every_bundled_model():
    assert list(RECORDED) == list(bundled_models())


@pytest.mark.parametrize("name", RECORDED)
def test_a_bundled_model_is_loaded_to_the_bit_as_it_was_published(name):
    pipe = GANPipeline.from_pretrained(name)
    assert facts(pipe) == RECORDED[name]
    reference = load_file(bundled_models()[name] / "reference.safetensors")
    images = pipe(seeds=reference["seeds"].tolist(), output_type="np").images
    assert images.shape == tuple(reference["images"].shape)
    gap = np.abs(images.astype(int) - reference["images"].numpy().astype(int)).max()
    assert gap <= 1  # another kind of machine may round a pixel to the next level


if __name__ == "__main__":
    table = {name: facts(GANPipeline.from_pretrained(name)) for name in bundled_models()}
    print(json.dumps(table, indent=1, ensure_ascii=False))
