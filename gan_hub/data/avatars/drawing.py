"""Draws cartoon faces with Pillow: attributes and pose → an RGB image of 64 × 64 pixels.

The images are this program's own drawings: Apache-2.0 like the code, free to ship.
Coordinates: 64 units a side, x to the right, y down; inside a head from the middle between the eyes, in its own scale.
"""

from collections.abc import Sequence
from math import cos, pi, sin

from PIL import Image, ImageDraw

from gan_hub.data.avatars.faces import (
    BACKGROUNDS,
    CLOTHES_COLORS,
    HAIR_COLORS,
    SKINS,
    Attributes,
    Pose,
    sample_face,
)

SIDE = 64  # pixels
OVERSAMPLING = 4  # drawn this many times larger, then averaged: the antialiasing
INK = "#2a2230"  # of pupils and lips
FRAME = "#1d1a24"  # of glasses

Color = str | tuple[int, int, int, int]  # the last of the four is opacity
Point = tuple[float, float]


def draw(seed: int, index: int) -> tuple[Image.Image, Attributes]:
    """Image number `index` of a `seed`, RGB 64 × 64, and its attributes."""
    attributes, pose = sample_face(seed, index)
    return draw_face(attributes, pose), attributes


def draw_face(attributes: Attributes, pose: Pose) -> Image.Image:
    """The image of a face, RGB 64 × 64."""
    image = Image.new("RGB", (SIDE * OVERSAMPLING, SIDE * OVERSAMPLING), BACKGROUNDS[attributes.background])
    brush = _Brush(image, pose.x, pose.y, pose.scale)
    _hair_behind(brush, attributes, pose)
    _body(brush, attributes, pose)
    _head(brush, attributes, pose)
    _beard(brush, attributes, pose)
    _nose_and_mouth(brush, attributes, pose)
    _eyes_and_brows(brush, attributes, pose)
    _hair_in_front(brush, attributes, pose)
    _glasses(brush, attributes, pose)
    return image.reduce(OVERSAMPLING)


# ------------------------------------------------------------------------------------------------ brush


class _Brush:
    """Draws on an image in units around a center; colors with opacity are laid over what is there."""

    def __init__(self, image: Image.Image, x: float, y: float, scale: float) -> None:
        self.canvas = ImageDraw.Draw(image, "RGBA")
        self.x, self.y, self.scale = x * OVERSAMPLING, y * OVERSAMPLING, scale * OVERSAMPLING

    def to_pixels(self, x: float, y: float) -> Point:
        """Units around the center → pixels of the canvas."""
        return self.x + x * self.scale, self.y + y * self.scale

    def oval(self, x: float, y: float, half_width: float, half_height: float, color: Color) -> None:
        """A filled ellipse around (x, y)."""
        corners = [*self.to_pixels(x - half_width, y - half_height), *self.to_pixels(x + half_width, y + half_height)]
        self.canvas.ellipse(corners, fill=color)

    def shape(self, points: Sequence[Point], color: Color) -> None:
        """A filled polygon."""
        self.canvas.polygon([self.to_pixels(*point) for point in points], fill=color)

    def stroke(self, points: Sequence[Point], thickness: float, color: Color) -> None:
        """A line with round ends."""
        self.canvas.line(
            [self.to_pixels(*point) for point in points], color, round(thickness * self.scale), joint="curve"
        )
        for x, y in (points[0], points[-1]):
            self.oval(x, y, thickness / 2, thickness / 2, color)

    def box(
        self,
        x: float,
        y: float,
        half_width: float,
        half_height: float,
        radius: float,
        fill: Color,
        outline: Color | None = None,
        width: int = 1,
    ) -> None:
        """A filled rounded rectangle around (x, y), with an outline of `width` pixels where it has a color."""
        corners = [*self.to_pixels(x - half_width, y - half_height), *self.to_pixels(x + half_width, y + half_height)]
        self.canvas.rounded_rectangle(corners, radius * self.scale, fill=fill, outline=outline, width=width)


def _shaded(color: str, factor: float) -> str:
    """A #rrggbb color times `factor`."""
    return "#" + "".join(f"{min(255, round(int(color[i : i + 2], 16) * factor)):02x}" for i in (1, 3, 5))


def _parabola(x: float, y: float, width: float, height: float) -> list[Point]:
    """A parabola through (x ± width, y); its middle hangs `height` lower."""
    return [(x + width * t / 8, y + height * (1 - (t / 8) ** 2)) for t in range(-8, 9)]


def _head_outline(pose: Pose, start: float, end: float, size: float = 1.0) -> list[Point]:
    """The head's rim from one angle to another, in half turns: 0 is right, 0.5 the chin, 1 left, 1.5 the top."""
    points = []
    for step in range(33):
        angle = pi * (start + (end - start) * step / 32)
        c, s = cos(angle), sin(angle)
        height = pose.chin if s > 0 else 18.0
        round_x, round_y = (abs(c) ** 0.86, abs(s) ** 0.94)  # a little squarer than an ellipse
        points.append(
            (size * pose.width * round_x * (1 if c > 0 else -1), size * height * round_y * (1 if s > 0 else -1))
        )
    return points


# ---------------------------------------------------------------------------------------- parts of a face


def _hair_behind(brush: _Brush, attributes: Attributes, pose: Pose) -> None:
    color, dark = HAIR_COLORS[attributes.hair_colour], _shaded(HAIR_COLORS[attributes.hair_colour], 0.82)
    if attributes.hair == "long":
        side = pose.width + 4.4
        brush.oval(0, -3, side, 19, dark)
        brush.box(0, 10, side, 16, 5, fill=dark)
    elif attributes.hair == "curly":
        for turn in range(11):
            angle = pi * (0.95 + 1.1 * turn / 10)
            brush.oval((pose.width + 1.5) * cos(angle), -5 + 15 * sin(angle), 6.4, 6.4, dark if turn % 2 else color)
    elif attributes.hair == "bun":
        brush.oval(0, -21, 7, 6.2, dark)
        brush.oval(0, -21.8, 5.6, 4.6, color)


def _body(brush: _Brush, attributes: Attributes, pose: Pose) -> None:
    skin, color = SKINS[attributes.skin], CLOTHES_COLORS[attributes.clothes_colour]
    top = pose.chin + 4
    brush.oval(0, top + 17, 26, 18, color)
    if attributes.clothes == "stripes":
        for row in range(3):
            y = top + 4.2 + 4.4 * row
            half = 26 * max(0.0, 1 - ((y - top - 17) / 18) ** 2) ** 0.5
            brush.stroke(_parabola(0, y - 1, half - 0.8, 1.6), 1.9, _shaded(color, 0.66))
    brush.box(0, top - 3, 5.4, 6, 3, fill=_shaded(skin, 0.84))
    brush.oval(0, top + 1.6, 6.6, 3.6, _shaded(skin, 0.84))
    if attributes.clothes == "collar":
        for side in (-1, 1):
            flap = [(0, top + 7.5), (side * 5.2, top - 2.4), (side * 10, top + 0.6), (side * 6.6, top + 8.5)]
            brush.shape(flap, _shaded(color, 0.74))
    else:
        brush.stroke(_parabola(0, top + 1, 7, 4.6), 1.8, _shaded(color, 0.74))


def _head(brush: _Brush, attributes: Attributes, pose: Pose) -> None:
    skin = SKINS[attributes.skin]
    for side in (-1, 1):
        brush.oval(side * (pose.width + 0.4), 2.5, 3.1, 4.2, skin)
        brush.oval(side * (pose.width + 0.7), 2.7, 1.5, 2.4, _shaded(skin, 0.8))
    brush.shape(_head_outline(pose, 0, 2), skin)
    for side in (-1, 1):
        brush.oval(side * (pose.eye_distance + 2.8), 7, 2.9, 2, (238, 84, 84, 52))
    if attributes.hair == "bald":
        brush.oval(-4.5, -12.2, 4, 2.2, (255, 255, 255, 72))


def _beard(brush: _Brush, attributes: Attributes, pose: Pose) -> None:
    if attributes.beard == "none":
        return
    color, skin = _shaded(HAIR_COLORS[attributes.hair_colour], 0.86), SKINS[attributes.skin]
    mouth = pose.chin - 6.6
    if attributes.beard == "full":
        rim = _head_outline(pose, -0.02, 1.02, size=1.05)
        cheeks = [
            (-pose.width + 1.8, 3),
            (-8.6, 7.4),
            (-5, mouth - 4.6),
            (5, mouth - 4.6),
            (8.6, 7.4),
            (pose.width - 1.8, 3),
        ]
        brush.shape(rim + cheeks, color)
        brush.oval(0, mouth + 0.5, pose.mouth_width + 1.0, 3.0, skin)
    elif attributes.beard == "goatee":
        brush.box(0, mouth + 2.2, pose.mouth_width + 3.2, 6.6, 5.4, fill=color)
        brush.oval(0, mouth + 0.4, pose.mouth_width + 0.9, 3.0, skin)
    else:
        for side in (-1, 1):
            brush.shape([(0, mouth - 5.4), (side * 3.6, mouth - 5.8), (side * 7, mouth - 3.4), (side * 9.6, mouth - 4.2),
                         (side * 8, mouth - 0.6), (side * 4, mouth - 1.2), (0, mouth - 2.2)], color)  # fmt: skip


def _nose_and_mouth(brush: _Brush, attributes: Attributes, pose: Pose) -> None:
    skin, mouth, half = SKINS[attributes.skin], pose.chin - 6.6, pose.mouth_width
    brush.oval(0, 4.6, 2.3, 1.9, _shaded(skin, 0.76))
    if attributes.mouth == "smile":
        brush.stroke(_parabola(0, mouth - 0.9, half, 2.8), 1.5, INK)
    elif attributes.mouth == "laugh":
        brush.shape(_parabola(0, mouth - 1.4, half, 5), "#7c1f2c")
        brush.shape(_parabola(0, mouth - 1.4, half - 0.5, 1.7), "#ffffff")
        brush.oval(0, mouth + 2.2, 2, 1, "#f2747c")
    elif attributes.mouth == "serious":
        brush.stroke([(-half + 0.6, mouth + 0.4), (half - 0.6, mouth + 0.4)], 1.5, INK)
    else:
        brush.stroke(_parabola(0, mouth + 2.1, half, -2.8), 1.5, INK)


def _eyes_and_brows(brush: _Brush, attributes: Attributes, pose: Pose) -> None:
    dark = _shaded(HAIR_COLORS[attributes.hair_colour], 0.8)
    for side in (-1, 1):
        x = side * pose.eye_distance
        if attributes.eyes == "happy" or (attributes.eyes == "wink" and side == 1):
            brush.stroke(_parabola(x, 1.3, 3, -2.8), 1.5, INK)
        else:
            size = 4.2 if attributes.eyes == "wide" else 3.3
            brush.oval(x, 0, size, size, "#ffffff")
            brush.oval(x, 0.2, 2, 2.1, INK)
            brush.oval(x + 0.7, -0.6, 0.7, 0.7, "#ffffff")
        inner, outer, lift = {
            "raised": (0, 0.6, 1.8),
            "flat": (0, 0, 0),
            "stern": (1.7, -0.9, 0),
            "worried": (-1.6, 1.3, 0),
        }[attributes.brows]
        y = -6.6 - lift
        middle = y - (1.4 if attributes.brows == "raised" else 0.2) + (inner + outer) / 2
        brush.stroke([(x - side * 3.2, y + inner), (x, middle), (x + side * 3.4, y + outer)], 1.7, dark)


def _hair_in_front(brush: _Brush, attributes: Attributes, pose: Pose) -> None:
    color, width = HAIR_COLORS[attributes.hair_colour], pose.width
    middle = 4.5 * pose.parting
    if attributes.hair == "short":
        swept = 1 if pose.parting > 0 else -1
        fringe = [(swept * (width - 1), -2), (swept * (width - 3), -9), (swept * 6, -10), (-swept * 4, -12.5),
                  (-swept * (width - 3.4), -8), (-swept * (width - 1), -2)]  # fmt: skip
        rim = _head_outline(pose, 1.02, 1.98, size=1.09)
        brush.shape((rim if swept > 0 else rim[::-1]) + fringe, color)
    elif attributes.hair == "long":
        for side in (-1, 1):
            rim = _head_outline(pose, 1.5, 2.06, size=1.1)
            lock = [(middle, -19.2)] + [(side * x, y) for x, y in rim]
            lock += [
                (side * (width + 1.5), 12),
                (side * (width - 1.2), 10),
                (side * (width - 2.4), -4),
                (middle, -12.5),
            ]
            brush.shape(lock, color)
    elif attributes.hair == "curly":
        for turn in range(6):
            angle = pi * (1.1 + 0.8 * turn / 5)
            brush.oval((width - 2.5) * cos(angle), -4 + 11 * sin(angle), 4.4, 4.2, color)
    elif attributes.hair == "bun":
        rim = _head_outline(pose, 1.04, 1.96, size=1.06)
        brush.shape(rim + _parabola(0, -3, width - 0.6, -9.6)[::-1], color)


def _glasses(brush: _Brush, attributes: Attributes, pose: Pose) -> None:
    """All of it lies within 6.5 of the eyes' height and between the ears."""
    if attributes.glasses == "none":
        return
    thin = max(1, round(1.5 * brush.scale))
    clear = (255, 255, 255, 70)
    for side in (-1, 1):
        x = side * (pose.eye_distance + 0.3)
        brush.stroke([(side * (pose.eye_distance + 5), -1.2), (side * (pose.width + 0.2), -0.6)], 1.3, FRAME)
        if attributes.glasses == "round":
            brush.box(x, 0.3, 5.7, 5.7, 5.7, fill=clear, outline=FRAME, width=thin)
        elif attributes.glasses == "square":
            brush.box(x, 0.3, 5.8, 4.8, 1.2, fill=clear, outline=FRAME, width=thin)
        elif attributes.glasses == "browline":
            brush.box(x, 0.6, 5.5, 4.8, 4, fill=clear, outline="#8d8794", width=max(1, round(0.8 * brush.scale)))
            brush.box(x, -3.3, 6, 1.7, 1.2, fill=FRAME)
        else:
            brush.box(x, 0.3, 6, 4.9, 2.8, fill=FRAME)
            brush.stroke([(x - 2.6, 1.6), (x + 0.4, -2.2)], 1.2, (255, 255, 255, 120))
    brush.stroke(_parabola(0, -0.6, 1.6, -1.2), 1.5, FRAME)
