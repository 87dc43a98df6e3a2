"""The answers about each layer's progress, and about the newest run and hand-overs."""

from pathlib import Path
from typing import Any

import msgspec

from crossfade.clock import format_time
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.folder import DataFolder
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import Run
from crossfade.lake.tables import OPS_HANDOVER, list_files
from crossfade.serving.alarms import read_alarms
from crossfade.serving.answers import Answer, RequestView
from crossfade.serving.completeness import FRESH_MS
from crossfade.serving.song_id_conflicts import find_song_id_conflicts

_HANDOVERS_SHOWN = 200
_UNEXPLAINED = "unexplained"


def answer_status(view: RequestView, folder: DataFolder) -> Answer:
    """Return the progress of batch, speed and archive, and the stack's alarms."""
    run = view.snapshot.run
    alarms = read_alarms(folder)
    boundary = view.snapshot.boundary
    return {
        "boundary": _time(boundary),
        "boundary_age_ms": view.now - boundary if boundary > NO_BOUNDARY else None,
        "as_of": _time(run.published_at_ms) if run is not None else None,
        "song_id_conflicts": view.status_cache.get_or_compute(
            view.snapshot, "song_id_conflicts", lambda: find_song_id_conflicts(view.snapshot)
        ),
        "batch": _describe_run(run),
        "run_at_work": _describe_run_at_work(folder),
        "speed": _describe_speed(view),
        "streams": _read_report(folder.streams_file),
        "alarms": alarms.active,
        "plays_refused": alarms.refused,
    }


def answer_reconciliation(view: RequestView, folder: DataFolder) -> Answer:
    """Return the newest run's counts, the newest hand-overs, and whether all of them hold."""
    rows, verdicts = _read_handovers(folder)
    run = view.snapshot.run
    is_conserved = run is None or run.counts.bronze_rows == (
        run.counts.accepted + run.counts.rejected + run.counts.duplicates + run.counts.erased
    )
    return {
        "rows": rows,
        "verdicts": verdicts,
        "holds": is_conserved and not verdicts.get(_UNEXPLAINED),
        "boundary": _time(view.snapshot.boundary),
        "as_of": _time(run.published_at_ms) if run is not None else None,
        "run": _describe_run(run),
    }


def _describe_run(run: Run | None) -> Answer | None:
    if run is None:
        return None
    counts = ("bronze_rows", "accepted", "rejected", "duplicates", "erased", "late")
    return {
        "run": run.run,
        **{name: getattr(run.counts, name) for name in counts},
        "rejected_by_reason": dict(run.counts.rejected_by_reason),
        "dropped_by_field": dict(run.counts.dropped_by_field),
        "end_offsets": {str(p): end for p, end in run.end_offsets.items()},
        "rules": run.rules,
        "took_ms": run.published_at_ms - run.started_at_ms,
        "published_at": format_time(run.published_at_ms),
    }


def _describe_speed(view: RequestView) -> Answer | None:
    status = view.speed_status
    if view.speed is None or status is None:
        return None
    marker = view.speed.marker()
    age = view.now - status.sent_at if status.sent_at is not None else None
    is_fresh = age is not None and age <= FRESH_MS
    return {
        "ready": status.is_ready,
        "lag_ms": status.lag_ms,
        "marker_age_ms": age,
        "late_pending": status.late_pending if is_fresh else None,
        "rows": view.speed.count_rows(),
        "epoch": marker.epoch if marker is not None else None,
        "batch": marker.batch if marker is not None else None,
        "trouble": status.trouble,
    }


def _describe_run_at_work(folder: DataFolder) -> Answer | None:
    """Return the run in progress and its start; None between two runs."""
    report = _read_report(folder.batch_file)
    if report is None or report["ended_at"] is not None:
        return None
    return {"run": report["run"], "began_at": format_time(report["began_at"])}


def _read_report(path: Path) -> Answer | None:
    """Read the progress file of the queries or of batch; None if there is no readable one."""
    try:
        report: Any = msgspec.json.decode(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return dict(report)


def _read_handovers(folder: DataFolder) -> tuple[list[Answer], dict[str, int]]:
    """Read the newest hand-overs; the last verdict on a window of a run counts."""
    with connect() as connection:
        register_table(connection, OPS_HANDOVER, list_files(folder.lake, OPS_HANDOVER))
        newest = (
            "SELECT * FROM ops_handover QUALIFY row_number() OVER "
            "(PARTITION BY run, window_start ORDER BY compared_at DESC) = 1"
        )
        counted = f"SELECT verdict, count(*) FROM ({newest}) GROUP BY verdict ORDER BY verdict"
        verdicts = dict(connection.execute(counted).fetchall())
        rows = connection.execute(
            "SELECT run, epoch_ms(window_start), speed_plays, batch_plays, repeated_plays, verdict "
            f"FROM ({newest}) ORDER BY run DESC, window_start DESC LIMIT {_HANDOVERS_SHOWN}"
        ).fetchall()
    names = ("run", "window_start", "speed_plays", "batch_plays", "repeated_plays", "verdict")
    shown = [dict(zip(names, row, strict=True)) for row in rows]
    return [{**row, "window_start": format_time(row["window_start"])} for row in shown], verdicts


def _time(time_ms: int) -> str | None:
    return format_time(time_ms) if time_ms > NO_BOUNDARY else None
