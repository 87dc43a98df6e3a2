"""Each running process has its own scratch folder for Spark; no other process empties it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_CLAIM = """
import sys
from pathlib import Path
from crossfade.processing.spark import claim_scratch
print(claim_scratch(Path(sys.argv[1])).name, claim_scratch(Path(sys.argv[1])).name, flush=True)
sys.stdin.read()
"""


class Claimant:
    """A process that claims a scratch folder and keeps it until it is ended."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CLAIM, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.names = self._process.stdout.readline().split()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Claimant]:
    claimant = Claimant(tmp_path / "spark-batch")
    yield claimant
    claimant.end()


def test_each_process_gets_its_own_folder(first: Claimant, tmp_path: Path) -> None:
    assert first.names == ["spark-batch", "spark-batch"]
    second = Claimant(tmp_path / "spark-batch")
    assert second.names == ["spark-batch-2", "spark-batch-2"]
    second.end()
    first.end()
    third = Claimant(tmp_path / "spark-batch")
    assert third.names == ["spark-batch", "spark-batch"]
    third.end()
