"""Spotify's short export format: an array of {endTime, artistName, trackName, msPlayed}."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta

from crossfade.clock import DAY_MS, SECOND_MS
from crossfade.contract.decode import encode_play
from crossfade.contract.identities import derive_event_id, derive_song_id
from crossfade.contract.play import SCHEMA_VERSION, Play
from crossfade.contract.reasons import Reason, Rejection
from crossfade.contract.rules import RULES, BrokenRuleError
from crossfade.errors import MisuseError
from crossfade.ingest.json_array import read_elements
from crossfade.ingest.rows import EqualRows, Judge, Row

SOURCE = "spotify"

_MINUTE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}")


class _ExportedPlay(msgspec.Struct, frozen=True):
    """A row as Spotify writes it; `endTime` is in UTC, to the minute."""

    endTime: str  # noqa: N815 - Spotify's names
    artistName: str  # noqa: N815
    trackName: str  # noqa: N815
    msPlayed: Annotated[int, Meta(ge=0, le=DAY_MS)]  # noqa: N815


def read_spotify(
    file: BinaryIO, judge: Judge, *, user_id: str, equal_rows: EqualRows
) -> Iterator[Row]:
    """Yield a row for each play; its start is its end minus the time heard.

    Identical rows are separate plays. They are numbered, so importing the file again results in
    the same ids.

    Args:
        file: the uncompressed export.
        judge: the decoder to apply to each play.
        user_id: the listener, whom the export does not name.
        equal_rows: numbers identical rows, over all files of the export.
    """
    equal_rows.begin_file()
    for line, element, original in read_elements(file):
        play = _read_play(element, user_id, equal_rows)
        if isinstance(play, Rejection):
            yield Row(line, b"", play, original)
        else:
            value = encode_play(play)
            yield Row(line, value, judge(value), original)


def check_user_id(user_id: str) -> None:
    """Check a user_id before it is used for every row.

    Raises:
        MisuseError: it breaks the contract's rule.
    """
    rule = next(rule for rule in RULES if rule.name == "user_id")
    try:
        rule.judge(msgspec.Raw(msgspec.json.encode(user_id)))
    except BrokenRuleError:
        what = f'"{user_id}" is not a valid user_id.'
        raise MisuseError(what, f"A user_id is {rule.expected}.") from None


def _read_play(element: Any, user_id: str, equal_rows: EqualRows) -> Play | Rejection:
    try:
        row = msgspec.convert(element, _ExportedPlay)
    except msgspec.ValidationError as error:
        return Rejection(_reason_of(element, error), f"{error}.")
    if not (_is_utf8(row.artistName) and _is_utf8(row.trackName)):
        return Rejection(Reason.ENCODING_INVALID, "artistName and trackName must be UTF-8.")
    end = _read_minute(row.endTime)
    if end is None:
        expected = "endTime must be a minute in UTC, such as 2018-09-03 20:39."
        return Rejection(Reason.EVENT_TIME_INVALID, expected)
    event_time = end - row.msPlayed
    song_id = derive_song_id(row.artistName, row.trackName)
    ordinal = equal_rows.number((event_time, song_id, row.msPlayed), end)
    return Play(
        event_id=derive_event_id(
            SOURCE,
            user_id,
            event_time=event_time,
            song_id=song_id,
            ms_played=row.msPlayed,
            ordinal=ordinal,
        ),
        user_id=user_id,
        song_id=song_id,
        title=row.trackName,
        artist=row.artistName,
        event_time=event_time,
        schema_version=SCHEMA_VERSION,
        ms_played=row.msPlayed,
        source=SOURCE,
        time_precision="min",
    )


def _is_utf8(text: str) -> bool:
    """Check whether a text has no lone surrogates, which replace bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_minute(text: str) -> int | None:
    if _MINUTE.fullmatch(text) is None:
        return None
    try:
        end = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(end.timestamp()) * SECOND_MS


def _reason_of(element: Any, error: msgspec.ValidationError) -> Reason:
    if not isinstance(element, dict):
        return Reason.NOT_OBJECT
    if str(error).startswith("Object missing"):
        return Reason.MISSING_FIELD
    return Reason.TYPE_MISMATCH if ", got `" in str(error) else Reason.MS_PLAYED_OUT_OF_RANGE
