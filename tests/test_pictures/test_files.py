"""Files written whole or not at all."""

import os

import pytest

from gatys.pictures.replacing import replacing


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "ü.bin"
    for content in (b"first", b"second"):
        with replacing(path) as temporary:
            temporary.write_bytes(content)
            assert temporary.parent == tmp_path and temporary != path
            assert not path.exists() if content == b"first" else path.read_bytes() == b"first"
        assert path.read_bytes() == content and os.listdir(tmp_path) == [path.name]


def test_an_interrupted_block_leaves_everything_as_it_was(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_bytes(b"ne")
        raise KeyboardInterrupt
    with pytest.raises(FileNotFoundError), replacing(path):
        pass  # nothing written
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]
