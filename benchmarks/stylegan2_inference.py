"""CPU time of one StyleGAN2 image: one convolution shared by the batch against weights of its own for every image.

python benchmarks/stylegan2_inference.py [--resolution 64] [--rounds 9]     one thread; prints a table, writes nothing

The other form is the usual one for inference, equations 1 and 3 of arXiv 1912.04958 as they stand: a weight tensor is
made for each image and all of them go through one grouped convolution, in float32 and torch's default memory format.
Written here from the paper; it runs in our own generator, on the same weights, so that the two differ in the modulated
convolution alone: ours shares one, in float32 by winograd.py where it is large.

They take turns in one process, and what counts is the time that the process had the core, not what a clock on the wall
says, so that a busy machine slows both alike; the ratio is the median of the rounds' ratios. That time includes the
kernel's for handing out memory, which depends on what the allocator has kept: up to a tenth at a batch of 1.
"""

import argparse
import contextlib
import copy
import math
import os
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch.nn import functional

from gan_hub.models import stylegan2
from gan_hub.training.diagnostics import hardware


def per_sample(x, weight, styles, demodulate=True, double=None):
    """What `stylegan2.modulated_conv2d` gives, by weights (N, O, I, k, k) and a convolution in N groups."""
    count, (inputs, outputs) = len(x), (0, 1) if double is not None else (1, 0)
    own = (
        weight[None] * styles[:, None, :, None, None]
        if double is None
        else weight[None] * styles[:, :, None, None, None]
    )
    if demodulate:
        energy = own.square().sum((inputs + 1, 3, 4), keepdim=True)
        own = own * (energy + stylegan2.EPSILON).rsqrt()
    else:
        own = own / math.sqrt(weight.shape[inputs] * weight.shape[2] * weight.shape[3])
    images = x.contiguous().reshape(1, -1, *x.shape[2:])  # (1, N I, H, W)
    if double is None:
        out = functional.conv2d(images, own.flatten(0, 1), padding=weight.shape[2] // 2, groups=count)
    else:
        out = functional.conv_transpose2d(images, own.flatten(0, 1), stride=2, groups=count)
    out = out.reshape(count, weight.shape[outputs], *out.shape[2:])
    if double is not None:
        out = double.blur(out, padding=1, gain=4)
    return out, torch.ones(count, weight.shape[outputs]) if demodulate else None


@contextlib.contextmanager
def modulated_by(function):
    shared, stylegan2.modulated_conv2d = stylegan2.modulated_conv2d, function
    try:
        yield
    finally:
        stylegan2.modulated_conv2d = shared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--base-channels", type=int, default=256, help="feature maps at the image's own size")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each; the median counts")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    given = parser.parse_args()
    torch.set_num_threads(1)

    torch.manual_seed(0)
    exact = stylegan2.StyleGAN2Generator(given.resolution, base_channels=given.base_channels).eval()
    half = copy.deepcopy(exact).to(torch.bfloat16)
    plain = copy.deepcopy(exact)
    for parameter in plain.parameters():
        parameter.data = parameter.data.contiguous()

    def ours(z):
        return exact(z)

    def ours_autocast(z):
        with torch.autocast("cpu", torch.bfloat16):
            return exact(z)

    def ours_bf16(z):
        return half(z.bfloat16()).float()

    def theirs(z):
        with modulated_by(per_sample):
            return plain(z)

    contenders = {
        "weights for every image, float32": theirs,
        "shared, float32": ours,
        "shared, bfloat16 autocast": ours_autocast,
        "shared, bfloat16 weights too": ours_bf16,
    }
    print(
        f"StyleGAN2 {given.resolution} × {given.resolution}, {hardware(torch.device('cpu'))}, torch {torch.__version__}"
    )
    print("| batch | form | CPU ms an image | ratio (smallest and largest round) | error, relative |")
    print("|---|---|---|---|---|")
    for batch in given.batches:
        z = torch.randn(batch, 512)
        with torch.no_grad():
            images = {name: contender(z) for name, contender in contenders.items()}  # warm-up
            rounds = []
            for _ in range(given.rounds):
                times = {}
                for name, contender in contenders.items():
                    began = time.process_time()
                    contender(z)
                    times[name] = time.process_time() - began
                rounds.append(times)
        reference = images["weights for every image, float32"]
        for name in contenders:
            each = 1000 / batch * statistics.median(times[name] for times in rounds)
            ratios = [times["weights for every image, float32"] / times[name] for times in rounds]
            error = ((images[name] - reference).abs().mean() / reference.abs().mean()).item()
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
            print(f"| {batch} | {name} | {each:.0f} | {spread} | {error:.1e} |", flush=True)


if __name__ == "__main__":
    main()
