"""The generator's ledger: the records that were sent, and the expected verdict on each.

A ledger is a folder. `records/*.parquet` has a row for each record sent, `counts.parquet` the exact
counts of accepted plays. `ledger.json` is written last: it marks the ledger as complete.
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


class ExpectedVerdict(StrEnum):
    """The verdict that a correct system reaches on a record (the column `answer`)."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


class RecordKind(StrEnum):
    """What the generator sent as a record (the column `kind`)."""

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
"""One row for each record, in the order of sending.

`number` counts from 0. `partition` and `offset` are Kafka's. They are null if the generator writes
to a file, and for a record that was not acknowledged: `error` is the reason, and the record may or
may not be in the log. `fault` is the injected fault, `bot` the bot farm of the account, `copy_of`
the number of the first record with the same bytes, `late_by_ms` the delay of sending. The last
seven columns are null if the bytes are not a play.
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
"""One row for each song, country and hour of event time (`hour`: its start in epoch ms)."""


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `ledger.json`: the run, and the totals of the complete ledger."""

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
    """A complete ledger in its folder."""

    folder: Path
    seal: Seal

    @property
    def records(self) -> str:
        """Return the glob pattern of the files with the rows."""
        return str(self.folder / RECORDS / "*.parquet")

    @property
    def counts(self) -> str:
        """Return the path of the file with the exact counts."""
        return str(self.folder / COUNTS)


def open_ledger(folder: Path) -> Ledger:
    """Open the ledger in a folder.

    Raises:
        MisuseError: there is no ledger, or its run did not complete it.
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
