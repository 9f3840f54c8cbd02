"""The help pages and the gallery: no picture is missing or too large for a page, no input is forgotten."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "web" / "docs").glob("*.md"))
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_tells_of_every_widget(page):
    inputs = json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8"))[page.stem]["input"]
    text = page.read_text(encoding="utf-8")
    widgets = {
        name
        for kind in ("required", "optional")
        for name, (of, _) in inputs.get(kind, {}).items()
        if of in ("INT", "FLOAT", "BOOLEAN", "STRING", "COMBO") and not name.startswith("conv")
    }
    assert {name for name in widgets if not re.search(rf"\b{name}\b", text)} == set()
