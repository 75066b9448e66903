"""Importing is quick: the garbage collector waits meanwhile, and a light path imports nothing heavy."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from gan_hub.cli import program
from gan_hub.imports import collector_paused

ROOT = Path(__file__).resolve().parents[1]


def run_python(code: str) -> str:
    """What a fresh process prints that runs `code` at the root of the repository."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Node:
    """What only the collector can free: it refers to itself."""

    living = 0

    def __init__(self):
        self.itself = self
        Node.living += 1

    def __del__(self):
        Node.living -= 1


@pytest.fixture
def collecting():
    """A collector that is on, whatever a test leaves."""
    gc.enable()
    yield
    gc.unfreeze()
    gc.enable()


def test_the_collector_waits_while_it_is_paused_and_not_afterwards(collecting):
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), collector_paused():
        raise ImportError
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off(collecting):
    gc.disable()
    with collector_paused():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_what_was_made_meanwhile_is_old_and_freed_once_nothing_refers_to_it(collecting):
    gc.collect()
    with collector_paused():
        Node()
        kept = [[] for _ in range(10_000)]
    assert gc.get_freeze_count() == 0 and gc.get_count()[0] < len(kept) and Node.living == 1
    assert not any(kept[0] is each for each in gc.get_objects(generation=0))
    gc.collect()
    assert Node.living == 0


def test_what_the_caller_froze_stays_frozen(collecting):
    gc.freeze()
    frozen = gc.get_freeze_count()
    with collector_paused():
        pass
    assert gc.get_freeze_count() > frozen / 2 > 0  # other threads may have freed some


@pytest.mark.parametrize(
    "code",
    [
        "from gan_hub import GANPipeline",
        "from gan_hub.training import train",
        "import app",
    ],
)
def test_no_large_library_is_imported_under_the_eyes_of_the_collector(code):
    watch = """
import gc, sys
seen = set()
def note(phase, info):
    for name in ("torch", "diffusers", "gradio", "accelerate"):
        if getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False):
            seen.add(name)
gc.callbacks.append(note)
"""
    assert run_python(f"{watch}\n{code}\nprint(); print(seen)").splitlines()[-1] == "set()"


def test_the_collector_passes_rarely_while_a_command_imports_what_it_needs():
    count = (
        "import gc, sys\npasses = []\ngc.callbacks.append(lambda phase, info: passes.append(phase))\n"
        "from gan_hub import cli\nsys.argv[1:] = ['verify', 'mlp-mnist']"
    )
    printed = run_python(f"{count}\ncli.main()\nprint(len(passes))")
    assert int(printed.splitlines()[-1]) < 200  # two a pass; with Python's own threshold there are some thousand


def test_a_command_ends_without_a_search_for_garbage():
    code = (
        "import atexit, gc, sys; atexit.register(lambda: print(gc.get_freeze_count() > 1000)); sys.argv[1:] = ['list']"
    )
    assert run_python(f"{code}; from gan_hub import cli; cli.main()").splitlines()[-1] == "True"


def test_a_program_that_runs_a_command_keeps_its_collector_and_what_it_writes(tmp_path):
    code = f"""
import gc
from gan_hub import cli
class Report:
    def __init__(self):
        self.file, self.itself = open({str(tmp_path / "report.txt")!r}, "w"), self
before = gc.get_threshold()
report = Report()
report.file.write("written")
cli.main(["list"])
print(gc.get_threshold() == before)
"""
    assert run_python(code).splitlines()[-1] == "True"
    assert (tmp_path / "report.txt").read_text() == "written"  # closed by the search for garbage at the end


HEAVY = {"torch", "numpy", "PIL", "diffusers", "safetensors.torch", "gradio", "accelerate", "pandas", "matplotlib", "yaml",
         "huggingface_hub"}  # fmt: skip
COMMANDS = [command.__name__.split(".")[-1].replace("_", "-") for command in program.COMMANDS]


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import gan_hub", set()),
        ("run('--version')", set()),
        ("run('--help')", set()),
        (f"[run(name, '--help') for name in {sorted({*COMMANDS} - {'train'})}]", set()),
        ("run('list')", {"huggingface_hub", "yaml"}),
        ("run('no-such-command')", set()),
        ("run('demo', '--port', '0')", set()),
        ("from gan_hub.hub.zoo import list_models; list_models()", {"huggingface_hub", "yaml"}),
        ("from gan_hub import GANPipeline", HEAVY - {"gradio", "pandas", "matplotlib"}),
    ],
)
def test_a_light_path_imports_nothing_heavy(code, allowed):
    begin = """
import sys
from gan_hub import cli
def run(*arguments):
    try:
        cli.main(arguments)
    except SystemExit:
        pass
"""
    begin = "import sys" if code == "import gan_hub" else begin
    end = f"print(); print(*sorted({HEAVY - allowed} & set(sys.modules)))"
    assert run_python(f"{begin}\n{code}\n{end}").splitlines()[-1] == ""
