from pathlib import Path

from gan_hub import GANPipeline
from gan_hub.concepts_discovery.edit import check_same_model, edit_concepts, find_concepts, save_concepts

pipe = GANPipeline.from_pretrained("dcgan-mnist")
found = find_concepts(pipe, ["brightness"], seeds=range(60), held_out=range(100, 108))
pipe.concepts = edit_concepts({}, add=found, rename={"brightness": "ink"})
check_same_model(pipe, Path("my-gan"))  # another model's folder is refused
save_concepts(pipe, Path("my-gan"))
GANPipeline.from_pretrained("my-gan")(seeds=[3], concepts={"ink": 1.0}).images[0].save("more-ink.png")
