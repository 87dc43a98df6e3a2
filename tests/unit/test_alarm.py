"""The work of a child that failed, and the alarm for work that fails repeatedly."""

from pathlib import Path

from crossfade.folder import DataFolder
from crossfade.stack.alarm import Alarm
from crossfade.stack.unfinished_work import list_unfinished_micro_batches, list_unfinished_runs
from support.handmade_checkpoint import HandmadeCheckpoint

POISON = "speed, micro-batch 7, song-plays [0] offsets 5 to 9"
INNOCENT = "archive, micro-batch 2"


def fail(alarm: Alarm, *unfinished: str, times: int = 1) -> None:
    for _ in range(times):
        alarm.record_failure(unfinished, "ended with 1", "speed died: overflow.")


def test_three_failures_on_one_micro_batch_raise_an_alarm_that_names_it() -> None:
    alarm = Alarm()
    fail(alarm, INNOCENT, POISON, times=2)
    assert alarm.text == ""
    fail(alarm, INNOCENT, POISON)
    assert alarm.text == f"{POISON}: failed 3 times (ended with 1): speed died: overflow."


def test_failures_on_different_micro_batches_raise_no_alarm() -> None:
    alarm = Alarm()
    for batch in range(9):
        fail(alarm, f"speed, micro-batch {batch}")
    assert alarm.text == ""


def test_a_micro_batch_that_succeeds_in_between_resets_the_count() -> None:
    alarm = Alarm()
    fail(alarm, POISON, times=2)
    fail(alarm, INNOCENT)
    fail(alarm, POISON, times=2)
    assert alarm.text == ""


def test_an_alarm_lasts_until_the_micro_batch_is_done_and_its_end_is_logged_once() -> None:
    alarm = Alarm()
    assert not alarm.is_over(list)
    fail(alarm, POISON, times=3)
    assert not Alarm.is_over(alarm, lambda: [POISON])
    assert alarm.text
    alarm._checked_at = 0.0
    assert alarm.is_over(lambda: [INNOCENT])
    assert alarm.text == ""
    assert not alarm.is_over(list)


def test_the_micro_batch_that_was_planned_and_not_committed_is_named_with_its_records(
    data_folder: DataFolder,
) -> None:
    speed, archive = HandmadeCheckpoint(data_folder), HandmadeCheckpoint(data_folder, "archive")
    speed.complete(6, 5)
    speed.plan(7, 10)
    archive.complete(3, 10)
    assert list_unfinished_micro_batches(
        data_folder.checkpoints, ("speed", "archive", "classic")
    ) == [POISON]
    (speed.path / "offsets" / "7").write_text("")
    assert list_unfinished_micro_batches(data_folder.checkpoints, ["speed"]) == [
        "speed, micro-batch 7"
    ]


def test_the_next_run_of_batch_is_identified_by_the_run_before_it(tmp_path: Path) -> None:
    assert list_unfinished_runs(tmp_path) == ["batch, the run after version -1 of gold/run"]
    log = tmp_path / "gold" / "run" / "_delta_log"
    log.mkdir(parents=True)
    for name in ("00000000000000000009.json", "00000000000000000010.json", "x.json"):
        (log / name).touch()
    assert list_unfinished_runs(tmp_path) == ["batch, the run after version 10 of gold/run"]
