from pathlib import Path

import numpy as np

from gan_hub.training import AlarmError, Callback, StoppedError, TrainConfig, TrainContext, train
from gan_hub.training.command import main
from gan_hub.training.export_checkpoint import export_run

pixels = np.random.default_rng(0).integers(0, 256, (80, 16, 16, 1), dtype=np.uint8)
np.savez("images.npz", images=pixels)


class Count(Callback):
    """Ends the run after two steps."""

    def on_step_end(self, run: TrainContext):
        if run.step >= 2:
            run.stop("two steps are enough for an example.")


options = {
    "data": "images.npz",
    "resolution": 16,
    "batch_size": 8,
    "held_out": 16,
    "trackers": "none",
    "evaluate_images": 16,
    "precision": "fp32",
}
config = TrainConfig(name="example", conditional=False, total_kimg=0.032, **options)
try:
    folder = train(config, callbacks=[Count()])  # the model's folder
except (AlarmError, StoppedError) as error:  # alarms: stop; a signal. The state is saved
    print(error)

# The same run from a shell's words, to its end, and a model of its newest checkpoint.
words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
words += ["--conditional", "false", "--total_kimg", "0.032", "--decay_kimg", "0", "--extractor", "none"]
assert main(["dcgan-mnist", "--name", "example-2", *words]) == 0
export_run(Path("runs/example-2"), out=Path("so-far"), scores=False)
