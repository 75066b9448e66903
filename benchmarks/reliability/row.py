"""One line of the table: what was done, what was wanted, what was found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A claim that was measured.

    Example:
        >>> from benchmarks.reliability.row import Row
        >>> str(Row("C8", "a body of 50 MB", "refused within 0.5 s", "413 in 0.01 s", True))
        '| C8 | a body of 50 MB | refused within 0.5 s | 413 in 0.01 s | yes |'
    """

    name: str
    what: str
    goal: str
    found: str
    is_met: bool

    def __str__(self) -> str:
        cells = (self.name, self.what, self.goal, self.found, "yes" if self.is_met else "**no**")
        return "| " + " | ".join(cells) + " |"


HEADER = "| row | what | wanted | found | met |\n|---|---|---|---|---|"
