"""The commands that answer from gold or from a running stack, with the same result."""

import json
import os
import socket
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from crossfade.cli.chart import chart
from crossfade.cli.geography import geography
from crossfade.cli.serve import serve
from crossfade.cli.trending import trending
from crossfade.errors import MachineError, MisuseError, StackError
from crossfade.folder import DataFolder, StackAddresses, write_stack
from support import handmade_lake as handmade
from support.api_server import api_client
from support.handmade_broker import write_broker_log

_RUN = CliRunner()
_APP = typer.Typer()
_APP.command("chart")(chart)
_APP.command("geography")(geography)
_APP.command("trending")(trending)
_APP.command("serve")(serve)

_ASKED = (
    ["chart", "songs", "--day", "2026-01-01"],
    ["chart", "artists", "--week", "2025-12-26", "--limit", "1"],
    ["chart", "songs", "--from", "2026-01-01", "--to", "2026-01-02", "--country", "SE"],
    ["geography", "--month", "2026-01"],
    ["trending", "--limit", "3"],
)


@pytest.fixture
def gold(data_folder: DataFolder) -> DataFolder:
    plays = [handmade.a_play(n) for n in range(8)]
    boundary = handmade.NOON + 13 * 3_600_000
    lake = handmade.a_lake(handmade.records_of(*plays), boundary=boundary)
    write_broker_log(data_folder, lake.tables["gold/run"][-1]["end_offsets"])
    return lake.write(data_folder)


def _ask(folder: DataFolder, words: list[str]) -> str:
    result = _RUN.invoke(_APP, [*words, "--data", str(folder.root)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_running_stack_and_gold_without_one_give_the_same_answers(gold: DataFolder) -> None:
    from_gold = [json.loads(_ask(gold, [*words, "--json"])) for words in _ASKED]
    with api_client(gold, None) as client:
        deadline = time.monotonic() + 10
        while client.get("/api/v1/status").json()["batch"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        stack = StackAddresses(
            pid=os.getpid(), started_at="", bootstrap="", api=str(client.base_url).rstrip("/")
        )
        write_stack(gold, stack)
        from_stack = [json.loads(_ask(gold, [*words, "--json"])) for words in _ASKED]
    assert from_gold == from_stack
    assert from_gold[0]["rows"][0]["plays"] == 2


def test_a_table_says_whether_the_answer_is_complete(gold: DataFolder) -> None:
    day = _ask(gold, ["chart", "songs", "--day", "2026-01-01"])
    assert "Title 0" in day
    assert day.endswith("Complete.\n")
    assert "Incomplete: speed is not read here" in _ask(gold, ["trending"])


def test_plays_in_kafka_that_batch_has_not_read_make_an_answer_incomplete(
    gold: DataFolder,
) -> None:
    write_broker_log(gold, {0: 2_000, 1: 2_000})
    for words in (["chart", "songs", "--day", "2026-01-01"], ["geography", "--month", "2019-06"]):
        answer = json.loads(_ask(gold, [*words, "--json"]))
        assert not answer["complete"]
        assert answer["why"] == (
            "3,992 records in Kafka wait for batch, which reads them when it runs"
        )


def test_an_impossible_country_or_range_is_misuse(gold: DataFolder) -> None:
    for words in (
        ["trending", "--country", "se"],
        ["chart", "songs", "--week", "2026-01-01"],
        ["geography", "--year", "2019", "--all-time"],
    ):
        with pytest.raises(MisuseError):
            _ask(gold, words)


def test_without_a_data_folder_the_error_says_how_to_start(tmp_path: Path) -> None:
    result = _RUN.invoke(_APP, ["trending", "--data", str(tmp_path / "none")])
    assert "crossfade up" in str(result.exception)


def test_serve_refuses_a_taken_port_and_a_missing_folder(gold: DataFolder, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MachineError, match=f"Port {port} is taken"):
            _ask(gold, ["serve", "--port", str(port)])
    with pytest.raises(StackError, match="No data folder"):
        _RUN.invoke(_APP, ["serve", "--data", str(tmp_path / "none")], catch_exceptions=False)
