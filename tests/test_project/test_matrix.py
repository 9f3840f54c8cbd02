"""The program that runs the tests of several hosts: `tests/matrix.py`."""

import subprocess
import sys
from pathlib import Path

import matrix
import pytest

FILE = """
import pytest


@pytest.mark.parametrize("number", [1, 2, 3])
def test_small(number):
    assert number < 3


@pytest.mark.skip(reason="to be seen")
def test_skipped():
    pass


@pytest.fixture
def broken():
    raise RuntimeError


def test_of_a_broken_fixture(broken):
    pass
"""


def test_counts_are_those_of_the_report(tmp_path):
    file, report = tmp_path / "test_it.py", tmp_path / "report.xml"
    file.write_text(FILE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", str(file)]
    subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    counts, failed = matrix.results(report)
    assert counts == {"passed": 2, "failed": 2, "skipped": 1}
    assert failed == ["test_it::test_small[3]", "test_it::test_of_a_broken_fixture"]


def test_the_table_names_what_has_failed():
    row = matrix.Row("0.28.2", "1.58.1", {"passed": 3, "failed": 1, "skipped": 2}, ["tests.test_page::test_it"], 90.0)
    text = matrix.table([row, matrix.Row("0.3.64", "", {"passed": 1, "failed": 0, "skipped": 0}, [], 6.0)])
    assert "| 0.28.2 | 1.58.1 | 3 | 1 | 2 | 1.5 |" in text and "| 0.3.64 | (no page) | 1 | 0 | 0 | 0.1 |" in text
    assert text.endswith("failed with 0.28.2 1.58.1: tests.test_page::test_it")


def test_one_run_gets_the_host_the_frontend_and_what_stands_behind_the_dashes(monkeypatch, tmp_path, capsys):
    (tmp_path / "comfyui_version.py").write_text('__version__ = "9.9"\n', encoding="utf-8")
    static = tmp_path / "1.2.3" / "comfyui_frontend_package" / "static"
    static.mkdir(parents=True)
    monkeypatch.setattr(matrix, "CACHE", tmp_path)
    seen = []

    def instead(command, env, **_):
        seen.append((command, env))
        report = Path(next(word for word in command if word.startswith("--junitxml=")).partition("=")[2])
        failure = "<failure/>" if "page" in command else ""
        report.write_text(f'<r><testcase classname="a" name="b">{failure}</testcase></r>', encoding="utf-8")

    monkeypatch.setattr(matrix.subprocess, "run", instead)
    host = ["--host", str(tmp_path), "python9"]
    assert matrix.main([*host, "--frontend", "own", "--frontend", "1.2.3", "--", "-k", "word"]) == 1
    assert [env.get("COMFYUI_FRONTENDS") for _, env in seen][1:] == ["own", str(static)]
    assert all(env["COMFYUI_PATH"] == str(tmp_path) and env["COMFYUI_PYTHON"] == "python9" for _, env in seen)
    assert all(command[-3:] == ["tests/test_host", "-k", "word"] for command, _ in seen)
    out = capsys.readouterr().out
    assert out.endswith("failed with 9.9 own: a::b\n\nfailed with 9.9 1.2.3: a::b\n")
    assert matrix.main([*host, "--rows", "host", "--", "tests/test_host/test_host.py"]) == 0
    assert seen[-1][0][-1] == "tests/test_host/test_host.py"


def test_a_run_without_a_report_is_told(monkeypatch, tmp_path):
    (tmp_path / "comfyui_version.py").write_text('__version__ = "9.9"\n', encoding="utf-8")
    monkeypatch.setattr(matrix.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 4))
    with pytest.raises(SystemExit, match="pytest wrote no report and ended with 4"):
        matrix.run(tmp_path, "python9", "host", "", [])
