"""The game's HTML: the pair, the question and the verdict, the score, and what the discriminator's percentage means."""

import base64
import html

import gradio as gr
from PIL import Image

from gan_hub.demo import image_files, models, sanitize, showcase
from gan_hub.demo.tabs.game import material
from gan_hub.demo.tabs.game.pairs import Pair, percent
from gan_hub.demo.tabs.game.rounds import ROUNDS, SIDES, Game, streaks
from gan_hub.demo.texts import language, translate

Heat = tuple[Image.Image, Image.Image]


def uri(pair: Pair) -> str:
    """The picture of both as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(pair.picture).decode()}"


def pair_html(game: Game, request: gr.Request | None = None, heat: Heat | None = None) -> str:
    """The pair as two cards, which the style sheet cuts out of one picture.

    Args:
        game: with a pair on the table; once it is decided, each card says what it is.
        request: has the visitor's language.
        heat: where the discriminator looked, to be laid over both.

    Returns:
        HTML.
    """
    pair, cards = game.pair, []
    assert pair is not None, "a finished game shows its sheet"
    for place, side in enumerate(SIDES):
        is_answer = (side == "left") == pair.answer_is_left
        mark, caption = "", translate(request, f"side_{side}")
        if game.decided:
            mark = "answer" if is_answer else "other"
            caption = translate(request, f"{mark}_{game.kind}")
            if (side == "left") == game.rounds[-1].picked_left:
                caption += f" · {translate(request, 'your_pick')}"
        over = (
            "" if heat is None else f'<div class="heat" style="background-image:url({_heat_uri(heat[place])})"></div>'
        )
        cards.append(
            f'<div class="card {mark}"><div class="half {side}" data-pick="{side}">{over}</div>'
            f'<div class="caption">{html.escape(caption)}</div></div>'
        )
    alt = html.escape(translate(request, f"pair_alt_{game.kind}"), quote=True)
    style = f"--pair:url({uri(pair)});--shape:{pair.shape}"
    return f'<div class="pair" role="group" tabindex="-1" aria-label="{alt}" style="{style}">{"".join(cards)}</div>'


def _heat_uri(heat: Image.Image) -> str:
    return image_files.data_uri(heat)


def question(game: Game, request: gr.Request | None = None) -> str:
    """What is asked of the pair on the table."""
    if game.pair is not None and "sent" in game.pair.facts:
        return translate(request, "which_preferred_sent", seed=game.pair.facts["sent"])
    label = showcase.class_title(game.pair.label or "", request) if game.pair else ""
    return translate(request, f"which_{game.kind}" + ("_label" if label else ""), label=label)


def verdict_html(game: Game, request: gr.Request | None = None) -> str:
    """The question, or, once the player has chosen, who was right."""
    if not game.decided:
        assert game.pair is not None
        level = translate(request, "level_now", level=translate(request, f"level_{game.pair.level}"))
        lines = [f"<strong>{html.escape(question(game, request))}</strong>", f"<small>{html.escape(level)}</small>"]
    else:
        right = game.rounds[-1].is_right
        answer = html.escape(translate(request, "you_right" if right else "you_wrong"))
        lines = [f'<strong class="{"good" if right else "bad"}">{answer}</strong> {html.escape(truth(game, request))}']
        if game.kind == "real":
            lines.append(html.escape(_opinion(game, request)))
    body = "".join(f"<div>{line}</div>" for line in lines)
    return f'<div class="verdict" role="status" aria-live="polite">{body}</div>'


def truth(game: Game, request: gr.Request | None) -> str:
    """A sentence: which half was the answer, and why."""
    pair = game.pair
    assert pair is not None
    side = translate(request, f"side_{SIDES[0] if pair.answer_is_left else SIDES[1]}")
    facts = {name: _written(value, request) for name, value in pair.facts.items()}
    if game.kind == "real" and "early" in facts:
        return translate(request, f"truth_early_{'about' if pair.facts['about'] else 'counted'}", side=side, **facts)
    if game.kind != "later":
        return translate(request, f"truth_{game.kind}", side=side, **facts)
    if "late" not in facts:
        return translate(request, "truth_later", side=side)
    key = "truth_later_about" if pair.facts["about"] else "truth_later_counted"
    return translate(request, key, side=side, late=facts["late"], early=facts["early"])


def _written(value: object, request: gr.Request | None) -> str:
    """A number as the visitor's language writes it; texts as they are."""
    written = f"{value:,}" if isinstance(value, int) else f"{value:,.3g}" if isinstance(value, float) else str(value)
    if isinstance(value, float) and abs(value) >= 1000:
        written = f"{value:,.0f}"
    return (
        written.translate(str.maketrans(",.", ".,"))
        if language(request) == "pt" and not isinstance(value, str)
        else written
    )


def _opinion(game: Game, request: gr.Request | None) -> str:
    """A sentence: what the discriminator took for real, how sure it was, if it was right; or why it does not play."""
    played = game.rounds[-1]
    if played.judge_is_right is None or played.pair.left_probability is None:
        absent = models.load(game.model).discriminator is None
        return translate(request, "judge_absent" if absent else "judge_needs_map")
    side = translate(request, f"side_{SIDES[0] if played.pair.left_probability > 0.5 else SIDES[1]}")
    key = "judge_right" if played.judge_is_right else "judge_wrong"
    return translate(request, key, side=side, percent=percent(played.pair.left_probability))


# ------------------------------------------------------------------------------------------------- score


def score_html(game: Game, best: int, request: gr.Request | None = None) -> str:
    """The score of player and discriminator over the same rounds, the streak, and each round as a tick or a cross.

    Args:
        game: the game.
        best: the longest streak that this browser remembers.
        request: has the visitor's language.

    Returns:
        HTML.
    """
    player, judge = [each.is_right for each in game.rounds], [each.judge_is_right for each in game.rounds]
    plays = judge_plays(game)
    figures = [("you", str(sum(player)))]
    figures += [("judge", str(sum(map(bool, judge))))] if plays else []
    figures += [
        ("rounds", f"{len(player)}/{ROUNDS}"),
        ("streak", str(streaks(game.results)[0])),
        ("best", str(max(best, streaks(game.results)[1]))),
    ]
    cells = "".join(
        f'<div class="figure"><span class="number" data-score="{name}">{value}</span>'
        f"<span>{html.escape(translate(request, f'score_{name}'))}</span></div>"
        for name, value in figures
    )
    rows = [("score_you", player)] + ([("score_judge", judge)] if plays else [])
    ticks = "".join(_ticks(translate(request, key), row, request) for key, row in rows)
    day = f'<p class="day">{html.escape(translate(request, "day_of", day=game.day))}</p>' if game.day else ""
    return f'{day}<div class="score">{cells}</div><div class="history">{ticks}</div>'


def judge_plays(game: Game) -> bool:
    """Whether the discriminator plays beside the visitor."""
    pairs = [each.pair for each in game.rounds] + ([game.pair] if game.pair else [])
    return game.kind == "real" and bool(pairs) and pairs[0].left_probability is not None


def _ticks(name: str, rights: list[bool] | list[bool | None], request: gr.Request | None) -> str:
    marks = [f'<span class="{"good" if right else "bad"}">{"✓" if right else "✗"}</span>' for right in rights]
    marks += ["<span>·</span>"] * (ROUNDS - len(rights))
    label = translate(request, "history", name=name, right=sum(map(bool, rights)), count=len(rights))
    return (
        f'<div role="img" aria-label="{html.escape(label, quote=True)}"><span class="who">{html.escape(name)}</span> '
        f"{' '.join(marks)}</div>"
    )


def explanation_html(model: str, kind: str, request: gr.Request | None = None) -> str:
    """How the pairs are made, what the discriminator's percentage means, and where the real pictures come from.

    Args:
        model: the model that is played with.
        kind: the kind of game.
        request: has the visitor's language.

    Returns:
        HTML.
    """
    pipe, paragraphs = models.load(model), []
    paragraphs += [sanitize.render_markdown(translate(request, f"about_{name}")) for name in (kind, "rising")]
    if pipe.discriminator is not None and kind in ("real", "preferred"):
        if pipe.calibration is not None:
            auc = pipe.calibration.auc
            quality = translate(request, "calibrated", auc=auc, percent=round(100 * auc))
        else:
            quality = translate(request, "uncalibrated")
        paragraphs.append(sanitize.render_markdown(quality))
    samples = material.real_pictures(pipe) if kind == "real" else None
    if samples is not None and samples.notice:
        notice = sanitize.escape(translate(request, "origin", notice=samples.notice))
        paragraphs.append(f'<p class="notice">{notice}</p>')
    return "".join(paragraphs)
