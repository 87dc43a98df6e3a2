import pytest

from crossfade.errors import (
    BrokerError,
    CrossfadeError,
    DamagedError,
    LakeError,
    MachineError,
    StackError,
)
from crossfade.processing.failures import explain_failure


@pytest.mark.parametrize(
    "cause, kind, expected",
    [
        ("java.io.IOException: No space left on device", MachineError, "The disk is full"),
        ("offsets/.12.tmp (Read-only file system)", MachineError, "is read-only now"),
        ("java.io.IOException: Input/output error", MachineError, "Input/output error"),
        (
            "KafkaException: Received exception when fetching the next record from song-plays-2.",
            BrokerError,
            "in song-plays-2: a checksum differs",
        ),
        ("IO Error: Cannot open file '/lake/gold/part-1.parquet'", LakeError, "/lake/gold/part-1."),
        ("[KAFKA_DATA_LOSS.START_OFFSET_RESET] Some data", BrokerError, "no longer holds"),
        ("UnknownTopicOrPartitionException: This server", BrokerError, "is gone"),
        ("TimeoutException: Timed out waiting for a node", BrokerError, "does not answer"),
        ("crossfade.errors.BrokerError: Kafka does not take", BrokerError, "does not answer"),
        ("Concurrent update to the log. Multiple", StackError, "Another driver"),
        ("[CANNOT_LOAD_STATE_STORE.CANNOT_READ] Error", DamagedError, "is damaged"),
        ("[STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY] x", DamagedError, "is damaged"),
        ("[CANNOT_LOAD_STATE_STORE.HDFS_STORE_PROVIDER_OUT_OF_MEMORY]", MachineError, "memory"),
        ("[STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA] x", LakeError, "settings"),
    ],
)
def test_a_known_cause_becomes_one_line_with_a_cure(
    cause: str, kind: type[CrossfadeError], expected: str
) -> None:
    text = f"[STREAM_FAILED] Query terminated\n=== Streaming Query ===\nCaused by: {cause}\n\tat x"
    error = explain_failure("speed", text)
    assert type(error) is kind
    assert expected in error.what
    assert "speed" in error.what
    assert error.cure
    assert "\n" not in str(error)


def test_an_unknown_cause_is_quoted_shortened() -> None:
    error = explain_failure("archive", "\n" + "x" * 5000 + "\n\tat y")
    assert isinstance(error, StackError)
    assert str(error).startswith("archive failed: xxx")
    assert len(str(error)) < 500


def test_a_data_file_that_cannot_be_read_is_named() -> None:
    cause = (
        "Job aborted: [FAILED_READ_FILE.NO_HINT] Encountered error while reading file "
        "file:///lake/bronze/song_plays/date=2026-01-01/hour=07/part-0.parquet. SQLSTATE: KD001"
    )
    error = explain_failure("batch", cause)
    assert type(error) is LakeError
    assert "batch cannot read /lake/bronze/song_plays/date=2026-01-01/hour=07/part-0.parquet:" in (
        error.what
    )
