"""Our docstrings as griffe reads them: an `Example:` is a section, and a section may begin on its heading's line."""

import re

HEADINGS = "Args|Attributes|Returns|Yields|Raises|Example|Examples"
ONE_LINE = re.compile(rf"^(Returns|Yields|Raises): (\S.*(?:\n(?!\n)(?!(?:{HEADINGS}):).*)*)", re.MULTILINE)


def sections(text: str) -> str:
    """A docstring, its indentation taken off, with sections in the form of the Google style."""
    text = re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE)

    def unfold(match: re.Match) -> str:
        lines = [line.strip() for line in match[2].splitlines()]
        return f"{match[1]}:\n    " + "\n        ".join(lines)

    return ONE_LINE.sub(unfold, text)
