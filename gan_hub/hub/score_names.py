"""What scores are called in reports and cards, and back: "FD-digits" and "FID" both have the key "fd".

A name holds its extractor, without which the number means nothing; code asks for the key and never parses a name.
"""

FID = "FID"  # the one Fréchet distance with a name of its own: in the features of the Inception of 2015
# Key → what comes before "-EXTRACTOR".
STEMS = {
    "fd": "FD",
    "kid": "KID",
    "is": "IS",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "intra-fd": "intra-FD",
    "mmd": "MMD²",
    "memorized": "memorised",
    "ppl": "PPL",
}
# Key → what comes before " (EXTRACTOR)"; of the judge, before " (held out)".
PHRASES = {
    "accuracy": "label accuracy",
    "modes": "modes of",
    "histogram": "class histogram distance",
    "mmd-p": "p of equal distributions",
    "auc": "discriminator AUC",
}


def score_name(key: str, extractor: str, is_fid: bool = False, classes: int | None = None) -> str:
    """The name of a score in reports, cards and their metadata.

    Args:
        key: one of STEMS or PHRASES.
        extractor: name of the network that gave the features or classes.
        is_fid: whether that network is the Inception of FID; its scores bear no extractor's name.
        classes: how many classes it recognizes, for "modes".

    Returns:
        Such as "FD-digits", "FID", "label accuracy (digits)".
    """
    if key == "auc":
        return f"{PHRASES[key]} (held out)"
    if key in PHRASES:
        count = f" {classes}" if key == "modes" else ""
        return f"{PHRASES[key]}{count} ({extractor})"
    if is_fid:
        return FID if key == "fd" else STEMS[key]
    return f"{STEMS[key]}-{extractor}"


def score_key(name: str) -> str | None:
    """The key of a score's name, the inverse of `score_name`; None for a score that is none of ours."""
    if name == FID:
        return "fd"
    for key, stem in STEMS.items():
        if name == stem or name.startswith(f"{stem}-"):
            return key
    return next((key for key, phrase in PHRASES.items() if name.startswith(f"{phrase} ")), None)


def is_frechet_distance(name: str) -> bool:
    """Whether a name is that of a Fréchet distance of all images, by which models are ranked."""
    return score_key(name) == "fd"
