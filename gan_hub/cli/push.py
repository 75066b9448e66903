"""`gan-hub push`: a finished model folder, or the page with some models, to the Hub."""

import argparse
import tempfile
from pathlib import Path

from gan_hub.cli.arguments import MODEL_HELP, Commands, Parser, add_command

EXAMPLES = [
    "gan-hub push my-gan me/my-gan",
    "gan-hub push runs/my-gan/export me/my-gan --private",
    "gan-hub push my-gan me/my-gan --variant fp16 --revision small",
    "gan-hub push --space me/my-page my-gan dcgan-mnist",
    "gan-hub push --space me/my-page my-gan --out page",
]
USAGE = "gan-hub push FOLDER REPO_ID [options]\n       gan-hub push --space REPO_ID [MODEL ...] [options]"
OF_A_MODEL = ("variant", "commit_message", "revision", "create_pr", "strict")
OF_A_SPACE = ("zerogpu", "title", "output")


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "upload a model folder to the Hub, where it replaces an older one, or the page as a Space"
    parser = add_command(commands, "push", summary, run, EXAMPLES)
    parser.usage = USAGE
    names = "the model's folder, and OWNER/NAME, which is created where it is missing"
    parser.add_argument("names", nargs="*", metavar="FOLDER REPO_ID", help=names)
    parser.add_argument(
        "--private", action="store_true", default=None, help="create the repository as one that others cannot see"
    )
    parser.add_argument("--token", help="that may write there, instead of the one of `hf auth login`")
    model = parser.add_argument_group("a model")
    model.add_argument("--variant", metavar="NAME", help="send the weights of this precision alone: fp16 or bf16")
    model.add_argument("--message", dest="commit_message", help="of the commit (Upload model)")
    model.add_argument("--revision", metavar="BRANCH", help="the branch, made where it is missing (main)")
    model.add_argument(
        "--create-pr", action="store_true", help="open a pull request instead of changing the repository"
    )
    model.add_argument(
        "--strict", action="store_true", help="send nothing while the card lacks something, such as a licence"
    )
    space = parser.add_argument_group("the page")
    what = f"upload the page as the Space REPO_ID, with models that it shows (all bundled ones): each {MODEL_HELP}"
    space.add_argument("--space", metavar="REPO_ID", help=what)
    space.add_argument("--zerogpu", action="store_true", help="make one that also starts on ZeroGPU hardware")
    space.add_argument("--title", metavar="TEXT", help="of the Space (its name)")
    space.add_argument(
        "--out", "--output", dest="output", type=Path, metavar="FOLDER", help="write its files here and upload nothing"
    )
    parser.set_defaults(refuse=parser.error)


def run(args: argparse.Namespace) -> None:
    """Upload a model or a Space, once the Hub said that it will take it, and print where it is."""
    others = OF_A_MODEL if args.space else OF_A_SPACE
    for name in others:
        if getattr(args, name):
            flag = {"commit_message": "--message", "output": "--out"}.get(name, f"--{name.replace('_', '-')}")
            args.refuse(f"{flag} does not go {'with' if args.space else 'without'} --space")
    if args.space:
        _push_space(args)
    elif len(args.names) == 2:
        _push_model(args, Path(args.names[0]), args.names[1])
    elif len(args.names) < 2:
        missing = ("FOLDER", "REPO_ID")[len(args.names) :]
        args.refuse(f"the following arguments are required: {', '.join(missing)}")
    else:
        args.refuse(f"unrecognized arguments: {' '.join(args.names[2:])}; models of a page go with --space")


def _push_model(args: argparse.Namespace, folder: Path, repo_id: str) -> None:
    """Check the folder, draw its reference again, and upload it."""
    from gan_hub.hub.access import check_push
    from gan_hub.hub.publish import publish
    from gan_hub.model_folder.files import weights_name
    from gan_hub.verify import verify_model

    check_push(repo_id, args.token)
    is_whole = (folder / "generator" / weights_name(None)).is_file()
    verify_model(folder, variant=None if is_whole else args.variant)
    options = {name: getattr(args, name) for name in ("private", "token", *OF_A_MODEL)}
    publish(folder, repo_id, **options)


def _push_space(args: argparse.Namespace) -> None:
    """Write the files of a Space, into a folder that stays or one that is uploaded."""
    from gan_hub.hub.access import check_push
    from gan_hub.hub.space import push_space, write_space

    options = {"title": args.title or args.space.split("/")[-1], "zerogpu": args.zerogpu, "token": args.token}
    if args.output:
        folder = write_space(args.output, args.names, **options)
        print(f"wrote {folder}; `python {folder / 'app.py'}` serves it here")
        return
    check_push(args.space, args.token, "spaces")
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_space(Path(scratch) / "space", args.names, **options)
        print(f"published: {push_space(folder, args.space, private=args.private, token=args.token)}")
