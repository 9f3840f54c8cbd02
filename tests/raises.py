"""That a test provokes every error which the project raises: a pytest plugin.

While it is installed, the modules of `gatys` and `nodes` are compiled with a call before each `raise`, so that noting
which are reached costs nothing until one is. With `GATYS_RAISES=1` a run that leaves some unreached fails and lists
them: of the whole suite none, of a part those of other parts. Only this process counts, not those that tests
start. Python 3.12 has `sys.monitoring` for this, but the tests run from 3.10 on.
"""

from __future__ import annotations

import ast
import builtins
import os
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("gatys", "nodes")


def files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def sites(source: str) -> dict[int, tuple[int, str]]:
    """First line -> last line and text of each `raise`, and of each call of a function that is nothing but one.

    Such a function, `_need` of `bank`, is a way to write `if ...: raise`; its own statement counts for nothing.
    """
    tree = ast.parse(source)
    wrappers = {
        node.name: node.body[0].body[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and len(node.body) == 1
        and isinstance(node.body[0], ast.If)
        and isinstance(node.body[0].body[0], ast.Raise)
    }
    return {
        node.lineno: (node.end_lineno, " ".join(ast.unparse(node).split()))
        for node in ast.walk(tree)
        if (isinstance(node, ast.Raise) and node not in wrappers.values())
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in wrappers)
    }


class _Marked(ast.NodeTransformer):
    def visit_Raise(self, node: ast.Raise) -> list[ast.stmt]:
        call = ast.Call(ast.Name("__gatys_raises__", ast.Load()), [], [])
        return [ast.copy_location(ast.Expr(call), node), node]


class Raises:
    def __init__(self):
        self.reached: set[tuple[str, int]] = set()
        self.sites = {
            (f"{path.parent.name}/{path.name}", first): (last, text)
            for path in files()
            for first, (last, text) in sorted(sites(path.read_text("utf-8")).items())
        }

    def install(self) -> None:
        own = SourceFileLoader.get_code
        installed = {(path.parent.name, path.name) for path in files()}

        def get_code(loader: SourceFileLoader, name: str):
            path = Path(loader.path)
            if (path.parent.name, path.name) not in installed:
                return own(loader, name)
            # never from nor to the cache of compiled modules
            tree = _Marked().visit(ast.parse(loader.get_data(loader.path)))
            return compile(ast.fix_missing_locations(tree), loader.path, "exec", dont_inherit=True)

        SourceFileLoader.get_code = get_code
        builtins.__gatys_raises__ = self._note

    def _note(self) -> None:
        for depth in (1, 2):  # the statement, and the call of the function that it is in
            frame = sys._getframe(depth)
            path = Path(frame.f_code.co_filename)
            self.reached.add((f"{path.parent.name}/{path.name}", frame.f_lineno))

    def unreached(self) -> list[str]:
        return [
            f"{name}:{first}: {text}"
            for (name, first), (last, text) in self.sites.items()
            if not any((name, line) in self.reached for line in range(first, last + 1))
        ]

    def pytest_sessionfinish(self, session):
        if os.environ.get("GATYS_RAISES") == "1":
            self.missed = self.unreached()
            if self.missed:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        missed = getattr(self, "missed", None)
        if missed is None:
            return
        terminalreporter.section("errors that no test provoked")
        terminalreporter.write_line("\n".join([*missed, f"{len(missed)} of {len(self.sites)}"]))
