from gan_hub import GANPipeline
from gan_hub.latents import interpolate
from gan_hub.video import encoder, save_video

pipe = GANPipeline.from_pretrained("dcgan-mnist")
frames = pipe(latents=interpolate(pipe.sample_latents([1, 2]), frames=8), labels="3").images
if encoder():  # ffmpeg, or the package imageio-ffmpeg
    save_video(frames, "walk.mp4", seconds_per_frame=0.1)
