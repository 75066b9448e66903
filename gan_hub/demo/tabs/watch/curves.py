"""The curves of a training as small SVG pictures, for eyes and for screen readers.

The axis of images is drawn by its square root, as frames are taken: what happens at the start gets the room that it needs, and
the frames of the time-lapse stand at equal distances.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from gan_hub.demo.texts import language, translate
from gan_hub.hub.score_names import is_frechet_distance

WIDTH, HEIGHT = 340, 130  # of a picture, in its own units
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 22  # margins
# Key of the title → the columns of the log that are drawn in it, and the keys of their names.
CURVES: dict[str, dict[str, str]] = {
    "losses": {"loss/discriminator": "player_d", "loss/generator": "player_g"},
    "logits": {"logit/real": "of_reals", "logit/fake": "of_fakes"},
    "pairs": {"accuracy/pairs": "right_pairs"},
    "diversity": {"diversity": "diversity_name"},
    "gradients": {"gradient/discriminator": "player_d", "gradient/generator": "player_g"},
}
FEWEST_POINTS = 2
LOG_SCALE_FROM = 10.0  # times the smallest value is the largest; only for scores


@dataclass(frozen=True)
class Axis:
    """Both axes of a picture: counts of images from 0 to `images`, values from `low` to `high`."""

    images: int
    low: float
    high: float
    is_log: bool = False

    def x(self, images: float) -> float:
        """Where a count of images stands."""
        return LEFT + (WIDTH - LEFT - RIGHT) * math.sqrt(min(1.0, max(0.0, images / max(1, self.images))))

    def y(self, value: float) -> float:
        """Where a value stands."""
        low, high, at = map(math.log, (self.low, self.high, value)) if self.is_log else (self.low, self.high, value)
        share = (at - low) / (high - low) if high > low else 0.5
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


Points = list[tuple[int, float]]


def curves_html(
    log: Sequence[dict], total: int, frames: Sequence[int], alarms: Sequence[int], request: gr.Request | None = None
) -> str:
    """All curves that a log has points of.

    Args:
        log: its lines.
        total: images seen at the end.
        frames: images seen at each frame.
        alarms: images seen at each alarm, in their order.
        request: has the visitor's language.

    Returns:
        HTML: a figure for each.
    """
    made = [
        _figure(key, {name: points(log, name) for name in columns}, columns, (total, frames, alarms), request)
        for key, columns in CURVES.items()
    ]
    for name in sorted({name for line in log for name in line if name.startswith("score/")}):
        if is_frechet_distance(name.removeprefix("score/")):
            made.append(_figure("score", {name: points(log, name)}, {name: name}, (total, frames, alarms), request))
    return "".join(made)


def points(log: Sequence[dict], name: str) -> Points:
    """A column over time: (images seen, value) of each line that has it as a finite number."""
    return [(line["images"], float(line[name])) for line in log if name in line and math.isfinite(line[name])]


def number(value: float, request: gr.Request | None) -> str:
    """A number as the visitor's language writes it: counts whole, others with three digits."""
    written = f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    written = written.replace("-", "−")
    return written.translate(str.maketrans(",.", ".,")) if language(request) == "pt" else written


def _figure(
    key: str,
    lines: dict[str, Points],
    names: dict[str, str],
    marks: tuple[int, Sequence[int], Sequence[int]],
    request: gr.Request | None,
) -> str:
    """One picture with its title, legend and meaning; "" where the log has nothing of it."""
    total, frames, alarms = marks
    lines = {name: line for name, line in lines.items() if len(line) >= FEWEST_POINTS}
    values = [value for line in lines.values() for _, value in line]
    if not values:
        return ""
    low, high = min(values), max(values)
    axis = Axis(total, low, high, key == "score" and low > 0 and high > LOG_SCALE_FROM * low)
    words = {name: _name(names[name], request) for name in lines}
    legend = "".join(
        f'<span class="series s{place}"><i></i>{html.escape(words[name])} '
        f"<b data-values='{html.escape(_at_frames(line, frames, request))}'></b></span>"
        for place, (name, line) in enumerate(lines.items())
    )
    description = "; ".join(_in_words(words[name], line, request) for name, line in lines.items())
    title = translate(request, f"curve_{key}")
    return (
        f'<figure class="curve"><figcaption><strong>{html.escape(title)}</strong> {legend}</figcaption>'
        f"{_svg(axis, lines, alarms, f'{title}: {description}', request)}"
        f"<p>{html.escape(translate(request, f'curve_{key}_means'))}</p></figure>"
    )


def _name(key: str, request: gr.Request | None) -> str:
    return key.removeprefix("score/") if key.startswith("score/") else translate(request, key)


def _in_words(name: str, line: Points, request: gr.Request | None) -> str:
    """A curve in words, for who cannot see it."""
    (first_at, first), (last_at, last) = line[0], line[-1]
    low, high = (edge(value for _, value in line) for edge in (min, max))
    numbers = {
        name: number(value, request) for name, value in (("first", first), ("last", last), ("low", low), ("high", high))
    }
    at = {"first_at": number(first_at, request), "last_at": number(last_at, request)}
    return translate(request, "curve_told", name=name, **numbers, **at)


def _at_frames(line: Points, frames: Sequence[int], request: gr.Request | None) -> str:
    """The value at each frame, the newest known one, joined by |; – before the first."""
    numbers = []
    for images in frames:
        known = [value for at, value in line if at <= images]
        numbers.append(number(known[-1], request) if known else "–")
    return "|".join(numbers)


def _svg(
    axis: Axis, lines: dict[str, Points], alarms: Sequence[int], description: str, request: gr.Request | None
) -> str:
    floor, parts = HEIGHT - BOTTOM, []
    for value in dict.fromkeys((axis.low, axis.high)):
        y = axis.y(value)
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text x="{LEFT - 4}" y="{y + 3.5:.1f}" text-anchor="end">{html.escape(number(value, request))}</text>'
        )
    for share, anchor in ((0.0, "start"), (0.25, "middle"), (1.0, "end")):
        x = axis.x(share * axis.images)
        text = html.escape(_short(round(share * axis.images), request))
        parts.append(f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{floor}"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{text}</text>')
    for place, line in enumerate(lines.values()):
        path = " ".join(f"{axis.x(images):.1f},{axis.y(value):.1f}" for images, value in line)
        parts.append(f'<polyline class="line s{place}" points="{path}"/>')
    for place, images in enumerate(alarms, 1):
        x = axis.x(images)
        parts.append(f'<line class="alarm" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{floor}"/>')
        parts.append(f'<text class="alarm" x="{x:.1f}" y="{TOP + 8}" text-anchor="middle">{place}</text>')
    parts.append(f'<line class="cursor" x1="0" x2="0" y1="{TOP}" y2="{floor}"/>')
    label = html.escape(description, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _short(images: int, request: gr.Request | None) -> str:
    """A count of images in few letters."""
    return number(images, request) if images < 10_000 else f"{number(round(images / 1000), request)} k"
