"""The extension by which mkdocstrings reads our docstrings."""

import sys
from pathlib import Path

import griffe

sys.path.insert(0, str(Path(__file__).parent))
from docstrings import sections


class Sections(griffe.Extension):
    """Rewrites each docstring of the package as it is read."""

    def on_instance(self, *, obj: griffe.Object, **kwargs) -> None:
        """Called for each object that has been read."""
        if obj.docstring:
            obj.docstring.value = sections(obj.docstring.value)
