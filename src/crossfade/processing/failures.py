"""Errors of Spark, Delta and DuckDB, turned into one line with a cure."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

from crossfade.errors import (
    BrokerError,
    CrossfadeError,
    DamagedError,
    LakeError,
    MachineError,
    StackError,
)

_SHORT = 300
_DEPTH = 20

_GO_ON = "The next start continues where this one stopped."


class SinkError(Exception):
    """Python code that Spark called failed; kept short, as Spark searches it with a slow regex."""


@contextmanager
def explain_errors(name: str = "Spark") -> Iterator[None]:
    """Raise errors of Spark, Delta and DuckDB as our own, with one line and a cure.

    Args:
        name: what failed, such as a query, for the message.

    Raises:
        CrossfadeError: a call failed, or Spark's Java process is gone.
    """
    try:
        yield
    except (PySparkException, Py4JJavaError, DeltaError, *_duckdb_errors()) as error:
        raise explain_failure(name, join_messages(error)) from error
    except (Py4JError, ConnectionError, EOFError) as error:
        what = "Spark's Java process ended on its own."
        raise StackError(what, "The log above may show why; the next start continues.") from error


def explain_failure(query: str, text: str) -> CrossfadeError:
    """Return our own error for a failed query: one line and a cure.

    Args:
        query: the query's name.
        text: the messages of Spark's exception and its causes.
    """
    if found := _UNREADABLE.search(text) or _NOT_PARQUET.search(text):
        what = f"{query} cannot read {found[1]}: the file is damaged or gone."
        cure = "Restore the lake from a backup; nothing was published."
        return LakeError(what, cure)
    if found := _CORRUPT.search(text):
        what = f"Kafka's log is damaged where {query} reads, in {found[1]}: a checksum differs."
        cure = "Restore that segment from a replica or a backup; nothing was skipped."
        return BrokerError(what, cure)
    for signs, kind, what, cure in _KNOWN:
        if any(sign in text for sign in signs):
            return kind(what.format(query=query), cure.format(query=query))
    first = next((line.strip() for line in text.splitlines() if line.strip()), "unknown reason")
    return StackError(f"{query} failed: {first[:_SHORT]}.", "The whole trace is in the log above.")


def join_messages(error: BaseException | None) -> str:
    """Return the messages of an exception and its Java causes; PySpark shows only the first."""
    messages = []
    while error is not None:
        messages.append(str(error))
        error = getattr(error, "_cause", None)
    return "\n".join(messages)


def _duckdb_errors() -> tuple[type[Exception], ...]:
    """Return DuckDB's error if DuckDB is loaded; the streaming driver runs without it."""
    loaded = sys.modules.get("duckdb")
    return () if loaded is None else (loaded.Error,)


def mentions_lost_records(text: str) -> bool:
    """Check whether Spark's message says that Kafka no longer holds records still to be read."""
    return any(sign in text for sign in _LOST)


def summarize_causes(error: Py4JJavaError) -> str:
    """Return a Java exception and its causes in one line, each by its first line."""
    causes: list[str] = []
    cause = error.java_exception
    while cause is not None and len(causes) < _DEPTH:
        causes.append(str(cause.toString()).split("\n", 1)[0][:_SHORT])
        cause = cause.getCause()
    return "; caused by ".join(causes)


_UNREADABLE = re.compile(r"\[FAILED_READ_FILE\.\w+\][^\n]*? file (?:file:)?/*(/\S+?)\.?(?:\s|$)")
_NOT_PARQUET = re.compile(r"(?:Invalid Input|IO) Error: .*?'?(/[^'\n]+?\.parquet)")
_CORRUPT = re.compile(
    r"(?:fetching the next record from|Record(?: batch)? for partition) ([\w.-]+-\d+)\b"
)
_LOST = ("KAFKA_DATA_LOSS", "OffsetOutOfRangeException")

_KNOWN: tuple[tuple[tuple[str, ...], type[CrossfadeError], str, str], ...] = (
    (
        ("No space left on device", "Disk quota exceeded"),
        MachineError,
        "The disk is full: {query} cannot write.",
        f"Make room. {_GO_ON}",
    ),
    (
        ("Read-only file system",),
        MachineError,
        "The disk of {query} is read-only now: it cannot write.",
        f"The system's log says why; mount it for writing again. {_GO_ON}",
    ),
    (
        ("Input/output error",),
        MachineError,
        "The disk of {query} fails: Input/output error.",
        f"Check the system's log, and replace what is broken. {_GO_ON}",
    ),
    (
        _LOST,
        BrokerError,
        "Kafka no longer holds records that {query} has not read.",
        "Restore them, or start a new data folder: skipping them would silently lose plays.",
    ),
    (
        ("UnknownTopicOrPartitionException", "UnknownTopicIdException"),
        BrokerError,
        "A topic that {query} needs is gone.",
        'Run "crossfade up" once: it creates the topics.',
    ),
    (
        ("TimeoutException", "DisconnectException", "BrokerError: Kafka"),
        BrokerError,
        "Kafka does not answer {query}.",
        f"Check the broker's log. {_GO_ON}",
    ),
    (
        ("Concurrent update to the log", "ConcurrentTransactionException"),
        StackError,
        "Another driver writes where {query} writes.",
        "Stop one of them: a query has one driver.",
    ),
    (
        ("STORE_PROVIDER_OUT_OF_MEMORY",),
        MachineError,
        "{query} has too little memory for its live windows.",
        f"Set CROSSFADE_SPARK_MEMORY higher. {_GO_ON}",
    ),
    (
        (
            "CANNOT_LOAD_STATE_STORE",
            "MISSING_STATE_DIRECTORY",
            "MISSING_METADATA_FILE",
            "CHECKSUM_VERIFICATION_FAILED",
            "FAILED_TO_READ_STATE_SCHEMA",
            "Incomplete log file",
            "MALFORMED_LOG_FILE",
            "Log file was malformed",
            "doesn't exist (latestId",
        ),
        DamagedError,
        "The checkpoint of {query} is damaged.",
        "Restore checkpoint and table from one backup.",
    ),
    (
        ("STATEFUL_OPERATOR_NOT_MATCH", "STATE_STORE_KEY_SCHEMA", "STATE_STORE_VALUE_SCHEMA"),
        LakeError,
        "The checkpoint of {query} was made with other settings.",
        "Set them as before, or remove speed's checkpoint: it then counts from scratch.",
    ),
)
