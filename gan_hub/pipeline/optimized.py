"""`optimize` of a pipeline: its images drawn by the fastest engine of this machine, within a tolerance."""

import copy
import os
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from torch import nn

from gan_hub.engines.drop_in import DropIn, Running
from gan_hub.engines.record import Engine
from gan_hub.model_folder import reference
from gan_hub.models.modeling import evaluating
from gan_hub.pipeline.pretrained import PretrainedPipeline

Pipeline = TypeVar("Pipeline", bound="OptimizedPipeline")


class OptimizedPipeline(PretrainedPipeline):
    """A pipeline that draws with its generator, or with an engine that was made of it."""

    _drawing: Running | Engine | None = None  # an engine at work, or why there is none

    def optimize(
        self, engine: str = "auto", *, batch_size: int = 1, max_levels: float = 1, seconds: float = 2.0
    ) -> Self:
        """Draw faster: measure the engines that this machine can run, and take the fastest (docs/engines.md).

        The generator stays as it is, and so does what is saved; its weights lie in memory twice. Until then, and again after
        `engine="plain"`, `to()`, or a change of the generator, images are the generator's own, bit for bit. `engine` says what
        was chosen and why.

        Args:
            engine: "auto"; or one by its name, "plain", "torch", "torch-bfloat16", "onnxruntime", "cuda-graphs", "compile".
            batch_size: images at a time, for which it is to be fast; on a CPU a call that names no other draws by it.
            max_levels: how far a pixel may be from the generator's own, in levels of 255, from 0 to 255. An engine is taken
                where a few probes differ by half of it at most.
            seconds: of measuring, from 0 to 3600; making the engines comes on top.

        Returns:
            The pipeline.

        Raises:
            ValueError: for anything that is not allowed, and for an engine of a name that cannot be had here.
        """
        from gan_hub.engines.choose import choose  # brings torch.export, which takes a second

        self._drawing = choose(
            self.generator,
            engine,
            self.segmentations,
            batch_size=batch_size,
            max_levels=max_levels,
            seconds=seconds,
        )
        return self

    @property
    def engine(self) -> Engine:
        """What draws the images: the generator itself ("plain"), or what `optimize` chose, and why."""
        self._drawing_network()
        drawing = self._drawing
        if isinstance(drawing, Running):
            return drawing.record
        return drawing or Engine(dtype=self._dtype_name)

    @property
    def _dtype_name(self) -> str:
        return str(self.unwrapped_generator.dtype).removeprefix("torch.")

    def _drawing_network(self) -> nn.Module | DropIn:
        """What is called to draw: the engine as long as the generator is what it was made of, else the generator."""
        drawing = self._drawing
        if isinstance(drawing, Running):
            if drawing.serves(self.generator):
                return drawing.network
            self._to_plain(drawing, "the generator has changed since optimize()")
        return evaluating(self.generator)

    def _to_plain(self, drawing: Running, reason: str) -> None:
        reasons = {drawing.record.name: f"is no longer used: {reason}"}
        self._drawing = Engine(dtype=self._dtype_name, reasons=reasons)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move both networks, as `PretrainedPipeline.to`; images are drawn by the generator itself again."""
        super().to(*args, **kwargs)
        drawing = self._drawing
        if isinstance(drawing, Running):
            self._to_plain(drawing, "the pipeline was moved")
        else:
            self._drawing = None
        return self

    def verify_reference(self, folder: str | os.PathLike | None = None) -> int:
        """Draw the seeds of reference.safetensors again; returns the largest difference of a pixel, in levels of 255.

        0 on the kind of machine that saved it, 1 on others (rounding). The generator itself draws, also where an engine does
        otherwise. Raises LoadError above 2, or without the file.
        """
        plain = plain_twin(self)

        def draw(seeds: list[int]) -> np.ndarray:
            return plain(seeds=seeds, output_type="np").images

        return reference.largest_difference(Path(folder or self.name_or_path), draw)


def plain_twin(pipe: Pipeline) -> Pipeline:
    """A pipeline whose images are the generator's own, bit for bit: `pipe` itself, or a twin of it where an engine draws.

    Scores and calibrations are of these images, whatever is drawn for people.
    """
    if pipe.engine.name == "plain":
        return pipe
    twin = copy.copy(pipe)
    twin._drawing = None
    return twin
