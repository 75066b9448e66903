from gan_hub import GANPipeline
from gan_hub.inversion import Inversion, invert, search

pipe = GANPipeline.from_pretrained("dcgan-mnist")
picture = pipe(seeds=[7], labels="3").images[0]  # or any picture of yours
found: Inversion = invert(pipe, picture, label="3", steps=5, candidates=8, starts=1)  # more steps, nearer
pipe(latents=found.latents, labels=found.label).images[0].save("nearest.png")
for so_far in search(pipe, picture, label="3", steps=4, candidates=8, starts=1, every=2):
    print(so_far.levels)  # how far off, in levels of 255
