"""The oracle with a ledger: whether what was sent was kept and judged correctly."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crossfade.folder import DataFolder
from faults.oracle import Logs, Oracle
from faults.oracle_findings import Judgement
from faults.oracle_kafka import Log, LogRecord
from support.handmade_lake import HandmadeLake, a_play
from support.handmade_ledger import MALFORMED, UNKNOWN, HandmadeLedger, a_sent_play, lake_of, sent


def judge(
    ledger: HandmadeLedger,
    folder: DataFolder,
    path: Path,
    *,
    damage: Callable[[HandmadeLake], object] = lambda _: None,
    others_allowed: bool = False,
) -> Judgement:
    """Derive Kafka's log and the lake from the ledger's log, and compare both with the ledger."""
    lake = lake_of(ledger)
    damage(lake)
    lake.write(folder)
    ledger.write(path / "sent")
    ends: dict[int, int] = {}
    for record in ledger.log:
        ends[record.partition] = record.offset + 1
    log = [
        LogRecord(one.partition, one.offset, one.log_time, 1, one.key, one.value)
        for one in ledger.log
    ]
    logs = Logs("", Log(dict.fromkeys(ends, 0), ends, log))
    return Oracle(folder.root, logs, [path / "sent"], others_allowed=others_allowed).check_all()


def test_what_was_sent_is_found_and_judged(data_folder: DataFolder, tmp_path: Path) -> None:
    judgement = judge(sent(), data_folder, tmp_path)
    assert judgement.holds, str(judgement)
    acknowledged = judgement.checked["acknowledged records in Kafka"]
    assert acknowledged == judgement.checked["answers of ledgers"] == len(sent().log) - 1
    assert "1 of 2 records without an answer are in the log" in judgement.findings


def _lose(ledger: HandmadeLedger) -> None:
    ledger.rows[3].update(offset=500)


def _send_other(ledger: HandmadeLedger) -> None:
    ledger.rows[3].update(country="NO")


def _expect(ledger: HandmadeLedger, number: int, **changes: object) -> None:
    ledger.rows[number].update(**changes)


@pytest.mark.parametrize(
    ("damage", "kind", "named"),
    [
        (_lose, "lost",
         "song-plays [0] offset 500 (event run-00003): acknowledged, beyond the end of Kafka"),
        (_send_other, "wrong",
         "song-plays [0] offset 3 (record 3 of sent): another play than was sent"),
        (lambda one: one.log_unlisted(a_play(100)), "wrong",
         "song-plays [1] offset 0 (event event-00100): in no ledger"),
        (lambda one: _expect(one, 4, offset=3), "wrong", "acknowledged twice"),
        (lambda one: _expect(one, 4, answer="rejected", reason="not_object"), "wrong",
         "(record 4 of sent) (event run-00004): accepted in silver; rejected by the ledger"),
        (lambda one: _expect(one, MALFORMED, reason="too_deep"), "wrong",
         "(record 16 of sent): rejected for another reason than too_deep"),
    ],
)  # fmt: skip
def test_what_differs_from_the_ledger_is_named(
    data_folder: DataFolder,
    tmp_path: Path,
    damage: Callable[[HandmadeLedger], None],
    kind: str,
    named: str,
) -> None:
    ledger = sent()
    damage(ledger)
    judgement = judge(ledger, data_folder, tmp_path)
    assert getattr(judgement, kind) > 0, str(judgement)
    assert named in str(judgement)


def test_other_writers_are_allowed_if_declared(data_folder: DataFolder, tmp_path: Path) -> None:
    ledger = sent()
    ledger.log_unlisted(a_play(100))
    assert judge(ledger, data_folder, tmp_path, others_allowed=True).holds


def test_the_first_copy_after_one_without_an_answer_may_be_either(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = sent()
    ledger.send_again(UNKNOWN, a_sent_play(19))
    ledger.send(a_sent_play(30), is_lost=True)
    ledger.send_again(len(ledger.rows) - 1, a_sent_play(30))
    assert judge(ledger, data_folder, tmp_path).holds


def test_a_ledger_that_was_not_closed_is_refused(data_folder: DataFolder, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    with pytest.raises(FileNotFoundError, match="no closed ledger"):
        Oracle(data_folder.root, Logs(), [tmp_path / "open"]).check_all()


def test_rows_that_the_seal_does_not_count_are_found(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = sent()
    lake_of(ledger).write(data_folder)
    ledger.write(tmp_path / "sent")
    ledger.close(tmp_path / "sent", records=7)
    judgement = Oracle(data_folder.root, Logs(), [tmp_path / "sent"]).check_all()
    assert "sent: 7 records by ledger.json" in str(judgement)
