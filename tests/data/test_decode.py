"""The policy of docs/data.md, row by row: what a file of each kind becomes, and what each kind of bad file is called."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageCms

from gan_hub.data import load_images
from gan_hub.data.decode import Entry, decode_entry
from tests.made_files import bad_files, encoded, picture, unreadable, write

ROOT = Path(__file__).resolve().parents[2]
POLICY = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [200, 100, 50]]], np.uint8).repeat(4, 0).repeat(4, 1)
GREYS = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def used(content: bytes, channels: int = 3, size: tuple[int, int] = (8, 8)) -> np.ndarray:
    """int (H, W, C): what becomes of a file with this content."""
    found = decode_entry(Entry("file", None, len(content), lambda: content), size, channels)
    assert not isinstance(found, str), found
    assert found.shape == (*size, channels) and found.dtype == np.uint8
    return found.astype(int)


def grey_of(rgb: np.ndarray) -> np.ndarray:
    return (rgb @ np.array([0.299, 0.587, 0.114]))[..., None]


def near(found: np.ndarray, expected: np.ndarray, most: float = 0) -> bool:
    return found.shape == expected.shape and np.abs(found - expected).max() <= most


# ------------------------------------------------------------------------------------------- odd, but used


def test_grey_and_colour_files_keep_their_pixels_and_become_each_other():
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        assert near(used(saved(Image.fromarray(COLOURS), kind)), COLOURS)
        assert near(used(saved(Image.fromarray(GREYS), kind), 1), GREYS[..., None])
    assert near(used(saved(Image.fromarray(GREYS))), GREYS[..., None].repeat(3, 2))
    assert near(used(saved(Image.fromarray(COLOURS)), 1), grey_of(COLOURS), 0.51)
    smooth = Image.fromarray(GREYS).resize((32, 32)).convert("RGB")
    assert near(used(saved(smooth, "JPEG", quality=95), 3, (32, 32)), np.asarray(smooth).astype(int), 4)


def test_transparency_is_laid_on_white():
    for alpha in (0, 64, 128, 255):
        rgba = np.dstack([COLOURS, np.full((8, 8), alpha, np.uint8)])
        expected = (COLOURS * (alpha / 255) + 255 * (1 - alpha / 255)).round()
        assert near(used(saved(Image.fromarray(rgba))), expected, 1)
        assert near(used(saved(Image.fromarray(rgba), "WEBP", lossless=True, exact=True)), expected, 1)
        layer = Image.merge("LA", [Image.fromarray(GREYS), Image.new("L", (8, 8), alpha)])
        assert near(used(saved(layer), 1), (GREYS * (alpha / 255) + 255 - alpha).round()[..., None], 1)


def test_opacity_is_kept_where_there_is_a_channel_for_it_and_full_where_a_file_has_none():
    rgba = np.dstack([COLOURS, GREYS])
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        assert near(used(saved(Image.fromarray(rgba), kind, **options), 4), rgba)
    layer = Image.merge("LA", [Image.fromarray(GREYS), Image.fromarray(GREYS.T.copy())])
    assert near(used(saved(layer), 2), np.dstack([GREYS, GREYS.T]))
    assert near(used(saved(layer), 4), np.dstack([GREYS, GREYS, GREYS, GREYS.T]))
    assert near(used(saved(Image.fromarray(rgba)), 2), np.dstack([grey_of(COLOURS), GREYS]), 0.51)
    opaque = np.full((8, 8, 1), 255)
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        assert near(used(saved(Image.fromarray(COLOURS), kind), 4), np.dstack([COLOURS, opaque]))
        assert near(used(saved(Image.fromarray(GREYS), kind), 2), np.dstack([GREYS, opaque]))
    cmyk = Image.fromarray(COLOURS).convert("CMYK")
    assert near(used(saved(cmyk, "TIFF"), 4)[..., 3:], opaque)


def test_what_a_transparent_pixel_hides_does_not_bleed_into_a_smaller_or_larger_picture():
    pixels = np.zeros((32, 32, 4), np.uint8)  # black, which nobody sees
    pixels[7:26, 7:26] = (255, 255, 255, 255)
    for size in ((8, 8), (48, 48)):
        for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
            found = used(saved(Image.fromarray(pixels), kind, **options), 4, size)
            assert (found[found[..., 3] > 8][:, :3] >= 252).all()


def test_a_palette_is_its_colours_and_its_transparent_entries_are_white():
    image = Image.new("P", (8, 8))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 200, 100, 50])
    image.putdata([2 * (y // 4) + x // 4 for y in range(8) for x in range(8)])
    for kind in ("PNG", "GIF"):
        assert near(used(saved(image, kind)), COLOURS)
    white = COLOURS.copy()
    white[:4, 4:] = 255
    assert near(used(saved(image, "PNG", transparency=1)), white)
    assert near(used(saved(image, "GIF", transparency=1)), white)
    half = white.copy()
    half[:4, 4:] = (127, 255, 127)
    assert near(used(saved(image, "PNG", transparency=bytes([255, 128, 255, 255]))), half, 1)
    opacity = np.full((8, 8), 255)
    opacity[:4, 4:] = 128
    kept = used(saved(image, "PNG", transparency=bytes([255, 128, 255, 255])), 4)
    assert near(kept, np.dstack([COLOURS, opacity]))


def test_one_bit_is_black_and_white():
    bits = (GREYS > 100).astype(np.uint8) * 255
    for kind in ("PNG", "TIFF", "PPM"):
        assert near(used(saved(Image.fromarray(bits).convert("1", dither=Image.Dither.NONE), kind), 1), bits[..., None])


def test_sixteen_bits_of_grey_are_divided_by_257_and_of_colour_by_256():
    deep = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)
    for kind in ("PNG", "TIFF"):
        for levels in (deep, deep // 300):  # a dark picture stays dark
            assert near(used(saved(Image.fromarray(levels), kind), 1), (levels / 257).round()[..., None])
    assert near(used(deep_png(deep)), deep[..., None].repeat(3, 2) // 256)


def deep_png(levels: np.ndarray) -> bytes:
    """An RGB PNG of 16 bits a channel, which Pillow itself cannot write."""
    import struct
    import zlib

    from tests.made_files import chunk

    height, width = levels.shape
    rows = b"".join(b"\0" + np.repeat(row, 3).astype(">u2").tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize("peak", [1.0, 255.0, 65535.0, 1e6])
def test_a_float_picture_is_divided_by_the_first_usual_peak_that_holds_it(peak):
    ramp = np.linspace(0, peak, 64, dtype=np.float32).reshape(8, 8)
    expected = np.linspace(0, 255, 64).round().reshape(8, 8, 1)
    assert near(used(saved(Image.fromarray(ramp), "TIFF"), 1), expected)
    assert near(used(saved(Image.fromarray(0.7 * ramp), "TIFF"), 1), 0.7 * expected if peak < 1e6 else expected, 1)
    ramp[0, :3] = [np.nan, -5, -np.inf]
    assert used(saved(Image.fromarray(ramp), "TIFF"), 1)[0, :3].ravel().tolist() == [0, 0, 0]


def test_whole_numbers_of_32_bits_are_treated_like_floats():
    levels = GREYS.astype(np.int32)
    assert near(used(saved(Image.fromarray(levels), "TIFF"), 1), GREYS[..., None])
    assert near(used(saved(Image.fromarray(levels * 257), "TIFF"), 1), GREYS[..., None])


def test_cmyk_is_converted_and_adobes_inverted_files_are_not_negatives():
    rgb = np.array([[255, 0, 0], [0, 255, 255], [255, 255, 255], [0, 0, 0]], np.uint8).repeat(16, 0).reshape(8, 8, 3)
    image = Image.fromarray(rgb).convert("CMYK")
    assert near(used(saved(image, "TIFF")), rgb)
    assert near(used(saved(image, "JPEG", quality=100)), rgb, 12)  # Pillow writes these inverted, as Adobe does
    ink = Image.new("CMYK", (8, 8), (0, 0, 0, 102))
    assert near(used(saved(ink, "TIFF")), np.full((8, 8, 3), 153))


@pytest.mark.parametrize("channels", [1, 3])
def test_lab_is_converted_to_the_srgb_it_means(channels):
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    muted = COLOURS // 2 + 60  # the purest colours lose a little in 8 bits of LAB
    file = saved(ImageCms.applyTransform(Image.fromarray(muted), to_lab), "TIFF")
    assert near(used(file, channels), muted.astype(int) if channels == 3 else grey_of(muted), 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_each_rotation_that_a_camera_notes_is_undone(orientation, kind):
    upright = np.zeros((32, 48), np.uint8)
    upright[:16, :16], upright[16:, :16] = 255, 120  # no two of its rotations and reflections are alike
    turns = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud}
    turns |= {5: lambda a: a.T, 6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a, 2).T, 8: lambda a: np.rot90(a, 3)}
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation](upright)))
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    assert near(used(saved(stored, kind, exif=exif, **options), 1, (32, 48)), upright[..., None].astype(int), 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_and_a_document_of_many_pages_give_the_first(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    file = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(file)).n_frames == 3
    assert near(used(file), np.asarray(frames[0]).astype(int))


def test_a_colour_profile_is_not_applied():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    assert near(used(saved(Image.fromarray(COLOURS), icc_profile=profile)), COLOURS)


def test_another_size_is_cropped_to_the_centre_and_resampled_without_aliasing():
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = COLOURS
    assert near(used(saved(Image.fromarray(wide))), COLOURS)
    checkers = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    assert near(used(saved(Image.fromarray(checkers)), 1)[1:-1, 1:-1], np.full((6, 6, 1), 127), 3)
    assert near(used(saved(Image.new("RGB", (3, 2), (9, 8, 7))), 3, (16, 32)), np.full((16, 32, 3), (9, 8, 7)))


# -------------------------------------------------------------------------------------------------- bad

CUT = {
    kind: encoded(picture(0, channels, 64), kind, **options)
    for kind, channels, options in (
        *(("PNG", 3, {}), ("JPEG", 3, {}), ("WEBP", 3, {"lossless": True}), ("BMP", 3, {}), ("GIF", 1, {})),
        *(("TIFF", 3, {}), ("PPM", 3, {}), ("JPEG2000", 3, {})),
    )
}


@pytest.mark.parametrize("kind", CUT)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 1.0])
def test_a_file_that_was_cut_off_is_called_truncated_in_every_format(kind, share):
    content = CUT[kind][: int(share * len(CUT[kind]))]
    found = decode_entry(Entry("file", None, len(content), lambda: content), (8, 8), 3)
    if share == 1.0:
        assert not isinstance(found, str)
    else:
        assert isinstance(found, str), "half a picture was used"
        assert found == "truncated"


def test_postscript_starts_no_other_program(monkeypatch):
    """Pillow would hand it to Ghostscript."""
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *arguments: started.append(arguments))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    assert Image.open(io.BytesIO(eps)).format == "EPS"
    assert decode_entry(Entry("a.png", None, len(eps), lambda: eps), (8, 8), 3) == "vector drawing"
    assert not started


def test_36_bad_files_of_12_kinds_among_100_good_ones_are_counted_exactly_and_take_little_memory(tmp_path):
    truth = {kind: sorted(files) for kind, files in bad_files().items()}
    truth |= {"too large": ["x.png", "y.jpg", "z.gif"], "unreadable": ["q.png", "r.jpg", "s.gif"]}
    assert len(truth) == 12 and sum(map(len, truth.values())) == 36
    write(tmp_path, {f"{seed:03d}.png": encoded(picture(seed)) for seed in range(100)})
    write(tmp_path, {name: content for files in bad_files().values() for name, content in files.items()})
    for name in truth["too large"]:
        write(tmp_path, {name: b""})
        os.truncate(tmp_path / name, 200_000_001)
    for name in truth["unreadable"]:
        unreadable(tmp_path / name)
    code = f"""
import json
from pathlib import Path
from gan_hub.data import load_images
load = lambda source: load_images(source, 28, 1)
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
load({str(ROOT / "model_cards" / "dcgan-mnist")!r})
before = peak()
found = load({str(tmp_path)!r})
print(json.dumps([found.skipped, found.images.tolist(), peak() - before]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    skipped, images, megabytes = json.loads(done.stdout)
    assert skipped == truth
    assert np.array_equal(images, [picture(seed) for seed in range(100)])
    assert megabytes < 150


def test_strict_names_the_first_bad_file_its_kind_and_how_many_more_there_are(tmp_path):
    write(tmp_path, {f"{seed}.png": encoded(picture(seed)) for seed in range(3)})
    assert len(load_images(str(tmp_path), 28, 1, strict=True)) == 3
    write(tmp_path, {"b.png": b"", "a.png": bad_files()["LFS pointer"]["pointer.png"], "c.png": b"no"})
    with pytest.raises(ValueError, match=r"a\.png cannot be used \(LFS pointer\), and 2 more cannot be used; drop"):
        load_images(str(tmp_path), 28, 1, strict=True)
    assert len(load_images(str(tmp_path), 28, 1)) == 3
    for name in "bc":
        (tmp_path / f"{name}.png").unlink()
    with pytest.raises(ValueError, match=r"a\.png cannot be used \(LFS pointer\); drop strict=True \(--strict_data\)"):
        load_images(str(tmp_path), 28, 1, strict=True)


def test_the_document_has_a_row_for_each_kind_that_there_is():
    table = POLICY.split("## Files that cannot be used")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|`-]+?) \|", table, flags=re.MULTILINE)[1:]
    told = ["outside the folders", "without a label", "link to a folder", "broken link", "not a file", "elsewhere"]
    assert sorted(rows) == sorted([*bad_files(), "too large", "unreadable", *told])
