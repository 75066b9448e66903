"""Ways to draw the same images faster: a generator's twin with folded and packed weights, ONNX Runtime, CUDA graphs.

An engine is called as the generator is. Which is the fastest is measured where it runs, and so is how far its images are from
the generator's own.
"""

from gan_hub.engines.record import ENGINES, Engine

__all__ = ["ENGINES", "Engine"]
