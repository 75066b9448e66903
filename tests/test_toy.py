"""Games in the plane: data of known density, the best verdict against them, and a game that a seed decides."""

import math

import pytest
import torch

from gan_hub.losses import ADVERSARIAL, r1_penalty
from gan_hub.theory import isotropic_mixture, line, mixture, optimal_discriminator
from gan_hub.toy.datasets import DATASETS, EDGE, FAIR_SHARE, PointSet
from gan_hub.toy.digits import digits, sample_digits
from gan_hub.toy.faces import faces, sample_faces
from gan_hub.toy.fields import BACKGROUND, BANDWIDTH, best_verdicts, square_grid, verdicts
from gan_hub.toy.game import LOSSES, Game, Settings
from gan_hub.toy.players import LATENT, Toy, make_players

ONE = PointSet(torch.zeros(1, 2), 0.3, modes=1)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def new_game(seed: int = 0, data: str = "ring", **settings) -> Game:
    return Game(*make_players(seed, width=32), DATASETS[data].sample, LATENT, Settings(**settings), seed)


def played(game: Game, steps: int) -> Game:
    for _ in range(steps):
        game.step()
    return game


# ------------------------------------------------------------------------------------------------------- the data


@pytest.mark.parametrize("name", DATASETS)
def test_a_density_is_that_of_its_samples(name):
    data, at = DATASETS[name], square_grid(400)
    cell = (2 * EDGE / 400) ** 2
    density = data.density(at)
    assert density.sum().item() * cell == pytest.approx(1, abs=0.005)
    points = data.sample(20_000, random())
    assert points.abs().max() <= EDGE
    inside = (points - torch.tensor([0.0, 0.0])).norm(dim=1) < 0.9
    share = density[at.norm(dim=1) < 0.9].sum().item() * cell
    assert inside.float().mean().item() == pytest.approx(share, abs=0.015)


@pytest.mark.parametrize("name", DATASETS)
def test_the_data_hit_all_of_their_modes_and_one_mode_is_one(name):
    data = DATASETS[name]
    modes, good = data.judge(data.sample(5000, random()))
    assert modes == data.modes and good > 0.98
    size = len(data.centers) // data.modes
    assert size * data.modes == len(data.centers)
    assert data.judge(data.centers[:size]) == (1, 1.0)
    assert data.judge(torch.full((10, 2), 5.0)) == (0, 0.0)


def test_a_mode_counts_from_a_share_of_what_it_should_get():
    ring = DATASETS["ring"]
    few = torch.cat([ring.centers[:1].repeat(990, 1), ring.centers[4:5].repeat(10, 1)])
    assert FAIR_SHARE / ring.modes == 0.01
    assert ring.judge(few)[0] == 2 and ring.judge(few[:-1])[0] == 1


def test_noise_on_the_data_blurs_their_density():
    data, at = DATASETS["grid"], square_grid(30)
    blurred = isotropic_mixture(at, data.centers, math.hypot(data.sd, 0.4))
    assert torch.equal(data.density(at, blur=0.4), blurred)
    noisy = data.sample(50_000, random()) + 0.4 * torch.randn(50_000, 2, generator=random(1))
    estimated = isotropic_mixture(at, noisy[:20_000], 0.2)
    assert (estimated - data.density(at, blur=math.hypot(0.4, 0.2))).abs().max() < 0.02


def test_a_round_mixture_on_a_line_is_the_mixture_of_the_line():
    x, means = line(-5, 5, 101), [-1.0, 0.5, 2.0]
    round_one = isotropic_mixture(x[:, None], torch.tensor(means)[:, None], 0.7)
    assert torch.allclose(round_one, mixture(x, means, [0.7] * 3), rtol=1e-6)
    with pytest.raises(ValueError, match="std=0 is not allowed"):
        isotropic_mixture(x[:, None], torch.zeros(1, 1), 0)


def test_faces_are_those_of_the_avatars_and_the_unseen_ones_are_others():
    seen, unseen = faces(16, 4), faces(16, 4, seed=1)
    assert seen.shape == (4, 16, 16, 3) and (seen != unseen).any()
    batch = sample_faces(16, 5, random())
    assert batch.shape == (5, 3, 16, 16) and -1 <= batch.min() < batch.max() <= 1


def test_digits_lie_in_the_package_and_the_unseen_ones_are_others():
    seen, unseen = digits(32), digits(32, seed=1)
    assert (
        seen.shape == (3000, 32, 32, 1) and unseen.shape == (400, 32, 32, 1) and digits(16, 8).shape == (8, 16, 16, 1)
    )
    known = {each.tobytes() for each in seen}
    assert len(known) > 2990 and not any(each.tobytes() in known for each in unseen)
    assert (seen[:, :2] == 0).all() and 0.1 < (seen > 127).mean() < 0.2
    assert (digits(16, 1)[0, 8, 8] == round(seen[0, 16:18, 16:18].mean())).all()
    batch = sample_digits(16, 5, random())
    assert batch.shape == (5, 1, 16, 16) and -1 <= batch.min() < batch.max() <= 1


# ------------------------------------------------------------------------------------------------------ the fields


def test_a_grid_goes_row_by_row_from_the_top():
    grid = square_grid(4)
    assert (
        grid[0].tolist() == [-1.125, 1.125]
        and grid[1].tolist() == [-0.375, 1.125]
        and grid[-1].tolist() == [1.125, -1.125]
    )


def test_against_a_known_generator_the_best_verdict_is_the_closed_form():
    fakes = torch.tensor([0.8, 0.0]) + 0.3 * torch.randn(40_000, 2, generator=random())
    at, std = square_grid(25), math.hypot(0.3, BANDWIDTH)
    background = BACKGROUND / (2 * EDGE) ** 2
    p, q = (
        (1 - BACKGROUND) * isotropic_mixture(at, torch.tensor([center]), std) + background
        for center in ([0.0, 0.0], [0.8, 0.0])
    )
    best = best_verdicts("non_saturating", ONE, fakes, at)
    crowded = p + q > 0.3  # elsewhere there are too few samples
    assert crowded.sum() > 50 and (best - optimal_discriminator(p, q))[crowded].abs().max() < 0.03


def test_against_a_perfect_generator_the_best_verdict_is_undecided_everywhere():
    ring, at = DATASETS["ring"], square_grid(40)
    best = best_verdicts("minimax", ring, ring.sample(4000, random()), at)
    assert (best - 0.5).abs().max() < 0.1
    assert best[(at.norm(dim=1) < 0.3)].sub(0.5).abs().max() < 1e-3  # where there is nothing, nothing is said


def test_the_hinge_asks_for_a_decision_and_a_critic_has_no_closed_form():
    ring, at = DATASETS["ring"], square_grid(40)
    fakes = ring.centers[:1].repeat(100, 1)
    decided = best_verdicts("hinge", ring, fakes, at)
    assert set(decided.tolist()) == {0.0, 1.0}
    soft = best_verdicts("least_squares", ring, fakes, at)
    assert torch.equal(decided, (soft > 0.5).double())
    assert best_verdicts("wasserstein", ring, fakes, at) is None


@pytest.mark.parametrize("loss", LOSSES)
def test_on_every_scale_real_is_above_one_half_and_fake_below(loss):
    real, fake = {"least_squares": (0.9, 0.1)}.get(loss, (3.0, -1.0))
    outputs = torch.tensor([real, fake])
    said = verdicts(loss, outputs, outputs[:1], outputs[1:])
    assert 0.5 < said[0] <= 1 and 0 <= said[1] < 0.5
    if loss in ("relativistic", "wasserstein"):  # where a constant means nothing
        assert torch.allclose(said, verdicts(loss, outputs + 7, outputs[:1] + 7, outputs[1:] + 7))


# -------------------------------------------------------------------------------------------------------- the game


def test_a_seed_decides_a_game_and_looking_at_it_changes_nothing():
    first, second, other = new_game(3, r1_gamma=0.05), new_game(3, r1_gamma=0.05), new_game(4, r1_gamma=0.05)
    for _ in range(5):
        losses = first.step()["loss/discriminator"]
        second.sample(100)
        assert torch.equal(losses, second.step()["loss/discriminator"])
        other.step()
    assert torch.equal(first.sample(50), second.sample(50))
    assert not torch.equal(first.sample(50), other.sample(50))


def test_making_players_leaves_torchs_own_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    make_players(5)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_first_step_has_the_losses_of_the_formulas(loss):
    game = new_game(1, loss=loss, learning_rate_discriminator=0.0, learning_rate_generator=0.0, batch_size=16)
    replay = random(1)
    reals = DATASETS["ring"].sample(16, replay)
    fakes, others = (game.generator(torch.randn(16, LATENT, generator=replay)) for _ in range(2))
    real_out, fake_out, other_out = map(game.discriminator, (reals, fakes, others))
    expected = ADVERSARIAL[loss]
    metrics = game.step()
    assert torch.allclose(metrics["loss/discriminator"], expected.discriminator(real_out, fake_out))
    wanted = expected.generator(other_out, real_out) if expected.paired else expected.generator(other_out)
    assert torch.allclose(metrics["loss/generator"], wanted, atol=1e-6)
    assert set(metrics) == {
        "loss/discriminator", "loss/generator", "logit/real", "logit/fake", "accuracy/pairs",
        "gradient/discriminator", "gradient/generator",
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"r1_gamma": 1.0}, {"r2_gamma": 1.0}, {"wgan_gp_weight": 1.0}, {"instance_noise": 0.3},
                                    {"discriminator_steps": 3}])  # fmt: skip
def test_every_setting_plays_another_game_also_in_the_middle_of_one(change):
    plain, changed, late = new_game(), new_game(**change), new_game()
    played(plain, 4), played(changed, 4), played(late, 2)
    late.settings = changed.settings
    played(late, 2)
    games = [game.sample(20) for game in (plain, changed, late)]
    assert all(torch.isfinite(game).all() for game in games)
    assert not any(torch.equal(games[a], games[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_penalties_of_every_nth_step_count_n_times():
    """Alone in the loss, with one step: the gradient of interval · weight · R1."""
    game = new_game(r1_gamma=0.5, penalty_interval=4, batch_size=16, learning_rate_discriminator=0.0)
    weights = [parameter.detach().clone() for parameter in game.discriminator.parameters()]
    replay = random(0)
    reals = DATASETS["ring"].sample(16, replay).requires_grad_()
    with torch.no_grad():
        fakes = game.generator(torch.randn(16, LATENT, generator=replay))
    total = ADVERSARIAL["non_saturating"].discriminator(game.discriminator(reals), game.discriminator(fakes))
    (total + 4 * 0.5 * r1_penalty(game.discriminator(reals), reals)).backward()
    expected = torch.nn.utils.get_total_norm([p.grad for p in game.discriminator.parameters()])
    assert torch.allclose(game.step()["gradient/discriminator"], expected, rtol=1e-5)
    plain = played(new_game(batch_size=16, learning_rate_discriminator=0.0), 1)
    assert torch.equal(
        game.step()["gradient/discriminator"], plain.step()["gradient/discriminator"]
    )  # the next has none
    assert all(torch.equal(a, b) for a, b in zip(weights, game.discriminator.parameters(), strict=True))


def test_an_unknown_loss_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="loss='began' is not allowed; it is one of non_saturating, minimax"):
        Settings(loss="began")


def test_a_discriminator_that_is_trained_comes_near_the_best_one():
    """Against a generator that stands still, for the log loss; compared where there are points."""
    data, at = PointSet(torch.tensor([[-0.4, 0.0]]), 0.35, modes=1), square_grid(25)
    generator, discriminator = make_players(0, width=64)
    settings = Settings(learning_rate_generator=0.0, learning_rate_discriminator=2e-3, beta1=0.5, batch_size=512)
    game = Game(Fixed(generator), discriminator, data.sample, LATENT, settings)
    played(game, 300)
    fakes = game.sample(20_000)
    best = best_verdicts("non_saturating", data, fakes, at)
    with torch.no_grad():
        found = verdicts("non_saturating", discriminator(at), discriminator(at), discriminator(at))
    weight = data.density(at, BANDWIDTH) + isotropic_mixture(at, fakes, BANDWIDTH)
    gap = ((found - best).abs() * weight).sum() / weight.sum()
    undecided = ((0.5 - best).abs() * weight).sum() / weight.sum()
    assert gap < 0.06 < 0.2 < undecided


class Fixed(torch.nn.Module):
    """A generator of normal points around (0.4, 0), whose weights do nothing."""

    def __init__(self, network: Toy):
        super().__init__()
        self.network = network

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """z (N, 2) → (N, 2)."""
        return 0 * self.network(z) + 0.35 * z + torch.tensor([0.4, 0.0])
