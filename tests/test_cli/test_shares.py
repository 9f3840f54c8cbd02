"""--shares: weights that give terms and layers their share of the gradient at the start."""

import logging
from pathlib import Path

import pytest
from pictures import drawing

import gatys
import gatys.cli.command as cli
from gatys.pictures.metadata import read_record
from gatys.settings import content_factor

QUICK = [
    "--size",
    "48",
    "--levels",
    "1",
    "--device",
    "cpu",
    "--weights",
    "untrained",
    "--style-layers",
    "conv1_1,conv2_1",
]
QUICK += ["--content-layers", "conv2_2", "--steps", "2"]
SHARES = "content=30%, conv1_1=50%, tv=5%"


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawing((48, 40), 1).save("content.png")
    drawing((44, 48), 2).save("style.png")


@pytest.fixture
def ran(monkeypatch):
    """What `optimize` is given by a command line."""
    seen = []

    def record(net, **given):
        seen.append((net, given))
        return gatys.optimize(net, **given)

    monkeypatch.setattr(cli, "optimize", record)

    def run(*argv):
        assert cli.main(["content.png", "style.png", *QUICK, "-o", "out.png", *argv]) == 0
        return seen[-1]

    return run


@pytest.mark.parametrize("strength", [0.5, 0.8])
def test_the_run_starts_with_these_shares(ran, caplog, strength):
    with caplog.at_level(logging.INFO):
        net, given = ran("--shares", SHARES, "--strength", str(strength))
    names = ("content", "style", "content_weight", "style_weight", "tv_weight")
    content = given["content"]
    start = []
    gatys.optimize(
        net,
        **{name: given[name] for name in names},
        strength=strength,
        steps=2,
        callback=lambda progress: start.append(progress.image.clone()),
    )
    there = {name: given[name] for name in names}
    there["content_weight"] *= content_factor(strength)
    shares = gatys.gradient_shares(gatys.Objective(net, **there), start[0])
    assert shares == pytest.approx(
        {"content conv2_2": 0.3, "style conv1_1": 0.5, "style conv2_1": 0.15, "tv": 0.05}, rel=0.01
    )
    assert content.image.shape[-2:] == (40, 48)
    (line,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("shares: ")]
    assert f"content_weight {given['content_weight']:.4g}" in line and "style conv1_1=" in line


def test_without_it_the_weights_are_as_given(ran):
    _, given = ran()
    assert given["content_weight"] == 0.004 and dict(given["style"].layers) == {"conv1_1": 1.0, "conv2_1": 1.0}


def test_a_result_remembers_its_shares(ran):
    """`--like` measures again, and comes to the same weights."""
    _, first = ran("--shares", SHARES)
    assert cli.main(["--like", "out.png", "content.png", "style.png", "--device", "cpu", "-o", "again.png"]) == 0
    assert Path("again.png").is_file()
    for name in ("out.png", "again.png"):
        assert read_record(name)["options"]["shares"] == SHARES
    again = ran("--shares", SHARES)[1]
    assert again["content_weight"] == first["content_weight"] and again["style"].layers == first["style"].layers


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--shares", "content=0.3"], "--shares: expected names with percents like content=10%, conv1_1=20%, got"),
        (["--shares", "content=101%"], "--shares: expected a share from 0 to 1 (0 % to 100 %) for 'content', got 1.01"),
        (["--shares", "content=60%, style=50%"], "shares: 110 % in all, which is more than 100 %; ask for less"),
        (
            ["--shares", "conv5_1=5%"],
            "shares: expected one of content, style, content conv2_2, style conv1_1, style conv2_1, got",
        ),
        (
            ["--shares", "content=5%", "--init", "content"],
            "shares: content has no gradient at this picture, as content",
        ),
    ],
)
def test_bad_shares_are_said_in_one_sentence(argv, message, capsys):
    assert cli.main(["content.png", "style.png", *QUICK, "-o", "out.png", *argv]) == 2
    assert message in capsys.readouterr().err
