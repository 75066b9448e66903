"""Alias-free StyleGAN3 of NVIDIA's program, converted: the authors' own images come out of files in their layout."""

import copy
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from gan_hub import GANPipeline
from gan_hub.cli.program import main
from gan_hub.foreign.convert import convert
from gan_hub.model_folder.strict import LoadError
from tests.foreign import made_pickles

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
KINDS = ("t", "r")


def golden(kind: str) -> tuple[dict[str, torch.Tensor], dict[str, dict], dict[str, dict]]:
    """The authors' tensors, the arguments of their networks, and what their layers say of themselves."""
    with safe_open(GOLDEN / f"stylegan3-{kind}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        return tensors, *(json.loads(file.metadata()[key]) for key in ("constructor", "attributes"))


def of(tensors: dict[str, torch.Tensor], role: str) -> dict[str, torch.Tensor]:
    start = f"weights/{role}/"
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def networks(kind: str) -> dict[str, object]:
    tensors, options, about = golden(kind)
    generator = of(tensors, "generator")
    content = {
        "G": made_pickles.alias_free_generator({key: 2 * each for key, each in generator.items()}, options["generator"], about),
        "G_ema": made_pickles.alias_free_generator(generator, options["generator"], about),
        "augment_pipe": None,
        "training_set_kwargs": {"path": "x"},
    }  # fmt: skip
    if "discriminator" in options:
        judge = options["discriminator"] | {"architecture": "resnet"}  # its default
        content["D"] = made_pickles.ada_discriminator(of(tensors, "discriminator"), judge)
    return content


def pickled(content: object, folder: Path) -> Path:
    path = folder / "network-snapshot.pkl"
    path.write_bytes(made_pickles.dumps(content, 3))
    return path


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Kind → the pipeline that its file becomes, and the report."""
    folder = tmp_path_factory.mktemp("converted")
    made = {}
    for kind in KINDS:
        report = convert(pickled(networks(kind), folder), folder / kind)
        made[kind] = GANPipeline.from_pretrained(folder / kind), report
    return made


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("kind", KINDS)
def test_the_authors_images_come_out_whole_and_truncated_by_their_seeds(converted, kind):
    tensors, *_ = golden(kind)
    pipe, _ = converted[kind]
    labels = tensors["inputs/c"].argmax(1) if "inputs/c" in tensors else None
    assert torch.equal(pipe.sample_latents([85, 7]), tensors["inputs/z"])
    for truncation, name in ((1.0, "image"), (0.7, "image_psi0.7")):
        with torch.no_grad():
            image = pipe.generator.synthesize(pipe.generator.map(tensors["inputs/z"], labels, truncation))
        assert relative(image, tensors[f"outputs/{name}"]) < 1e-5
    shown = pipe(seeds=[85, 7], labels=None if labels is None else labels.tolist(), output_type="pt").images
    assert (shown - tensors["outputs/image"].clamp(-1, 1)).abs().max() < 1e-5


def test_the_authors_logits_come_out_in_training_mode(converted):
    tensors, *_ = golden("r")
    discriminator = copy.deepcopy(converted["r"][0].discriminator).train()  # which moves its running deviation
    with torch.no_grad():
        logits = discriminator(tensors["inputs/images"], tensors["inputs/images_c"].argmax(1))
    assert relative(logits, tensors["outputs/logits"].flatten()) < 1e-5


def test_what_was_found_done_and_lost_is_said(converted):
    (pipe_t, report_t), (pipe_r, report_r) = converted["t"], converted["r"]
    assert report_t.recognized.startswith("alias-free StyleGAN3 of NVIDIA's programs (G_ema), 32 × 32, no classes")
    assert report_t.recognized.endswith("config T") and report_r.recognized.endswith("config R")
    assert pipe_t.generator.config["conv_clamp"] == 2 and pipe_r.generator.config["synthesis_layers"] == 10
    assert pipe_t.discriminator is None and pipe_r.discriminator.config["num_classes"] == 3
    for report in (report_t, report_r):
        assert any("shift or turn" in sentence for sentence in report.folded)
        assert any("filters of G_ema" in sentence for sentence in report.ignored)
        assert any("float16" in sentence for sentence in report.lost)


def with_change(change: str, value: object) -> made_pickles.Called:
    """A generator of config T in which one tensor, or one attribute of a module, is another."""
    tensors, options, about = golden("t")
    weights, given = of(tensors, "generator"), options["generator"]
    module, _, name = change.rpartition(".")
    layer = module.removeprefix("synthesis.")
    if change in weights or isinstance(value, torch.Tensor):
        weights[change] = value
    elif layer in about["layers"]:
        about["layers"][layer][name] = value
    elif module:
        about[layer if layer == "input" else "synthesis"][name] = value
    else:
        given[name] = value
    return made_pickles.alias_free_generator(weights, given, about)


@pytest.mark.parametrize(
    ("change", "value", "words"),
    [
        ("synthesis.L3_36_6.up_filter", torch.ones(12) / 12, r"L3_36_6 has a up_filter of its own \(\[12\]\)"),
        ("synthesis.L3_36_6.down_filter", torch.ones(10) / 10, r"L3_36_6 has a down_filter of its own \(\[10\]\)"),
        ("synthesis.L3_36_6.out_size", [52, 52], r"L3_36_6 has the size \[52, 52\]; allowed: \[36, 36\]"),
        ("synthesis.L3_36_6.conv_clamp", 4, "L3_36_6 is bounded at 4; allowed: 2"),
        ("synthesis.L3_36_6.conv_clamp", 0.5, "conv_clamp is 0.5; allowed: a whole number"),
        ("synthesis.output_scale", 1, "its output_scale is 1; allowed: 0.25"),
        ("synthesis.margin_size", 8, "its margin_size is 8; allowed: 10"),
        ("synthesis.num_critical", 0, "its num_critical is 0; allowed: 2"),
        ("synthesis.layer_names", None, "its layers are None; allowed: a list of their names"),
        ("synthesis.input.bandwidth", 4.0, "its start has the bandwidth 4.0; allowed: 2"),
        ("synthesis.L3_36_6.weight", torch.zeros(()), r"synthesis.L3_36_6.weight has the shape \[\]"),
        ("synthesis.L3_36_6.weight", torch.zeros(6, 5, 3, 3), r"layers.3.weight has the shape \[6, 5, 3, 3\]"),
        ("synthesis.L3_36_6.weight", torch.zeros(5, 6, 3, 3), "layers.3.weight has the shape"),
        ("synthesis.input.extra", torch.zeros(3), "'synthesis.input.extra' belongs to no part"),
        ("img_resolution", 24, "its resolution is 24"),
    ],
)
def test_what_would_draw_another_picture_is_refused_in_one_sentence(tmp_path, change, value, words):
    path = pickled({"G_ema": with_change(change, value)}, tmp_path)
    with pytest.raises(LoadError, match=words) as caught:
        convert(path, tmp_path / "model")
    assert str(caught.value).startswith(f"{path}: alias-free StyleGAN3 of stylegan3, but ")
    assert "\n" not in str(caught.value) and not (tmp_path / "model").exists()


def test_a_file_with_little_more_than_the_name_of_the_architecture_is_refused(tmp_path):
    network = made_pickles.nvidia_network("Generator", {"synthesis.input.freqs": torch.zeros(2, 2)}, {})
    with pytest.raises(LoadError, match="alias-free StyleGAN3 of stylegan3, but G_ema: its layers are None"):
        convert(pickled({"G_ema": network}, tmp_path), tmp_path / "model")


@pytest.mark.parametrize("kind", ["stages", "classes"])
def test_a_network_of_stylegan_xl_is_told_by_its_name(tmp_path, kind):
    tensors, options, about = golden("t")
    weights = of(tensors, "generator")
    if kind == "classes":
        weights["mapping.embed_proj.weight"] = torch.zeros(8, 4)
    network = made_pickles.alias_free_generator(weights, options["generator"], about)
    if kind == "stages":
        network.arguments[0]["state"]["head_layer_names"] = ["L14_32_6"]
    with pytest.raises(LoadError, match="G_ema: it is StyleGAN-XL's, which has more stages at its end"):
        convert(pickled({"G_ema": network}, tmp_path), tmp_path / "model")


def test_the_command_converts_and_the_model_is_whole(tmp_path, capsys):
    path, out = pickled(networks("t"), tmp_path), tmp_path / "model"
    assert main(["convert", str(path), str(out), "--license", "cc-by-nc-4.0"]) == 0
    assert "recognised: alias-free StyleGAN3" in capsys.readouterr().out
    assert main(["verify", str(out)]) == 0
    assert main(["sample", str(out), "--seeds", "85", "--out", str(tmp_path / "drawn")]) == 0
