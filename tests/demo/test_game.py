"""Real or fake?: fair rounds, honest scores, and an answer that cannot be read before it is given."""

import base64
import io
import re
from dataclasses import replace

import httpx
import numpy as np
import pytest
from PIL import Image

from gan_hub.demo import models
from gan_hub.demo.tabs.game import handlers as game
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.manifest import Manifest
from tests.conftest import make_pipeline
from tests.demo.conftest import Visitor

URI = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


def picture(html: str) -> bytes:
    return base64.b64decode(URI.search(html)[1])


def test_a_round_shows_a_real_and_a_generated_picture_of_one_class(offered, playable):
    pipe, samples = models.load(offered), real_samples.read(playable, Manifest.if_any(playable), 28, 1, 3)
    known = {np.asarray(image).tobytes(): label for image, label in zip(samples.images, samples.labels)}
    for _ in range(20):
        dealt = game.new_round(offered)
        sheet = np.asarray(Image.open(io.BytesIO(picture(dealt.pair))))
        left, right = sheet[:, :28], sheet[:, 28:]
        real, fake = (left, right) if dealt.left_is_real else (right, left)
        assert pipe.label_names[known[real.tobytes()]] == dealt.label
        assert fake.tobytes() not in known
        opinion = pipe.judge_pair(Image.fromarray(left), Image.fromarray(right), labels=[dealt.label]).item()
        assert dealt.left_probability == pytest.approx(opinion)


def test_a_pair_of_tall_pictures_is_cut_where_they_meet_and_shown_in_their_proportions(tmp_path, monkeypatch):
    folder = tmp_path / "tall"
    make_pipeline(3, [40, 24], 1).save_pretrained(folder)
    images = np.random.default_rng(0).integers(0, 256, (6, 40, 24, 1), dtype=np.uint8)
    real_samples.write(folder, images, [0, 1, 2, 0, 1, 2], "made up")
    monkeypatch.setenv(models.MODEL_VARIABLE, str(folder))
    dealt = game.new_round("tall")
    sheet = np.asarray(Image.open(io.BytesIO(picture(dealt.pair))))
    real = sheet[:, :24] if dealt.left_is_real else sheet[:, 24:]
    assert sheet.shape == (40, 48) and any(np.array_equal(real, image[..., 0]) for image in images)
    assert "--shape:24 / 40" in game.pair_html(dealt) and "--shape:28 / 28" not in game.pair_html(dealt)
    assert "24 × 40 pixels" in models.describe("tall")


def test_the_real_picture_is_on_either_side_equally_often(offered):
    lefts = sum(game.new_round(offered).left_is_real for _ in range(200))
    assert 60 <= lefts <= 140  # outside by chance once in a hundred million runs


def test_no_real_picture_comes_twice_before_all_have_been_seen(offered):
    dealt = game.new_round(offered)
    for count in range(2, 13):
        dealt = game.new_round(offered, (), dealt.seen)
        assert len(dealt.seen) == count
    assert len(game.new_round(offered, (), dealt.seen).seen) == 1


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("probability", [0.9, 0.1, None])
def test_player_and_discriminator_are_scored_over_the_same_rounds(offered, truth, side, probability):
    dealt = replace(game.new_round(offered), left_is_real=truth, left_probability=probability)
    decided = game.record_choice(dealt, side)
    player = (side == "left") == truth
    judge = None if probability is None else (probability > 0.5) == truth
    assert decided.rounds == ((player, judge),) and decided.decided
    assert ("✓ Correct!" in game.verdict_html(decided)) == player
    if judge is not None:
        assert ("it was right" in game.verdict_html(decided)) == judge and "90 % sure" in game.verdict_html(decided)
        assert f'data-score="judge">{int(judge)}<' in game.score_html(decided)
    assert f'data-score="you">{int(player)}<' in game.score_html(decided)


def test_a_round_is_decided_once_and_cannot_be_skipped(offered):
    dealt = game.new_round(offered)
    with pytest.raises(ValueError, match="Choose left or right first"):
        game.next_round(dealt)
    decided, *_ = game.pick_left(dealt)
    with pytest.raises(ValueError, match="decided"):
        game.pick_right(decided)
    following, *_ = game.next_round(decided)
    assert following.rounds == decided.rounds and not following.decided
    for handler in (game.pick_left, game.pick_right, game.next_round):
        with pytest.raises(ValueError, match="Start over"):
            handler(None)


def test_streaks_count_correct_choices_in_a_row():
    assert game.streaks([]) == (0, 0)
    assert game.streaks([True, True, False, True]) == (1, 2)
    assert game.streaks([True, False]) == (0, 1)


def test_a_model_without_real_pictures_says_so(offered_rgb):
    explanation, dealt, table, *_, left, right, onwards, _ = game.draw(offered_rgb)
    assert dealt is None and "without real pictures" in table
    assert not left["interactive"] and not right["interactive"] and not onwards["interactive"]
    assert "AUC is 0.700" in explanation


# ------------------------------------------------------------------------------------------------- secrecy


def test_what_is_shown_does_not_depend_on_the_answer(offered):
    dealt = game.new_round(offered)
    for show in (game.pair_html, game.verdict_html, game.score_html):
        assert show(replace(dealt, left_is_real=True)) == show(replace(dealt, left_is_real=False))
        assert show(replace(dealt, left_probability=0.01)) == show(replace(dealt, left_probability=0.99))


def test_the_picture_holds_pixels_and_nothing_else(offered):
    for _ in range(10):
        data = picture(game.new_round(offered).pair)
        chunks, at = [], 8
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            chunks.append(data[at + 4 : at + 8])
            at += 12 + length
        assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"} and Image.open(io.BytesIO(data)).size == (56, 28)


def test_nothing_the_server_sends_before_the_choice_holds_the_answer(server, playable):
    """Rounds over the wire, as a bot sees them: with the pixels taken out, all of them read the same."""
    config = httpx.get(f"{server.url}/config").text
    assert "left_is_real" not in config and "Game(" not in config
    seen = set()
    for _ in range(24):
        visitor = Visitor(server)
        done, output, sent = visitor.call(game.start_over, playable.name, None)
        assert done and "left_is_real" not in sent and "probability" not in sent and str(playable) not in sent
        blind = URI.sub("", str(output["data"]))
        for name in models.load(playable.name).label_names:
            blind = blind.replace(name, "CLASS")
        seen.add(blind)
    assert len(seen) == 1


def test_every_byte_but_those_of_the_pixels_is_a_coin(offered):
    """Over many rounds nothing that can be counted without looking tells the sides apart: length, order, what repeats."""
    dealt = [game.new_round(offered) for _ in range(400)]
    truth = np.array([each.left_is_real for each in dealt])
    sizes = np.array([len(picture(each.pair)) for each in dealt])
    numbers = {
        "length of the picture": sizes,
        "its last byte": sizes % 2,
        "the side before": np.roll(truth, 1),
        "the place in the session": np.arange(len(dealt)) % 2,
        "the class": np.array([each.label for each in dealt]) == dealt[0].label,
    }
    for name, values in numbers.items():
        guess = values > np.median(values) if values.dtype != bool else values
        right = max((guess == truth).mean(), (guess != truth).mean())
        assert right < 0.64, name  # by chance once in ten million runs of this test
    assert len({game.verdict_html(each) for each in dealt}) <= 3 and len({game.score_html(each) for each in dealt}) == 1
    assert len({URI.sub("", game.pair_html(each)) for each in dealt}) == 1


def test_a_round_serves_one_real_picture_and_starting_over_no_further_one(offered, playable):
    """A pair that is not decided stays on the table: nobody collects the real pictures by starting over."""
    known = {
        np.asarray(image).tobytes() for image in real_samples.read(playable, Manifest.if_any(playable), 28, 1, 3).images
    }
    dealt, table, *_ = game.start_over(offered, None)
    sheet = np.asarray(Image.open(io.BytesIO(picture(table))))
    assert [half.tobytes() in known for half in (sheet[:, :28], sheet[:, 28:])].count(True) == 1
    for _ in range(5):
        again, table_again, *_ = game.start_over(offered, dealt)
        assert table_again == table and again == dealt
    decided, *_ = game.pick_left(dealt)
    following, *_ = game.start_over(offered, decided)
    assert following.rounds == () and not following.decided and len(following.seen) == 2
    assert decided.seen < following.seen


def test_starting_over_with_another_model_is_a_new_game(offered):
    dealt = replace(game.new_round(offered), model="another", rounds=((True, True),))
    fresh, *_ = game.start_over(offered, dealt)
    assert fresh.model == offered and fresh.rounds == () and len(fresh.seen) == 1


def test_the_published_real_pictures_are_not_served_as_a_file(server, playable):
    for path in (playable / "real_samples.png", playable / "real_samples.json", "real_samples.png"):
        for route in ("file=", "file/"):
            answer = httpx.get(f"{server.url}/gradio_api/{route}{path}")
            assert answer.status_code in (403, 404) and b"PNG" not in answer.content


def test_two_sessions_do_not_share_a_game(server, playable):
    one, other = Visitor(server), Visitor(server)
    for visitor in (one, other):
        visitor.call(game.start_over, playable.name, None)
    for _ in range(3):
        assert one.call(game.pick_left, None)[0]
        done, output, _ = one.call(game.next_round, None)
        assert done
    assert 'data-score="rounds">3<' in str(output["data"])
    assert 'data-score="rounds">1<' in str(other.call(game.pick_right, None)[1]["data"])
    stranger = Visitor(server)
    done, output, _ = stranger.call(game.pick_left, None)
    assert done and "There is no round to play" in output["data"][-1]
