"""`gan-hub info`: shapes, networks, classes and scores of a model."""

import argparse

from gan_hub.cli.arguments import Commands, Parser, add_command, add_model, load_model

EXAMPLES = ["gan-hub info dcgan-mnist", "gan-hub info someone/their-gan --revision v1"]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "what a model is made of, its scores, and how well its discriminator judges"
    add_model(add_command(commands, "info", summary, run, EXAMPLES))


def run(args: argparse.Namespace) -> None:
    """Load a model and print its shapes, networks, classes, judge and, of a bundled one, scores."""
    from gan_hub.hub.resolve import bundled_models
    from gan_hub.hub.zoo import describe
    from gan_hub.images import height_width

    pipe = load_model(args)
    config = pipe.unwrapped_generator.config
    height, width = height_width(config["resolution"])
    print(f"{args.model}: images of {width} × {height} × {config['channels']} from {config['latent_size']} numbers")
    for name in ("generator", "discriminator"):
        network = getattr(pipe, name)
        if network is not None:
            parameters = sum(parameter.numel() for parameter in network.parameters())
            print(f"{name}: {type(network).__name__}, {parameters:,} parameters")
    print(f"classes: {', '.join(pipe.label_names) if pipe.label_names else 'none'}")
    if pipe.semantic_names:
        print(f"draws from maps of: {', '.join(pipe.semantic_names)}")
    judge = pipe.calibration
    if judge is not None:
        print(f"judge: held-out AUC {judge.auc:.3f}, calibration error {judge.error:.3f}, {judge.images:,} images")
    if args.model in bundled_models():  # the card of any other model may claim anything
        entry = describe(args.model, bundled_models()[args.model])
        scores = ", ".join(f"{name} {value:g}" for name, value in entry.scores.items())
        print(f"scores against {entry.dataset}, as its card states them: {scores}")
    print(f"files: {pipe.name_or_path}")
