"""The proof with a ledger checks every record that was sent and names the wrong ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crossfade.contract.ledger import open_ledger
from crossfade.folder import DataFolder
from crossfade.lake.findings import Verdict
from crossfade.proof.ledger_check import IN_BRONZE, NOTHING_ELSE, SAME_ANSWER, SAME_PLAY
from crossfade.proof.ledger_totals import GOLD_COUNTS, WHOLE
from support.handmade_lake import NOON, HandmadeLake, a_lake, a_play
from support.handmade_ledger import (
    BOUNDARY,
    COPY,
    MALFORMED,
    HandmadeLedger,
    a_sent_play,
    about,
    lake_of,
    prove,
    sent,
    with_others,
)


def test_the_proof_passes_where_the_lake_has_what_was_sent(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = with_others(sent())
    proof = prove(lake_of(ledger), data_folder, ledger.write(tmp_path / "tonight"))
    assert proof.holds, proof.unexplained
    found = {
        (one.check, one.subject): (one.expected, one.found, one.verdict)
        for one in proof.findings
        if one.check.startswith("ledger:")
    }
    holds = Verdict.HOLDS
    assert found == {
        (WHOLE, "tonight: 21 records"): (21, 21, holds),
        (IN_BRONZE, "tonight: 19 records"): (19, 19, holds),
        (SAME_ANSWER, "tonight: 19 records"): (19, 19, holds),
        (SAME_PLAY, "tonight: 16 accepted plays"): (16, 16, holds),
        (NOTHING_ELSE, "tonight: plays of run run"): (0, 0, holds),
        (GOLD_COUNTS, "gold/song_window"): (4, 4, holds),
        (GOLD_COUNTS, "gold/song_day"): (20, 20, holds),
        (GOLD_COUNTS, "gold/activity_hour"): (21, 21, holds),
    }
    [unlisted] = about(proof, NOTHING_ELSE)
    assert unlisted.note == "1 of 2 records without an acknowledgement are in the log"


def test_without_a_ledger_the_proof_does_not_mention_one(data_folder: DataFolder) -> None:
    proof = prove(lake_of(sent()), data_folder)
    assert not [one for one in proof.findings if "ledger" in one.check]


Damage = Callable[[HandmadeLake], object]


def drop(table: str, at: int) -> Damage:
    return lambda lake: lake.tables[table].pop(at)


def repeat(table: str, at: int, **values: object) -> Damage:
    return lambda lake: lake.tables[table].append(lake.tables[table][at] | values)


def change(table: str, at: int, **values: object) -> Damage:
    return lambda lake: lake.tables[table][at].update(values)


def move(at: int, to: str, **values: object) -> Damage:
    def damage(lake: HandmadeLake) -> None:
        lake.tables[to].append(lake.tables["silver/plays"].pop(at) | values)

    return damage


def accept_the_copy(lake: HandmadeLake) -> None:
    lake.tables["silver/duplicates"].clear()
    lake.tables["silver/plays"].append(lake.tables["silver/plays"][5] | {"offset": COPY})


FAULTS: dict[str, tuple[Damage, str, str]] = {
    "a record missing in bronze": (
        drop("bronze/song_plays", 3),
        IN_BRONZE,
        "song-plays [0] offset 3 (record 3, event run-00003): sent, not in bronze",
    ),
    "a record that is not a play missing in bronze": (
        drop("bronze/song_plays", MALFORMED),
        IN_BRONZE,
        "song-plays [0] offset 16 (record 16): sent, not in bronze",
    ),
    "a record twice in bronze": (
        repeat("bronze/song_plays", 3),
        IN_BRONZE,
        "song-plays [0] offset 3 (record 3, event run-00003): held 2 times",
    ),
    "a record called a gap": (
        lambda lake: (
            lake.tables["bronze/song_plays"].pop(3),
            lake.tables["gold/run"][1].update(
                gaps=[{"partition": 0, "begin_offset": 3, "end_offset": 4}]
            ),
        ),
        IN_BRONZE,
        "song-plays [0] offset 3 (record 3, event run-00003): noted as a gap, yet sent",
    ),
    "a play missing in silver": (
        drop("silver/plays", 2),
        SAME_ANSWER,
        "song-plays [0] offset 2 (record 2, event run-00002): accepted by the ledger, "
        "nowhere in silver",
    ),
    "a play twice in silver": (
        repeat("silver/plays", 2),
        SAME_ANSWER,
        "(record 2, event run-00002): accepted by the ledger, accepted and accepted in silver",
    ),
    "a play that was rejected": (
        move(2, "silver/rejected", reason="text_invalid"),
        SAME_ANSWER,
        "(record 2, event run-00002): accepted by the ledger, rejected as text_invalid in silver",
    ),
    "a play that was called a duplicate": (
        move(2, "silver/duplicates", winner_partition=0, winner_offset=1),
        SAME_ANSWER,
        "(record 2, event run-00002): accepted by the ledger, "
        "duplicate of [0] 1 (event run-00001) in silver",
    ),
    "another reason": (
        change("silver/rejected", 0, reason="not_object"),
        SAME_ANSWER,
        "song-plays [0] offset 16 (record 16): rejected as json_syntax by the ledger, "
        "rejected as not_object in silver",
    ),
    "a rejected record accepted as well": (
        repeat("silver/plays", 0, offset=MALFORMED, event_id="else-00001"),
        SAME_ANSWER,
        "song-plays [0] offset 16 (record 16): rejected as json_syntax by the ledger, "
        "accepted and rejected as json_syntax in silver",
    ),
    "a duplicate accepted": (
        accept_the_copy,
        SAME_ANSWER,
        "song-plays [0] offset 18 (record 18, event run-00005): duplicate by the ledger, "
        "accepted in silver",
    ),
    "a duplicate of another play": (
        change("silver/duplicates", 0, winner_offset=4),
        SAME_ANSWER,
        "song-plays [0] offset 18 (record 18, event run-00005): duplicate by the ledger, "
        "duplicate of [0] 4 (event run-00004) in silver",
    ),
    "another song": (
        change("silver/plays", 1, song_id="song-2"),
        SAME_PLAY,
        "song-plays [0] offset 1 (record 1, event run-00001): song_id song-2 instead of song-1",
    ),
    "another length, and so not counted": (
        change("silver/plays", 1, ms_played=5_000, is_counted=False),
        SAME_PLAY,
        "(record 1, event run-00001): ms_played 5000 instead of 60000, "
        "is_counted false instead of true",
    ),
    "no length": (
        change("silver/plays", 1, ms_played=None),
        SAME_PLAY,
        "(record 1, event run-00001): ms_played missing instead of 60000",
    ),
    "a length of a play without one": (
        change("silver/plays", 13, ms_played=0),
        SAME_PLAY,
        "(record 13, event run-00013): ms_played 0 instead of missing",
    ),
    "another event, listener, time and country": (
        change(
            *("silver/plays", 1),
            event_id="run-00099",
            user_id="user-9",
            event_time=NOON,
            country="DK",
        ),
        SAME_PLAY,
        "(record 1, event run-00001): event_id run-00099 instead of run-00001, "
        "user_id user-9 instead of user-1, "
        f"event_time {NOON} instead of {NOON + 1_000}, country DK instead of SE",
    ),
    "a play that was not sent": (
        repeat("silver/plays", 0, offset=77, event_id="run-00077"),
        NOTHING_ELSE,
        "song-plays [0] offset 77 (event run-00077): accepted in silver, in no ledger",
    ),
    "a play that was not sent, at another record's offset": (
        repeat("silver/plays", 0, partition=1, event_id="run-00077"),
        NOTHING_ELSE,
        "song-plays [1] offset 0 (event run-00077): accepted in silver, in no ledger",
    ),
    "a play at two positions": (
        repeat("silver/plays", 0, offset=77),
        NOTHING_ELSE,
        "song-plays [0] offset 77 (event run-00000): accepted in silver, in no ledger",
    ),
    "a copy that was not sent": (
        repeat("silver/duplicates", 0, offset=77),
        NOTHING_ELSE,
        "song-plays [0] offset 77 (event run-00005): duplicate in silver, in no ledger",
    ),
    "an unacknowledged play accepted twice": (
        repeat("silver/plays", 16, offset=77),
        NOTHING_ELSE,
        "song-plays [0] offset 77 (event run-00019): accepted in silver, in no ledger",
    ),
    "a day of a song counted too often": (
        change("gold/song_day", 0, plays=4),
        GOLD_COUNTS,
        "2026-01-01T00:00:00Z, SE, song-0: plays 4, counted_plays 3, ms_played 180000 in gold; "
        "plays 3, counted_plays 3, ms_played 180000 sent",
    ),
    "a day of a song missing": (
        drop("gold/song_day", 0),
        GOLD_COUNTS,
        "2026-01-01T00:00:00Z, SE, song-0: plays 0, counted_plays 0, ms_played 0 in gold; plays 3",
    ),
    "an hour with less counted": (
        change("gold/activity_hour", 0, counted_plays=1),
        GOLD_COUNTS,
        "2026-01-01T12:00:00Z, SE: plays 13, counted_plays 1, ms_played 780000 in gold; "
        "plays 13, counted_plays 13",
    ),
    "a window with less heard": (
        change("gold/song_window", 0, ms_played=1),
        GOLD_COUNTS,
        "2026-01-09T12:00:00Z, SE, song-2: plays 1, counted_plays 1, ms_played 1 in gold; "
        "plays 1, counted_plays 1, ms_played 60000 sent",
    ),
    "a window of a song without plays": (
        repeat("gold/song_window", 0, song_id="song-9"),
        GOLD_COUNTS,
        "2026-01-09T12:00:00Z, SE, song-9: plays 1, counted_plays 1, ms_played 60000 in gold; "
        "plays 0",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_proof_fails_on(fault: str, data_folder: DataFolder, tmp_path: Path) -> None:
    damage, check, named = FAULTS[fault]
    ledger = sent()
    lake = lake_of(ledger)
    damage(lake)
    proof = prove(lake, data_folder, ledger.write(tmp_path / "tonight"))
    wrong = [text for one in proof.unexplained if one.check == check for text in one.wrong]
    assert any(named in text for text in wrong), wrong


def test_a_lost_play_is_found_although_the_lake_is_consistent(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = sent()
    del ledger.log[3]
    lake = lake_of(ledger)
    lake.tables["gold/run"][1]["gaps"] = [{"partition": 0, "begin_offset": 3, "end_offset": 4}]
    assert prove(lake, data_folder).holds
    proof = prove(lake, data_folder, ledger.write(tmp_path / "tonight"))
    assert {one.check for one in proof.unexplained} == {IN_BRONZE, SAME_ANSWER, GOLD_COUNTS}


def test_records_beyond_the_newest_run_are_pending(data_folder: DataFolder, tmp_path: Path) -> None:
    ledger = sent()
    lake = a_lake(ledger.log[:10], boundary=BOUNDARY)
    proof = prove(lake, data_folder, ledger.write(tmp_path / "tonight"))
    assert proof.holds, proof.unexplained
    [pending, bronze] = about(proof, IN_BRONZE)
    assert (pending.verdict, pending.subject) == (Verdict.PENDING, "tonight: 9 records")
    assert (bronze.verdict, bronze.subject) == (Verdict.HOLDS, "tonight: 10 records")


def test_records_from_before_the_archive_are_left_out(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = sent()
    lake = a_lake(ledger.log[3:], boundary=BOUNDARY)
    lake.tables["gold/run"][0]["end_offsets"] = {0: 3}
    proof = prove(lake, data_folder, ledger.write(tmp_path / "tonight"))
    assert proof.holds, proof.unexplained
    [left_out, bronze] = about(proof, IN_BRONZE)
    assert (left_out.verdict, left_out.subject) == (Verdict.UNCHECKED, "tonight: 3 records")
    assert bronze.subject == "tonight: 16 records"


def test_a_ledger_of_a_file_is_left_out(data_folder: DataFolder, tmp_path: Path) -> None:
    ledger = sent()
    lake = lake_of(HandmadeLedger("run", log=with_others(HandmadeLedger("other")).log))
    for row in ledger.rows:
        row.update(partition=None, offset=None, error=None)
    proof = prove(lake, data_folder, ledger.write(tmp_path / "tonight"))
    assert proof.holds, proof.unexplained
    [left_out, bronze] = about(proof, IN_BRONZE)
    assert (left_out.verdict, left_out.subject) == (Verdict.UNCHECKED, "tonight: 21 records")
    assert bronze.expected == 0


@pytest.mark.parametrize("is_logged", [True, False])
def test_after_a_record_without_an_acknowledgement_its_copy_may_be_either(
    is_logged: bool, data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = HandmadeLedger("run")
    ledger.send(a_sent_play(0), is_lost=not is_logged)
    if is_logged:
        ledger.lose_acknowledgement(0)
    ledger.send_again(0, a_sent_play(0))
    ledger.send_again(0, a_sent_play(0))
    lake, folder = lake_of(ledger), tmp_path / "tonight"
    proof = prove(lake, data_folder, ledger.write(folder))
    assert proof.holds, proof.unexplained
    lake.tables["silver/plays"][0]["song_id"] = "song-9"
    lake.tables["silver/plays"].append(
        lake.tables["silver/plays"][0] | {"offset": lake.tables["silver/duplicates"][-1]["offset"]}
    )
    lake.tables["silver/duplicates"].pop()
    proof = prove(lake, data_folder, open_ledger(folder))
    [answers], [plays] = about(proof, SAME_ANSWER), about(proof, SAME_PLAY)
    assert bool(plays.wrong) is not is_logged
    assert answers.wrong == (
        f"song-plays [0] offset {2 if is_logged else 1} (record 2, event run-00000): "
        "duplicate by the ledger, accepted in silver",
    )


def test_a_copy_without_an_acknowledgement_is_never_the_one_to_accept(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = HandmadeLedger("run")
    ledger.send(a_sent_play(0))
    ledger.send_again(0, a_sent_play(0))
    ledger.lose_acknowledgement(1)
    lake, folder = lake_of(ledger), tmp_path / "tonight"
    assert prove(lake, data_folder, ledger.write(folder)).holds
    plays, [copy] = lake.tables["silver/plays"], lake.tables["silver/duplicates"]
    plays[0]["offset"], copy["offset"], copy["winner_offset"] = 1, 0, 1
    [answers] = about(prove(lake, data_folder, open_ledger(folder)), SAME_ANSWER)
    assert answers.wrong == (
        "song-plays [0] offset 0 (record 0, event run-00000): accepted by the ledger, "
        "duplicate of [0] 1 (event run-00000) in silver",
    )
    lake.tables["silver/duplicates"].clear()
    plays.append(plays[0] | {"offset": 0})
    [unlisted] = about(prove(lake, data_folder, open_ledger(folder)), NOTHING_ELSE)
    assert unlisted.wrong == (
        "song-plays [0] offset 1 (event run-00000): "
        "accepted in silver, and so is another record of the play",
    )


def test_a_record_to_reject_is_not_excused_where_its_acknowledgement_is_missing(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = HandmadeLedger("run")
    ledger.send(a_sent_play(0), answer="rejected", reason="event_time_future")
    ledger.lose_acknowledgement(0)
    proof = prove(lake_of(ledger), data_folder, ledger.write(tmp_path / "tonight"))
    [unlisted] = about(proof, NOTHING_ELSE)
    assert unlisted.wrong == (
        "song-plays [0] offset 0 (event run-00000): accepted in silver, in no ledger",
    )


def test_several_ledgers_are_added_before_the_comparison_with_gold(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    early = sent()
    late = HandmadeLedger("late", log=early.log)
    late.send(a_play(40, event_id="late-00000"))
    folders = tmp_path / "early", tmp_path / "late"
    lake = lake_of(late)
    ledgers = [one.write(folder) for one, folder in zip((early, late), folders, strict=True)]
    proof = prove(lake, data_folder, *ledgers)
    assert proof.holds, proof.unexplained
    assert [one.subject for one in about(proof, IN_BRONZE)] == [
        "early: 19 records",
        "late: 1 records",
    ]
    for table in ("silver/plays", "bronze/song_plays"):
        lake.tables[table].pop()
    proof = prove(lake, data_folder, *ledgers)
    assert [bool(one.wrong) for one in about(proof, IN_BRONZE)] == [False, True]
    assert [one.wrong[0] for one in proof.unexplained if one.check == SAME_ANSWER] == [
        "song-plays [0] offset 20 (record 0, event late-00000): accepted by the ledger, "
        "nowhere in silver"
    ]
    assert not [one for one in proof.unexplained if one.check == GOLD_COUNTS]


def test_a_finding_names_twenty_records_and_counts_the_rest(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = HandmadeLedger("run")
    for number in range(50):
        ledger.send(a_sent_play(number))
    lake = lake_of(ledger)
    lake.tables["silver/plays"].clear()
    [answers] = about(prove(lake, data_folder, ledger.write(tmp_path / "tonight")), SAME_ANSWER)
    assert (answers.expected, answers.found) == (50, 0)
    assert len(answers.wrong) == 21
    assert answers.wrong[-1] == "and 30 more"
