"""The oracle passes a correct lake, and finds and names each kind of damage."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from crossfade.kafka.window_log import Grain, WindowKey, WindowValue
from crossfade.lake.tables import BRONZE_SONG_PLAYS, list_files
from faults.oracle_kafka import LogRecord
from support.handmade_lake import NOON, Record, Row, a_lake, a_run, write_table
from support.oracle_case import BOUNDARY, GRAIN, OPEN, OracleCase, a_right_case, as_log, as_logged


@pytest.fixture
def case(tmp_path: Path) -> OracleCase:
    return a_right_case(tmp_path / "data")


def test_a_right_lake_passes_and_all_of_it_was_checked(case: OracleCase) -> None:
    judgement = case.judge()
    assert judgement.holds, str(judgement)
    assert judgement.checked["records of Kafka in bronze"] == len(case.records)
    assert judgement.checked["records judged"] == len(case.records)
    assert judgement.checked["rows handed over"] > 10
    assert judgement.checked["entries of charts"] > 8
    for table in ("song_window", "song_day", "activity_hour"):
        assert judgement.checked[f"rows of gold/{table}"] > 0
    assert judgement.counts() == {"lost": 0, "repeated": 0, "wrong": 0}


Damage = Callable[[OracleCase], object]


def _in_bronze(case: OracleCase, offset: int) -> Row:
    [row] = case.rows("bronze/song_plays", partition=0, offset=offset)
    return row


def _swap_ranks(case: OracleCase) -> None:
    entries = case.rows("gold/chart", chart="songs", period="day")
    first, second = sorted(entries, key=lambda one: one["rank"])[:2]
    first["rank"], second["rank"] = second["rank"], first["rank"]


def _change(case: OracleCase, table: str, **changes: object) -> None:
    case.lake.tables[table][0].update(changes)


def _drop_a_row_of_speed(case: OracleCase) -> None:
    del case.speed_log[0]


def _add_to_an_open_window(case: OracleCase) -> None:
    key = WindowKey("first", 1, OPEN // GRAIN * GRAIN, Grain("IS", "song", "T", "A", None, None))
    value = WindowValue(1, 1, 1, 60_000, b"")
    pair = msgspec.json.encode(key), msgspec.json.encode(value)
    case.speed_log.append(LogRecord(0, len(case.speed_log), OPEN, 1, *pair))


def _take_over_unread(case: OracleCase) -> None:
    """Add an earlier run that took the window over before the play was archived."""
    runs = case.lake.tables["gold/run"]
    runs[1]["run"] = 2
    runs.append(a_run(1, {0: 1, 1: 1}, boundary=BOUNDARY))


@pytest.mark.parametrize(
    ("damage", "kind", "named"),
    [
        (lambda s: s.remove("bronze/song_plays", _in_bronze(s, 2)), "lost",
         "song-plays [0] offset 2 (event event-00004): in Kafka, not in bronze"),
        (lambda s: s.add("bronze/song_plays", _in_bronze(s, 2)), "repeated",
         "song-plays [0] offset 2 (event event-00004): more than once in bronze"),
        (lambda s: _in_bronze(s, 2).update(value=_in_bronze(s, 2)["value"].replace(b"4", b"5")),
         "wrong", "song-plays [0] offset 2 (event event-00004): other value"),
        (lambda s: _in_bronze(s, 2).update(key=None), "wrong", "(event event-00004): other key"),
        (lambda s: _in_bronze(s, 2).update(log_time=NOON), "wrong", "other log_time"),
        (lambda s: _in_bronze(s, 2).update(headers=[{"key": "a", "value": None}]), "wrong",
         "other headers"),
        (lambda s: s.add("bronze/song_plays", _in_bronze(s, 2), offset=999), "wrong",
         "song-plays [0] offset 999: in bronze, outside Kafka's log"),
        (lambda s: s.log.pop(2), "wrong", "offset 1 (event event-00002): in bronze, not in Kafka"),
        (lambda s: s.remove("silver/plays", s.rows("silver/plays", event_id="event-00004")[0]),
         "lost", "song-plays [0] offset 2 (event event-00004): in bronze, not in silver"),
        (lambda s: s.add("silver/plays", s.rows("silver/plays", event_id="event-00004")[0]),
         "repeated", "song-plays [0] offset 2 (event event-00004): 2 times in silver"),
        (lambda s: s.rows("silver/plays", event_id="event-00004")[0].update(title="Other"),
         "wrong", "(event event-00004): silver/plays differs from the bytes"),
        (lambda s: s.rows("silver/plays", event_id="event-00004")[0].update(is_counted=False),
         "wrong", "(event event-00004): silver/plays differs from the bytes"),
        (lambda s: s.rows("silver/duplicates", partition=1)[0].update(winner_offset=0), "wrong",
         "(event event-00005): a duplicate of song-plays [1] offset 0 in silver; "
         "of song-plays [1] offset 2 by the bytes"),
        (lambda s: _change(s, "silver/duplicates", is_same_payload=False), "wrong",
         "is_same_payload does not match the bytes"),
        (lambda s: _change(s, "silver/rejected", value=b"changed"), "wrong",
         "rejected with other bytes than its own"),
        (lambda s: s.add("silver/rejected", s.lake.tables["silver/rejected"][0], offset=999),
         "wrong", "offset 999: rejected in silver, beyond what the run covers"),
        (lambda s: _change(s, "gold/song_window", plays=99), "wrong",
         "silver to gold, gold/song_window: 2026-01-03T12:10:00+00:00 NO, song-2, Title 2, "
         "Artist 0: 99 plays"),
        (lambda s: s.lake.tables["gold/song_window"].pop(), "wrong", "gold/song_window: "),
        (lambda s: _change(s, "gold/song_day", charted_plays=0), "wrong", "gold/song_day: "),
        (lambda s: s.add("gold/song_day", s.lake.tables["gold/song_day"][0], plays=0,
                         counted_plays=0, charted_plays=0, ms_played=0),
         "repeated", "more than one row"),
        (lambda s: _change(s, "gold/activity_hour", ms_played=1), "wrong", "gold/activity_hour: "),
        (_swap_ranks, "wrong", "days to charts: songs day 2026-01-01, rank 1: "),
        (lambda s: s.lake.tables["gold/chart"].pop(), "wrong", "is not in gold"),
        (_drop_a_row_of_speed, "unexplained", "speed has less than batch"),
        (_add_to_an_open_window, "unexplained", "speed has more than was sent"),
        (_take_over_unread, "wrong", "on time; run 1 took its window over without it"),
    ],
)  # fmt: skip
def test_damage_is_found_and_named(case: OracleCase, damage: Damage, kind: str, named: str) -> None:
    damage(case)
    judgement = case.judge()
    assert getattr(judgement, kind) > 0, str(judgement)
    assert any(named in text and text.startswith(kind) for text in judgement.findings), judgement
    assert not judgement.holds


def test_a_wrong_verdict_is_named_with_the_right_one(case: OracleCase) -> None:
    [row] = case.rows("silver/plays", event_id="event-00004")
    case.remove("silver/plays", row)
    case.add("silver/rejected", row, reason="json_syntax", value=None)
    judgement = case.judge()
    assert "(event event-00004): rejected in silver; accepted by its bytes" in str(judgement)


def test_a_second_accepted_copy_is_a_repetition(case: OracleCase) -> None:
    [copy, *_] = case.rows("silver/duplicates", partition=1)
    [play] = case.rows("silver/plays", event_id="event-00005")
    place = {name: copy[name] for name in ("partition", "offset", "log_time")}
    case.remove("silver/duplicates", copy)
    case.add("silver/plays", play, **place)
    judgement = case.judge()
    assert judgement.repeated == 1
    assert "accepted, and so is its first copy, song-plays [1] offset 2" in str(judgement)


def test_records_that_retention_deleted_are_judged_by_density(case: OracleCase) -> None:
    case.starts = {0: 5}
    assert case.judge().checked["records that only bronze still has"] == 5
    case.remove("bronze/song_plays", _in_bronze(case, 2))
    judgement = case.judge()
    assert judgement.lost == 1
    assert "song-plays [0] offset 2: not in bronze" in str(judgement)


def test_an_erased_record_may_lose_its_content_but_not_its_position(case: OracleCase) -> None:
    [play] = case.rows("silver/plays", event_id="event-00004")
    case.remove("silver/plays", play)
    _in_bronze(case, 2).update(key=None, headers=None, value=None)
    case.add("silver/erased", play)
    judgement = case.judge()
    assert judgement.unexplained == 0
    assert "explained, hand-over: 1 plays that were erased since" in judgement.findings
    wrong = [text for text in judgement.findings if text.startswith("wrong")]
    assert all("gold" in text for text in wrong), judgement
    _in_bronze(case, 3).update(key=None, headers=None, value=None)
    assert "(event event-00006): other key, value" in str(case.judge())


def test_a_second_check_covers_only_what_is_new(case: OracleCase) -> None:
    case.write()
    oracle = case.oracle()
    assert oracle.check_new().holds
    more = [Record(0, 25, b"later", OPEN), Record(0, 26, b"latest", OPEN)]
    assert case.log[-1].offset < 25
    oracle.logs.song_plays = as_log([*case.log, *map(as_logged, more)])
    rows = [*case.lake.tables["bronze/song_plays"]]
    rows += a_lake(more[1:], boundary=0).tables["bronze/song_plays"]
    write_table(case.folder, "bronze/song_plays", rows)
    judgement = oracle.check_new()
    assert (judgement.lost, judgement.wrong) == (1, 0)
    assert "song-plays [0] offset 25: in Kafka, not in bronze" in str(judgement)


def test_a_file_with_a_flipped_bit_is_named(case: OracleCase) -> None:
    case.write()
    path = Path(max(list_files(case.folder.lake, BRONZE_SONG_PLAYS)))
    with pq.ParquetFile(path) as file:
        rows = file.read()
    pq.write_table(rows, path, write_page_checksum=True, compression="none")
    flipped = bytearray(path.read_bytes())
    flipped[flipped.index(b"event-") + 3] ^= 1
    path.write_bytes(flipped)
    judgement = case.oracle().check_all()
    assert "CRC" in str(judgement)
    assert path.name in str(judgement)
    assert judgement.lost > 0
