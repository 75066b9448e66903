"""`gan-hub push`: a finished model folder to the Hub."""

import argparse
from pathlib import Path

from gan_hub.cli.arguments import Commands, Parser, add_command

EXAMPLES = ["gan-hub push my-gan me/my-gan", "gan-hub push runs/my-gan/export me/my-gan --private"]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "upload a model folder to the Hub; what an older push of a model left there is replaced"
    parser = add_command(commands, "push", summary, run, EXAMPLES)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the model's folder")
    parser.add_argument("repo_id", metavar="REPO_ID", help="OWNER/NAME; it is created where it is missing")
    parser.add_argument(
        "--private", action="store_true", default=None, help="create the repository as one that others cannot see"
    )
    parser.add_argument("--variant", metavar="NAME", help="send the weights of this precision alone: fp16 or bf16")
    parser.add_argument("--token", help="that may write there, instead of the one of `hf auth login`")
    parser.add_argument("--message", dest="commit_message", help="of the commit (Upload model)")
    parser.add_argument(
        "--create-pr", action="store_true", help="open a pull request instead of changing the repository"
    )


def run(args: argparse.Namespace) -> None:
    """Ask whether the Hub will take the model, upload it, and print the commit's address."""
    from gan_hub.hub.access import check_push
    from gan_hub.hub.upload import upload

    check_push(args.repo_id, args.token)
    address = upload(
        args.folder,
        args.repo_id,
        variant=args.variant,
        private=args.private,
        token=args.token,
        commit_message=args.commit_message,
        create_pr=args.create_pr,
    )
    print(f"published: {address}")
