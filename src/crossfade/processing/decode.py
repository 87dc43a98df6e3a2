"""The one Python step of a Spark job: judge Kafka records with the contract's own decoder."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    mark_repeats: bool = False,
    keep_rejected_bytes: bool = False,
    hash_payload: bool = False,
) -> DataFrame:
    """Judge each record; every one comes back as exactly one row.

    Works alike on a batch and on a streaming frame, of the archive's columns
    (`partition`, `offset`, `log_time`, `timestamp_type`, `value`).

    Returns:
        `partition`, `offset`, `log_time` as they came; `reason`, NULL for an accepted record;
        `is_repeat`, if asked: true for an accepted record whose identity came before in the same
        task; `event_time` (timestamp) and the asked `fields`, NULL for a rejected record; and, if
        asked, `value`: a rejected record's bytes, and `payload_hash`: a hash of every one's bytes.
    """
    hashed = ["payload_hash"] if hash_payload else []
    as_came = (*_POSITION, *hashed)
    schema = ", ".join(
        [
            "`partition` INT, `offset` BIGINT, log_time TIMESTAMP",
            *[f"{name} BIGINT" for name in hashed],
            "reason STRING, is_repeat BOOLEAN, event_ms BIGINT",
            *[f"{name} {FIELD_TYPES[name]}" for name in fields],
            *(["value BINARY"] if keep_rejected_bytes else []),
        ]
    )
    judge = _Judge(fields, as_came, mark_repeats, keep_rejected_bytes)
    judged = (
        records.withColumns({name: F.xxhash64("value") for name in hashed})
        .select(*as_came, "timestamp_type", "value")
        .mapInArrow(judge, schema)
    )
    return judged.select(
        *as_came,
        "reason",
        *(["is_repeat"] if mark_repeats else []),
        F.timestamp_millis("event_ms").alias("event_time"),
        *fields,
        *(["value"] if keep_rejected_bytes else []),
    )


@dataclass(frozen=True, slots=True)
class _Judge:
    """What a task does with its batches; made on the driver and sent to the workers."""

    fields: tuple[str, ...]
    as_came: tuple[str, ...]
    mark_repeats: bool
    keep_rejected_bytes: bool

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        seen: set[tuple[str, str, int]] = set()
        for batch in batches:
            columns = {name: batch.column(name) for name in self.as_came}
            columns |= self._judge(batch, seen)
            yield pa.RecordBatch.from_pydict(columns)

    def _judge(self, batch: pa.RecordBatch, seen: set[tuple[str, str, int]]) -> dict[str, pa.Array]:
        values = batch.column("value").to_pylist()
        verdicts = [
            decode_play(value, log_time if kind == LOG_APPEND_TIME else None)
            for value, log_time, kind in zip(
                values,
                _milliseconds(batch),
                batch.column("timestamp_type").to_pylist(),
                strict=True,
            )
        ]
        is_rejected = [isinstance(verdict, Rejection) for verdict in verdicts]
        plays: list[Any] = verdicts
        if any(is_rejected):
            reasons = [
                str(verdict.reason) if isinstance(verdict, Rejection) else None
                for verdict in verdicts
            ]
            kept = [
                value if rejected else None
                for value, rejected in zip(values, is_rejected, strict=True)
            ]
            plays = [
                _NO_PLAY if isinstance(verdict, Rejection) else verdict for verdict in verdicts
            ]
        else:
            reasons = kept = [None] * len(values)
        judged = {
            "reason": pa.array(reasons, pa.string()),
            "is_repeat": self._repeats(plays, seen),
            "event_ms": pa.array([play.event_time for play in plays], pa.int64()),
        }
        for name in self.fields:
            column = [getattr(play, name) for play in plays]
            judged[name] = pa.array(column, _ARROW_TYPES[FIELD_TYPES[name]])
        if self.keep_rejected_bytes:
            judged["value"] = pa.array(kept, pa.binary())
        return judged

    def _repeats(self, plays: list[Any], seen: set[tuple[str, str, int]]) -> pa.Array:
        if not self.mark_repeats:
            return pa.repeat(pa.scalar(False), len(plays))
        repeats = []
        for play in plays:
            identity = play.identity
            repeats.append(identity is not None and identity in seen)
            seen.add(identity)
        return pa.array(repeats, pa.bool_())


class _NoPlay:
    """Stands for a rejected record: every field of it is NULL."""

    def __getattr__(self, name: str) -> None:
        return None


_NO_PLAY = _NoPlay()


def _milliseconds(batch: pa.RecordBatch) -> list[int]:
    times = batch.column("log_time").cast(pa.timestamp("ms", tz="UTC"))
    return times.cast(pa.int64()).to_pylist()
