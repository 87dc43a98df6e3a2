"""The one Python step of a Spark job: judge Kafka records with the contract's own decoder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from crossfade.contract.decode import Rejection
from crossfade.contract.decode import decode_plays as judge_records
from crossfade.contract.play import Play
from crossfade.erasure.suppression import ERASED, NOBODY, Suppression
from crossfade.kafka.topics import LOG_APPEND_TIME
from crossfade.kafka.window_log import encode_grains

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
    "grain": "STRING",
}
_POSITION = ("partition", "offset", "log_time")
_KEPT_TYPES = {"payload_hash": "BIGINT", "timestamp_type": "INT"}
WORKERS = {
    "spark.python.daemon.module": "crossfade.processing.workers",
    # So few that a batch of records and its plays stay in the processor's cache.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
    # A record may have 4 MiB; two thousand of them at once would fill the heap.
    "spark.sql.execution.arrow.maxBytesPerBatch": "16777216",
}
"""How Spark runs the Python step: for every session that has it."""

_Identity = tuple[str, str, int] | None
_Verdict = Play | Rejection | None
"""None stands for a record of an erased listener."""


def decode_plays(
    records: DataFrame,
    fields: tuple[str, ...],
    *,
    mark_repeats: bool = False,
    keep_rejected_bytes: bool = False,
    hash_payload: bool = False,
    archived: bool = False,
    suppression: Suppression = NOBODY,
) -> DataFrame:
    """Judge each record; every one comes back as exactly one row.

    Works alike on a batch and on a streaming frame, of the archive's columns
    (`partition`, `offset`, `log_time`, `timestamp_type`, `value`; `key` if anybody is suppressed).

    Args:
        records: the frame.
        fields: what is wanted of a play.
        mark_repeats: add `is_repeat`.
        keep_rejected_bytes: add `value`.
        hash_payload: add `payload_hash`.
        archived: the records have `is_blank`, true where an erasure has removed the content, and
            keep their `timestamp_type`.
        suppression: erased listeners. A record is theirs if its key, its play's `user_id` or, of a
            record that is no play, a `user_id` in its bytes is.

    Returns:
        `partition`, `offset`, `log_time` as they came; `payload_hash`, if asked: a hash of every
        record's bytes; `reason`, NULL for an accepted record, `ERASED` for one of an erased
        listener; `event_time` (timestamp) and the asked `fields`, NULL for any other than an
        accepted record; `is_repeat`, if asked: true for an accepted record whose identity came
        before in the same task; and `value`, if asked: a rejected record's bytes.
    """
    hashed = ("payload_hash",) if hash_payload else ()
    as_came = (*_POSITION, *hashed, *(("timestamp_type",) if archived else ()))
    judge = _Judge(fields, as_came, mark_repeats, keep_rejected_bytes, archived, suppression)
    needed = dict.fromkeys((*as_came, "timestamp_type", "value"))
    judged = (
        records.withColumns({name: F.xxhash64("value") for name in hashed})
        .select(
            *needed,
            *(["is_blank"] if archived else []),
            *(["key"] if suppression else []),
        )
        .mapInArrow(judge, _name_types(judge))
    )
    return judged.select(
        *as_came,
        "reason",
        F.timestamp_millis("event_ms").alias("event_time"),
        *fields,
        *(["is_repeat"] if mark_repeats else []),
        *(["value"] if keep_rejected_bytes else []),
    )


@dataclass(frozen=True, slots=True)
class _Judge:
    """What a task does with its batches; made on the driver and sent to the workers."""

    fields: tuple[str, ...]
    as_came: tuple[str, ...]
    mark_repeats: bool
    keep_rejected_bytes: bool
    archived: bool
    suppression: Suppression

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        seen: set[_Identity] = set()
        for batch in batches:
            yield self._judge(batch, seen)

    def _judge(self, batch: pa.RecordBatch, seen: set[_Identity]) -> pa.RecordBatch:
        verdicts: Sequence[_Verdict] = judge_records(
            batch.column("value").to_pylist(), _known_log_times(batch)
        )
        if self.suppression:
            verdicts = _leave_out(verdicts, batch, self.suppression)
        has_others = not set(map(type, verdicts)) <= {Play}
        if has_others and self.archived:
            verdicts = _leave_out_blank(verdicts, batch)
        plays = [_play_of(verdict) for verdict in verdicts] if has_others else verdicts
        judged = {name: batch.column(name) for name in self.as_came}
        judged["reason"] = (
            pa.array([_reason_of(verdict) for verdict in verdicts], pa.string())
            if has_others
            else pa.nulls(len(verdicts), pa.string())
        )
        judged["event_ms"] = _column(plays, "event_time", pa.int64())
        for name in self.fields:
            judged[name] = _column(plays, name, _ARROW_TYPES[FIELD_TYPES[name]])
        if "grain" in judged and has_others:
            judged["grain"] = pc.if_else(pc.is_null(judged["reason"]), judged["grain"], None)
        if self.mark_repeats:
            judged["is_repeat"] = _mark_repeats(list(map(attrgetter("identity"), plays)), seen)
        if self.keep_rejected_bytes:
            is_rejected = pc.not_equal(judged["reason"], ERASED)
            judged["value"] = pc.if_else(
                pc.fill_null(is_rejected, False), batch.column("value"), None
            )
        return pa.RecordBatch.from_pydict(judged)


class _NoPlay:
    """Stands for a record that is no accepted play: every field of it is NULL."""

    def __getattr__(self, name: str) -> None:
        return None


_NO_PLAY = _NoPlay()


def _leave_out(
    verdicts: Sequence[_Verdict], batch: pa.RecordBatch, suppression: Suppression
) -> Sequence[_Verdict]:
    """Put None in the place of what is said of erased listeners' records."""
    keys = batch.column("key").to_pylist()
    users = [verdict.user_id if type(verdict) is Play else None for verdict in verdicts]
    erased = suppression.covers_any(keys)
    if not _are_same(keys, users):
        erased |= suppression.covers_any(users)
    if not erased and None not in users:
        return verdicts
    values = batch.column("value")
    return [
        None
        if key in erased
        or user in erased
        or (user is None and suppression.covers_value(values[at].as_py()))
        else verdicts[at]
        for at, (key, user) in enumerate(zip(keys, users, strict=True))
    ]


def _are_same(keys: Sequence[bytes | None], users: Sequence[str | None]) -> bool:
    """Tell at little cost that every record's key is its listener, as our producers have it."""
    if None in keys or None in users:
        return False
    joined = "\n".join(user or "" for user in users)
    is_clear = joined.count("\n") == len(users) - 1
    return is_clear and joined.encode() == b"\n".join(key or b"" for key in keys)


def _leave_out_blank(verdicts: Sequence[_Verdict], batch: pa.RecordBatch) -> Sequence[_Verdict]:
    """Put None in the place of what is said of records that have no content any more."""
    is_blank = batch.column("is_blank").to_pylist()
    return [None if blank else verdict for blank, verdict in zip(is_blank, verdicts, strict=True)]


def _play_of(verdict: _Verdict) -> Play | _NoPlay:
    return verdict if isinstance(verdict, Play) else _NO_PLAY


def _reason_of(verdict: _Verdict) -> str | None:
    if verdict is None:
        return ERASED
    return str(verdict.reason) if isinstance(verdict, Rejection) else None


def _column(plays: Sequence[object], name: str, kind: pa.DataType) -> pa.Array:
    if name == "grain":
        return pa.array(encode_grains(plays), kind)
    return pa.array(list(map(attrgetter(name), plays)), kind)


def _known_log_times(batch: pa.RecordBatch) -> list[int | None]:
    """Return log times in milliseconds; None where the clock was not the broker's."""
    times = batch.column("log_time").cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
    is_known = pc.equal(batch.column("timestamp_type"), LOG_APPEND_TIME)
    known: list[int | None] = pc.if_else(is_known, times, None).to_pylist()
    return known


def _mark_repeats(identities: list[_Identity], seen: set[_Identity]) -> pa.Array:
    """Tell which identities came before in this task, and remember all."""
    fresh = set(identities)
    if len(fresh) == len(identities) and seen.isdisjoint(fresh):
        seen |= fresh
        return pa.repeat(pa.scalar(False), len(identities))
    repeats = []
    for identity in identities:
        repeats.append(identity is not None and identity in seen)
        seen.add(identity)
    return pa.array(repeats, pa.bool_())


def _name_types(judge: _Judge) -> str:
    """Return what a judge yields, as Spark DDL."""
    columns = [
        "`partition` INT, `offset` BIGINT, log_time TIMESTAMP",
        *(f"{name} {_KEPT_TYPES[name]}" for name in judge.as_came if name not in _POSITION),
        "reason STRING, event_ms BIGINT",
        *(f"{name} {FIELD_TYPES[name]}" for name in judge.fields),
    ]
    if judge.mark_repeats:
        columns.append("is_repeat BOOLEAN")
    if judge.keep_rejected_bytes:
        columns.append("value BINARY")
    return ", ".join(columns)
