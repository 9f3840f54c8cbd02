"""Writes into pyproject.toml and the README where the project is kept: package pages then show pictures and follow links.

Usage: python .github/addresses.py OWNER/REPOSITORY TAG [--pypi]
The checkout does not know where it will be published; the workflow publish.yml does, and runs this before it builds. With
`--pypi` README.md stays as it is, for the tests in the source distribution, and PyPI's page is another file; and classifiers
that only ComfyUI's registry knows are taken out, with which PyPI would refuse the upload.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYPI_PAGE = ".github/package-page.md"
PICTURES = (".jpg", ".png")
REGISTRY_ONLY = re.compile(r'    "Environment :: (?!GPU :: NVIDIA CUDA").*\n')
LINK = re.compile(r"(?<=\]\()(?!https?://|mailto:|#)([^)\s]+)(?=\))")


def addressed_readme(text: str, repository: str, tag: str) -> str:
    """Return the text with every relative link and picture made absolute, at the tag."""

    def absolute(link: re.Match) -> str:
        raw = f"https://raw.githubusercontent.com/{repository}/{tag}/{link[1]}"
        return raw if link[1].endswith(PICTURES) else f"https://github.com/{repository}/blob/{tag}/{link[1]}"

    return LINK.sub(absolute, text)


def addressed_project(text: str, repository: str, tag: str, pypi: bool) -> str:
    """Return pyproject.toml with `[project.urls]` and with addresses for icon and banner."""
    home = f"https://github.com/{repository}"
    urls = {
        "Repository": home,
        "Documentation": f"{home}/blob/{tag}/README.md",
        "Bug Tracker": f"{home}/issues",
        "Changelog": f"{home}/blob/{tag}/CHANGELOG.md",
    }
    table = "\n".join(f'"{name}" = "{url}"' for name, url in urls.items())
    text = text.replace("[project.scripts]", f"[project.urls]\n{table}\n\n[project.scripts]", 1)
    raw = f"https://raw.githubusercontent.com/{repository}/{tag}"
    text = re.sub(r'^(Icon|Banner) = "(?!https:)([^"]+)"', rf'\1 = "{raw}/\2"', text, flags=re.MULTILINE)
    if not pypi:
        return text
    return REGISTRY_ONLY.sub("", text.replace('readme = "README.md"', f'readme = "{PYPI_PAGE}"', 1))


def main(arguments: list[str]) -> None:
    options = [argument for argument in arguments if argument.startswith("-")]
    places = [argument for argument in arguments if not argument.startswith("-")]
    if len(places) != 2 or not re.fullmatch(r"[\w.-]+/[\w.-]+", places[0]) or set(options) - {"--pypi"}:
        sys.exit("usage: python .github/addresses.py OWNER/REPOSITORY TAG [--pypi]")
    readme, project = ROOT / "README.md", ROOT / "pyproject.toml"
    page = addressed_readme(readme.read_text("utf-8"), *places)
    (ROOT / PYPI_PAGE if options else readme).write_text(page, encoding="utf-8", newline="\n")
    text = addressed_project(project.read_text("utf-8"), *places, pypi=bool(options))
    project.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
