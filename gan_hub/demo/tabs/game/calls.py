"""The calls by name of the tab "Real or fake?", for programs."""

from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr

from gan_hub.demo import image_files, inputs
from gan_hub.demo.calls import File, as_file
from gan_hub.demo.tabs.game import handlers as game
from gan_hub.demo.tabs.game import markup, rounds


class Round(TypedDict):
    """A round of the game: the token to go on with, which round it is, what is asked, and both pictures side by side as a PNG."""

    game: str
    round: int
    rounds: int
    question: str
    pair: File


class Verdict(TypedDict):
    """Whether a pick was right, the right side, why in a sentence, and the score so far.

    `discriminator` is the side that the discriminator took for real, "" where it does not play.
    """

    right: bool
    answer: str
    discriminator: str
    sentence: str
    score: int
    discriminator_score: int
    rounds_played: int


def game_round_call(
    model: str,
    kind: str = "real",
    difficulty: str = rounds.RISING,
    day: str = "",
    game_token: str = "",
    request: gr.Request | None = None,
) -> Round:
    """Begin a game of ten rounds, or deal the next pair of one; game_pick answers it.

    Args:
        model: a model of this page
        kind: "real" (which picture is real?), "preferred" (which does the discriminator take for more real?), "later" (which
            was drawn later in training?) or "better" (which network has the better score?); not every model has each
        difficulty: "easy", "normal", "hard", or "rising", which follows the player: harder after two right picks in a row,
            easier after a wrong one; for "real", where the model has it, "early": pictures of an early stage of the training
        day: a day such as 2026-11-29 for its ten pairs, which are the same for everyone; "" for pairs of one's own
        game_token: of the game to go on with, as the answer of the first call has it; "" begins a new one
        request: has the visitor's language

    Returns:
        the token, the number of the round and of all rounds, the question, and the pair

    Raises:
        BadInputError: all ten rounds are played, the one before is open, or there is no such game, kind, difficulty or day
    """
    if game_token:
        rounds.go_on(game_token)
        dealt = rounds.supply(game_token)
    else:
        dealt = rounds.begin(model, *game.checked(model, kind, difficulty, day))
    if dealt.pair is None:
        raise inputs.BadInputError("game_over")
    path = image_files.new_folder() / "pair.png"
    path.write_bytes(dealt.pair.picture)
    return {
        "game": dealt.token,
        "round": len(dealt.rounds) + 1,
        "rounds": rounds.ROUNDS,
        "question": markup.question(dealt, request),
        "pair": as_file(str(path)),
    }


def game_pick_call(game_token: str, side: str, request: gr.Request | None = None) -> Verdict:
    """Answer the round of a game that is open.

    Args:
        game_token: as game_round returned it
        side: "left" or "right"
        request: has the visitor's language

    Returns:
        whether that was right, the right side, the side that the discriminator took for real, a sentence, and the score
    """
    decided = rounds.pick(game_token, side)
    played = decided.rounds[-1]
    probability = played.pair.left_probability
    return {
        "right": played.is_right,
        "answer": rounds.SIDES[0 if played.pair.answer_is_left else 1],
        "discriminator": "" if probability is None else rounds.SIDES[0 if probability > 0.5 else 1],
        "sentence": markup.truth(decided, request),
        "score": sum(each.is_right for each in decided.rounds),
        "discriminator_score": sum(bool(each.judge_is_right) for each in decided.rounds),
        "rounds_played": len(decided.rounds),
    }


CALLS: dict[str, Callable[..., Any]] = {"game_round": game_round_call, "game_pick": game_pick_call}
