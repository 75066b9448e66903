"""The examples in the docstrings of the room's functions run as they stand."""

import doctest
from types import FunctionType

import pytest

from gan_hub import data

FUNCTIONS = [name for name in data.__all__ if isinstance(getattr(data, name), FunctionType)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_example_does_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(data, name), name)
    faults: list[str] = []
    doctest.DocTestRunner().run(example, out=faults.append)
    assert example.examples and not faults, "".join(faults)
