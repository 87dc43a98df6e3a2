"""Zombie case: a driver is suspended, another takes over, and the first one resumes."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psutil
from deltalake import DeltaTable

from crossfade.config import load_settings
from crossfade.stack.broker import Broker
from faults.case import Case, Outcome
from faults.live_bench import freeze, thaw
from faults.oracle import Logs, Oracle
from faults.stack import QUICK

_WITHIN_S = 150.0
_AHEAD = 5
"""Micro-batches that the successor must finish before the first driver resumes."""


class Bench(Protocol):
    """What the case needs of a test bench: a scratch folder and a seed."""

    scratch: Path
    seed: int


def wake_a_zombie(bench: Bench) -> Outcome:
    """Suspend a driver, let another take over, and resume the first one.

    The first driver's lock files are removed, because two machines would not share them.
    """
    data, ledger = bench.scratch / "data", bench.scratch / "ledger"
    bench.scratch.mkdir(parents=True, exist_ok=True)
    broker = Broker(bench.scratch / "kafka", cache=load_settings().cache)
    with broker:
        env = _environment(data, broker.address.bootstrap)
        with contextlib.ExitStack() as ended:
            first = ended.enter_context(_driver(env, bench.scratch / "first.log"))
            _wait(lambda: _archived(data) >= 0, first)
            audience = ended.enter_context(_audience(env, ledger, bench))
            _wait(lambda: _archived(data) > 1, first)
            time.sleep(random.Random(bench.seed).uniform(0, 3))
            zombie = _session(first.pid)
            is_suspended = freeze(zombie)
            planned = _planned(data)
            for query in ("archive", "speed"):
                (data / "run" / f"{query}.lock").unlink()
            second = ended.enter_context(_driver(env, bench.scratch / "second.log"))
            _wait(lambda: _archived(data) > planned + _AHEAD, second)
            began = time.monotonic()
            thaw(zombie)
            first.wait(_WITHIN_S)
            healed_s = time.monotonic() - began
            woken_at = _archived(data)
            _wait(lambda: _archived(data) > woken_at + 1, second)
            audience.send_signal(signal.SIGINT)
            audience.wait(_WITHIN_S)
            second.send_signal(signal.SIGTERM)
            second.wait(_WITHIN_S)
        _run(env, "batch", "--once")
        found = Oracle(data, Logs(broker.address.bootstrap), [ledger]).check_all()
    seen = (bench.scratch / "first.log").read_text().strip().splitlines()[-1]
    has_failed = first.returncode not in (0, None) and second.returncode == 0
    return Outcome(
        injected=int(is_suspended and has_failed and _wrote_once(data)),
        healed_s=healed_s,
        seen=f"the zombie: {seen}" if has_failed else f"no error: {seen}; {found}",
        **found.counts(),
    )


ZOMBIE_CASES = [
    Case("F28-zombie", "a suspended driver resumes after another took over", "start", wake_a_zombie)
]


def _environment(data: Path, bootstrap: str) -> dict[str, str]:
    return {**os.environ, **QUICK, "CROSSFADE_DATA": str(data), "CROSSFADE_BOOTSTRAP": bootstrap}


@contextmanager
def _driver(env: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with _process(env, log, "streams") as driver:
        yield driver


@contextmanager
def _audience(
    env: dict[str, str], ledger: Path, bench: Bench
) -> Iterator["subprocess.Popen[bytes]"]:
    words = ("--rate", "300", "--for", "24h", "--report", "start", "--listeners", "5000")
    seed = ("--seed", str(bench.seed), "--ledger", str(ledger))
    with _process(env, bench.scratch / "audience.log", "generate", *words, *seed) as audience:
        yield audience


@contextmanager
def _process(env: dict[str, str], log: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "crossfade", *words],
            env=env,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for one in _session(process.pid):
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                one.kill()
        process.wait()


def _run(env: dict[str, str], *words: str) -> None:
    command = [sys.executable, "-m", "crossfade", *words]
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=300)


def _session(session: int) -> list[psutil.Process]:
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getsid(pid) == session:
                found.append(psutil.Process(pid))
    return found


def _archived(data: Path) -> int:
    """Return the number of the archive's newest committed micro-batch; -1 if there is none."""
    return _newest(data / "datalake" / "_checkpoint" / "archive" / "commits")


def _planned(data: Path) -> int:
    return _newest(data / "datalake" / "_checkpoint" / "archive" / "offsets")


def _newest(folder: Path) -> int:
    if not folder.is_dir():
        return -1
    return max((int(one.name) for one in folder.iterdir() if one.name.isdigit()), default=-1)


def _wrote_once(data: Path) -> bool:
    """Check whether bronze's log has every micro-batch of the archive exactly once."""
    table = DeltaTable(data / "datalake" / "bronze" / "song_plays")
    log = Path(table.table_uri.removeprefix("file://")) / "_delta_log"
    seen = [
        (action["txn"]["appId"], action["txn"]["version"])
        for path in log.glob("*.json")
        for action in map(json.loads, path.read_text().splitlines())
        if "txn" in action
    ]
    return bool(seen) and len(seen) == len(set(seen))


def _wait(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not condition():
        assert process.poll() is None, f"{process.args} ended"
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)
