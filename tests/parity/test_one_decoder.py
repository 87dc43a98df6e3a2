"""Spark judges every record exactly as the contract's decoder does."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from crossfade.clock import SECOND_MS
from crossfade.contract.decode import Rejection, decode_play
from crossfade.contract.examples import EXAMPLE_LOG_TIME_MS, Example, read_examples
from crossfade.contract.examples.generated import generate_examples
from crossfade.contract.play import Play
from crossfade.contract.reasons import Reason
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.ingest.files import open_source
from crossfade.ingest.formats import ImportFormat
from crossfade.ingest.importing import read_plays
from crossfade.ingest.readers import ImportOptions, reader_of
from crossfade.ingest.report import ImportReport
from crossfade.kafka.topics import LOG_APPEND_TIME
from crossfade.kafka.window_log import encode_grains
from crossfade.processing.decode import FIELD_TYPES, judge_archive, judge_stream

pytestmark = pytest.mark.spark

CREATE_TIME = 0
SCHEMA = "partition INT, offset BIGINT, log_time TIMESTAMP, timestamp_type INT, value BINARY"


class Judged(NamedTuple):
    """A record to judge, as the archive stores it."""

    value: bytes | None
    log_time_ms: int = EXAMPLE_LOG_TIME_MS
    timestamp_type: int = LOG_APPEND_TIME


EXAMPLES = (*read_examples(), *generate_examples())
RECORDS = [
    *(Judged(example.value) for example in EXAMPLES),
    *(Judged(example.value, timestamp_type=CREATE_TIME) for example in EXAMPLES),
    *(Judged(example.value, EXAMPLE_LOG_TIME_MS - FUTURE_MS) for example in EXAMPLES),
]

NO_LINES = {
    "json_syntax/E10_blank",
    "json_syntax/E10_empty",
    "generated/not_object/E70_tombstone",
}
"""Examples that are records in Kafka and nothing in a file; importers skip them."""

IDS_DERIVED = {
    "missing_field/E14_no_event_id",
    "missing_field/E20_other_case",
    "missing_field/no_song_id",
    *(example.name for example in EXAMPLES if example.reason == Reason.EVENT_ID_INVALID),
}
"""Examples that an importer completes with ids of its own, and sends."""


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


def with_content(records: DataFrame) -> DataFrame:
    """Mark the content of every record as present, not erased."""
    return records.withColumn("is_blank", F.lit(False))


def judge_here(record: Judged) -> dict[str, Any]:
    """Return the rows that Spark should return, computed with the decoder only."""
    has_log_time = record.timestamp_type == LOG_APPEND_TIME
    verdict = decode_play(record.value, record.log_time_ms if has_log_time else None)
    if isinstance(verdict, Rejection):
        nothing = dict.fromkeys(("event_ms", *FIELD_TYPES))
        return {**nothing, "reason": str(verdict.reason), "value": record.value}
    fields = {name: getattr(verdict, name) for name in FIELD_TYPES if name != "grain"}
    fields["grain"] = encode_grains([verdict])[0].decode()
    return {**fields, "event_ms": verdict.event_time, "reason": None, "value": None}


def test_spark_gives_every_record_the_verdict_of_the_contract(spark: SparkSession) -> None:
    judged = judge_archive(with_content(frame(spark, RECORDS)), tuple(FIELD_TYPES))

    rows = judged.selectExpr("*", "unix_millis(event_time) AS event_ms").collect()

    assert [row.offset for row in rows] == list(range(len(RECORDS)))
    for record, row in zip(RECORDS, rows, strict=True):
        expected = judge_here(record)
        assert {name: row[name] for name in expected} == expected


@pytest.fixture(scope="module")
def spark_reasons(spark: SparkSession) -> dict[str, str | None]:
    """Return Spark's reason for each example."""
    judged = judge_stream(frame(spark, [Judged(example.value) for example in EXAMPLES]), ())
    rows = judged.select("offset", "reason").collect()
    return {EXAMPLES[row.offset].name: row.reason for row in rows}


def import_line(line: bytes, folder: Path) -> tuple[list[tuple[Play, bytes]], ImportReport]:
    """Import a file with the record as its second line; return the sent plays and the report."""
    path = folder / "plays.jsonl"
    path.write_bytes(b"\n" + line + b"\n")
    report = ImportReport()
    read = reader_of(ImportFormat.JSONL, ImportOptions())
    with open_source(str(path)) as file:
        sent = list(read_plays(str(path), file, read, report, clock_slack_ms=SECOND_MS))
    return sent, report


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_importers_and_spark_give_each_example_its_verdict(
    example: Example,
    spark_reasons: dict[str, str | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the file, a space replaces a record's line feed, which would begin another line."""
    log_time = EXAMPLE_LOG_TIME_MS
    monkeypatch.setattr("crossfade.ingest.importing.now_ms", lambda: log_time + SECOND_MS)
    sent, report = import_line((example.value or b"").replace(b"\n", b" "), tmp_path)

    assert spark_reasons[example.name] == example.reason
    if example.name in NO_LINES:
        assert (sent, report.rejected) == ([], 0)
    elif example.reason is None or example.name in IDS_DERIVED:
        [(play, value)] = sent
        assert decode_play(value, log_time) == play
        assert example.reason is not None or play == decode_play(example.value, log_time)
    else:
        assert sent == []
        assert [(problem.line, problem.reason) for problem in report.problems] == [
            (2, example.reason)
        ]


def test_a_repeat_is_an_identity_seen_before(spark: SparkSession) -> None:
    records = [*RECORDS, *reversed(RECORDS)]
    seen: set[object] = set()
    expected = []
    for record in records:
        has_log_time = record.timestamp_type == LOG_APPEND_TIME
        verdict = decode_play(record.value, record.log_time_ms if has_log_time else None)
        identity = None if isinstance(verdict, Rejection) else verdict.identity
        expected.append(identity is not None and identity in seen)
        seen.add(identity)

    judged = judge_stream(frame(spark, records), ())

    assert [row.is_repeat for row in judged.collect()] == expected
    assert True in expected
