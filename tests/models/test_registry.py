"""What every architecture in the registry must do: a new one is tested by standing in it."""

import copy
import inspect

import pytest
import torch

from gan_hub.loading import LoadError
from gan_hub.losses import non_saturating_discriminator, non_saturating_generator, r1_penalty
from gan_hub.models import ARCHITECTURES, CLASSES, GANModel
from gan_hub.models.fields import Choice, Integer, Size, problem, rules

SIZES = {"resolution": 32, "channels": 3, "latent_size": 8, "base_channels": 4, "minibatch_stddev": True}


def build(cls: type[GANModel], num_classes: int) -> GANModel:
    """A small network of `cls`: the sizes above, as far as it knows them."""
    torch.manual_seed(0)
    known = rules(cls.__init__.__wrapped__)
    return cls(**{name: value for name, value in {**SIZES, "num_classes": num_classes}.items() if name in known})


every = pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
each_class = pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)


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


def inputs(num_classes: int, count: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    torch.manual_seed(1)
    labels = torch.arange(count) % num_classes if num_classes else None
    return torch.randn(count, SIZES["latent_size"]), torch.rand(count, 3, 32, 32) * 2 - 1, labels


@every_kind
def test_every_parameter_of_both_players_gets_a_finite_gradient(architecture, num_classes):
    generator, discriminator = (
        build(architecture.generator, num_classes),
        build(architecture.discriminator, num_classes),
    )
    z, reals, labels = inputs(num_classes)

    fakes = generator(z, labels)
    assert fakes.shape == (4, 3, 32, 32) and fakes.abs().max() <= 1
    non_saturating_generator(discriminator(fakes, labels)).backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name

    discriminator.zero_grad()
    non_saturating_discriminator(discriminator(reals, labels), discriminator(fakes.detach(), labels)).backward()
    for name, parameter in discriminator.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@every_kind
def test_the_r1_penalty_can_be_differentiated_again(architecture, num_classes):
    discriminator = build(architecture.discriminator, num_classes)
    _, reals, labels = inputs(num_classes)
    reals.requires_grad_()
    logits = discriminator(reals, labels, force_fp32=True)
    penalty = r1_penalty(logits, reals)
    assert penalty > 0
    (0 * logits.sum() + penalty).backward()
    reached = [parameter for parameter in discriminator.parameters() if parameter.grad.abs().sum() > 0]
    assert len(reached) > len(list(discriminator.parameters())) / 2
    assert all(torch.isfinite(parameter.grad).all() for parameter in discriminator.parameters())


@every_kind
def test_in_eval_mode_an_image_and_a_verdict_do_not_depend_on_the_batch(architecture, num_classes):
    generator, discriminator = (
        build(architecture.generator, num_classes),
        build(architecture.discriminator, num_classes),
    )
    z, reals, labels = inputs(num_classes)
    with torch.no_grad():
        generator(z, labels), discriminator(reals, labels)  # moves the running statistics from their start
        first = None if labels is None else labels[:1]
        generator.eval(), discriminator.eval()
        torch.testing.assert_close(generator(z, labels)[:1], generator(z[:1], first), rtol=0, atol=1e-6)
        torch.testing.assert_close(discriminator(reals, labels)[:1], discriminator(reals[:1], first), rtol=0, atol=1e-6)


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
    generator = build(architecture.generator, 0)
    twin = copy.deepcopy(generator)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert any(parameter.any() for parameter in generator.parameters())


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
    for name, value in cls.ADDED_KEYS.items():
        assert rules(cls.__init__.__wrapped__)[name].allows(value), name


@each_class
def test_a_problem_is_a_sentence_with_the_key(cls):
    init = cls.__init__.__wrapped__
    good = {name: inspect.signature(init).parameters[name].default for name in rules(init)}
    assert problem(init, good, complete=True) is None
    assert problem(init, {}, complete=False) is None
    assert "'resolution' is missing" in problem(init, {k: v for k, v in good.items() if k != "resolution"}, True)
    assert "'x' is unknown" in problem(init, {**good, "x": 1}, True)


def test_a_network_from_nowhere_is_a_load_error():
    for cls in CLASSES.values():
        with pytest.raises(LoadError):
            cls.from_pretrained("/nowhere/at/all")
