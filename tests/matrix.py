"""Runs the tests of hosts and pages with several ComfyUIs and several versions of its page, and prints a table.

python tests/matrix.py --host CHECKOUT PYTHON [--host ...] [--frontend VERSION ...] [--rows host,page] [-- PYTEST OPTIONS]

    --host: a checkout of ComfyUI and the Python of its environment; its tests run once, and those of its page with each frontend.
    --frontend: "own", which the host has installed, or a version of comfyui-frontend-package, which pip brings once into the cache
        of the tests. Without it: own.
    --rows: which of the two to run.
    After "--": what pytest gets besides, such as -k search or tests/test_host/test_page_old.py.

Node.js, playwright-core and Chromium are found as tests/test_host/test_page.py says. Exits with 1 where a test has failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatys-tests" / "frontends"
PACKAGE = "comfyui-frontend-package"


@dataclass
class Row:
    """What came of the tests of one kind with one host and one frontend."""

    host: str
    frontend: str
    """Empty for tests that open no page."""
    counts: dict[str, int]
    failed: list[str]
    seconds: float


def host_version(comfy: Path) -> str:
    found = re.search(r'__version__ = "([^"]+)"', (comfy / "comfyui_version.py").read_text(encoding="utf-8"))
    return found.group(1) if found else comfy.name


def frontend_folder(version: str) -> str:
    """Where the page of that version is, after pip has brought it if need be; "own" as it is."""
    if version == "own":
        return version
    static = CACHE / version / "comfyui_frontend_package" / "static"
    if not static.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "-d",
                scratch,
                f"{PACKAGE}=={version}",
            ]
            subprocess.run(command, check=True)
            (wheel,) = Path(scratch).glob("*.whl")
            whole = Path(scratch, "whole")
            zipfile.ZipFile(wheel).extractall(whole)
            whole.rename(CACHE / version)
    return str(static)


def results(report: Path) -> tuple[dict[str, int], list[str]]:
    """Of a report in JUnit's format: how many tests came out how, and the names of those that did not pass."""
    counts, failed = dict.fromkeys(("passed", "failed", "skipped"), 0), []
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 (pytest has written it)
        kinds = {child.tag for child in case}
        kind = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        counts[kind] += 1
        if kind == "failed":
            failed.append(f"{case.get('classname')}::{case.get('name')}")
    return counts, failed


def run(comfy: Path, python: str, kind: str, frontend: str, options: list[str]) -> Row:
    """Run the tests of a host, or those of its page with one frontend."""
    environment = os.environ | {"COMFYUI_PATH": str(comfy), "COMFYUI_PYTHON": python}
    if frontend:
        environment["COMFYUI_FRONTENDS"] = frontend_folder(frontend)
    marks = "page" if kind == "page" else "host and not page"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        places = [] if any(option.startswith("tests/") for option in options) else ["tests/test_host"]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marks, f"--junitxml={report}"]
        begin = time.monotonic()
        done = subprocess.run([*command, *places, *options], cwd=ROOT, env=environment, check=False)
        if not report.is_file():
            sys.exit(f"pytest wrote no report and ended with {done.returncode}")
        counts, failed = results(report)
    return Row(host_version(comfy), frontend, counts, failed, time.monotonic() - begin)


def table(rows: list[Row]) -> str:
    """The rows as a table in Markdown, and below it the names of the tests that have failed."""
    lines = ["| ComfyUI | frontend | passed | failed | skipped | minutes |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = [
            row.host,
            row.frontend or "(no page)",
            *(str(row.counts[kind]) for kind in ("passed", "failed", "skipped")),
        ]
        lines.append(f"| {' | '.join([*cells, f'{row.seconds / 60:.1f}'])} |")
    lines += [f"\nfailed with {row.host} {row.frontend}: {name}" for row in rows for name in row.failed]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    own, _, options = (arguments, None, []) if "--" not in arguments else partition(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", nargs=2, action="append", required=True, metavar=("CHECKOUT", "PYTHON"))
    parser.add_argument("--frontend", action="append", metavar="VERSION")
    parser.add_argument("--rows", default="host,page")
    asked = parser.parse_args(own)
    rows = []
    for comfy, python in asked.host:
        for kind in asked.rows.split(","):
            for frontend in (asked.frontend or ["own"]) if kind == "page" else [""]:
                rows.append(run(Path(comfy).resolve(), python, kind, frontend, options))
                print(table(rows), flush=True)
    return int(any(row.failed for row in rows))


def partition(arguments: list[str]) -> tuple[list[str], str, list[str]]:
    """What comes before and after the first "--"."""
    at = arguments.index("--")
    return arguments[:at], "--", arguments[at + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
