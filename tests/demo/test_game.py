"""Real or fake?: fair pairs of every kind, ten rounds with an end, honest scores."""

import random
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from gan_hub.demo import models
from gan_hub.demo.events import answering
from gan_hub.demo.tabs import TABS
from gan_hub.demo.tabs.game import attention, days, handlers, markup, material, pairs, rounds
from gan_hub.demo.tabs.game.sheet import sheet_html
from gan_hub.hub.resolve import bundled_models
from gan_hub.model_folder import real_samples, timelapse
from tests.conftest import make_pipeline
from tests.demo.conftest import Visitor
from tests.demo.game_play import PLAYED, begun, finished, known_pictures, play, with_answers

SKIPPED = {"__type__": "update"}


def test_a_round_shows_a_real_and_a_generated_picture_of_one_class(offered, playable):
    pipe, known = models.load(offered), known_pictures(playable)
    for _ in range(20):
        pair = begun(offered).pair
        left, right = pair.halves
        real, fake = (left, right) if pair.answer_is_left else (right, left)
        assert pipe.label_names[known[real.tobytes()]] == pair.label
        assert fake.tobytes() not in known
        opinion = pipe.judge_pair(left, right, labels=[pair.label]).item()
        assert pair.left_probability == pytest.approx(opinion, abs=1e-6)


def test_a_pair_of_tall_pictures_is_cut_where_they_meet_and_shown_in_their_proportions(tmp_path, monkeypatch):
    folder = tmp_path / "tall"
    make_pipeline(3, [40, 24], 1).save_pretrained(folder)
    images = np.random.default_rng(0).integers(0, 256, (6, 40, 24, 1), dtype=np.uint8)
    real_samples.write(folder, images, [0, 1, 2, 0, 1, 2], "made up")
    monkeypatch.setenv(models.MODEL_VARIABLE, str(folder))
    game = begun("tall")
    real = game.pair.halves[0 if game.pair.answer_is_left else 1]
    assert real.size == (24, 40) and any(np.array_equal(real, image[..., 0]) for image in images)
    assert "--shape:24 / 40" in markup.pair_html(game) and "--shape:28 / 28" not in markup.pair_html(game)
    assert "24 × 40 pixels" in models.describe("tall")


def dealt_fake(model: str, level: str, number: int) -> Image.Image:
    """The fake of a round as the discriminator sees it; the same number begins with the same seeds on any level."""
    pair = pairs.deal(model, "real", level, random.Random(number), frozenset())
    return pair.judged[1 if pair.answer_is_left else 0]


def test_a_normal_round_has_the_discriminators_favorite_of_four(offered):
    pipe, higher = models.load(offered), 0
    for number in range(12):
        label = pairs.deal(offered, "real", "easy", random.Random(number), frozenset()).label
        easy, normal = (
            pipe.discriminate([dealt_fake(offered, level, number)], [label]).item() for level in ("easy", "normal")
        )
        assert easy <= normal
        higher += easy < normal
    assert higher >= 4  # the first of four is the favorite in one of four


def test_a_hard_round_has_the_fake_that_is_liked_best_and_nearest_to_a_real_one(offered):
    pipe = models.load(offered)
    chance = random.Random(3)
    samples = material.real_pictures(pipe)
    label = pipe.label_names[samples.labels[chance.choice(range(12))]]
    seeds = [chance.randrange(2**32) for _ in range(16)]
    drawn = pipe(seeds=seeds[:8], labels=label).images + pipe(seeds=seeds[8:], labels=label, truncation=0.7).images
    liked = np.argsort(np.argsort(-pipe.discriminate(drawn, [label] * 16).numpy()))
    near = np.argsort(np.argsort(material.distances_to_reals(pipe, drawn)))
    assert dealt_fake(offered, "hard", 3).tobytes() == drawn[int((liked + near).argmin())].tobytes()
    assert material.distances_to_reals(pipe, samples.images[:2]).tolist() == [0, 0]


def test_a_hard_round_shows_large_pictures_at_half_their_size_and_has_the_large_ones_judged(tmp_path, monkeypatch):
    folder = tmp_path / "large"
    make_pipeline(0, 64, 3).save_pretrained(folder)
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    real_samples.write(folder, images, None, "made up")
    monkeypatch.setenv(models.MODEL_VARIABLE, str(folder))
    hard, normal = (begun("large", level=level).pair for level in ("hard", "normal"))
    assert [half.size for half in hard.halves] == [(32, 32)] * 2 and [half.size for half in hard.judged] == [
        (64, 64)
    ] * 2
    assert [half.size for half in normal.halves] == [(64, 64)] * 2
    real = hard.judged[0 if hard.answer_is_left else 1]
    assert any(np.array_equal(real, image) for image in images)
    expected = models.load("large").judge_pair(*hard.judged).item()
    assert hard.left_probability == pytest.approx(expected, abs=1e-6)


def test_no_real_picture_comes_twice_before_all_have_been_seen(offered):
    game = begun(offered)
    for count in range(2, 11):
        game = play(game)
        assert len(game.seen) >= count
    assert len({round.pair.index for round in game.rounds} | {game.pair.index}) == 10
    last = pairs.deal(offered, "real", "easy", days.chance(""), frozenset(range(12)) - {7})
    assert last.index == 7


# ------------------------------------------------------------------------------------------ other kinds


def test_the_discriminator_prefers_what_it_gives_the_higher_logit(offered, offered_rgb):
    for name in (offered_rgb,):
        pipe = models.load(name)
        for level in pairs.LEVELS:
            pair = begun(name, "preferred", level).pair
            left, right = pipe.discriminate([*pair.halves])
            assert (left > right).item() == pair.answer_is_left
        easy, hard = (
            np.mean(
                [
                    abs(torch.sub(*pipe.discriminate([*begun(name, "preferred", level).pair.halves])).item())
                    for _ in range(8)
                ]
            )
            for level in ("easy", "hard")
        )
        assert easy > 2 * hard


@pytest.mark.parametrize("level", pairs.LEVELS)
def test_a_picture_that_is_sent_into_the_game_is_judged_first_and_once(offered, level):
    mine = models.load(offered)(seeds=[7], labels="star").images[0].tobytes()
    drawn = handlers.draw(offered, "preferred", level, "", {}, "7", "star")
    game = rounds.GAMES.find(drawn[6])
    assert mine in [half.tobytes() for half in game.pair.halves] and game.pair.label == "star" and drawn[5] == ""
    left, right = models.load(offered).discriminate([*game.pair.halves], ["star"] * 2)
    assert (left > right).item() == game.pair.answer_is_left
    assert "your picture, seed 7" in markup.question(game)
    following = play(game)
    assert "your picture" not in markup.question(following)
    again = handlers.draw(offered, "preferred", level, "", drawn[7])
    assert again[6] == game.token  # the game goes on, with no second judgement


def test_a_model_that_draws_from_maps_is_asked_about_two_pictures_of_one_map():
    pipe, pair = models.load("spade-facades"), begun("spade-facades", "preferred").pair
    left, right = pipe.discriminate([*pair.halves], segmentation=pair.segmentation)
    assert (left > right).item() == pair.answer_is_left and pair.left_probability is None


@pytest.mark.parametrize("level", pairs.LEVELS)
def test_the_later_picture_is_the_same_latent_further_on(level):
    lapse = material.time_lapse(models.load("dcgan-mnist"))
    rows, columns = lapse.layout
    cells = {
        lapse.image(frame, row, column).tobytes(): (frame, row, column)
        for frame in range(len(lapse.frames))
        for row in range(rows)
        for column in range(columns)
    }
    for _ in range(10):
        pair = begun("dcgan-mnist", "later", level).pair
        (early, *place), (late, *other_place) = sorted(cells[half.tobytes()] for half in pair.halves)
        assert place == other_place and pair.label == str(place[1])
        assert late - early == {"easy": 12, "normal": 5, "hard": 2}[level]
        assert cells[pair.halves[0].tobytes()][0] == (late if pair.answer_is_left else early)
        assert pair.facts == {"about": False, "early": lapse.images[early], "late": lapse.images[late]}


def test_the_better_network_is_the_one_with_the_better_published_score():
    pipe = models.load("r3gan-fashion-mnist")
    by_name = {rival.name: rival for rival in material.rivals(pipe)}
    assert {name: rival.loses for name, rival in by_name.items()} == {
        "stylegan-fashion-mnist": True,
        "msg-gan-fashion-mnist": True,
        "progan-fashion-mnist": False,
        "dcgan-fashion-mnist": False,
    }
    assert [*by_name][0] == "stylegan-fashion-mnist" and by_name["dcgan-fashion-mnist"].winner == "dcgan-fashion-mnist"
    facts = begun("r3gan-fashion-mnist", "better", "easy").pair.facts
    assert facts["network"] == "dcgan-fashion-mnist" and facts["better"] < facts["worse"]
    assert not material.rivals(models.load("dcgan-mnist"))  # the other one's classes have no names
    assert not material.rivals(models.load("r3gan-cats-32"))


def test_every_bundled_model_can_be_played_with_and_is_offered_what_it_has():
    kinds = {name: material.kinds_of(models.load(name)) for name in bundled_models()}
    assert all(kinds.values()) and all("later" in own for own in kinds.values())
    assert kinds["r3gan-cats-64"] == ["preferred", "later", "better"]
    assert kinds["spade-facades"] == ["preferred", "later"] and kinds["dcgan-mnist"][0] == "real"


def test_a_model_that_brings_nothing_is_answered_by_the_page(tmp_path, monkeypatch):
    pipe = make_pipeline(0, 32, 3)
    pipe.discriminator = None
    pipe.calibration = None
    pipe.save_pretrained(tmp_path / "alone")
    monkeypatch.setenv(models.MODEL_VARIABLE, str(tmp_path / "alone"))
    assert not TABS["game"].ability(models.load("alone"))
    with pytest.raises(ValueError, match="brings nothing to play with"):
        handlers.draw("alone")


def test_a_damaged_time_lapse_leaves_the_other_games(tmp_path, monkeypatch):
    make_pipeline(0, 32, 3).save_pretrained(tmp_path / "torn")
    (tmp_path / "torn" / "timelapse.webp").write_bytes(b"RIFF....WEBP")
    monkeypatch.setenv(models.MODEL_VARIABLE, str(tmp_path / "torn"))
    assert timelapse.exists(tmp_path / "torn")
    assert material.kinds_of(models.load("torn")) == ["preferred"]


def test_a_kind_that_the_model_does_not_have_gives_way_to_its_first(offered_rgb):
    kind, *_ = handlers.draw(offered_rgb, "real")
    assert kind["value"] == "preferred" and [value for _, value in kind["choices"]] == ["preferred"]
    assert not kind["visible"]


# ------------------------------------------------------------------------------------------- ten rounds


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("probability", [0.9, 0.1, None])
def test_player_and_discriminator_are_scored_over_the_same_rounds(offered, truth, side, probability):
    game = begun(offered)
    pair = replace(game.pair, answer_is_left=truth, left_probability=probability)
    rounds.GAMES.keep(replace(game, pair=pair))
    decided = rounds.pick(game.token, side)
    player = (side == "left") == truth
    judge = None if probability is None else (probability > 0.5) == truth
    (played,) = decided.rounds
    assert (played.is_right, played.judge_is_right) == (player, judge) and decided.decided
    assert ("✓ Correct!" in markup.verdict_html(decided)) == player
    if judge is not None:
        assert ("it was right" in markup.verdict_html(decided)) == judge and "90 % sure" in markup.verdict_html(decided)
        assert f'data-score="judge">{int(judge)}<' in markup.score_html(decided, 0)
    assert f'data-score="you">{int(player)}<' in markup.score_html(decided, 0)


def test_a_round_is_decided_once_and_cannot_be_skipped(offered):
    token = begun(offered).token
    with pytest.raises(ValueError, match="Choose left or right first"):
        handlers.next_round(token)
    handlers.pick_left(token)
    with pytest.raises(ValueError, match="decided"):
        handlers.pick_right(token)
    handlers.supply(token)
    handlers.next_round(token)
    game = rounds.GAMES.find(token)
    assert len(game.rounds) == 1 and not game.decided
    for handler in (handlers.pick_left, handlers.pick_right, handlers.next_round, handlers.explain):
        with pytest.raises(ValueError, match="Ten new pairs"):
            handler("no such token")


def test_the_next_pair_is_drawn_while_the_player_looks_at_this_one(offered):
    token = begun(offered).token
    rounds.pick(token, "left")
    ahead = rounds.supply(token).ahead
    assert ahead is not None and rounds.supply(token).ahead is ahead  # nothing is drawn twice
    assert rounds.go_on(token).pair is ahead


def test_who_goes_on_before_the_next_pair_is_drawn_gets_it_when_it_is(offered):
    token = begun(offered).token
    rounds.pick(token, "left")
    *_, onwards, why, _, _ = handlers.next_round(token)
    assert rounds.GAMES.find(token).is_awaited and not onwards["interactive"] and not why["interactive"]
    table = handlers.supply(token)
    game = rounds.GAMES.find(token)
    assert not game.is_awaited and not game.decided and len(game.rounds) == 1 and "data-pick" in table[2]
    assert table[1] == SKIPPED  # an older best streak must not come back


def test_drawing_ahead_leaves_the_sentence_that_stands_there(offered):
    """Or what was wrong with a pick would be gone as soon as it is said."""
    token = begun(offered).token
    for asked in (token, "no such token"):
        table = answering(handlers.supply, 11)(asked)
        assert table == tuple([SKIPPED] * 11)


def test_who_goes_on_while_the_next_pair_is_being_drawn_gets_it_as_well(offered, monkeypatch):
    token = begun(offered).token
    rounds.pick(token, "left")
    deal = rounds.deal

    def deal_meanwhile(*arguments):
        handlers.next_round(token)
        return deal(*arguments)

    monkeypatch.setattr(rounds, "deal", deal_meanwhile)
    assert "data-pick" in handlers.supply(token)[2] and not rounds.GAMES.find(token).is_awaited


def test_ten_rounds_end_with_a_sheet_of_all_pairs_and_both_picks(offered):
    game = finished(offered)
    assert game.pair is None and len(game.rounds) == rounds.ROUNDS
    *_, left, _, onwards, why, _, _ = handlers.table(game, handlers.remembered(None), None)
    assert not left["visible"] and not onwards["visible"] and not why["visible"]
    sheet = sheet_html(game)
    assert sheet.count("<figure") == 10 and sheet.count("· you") == 10
    rights, judges = (sum(each) for each in zip(*[(r.is_right, r.judge_is_right) for r in game.rounds]))
    assert f"You {rights} of 10, the discriminator {judges}" in sheet
    assert sheet.count('class="good"') == rights and sheet.count('class="bad"') == 10 - rights
    assert sheet.count("discriminator</span>") == 10
    assert re.findall(r'data-sheet-do="(\w+)"', sheet) == ["again", "save", "share", "copy"]


def test_the_sheet_says_where_the_pixels_give_the_answers_away(offered):
    game = finished(offered)
    flat = Image.new("L", (28, 28), 90)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8))
    noisy_fakes, smooth_fakes = with_answers(game, flat, noise), with_answers(game, noise, flat)
    assert "In 10 of 10 pairs the real picture is the one that takes fewer bytes" in sheet_html(noisy_fakes)
    assert "In 10 of 10 pairs the real picture is the one that takes more bytes" in sheet_html(smooth_fakes)
    assert "bytes" not in sheet_html(with_answers(game, noise, noise))


def test_streaks_count_correct_choices_in_a_row_and_go_on_from_game_to_game(offered):
    assert rounds.streaks([]) == (0, 0)
    assert rounds.streaks([True, True, False, True]) == (1, 2)
    assert rounds.streaks([True, False]) == (0, 1)
    game = finished(offered, always_right=True)
    following = rounds.begin(offered, "real", "normal", before=game)
    assert rounds.streaks(following.results) == (10, 10) and following.rounds == ()
    assert 'data-score="streak">10<' in markup.score_html(following, 3)
    other = rounds.begin(offered, "preferred", "normal", before=game)
    assert rounds.streaks(other.results) == (0, 0)


def test_a_game_that_follows_its_player_is_harder_after_two_right_picks_and_easier_after_a_wrong_one(offered):
    assert [rounds.risen([True] * count) for count in range(6)] == ["easy", "easy", "normal", "normal", "hard", "hard"]
    assert rounds.risen([True] * 9 + [False]) == "normal" and rounds.risen([False] * 3) == "easy"
    assert rounds.risen([True, False, True]) == "easy"
    game, levels = begun(offered, level="rising"), []
    while game.pair is not None:
        levels.append(game.pair.level)
        assert f"Difficulty of this pair: {levels[-1]}" in markup.verdict_html(game)
        assert rounds.supply(game.token).ahead is None  # before the pick nobody knows how hard the next one has to be
        right = "left" if game.pair.answer_is_left else "right"
        rounds.pick(game.token, right)
        assert len(levels) == 10 or rounds.supply(game.token).ahead is not None
        game = rounds.go_on(game.token)
    assert levels == ["easy"] * 2 + ["normal"] * 2 + ["hard"] * 6
    again = rounds.begin(offered, "real", "rising", before=game)
    assert again.pair.level == "hard"  # the streak goes on


def test_a_days_ten_rise_alike_for_everyone_however_they_are_played(offered):
    for side in ("left", "right"):
        game, levels = rounds.begin(offered, "real", "rising", "2026-01-02"), []
        while game.pair is not None:
            levels.append(game.pair.level)
            game = play(game, side)
        assert levels == ["easy"] * 3 + ["normal"] * 4 + ["hard"] * 3


def test_what_is_counted_is_how_hard_the_pair_was(offered, tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_HUB_ANSWERS", str(tmp_path / "answers.jsonl"))
    handlers.pick(begun(offered, level="rising").token, "left", may_count=True)
    assert '"easy"' in (tmp_path / "answers.jsonl").read_text()


def test_a_model_whose_pictures_hardly_fool_anybody_says_so_and_names_the_harder_games(offered):
    *_, sentence = handlers.draw("r3gan-emoji-64")
    assert sentence.startswith("Easy to tell") and "later in training" in sentence
    assert handlers.draw("r3gan-emoji-64", "later")[-1] == handlers.draw("dcgan-fashion-mnist")[-1] == ""


def test_the_browser_keeps_games_and_best_streaks_and_whatever_else_it_sends_is_dropped(offered):
    token, memory = play_two(offered)
    assert memory["best"] == {f"{offered}|real": 2} and memory["games"] == {f"{offered}|real|normal|": token}
    again = handlers.draw(offered, level="normal", memory=memory)
    assert again[6] == token and 'data-score="rounds">2/10<' in again[10]  # after a reload, the same game
    assert 'data-score="best">2<' in handlers.start_over(offered, token="gone", memory=memory)[10]
    for odd in (None, 3, "x", [1], {"best": 3, "games": {"a": 1, "b": "c"}}, {"best": {"x": True, "y": "1"}}):
        assert handlers.remembered(odd)["best"] == {}
    many = {"games": {str(number): "token" for number in range(100)}}
    assert [*handlers.remembered(many)["games"]] == [str(number) for number in range(76, 100)]
    foreign = {"games": {f"{offered}|real|hard|": token}}
    assert handlers.draw(offered, "real", "hard", "", foreign)[6] != token


def play_two(offered) -> tuple[str, dict]:
    token, memory = begun(offered).token, {}
    for number in range(2):
        side = "left" if rounds.GAMES.find(token).pair.answer_is_left else "right"
        memory = handlers.pick(token, side, memory)[1]
        if number == 0:
            handlers.next_round(token, memory)
            handlers.supply(token, memory)
    memory["games"] = {f"{offered}|real|normal|": token}
    return token, memory


def test_only_so_many_games_are_kept_and_the_one_touched_last_is_among_them(offered):
    games, one = rounds.Games(most=2), begun(offered)
    first, second, third = (replace(one, token=name) for name in "abc")
    games.keep(first), games.keep(second)
    assert games.find("a") is first
    games.keep(third)
    assert games.find("b") is None and games.find("a") is first and games.find(3) is None


# ------------------------------------------------------------------------------------------------- days


def test_a_days_ten_are_the_same_for_everyone_and_other_days_have_others(offered, monkeypatch):
    def ten(day: str, level: str = "normal") -> list[frozenset[bytes]]:
        game = rounds.begin(offered, "real", level, day)
        while len(game.rounds) < 9:
            game = play(game)
        played = [each.pair for each in game.rounds] + [game.pair]
        return [frozenset(half.tobytes() for half in pair.halves) for pair in played]

    one = ten("2026-01-02")
    assert one == ten("2026-01-02") and len(set(one)) == 10
    assert one != ten("2026-01-03") and one != ten("2026-01-02", "hard")
    monkeypatch.setenv(days.SECRET_VARIABLE, "a secret that all replicas share")
    other = ten("2026-01-02")
    assert other != one and other == ten("2026-01-02")


def test_on_which_side_the_answer_of_a_days_pair_stands_is_tossed_for_each_player(offered):
    """Or whoever has played the day once would know the answers without a look."""
    lefts = sum(rounds.begin(offered, "real", "easy", "2026-01-02").pair.answer_is_left for _ in range(100))
    assert 20 <= lefts <= 80  # outside by chance once in a billion runs


@pytest.mark.parametrize(
    "day", ["2999-01-01", "2023-12-31", "yesterday", "2026-13-01", "20260101", 7, "2026-1-1", ["2026-01-01"]]
)
def test_a_day_that_is_none_or_has_not_come_is_refused(offered, day):
    with pytest.raises(ValueError, match=r"A day is written as \d{4}-\d\d-\d\d, from 2024-01-01 to today"):
        handlers.draw(offered, "real", "normal", day)


def test_every_state_of_the_game_is_a_link_that_opens_it(offered):
    *_, link = handlers.draw(offered, "preferred", "hard", "2026-01-02")[:5]
    assert link == f"?tab=game&model={offered}&kind=preferred&difficulty=hard&day=2026-01-02"
    kind, level, *rest = handlers.fill(offered, {"kind": "preferred", "difficulty": "easy", "day": "2026-01-02"})
    assert (kind["value"], level["value"], rest) == ("preferred", "easy", ["2026-01-02", "", "own"])
    kind, level, *rest = handlers.fill(offered, {})
    assert (kind["value"], level["value"], rest) == ("real", "rising", ["", "", "own"])
    kind, level, *_ = handlers.fill(offered, {"kind": "later", "difficulty": "early"})  # of a model that has both
    assert (kind["value"], level["value"]) == ("real", "easy")
    assert handlers.fill(offered, {"kind": "preferred", "seed": "7", "label": "star"})[3:] == ["7", "star"]
    assert "The ten of 2026-01-02" in handlers.draw(offered, "preferred", "hard", "2026-01-02")[10]
    portuguese = handlers.draw_today(
        offered, request=SimpleNamespace(query_params={"lang": "pt"}, headers={}, session_hash="a")
    )
    assert portuguese[2] == days.today() and "As dez de" in portuguese[10]
    assert handlers.draw_today(offered)[2] == days.today() and days.today() in handlers.draw_today(offered)[4]
    for wrong in ({"kind": "x"}, {"difficulty": "x"}, {"day": "x"}, {"seed": "x"}, {"seed": "1, 2"}, {"label": "x"}):
        with pytest.raises(ValueError):
            handlers.fill(offered, wrong)


# ------------------------------------------------------------------------------------------ why, and words


def test_where_the_discriminator_looked_is_how_much_its_logit_falls_where_a_spot_is_covered(offered):
    pipe, game = models.load(offered), begun(offered)
    rounds.pick(game.token, "left")
    left, right = attention.heat(offered, game.pair)
    falls = []
    for picture in game.pair.halves:
        covered = attention.occlusion(picture)
        assert len(covered) == attention.SPOTS**2 and covered[0].tobytes() != covered[-1].tobytes()
        changed = np.asarray(covered[0]) != np.asarray(picture)
        assert changed[:7, :7].any() and not changed[8:].any() and not changed[:, 8:].any()
        labels = [game.pair.label] * (len(covered) + 1)
        logits = pipe.discriminate([picture, *covered], labels)
        falls.append((logits[0] - logits[1:]).reshape(attention.SPOTS, -1).numpy())
    largest = max(abs(fall).max() for fall in falls)
    for picture, fall in zip((left, right), falls):
        pixels = np.asarray(picture)
        assert abs(pixels[..., 3] / attention.STRONGEST - abs(fall) / largest).max() < 0.01
        assert ((pixels[..., 0] == attention.WARM[0]) == (fall >= 0)).all()
    shown, reason, sentence = handlers.explain(game.token)
    assert shown.count('class="heat"') == 2 and "never seen" in reason and sentence == ""


def test_why_is_answered_only_where_the_discriminator_has_a_say_and_after_the_pick(offered):
    game = begun("dcgan-mnist", "later")
    rounds.pick(game.token, "left")
    with pytest.raises(ValueError, match="no say"):
        handlers.explain(game.token)
    with pytest.raises(ValueError, match="first"):
        handlers.explain(begun(offered).token)


@pytest.mark.parametrize("language", ["en", "pt"])
@pytest.mark.parametrize(("model", "kind"), PLAYED)
def test_every_kind_has_words_for_the_question_and_the_answer_in_both_languages(offered, language, model, kind):
    request = type("Request", (), {"headers": {"accept-language": language}, "query_params": {}})()
    game = begun(model, kind)
    asked = markup.verdict_html(game, request) + markup.pair_html(game, request)
    decided = rounds.pick(game.token, "left")
    told = markup.verdict_html(decided, request) + markup.explanation_html(model, kind, request)
    assert re.search(r"<strong>[^<{]{10,}\?</strong>", asked) and not re.search(r"\{\w+\}", asked + told)
    finish = finished(model, kind)
    sheet = sheet_html(finish, request)
    assert ("discriminador" in sheet if language == "pt" else "discriminator" in sheet) == (
        kind == "real" or kind == "preferred"
    )
    assert not re.search(r"\{\w+\}", sheet)


# --------------------------------------------------------------------------------------- an early stage


def early_cells(model: str) -> dict[bytes, tuple[int, int]]:
    """The frame and the column of each picture of a time-lapse, by its pixels."""
    lapse = material.time_lapse(models.load(model))
    rows, columns = lapse.layout
    places = [
        (frame, row, column) for frame in range(len(lapse.frames)) for row in range(rows) for column in range(columns)
    ]
    return {lapse.image(*place).tobytes(): (place[0], place[2]) for place in places}


@pytest.mark.parametrize("model", ["dcgan-mnist", "r3gan-avatars-64"])
def test_an_early_fake_is_what_the_network_drew_then_beside_a_real_picture_of_its_class(model):
    pipe, cells = models.load(model), early_cells(model)
    lapse, reals = material.time_lapse(pipe), {image.tobytes() for image in material.real_pictures(pipe).images}
    last = len(lapse.frames) - 1
    for _ in range(8):
        game = begun(model, "real", "early")
        pair = game.pair
        real, fake = pair.halves if pair.answer_is_left else pair.halves[::-1]
        frame, column = cells[fake.tobytes()]
        assert real.tobytes() in reals and 0.2 * last <= frame <= 0.62 * last and pair.level == "early"
        assert pair.facts == {"about": not lapse.is_exact, "early": lapse.images[frame]}
        assert pair.label == (pipe.label_names[column] if pipe.label_names else None)
        assert 0 <= pair.left_probability <= 1
        rounds.pick(game.token, "left")
        told = markup.truth(rounds.GAMES.find(game.token), None)
        assert f"{lapse.images[frame]:,} images of training" in told


def test_a_game_that_follows_its_player_goes_down_to_the_early_stage_where_there_is_one(offered):
    levels = pairs.levels_of(models.load("dcgan-mnist"), "real")
    assert (
        levels == ("early", "easy", "normal", "hard") and pairs.levels_of(models.load(offered), "real") == pairs.LEVELS
    )
    assert pairs.levels_of(models.load("dcgan-mnist"), "later") == pairs.LEVELS
    for rights, level in (
        ([], "easy"),
        ([False], "early"),
        ([False, False, True, True], "easy"),
        ([True, True], "normal"),
    ):
        assert rounds.risen(rights, levels) == level


def test_the_early_level_is_offered_where_there_is_one_and_else_the_easiest_is_played(offered):
    picker = handlers.draw("dcgan-mnist", "real", "early")[1]
    assert [value for _, value in picker["choices"]] == ["rising", "early", "easy", "normal", "hard"]
    assert picker["value"] == "early"
    for model, kind in ((offered, "real"), ("dcgan-mnist", "later")):
        picker = handlers.draw(model, kind, "early")[1]
        assert picker["value"] == "easy" and "early" not in [value for _, value in picker["choices"]]


def test_a_link_opens_a_game_that_the_model_before_did_not_have(server):
    me, number = Visitor(server), server.fn_on("draw_game")
    for model, kind, level in (("r3gan-cats-64", "preferred", "hard"), ("dcgan-mnist", "real", "early")):
        assert me.call(server.fn_on("restore"), f"?tab=game&model={model}&kind={kind}&difficulty={level}")[0]
        form = server.form(number, model=model, game_kind=kind, game_level=level)
        success, output, sent = me.call(number, *form)
        assert success and "data-wrong" not in sent and f"kind={kind}&difficulty={level}" in str(output["data"])
