"""Which code this is: the version, and the commit it comes from where that can be known."""

import functools
import hashlib
import json
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from gan_hub import __version__

PACKAGE = Path(__file__).resolve().parent


@functools.cache
def full_version() -> str:
    """The version with its commit, as in "0.2.0.dev0+g1a2b3c4d5e6f"; reports and caches record it.

    The commit is that of the checkout, followed by ".dirty" and a hash of the changes where its files were changed since, or
    the one that pip installed from (PEP 610). A release or a wheel has none: there the version alone says which code it is.
    """
    commit = _commit_of_checkout(PACKAGE.parent) or _commit_of_install()
    return f"{__version__}+g{commit}" if commit else __version__


def _commit_of_checkout(root: Path) -> str | None:
    """The commit of the git checkout that `root` is the top of; None where it is not, or git is not installed."""
    if not (root / ".git").exists():  # a folder, or a file in a worktree; site-packages may lie in another repository
        return None
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        changes = _git(root, "diff", "HEAD", "--", str(PACKAGE))
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}.dirty{hashlib.sha256(changes.encode()).hexdigest()[:6]}" if changes else commit


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _commit_of_install() -> str | None:
    """The commit that pip says it installed the package from; None for a wheel, a folder or a release."""
    try:
        text = distribution("gan_hub").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    try:
        commit = json.loads(text or "{}").get("vcs_info", {}).get("commit_id", "")
    except (ValueError, AttributeError):
        return None
    return commit[:12] or None
