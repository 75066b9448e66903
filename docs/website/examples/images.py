from gan_hub import GANPipeline
from gan_hub.images import fit_pil, from_uint8, grid, save_animation, save_png, to_pil, to_uint8

pipe = GANPipeline.from_pretrained("dcgan-mnist")
images = pipe(seeds=[1, 2, 3, 4], output_type="pt").images  # float (4, 1, 28, 28) in [-1, 1]
pixels = to_uint8(images)  # uint8 (4, 28, 28, 1)
assert from_uint8(pixels).shape == images.shape
pictures = to_pil(pixels)
save_png(grid(pictures, columns=2, scale=4), "four.png", model="dcgan-mnist", seeds="1-4")
save_animation(pictures, "four.gif", seconds_per_frame=0.5)
small = fit_pil(pictures[0], resolution=16, channels=1)  # cropped at its middle, then resized
