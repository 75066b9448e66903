"""SPADE of its authors' program, converted: their own images come out of files of its three kinds, and their logits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from gan_hub import GANPipeline
from gan_hub.cli.program import main
from gan_hub.foreign.convert import convert
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.ops.semantic_maps import edges_of_regions
from tests.foreign import test_convert_dcgan as dcgan

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
KINDS = {"normal": ("64", False, 2), "more": ("64", False, 1), "most": ("128x256", True, 1)}  # size, edges, start


def golden(kind: str) -> dict[str, torch.Tensor]:
    with safe_open(GOLDEN / f"spade-{kind}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}


def saved(folder: Path, kind: str, **changes: torch.Tensor | None) -> Path:
    tensors = {key.removeprefix("weights/"): value for key, value in golden(kind).items() if key.startswith("weights/")}
    tensors = {key: v.float() / 256 if v.dtype == torch.int8 else v.float() for key, v in tensors.items()} | changes
    path = folder / "latest_net_G.pth"
    torch.save({key: value for key, value in tensors.items() if value is not None}, path)
    return path


def answers(kind: str) -> dict:
    size, edges, _ = KINDS[kind]
    return {"upsampling_layers": kind, "resolution": size, "instance_edges": edges}


@pytest.mark.parametrize("kind", KINDS)
def test_the_programs_own_images_come_out(tmp_path, kind):
    report = convert(saved(tmp_path, kind), tmp_path / "model", **answers(kind))
    pipe, tensors = GANPipeline.from_pretrained(tmp_path / "model"), golden(kind)
    maps = tensors["inputs/map"].long().repeat_interleave(8, 1).repeat_interleave(8, 2)
    z = tensors["inputs/z"] if kind == "more" else torch.zeros(len(maps), 1)
    step = 8 if kind == "most" else 2
    with torch.no_grad():
        image = pipe.generator(z, maps)[:, :, ::step, ::step]
    assert tensors["outputs/image"].std() > 0.1
    assert (image - tensors["outputs/image"]).abs().max() < 1e-5
    assert pipe.generator.config["start_side"] == KINDS[kind][2]
    assert any("encoder" in sentence for sentence in report.lost) == (kind == "more")
    assert any("objects of one class" in sentence for sentence in report.lost) == (kind == "most")
    first, second = pipe(seeds=[0, 1]).images  # of the maps that were made up
    assert pipe.segmentations.shape[0] == 8 and first.tobytes() != second.tobytes()


def test_maps_that_are_given_become_the_models_examples(tmp_path, capsys):
    (tmp_path / "maps").mkdir()
    classes = golden("normal")["inputs/map"].numpy().astype(np.uint8)  # (M, 8, 8)
    for number, each in enumerate(classes):
        picture = Image.fromarray(each)
        if number:
            picture.putpalette(bytes(range(255, -1, -1)) * 3)  # colours to look at; the numbers are the classes
        picture.save(tmp_path / "maps" / f"{number}.png")
    last = np.full((64, 64), 255, np.uint8)  # the program's "don't care"
    Image.fromarray(last).save(tmp_path / "maps" / "last.png")
    (tmp_path / "maps" / "notes.txt").write_text("not a picture")
    said = ["--upsampling-layers", "normal", "--resolution", "64", "--no-instance-edges"]
    command = ["convert", str(saved(tmp_path, "normal")), str(tmp_path / "model"), *said]
    assert main([*command, "--maps", str(tmp_path / "maps")]) == 0
    assert f"examples of maps: the {len(classes) + 1} that were given" in capsys.readouterr().out
    pipe = GANPipeline.from_pretrained(tmp_path / "model")
    expected = classes.repeat(8, 1).repeat(8, 2)
    assert (pipe.segmentations[:-1].numpy() == expected).all()
    assert (pipe.segmentations[-1] == pipe.generator.config["semantic_classes"] - 1).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "maps' has 0 pictures; give a folder with 1 to 64 maps"),
        (lambda folder: Image.new("RGB", (64, 64)).save(folder / "a.png"), "a.png: no map of this model"),
        (lambda folder: Image.new("L", (64, 64), 200).save(folder / "a.png"), "has the class 200"),
        (lambda folder: (folder / "a.png").write_bytes(b"no picture"), "a.png: no map of this model"),
    ],
)
def test_what_is_no_map_is_refused_in_one_sentence(tmp_path, make, words):
    (tmp_path / "maps").mkdir()
    make(tmp_path / "maps")
    with pytest.raises(LoadError, match=words) as refusal:
        convert(saved(tmp_path, "normal"), tmp_path / "model", **answers("normal"), maps=tmp_path / "maps")
    assert "\n" not in str(refusal.value) and not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", ["maps", "resolution", "upsampling_layers", "instance_edges"])
def test_what_is_said_of_a_spade_is_refused_of_another_network(tmp_path, name):
    torch.save(dcgan.network(*dcgan.NETWORKS["usual"][0]).state_dict(), tmp_path / "netG.pth")
    with pytest.raises(LoadError, match=f"{name}= is not allowed"):
        convert(tmp_path / "netG.pth", tmp_path / "model", **{name: "64"})


def test_normal_and_more_have_the_same_tensors_and_draw_differently(tmp_path):
    file = saved(tmp_path, "normal")
    convert(file, tmp_path / "normal", **answers("normal"))
    convert(file, tmp_path / "more", **answers("normal") | {"upsampling_layers": "more"})
    networks = [GANPipeline.from_pretrained(tmp_path / kind).generator for kind in ("normal", "more")]
    maps = golden("normal")["inputs/map"].long().repeat_interleave(8, 1).repeat_interleave(8, 2)
    with torch.no_grad():
        images = [network(torch.zeros(2, 1), maps) for network in networks]
    assert (images[0] - images[1]).abs().max() > 0.1


def test_edges_are_the_pixels_that_have_a_neighbor_of_another_class():
    drawn = torch.tensor([[[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]])
    expected = torch.tensor([[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]])
    assert torch.equal(edges_of_regions(drawn, torch.float32)[0, 0], expected.float())
    assert edges_of_regions(torch.ones(1, 4, 5, dtype=torch.long), torch.float32).sum() == 0


def test_what_the_file_does_not_say_is_asked_for(tmp_path, capsys):
    file = saved(tmp_path, "normal")
    with pytest.raises(LoadError, match=r"does not say upsampling_layers= .*, resolution= .*, instance_edges= "):
        convert(file, tmp_path / "model")
    options = ["--upsampling-layers", "normal", "--resolution", "64"]
    assert main(["convert", str(file), str(tmp_path / "model"), *options]) == 1
    assert "does not say --instance-edges (whether" in capsys.readouterr().err
    assert main(["convert", str(file), str(tmp_path / "model"), *options, "--no-instance-edges"]) == 0


@pytest.mark.parametrize(
    ("said", "changes", "words"),
    [
        ({"upsampling_layers": "most", "resolution": "128"}, {}, "4 blocks after the middle, unlike 'most'"),
        ({"resolution": "72"}, {}, "72 is not allowed with 'normal', which doubles 5 times"),
        ({"resolution": "big"}, {}, "resolution='big' is not allowed; it is a side"),
        ({}, {"head_0.conv_0.weight_orig": None}, "no spectral norm"),
        ({}, {"up_0.extra": torch.zeros(2)}, "'up_0.extra' belongs to no part"),
        ({}, {"head_0.norm_0.mlp_shared.0.weight": torch.zeros(6, 3, 5, 5)}, "kernels of 5 × 5; allowed: 3 × 3"),
    ],
)
def test_another_network_is_refused_in_one_sentence(tmp_path, said, changes, words):
    file = saved(tmp_path, "normal", **changes)
    with pytest.raises(LoadError, match=words) as caught:
        convert(file, tmp_path / "model", **answers("normal") | said)
    assert str(caught.value).startswith(f"{file}: ") and not (tmp_path / "model").exists()


# -------------------------------------------------------------------------------------------- the discriminator


def judging() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """(everything, the discriminator's tensors) of the golden file that has one."""
    with safe_open(GOLDEN / "spade.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    start = "weights/discriminator/"
    return tensors, {key.removeprefix(start): v for key, v in tensors.items() if key.startswith(start)}


def test_the_programs_own_logits_come_out(tmp_path):
    tensors, judges = judging()
    start = "weights/generator/"
    torch.save({k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}, tmp_path / "G.pth")
    torch.save(judges, tmp_path / "D.pth")
    options = {"upsampling_layers": "normal", "resolution": "32", "instance_edges": False}
    convert(tmp_path / "G.pth", tmp_path / "model", **options, discriminator=tmp_path / "D.pth")
    pipe, maps = GANPipeline.from_pretrained(tmp_path / "model"), tensors["inputs/labels"].long()
    with torch.no_grad():
        image = pipe.generator(torch.zeros(2, 1), maps)
        assert (image - tensors["outputs/image"]).abs().max() < 5e-5
        scales = pipe.discriminator.logits_per_scale(tensors["inputs/images"], maps)
    for scale, (logits, _) in enumerate(scales):
        expected = tensors[f"outputs/discriminator/{scale}/3"]
        assert (logits - expected[-2:]).abs().max() < 5e-5 * expected.abs().max()


def test_a_discriminator_of_other_maps_is_refused(tmp_path):
    torch.save(judging()[1], tmp_path / "D.pth")
    with pytest.raises(LoadError, match="sees 7 planes, which are not those"):
        convert(saved(tmp_path, "normal"), tmp_path / "m", **answers("normal"), discriminator=tmp_path / "D.pth")
    with pytest.raises(LoadError, match="the discriminator's file has none of this program"):
        file = saved(tmp_path, "normal")
        convert(file, tmp_path / "m", **answers("normal"), discriminator=file)
