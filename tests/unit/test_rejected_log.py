"""The log of rejected records, read from handmade lakes."""

import pytest

from crossfade.clock import DAY_MS, MINUTE_MS
from crossfade.contract.decode import MAX_PLAY_BYTES, decode_play, encode_play
from crossfade.contract.reasons import MEANINGS, Reason, Rejection
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.folder import DataFolder
from crossfade.lake.rejected_log import Known, RejectedLog, RejectedRecord, describe, explain
from crossfade.lake.runs import require_run
from support.handmade_lake import NOON, HandmadeLake, Record, a_lake, a_play, write_table

BAD_SONG_ID = encode_play(a_play(song_id=""))
TOO_LARGE = b"x" * (MAX_PLAY_BYTES + 5)


def a_log(folder: DataFolder, *records: Record) -> RejectedLog:
    return open_log(a_lake(list(records), boundary=NOON).write(folder))


def open_log(folder: DataFolder) -> RejectedLog:
    return RejectedLog(folder.lake, require_run(folder.lake))


def rejected(value: bytes | None, reason: Reason, *, log_time: int = NOON) -> RejectedRecord:
    return RejectedRecord(0, 0, log_time, reason, value, len(value or b""))


def offsets(records: object) -> list[int]:
    return [record.offset for record in records]  # type: ignore[attr-defined]


def test_the_newest_come_first_across_days_and_topic_partitions(
    data_folder: DataFolder,
) -> None:
    times = [NOON, NOON + 2 * DAY_MS, NOON + MINUTE_MS, NOON - DAY_MS, NOON + 2 * DAY_MS]
    values = [b"no", BAD_SONG_ID, b"[]", BAD_SONG_ID, b"neither"]
    with a_log(
        data_folder,
        *(
            Record(n % 2, n, value, at)
            for n, (value, at) in enumerate(zip(values, times, strict=True))
        ),
        Record(2, 9, encode_play(a_play()), NOON),
    ) as log:
        assert offsets(log.read()) == [1, 4, 2, 0, 3]
        assert offsets(log.read(is_newest_first=False)) == [3, 0, 2, 4, 1]
        assert offsets(log.read(limit=3)) == [1, 4, 2]
        assert offsets(log.read(Reason.SONG_ID_INVALID)) == [1, 3]
        assert offsets(log.read(Reason.SONG_ID_INVALID, limit=1)) == [1]
        assert offsets(log.read(Reason.TOO_DEEP)) == []
        assert list(log.count_by_reason().items()) == [
            ("json_syntax", 2),
            ("song_id_invalid", 2),
            ("not_object", 1),
        ]
        first = next(log.read())
        assert first == RejectedRecord(
            1, 1, NOON + 2 * DAY_MS, "song_id_invalid", BAD_SONG_ID, len(BAD_SONG_ID)
        )


def test_an_empty_log_has_no_rows(data_folder: DataFolder) -> None:
    with a_log(data_folder) as log:
        assert list(log.read()) == []
        assert log.count_by_reason() == {}
        assert log.find([(0, 0)]) == {}


def test_rows_after_the_pin_are_not_read(data_folder: DataFolder) -> None:
    lake = a_lake([Record(0, 0, b"no", NOON)], boundary=NOON)
    lake.write(data_folder)
    more = [*lake.tables["silver/rejected"], {**lake.tables["silver/rejected"][0], "offset": 1}]
    write_table(data_folder, "silver/rejected", more)
    with open_log(data_folder) as log:
        assert offsets(log.read()) == [0]


def test_a_position_is_found_with_its_log_time_and_reason(data_folder: DataFolder) -> None:
    with a_log(
        data_folder, Record(0, 3, b"no", NOON), Record(1, 3, encode_play(a_play()), NOON)
    ) as log:
        found = log.find([(0, 3), (1, 3), (0, 4)])
    assert found == {(0, 3): Known(NOON, "json_syntax")}


def test_only_the_start_of_a_large_value_is_read_unless_all_is_requested(
    data_folder: DataFolder,
) -> None:
    with a_log(data_folder, Record(0, 0, TOO_LARGE, NOON)) as log:
        [cut], [whole] = log.read(), log.read(is_whole=True)
    assert (cut.value, cut.size) == (TOO_LARGE[: MAX_PLAY_BYTES + 1], len(TOO_LARGE))
    assert not cut.is_whole
    assert whole.value == TOO_LARGE
    assert explain(cut) == MEANINGS[Reason.EVENT_TOO_LARGE]
    verdict = decode_play(TOO_LARGE, NOON)
    assert isinstance(verdict, Rejection)
    assert explain(whole) == verdict.detail


def test_what_was_expected_is_judged_again_at_the_records_own_log_time() -> None:
    early = encode_play(a_play(event_time=NOON + FUTURE_MS + 7))
    for value in (BAD_SONG_ID, early, b"no"):
        verdict = decode_play(value, NOON)
        assert isinstance(verdict, Rejection)
        assert explain(rejected(value, verdict.reason)) == verdict.detail
    assert explain(rejected(early, Reason.LOG_TIME_UNKNOWN)) == MEANINGS[Reason.LOG_TIME_UNKNOWN]


def test_rules_that_changed_since_are_reported() -> None:
    play = encode_play(a_play())
    assert explain(rejected(play, Reason.VALUE_INVALID)) == "The current rules accept it."
    explained = explain(rejected(BAD_SONG_ID, Reason.VALUE_INVALID))
    assert explained.endswith("(song_id_invalid by the current rules)")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.TEXT_INVALID, "Its bytes were erased."),
        (Reason.NOT_OBJECT, "It has no value, or its bytes were erased."),
        (Reason.LOG_TIME_UNKNOWN, "It has no value, or its bytes were erased."),
    ],
)
def test_deleted_bytes_are_reported(reason: Reason, expected: str) -> None:
    assert explain(rejected(None, reason)) == expected


def test_an_erased_row_is_read_without_its_bytes(data_folder: DataFolder) -> None:
    lake: HandmadeLake = a_lake([Record(0, 0, BAD_SONG_ID, NOON)], boundary=NOON)
    lake.tables["silver/rejected"][0]["value"] = None
    with open_log(lake.write(data_folder)) as log:
        [row] = map(describe, log.read(is_whole=True))
    assert row == {
        "partition": 0,
        "offset": 0,
        "log_time": "2026-01-01T12:00:00Z",
        "reason": "song_id_invalid",
        "detail": "Its bytes were erased.",
        "bytes": 0,
        "value": None,
    }


@pytest.mark.parametrize(
    ("value", "first_bytes", "shown"),
    [
        ('{"artist":"Björk"}'.encode(), None, {"value": '{"artist":"Björk"}'}),
        (b"\xff\x00", None, {"value_base64": "/wA="}),
        ("aö".encode(), 2, {"value": "a"}),
        (b"a\xc3", None, {"value_base64": "YcM="}),
        (b"a\xff\xff", 2, {"value_base64": "Yf8="}),
        (b"", None, {"value": ""}),
    ],
)
def test_utf8_bytes_are_shown_as_text_even_with_a_cut_character(
    value: bytes, first_bytes: int | None, shown: dict[str, str]
) -> None:
    row = describe(rejected(value, Reason.JSON_SYNTAX), first_bytes)
    assert {name: row[name] for name in row.keys() & {"value", "value_base64"}} == shown
    assert row["bytes"] == len(value)
