"""What `optimize` chooses, says and refuses; and that nothing but the drawing changes."""

import copy
import dataclasses
import threading

import numpy as np
import pytest
import torch
from torch import nn

from gan_hub import GANPipeline
from gan_hub.engines import ENGINES, Engine, onnx_graph, operators
from gan_hub.engines.choose import bfloat16_is_fast
from gan_hub.engines.drop_in import Watch
from gan_hub.models import ARCHITECTURES, CLASSES, GANModel, register_architecture, register_checked
from gan_hub.models.config_schema import Channels, Classes, Latent, Resolution
from gan_hub.models.stylegan2 import StyleGAN2Generator
from tests.conftest import lively, make_pipeline
from tests.engines.test_networks import pictures, worst
from tests.models.test_registry import build_pair


@pytest.fixture
def pipe() -> GANPipeline:
    return make_pipeline(3, 28, 1)


def optimized(pipe: GANPipeline, engine: str = "torch") -> GANPipeline:
    return pipe.optimize(engine, seconds=0)


# --------------------------------------------------------------------------------------------------- the record


def test_auto_takes_the_fastest_that_was_measured_and_says_what_it_tried_and_why_not_the_rest(pipe):
    assert pipe.optimize(seconds=0.2) is pipe
    said = pipe.engine
    assert said.name in said.milliseconds and set(said.milliseconds) >= {"plain", "torch"}
    assert said.milliseconds[said.name] <= min(said.milliseconds.values()) * 1.05
    assert {*said.milliseconds, *said.reasons} == set(ENGINES)
    assert all(value < 0.5 for value in said.levels.values())
    assert str(said).startswith(f"{said.name}, float32: ") and "ms an image, one at a time" in str(said)
    with pytest.raises(dataclasses.FrozenInstanceError):
        said.name = "plain"
    with pytest.raises(TypeError):
        said.milliseconds["plain"] = 0.0


def test_a_pipeline_begins_plain_and_plain_is_bit_for_bit_what_it_was(pipe):
    assert pipe.engine == Engine() and str(pipe.engine) == "plain, float32"
    before = pipe(seeds=range(8), output_type="pt").images
    assert not torch.equal(optimized(pipe)(seeds=range(8), output_type="pt").images, before), "then nothing was tested"
    assert pipe.optimize("plain").engine == Engine()
    assert torch.equal(pipe(seeds=range(8), output_type="pt").images, before)


@pytest.mark.parametrize("name", ["dcgan", "stylegan", "stylegan2"])
def test_blended_classes_are_drawn_by_the_generator_itself_whatever_the_engine(name):
    torch.manual_seed(0)
    pipe = GANPipeline(build_pair(ARCHITECTURES[name], 3)[0], label_names=list("abc"))
    shares, z = torch.tensor([[0.5, 0.5, 0], [0, 0, 1]]), pipe.sample_latents([3, 4])
    before = [pipe(latents=z, labels=shares, truncation=psi, output_type="pt").images for psi in (1, 0.5)]
    assert optimized(pipe).engine.name == "torch"
    for psi, images in zip((1, 0.5), before):
        assert torch.equal(pipe(latents=z, labels=shares, truncation=psi, output_type="pt").images, images)
    if name != "dcgan":
        assert pipe.map(z, shares).shape[0] == 2


def test_bfloat16_is_refused_below_its_rounding_and_drawn_within_what_is_allowed(pipe):
    before = pictures(pipe)
    with pytest.raises(
        ValueError, match=r"^engine='torch-bfloat16' is not possible here: it differs by .* max_levels=0\.01"
    ):
        pipe.optimize("torch-bfloat16", max_levels=0.01, seconds=0)
    pipe.optimize("torch-bfloat16", max_levels=40, seconds=0)
    assert pipe.engine.dtype == "bfloat16" and 0.01 < pipe.engine.levels["torch-bfloat16"] <= 20
    assert worst(before, pictures(pipe)) <= 40
    pipe.optimize(max_levels=1, seconds=0)
    assert pipe.engine.reasons["torch-bfloat16"] == "is not tried below max_levels=2"
    pipe.optimize(max_levels=40, seconds=0)
    assert ("torch-bfloat16" in pipe.engine.milliseconds) is bfloat16_is_fast()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"engine": "onnx"}, r"engine='onnx' is not allowed; choose one of auto, plain, torch, .*onnxruntime"),
        ({"engine": None}, r"engine=None is not allowed"),
        ({"batch_size": 0}, r"batch_size=0 is not allowed; it is a whole number from 1 to 4096\."),
        ({"batch_size": 1.5}, r"batch_size=1\.5 is not allowed"),
        ({"max_levels": -1}, r"max_levels=-1 is not allowed; it is a number from 0 to 255\."),
        ({"max_levels": float("nan")}, r"max_levels=nan is not allowed"),
        ({"seconds": "2"}, r"seconds='2' is not allowed; it is a number from 0 to 3600\."),
        ({"seconds": True}, r"seconds=True is not allowed"),
        ({"engine": "cuda-graphs"}, r"engine='cuda-graphs' is not possible here: it needs a CUDA device"),
    ],
)
def test_a_mistake_is_answered_in_one_sentence_and_the_engine_stays(pipe, options, sentence):
    optimized(pipe)
    with pytest.raises(ValueError, match=f"^{sentence}") as refusal:
        pipe.optimize(**{"seconds": 0, **options})
    assert "\n" not in str(refusal.value) and pipe.engine.name == "torch"


def test_what_is_no_generator_is_refused(pipe):
    pipe.generator = nn.Linear(8, 8)
    with pytest.raises(ValueError, match=r"^generator is a Linear; allowed: a network of gan_hub\.models\.$"):
        optimized(pipe)


def test_an_engine_computes_in_float32_and_says_so_of_any_other_generator(pipe):
    pipe.to(dtype="bfloat16")
    with pytest.raises(ValueError, match="it needs a generator in float32"):
        optimized(pipe)
    assert pipe.optimize(seconds=0).engine.name == "plain" and pipe.engine.dtype == "bfloat16"


def test_a_network_whose_features_would_fill_the_memory_stays_on_plain_and_says_so(pipe, monkeypatch):
    monkeypatch.setattr(operators, "MOST_BYTES", 20_000)
    assert pipe.optimize(seconds=0).engine.name == "plain"
    told = "cannot follow this network (its features take more than 0.02 MB an image)"
    assert pipe.engine.reasons["torch"] == told
    with pytest.raises(ValueError, match="its features take more than 0.02 MB an image"):
        optimized(pipe)
    monkeypatch.setattr(operators, "MOST_BYTES", 10_000_000)
    assert optimized(pipe).engine.name == "torch"


# --------------------------------------------------------------------------------------------------- a generator that changes


def changes():
    def step(pipe):
        parameter = next(pipe.generator.parameters())
        torch.optim.SGD([parameter], lr=1.0).step() if parameter.grad is not None else None
        with torch.no_grad():
            parameter.mul_(1.5)

    def load(pipe):
        state = {name: 1.5 * value for name, value in pipe.generator.state_dict().items() if value.is_floating_point()}
        pipe.generator.load_state_dict(pipe.generator.state_dict() | state)

    def assign(pipe):
        state = {name: value.clone() for name, value in make_pipeline(3, 28, 1, seed=7).generator.state_dict().items()}
        pipe.generator.load_state_dict(state, assign=True)

    def replaced_parameter(pipe):
        pipe.generator.project.weight = nn.Parameter(1.5 * pipe.generator.project.weight.detach())

    def replaced_data(pipe):
        pipe.generator.project.weight.data = 1.5 * pipe.generator.project.weight.detach()

    def replaced_layer(pipe):
        pipe.generator.project = nn.Linear(8, pipe.generator.project.out_features, bias=False)

    def statistics(pipe):
        pipe.generator.train()
        pipe.generator(torch.randn(4, 8), torch.arange(4) % 3)
        pipe.generator.eval()

    def hook_of_a_layer(pipe):
        pipe.generator.project.register_forward_hook(lambda layer, inputs, features: 1.5 * features)

    def patched_forward(pipe):
        pipe.generator.forward = lambda *inputs: 0.5 * type(pipe.generator).forward(pipe.generator, *inputs)

    def other_generator(pipe):
        pipe.generator = make_pipeline(3, 28, 1, seed=7).generator

    return [change for name, change in locals().items() if callable(change)]


@pytest.mark.parametrize("change", changes(), ids=lambda change: change.__name__)
def test_a_generator_that_changes_is_drawn_as_it_is_now(pipe, change):
    before = pictures(optimized(pipe))
    change(pipe)
    now = pictures(pipe)
    assert not np.array_equal(now, before)
    assert np.array_equal(now, pictures(GANPipeline(pipe.generator)))
    assert pipe.engine.name == "plain"
    assert pipe.engine.reasons == {"torch": "is no longer used: the generator has changed since optimize()"}
    assert optimized(pipe).engine.name == "torch" and worst(now, pictures(pipe)) <= 1


def test_a_pipeline_that_is_moved_draws_plain(pipe):
    assert optimized(pipe).to("cpu").engine.name == "plain" and "moved" in str(pipe.engine)


def test_another_level_of_growing_is_noticed():
    from gan_hub.models.stylegan import StyleGANGenerator

    network = StyleGANGenerator(
        resolution=16, latent_size=8, w_size=8, base_channels=4, max_channels=8, mapping_width=8
    )
    watch = Watch(network)
    assert watch.is_unchanged()
    network.set_level(1.5)
    assert not watch.is_unchanged()


# --------------------------------------------------------------------------------------------------- all else stays


def test_what_is_saved_is_the_same_to_the_byte_and_a_copy_or_a_second_pipeline_draws_plain(pipe, tmp_path):
    weights = [value.clone() for value in pipe.generator.state_dict().values()]
    pipe.save_pretrained(tmp_path / "before")
    optimized(pipe).save_pretrained(tmp_path / "after")
    files = {file.relative_to(tmp_path / "before") for file in (tmp_path / "before").rglob("*") if file.is_file()}
    assert files
    for name in files:
        assert (tmp_path / "after" / name).read_bytes() == (tmp_path / "before" / name).read_bytes(), name
    assert all(map(torch.equal, weights, pipe.generator.state_dict().values()))
    plain = pictures(GANPipeline(pipe.generator))
    for other in (GANPipeline.from_pipe(pipe), copy.deepcopy(pipe), GANPipeline.from_pretrained(tmp_path / "after")):
        assert other.engine.name == "plain" and np.array_equal(pictures(other), plain)
    assert pipe.engine.name == "torch"


def test_a_generator_in_training_mode_is_drawn_as_in_eval_mode_and_left_in_training(pipe):
    plain = pictures(pipe)
    pipe.generator.train()
    assert worst(plain, pictures(optimized(pipe))) <= 1
    assert all(module.training for module in pipe.generator.modules()) and pipe.engine.name == "torch"


def test_a_wrapped_generator_is_optimized_as_the_one_inside(pipe):
    plain = pictures(pipe)
    wrapped = GANPipeline(nn.DataParallel(pipe.generator), label_names=pipe.label_names)
    assert worst(plain, pictures(optimized(wrapped))) <= 1 and wrapped.engine.name == "torch"


def test_concepts_move_an_image_as_before(pipe):
    from tests.conftest import made_concept

    pipe.concepts = {"thick": made_concept("thick", 8)}
    plain = pictures(pipe, concepts={"thick": 2.0}, truncation=0.7)
    assert worst(plain, pictures(optimized(pipe), concepts={"thick": 2.0}, truncation=0.7)) <= 1


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_threads_draw_at_once_while_another_optimizes_and_torchs_threads_may_change(pipe, engine):
    plain, failures = pictures(pipe), []
    optimized(GANPipeline(pipe.generator), engine)  # an ONNX graph is not made while others draw

    def draw():
        try:
            for _ in range(20):
                if worst(plain, pictures(pipe)) > 1:
                    raise AssertionError("a picture of something else")
        except Exception as error:
            failures.append(error)

    drawing = [threading.Thread(target=draw) for _ in range(3)]
    for thread in drawing:
        thread.start()
    optimized(pipe, engine)
    for thread in drawing:
        thread.join()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        draw()
    finally:
        torch.set_num_threads(threads)
    assert not failures and pipe.engine.name == engine


# --------------------------------------------------------------------------------------------------- networks from outside


class Odd(GANModel):
    """Layers that no engine knows: a gate of the network's own, a Fourier transform, a sort."""

    @register_checked
    def __init__(
        self, resolution: Resolution = 8, channels: Channels = 1, num_classes: Classes = 0, latent_size: Latent = 4
    ) -> None:
        super().__init__()
        self.size = resolution
        self.layer = nn.Linear(latent_size, resolution * resolution)
        self.biased = nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels))
        self.norm = nn.LayerNorm(resolution)

    def forward(self, z, labels=None, force_fp32=False):
        x = self.layer(z).unflatten(1, (1, self.size, self.size))
        x = torch.fft.fft2(self.biased(x)).abs().sort(-1).values
        return torch.tanh(self.norm(x) * torch.where(x > 1, x.rsqrt(), 0.5))


class Stubborn(Odd):
    """Looks at the values of its latents, which nothing can capture."""

    def forward(self, z, labels=None, force_fp32=False):
        return super().forward(z * 2 if z.abs().max() > 100 else z)


class OwnMap(StyleGAN2Generator):
    """A style-based network with a map of its own."""

    def map(self, z, labels=None, truncation=1.0, cutoff=None):
        return super().map(2 * z, labels, truncation, cutoff)


def odd_pipeline(cls: type[GANModel], monkeypatch: pytest.MonkeyPatch) -> GANPipeline:
    """A registered network; the registries are as before after the test."""
    for registry in (ARCHITECTURES, CLASSES):
        for name in ("odd", cls.__name__):
            monkeypatch.setitem(registry, name, None)
            monkeypatch.delitem(registry, name)
    sizes = {"resolution": 16, "latent_size": 8, "w_size": 8, "base_channels": 4} if cls is OwnMap else {}
    register_architecture("odd", cls)
    return GANPipeline(lively(cls(**sizes), 0))


def test_an_operator_that_an_engine_does_not_know_is_left_as_it_is(monkeypatch):
    pipe = odd_pipeline(Odd, monkeypatch)
    plain = pictures(pipe)
    assert worst(plain, pictures(optimized(pipe))) <= 1 and pipe.engine.name == "torch"


@pytest.mark.parametrize(
    ("cls", "reason"), [(Stubborn, "cannot follow this network"), (OwnMap, "does not know how OwnMap draws")]
)
def test_a_network_that_cannot_be_followed_stays_plain_with_the_reason(cls, reason, monkeypatch):
    pipe = odd_pipeline(cls, monkeypatch)
    plain = pictures(pipe)
    assert pipe.optimize(seconds=0).engine.name == "plain" and reason in pipe.engine.reasons["torch"]
    assert np.array_equal(pictures(pipe), plain)
    with pytest.raises(ValueError, match=f"^engine='torch' is not possible here: it {reason}") as refusal:
        optimized(pipe)
    assert "\n" not in str(refusal.value)


# --------------------------------------------------------------------------------------------------- ONNX graphs


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


def test_a_graph_is_made_once_and_a_damaged_one_again(pipe, cache, monkeypatch):
    made = []
    export = onnx_graph.onnx_bytes
    monkeypatch.setattr("gan_hub.engines.onnx_runtime.onnx_bytes", lambda *given: made.append(1) or export(*given))
    optimized(pipe, "onnxruntime")
    (file,) = cache.iterdir()
    optimized(make_pipeline(3, 28, 1), "onnxruntime")
    assert len(made) == 1, "the same weights are the same graph"
    whole = file.read_bytes()
    for damaged in (whole[:-1], b"", whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], bytes(32)):
        file.write_bytes(damaged)
        assert worst(pictures(GANPipeline(pipe.generator)), pictures(optimized(pipe, "onnxruntime"))) <= 1
        assert file.read_bytes() == whole
    assert len(made) == 5
    optimized(make_pipeline(3, 28, 1, seed=7), "onnxruntime")
    assert len(made) == 6 and len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    ("other", "sentence"), [((3, 28, 1, 7), "it differs by"), ((0, 28, 1), "it fails on this network")]
)
def test_a_graph_of_something_else_is_refused_and_made_again(pipe, cache, other, sentence):
    other = make_pipeline(*other)
    optimized(pipe, "onnxruntime")
    (file,) = cache.iterdir()
    optimized(other, "onnxruntime")
    (strange,) = set(cache.iterdir()) - {file}
    file.write_bytes(strange.read_bytes())
    with pytest.raises(ValueError, match=sentence):
        optimized(pipe, "onnxruntime")
    assert not file.exists() and optimized(pipe, "onnxruntime").engine.name == "onnxruntime"


def test_auto_makes_no_graph_that_takes_longer_than_it_may_and_takes_one_that_is_there(pipe, cache):
    assert "would need about" in pipe.optimize(seconds=0).engine.reasons["onnxruntime"]
    assert not cache.exists()
    optimized(pipe, "onnxruntime")
    assert "onnxruntime" in pipe.optimize(seconds=0).engine.milliseconds


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(pipe, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "file"))
    assert optimized(pipe, "onnxruntime").engine.name == "onnxruntime"


def test_without_onnxruntime_the_extra_is_named_and_auto_does_without(pipe, monkeypatch):
    monkeypatch.setattr("gan_hub.engines.onnx_runtime.PACKAGES", ("onnxruntime", "no_such_package"))
    with pytest.raises(ValueError, match=r"it needs no_such_package: pip install 'gan_hub\[fast\]'"):
        optimized(pipe, "onnxruntime")
    assert "no_such_package" in pipe.optimize(seconds=0).engine.reasons["onnxruntime"]


def test_an_engine_draws_by_the_batch_that_it_was_chosen_for():
    pipe = GANPipeline.from_pretrained("mlp-mnist").optimize("torch", batch_size=4, seconds=0)
    network, sizes = pipe._drawing_network(), []
    forward = network.functions["forward"]

    def counted(z, *conditions):
        sizes.append(len(z))
        return forward(z, *conditions)

    network.functions = {"forward": counted}
    pipe(seeds=range(10))
    assert sizes == [4, 4, 2]
    pipe(seeds=range(3), batch_size=2)
    assert sizes == [4, 4, 2, 2, 1]
