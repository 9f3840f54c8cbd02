"""The same bytes: a change of the source that is to change no result leaves runs of all kinds as they were, to the
byte.

`BEFORE` is the last commit that changed results on purpose. Whoever does so again names that commit here, and says in
its message what changed and by how much.
"""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BEFORE = "4a04a7beca545a0c833ec4fe8dd11a803467beb4"


def package_of(commit, folder):
    """The folder in which the package lies as it was at a commit."""
    command = ["git", "archive", commit, "gatys"]
    packed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"the same bytes: commit {commit[:7]} is not in this copy of the repository")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def digests(package):
    command = [sys.executable, str(ROOT / "tests" / "same_runs.py"), str(package)]
    done = subprocess.run(command, check=False, cwd=package, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_runs_of_all_kinds_give_the_same_bytes_as_before(tmp_path):
    before, now = digests(package_of(BEFORE, tmp_path)), digests(ROOT)
    assert len(set(before.values())) >= len(before) - 1  # only a resumed run may equal another
    assert now == before
