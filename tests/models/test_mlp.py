"""The first GAN's perceptrons against their paper: maxout by hand, dropout, classes beside z and pixels, the sizes."""

import inspect

import pytest
import torch
from torch import nn

from gan_hub.models.layers import Perceptron
from gan_hub.models.mlp import Maxout, MLPDiscriminator, MLPGenerator, append_one_hot

SMALL = {"resolution": 8, "hidden_size": 12}


def linear_sizes(model: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in model.modules() if isinstance(layer, nn.Linear)]


# ------------------------------------------------------------------------------------------------ the pieces


def test_a_perceptron_is_linear_maps_with_an_activation_after_each_but_the_last_by_hand():
    torch.manual_seed(0)
    network = Perceptron([2, 3, 4, 1])
    first, second, last = (layer for layer in network if isinstance(layer, nn.Linear))
    x = torch.randn(5, 2)
    by_hand = torch.relu(x @ first.weight.T + first.bias)
    by_hand = torch.relu(by_hand @ second.weight.T + second.bias)
    torch.testing.assert_close(network(x), by_hand @ last.weight.T + last.bias)
    assert network(x).shape == (5, 1) and linear_sizes(Perceptron([2, 1])) == [(2, 1)]
    assert [type(layer) for layer in Perceptron([1, 5, 2], nn.Tanh)] == [nn.Linear, nn.Tanh, nn.Linear]


def test_a_perceptron_starts_as_torchs_layers_in_their_order_do():
    torch.manual_seed(0)
    ours = Perceptron([2, 7, 1], nn.Tanh)
    torch.manual_seed(0)
    theirs = nn.Sequential(nn.Linear(2, 7), nn.Tanh(), nn.Linear(7, 1))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(ours.state_dict()[name], tensor) for name, tensor in theirs.state_dict().items())


def test_a_maxout_unit_is_the_largest_of_its_pieces_by_hand():
    x = torch.tensor([[1.0, 2.0, 3.0, -1.0, 0.0, 9.0]])  # two pieces of three units
    assert Maxout(2)(x).tolist() == [[1.0, 2.0, 9.0]]
    assert Maxout(3)(x).tolist() == [[3.0, 9.0]]
    two = Perceptron([1, 1, 1], lambda: Maxout(2), pieces=2)  # |x| of x and −x
    with torch.no_grad():
        two[0].weight.copy_(torch.tensor([[1.0], [-1.0]]))
        two[0].bias.zero_(), two[2].weight.fill_(1), two[2].bias.zero_()
    assert two(torch.tensor([[-3.0], [2.0]])).tolist() == [[3.0], [2.0]]


def test_a_class_is_a_one_among_zeros_beside_the_numbers():
    x = torch.tensor([[0.5, -1.0], [2.0, 3.0]], dtype=torch.float64)
    found = append_one_hot(x, torch.tensor([2, 0]), 3)
    assert found.tolist() == [[0.5, -1, 0, 0, 1], [2, 3, 1, 0, 0]] and found.dtype == x.dtype
    assert append_one_hot(x, None, 0) is x


# ----------------------------------------------------------------------------------------------- the players


def test_the_defaults_have_the_sizes_that_the_authors_published_for_mnist():
    with torch.device("meta"):
        generator, discriminator = MLPGenerator(), MLPDiscriminator()
    assert linear_sizes(generator) == [(100, 1200), (1200, 1200), (1200, 784)]
    assert linear_sizes(discriminator) == [(784, 5 * 240), (240, 5 * 240), (240, 1)]
    assert [layer.p for layer in discriminator.modules() if isinstance(layer, nn.Dropout)] == [0.5, 0.5]
    assert not [layer for layer in generator.modules() if isinstance(layer, nn.Dropout)]
    with torch.device("meta"):
        generator, discriminator = MLPGenerator(num_classes=10), MLPDiscriminator(num_classes=10, hidden_layers=3)
    assert linear_sizes(generator)[0] == (110, 1200)
    assert linear_sizes(discriminator) == [(794, 1200), (240, 1200), (240, 1200), (240, 1)]


def test_one_piece_is_a_leaky_relu_and_several_are_maxout():
    for pieces, kind in ((1, nn.LeakyReLU), (2, Maxout)):
        discriminator = MLPDiscriminator(**SMALL, pieces=pieces)
        activations = [module for module in discriminator.modules() if isinstance(module, (nn.LeakyReLU, Maxout))]
        assert [type(module) for module in activations] == [kind, kind]
        assert linear_sizes(discriminator) == [(64, 12 * pieces), (12, 12 * pieces), (12, 1)]
    assert activations[0].pieces == 2


def test_so_many_hidden_units_are_dropped_in_training_and_none_afterwards():
    torch.manual_seed(0)
    discriminator = MLPDiscriminator(resolution=8, hidden_size=2000, hidden_layers=1, dropout_percent=30)
    images, seen = torch.rand(8, 1, 8, 8) * 2 - 1, []
    discriminator.layers[1].register_forward_hook(lambda module, given, found: seen.append(found))
    with torch.no_grad():
        first, second = discriminator(images), discriminator(images)
        discriminator.eval()
        third, fourth = discriminator(images), discriminator(images)
    assert not torch.equal(first, second) and torch.equal(third, fourth)
    assert (seen[0] == 0).float().mean().item() == pytest.approx(0.3, abs=0.015)
    assert not (seen[2] == 0).any()
    kept = seen[0] != 0
    torch.testing.assert_close(seen[0][kept], seen[2][kept] / 0.7)  # the others make up for what is missing


def test_what_is_dropped_is_drawn_by_torchs_global_generator():
    discriminator, images, found = MLPDiscriminator(**SMALL), torch.rand(4, 1, 8, 8), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(discriminator(images))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


@pytest.mark.parametrize("cls", [MLPGenerator, MLPDiscriminator])
def test_a_class_changes_what_both_players_say(cls):
    network = cls(**SMALL, num_classes=3).eval()
    given = torch.randn(2, 100) if cls is MLPGenerator else torch.zeros(2, 1, 8, 8)
    with torch.no_grad():
        found = [network(given, torch.full((2,), label)) for label in range(3)]
    assert not torch.equal(found[0], found[1]) and not torch.equal(found[1], found[2])
    with pytest.raises(ValueError, match=f"{cls.__name__} needs labels"):
        network(given)


def test_both_players_agree_on_the_defaults_they_share():
    one, two = (
        {name: parameter.default for name, parameter in inspect.signature(cls.__init__.__wrapped__).parameters.items()}
        for cls in (MLPGenerator, MLPDiscriminator)
    )
    assert all(one[name] == two[name] for name in ("resolution", "channels", "num_classes", "hidden_layers"))
