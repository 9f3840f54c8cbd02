"""The package as type checkers see it: a user's script, and the lists of public names."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import gatys

ROOT = Path(__file__).parents[2]
SCRIPT = """
import gatys
net = gatys.load_vgg("untrained", "max")
content = gatys.extract_content(net, "photo.jpg")
style = gatys.extract_style(net, ["painting.jpg"], statistic="gram")
result = gatys.optimize(net, content=content, style=style, steps=3, settings=gatys.Settings(seed=1))
reveal_type(result.image)
reveal_type(result.history[0].total)
reveal_type(gatys.stylize("photo.jpg", "painting.jpg", size=64))
reveal_type(gatys.optimize_frames(net, content, style=style).images)
gatys.save_image(result, "out.png")
gatys.optimize(net, content=content, style=style, stpes=3)
gatys.no_such_name
gatys.optimize(net, content=content, tv_form="round")
gatys.stylize("photo.jpg", "painting.jpg", steps="many")
gatys.load_vgg("untrained", "median")
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mypy") is None, reason="a user's script under mypy: mypy is not installed")
def test_a_user_s_script_is_checked(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "--config-file", "", "script.py"]
    environment = {"MYPYPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    told = [line for line in done.stdout.splitlines() if line.startswith("script.py:")]
    said = {int(line.split(":")[1]): line for line in told if "error:" in line or 'Revealed type is "' in line}
    lines = SCRIPT.splitlines()
    wrong = {number: line for number, line in said.items() if "error:" in line}
    begin = lines.index('gatys.save_image(result, "out.png")') + 1
    assert set(wrong) == set(range(begin + 1, len(lines) + 1)), done.stdout
    assert 'Unexpected keyword argument "stpes"' in wrong[begin + 1]
    assert 'Module has no attribute "no_such_name"' in wrong[begin + 2]
    revealed = [said[number] for number in sorted(said) if number not in wrong]
    for line, expected in zip(revealed, ("Tensor", "float", "Result", "Tensor"), strict=True):
        assert f'{expected}"' in line or f'{expected}"' in line.replace("builtins.", ""), line


def test_what_is_listed_is_what_is_public():
    assert dir(gatys) == sorted(gatys.__all__) and all(hasattr(gatys, name) for name in gatys.__all__)
    assert (ROOT / "gatys" / "py.typed").is_file()


def test_type_checkers_and_programs_find_the_same_names_in_the_same_places():
    tree = ast.parse((ROOT / "gatys" / "__init__.py").read_text("utf-8"))
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert seen == gatys._PLACE_OF
    for name, place in seen.items():
        module = ast.parse((ROOT / "gatys" / f"{place.replace('.', '/')}.py").read_text("utf-8"))
        defined = {getattr(node, "name", None) for node in module.body}
        defined |= {
            n.id
            for node in module.body
            if isinstance(node, (ast.Assign, ast.AnnAssign))
            for n in ast.walk(node)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        assert name in defined, f"{name} is not defined in {place}"


def test_errors_are_called_by_their_public_names():
    errors = [value for value in (getattr(gatys, name) for name in gatys.__all__) if isinstance(value, type)]
    errors = [error for error in errors if issubclass(error, (Exception, Warning))]
    assert len(errors) > 10 and {f"{error.__module__}.{error.__name__}" for error in errors} == {
        f"gatys.{error.__qualname__}" for error in errors
    }
    assert all(issubclass(error, (gatys.GatysError, Warning)) for error in errors)
