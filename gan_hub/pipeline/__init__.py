"""GANPipeline: latents → images → verdicts; one class for every published GAN."""

from gan_hub.model_folder.calibration import Calibration
from gan_hub.pipeline.outputs import GANOutput
from gan_hub.pipeline.pipeline_gan import GANPipeline

__all__ = ["Calibration", "GANOutput", "GANPipeline"]
