"""A plugin of pytest, for runs with `GATYS_RAISES=1`: tests must provoke every error which the project raises.

coverage.py notes which lines of `gatys` and `nodes` run. A run that leaves the line of a `raise` unreached fails and
lists it: of the whole suite none, of a part those of other parts. Only this process counts, not those that tests start.
"""

import ast
import sys
from pathlib import Path

import pytest
from coverage import Coverage

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = [ROOT / "gatys", ROOT / "nodes"]


class Raises:
    def __init__(self):
        self.coverage = Coverage(data_file=None, config_file=False, include=[f"{folder}/**" for folder in FOLDERS])
        if sys.version_info >= (3, 12):
            self.coverage.set_option("run:core", "sysmon")  # a line costs nothing after its first time
        self.coverage.start()

    def pytest_sessionfinish(self, session):
        self.coverage.stop()
        data, self.all, self.missed = self.coverage.get_data(), 0, []
        for path in sorted(path for folder in FOLDERS for path in folder.rglob("*.py")):
            reached, nodes = set(data.lines(str(path)) or ()), ast.walk(ast.parse(path.read_text("utf-8")))
            raises = sorted((node for node in nodes if isinstance(node, ast.Raise)), key=lambda node: node.lineno)
            self.all += len(raises)
            missed = [node for node in raises if reached.isdisjoint(range(node.lineno, node.end_lineno + 1))]
            self.missed += [f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}" for node in missed]
        if self.missed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        terminalreporter.section("errors that no test provoked")
        terminalreporter.write_line("\n".join([*self.missed, f"{len(self.missed)} of {self.all}"]))
