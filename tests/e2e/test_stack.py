"""The whole stack, as a user starts it, with killed processes and changed files."""

import json
import lzma
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faults.leftover_processes import list_leftover_processes
from faults.stack import RunningStack, run_stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

_GRAIN_MS = 10_000

_EVERYTHING = Path(__file__).parents[2] / "faults" / "everything.toml"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    with run_stack(tmp_path / "data") as running:
        yield running


def test_a_killed_driver_and_a_killed_broker_come_back_and_the_proof_holds(
    stack: RunningStack, tmp_path: Path
) -> None:
    month = str(_a_real_month(tmp_path))
    imported = stack.run("import", "spotify", month, "--user", "anna", "--json")
    assert imported.returncode == 0, imported.stderr
    ledger = tmp_path / "ledger"
    generator = stack.start(
        *("generate", "--rate", "300", "--for", "60s", "--report", "start"),
        *("--scenario", str(_EVERYTHING), "--ledger", str(ledger)),
    )
    stack.wait_for("a first window", lambda: stack.ask("trending").get("rows"))

    stack.kill("streams")
    stack.wait_for("a complete answer", stack.is_live)
    stack.kill("broker")
    assert generator.wait(240) == 0
    last_window_ended_ms = time.time_ns() // 1_000_000 - _GRAIN_MS

    batch = stack.run("batch", "--once", "--json")
    assert batch.returncode == 0, batch.stderr
    stack.wait_for(
        "the last windows handed over",
        lambda: (stack.ask("trending").get("boundary") or "") > _rfc3339(last_window_ended_ms),
    )
    _expect_proof(stack, ledger)
    assert stack.run("trending", "--json").returncode == 0
    month = json.loads(stack.run("chart", "songs", "--month", "2019-06", "--json").stdout)
    first = month["rows"][0]
    assert (first["title"], first["artist"], first["counted_plays"]) == ("Berlin", "Milliarden", 26)

    second = stack.run("up")
    assert second.returncode == 1
    assert "is held by" in second.stderr

    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(120) == 0
    assert list_leftover_processes(stack.data) == []
    assert not (stack.data / "stack.json").exists()

    _expect_proof(stack, ledger)
    _expect_tampering_to_be_named(stack, ledger)


def _expect_proof(stack: RunningStack, ledger: Path) -> None:
    """Check the lake against the ledger: every sent record is there, with the right verdict."""
    proof = stack.run("reconcile", "--ledger", str(ledger), "--json")
    result = json.loads(proof.stdout)
    wrong = [one for one in result["findings"] if one["verdict"] == "unexplained"]
    assert result["holds"], wrong
    assert proof.returncode == 0
    by_ledger = [one for one in result["findings"] if one["check"].startswith("ledger: ")]
    assert {one["verdict"] for one in by_ledger} == {"holds"}, by_ledger
    sent = json.loads((ledger / "ledger.json").read_text())
    assert sent["records"] == sent["acknowledged"] == 18_000
    assert sent["answers"].keys() == {"accepted", "rejected", "duplicate"}
    assert len(sent["faults"]) > 50


def _expect_tampering_to_be_named(stack: RunningStack, ledger: Path) -> None:
    """Remove a row from a file of the lake, then add one; the proof must name both positions."""
    files = (stack.data / "datalake" / "bronze" / "song_plays").rglob("*.parquet")
    path = max(files, key=lambda one: one.stat().st_size)
    whole = path.read_bytes()
    rows = pq.read_table(path, partitioning=None)
    partition, offset = rows["partition"][7].as_py(), rows["offset"][7].as_py()
    less = pa.concat_tables([rows.slice(0, 7), rows.slice(8)])
    more = pa.concat_tables([rows, rows.slice(7, 1)])
    for changed in (less, more):
        pq.write_table(changed, path)
        for crc in path.parent.glob(f".{path.name}.crc"):
            crc.unlink()
        proof = stack.run("reconcile", "--ledger", str(ledger), "--json")
        assert proof.returncode == 1
        named = [
            text
            for one in json.loads(proof.stdout)["findings"]
            if one["verdict"] == "unexplained" and one["check"].startswith("ledger: ")
            for text in one["wrong"]
        ]
        assert any(f"[{partition}] offset {offset}" in text for text in named), named
    path.write_bytes(whole)
    _expect_proof(stack, ledger)


def _a_real_month(folder: Path) -> Path:
    """Return June 2019 of the sample year; the demo's test uses the whole year."""
    from crossfade.ingest.sample import sample_year_path

    with lzma.open(sample_year_path()) as year:
        rows = [row for row in json.load(year) if "2019-06" <= row["endTime"] < "2019-07-02"]
    month = folder / "StreamingHistory.json"
    month.write_text(json.dumps(rows), "utf-8")
    return month


def _rfc3339(time_ms: int) -> str:
    from crossfade.clock import format_time

    return format_time(time_ms)
