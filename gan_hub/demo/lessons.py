"""Links from a tab to the lesson that explains it, where the address of the site or of the repository is known."""

import os
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, metadata

from gradio.i18n import I18nData

from gan_hub.demo.texts import TEXTS, add, t

_ADDRESS = re.compile(r"https?://[^\s()<>\[\]]+")  # anything else would not be a link in Markdown

# Tab → the lesson that explains it: the name of its file in docs/lessons/source.
LESSONS = {
    "sample": "05-architectures",
    "explore": "06-the-latent-space",
    "interpolate": "06-the-latent-space",
    "arithmetic": "06-the-latent-space",
    "paint": "05-architectures",
    "yours": "06-the-latent-space",
    "game": "03-the-optimal-discriminator",
    "watch": "02-the-game",
    "train": "02-the-game",
    "plane": "04-training-is-hard",
    "style": "08-style-transfer",
}


def _repository() -> str:
    """The repository's address of the installed package; "" for none."""
    try:
        addresses = metadata("gan_hub").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    return next(
        (address for name, _, address in (line.partition(", ") for line in addresses) if name == "Repository"), ""
    )


def addresses(lesson: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Where a lesson is read.

    Args:
        lesson: the name of its file in docs/lessons/source.
        environment: has $GAN_HUB_SITE, the address of the built site, or $GAN_HUB_REPOSITORY.

    Returns:
        Language → address, on the site if that is known, else in the repository; empty where neither is.
    """
    site = environment.get("GAN_HUB_SITE", "").rstrip("/")
    if _ADDRESS.fullmatch(site):
        return {"en": f"{site}/lessons/{lesson}/", "pt": f"{site}/pt/lessons/{lesson}/"}
    repository = (environment.get("GAN_HUB_REPOSITORY") or _repository()).rstrip("/").removesuffix(".git")
    if _ADDRESS.fullmatch(repository):
        return {chosen: f"{repository}/blob/main/docs/lessons/{chosen}/{lesson}.ipynb" for chosen in TEXTS}
    return {}


def _links() -> dict[str, dict[str, str]]:
    """The words of the links in either language."""
    links: dict[str, dict[str, str]] = {chosen: {} for chosen in TEXTS}
    for tab, lesson in LESSONS.items():
        for chosen, address in addresses(lesson, os.environ).items():
            links[chosen][f"lesson_{tab}"] = f"[{TEXTS[chosen]['lesson']}]({address})"
    return links


add(_links())


def link(tab: str) -> I18nData | None:
    """The link from a tab, for Markdown; None where it has no lesson or no address is known."""
    key = f"lesson_{tab}"
    return t(key) if key in TEXTS["en"] else None
