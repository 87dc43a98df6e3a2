"""A ledger must agree with its seal and its counts, and the command must find it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.cli.reconcile import reconcile
from crossfade.contract.ledger import COUNTS, RECORDS, open_ledger
from crossfade.errors import LakeError, MisuseError
from crossfade.folder import DataFolder
from crossfade.lake.findings import Verdict
from crossfade.proof.ledger_check import NOTHING_ELSE, SAME_ANSWER
from crossfade.proof.ledger_totals import WHOLE
from support.handmade_ledger import (
    COPY,
    MALFORMED,
    HandmadeLedger,
    a_sent_play,
    about,
    lake_of,
    prove,
    sent,
)


def forget(column: str, number: int) -> Callable[[HandmadeLedger], object]:
    return lambda ledger: ledger.rows[number].update({column: None})


TORN: dict[str, tuple[Callable[[HandmadeLedger], object], str]] = {
    "two records at a position": (
        lambda ledger: ledger.rows[2].update(offset=1),
        "record 1: at the position of another record",
    ),
    "two records under a number": (
        lambda ledger: ledger.rows[2].update(number=1),
        "record 1: under the number of another record",
    ),
    "a number beyond the last": (
        lambda ledger: ledger.rows[2].update(number=21),
        "record 21: a number beyond the ledger's records",
    ),
    "an unknown record with an offset": (
        lambda ledger: ledger.rows[2].update(error="timed out"),
        "record 2: an error and an offset",
    ),
    "half a position": (forget("partition", 2), "record 2: half a position"),
    "an unknown answer": (
        lambda ledger: ledger.rows[2].update(answer="lost"),
        "record 2: the answer lost",
    ),
    "a rejection without a reason": (
        forget("reason", MALFORMED),
        "record 16: rejected with the reason missing",
    ),
    "an accepted play with a reason": (
        lambda ledger: ledger.rows[2].update(reason="text_invalid"),
        "record 2: accepted with the reason text_invalid",
    ),
    "a duplicate without a song": (
        forget("song_id", COPY),
        "record 18: duplicate with half a play",
    ),
}


@pytest.mark.parametrize("fault", TORN)
def test_a_ledger_that_contradicts_itself_fails(
    fault: str, data_folder: DataFolder, tmp_path: Path
) -> None:
    damage, named = TORN[fault]
    ledger = sent()
    lake = lake_of(ledger)
    damage(ledger)
    [whole] = about(prove(lake, data_folder, ledger.write(tmp_path / "tonight")), WHOLE)
    assert named in whole.wrong
    assert whole.verdict is Verdict.UNEXPLAINED


def test_rows_that_are_missing_in_a_ledger_fail(data_folder: DataFolder, tmp_path: Path) -> None:
    ledger, folder = sent(), tmp_path / "tonight"
    ledger.write(folder)
    lake = lake_of(ledger)
    del ledger.rows[12]
    ledger.write_records(folder)
    proof = prove(lake, data_folder, open_ledger(folder))
    [whole] = about(proof, WHOLE)
    assert (whole.expected, whole.found) == (21, 20)
    assert "records: 21 in ledger.json, 20 in the rows" in whole.wrong
    assert "answers accepted: 18 in ledger.json, 17 in the rows" in whole.wrong
    assert "ms_played: 965,000 in ledger.json, 960,000 in the rows" in whole.wrong
    [unlisted] = about(proof, NOTHING_ELSE)
    assert unlisted.wrong == (
        "song-plays [0] offset 12 (event run-00012): accepted in silver, in no ledger",
    )


def test_a_seal_with_other_sums_fails(data_folder: DataFolder, tmp_path: Path) -> None:
    ledger, folder = sent(), tmp_path / "tonight"
    ledger.write(folder)
    sums = {"reasons": {"text_invalid": 1}, "faults": {}, "counted_plays": 1, "unknown": 0}
    proof = prove(lake_of(ledger), data_folder, ledger.close(folder, **sums))
    [whole] = about(proof, WHOLE)
    assert set(whole.wrong) == {
        "unknown: 0 in ledger.json, 2 in the rows",
        "counted_plays: 1 in ledger.json, 17 in the rows",
        "reasons text_invalid: 1 in ledger.json, 0 in the rows",
        "reasons json_syntax: 0 in ledger.json, 1 in the rows",
        "reasons not_object: 0 in ledger.json, 1 in the rows",
        "faults malformed: 0 in ledger.json, 2 in the rows",
        "faults copy: 0 in ledger.json, 1 in the rows",
    }


def test_counts_that_lack_a_row_fail(data_folder: DataFolder, tmp_path: Path) -> None:
    ledger, folder = sent(), tmp_path / "tonight"
    ledger.write(folder)
    ledger.write_counts(folder, without=4)
    [whole] = about(prove(lake_of(ledger), data_folder, open_ledger(folder)), WHOLE)
    assert whole.wrong == (
        "2026-01-01T12:00:00Z, NO, song-0: "
        "plays 0, counted_plays 0, ms_played 0 in counts.parquet; "
        "plays 1, counted_plays 0, ms_played 5000 in the rows",
    )


def test_counts_beyond_the_rows_fail(data_folder: DataFolder, tmp_path: Path) -> None:
    ledger, folder = sent(), tmp_path / "tonight"
    lake = lake_of(ledger)
    ledger.send(a_sent_play(21, song_id="song-9"), is_lost=True)
    ledger.write(folder)
    ledger.rows.pop()
    ledger.write_records(folder)
    [whole] = about(prove(lake, data_folder, ledger.close(folder)), WHOLE)
    assert whole.wrong == (
        "2026-01-01T12:00:00Z, SE, song-9: "
        "plays 1, counted_plays 1, ms_played 60000 in counts.parquet; "
        "plays 0, counted_plays 0, ms_played 0 in the rows",
    )


def test_an_empty_ledger_is_consistent(data_folder: DataFolder, tmp_path: Path) -> None:
    ledger, folder = HandmadeLedger("run"), tmp_path / "tonight"
    ledger.write(folder)
    for path in (folder / RECORDS).iterdir():
        path.unlink()
    proof = prove(lake_of(sent()), data_folder, open_ledger(folder))
    assert {one.check for one in proof.unexplained} == {NOTHING_ELSE}


def test_a_ledger_whose_files_are_broken_is_an_error_with_its_cure(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger, folder = sent(), tmp_path / "tonight"
    ledger.write(folder)
    (folder / COUNTS).write_bytes(b"no parquet")
    with pytest.raises(LakeError, match=r"tonight cannot be read: .* Create it again"):
        prove(lake_of(ledger), data_folder, open_ledger(folder))


def test_the_command_takes_ledgers(
    data_folder: DataFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, folder = sent(), tmp_path / "tonight"
    ledger.write(folder)
    lake = lake_of(ledger)
    lake.write(data_folder)
    reconcile(data_folder.root, [folder, folder], as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["holds"]
    assert [one["subject"] for one in report["findings"] if one["check"] == SAME_ANSWER] == [
        "tonight: 19 records"
    ]
    lake.tables["silver/plays"].pop(2)
    lake.write(data_folder)
    with pytest.raises(typer.Exit):
        reconcile(data_folder.root, [folder])
    assert "(record 2, event run-00002): accepted by the ledger" in capsys.readouterr().out


def test_a_folder_without_a_closed_ledger_is_misuse(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = sent()
    lake_of(ledger).write(data_folder)
    with pytest.raises(MisuseError, match="holds no ledger") as raised:
        reconcile(data_folder.root, [tmp_path])
    assert raised.value.exit_code == 2
    ledger.write_records(tmp_path)
    with pytest.raises(MisuseError, match="a ledger that was not closed"):
        reconcile(data_folder.root, [tmp_path])
    answer = CliRunner().invoke(app, ["reconcile", "--ledger", str(tmp_path)])
    assert isinstance(answer.exception, MisuseError)
