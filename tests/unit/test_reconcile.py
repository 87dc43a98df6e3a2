"""The proof passes on a correct lake and names what is wrong in a damaged one."""

from collections.abc import Callable

import pytest

from crossfade.clock import DAY_MS
from crossfade.contract.play import Play
from crossfade.errors import LakeError
from crossfade.folder import DataFolder
from crossfade.lake.binding import ArchiveBinding, bind_archive
from crossfade.lake.findings import Reconciliation, Verdict
from crossfade.proof.reconcile import prove_lake
from support.handmade_gold import sketch_of
from support.handmade_lake import NOON, HandmadeLake, a_lake, a_play, records_of

BOUNDARY = NOON + 9 * DAY_MS
"""After nine days, days and a chart week are closed; windows of the last two days are kept."""


def plays() -> list[Play]:
    near = [a_play(number, event_time=BOUNDARY - DAY_MS + number * 1_000) for number in (50, 51)]
    again = a_play(5)
    other = a_play(6, ms_played=None, title="Another title")
    capped = [
        a_play(100 + number, user_id="keen", song_id="loved", event_time=NOON + number)
        for number in range(12)
    ]
    capped[0] = a_play(100, user_id="keen", song_id="loved", city="Umeå", event_time=NOON)
    return [*(a_play(number) for number in range(20)), again, other, *capped, *near]


def lake() -> HandmadeLake:
    records = records_of(*plays(), partitions=1)
    records[7].value = b"not json"
    return a_lake(records, boundary=BOUNDARY)


def prove(handmade: HandmadeLake, folder: DataFolder) -> Reconciliation:
    return prove_lake(handmade.write(folder), None)


def test_the_proof_passes_on_a_right_lake(data_folder: DataFolder) -> None:
    proof = prove(lake(), data_folder)
    assert [finding for finding in proof.findings if finding.verdict != Verdict.HOLDS] == [
        finding for finding in proof.findings if finding.verdict == Verdict.UNCHECKED
    ]
    assert proof.holds
    assert proof.run == 1


def test_without_a_run_there_is_nothing_to_prove(data_folder: DataFolder) -> None:
    with pytest.raises(LakeError, match="No batch run was published"):
        prove_lake(data_folder, None)


def drop(table: str, at: int) -> Callable[[HandmadeLake], None]:
    return lambda handmade: handmade.tables[table].pop(at) and None


def repeat(table: str, at: int) -> Callable[[HandmadeLake], None]:
    return lambda handmade: handmade.tables[table].append(dict(handmade.tables[table][at]))


def change(table: str, at: int, **values: object) -> Callable[[HandmadeLake], None]:
    return lambda handmade: handmade.tables[table][at].update(values)


FAULTS = {
    "a record missing in bronze": (
        drop("bronze/song_plays", 3),
        "bronze holds the range",
        "song-plays [0] offset 3: not in bronze",
    ),
    "a record twice in bronze": (
        repeat("bronze/song_plays", 3),
        "bronze holds the range",
        "song-plays [0] offset 3: held 2 times",
    ),
    "a record beyond the range": (
        change("bronze/song_plays", 35, offset=99),
        "bronze holds the range",
        "song-plays [0] offset 99: outside the range",
    ),
    "a flipped byte in bronze": (
        change("bronze/song_plays", 4, value=b"not json either"),
        "judged again: the same verdict",
        "song-plays [0] offset 4: json_syntax by the contract, accepted in the tables",
    ),
    "a play missing in silver": (
        drop("silver/plays", 0),
        "bronze = accepted + rejected + duplicates + erased",
        "song-plays [0] offset 0: accepted, rejected, duplicate and erased nowhere",
    ),
    "a play twice in silver": (
        repeat("silver/plays", 0),
        "bronze = accepted + rejected + duplicates + erased",
        "song-plays [0] offset 0: in silver/plays and silver/plays",
    ),
    "a rejected record accepted as well": (
        change("silver/plays", 0, offset=7),
        "bronze = accepted + rejected + duplicates + erased",
        "song-plays [0] offset 7: in silver/plays and silver/rejected",
    ),
    "a play without a record in bronze": (
        change("silver/plays", 0, offset=77),
        "bronze = accepted + rejected + duplicates + erased",
        "song-plays [0] offset 77: in silver/plays, not in bronze",
    ),
    "another reason": (
        change("silver/rejected", 0, reason="not_object"),
        "judged again: the same verdict",
        "song-plays [0] offset 7: json_syntax by the contract, not_object in the tables",
    ),
    "another song in silver": (
        change("silver/plays", 1, song_id="song-2", ms_played=1),
        "judged again: silver equals the bytes",
        "song-plays [0] offset 1: other song_id, ms_played",
    ),
    "a winner that is not the first": (
        change("silver/duplicates", 0, winner_offset=1),
        "judged again: the first copy wins",
        "song-plays [0] offset 20: its play is at [0] 5, silver has [0] 1",
    ),
    "a count changed in gold": (
        change("gold/song_day", 0, counted_plays=1_000),
        "gold/song_day = silver",
        "counted_plays 1000",
    ),
    "a day's song missing in gold": (
        drop("gold/song_day", 0),
        "gold/song_day = silver",
        "only in silver, country SE, song_id song-0",
    ),
    "an hour changed in gold": (
        change("gold/activity_hour", 0, plays=1_000),
        "gold/activity_hour = silver",
        "plays 1000",
    ),
    "a window twice in gold": (
        repeat("gold/song_window", 0),
        "gold/song_window = silver",
        "only in gold, window_start 2026-01-09 12:00:00+00:00",
    ),
    "a song under an old name": (
        change("gold/song", 0, title="Old title"),
        "gold/song = silver",
        "only in gold, song_id song-0, title Old title",
    ),
    "a sketch of too few listeners": (
        change("gold/listeners", 1, listeners=sketch_of(["user-0"])),
        "gold/listeners = listeners of silver, within the sketch's error",
        "day 2026-01-01T00:00:00Z, artist artist 0: 4 listeners in silver, 1 by the sketch",
    ),
    "a sketch missing": (
        drop("gold/listeners", 0),
        "gold/listeners = listeners of silver, within the sketch's error",
        "day 2026-01-01T00:00:00Z, song song-0: 3 listeners in silver, 0 by the sketch",
    ),
    "a sketch of a song without plays": (
        change("gold/listeners", 0, key="song-99"),
        "gold/listeners = listeners of silver, within the sketch's error",
        "day 2026-01-01T00:00:00Z, song song-99: 0 listeners in silver, 3 by the sketch",
    ),
    "another rank in a chart": (
        change("gold/chart", 0, rank=2),
        "gold/chart = charts computed from silver",
        "only in gold, chart songs, period day, period_start 2026-01-01, rank 2, id loved",
    ),
    "more charted plays than the cap gives": (
        change("gold/chart", 0, charted_plays=12),
        "gold/chart = charts computed from silver",
        "charted_plays 12, counted_plays 12",
    ),
    "a chart cut in the middle": (
        drop("gold/chart", 1),
        "gold/chart = charts computed from silver",
        "only in silver, chart songs, period day, period_start 2026-01-01, rank 2",
    ),
    "a chart missing": (
        lambda handmade: handmade.tables["gold/chart"].clear(),
        "gold/chart = charts computed from silver",
        "only in silver, chart artists, period day",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_proof_fails_on(fault: str, data_folder: DataFolder) -> None:
    damage, check, named = FAULTS[fault]
    handmade = lake()
    damage(handmade)
    proof = prove(handmade, data_folder)
    assert not proof.holds
    wrong = [
        text for finding in proof.unexplained if finding.check == check for text in finding.wrong
    ]
    assert any(named in text for text in wrong), wrong


def test_a_finding_names_twenty_wrong_records_and_counts_the_rest(data_folder: DataFolder) -> None:
    handmade = lake()
    handmade.tables["silver/plays"].clear()
    [finding] = [
        one
        for one in prove(handmade, data_folder).unexplained
        if one.check == "bronze = accepted + rejected + duplicates + erased"
    ]
    assert len(finding.wrong) == 21
    assert finding.wrong[-1] == "and 13 more"


def test_offsets_of_transactions_are_not_a_gap(data_folder: DataFolder) -> None:
    handmade = lake()
    bronze, runs = handmade.tables["bronze/song_plays"], handmade.tables["gold/run"]
    assert bronze.pop()["offset"] == 35
    handmade.tables["silver/plays"].pop()
    handmade.tables["gold/song_window"].pop()
    del handmade.tables["gold/song_day"][-1]
    runs[1]["gaps"] = [{"partition": 0, "begin_offset": 35, "end_offset": 36}]
    proof = prove(handmade, data_folder)
    assert "bronze holds the range" not in [finding.check for finding in proof.unexplained]
    notes = [finding.note for finding in proof.findings]
    assert "1 offsets without a play: of transactions" in notes


def test_runs_that_begin_later_than_the_archive_fail_the_proof(data_folder: DataFolder) -> None:
    began = ArchiveBinding(topic_id="t", table_id="d", first_offsets={0: 0})
    bind_archive(data_folder, began, has_data=False)
    assert prove(lake(), data_folder).holds
    handmade = lake()
    handmade.tables["gold/run"][0]["end_offsets"] = {0: 1}
    handmade.tables["bronze/song_plays"].pop(0)
    findings = {one.check: one for one in prove(handmade, data_folder).unexplained}
    assert findings["the runs begin where the archive began"].wrong == (
        "song-plays [0]: the archive began at 0, the runs at 1",
    )
