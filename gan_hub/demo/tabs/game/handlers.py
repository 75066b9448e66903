""" "Real or fake?": the player against the discriminator, over the same pairs of a real and a generated picture.

What keeps the answer secret: the browser gets one picture of the whole pair, as pixels and nothing else; which half is
real stays in the server's session until the player has chosen; and random numbers come from the operating system. So
nothing but the pixels depends on the answer: not the bytes, the order, names, metadata, or what changes on the page.

What cannot be kept secret is what the pixels say. Generated pictures differ from real ones in numbers that no eye sees,
such as how many pixels have grey level 1, or how well a picture compresses: a program that has learnt such a number picks
the real one in 92 to 100 of 100 rounds, depending on the model. And the real pictures are published with the model, so a
program that compares with them is always right. It is a game for eyes; a high score does not prove that a person played.
"""

import html
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr

from gan_hub.demo import image_files, inputs, models, sanitize
from gan_hub.demo.components import Update
from gan_hub.demo.texts import translate
from gan_hub.images import grid
from gan_hub.latents import MAX_SEED
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.manifest import Manifest
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.pipeline import GANPipeline

SIDES = ("left", "right")
MAX_HISTORY = 20  # rounds listed as ticks and crosses

Rounds = tuple[
    tuple[bool, bool | None], ...
]  # for each: was the player right, was the discriminator (None: it cannot play)


@dataclass(frozen=True)
class Game:
    """One player's game: the present pair, and how each round so far went. Stays on the server."""

    model: str
    pair: str  # the data URI of both pictures as one
    shape: str  # width / height of one of them, as the style sheet takes it
    label: str | None  # the class of both
    left_is_real: bool
    left_probability: float | None  # that the left one is real, by the discriminator; None where it cannot play
    decided: bool
    rounds: Rounds = ()
    seen: frozenset[int] = frozenset()  # indices of the real pictures that were shown already


def new_round(model: str, rounds: Rounds = (), seen: frozenset[int] = frozenset()) -> Game | None:
    """A new pair, with a real picture that was not shown yet; once all were, any of them.

    Args:
        model: a model of this page.
        rounds: how the rounds before went.
        seen: indices of the real pictures that were shown already.

    Returns:
        The game with the new pair; None if the model has no real pictures.
    """
    pipe = models.load(model)
    samples = _real_samples(model)
    if samples is None:
        return None
    seen = frozenset() if len(seen) == len(samples.images) else seen
    index = secrets.choice([index for index in range(len(samples.images)) if index not in seen])
    label = pipe.label_names[samples.labels[index]] if samples.labels and pipe.label_names else None
    fake = models.pil_images(pipe(seeds=[secrets.randbelow(MAX_SEED + 1)], labels=label))[0]

    left_is_real = bool(secrets.randbits(1))
    left, right = (samples.images[index], fake) if left_is_real else (fake, samples.images[index])
    probability = None
    if _can_judge(pipe):
        probability = pipe.judge_pair(left, right, labels=None if label is None else [label]).item()
    pair = image_files.data_uri(grid([left, right], 2, padding=0))
    shape = f"{fake.width} / {fake.height}"
    return Game(model, pair, shape, label, left_is_real, probability, False, rounds, seen | {index})


def _can_judge(pipe: GANPipeline) -> bool:
    """Whether the discriminator can play. Some models have none; some judge by a map, which real pictures lack."""
    return pipe.discriminator is not None and not isinstance(pipe.unwrapped_discriminator, SegmentationConditional)


def _real_samples(model: str) -> real_samples.RealSamples | None:
    pipe = models.load(model)
    config = pipe.unwrapped_generator.config
    folder = Path(pipe.name_or_path)
    manifest = Manifest.if_any(folder)
    return real_samples.read(folder, manifest, config["resolution"], config["channels"], config["num_classes"])


def record_choice(game: Game | None, side: str) -> Game:
    """The game with the player's choice of `side` ("left" or "right"). Raises BadInputError without an open round."""
    inputs.choice(side, SIDES, "side")
    if game is None:
        raise inputs.BadInputError("no_game")
    if game.decided:
        raise inputs.BadInputError("answered")
    player = (side == "left") == game.left_is_real
    judge = None if game.left_probability is None else (game.left_probability > 0.5) == game.left_is_real
    return replace(game, decided=True, rounds=(*game.rounds, (player, judge)))


# ------------------------------------------------------------------------------------------ the page's HTML


def pair_html(game: Game | None, request: gr.Request | None = None) -> str:
    """The pair as two cards, which the style sheet cuts out of one picture; after the choice with the truth below each."""
    if game is None:
        return f'<p class="note">{html.escape(translate(request, "no_real"))}</p>'
    cards = []
    for side in SIDES:
        real = (side == "left") == game.left_is_real
        mark, caption = ("", translate(request, f"side_{side}"))
        if game.decided:
            mark, caption = ("real", translate(request, "is_real")) if real else ("fake", translate(request, "is_fake"))
        cards.append(
            f'<div class="card {mark}"><div class="half {side}" data-pick="{side}"></div>'
            f'<div class="caption">{html.escape(caption)}</div></div>'
        )
    alt = html.escape(translate(request, "pair_alt"), quote=True)
    style = f"--pair:url({game.pair});--shape:{game.shape}"
    return f'<div class="pair" role="img" aria-label="{alt}" style="{style}">{"".join(cards)}</div>'


def verdict_html(game: Game | None, request: gr.Request | None = None) -> str:
    """The question, or, once the player has chosen, who was right."""
    if game is None:
        return ""
    if not game.decided:
        key = "which_label" if game.label else "which"
        text = translate(request, key, label=game.label or "")
        lines = [f"<strong>{html.escape(text)}</strong>"]
    else:
        player, judge = game.rounds[-1]
        truth = translate(request, f"side_{SIDES[0] if game.left_is_real else SIDES[1]}")
        answer = html.escape(translate(request, "you_right" if player else "you_wrong"))
        lines = [
            f'<strong class="{"good" if player else "bad"}">{answer}</strong> '
            + html.escape(translate(request, "truth", side=truth)),
            html.escape(_opinion(game, judge, request)),
        ]
    body = "".join(f"<div>{line}</div>" for line in lines)
    return f'<div class="verdict" role="status" aria-live="polite">{body}</div>'


def _opinion(game: Game, judge_right: bool | None, request: gr.Request | None) -> str:
    """A sentence: what the discriminator took for real, how sure it was, if it was right; or why it does not play."""
    if judge_right is None or game.left_probability is None:
        absent = models.load(game.model).discriminator is None
        return translate(request, "judge_absent" if absent else "judge_needs_map")
    left = game.left_probability > 0.5
    sure = max(game.left_probability, 1 - game.left_probability)
    percent = f"{100 * sure:.0f} %" if sure < 0.995 else "> 99 %"
    side = translate(request, f"side_{SIDES[0] if left else SIDES[1]}")
    return translate(request, "judge_right" if judge_right else "judge_wrong", side=side, percent=percent)


def score_html(game: Game | None, request: gr.Request | None = None) -> str:
    """The score of player and discriminator over the same rounds, streaks, and the last rounds as ticks and crosses."""
    if game is None:
        return ""
    player, judge = [right for right, _ in game.rounds], [right for _, right in game.rounds]
    streak, best = streaks(player)
    judge_score = "–" if game.left_probability is None else sum(map(bool, judge))
    figures = [
        ("score_you", sum(player)),
        ("score_judge", judge_score),
        ("score_rounds", len(player)),
        ("score_streak", streak),
        ("score_best", best),
    ]
    cells = "".join(
        f'<div class="figure"><span class="number" data-score="{key[6:]}">{value}</span>'
        f"<span>{html.escape(translate(request, key))}</span></div>"
        for key, value in figures
    )
    rows = [("score_you", player)] + ([("score_judge", judge)] if game.left_probability is not None else [])
    ticks = "".join(_ticks(translate(request, key), row) for key, row in rows)
    label = html.escape(translate(request, "history"))
    history = f'<div class="history" aria-label="{label}">{ticks}</div>' if player else ""
    return f'<div class="score">{cells}</div>{history}'


def _ticks(name: str, rights: Sequence[bool | None]) -> str:
    marks = (
        f'<span class="{"good" if right else "bad"}">{"✓" if right else "✗"}</span>' for right in rights[-MAX_HISTORY:]
    )
    return f'<div><span class="who">{html.escape(name)}</span> {"".join(marks)}</div>'


def streaks(rights: list[bool]) -> tuple[int, int]:
    """The number of correct choices in a row up to now, and the longest such row."""
    streak = best = 0
    for right in rights:
        streak = streak + 1 if right else 0
        best = max(best, streak)
    return streak, best


def explanation_html(model: str, request: gr.Request | None = None) -> str:
    """What the discriminator's percentage means, how good a judge it is, and where the real pictures come from, as HTML."""
    pipe, samples = models.load(model), _real_samples(model)
    paragraphs = []
    if _can_judge(pipe) and pipe.calibration is not None:
        auc = pipe.calibration.auc
        paragraphs.append(sanitize.render_markdown(translate(request, "calibrated", auc=auc, percent=round(100 * auc))))
    elif _can_judge(pipe):
        paragraphs.append(sanitize.render_markdown(translate(request, "uncalibrated")))
    if samples is not None and samples.notice:
        notice = sanitize.escape(translate(request, "origin", notice=samples.notice))
        paragraphs.append(f'<p class="notice">{notice}</p>')
    return "".join(paragraphs)


# State, pair, verdict, score, the buttons left, right and next, and a sentence.
Page = tuple[Game | None, str, str, str, Update, Update, Update, str]


def _page(game: Game | None, request: gr.Request | None) -> Page:
    """The return value of every handler of the tab: state, HTML, and which buttons can be pressed."""
    can_pick, can_go_on = (game is not None and not game.decided), (game is not None and game.decided)
    return (
        game,
        pair_html(game, request),
        verdict_html(game, request),
        score_html(game, request),
        gr.update(interactive=can_pick),
        gr.update(interactive=can_pick),
        gr.update(interactive=can_go_on),
        "",
    )


# --------------------------------------------------------------------------------------------- handlers


def draw(
    model: str, game: Game | None = None, request: gr.Request | None = None
) -> tuple[str, Game | None, str, str, str, Update, Update, Update, str]:
    """The explanation of the discriminator, and a new game with the chosen model; a game with it that is there goes on."""
    known = game if game is not None and game.model == model else new_round(model)
    return explanation_html(model, request), *_page(known, request)


def start_over(model: str, game: Game | None = None, request: gr.Request | None = None) -> Page:
    """A new game without rounds and score. An undecided pair stays, or starting over would collect the real pictures.

    Args:
        model: the model of the page.
        game: the present game.
        request: has the visitor's language.

    Returns:
        The tab's state and components.
    """
    if game is None or game.model != model:
        return _page(new_round(model), request)
    return _page(new_round(model, (), game.seen) if game.decided else replace(game, rounds=()), request)


def pick_left(game: Game | None, request: gr.Request | None = None) -> Page:
    """The player takes the left picture for the real one."""
    return _page(record_choice(game, "left"), request)


def pick_right(game: Game | None, request: gr.Request | None = None) -> Page:
    """The player takes the right picture for the real one."""
    return _page(record_choice(game, "right"), request)


def next_round(game: Game | None, request: gr.Request | None = None) -> Page:
    """The next pair. Only once this one is decided: a hard pair cannot be skipped."""
    if game is None:
        raise inputs.BadInputError("no_game")
    if not game.decided:
        raise inputs.BadInputError("unanswered")
    return _page(new_round(game.model, game.rounds, game.seen), request)
