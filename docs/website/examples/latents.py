from gan_hub import GANPipeline
from gan_hub.latents import arithmetic, ease, interpolate, lerp, mix_styles, neighbours, sample, seeded, slerp, truncate

z = sample([3, 14, 15], latent_size=64)  # (3, 64); row i depends on seed i alone
halfway = slerp(z[0], z[1], 0.5)  # along the arc; lerp goes straight, through the duller middle
straight = lerp(z[0], z[1], 0.5)
walk = interpolate(z, frames=24)  # (24, 64), through all three
glasses = arithmetic(
    sample([1, 2, 3], 64), sample([4, 5, 6], 64), sample([7, 8, 9], 64)
)  # means of exemplars, A − B + C
around = neighbours(glasses, 8, 0.25, seeded(0))
gently = slerp(z[0], z[1], ease(0.1, "smooth"))  # a walk that starts and stops softly
typical = truncate(z, 0.7)

pipe = GANPipeline.from_pretrained("stylegan2-avatars-32")
w = pipe.map(pipe.sample_latents([3, 14]))  # (2, L, W): one row of w a layer
images = pipe.synthesize(mix_styles(w[:1], w[1:], crossover=4))  # coarse rows of the first, fine ones of the second
