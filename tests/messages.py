"""The golden list of messages: every text that the source can raise, warn or log.

python tests/messages.py            shows how the source differs from `messages.txt`
python tests/messages.py --write    writes it anew, so that a change of messages is seen in a commit
"""

import ast
import difflib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = Path(__file__).with_name("messages.txt")


class _Holes(ast.NodeTransformer):
    """What a message is filled with counts as a hole, so that a new name of a variable is no new message."""

    def visit_FormattedValue(self, node):
        return ast.Constant("…")


def text_of(node):
    """A string, or an f-string with a mark for each value; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value for part in _Holes().visit(node).values)
    return None


def messages():
    """The sentences of the source but for docstrings, sorted: texts of at least three words."""
    found = set()
    for path in [
        *(path for path in (ROOT / "gatys").rglob("*.py") if path.parent.parent != ROOT or path.name != "__init__.py"),
        *(ROOT / "nodes").rglob("*.py"),
    ]:
        tree = ast.parse(path.read_text("utf-8"))
        silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        silent |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            text = None if id(node) in silent else text_of(node)
            if text is not None and len(text.split()) > 2:
                found.add(text.replace("\n", " "))
    return sorted(found)


def main():
    now = "".join(f"{text}\n" for text in messages())
    if "--write" in sys.argv:
        GOLDEN.write_text(now, "utf-8")
    sys.stdout.writelines(difflib.unified_diff(GOLDEN.read_text("utf-8").splitlines(True), now.splitlines(True), n=0))


if __name__ == "__main__":
    main()
