from pathlib import Path

from gan_hub import GANPipeline
from gan_hub.sampling import SamplingOptions, check_size, save_files, save_grid, save_npz, save_walk

pipe = GANPipeline.from_pretrained("dcgan-mnist")
options = SamplingOptions(labels="7", truncation=0.8)
save_grid(pipe, range(16), Path("grid.png"), scale=2, **options)
save_files(pipe, range(4), Path("images"), **options)  # seed0000.png, …
save_npz(pipe, range(16), Path("images.npz"), **options)
check_size(pipe, images=60, scale=1)  # ValueError where one file could not hold it
save_walk(pipe, [1, 5, 9], Path("walk.gif"), frames=12, labels="7")
