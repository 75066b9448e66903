"""Pairs of pictures and maps: what belongs together is found, cropped alike and numbered; what does not is counted."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from gan_hub.data import ImageSet, NoSuchSplitError, hold_out, load_pairs, without
from tests.made_files import encoded, picture, write, zipped

SKY, WALL, DOOR = (0, 0, 255), (200, 30, 30), (200, 30, 31)  # in no order; sorted: sky, wall, door


def numbers(seed: int, classes: int = 3, size: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, (size, size), dtype=np.uint8)


def numbered(seed: int, classes: int = 3, size: int = 32) -> bytes:
    """A map as a grey PNG of class numbers."""
    return encoded(numbers(seed, classes, size)[..., None])


def coloured(classes: np.ndarray, colours: tuple) -> bytes:
    """A map as a PNG of flat colours."""
    return encoded(np.array(colours, np.uint8)[classes])


def beside(count: int = 3) -> dict[str, bytes]:
    """Pictures with their maps beside them, named out of order."""
    files = {}
    for seed in reversed(range(count)):
        files |= {f"{seed}.png": encoded(picture(seed, 3, 32)), f"{seed}_labels.png": numbered(seed)}
    return files


@pytest.fixture(params=["folder", "zip"])
def stored(request, tmp_path):
    """files → the source of a folder, or of a zip, with them."""

    def store(files: dict[str, bytes], name: str = "data") -> str:
        if request.param == "zip":
            return str(zipped(tmp_path / f"{name}.zip", files))
        return str(write(tmp_path / name, files))

    return store


# ------------------------------------------------------------------------------------------- what is found


def test_maps_beside_their_pictures_are_found_and_exact(stored):
    found = load_pairs(stored(beside()), 32, 3)
    assert len(found) == 3 and found.labels is None and found.label_names is None
    assert found.maps.dtype == np.uint8 and found.map_names == ["0", "1", "2"]
    for seed in range(3):
        assert np.array_equal(found.images[seed], picture(seed, 3, 32))
        assert np.array_equal(found.maps[seed], numbers(seed))
    assert found.report() == "3 images of 32 × 32 × 3, maps of 3 classes."


@pytest.mark.parametrize("around", ["", "my-data/"])
def test_two_folders_with_equal_names_hold_the_same_pairs(stored, around):
    files = {}
    for seed in range(3):
        files[f"{around}images/a/{seed}.jpg"] = encoded(picture(seed, 3, 32), "JPEG")
        files[f"{around}labels/a/{seed}.png"] = numbered(seed)
    found = load_pairs(stored(files), 32, 1)
    assert found.images.shape == (3, 32, 32, 1) and found.skipped == {}
    assert all(np.array_equal(found.maps[seed], numbers(seed)) for seed in range(3))


@pytest.mark.parametrize(
    "layout", ["{split}/images/{name}.png {split}/labels/{name}.png", "{split}/{name}.png {split}/{name}_labels.png"]
)
def test_a_split_is_a_folder_and_a_colour_means_the_same_in_both(stored, layout):
    places = layout.split()
    files = {}
    for split, name, colours in (("train", "a", (WALL, DOOR)), ("test", "b", (SKY, WALL))):
        contents = encoded(picture(0, 3, 32)), coloured(numbers(1, 2), colours)
        files |= {place.format(split=split, name=name): content for place, content in zip(places, contents)}
    source = stored(files)
    train, test = load_pairs(source, 32, 3), load_pairs(source, 32, 3, "test")
    assert (len(train), len(test)) == (1, 1) and train.map_names == test.map_names == ["0", "1", "2"]
    assert np.array_equal(train.maps[0], numbers(1, 2) + 1) and np.array_equal(test.maps[0], numbers(1, 2))


def test_without_a_test_folder_the_split_is_missing_and_only_that(stored):
    source = stored(beside())
    with pytest.raises(NoSuchSplitError):
        load_pairs(source, 32, 3, "test")
    with pytest.raises(ValueError, match="split 'all' is not allowed"):
        load_pairs(source, 32, 3, "all")


# ------------------------------------------------------------------------------------------ what a pixel says


def test_colours_are_numbered_in_their_order_over_the_whole_set(stored):
    first, second = np.zeros((32, 32), int), numbers(1)
    files = {"a.png": encoded(picture(0, 3, 32)), "b.png": encoded(picture(1, 3, 32))}
    files |= {"a_labels.png": coloured(first, (DOOR,)), "b_labels.png": coloured(second, (WALL, SKY, DOOR))}
    found = load_pairs(stored(files), 32, 3)
    assert found.map_names == ["0", "1", "2"]
    assert (found.maps[0] == 2).all()
    assert np.array_equal(found.maps[1], np.array([1, 0, 2])[second])


def test_a_colour_counts_even_where_resizing_loses_it(tmp_path):
    classes = np.zeros((64, 64), int)
    classes[0, 1], classes[40:] = 1, 2
    files = {"a.png": encoded(picture(0, 3, 64)), "a_labels.png": coloured(classes, (WALL, SKY, DOOR))}
    found = load_pairs(str(write(tmp_path, files)), 32, 3)
    assert len(found.map_names) == 3 and np.unique(found.maps).tolist() == [1, 2]


@pytest.mark.parametrize("mode", ["1", "L", "P", "I", "I;16"])
def test_the_numbers_of_a_grey_or_palette_map_are_taken_as_they_are(tmp_path, mode):
    classes = numbers(5, 2 if mode == "1" else 7)
    if mode == "P":
        image = Image.fromarray(classes).convert("P")
        image.putpalette([value for colour in (DOOR, SKY, WALL, DOOR, SKY, WALL, SKY) for value in colour])
    else:
        image = Image.fromarray(classes.astype({"I": np.int32, "I;16": np.uint16}.get(mode, np.uint8)))
        image = Image.fromarray(classes * 255).convert("1") if mode == "1" else image
    assert image.mode == mode
    buffer = io.BytesIO()
    image.save(buffer, "TIFF" if mode == "I" else "PNG")
    name = "a_labels.tif" if mode == "I" else "a_labels.png"
    found = load_pairs(str(write(tmp_path, {"a.png": encoded(picture(0, 3, 32)), name: buffer.getvalue()})), 32, 3)
    assert np.array_equal(found.maps[0], classes) and len(found.map_names) == classes.max() + 1


def test_a_map_is_cropped_like_its_picture_and_no_two_classes_are_mixed(tmp_path):
    """A striped scene whose picture and map are one array, of a shape that must be cropped and shrunk."""
    scene = np.repeat(np.arange(10, dtype=np.uint8), 24)[None].repeat(120, 0)  # 120 × 240: ten stripes of 24 pixels
    files = {"a.png": encoded(scene[..., None] * 20), "a_labels.png": encoded(scene[..., None])}
    found = load_pairs(str(write(tmp_path, files)), 60, 1)
    assert found.images.shape == (1, 60, 60, 1) and np.unique(found.maps).tolist() == [2, 3, 4, 5, 6, 7]
    inside = np.ones(60, bool)
    inside[[x for edge in range(0, 61, 12) for x in range(edge - 3 - 6, edge + 3 - 6) if 0 <= x < 60]] = False
    assert inside.sum() > 20
    error = np.abs(found.images[0, :, inside, 0].astype(int) - 20 * found.maps[0][:, inside].T)
    assert error.max() <= 1, "picture and map show the same place"
    half = Image.fromarray(scene).resize((120, 60), Image.Resampling.NEAREST)
    assert np.array_equal(found.maps[0], np.asarray(half)[:, 30:90])


def test_a_map_of_another_size_but_the_same_shape_fits_and_one_of_another_shape_does_not(tmp_path):
    files = {name: encoded(picture(0, 3, 64)) for name in ("a.png", "b.png")}
    files |= {"a_labels.png": numbered(1, size=32), "b_labels.png": encoded(np.zeros((32, 48, 1), np.uint8))}
    found = load_pairs(str(write(tmp_path, files)), 32, 3)
    assert len(found) == 1 and np.array_equal(found.maps[0], numbers(1))
    assert found.skipped == {"map of another shape than its image": ["b_labels.png"]}


def test_more_colours_than_classes_are_refused_by_name(stored):
    files = {"a.png": encoded(picture(0, 3, 32)), "a_labels.png": encoded(picture(1, 3, 32))}
    with pytest.raises(ValueError, match=r"with a_labels.png its maps have [\d,]+ colours.*at most 256.*PNG, not JPEG"):
        load_pairs(stored(files), 32, 3)
    exactly = np.zeros((16, 16, 3), np.uint8)
    exactly[..., 1] = np.arange(256).reshape(16, 16)
    found = load_pairs(stored({"a.png": encoded(picture(0, 3, 16)), "a_labels.png": encoded(exactly)}, "more"), 16, 3)
    assert len(found.map_names) == 256 and np.array_equal(found.maps[0].ravel(), np.arange(256))


def test_class_numbers_beyond_8_bits_and_maps_of_two_kinds_are_refused(tmp_path):
    large = encoded(np.full((32, 32, 1), 256, np.uint16))
    files = {"a.png": encoded(picture(0, 3, 32)), "a_labels.png": large}
    with pytest.raises(ValueError, match="a_labels.png has the class 256; classes are numbers from 0 to 255"):
        load_pairs(str(write(tmp_path / "large", files)), 32, 3)
    files = beside(2) | {"1_labels.png": coloured(numbers(1), (WALL, SKY, DOOR))}
    with pytest.raises(ValueError, match="0_labels.png holds class numbers, but 1_labels.png colours"):
        load_pairs(str(write(tmp_path / "mixed", files)), 32, 3)


# --------------------------------------------------------------------------------------------- what is bad


def test_what_has_no_partner_or_cannot_be_read_is_skipped_and_counted(stored):
    files = beside(3) | {
        "lonely.png": encoded(picture(9, 3, 32)),
        "orphan_labels.png": numbered(9),
        "torn.png": encoded(picture(8, 3, 32)),
        "torn_labels.png": numbered(8)[:60],
        "empty.png": b"",
        "empty_labels.png": numbered(7),
        "lossy.png": encoded(picture(6, 3, 32)),
        "lossy_labels.jpg": encoded(picture(6, 1, 32), "JPEG"),
        "twice.png": encoded(picture(5, 3, 32)),
        "twice.jpg": encoded(picture(5, 3, 32), "JPEG"),
        "twice_labels.png": numbered(5),
    }
    source = stored(files)
    found = load_pairs(source, 32, 3)
    assert len(found) == 4 and np.array_equal(found.maps[3], numbers(5))
    assert found.skipped == {
        "image without a map": ["lonely.png"],
        "map without an image": ["orphan_labels.png"],
        "truncated": ["torn_labels.png"],
        "empty": ["empty.png"],
        "map stored with loss": ["lossy_labels.jpg"],
        "second of its name": ["twice.png"],
    }
    assert "6 files skipped" in found.report() and "1 map without an image (orphan_labels.png)" in found.report()
    with pytest.raises(ValueError, match="empty.png cannot be used .empty., and 5 more cannot be used"):
        load_pairs(source, 32, 3, strict=True)


def test_a_source_without_a_pair_or_of_another_kind_is_refused(stored, tmp_path):
    with pytest.raises(ValueError, match="no usable pair in it; a pair is .*2 files skipped: 2 image without a map"):
        load_pairs(stored({f"{seed}.png": encoded(picture(seed)) for seed in range(2)}), 28, 1)
    for source in ("mnist", str(tmp_path / "nothing"), "someone/somewhere"):
        with pytest.raises(ValueError, match="no such folder or .zip; pairs of images and maps"):
            load_pairs(source, 28, 1)


# ---------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("place", ["classes.json", "classes.txt", "my-data/classes.json"])
def test_classes_have_the_names_of_their_file_also_those_that_never_occur(stored, place):
    names = ["sky", "wall", "door", "tree"]
    text = json.dumps(names) if place.endswith("json") else "\n".join(names) + "\n"
    found = load_pairs(
        stored({f"my-data/{name}": content for name, content in beside().items()} | {place: text.encode()}), 32, 3
    )
    assert found.map_names == names and found.report().endswith("maps of 4 classes.")


@pytest.mark.parametrize(
    "content", [b'["sky", "wall"]', b'["a", "a", "b"]', b'{"a": 1}', b'["a", "b", 3]', b'["a", "b", ""]']
)
def test_names_that_do_not_fit_the_maps_are_refused(stored, content):
    with pytest.raises(ValueError, match="classes.json holds 3 to 256 different names"):
        load_pairs(stored(beside() | {"classes.json": content}), 32, 3)


def test_a_class_file_that_cannot_be_read_is_refused(stored):
    for content in (b"[", b"\xff"):
        with pytest.raises(ValueError, match="the names of its classes cannot be read"):
            load_pairs(stored(beside() | {"classes.json": content}, f"data{len(content)}{content[0]}"), 32, 3)


# ------------------------------------------------------------------------------------------- parts of a set


def paired(count: int) -> ImageSet:
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    return ImageSet(images, skipped={"damaged": ["x"]}, maps=images[..., 0] % 4, map_names=list("abcd"))


def test_a_map_stays_with_its_image_in_every_part_of_a_set():
    rest, held = hold_out(paired(50), 10, seed=1)
    assert (len(rest), len(held)) == (40, 10)
    for part in (rest, held, without(paired(50), held), held.take(np.array([3, 1]))):
        assert np.array_equal(part.maps, part.images[..., 0] % 4) and part.map_names == list("abcd")
        assert part.skipped == {"damaged": ["x"]}


def test_the_fingerprint_covers_the_maps():
    pairs = paired(5)
    content = pairs.images.tobytes() + pairs.maps.tobytes()
    assert pairs.fingerprint() == hashlib.sha256(content).hexdigest()
    pairs.maps[2] += 1
    assert pairs.fingerprint() not in (paired(5).fingerprint(), ImageSet(pairs.images).fingerprint())
