"""The ledger's answer for each record equals the contract's verdict."""

import io
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, now_ms
from crossfade.contract.decode import Rejection, decode_play
from crossfade.contract.ledger import RECORD_SCHEMA, RECORDS, SEAL, Ledger, open_ledger
from crossfade.contract.play import Play
from crossfade.errors import MachineError, MisuseError
from crossfade.generator.options import SimulationOptions
from crossfade.generator.produce import Simulation
from crossfade.generator.scenario import BotKind, Bots, Faults, read_scenario
from crossfade.generator.sinks import FileSink

PAST = 1_714_521_600_000
MANY_FAULTS = Faults(
    copies=0.05,
    late=0.03,
    out_of_order=0.05,
    clock_behind=0.02,
    clock_ahead=0.02,
    clock_seconds=0.02,
    malformed=0.1,
    oversized=0.002,
    copy_after=(1_000, 10 * MINUTE_MS),
)
SCENARIO = replace(
    read_scenario("country-offline"),
    faults=MANY_FAULTS,
    bots=(Bots(kind=BotKind.LOOPER, accounts=5, plays_a_minute=1.5, country="SE"),),
)
SMALL: dict[str, Any] = {"songs": 300, "listeners": 10_000, "scenario": SCENARIO}


def simulate(folder: Path, **options: Any) -> tuple[Ledger, list[bytes]]:
    """Write a file and its ledger."""
    simulation = Simulation(
        SimulationOptions(**SMALL | options), is_file=True, ledger=folder / "ledger"
    )
    progress = simulation.play(FileSink(str(folder / "plays")))
    lines = (folder / "plays").read_bytes().removesuffix(b"\n").split(b"\n")
    assert progress.sent == len(lines)
    return open_ledger(folder / "ledger"), lines


def rows_of(ledger: Ledger) -> list[dict[str, Any]]:
    table = pq.read_table(ledger.folder / RECORDS)
    assert table.schema.equals(RECORD_SCHEMA)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


@pytest.fixture(scope="module", params=["past", "present"])
def simulated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Ledger, list[bytes], int]:
    """Return a ledger of 80,000 records, the lines, and the log time to judge them with."""
    folder = tmp_path_factory.mktemp(request.param)
    past: dict[str, Any] = {"start_ms": PAST, "rate": 20.0}
    options = past if request.param == "past" else {"rate": None}
    return *simulate(folder, events=80_000, **options), now_ms()


def test_every_record_is_judged_as_the_contract_judges_it(
    simulated: tuple[Ledger, list[bytes], int],
) -> None:
    ledger, lines, log_time = simulated
    rows = rows_of(ledger)
    assert [row["number"] for row in rows] == list(range(len(lines)))
    seen: dict[tuple[str, str, int], int] = {}
    for row, line in zip(rows, lines, strict=True):
        verdict = decode_play(line, log_time)
        if isinstance(verdict, Rejection):
            assert (row["answer"], row["reason"]) == ("rejected", verdict.reason), row
            continue
        is_first = seen.setdefault(verdict.identity, row["number"]) == row["number"]
        assert row["answer"] == ("accepted" if is_first else "duplicate"), row
        assert row["copy_of"] == (None if is_first else seen[verdict.identity]), row
        assert row["reason"] is None
        for name in ("event_id", "user_id", "event_time", "song_id", "country", "ms_played"):
            assert row[name] == getattr(verdict, name), row
        assert row["is_counted"] is verdict.is_counted


def test_a_copy_has_the_bytes_of_the_record_it_repeats(
    simulated: tuple[Ledger, list[bytes], int],
) -> None:
    ledger, lines, _ = simulated
    copies = [row for row in rows_of(ledger) if row["kind"] == "copy"]
    assert len(copies) > 500
    assert all(lines[row["number"]] == lines[row["copy_of"]] for row in copies)


def test_every_fault_is_named_and_everything_is_counted(
    simulated: tuple[Ledger, list[bytes], int],
) -> None:
    ledger, lines, _ = simulated
    seal, rows = ledger.seal, rows_of(ledger)
    assert seal.records == len(lines) == 80_000
    assert (seal.acknowledged, seal.unknown) == (0, 0)
    assert seal.answers == Counter(row["answer"] for row in rows)
    assert seal.reasons == Counter(row["reason"] for row in rows if row["reason"])
    assert seal.faults == Counter(row["fault"] for row in rows if row["fault"])
    named = {fault.split(":")[0] for fault in seal.faults}
    expected = {"late", "out_of_order", "clock_behind", "clock_ahead", "clock_seconds", "malformed"}
    assert named - {"silenced"} == expected | {"oversized"}
    assert len(seal.faults) > 80
    assert {row["bot"] for row in rows} == {None, "looper-0"}
    lates = [row["late_by_ms"] for row in rows if row["fault"] == "late"]
    assert 31 * MINUTE_MS <= min(lates) <= max(lates) <= 3 * DAY_MS


def test_the_true_counts_are_those_of_the_accepted_plays(
    simulated: tuple[Ledger, list[bytes], int],
) -> None:
    ledger, lines, log_time = simulated
    plays: dict[tuple[str, str, int], Play] = {}
    for line in lines:
        verdict = decode_play(line, log_time)
        if isinstance(verdict, Play):
            plays.setdefault(verdict.identity, verdict)
    expected = Counter[tuple[int, str, str]]()
    counted, heard = Counter[tuple[int, str, str]](), Counter[tuple[int, str, str]]()
    for play in plays.values():
        cell = (play.event_time // HOUR_MS * HOUR_MS, play.song_id, play.country)
        expected[cell] += 1
        counted[cell] += play.is_counted
        heard[cell] += play.ms_played or 0
    rows = pq.read_table(ledger.counts).to_pylist()
    found = {(row["hour"], row["song_id"], row["country"]): row for row in rows}
    assert {cell: row["plays"] for cell, row in found.items()} == expected
    assert {cell: row["counted_plays"] for cell, row in found.items()} == counted
    assert {cell: row["ms_played"] for cell, row in found.items()} == heard
    assert ledger.seal.counted_plays == sum(counted.values())
    assert ledger.seal.ms_played == sum(heard.values())


def test_a_ledger_is_never_overwritten(tmp_path: Path) -> None:
    simulate(tmp_path, rate=None, events=10)
    with pytest.raises(MisuseError, match="already holds a ledger"):
        simulate(tmp_path, rate=None, events=10)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter").write_text("dear")
    with pytest.raises(MisuseError, match="is not empty"):
        Simulation(SimulationOptions(events=1), is_file=True, ledger=tmp_path / "other")


def test_a_ledger_whose_file_could_not_be_written_is_not_closed(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    options = SimulationOptions(**SMALL, rate=None, events=10)
    with pytest.raises(MachineError, match="No space left"):
        Simulation(options, is_file=True, ledger=folder).play(FileSink("/dev/full"))
    assert not (folder / SEAL).exists()
    with pytest.raises(MisuseError, match="was not closed"):
        open_ledger(folder)
    simulation = Simulation(options, is_file=True, ledger=folder)
    simulation.play(FileSink(str(tmp_path / "plays")))
    assert open_ledger(folder).seal.records == 10


def test_records_that_a_reader_did_not_take_are_in_no_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    options = SimulationOptions(**SMALL, rate=None, events=5_000)
    with io.TextIOWrapper(os.fdopen(writing, "wb")) as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        simulation = Simulation(options, is_file=True, ledger=tmp_path / "ledger")
        assert simulation.play(FileSink("-")).sent == 0
    assert open_ledger(tmp_path / "ledger").seal.records == 0
