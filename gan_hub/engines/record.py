"""What was chosen, and why: the names of the engines and the record of one choice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

# Name → what it is, in a few words.
ENGINES = {
    "plain": "the generator as it is, bit for bit",
    "torch": "weights folded and packed once, float32",
    "torch-bfloat16": "the same in bfloat16",
    "onnxruntime": "the network as an ONNX graph in ONNX Runtime, float32",
    "cuda-graphs": "the launches of a GPU's kernels recorded once",
    "compile": "torch.compile, which needs a compiler",
}
AUTO = "auto"


@dataclass(frozen=True)
class Engine:
    """What draws a pipeline's images; `str()` says it in one sentence.

    Example:
        >>> from gan_hub import GANPipeline
        >>> pipe = GANPipeline.from_pretrained("mlp-mnist")
        >>> pipe.engine.name, str(pipe.engine)
        ('plain', 'plain, float32')
    """

    name: str = "plain"  # a key of ENGINES
    dtype: str = "float32"  # what it computes in
    batch_size: int = 1  # images at a time that were measured
    # Milliseconds an image of each engine that was timed, by the wall clock with torch's threads.
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    # The largest difference of each engine that was tried from `plain` in the probes, in levels of 255.
    levels: Mapping[str, float] = field(default_factory=dict)
    # Why each of the others was not taken.
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("milliseconds", "levels", "reasons"):  # the record is not changed
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self) -> tuple[Any, ...]:  # such views are not copied by themselves
        return Engine, (
            self.name,
            self.dtype,
            self.batch_size,
            *map(dict, (self.milliseconds, self.levels, self.reasons)),
        )

    def __str__(self) -> str:
        text = f"{self.name}, {self.dtype}"
        own, plain = self.milliseconds.get(self.name), self.milliseconds.get("plain")
        if own is not None:
            text += f": {own:.3g} ms an image, {_count(self.batch_size)} at a time"
            if self.name != "plain" and plain is not None:
                text += f", where plain takes {plain:.3g}"
        if self.name != "plain" and self.name in self.levels:
            text += f"; {self.levels[self.name]:.2g} of 255 levels from plain at most"
        others = [f"{name} {reason}" for name, reason in self.reasons.items()]
        return text + (f" ({'; '.join(others)})" if others else "")


def _count(number: int) -> str:
    return "one" if number == 1 else str(number)
