"""The full check of a record: every rule in order, the first broken one is the reason."""

import json

import msgspec

from crossfade.contract.play import SCHEMA_VERSION, Play, reduce_play
from crossfade.contract.reasons import MEANINGS, Reason, Rejection
from crossfade.contract.rules import RULES, BrokenRuleError
from crossfade.contract.time_rules import FUTURE_MS

MAX_PLAY_BYTES = 64 * 1024
MAX_DEPTH = 8

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_open_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_integer = msgspec.json.Decoder(int).decode


def judge_record(value: bytes | None, log_time_ms: int | None) -> Play | Rejection:
    """Apply every rule to a record: those of the whole record first, then those of each field.

    The play's `dropped` names the fields that are absent because their content was invalid.
    """
    try:
        if log_time_ms is None:
            reason = Reason.LOG_TIME_UNKNOWN
            raise BrokenRuleError(reason, MEANINGS[reason])
        fields = _open_record(value)
        _check_version(fields)
        judged = {rule.name: rule.judge(fields.get(rule.name)) for rule in RULES}
        play = Play(**{name: value for name, (value, _) in judged.items()})
        _check_future(play, log_time_ms)
    except BrokenRuleError as broken:
        return broken.rejection
    dropped = [name for name, (_, is_dropped) in judged.items() if is_dropped]
    return reduce_play(play, dropped) if dropped else play


def _open_record(value: bytes | None) -> dict[str, msgspec.Raw]:
    if value is None:
        raise BrokenRuleError(Reason.NOT_OBJECT, "The record has no value.")
    if len(value) > MAX_PLAY_BYTES:
        detail = f"It has {len(value)} bytes; the maximum is {MAX_PLAY_BYTES}."
        raise BrokenRuleError(Reason.EVENT_TOO_LARGE, detail)
    try:
        value.decode()
    except UnicodeDecodeError as error:
        detail = f"It is not UTF-8 at byte {error.start}."
        raise BrokenRuleError(Reason.ENCODING_INVALID, detail) from None
    if value.startswith(_BYTE_ORDER_MARKS):
        raise BrokenRuleError(Reason.ENCODING_INVALID, "It begins with a byte order mark.")
    if _is_too_deep(value):
        raise BrokenRuleError(Reason.TOO_DEEP, MEANINGS[Reason.TOO_DEEP])
    try:
        return _open_object(value)
    except msgspec.ValidationError as error:
        raise BrokenRuleError(Reason.NOT_OBJECT, f"{error}.") from None
    except msgspec.DecodeError as error:
        reason = Reason.ENCODING_INVALID if _has_lone_surrogate(value) else Reason.JSON_SYNTAX
        raise BrokenRuleError(reason, f"{error}.") from None


def _has_lone_surrogate(value: bytes) -> bool:
    r"""Check whether a lone surrogate escape such as \ud800 is the only error in a record.

    Python's json module accepts one. It gets integers as text here, because the number of digits
    that it converts depends on a setting of the process.
    """
    try:
        json.loads(value.decode(), parse_constant=_refuse_constant, parse_int=str)
    except ValueError:
        return False
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _is_too_deep(value: bytes) -> bool:
    """Check the nesting without recursion, whose limit would depend on the caller's depth."""
    if value.count(b"[") + value.count(b"{") <= MAX_DEPTH:
        return False
    bare = value.replace(rb"\\", b"").replace(rb"\"", b"")
    outside_texts = b"".join(bare.split(b'"')[::2])
    depth = 0
    for byte in outside_texts.translate(None, _NO_BRACKETS):
        if byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        else:
            depth -= 1
    return False


def _check_version(fields: dict[str, msgspec.Raw]) -> None:
    """Refuse another schema version before any field is checked: its rules may differ."""
    try:
        version = _read_integer(fields.get("schema_version", b"1"))
    except msgspec.DecodeError:
        return
    if version != SCHEMA_VERSION:
        reason = Reason.SCHEMA_VERSION_UNSUPPORTED
        raise BrokenRuleError(reason, MEANINGS[reason])


def _check_future(play: Play, log_time_ms: int) -> None:
    if play.event_time > (latest := log_time_ms + FUTURE_MS):
        detail = f"event_time must be at most {latest}: {FUTURE_MS} ms after log time."
        raise BrokenRuleError(Reason.EVENT_TIME_FUTURE, detail)
