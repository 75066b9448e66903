"""A game of ten rounds: which pair lies on the table, how the rounds before went, and where games are kept.

Games stay on the server. A browser has a game's token, which is random and says nothing: with it a reloaded page goes on where it
was, and a program plays without a page. Each round is decided once, in however many windows it lies.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gan_hub.demo import inputs, models
from gan_hub.demo.tabs.game import days
from gan_hub.demo.tabs.game.pairs import LEVELS, Pair, Sent, deal, levels_of

SIDES = ("left", "right")
ROUNDS = 10
RISING = "rising"  # the difficulty that follows the player
UP_AFTER = 2  # picks in a row that are right, until the next pairs are harder
DAYS_LEVELS = ("easy",) * 3 + ("normal",) * 4 + ("hard",) * 3  # of a day's ten, which are the same for everyone
MOST_GAMES = 300  # that are kept; each has up to ten pictures, some 200 kB


@dataclass(frozen=True)
class Round:
    """A round that was played."""

    pair: Pair
    picked_left: bool

    @property
    def is_right(self) -> bool:
        """Whether the player was right."""
        return self.picked_left == self.pair.answer_is_left

    @property
    def judge_is_right(self) -> bool | None:
        """Whether the discriminator was; None where it does not play."""
        probability = self.pair.left_probability
        return None if probability is None else (probability > 0.5) == self.pair.answer_is_left


@dataclass(frozen=True)
class Game:
    """One player's game. It is never changed, only replaced."""

    token: str
    model: str
    kind: str
    level: str  # one of `pairs.levels_of` the model and the kind, or RISING
    day: str  # "" for a game of one's own
    pair: Pair | None  # on the table; None once all rounds are played and the sheet lies there
    decided: bool = False
    rounds: tuple[Round, ...] = ()
    seen: frozenset[int] = frozenset()  # indices of the real pictures that were dealt
    ahead: Pair | None = None  # the next pair, drawn while the player looks at this one
    is_awaited: bool = False  # whether the player waits for the next pair
    earlier: tuple[bool, ...] = ()  # how the rounds of the games before went, for the streak

    @property
    def results(self) -> list[bool]:
        """For each round whether the player was right, those of the games before first."""
        return [*self.earlier, *(each.is_right for each in self.rounds)]

    @property
    def drawn(self) -> int:
        """How many rounds have a pair that the player has seen."""
        return len(self.rounds) + (self.pair is not None and not self.decided)


class Games:
    """The newest games by their tokens; those not touched for longest are dropped."""

    def __init__(self, most: int = MOST_GAMES) -> None:
        self.most, self.games, self.lock = most, OrderedDict[str, Game](), threading.Lock()

    def find(self, token: object) -> Game | None:
        """The game of a token, or None."""
        with self.lock:
            game = self.games.get(token) if isinstance(token, str) else None
            if game is not None:
                self.games.move_to_end(game.token)
            return game

    def keep(self, game: Game) -> Game:
        """Keep a game, in place of the one with its token."""
        with self.lock:
            self.games[game.token] = game
            self.games.move_to_end(game.token)
            while len(self.games) > self.most:
                self.games.popitem(last=False)
        return game

    def change(self, token: object, step: Callable[[Game], Game]) -> Game:
        """Replace a game by `step` of it, no other step between. Raises BadInputError where there is none."""
        with self.lock:
            game = self.games.get(token) if isinstance(token, str) else None
            if game is None:
                raise inputs.BadInputError("no_game")
            game = self.games[game.token] = step(game)
            self.games.move_to_end(game.token)
            return game


GAMES = Games()


def begin(
    model: str, kind: str, level: str, day: str = "", before: Game | None = None, sent: Sent | None = None
) -> Game:
    """A new game with its first pair.

    Args:
        model, kind, level: what is played.
        day: the day whose ten are played; "" for pairs of one's own.
        before: the game before, whose streak goes on. A pair of it that is not decided stays on the table where the same is
            played: or starting over would collect the real pictures.
        sent: the player's own picture, for the first pair of a game of the kind "preferred".

    Returns:
        The game, which is kept.
    """
    token = secrets.token_urlsafe(18)
    earlier = () if before is None or (before.model, before.kind) != (model, kind) else tuple(before.results)
    game = Game(token, model, kind, level, day, None, earlier=earlier)
    if before is not None and _settings(before) == _settings(game) and not day:
        seen = before.seen
        if before.pair is not None and not before.decided:
            return GAMES.keep(replace(game, pair=before.pair, seen=seen))
        game = replace(game, seen=seen)
    pair = _deal(game, 0, sent)
    return GAMES.keep(replace(game, pair=pair, seen=_seen(game, pair)))


def _settings(game: Game) -> tuple[str, ...]:
    return game.model, game.kind, game.level, game.day


def _deal(game: Game, number: int, sent: Sent | None = None) -> Pair:
    """The pair of a round; of a day, the same for everyone."""
    chance = days.chance(game.day, game.model, game.kind, game.level, number)
    level = game.level
    if level == RISING:
        levels = levels_of(models.load(game.model), game.kind)
        level = DAYS_LEVELS[number] if game.day else risen(game.results, levels)
    return deal(game.model, game.kind, level, chance, game.seen, sent)


def risen(rights: list[bool], levels: Sequence[str] = LEVELS) -> str:
    """How hard the next pair is in a game that follows its player: harder after UP_AFTER right picks, easier after a wrong one.

    Such a staircase settles where seven of ten picks are right (Levitt 1971, Transformed up-down methods in psychoacoustics).

    Args:
        rights: for each pick so far whether it was right.
        levels: the easiest first; the first pair is that of the level "easy".

    Returns:
        One of the levels.
    """
    place, run = levels.index(LEVELS[0]), 0
    for right in rights:
        run = run + 1 if right else 0
        if run == UP_AFTER:
            place, run = min(place + 1, len(levels) - 1), 0
        elif not right:
            place = max(place - 1, 0)
    return levels[place]


def streaks(rights: list[bool]) -> tuple[int, int]:
    """The number of correct choices in a row up to now, and the longest such row."""
    streak = best = 0
    for right in rights:
        streak = streak + 1 if right else 0
        best = max(best, streak)
    return streak, best


def _seen(game: Game, pair: Pair) -> frozenset[int]:
    """The real pictures that were dealt; once all were, those of the new turn."""
    if pair.index is None:
        return game.seen
    return frozenset({pair.index}) if pair.index in game.seen else game.seen | {pair.index}


def pick(token: object, side: object) -> Game:
    """Record the player's choice of `side`, "left" or "right". Raises BadInputError without an open round."""
    picked = inputs.choice(side, SIDES, "side")

    def step(game: Game) -> Game:
        if game.pair is None or game.decided:
            raise inputs.BadInputError("answered")
        return replace(game, decided=True, rounds=(*game.rounds, Round(game.pair, picked == "left")))

    return GAMES.change(token, step)


def go_on(token: object) -> Game:
    """Lay out the next pair, if it is drawn already, or, after the last round, the sheet. A hard pair cannot be skipped.

    Args:
        token: of the game.

    Returns:
        The game; `is_awaited` where the next pair has to be drawn by `supply`.

    Raises:
        BadInputError: the round is open, or there is no game.
    """

    def step(game: Game) -> Game:
        if game.pair is not None and not game.decided:
            raise inputs.BadInputError("unanswered")
        if len(game.rounds) >= ROUNDS:
            return replace(game, pair=None, decided=False, is_awaited=False)
        return replace(game, is_awaited=True) if game.ahead is None else _laid_out(game, game.ahead)

    return GAMES.change(token, step)


def _laid_out(game: Game, pair: Pair) -> Game:
    return replace(game, pair=pair, ahead=None, decided=False, is_awaited=False)


def supply(token: object) -> Game:
    """Draw what the player waits for, or will want next; nothing where it is there.

    Args:
        token: of the game.

    Returns:
        The game.
    """
    game = GAMES.find(token)
    if game is None:
        raise inputs.BadInputError("no_game")
    number = game.drawn
    if number >= ROUNDS or game.pair is None or (game.ahead is not None and not game.is_awaited):
        return game
    if game.level == RISING and not game.day and not game.decided:  # how hard the next one is follows from this pick
        return game
    pair = game.ahead or _deal(game, number)

    def step(now: Game) -> Game:
        if now.drawn != number:  # another call was faster
            return now
        ready = now.ahead or pair
        now = now if ready is now.ahead else replace(now, seen=_seen(now, ready))
        return _laid_out(now, ready) if now.is_awaited else replace(now, ahead=ready)

    return GAMES.change(game.token, step)
