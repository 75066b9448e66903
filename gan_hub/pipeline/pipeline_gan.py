"""GANPipeline: seeds or latents → images, images → verdicts of the discriminator; one class for every published GAN.

Shapes: N images, C channels, H × W resolution, Z latent size, L rows of w, W size of w. Images are float in [-1, 1] inside.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import diffusers
import numpy as np
import torch
from torch import nn

from gan_hub import latents as latent_space
from gan_hub.engines.drop_in import DropIn
from gan_hub.images import height_width
from gan_hub.model_folder import concepts as directions
from gan_hub.models import GANModel
from gan_hub.models.mixins import StyleBased
from gan_hub.models.modeling import evaluating, precision
from gan_hub.pipeline.blocks import SingleImageBits, block_size
from gan_hub.pipeline.inputs import (
    ImagesIn,
    Labels,
    Segmentation,
    as_latents,
    as_pixels,
    as_w,
    batches,
    check_batch_size,
    class_numbers,
    label_indices,
    maps_of_images,
    maps_of_latents,
    seeds_and_latents,
)
from gan_hub.pipeline.optimized import OptimizedPipeline
from gan_hub.pipeline.outputs import GANOutput, Images, check_output_type, collect_images
from gan_hub.pipeline.streaming import check_shared, stream_block, stream_outputs
from gan_hub.pipeline.styled import StyledDrawing, other_noise, styled

ACCELERATOR_BATCH = 64  # images drawn or judged at a time


class GANPipeline(OptimizedPipeline):
    """A generator, its discriminator and the names of its classes; loads strictly, from safetensors only.

    Example:
        >>> from gan_hub import GANPipeline
        >>> pipe = GANPipeline.from_pretrained("dcgan-mnist")
        >>> images = pipe(seeds=[3, 14, 15], labels="7").images
        >>> [image.size for image in images]
        [(28, 28), (28, 28), (28, 28)]
        >>> pipe.judge(images, labels="7").shape
        torch.Size([3])
    """

    @staticmethod
    def _saved_class() -> type["GANPipeline"]:
        return GANPipeline

    # ---------------------------------------------------------------------------------------- sampling

    @property
    def latent_size(self) -> int:
        """The number Z of a latent's coordinates."""
        return self.unwrapped_generator.config["latent_size"]

    def sample_latents(self, seeds: Sequence[int]) -> torch.Tensor:
        """z of shape (N, Z), float32 on the CPU; row i depends on `seeds[i]` alone."""
        return latent_space.sample(seeds, self.latent_size, self.seeds_like)

    def labels_of(self, latents: torch.Tensor) -> torch.Tensor | None:
        """The class, int64 (N,), of each of `latents` (N, Z) where the caller names none; None without classes."""
        return label_indices(None, as_latents(latents, self.latent_size), self.label_names)

    @torch.no_grad()
    def __call__(
        self,
        seeds: Sequence[int] | None = None,
        *,
        latents: torch.Tensor | np.ndarray | None = None,
        num_images: int | None = None,
        seed: int | None = None,
        labels: Labels = None,
        truncation: float = 1.0,
        output_type: str = "pil",
        batch_size: int | None = None,
        segmentation: Segmentation = None,
        concepts: Mapping[str, float] | None = None,
        noise: str | None = None,
    ) -> GANOutput:
        """Draw images: of `seeds`, of own `latents`, or `num_images` of seed, seed + 1, …

        The same seed gives the same image in any batch, thread and dtype or device that torch may have for a default, and
        inside autocast as outside: the arithmetic is that of the generator's own dtype. A machine of another kind, or
        another number of torch's threads, may round a pixel to the next of 256 levels.

        Args:
            seeds: a whole number from 0 to 2**32 − 1 an image.
            latents: own latents (N, Z).
            num_images, seed: how many images, at most 1,000,000, and the first of their seeds; random where it is None.
            labels: a name or an index for all images, or one an image; or floats (N, K), each image's shares of the classes,
                which blend them. Without, each latent of a conditional model takes a class of its own, always the same.
            truncation: from 1 (none) to 0 (the mean): interpolates w, or z in a model without a w, towards its mean.
            output_type: "pil"; "pt", float (N, C, H, W) in [-1, 1]; "np", uint8 (N, H, W, C).
            batch_size: images at a time; by default 64, on a CPU as many as keep each one's bits (docs/commands.md).
            segmentation: the semantic class of each pixel, for a model that draws from maps: whole numbers (H, W) for all
                images or (N, H, W), or pictures of mode L or P. Without, each latent takes one of the model's examples.
            concepts: strengths by name, as in {"thickness": 1.0}, from −10 to 10: moves each image along these of the
                model's `concepts`, in z before truncation, in w after it; its class and its map stay as they were.
            noise: of a StyleGAN's pixels: "const", the network's own, the same in all images and the default; "random", each
                latent's own, always the same; "none".

        Returns: the images, and what makes them again.

        Raises:
            ValueError: for anything that is not allowed.
        """
        check_output_type(output_type)
        generator = self.unwrapped_generator
        seeds, z = seeds_and_latents(seeds, latents, num_images, seed, self.latent_size, self.seeds_like)
        indices = label_indices(labels, z, self.label_names, with_shares=True)
        maps = maps_of_latents(segmentation, z, generator, self.segmentations)
        shifts = directions.shifts(directions.by_name(self.concepts, generator.latent_sizes), concepts)
        psi = latent_space.check_psi(truncation)
        pixels, classes = other_noise(noise, generator), indices if maps is None else maps

        def prepare(rows: torch.Tensor) -> torch.Tensor:
            return latent_space.truncate(rows + shifts["z"] if "z" in shifts else rows, psi)

        draw = _draw
        if isinstance(generator, StyleBased) and (psi != 1 or "w" in shifts or pixels is not None):
            draw = StyledDrawing(psi, shifts, pixels)
            prepare = draw.prepare
        images = self._drawn(draw, z, classes, batch_size, output_type, prepare, pixels is not None)
        return GANOutput(images, z, class_numbers(indices), seeds, maps)

    def stream(
        self,
        seeds: Iterable[int],
        *,
        labels: str | int | None = None,
        block_size: int | None = None,
        batch_size: int | None = None,
        output_type: str = "pil",
        progress: bool = False,
        **options: Any,
    ) -> Iterator[GANOutput]:
        """Draw any number of images, a block at a time, in the memory of one block; the images are those of `pipe(seeds)`.

        A block is drawn when it is asked for, so a loop may end at any time.

        Args:
            seeds: a whole number from 0 to 2**32 − 1 an image, from anything that can be iterated over, also without end.
            labels: a name or an index for all images; without, each takes a class of its own, as in sampling.
            block_size: images of an output; by default 256, fewer where they are large. A multiple of `batch_size`.
            batch_size, output_type: as in sampling.
            progress: whether to show a bar on stderr.
            **options: truncation, concepts, noise and segmentation, one for all images, as in sampling.

        Yields: an output for each block of seeds; the last may be smaller.

        Raises:
            ValueError: for anything that is not allowed: at once, but for a seed, which is refused before its block.
        """
        check_shared(labels, options.get("segmentation"))
        batch = check_batch_size(batch_size)
        options |= {"labels": labels, "batch_size": batch, "output_type": output_type}
        self([], **options)  # refuses what is not allowed, but for a label, of which it needs none
        label_indices(labels, self.sample_latents([0]), self.label_names)
        size = stream_block(self.unwrapped_generator.config, block_size, batch or _alone(self.device))
        return stream_outputs(partial(self, **options), seeds, size, progress)

    def _drawn(
        self,
        draw: Callable[..., torch.Tensor],
        rows: torch.Tensor,
        labels: torch.Tensor | None,
        batch_size: int | None,
        output_type: str,
        prepare: Callable[[torch.Tensor], torch.Tensor] | None = None,
        is_plain: bool = False,
    ) -> Images:
        """Images that `draw` (generator, latents or w, labels) makes of the rows, prepared by the batch, as `output_type`."""
        config = self.unwrapped_generator.config
        drawn = self._drawn_batches(self._network_for(labels, is_plain), draw, rows, labels, batch_size, prepare)
        return collect_images(drawn, len(rows), config["resolution"], config["channels"], output_type)

    def _drawn_batches(
        self,
        generator: nn.Module | DropIn,
        draw: Callable[..., torch.Tensor],
        rows: torch.Tensor,
        labels: torch.Tensor | None,
        batch_size: int | None,
        prepare: Callable[[torch.Tensor], torch.Tensor] | None,
    ) -> Iterator[torch.Tensor]:
        """Images (n, C, H, W) in [-1, 1], float32 on the CPU, batch by batch."""
        bare = self.unwrapped_generator
        (device, dtype), shape = _place(bare), (bare.config["channels"], *height_width(bare.config["resolution"]))

        def drawn(batch: torch.Tensor, *conditions: torch.Tensor) -> torch.Tensor:
            batch = batch if prepare is None else prepare(batch)
            with precision(device, force_fp32=True):
                return draw(generator, batch.to(device, dtype), *(each.to(device) for each in conditions))

        usual = self.engine.batch_size if isinstance(generator, DropIn) and device.type == "cpu" else ACCELERATOR_BATCH
        size = check_batch_size(batch_size) or usual
        # As if each image were drawn alone; an engine promises its tolerance and no bits.
        exact = batch_size is None and device.type == "cpu" and not isinstance(generator, DropIn)
        if exact:  # a network that is compiled or wrapped may look at its batch in ways of its own
            size = block_size(bare, drawn, rows, labels) if isinstance(generator, GANModel) else 1
        for batch, *conditions in batches(size, rows, labels, rest=1 if exact else None):
            with SingleImageBits(size) if exact and len(batch) > 1 else nullcontext():
                images = drawn(batch, *conditions)
            if images.shape != (len(batch), *shape):  # of a network from outside the package
                raise ValueError(
                    f"{type(bare).__name__} made images of shape {tuple(images.shape)}; by its config they are "
                    f"{(len(batch), *shape)}."
                )
            yield images.clamp(-1, 1).float().cpu()

    def _network_for(self, classes: torch.Tensor | None, is_plain: bool = False) -> nn.Module | DropIn:
        """What is called to draw: the generator itself for what engines do not know, shares of classes and other noise."""
        by_shares = classes is not None and classes.is_floating_point()
        return evaluating(self.generator) if is_plain or by_shares else self._drawing_network()

    @torch.no_grad()
    def map(self, z: torch.Tensor, labels: Labels = None, truncation: float = 1.0) -> torch.Tensor:
        """Maps latents to w: a row for each of L layers, which `synthesize` draws from.

        Rows of several images can be mixed (`latents.mix_styles`), and w can be interpolated like z.

        Args:
            z: latents (N, Z).
            labels: as in sampling.
            truncation: as in sampling.

        Returns: w (N, L, W), float32 on the CPU.

        Raises:
            ValueError: for a model without a w, and for what sampling refuses.
        """
        bare = self._need_w()
        z = as_latents(z, self.latent_size)
        psi, indices = latent_space.check_psi(truncation), label_indices(labels, z, self.label_names, with_shares=True)
        generator, (device, dtype) = styled(self._network_for(indices)), _place(bare)
        ws = [torch.empty(0, bare.rows, len(bare.w_avg), dtype=torch.float32, device="cpu")]
        for batch, *conditions in batches(_alone(device), z, indices):
            with precision(device, force_fp32=True):
                conditions = (each.to(device) for each in conditions)
                ws.append(generator.map(batch.to(device, dtype), *conditions, truncation=psi).float().cpu())
        return torch.cat(ws)

    @torch.no_grad()
    def synthesize(self, w: torch.Tensor, output_type: str = "pil", batch_size: int | None = None) -> Images:
        """Draw images from w: what `map` gave, mixed, moved or averaged.

        Args:
            w: (N, L, W).
            output_type: as in sampling.
            batch_size: as in sampling.

        Returns: the images.

        Raises:
            ValueError: for a model without a w, and for a w of another shape or with NaN or Inf in it.
        """
        check_output_type(output_type)
        bare = self._need_w()
        ws = as_w(w, bare.rows, len(bare.w_avg))
        return self._drawn(lambda network, ws: styled(network).synthesize(ws), ws, None, batch_size, output_type)

    def _need_w(self) -> StyleBased:
        generator = self.unwrapped_generator
        if not isinstance(generator, StyleBased):
            raise ValueError(f"this model's generator ({type(generator).__name__}) has no w; its latents are z alone.")
        return generator

    # ----------------------------------------------------------------------------------------- judging

    @torch.no_grad()
    def discriminate(
        self,
        images: ImagesIn,
        labels: Labels = None,
        batch_size: int | None = None,
        segmentation: Segmentation = None,
    ) -> torch.Tensor:
        """Scores images by the discriminator: raw logits on no fixed scale, higher is more real.

        An image's logit does not depend on the others.

        Args:
            images: a PIL image or a list of them (any size: cropped, resized and converted as for training), uint8
                (N, H, W, C), or float (N, C, H, W) in [-1, 1].
            labels: as in sampling; without, a conditional discriminator takes the class that suits each image best.
            batch_size: as in sampling.
            segmentation: as in sampling; a model that draws from maps needs them to judge as well. Its logit is the
                mean of those of the patches.

        Returns: (N,), float32 on the CPU.

        Raises:
            ValueError: where the model has no discriminator, or the images have another shape or range.
        """
        bare = self.unwrapped_discriminator
        if self.discriminator is None or bare is None:
            raise ValueError("this model was published, or loaded, without a discriminator.")
        pixels = as_pixels(images, bare.config)
        if self.label_names is not None and labels is None:
            each = [self.discriminate(pixels, index, batch_size) for index in range(len(self.label_names))]
            return torch.stack(each).amax(0)
        indices = label_indices(labels, pixels, self.label_names)
        maps = maps_of_images(segmentation, len(pixels), self.unwrapped_generator)
        discriminator, (device, dtype) = evaluating(self.discriminator), _place(bare)
        size = check_batch_size(batch_size) or _alone(device)
        logits = [torch.empty(0, dtype=torch.float32, device="cpu")]
        for batch, *conditions in batches(size, pixels, indices if maps is None else maps):
            with precision(device, force_fp32=True):
                conditions = (each.to(device) for each in conditions)
                scores = discriminator(batch.to(device, dtype), *conditions).float().cpu()  # (N,), or (N, P) of patches
            logits.append(scores if scores.dim() == 1 else scores.mean(1))
        return torch.cat(logits)

    def judge(self, images: ImagesIn, labels: Labels = None, segmentation: Segmentation = None) -> torch.Tensor:
        """The calibrated probability that each image is real, where real and generated ones are equally likely.

        Surer with the `labels` of a conditional model than without; each way has a calibration of its own.

        Args:
            images, labels, segmentation: as in `discriminate`.

        Returns: (N,), from 0 to 1.

        Raises:
            ValueError: where the model has no judge.json, and for what `discriminate` refuses.
        """
        if self.calibration is None:
            raise ValueError(
                "this model's discriminator was never calibrated (no judge.json); discriminate() gives raw logits."
            )
        scale, bias = self.calibration.line(labels is not None)
        return torch.sigmoid(scale * self.discriminate(images, labels, segmentation=segmentation) + bias)

    def judge_pair(
        self, left: ImagesIn, right: ImagesIn, labels: Labels = None, segmentation: Segmentation = None
    ) -> torch.Tensor:
        """The probability that `left` is real where one of two images is: sigmoid of scaled D(l) − D(r).

        With judge()'s odds for each image alone, Bayes' rule gives exactly this, and the bias cancels. An uncalibrated
        discriminator uses scale 1.

        Args:
            left, right: N images each, as in `discriminate`.
            labels, segmentation: as in `discriminate`, of both images of a pair.

        Returns: (N,), from 0 to 1.

        Raises:
            ValueError: for different numbers of images, and for what `discriminate` refuses.
        """
        scale = 1.0 if self.calibration is None else self.calibration.line(labels is not None)[0]
        config = self.unwrapped_generator.config
        left, right = as_pixels(left, config), as_pixels(right, config)
        if len(left) != len(right):
            raise ValueError(f"left has {len(left)} images and right has {len(right)}; a pair is one of each.")
        first, second = (self.discriminate(each, labels, segmentation=segmentation) for each in (left, right))
        return torch.sigmoid(scale * (first - second))


def _draw(network: nn.Module | DropIn, *batch: torch.Tensor) -> torch.Tensor:
    return network(*batch)


def _place(network: GANModel) -> tuple[torch.device, torch.dtype]:
    """Device and dtype; diffusers' own properties ask every module, which takes as long as a small network."""
    first = next(network.parameters())
    return first.device, first.dtype


def _alone(device: torch.device) -> int:
    """Rows at a time where none may depend on the others: on a CPU sums over several round otherwise."""
    return 1 if device.type == "cpu" else ACCELERATOR_BATCH


# diffusers looks classes up by name in itself: its own loader then ends in the sentence of `extract_init_dict`.
diffusers.GANPipeline = GANPipeline  # pyright: ignore[reportAttributeAccessIssue]
