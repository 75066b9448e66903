"""Old import paths of public names keep working, and say where the names are now."""

import importlib
import subprocess
import sys

import pytest

from gan_hub import _moved


@pytest.mark.parametrize("old", _moved.MODULES)
def test_an_old_path_lends_the_names_of_the_new_one_with_a_warning(old):
    sys.modules.pop(old, None)
    new = importlib.import_module(_moved.MODULES[old])
    with pytest.warns(DeprecationWarning, match=f"{old} is {_moved.MODULES[old]} now"):
        module = importlib.import_module(old)
    names = [name for name in vars(new) if not name.startswith("_")]
    assert names and all(getattr(module, name) is getattr(new, name) for name in names)


@pytest.mark.parametrize("old", _moved.NAMES)
def test_a_name_that_changed_is_found_by_its_old_name(old):
    with pytest.warns(DeprecationWarning):
        sys.modules.pop(old, None)
        module = importlib.import_module(old)
    for before, now in _moved.NAMES[old].items():
        place, _, name = now.rpartition(":")
        there = importlib.import_module(place or _moved.MODULES[old])
        assert getattr(module, before) is getattr(there, name)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = module.nothing_of_the_kind


def test_what_a_user_of_the_last_release_wrote_still_runs():
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from gan_hub.loading import LoadError\n"
        "from gan_hub.metrics.directions import by_attribute\n"
        "import gan_hub; assert LoadError is gan_hub.LoadError\n"
        "try:\n    import gan_hub.nothing_here\nexcept ModuleNotFoundError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "No module named 'gan_hub.nothing_here'" in done.stdout


def test_names_of_the_data_room_that_changed_are_found_by_their_old_ones():
    from gan_hub import data

    with pytest.warns(DeprecationWarning, match="gan_hub.data.NoSuchSplit is NoSuchSplitError now"):
        assert data.NoSuchSplit is data.NoSuchSplitError
    with pytest.warns(DeprecationWarning, match="NAMED_DATASETS"):
        assert data.NAMED is data.NAMED_DATASETS
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = data.nothing_here
