"""The only decoder of records, used by the importers and inside Spark."""

import re
from collections.abc import Sequence
from operator import attrgetter, gt

import msgspec

from crossfade.contract.countries import COUNTRIES
from crossfade.contract.judge import MAX_DEPTH, MAX_PLAY_BYTES, judge_record
from crossfade.contract.play import DEVICES, EVENT_ID, Play
from crossfade.contract.reasons import Reason, Rejection
from crossfade.contract.rules import RULES
from crossfade.contract.text import is_normal, is_plain
from crossfade.contract.time_rules import FUTURE_MS

__all__ = ["MAX_PLAY_BYTES", "Reason", "Rejection", "decode_play", "decode_plays", "encode_play"]

_decode = msgspec.json.Decoder(Play).decode
_encode = msgspec.json.Encoder().encode
_texts = attrgetter(*(rule.name for rule in RULES if rule.is_string))
_is_event_id = re.compile(EVENT_ID.strip("^$")).fullmatch
_are_event_ids = re.compile(f"(?:{EVENT_ID.strip('^$')}\n)*").fullmatch
_KNOWN_DEVICES = frozenset([*DEVICES, None])
_BRACKET, _BRACE, _BACKSLASH, _DELETE = b"[{\\\x7f"
_C1_LEAD = 0xC2
"""First byte, in UTF-8, of the control characters above ASCII."""


def decode_play(value: bytes | None, log_time_ms: int | None) -> Play | Rejection:
    """Return the play in a record, or why the record is rejected. No input raises.

    Checks that are cheap accept most records. Any other record goes to `judge_record`, which
    applies every rule in order and returns the first one broken.

    Args:
        value: the record's bytes; None for a Kafka record without a value.
        log_time_ms: the broker's clock when Kafka received the record; None if unknown.
    """
    if value is None or log_time_ms is None or len(value) > MAX_PLAY_BYTES:
        return judge_record(value, log_time_ms)
    is_nested = _BRACKET in value or _BRACE in value[1:]
    if is_nested and value.count(_BRACKET) + value.count(_BRACE) > MAX_DEPTH:
        return judge_record(value, log_time_ms)
    try:
        play = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return judge_record(value, log_time_ms)
    is_ascii = value.isascii() and _BACKSLASH not in value and _DELETE not in value
    if (
        _is_event_id(play.event_id) is None
        or "@" in play.user_id
        or play.country not in COUNTRIES
        or play.device not in _KNOWN_DEVICES
        or play.event_time > log_time_ms + FUTURE_MS
        or not (is_ascii or _is_clean(value, play))
    ):
        return judge_record(value, log_time_ms)
    return play


def decode_plays(
    values: Sequence[bytes | None], log_times_ms: Sequence[int | None]
) -> Sequence[Play | Rejection]:
    """Apply `decode_play` to many records; faster if all of them pass the cheap checks."""
    return _decode_ordinary(values, log_times_ms) or list(map(decode_play, values, log_times_ms))


def encode_play(play: Play) -> bytes:
    """Return a play as the bytes of a record, without the optional fields that are absent."""
    return _encode(play)


def _decode_ordinary(
    values: Sequence[bytes | None], log_times_ms: Sequence[int | None]
) -> Sequence[Play] | None:
    """Decode records with the cheap checks applied to all of them together; None if one fails."""
    known_values = [value for value in values if value is not None]
    known_times = [time for time in log_times_ms if time is not None]
    if not len(known_values) == len(known_times) == len(values):
        return None
    joined = b"".join(known_values)
    if (
        joined.count(_BRACE) != len(values)
        or _BRACKET in joined
        or max(map(len, known_values), default=0) > MAX_PLAY_BYTES
        or _BACKSLASH in joined
        or _DELETE in joined
        or not _is_normal_text(b"".join(value for value in known_values if not value.isascii()))
    ):
        return None
    try:
        plays = list(map(_decode, known_values))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    # No event_id contains a line feed: a raw one is invalid JSON, an escaped one has a backslash.
    latest = map(FUTURE_MS.__add__, known_times)
    if (
        _are_event_ids("\n".join([*map(attrgetter("event_id"), plays), ""])) is None
        or "@" in "".join(map(attrgetter("user_id"), plays))
        or not COUNTRIES.issuperset(map(attrgetter("country"), plays))
        or any(map(gt, map(attrgetter("event_time"), plays), latest))
        or not _KNOWN_DEVICES.issuperset(map(attrgetter("device"), plays))
    ):
        return None
    return plays


def _is_normal_text(joined: bytes) -> bool:
    """Check whether records are UTF-8 in NFC without control characters above ASCII.

    Each record that is a JSON object ends in an ASCII character, so joining records cannot create
    a new character.
    """
    try:
        return _C1_LEAD not in joined and is_normal(joined.decode())
    except UnicodeDecodeError:
        return False


def _is_clean(value: bytes, play: Play) -> bool:
    """Check whether a record's texts are valid UTF-8, in NFC and without control characters."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    if not (_BACKSLASH in value or _DELETE in value or _C1_LEAD in value):
        return is_normal(text)
    return play.artists is None and all(map(is_plain, filter(None, _texts(play))))
