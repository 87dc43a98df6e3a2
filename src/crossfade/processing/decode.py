"""The one Python step of a Spark job: judge Kafka records with the contract's own decoder."""

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from crossfade.contract.decode import Rejection, decode_play
from crossfade.kafka import LOG_APPEND_TIME

_ARROW_TYPES = {
    "STRING": pa.string(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
}
FIELD_TYPES = {
    "event_id": "STRING",
    "user_id": "STRING",
    "song_id": "STRING",
    "title": "STRING",
    "artist": "STRING",
    "album": "STRING",
    "album_artist": "STRING",
    "genre": "STRING",
    "country": "STRING",
    "city": "STRING",
    "device": "STRING",
    "tier": "STRING",
    "kind": "STRING",
    "source": "STRING",
    "ms_played": "BIGINT",
    "is_counted": "BOOLEAN",
}
_POSITION = ("partition", "offset", "log_time")


def decode_plays(
    records: DataFrame,
    fields: tuple[str, ...],
    *,
    keep_rejected_bytes: bool = False,
    hash_payload: bool = False,
) -> DataFrame:
    """Judge each record; every one comes back as exactly one row.

    Works alike on a batch and on a streaming frame, of the archive's columns
    (`partition`, `offset`, `log_time`, `timestamp_type`, `value`).

    Returns:
        `partition`, `offset`, `log_time` as they came; `reason`, NULL for an accepted record;
        `is_repeat`, true for an accepted record whose identity came before in the same task;
        `event_time` (timestamp) and the asked `fields`, NULL for a rejected record; and, if asked,
        `value`: a rejected record's bytes, and `payload_hash`: a hash of every record's bytes.
    """
    columns = [f"{name} {FIELD_TYPES[name]}" for name in fields]
    if keep_rejected_bytes:
        columns.append("value BINARY")
    hashed = ["payload_hash"] if hash_payload else []
    schema = ", ".join(
        [
            "`partition` INT, `offset` BIGINT, log_time TIMESTAMP",
            *[f"{name} BIGINT" for name in hashed],
            "reason STRING, is_repeat BOOLEAN, event_ms BIGINT",
            *columns,
        ]
    )
    as_came = (*_POSITION, *hashed)
    judged = (
        records.withColumns({name: F.xxhash64("value") for name in hashed})
        .select(*as_came, "timestamp_type", "value")
        .mapInArrow(_judge(fields, as_came, keep_rejected_bytes=keep_rejected_bytes), schema)
    )
    kept = [*fields, *(["value"] if keep_rejected_bytes else [])]
    return judged.select(
        *as_came,
        "reason",
        "is_repeat",
        F.timestamp_millis("event_ms").alias("event_time"),
        *kept,
    )


def _judge(
    fields: tuple[str, ...], as_came: tuple[str, ...], *, keep_rejected_bytes: bool
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def judge(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        seen: set[tuple[str, str, int]] = set()
        for batch in batches:
            columns = [batch.column(name) for name in as_came]
            judged = _judge_batch(batch, fields, seen, keep_rejected_bytes=keep_rejected_bytes)
            yield pa.RecordBatch.from_arrays(
                [*columns, *judged.values()], names=[*as_came, *judged]
            )

    return judge


def _judge_batch(
    batch: pa.RecordBatch,
    fields: tuple[str, ...],
    seen: set[tuple[str, str, int]],
    *,
    keep_rejected_bytes: bool,
) -> dict[str, pa.Array]:
    values = batch.column("value").to_pylist()
    log_times = batch.column("log_time").cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
    is_append = batch.column("timestamp_type").to_pylist()
    plays, reasons, repeats = [], [], []
    for value, log_time, kind in zip(values, log_times.to_pylist(), is_append, strict=True):
        verdict = decode_play(value, log_time if kind == LOG_APPEND_TIME else None)
        if isinstance(verdict, Rejection):
            plays.append(None)
            reasons.append(str(verdict.reason))
            repeats.append(False)
            continue
        identity = verdict.identity
        plays.append(verdict)
        reasons.append(None)
        repeats.append(identity in seen)
        seen.add(identity)
    judged = {
        "reason": pa.array(reasons, pa.string()),
        "is_repeat": pa.array(repeats, pa.bool_()),
        "event_ms": _column(plays, "event_time", pa.int64()),
    }
    judged |= {name: _column(plays, name, _ARROW_TYPES[FIELD_TYPES[name]]) for name in fields}
    if keep_rejected_bytes:
        kept = [value if reason else None for value, reason in zip(values, reasons, strict=True)]
        judged["value"] = pa.array(kept, pa.binary())
    return judged


def _column(plays: list[object | None], name: str, kind: pa.DataType) -> pa.Array:
    return pa.array([None if play is None else getattr(play, name) for play in plays], kind)
