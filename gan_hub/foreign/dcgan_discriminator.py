"""DCGAN discriminators of many programs: convolutions of stride 2, and one more, or a linear map, to a logit.

Like generators, they do not say their activation; nor whether 1 was said of real images or of generated ones.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch

from gan_hub.foreign.chains import Layer, find_state, folded, in_order, read_layers
from gan_hub.foreign.report import Answers, Report
from gan_hub.foreign.sizes import Widths, hundredths
from gan_hub.foreign.weights import fill, plain_names, without_spectral_norm
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator, stage_grids, stage_widths

HOLDERS = (
    "discriminator", "netD", "netD_state_dict", "discriminator_state_dict", "D", "disc", "critic", "state_dict", "model",
    "model_state_dict",
)  # fmt: skip
OWN_HOLDERS = HOLDERS[:7]  # that mean a discriminator beside a generator, too


def is_beside(content: Any) -> bool:
    """Whether a generator's file has a discriminator, too."""
    return isinstance(content, dict) and any(content.get(name) is not None for name in OWN_HOLDERS)


def is_alone(content: Any) -> bool:
    """Whether a file has the discriminator of a DCGAN, and maybe nothing else."""
    return find_layers(content) is not None


def find_layers(content: Any) -> list[Layer] | None:
    """The chain of a discriminator, from the image to the logit, with plain weights; None for anything else."""
    state = find_state(content, HOLDERS)
    return None if state is None else in_order(without_spectral_norm(plain_names(state))[0], _chain)


def _chain(state: dict[str, torch.Tensor]) -> list[Layer] | None:
    layers = read_layers(state)
    if not layers or len(layers) < 2 or any(layer.weight.dim() != 4 for layer in layers[:-1]):
        return None
    *downs, last = layers
    features = downs[-1].weight.shape[0]
    side = round((last.weight[0].numel() / features) ** 0.5)
    if last.weight.shape[0] != 1 or last.norm is not None or last.weight[0].numel() != features * side**2:
        return None
    layers = [*downs, last._replace(weight=last.weight.reshape(1, features, side, side))]
    fits = all(after.weight.shape[1] == before.weight.shape[0] for before, after in pairwise(layers))
    square = all(layer.weight.shape[2] == layer.weight.shape[3] for layer in layers)
    return layers if fits and square else None


def convert(content: Any, generator: DCGANGenerator, answers: Answers, report: Report) -> DCGANDiscriminator:
    """Build the discriminator of a file.

    Args:
        content: what `read_foreign` gave.
        generator: that it joins.
        answers: `discriminator_negative_slope`, and `real_label`, which is taken for 1 where it is not said.
        report: what was done is written into.

    Returns: the discriminator.

    Raises:
        LoadError: for one that DCGAN here cannot have, or that is of other images.
        ValueError: for an answer that is not allowed.
    """
    layers = find_layers(content)
    if layers is None:
        raise LoadError("its discriminator is no chain of convolutions, batch norms and one logit")
    if answers.real_label not in (None, 0, 1):
        raise ValueError(f"real_label={answers.real_label} is not allowed; it is 1 or 0.")
    config = generator.config
    if layers[0].weight.shape[1] != config["channels"]:
        raise LoadError(
            f"its discriminator takes {layers[0].weight.shape[1]} channel(s), but the generator makes {config['channels']}"
        )
    network = _built(layers, config, answers)
    state = find_state(content, HOLDERS) or {}
    norms = without_spectral_norm(plain_names(state))[1]
    if norms:
        report.folded.append(f"the spectral norms of {norms} layers of the discriminator into their weights")
    made = _state(layers, network, report)
    if answers.real_label == 0:
        made |= {name: -made[name] for name in ("score.weight", "score.bias")}
        report.folded.append("the sign of the discriminator's logits, which were high for generated images")
    elif answers.real_label is None:
        report.lost.append(
            "whether real images were labelled 1 or 0, which was not said: its logits are taken to be high for them"
        )
    fill(network, {name: tensor.float() for name, tensor in made.items()} | _counts(network), "its discriminator")
    report.renamed += len(made)
    report.recognized += f"; a discriminator of {len(layers)} layers"
    return network


def _built(layers: list[Layer], config: Mapping[str, Any], answers: Answers) -> DCGANDiscriminator:
    *downs, last = layers
    end, resolution = last.weight.shape[2], config["resolution"]
    kernels = [layer.weight.shape[2] for layer in downs]
    side = resolution
    for kernel in kernels:
        odd = side % 2
        if kernel not in ((3,) if odd else (2, 4)):
            allowed = "3 × 3 at an odd side" if odd else "4 × 4 or 2 × 2"
            raise LoadError(
                f"its discriminator has a kernel of {kernel} × {kernel} at a side of {side}; allowed: {allowed}"
            )
        side = -(-side // 2)
    if side != end:
        raise LoadError(
            f"its discriminator ends at {end} × {end}, but {len(downs)} halvings of {resolution} end at {side} × {side}"
        )
    widths = [layer.weight.shape[0] for layer in reversed(downs)]
    start = 0 if stage_grids(resolution)[0][0] == end else end
    options = Widths(base_channels=widths[-1], max_channels=max(widths))
    if stage_widths(resolution, **options, start=start) != widths:
        raise LoadError(f"its discriminator's feature maps are {widths[::-1]}; allowed: doubled up to a largest number")
    return DCGANDiscriminator(
        resolution=resolution,
        channels=config["channels"],
        norm="batch" if all(layer.norm is not None for layer in downs[1:]) and len(downs) > 1 else "none",
        leak=hundredths("discriminator_negative_slope", answers.discriminator_negative_slope),
        start=start,
        unit_range=answers.output == "sigmoid",
        **options,
    )


def _state(layers: list[Layer], network: DCGANDiscriminator, report: Report) -> dict[str, torch.Tensor]:
    """Our tensors, apart from the counts of batches."""
    *downs, last = layers
    state = {"score.weight": last.weight.flatten(1), "score.bias": torch.zeros(1) if last.bias is None else last.bias}
    for stage, layer in enumerate(downs):
        keeps_norm = stage > 0 and network.config["norm"] == "batch"
        if layer.norm is not None and not keeps_norm:
            layer = folded(layer, 0)
            report.folded.append(f"the batch norm of the discriminator's layer {stage} into its weights")
        weight = layer.weight
        if weight.shape[2] == 2:  # stride 2 without padding is the middle of 4 × 4 with a padding of 1
            weight = torch.nn.functional.pad(weight, (1, 1, 1, 1))
            report.folded.append(
                f"the 2 × 2 kernels of the discriminator's layer {stage} into the middle of 4 × 4 ones"
            )
        state[f"downs.{stage}.weight"] = weight
        bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias
        if layer.norm is None:
            state[f"downs.{stage}.bias"] = bias
        else:
            state |= {f"norms.{stage}.{name}": tensor for name, tensor in layer.norm.items()}
            state[f"norms.{stage}.running_mean"] = layer.norm["running_mean"] - bias
    return state


def _counts(network: DCGANDiscriminator) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(0) for name in network.state_dict() if name.endswith("num_batches_tracked")}
