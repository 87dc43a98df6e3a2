"""A driver that everybody takes for dead, and that comes back after another took over."""

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
"""Micro-batches that the successor has done before the other wakes up."""


class Place(Protocol):
    """What the case needs of a bench: a folder of its own, and rng."""

    scratch: Path
    seed: int


def wake_a_zombie(place: Place) -> Outcome:
    """Stop a driver in the middle, let another take over, and wake the first one up.

    The lock of the first is taken away, as it is where two machines do not share one.
    """
    data, ledger = place.scratch / "data", place.scratch / "ledger"
    place.scratch.mkdir(parents=True, exist_ok=True)
    broker = Broker(place.scratch / "kafka", cache=load_settings().cache)
    with broker:
        env = _environment(data, broker.address.bootstrap)
        with contextlib.ExitStack() as ended:
            first = ended.enter_context(_driver(env, place.scratch / "first.log"))
            _wait(lambda: _archived(data) >= 0, first)
            audience = ended.enter_context(_audience(env, ledger, place))
            _wait(lambda: _archived(data) > 1, first)
            time.sleep(random.Random(place.seed).uniform(0, 3))
            zombie = _session(first.pid)
            stood_still = freeze(zombie)
            planned = _planned(data)
            for query in ("archive", "speed"):
                (data / "run" / f"{query}.lock").unlink()
            second = ended.enter_context(_driver(env, place.scratch / "second.log"))
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
    seen = (place.scratch / "first.log").read_text().strip().splitlines()[-1]
    is_loud = first.returncode not in (0, None) and second.returncode == 0
    return Outcome(
        injected=int(stood_still and is_loud and _wrote_once(data)),
        healed_s=healed_s,
        seen=f"the zombie: {seen}" if is_loud else f"not loud: {seen}; {found}",
        **found.counts(),
    )


ZOMBIE_CASES = [
    Case("F28-zombie", "a frozen driver wakes after another took over", "start", wake_a_zombie)
]


def _environment(data: Path, bootstrap: str) -> dict[str, str]:
    return {**os.environ, **QUICK, "CROSSFADE_DATA": str(data), "CROSSFADE_BOOTSTRAP": bootstrap}


@contextmanager
def _driver(env: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with _process(env, log, "streams") as driver:
        yield driver


@contextmanager
def _audience(
    env: dict[str, str], ledger: Path, place: Place
) -> Iterator["subprocess.Popen[bytes]"]:
    words = ("--rate", "300", "--for", "24h", "--report", "start", "--listeners", "5000")
    seed = ("--seed", str(place.seed), "--ledger", str(ledger))
    with _process(env, place.scratch / "audience.log", "generate", *words, *seed) as audience:
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
    """Return the number of the archive's newest committed micro-batch; -1: none."""
    return _newest(data / "datalake" / "_checkpoint" / "archive" / "commits")


def _planned(data: Path) -> int:
    return _newest(data / "datalake" / "_checkpoint" / "archive" / "offsets")


def _newest(folder: Path) -> int:
    if not folder.is_dir():
        return -1
    return max((int(one.name) for one in folder.iterdir() if one.name.isdigit()), default=-1)


def _wrote_once(data: Path) -> bool:
    """Check whether every micro-batch of the archive is in bronze's log once."""
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
