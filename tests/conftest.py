"""What every test may use: no network, no telemetry, a cache of its own, and tiny real models."""

import os
import shutil
import tempfile

# huggingface_hub reads these when it is imported, so they come before everything that may import it.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="gan_hub-tests-")
os.environ["GAN_HUB_CACHE"] = os.path.join(os.environ["HF_HOME"], "decoded")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny networks gain nothing from a second thread
for name in ("HF_ENDPOINT", "HF_TOKEN", "GAN_HUB_DATA"):
    os.environ.pop(name, None)

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402

from gan_hub.model_folder.concepts import Concept, Effect  # noqa: E402
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator  # noqa: E402
from gan_hub.pipeline import Calibration, GANPipeline  # noqa: E402

LABEL_NAMES = ("circle", "square", "star")


def pytest_sessionfinish():
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


def lively(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Weights and running statistics large enough that seeds, classes and images can be told apart; in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.is_floating_point():
            tensor.normal_(1.0 if name.endswith("scale") else 0.0, 0.15, generator=generator)
    return model.eval()


def make_pipeline(num_classes: int, resolution: int, channels: int, seed: int = 0) -> GANPipeline:
    """A DCGAN of a few thousand weights with its discriminator and a made-up calibration."""
    shape = dict(resolution=resolution, channels=channels, num_classes=num_classes, base_channels=4)
    return GANPipeline(
        lively(DCGANGenerator(**shape, latent_size=8), seed),
        lively(DCGANDiscriminator(**shape, norm="none", minibatch_stddev=True), seed + 1),
        label_names=LABEL_NAMES[:num_classes] or None,
        calibration=Calibration(scale=0.8, bias=-0.2, auc=0.7, error=0.05, images=100),
    )


def made_concept(name: str, size: int, seed: int = 0, space: str = "z") -> Concept:
    """A random direction of so many numbers, with made-up exemplars and a made-up effect."""
    direction = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    effect = Effect("ink", (-1, 0, 1), (0.25, 0.5, 0.625), deviation=0.125, right=0.75, seeds="100-199", images=100)
    return Concept(name, direction, space, (1, 2, 3), (4, 5, 6, 2**32 - 1), "made up", effect)


@pytest.fixture(scope="session")
def tiny_pipeline() -> GANPipeline:
    """Class-conditional, 28 × 28 × 1, three classes. Shared: do not change it."""
    return make_pipeline(3, 28, 1)


@pytest.fixture(scope="session")
def tiny_rgb_pipeline() -> GANPipeline:
    """Unconditional, 32 × 32 × 3. Shared: do not change it."""
    return make_pipeline(0, 32, 3)


@pytest.fixture(scope="session")
def tiny_model(tiny_pipeline, tmp_path_factory) -> Path:
    """A folder with `tiny_pipeline`, in float32 and as variant fp16. Shared: do not change it."""
    return saved(tiny_pipeline, tmp_path_factory.mktemp("tiny") / "tiny-gan")


@pytest.fixture(scope="session")
def tiny_rgb_model(tiny_rgb_pipeline, tmp_path_factory) -> Path:
    """A folder with `tiny_rgb_pipeline`, in float32 and as variant fp16. Shared: do not change it."""
    return saved(tiny_rgb_pipeline, tmp_path_factory.mktemp("tiny") / "tiny-rgb-gan")


@pytest.fixture
def tiny_model_copy(tiny_model, tmp_path) -> Path:
    """An own copy of `tiny_model`, to be damaged at will."""
    return Path(shutil.copytree(tiny_model, tmp_path / "tiny-gan"))


def saved(pipeline: GANPipeline, folder: Path) -> Path:
    pipeline.save_pretrained(folder)
    pipeline.save_pretrained(folder, variant="fp16")
    return folder
