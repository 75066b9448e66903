"""Networks from outside the package: docs/own-architecture.md runs as it stands, and each rule is answered in a sentence."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import torch
from diffusers.configuration_utils import register_to_config

import gan_hub
from gan_hub import GANPipeline, LoadError
from gan_hub.demo import models
from gan_hub.demo.tabs.sample import handlers as sample
from gan_hub.models import ARCHITECTURES, CLASSES, GANModel, register_architecture, register_checked
from gan_hub.models.config_schema import Channels, Choice, Classes, Latent, Resolution, Width
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.training.config import TrainConfig
from gan_hub.training.train_state import build_networks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own-architecture.md").read_text(encoding="utf-8")
NETWORKS, PROGRAM = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
(COMMANDS,) = re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def registries():
    """What a test registers is gone after it."""
    before = [(registry, dict(registry)) for registry in (ARCHITECTURES, CLASSES)]
    yield
    for registry, content in before:
        registry.clear()
        registry.update(content)


@pytest.fixture
def page_folder(tmp_path, monkeypatch) -> Path:
    """A folder with the page's my_networks.py and 100 grey images of 16 × 16, where a program may import the module."""
    (tmp_path / "my_networks.py").write_text(NETWORKS)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 16, 16), np.uint8)
    np.savez(tmp_path / "images.npz", x_train=images[:60], x_test=images[60:])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("my_networks", None)


def shell(commands: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """What the commands print, with this checkout's package, the folder's modules besides it."""
    commands = commands.replace("gan-hub", f"{sys.executable} -m gan_hub.cli")
    commands = commands.replace("PYTHONPATH=.", f"PYTHONPATH=.{os.pathsep}{ROOT}")
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(
        ["bash", "-ec", commands], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_page_s_networks_are_trained_saved_loaded_and_drawn_from_by_program_command_and_page(
    page_folder, monkeypatch
):
    exec(compile(PROGRAM, "own-architecture.md", "exec"), {})  # our own text
    assert (page_folder / "seed-0.png").is_file()
    assert "tiny" in (page_folder / "runs/tiny/export/README.md").read_text()
    saved = page_folder / "saved" / "tiny"
    pipe = GANPipeline.from_pretrained(saved)
    assert type(pipe.generator).__name__ == "TinyGenerator" and pipe.generator.config["hidden"] == 8
    assert pipe.verify_reference(saved) == 0

    done = shell(COMMANDS, page_folder)
    assert done.returncode == 0, done.stderr
    assert (page_folder / "grid.png").is_file()

    monkeypatch.setenv(models.MODEL_VARIABLE, str(saved))
    gallery, *_, status = sample.sample("tiny", "0-3", "own", 1.0)
    assert len(gallery) == 4 and "4 pictures" in status


def test_a_model_of_networks_that_are_not_registered_says_how_they_become_known(page_folder, tmp_path):
    networks = importlib.import_module("my_networks")
    GANPipeline(networks.TinyGenerator(), networks.TinyDiscriminator()).save_pretrained(tmp_path / "model")
    del ARCHITECTURES["tiny"]
    with pytest.raises(
        LoadError, match=r"TinyGenerator.*registered before it is loaded: gan_hub.register_architecture"
    ):
        GANPipeline.from_pretrained(tmp_path / "model")
    with pytest.raises(ValueError, match="TinyGenerator.*registered before it is loaded"):
        GANPipeline(networks.TinyGenerator()).save_pretrained(tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_a_module_to_import_that_is_not_there_is_named(tmp_path):
    done = shell("gan-hub info dcgan-mnist", tmp_path, GAN_HUB_IMPORT="my_networks")
    assert done.returncode != 0
    assert "GAN_HUB_IMPORT=my_networks" in done.stderr and "PYTHONPATH" in done.stderr


# ------------------------------------------------------------------------------------------- what must hold


class Generator(GANModel):
    @register_checked
    def __init__(
        self, resolution: Resolution = 8, channels: Channels = 1, latent_size: Latent = 2, num_classes: Classes = 0
    ):
        super().__init__()
        self.layer = torch.nn.Linear(latent_size, channels * resolution**2)

    def forward(self, z, labels=None, force_fp32=False):
        size = self.config["resolution"]
        return torch.tanh(self.layer(z)).unflatten(1, (self.config["channels"], size, size))


class Discriminator(GANModel):
    @register_checked
    def __init__(self, resolution: Resolution = 8, channels: Channels = 1, num_classes: Classes = 0):
        super().__init__()
        self.layer = torch.nn.Linear(channels * resolution**2, 1)

    def forward(self, images, labels=None, force_fp32=False):
        return self.layer(images.flatten(1)).squeeze(1)


def test_a_registered_pair_is_an_architecture_of_recipes_and_may_share_a_network_with_another():
    register_architecture("own", Generator, Discriminator)
    register_architecture("own_2", Generator, gan_hub.DCGANDiscriminator)
    config = TrainConfig(name="x", data="x", architecture="own_2", resolution=16, channels=1)
    generator, discriminator = build_networks(config, 0)
    assert type(generator) is Generator and type(discriminator) is gan_hub.DCGANDiscriminator
    assert CLASSES["Generator"] is Generator and CLASSES["DCGANDiscriminator"] is gan_hub.DCGANDiscriminator


def test_a_generator_may_be_registered_alone():
    register_architecture("own", Generator)
    assert ARCHITECTURES["own"].discriminator is None
    TrainConfig(name="x", data="x", architecture="own", loss="mmd", resolution=16, r1_gamma=0)


def test_a_name_that_is_registered_again_gets_the_new_pair():
    register_architecture("own", Generator, Discriminator)
    again = type("Generator", (Generator,), {})  # the cell of a notebook, run twice
    register_architecture("own", again, Discriminator)
    assert ARCHITECTURES["own"].generator is again and CLASSES["Generator"] is again


@pytest.mark.parametrize("name", ["", "Own", "own-1", "1own", "o" * 51, "own\n", None, 3])
def test_a_name_that_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match="name=.* is not allowed; it is small letters"):
        register_architecture(name, Generator, Discriminator)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_a_bundled_architecture_is_never_replaced(name):
    with pytest.raises(ValueError, match=f"name='{name}' is not allowed; it is a bundled architecture"):
        register_architecture(name, Generator, Discriminator)


def plain_init(self, resolution: Resolution = 8):
    """An `__init__` that nothing checks."""


def no_rule(self, resolution: Resolution = 8, channels: int = 1):
    """An argument without a rule."""


def no_default(self, resolution: Resolution, channels: Channels = 1):
    """An argument without a default."""


def wrong_default(self, resolution: Resolution = 8, channels: Channels = 5):
    """A default that its rule does not allow."""


def foreign_rule(self, resolution: Annotated[int, "pixels"] = 8):
    """An annotation that is no rule."""


def too_few(self, resolution: Resolution = 8, width: Width = 8):
    """Lacks what every network has."""


def no_latent(self, resolution: Resolution = 8, channels: Channels = 1, num_classes: Classes = 0):
    """Lacks what every generator has."""


def no_maps(
    self, resolution: Resolution = 8, channels: Channels = 1, latent_size: Latent = 2, num_classes: Classes = 0
):
    """Lacks what every network that takes maps has."""


def no_module(
    self, resolution: Resolution = 8, channels: Channels = 1, latent_size: Latent = 2, num_classes: Classes = 0
):
    """Forgets `super().__init__()`."""


def with_init(init, *bases: type) -> type:
    return type("Own", (*bases, Generator), {"__init__": register_checked(init)})


@pytest.mark.parametrize(
    ("cls", "sentence"),
    [
        (torch.nn.Linear, "generator=.*Linear.* is not allowed; it is a subclass of gan_hub.models.GANModel"),
        (None, "generator=None is not allowed; it is a subclass"),
        (Generator.__name__, "generator='Generator' is not allowed; it is a subclass"),
        (type("Own", (Generator,), {"__init__": plain_init}), "Own: its __init__ is not decorated"),
        (with_init(no_rule), "Own: channels has no rule in its annotation"),
        (with_init(foreign_rule), "Own: resolution has no rule in its annotation"),
        (with_init(no_default), "Own: resolution needs a default that its rule allows: a multiple of 4"),
        (with_init(wrong_default), "Own: channels needs a default that its rule allows: a whole number from 1 to 4"),
        (
            with_init(too_few),
            "Own: its __init__ has no argument channels, num_classes, latent_size, which every generator",
        ),
        (with_init(no_latent), "Own: its __init__ has no argument latent_size"),
        (with_init(no_maps, SegmentationConditional), "Own: its __init__ has no argument semantic_classes"),
        (
            type("Own", (Generator,), {"forward": lambda self, z: z}),
            r"Own: its forward cannot be called as forward\(z,",
        ),
        (type("Own", (Generator,), {"forward": torch.nn.Module.forward}), "Own: its forward cannot be called"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_class_that_could_not_be_trained_or_loaded_is_refused_in_one_sentence(cls, sentence):
    known = dict(ARCHITECTURES), dict(CLASSES)
    with pytest.raises(ValueError, match=sentence):
        register_architecture("own", cls, Discriminator)
    assert (ARCHITECTURES, CLASSES) == known


def test_a_discriminator_is_held_to_the_same_rules():
    with pytest.raises(
        ValueError, match=r"Own: its forward cannot be called as forward\(images, labels, force_fp32=True"
    ):
        own = type("Own", (Discriminator,), {"forward": lambda self, images, labels: images})
        register_architecture("own", Generator, own)


def with_tensor(init, keep) -> type:
    """A generator that has one tensor more, kept by `keep(network, tensor)`."""

    def longer(
        self, resolution: Resolution = 8, channels: Channels = 1, latent_size: Latent = 2, num_classes: Classes = 0
    ):
        init(self)
        self.inner = torch.nn.Identity()
        keep(self.inner, torch.arange(3.0))

    return type("Own", (Generator,), {"__init__": register_checked(longer)})


@pytest.mark.parametrize(
    "keep",
    [
        lambda module, tensor: module.register_buffer("steps", tensor, persistent=False),
        lambda module, tensor: setattr(module, "steps", tensor),
    ],
    ids=["a buffer that is not persistent", "a plain attribute"],
)
def test_a_tensor_that_would_lie_in_no_file_is_named_before_anything_is_trained(keep):
    with pytest.raises(ValueError, match="Own: the tensor inner.steps would lie in no file; make it a buffer"):
        register_architecture("own", with_tensor(Generator.__init__, keep))
    own = with_tensor(Generator.__init__, lambda module, tensor: module.register_buffer("steps", tensor))
    register_architecture("own", own)


def test_a_network_that_cannot_be_made_without_memory_is_refused():
    def init(
        self, resolution: Resolution = 8, channels: Channels = 1, latent_size: Latent = 2, num_classes: Classes = 0
    ):
        super(Generator, self).__init__()
        self.number = torch.ones(1).item()

    for wrong in (init, no_module):
        with pytest.raises(ValueError, match="Own: its __init__ fails on torch's meta device, where loading runs it: "):
            register_architecture("own", with_init(wrong))


def test_images_of_another_size_than_the_config_says_are_told_and_not_saved(tmp_path):
    own = type("Own", (Generator,), {"forward": lambda self, z, labels=None, force_fp32=False: z})
    register_architecture("own", own)
    sentence = r"Own made images of shape \(1, 2\); by its config they are \(1, 1, 8, 8\)"
    for use in (lambda: GANPipeline(own())(seeds=[1]), lambda: GANPipeline(own()).save_pretrained(tmp_path / "own")):
        with pytest.raises(ValueError, match=sentence):
            use()
    assert not (tmp_path / "own").exists()


def test_diffusers_own_decorator_is_taken_only_with_rules():
    def init(self, resolution=8, channels=1, latent_size=2, num_classes=0):
        """Registered, but with nothing to check by."""

    with pytest.raises(ValueError, match="Own: resolution has no rule"):
        register_architecture("own", type("Own", (Generator,), {"__init__": register_to_config(init)}))


def test_a_class_whose_name_is_taken_is_refused():
    taken = type("DCGANGenerator", (Generator,), {})
    with pytest.raises(ValueError, match="DCGANGenerator is the name of the generator of 'dcgan'"):
        register_architecture("own", taken, Discriminator)
    register_architecture("own", Generator, Discriminator)
    with pytest.raises(ValueError, match="Generator is the name of the generator of 'own'"):
        register_architecture("other", type("Generator", (Generator,), {}), Discriminator)
    with pytest.raises(ValueError, match="Discriminator is the name of the discriminator of 'own'"):
        register_architecture("other", type("Discriminator", (Generator,), {}))
    with pytest.raises(
        ValueError, match="FeaturesDiscriminator is the name of the discriminator of recipes with 'features'"
    ):
        register_architecture("other", Generator, type("FeaturesDiscriminator", (Discriminator,), {}))
    with pytest.raises(ValueError, match="generator and discriminator are both called Twin"):
        register_architecture("own", type("Twin", (Generator,), {}), type("Twin", (Discriminator,), {}))


def test_rules_may_be_annotated_as_text():
    def init(self, resolution: "Resolution" = 8, channels: "Channels" = 1, latent_size: "Latent" = 2,
             num_classes: "Annotated[int, Choice(0)]" = 0):  # fmt: skip
        """As in a file that begins with `from __future__ import annotations`."""
        super(Generator, self).__init__()

    own = type("Own", (Generator,), {"__init__": register_checked(init)})
    register_architecture("own", own)
    with pytest.raises(ValueError, match="'num_classes' has the value 1; allowed: one of 0"):
        own(num_classes=1)


# -------------------------------------------------------------------------------------------- the public names


def test_every_network_and_the_registry_can_be_imported_from_the_package():
    assert gan_hub.ARCHITECTURES is ARCHITECTURES and gan_hub.register_architecture is register_architecture
    networks = {cls.__name__ for pair in ARCHITECTURES.values() for cls in pair if cls is not None}
    for name in networks:
        assert getattr(gan_hub, name) is CLASSES[name] is getattr(gan_hub.models, name)
    assert networks <= set(gan_hub.__all__) and networks <= set(gan_hub.models.__all__)
    assert networks <= set(dir(gan_hub))


def test_type_checkers_see_the_public_names_that_users_see():
    tree = ast.parse(Path(gan_hub.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {alias.name: node.module for node in block.body for alias in node.names}
    assert typed == gan_hub._HOMES
