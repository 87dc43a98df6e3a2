"""The page of benchmark results matches the stored results."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_the_page_is_made_of_the_stored_results() -> None:
    show = "import sys; from benchmarks.report import render_page; sys.stdout.write(render_page())"
    run = subprocess.run(
        [sys.executable, "-c", show], cwd=_ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == (_ROOT / "docs" / "benchmarks.md").read_text("utf-8")


def test_no_result_contains_a_path_of_the_machine_it_was_measured_on() -> None:
    for path in (_ROOT / "benchmarks" / "results").glob("*.json"):
        assert "/home/" not in path.read_text("utf-8")
        assert "/tmp/" not in path.read_text("utf-8")  # noqa: S108
