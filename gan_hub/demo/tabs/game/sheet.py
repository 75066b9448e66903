"""The sheet at the end of a game: the ten pairs with both picks, the score, and what the pixels give away."""

import html
import io
import json

import gradio as gr

from gan_hub.demo.tabs.game.markup import judge_plays, uri
from gan_hub.demo.tabs.game.pairs import Pair
from gan_hub.demo.tabs.game.rounds import ROUNDS, SIDES, Game, Round
from gan_hub.demo.texts import translate

TELLING = (
    9  # of ten pairs in which the smaller half is the real one; by chance at least so many in one game of a hundred
)


def sheet_html(game: Game, request: gr.Request | None = None) -> str:
    """The sheet of a finished game. The browser makes a picture of it (script.js), from what stands in its `data-sheet`."""
    rights = sum(each.is_right for each in game.rounds)
    plays = judge_plays(game)
    judges = sum(bool(each.judge_is_right) for each in game.rounds)
    key = "sheet_score_both" if plays else "sheet_score"
    score = translate(request, key, right=rights, count=ROUNDS, judge=judges)
    title = translate(request, f"sheet_{game.kind}")
    under = f"{game.model} · {translate(request, f'level_{game.level}')}" + (f" · {game.day}" if game.day else "")
    pairs = "".join(_pair(number, each, game.kind, request) for number, each in enumerate(game.rounds, 1))
    remarks = [translate(request, _remark(rights, judges if plays else None)), *_given_away(game, request)]
    words = "".join(f"<p>{html.escape(remark)}</p>" for remark in remarks)
    marks = "".join("✓" if each.is_right else "✗" for each in game.rounds)
    data = html.escape(json.dumps({"title": title, "score": score, "under": under, "marks": marks}), quote=True)
    buttons = "".join(
        f'<button type="button" data-sheet-do="{name}"{" hidden" if name == "share" else ""}>'
        f"{html.escape(translate(request, f'sheet_{name}'))}</button>"
        for name in ("again", "save", "share", "copy")
    )
    return (
        f'<div class="sheet" tabindex="-1" data-sheet="{data}"><div role="status"><h2>{html.escape(score)}</h2></div>'
        f'<p class="under">{html.escape(title)} · {html.escape(under)}</p>{words}'
        f'<div class="sheet-pairs">{pairs}</div><div class="sheet-buttons">{buttons}</div></div>'
    )


def _pair(number: int, played: Round, kind: str, request: gr.Request | None) -> str:
    """One pair of the sheet: its picture, and below each half what it was and who chose it."""
    chosen = {"left": played.picked_left, "right": not played.picked_left}
    probability = played.pair.left_probability
    halves = []
    for side in SIDES:
        is_answer = (side == "left") == played.pair.answer_is_left
        words = [translate(request, f"{'answer' if is_answer else 'other'}_{kind}")]
        words += [translate(request, "you_short")] if chosen[side] else []
        if kind == "real" and probability is not None and (side == "left") == (probability > 0.5):
            words.append(translate(request, "judge_short"))
        halves.append(f'<span class="{"answer" if is_answer else "other"}">{html.escape(" · ".join(words))}</span>')
    mark, word = ("✓", "you_right") if played.is_right else ("✗", "you_wrong")
    alt = html.escape(translate(request, "sheet_pair", number=number), quote=True)
    return (
        f'<figure class="{"good" if played.is_right else "bad"}"><img class="px" src="{uri(played.pair)}" alt="{alt}">'
        f'<figcaption><span class="halves">{"".join(halves)}</span>'
        f'<span class="mark" aria-label="{html.escape(translate(request, word), quote=True)}" role="img">{mark}</span>'
        "</figcaption></figure>"
    )


def _remark(rights: int, judges: int | None) -> str:
    """The key of a sentence about the score."""
    if judges is not None and rights != judges:
        return "remark_won" if rights > judges else "remark_lost"
    return "remark_all" if rights == ROUNDS else "remark_coin" if 4 <= rights <= 6 else "remark_fair"


def _given_away(game: Game, request: gr.Request | None) -> list[str]:
    """A sentence where the pixels themselves give the answers away: how well each half can be packed tells which is real."""
    if game.kind != "real":
        return []
    smaller = sum(_is_smaller(each.pair) for each in game.rounds)
    if smaller >= TELLING:
        return [translate(request, "pixels_fake_noisy", right=smaller, count=ROUNDS)]
    if ROUNDS - smaller >= TELLING:
        return [translate(request, "pixels_fake_smooth", right=ROUNDS - smaller, count=ROUNDS)]
    return []


def _is_smaller(pair: Pair) -> bool:
    """Whether the real half is the one with the smaller PNG."""
    sizes = []
    for half in pair.halves:
        buffer = io.BytesIO()
        half.save(buffer, "PNG")
        sizes.append(buffer.tell())
    return (sizes[0] < sizes[1]) == pair.answer_is_left
