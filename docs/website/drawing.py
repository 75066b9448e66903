"""Boxes, arrows and words as SVG. A class gives the color, so that a page can draw them in its own colors."""

from html import escape

# For a figure that stands alone; where it is a part of a page, the page's style sheet says the same.
STYLE = """
.box{fill:#f5f5f7;stroke:#b5b5bd}.a{fill:#7986cb55;stroke:#5c6bc0}.b{fill:#f0629255;stroke:#ec407a}
.c{fill:#ffb74d55;stroke:#fb8c00}.line{fill:none;stroke:#777}.tip{fill:#777}text{fill:#222}.note{fill:#666}
@media(prefers-color-scheme:dark){text{fill:#eee}.note{fill:#aaa}.box{fill:#2a2b33;stroke:#666}.line{stroke:#aaa}.tip{fill:#aaa}}
"""
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"


class Drawing:
    """A figure of a given size; everything is put where its numbers say, in pixels from the upper left corner."""

    def __init__(self, width: float, height: float, title: str):
        self.width, self.height, self.title = width, height, title
        self.parts: list[str] = []

    def text(self, x: float, y: float, words: str, size: float = 13, kind: str = "", anchor: str = "middle") -> None:
        """One line of words, whose middle (or start) is at (x, y)."""
        name = f' class="{kind}"' if kind else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y + size * 0.35:g}" font-size="{size:g}" text-anchor="{anchor}"{name}>{escape(words)}</text>'
        )

    def box(
        self, x: float, y: float, width: float, height: float, words: str, kind: str = "box", size: float = 12
    ) -> None:
        """A box around words, which may have several lines."""
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" class="{kind}"/>')
        lines = words.split("\n")
        for number, line in enumerate(lines):
            self.text(x + width / 2, y + height / 2 + (number - (len(lines) - 1) / 2) * (size + 3), line, size)

    def arrow(self, *points: tuple[float, float], dashed: bool = False) -> None:
        """A line through the points, with a tip at the last one; its last stretch is level or upright."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(f'<polyline points="{" ".join(f"{x:g},{y:g}" for x, y in points)}" class="line"{dash}/>')
        (x0, y0), (x, y) = points[-2:]
        if abs(x - x0) >= abs(y - y0):
            back = 7 if x0 < x else -7
            corners = (x, y), (x - back, y - 4), (x - back, y + 4)
        else:
            back = 7 if y0 < y else -7
            corners = (x, y), (x - 4, y - back), (x + 4, y - back)
        self.parts.append(f'<polygon points="{" ".join(f"{a:g},{b:g}" for a, b in corners)}" class="tip"/>')

    def svg(self) -> str:
        """The whole file."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" width="{self.width:g}" '
            f'role="img" font-family="{FONT}"><title>{escape(self.title)}</title><style>{STYLE}</style>'
            + "\n".join(self.parts)
            + "</svg>\n"
        )
