"""Blank erased listeners' records in bronze: remove key, headers and bytes, keep the position.

Bronze has another writer, the archive, in another process. These commits are made by delta-rs,
which never overwrites an existing commit, and the archive's appends change no file that is
rewritten. Spark's log on a local file system is weaker: between its check for a version and its
rename, the archive may overwrite a commit made here. The archive loses nothing by that, and the
blanking is seen to be missing and repeated, because its transaction number is in the same commit.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from crossfade.erasure.suppression import ERASED_HEADER
from crossfade.errors import LakeError
from crossfade.lake.commits import WRITER, signed
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import Run
from crossfade.lake.table_files import read_files
from crossfade.lake.tables import (
    BRONZE_SONG_PLAYS,
    SILVER_ERASED,
    list_files,
    open_table,
    table_path,
)
from crossfade.telemetry import get_logger

_BLANKED_BY = "crossfade-erasure"
"""The application id of blanking; its transaction number is a version of silver/erased."""

_AT_ONCE = 64
"""One commit blanks the records of up to this many hours of log time."""

_TRIES = 20
_CONTENT = ("key", "headers", "value")
_SAME_PLACE = (
    "row.date = gone.date AND row.hour = gone.hour "
    "AND row.partition = gone.partition AND row.offset = gone.offset"
)
_DAYS = "SELECT DISTINCT date FROM erased ORDER BY date"
_FOUND = """
SELECT date, hour, "partition", "offset"
FROM records SEMI JOIN erased USING (date, "partition", "offset")
WHERE "value" IS NOT NULL OR "key" IS NOT NULL OR coalesce(headers[1]."key", '') <> $header
ORDER BY ALL
"""
_log = get_logger("batch")


def blank_erased(lake: Path, run: Run) -> int:
    """Blank bronze's records that the run's silver/erased names; return how many were not yet.

    Raises:
        LakeError: other writers keep rewriting the same records.
    """
    bronze = open_table(lake, BRONZE_SONG_PLAYS)
    pin = run.pins.get(SILVER_ERASED.name)
    if bronze is None or pin is None:
        return 0
    new = _find_new(lake, pin, bronze.transaction_version(_BLANKED_BY))
    places = _find_places(lake, new) if new else ()
    if not places:
        return 0
    *chunks, last = _cut(places)
    for chunk in chunks:
        _blank(lake, chunk, signed(run.run_uuid))
    done = Transaction(_BLANKED_BY, pin)
    _blank(lake, last, signed(run.run_uuid, done))
    return len(places)


def _find_new(lake: Path, pin: int, blanked: int | None) -> list[str]:
    """List the files of silver/erased added since the version up to which bronze is blank."""
    files = list_files(lake, SILVER_ERASED, pin)
    if blanked is None or blanked == pin:
        return files if blanked is None else []
    try:
        known = set(list_files(lake, SILVER_ERASED, blanked))
    except DeltaError:  # its log was cleaned up: check every record again
        known = set()
    return [path for path in files if path not in known]


def _find_places(lake: Path, erased: list[str]) -> pa.Table:
    """Return the positions that are not blank yet, with their lake partitions."""
    with connect() as connection:
        register_table(connection, SILVER_ERASED, erased, view="erased")
        days = [day for (day,) in connection.execute(_DAYS).fetchall()]
        files = [one.path for one in read_files(lake, BRONZE_SONG_PLAYS) if one.may_hold(days)]
        register_table(connection, BRONZE_SONG_PLAYS, files, view="records")
        return connection.sql(_FOUND, params={"header": ERASED_HEADER}).to_arrow_table()


def _cut(places: pa.Table) -> Iterator[pa.Table]:
    """Split positions, which are sorted by hour, into chunks of `_AT_ONCE` hours."""
    hours = [*zip(places["date"].to_pylist(), places["hour"].to_pylist(), strict=True)]
    starts = [at for at in range(len(hours)) if not at or hours[at] != hours[at - 1]][::_AT_ONCE]
    for begin, end in zip(starts, [*starts[1:], len(hours)], strict=True):
        yield places.slice(begin, end - begin)


def _blank(lake: Path, places: pa.Table, note: CommitProperties) -> None:
    """Blank records in one commit; retry while other commits conflict."""
    for _ in range(_TRIES):
        bronze = DeltaTable(table_path(lake, BRONZE_SONG_PLAYS))
        merge = bronze.merge(
            _empty_content(places, pa.schema(bronze.schema().to_arrow())),
            _SAME_PLACE,
            source_alias="gone",
            target_alias="row",
            streamed_exec=False,
            writer_properties=WRITER,
            commit_properties=note,
            # The archive maintains the log: a checkpoint written here could outlive this commit.
            post_commithook_properties=PostCommitHookProperties(
                create_checkpoint=False, cleanup_expired_logs=False
            ),
        ).when_matched_update({name: f"gone.{name}" for name in _CONTENT})
        try:
            merge.execute()
        except CommitFailedError as error:
            _log.info("bronze changed: blanking is retried", reason=str(error).splitlines()[0])
        else:
            return
    what = f"Bronze in {lake} was rewritten {_TRIES} times while records were blanked."
    raise LakeError(what, 'Let only Crossfade write there, then run "crossfade batch --once".')


def _empty_content(places: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the positions with the values that replace the records' content."""
    marks = [[{"key": ERASED_HEADER, "value": None}]] * len(places)
    content = {"key": None, "headers": marks, "value": None}
    for name in _CONTENT:
        kind = schema.field(name).type
        column = pa.nulls(len(places), kind) if content[name] is None else pa.array(marks, kind)
        places = places.append_column(name, column)
    return places
