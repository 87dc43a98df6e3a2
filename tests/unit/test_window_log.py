"""The records of `plays-by-window` in the exact bytes that Spark and the driver write."""

import base64

import msgspec
import pytest

from crossfade.errors import BrokerError
from crossfade.kafka.window_log import (
    Grain,
    Marker,
    WindowKey,
    WindowRow,
    WindowValue,
    decode_record,
    encode_probe_key,
    read_window_start,
)

KEY = b'{"g":"g1","e":3,"w":1559390400000,"k":["SE","s1","T","A","L","G"]}'
VALUE = b'{"b":7,"p":5,"n":4,"m":90000,"l":"' + base64.b64encode(b"\x01\x02") + b'"}'
MARKER = Marker(
    generation="g1",
    epoch=3,
    batch=7,
    end_offsets={0: 12, 3: 40},
    sent_at=1_559_390_401_000,
    accepted=50,
    late=2,
    late_by_day={17_897: 2},
    newest_late=1_546_300_800_000,
    repeats=1,
    rejected=3,
    dropped=0,
    watermark=None,
)


def test_a_row_as_spark_writes_it_is_read() -> None:
    row = decode_record(KEY, VALUE)

    assert isinstance(row, WindowRow)
    assert row.key.generation == "g1"
    assert (row.key.epoch, row.key.window_start_ms) == (3, 1_559_390_400_000)
    assert row.key.grain == Grain("SE", "s1", "T", "A", "L", "G")
    assert row.value == WindowValue(7, 5, 4, 90_000, b"\x01\x02")


def test_a_rows_window_is_read_from_its_key_only() -> None:
    assert read_window_start(KEY) == 1_559_390_400_000
    for other in (None, b"", MARKER.encode_key(), encode_probe_key("run"), b"text", KEY[:-9]):
        assert read_window_start(other) is None


def test_an_album_or_genre_that_is_absent_is_null_in_the_key() -> None:
    short = b'{"g":"g1","e":3,"w":0,"k":["ZZ","s1","T","A",null,null]}'

    row = decode_record(short, VALUE)

    assert isinstance(row, WindowRow)
    assert row.key.grain == Grain("ZZ", "s1", "T", "A", None, None)
    assert msgspec.json.encode(row.key) == short


def test_a_key_is_written_as_spark_writes_it_so_that_compaction_sees_one_key() -> None:
    key = WindowKey("g1", 3, 1_559_390_400_000, Grain("SE", "s1", "T", "A", "L", "G"))

    assert msgspec.json.encode(key) == KEY


def test_a_marker_is_read_back() -> None:
    assert decode_record(MARKER.encode_key(), MARKER.encode()) == MARKER


def test_a_markers_key_holds_its_batch_so_that_compaction_keeps_each() -> None:
    later = msgspec.structs.replace(MARKER, batch=8)

    assert MARKER.encode_key() == b'{"marker":true,"g":"g1","e":3,"b":7}'
    assert later.encode_key() != MARKER.encode_key()


def test_a_markers_value_has_the_fields_that_the_topic_promises() -> None:
    assert msgspec.json.decode(MARKER.encode()) == {
        "g": "g1",
        "e": 3,
        "b": 7,
        "end_offsets": {"0": 12, "3": 40},
        "sent_at": 1_559_390_401_000,
        "accepted": 50,
        "late": 2,
        "late_by_day": {"17897": 2},
        "newest_late": 1_546_300_800_000,
        "repeats": 1,
        "rejected": 3,
        "dropped": 0,
        "watermark": None,
        "windows_from": None,
    }


def test_a_marker_of_an_earlier_release_has_no_days_of_late_plays() -> None:
    value = msgspec.json.decode(MARKER.encode())
    del value["late_by_day"], value["newest_late"]

    read = decode_record(MARKER.encode_key(), msgspec.json.encode(value))

    assert read == msgspec.structs.replace(MARKER, late_by_day={}, newest_late=None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (encode_probe_key("4f6c"), b"{}"),
        (KEY, None),
        (None, VALUE),
        (b"", b""),
        (b"not json", VALUE),
    ],
    ids=["probe", "tombstone", "no key", "empty", "text"],
)
def test_probes_tombstones_and_foreign_records_are_skipped(
    key: bytes | None, value: bytes | None
) -> None:
    assert decode_record(key, value) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (KEY, b'{"b":7}'),
        (b'{"marker":true,"g":"g1","e":3,"b":7}', b"[]"),
        (KEY, VALUE.replace(b"5", b'"5"')),
        (KEY, b'{"b":7,"p":5,"n":3,"m":1,"l":"AAAA\\r\\nAAAA"}'),
    ],
    ids=["short", "odd marker", "wrong type", "base64 in lines"],
)
def test_an_unreadable_record_of_ours_is_never_skipped(key: bytes, value: bytes) -> None:
    with pytest.raises(BrokerError, match="cannot be read"):
        decode_record(key, value)
