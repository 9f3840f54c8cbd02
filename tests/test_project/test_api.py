"""The documents that are made from the source are what the source says; `python docs/generate.py --write` mends them."""

import importlib.util
import re
from pathlib import Path

import pytest

import gatys

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generate(script):
    return script("docs/generate.py")


def test_generated_documents_are_those_of_the_source(generate):
    for path, text in generate.documents().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `python docs/generate.py --write`"


def test_every_public_name_has_its_part_and_a_text(generate):
    parts = re.split(r"^### ", generate.api(), flags=re.MULTILINE)[1:]
    assert sorted(part.split("\n", 1)[0] for part in parts) == gatys.__all__
    for part in parts:
        words = re.sub(r"```.*?```", "", part.split("\n", 1)[1], flags=re.DOTALL)
        assert len(words.split()) >= 3, part


def test_a_docstring_s_parts_become_markdown(generate):
    text = """Do it.

        It goes on
        here, where x < y.

            a = b

        Args:
            one: of a kind,
                and more.
            two, three: of another.

        Raises:
            ValueError: if not.
        """
    assert generate.said(text).split("\n\n") == [
        "Do it.",
        "It goes on here, where x &lt; y.",
        "```text\na = b\n```",
        "**Args**",
        "- `one`: of a kind, and more.\n- `two`, `three`: of another.",
        "**Raises**",
        "- `ValueError`: if not.",
    ]


def test_a_signature_shows_what_a_reader_would_type(generate):
    block = generate.call("gatys.optimize", gatys.optimize, importlib.import_module("gatys.descent.optimize"))
    assert '    init: Init | str | Tensor = "auto",\n' in block and "\n) -> Result\n" in block
    assert "<" not in block  # as in the repr of an object


def test_without_write_it_says_what_differs(generate, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("old", encoding="utf-8")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "documents", lambda: {page: "new"})
    assert generate.main([]) == 1 and page.read_text(encoding="utf-8") == "old"
    assert "page.md" in capsys.readouterr().out
    assert generate.main(["--write"]) == 0 and page.read_text(encoding="utf-8") == "new"
    assert generate.main([]) == 0
    assert generate.main(["--wirte"]) == 2
