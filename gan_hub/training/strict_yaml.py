"""YAML of recipes, read strictly (no duplicate keys, bounded size, YAML 1.2 numbers) and written so that it reads back."""

import re
from pathlib import Path
from typing import Any

import yaml

from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError, read_bytes

MAX_BYTES = 100_000
MAX_NODES = 10_000  # keys and values, with everything written out that an alias (*name) repeats
MAX_DEPTH = 20

TAG = "tag:yaml.org,2002:"
# YAML 1.1, which PyYAML follows, takes 2e-4 for text, off for false, 010 for 8, and refuses 2001-99-99 as no date.
PLAIN = {  # what an unquoted word is → the words, and how they may begin; the first that fits
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "int": (r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    "merge": (r"<<", "<"),
}


class _Loader(yaml.SafeLoader):
    """A SafeLoader of the plain types alone, which checks a document's size before it constructs anything."""

    yaml_implicit_resolvers = {}
    yaml_constructors = {
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (*(TAG + kind for kind in ("map", "seq", "str", "float", "bool", "null")), None)
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.measured: dict[int, tuple[int, int]] = {}  # id of a node → how many are in it, and how deep it is

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, and raise before one that is too deep or one too many."""
        self.depth += 1
        event = self.peek_event()
        if self.depth > MAX_DEPTH or len(self.measured) > MAX_NODES:
            raise self.too_large(event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if not isinstance(event, yaml.AliasEvent):
            self.measured[id(node)] = self.measure(node, event.start_mark)
        elif id(node) not in self.measured:
            raise yaml.MarkedYAMLError(
                problem=f"the alias {short_repr(event.anchor)} repeats what it stands in", problem_mark=event.start_mark
            )
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping, and raise for a key that occurs twice."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if (key.tag, str(key.value)) in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {short_repr(key.value)} is there twice", problem_mark=key.start_mark
                )
            seen.add((key.tag, str(key.value)))
        return node

    def measure(self, node: Any, mark: yaml.Mark) -> tuple[int, int]:
        """How many nodes are in a node, aliases written out, and how deep it is nested."""
        children = [] if isinstance(node, yaml.ScalarNode) else node.value
        if isinstance(node, yaml.MappingNode):
            children = [part for pair in children for part in pair]
        sizes = [self.measured[id(child)] for child in children]
        nodes, depth = 1 + sum(size for size, _ in sizes), 1 + max((deep for _, deep in sizes), default=0)
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise self.too_large(mark)
        return nodes, depth

    @staticmethod
    def too_large(mark: yaml.Mark) -> yaml.MarkedYAMLError:
        """The error for a document with too many or too deep nodes."""
        most = f"more than {MAX_NODES:,} keys and values, aliases written out, or nested more than {MAX_DEPTH} deep"
        return yaml.MarkedYAMLError(problem=most, problem_mark=mark)

    def construct_int(self, node: yaml.ScalarNode) -> int:
        """An integer: 0o and 0x are prefixes, a leading 0 is none."""
        text = self.construct_scalar(node)
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or 1.2 would read as anything else."""


_Loader.add_constructor(TAG + "int", _Loader.construct_int)
for _kind, (_words, _first) in PLAIN.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(TAG + _kind, re.compile(rf"(?:{_words})\Z"), list(_first))


def parse(text: str) -> object:
    """A document as dicts, lists, text, numbers, true, false, null. Raises ValueError where it is malformed or too large."""
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        raise ValueError(f"{words[:300]}{f', line {mark.line + 1}' if mark else ''}") from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())[:300]) from error
    except (ValueError, LookupError, RecursionError) as error:  # of a number of 5,000 digits, of !!bool maybe
        raise ValueError(f"a value is not what its kind asks for: {short_repr(str(error), 200)}") from error
    finally:
        if loader is not None:
            loader.dispose()


def read(path: Path) -> object:
    """`parse` of a regular file of at most MAX_BYTES in UTF-8. Raises ValueError, which names the file."""
    try:
        return parse(read_bytes(path, MAX_BYTES).decode("utf-8"))
    except LoadError:
        raise
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: cannot be read (it is no text in UTF-8).") from error
    except ValueError as error:
        raise ValueError(f"{path}: cannot be read ({error}).") from error


def dump(value: object) -> str:
    """A text that `parse`, and any reader of YAML, reads as `value`."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
