"""Finding concepts where it is known what there is to find, and measuring what they do."""

from dataclasses import replace

import pytest
import torch

from gan_hub import GANPipeline
from gan_hub.concepts_discovery import discover, effects
from gan_hub.concepts_discovery.image_statistics import brightness
from gan_hub.models import ARCHITECTURES
from gan_hub.models.mixins import HasLatentProjection, StyleBased
from gan_hub.models.stylegan2 import StyleGAN2Generator
from tests.conftest import made_concept
from tests.models.test_registry import build_pair, inputs, moved

PLANTED = torch.nn.functional.normalize(torch.tensor([3.0, -1.0, 0.0, 2.0, 0.0, 0.0]), dim=0)
TOLD = {"name": "planted", "method": "planted"}


def normal(count: int = 2000, size: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=0).item()


def test_scores_lead_to_the_direction_they_were_made_of():
    z = normal()
    scores = z @ PLANTED + 0.3 * normal(seed=1)[:, 0]
    concept = discover.by_scores(z, scores, range(100, 2100), **TOLD)
    assert cosine(concept.direction, PLANTED) > 0.99 and concept.effect is None
    # Strength 1 is the way between the fifths: 2 × 1.4 deviations, less the noise in the scores.
    assert concept.direction.norm().item() == pytest.approx(2.7, abs=0.15)
    rows = [[seed - 100 for seed in seeds] for seeds in (concept.with_it, concept.without_it)]
    fifth = scores.sort().values[[400, 1599]]
    assert scores[rows[0]].min() >= fifth[1] and scores[rows[1]].max() <= fifth[0]
    assert (z[rows[0]] @ PLANTED).min() > 1.5 and (z[rows[1]] @ PLANTED).max() < -1.5


def test_true_and_false_make_the_groups_themselves():
    z = normal()
    has = (z @ PLANTED) > 1
    concept = discover.by_scores(z, has, range(2000), **TOLD)
    gap = z[has].mean(0) - z[~has].mean(0)
    assert torch.allclose(concept.direction, gap, atol=1e-4) and cosine(gap, PLANTED) > 0.97
    assert has[list(concept.with_it)].all() and not has[list(concept.without_it)].any()


def test_of_a_conditional_model_the_class_is_not_found():
    z, labels = normal(), torch.arange(2000) % 4
    offset = torch.tensor([0.0, 0, 0, 0, 5, 0])
    w = z + labels[:, None] * offset  # a class has a place of its own, as in w
    scores = (z @ PLANTED) * (1 + labels) + 100 * labels  # and scores of its own
    concept = discover.by_scores(w, scores, range(2000), labels=labels, **TOLD)
    assert cosine(concept.direction, PLANTED) > 0.98 and abs(cosine(concept.direction, offset)) < 0.15
    assert set((labels[list(concept.with_it)]).tolist()) == {0, 1, 2, 3} or len(set(labels[list(concept.with_it)])) > 1
    fooled = discover.by_scores(w, scores, range(2000), **TOLD)
    assert cosine(fooled.direction, offset) > 0.9


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        (torch.zeros(9), "do not match"),
        (torch.full((10,), float("nan")), "NaN"),
        (torch.arange(10), "2 seeds with 'planted' and 2 without; 3 of each"),
        (torch.arange(10) > 8, "1 seeds with 'planted' and 9 without"),
    ],
)
def test_scores_that_say_too_little_are_refused(scores, sentence):
    with pytest.raises(ValueError, match=sentence):
        discover.by_scores(normal(10), scores, range(10), **TOLD)


def test_principal_directions_are_those_of_largest_variance_within_the_classes():
    w = normal() * torch.tensor([1.0, 4.0, 2.0, 0.5, 0.5, 0.5])
    found = discover.principal_directions(w, 2)
    assert torch.allclose(found.abs(), torch.eye(6).double()[[1, 2]], atol=0.1) and (found.amax(1) > 0.9).all()
    labels = torch.arange(2000) % 2
    apart = w + labels[:, None] * torch.tensor([50.0, 0, 0, 0, 0, 0])
    assert torch.allclose(discover.principal_directions(apart, 2, labels), found, atol=0.02)
    assert discover.principal_directions(apart, 1)[0, 0] > 0.9
    for count in (0, 7):
        with pytest.raises(ValueError, match="components are not allowed"):
            discover.principal_directions(w, count)


def test_a_direction_gets_its_length_and_its_exemplars_from_the_latents():
    z = 3 * normal()
    concept = discover.by_direction(z, PLANTED, range(2000), space="w", **TOLD)
    order = (z @ PLANTED).argsort()
    gap = ((z @ PLANTED)[order[-400:]].mean() - (z @ PLANTED)[order[:400]].mean()).item()
    assert torch.allclose(concept.direction, gap * PLANTED, atol=1e-4) and concept.space == "w"
    assert list(concept.with_it) == order.flip(0)[:8].tolist() and list(concept.without_it) == order[:8].tolist()


# --------------------------------------------------------------------------------------------------------------- SeFa


def test_sefa_gives_the_leading_eigenvectors_of_the_weights_with_rows_of_length_1(tiny_rgb_pipeline):
    generator = tiny_rgb_pipeline.generator
    rows = generator.project.weight.detach().double()
    rows = rows / rows.norm(dim=1, keepdim=True)
    found = discover.sefa(generator, 8)
    energy = (rows @ found.t()).square().sum(0)
    assert torch.allclose(found @ found.t(), torch.eye(8).double(), atol=1e-9)
    assert (energy.diff() <= 0).all() and energy.sum().item() == pytest.approx(len(rows))
    assert energy[0].item() == pytest.approx(torch.linalg.matrix_norm(rows, 2).item() ** 2)
    with pytest.raises(ValueError, match="9 directions are not allowed; 1 to 8"):
        discover.sefa(generator, 9)


NO_CLASSES = ("began", "spade")
EACH = [(name, classes) for name in ARCHITECTURES for classes in ((0,) if name in NO_CLASSES else (0, 3))]


@pytest.mark.parametrize(("name", "classes"), EACH)
def test_the_latent_is_felt_through_these_weights_alone(name, classes):
    torch.manual_seed(0)
    generator = moved(build_pair(ARCHITECTURES[name], num_classes=classes)[0]).eval()
    if not isinstance(generator, HasLatentProjection):
        assert name in ("began", "gmmn", "spade")
        with pytest.raises(ValueError, match="has no linear map that its latent meets first"):
            discover.sefa(generator, 1)
        return
    z, _, labels = inputs(generator, count=2)
    other = z.clone()
    other[:, 1] *= -1  # as long as before, for the networks that bring z to one length
    with torch.no_grad():
        if isinstance(generator, StyleBased):
            z, other = generator.map(z, labels), generator.map(z, labels).clone()
            other[:, :, 1] += 1
            draw, size = generator.synthesize, len(generator.w_avg)
            weights = [module.affine.weight for module in generator.modules() if hasattr(module, "affine")]
        else:
            draw, size = (lambda latents: generator(latents, labels)), generator.config["latent_size"]
            weights = [generator.latent_weights()]
        assert discover.sefa(generator, 2).shape == (2, size) and generator.latent_weights().shape[1] == size
        assert not torch.allclose(draw(z), draw(other), atol=1e-4)
        for weight in weights:
            weight[:, 1] = 0
        assert not generator.latent_weights()[:, 1].any()
        assert torch.allclose(draw(z), draw(other), atol=1e-6)


# ------------------------------------------------------------------------------------------------------------- effects


def test_an_effect_is_the_mean_of_the_measure_at_three_strengths(tiny_pipeline):
    concept, seeds = made_concept("thick", 8), range(50, 60)
    z = tiny_pipeline.sample_latents(seeds)
    labels = tiny_pipeline.labels_of(z)
    found = discover.effect(tiny_pipeline, concept, "brightness", seeds)
    scores = [
        brightness(tiny_pipeline(latents=z + strength * concept.direction, labels=labels, output_type="pt").images)
        for strength in (-1, 0, 1)
    ]
    assert found.strengths == (-1, 0, 1)
    assert found.means == pytest.approx([each.mean().item() for each in scores], abs=1e-6)
    assert found.right == pytest.approx((scores[2] > scores[0]).float().mean().item())
    assert found.deviation == pytest.approx(scores[1].std(correction=0).item(), abs=1e-6)
    assert (found.seeds, found.images, found.measure) == ("50-59", 10, "brightness (mean light, 0 to 1)")
    assert tiny_pipeline.concepts == {}  # it was not given to the model yet
    own = discover.effect(
        tiny_pipeline, concept, lambda images: 2 * brightness(images), seeds, description="twice the light"
    )
    assert own.means == pytest.approx([2 * mean for mean in found.means]) and own.measure == "twice the light"
    for measure, told in (("beauty", None), (brightness, None), (lambda images: images, "all of it")):
        with pytest.raises(ValueError):
            discover.effect(tiny_pipeline, concept, measure, seeds, description=told)


def test_the_strongest_effect_is_found_and_turned_to_be_a_gain(tiny_pipeline):
    concept = made_concept("sefa 1", 8)
    exemplars = {"with_it": concept.without_it, "without_it": concept.with_it}
    turned = replace(concept, direction=-concept.direction, **exemplars)
    ways = [discover.strongest_effect(tiny_pipeline, each, range(20)) for each in (concept, turned)]
    assert torch.equal(ways[0].direction, ways[1].direction) and ways[0].with_it == ways[1].with_it
    assert ways[0].effect == ways[1].effect
    first, _, last = ways[0].effect.means
    gain = (last - first) / ways[0].effect.deviation
    assert gain > 0
    for name in effects.measures_for(tiny_pipeline):
        other = discover.effect(tiny_pipeline, concept, name, range(20))
        assert abs(other.means[2] - other.means[0]) / max(other.deviation, 1e-9) <= gain * 1.0001
    assert "warmth" not in effects.measures_for(tiny_pipeline)


def test_a_measure_becomes_a_concept_that_does_what_it_says(tiny_pipeline):
    concept = discover.by_measure(tiny_pipeline, "brightness", range(200), range(1000, 1040))
    low, middle, high = concept.effect.means
    assert low < middle < high and concept.effect.right > 0.9 and concept.effect.images == 40
    assert concept.method == "difference of means in z by the measure brightness, 200 seeds, within classes"
    with pytest.raises(ValueError, match="1 of the 2 held-out seeds also find the concept"):
        discover.by_measure(tiny_pipeline, "brightness", range(200), [199, 200])


@pytest.fixture(scope="module")
def styled() -> GANPipeline:
    torch.manual_seed(0)
    shape = dict(resolution=32, latent_size=8, w_size=6, base_channels=4, max_channels=8, mapping_layers=2)
    return GANPipeline(moved(StyleGAN2Generator(**shape)).eval())


def test_a_style_based_model_has_its_concepts_in_w(styled, tiny_pipeline):
    w = discover.latents_of(styled, range(5))
    assert torch.equal(w, styled.map(styled.sample_latents(range(5)))[:, 0]) and w.shape == (5, 6)
    for how in ("pca", "sefa"):
        first, second = discover.by_components(styled, how, 2, range(60), range(100, 110))
        assert (first.name, second.name, first.space) == (f"{how} 1", f"{how} 2", "w")
        assert abs(cosine(first.direction, second.direction)) < 1e-5 and first.effect.images == 10
    assert discover.by_components(tiny_pipeline, "sefa", 1, range(60), range(100, 104))[0].space == "z"
    with pytest.raises(ValueError, match="pca needs a model with a w"):
        discover.by_components(tiny_pipeline, "pca", 1, range(60), range(100, 104))


def test_a_picture_has_a_row_a_seed_and_a_column_a_strength(tiny_pipeline):
    concepts = [made_concept("thick", 8), made_concept("wide", 8, 1)]
    sheet = discover.concept_grid(tiny_pipeline, concepts, [3, 4], [-1, 0, 1])
    assert sheet.size == (3 * 30 - 2, 4 * 30 - 2)
    still = tiny_pipeline(seeds=[4]).images[0]
    assert sheet.crop((30, 30, 58, 58)).tobytes() == still.tobytes() == sheet.crop((30, 90, 58, 118)).tobytes()
    pipe = GANPipeline(tiny_pipeline.generator, label_names=tiny_pipeline.label_names, concepts=concepts)
    assert sheet.crop((60, 90, 88, 118)).tobytes() == pipe(seeds=[4], concepts={"wide": 1}).images[0].tobytes()


def test_arguments_and_attributes_of_the_last_release_keep_working(tiny_pipeline):
    z = normal(200, 8)
    usual = discover.by_scores(z, z[:, 0], range(200), **TOLD)
    for old in (
        lambda: discover.by_scores(z, z[:, 0], range(200), name="planted", found="planted"),
        lambda: discover.by_direction(z, usual.direction, range(200), name="planted", found="planted", space="z"),
    ):
        with pytest.warns(DeprecationWarning, match=r"found= of \w+\(\) is method= now"):
            assert old().method == "planted"
    with pytest.warns(DeprecationWarning, match="^found is method now"):
        assert usual.found == "planted"
    concept = made_concept("ink", 8)
    now = effects.effect(tiny_pipeline, concept, brightness, range(4), description="ink")
    with pytest.warns(DeprecationWarning, match=r"told= of effect\(\) is description= now"):
        assert effects.effect(tiny_pipeline, concept, brightness, range(4), told="ink") == now
    with pytest.warns(DeprecationWarning, match="^told is describe now"):
        assert now.told() == now.describe()
    scores = tiny_pipeline.sample_latents(range(40))[:, 0] > 0
    with pytest.warns(DeprecationWarning, match=r"told= of by_attribute\(\) is description= now"):
        discover.by_attribute(tiny_pipeline, "ink", scores, range(40), range(40, 44), brightness, "its z", told="ink")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = usual.nothing
