"""The house: rooms whose imports point one way, and no module, function or first level that is too large to read."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "gatys"
ORDER = [
    "errors",
    "settings",
    "pictures",
    "network",
    "passes",
    "targets",
    "objective",
    "descent",
    "video",
    "published",
    "cli",
    "distributed",
    "__main__",
]
"""Of the rooms, the lowest first: a module imports from its own room and from lower ones only."""
MODULES = {
    ".".join(("gatys", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imports(module):
    """The modules of the package that a module imports, at whatever place in it."""
    path = MODULES[module]
    package = path.relative_to(ROOT.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            for alias in node.names:
                names = [".".join(filter(None, base)), ".".join(filter(None, [*base, alias.name]))]
                yield next(name for name in reversed(names) if name in MODULES)


def room(module):
    return module.split(".")[1]


INSIDE = [module for module in MODULES if module != "gatys"]


@pytest.mark.parametrize("module", INSIDE)
def test_imports_point_to_lower_rooms(module):
    for other in imports(module):
        assert ORDER.index(room(other)) <= ORDER.index(room(module)), f"{module} imports {other}, which lies above it"


def test_no_module_is_part_of_a_circle():
    done, way = set(), []

    def visit(module):
        assert module not in way, f"a circle: {' -> '.join([*way, module])}"
        if module not in done:
            way.append(module)
            for other in imports(module):
                if other != module:
                    visit(other)
            done.add(way.pop())

    for module in INSIDE:
        visit(module)
    assert done >= set(INSIDE)


def test_nothing_imports_the_wing_of_processes():
    wing = [module for module in INSIDE if room(module) == "distributed"]
    assert wing
    assert [m for m in INSIDE if room(m) not in ("distributed", "__main__") and set(imports(m)) & set(wing)] == []


def test_the_first_level_is_seen_at_a_glance():
    entries = {path.name for path in ROOT.iterdir() if path.name not in ("__pycache__", "py.typed")}
    assert len(entries) <= 14, sorted(entries)
    assert (ROOT / "py.typed").is_file()


SOURCES = [*MODULES.values(), *sorted((ROOT.parent / "nodes").glob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT.parent)))
def test_modules_and_functions_can_be_read(path):
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= 350
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node):
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            assert lines <= 80, f"{node.name} has {lines} lines beside its docstring"


TELEGRAMS = (
    *("A", "An", "All", "As", "Both", "Bytes", "Every", "From", "How", "Number", "Of", "Pixels", "Return", "Returns"),
    *("Rows", "Steps", "That", "The", "Those", "What", "Whatever", "Where", "Whether", "Which", "While", "Whoever"),
)
"""Words that open no imperative; a function that returns something gives it."""


def docstrings(path):
    """Yield each definition of a file, the file itself included, with the first paragraph of its docstring."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text is not None:
                yield node, text.split("\n\n")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT.parent)))
def test_every_docstring_opens_with_a_sentence(path):
    found = list(docstrings(path))
    assert isinstance(found[0][0], ast.Module), "the module has no docstring"
    for node, opening in found:
        assert opening[0].isupper() or opening[0] == "`", opening
        assert opening[-1] in ".:;", opening
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert opening.split()[0] not in TELEGRAMS, f"{node.name}: {opening}"
