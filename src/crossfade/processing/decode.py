"""The only Python step of a Spark job: judge Kafka records with the contract's own decoder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from crossfade.contract.decode import Rejection, decode_plays
from crossfade.contract.play import Play, ReducedPlay
from crossfade.erasure.suppression import ERASED, NOBODY, Suppression
from crossfade.kafka.topics import LOG_APPEND_TIME
from crossfade.kafka.window_log import encode_grains
from crossfade.lake.tables import SILVER_PLAYS, split_columns

_ARROW_TYPES = {
    "STRING": pa.string(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
}
_SILVER_TYPES = dict(split_columns(SILVER_PLAYS.columns))
PLAY_FIELDS = tuple(name for name in _SILVER_TYPES if hasattr(Play, name) and name != "event_time")
"""The columns of silver/plays that come from the play itself, beside `event_time`."""

FIELD_TYPES = {**{name: _SILVER_TYPES[name] for name in PLAY_FIELDS}, "grain": "STRING"}
_POSITION = ("partition", "offset", "log_time")
_ARCHIVE_TYPES = {"payload_hash": "BIGINT", "timestamp_type": "INT"}
WORKERS = {
    "spark.python.daemon.module": "crossfade.processing.workers",
    # So few that a batch of records and its plays stay in the processor's cache.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
    # A record may have 4 MiB; two thousand of them at once would fill the heap.
    "spark.sql.execution.arrow.maxBytesPerBatch": "16777216",
}
"""Spark settings of the Python step, for every session that runs it."""

_Identity = tuple[str, str, int] | None
_Verdict = Play | Rejection | None
"""None stands for a record of an erased listener."""


def judge_archive(
    records: DataFrame, fields: Sequence[str], suppression: Suppression = NOBODY
) -> DataFrame:
    """Judge bronze's records; each input row gives exactly one output row.

    Args:
        records: `partition`, `offset`, `log_time`, `timestamp_type`, `value`, and `is_blank`: true
            where an erasure has removed the content; `key` if the suppression list is not empty.
        fields: the wanted fields of a play, of FIELD_TYPES.
        suppression: erased listeners. A record is theirs if its key, its play's `user_id` or, for
            a rejected record, a `user_id` in its bytes is.

    Returns:
        `partition`, `offset`, `log_time` and `timestamp_type` unchanged; `payload_hash` of the
        bytes; `reason`, NULL for an accepted record and `ERASED` for one of an erased listener;
        `event_time` (timestamp) and `fields`, NULL unless accepted; `value`, the bytes of a
        rejected record, else NULL; `dropped`, the names of an accepted record's dropped fields,
        joined by commas, or NULL.
    """
    judge = _Judge(tuple(fields), True, suppression)
    hashed = records.withColumn("payload_hash", F.xxhash64("value"))
    return _judge_frame(hashed, judge, ("is_blank",))


def judge_stream(
    records: DataFrame, fields: Sequence[str], suppression: Suppression = NOBODY
) -> DataFrame:
    """Judge a micro-batch's records; each input row gives exactly one output row.

    Args and Returns are those of `judge_archive`, without `is_blank`, `timestamp_type`,
    `payload_hash` and `value` in the result. It adds `is_repeat`: true for an accepted record whose
    identity came before in the same task.
    """
    return _judge_frame(records, _Judge(tuple(fields), False, suppression))


def _judge_frame(records: DataFrame, judge: "_Judge", more: Sequence[str] = ()) -> DataFrame:
    needed = dict.fromkeys((*judge.unchanged, "timestamp_type", "value", *more))
    key = ["key"] if judge.suppression else []
    judged = records.select(*needed, *key).mapInArrow(judge, _name_types(judge))
    return judged.select(
        *judge.unchanged,
        "reason",
        F.timestamp_millis("event_ms").alias("event_time"),
        *judge.fields,
        *(("value", "dropped") if judge.is_archive else ("is_repeat",)),
    )


@dataclass(frozen=True, slots=True)
class _Judge:
    """What a task does with its batches; made on the driver and sent to the workers."""

    fields: tuple[str, ...]
    is_archive: bool
    suppression: Suppression

    @property
    def unchanged(self) -> tuple[str, ...]:
        """Return the columns that are handed on unchanged."""
        return (*_POSITION, *(_ARCHIVE_TYPES if self.is_archive else ()))

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        seen: set[_Identity] = set()
        for batch in batches:
            yield self._judge(batch, seen)

    def _judge(self, batch: pa.RecordBatch, seen: set[_Identity]) -> pa.RecordBatch:
        verdicts: Sequence[_Verdict] = decode_plays(
            batch.column("value").to_pylist(), _known_log_times(batch)
        )
        if self.suppression:
            verdicts = _leave_out(verdicts, batch, self.suppression)
        has_others = not set(map(type, verdicts)) <= {Play, ReducedPlay}
        if has_others and self.is_archive:
            verdicts = _leave_out_blank(verdicts, batch)
        plays: Sequence[object] = verdicts
        if has_others:
            plays = [one if isinstance(one, Play) else _NO_PLAY for one in verdicts]
        judged = {name: batch.column(name) for name in self.unchanged}
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
        if self.is_archive:
            is_rejected = pc.fill_null(pc.not_equal(judged["reason"], ERASED), False)
            judged["value"] = pc.if_else(is_rejected, batch.column("value"), None)
            judged["dropped"] = _join_dropped(list(map(attrgetter("dropped"), plays)))
        else:
            judged["is_repeat"] = _mark_repeats(list(map(attrgetter("identity"), plays)), seen)
        return pa.RecordBatch.from_pydict(judged)


_NO_PLAY = SimpleNamespace(
    **dict.fromkeys((*Play.__struct_fields__, "is_counted", "identity", "artist_key")), dropped=()
)
"""Stands for a record that is not an accepted play: every field is NULL."""


def _leave_out(
    verdicts: Sequence[_Verdict], batch: pa.RecordBatch, suppression: Suppression
) -> Sequence[_Verdict]:
    """Replace the verdicts on erased listeners' records by None."""
    keys = batch.column("key").to_pylist()
    users = [verdict.user_id if isinstance(verdict, Play) else None for verdict in verdicts]
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
    """Check cheaply whether every record's key is its listener's id, as our producers send it."""
    if None in keys or None in users:
        return False
    joined = "\n".join(user or "" for user in users)
    is_clear = joined.count("\n") == len(users) - 1
    return is_clear and joined.encode() == b"\n".join(key or b"" for key in keys)


def _leave_out_blank(verdicts: Sequence[_Verdict], batch: pa.RecordBatch) -> Sequence[_Verdict]:
    """Replace the verdicts on records whose content an erasure removed by None."""
    is_blank = batch.column("is_blank").to_pylist()
    return [None if blank else verdict for blank, verdict in zip(is_blank, verdicts, strict=True)]


def _reason_of(verdict: _Verdict) -> str | None:
    if verdict is None:
        return ERASED
    return str(verdict.reason) if isinstance(verdict, Rejection) else None


def _column(plays: Sequence[object], name: str, kind: pa.DataType) -> pa.Array:
    if name == "grain":
        return pa.array(encode_grains(plays), kind)
    return pa.array(list(map(attrgetter(name), plays)), kind)


def _join_dropped(dropped: Sequence[Sequence[str]]) -> pa.Array:
    """Return each play's dropped fields as one text; NULL where there are none."""
    if not any(dropped):
        return pa.nulls(len(dropped), pa.string())
    return pa.array([",".join(fields) or None for fields in dropped], pa.string())


def _known_log_times(batch: pa.RecordBatch) -> list[int | None]:
    """Return log times in milliseconds; None where the clock was not the broker's."""
    times = batch.column("log_time").cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
    is_known = pc.equal(batch.column("timestamp_type"), LOG_APPEND_TIME)
    known: list[int | None] = pc.if_else(is_known, times, None).to_pylist()
    return known


def _mark_repeats(identities: list[_Identity], seen: set[_Identity]) -> pa.Array:
    """Return which identities came before in this task, and add them to `seen`."""
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
    """Return the columns that a judge yields, as Spark DDL."""
    columns = [
        "`partition` INT, `offset` BIGINT, log_time TIMESTAMP",
        *(f"{name} {_ARCHIVE_TYPES[name]}" for name in judge.unchanged if name not in _POSITION),
        "reason STRING, event_ms BIGINT",
        *(f"{name} {FIELD_TYPES[name]}" for name in judge.fields),
        "value BINARY, dropped STRING" if judge.is_archive else "is_repeat BOOLEAN",
    ]
    return ", ".join(columns)
