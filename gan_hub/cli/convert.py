"""`gan-hub convert`: a checkpoint of another program becomes a model folder."""

import argparse
from pathlib import Path

from gan_hub.cli.arguments import Commands, Parser, add_command, output_folder

EXAMPLES = [
    "gan-hub convert network-snapshot.pkl my-gan --license cc-by-nc-4.0 --origin https://example.org/ffhq",
    "gan-hub convert network-snapshot.pkl my-gan --compare seed0085.png --seed 85",
    "gan-hub convert netG.pth my-gan --negative-slope 0 --output tanh --latents normal "
    "--discriminator netD.pth --discriminator-negative-slope 0.2",
]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = (
        "make a model of another program's checkpoint (.pkl, .pt, .pth, .bin, .safetensors), running nothing in it"
    )
    parser = add_command(commands, "convert", summary, run, EXAMPLES)
    parser.add_argument("file", type=Path, metavar="FILE", help="the checkpoint")
    parser.add_argument("out", type=output_folder, metavar="OUT", help="the model's folder, new or empty")
    about = parser.add_argument_group("for the model's card")
    about.add_argument("--license", metavar="NAME", help="the licence that the weights came under")
    about.add_argument("--origin", metavar="TEXT", help="where the file came from, as an address")
    about.add_argument(
        "--label-names", nargs="+", metavar="NAME", help="one a class, in their order; by default their numbers"
    )
    unsaid = parser.add_argument_group("what the file of a plain network does not say")
    unsaid.add_argument(
        "--negative-slope",
        type=float,
        metavar="SLOPE",
        help="of its activation below 0: 0 for ReLU, 0.2 for a leaky one",
    )
    unsaid.add_argument("--output", choices=("tanh", "sigmoid", "none"), help="how its images come within bounds")
    unsaid.add_argument(
        "--latents", choices=("normal", "uniform"), help="what it was trained on; uniform is from −1 to 1"
    )
    unsaid.add_argument(
        "--start-activation",
        action=argparse.BooleanOptionalAction,
        help="whether an activation follows its first layer, where no norm does",
    )
    unsaid.add_argument(
        "--layers", type=Path, metavar="FILE", help="JSON: the list of a generator's layers (docs/converting.md)"
    )
    _add_spade(parser)
    judge = parser.add_argument_group("the discriminator of a DCGAN, MSG-GAN or SPADE, which is another file")
    judge.add_argument("--discriminator", type=Path, metavar="FILE", help="its checkpoint, to be joined to the model")
    judge.add_argument(
        "--discriminator-negative-slope", type=float, metavar="SLOPE", help="of its activation below 0 (usually 0.2)"
    )
    judge.add_argument(
        "--real-label", type=int, choices=(0, 1), help="what it was trained to say of real images (1 is taken)"
    )
    check = parser.add_argument_group("compare with a picture that the file's own program made")
    check.add_argument("--compare", type=Path, metavar="PICTURE", help="the picture")
    check.add_argument("--seed", type=int, help="the seed that it was made of")
    check.add_argument("--truncation", type=float, default=1.0, metavar="PSI", help="its truncation (1, none)")


def _add_spade(parser: Parser) -> None:
    """Add what is asked of a SPADE alone."""
    maps = parser.add_argument_group("what the file of a SPADE does not say; its opt.txt does")
    maps.add_argument(
        "--upsampling-layers",
        choices=("normal", "more", "most"),
        help="two of these have the same file, and draw differently",
    )
    maps.add_argument("--resolution", metavar="SIZE", help="of its images: 256, or 256x512, height first")
    maps.add_argument(
        "--instance-edges",
        action=argparse.BooleanOptionalAction,
        help="whether the last plane of its maps is the edges of objects (it is unless it was trained with --no_instance)",
    )
    maps.add_argument(
        "--maps",
        type=Path,
        metavar="FOLDER",
        help="example maps for the model, pictures whose numbers are classes; by default some are made up",
    )


def run(args: argparse.Namespace) -> None:
    """Write the model folder, and print what was done and how to go on."""
    from gan_hub.foreign.convert import convert

    report = convert(
        args.file,
        args.out,
        license=args.license,
        origin=args.origin,
        label_names=args.label_names,
        compare=args.compare,
        seed=args.seed,
        truncation=args.truncation,
        negative_slope=args.negative_slope,
        output=args.output,
        latents=args.latents,
        start_activation=args.start_activation,
        discriminator=args.discriminator,
        discriminator_negative_slope=args.discriminator_negative_slope,
        real_label=args.real_label,
        upsampling_layers=args.upsampling_layers,
        resolution=args.resolution,
        instance_edges=args.instance_edges,
        maps=args.maps,
        layers=args.layers,
    )
    print(report.text())
    for name in ("license", "origin"):
        if getattr(args, name) is None:
            print(f"not known: the {name}; --{name} writes it into the card")
    print(f"wrote {args.out}; `gan-hub demo {args.out}` plays with it")
