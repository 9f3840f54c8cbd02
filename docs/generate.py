"""Write what the documents take from the source: `docs/api.md` from the docstrings, the tables of `docs/presets.md`, and
the help pages under the name by which ComfyUI's page asks for them in English before the one that all languages share.

    python docs/generate.py --write

Without `--write` it says which files differ, and exits with 1 if any does. `tests/test_project/test_api.py` does the same.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
HELP = ROOT / "web" / "docs"
ROOMS = (
    *("", "settings", "network", "targets", "objective", "descent", "video", "pictures", "budget", "published"),
    *("distributed", "errors"),
)
"""The rooms in the order in which a reader meets them; others follow."""
MARKS = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def documents() -> dict[Path, str]:
    """Return what each generated file should hold."""
    presets = DOCS / "presets.md"
    tables = {"remarks": remarks, "numbers": numbers}
    filled = MARKS.sub(lambda m: m[1] + tables[m[2]]() + m[3], presets.read_text(encoding="utf-8"))
    pages = {HELP / page.stem / "en.md": page.read_text(encoding="utf-8") for page in sorted(HELP.glob("*.md"))}
    return {DOCS / "api.md": api(), presets: filled, **pages}


# presets.md


def table(*rows: tuple[str, ...]) -> str:
    """Return a Markdown table, whose first row is the head."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body, ""])


def remarks() -> str:
    import gatys

    rows = [(f"`{name}`", f"{p.title}: {p.source}", p.remark) for name, p in gatys.presets.items()]
    return table(("preset", "source", "what is special"), *rows)


def numbers() -> str:
    import gatys

    def descent(preset: Any) -> str:
        rate = f", rate {preset.learning_rate:g}" if preset.optimizer == "adam" else ""
        steps = ", ".join(map(str, (preset.steps, *preset.finer_steps)))
        average = f", averaged by {preset.average:g}" if preset.average else ""
        return f"{steps} steps of {preset.optimizer}{rate}{average}"

    def pixels(preset: Any) -> str:
        size = "own size" if preset.edge == "own" else f"{preset.size}, {preset.edge_in_words}"
        edge, most = preset.scales
        return f"{size}; halved down to {most} of the {edge} edge" if most else size

    rows = [
        (
            f"`{name}`",
            f"`{p.weights}`, {p.pooling} pooling",
            f"{p.content_loss} on {', '.join(p.content_layers)}",
            p.style_loss,
            p.tv_loss.replace("|", r"\|"),
            f"{p.init}; {descent(p)}",
            pixels(p),
        )
        for name, p in gatys.presets.items()
    ]
    head = ("preset", "filters", "content term", "style term of a layer", "smoothness", "start and descent", "pixels")
    return table(head, *rows)


# api.md


def api() -> str:
    """Return the page of the public names."""
    import gatys

    places = {name: module for name, module in public_modules() if name in gatys.__all__}
    rooms: dict[str, list[str]] = {}
    for name in sorted(gatys.__all__, key=str.lower):
        rooms.setdefault(places[name].partition(".")[0] if name in places else "", []).append(name)
    order = sorted(rooms, key=lambda room: ROOMS.index(room) if room in ROOMS else len(ROOMS))
    contents, chapters = [], []
    for room in order:
        module = importlib.import_module(f"gatys.{room}".rstrip("."))
        about = " ".join(first_paragraph(module.__doc__ or "").split())
        contents.append(f"**{room or 'gatys'}**: " + ", ".join(f"[`{n}`](#{n.lower()})" for n in rooms[room]) + ".")
        chapters.append(f"## {room or 'The package'}\n\n{about}")
        chapters += [
            entry(name, getattr(gatys, name), f"gatys.{places.get(name, '')}".rstrip(".")) for name in rooms[room]
        ]
    opening = (
        "# The Python interface\n\nThis page lists every public name of `gatys`. It is made from the docstrings, by "
        "`python docs/generate.py --write`: change those, not this page. [python.md](python.md) shows the names at work."
    )
    return "\n\n".join([opening, *contents, *chapters]) + "\n"


def public_modules() -> Iterator[tuple[str, str]]:
    """Yield each public name and the module that `gatys/__init__.py` imports it from for type checkers."""
    for node in ast.walk(ast.parse((ROOT / "gatys" / "__init__.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            yield from ((alias.asname or alias.name, node.module) for alias in node.names)


def entry(name: str, value: Any, module_name: str) -> str:
    """Return the part of the page that is about one public name."""
    module = importlib.import_module(module_name)
    head = f"### {name}"
    if isinstance(value, type) and issubclass(value, (Exception, Warning)):
        bases = ", ".join(f"`{base.__name__}`" for base in value.__bases__)
        return f"{head}\n\n{said(value.__doc__)} Bases: {bases}."
    known = attribute_docs(ast.parse(inspect.getsource(module)).body)
    if getattr(value, "__name__", name) != name:
        return f"{head}\n\n`gatys.{name}` is `gatys.{value.__name__}`. {said(known.get(name))}".rstrip()
    if isinstance(value, type):
        return "\n\n".join([head, *class_parts(name, value, module)])
    if inspect.isroutine(value):
        return "\n\n".join([head, call(f"gatys.{name}", value, module), said(value.__doc__)])
    text = known.get(name) or type(value).__doc__
    kind = kind_of(inspect.get_annotations(module).get(name, type(value).__name__))
    return f"{head}\n\n```python\ngatys.{name}: {kind}\n```\n\n{said(text)}"


def class_parts(name: str, kind: type, module: ModuleType) -> Iterator[str]:
    """Yield what there is to say of a class: how it is made, its fields, its methods."""
    plain = is_dataclass(kind) or getattr(kind, "_is_protocol", False)
    yield f"```python\nclass gatys.{name}\n```" if plain else call(f"class gatys.{name}", kind, module)
    yield said(kind.__doc__)
    listed_fields = [f"- **`{field}`**{text and ' '}{text}" for field, text in class_fields(kind, module)]
    if listed_fields:
        yield "**Fields**"
        yield "\n".join(listed_fields)
    for member, found in vars(kind).items():
        function = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
        if inspect.isfunction(function) and not member.startswith("_"):
            yield f"#### {name}.{member}"
            yield call(f"{name}.{member}", function, module, bound=not isinstance(found, staticmethod))
            yield said(function.__doc__)


def class_fields(kind: type, module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield `name: type = default` and the text of each public field, attribute and property of a class."""
    body = ast.parse(inspect.getsource(kind)).body[0].body
    made = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    told = attribute_docs(body) | attribute_docs(made[0].body if made else [])
    types = inspect.get_annotations(kind)
    defaults = {field.name: shown_field(field, module) for field in fields(kind)} if is_dataclass(kind) else {}
    for name in dict.fromkeys([*types, *told]):
        if not name.startswith("_"):
            of = f": {kind_of(types[name])}" if name in types else ""
            yield f"{name}{of}{defaults.get(name, '')}", escaped(" ".join(told.get(name, "").split()))
    for name, found in vars(kind).items():
        if isinstance(found, property) and not name.startswith("_"):
            yield f"{name}: {kind_of(found.fget.__annotations__.get('return', 'Any'))}", said(found.__doc__)


def call(name: str, function: Any, module: ModuleType, bound: bool = False) -> str:
    """Return a signature as a block of code, on one line if it is short."""
    signature, parts, star = inspect.signature(function), [], False
    parameters = list(signature.parameters.values())[1 if bound else 0 :]
    for index, parameter in enumerate(parameters):
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not star:
            parts, star = [*parts, "*"], True
        mark = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        star = star or mark == "*"
        text = mark + parameter.name
        if parameter.annotation is not inspect.Parameter.empty:
            text += f": {kind_of(parameter.annotation)}"
        if parameter.default is not inspect.Parameter.empty:
            text += f" = {shown(parameter.default, module)}"
        parts.append(text)
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            after = parameters[index + 1 : index + 2]
            if not after or after[0].kind is not inspect.Parameter.POSITIONAL_ONLY:
                parts.append("/")
    returns = (
        "" if signature.return_annotation is inspect.Signature.empty else f" -> {kind_of(signature.return_annotation)}"
    )
    line = f"{name}({', '.join(parts)}){returns}"
    if len(line) > 100:
        line = f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returns}"
    return f"```python\n{line}\n```"


def kind_of(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def shown_field(field: Any, module: ModuleType) -> str:
    if field.default is not MISSING:
        return f" = {shown(field.default, module)}"
    return "" if field.default_factory is MISSING else " = {}" if field.default_factory is dict else " = ..."


def shown(value: Any, module: ModuleType) -> str:
    """Return a default as a reader would type it: a number or a text, or else the name that the module has for it."""
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    if isinstance(value, str):
        return json.dumps(value)
    if value is None or isinstance(value, (bool, int, tuple)):
        return repr(value)
    if isinstance(value, float):
        return min(repr(value), format(value, ".3g"), key=len)
    return next((name for name, there in vars(module).items() if there is value), "...")


def attribute_docs(body: Sequence[ast.stmt]) -> dict[str, str]:
    """Return the texts that stand below the assignments of a module, class or `__init__`, by the names assigned to."""
    found = {}
    for node, after in itertools.pairwise(body):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        name = target.id if isinstance(target, ast.Name) else getattr(target, "attr", None)
        if name and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[name] = inspect.cleandoc(str(after.value.value))
    return found


def first_paragraph(text: str) -> str:
    return inspect.cleandoc(text).split("\n\n")[0]


SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Attributes|Fields|Example|Examples):\s*$")
ITEM = re.compile(r"^([\w`*.]+(?:, [\w`*.]+)*): (.*)")


def said(docstring: str | None) -> str:
    """Return a docstring as Markdown: paragraphs on one line each, arguments as a list, blocks of code as they are."""
    blocks: list[str] = []
    section = None
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(docstring or "")):
        lines = paragraph.split("\n")
        heading = SECTION.match(lines[0])
        if heading:
            section, lines = heading[1], lines[1:]
            blocks.append(f"**{section}**")
        elif not lines[0].startswith(" "):
            section = None
        margin = 4 if section else 0
        lines = [line[margin:] for line in lines]
        if not any(lines):
            continue
        if section in ("Args", "Raises", "Attributes", "Fields"):
            blocks.append("\n".join(listed(lines)))
        elif section in ("Example", "Examples") or all(line.startswith("    ") or ">>>" in line for line in lines):
            kind = "python" if section or ">>>" in paragraph else "text"
            blocks.append(f"```{kind}\n" + inspect.cleandoc("\n".join(["", *lines])) + "\n```")
        elif any(re.match(r"\s*[-|] ", line) for line in lines):
            blocks.append("\n".join(lines))
        else:
            blocks.append(escaped(" ".join(line.strip() for line in lines)))
    return "\n\n".join(blocks)


def listed(lines: list[str]) -> Iterator[str]:
    """Yield a line of a list for each `name: text`, with the lines that go on below it."""
    items: list[list[str]] = []
    for line in lines:
        if line.startswith(" ") and items:
            items[-1].append(line.strip())
        else:
            items.append([line])
    for item in items:
        text = " ".join(item)
        match = ITEM.match(text)
        names = ", ".join(f"`{name}`" for name in match[1].split(", ")) if match else ""
        yield f"- {names}: {escaped(match[2])}" if match else f"- {escaped(text)}"


def escaped(text: str) -> str:
    """Return text in which no `<` outside code opens a tag."""
    return "`".join(part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(text.split("`")))


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--write"]):
        print(__doc__)
        return 2
    differing = [
        path for path, text in documents().items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in differing:
        if arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(documents()[path], encoding="utf-8", newline="\n")
        print(path.relative_to(ROOT), "written" if arguments else "is not what the source says; run with --write")
    return 0 if arguments else int(bool(differing))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
