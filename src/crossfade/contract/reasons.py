"""The closed list of reasons for which a record is rejected, each with what it means."""

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why a record is not a play; stored with its bytes and shown to the user."""

    LOG_TIME_UNKNOWN = "log_time_unknown"
    EVENT_TOO_LARGE = "event_too_large"
    ENCODING_INVALID = "encoding_invalid"
    TOO_DEEP = "too_deep"
    JSON_SYNTAX = "json_syntax"
    NOT_OBJECT = "not_object"
    SCHEMA_VERSION_UNSUPPORTED = "schema_version_unsupported"
    MISSING_FIELD = "missing_field"
    TYPE_MISMATCH = "type_mismatch"
    EVENT_ID_INVALID = "event_id_invalid"
    USER_ID_INVALID = "user_id_invalid"
    SONG_ID_INVALID = "song_id_invalid"
    TEXT_INVALID = "text_invalid"
    EVENT_TIME_INVALID = "event_time_invalid"
    EVENT_TIME_FUTURE = "event_time_future"
    MS_PLAYED_OUT_OF_RANGE = "ms_played_out_of_range"
    VALUE_INVALID = "value_invalid"


MEANINGS = {
    Reason.LOG_TIME_UNKNOWN: "Its timestamp is not the broker's clock (LogAppendTime).",
    Reason.EVENT_TOO_LARGE: "It is larger than 64 KiB.",
    Reason.ENCODING_INVALID: (
        "It is not UTF-8, has a byte order mark, or has half of a surrogate pair as an escape."
    ),
    Reason.TOO_DEEP: "Its objects and lists are nested more than 8 deep.",
    Reason.JSON_SYNTAX: "It is not one JSON value (RFC 8259), or it is empty.",
    Reason.NOT_OBJECT: "It is JSON but not an object, or a Kafka record without a value.",
    Reason.SCHEMA_VERSION_UNSUPPORTED: "Its schema_version is not 1.",
    Reason.MISSING_FIELD: "A required field is absent or null.",
    Reason.TYPE_MISMATCH: "A field has the wrong JSON type.",
    Reason.EVENT_ID_INVALID: "event_id is too short, too long, or has other characters.",
    Reason.USER_ID_INVALID: "user_id is empty, too long, or an e-mail address.",
    Reason.SONG_ID_INVALID: "song_id is empty, too long, or holds a control character.",
    Reason.TEXT_INVALID: "title or artist is empty or too long after normalisation.",
    Reason.EVENT_TIME_INVALID: "event_time is too small for milliseconds (perhaps in seconds).",
    Reason.EVENT_TIME_FUTURE: "event_time is more than 5 minutes ahead of log time.",
    Reason.MS_PLAYED_OUT_OF_RANGE: "ms_played is below 0 or above 24 hours.",
    Reason.VALUE_INVALID: "kind is not track, episode or video.",
}
"""One sentence for each reason, in the order in which the rules are applied."""


class Rejection(NamedTuple):
    """Why a record was rejected: the reason, and what was expected instead."""

    reason: Reason
    detail: str
