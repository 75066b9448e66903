"""Watch it train: frames, curves and alarms on one slider."""

import html
import json
import re

import numpy as np
import pytest
from PIL import Image

from gan_hub.demo import models
from gan_hub.demo.tabs import TABS
from gan_hub.demo.tabs.watch import curves, handlers
from gan_hub.demo.tabs.watch.calls import training_call
from gan_hub.images import save_animation
from gan_hub.model_folder import timelapse
from gan_hub.training.monitors import ALARMS
from tests.conftest import make_pipeline
from tests.demo.conftest import Visitor

PORTUGUESE = type("Request", (), {"headers": {"accept-language": "pt"}, "query_params": {}})()
ALARM = "imbalance, discriminator wins: it has known 99.9% of reals from fakes; raise r1_gamma."


@pytest.fixture
def watched(tmp_path, monkeypatch) -> str:
    """A tiny model with a time-lapse of three frames and a log with an alarm, a foreign one and a note."""
    folder = tmp_path / "watched"
    make_pipeline(0, 32, 3).save_pretrained(folder)
    generator = np.random.default_rng(0)
    frames = [Image.fromarray(generator.integers(0, 256, (8, 12, 3), dtype=np.uint8)) for _ in range(3)]
    save_animation([*frames, *[frames[-1]] * 6], folder / "timelapse.webp", seconds_per_frame=0.25)
    timelapse.write_counts(folder, [0, 100, 400])
    log = [
        {"images": 100, "loss/discriminator": 1.5, "loss/generator": 0.5, "score/FD-tiny": 2000.0},
        {"images": 225, "alarm": ALARM},
        {"images": 300, "alarm": "a new <kind> of alarm: of another version"},
        {"images": 400, "loss/discriminator": 0.25, "loss/generator": 2.5, "score/FD-tiny": 20.0},
        {"images": 400, "note": "ended early, at 0.4 kimg: <because>."},
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    monkeypatch.setenv(models.MODEL_VARIABLE, str(folder))
    return "watched"


def attribute(shown: str, name: str) -> str:
    return html.unescape(re.search(rf'{name}="([^"]*)"', shown)[1])


def test_each_frame_says_after_how_many_images_it_was_drawn(watched):
    shown, _, sentence = handlers.draw(watched)
    assert json.loads(attribute(shown, "data-told")) == [
        "before the first step",
        "after 100 images",
        "after 400 images",
    ]
    assert sentence == "" and attribute(shown, "value") == "2"  # the last one first
    assert json.loads(attribute(handlers.draw("r3gan-cats-64")[0], "data-told"))[-2] == "after about 260,000 images"
    assert (
        json.loads(attribute(handlers.draw("dcgan-mnist", "", PORTUGUESE)[0], "data-told"))[-1]
        == "depois de 500.032 imagens"
    )


def test_the_film_has_every_frame_below_the_other_and_each_pixel_once(watched):
    _, path, _ = handlers.draw("dcgan-mnist")
    pipe = models.load("dcgan-mnist")
    lapse, _ = handlers.read_training(pipe)
    with Image.open(path) as film:
        sheet = film.convert("L")
    frame = lapse.frames[5]
    width, height = frame.width // 2, frame.height // 2
    assert sheet.size == (width, 24 * height)
    cut = sheet.crop((0, 5 * height, width, 6 * height))
    assert cut.tobytes() == frame.resize((width, height), Image.Resampling.NEAREST).tobytes()


def test_the_curves_stand_at_their_frames_and_are_told_in_words(watched):
    shown, *_ = handlers.draw(watched)
    assert re.findall(r"data-values='([^']*)'", shown) == ["–|1.5|0.25", "–|0.5|2.5", "–|2,000|20"]
    axis = curves.Axis(400, 0, 1)
    assert json.loads(attribute(shown, "data-places")) == [round(axis.x(images), 1) for images in (0, 100, 400)]
    assert axis.x(100) - axis.x(0) == pytest.approx(axis.x(400) - axis.x(100))  # by the square root
    assert (
        "Losses: discriminator from 1.5 after 100 images to 0.25 after 400, between 0.25 and 1.5; "
        "generator from 0.5 after 100 images to 2.5 after 400, between 0.5 and 2.5" in shown
    )
    assert shown.count("<svg") == 2 and shown.count('role="img"') == 3 and "Mean scores" not in shown


def test_a_score_that_falls_far_is_drawn_by_its_logarithm():
    assert curves.Axis(1, 1, 100, True).y(10) == pytest.approx(
        (curves.Axis(1, 0, 1).y(0) + curves.Axis(1, 0, 1).y(1)) / 2
    )
    flat = curves.Axis(1, 3, 3)
    assert flat.y(3) == pytest.approx((curves.Axis(1, 0, 1).y(0) + curves.Axis(1, 0, 1).y(1)) / 2)


def test_a_tab_is_drawn_in_the_visitors_language(server):
    number = next(
        number for number, event in server.page.fns.items() if ("draw_watch" in [name for _, name in event.targets])
    )
    visitor = Visitor(server, headers={"accept-language": "pt-BR,pt;q=0.9"})
    done, output, _ = visitor.call(number, "dcgan-mnist", "dcgan-mnist", "")
    assert (
        done and "antes do primeiro passo" in str(output["data"]) and "before the first step" not in str(output["data"])
    )


def test_an_alarm_stands_in_the_curves_and_below_them_with_its_cause_and_its_remedy(watched):
    shown, *_ = handlers.draw(watched)
    assert shown.count('<line class="alarm"') == 2 * 2 and "After 225 images:" in shown
    assert (
        "<strong>The discriminator wins.</strong>" in shown
        and "raise r1_gamma" in shown
        and html.escape(ALARM) in shown
    )
    assert "a new &lt;kind&gt; of alarm" in shown and "<kind>" not in shown and "&lt;because&gt;" in shown
    assert "<strong>O discriminador vence.</strong>" in handlers.draw(watched, "", PORTUGUESE)[0]
    assert "raised no alarm" in handlers.draw("dcgan-mnist")[0]


def test_a_program_gets_the_frames_with_their_counts_and_the_alarms(watched):
    training = training_call(watched)
    assert (training["images"], training["exact"]) == ([0, 100, 400], True) and training["alarms"][0] == ALARM
    with Image.open(training["frames"]["path"]) as film:
        assert film.size == (6, 12)
    assert not training_call("r3gan-cats-64")["exact"]


@pytest.mark.parametrize("cause", ALARMS)
@pytest.mark.parametrize("request_", [None, PORTUGUESE], ids=["en", "pt"])
def test_every_alarm_of_the_monitors_has_its_words(cause, request_):
    words = handlers._alarm({"images": 1, "alarm": f"{cause}: evidence; remedy."}, request_)
    assert "<strong>" in words and "<details>" in words


@pytest.mark.parametrize(("asked", "frame"), [({}, ""), ({"frame": "2"}, "2"), ({"frame": "10000"}, "10000")])
def test_a_frame_is_a_link(watched, asked, frame):
    assert handlers.fill(watched, asked) == [frame]
    shown = handlers.draw(watched, frame)[0]
    assert attribute(shown, "value") == {"": "2", "2": "1", "10000": "2"}[frame]
    assert attribute(shown, "data-link") == "?tab=watch&model=watched"


@pytest.mark.parametrize("frame", ["0", "-1", "1.5", "x", "10001", "nan"])
def test_a_link_to_no_frame_is_refused(watched, frame):
    for call in (lambda: handlers.fill(watched, {"frame": frame}), lambda: handlers.draw(watched, frame)):
        with pytest.raises(ValueError, match="Frame is a whole number from 1 to 10000"):
            call()


def test_every_bundled_model_can_be_watched_and_one_without_a_time_lapse_says_so(offered_rgb):
    assert not TABS["watch"].ability(models.load(offered_rgb))
    for name in models.offered_models():
        if name != offered_rgb:
            assert TABS["watch"].ability(models.load(name)), name
    with pytest.raises(ValueError, match="came without a time-lapse"):
        handlers.draw(offered_rgb)
