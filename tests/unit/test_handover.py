"""The verdict of a window at hand-over, and its record."""

import pytest

from crossfade.clock import MINUTE_MS
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.folder import DataFolder
from crossfade.kafka.window_log import Grain
from crossfade.lake.handovers import Handover, HandoverVerdict, append_handovers, read_handovers
from crossfade.proof.handover_facts import find_handovers
from crossfade.proof.pinned import open_pinned_lake
from crossfade.proof.reconcile import prove_lake
from crossfade.proof.speed_log import Measures, SpeedLog
from crossfade.proof.verdicts import SpeedProgress, WindowFacts, compare_handovers
from support.handmade_lake import NOON, HandmadeLake, a_lake, a_play, a_run, records_of

GRAIN = 10 * MINUTE_MS
PASSED = SpeedProgress({0: 10, 1: 10}, NO_BOUNDARY)


def judged(progress: SpeedProgress | None = PASSED, **changes: int) -> HandoverVerdict:
    facts = WindowFacts(
        run=1,
        window_start=NOON,
        speed_plays=5,
        batch_plays=5,
        repeats=0,
        reused=0,
        differing_rows=0,
        is_retained=True,
    )._replace(**changes)
    [one] = compare_handovers([facts], progress, covered={1: {0: 10, 1: 4}}, grain_ms=GRAIN)
    return one.verdict


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "equal"),
        ({"differing_rows": 1}, "unexplained"),
        ({"speed_plays": 6}, "unexplained"),
        ({"speed_plays": 4}, "unexplained"),
        ({"speed_plays": 6, "repeats": 1}, "repeat"),
        ({"speed_plays": 7, "repeats": 1}, "unexplained"),
        ({"speed_plays": 6, "repeats": 1, "differing_rows": 1}, "unexplained"),
        ({"speed_plays": 7, "repeats": 1, "reused": 1}, "reused_id"),
        ({"speed_plays": 8, "repeats": 1, "reused": 1}, "unexplained"),
        ({"speed_plays": 4, "is_retained": False}, "not_retained"),
        ({"speed_plays": 6, "is_retained": False}, "unexplained"),
    ],
)
def test_a_window_is_explained_only_by_what_is_known(changes: dict[str, int], verdict: str) -> None:
    assert judged(**changes) == verdict


def test_a_window_is_pending_until_speed_has_read_what_the_run_covers() -> None:
    assert judged(None) == "pending"
    assert judged(SpeedProgress({0: 9, 1: 4}, NO_BOUNDARY)) == "pending"
    assert judged(SpeedProgress({0: 10}, NO_BOUNDARY)) == "pending"
    assert judged(SpeedProgress({0: 10, 1: 4}, NO_BOUNDARY)) == "equal"


def test_only_windows_before_a_watermark_that_dropped_plays_may_be_short() -> None:
    assert judged(SpeedProgress({0: 10, 1: 4}, NOON + GRAIN), speed_plays=4) == "watermark_drop"
    assert judged(SpeedProgress({0: 10, 1: 4}, NOON + GRAIN - 1), speed_plays=4) == "unexplained"


def song(number: int) -> Grain:
    play = a_play(number)
    return Grain(play.country, play.song_id, play.title, play.artist, None, None)


def speed_log(**changes: object) -> SpeedLog:
    """Return speed's log of plays 0 to 7: four songs with two plays each, in one window."""
    rows = {(NOON, song(n)): Measures(1, 1, 2, 2, 120_000) for n in range(4)}
    whole = {
        "rows": rows,
        "end_offsets": {0: 8},
        "first_offsets": {0: 0},
        "dropped_before": NO_BOUNDARY,
        "retained_from": NO_BOUNDARY,
    }
    return SpeedLog(**(whole | changes))  # type: ignore[arg-type]


def a_handed_over_lake(**log: int) -> HandmadeLake:
    return a_lake(
        records_of(*(a_play(n) for n in range(8)), partitions=1, **log), boundary=NOON + GRAIN
    )


def find_facts(folder: DataFolder, speed: SpeedLog, **since: int) -> list[WindowFacts]:
    with open_pinned_lake(folder) as pinned:
        return find_handovers(pinned, speed, **since)


def test_speed_is_compared_only_with_the_plays_that_it_counts(data_folder: DataFolder) -> None:
    folder = a_handed_over_lake().write(data_folder)
    assert find_facts(folder, speed_log()) == [
        WindowFacts(1, NOON, 8, 8, 0, 0, 0, is_retained=True)
    ]


def test_late_plays_are_not_counted_by_speed(data_folder: DataFolder) -> None:
    folder = a_handed_over_lake(log_times=NOON + 60 * MINUTE_MS).write(data_folder)
    assert find_facts(folder, speed_log(rows={})) == []


def test_a_changed_value_of_speed_is_found_song_by_song(data_folder: DataFolder) -> None:
    folder = a_handed_over_lake().write(data_folder)
    rows = dict(speed_log().rows)
    rows[NOON, song(1)] = Measures(1, 1, 1, 1, 60_000)
    rows[NOON, song(2)] = Measures(1, 1, 3, 3, 180_000)
    [facts] = find_facts(folder, speed_log(rows=rows))
    assert (facts.speed_plays, facts.batch_plays, facts.differing_rows) == (8, 8, 1)
    rows[NOON, song(1)] = Measures(1, 1, 2, 2, 1)
    [facts] = find_facts(folder, speed_log(rows=rows))
    assert (facts.speed_plays, facts.differing_rows) == (9, 1)


def test_windows_from_before_speed_began_are_not_retained(data_folder: DataFolder) -> None:
    folder = a_handed_over_lake().write(data_folder)
    [facts] = find_facts(folder, speed_log(first_offsets={0: 1}))
    assert not facts.is_retained
    [facts] = find_facts(folder, speed_log(retained_from=NOON + 1))
    assert not facts.is_retained


def test_repeats_that_speed_may_have_counted_are_known(data_folder: DataFolder) -> None:
    plays = [a_play(0), a_play(1), a_play(0), a_play(1, ms_played=7)]
    handmade = a_lake(records_of(*plays, partitions=1), boundary=NOON + GRAIN)
    [facts] = find_facts(handmade.write(data_folder), speed_log(rows={}))
    assert (facts.batch_plays, facts.repeats, facts.reused) == (2, 1, 1)


def test_a_window_belongs_to_the_first_run_that_reached_its_end(data_folder: DataFolder) -> None:
    handmade = a_handed_over_lake()
    handmade.tables["gold/run"] += [
        a_run(2, {0: 8}, boundary=NOON + GRAIN),
        a_run(3, {0: 8}, boundary=NOON + 2 * GRAIN),
    ]
    folder = handmade.write(data_folder)
    rows = {(NOON + GRAIN, song(0)): Measures(1, 1, 1, 1, 1), **speed_log().rows}
    found = find_facts(folder, speed_log(rows=rows))
    assert [(one.run, one.window_start) for one in found] == [(1, NOON), (3, NOON + GRAIN)]
    [later] = find_facts(folder, speed_log(rows=rows), after_run=1, windows_from=NOON + GRAIN)
    assert later.run == 3


def test_a_play_on_time_beyond_the_run_that_took_its_window_fails_the_proof(
    data_folder: DataFolder,
) -> None:
    handmade = a_handed_over_lake()
    handmade.tables["gold/run"].append(a_run(2, {0: 8}, boundary=NOON + GRAIN))
    handmade.tables["gold/run"][1]["end_offsets"] = {0: 7}
    proof = prove_lake(handmade.write(data_folder), None)
    [finding] = proof.unexplained
    assert finding.check == "no play on time comes after its window was handed over"
    assert finding.wrong == (
        "song-plays [0] offset 7: of window 2026-01-01T12:00:00Z, beyond run 1",
    )


def test_an_unexplained_hand_over_on_record_fails_the_proof(data_folder: DataFolder) -> None:
    folder = a_handed_over_lake().write(data_folder)
    wrong = Handover(1, NOON, 9, 8, 0, HandoverVerdict.UNEXPLAINED)
    append_handovers(folder.lake, [wrong])
    assert read_handovers(folder.lake) == [wrong]
    [finding] = prove_lake(folder, None).unexplained
    assert finding.wrong == (
        "window 2026-01-01T12:00:00Z of run 1: speed has 9 plays, batch 8, and 0 repeats",
    )
