"""The emoji that r3gan-emoji-64 is trained on: which go into which split."""

import json
import sys
import zipfile

from benchmarks import collect_emoji


def package(folder, count: int, tones: int):
    """A folder laid out as the npm package, of `count` emoji with `tones` skin tones each; the last tone has no picture."""
    emoji = []
    for index in range(count):
        variants = {
            str(tone): {"image": f"{index}-{tone}.png", "has_img_google": tone < tones - 1} for tone in range(tones)
        }
        emoji.append({"image": f"{index}.png", "has_img_google": True, "skin_variations": variants})
    pictures = folder / "img" / "google" / "64"
    pictures.mkdir(parents=True)
    (folder / "emoji.json").write_text(json.dumps(emoji))
    for each in emoji:
        for variant in (each, *each["skin_variations"].values()):
            if variant["has_img_google"]:
                (pictures / variant["image"]).write_bytes(variant["image"].encode())
    return folder


def test_every_twelfth_emoji_is_held_out_with_all_its_skin_tones(tmp_path, monkeypatch, capsys):
    out = tmp_path / "emoji.zip"
    monkeypatch.setattr(sys, "argv", ["collect_emoji.py", str(package(tmp_path / "package", 25, 3)), str(out)])
    collect_emoji.main()
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        assert all(archive.read(name) == name.split("/")[1].encode() for name in names)
    held_out = {name for name in names if name.startswith("test/")}
    assert held_out == {f"test/{index}{tone}.png" for index in (11, 23) for tone in ("", "-0", "-1")}
    assert len(names) == 75 and "train 69, test 6" in capsys.readouterr().out
