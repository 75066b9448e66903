"""How the package reads: docstrings and their sections, examples that run, plain words, files and functions of a size.

`python tests/test_style.py FILE ...` lists what is wrong in some files. The rules stand in CONTRIBUTING.md.
"""

import ast
import doctest
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "gan_hub").rglob("*.py"))

MAX_FILE, MAX_FUNCTION = 400, 60  # lines
LAYOUT_OF_THE_PAGE = {"build"}  # functions that only list components of the page
NAMES_IN_FILES = {"hair_colour", "clothes_colour"}  # columns of attributes.csv, keys of published reports
# Names that say nothing about what they hold, and words that a reader has to guess at.
EMPTY_NAMES = {"told", "said", "found", "given", "shown", "asked", "gone", "ours", "theirs", "those", "each_one"}
RIDDLES = re.compile(
    r"\b(whoever|nobody|everybody|somebody|whose chance|taken at (its|his) word|comes to where|so many as|as were|"
    r"told apart from|the wiser|by the clock alone|is no one's|behindhand)\b",
    re.IGNORECASE,
)
# A function's docstring says what to do or what comes out: "Write a file", "The sum of"; not "Writes a file".
THIRD_PERSON = re.compile(
    r"(Adds|Checks|Converts|Decodes|Draws|Finds|Gives|Loads|Makes|Moves|Parses|Prints|Puts|Raises|Reads|Refuses|Removes|"
    r"Replaces|Returns|Runs|Saves|Takes|Turns|Writes)\b"
)
BRITISH = re.compile(
    r"(normalis|initialis|optimis|regularis|generalis|visualis|colour|memoris|penalis|equalis|summaris)"
)


def parameters(function: ast.FunctionDef) -> list[str]:
    """The names of a function's parameters, without self and cls, and without *args and **kwargs."""
    arguments = function.args
    names = [arg.arg for arg in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
    return [name for name in names if name not in ("self", "cls")]


def definitions(tree: ast.Module) -> Iterator[tuple[str, ast.AST, bool]]:
    """(dotted name, node, is public) of every class, function and method; those inside functions are left out."""

    def walk(body: list[ast.stmt], prefix: str, public: bool) -> Iterator[tuple[str, ast.AST, bool]]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                here = public and not node.name.startswith("_")
                yield f"{prefix}{node.name}", node, here
                if isinstance(node, ast.ClassDef):
                    yield from walk(node.body, f"{prefix}{node.name}.", here)

    yield from walk(tree.body, "", True)


def raises(function: ast.FunctionDef) -> bool:
    """Whether a function itself raises something anew, rather than letting pass what it caught."""
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(function))


def is_overload_or_setter(function: ast.FunctionDef) -> bool:
    """Whether a decorator says that the docstring stands elsewhere."""
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    return any(name.endswith((".setter", "overload", "override")) for name in decorators)


def section_faults(name: str, function: ast.FunctionDef, doc: str) -> Iterator[str]:
    """What is missing of the sections that a public function with three or more parameters has."""
    if len(parameters(function)) < 3 or function.name == "forward" or function.name.startswith("__"):
        return  # `forward` is one interface, which models/modeling.py and models/mixins.py describe
    described = set(re.findall(r"^ {4,}\*{0,2}(\w+)(?: \([^)]*\))?:", doc.partition("Args:")[2], re.MULTILINE))
    described |= {n for names in re.findall(r"^ {4,}(\w+(?:, \w+)+):", doc, re.MULTILINE) for n in names.split(", ")}
    missing = [each for each in parameters(function) if each not in described]
    if "Args:" not in doc:
        yield f"{name}: no section Args:"
    elif missing:
        yield f"{name}: Args: leaves out {', '.join(missing)}"
    returns = function.returns is not None and ast.unparse(function.returns) not in ("None", "NoReturn")
    if returns and not re.search(r"^ *(Returns|Yields):", doc, re.MULTILINE):
        yield f"{name}: no section Returns:"
    if raises(function) and "Raises:" not in doc:
        yield f"{name}: no section Raises:"


def docstring_faults(name: str, node: ast.AST) -> Iterator[str]:
    """What is wrong with the docstring of a public class or function."""
    doc = ast.get_docstring(node, clean=False)
    if not doc:
        if name.rpartition(".")[2] not in ("forward", "build"):
            yield f"{name}: no docstring"
        return
    first = doc.strip().splitlines()[0]
    if not first.endswith((".", ":", "?", "!")):
        yield f"{name}: the first line of its docstring is no sentence of its own"
    if isinstance(node, ast.FunctionDef):
        if THIRD_PERSON.match(first):
            yield f"{name}: its docstring opens with {first.split()[0]!r}, which is no imperative"
        yield from section_faults(name, node, doc)


def name_faults(tree: ast.Module) -> Iterator[str]:
    """Variables, parameters and functions called by words that say nothing about what they hold."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names = [node.id]
        elif isinstance(node, ast.arg):
            names = [node.arg]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names = [node.name]
        for name in names:
            if name.strip("_") in EMPTY_NAMES:
                yield f"line {node.lineno}: {name!r} does not say what it holds"
            elif BRITISH.search(name.lower()) and name not in NAMES_IN_FILES:
                yield f"line {node.lineno}: {name!r} is not in American spelling"


def prose_faults(text: str) -> Iterator[str]:
    """Riddles in docstrings, comments and messages."""
    for number, line in enumerate(text.splitlines(), 1):
        riddle = RIDDLES.search(line)
        if riddle:
            yield f"line {number}: {riddle[0]!r}; say it plainly"


def faults(text: str) -> list[str]:
    """Everything that is wrong with the text of one file of the package, a sentence each."""
    tree = ast.parse(text)
    wrong = []
    opening = ast.get_docstring(tree) or ""
    lines = len(text.splitlines())
    if lines > MAX_FILE and "one file because" not in opening:
        wrong.append(f"{lines} lines; more than {MAX_FILE} need a reason in the docstring: 'one file because …'")
    for name, node, public in definitions(tree):
        size = node.end_lineno - node.lineno + 1
        if isinstance(node, ast.FunctionDef) and size > MAX_FUNCTION and node.name not in LAYOUT_OF_THE_PAGE:
            wrong.append(f"{name}: {size} lines, more than {MAX_FUNCTION}")
        if public and not (isinstance(node, ast.FunctionDef) and is_overload_or_setter(node)):
            wrong += docstring_faults(name, node)
    return [*wrong, *name_faults(tree), *prose_faults(text)]


def public_classes() -> list[type]:
    """The classes that users meet: those of gan_hub and its rooms' `__all__`."""
    import importlib

    rooms = ["gan_hub", *(f"gan_hub.{path.parent.name}" for path in sorted((ROOT / "gan_hub").glob("*/__init__.py")))]
    modules = [importlib.import_module(room) for room in rooms]
    named = [getattr(module, name) for module in modules for name in getattr(module, "__all__", ())]
    return sorted({item for item in named if isinstance(item, type)}, key=lambda cls: cls.__qualname__)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_reads_as_the_others(path):
    assert faults(path.read_text(encoding="utf-8")) == []


def test_the_example_of_every_public_class_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finder, wrong = doctest.DocTestFinder(recurse=False), []
    for cls in public_classes():
        if issubclass(cls, Exception):
            continue  # an error is met, not made
        examples = [test for test in finder.find(cls, cls.__qualname__) if test.examples]
        if not examples:
            wrong.append(f"{cls.__qualname__}: its docstring has no Example: with >>> lines")
        for example in examples:
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
            runner.run(example, out=wrong.append)
    assert wrong == [], "\n".join(wrong)


def test_the_rules_notice_what_breaks_them():
    for text, word in (
        ("def f(a, b, c) -> int:\n    '''Adds.'''\n    return 1\n", "Args"),
        (
            "def f(a, b, c) -> int:\n    '''Adds.\n\n    Args:\n        a, b: x.\n\n    Returns: y.\n    '''\n",
            "leaves out c",
        ),
        ("def f(a, b, c) -> int:\n    '''Adds.\n\n    Args:\n        a, b, c: x.\n    '''\n    return 1\n", "Returns"),
        (
            "def f(a, b, c):\n    '''A.\n\n    Args:\n        a, b, c: x.\n    '''\n    raise ValueError('x')\n",
            "Raises",
        ),
        ("def f(a):\n    pass\n", "no docstring"),
        ("def f(a):\n    '''Writes a.'''\n", "no imperative"),
        ("class F:\n    '''Nothing'''\n", "no sentence"),
        ("told = 1\n", "does not say"),
        ("def _f(normalise):\n    pass\n", "American"),
        ("# whoever asks\n", "plainly"),
        ("def _f():\n" + "    pass\n" * 61, "lines, more than"),
        ("x = 1\n" * 401, "one file because"),
    ):
        assert any(word in fault for fault in faults(text)), (text[:60], faults(text))
    assert faults("def f(a, b):\n    '''Add a and b.'''\n    return a + b\n") == []


if __name__ == "__main__":
    count = 0
    for argument in sys.argv[1:]:
        for fault in faults(Path(argument).read_text(encoding="utf-8")):
            count += 1
            print(f"{argument}: {fault}")
    print(f"{count} faults")
