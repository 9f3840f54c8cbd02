"""The words of the nodes in other languages, `locales/`: English against the schemas, the others against English.

After a change of the schemas, the presets or `web/gatys_texts.json`: `PYTHONPATH=tests python tests/test_nodes/test_locales.py --write`. It writes English anew
and takes out of the other languages what was said in other words before, which then has to be translated again.
"""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCALES = ROOT / "locales"
# Those that the host's page offers and somebody here can write. It has no others but ar, tr and fa; 1.27.10 lacks pt-BR,
# tr and fa (frontend 1.27.10, 1.45.21).
LANGUAGES = ("es", "fr", "ja", "ko", "pt-BR", "ru", "zh", "zh-TW")
FILES = ("main.json", "nodeDefs.json")
CATEGORIES = ("style transfer",)  # the host knows "image"


def read(file):
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def english():
    """What each file of `locales/en` should hold."""
    schemas = read(Path(__file__).parents[1] / "schemas.json")
    presets = read(ROOT / "web" / "gatys_presets.json")
    told = {name: {word: preset[word] for word in ("title", "remark")} for name, preset in presets.items()}
    return {
        "main.json": {
            "nodeCategories": {name: name for name in CATEGORIES},
            "gatysPresets": {**read(ROOT / "web" / "gatys_texts.json"), "presets": told},
        },
        "nodeDefs.json": {node_id: words_of(info) for node_id, info in schemas.items()},
    }


def words_of(info):
    """A node's words in the form that the page looks them up in."""
    inputs = {
        name: {"name": options.get("display_name") or name, "tooltip": options["tooltip"]}
        for kind, sockets in info["input"].items()
        if kind != "hidden"
        for name, (_, options) in sockets.items()
    }
    outputs = zip(info["output_name"], info["output_tooltips"], strict=True)
    return {
        "display_name": info["display_name"],
        "description": info["description"],
        "inputs": inputs,
        "outputs": {str(slot): {"name": name, "tooltip": tooltip} for slot, (name, tooltip) in enumerate(outputs)},
    }


def flat(tree, path=()):
    """{("GatysOptimize", "inputs", "steps", "name"): "steps", ...}"""
    if isinstance(tree, str):
        return {path: tree}
    return {where: text for key, branch in tree.items() for where, text in flat(branch, (*path, key)).items()}


def nested(texts):
    tree = {}
    for (*path, last), text in texts.items():
        branch = tree
        for key in path:
            branch = branch.setdefault(key, {})
        branch[last] = text
    return tree


@pytest.mark.parametrize("name", FILES)
def test_english_is_that_of_the_schemas(name):
    assert read(LOCALES / "en" / name) == english()[name]


def test_there_are_these_languages_and_files():
    assert {folder.name for folder in LOCALES.iterdir()} == {"en", *LANGUAGES}
    for folder in LOCALES.iterdir():
        assert {file.name for file in folder.iterdir()} == set(FILES), folder.name


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_the_keys_of_english(language, name):
    there, expected = list(flat(read(LOCALES / language / name))), list(flat(english()[name]))
    assert [key for key in expected if key not in there] == [], "not translated"
    assert there == expected


SAME = {"fr": {"image", "style", "description"}, "es": {"factor"}}  # the same in both languages
SAME_EVERYWHERE = re.compile(r"conv\d_\d")
SCRIPTS = {
    "ja": "[\u3040-\u30ff\u4e00-\u9fff]",
    "ko": "[\uac00-\ud7a3]",
    "ru": "[\u0400-\u04ff]",
    "zh": "[\u4e00-\u9fff]",
    "zh-TW": "[\u4e00-\u9fff]",
}
ENGLISH = re.compile(
    r"\b(the|of|and|with|without|from|for|where|which|as|is|are|or|to|it|its|each|by)\b", re.IGNORECASE
)
THEIRS = {"pt-BR": {"as", "for"}}  # words of the language that English has, too


VALUE = r"\b(?:auto|noise|mean|lbfgs|adam|average|max|inside|relu|conv|zero|replicate|circular|untrained|imagenet)"


def pairs(language):
    """(where, English, translation) of every text."""
    for name, tree in english().items():
        there = flat(read(LOCALES / language / name))
        yield from ((f"{language} {' '.join(where)}", text, there[where]) for where, text in flat(tree).items())


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_left_in_english(language):
    for where, text, translation in pairs(language):
        if SAME_EVERYWHERE.fullmatch(text) or text in SAME.get(language, ()):
            continue
        assert translation.strip() == translation != text, where
        if language in SCRIPTS:
            written = re.search(SCRIPTS[language], translation)
            assert written or translation == "VGG19", f"{where}: {translation}"
        left = {word.lower() for word in ENGLISH.findall(translation)}
        assert left <= THEIRS.get(language, set()), f"{where}: {translation}"


@pytest.mark.parametrize("language, charset", (("zh", "gb2312"), ("zh-TW", "big5")))
def test_chinese_is_written_in_the_characters_of_its_readers(language, charset):
    for where, _, translation in pairs(language):
        "".join(re.findall(SCRIPTS[language], translation)).encode(
            charset
        )  # simplified ones are not in Big5, and so on
        assert not re.search("[“”]" if language == "zh-TW" else "[「」]", translation), where


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_and_numbers_are_those_of_english(language):
    for where, text, translation in pairs(language):
        # what stands in braces, names of layers and folders, numbers, and values of a menu, as in "adam: ..."
        for pattern in (r"\{\w+\}", r"conv\d_\d", r"models/[a-z0-9_]+", r"\d+\.\d+|\d{3,}", rf"{VALUE}(?= ?[:\uff1a])"):
            assert sorted(re.findall(pattern, translation)) == sorted(re.findall(pattern, text)), (
                f"{where}: {translation}"
            )


@pytest.mark.parametrize("language", ("en", *LANGUAGES))
def test_the_page_can_read_every_text(language):
    for where, _, text in pairs(language):
        assert not re.search(r"[@|$]|%\{", text), f"{where}: vue-i18n gives these a meaning"
        assert "{" not in text or " gatysPresets " in where, where


def write():
    changed = set()
    for name, tree in english().items():
        new, old = flat(tree), flat(read(LOCALES / "en" / name))
        stale = {where for where in new if old.get(where, new[where]) != new[where]}
        for language in ("en", *LANGUAGES):
            file = LOCALES / language / name
            texts = flat(read(file)) if language != "en" else new
            texts = {
                where: texts[where] for where in new if where in texts and (language == "en" or where not in stale)
            }
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(nested(texts), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            changed |= {(name, *where) for where in new if where not in texts}
    for where in sorted(changed):
        print("to translate:", " ".join(where))


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: PYTHONPATH=tests python tests/test_nodes/test_locales.py --write")
    write()
