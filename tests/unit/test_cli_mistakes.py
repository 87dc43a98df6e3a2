"""Mistakes on the command line: one line that names the nearest right word."""

import re

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.errors import MisuseError

runner = CliRunner()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("top", 'No such command "crossfade top". Did you mean "trending"?'),
        ("songs --limit 3", 'No such command "crossfade songs". Did you mean "chart songs"?'),
        ("trendin", 'No such command "crossfade trendin". Did you mean "trending"?'),
        ("Status", 'No such command "crossfade Status". Did you mean "status"?'),
        ("version", 'No such command "crossfade version". Did you mean "--version"?'),
        ("lake table", 'No such command "crossfade lake table". Did you mean "tables"?'),
        ("rejected relpay", 'No such command "crossfade rejected relpay". Did you mean "replay"?'),
        ("xyz", "Known commands: demo, up, generate, import, "),
        ("lake top", "Known commands: files, tables."),
        ("chart song", '"song" is not one of songs, artists. Did you mean "songs"?'),
        ("chart Artist", '"Artist" is not one of songs, artists. Did you mean "artists"?'),
        ("chart o'clock", '"o\'clock" is not one of songs, artists. See "crossfade chart --help".'),
        ("generate --report strat", '"strat" is not one of end, start. Did you mean "start"?'),
        ("chart songs --mont 1", 'No such option "--mont". Did you mean "--month"?'),
        ("--vrsion", 'No such option "--vrsion". Did you mean "--version"?'),
        ("chart", "Missing argument 'KIND'. Choose from: songs, artists."),
        (
            "chart songs extra",
            'unexpected extra argument(s) (extra). See "crossfade chart --help".',
        ),
        ("trending --limit many", "'--limit'"),
    ],
)
def test_a_mistake_names_the_nearest_right_word_in_one_line(words: str, message: str) -> None:
    error = runner.invoke(app, words.split(), prog_name="crossfade").exception
    assert isinstance(error, MisuseError)
    assert message in str(error)
    assert "\n" not in str(error)
    assert error.exit_code == 2


@pytest.mark.parametrize("words", ["--version", "--version status", "--version nonsense"])
def test_the_version_is_printed_and_nothing_else_is_done(words: str) -> None:
    result = runner.invoke(app, words.split())
    assert (result.exit_code, result.output) == (0, "crossfade 0.1.0\n")


@pytest.mark.parametrize("group", ["", "lake", "jars"])
def test_a_group_without_a_command_shows_its_help(group: str) -> None:
    result = runner.invoke(app, group.split())
    assert result.exit_code == 2
    assert "Usage" in result.output
    assert "Commands" in result.output


@pytest.mark.parametrize(
    "words", ["", "chart", "up", "rejected replay", "backup", "import", "lake files", "reconcile"]
)
def test_no_help_shows_a_python_type_or_an_empty_default(words: str) -> None:
    shown = runner.invoke(app, [*words.split(), "--help"]).output
    assert "--help" in shown
    assert not re.search(r"<[\w\[\]]+>|default: None", shown)
