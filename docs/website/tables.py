"""Room for the words of a table: a browser would make a column as narrow as its longest word."""

import html
import re

CELL = re.compile(r"<td((?: style=\"[^\"]*\")?)>(.*?)</td>", re.DOTALL)
SHORT, LONG = 6, 45  # letters of a cell that needs no room, and of one that needs more than its longest word


def with_room(content: str) -> str:
    """A page whose long and short cells are marked, so that the style gives their columns a width."""

    def cell(match: re.Match) -> str:
        letters = len(html.unescape(re.sub(r"<[^>]+>", "", match[2])))
        kind = "short" if letters <= SHORT else "long" if letters > LONG else ""
        return f'<td class="{kind}"{match[1]}>{match[2]}</td>' if kind else match[0]

    return CELL.sub(cell, content)
