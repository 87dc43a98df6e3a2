"""The formats of files of plays, recognised by their first bytes."""

import json
import re
import shlex
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from crossfade.errors import CrossfadeError


class ImportFormat(StrEnum):
    """The supported formats of files."""

    JSONL = "jsonl"
    SPOTIFY = "spotify"


SUPPORTED = (
    "Supported are jsonl (plays as JSON lines) and spotify (Spotify's StreamingHistory*.json)"
)
CONVERT = f"{SUPPORTED}; docs/sending-plays.md shows how to convert other files."


class Content(NamedTuple):
    """What a file is, in words; its format if that is supported, else the cure."""

    title: str
    import_format: ImportFormat | None = None
    cure: str = CONVERT


_JSON_LINES = Content("holds plays as JSON lines", ImportFormat.JSONL)
_SPOTIFY = Content("is Spotify's short history", ImportFormat.SPOTIFY)
_PRETTY = Content(
    "holds plays as JSON over several lines",
    cure="Write one play a line: jq -c . FILE | crossfade import jsonl -",
)
_ARRAY = Content(
    "is a JSON array of plays, not JSON lines",
    cure="Write one play a line: jq -c '.[]' FILE | crossfade import jsonl -",
)
_OTHER_ARRAY = Content("is a JSON array, not JSON lines", cure=CONVERT)

_OBJECTS: Mapping[frozenset[str], Content] = {
    frozenset({"endTime", "artistName", "trackName", "msPlayed"}): _SPOTIFY,
    frozenset({"endTime", "podcastName", "episodeName"}): Content("is Spotify's podcast history"),
    frozenset({"ts", "master_metadata_track_name"}): Content(
        "is Spotify's extended streaming history"
    ),
    frozenset({"listened_at", "track_metadata"}): Content("is a ListenBrainz export"),
    frozenset({"scrobbles", "track", "time"}): Content("is a Maloja export"),
    frozenset({"exported_at", "listens", "listened_at"}): Content("is a Koito export"),
    frozenset({"recenttracks"}): Content("is an answer of Last.fm's API"),
    frozenset({"userId", "sessionId", "itemInSession"}): Content("holds events of eventsim"),
    frozenset({"header", "titleUrl", "time"}): Content("is a history of YouTube"),
}
"""By the names that its first object, and the objects within it, must have."""

_LASTFM = Content("is a CSV of Last.fm")
_TABLES = {
    re.compile(r'.*,"?\d{1,2} [A-Z][a-z]{2} \d{4},? \d{2}:\d{2}"?$'): Content(
        "is a CSV of Last.fm"
    ),
    re.compile(r'"?uts"?,"?utc_time"?,"?artist"?'): Content("is a CSV of Last.fm"),
    re.compile(r"user_\d+\t\d{4}-\d\d-\d\dT"): Content("is the data set lastfm-1k"),
    re.compile("#AUDIOSCROBBLER/"): Content("is a log of an Audioscrobbler player"),
}
"""By the beginning of its first line."""

_OUR_NAMES = {"schema_version", "event_id", "user_id", "song_id", "event_time", "ms_played"}
_OURS_NEEDED = 2
_OBJECT = re.compile(r"^\{", re.MULTILINE)
_NAME = re.compile(r'"(\w+)"\s*:')
_scan = json.JSONDecoder().raw_decode


def recognise(head: bytes) -> Content | None:
    """Return what a file holds by its first bytes; None if that is unknown."""
    text = head.decode(errors="replace").lstrip("\ufeff \t\r\n")
    if text.startswith("{"):
        return _recognise_object(text)
    if text.startswith("["):
        return _recognise_array(text)
    line, _, others = text.partition("\n")
    for start, found in _TABLES.items():
        if start.match(line.rstrip("\r")):
            return found
    return _recognise_object(others[at:]) if (at := _find_object(others)) >= 0 else None


def require_format(name: str, found: Content | None, wanted: ImportFormat | None) -> ImportFormat:
    """Return the format in which to read a file: the one wanted, unless the content contradicts.

    Raises:
        CrossfadeError: the content is in another format, or in none that is known.
    """
    if found is None:
        if wanted is not None:
            return wanted
        what = f"The format of {name} is not recognised."
        raise CrossfadeError(what, f"Name it before the file. {SUPPORTED}.")
    if found.import_format is not None and wanted in (None, found.import_format):
        return found.import_format
    if found is _OTHER_ARRAY and wanted is ImportFormat.SPOTIFY:
        return wanted
    file = shlex.quote(name)
    if found.import_format is None:
        what = f"{name} {found.title}."
        raise CrossfadeError(what, found.cure.replace("FILE", file))
    what = f"{name} {found.title}, not {wanted}."
    user = " --user USER_ID" if found is _SPOTIFY else ""
    raise CrossfadeError(what, f'Use "crossfade import {found.import_format} {file}{user}".')


def _recognise_object(text: str) -> Content | None:
    names, end = _read_first(text, 0)
    if found := _find_by_names(names):
        return found
    if len(_OUR_NAMES & names) >= _OURS_NEEDED:
        return _PRETTY if "\n" in text[:end] else _JSON_LINES
    return None


def _recognise_array(text: str) -> Content | None:
    start = text.find("{")
    if start < 0 or text[1:start].strip():
        return None
    names, _ = _read_first(text, start)
    if found := _find_by_names(names):
        return found
    return _ARRAY if len(_OUR_NAMES & names) >= _OURS_NEEDED else _OTHER_ARRAY


def _read_first(text: str, at: int) -> tuple[set[str], int]:
    """Return the names in the first object, and its end; if it is cut off, all names, and 0."""
    try:
        _, end = _scan(text, at)
    except (ValueError, RecursionError):
        return set(_NAME.findall(text)), 0
    return set(_NAME.findall(text, at, end)), end


def _find_object(text: str) -> int:
    """Return where the first line that begins with an object begins; -1 if none does."""
    found = _OBJECT.search(text)
    return -1 if found is None else found.start()


def _find_by_names(names: set[str]) -> Content | None:
    if len(_OUR_NAMES & names) >= _OURS_NEEDED:
        return None
    return next((found for needed, found in _OBJECTS.items() if needed <= names), None)
