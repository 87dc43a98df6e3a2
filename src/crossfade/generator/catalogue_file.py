"""Reader of a user's own songs and weights, from CSV or JSON lines, by the contract's rules."""

import re
from collections.abc import Iterator
from datetime import date
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import msgspec

from crossfade.clock import DAY_MS, day_start_ms
from crossfade.contract.countries import UNKNOWN_COUNTRY
from crossfade.contract.decode import decode_play
from crossfade.contract.identities import derive_song_id
from crossfade.contract.play import MIN_EVENT_TIME, SCHEMA_VERSION
from crossfade.contract.reasons import Rejection
from crossfade.contract.rules import RULES
from crossfade.errors import MisuseError
from crossfade.generator.catalogue_lines import REQUIRED, Line, read_csv, read_json_lines

MAX_SONGS = 1_000_000
MAX_WEIGHT = 2**24
"""The greatest weight. Weights are whole numbers, so that sums of a million of them are exact."""

DEFAULT_DURATION_MS = 205_000

_READERS = {".csv": read_csv, ".jsonl": read_json_lines, ".json": read_json_lines}
_EXPECTED = {rule.name: rule.expected for rule in RULES}
_is_date = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII).fullmatch
_NOT_IN_PLAY = ("weight", "release_date")
"""Columns that are not fields of a play."""

_OTHER_FIELDS = {
    "event_id": "catalogue",
    "user_id": "catalogue",
    "event_time": MIN_EVENT_TIME,
    "schema_version": SCHEMA_VERSION,
}
"""The fields that complete a song to a play, so that the contract's decoder can check it."""

_PLACEHOLDER = msgspec.Raw(b'"to-be-derived"')
_NULL = msgspec.Raw(b"null")

_read_number = msgspec.json.Decoder(int | float).decode
_read_text = msgspec.json.Decoder(str).decode


class CatalogueRow(NamedTuple):
    """One song of the file."""

    title: str
    artist: str
    song_id: str
    album: str | None
    album_artist: str | None
    genre: str | None
    duration_ms: int
    weight: int
    """At least 1, at most `MAX_WEIGHT`."""
    country: str | None
    """The artist's country."""
    release_day: int | None
    """Days since 1970-01-01."""
    isrc: str | None
    recording_mbid: str | None


def read_catalogue(name: str) -> tuple[CatalogueRow, ...]:
    """Read a file of songs, in its order, with weights as whole numbers.

    Raises:
        MisuseError: the file cannot be read, or a line breaks a rule; with file, line and rule.
    """
    read_lines = _READERS.get(Path(name).suffix.casefold())
    if read_lines is None:
        what = f"{name} is not a catalogue file by its name."
        raise MisuseError(what, f"The name must end in one of {', '.join(_READERS)}.")
    try:
        with Path(name).open("rb") as file:
            songs = list(_read_songs(read_lines(file, name)))
    except OSError as error:
        what = f"Cannot read {name}: {error.strerror}."
        raise MisuseError(what, "Name a file of songs that exists.") from None
    if not songs:
        what = f"{name} has no song."
        raise MisuseError(what, f"Give at least one, with {' and '.join(REQUIRED)}.")
    weights = _scale([weight for _, weight in songs])
    return tuple(
        row._replace(weight=weight) for (row, _), weight in zip(songs, weights, strict=True)
    )


def _read_songs(lines: Iterator[Line]) -> Iterator[tuple[CatalogueRow, float]]:
    """Yield each song with its weight as written."""
    first_line: dict[str, int] = {}
    for line in lines:
        if len(first_line) == MAX_SONGS:
            what = f"{line.place} is one song too many."
            raise MisuseError(what, f"Give at most {MAX_SONGS:,}.")
        row = _check_song(line)
        if row.song_id in first_line:
            what = f"{line.place} is the song of line {first_line[row.song_id]} again."
            raise MisuseError(what, "Remove one, or give them different song_ids.")
        first_line[row.song_id] = line.number
        yield row, _check_weight(line)


def _check_song(line: Line) -> CatalogueRow:
    """Check a song as the contract checks a play of it, and return its row."""
    fields = {name: raw for name, raw in line.fields.items() if name not in _NOT_IN_PLAY}
    has_id = _is_given(line, "song_id")
    play = decode_play(
        msgspec.json.encode(_OTHER_FIELDS | fields | ({} if has_id else {"song_id": _PLACEHOLDER})),
        MIN_EVENT_TIME,
    )
    if isinstance(play, Rejection):
        raise _wrong(line, play.detail)
    for name in play.dropped:
        raise _wrong(line, f"{name} must be {_EXPECTED[name]}.")
    if play.duration_ms == 0:
        raise _wrong(line, "duration_ms must be above 0.")
    return CatalogueRow(
        title=play.title,
        artist=play.artist,
        song_id=play.song_id if has_id else derive_song_id(play.artist, play.title),
        album=play.album,
        album_artist=play.album_artist,
        genre=play.genre,
        duration_ms=play.duration_ms or DEFAULT_DURATION_MS,
        weight=1,
        country=None if play.country == UNKNOWN_COUNTRY else play.country,
        release_day=_check_release(line),
        isrc=play.isrc,
        recording_mbid=play.recording_mbid,
    )


def _check_release(line: Line) -> int | None:
    if not _is_given(line, "release_date"):
        return None
    try:
        text = _read_text(line.fields["release_date"])
        if _is_date(text):
            return day_start_ms(date.fromisoformat(text)) // DAY_MS
    except (ValueError, msgspec.DecodeError):
        pass
    raise _wrong(line, "release_date must be a day such as 2019-06-28.")


def _check_weight(line: Line) -> float:
    if not _is_given(line, "weight"):
        return 1.0
    try:
        weight = float(_read_number(line.fields["weight"]))
    except (OverflowError, msgspec.DecodeError):
        weight = 0.0
    if weight <= 0 or not isfinite(weight):
        raise _wrong(line, "weight must be a number above 0.")
    return weight


def _scale(weights: list[float]) -> list[int]:
    """Return whole weights: unchanged if they are valid, else in proportion and at least 1."""
    largest = max(weights)
    if largest <= MAX_WEIGHT and all(weight.is_integer() for weight in weights):
        return [int(weight) for weight in weights]
    return [max(1, round(weight / largest * MAX_WEIGHT)) for weight in weights]


def _is_given(line: Line, name: str) -> bool:
    return bytes(line.fields.get(name, _NULL)) != bytes(_NULL)


def _wrong(line: Line, rule: str) -> MisuseError:
    return MisuseError(f"{line.place}: {rule}", "Correct that line.")
