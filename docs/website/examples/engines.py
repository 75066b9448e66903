from gan_hub import GANPipeline
from gan_hub.engines import ENGINES, Engine

pipe = GANPipeline.from_pretrained("mlp-mnist")
pipe.optimize("torch", seconds=0.1)  # "auto" measures all of them and takes the fastest
engine: Engine = pipe.engine
print(engine.name, ENGINES[engine.name], sep=": ")
pipe.optimize("plain")  # bit for bit the generator's own again
