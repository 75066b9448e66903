""" "Real or fake?" and its sisters: the player against the discriminator, over ten pairs of pictures.

What keeps the answer secret: the browser gets one picture of the whole pair, as pixels and nothing else; which half is the answer
stays on the server until the player has chosen; and which side it takes is tossed by the operating system for each player. So
nothing but the pixels depends on the answer: not the bytes, the order, names, metadata, or what changes on the page.

What cannot be kept secret is what the pixels say. Generated pictures differ from real ones in numbers that no eye sees,
such as how many pixels have grey level 1, or how well a picture compresses: a program that has learnt such a number picks
the real one in 92 to 100 of 100 rounds, depending on the model. And the real pictures are published with the model, so a
program that compares with them is always right. It is a game for eyes; a high score does not prove that a person played.
"""

from typing import Any
from urllib.parse import urlencode

import gradio as gr

from gan_hub.demo import answer_log, inputs, models
from gan_hub.demo.components import Update
from gan_hub.demo.tabs.game import attention, days, markup, material, rounds
from gan_hub.demo.tabs.game.pairs import EARLY, LEVELS, Sent, levels_of
from gan_hub.demo.tabs.game.rounds import GAMES, RISING, ROUNDS, Game
from gan_hub.demo.tabs.game.sheet import sheet_html
from gan_hub.demo.texts import t, translate
from gan_hub.metrics.human_answers import Answer

LINK_KEYS = ("kind", "difficulty", "day", "seed", "label")
DIFFICULTIES = (RISING, EARLY, *LEVELS)
MOST_REMEMBERED = 24  # games and best streaks that a browser keeps

# The game's token, what the browser keeps, pair or sheet, verdict, score, the buttons left, right, next and why, the words about
# why, and a sentence.
Table = tuple[str, dict | Update, str, str, str, Update, Update, Update, Update, str, str]


# ----------------------------------------------------------------------------------------------- the table


def table(game: Game, memory: dict, request: gr.Request | None, is_new: bool = True) -> Table:
    """What every handler returns: what lies on the table, and which buttons can be pressed.

    Args:
        game: the game.
        memory: what the browser remembers, see `remembered`.
        request: has the visitor's language.
        is_new: whether the browser has to take `memory` over. What was sent with an earlier event must not come back later.

    Returns:
        The tab's state and components.
    """
    is_over = game.pair is None
    can_pick, best = not game.decided and not is_over, _best(memory, game)
    onwards = "to_sheet" if len(game.rounds) == ROUNDS and not is_over else "next"
    can_ask = game.decided and not is_over and _has_reasons(game)
    return (
        game.token,
        memory if is_new else gr.skip(),
        sheet_html(game, request) if is_over else markup.pair_html(game, request),
        "" if is_over else markup.verdict_html(game, request),
        markup.score_html(game, best, request),
        gr.update(interactive=can_pick, value=t(f"left_{game.kind}"), visible=not is_over),
        gr.update(interactive=can_pick, value=t(f"right_{game.kind}"), visible=not is_over),
        gr.update(interactive=game.decided, value=t(onwards), visible=not is_over),
        gr.update(interactive=can_ask, visible=not is_over and _has_reasons(game)),
        "",
        "",
    )


def _has_reasons(game: Game) -> bool:
    """Whether the discriminator can say where it looked."""
    pipe = models.load(game.model)
    return game.kind == "preferred" or (game.kind == "real" and material.can_judge(pipe))


def remembered(memory: object) -> dict[str, dict]:
    """What a browser keeps: the token of each game it plays, and the longest streaks. Whatever else it sends is dropped."""
    kept: dict[str, dict] = {"games": {}, "best": {}}
    for name, kind in (("games", str), ("best", int)):
        sent = memory.get(name) if isinstance(memory, dict) else None
        if isinstance(sent, dict):
            valid = {key: value for key, value in sent.items() if isinstance(key, str) and type(value) is kind}
            kept[name] = dict(list(valid.items())[-MOST_REMEMBERED:])
    return kept


def _key(*names: str) -> str:
    return "|".join(names)


def _best(memory: dict, game: Game) -> int:
    return memory["best"].get(_key(game.model, game.kind), 0)


def _with_game(memory: object, game: Game) -> dict:
    kept = remembered(memory)
    key = _key(game.model, game.kind, game.level, game.day)
    kept["games"].pop(key, None)
    kept["games"][key] = game.token
    return remembered(kept)


def _with_best(memory: object, game: Game) -> dict:
    kept, key = remembered(memory), _key(game.model, game.kind)
    kept["best"][key] = max(kept["best"].get(key, 0), rounds.streaks(game.results)[1])
    return remembered(kept)


# ------------------------------------------------------------------------------------------------ openings


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """The form as a link fills it; what the link does not say keeps its default.

    Args:
        model: the model of the link.
        link: its parameters by their keys.
        request: has the visitor's language.

    Returns:
        Updates of the pickers of kind and difficulty, the day, and the seed and class of a picture that is sent into the game.

    Raises:
        BadInputError: one of them is none.
    """
    kinds = material.kinds_of(models.load(model))
    kind = inputs.choice(link.get("kind", kinds[0] if kinds else material.KINDS[0]), material.KINDS, "kind")
    level, day = inputs.choice(link.get("difficulty", RISING), DIFFICULTIES, "difficulty"), days.check(link.get("day"))
    if kinds:
        kind, level, day = checked(model, kind, level, day)
    seed = str(inputs.seeds(link["seed"], most=1)[0]) if "seed" in link else ""
    label = inputs.class_name(link.get("label"), models.class_names(model)) or inputs.OWN
    return [*_pickers(model, kind, level), day, seed, label]


def _pickers(model: str, kind: str, level: str) -> tuple[Update, Update]:
    """What can be played with a model: Gradio refuses a choice that the pickers do not offer."""
    pipe = models.load(model)
    kinds, levels = material.kinds_of(pipe), (RISING, *levels_of(pipe, kind))
    return (
        gr.update(choices=[(t(f"kind_{each}"), each) for each in kinds], value=kind, visible=len(kinds) > 1),
        gr.update(choices=[(t(f"level_{each}"), each) for each in levels], value=level),
    )


Drawn = tuple[Update, Update, str, str, str, str, *Table]


def draw(
    model: str,
    kind: str = "real",
    level: str = RISING,
    day: str = "",
    memory: object = None,
    seed: str = "",
    label: str = inputs.OWN,
    request: gr.Request | None = None,
) -> Drawn:
    """The game of a model: one that this browser plays already goes on, else a new one.

    Args:
        model: a model of this page.
        kind: what is asked; where the model has no such game, its first.
        level: how hard it is, one of DIFFICULTIES.
        day: the day whose ten are played; "" for pairs of one's own.
        memory: what the browser remembers.
        seed: of a picture to begin a new game with, where the discriminator is asked which one it prefers; else "".
        label: the class of that picture, or "own".
        request: has the visitor's language.

    Returns:
        The picker of the kind, difficulty and day, the explanation, the link, no seed, and the table.
    """
    kind, level, day = checked(model, kind, level, day)
    seeds = inputs.seeds(seed, 0, 1)
    if seeds and kind == "preferred":
        own = Sent(seeds[0], inputs.class_name(label, models.class_names(model)))
        return _drawn(rounds.begin(model, kind, level, sent=own), memory, request)
    known = GAMES.find(remembered(memory)["games"].get(_key(model, kind, level, day)))
    if known is None or (known.model, known.kind, known.level, known.day) != (model, kind, level, day):
        known = rounds.begin(model, kind, level, day)
    return _drawn(known, memory, request)


def start_over(
    model: str,
    kind: str = "real",
    level: str = RISING,
    token: str = "",
    memory: object = None,
    request: gr.Request | None = None,
) -> Drawn:
    """Ten new pairs. The streak goes on, and a pair that is not decided stays on the table.

    Args:
        model, kind, level, memory, request: as in `draw`.
        token: of the present game.

    Returns:
        As `draw`.
    """
    kind, level, _ = checked(model, kind, level, "")
    return _drawn(rounds.begin(model, kind, level, before=GAMES.find(token)), memory, request)


def draw_today(
    model: str,
    kind: str = "real",
    level: str = RISING,
    memory: object = None,
    request: gr.Request | None = None,
) -> Drawn:
    """Today's ten, which are the same for everyone.

    Args:
        model, kind, level, memory, request: as in `draw`.

    Returns:
        As `draw`.
    """
    return draw(model, kind, level, days.today(), memory, request=request)


def checked(model: str, kind: object, level: object, day: object) -> tuple[str, str, str]:
    """What is played with a model; its own first kind, and the easiest level, in place of one that it does not have.

    Args:
        model: a model of this page.
        kind, level, day: what was asked for.

    Returns:
        Kind, difficulty and day.

    Raises:
        BadInputError: one of them is none, or the model brings nothing to play with.
    """
    kinds = material.kinds_of(models.load(model))
    if not kinds:
        raise inputs.BadInputError("lacks_game")
    kind = inputs.choice(kind, material.KINDS, "kind")
    kind, level = kind if kind in kinds else kinds[0], inputs.choice(level, DIFFICULTIES, "difficulty")
    if level == EARLY and EARLY not in levels_of(models.load(model), kind):
        level = LEVELS[0]
    return kind, level, days.check(day)


def _drawn(game: Game, memory: object, request: gr.Request | None) -> Drawn:
    link = {"tab": "game", "model": game.model, "kind": game.kind, "difficulty": game.level}
    link |= {"day": game.day} if game.day else {}
    is_easy = game.kind == "real" and material.is_easily_told(models.load(game.model))
    return (
        *_pickers(game.model, game.kind, game.level),
        game.day,
        markup.explanation_html(game.model, game.kind, request),
        "?" + urlencode(link),
        "",
        *table(game, _with_game(memory, game), request)[:-1],
        translate(request, "easily_told") if is_easy else "",
    )


# -------------------------------------------------------------------------------------------------- rounds


def pick_left(token: str, memory: object = None, may_count: object = False, request: gr.Request | None = None) -> Table:
    """The player takes the left picture.

    Args:
        token, memory, may_count, request: as in `pick`.

    Returns:
        The table.
    """
    return pick(token, "left", memory, may_count, request)


def pick_right(
    token: str, memory: object = None, may_count: object = False, request: gr.Request | None = None
) -> Table:
    """The player takes the right picture.

    Args:
        token, memory, may_count, request: as in `pick`.

    Returns:
        The table.
    """
    return pick(token, "right", memory, may_count, request)


def pick(
    token: str, side: str, memory: object = None, may_count: object = False, request: gr.Request | None = None
) -> Table:
    """Decide a round.

    Args:
        token: of the game.
        side: "left" or "right".
        memory: what the browser remembers.
        may_count: whether the player lets the answer be counted.
        request: has the visitor's language.

    Returns:
        The table.
    """
    game = rounds.pick(token, side)
    if may_count is True and answer_log.is_counting():
        played = game.rounds[-1]
        answer_log.count(Answer(game.model, game.kind, played.pair.level, played.is_right, played.judge_is_right))
    return table(game, _with_best(memory, game), request)


def next_round(token: str, memory: object = None, request: gr.Request | None = None) -> Table:
    """The next pair, if it is drawn already; after the last round, the sheet. A hard pair cannot be skipped.

    Args:
        token: of the game.
        memory: what the browser remembers.
        request: has the visitor's language.

    Returns:
        The table; as it was where the next pair has to be drawn, which `supply` does.
    """
    game = rounds.go_on(token)
    drawn = table(game, remembered(memory), request, is_new=False)
    return _unchanged(drawn) if game.is_awaited else drawn


def supply(token: str, memory: object = None, request: gr.Request | None = None) -> Table:
    """Draw the pair that the player waits for, or the next one ahead.

    Args:
        token, memory, request: as in `next_round`.

    Returns:
        The table; unchanged unless the player waits for it.
    """
    was = GAMES.find(token)
    if was is None:
        return _nothing()
    game = rounds.supply(token)  # meanwhile the player may have begun to wait
    return _nothing() if game.pair is was.pair else table(game, remembered(memory), request, is_new=False)


def _nothing() -> Table:
    return tuple([gr.skip()] * 11)  # pyright: ignore[reportReturnType]  # Gradio's own mark for no change


def _unchanged(drawn: Table) -> Table:
    """The table as it lies, with no button to press until the next pair is there."""
    update = gr.update(interactive=False)
    return (drawn[0], *[gr.skip()] * 6, update, update, gr.skip(), "")  # pyright: ignore[reportReturnType]


def explain(token: str, memory: object = None, request: gr.Request | None = None) -> tuple[str, str, str]:
    """Where the discriminator looked.

    Args:
        token: of the game, whose round is decided.
        memory: not used.
        request: has the visitor's language.

    Returns:
        The pair with what each spot adds laid over it, what that means, and no sentence.

    Raises:
        BadInputError: there is no such game, its round is open, or the discriminator has no say in it.
    """
    game = GAMES.find(token)
    if game is None:
        raise inputs.BadInputError("no_game")
    if game.pair is None or not game.decided:
        raise inputs.BadInputError("unanswered")
    if not _has_reasons(game):
        raise inputs.BadInputError("no_reasons")
    heat = attention.heat(game.model, game.pair)
    reason = f'<p class="note">{translate(request, "reasons")}</p>'
    return markup.pair_html(game, request, heat), reason, ""
