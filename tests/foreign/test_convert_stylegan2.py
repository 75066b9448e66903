"""StyleGAN2 of NVIDIA's programs, converted: the authors' own images and logits come out of files in their layout."""

import copy
import json
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
from gan_hub.models.layers import MinibatchStddev
from tests.foreign import made_pickles

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
KINDS = ("skip", "resnet", "orig", "triangle", "wide")


def golden(kind: str) -> tuple[dict[str, torch.Tensor], dict[str, dict]]:
    """The authors' tensors, and the arguments of their networks."""
    with safe_open(GOLDEN / f"stylegan2-ada-{kind}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()["constructor"])


def networks(kind: str) -> dict[str, made_pickles.Called]:
    tensors, options = golden(kind)

    def of(role: str) -> dict[str, torch.Tensor]:
        start = f"weights/{role}/"
        return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}

    generator = of("generator")
    average = made_pickles.ada_generator(generator, options["generator"])
    other = made_pickles.ada_generator({name: 2 * tensor for name, tensor in generator.items()}, options["generator"])
    discriminator = made_pickles.ada_discriminator(of("discriminator"), options["discriminator"])
    return {
        "G": other,
        "D": discriminator,
        "G_ema": average,
        "augment_pipe": None,
        "training_set_kwargs": {"path": "x"},
    }


def pickled(content: object, folder: Path) -> Path:
    path = folder / "network-snapshot.pkl"
    path.write_bytes(made_pickles.dumps(content, 3))
    return path


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Kind → the pipeline that its file becomes."""
    folder = tmp_path_factory.mktemp("converted")
    pipes = {}
    for kind in KINDS:
        convert(pickled(networks(kind), folder), folder / kind)
        pipes[kind] = GANPipeline.from_pretrained(folder / kind)
    return pipes


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("kind", KINDS)
def test_the_authors_images_come_out_whole_and_truncated(converted, kind):
    tensors, _ = golden(kind)
    generator, z = converted[kind].generator, tensors["inputs/z"]
    labels = tensors["inputs/c"].argmax(1) if "inputs/c" in tensors else None
    with torch.no_grad():
        image = generator.synthesize(generator.map(z, labels))
        truncated = generator.synthesize(generator.map(z, labels, truncation=0.7))
    assert relative(image, tensors["outputs/image"]) < 1e-5
    assert relative(truncated, tensors["outputs/image_psi0.7"]) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_the_authors_logits_come_out_in_training_mode(converted, kind):
    tensors, _ = golden(kind)
    discriminator = copy.deepcopy(converted[kind].discriminator).train()  # which moves its running deviation
    labels = tensors["inputs/images_c"].argmax(1) if "inputs/images_c" in tensors else None
    with torch.no_grad():
        assert relative(discriminator(tensors["inputs/images"], labels), tensors["outputs/logits"].flatten()) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_of_convolutions_is_felt_in_these_networks(converted, kind):
    """So that the tests before would notice if it were not kept."""
    tensors, _ = golden(kind)
    for network in (converted[kind].generator, converted[kind].discriminator):
        assert network.config["conv_clamp"] == 2
        unbound = type(network)(**{**public(network), "conv_clamp": 0})
        unbound.load_state_dict(network.state_dict())
        arguments = [tensors["inputs/z"] if "latent_size" in network.config else tensors["inputs/images"]]
        if network.config["num_classes"]:
            arguments.append(torch.tensor([0] * len(arguments[0])))
        with torch.no_grad():
            assert relative(unbound.eval()(*arguments), network.eval()(*arguments)) > 0.01


def public(network) -> dict:
    return {name: value for name, value in network.config.items() if not name.startswith("_")}


def test_a_seed_is_the_authors_picture(converted):
    """Their program draws the latent of a seed by numpy; the golden file holds those of 85 and 7."""
    tensors, _ = golden("resnet")
    assert torch.equal(converted["resnet"].sample_latents([85, 7]), tensors["inputs/z"])
    images = converted["resnet"](seeds=[85, 7], output_type="pt").images
    assert (images - tensors["outputs/image"].clamp(-1, 1)).abs().max() < 1e-5


def test_the_running_deviation_of_the_judge_is_that_of_generated_images(converted):
    for kind in KINDS:
        pipe, seen = converted[kind], []
        stddev = pipe.discriminator.stddev
        before = stddev.running.clone()
        hook = stddev.register_forward_pre_hook(lambda module, given, seen=seen: seen.append(given[0]))
        pipe.discriminate(
            pipe(seeds=range(64), output_type="pt").images, batch_size=64, labels=[0] * 64 if pipe.label_names else None
        )
        hook.remove()
        fresh = MinibatchStddev(stddev.group, stddev.channels)
        fresh.MOMENTUM = 1.0
        fresh(seen[0])
        assert before.shape == ((2,) if kind == "skip" else ()) and not stddev.training
        torch.testing.assert_close(before, fresh.running, rtol=0.3, atol=0)


def test_a_file_of_a_generator_alone_is_a_good_model(tmp_path):
    report = convert(pickled({"G_ema": networks("orig")["G_ema"]}, tmp_path), tmp_path / "model")
    pipe = GANPipeline.from_pretrained(tmp_path / "model")
    assert pipe.discriminator is None and pipe(seeds=[1]).images and "(G_ema)" in report.recognized


def test_a_discriminator_that_cannot_be_built_is_told_and_left_out(tmp_path):
    content = networks("orig")
    tensors, options = golden("orig")
    foreign = {"b4.odd.weight": torch.zeros(2)}
    foreign |= {k.removeprefix("weights/discriminator/"): v for k, v in tensors.items() if k.startswith("weights/disc")}
    content["D"] = made_pickles.ada_discriminator(foreign, options["discriminator"])
    report = convert(pickled(content, tmp_path), tmp_path / "model")
    assert any("left out" in sentence and "b4.odd.weight" in sentence for sentence in report.lost)
    assert GANPipeline.from_pretrained(tmp_path / "model").discriminator is None


def with_change(change: str, value: object) -> made_pickles.Called:
    """A generator whose tensors or options have one change."""
    tensors, options = golden("orig")
    weights = {k.removeprefix("weights/generator/"): v for k, v in tensors.items() if k.startswith("weights/gen")}
    given = json.loads(json.dumps(options["generator"]))
    if change in weights:
        weights[change] = value
    elif change in given:
        given[change] = value
    elif change in given["synthesis_kwargs"]:
        given["synthesis_kwargs"][change] = value
    else:
        weights[change] = value
    return made_pickles.ada_generator(weights, given)


@pytest.mark.parametrize(
    ("change", "value", "words"),
    [
        ("synthesis.b8.resample_filter", torch.full((2, 2), 0.25), "resamples by a filter of its own"),
        ("synthesis.b8.extra.weight", torch.zeros(3), "'synthesis.b8.extra.weight' belongs to no part"),
        ("conv_clamp", 1.5, "conv_clamp is 1.5; allowed: a whole number"),
        ("img_resolution", 24, "its resolution is 24"),
        ("mapping.fc0.weight", torch.zeros(8, 7), "mapping.layers.0.weight has the shape"),
    ],
)
def test_what_would_draw_another_picture_is_refused_in_one_sentence(tmp_path, change, value, words):
    path = pickled({"G_ema": with_change(change, value)}, tmp_path)
    with pytest.raises(LoadError) as caught:
        convert(path, tmp_path / "model")
    assert words in str(caught.value) and str(caught.value).startswith(f"{path}: ")
    assert not (tmp_path / "model").exists()


def test_unknown_networks_are_told_by_what_they_are(tmp_path):
    other = made_pickles.nvidia_network("Generator", {"synthesis.first.weight": torch.zeros(2, 2)}, {})
    for content, words in (
        ({"G_ema": other}, r"networks of NVIDIA's programs \(G_ema\), but not those of StyleGAN2 or StyleGAN3"),
        (
            {"weights": {"a.b": made_pickles.nested_tensor(torch.zeros(1))}},
            r"a program that is not known \(such as 'a.b'\)",
        ),
        ({"epoch": 3}, "no network in it"),
    ):
        with pytest.raises(LoadError, match=words):
            convert(pickled(content, tmp_path), tmp_path / "model")


def test_the_command_writes_a_model_whose_card_says_what_was_done(tmp_path, capsys):
    path, out = pickled(networks("resnet"), tmp_path), tmp_path / "model"
    origin = "https://example.org/`<b>x"
    assert main(["convert", str(path), str(out), "--license", "cc-by-nc-4.0", "--origin", origin]) == 0
    said = capsys.readouterr().out
    assert "recognised: StyleGAN2" in said and f"gan-hub demo {out}" in said and "not known" not in said
    card = (out / "README.md").read_text()
    assert "license: cc-by-nc-4.0" in card and "https://example.org/'&lt;b>x" in card and "ignored: G," in card
    assert "`RandomState(seed).randn`" in card and (out / "samples.png").is_file()
    assert main(["verify", str(out)]) == 0


def test_an_unknown_licence_is_told_in_the_terminal_and_in_the_card(tmp_path, capsys):
    out = tmp_path / "model"
    assert main(["convert", str(pickled({"G_ema": networks("orig")["G_ema"]}, tmp_path)), str(out)]) == 0
    assert "--license writes it into the card" in capsys.readouterr().out
    assert "**The licence is not known.**" in (out / "README.md").read_text()


def test_a_picture_of_the_origin_is_compared_and_another_one_is_noticed(tmp_path, converted):
    path, folder = pickled({"G_ema": networks("orig")["G_ema"]}, tmp_path), tmp_path
    picture = folder / "seed0085.png"
    converted["orig"](seeds=[85], truncation=0.7).images[0].save(picture)
    same = convert(path, folder / "a", compare=picture, seed=85, truncation=0.7)
    other = convert(path, folder / "b", compare=picture, seed=7)
    assert same.compared[0].startswith("the same picture: seed 85")
    assert other.compared[0].startswith("another picture: seed 7")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture)
    with pytest.raises(ValueError, match=r"\(8, 8, 3\); the model's are \(16, 16, 3\)"):
        convert(path, folder / "c", compare=picture, seed=85)


def test_what_is_no_file_is_told_with_what_to_give(tmp_path, tiny_model):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/pytorch_model.bin").write_text("x")
    for given, words in (
        ("https://example.org/net.pkl", "an address; download the file"),
        ("hf://me/gan", "an address; download the file"),
        (tmp_path / "there", f"it holds pytorch_model.bin, .*gan-hub convert {tmp_path}/there/pytorch_model.bin OUT"),
        (tiny_model, "a model of this library already"),
        (tmp_path / "none.pkl", "no such file"),
    ):
        with pytest.raises(LoadError, match=words):
            convert(given, tmp_path / "model")


def test_nothing_is_replaced_nothing_needless_answered_and_a_picture_comes_with_its_seed(tmp_path):
    path = pickled({"G_ema": networks("orig")["G_ema"]}, tmp_path)
    with pytest.raises(ValueError, match="not an empty folder"):
        convert(path, tmp_path)
    with pytest.raises(LoadError, match="output= is not allowed: its files say it themselves"):
        convert(path, tmp_path / "model", output="tanh")
    with pytest.raises(ValueError, match="go together"):
        convert(path, tmp_path / "model", seed=3)


def test_several_deviation_channels_are_the_authors():
    with safe_open(GOLDEN / "stylegan2-ops.safetensors", "pt") as file:
        x = file.get_tensor("inputs/mbstd/x")
        two, three = (
            file.get_tensor(f"outputs/minibatch_std/{name}") for name in ("group4_channels2", "group2_channels3")
        )
    assert relative(MinibatchStddev(4, 2)(x), two) < 1e-6
    assert relative(MinibatchStddev(2, 3)(x), three) < 1e-6
