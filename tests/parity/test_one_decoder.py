"""Spark judges a record exactly as the contract's decoder does anywhere else."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from pyspark.sql import DataFrame, SparkSession

from crossfade.contract.decode import Rejection, decode_play
from crossfade.contract.examples import EXAMPLE_LOG_TIME_MS, read_examples
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.kafka import LOG_APPEND_TIME
from crossfade.processing.decode import FIELD_TYPES, decode_plays
from crossfade.window_log import encode_grains

pytestmark = pytest.mark.spark

CREATE_TIME = 0
SCHEMA = "partition INT, offset BIGINT, log_time TIMESTAMP, timestamp_type INT, value BINARY"


class Judged(NamedTuple):
    """A record as the archive keeps it, before and after it was judged."""

    value: bytes | None
    log_time_ms: int = EXAMPLE_LOG_TIME_MS
    timestamp_type: int = LOG_APPEND_TIME


RECORDS = [
    *(Judged(example.value) for example in read_examples()),
    Judged(None),
    *(Judged(example.value, timestamp_type=CREATE_TIME) for example in read_examples()),
    *(Judged(example.value, EXAMPLE_LOG_TIME_MS - FUTURE_MS) for example in read_examples()),
]


def frame(spark: SparkSession, records: list[Judged]) -> DataFrame:
    rows = [
        (
            0,
            offset,
            datetime.fromtimestamp(record.log_time_ms / 1000, UTC),
            record.timestamp_type,
            record.value,
        )
        for offset, record in enumerate(records)
    ]
    return spark.createDataFrame(rows, SCHEMA).coalesce(1)


def judge_here(record: Judged) -> dict[str, Any]:
    """Give what Spark should say, by the decoder alone."""
    has_log_time = record.timestamp_type == LOG_APPEND_TIME
    verdict = decode_play(record.value, record.log_time_ms if has_log_time else None)
    if isinstance(verdict, Rejection):
        nothing = dict.fromkeys(("event_ms", *FIELD_TYPES))
        return {**nothing, "reason": str(verdict.reason), "value": record.value}
    fields = {name: getattr(verdict, name) for name in FIELD_TYPES if name != "grain"}
    fields["grain"] = encode_grains([verdict])[0].decode()
    return {**fields, "event_ms": verdict.event_time, "reason": None, "value": None}


def test_spark_gives_every_record_the_verdict_of_the_contract(spark: SparkSession) -> None:
    judged = decode_plays(frame(spark, RECORDS), tuple(FIELD_TYPES), keep_rejected_bytes=True)

    rows = judged.selectExpr("*", "unix_millis(event_time) AS event_ms").collect()

    assert [row.offset for row in rows] == list(range(len(RECORDS)))
    for record, row in zip(RECORDS, rows, strict=True):
        expected = judge_here(record)
        assert {name: row[name] for name in expected} == expected


def test_a_repeat_is_an_identity_that_came_before(spark: SparkSession) -> None:
    records = [*RECORDS, *reversed(RECORDS)]
    seen: set[object] = set()
    expected = []
    for record in records:
        has_log_time = record.timestamp_type == LOG_APPEND_TIME
        verdict = decode_play(record.value, record.log_time_ms if has_log_time else None)
        identity = None if isinstance(verdict, Rejection) else verdict.identity
        expected.append(identity is not None and identity in seen)
        seen.add(identity)

    judged = decode_plays(frame(spark, records), (), mark_repeats=True)

    assert [row.is_repeat for row in judged.collect()] == expected
    assert True in expected
