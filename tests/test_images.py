"""The border between tensors and pictures: nothing is lost on the way, or the policy says what."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from gan_hub.images import (
    MAX_PIXELS,
    TooManyPixelsError,
    fit_pil,
    from_uint8,
    grid,
    height_width,
    normalize_pil,
    over_white,
    save_animation,
    save_png,
    to_pil,
    to_uint8,
)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def reopened(image: Image.Image, kind: str, **options) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Image.open(buffer)


# ------------------------------------------------------------------------------------------ tensor, uint8


MODE_OF = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


@pytest.mark.parametrize("channels", MODE_OF)
def test_every_level_survives_the_way_there_and_back(channels):
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(channels, axis=3)
    floats = from_uint8(levels)
    assert floats.shape == (1, channels, 16, 16) and floats.dtype == torch.float32
    assert (floats.min(), floats.max()) == (-1, 1)
    back = to_uint8(floats)
    assert back.dtype == np.uint8 and back.flags["C_CONTIGUOUS"]
    assert np.array_equal(back, levels)


def test_levels_are_rounded_to_the_nearest_and_clipped():
    def level(value: float) -> int:
        return int(to_uint8(torch.full((1, 1, 1, 1), value)).item())

    step = 2 / 255
    assert [level(v) for v in (-1, 1, -5, 5, 0.99999)] == [0, 255, 0, 255, 255]
    assert [level(-1 + step * x) for x in (10.4, 10.6, 99.4, 99.6)] == [10, 11, 99, 100]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_and_graphs_are_taken(dtype):
    image = torch.zeros(1, 3, 2, 2, dtype=dtype, requires_grad=True)
    assert (to_uint8(image) == 128).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_not_quietly_black(value):
    images = torch.zeros(2, 1, 4, 4)
    images[1, 0, 2, 2] = value
    with pytest.raises(ValueError, match="NaN or Inf"):
        to_uint8(images)
    with pytest.raises(ValueError, match="NaN or Inf"):
        to_pil(images)


def test_pil_images_have_the_mode_of_their_channels_and_hold_the_pixels():
    for channels, mode in MODE_OF.items():
        pixels = noise(2, 5, 7, channels)
        images = to_pil(pixels)
        assert [(image.mode, image.size) for image in images] == [(mode, (7, 5))] * 2
        assert np.array_equal(np.asarray(images[1]).reshape(5, 7, channels), pixels[1])
        assert [image.tobytes() for image in to_pil(from_uint8(pixels))] == [image.tobytes() for image in images]


def test_a_read_only_array_is_taken_without_a_warning(recwarn):
    pixels = np.frombuffer(bytes(12), np.uint8).reshape(1, 2, 2, 3)
    assert (from_uint8(pixels) == -1).all()
    assert len(recwarn) == 0
    pixels = noise(1, 4, 4, 3)
    assert torch.equal(from_uint8(pixels[:, ::-1]), from_uint8(pixels).flip(2))  # a view with negative strides


# --------------------------------------------------------------------------------------- odd pictures


def test_sixteen_bits_are_scaled_and_not_saturated():
    ramp = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    for kind in ("PNG", "TIFF"):
        image = reopened(Image.fromarray(ramp), kind)
        assert image.mode.startswith("I")
        assert np.array_equal(np.asarray(normalize_pil(image, 1)).ravel(), np.arange(256))
    dark = reopened(Image.fromarray(ramp // 257), "PNG")  # sixteen bits that use eight: nearly black, and stays so
    assert np.asarray(normalize_pil(dark, 1)).max() == 1


def test_float_pictures_are_scaled_from_the_range_they_are_in():
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    for peak in (1.0, 255.0, 65535.0):
        image = reopened(Image.fromarray(ramp * peak), "TIFF")
        assert image.mode == "F"
        assert np.array_equal(np.asarray(normalize_pil(image, 1)).ravel(), np.arange(256)), peak
    odd = np.array([[np.nan, -5.0], [np.inf, 0.5]], dtype=np.float32)
    assert normalize_pil(Image.fromarray(odd), 1).size == (2, 2)


def test_transparency_is_laid_on_white():
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (200, 100, 50, 255)
    pixels[0, 1] = (0, 0, 0, 128)
    rgb = np.asarray(normalize_pil(reopened(Image.fromarray(pixels), "PNG"), 3))
    assert rgb[0, 0].tolist() == [200, 100, 50] and rgb[1, 1].tolist() == [255, 255, 255]
    assert rgb[0, 1].tolist() == [127, 127, 127]
    grey = normalize_pil(Image.fromarray(noise(2, 2, 2), "LA"), 1)
    assert grey.mode == "L"


def test_a_transparent_palette_entry_is_white_and_an_opaque_one_its_colour():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putdata([0, 1])
    rgb = np.asarray(normalize_pil(reopened(image, "PNG", transparency=1), 3))
    assert rgb[0].tolist() == [[255, 0, 0], [255, 255, 255]]


def test_the_rotation_that_a_camera_noted_is_applied():
    pixels = np.zeros((2, 3), np.uint8)
    pixels[0, 0] = 255  # top left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image = reopened(Image.fromarray(pixels), "PNG", exif=exif)
    upright = np.asarray(normalize_pil(image, 1))
    assert upright.shape == (3, 2) and upright[0, 1] == 255 and upright.sum() == 255


def test_a_picture_that_needs_no_change_is_not_copied_and_none_is_changed_in_place():
    plain = Image.fromarray(noise(4, 5, 3))
    assert normalize_pil(plain, 3) is plain and fit_pil(plain, (4, 5), 3) is plain
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = reopened(plain, "PNG", exif=exif)
    assert normalize_pil(turned, 3).size == (4, 5)
    assert turned.size == (5, 4) and np.array_equal(np.asarray(turned), np.asarray(plain))
    assert turned.getexif()[0x0112] == 6


@pytest.mark.parametrize("orientation", range(10))  # 0 and 9 are none
@pytest.mark.parametrize("channels", MODE_OF)
def test_a_photograph_becomes_what_pillow_makes_of_its_copies(orientation, channels):
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = Image.fromarray(noise(12, 16, 3)).resize((160, 120), Image.Resampling.BICUBIC)
    photo = reopened(smooth, "JPEG", exif=exif, quality=90)
    copied = ImageOps.exif_transpose(photo).convert(MODE_OF[channels])
    expected = ImageOps.fit(copied, (24, 20), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(fit_pil(photo, (20, 24), channels)), np.asarray(expected))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F"])
@pytest.mark.parametrize("channels", MODE_OF)
def test_every_mode_of_pillow_becomes_eight_bits_a_channel(mode, channels):
    image = normalize_pil(Image.new(mode, (4, 3)), channels)
    assert (image.mode, image.size) == (MODE_OF[channels], (4, 3))
    if channels in (2, 4):
        assert image.getpixel((0, 0))[-1] == (0 if mode in ("LA", "PA", "RGBA") else 255)


def test_transparency_is_kept_where_there_is_a_channel_for_it():
    pixels = noise(6, 8, 4)
    for image in (Image.fromarray(pixels), reopened(Image.fromarray(pixels), "PNG")):
        assert np.array_equal(np.asarray(normalize_pil(image, 4)), pixels)
    grey = noise(6, 8, 2)
    assert np.array_equal(np.asarray(normalize_pil(Image.fromarray(grey), 2)), grey)
    assert np.array_equal(np.asarray(normalize_pil(Image.fromarray(pixels), 2))[..., 1], pixels[..., 3])
    opaque = np.asarray(normalize_pil(Image.fromarray(pixels[..., :3]), 4))
    assert np.array_equal(opaque[..., :3], pixels[..., :3]) and (opaque[..., 3] == 255).all()
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putdata([0, 1])
    found = np.asarray(normalize_pil(reopened(palette, "PNG", transparency=1), 4))
    assert found[0, :, 3].tolist() == [255, 0] and found[0, 0].tolist() == [255, 0, 0, 255]


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("side", [16, 48, 100])
def test_resizing_mixes_no_colour_of_transparent_pixels_into_what_is_seen(channels, side):
    bright = [255, 255] if channels == 2 else [255, 255, 0, 255]
    for hidden in (0, 255):  # the colour that nobody sees
        pixels = np.full((64, 64, channels), hidden, np.uint8)
        pixels[..., -1] = 0
        pixels[13:50, 13:50] = bright
        fitted = np.asarray(fit_pil(Image.fromarray(pixels), side, channels)).astype(int)
        seen = fitted[..., -1] > 8  # below that, eight bits hold no colour
        assert abs(fitted[seen][:, :-1] - bright[:-1]).max() <= 3, hidden
        assert 0 < fitted[..., -1].min() + 1 < fitted[..., -1].max() == 255
        assert ((fitted[..., -1] > 0) & (fitted[..., -1] < 255)).any()  # the edge is a smooth one


def test_cmyk_keeps_its_colour_roughly():
    red = Image.new("CMYK", (1, 1), (0, 255, 255, 0))
    assert normalize_pil(red, 3).getpixel((0, 0)) == (255, 0, 0)


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("L", (4, 4), level) for level in (10, 200)]
    image = reopened(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert image.n_frames == 2
    assert np.asarray(normalize_pil(image, 1)).tolist() == [[10] * 4] * 4


def test_too_many_pixels_are_refused_before_they_are_decoded():
    image = Image.new("1", (MAX_PIXELS // 1000 + 1, 1000))
    with pytest.raises(TooManyPixelsError, match="64001 × 1000 pixels; at most 64,000,000"):
        normalize_pil(reopened(image, "PNG"), 1)
    assert issubclass(TooManyPixelsError, ValueError)


def test_a_torn_file_is_an_os_error_and_not_half_a_picture():
    buffer = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(buffer, "JPEG")
    with pytest.raises(OSError):
        normalize_pil(Image.open(io.BytesIO(buffer.getvalue()[:-2000])), 3)


def test_fitting_crops_the_centre_and_leaves_what_fits_alone():
    pixels = noise(8, 8)
    assert np.array_equal(np.asarray(fit_pil(Image.fromarray(pixels), 8, 1)), pixels)
    wide = np.zeros((8, 24), np.uint8)
    wide[:, 8:16] = 255
    assert (np.asarray(fit_pil(Image.fromarray(wide), 8, 1)) == 255).all()
    assert fit_pil(Image.new("RGB", (1, 300)), 32, 3).size == (32, 32)
    # Antialiased: a fine checkerboard becomes grey, where taking every other pixel would give one of its colours.
    checkers = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    assert abs(np.asarray(fit_pil(Image.fromarray(checkers), 16, 1)).astype(int)[4:-4, 4:-4] - 127).max() <= 2


def test_fitting_to_a_size_that_is_no_square_keeps_proportions_and_the_centre():
    pixels = noise(8, 12)
    assert np.array_equal(np.asarray(fit_pil(Image.fromarray(pixels), [8, 12], 1)), pixels)
    tall = np.zeros((40, 12), np.uint8)
    tall[16:24] = 255
    assert (np.asarray(fit_pil(Image.fromarray(tall), (8, 12), 1)) == 255).all()
    assert fit_pil(Image.new("RGB", (300, 300)), [16, 32], 3).size == (32, 16)


def test_a_resolution_is_a_side_or_height_and_width():
    assert (height_width(28), height_width([32, 64]), height_width((64, 64))) == ((28, 28), (32, 64), (64, 64))
    for value in (0, -4, True, 28.0, "28", "ab", [28], [1, 2, 3], [28, 0], [28, 32.0], None):
        with pytest.raises(ValueError, match="it is a number of pixels, or"):
            height_width(value)


# --------------------------------------------------------------------------------- grids, PNG, animations


def test_a_grid_stands_row_by_row_with_white_between():
    images = to_pil(noise(5, 4, 6, 3))
    sheet = grid(images, columns=3, padding=2)
    pixels = np.asarray(sheet)
    assert sheet.size == (3 * 6 + 2 * 2, 2 * 4 + 2) and sheet.mode == "RGB"
    for index, image in enumerate(images):
        row, column = divmod(index, 3)
        cell = pixels[row * 6 : row * 6 + 4, column * 8 : column * 8 + 6]
        assert np.array_equal(cell, np.asarray(image)), index
    assert (pixels[4:6] == 255).all() and (pixels[:, 6:8] == 255).all() and (pixels[6:, 16:] == 255).all()


@pytest.mark.parametrize("channels", [2, 4])
def test_a_grid_of_images_with_opacity_keeps_it_and_lets_the_gaps_through(channels):
    images = to_pil(noise(3, 4, 4, channels))
    sheet = np.asarray(grid(images, columns=2, padding=1))
    assert sheet.shape == (9, 9, channels)
    assert np.array_equal(sheet[:4, 5:], np.asarray(images[1]))
    gaps = np.concatenate([sheet[4].reshape(-1, channels), sheet[5:, 5:].reshape(-1, channels)])
    assert (gaps[:, -1] == 0).all() and (gaps[:, :-1] == 255).all()


def test_a_grid_enlarges_by_whole_pixels_and_is_no_wider_than_its_images():
    image = to_pil(noise(1, 2, 2, 1))[0]
    sheet = np.asarray(grid([image], columns=8, scale=3))
    assert sheet.shape == (6, 6)
    assert np.array_equal(sheet, np.asarray(image).repeat(3, 0).repeat(3, 1))
    with pytest.raises(ValueError, match="at least one image"):
        grid([], 3)


def test_a_png_keeps_its_pixels_and_tells_how_it_was_made(tmp_path):
    for channels in MODE_OF:
        image = to_pil(noise(1, 8, 8, channels))[0]
        save_png(image, tmp_path / "a.png", seed=7, model="dcgan-mnist", label=None)
        with Image.open(tmp_path / "a.png") as loaded:
            assert (loaded.mode, loaded.tobytes()) == (image.mode, image.tobytes())
    with Image.open(tmp_path / "a.png") as loaded:
        assert loaded.text == {"seed": "7", "model": "dcgan-mnist"}


@pytest.mark.parametrize(
    ("name", "channels"), [("a.webp", 1), ("a.webp", 3), ("a.gif", 1), ("a.webp", 2), ("a.webp", 4)]
)
def test_an_animation_loses_nothing_and_loops(tmp_path, name, channels):
    frames = to_pil(noise(4, 16, 16, channels))
    save_animation(frames, tmp_path / name, seconds_per_frame=0.1)
    with Image.open(tmp_path / name) as loaded:
        assert (loaded.n_frames, loaded.info["loop"]) == (4, 0)
        for index, frame in enumerate(frames):
            loaded.seek(index)
            loaded.load()
            assert loaded.info["duration"] == 100
            shown, expected = (np.asarray(each.convert("RGBA")) for each in (loaded, frame))
            assert np.array_equal(shown[..., 3], expected[..., 3]), index
            assert np.array_equal(shown[shown[..., 3] > 0], expected[shown[..., 3] > 0]), index


def test_an_animation_tells_how_it_was_made(tmp_path):
    frames = to_pil(noise(2, 16, 16, 3))
    for name in ("a.webp", "a.gif"):
        save_animation(frames, tmp_path / name, model="Gauß", seeds="3, 14", label=None)
    with Image.open(tmp_path / "a.webp") as loaded:
        assert json.loads(loaded.getexif()[0x010E]) == {"model": "Gauß", "seeds": "3, 14"}
    with Image.open(tmp_path / "a.gif") as loaded:
        assert json.loads(loaded.info["comment"]) == {"model": "Gauß", "seeds": "3, 14"}


def test_an_odd_animation_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"a\.mp4: an animation ends in \.webp or \.gif"):
        save_animation(to_pil(noise(1, 4, 4, 1)), tmp_path / "a.mp4")
    with pytest.raises(ValueError, match="at least one frame"):
        save_animation([], tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("channels", [2, 4])
def test_what_is_transparent_is_white_and_what_is_opaque_keeps_its_color(channels):
    images = torch.rand(1, channels, 1, 3) * 2 - 1
    images[:, -1] = torch.tensor([-1.0, 0.0, 1.0])  # transparent, half, opaque
    white = over_white(images)
    assert white.shape == (1, channels - 1, 1, 3) and (white[..., 0] == 1).all()
    assert torch.equal(white[..., 1], (images[:, :-1, :, 1] + 1) / 2) and torch.equal(
        white[..., 2], images[:, :-1, :, 2]
    )
    assert over_white(white) is white
