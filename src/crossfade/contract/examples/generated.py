"""Example records that are too large for a file, or have no value.

They are judged and named like the examples that are files.
"""

from collections.abc import Iterator, Mapping

import msgspec

from crossfade.contract.examples import EXAMPLE_LOG_TIME_MS, Example
from crossfade.contract.judge import MAX_PLAY_BYTES
from crossfade.contract.reasons import Reason

_PLAY: dict[str, object] = {
    "schema_version": 1,
    "event_id": "01JGE8Y4ZR0000000000000E01",
    "user_id": "u_123",
    "song_id": "s_9",
    "title": "Jóga",
    "artist": "Björk",
    "event_time": EXAMPLE_LOG_TIME_MS - 60_000,
    "ms_played": 183_000,
}
_DEVICES, _COUNTRIES = 12, 4
_COMPOSED_OF_FOUR = "\u03c9\u0314\u0342\u0345"
"""Four code points that are one in NFC, which never combines more than four."""


def generate_examples() -> Iterator[Example]:
    """Yield every generated example: accepted and reduced ones, then rejected ones."""
    yield from (Example(f"generated/{n}", value, None) for n, value in _accepted().items())
    for number in range(_DEVICES):
        yield _reduce("device", f"E58_{number}", f"toaster-{number}")
    for number in range(_COUNTRIES):
        yield _reduce("country", f"E58_{number}", f"X{number}")
    for reason, values in _rejected().items():
        yield from (_reject(reason, name, value) for name, value in values.items())
    yield _reject(Reason.NOT_OBJECT, "E70_tombstone", None)


def _accepted() -> dict[str, bytes]:
    return {
        "E34_60000_digits_in_an_unknown_field": _record({"x": msgspec.Raw(b"9" * 60_000)}),
        "E56_2048_code_points_that_are_512_after_nfc": _record({"title": _COMPOSED_OF_FOUR * 512}),
        "E56_marks_in_an_unknown_field": _record({"x": _row_of_marks()}),
        "E61_60000_brackets_in_a_text": _record({"x": "[{" * 30_000}),
        "E61_20000_lists_side_by_side": _record({"x": [[]] * 20_000}),
        "E62_4000_keys": _record(_keys(4_000)),
        "E62_key_of_60000": _record({"k" * 60_000: 1}),
        "E63_64_kib": _fill(MAX_PLAY_BYTES),
    }


def _rejected() -> dict[Reason, dict[str, bytes]]:
    return {
        Reason.ENCODING_INVALID: {
            "E57_half_character_beside_5000_digits": _record(
                {"x": msgspec.Raw(b'"\\ud800"'), "y": msgspec.Raw(b"9" * 5_000)}
            ),
        },
        Reason.EVENT_TIME_FUTURE: {
            "E34_4000_digits": _record({"event_time": msgspec.Raw(b"9" * 4_000)}),
        },
        Reason.EVENT_TIME_INVALID: {
            "E34_60000_digits": _record({"event_time": msgspec.Raw(b"9" * 60_000)}),
        },
        Reason.TEXT_INVALID: {
            "E56_32000_marks": _record({"title": _row_of_marks()}),
            "E56_2052_code_points_that_are_513_after_nfc": _record(
                {"title": _COMPOSED_OF_FOUR * 513}
            ),
        },
        Reason.TOO_DEEP: {
            "E61_60000_lists": b"[" * 60_000,
            "E61_60000_quotes_after_nine_objects": b"{" * 9 + b'"' * 60_000,
        },
        Reason.EVENT_TOO_LARGE: {
            "E61_200000_lists": b"[" * 200_000,
            "E62_10000_keys": _record(_keys(10_000)),
            "E62_key_of_1_mb": _record({"k" * 1_000_000: 1}),
            "E63_64_kib_and_a_byte": _fill(MAX_PLAY_BYTES + 1),
            "E63_65_kib": _fill(65 * 1024),
            "E63_spaces_then_more": _record({}).ljust(65 * 1024) + b"x",
            "E70_zeros": bytes(100_000),
        },
    }


def _reduce(field: str, name: str, content: str) -> Example:
    return Example(f"generated/reduced/{field}/{name}", _record({field: content}), None, field)


def _reject(reason: Reason, name: str, value: bytes | None) -> Example:
    return Example(f"generated/{reason}/{name}", value, reason)


def _record(changes: Mapping[str, object]) -> bytes:
    return msgspec.json.encode({**_PLAY, **changes})


def _keys(count: int) -> dict[str, object]:
    return {f"k{number:04}": number for number in range(count)}


def _fill(size: int) -> bytes:
    return _record({"x": "x" * (size - len(_record({"x": ""})))})


def _row_of_marks() -> str:
    """Return combining marks in the order that takes longest to normalise."""
    return "\u0301" * 16_000 + "\u0316" * 16_000
