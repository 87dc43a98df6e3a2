"""The generator's ledger: what was really sent, and what an exact system must make of it.

A ledger is a folder. `records/*.parquet` has a row for each record sent, `counts.parquet` the true
counts of accepted plays, and `ledger.json`, which is written last, says that both are whole.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec
import pyarrow as pa

from crossfade.errors import MisuseError

RECORDS = "records"
COUNTS = "counts.parquet"
SEAL = "ledger.json"


class Answer(StrEnum):
    """What an exact system makes of a record."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


class Kind(StrEnum):
    """What a record is."""

    PLAY = "play"
    COPY = "copy"
    MALFORMED = "malformed"
    OVERSIZED = "oversized"


RECORD_SCHEMA = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        pa.field("error", pa.string()),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("fault", pa.string()),
        pa.field("bot", pa.string()),
        pa.field("copy_of", pa.int64()),
        pa.field("late_by_ms", pa.int64()),
        pa.field("answer", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("event_id", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("event_time", pa.int64()),
        pa.field("song_id", pa.string()),
        pa.field("country", pa.string()),
        pa.field("ms_played", pa.int64()),
        pa.field("is_counted", pa.bool_()),
    ]
)
"""A row a record, in the order of sending.

`number` counts from 0. `partition` and `offset` are Kafka's; null in a file, and for a record that
was not acknowledged, whose `error` says why: it may or may not be in the log. `fault` names what
was done to it, `bot` the account's farm, `copy_of` the number of the first record with the same
bytes. `late_by_ms` is how late it is sent, or says that it is. The last seven columns are null
where the bytes are those of no play.
"""

COUNT_SCHEMA = pa.schema(
    [
        pa.field("hour", pa.int64(), nullable=False),
        pa.field("song_id", pa.string(), nullable=False),
        pa.field("country", pa.string(), nullable=False),
        pa.field("plays", pa.int64(), nullable=False),
        pa.field("counted_plays", pa.int64(), nullable=False),
        pa.field("ms_played", pa.int64(), nullable=False),
    ]
)
"""A row for each hour of event time (its start, ms since the epoch), song and country."""


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What `ledger.json` holds: the run, and how much a whole ledger has."""

    run: str
    seed: int
    records: int
    acknowledged: int
    unknown: int
    answers: dict[str, int]
    reasons: dict[str, int]
    faults: dict[str, int]
    counted_plays: int
    ms_played: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """A whole ledger, found in its folder."""

    folder: Path
    seal: Seal

    @property
    def records(self) -> str:
        """Return the pattern that names the files with the rows."""
        return str(self.folder / RECORDS / "*.parquet")

    @property
    def counts(self) -> str:
        """Return the file with the true counts."""
        return str(self.folder / COUNTS)


def open_ledger(folder: Path) -> Ledger:
    """Find a ledger.

    Raises:
        MisuseError: there is none, or its run did not close it.
    """
    try:
        seal = msgspec.json.decode((folder / SEAL).read_bytes(), type=Seal)
    except FileNotFoundError:
        unclosed = (folder / RECORDS).exists()
        what = f"{folder} holds " + ("a ledger that was not closed." if unclosed else "no ledger.")
        raise MisuseError(what, 'Make one with "crossfade generate --ledger DIR".') from None
    except (OSError, msgspec.MsgspecError) as error:
        what = f"{folder / SEAL} cannot be read: {error}."
        raise MisuseError(what, 'Make one with "crossfade generate --ledger DIR".') from None
    return Ledger(folder, seal)
