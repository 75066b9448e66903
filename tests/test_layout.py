"""The drawing of the house: who may import whom, held against the imports that are really there."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import BULK, NIGHTLY

ROOT = Path(__file__).resolve().parents[1]

# Room → level. A room imports only from lower levels; the files of one package may import each other.
LEVELS = {
    "atomic": 0,
    "_moved": 0,
    "console": 0,
    "messages": 0,
    "model_folder": 2,
    "devices": 1,
    "images": 1,
    "video": 2,
    "imports": 0,
    "resolutions": 0,
    "seeds": 0,
    "version": 0,
    "latents": 1,
    "losses": 0,
    "augment": 1,
    "ema": 0,
    "host_copy": 0,
    "theory": 0,
    "pretrained_networks": 3,
    "hub": 3,
    "data": 3,
    "models": 4,
    "engines": 5,
    "toy": 5,
    "pipeline": 6,
    "sampling": 7,
    "metrics": 7,
    "verify": 7,
    "concepts_discovery": 8,
    "exporting": 8,
    "foreign": 8,
    "training": 9,
    "style_transfer": 9,
    "inversion": 7,
    "demo": 10,
    "cli": 11,
    "app.py": 12,
    "train.py": 12,
}
# A library that only some rooms may import, because it is slow to import or not always installed.
OWNERS = {
    "gradio": {"demo"},
    "accelerate": {"training", "metrics", "train.py"},  # metrics: only where several processes measure together
    "matplotlib": {"training"},
    "datasets": {"data"},
    "transformers": {"metrics"},
}
FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "pickletools",
}
# The one reader of foreign pickles splits their bytes by pickletools, which runs nothing.
ALLOWED_MODULES = {"gan_hub/foreign/opcodes.py": {"pickletools"}}
FORBIDDEN_CALLS = {"eval", "exec", "torch.load", "torch.jit.load", "torch.hub.load", "pickle.load", "os.system"}
FORBIDDEN_KEYWORDS = {
    "strict": (False,),
    "weights_only": (False,),
    "trust_remote_code": (True, False),
    "allow_pickle": (True,),
    "use_safetensors": (False,),
    "shell": (True,),
}


def sources() -> list[Path]:
    return sorted((ROOT / "gan_hub").rglob("*.py")) + [
        ROOT / name for name in ("app.py", "train.py") if (ROOT / name).is_file()
    ]


def room(path: Path) -> str:
    """The room a file lies in: "models", "loading", "app.py"; "" is gan_hub/__init__.py."""
    parts = path.relative_to(ROOT).parts
    if parts[0] != "gan_hub":
        return parts[0]
    return "" if parts[1] == "__init__.py" else parts[1].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(dotted module, line) of every import, at the top of a file or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            if node.module == "gan_hub":  # from gan_hub import latents
                yield from ((f"gan_hub.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


def against_the_drawing(path: Path, text: str) -> list[str]:
    """What is wrong with the imports of one file, as sentences."""
    here, wrong = room(path), []
    for module, line in imports(ast.parse(text)):
        parts = module.split(".")
        owners = OWNERS.get(parts[0])
        if owners is not None and here not in owners:
            wrong.append(f"{path.name}:{line} imports {parts[0]}, which only {', '.join(sorted(owners))} may")
        if parts[0] == "train" or parts[0] == "app":
            wrong.append(f"{path.name}:{line} imports the script {parts[0]}.py")
        if parts[0] != "gan_hub" or parts[1:] in ([], ["__version__"]):
            continue
        there = public_home(parts[1])
        if there != here and LEVELS.get(there, 99) >= LEVELS[here]:
            wrong.append(f"{path.name}:{line} ({here}, level {LEVELS[here]}) imports {module}, which is not below it")
    return wrong


def public_home(name: str) -> str:
    """The room of `gan_hub.<name>`, which may be one of the public names that __init__ lends."""
    import gan_hub

    home = gan_hub._HOMES.get(name, f"gan_hub.{name}")
    return home.split(".")[1]


def forbidden(text: str) -> list[str]:
    """Every way to run or quietly accept foreign content that one file uses, as (what, line)."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"{name}:{node.lineno}" for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS:
                found.append(f"{name}:{node.lineno}")
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if isinstance(value, bool) and value in FORBIDDEN_KEYWORDS.get(keyword.arg, ()):
                    found.append(f"{keyword.arg}={value}:{node.lineno}")
    return found


def test_every_room_is_in_the_drawing():
    rooms = {room(path) for path in sources()} - {""}
    assert rooms <= LEVELS.keys(), f"give these a level: {sorted(rooms - LEVELS.keys())}"


@pytest.mark.parametrize("path", [path for path in sources() if room(path)], ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_from_lower_levels_and_only_its_own_libraries(path):
    assert against_the_drawing(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_says_what_is_in_it_and_opens_no_door_to_foreign_code(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "the first line of a file says what is in it"
    allowed = ALLOWED_MODULES.get(path.relative_to(ROOT).as_posix(), set())
    assert [what for what in forbidden(text) if what.partition(":")[0] not in allowed] == []


def test_the_drawing_notices_a_forbidden_import():
    models, pipeline = ROOT / "gan_hub/models/dcgan.py", ROOT / "gan_hub/pipeline/pipeline_gan.py"
    assert against_the_drawing(models, "from gan_hub.model_folder.strict import LoadError\nimport torch\n") == []
    assert against_the_drawing(models, "from gan_hub.models.modeling import GANModel\n") == []
    assert against_the_drawing(models, "from gan_hub import __version__") == []
    for line in (
        "from gan_hub.pipeline import GANPipeline",
        "from gan_hub import GANPipeline",
        "import gan_hub.training.trainer",
        "def f():\n    from gan_hub.metrics import evaluate",
        "import gradio as gr",
        "from accelerate import Accelerator",
        "import train",
        "import gan_hub.nowhere",
    ):
        assert len(against_the_drawing(models, line)) == 1, line
    assert len(against_the_drawing(pipeline, "from gan_hub.data import ImageSet\nimport accelerate")) == 1


def test_the_drawing_notices_every_way_to_run_foreign_code():
    for line in (
        "import pickle",
        "from joblib import load",
        "import pickletools",
        "eval('1')",
        "torch.load('x')",
        "model.load_state_dict(x, strict=False)",
        "f(weights_only=False)",
        "f(trust_remote_code=True)",
        "np.load('x', allow_pickle=True)",
        "subprocess.run('x', shell=True)",
    ):
        assert len(forbidden(line)) == 1, line
    assert forbidden("np.load('x', allow_pickle=False); f(strict=True); model.eval(); retrieval('x')") == []


def test_architectures_do_not_import_each_other():
    shared = {"__init__.py", "config_schema.py", "modeling.py", "layers.py", "mixins.py", "registry.py"}
    files = [path for path in (ROOT / "gan_hub/models").glob("*.py") if path.name not in shared]
    for path in files:
        for module, line in imports(ast.parse(path.read_text(encoding="utf-8"))):
            assert module not in {f"gan_hub.models.{other.stem}" for other in files}, f"{path.name}:{line}"


def test_importing_the_package_loads_no_library_and_prints_nothing():
    code = """
import sys, gan_hub
heavy = {"torch", "numpy", "PIL", "diffusers", "gradio", "accelerate", "huggingface_hub", "safetensors"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert gan_hub.__version__ and set(dir(gan_hub)) >= {"GANPipeline", "LoadError", "list_models"}
try:
    gan_hub.nothing
except AttributeError as error:
    assert "nothing" in str(error)
else:
    raise AssertionError("gan_hub.nothing exists")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_public_name_is_where_the_package_says():
    import gan_hub

    for name in gan_hub.__all__:
        assert getattr(gan_hub, name) is not None, name


def test_loading_a_model_needs_neither_gradio_nor_accelerate_and_draws_nothing_from_torch():
    code = """
import sys, torch
before = torch.get_rng_state()
from gan_hub import GANPipeline, GANOutput, LoadError
assert torch.equal(before, torch.get_rng_state())
assert not {"gradio", "gan_hub.training", "gan_hub.demo", "matplotlib", "datasets"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("name", [*BULK, *sorted(NIGHTLY)])
def test_what_is_left_to_the_slow_lane_or_the_night_is_a_test(name):
    path, _, function = name.partition("[")[0].partition("::")
    assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8")
