"""Remove erased listeners' rows from silver, as a part of a run of batch."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

from crossfade.erasure.listener_rows import ListenerRows
from crossfade.lake.commits import WRITER, signed
from crossfade.lake.tables import (
    SILVER_DUPLICATES,
    SILVER_ERASED,
    SILVER_PLAYS,
    SILVER_REJECTED,
    Table,
    table_path,
)

_SAME_PLACE = "row.date = gone.date AND row.partition = gone.partition AND row.offset = gone.offset"


@dataclass(frozen=True, slots=True)
class PlayRef:
    """A play that entered or left silver: its event time (ms since the epoch) and its song."""

    event_time_ms: int
    song_id: str


def remove_rows(lake: Path, rows: ListenerRows, run_uuid: str) -> list[PlayRef]:
    """Move rows to silver/erased, which keeps only position and log time; return the plays."""
    gone = pa.concat_tables(
        one.select(["partition", "offset", "log_time"])
        for one in (rows.plays, rows.duplicates, rows.rejected)
    )
    for table, found in (
        (SILVER_PLAYS, rows.plays),
        (SILVER_DUPLICATES, pa.concat_tables([rows.duplicates, rows.orphaned])),
        (SILVER_REJECTED, rows.rejected),
    ):
        _delete(lake, table, found, run_uuid)
    _append_erased(lake, gone, run_uuid)
    times, songs = rows.plays["event_ms"].to_pylist(), rows.plays["song_id"].to_pylist()
    return [PlayRef(time, song) for time, song in zip(times, songs, strict=True)]


def _append_erased(lake: Path, gone: pa.Table, run_uuid: str) -> None:
    table = DeltaTable(table_path(lake, SILVER_ERASED))
    schema = pa.schema(table.schema().to_arrow())
    rows = gone.append_column("date", pc.cast(gone["log_time"], pa.date32()))
    write_deltalake(
        table,
        rows.select(schema.names).cast(schema),
        mode="append",
        writer_properties=WRITER,
        commit_properties=signed(run_uuid),
    )


def _delete(lake: Path, table: Table, rows: pa.Table, run_uuid: str) -> None:
    """Delete rows by position, so that the commit names no listener."""
    if not len(rows):
        return
    places = rows.select(["partition", "offset", "date"])
    DeltaTable(table_path(lake, table)).merge(
        places,
        _SAME_PLACE,
        source_alias="gone",
        target_alias="row",
        streamed_exec=False,
        writer_properties=WRITER,
        commit_properties=signed(run_uuid),
    ).when_matched_delete().execute()
