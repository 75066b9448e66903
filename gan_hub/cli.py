"""The command `gan-hub`: look at models, draw samples and walks, score, export runs, transfer styles.

Also `python -m gan_hub.cli`. Exit codes: 0 done, 2 wrong usage, 1 it failed, 130 interrupted; the reason is one line.
Nothing is imported but what the one command needs, so that --help is quick.
"""

import argparse
import difflib
import itertools
import math
import os
import re
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from gan_hub.atomic import atomic_file
from gan_hub.console import print_in_any_encoding
from gan_hub.seeds import MAX_SEED, parse_seeds

EPILOG = """exit codes: 0 done, 2 wrong usage, 1 it failed

  gan-hub list
  gan-hub sample dcgan-fashion-mnist --seeds 0-15 --label sneaker --out grid.png
  gan-hub interpolate dcgan-mnist --seeds 1,5,9 --label 7 --out walk.webp
  gan-hub concepts my-gan --find brightness,sefa --picture concepts.png
  gan-hub evaluate dcgan-mnist --data mnist --metrics fd,kid,pr --out scores.json
  gan-hub export runs/my-gan --out my-gan-so-far
  gan-hub style-transfer photo.jpg painting.jpg out.png --features timm/vgg19.tv_in1k"""
MODEL_HELP = "a bundled model (see `gan-hub list`), a folder, or a Hub id"
MOST_IMAGES = 4096  # seeds or frames of one command; they all lie in memory at once
MOST_PIXELS = 500_000_000  # of one output, with its scale
PICTURED_SEEDS, PICTURED_STRENGTHS = range(4), [step / 2 for step in range(-4, 5)]  # of concepts
SEED_OPTIONS = ("--seeds", "--held-out")


class Parser(argparse.ArgumentParser):
    """argparse, with wrong usage answered in one line that has the nearest name, instead of a whole synopsis.

    Several arguments after --seeds are one list: `--seeds 0-3 7` is what a shell makes of blanks.
    """

    commands: argparse._SubParsersAction | None = None

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def parse_args(self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None):
        given, unknown = self.parse_known_args(args, namespace)
        if unknown:
            why = "" if unknown[0].startswith("-") else "; quotes hold what has blanks, and commas join several names"
            self.commands.choices[given.command].error(f"unrecognized arguments: {' '.join(unknown)}{why}")
        return given

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None):
        args = _one_list_of_seeds(sys.argv[1:] if args is None else args)
        # An option that is unknown is told before one that is missing. After a command's name stand the command's own.
        own = itertools.takewhile(lambda arg: arg != "--" and (self.commands is None or arg.startswith("-")), args)
        for option in (arg.partition("=")[0] for arg in own):
            if option.startswith("--") and option not in self._option_string_actions:
                self.error(f"unrecognized arguments: {option}{nearest(option, self._option_string_actions)}")
        return super().parse_known_args(args, namespace)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            allowed, meant = ", ".join(action.choices), nearest(str(value), action.choices)
            raise argparse.ArgumentError(action, f"invalid choice: {str(value)[:40]!r}{meant} (choose from {allowed})")


def nearest(wrong: str, names: Iterable[str]) -> str:
    """What to add to a sentence that refuses a name: the one that was probably meant, if any is like it."""
    found = difflib.get_close_matches(wrong, list(names), 1)
    return f"; did you mean {found[0]}?" if found else ""


def _one_list_of_seeds(arguments: Sequence[str]) -> list[str]:
    """The arguments, those after --seeds that are numbers, ranges and dashes brought together in one."""
    joined: list[str] = []
    collecting = False
    for argument in arguments:
        is_list = re.fullmatch(r"[0-9,;\s][0-9,;\s\u2010-\u2015\u2212-]*|[\u2010-\u2015\u2212-]", argument) is not None
        if collecting and is_list:
            joined[-1] += " " + argument
            continue
        name, equals, _ = argument.partition("=")
        collecting = joined[-1:] and joined[-1] in SEED_OPTIONS or bool(equals) and name in SEED_OPTIONS
        joined.append(argument)
    return joined


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code. Wrong usage that argparse itself sees leaves through SystemExit(2)."""
    print_in_any_encoding()
    given = parser().parse_args(arguments)
    try:
        COMMANDS[given.command](given)
        return 0
    except KeyboardInterrupt:
        kept = given.command == "evaluate" and not given.no_cache
        left = "features measured so far are kept; the same command goes on." if kept else "nothing was written."
        return _failed(given, f"interrupted; {left}", 130)
    except Exception as error:
        if given.debug:
            raise
        from gan_hub.model_folder.strict import LoadError

        if isinstance(error, ValueError) and not isinstance(error, LoadError):
            return _failed(given, str(error), 2)
        if isinstance(error, (LoadError, OSError, ArithmeticError)):
            return _failed(given, str(error), 1)
        return _failed(given, f"{type(error).__name__}: {error} (--debug shows where)", 1)


def _failed(given: argparse.Namespace, why: str, code: int) -> int:
    print(f"gan-hub {given.command}: {' '.join(why.split())}", file=sys.stderr)
    return code


# ------------------------------------------------------------------------------------------------------------- usage


def parser() -> argparse.ArgumentParser:
    """Every command with its options; those that are checked without a model are checked here."""
    root = Parser(
        prog="gan-hub",
        description="Load, play with and publish GANs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, said: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=said, description=said, allow_abbrev=False)
        added.add_argument("--debug", action="store_true", help="show tracebacks")
        return added

    command("list", "the bundled models: network, data, size, score and how well their discriminators judge")
    command("info", "what a model is made of, its scores, and how well its discriminator judges").add_argument(
        "model", metavar="MODEL", help=MODEL_HELP
    )

    sample = command("sample", "draw images of seeds into one picture")
    _add_model(sample, least_seeds=1)
    sample.add_argument("--out", type=picture, required=True, metavar="FILE.png")
    sample.add_argument("--columns", type=whole(1, MOST_IMAGES), help="of the grid; by default as square as can be")
    sample.add_argument("--scale", type=whole(1, 64), default=1, help="whole pixels for one, without smoothing (1)")

    sample.add_argument(
        "--concept",
        type=strength,
        action="append",
        default=[],
        metavar="NAME=STRENGTH",
        help='moves the images along a concept of the model, as in "thickness=1.5"; may be given several times',
    )

    walk = command("interpolate", "walk through the latents of some seeds, as an animation")
    _add_model(walk, least_seeds=2)
    walk.add_argument("--out", type=animation, required=True, metavar="FILE.webp|gif")
    walk.add_argument("--frames", type=whole(2, MOST_IMAGES), default=60, help="of the whole walk, 20 a second (60)")
    walk.add_argument("--scale", type=whole(1, 64), default=1, help="whole pixels for one, without smoothing (1)")

    _add_concepts(command("concepts", "a model's named directions with their measured effects; finds and names them"))
    _add_scoring(command("evaluate", "score a model, or a folder of images, against a data set"))
    two = command("compare", "two reports of `evaluate`, side by side; refused where they were not measured alike")
    two.add_argument("first", type=Path, metavar="FIRST.json")
    two.add_argument("second", type=Path, metavar="SECOND.json")
    two.add_argument("--force", action="store_true", help="compare all the same")

    exported = command("export", "make a model of a training run, as it stands at one of its checkpoints")
    exported.add_argument("run", type=Path, metavar="RUN", help="a run's folder, as runs/my-gan; it may still go on")
    exported.add_argument("--out", type=Path, metavar="FOLDER", help="where the model goes; by default RUN/export")
    exported.add_argument(
        "--checkpoint", type=whole(1, 10**9 - 1), metavar="STEP", help="by default the newest valid one"
    )
    exported.add_argument("--data", default="", help="where the run's images lie now, if they were moved")
    exported.add_argument(
        "--no-scores", action="store_true", help="measure no Fréchet distance, which takes the longest"
    )

    _add_style_options(command("style-transfer", "one picture's content in the style of another (Gatys et al. 2016)"))
    return root


def _add_model(command: argparse.ArgumentParser, least_seeds: int) -> None:
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.add_argument(
        "--seeds", type=seeds(least_seeds), required=True, help='whole numbers and ranges, as in "0-15, 99" or 1 5 9'
    )
    command.add_argument(
        "--label", help="name or index of a class; by default a seed's own, on a walk the first seed's"
    )
    command.add_argument("--truncation", type=float, default=1.0, help="1 (none) … 0 (the mean)")


def _add_concepts(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help=f"{MODEL_HELP}; a folder is changed in place without --out")
    command.add_argument(
        "--find",
        type=words,
        action="extend",
        default=[],
        help="comma-separated: thickness, slant, … (docs/concepts.md has all), pca, sefa",
    )
    command.add_argument("--count", type=whole(1, 16), default=4, help="concepts that pca and sefa find each (4)")
    command.add_argument("--seeds", type=seeds(30), default="0-1999", help="that concepts are found with (0-1999)")
    command.add_argument(
        "--held-out", type=seeds(1), default="10000-10255", help="that effects are measured with (10000-10255)"
    )
    command.add_argument(
        "--name", type=renaming, action="append", default=[], metavar="OLD=NEW", help='as in "pca 1=bright fur"'
    )
    command.add_argument(
        "--drop", type=listed, action="extend", default=[], help="names of concepts to leave out, comma-separated"
    )
    command.add_argument("--out", type=Path, metavar="FOLDER", help="another folder of this model, or one to be made")
    command.add_argument("--picture", type=picture, metavar="FILE.png", help="rows of seeds, strengths from -2 to 2")
    command.add_argument("--scale", type=whole(1, 64), default=1, help="of the picture: whole pixels for one (1)")


def _add_scoring(command: argparse.ArgumentParser) -> None:
    """The defaults stand in `evaluate` alone: an option that is not given is not passed on."""
    command.add_argument("model", metavar="MODEL", help=f"{MODEL_HELP}; or images: a folder, .zip, .npz, .parquet")
    command.add_argument(
        "--data", required=True, help="mnist, fashion-mnist, avatars, a folder, .zip, .npz, or a Hub data set id"
    )
    options = {
        "--metrics": (words, "comma-separated: fid, fd, kid, is, pr, dc, …; docs/metrics.md has all (fd, accuracy)"),
        "--extractor": (str, "whose features: digits, fashion, inception, … (the data set's own; inception for fid)"),
        "--extractor-weights": (str, "its .safetensors file, or a Hub id, where it is not shipped"),
        "--num": (whole(1, 10_000_000), "scored images (10,000 of a model, all of a folder)"),
        "--num-real": (whole(1, 10_000_000), "real images (all)"),
        "--split": (str, "of the data: train or test (train)"),
        "--seed": (whole(0, MAX_SEED), "the first image's; image n has seed + n (0)"),
        "--batch-size": (whole(1, 4096), "images a model makes at a time (16 on a CPU, 64 on an accelerator)"),
        "--resolution": (whole(1, 4096), "of two sets of images without a model, to which both are brought"),
        "--bootstrap": (whole(0, 100_000), "resamplings an interval is made of; 0: no intervals (100)"),
        "--device": (str, "cpu, cuda or mps (cpu)"),
    }
    # Launchers of several processes take --num for an abbreviation of an option of their own.
    aliases = {"--num": ["--num-images"]}
    for name, (kind, said) in options.items():
        command.add_argument(
            name,
            *aliases.get(name, []),
            dest=name.strip("-").replace("-", "_"),
            type=kind,
            help=said,
            default=argparse.SUPPRESS,
        )
    command.add_argument("--no-cache", action="store_true", help="keep no features on the disk, and use none")
    command.add_argument("--out", type=report, metavar="FILE.json", help="where the report goes, with its provenance")
    command.add_argument("--card", action="store_true", help="also write the scores into the card of MODEL, a folder")


def _add_style_options(command: argparse.ArgumentParser) -> None:
    """The defaults stand in `style_transfer` alone: an option that is not given is not passed on."""
    command.add_argument("content", type=Path, metavar="CONTENT", help="the picture whose content is kept")
    command.add_argument("style", type=Path, metavar="STYLE", help="the picture whose style is taken")
    command.add_argument("out", type=picture, metavar="OUT.png")
    options = {
        "--features": (str, 'a .safetensors file, a Hub id, or the bundled "fashion" or "digits" (fashion)'),
        "--steps": (int, "evaluations of losses and gradient (300)"),
        "--content-weight": (float, "(1)"),
        "--style-weight": (float, "(100)"),
        "--variation-weight": (float, "(1)"),
        "--size": (int, "pixels of the longer side (256)"),
        "--seed": (int, "of the noise (0)"),
        "--device": (str, "cpu, cuda or mps (cpu)"),
    }
    for name, (kind, said) in options.items():
        command.add_argument(name, type=kind, help=said, default=argparse.SUPPRESS)
    for name, allowed in (("--optimizer", ("lbfgs", "adam")), ("--start", ("content", "noise"))):
        said = f"{' or '.join(allowed)} ({allowed[0]})"
        command.add_argument(name, choices=allowed, help=said, default=argparse.SUPPRESS)


def seeds(least: int):
    """A reader of "0-3,7" → [0, 1, 2, 3, 7]."""

    def read(text: str) -> list[int]:
        try:
            return parse_seeds(text, least, MOST_IMAGES)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None

    return read


def listed(text: str) -> list[str]:
    """A reader of "a,b c" → ["a", "b c"]."""
    return [piece.strip() for piece in text.split(",") if piece.strip()]


def words(text: str) -> list[str]:
    """A reader of "fd, kid pr" → ["fd", "kid", "pr"]: names without blanks, between commas or blanks."""
    found = [piece for piece in re.split(r"[,\s]+", text) if piece]
    if not found:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not allowed; names, joined by commas")
    return found


def renaming(text: str) -> tuple[str, str]:
    """A reader of "pca 1=bright fur" → ("pca 1", "bright fur")."""
    old, found, new = (part.strip() for part in text.partition("="))
    if not old or not found or not new:
        raise argparse.ArgumentTypeError(f'{text[:40]!r} is not allowed; two names, as in "pca 1=bright fur"')
    return old, new


def strength(text: str) -> tuple[str, float]:
    """A reader of "thickness=1.5" → ("thickness", 1.5)."""
    name, _, number = (part.strip() for part in text.partition("="))
    if not name or not re.fullmatch(r"[-+]?([0-9]{1,3}(\.[0-9]{0,6})?|\.[0-9]{1,6})", number, re.ASCII):
        raise argparse.ArgumentTypeError(f'{text[:40]!r} is not allowed; a name and a number, as in "thickness=1.5"')
    return name, float(number)


def whole(least: int, most: int):
    """A reader of a whole number in least … most."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not allowed; a whole number from {least} to {most}")
        return int(text)

    return read


def picture(text: str) -> Path:
    return _output(text, (".png",))


def report(text: str) -> Path:
    return _output(text, (".json",))


def animation(text: str) -> Path:
    if text.lower().endswith(".mp4"):
        raise argparse.ArgumentTypeError(f"{text!r}: gan_hub has no writer of .mp4; take .webp or .gif")
    return _output(text, (".webp", ".gif"))


def _output(text: str, endings: tuple[str, ...]) -> Path:
    """A file that can be written, as far as can be told before hours of work."""
    path = Path(text)
    if path.suffix not in endings:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; it ends in {' or '.join(endings)}")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: its folder must exist and be writable")
    return path


# ----------------------------------------------------------------------------------------------------------- commands


def list_(given: argparse.Namespace) -> None:
    from gan_hub.hub.zoo import list_models

    models = list_models()
    if not models:
        print("no models at hand: they lie in model_cards/ of a source checkout; others load by their Hub id.")
        return
    rows = [("model", "network", "data", "pixels", "MB", "score", "AUC"), *map(_row, models)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def _row(model) -> tuple[str, ...]:
    """A bundled model in the columns of `list`: MB are of float32 weights, AUC is its discriminator's against it."""
    from gan_hub.hub.cards import format_number
    from gan_hub.images import height_width

    height, width = height_width(model.resolution)
    told = "from maps" if model.from_maps else f"{len(model.label_names)} classes" if model.label_names else ""
    return (
        model.name,
        f"{model.architecture}, {told}" if told else model.architecture,
        model.dataset,
        f"{width} × {height} {'grey' if model.channels < 3 else 'RGB'}",
        f"{model.megabytes:.1f}",
        "–" if model.score is None else f"{model.score[0]} {format_number(model.score[1])}",
        "–" if model.auc is None else f"{model.auc:.3f}",
    )


def info(given: argparse.Namespace) -> None:
    from gan_hub.hub.resolve import bundled_models
    from gan_hub.hub.zoo import describe
    from gan_hub.images import height_width

    pipe = _load(given.model)
    config = pipe.unwrapped_generator.config
    height, width = height_width(config["resolution"])
    print(f"{given.model}: images of {width} × {height} × {config['channels']} from {config['latent_size']} numbers")
    for name, player in (("generator", pipe.generator), ("discriminator", pipe.discriminator)):
        if player is not None:
            parameters = sum(parameter.numel() for parameter in player.parameters())
            print(f"{name}: {type(player).__name__}, {parameters:,} parameters")
    print(f"classes: {', '.join(pipe.label_names) if pipe.label_names else 'none'}")
    if pipe.semantic_names:
        print(f"draws from maps of: {', '.join(pipe.semantic_names)}")
    judge = pipe.calibration
    if judge is not None:
        print(f"judge: held-out AUC {judge.auc:.3f}, calibration error {judge.error:.3f}, {judge.images:,} images")
    if given.model in bundled_models():  # nobody vouches for the card of another
        known = describe(given.model, bundled_models()[given.model])
        told = ", ".join(f"{name} {value:g}" for name, value in known.scores.items())
        print(f"scores against {known.dataset}, as its card states them: {told}")
    print(f"files: {pipe.name_or_path}")


def sample(given: argparse.Namespace) -> None:
    from gan_hub.images import grid, save_png

    pipe = _load(given.model)
    _check_size(pipe, len(given.seeds), given.scale)
    concepts = _once(given.concept, "--concept")
    images = pipe(given.seeds, labels=_label(given, pipe), truncation=given.truncation, concepts=concepts).images
    sheet = grid(images, given.columns or math.ceil(math.sqrt(len(images))), scale=given.scale)
    told = {name: getattr(given, name) for name in ("model", "label", "truncation")}
    told["concepts"] = ", ".join(f"{name}={value:g}" for name, value in concepts.items()) or None
    with atomic_file(given.out) as scratch:
        save_png(sheet, scratch, seeds=",".join(map(str, given.seeds)), **told)
    print(f"{given.out}: {len(images)} images")


def interpolate(given: argparse.Namespace) -> None:
    from PIL import Image

    from gan_hub.images import save_animation
    from gan_hub.latents import interpolate as walk

    pipe = _load(given.model)
    _check_size(pipe, given.frames, given.scale)
    latents = walk(pipe.sample_latents(given.seeds), given.frames)
    first = pipe(seeds=given.seeds[:1], labels=_label(given, pipe))  # its class and map stay, all the way
    told = {
        "labels": None if first.labels is None else first.labels[0],
        "segmentation": None if first.segmentations is None else first.segmentations[0],
    }
    images = pipe(latents=latents, truncation=given.truncation, **told).images
    size = (images[0].width * given.scale, images[0].height * given.scale)
    with atomic_file(given.out) as scratch:
        save_animation([image.resize(size, Image.Resampling.NEAREST) for image in images], scratch)
    print(f"{given.out}: {len(images)} frames")


def concepts(given: argparse.Namespace) -> None:
    from gan_hub.concepts_discovery.discover import concept_grid
    from gan_hub.images import save_png
    from gan_hub.model_folder.concepts import put

    pipe = _load(given.model)
    if given.picture is not None:
        count = len(pipe.concepts) + sum(given.count if how in ("pca", "sefa") else 1 for how in given.find)
        _check_size(pipe, count * len(PICTURED_SEEDS) * len(PICTURED_STRENGTHS), given.scale)
    changing = bool(given.find or given.name or given.drop)
    folder = _folder_of_concepts(given, pipe) if changing else None  # before minutes of work
    found = _found(given, pipe)
    kept = [concept for name, concept in pipe.concepts.items() if name not in {each.name for each in found}]
    pipe.concepts = _renamed([*kept, *found], given.name, given.drop)
    if folder is not None and folder.exists():
        put(folder, pipe.concepts)
    elif folder is not None:
        pipe.save_pretrained(folder)
    shown = list(pipe.concepts.values())
    print("\n".join(_told(concept) for concept in shown) or f"{given.model} has no concepts; --find finds some.")
    if given.picture is not None and shown:
        sheet = concept_grid(pipe, shown, PICTURED_SEEDS, PICTURED_STRENGTHS, given.scale)
        with atomic_file(given.picture) as scratch:
            save_png(sheet, scratch, model=given.model, concepts=", ".join(pipe.concepts), seeds="0-3")
        print(f"{given.picture}: four rows a concept, in this order; strengths from -2 to 2 by halves")
    if folder is not None:
        print(f"{folder}: {len(shown)} concepts")


def _folder_of_concepts(given: argparse.Namespace, pipe) -> Path:
    """The folder to be written: --out, or MODEL where it is a folder. Raises ValueError for that of another model."""
    from gan_hub.model_folder.strict import Manifest

    if given.out is None and not os.path.isdir(given.model):
        raise ValueError(f"{given.model} is no folder that could be changed; give --out FOLDER.")
    folder = given.out or Path(given.model)
    if folder.exists():
        ours, theirs = (
            {name: entry for name, entry in Manifest(Path(place)).files.items() if name.startswith("generator/")}
            for place in (pipe.name_or_path, folder)
        )
        if not any(theirs.get(name) == entry for name, entry in ours.items() if name.endswith(".safetensors")):
            raise ValueError(f"{folder} holds another model than {given.model}.")
    return folder


def _found(given: argparse.Namespace, pipe) -> list:
    """The concepts that --find asks for."""
    from gan_hub.concepts_discovery import discover

    unknown = [how for how in given.find if how not in (*discover.MEASURES, "pca", "sefa")]
    if unknown:
        raise ValueError(f"--find {unknown[0]} is not known; choose among {', '.join(discover.MEASURES)}, pca, sefa.")
    found = []
    for how in given.find:
        print(f"{how} …", file=sys.stderr)
        if how in ("pca", "sefa"):
            found += discover.by_components(pipe, how, given.count, given.seeds, given.held_out)
        else:
            found.append(discover.by_measure(pipe, how, given.seeds, given.held_out))
    return found


def _renamed(concepts: list, names: list[tuple[str, str]], left_out: list[str]) -> dict:
    """Name → concept, under their new names and without those left out. Raises ValueError for a name that none has."""
    for wanted in (*(old for old, _ in names), *left_out):
        if wanted not in {concept.name for concept in concepts}:
            raise ValueError(
                f"no concept is called {wanted!r}; there are {', '.join(c.name for c in concepts) or 'none'}."
            )
    new = _once(names, "--name")
    concepts = [each.renamed(new.get(each.name, each.name)) for each in concepts if each.name not in left_out]
    if len({concept.name for concept in concepts}) < len(concepts):
        raise ValueError("two concepts would have one name.")
    return {concept.name: concept for concept in concepts}


def _told(concept) -> str:
    exemplars = [", ".join(map(str, seeds)) for seeds in (concept.with_it, concept.without_it)]
    return (
        f"{concept.name}: {concept.effect.told()}\n  {concept.found}\n  seeds with it: {exemplars[0]}\n"
        f"  seeds without it: {exemplars[1]}"
    )


def evaluate(given: argparse.Namespace) -> None:
    from gan_hub.hub.cards import CARD_NAME, CardScores, scored_card, update_card
    from gan_hub.hub.lint import lint
    from gan_hub.hub.resolve import resolve
    from gan_hub.metrics.distributed import ProcessGroup
    from gan_hub.metrics.evaluation import evaluate as score
    from gan_hub.metrics.memorization import COUNT

    renamed = {"extractor_weights": "weights", "num": "num_images", "bootstrap": "replicates"}
    own = ("command", "debug", "model", "data", "no_cache", "out", "card")
    options = {renamed.get(name, name): value for name, value in vars(given).items() if name not in own}
    folder = resolve(given.model, ()) if given.card else None
    if folder is not None:
        scored_card(folder)  # before hours of work
    options |= _as_trained(given)
    at_risk = COUNT if given.card else 0
    found = score(
        given.model, given.data, keep=not given.no_cache, together=True, progress=True, at_risk=at_risk, **options
    )
    if not ProcessGroup(together=True).first:
        return
    print(f"{given.model} against {given.data}\n{_table(found)}")
    if given.out is not None:
        found.write(given.out)
    if folder is not None:
        scored = CardScores(found.scores, found.provenance, found.intervals, found.scales, _again(given, folder))
        update_card(folder, scored, found.provenance["data"], _sections(given, folder, found))
        print(f"{folder / CARD_NAME}: its scores are these now")
        for sentence in lint(folder):
            print(f"before it is published: {sentence}")


def _recipe(folder: Path):
    """The configuration of the run that made a model; None where the folder does not tell, or not this release."""
    from gan_hub.training.config import TrainConfig, read_recipe

    try:
        return TrainConfig(**read_recipe(folder / "recipe.yaml"))
    except ValueError:
        return None


def _is_its(data: str, config) -> bool:
    """Whether data, as far as their name tells, are those of the recipe: the same name, or files that only some have."""
    from gan_hub.training.config import public_name

    return public_name(data) == config.data


def _as_trained(given: argparse.Namespace) -> dict[str, object]:
    """What the run behind a model folder had put aside of data without a test split; {} where nothing is told of it.

    Only then can held-out images be told from those that were trained on, once the run is over.
    """
    from gan_hub.data import NoSuchSplitError, load_images
    from gan_hub.hub.resolve import bundled_models

    folder = bundled_models().get(given.model) or Path(given.model)
    config = _recipe(folder)
    if (
        config is None
        or config.takes_maps
        or not _is_its(given.data, config)
        or getattr(given, "split", "train") != "train"
    ):
        return {}
    try:
        load_images(given.data, config.resolution, config.channels, "test", limit=1)
        return {}
    except NoSuchSplitError:
        from gan_hub.training.batches import load_data

    shipped = str(folder) if (folder / "real_samples.json").is_file() else ""
    notice = config.real_samples_notice or "in the folder"
    data = load_data(replace(config, data=given.data, real_samples=shipped, real_samples_notice=notice))
    return {"held_out": data.held_out, "trained": data.train}


def _sections(given: argparse.Namespace, folder: Path, found) -> dict[str, str]:
    """The sections of a card that say more than the scores: measured again, or as the recipe in the folder has them."""
    from gan_hub.hub.cards import (
        CONCEPTS_SECTION,
        COPIES_SECTION,
        GOALS_SECTION,
        MISUSE_SECTION,
        NOT_FOR,
        concepts_section,
    )
    from gan_hub.pipeline import GANPipeline

    config = _recipe(folder)
    shown = config is not None and config.pictures_may_be_shown and _is_its(given.data, config)
    concepts = GANPipeline.from_pretrained(folder, discriminator=None).concepts
    told = {
        GOALS_SECTION: config.goals.strip() if config else "",
        COPIES_SECTION: found.at_risk.write(folder, shown) if found.at_risk else "",
        CONCEPTS_SECTION: concepts_section(concepts.values()),
        MISUSE_SECTION: config.not_for.strip() if config and config.not_for.strip() else NOT_FOR,
    }
    return {heading: text for heading, text in told.items() if text}


def _table(found) -> str:
    """A report for a terminal: a line a score, then what it was measured with."""
    from gan_hub.hub.cards import format_provenance

    width = max(map(len, (*found.scores, *found.scales)))
    between = {name: "  ({:.4g} to {:.4g})".format(*ends) for name, ends in found.intervals.items()}
    lines = [
        f"{name:{width}}  {value:.4g}{between.get(name, '')}" for name, value in (found.scores | found.scales).items()
    ]
    return "\n".join([*lines, format_provenance(found.provenance)])


def _again(given: argparse.Namespace, folder: Path) -> str:
    """The command that measures the same scores, for the card of the model in `folder`; "" for data that only we have.

    In place of an extractor's file there are words that its owner can replace: the provenance has its checksum.
    """
    if os.path.exists(given.data):
        return ""
    given = argparse.Namespace(**vars(given))
    if os.path.exists(getattr(given, "extractor_weights", "")):
        given.extractor_weights = f"your-{getattr(given, 'extractor', 'inception').replace('/', '-')}.safetensors"
    names = ("metrics", "extractor", "extractor_weights", "num", "num_real", "split", "seed", "batch_size", "bootstrap")
    values = {name: getattr(given, name) for name in names if name in given}
    if "metrics" in values:
        values["metrics"] = ",".join(values["metrics"])
    options = [(f"--{name.replace('_', '-')}", str(value)) for name, value in values.items()]
    return shlex.join(["gan-hub", "evaluate", folder.name, "--data", given.data, *itertools.chain(*options)])


def compare(given: argparse.Namespace) -> None:
    from gan_hub.metrics.report import Report
    from gan_hub.metrics.report import compare as held_together

    first, second = Report.read(given.first), Report.read(given.second)
    rows = held_together(first, second, given.force)
    width = max(len(row.name) for row in rows)
    print(f"{'':{width}}  {first.subject} | {second.subject}")
    for row in rows:
        apart = {None: "", True: "within noise", False: "beyond noise"}[row.overlap]
        print(f"{row.name:{width}}  {row.first:.4g} | {row.second:.4g}  {apart}".rstrip())


def export(given: argparse.Namespace) -> None:
    """`gan-hub export`."""
    from gan_hub.training.export_checkpoint import export_run

    print(f"wrote {export_run(given.run, given.out, given.checkpoint, given.data, scores=not given.no_scores)}")


def style_transfer(given: argparse.Namespace) -> None:
    from gan_hub.images import save_png
    from gan_hub.style_transfer import load_features
    from gan_hub.style_transfer import style_transfer as transfer

    settings = {k: v for k, v in vars(given).items() if k not in ("command", "debug", "content", "style", "out")}
    content, style = _open(given.content), _open(given.style)
    network = load_features(settings.pop("features", "fashion"))
    print(f"features: {network.name}, {network.note}", file=sys.stderr)
    every, begun = max(settings.get("steps", 300) // 10, 1), time.monotonic()

    def progress(step, losses) -> None:
        if step % every == 0:
            terms = f"content {losses.content:.4f}, style {losses.style:.5f}, variation {losses.variation:.4f}"
            spent = time.monotonic() - begun
            print(f"step {step}: total {losses.total:.4g} ({terms}), {spent:.0f} s", file=sys.stderr)

    result = transfer(content, style, features=network, progress=progress, **settings)
    told = {"features": result.features, "content": given.content.name, "style": given.style.name} | settings
    with atomic_file(given.out) as scratch:
        save_png(result.image, scratch, **told)
    print(f"{given.out}: {result.image.width} × {result.image.height}, total loss {result.history[-1].total:.4g}")


COMMANDS = {
    "list": list_,
    "info": info,
    "sample": sample,
    "interpolate": interpolate,
    "concepts": concepts,
    "evaluate": evaluate,
    "compare": compare,
    "export": export,
    "style-transfer": style_transfer,
}


def _load(model: str):
    from gan_hub.pipeline import GANPipeline

    return GANPipeline.from_pretrained(model)


def _once(pairs: list[tuple], option: str) -> dict:
    """Name → what was given for it; raises ValueError for a name that was given twice."""
    twice = [name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1]
    if twice:
        raise ValueError(f"{option} {twice[0]} was given twice.")
    return dict(pairs)


def _check_size(pipe, images: int, scale: int) -> None:
    """Raises ValueError for an output that would not lie in memory."""
    from gan_hub.images import height_width

    height, width = (scale * side for side in height_width(pipe.unwrapped_generator.config["resolution"]))
    if images * height * width > MOST_PIXELS:
        raise ValueError(
            f"{images:,} images of {width} × {height} pixels are {images * height * width / 1e6:,.0f} million pixels in one "
            f"file, and at most {MOST_PIXELS / 1e6:,.0f} million are allowed; take fewer, or a smaller --scale."
        )


def _label(given: argparse.Namespace, pipe) -> str | int | None:
    """The label as the pipeline takes it: digits are an index, unless a class is called so."""
    if given.label is None or given.label in (pipe.label_names or ()):
        return given.label
    return int(given.label) if re.fullmatch(r"[0-9]{1,9}", given.label, re.ASCII) else given.label


def _open(path: Path):
    """A picture, whole and in RGB; raises OSError or ValueError naming the file."""
    from PIL import Image

    from gan_hub.images import normalize_pil

    try:
        with Image.open(path) as image:
            return normalize_pil(image, 3)
    except (ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: {error}") from error
    except (OSError, SyntaxError) as error:  # SyntaxError is what Pillow raises for some damaged PNGs
        reason = getattr(error, "strerror", None) or "damaged, or of an unknown kind"
        raise OSError(f"{path}: not a picture that can be read ({reason}).") from error


if __name__ == "__main__":
    sys.exit(main())
