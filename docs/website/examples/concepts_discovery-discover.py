from gan_hub import GANPipeline
from gan_hub.concepts_discovery import discover
from gan_hub.concepts_discovery.discover import MEASURES

pipe = GANPipeline.from_pretrained("dcgan-mnist")
seeds, held_out = range(60), range(100, 108)
print(discover.measures_for(pipe), discover.default_space(pipe))

# By a measure of the images, by scores of any origin, by where the latents or the weights vary most.
ink = discover.by_measure(pipe, "brightness", seeds, held_out)
scores = discover.score(pipe, seeds, MEASURES["brightness"].function)
own = discover.by_attribute(pipe, "own", scores, seeds, held_out, measure="brightness", by="a classifier")
parts = discover.by_components(pipe, "sefa", 2, seeds, held_out)

# The pieces of these.
z, classes = discover.latents_of(pipe, seeds), discover.classes_of(pipe, seeds)
bare = discover.by_scores(z, scores, seeds, name="bare", method="by hand", labels=classes)
along = discover.sefa(pipe.generator, 1)[0]
known = discover.by_direction(z, along, seeds, name="known", method="sefa", space="z", labels=classes)
print(discover.principal_directions(z, 2).shape, discover.effect(pipe, bare, "brightness", held_out))
print(discover.strongest_effect(pipe, known, held_out).effect)
discover.concept_grid(pipe, [ink, own, *parts], seeds=[0, 1], strengths=[-1, 0, 1]).save("concepts.png")
