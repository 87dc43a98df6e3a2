"""A history with a listener to erase, and a search for what is left of the listener."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb

from crossfade.erasure.erase import Erasure, erase_listener
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import BRONZE_SONG_PLAYS, list_files
from crossfade.processing.batch.job import run_locked
from support.batch_bench import BatchBench, a_history
from support.handmade_lake import Record

GONE = "listener-to-be-erased"


def named_history() -> list[Record]:
    """Return three days of records, a third of them of one listener, each keyed by its listener.

    Some of that listener's records are not plays, and some plays of others have that key.
    """
    records = a_history()
    for number, record in enumerate(records):
        record.value = record.value.replace(b'"user-1"', f'"{GONE}"'.encode())
        record.key = _listener_of(record).encode()
        record.headers = [{"key": "source", "value": b"test"}] if number % 5 == 0 else []
        if record.value == b"not json" and number % 2:
            record.value = f'{{"user_id": "{GONE}", "title": broken'.encode()
            record.key = b"somebody"
        elif number % 29 == 0:
            record.key = GONE.encode()
    return records


def is_of(*listeners: str) -> Callable[[Record], bool]:
    """Return a check for whether a record belongs to one of the listeners."""
    return lambda record: any(
        f'"{one}"'.encode() in record.value or record.key == one.encode() for one in listeners
    )


def erase(bench: BatchBench, user_id: str = GONE) -> Erasure:
    """Erase a listener, without Kafka."""
    run_batch = partial(run_locked, bench.spark, bench.folder, bench.settings, None)
    return erase_listener(bench.folder, None, user_id, run_batch=run_batch)


def find_text(bench: BatchBench, text: str) -> set[str]:
    """Return the files of the lake, of any version, that hold a text in bytes or in a row."""
    connection = connect()
    return {
        str(path.relative_to(bench.lake))
        for path in bench.lake.rglob("*")
        if path.is_file()
        and (text.encode() in path.read_bytes() or _is_in_a_row(connection, path, text))
    }


def read_bronze(bench: BatchBench) -> dict[tuple[int, int], tuple[object, ...]]:
    """Read bronze by position: key, value and headers, then what an erasure leaves."""
    connection = connect()
    register_table(connection, BRONZE_SONG_PLAYS, list_files(bench.lake, BRONZE_SONG_PLAYS))
    rows = connection.execute(
        'SELECT "partition", "offset", "key", "value", headers, epoch_ms(log_time), '
        "timestamp_type, topic, date, hour FROM bronze_song_plays"
    )
    return {(row[0], row[1]): row[2:] for row in rows.fetchall()}


def _listener_of(record: Record) -> str:
    try:
        return str(json.loads(record.value)["user_id"])
    except ValueError:
        return "nobody"


def _is_in_a_row(connection: duckdb.DuckDBPyConnection, path: Path, text: str) -> bool:
    if path.suffix != ".parquet":
        return False
    query = "SELECT CAST(row AS VARCHAR) FROM read_parquet(?) AS row"
    return any(text in row for (row,) in connection.execute(query, [str(path)]).fetchall())
