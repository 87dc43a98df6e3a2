"""The records of the compacted topic `plays-by-window`: windows, markers and probes.

A window's row is keyed by generation, epoch, window and the whole grain, so compaction keeps the
newest absolute value of each. A marker follows each micro-batch and records how far speed is; its
batch is in its key, so compaction keeps it. A probe is written to read the broker's clock.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

import msgspec

from crossfade.errors import BrokerError


class Grain(NamedTuple):
    """A song in one country, with the names in the play; encoded as a JSON array."""

    country: str
    song_id: str
    title: str
    artist: str
    album: str | None
    genre: str | None


class WindowKey(msgspec.Struct, frozen=True, gc=False):
    """A row's key; the field order is that of the JSON text, because compaction compares bytes."""

    generation: str = msgspec.field(name="g")
    epoch: int = msgspec.field(name="e")
    window_start_ms: int = msgspec.field(name="w")
    grain: Grain = msgspec.field(name="k")


class _Place(msgspec.Struct, frozen=True, gc=False):
    """The part of a key that decides whether to skip a row."""

    window_start_ms: int = msgspec.field(name="w")


class WindowValue(msgspec.Struct, frozen=True, gc=False):
    """Absolute measures of a row as of a micro-batch; `listeners` is Spark's HLL sketch, lgK 10."""

    batch: int = msgspec.field(name="b")
    plays: int = msgspec.field(name="p")
    counted_plays: int = msgspec.field(name="n")
    ms_played: int = msgspec.field(name="m")
    listeners: bytes = msgspec.field(name="l")


class Marker(msgspec.Struct, frozen=True, rename={"generation": "g", "epoch": "e", "batch": "b"}):
    """How far speed is after a micro-batch; the counts are of that micro-batch only.

    `end_offsets` are exclusive ends in `song-plays`; `batch` is -1 before the first micro-batch.
    `late_by_day` divides `late` by UTC day, in days since 1970; `newest_late` is the newest event
    time of them. A marker of an earlier release has neither. `dropped` counts rows that Spark's
    watermark dropped. Windows that begin before `windows_from` may lack rows of this generation: it
    began to read later. Times are milliseconds since 1970.
    """

    generation: str
    epoch: int
    batch: int
    end_offsets: dict[int, int]
    sent_at: int
    accepted: int = 0
    late: int = 0
    late_by_day: dict[int, int] = {}
    newest_late: int | None = None
    repeats: int = 0
    rejected: int = 0
    dropped: int = 0
    watermark: int | None = None
    windows_from: int | None = None

    def encode_key(self) -> bytes:
        """Return the marker's Kafka key."""
        key = {"marker": True, "g": self.generation, "e": self.epoch, "b": self.batch}
        return msgspec.json.encode(key)

    def encode(self) -> bytes:
        """Return the marker's Kafka value."""
        return msgspec.json.encode(self)


class WindowRow(NamedTuple):
    """A decoded row of the topic."""

    key: WindowKey
    value: WindowValue


def encode_grains(plays: Iterable[object]) -> list[bytes]:
    """Return each play's grain, encoded for keys; any object with a grain's fields will do."""
    return list(map(_encode, map(_grain_of, plays)))


def encode_probe_key(run_uuid: str) -> bytes:
    """Return the Kafka key of a probe of batch; its value is an empty object."""
    return msgspec.json.encode({"probe": run_uuid})


def read_window_start(key: bytes | None) -> int | None:
    """Read only the window of a row; None if the key is not a row's."""
    if not key or not key.startswith(_ROW_PREFIX):
        return None
    try:
        return _PLACE.decode(key).window_start_ms
    except msgspec.DecodeError:
        return None


def decode_record(key: bytes | None, value: bytes | None) -> WindowRow | Marker | None:
    """Decode a record of the topic; None for a probe, a tombstone or a foreign record.

    Raises:
        BrokerError: the key is ours but the record cannot be read; skipping it would silently make
            a window too small.
    """
    if not key or not value:
        return None
    try:
        if key.startswith(_MARKER_PREFIX):
            return _MARKER.decode(value)
        if key.startswith(_ROW_PREFIX):
            return WindowRow(_KEY.decode(key), _VALUE.decode(value))
    except msgspec.DecodeError as error:
        what = f"A record of plays-by-window cannot be read: {error}; its key is {key[:200]!r}."
        raise BrokerError(what, "Let only Crossfade's speed layer write to that topic.") from None
    return None


_encode = msgspec.json.Encoder().encode
_grain_of = attrgetter(*Grain._fields)
_MARKER_PREFIX = b'{"marker"'
_ROW_PREFIX = b'{"g":'
_KEY = msgspec.json.Decoder(WindowKey)
_PLACE = msgspec.json.Decoder(_Place)
_VALUE = msgspec.json.Decoder(WindowValue)
_MARKER = msgspec.json.Decoder(Marker)
