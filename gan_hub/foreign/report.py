"""What a conversion did, for the terminal and for the card."""

from dataclasses import dataclass, field

from gan_hub.models.modeling import GANModel


@dataclass
class Report:
    """What was recognised, renamed, folded, ignored and lost, each as sentences.

    Example:
        >>> from gan_hub.foreign.report import Report
        >>> print(Report("DCGAN of a course", renamed=12, ignored=["the optimizer's state"]).text())
        recognised: DCGAN of a course
        renamed: 12 tensors, no number changed
        ignored: the optimizer's state
    """

    recognized: str
    renamed: int = 0
    folded: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)

    def lines(self) -> list[tuple[str, str]]:
        """(what was done, to what) of everything that was done."""
        lines = [("recognised", self.recognized), ("renamed", f"{self.renamed} tensors, no number changed")]
        for title in ("folded", "ignored", "lost", "compared"):
            lines += [(title, sentence) for sentence in getattr(self, title)]
        return lines

    def text(self) -> str:
        """The report, a line each."""
        return "\n".join(f"{title}: {sentence}" for title, sentence in self.lines())


@dataclass
class Converted:
    """The networks of a foreign file, built and filled, and how its seeds become latents."""

    report: Report
    generator: GANModel
    discriminator: GANModel | None = None
    seeds_like: str = "torch"
