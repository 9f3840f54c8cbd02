"""What is published: the archive of the nodes, what the registry and PyPI are told, pictures for their pages, forms."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

tomllib = pytest.importorskip("tomllib", reason="from Python 3.11 on")

ROOT = Path(__file__).resolve().parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
PLACE = ("someone/some.pack", "v1.2.3")
LINK = re.compile(r"\]\(([^)\s]+)\)")
checkout = pytest.mark.skipif("[project.urls]" in PROJECT, reason="a distribution: its addresses are in place already")


@pytest.fixture(scope="module")
def addresses(script):
    return script(".github/addresses.py")


@pytest.fixture(scope="module")
def packed():
    """The files that `comfy node pack` puts into the archive: what git tracks, but for .comfyignore."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no checkout of git, which the archive is made from")

    def listed(*arguments):
        command = ["git", "-C", str(ROOT), "ls-files", "--cached", *arguments]
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())

    return sorted(listed() - listed("--ignored", "--exclude-from=.comfyignore"))


def test_the_archive_holds_what_users_need_and_nothing_else(packed):
    kinds = {
        "gatys": {".py", ".typed"},
        "nodes": {".py"},
        "locales": {".json"},
        "web": {".js", ".json", ".md", ".jpg"},
        "example_workflows": {".json", ".jpg"},
        "subgraphs": {".json"},
        "docs": {".md", ".jpg"},
        "examples": {".md", ".jpg", ".webp", ".mp4", ".ipynb"},
    }
    found = {}
    for name in packed:
        if "/" in name:
            found.setdefault(name.partition("/")[0], set()).add(Path(name).suffix)
    assert found == kinds
    alone = {name for name in packed if "/" not in name}
    assert alone == {"__init__.py", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"}
    # pictures that workflows and the README's first command ask for
    assert {name[9:] for name in packed if name.startswith("examples/") and name.endswith((".jpg", ".webp"))} == {
        *("content.jpg", "style.jpg", "style2.jpg", "dusk.jpg", "panorama.jpg", "portrait.webp")
    }
    assert sum((ROOT / name).stat().st_size for name in packed) < 9_000_000


def test_pages_in_the_archive_find_their_pictures_there(packed):
    for name in packed:
        if name.startswith("docs/") and name.endswith(".md"):
            for link in LINK.findall((ROOT / name).read_text("utf-8")):
                if link.endswith((".jpg", ".png")):
                    assert (ROOT / name).parent.joinpath(link).resolve().relative_to(ROOT).as_posix() in packed, name


@checkout
def test_the_owner_fills_in_one_thing():
    comfy = tomllib.loads(PROJECT)["tool"]["comfy"]
    assert [key for key, value in comfy.items() if not value] == ["PublisherId"]
    project = tomllib.loads(PROJECT)["project"]
    for key in ("name", "version", "description", "readme", "license", "requires-python", "authors", "keywords"):
        assert project[key], key
    assert set(comfy) == {"PublisherId", "DisplayName", "Icon", "Banner", "requires-comfyui"}


def test_pythons_are_those_that_are_tested():
    project = tomllib.loads(PROJECT)["project"]
    named = re.findall(r"Programming Language :: Python :: 3\.(\d+)", "\n".join(project["classifiers"]))
    (matrix,) = re.findall(r"python: \[(.*)\]", (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))
    tested = re.findall(r"3\.(\d+)", matrix)
    assert project["requires-python"] == f">=3.{named[0]}"
    assert named == [str(minor) for minor in range(int(named[0]), int(named[-1]) + 1)]
    assert {named[0], named[-1]} <= set(tested) <= set(named)


@checkout
def test_icon_and_banner_have_the_sizes_that_the_registry_takes():
    comfy = tomllib.loads(PROJECT)["tool"]["comfy"]
    with Image.open(ROOT / comfy["Icon"]) as icon, Image.open(ROOT / comfy["Banner"]) as banner:
        assert icon.size == (400, 400)
        assert banner.width * 9 == banner.height * 21 and banner.width >= 1000
    assert all((ROOT / comfy[name]).stat().st_size < 300_000 for name in ("Icon", "Banner"))


@checkout
@pytest.mark.parametrize("pypi", [False, True])
def test_published_metadata_is_complete(addresses, pypi):
    told = tomllib.loads(addresses.addressed_project(PROJECT, *PLACE, pypi=pypi))
    before = tomllib.loads(PROJECT)
    home = "https://github.com/someone/some.pack"
    urls = told["project"].pop("urls")
    assert urls["Repository"] == home and {"Documentation", "Bug Tracker", "Changelog"} < set(urls)
    assert all(url.startswith(home) for url in urls.values())
    for name in ("Icon", "Banner"):
        address = told["tool"]["comfy"].pop(name)
        assert (
            address == f"https://raw.githubusercontent.com/someone/some.pack/v1.2.3/{before['tool']['comfy'].pop(name)}"
        )
    environments = [name for name in told["project"]["classifiers"] if name.startswith("Environment :: ")]
    if pypi:  # which refuses what is not in its list
        assert told["project"].pop("readme") == addresses.PYPI_PAGE and before["project"].pop("readme") == "README.md"
        assert environments == ["Environment :: GPU :: NVIDIA CUDA"]
        before["project"]["classifiers"] = [
            name
            for name in before["project"]["classifiers"]
            if name in environments or not name.startswith("Environment :: ")
        ]
    else:
        assert len(environments) == 4
    assert told == before  # and nothing else is changed


def test_the_readme_of_package_pages_has_no_relative_address(addresses):
    told = addresses.addressed_readme(README, *PLACE)
    before, after = LINK.findall(README), LINK.findall(told)
    assert all(link.startswith(("https://", "#")) for link in after) and len(before) == len(after)
    for link, address in zip(before, after, strict=True):
        kind = "raw.githubusercontent.com/someone/some.pack/v1.2.3" if link.endswith((".jpg", ".png")) else None
        kind = kind or "github.com/someone/some.pack/blob/v1.2.3"
        assert address == (link if link.startswith(("https://", "#")) else f"https://{kind}/{link}")


@pytest.mark.parametrize("arguments", [[], ["no-slash", "v1"], ["a/b"], ["a/b", "v1", "--other"]])
def test_wrong_arguments_change_nothing(addresses, arguments):
    with pytest.raises(SystemExit, match="usage"):
        addresses.main(arguments)


def test_a_version_s_tag_is_published_after_the_tests():
    text = (ROOT / ".github" / "workflows" / "publish.yml").read_text("utf-8")
    assert 'tags: ["v*"]' in text and "uses: ./.github/workflows/tests.yml" in text
    for job in ("pypi", "registry"):
        assert re.search(rf"^  {job}:\n    needs: \[tests, build\]", text, re.MULTILINE), job
    assert text.count('.github/addresses.py "$GITHUB_REPOSITORY" "$GITHUB_REF_NAME"') == 2


def test_the_form_for_faults_asks_for_what_is_needed():
    text = (ROOT / ".github" / "ISSUE_TEMPLATE" / "problem.yml").read_text("utf-8")
    fields = re.findall(r"^    id: (\w+)", text, re.MULTILINE)
    assert fields == ["happened", "expected", "version", "host", "machine", "log", "workflow"]
    assert len(re.findall(r"^      label: \S", text, re.MULTILINE)) == len(fields)
    parts = re.split(r"^  - type: ", text, flags=re.MULTILINE)[1:]
    needed = {field for field, part in zip(fields, parts, strict=True) if "required: true" in part}
    assert needed == {"happened", "version", "machine", "log"}


def test_the_version_is_the_newest_that_the_changes_tell_of_or_the_one_before():
    version = tomllib.loads(PROJECT)["project"]["version"]
    told = re.findall(r"^## (\d+\.\d+\.\d+)(?: \((.*)\))?", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    newest, state = told[0]
    assert version == newest or (state == "unreleased" and version == told[1][0])
