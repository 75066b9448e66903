"""What every architecture in the registry must do: a new one is tested by standing in it.

Kinds of players differ in what they take and give (mixins.py); the helpers below know that, the tests do not.
"""

import copy
import inspect
import itertools
import re
import sys

import pytest
import torch

from gan_hub.images import height_width
from gan_hub.losses import non_saturating_discriminator, non_saturating_generator, r1_penalty
from gan_hub.model_folder.strict import LoadError
from gan_hub.models import ARCHITECTURES, CLASSES, Architecture, GANModel
from gan_hub.models.config_schema import Choice, Integer, Size, rules, validate
from gan_hub.models.mixins import MultiScale, ProgressiveGrowing, SegmentationConditional, StyleBased
from gan_hub.pipeline import GANPipeline

SIZES = {
    "resolution": 32,
    "channels": 3,
    "latent_size": 8,
    "base_channels": 4,
    "w_size": 8,
    "hidden_size": 64,
    "hidden_channels": 4,
    "synthesis_layers": 4,
    "minibatch_stddev": True,
    "semantic_classes": 3,
}
GENERATORS = {pair.generator.__name__: pair.generator for pair in ARCHITECTURES.values()}
DISCRIMINATORS = {name: cls for name, cls in CLASSES.items() if name not in GENERATORS}


def build(cls: type[GANModel], num_classes: int = 0, **changes) -> GANModel:
    """A small network of `cls`: the sizes above and the `changes`, as far as it knows them."""
    torch.manual_seed(0)
    known = rules(cls.__init__.__wrapped__)
    values = {**SIZES, "num_classes": num_classes, **changes}
    return cls(**{name: value for name, value in values.items() if name in known})


def build_pair(architecture: Architecture, num_classes: int = 0, **changes) -> tuple[GANModel, GANModel | None]:
    """Generator and discriminator, which some architectures do without."""
    discriminator = architecture.discriminator
    return build(architecture.generator, num_classes, **changes), discriminator and build(
        discriminator, num_classes, **changes
    )


def inputs(network: GANModel, count: int = 4, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """z, images in [-1, 1], and the labels, or the maps of semantic classes, that both players take beside them."""
    draw = torch.Generator().manual_seed(seed)
    size = height_width(network.config["resolution"])
    condition = None
    if isinstance(network, SegmentationConditional):
        condition = torch.randint(network.config["semantic_classes"], (count, *size), generator=draw)
    elif network.config["num_classes"]:
        condition = torch.arange(count) % network.config["num_classes"]
    images = torch.rand(count, network.config["channels"], *size, generator=draw) * 2 - 1
    return torch.randn(count, SIZES["latent_size"], generator=draw), images, condition


def moved(network: GANModel | None) -> GANModel | None:
    """The network with its weights moved from their start, where many a difference is still zero."""
    with torch.no_grad():
        for parameter in network.parameters() if network is not None else ():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def every_image(generator: GANModel, z: torch.Tensor, condition: torch.Tensor | None):
    """What the discriminator is shown in training: images, or a list of them at all scales."""
    return generator(z, condition, **({"scales": True} if isinstance(generator, MultiScale) else {}))


def scores(discriminator: GANModel | None, images: torch.Tensor, condition: torch.Tensor | None) -> torch.Tensor:
    """The logits; where there is no discriminator, some other number an image."""
    return images.mean((1, 2, 3)) if discriminator is None else discriminator(images, condition)


def grown(*networks: GANModel | None):
    """Half-way through each doubling in turn, where the networks grow; once, as they are, where they do not."""
    growing = [network for network in networks if isinstance(network, ProgressiveGrowing)]
    for level in range(min((network.levels for network in growing), default=1)):
        for network in growing:
            network.set_level(level + 0.5)
        yield


def assert_gradients(network: GANModel) -> None:
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


every = pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
each_class = pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)


def with_ability(ability: type) -> pytest.MarkDecorator:
    """Each class of the registry that has the ability."""
    found = {name: cls for name, cls in CLASSES.items() if issubclass(cls, ability)}
    return pytest.mark.parametrize("cls", found.values(), ids=found)


def with_and_without_classes(name: str, networks: dict) -> pytest.MarkDecorator:
    """Each of `networks` unconditional, and conditional where its config allows it."""
    found = [
        pytest.param(network, classes, id=f"{'conditional' if classes else 'unconditional'}-{key}")
        for key, network in networks.items()
        for classes in (0, 3)
        if rules(getattr(network, "generator", network).__init__.__wrapped__)["num_classes"].allows(classes)
    ]
    return pytest.mark.parametrize((name, "num_classes"), found)


every_kind = with_and_without_classes("architecture", ARCHITECTURES)
each_kind_of_class = with_and_without_classes("cls", CLASSES)
each_kind_of_discriminator = with_and_without_classes("cls", DISCRIMINATORS)


def every_shape():
    """Each architecture at two squares and one other size, as far as its config allows it, and with 1 to 4 channels."""
    shapes = [(resolution, 3) for resolution in (28, 32, [32, 40])] + [(32, channels) for channels in (1, 2, 4)]
    return pytest.mark.parametrize(
        ("architecture", "resolution", "channels"),
        [
            pytest.param(pair, resolution, channels, id=f"{name}-{resolution}-{channels}")
            for (name, pair), (resolution, channels) in itertools.product(ARCHITECTURES.items(), shapes)
            if rules(pair.generator.__init__.__wrapped__)["resolution"].allows(resolution)
        ],
    )


@every_shape()
def test_images_and_scores_have_the_shape_and_range_that_all_players_agree_on(architecture, resolution, channels):
    generator, discriminator = build_pair(architecture, resolution=resolution, channels=channels)
    z, reals, condition = inputs(generator)
    assert reals.shape == (4, channels, *height_width(resolution))
    for training in (True, False):
        with torch.no_grad():
            images = generator.train(training)(z, condition)
            assert images.shape == reals.shape and images.dtype == torch.float32
            assert torch.isfinite(images).all() and (not training or images.std() > 0)
            assert images.abs().max() <= 1
            if discriminator is not None:
                logits = discriminator.train(training)(images, condition)
                assert logits.dtype == torch.float32 and torch.isfinite(logits).all()
                assert logits.shape[0] == 4 and logits.dim() == (
                    2 if isinstance(discriminator, SegmentationConditional) else 1
                )


@each_class
def test_all_architectures_allow_one_to_four_channels(cls):
    rule = rules(cls.__init__.__wrapped__)["channels"]
    assert [channels for channels in range(6) if rule.allows(channels)] == [1, 2, 3, 4]


@every_kind
def test_every_parameter_of_both_players_gets_a_finite_gradient(architecture, num_classes):
    generator, discriminator = build_pair(architecture, num_classes)
    z, reals, condition = inputs(generator)
    for _ in grown(generator, discriminator):
        fakes = every_image(generator, z, condition)
        non_saturating_generator(scores(discriminator, fakes, condition)).backward()
    assert_gradients(generator)
    if discriminator is not None:
        discriminator.zero_grad()
        for _ in grown(generator, discriminator):
            with torch.no_grad():
                fakes = every_image(generator, z, condition)
            logits = discriminator(reals, condition), discriminator(fakes, condition)
            non_saturating_discriminator(*logits).backward()
        assert_gradients(discriminator)


@each_kind_of_discriminator
def test_the_r1_penalty_can_be_differentiated_again(cls, num_classes):
    discriminator = build(cls, num_classes)
    _, reals, condition = inputs(discriminator)
    reals.requires_grad_()
    logits = discriminator(reals, condition, force_fp32=True)
    penalty = r1_penalty(logits, reals)
    assert penalty > 0
    (0 * logits.sum() + penalty).backward()
    penalised = getattr(discriminator, "pixel_head", discriminator)  # beside frozen features, the pixels alone
    parameters = list(penalised.parameters())
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    assert len(gradients) > len(parameters) / 2  # a growing network reads by one of its layers for colours only
    assert sum(bool(gradient.any()) for gradient in gradients) >= len(gradients) / 2  # weights, not biases
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@every_kind
def test_in_eval_mode_an_image_and_a_verdict_do_not_depend_on_the_batch(architecture, num_classes):
    generator, discriminator = build_pair(architecture, num_classes)
    z, reals, condition = inputs(moved(generator.double()))
    z, reals = z.double(), reals.double()  # where rounding, which does depend on the batch, hides nothing
    first = None if condition is None else condition[:1]
    with torch.no_grad():
        generator(z, condition)  # moves the running statistics from their start
        generator.eval()
        torch.testing.assert_close(generator(z, condition)[:1], generator(z[:1], first), rtol=0, atol=1e-12)
        if discriminator is not None:
            moved(discriminator.double())(reals, condition)
            discriminator.eval()
            alone = discriminator(reals[:1], first)
            torch.testing.assert_close(discriminator(reals, condition)[:1], alone, rtol=1e-12, atol=1e-12)


@every_kind
def test_a_seed_gives_the_same_image_to_the_last_bit_in_any_batch(architecture, num_classes):
    generator, discriminator = build_pair(architecture, num_classes)
    examples = inputs(generator)[2] if isinstance(generator, SegmentationConditional) else None
    pipeline = GANPipeline(moved(generator), discriminator, segmentations=examples)
    for labels in (None, 1) if num_classes else (None,):
        five = pipeline(seeds=range(5), labels=labels, output_type="pt").images
        for seed in range(5):
            assert torch.equal(pipeline(seeds=[seed], labels=labels, output_type="pt").images[0], five[seed]), seed
        assert not torch.equal(five[0], five[1])
    if num_classes:
        mixed = pipeline(seeds=[3, 4, 3], labels=[2, 1, 1], output_type="pt").images
        assert torch.equal(mixed[2], five[3]) and torch.equal(mixed[1], five[4])
        assert not torch.equal(mixed[0], mixed[2])


@every_kind
def test_shares_of_classes_blend_them_and_a_whole_share_is_the_class_to_the_last_bit(architecture, num_classes):
    generator, discriminator = build_pair(architecture, num_classes)
    examples = inputs(generator)[2] if isinstance(generator, SegmentationConditional) else None
    pipeline = GANPipeline(moved(generator), discriminator, segmentations=examples)
    if not num_classes:
        with pytest.raises(ValueError, match="unconditional"):
            pipeline(seeds=[0], labels=torch.ones(1, 1))
        return
    shares = torch.tensor([[0.0, 0, 1], [0, 1, 0], [0, 0.5, 0.5], [0, 0.001, 0.999]])
    blended = pipeline(seeds=[5] * 4, labels=shares, output_type="pt")
    alone = [pipeline(seeds=[5], labels=label, output_type="pt").images[0] for label in (2, 1)]
    assert torch.equal(blended.images[0], alone[0]) and torch.equal(blended.images[1], alone[1])
    half, near = ([(image - each).abs().mean() for each in alone] for image in blended.images[2:])
    assert min(half) > 10 * near[0] > 0 and blended.labels[:2] + blended.labels[3:] == [2, 1, 2]
    for wrong in (torch.full((1, 3), 0.5), torch.tensor([[2.0, -1, 0]]), torch.ones(1, 2), torch.tensor([2.0])):
        with pytest.raises(ValueError, match=r"shares of the classes, \(1, 3\)"):
            pipeline(seeds=[5], labels=wrong)


@every_kind
def test_in_bfloat16_images_and_scores_are_nearly_the_same(architecture, num_classes):
    """Off by 2 % of their range at most, on the average; scores that lie close together by chance count as ¼ apart."""
    for network in filter(None, build_pair(architecture, num_classes)):
        z, images, condition = inputs(moved(network), count=8)
        given = z if type(network) is architecture.generator else images
        with torch.no_grad():
            exact = network.eval()(given, condition)
            rough = network.to(torch.bfloat16)(given.to(torch.bfloat16), condition)
        assert rough.isfinite().all() and rough.shape == exact.shape
        error = (rough.float() - exact).abs().mean() / (exact.max() - exact.min()).clamp(min=0.25)
        assert error <= 0.02, error


@every_kind
def test_a_step_under_autocast_is_finite(architecture, num_classes):
    generator, discriminator = build_pair(architecture, num_classes)
    z, reals, condition = inputs(generator)
    with torch.autocast("cpu", torch.bfloat16):
        fakes = every_image(generator, z, condition)
        loss = non_saturating_generator(scores(discriminator, fakes, condition))
        if discriminator is not None:
            seen = [fake.detach() for fake in fakes] if isinstance(fakes, list) else fakes.detach()
            loss = loss + non_saturating_discriminator(discriminator(reals, condition), discriminator(seen, condition))
    loss.backward()
    for network in filter(None, (generator, discriminator)):
        torch.optim.Adam(network.parameters()).step()
        assert all(torch.isfinite(parameter).all() for parameter in network.parameters())
        assert all(parameter.grad is None or torch.isfinite(parameter.grad).all() for parameter in network.parameters())
    assert torch.isfinite(generator(z, condition)).all()


@each_kind_of_class
def test_a_network_comes_back_from_its_folder_bit_for_bit_with_its_config(cls, num_classes, tmp_path):
    model = build(cls, num_classes)
    model.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path, variant="fp16")
    loaded = cls.from_pretrained(tmp_path)
    assert not loaded.training and type(loaded) is cls
    ours, theirs = ({k: v for k, v in m.config.items() if not k.startswith("_")} for m in (model, loaded))
    assert ours == theirs and ours.keys() == rules(cls.__init__.__wrapped__).keys()
    assert loaded.state_dict().keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor) and loaded.state_dict()[name].dtype == tensor.dtype, name
    half = cls.from_pretrained(tmp_path, variant="fp16")
    for name, tensor in model.state_dict().items():
        expected = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(half.state_dict()[name], expected), name


@each_class
def test_a_config_value_is_checked_before_anything_is_made(cls):
    for name, rule in rules(cls.__init__.__wrapped__).items():
        for value in (10**9, -1, 1.0, True, "16", None, float("nan"), [1]):
            if rule.allows(value):
                continue
            with pytest.raises(ValueError, match=f"{cls.__name__}: config key '{name}' has the value .*allowed"):
                cls(**{name: value})
    with pytest.raises(TypeError, match="nonsense"):
        cls(nonsense=1)


@each_class
def test_every_parameter_of_a_config_has_a_rule_that_allows_its_default(cls):
    init = cls.__init__.__wrapped__
    for name, rule in rules(init).items():
        assert rule.allows(inspect.signature(init).parameters[name].default), name
    assert {"resolution", "channels", "num_classes"} <= rules(init).keys()
    assert CLASSES[cls.__name__] is cls


@each_kind_of_class
def test_a_network_is_built_again_from_its_config_however_its_arguments_were_given(cls, num_classes):
    model = build(cls, num_classes)
    values = {name: model.config[name] for name in rules(cls.__init__.__wrapped__)}
    for first in (model, cls(*values.values())):
        again = cls.from_config(first.config)
        assert {name: again.config[name] for name in values} == values
        again.load_state_dict(model.state_dict())


@every
def test_a_deep_copy_is_a_network_of_its_own(architecture):
    generator = build(architecture.generator)
    twin = copy.deepcopy(generator)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert any(parameter.any() for parameter in generator.parameters())


# --------------------------------------------------------------------------------------------- abilities


@with_ability(ProgressiveGrowing)
def test_a_growing_player_gives_and_takes_whole_images_at_every_level(cls):
    network = build(cls).eval()
    z, images, condition = inputs(network)
    given = z if cls in GENERATORS.values() else images
    assert network.level == network.levels >= 2
    found = []
    with torch.no_grad():
        whole = network(given, condition)
        for level in (0, 0.5, 1, network.levels - 0.25, network.levels):
            network.set_level(level)
            found.append(network(given, condition))
            assert found[-1].shape == whole.shape and torch.isfinite(found[-1]).all(), level
        assert torch.equal(found[-1], whole)
        assert all(not torch.equal(one, other) for one, other in itertools.combinations(found, 2))
        if cls in GENERATORS.values():
            coarse, side = found[0], 2**network.levels
            assert torch.equal(
                coarse, coarse[..., ::side, ::side].repeat_interleave(side, 2).repeat_interleave(side, 3)
            )
    for level in (-0.1, network.levels + 0.1, float("nan")):
        with pytest.raises(ValueError, match=f"level={level!r} is not allowed; it is a number from 0 to"):
            network.set_level(level)
    assert "level" not in network.config and not [name for name in network.state_dict() if "level" in name]


@with_ability(StyleBased)
def test_a_style_based_generator_maps_and_synthesizes_what_forward_gives(cls):
    generator = build(cls)
    z, _, condition = inputs(generator)
    with torch.no_grad():
        images = generator(z, condition)  # in training mode: the mean w leaves its start
        assert generator.w_avg.any()
        ws = generator.eval().map(z, condition)
        assert ws.shape == (4, generator.rows, generator.w_avg.numel()) and torch.equal(ws[:, 0], ws[:, -1])
        images, again = generator(z, condition, with_ws=True)
        assert torch.equal(again, ws)
        torch.testing.assert_close(generator.synthesize(ws).clamp(-1, 1), images, rtol=0, atol=1e-6)
        average = generator.map(z, condition, truncation=0)
        assert torch.equal(average, generator.w_avg.expand_as(average))
        partly = generator.map(z, condition, truncation=0, cutoff=2)
        assert torch.equal(partly[:, :2], average[:, :2]) and torch.equal(partly[:, 2:], ws[:, 2:])


@with_ability(MultiScale)
def test_a_multi_scale_player_gives_or_takes_images_at_all_scales(cls):
    network = build(cls).eval()
    z, images, condition = inputs(network)
    grids = [(4, network.config["channels"], *grid) for grid in network.scales]
    pyramid = network.pyramid(images)
    assert len(grids) >= 2 and network.scales[-1] == (32, 32)
    assert [tuple(image.shape) for image in pyramid] == grids and torch.equal(pyramid[-1], images)
    with torch.no_grad():
        if cls in GENERATORS.values():
            found = network(z, condition, scales=True)
            assert [tuple(image.shape) for image in found] == grids
            assert all(image.abs().max() <= 1 and image.std() > 0 for image in found)
            assert torch.equal(found[-1], network(z, condition))
        else:
            logits = network(pyramid, condition)
            torch.testing.assert_close(logits, network(images, condition))
            for scale in range(len(grids)):
                others = [image if other != scale else -image for other, image in enumerate(pyramid)]
                assert not torch.allclose(network(others, condition), logits, rtol=0, atol=1e-9), scale


@with_ability(SegmentationConditional)
def test_a_semantic_player_heeds_each_pixel_of_its_map_and_a_discriminator_gives_its_features(cls):
    network = build(cls).eval()
    z, images, segmentation = inputs(network)
    given = z if cls in GENERATORS.values() else images
    other = segmentation.clone()
    other[0, 16, 16] = (other[0, 16, 16] + 1) % network.config["semantic_classes"]
    with torch.no_grad():
        first, second = network(given, segmentation), network(given, other)
        assert not torch.equal(first[0], second[0]) and torch.equal(first[1:], second[1:])
        if cls in DISCRIMINATORS.values():
            logits, features = network(images, segmentation, features=True)
            assert torch.equal(logits, first) and len(features) >= 2
            assert all(layer.shape[0] == 4 and torch.isfinite(layer).all() for scale in features for layer in scale)
    for wrong in (None, torch.zeros(4, dtype=torch.long)):
        with pytest.raises(ValueError, match="needs a segmentation"):
            network(given, wrong)


# ---------------------------------------------------------------------------------------------- fields


def test_an_integer_rule_takes_whole_numbers_in_its_range_and_nothing_that_merely_equals_one():
    rule = Integer(1, 16)
    assert [v for v in (0, 1, 16, 17, True, 1.0, "1", None, [1], float("nan"), 10**30) if rule.allows(v)] == [1, 16]
    assert str(rule) == "a whole number from 1 to 16"


def test_a_choice_rule_compares_types_as_well():
    assert [v for v in (32, 64, 32.0, "32", True, None) if Choice(32, 64).allows(v)] == [32, 64]
    assert [v for v in (True, False, 1, 0, "true") if Choice(False, True).allows(v)] == [True, False]
    assert str(Choice("batch", "none")) == "one of 'batch', 'none'"


def test_a_size_rule_takes_a_side_or_two_different_ones_and_each_size_has_one_spelling():
    rule = Size(multiple=4, low=8, high=64)
    good = [8, 28, 64, [8, 64], [64, 28]]
    bad = [4, 30, 68, 0, -8, True, 28.0, "28", None, float("nan"), 10**30]
    bad += [[28], [28, 28], [28, 30], [4, 28], [28, 68], [28, 32, 3], [True, 28], [28.0, 32], ["28", 32], (28, 32), []]
    assert [value for value in good + bad if rule.allows(value)] == good
    assert str(rule) == "a multiple of 4 from 8 to 64 for a square, or a list [height, width] of two different ones"


@each_class
def test_a_key_that_was_added_later_has_an_allowed_meaning_where_it_is_missing(cls):
    for name, value in cls.CONFIG_DEFAULTS_FOR_OLD_FILES.items():
        assert rules(cls.__init__.__wrapped__)[name].allows(value), name


@each_class
def test_a_problem_is_a_sentence_with_the_key(cls):
    init = cls.__init__.__wrapped__
    good = {name: inspect.signature(init).parameters[name].default for name in rules(init)}
    assert validate(init, good, complete=True) is None
    assert validate(init, {}, complete=False) is None
    assert "'resolution' is missing" in validate(init, {k: v for k, v in good.items() if k != "resolution"}, True)
    assert "'x' is unknown" in validate(init, {**good, "x": 1}, True)


def test_a_network_from_nowhere_is_a_load_error():
    for cls in CLASSES.values():
        with pytest.raises(LoadError):
            cls.from_pretrained("/nowhere/at/all")


def test_an_architectures_file_opens_with_its_paper_its_features_and_its_origin():
    for cls in CLASSES.values():
        opening = inspect.getdoc(sys.modules[cls.__module__])
        assert re.search(r"\d{4}, arXiv \d{4}\.\d{4,5}\)", opening.splitlines()[0]), cls
        assert opening.count("\n- ") >= 3 and "\nWritten from the paper" in opening, cls
        assert "no code taken. Licence: Apache-2.0." in opening and "\nShapes: N images" in opening, cls
