"""The demo runs the whole stack, and leaves no process and no file behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.leftover_processes import list_leftover_processes

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def test_the_demo_ends_automatically_with_the_real_years_charts_and_the_proof(
    tmp_path: Path,
) -> None:
    words = ("demo", "--for", "1s", "--rate", "500")
    done = subprocess.run(
        [sys.executable, "-m", "crossfade", *words],
        env={**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
    rows = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert any(row.endswith(" 1 Berlin Milliarden 26") for row in rows)
    assert any(row.endswith(" 1 James Vincent McMorrow 100") for row in rows)
    assert any(" 1 Robinson Crusoe Jules Ahoi" in row and row.endswith(" 14") for row in rows)
    assert "Proved: nothing lost, nothing counted twice, both layers agree" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert list_leftover_processes(tmp_path) == []
