"""The table ops/handover: speed's count against batch's for each window that batch took over."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from deltalake import write_deltalake

from crossfade.clock import now_ms
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import OPS_HANDOVER, list_files, table_path

_SCHEMA = pa.schema(
    [
        ("run", pa.int32()),
        ("window_start", pa.timestamp("us", tz="UTC")),
        ("speed_plays", pa.int64()),
        ("batch_plays", pa.int64()),
        ("repeated_plays", pa.int64()),
        ("verdict", pa.string()),
        ("compared_at", pa.timestamp("us", tz="UTC")),
    ]
)


class HandoverVerdict(StrEnum):
    """Why speed and batch agree, or differ, about a window."""

    EQUAL = "equal"
    REPEAT = "repeat"
    REUSED_ID = "reused_id"
    ERASED = "erased"
    WATERMARK_DROP = "watermark_drop"
    NOT_RETAINED = "not_retained"
    PENDING = "pending"
    UNEXPLAINED = "unexplained"


class Handover(NamedTuple):
    """The verdict on one window of one run: a row of ops/handover; times are ms since the epoch."""

    run: int
    window_start: int
    speed_plays: int
    batch_plays: int
    repeated_plays: int
    verdict: HandoverVerdict


def read_handovers(lake: Path) -> list[Handover]:
    """Read every recorded verdict, by run and window."""
    with connect() as connection:
        register_table(connection, OPS_HANDOVER, list_files(lake, OPS_HANDOVER))
        rows = connection.execute(
            "SELECT run, epoch_ms(window_start), speed_plays, batch_plays, repeated_plays, verdict "
            "FROM ops_handover ORDER BY run, window_start"
        ).fetchall()
    return [
        Handover(run, window, speed, batch, repeated, HandoverVerdict(verdict))
        for run, window, speed, batch, repeated, verdict in rows
    ]


def append_handovers(lake: Path, handovers: Sequence[Handover]) -> None:
    """Add rows to ops/handover, in one commit."""
    compared_at = _utc_time(now_ms())
    rows = [
        {
            **one._asdict(),
            "window_start": _utc_time(one.window_start),
            "verdict": str(one.verdict),
            "compared_at": compared_at,
        }
        for one in handovers
    ]
    write_deltalake(
        table_path(lake, OPS_HANDOVER), pa.Table.from_pylist(rows, _SCHEMA), mode="append"
    )


def _utc_time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time_ms)
