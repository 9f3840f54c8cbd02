"""The documents: they are short, their links and names lead somewhere, and the README's lines of Python run."""

import ast
import re
import warnings
from functools import partial
from pathlib import Path

import pytest
import torch

import gatys

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "RESULTS.md"])
PAGES += [ROOT / "examples" / "README.md"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(
    r"`(?:PYTHONPATH=tests )?(?:python )?((?:gatys|nodes|tests|docs|benchmarks|examples|web|locales|\.ci|\.github)/[\w./-]+)"
)
TEST_FILE = re.compile(r"\btest_\w+\.py\b")
TEST = re.compile(r"`(test_\w+?)(?:_?\.\.\.)?`")


def name_of(page):
    return str(page.relative_to(ROOT))


def anchors(page):
    """Of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_named_is_there(page):
    text = page.read_text(encoding="utf-8")
    for name in FILE.findall(text):
        assert (ROOT / name).exists(), name
    there = {path.name for path in (ROOT / "tests").rglob("*.py")}
    assert set(TEST_FILE.findall(text)) <= there


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_that_is_named_is_there(page):
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for name in TEST.findall(page.read_text(encoding="utf-8")):
        assert f"def {name}" in source, name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_opens_with_a_sentence(page):
    title, opening = page.read_text(encoding="utf-8").split("\n\n")[:2]
    assert re.match(r"# \w", title)
    assert opening[0].isupper() or opening[0] == "`"
    assert opening.rstrip()[-1] in ".:"


def test_pages_that_are_to_be_short_are():
    assert len(README.splitlines()) <= 150
    assert len((ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_first_screen_has_the_two_commands():
    commands = re.findall(r"^python3 -m venv .*", README, re.MULTILINE)
    assert len(commands) == 2 and README[: README.index(commands[1])].count("\n") < 40


def test_every_document_is_to_be_found_from_the_readme():
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in LINK.findall(README) if "://" not in link}
    assert {page for page in PAGES if "examples" not in page.parts} - linked == {ROOT / "README.md"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_lines_of_python_import_and_name_what_there_is(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        if page.name == "api.md":
            continue  # it has signatures, which are those of the source
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                exec(ast.unparse(node), {})  # noqa: S102 (the page's own line)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "gatys":
                assert node.attr in gatys.__all__


def test_every_function_of_the_equations_is_there():
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "gatys").rglob("*.py"))
    rows = [
        row.split("|") for row in (ROOT / "docs" / "equations.md").read_text("utf-8").splitlines() if "](../" in row
    ]
    assert len(rows) > 10
    for row in rows:
        for code in re.findall(r"`([\w.]+)(?:\(\.\.\.\)\.(\w+)\(\w+\))?`", row[2]):
            for name in filter(None, (*code[0].split("."), code[1])):
                assert re.search(rf"\b(?:def|class) {name}\b|\b{name}: ", source), name


def test_the_readme_s_lines_of_python_run():
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) == 5
    photo, painting = (torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    names = {"photo": photo, "painting": painting}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        (loader,) = re.findall(r"gatys\.(load_vgg\w*)\(\)", block)
        untrained = getattr(gatys, loader)("untrained")
        patch.setattr(gatys, loader, lambda: untrained)
        patch.setattr(gatys, "optimize", partial(gatys.optimize, steps=3))
        exec(block, names)  # noqa: S102 (the page's own lines)
    assert names["result"].image.shape == photo.shape and len(names["result"].history) == 3
