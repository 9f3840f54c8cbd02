"""The help pages and the gallery: no picture is missing or too large for a page, no input is forgotten.

A page in another language ends in the digest of the English page that it was made from. After a change there, translate
it, and put the digest there that the test tells.
"""

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "web" / "docs").glob("*.md"))
LANGUAGES = ("ja", "zh")
TRANSLATIONS = [(page, language) for page in PAGES for language in LANGUAGES]
QUOTED = {"ja": r"「([^」]+)」", "zh": r"“([^”]+)”"}
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs" / "gallery.md"], ids=lambda page: page.stem)
def test_every_picture_is_there_and_small(page):
    for name in PICTURE.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / name).stat().st_size < 120_000, name


def test_every_sheet_is_in_a_page_and_in_the_gallery():
    sheets = {file.name for file in (ROOT / "web" / "docs" / "gallery").iterdir()}
    for pages in (PAGES, [ROOT / "docs" / "gallery.md"]):
        shown = {Path(name).name for page in pages for name in PICTURE.findall(page.read_text(encoding="utf-8"))}
        assert shown == sheets


def widgets_of(node):
    inputs = json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8"))[node]["input"]
    return {
        name
        for kind in ("required", "optional")
        for name, (of, _) in inputs.get(kind, {}).items()
        if of in ("INT", "FLOAT", "BOOLEAN", "STRING", "COMBO") and not name.startswith("conv")
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_tells_of_every_widget(page):
    text = page.read_text(encoding="utf-8")
    assert {name for name in widgets_of(page.stem) if not re.search(rf"\b{name}\b", text)} == set()


# in other languages


def test_there_are_these_pages():
    """`en.md` is what the page asks for first in English; `docs/generate.py` writes it, and test_api.py compares it."""
    for page in PAGES:
        assert {file.name for file in page.with_suffix("").iterdir()} == {"en.md", *(f"{one}.md" for one in LANGUAGES)}


def translation(page, language):
    text = (page.with_suffix("") / f"{language}.md").read_text(encoding="utf-8")
    body, mark = text.rstrip().rsplit("\n\n", 1)
    return body, mark


def words_of(language, name="nodeDefs.json"):
    return json.loads((ROOT / "locales" / language / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("page", "language"), TRANSLATIONS, ids=lambda value: getattr(value, "stem", value))
def test_a_translation_is_of_the_page_that_is_there(page, language):
    digest = hashlib.sha256(page.read_bytes()).hexdigest()[:12]
    assert translation(page, language)[1] == f"<!-- English: {digest} -->", "translate what has changed"


@pytest.mark.parametrize(("page", "language"), TRANSLATIONS, ids=lambda value: getattr(value, "stem", value))
def test_a_translation_has_the_pictures_values_and_numbers_of_the_page(page, language):
    english, (text, _) = page.read_text(encoding="utf-8"), translation(page, language)
    assert PICTURE.findall(text) == PICTURE.findall(english)
    assert text.count("\n#") == english.count("\n#") and text.count("\n- ") == english.count("\n- ")
    values = set(re.findall(r"`([^`]+)`", english)) - widgets_of(page.stem) - set(words_of("en")[page.stem]["inputs"])
    values -= {"(1 - factor)", "factor"}  # whose name is translated
    assert {value for value in values if f"`{value}`" not in text} == set()
    numbers = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", re.ASCII)
    assert set(numbers.findall(english)) - set(numbers.findall(text)) == set()


@pytest.mark.parametrize(("page", "language"), TRANSLATIONS, ids=lambda value: getattr(value, "stem", value))
def test_a_translation_calls_nodes_and_widgets_as_the_page_does(page, language):
    words, (text, _) = words_of(language), translation(page, language)
    node = words[page.stem]
    assert text.startswith(f"# {node['display_name']}\n")
    assert {name for name in widgets_of(page.stem) if node["inputs"][name]["name"] not in text} == set()
    known = {word["display_name"] for word in words.values()}
    known |= {each["name"] for word in words.values() for each in word["inputs"].values()}
    known |= {words_of(language, "main.json")["gatysPresets"]["label"], "看"}
    assert set(re.findall(QUOTED[language], text)) <= known
