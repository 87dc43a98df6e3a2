"""Decide from a record's bytes whether it is a play: yes, no, or undecided.

These rules implement the contract's table independently, and leave unusual records undecided (a
user id like an e-mail address, a list of artists, deep nesting). If the product accepts an
undecided record, its fields must still match the bytes.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from faults.oracle_lake import FUTURE_MS

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
DAY_MS = 86_400_000
COUNTED_AFTER_MS = 30_000

_CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW ZZ
"""
_COUNTRIES = frozenset(_CODES.split())
_DEVICES = {"mobile", "desktop", "web", "tablet", "tv", "smart_speaker", "car", "console", "other"}
_UNREAD = {
    *("artists", "isrc", "recording_mbid", "duration_ms", "utc_offset_min", "client"),
    *("client_version", "session_id", "context_type", "context_id", "reason_start", "reason_end"),
    *("skipped", "shuffle", "offline", "source_play_id", "time_precision"),
}
"""Fields that have rules, but no column in silver."""

_MANY_DIGITS = 30
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_EVENT_ID = re.compile("[A-Za-z0-9_-]{8,64}")


class Play(NamedTuple):
    """The columns of silver/plays that come from the bytes; `event_time` in ms since the epoch."""

    event_time: int
    event_id: str
    user_id: str
    country: str
    song_id: str
    title: str
    artist: str
    album: str | None
    genre: str | None
    album_artist: str | None
    city: str | None
    device: str | None
    tier: str | None
    kind: str
    source: str | None
    ms_played: int | None
    is_counted: bool

    @property
    def identity(self) -> tuple[str, str, int]:
        """Return the play's identity: listener, event id, UTC day."""
        return self.user_id, self.event_id, self.event_time // DAY_MS

    @property
    def grain(self) -> tuple[str, str, str, str, str | None, str | None]:
        """Return the columns by which windows and days group the play."""
        return self.country, self.song_id, self.title, self.artist, self.album, self.genre


class Decision(IntEnum):
    """The oracle's decision about a record."""

    NOT_READ = 0
    """The record was not read."""
    PLAY = 1
    NOT_A_PLAY = 2
    UNDECIDED = 3


class _NotAPlayError(Exception):
    """The record certainly breaks a rule."""


class _UndecidedError(Exception):
    """The record is too unusual for the oracle to decide."""


def read_play(value: bytes | None, log_time: int | None) -> tuple[Decision, Play | None]:
    """Decide whether a record is a play; also return an undecided record's play if it is readable.

    Args:
        value: the record's bytes.
        log_time: in ms since the epoch; None if it is not by the broker's clock.
    """
    try:
        fields, is_doubtful = _open(value, log_time)
        play = _read_fields(fields, log_time or 0)
        if is_doubtful or "@" in play.user_id or _has_unusual(fields):
            return Decision.UNDECIDED, play
    except _NotAPlayError:
        return Decision.NOT_A_PLAY, None
    except _UndecidedError:
        return Decision.UNDECIDED, None
    return Decision.PLAY, play


def fold(artist: str) -> str:
    """Return the key by which charts group an artist: NFC, case-folded, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", artist).casefold().split())


def event_id_of(value: bytes | None) -> str | None:
    """Return a record's event id for a message; None if it cannot be read."""
    try:
        event_id = json.loads(value or b"")["event_id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return event_id if isinstance(event_id, str) and event_id.isascii() else None


def _open(value: bytes | None, log_time: int | None) -> tuple[dict[str, Any], bool]:
    """Return the object's fields, and whether its form makes it undecidable."""
    if log_time is None or value is None or len(value) > MAX_BYTES:
        raise _NotAPlayError
    try:
        text = value.decode("utf-8")
        fields = _JSON.decode(text)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise _NotAPlayError from None
    except RecursionError:
        raise _UndecidedError from None
    if not isinstance(fields, dict):
        raise _NotAPlayError
    may_be_deep = value.count(b"{") + value.count(b"[") > MAX_DEPTH
    return fields, may_be_deep or _has_unpaired_surrogate(value, fields)


def _read_fields(fields: Mapping[str, Any], log_time: int) -> Play:
    version = _integer(fields, "schema_version", least=1, most=1)
    event_time = _integer(fields, "event_time", least=100_000_000_000, most=log_time + FUTURE_MS)
    if version is None or event_time is None:
        raise _NotAPlayError
    event_id = _required(fields, "event_id", 64)
    if _EVENT_ID.fullmatch(event_id) is None:
        raise _NotAPlayError
    ms_played = _integer(fields, "ms_played", least=0, most=DAY_MS)
    kind = _kind(fields)
    return Play(
        event_time=event_time,
        event_id=event_id,
        user_id=_required(fields, "user_id", 64),
        country=_known(fields, "country", _COUNTRIES) or "ZZ",
        song_id=_required(fields, "song_id", 64),
        title=_name(fields, "title"),
        artist=_name(fields, "artist"),
        album=_optional(fields, "album", 512, is_text=True),
        genre=_optional(fields, "genre", 512, is_text=True),
        album_artist=_optional(fields, "album_artist", 512, is_text=True),
        city=_optional(fields, "city", 512, is_text=True),
        device=None
        if fields.get("device") is None
        else _known(fields, "device", _DEVICES) or "other",
        tier=_known(fields, "tier", {"free", "paid"}),
        kind=kind,
        source=_optional(fields, "source", 256),
        ms_played=ms_played,
        is_counted=kind == "track" and (ms_played is None or ms_played >= COUNTED_AFTER_MS),
    )


def _required(fields: Mapping[str, Any], name: str, longest: int) -> str:
    found = fields.get(name)
    if not isinstance(found, str) or not 1 <= len(found) <= longest or _CONTROL.search(found):
        raise _NotAPlayError
    return found


def _name(fields: Mapping[str, Any], name: str) -> str:
    """Return a title or an artist: in NFC, without control characters."""
    found = fields.get(name)
    if not isinstance(found, str):
        raise _NotAPlayError
    text = _normalise(_CONTROL.sub("", found), 512)
    if not 1 <= len(text) <= 512:
        raise _NotAPlayError
    return text


def _optional(
    fields: Mapping[str, Any], name: str, longest: int, *, is_text: bool = False
) -> str | None:
    """Return an optional text; None if it is absent or its content is invalid."""
    found = fields.get(name)
    if found is None:
        return None
    if not isinstance(found, str):
        raise _NotAPlayError
    text = _normalise(found, longest) if is_text else found
    return text if 1 <= len(text) <= longest and not _CONTROL.search(text) else None


def _normalise(text: str, longest: int) -> str:
    # NFC combines at most four code points into one, so a longer text cannot fit. Skip it: slow.
    return unicodedata.normalize("NFC", text) if len(text) <= 4 * longest else text


def _integer(fields: Mapping[str, Any], name: str, *, least: int, most: int) -> int | None:
    found = fields.get(name)
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise _NotAPlayError
    return found


def _known(fields: Mapping[str, Any], name: str, known: frozenset[str] | set[str]) -> str | None:
    """Return an optional text of a closed list; None if it is absent or not in the list."""
    found = fields.get(name)
    if found is not None and not isinstance(found, str):
        raise _NotAPlayError
    return found if found in known else None


def _kind(fields: Mapping[str, Any]) -> str:
    found = fields.get("kind")
    if found not in (None, "track", "episode", "video"):
        raise _NotAPlayError
    return found or "track"


def _has_unusual(fields: Mapping[str, Any]) -> bool:
    """Check whether a field that the oracle does not read has an unusual value."""
    for name in _UNREAD & fields.keys():
        found = fields[name]
        if found is None or (isinstance(found, bool) and name in ("skipped", "shuffle", "offline")):
            continue
        if name == "duration_ms" and type(found) is int and 0 <= found <= DAY_MS:
            continue
        if name == "time_precision" and found in ("ms", "s", "min"):
            continue
        if name == "utc_offset_min" and type(found) is int and -720 <= found <= 840:
            continue
        if name.startswith(("client", "session", "context", "reason", "source")) and (
            isinstance(found, str) and 1 <= len(found) <= 256 and not _CONTROL.search(found)
        ):
            continue
        return True
    return False


def _has_unpaired_surrogate(value: bytes, fields: dict[str, Any]) -> bool:
    r"""Check whether a text has an unpaired surrogate such as \ud800, which UTF-8 cannot encode."""
    if b"\\u" not in value:
        return False
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _read_integer(digits: str) -> int:
    """Parse an integer; return 10^30 for any with 30 digits or more, which no field allows."""
    return int(digits) if len(digits) < _MANY_DIGITS else 10**_MANY_DIGITS


def _refuse(constant: str) -> None:
    raise _NotAPlayError(constant)


_JSON = json.JSONDecoder(parse_constant=_refuse, parse_int=_read_integer)
