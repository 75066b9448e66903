"""`gan-hub export`: a model folder of a training run, or of a model ONNX files or a page that draws without a server."""

import argparse
from pathlib import Path

from gan_hub.cli.arguments import (
    MODEL_HELP,
    Commands,
    Parser,
    add_command,
    add_source,
    load_model,
    output_folder,
    whole_number,
)

EXAMPLES = [
    "gan-hub export runs/my-gan --out my-gan-so-far",
    "gan-hub export runs/my-gan --checkpoint 12000 --no-scores",
    "gan-hub export stylegan2-cats-64 cats-onnx --to onnx",
    "gan-hub export stylegan2-cats-64 cats-page --to web --runtime download",
]
FORMATS = ("onnx", "web")
OF_A_RUN = {"step": "--checkpoint", "data": "--data", "no_scores": "--no-scores"}
OF_A_MODEL = {
    "discriminator": "--discriminator",
    "runtime": "--runtime",
    "revision": "--revision",
    "variant": "--variant",
    "token": "--token",
    "force_download": "--force-download",
}


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "make a model of a training run at one of its checkpoints, or ONNX files or a page of a model (--to)"
    parser = add_command(commands, "export", summary, run, EXAMPLES)
    parser.add_argument(
        "model",
        metavar="RUN_OR_MODEL",
        help=f"a run's folder, as runs/my-gan, which may still go on; with --to a model: {MODEL_HELP}",
    )
    parser.add_argument("folder", nargs="?", type=output_folder, metavar="OUT", help="where it goes, the same as --out")
    parser.add_argument(
        "--out", type=output_folder, metavar="FOLDER", help="where it goes; of a run by default RUN/export"
    )
    of_run = parser.add_argument_group("of a run")
    of_run.add_argument(
        "--checkpoint",
        dest="step",
        type=whole_number(1, 10**9 - 1),
        metavar="STEP",
        help="by default the newest valid one",
    )
    of_run.add_argument("--data", default="", help="where the run's images lie now, if they were moved")
    of_run.add_argument("--no-scores", action="store_true", help="measure no Fréchet distance, which takes the longest")
    of_model = parser.add_argument_group("of a model")
    of_model.add_argument(
        "--to",
        choices=FORMATS,
        help="onnx: files for ONNX Runtime and other programs; web: a folder with a page that draws in the browser alone",
    )
    of_model.add_argument(
        "--discriminator", action="store_true", help="with --to onnx: write the discriminator as well"
    )
    of_model.add_argument(
        "--runtime",
        metavar="download|PATH",
        help="with --to web: ONNX Runtime Web, fetched with npm once and kept, or the .tgz of `npm pack onnxruntime-web`",
    )
    add_source(parser)


def run(args: argparse.Namespace) -> None:
    """Write the folder and print where, and what was measured."""
    if args.folder is not None and args.out is not None:
        raise ValueError(f"OUT is given twice, {args.folder} and --out {args.out}; give one.")
    out = args.out if args.folder is None else args.folder
    misplaced = [flag for name, flag in (OF_A_MODEL if args.to is None else OF_A_RUN).items() if getattr(args, name)]
    if misplaced and args.to is None:
        raise ValueError(f"{misplaced[0]} is for exporting a model with --to {' or '.join(FORMATS)}.")
    if misplaced:
        raise ValueError(f"{misplaced[0]} is for exporting a run, without --to.")
    if args.to is None:
        _export_run(args, out)
    else:
        _export_model(args, out)


def _export_run(args: argparse.Namespace, out: Path | None) -> None:
    from gan_hub.training.export_checkpoint import export_run

    folder = export_run(Path(args.model), out, args.step, args.data, scores=not args.no_scores)
    print(f"wrote {folder}")


def _export_model(args: argparse.Namespace, out: Path | None) -> None:
    if out is None:
        raise ValueError(f"--to {args.to} needs a folder to write: gan-hub export {args.model} OUT --to {args.to}.")
    misplaced = {"onnx": "runtime", "web": "discriminator"}[args.to]
    if getattr(args, misplaced):
        raise ValueError(f"{OF_A_MODEL[misplaced]} is not allowed with --to {args.to}.")
    from gan_hub.exporting import export_onnx, export_web
    from gan_hub.exporting.onnx_folder import new_folder

    new_folder(out)  # before a model is downloaded
    pipe, name = load_model(args, with_discriminator=args.discriminator), _name(args.model)
    if args.to == "onnx":
        export = export_onnx(pipe, out, name=name, discriminator=args.discriminator)
    else:
        export = export_web(pipe, out, name=name, runtime=args.runtime)
    print(export.text())
    print(f"wrote {out}{'' if args.to == 'onnx' else ': open index.html, or put the folder on any web server'}")


def _name(model: str) -> str:
    """What a model is called: the last part of its folder's path, or of its id on the Hub."""
    return Path(model).resolve().name
