"""Start cases: wrong clocks, and nights in which daylight saving time changes."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq

from crossfade.clock import now_ms
from faults.case import Case, Outcome
from faults.case_checks import check_healed, require
from faults.damage import shifted_clock
from faults.lake_snapshot import live_files, newest_run
from faults.template import in_new_folder, on_copy
from faults.workspace import Workspace

_HOUR_S = 3_600
_WINDOW_MS = 600_000
_DAY_MS = 24 * _HOUR_S * 1_000
_NIGHT = {
    "CROSSFADE_GRAIN": "10m",
    "CROSSFADE_LATE_AFTER": "1d",
    # A time zone with daylight saving time; no result may depend on it.
    "TZ": "Europe/Stockholm",
}


def _skewed(hours: int) -> Callable[[Workspace], Outcome]:
    def run(workspace: Workspace) -> Outcome:
        """Run the drivers with a clock that is hours off; the broker's clock is right."""
        env = shifted_clock(hours * _HOUR_S)
        healed_s = workspace.catch_up(env=env)
        skew_s = (workspace.progress()["archive"]["at"] - now_ms()) / 1_000
        workspace.publish(env=env)
        injected = int(abs(skew_s - hours * _HOUR_S) < _HOUR_S / 2)
        seen = f"the driver's clock was off by {skew_s / _HOUR_S:+.1f} h"
        return check_healed(workspace.judge(), injected=injected, healed_s=healed_s, seen=seen)

    return run


def _night(year: int, month: int, day: int) -> Callable[[Workspace], Outcome]:
    changes_on = datetime(year, month, day, tzinfo=UTC)

    def run(workspace: Workspace) -> Outcome:
        """Play through a night in which clocks change; both layers must count each window."""
        evening = _at(changes_on + timedelta(days=1, minutes=55))
        workspace.ensure_kafka({**_NIGHT, **evening})
        begin, end = changes_on - timedelta(hours=1), changes_on + timedelta(hours=24, minutes=40)
        span = ["--from", f"{begin:%Y-%m-%dT%H:%M:%SZ}", "--to", f"{end:%Y-%m-%dT%H:%M:%SZ}"]
        workspace.generate("night", *span, "--rate", "0.05", env={**_NIGHT, **evening})
        healed_s = workspace.catch_up(env={**_NIGHT, **evening})
        workspace.stop_kafka()
        morning = _at(changes_on + timedelta(days=2, minutes=65))
        workspace.ensure_kafka({**_NIGHT, **morning})
        workspace.publish(env={**_NIGHT, **morning})
        first = int(changes_on.timestamp()) * 1_000
        expected, found = _expect_windows(workspace, first), _find_windows(workspace, first)
        outcome = check_healed(
            workspace.judge(), injected=len(found), healed_s=healed_s, seen=f"{len(found)} windows"
        )
        is_whole = found == expected and len(found) == _DAY_MS // _WINDOW_MS
        return require(outcome, condition=is_whole, problem=f"{len(expected)} windows were played")

    return run


def _at(moment: datetime) -> dict[str, str]:
    """Return the environment in which the clock shows the given time now."""
    return shifted_clock(round(moment.timestamp() - now_ms() / 1_000))


def _expect_windows(workspace: Workspace, first: int) -> dict[int, int]:
    """Count the plays of each window of a UTC day from the ledgers."""
    windows: Counter[int] = Counter()
    for ledger in workspace.ledgers:
        for path in (ledger / "records").glob("*.parquet"):
            times = pq.read_table(path, columns=["event_time"])["event_time"].to_pylist()
            windows.update(at - at % _WINDOW_MS for at in times if first <= at < first + _DAY_MS)
    return dict(windows)


def _find_windows(workspace: Workspace, first: int) -> dict[int, int]:
    """Count the plays of each window of a UTC day in gold, as the newest run pinned it."""
    windows: Counter[int] = Counter()
    _, pins = newest_run(workspace.data)
    for path in live_files(workspace.data, "gold/song_window", pins["gold/song_window"]):
        rows = pq.read_table(path, columns=["window_start", "plays"], partitioning=None).to_pylist()
        for row in rows:
            start = round(row["window_start"].timestamp() * 1_000)
            if first <= start < first + _DAY_MS:
                windows[start] += row["plays"]
    return dict(windows)


CASES = (
    Case("F48-ahead", "the drivers' clock is 2 h ahead", "start", on_copy(_skewed(2))),
    Case("F48-behind", "the drivers' clock is 2 h behind", "start", on_copy(_skewed(-2))),
    Case("F62-spring", "the night of 2026-03-29", "start", in_new_folder(_night(2026, 3, 29))),
    Case("F62-autumn", "the night of 2026-10-25", "start", in_new_folder(_night(2026, 10, 25))),
)
