"""The whole stack, as a user starts it, under what happens to such systems."""

import contextlib
import json
import lzma
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from left_behind import list_processes

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

_SETTINGS = {
    "CROSSFADE_GRAIN": "10s",
    "CROSSFADE_LATE_AFTER": "10s",
    "CROSSFADE_BATCH_EVERY": "1s",
    "CROSSFADE_ARCHIVE_EVERY": "1s",
    "CROSSFADE_KAFKA_PORT": "0",
    "CROSSFADE_PORT": "0",
}

_GRAIN_MS = 10_000

_EVERYTHING = """
[faults]
copies = 0.03
late = 0.02
out_of_order = 0.03
clock_behind = 0.02
clock_ahead = 0.02
clock_seconds = 0.01
malformed = 0.03
oversized = 0.001
copy_after = ["1s", "20s"]
[[bots]]
kind = "looper"
accounts = 50
plays_a_minute = 1.9
[[silence]]
country = "CN"
at = "10s"
for = "5s"
[[spike]]
song = 5000
country = "IN"
at = "5s"
for = "40s"
share = 0.3
"""
"""A scenario with everything that can be wrong."""


class RunningStack:
    """`crossfade up` in a process of its own, and the commands that a user gives beside it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.env = {**os.environ, **_SETTINGS, "CROSSFADE_DATA": str(data)}
        with (data.parent / "up.log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "crossfade", "up"],
                env=self.env,
                stderr=log,
                start_new_session=True,
            )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Give a command and wait for its end."""
        return subprocess.run(
            [sys.executable, "-m", "crossfade", *words],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Give a command and go on."""
        return subprocess.Popen([sys.executable, "-m", "crossfade", *words], env=self.env)

    def ask(self, path: str) -> dict[str, Any]:
        """Ask the API; nothing while it is away."""
        try:
            api = json.loads((self.data / "stack.json").read_text())["api"]
            answer = httpx.get(f"{api}/api/v1/{path}", timeout=5)
        except (OSError, httpx.HTTPError):
            return {}
        return dict(answer.json()) if answer.is_success else {}

    def pid_of(self, child: str) -> int | None:
        """Give the process id of a child that runs."""
        try:
            children = json.loads((self.data / "run" / "children.json").read_text())
        except OSError:
            return None
        states = {one["name"]: one for one in children}
        one = states.get(child, {})
        return one.get("pid") if one.get("state") == "running" else None

    def wait_for(
        self, what: str, condition: Callable[[], object], *, within_s: float = 120
    ) -> None:
        """Wait for a condition; the log of the stack is the message if it never holds."""
        deadline = time.monotonic() + within_s
        while not condition():
            log = (self.data.parent / "up.log").read_text()[-3000:]
            assert self.process.poll() is None, f"the stack ended: {log}"
            assert time.monotonic() < deadline, f"{what} not within {within_s} s: {log}"
            time.sleep(0.2)

    def kill(self, child: str) -> None:
        """End a child at once, and wait until another one runs in its place."""
        self.wait_for(f"a running {child}", lambda: self.pid_of(child))
        pid = self.pid_of(child)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.wait_for(f"a new {child}", lambda: self.pid_of(child) not in (None, pid))


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path / "data")
    try:
        running.wait_for("the API", lambda: running.ask("status"))
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(120)
        running.process.kill()
        running.process.wait()


def test_a_killed_driver_and_a_killed_broker_come_back_and_the_proof_holds(
    stack: RunningStack, tmp_path: Path
) -> None:
    imported = stack.run("import", "spotify", str(_a_real_month(tmp_path)), "--json")
    assert imported.returncode == 0, imported.stderr
    scenario, ledger = tmp_path / "everything.toml", tmp_path / "ledger"
    scenario.write_text(_EVERYTHING, "utf-8")
    generator = stack.start(
        *("generate", "--rate", "300", "--for", "60s", "--report", "start"),
        *("--scenario", str(scenario), "--ledger", str(ledger)),
    )
    stack.wait_for("a first window", lambda: stack.ask("trending").get("rows"))

    stack.kill("streams")
    stack.wait_for("a complete answer", lambda: stack.ask("trending").get("complete"))
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
    assert list_processes(stack.data) == []
    assert not (stack.data / "stack.json").exists()

    _expect_proof(stack, ledger)
    _expect_tampering_to_be_named(stack, ledger)


def _expect_proof(stack: RunningStack, ledger: Path) -> None:
    """Hold the lake against the ledger: every record that was sent, and judged rightly."""
    proof = stack.run("reconcile", "--ledger", str(ledger), "--json")
    told = json.loads(proof.stdout)
    wrong = [one for one in told["findings"] if one["verdict"] == "unexplained"]
    assert told["holds"], wrong
    assert proof.returncode == 0
    by_ledger = [one for one in told["findings"] if one["check"].startswith("ledger: ")]
    assert {one["verdict"] for one in by_ledger} == {"holds"}, by_ledger
    sent = json.loads((ledger / "ledger.json").read_text())
    assert sent["records"] == sent["acknowledged"] == 18_000
    assert sent["answers"].keys() == {"accepted", "rejected", "duplicate"}
    assert len(sent["faults"]) > 50


def _expect_tampering_to_be_named(stack: RunningStack, ledger: Path) -> None:
    """Take a row out of a file of the lake, then put one in: both are found, by position."""
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
    """Give June 2019 of the sample year; the test of the demo has the whole of it."""
    from crossfade.ingest.sample import sample_year_path

    with lzma.open(sample_year_path()) as year:
        rows = [row for row in json.load(year) if "2019-06" <= row["endTime"] < "2019-07-02"]
    month = folder / "StreamingHistory.json"
    month.write_text(json.dumps(rows), "utf-8")
    return month


def _rfc3339(time_ms: int) -> str:
    from crossfade.clock import format_time

    return format_time(time_ms)
