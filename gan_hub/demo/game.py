"""The tab "Real or fake?": the player against the discriminator, over the same pairs of a real and a generated picture.

What keeps the answer secret: the browser gets one picture of the whole pair, as pixels and nothing else; which half is
real stays in the server's session until the player has chosen; and chance comes from the operating system. So everything
but the pixels is a coin: bytes, order, names, metadata, what changes on the page.

What cannot be kept secret is what the pixels say. Generated pictures differ from real ones in numbers that no eye sees,
such as how many pixels have grey level 1, or how well a picture compresses: a program that has learnt such a number picks
the real one in 92 to 100 of 100 rounds, depending on the model. And the real pictures are published with the model, so
whoever compares with them is always right. It is a game for eyes; a high score proves nothing about who reached it.
"""

import html
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr

from gan_hub.demo import image_files, inputs, models, sanitize
from gan_hub.demo.inputs import with_error_toast
from gan_hub.demo.models import ON_MODEL, PRIVATE
from gan_hub.demo.texts import t, translate
from gan_hub.images import grid
from gan_hub.latents import MAX_SEED
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.manifest import Manifest
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.pipeline import GANPipeline

SIDES = ("left", "right")
HISTORY = 20  # rounds in the picture of the last rounds


@dataclass(frozen=True)
class Game:
    """One player's game: the pair on the table, and how each round so far went. Lives on the server."""

    model: str
    pair: str  # the data URI of both pictures as one
    shape: str  # width / height of one of them, as the style sheet takes it
    label: str | None  # the class of both
    left_is_real: bool
    left_probability: float | None  # the discriminator's; None where it cannot play
    decided: bool
    rounds: tuple[tuple[bool, bool | None], ...] = ()  # (player right?, discriminator right?)
    seen: frozenset[int] = frozenset()  # real pictures that were on the table already


def deal(model: str, rounds=(), seen=frozenset()) -> Game | None:
    """A new round with a real picture that was not seen yet (once all were, anew); None without real pictures."""
    pipe = models.load(model)
    samples = _real_samples(model)
    if samples is None:
        return None
    seen = frozenset() if len(seen) == len(samples.images) else seen
    index = secrets.choice([index for index in range(len(samples.images)) if index not in seen])
    label = pipe.label_names[samples.labels[index]] if samples.labels and pipe.label_names else None
    fake = pipe(seeds=[secrets.randbelow(MAX_SEED + 1)], labels=label).images[0]

    left_is_real = bool(secrets.randbits(1))
    left, right = (samples.images[index], fake) if left_is_real else (fake, samples.images[index])
    probability = None
    if _judges(pipe):
        probability = pipe.judge_pair(left, right, labels=None if label is None else [label]).item()
    pair = image_files.data_uri(grid([left, right], 2, padding=0))
    shape = f"{fake.width} / {fake.height}"
    return Game(model, pair, shape, label, left_is_real, probability, False, rounds, seen | {index})


def _judges(pipe: GANPipeline) -> bool:
    """Whether the discriminator can play: some models have none, some judge by a map, and real pictures come without."""
    return pipe.discriminator is not None and not isinstance(pipe.unwrapped_discriminator, SegmentationConditional)


def _real_samples(model: str) -> real_samples.RealSamples | None:
    pipe = models.load(model)
    config = pipe.unwrapped_generator.config
    folder = Path(pipe.name_or_path)
    manifest = Manifest.if_any(folder)
    return real_samples.read(folder, manifest, config["resolution"], config["channels"], config["num_classes"])


def decide(game: Game, side: str) -> Game:
    """The round with the player's choice in it. Raises BadInput where there is nothing to choose."""
    inputs.choice(side, SIDES, "side")
    if game is None:
        raise inputs.BadInputError("no_game")
    if game.decided:
        raise inputs.BadInputError("answered")
    player = (side == "left") == game.left_is_real
    judge = None if game.left_probability is None else (game.left_probability > 0.5) == game.left_is_real
    return replace(game, decided=True, rounds=(*game.rounds, (player, judge)))


# ------------------------------------------------------------------------------------------ what is shown


def table(game: Game | None, request: gr.Request | None = None) -> str:
    """The pair as two cards cut by the style sheet from one picture; after the choice with the truth below each."""
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


def verdict(game: Game | None, request: gr.Request | None = None) -> str:
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


def _opinion(game: Game, judge: bool | None, request) -> str:
    if judge is None:
        absent = models.load(game.model).discriminator is None
        return translate(request, "judge_absent" if absent else "judge_needs_map")
    left = game.left_probability > 0.5
    sure = max(game.left_probability, 1 - game.left_probability)
    percent = f"{100 * sure:.0f} %" if sure < 0.995 else "> 99 %"
    side = translate(request, f"side_{SIDES[0] if left else SIDES[1]}")
    return translate(request, "judge_right" if judge else "judge_wrong", side=side, percent=percent)


def score(game: Game | None, request: gr.Request | None = None) -> str:
    """Player against discriminator over the same rounds, streaks, and the last rounds as ticks and crosses."""
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
    ticks = "".join(
        f'<div><span class="who">{html.escape(translate(request, key))}</span> '
        + "".join(
            f'<span class="{"good" if right else "bad"}">{"✓" if right else "✗"}</span>' for right in row[-HISTORY:]
        )
        + "</div>"
        for key, row in rows
    )
    history = (
        f'<div class="history" aria-label="{html.escape(translate(request, "history"))}">{ticks}</div>'
        if player
        else ""
    )
    return f'<div class="score">{cells}</div>{history}'


def streaks(rights: list[bool]) -> tuple[int, int]:
    """The run of correct choices up to now, and the longest one."""
    streak = best = 0
    for right in rights:
        streak = streak + 1 if right else 0
        best = max(best, streak)
    return streak, best


def explain(model: str, request: gr.Request | None = None) -> str:
    """What the discriminator's percentage means, how good a judge it is, and where the real pictures come from, as HTML."""
    pipe, samples = models.load(model), _real_samples(model)
    paragraphs = []
    if _judges(pipe) and pipe.calibration is not None:
        auc = pipe.calibration.auc
        paragraphs.append(sanitize.rendered(translate(request, "calibrated", auc=auc, percent=round(100 * auc))))
    elif _judges(pipe):
        paragraphs.append(sanitize.rendered(translate(request, "uncalibrated")))
    if samples is not None and samples.notice:
        notice = sanitize.plain(translate(request, "origin", notice=samples.notice))
        paragraphs.append(f'<p class="notice">{notice}</p>')
    return "".join(paragraphs)


def _page(game: Game | None, request):
    """What every handler of the tab answers: state, pair, verdict, score, and which buttons can be pressed."""
    can_pick, can_go_on = (game is not None and not game.decided), (game is not None and game.decided)
    return (
        game,
        table(game, request),
        verdict(game, request),
        score(game, request),
        gr.update(interactive=can_pick),
        gr.update(interactive=can_pick),
        gr.update(interactive=can_go_on),
    )


# --------------------------------------------------------------------------------------------- handlers


@with_error_toast
def open_tab(model: str, request: gr.Request | None = None):
    """A new game with the model that was just chosen."""
    return *_page(deal(model), request), explain(model, request)


@with_error_toast
def start_over(model: str, game: Game | None = None, request: gr.Request | None = None):
    """A new game: no rounds, no score. A pair that is not decided stays: each real picture is shown for a round's sake."""
    if game is None or game.model != model:
        return _page(deal(model), request)
    return _page(deal(model, (), game.seen) if game.decided else replace(game, rounds=()), request)


@with_error_toast
def pick_left(game: Game | None, request: gr.Request | None = None):
    """The player takes the left picture for the real one."""
    return _page(decide(game, "left"), request)


@with_error_toast
def pick_right(game: Game | None, request: gr.Request | None = None):
    """The player takes the right picture for the real one."""
    return _page(decide(game, "right"), request)


@with_error_toast
def next_round(game: Game | None, request: gr.Request | None = None):
    """The next pair, once this one is decided: a hard round cannot be skipped."""
    if game is None:
        raise inputs.BadInputError("no_game")
    if not game.decided:
        raise inputs.BadInputError("unanswered")
    return _page(deal(game.model, game.rounds, game.seen), request)


def build(model: gr.Dropdown):
    """Lays out the tab. Returns its opening: handler, inputs, outputs."""
    game = gr.State(None)
    gr.Markdown(t("game_intro"))
    with gr.Column(elem_id="game"):
        question = gr.HTML()
        pair = gr.HTML(js_on_load="")
        with gr.Row(equal_height=True, elem_classes="picks"):
            left = gr.Button(t("left"), size="lg", interactive=False, elem_id="pick-left", min_width=120)
            right = gr.Button(t("right"), size="lg", interactive=False, elem_id="pick-right", min_width=120)
        with gr.Row(equal_height=True):
            onwards = gr.Button(t("next"), variant="primary", interactive=False, elem_id="next-round", min_width=160)
            reset = gr.Button(t("reset"), elem_id="start-over", min_width=100)
        gr.Markdown(t("keys"), elem_classes="note keys")
        points = gr.HTML()
    with gr.Accordion(t("how_judged"), open=False):
        explanation = gr.HTML()

    page = [game, pair, question, points, left, right, onwards]
    common = {"show_progress": "hidden", **PRIVATE, **ON_MODEL}
    left.click(pick_left, game, page, **common)
    right.click(pick_right, game, page, **common)
    onwards.click(next_round, game, page, **common)
    reset.click(start_over, [model, game], page, **common)
    return open_tab, [model], [*page, explanation]
