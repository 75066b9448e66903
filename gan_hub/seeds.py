"""Lists of seeds as people write them: "0-3, 14 15" → 0, 1, 2, 3, 14, 15. Needs no torch."""

import re

MAX_SEED = 2**32 - 1  # torch's CPU generator keeps 32 bits: 2**32 would silently be seed 0
_DASH = r"[-\u2010-\u2015\u2212]"  # what texts have for a hyphen: en and em dashes, a minus sign
_ITEM = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", re.ASCII)


class WrongCountError(ValueError):
    """A list of seeds that is too short or too long; `count` says how many there are."""

    def __init__(self, count: int, least: int, most: int) -> None:
        self.count = count
        super().__init__(f"{count} seeds are not allowed; from {least} to {most}.")


def parse_seeds(text: str, least: int = 1, most: int = 4096) -> list[int]:
    """Read a list of seeds: whole numbers and ranges, both ends included, between commas, semicolons, blanks or new lines.

    They are counted before they are spelled out.

    Args:
        text: as in "0-3, 14".
        least: the fewest that are allowed; with 0, an empty text is a list, too.
        most: the most that are allowed.

    Returns: the seeds, from 0 to MAX_SEED, in their order.

    Raises:
        WrongCountError: for fewer than `least` or more than `most`.
        ValueError: for anything else that is not allowed.
    """
    if not isinstance(text, str):
        raise ValueError(f'seeds={text!r:.40} is not allowed; they are written, as in "0-15, 99".')
    # A dash has blanks on both sides, or none before it: "3 -5" may be meant for two numbers.
    pieces = re.split(r"[,;\s]+", re.sub(rf"\s+{_DASH}\s+|(?<=[0-9]){_DASH}\s*", "-", text).strip(",; \t\r\n"))
    ranges = []
    for piece in pieces if least > 0 or pieces != [""] else []:  # nothing at all is a list where none are allowed
        match = _ITEM.fullmatch(piece)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= MAX_SEED:
            raise ValueError(
                f"{piece[:40]!r} is not allowed; seeds are whole numbers from 0 to {MAX_SEED}, and ranges of them from the "
                'smaller to the larger, as in "0-15, 99".'
            )
        ranges.append(range(first, last + 1))
    count = sum(map(len, ranges))
    if not least <= count <= most:
        raise WrongCountError(count, least, most)
    return [seed for numbers in ranges for seed in numbers]
