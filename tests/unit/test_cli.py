"""The command line: help, start-up imports and mistakes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.config import load_settings
from crossfade.folder import open_folder

COMMANDS = [
    "demo", "up", "generate", "import", "archive", "speed", "batch", "serve", "trending", "chart",
    "geography", "status", "reconcile", "erase", "doctor", "config",
    "backup", "restore", "reset",
    "rejected", "rejected replay", "lake files", "lake tables",
    "jars fetch", "jars verify", "jars list",
]  # fmt: skip

runner = CliRunner()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    answer = runner.invoke(app, [*command.split(), "--help"])
    assert answer.exit_code == 0
    assert "Example" in answer.output
    assert "crossfade" in answer.output


def test_the_help_lists_the_commands_in_data_order() -> None:
    answer = runner.invoke(app, ["--help"])
    listed = re.findall(r"^│ ([a-z]+) ", answer.output, re.MULTILINE)
    assert listed == [command for command in COMMANDS if " " not in command] + ["lake", "jars"]


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("crossfade.cli", {"pyspark", "duckdb", "numpy", "pandas", "deltalake"}),
        ("crossfade.processing.streams.driver", {"duckdb"}),
    ],
)
def test_a_process_imports_no_heavy_module_that_it_does_not_need(
    module: str, heavy: set[str]
) -> None:
    code = (
        f"import sys, {module};"
        f"heavy = {heavy} & set(sys.modules);"
        "sys.exit(','.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["chart", "songs", "--week", "2019-06-27", "--data", "data"], 2, "Friday"),
        (["status", "--data", "none"], 1, "No data folder"),
        (["reset", "--data", "none"], 1, "No data folder"),
        (["up", "--data", "x", "--grain", "7s"], 2, "does not divide an hour"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_a_mistake_prints_one_line_and_sets_its_exit_code(
    words: list[str], code: int, message: str, tmp_path: Path
) -> None:
    open_folder(load_settings(data=tmp_path / "data"))
    done = subprocess.run(
        [sys.executable, "-m", "crossfade", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
