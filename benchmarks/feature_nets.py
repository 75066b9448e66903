"""Trains and writes a feature extractor of gan_hub.metrics: `python benchmarks/feature_nets.py fashion|digits`.

About a minute and a half on one CPU core. The weights are overwritten: every score measured with them must be measured anew.
"""

import argparse

import torch
from safetensors.torch import save_file

from gan_hub.data import load_images
from gan_hub.images import from_uint8
from gan_hub.metrics.features import WEIGHTS, SmallClassifier

DATA = {"fashion": "fashion-mnist", "digits": "mnist"}


def accuracy(network: SmallClassifier, images: torch.Tensor, labels: torch.Tensor) -> float:
    network.eval()
    with torch.no_grad():
        guesses = torch.cat([network(batch).argmax(1) for batch in images.split(500)])
    return (guesses == labels).float().mean().item()


@torch.no_grad()
def unit_variance(network: SmallClassifier, images: torch.Tensor) -> None:
    """Scales the features to a mean variance of 1 over `images`; ReLU passes a factor on, so the logits stay the same."""
    network.eval()
    variance = torch.cat([network.features(batch) for batch in images.split(500)]).double().var(0).mean()
    factor = variance.rsqrt().float()
    network.hidden.weight.mul_(factor)
    network.hidden.bias.mul_(factor)
    network.classify.weight.div_(factor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=DATA)
    parser.add_argument("--data", help="a folder, zip or npz instead of the named data set")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    source = args.data or DATA[args.name]
    train, test = (load_images(source, 28, 1, split) for split in ("train", "test"))
    images, labels = from_uint8(train.images), torch.from_numpy(train.labels)
    torch.manual_seed(args.seed)
    network = SmallClassifier()
    steps = args.epochs * len(images) // 128
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    network.train()
    for step in range(steps):
        if step % (len(images) // 128) == 0:
            order = torch.randperm(len(images))
        batch = order[torch.arange(128) + 128 * (step % (len(images) // 128))]
        inputs = images[batch]
        if args.name == "fashion" and step % 2:  # clothes have no left and right; digits do
            inputs = inputs.flip(3)
        loss = torch.nn.functional.cross_entropy(network(inputs), labels[batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 0:
            print(f"step {step}/{steps}  loss {loss.item():.3f}", flush=True)

    unit_variance(network, images)
    score = accuracy(network, from_uint8(test.images), torch.from_numpy(test.labels))
    print(f"test accuracy {score:.4f}")
    WEIGHTS.mkdir(exist_ok=True)
    metadata = {
        "data": DATA[args.name],
        "test_accuracy": f"{score:.4f}",
        "epochs": str(args.epochs),
        "seed": str(args.seed),
    }
    save_file(network.state_dict(), WEIGHTS / f"{args.name}.safetensors", metadata)


if __name__ == "__main__":
    main()
