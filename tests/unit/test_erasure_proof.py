"""The proofs with erased listeners: correct erasures pass, remaining data is named."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.clock import DAY_MS
from crossfade.erasure.proof import LISTED, NO_BYTES, NO_ROW, ErasureProof, prove_erasure
from crossfade.erasure.suppression import add_listener, mark_removed
from crossfade.erasure.traces import Needle, holds_bytes, search_columns
from crossfade.folder import DataFolder
from crossfade.lake.findings import Reconciliation, Verdict
from crossfade.lake.handovers import HandoverVerdict
from crossfade.lake.tables import SILVER_ERASED
from crossfade.proof.ledger_check import SAME_ANSWER
from crossfade.proof.reconcile import prove_lake
from crossfade.proof.verdicts import SpeedProgress, WindowFacts, compare_handovers
from support.handmade_lake import NOON, HandmadeLake, Record, a_lake, a_play, records_of
from support.handmade_ledger import BOUNDARY as LEDGER_BOUNDARY
from support.handmade_ledger import a_sent_play, about, sent
from support.handmade_ledger import prove as prove_ledger

BOUNDARY = NOON + 9 * DAY_MS
GONE = "user-1"
"""One of three listeners, each of whom has every third play."""

MARK = [{"key": "crossfade-erased", "value": None}]


def is_theirs(record: Record) -> bool:
    return b'"user-1"' in record.value


def erased_lake() -> HandmadeLake:
    """Return a lake in which one listener's records are blank and erased."""
    records = records_of(*(a_play(number) for number in range(12)), partitions=1)
    lake = a_lake(records, boundary=BOUNDARY, is_erased=is_theirs)
    for row in lake.tables["bronze/song_plays"]:
        if b'"user-1"' in row["value"]:
            row.update(key=None, headers=MARK, value=None)
    return lake


def whole_lake() -> HandmadeLake:
    records = records_of(*(a_play(number) for number in range(12)), partitions=1)
    return a_lake(records, boundary=BOUNDARY)


def faults_of(proof: Reconciliation) -> list[str]:
    return [wrong for one in proof.unexplained for wrong in one.wrong]


def test_a_lake_with_erased_records_passes_the_proof(data_folder: DataFolder) -> None:
    lake = erased_lake()
    assert len(lake.tables["silver/erased"]) == 4
    proof = prove_lake(lake.write(data_folder), None)
    assert proof.holds, faults_of(proof)
    [judged] = [one for one in proof.findings if one.check.startswith("bronze = accepted")]
    assert judged.note == "8 accepted, 0 rejected, 0 duplicates, 4 erased"


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (
            lambda lake: lake.tables["silver/erased"].pop(0),
            "song-plays [0] offset 1: accepted, rejected, duplicate and erased nowhere",
        ),
        (
            lambda lake: lake.tables["silver/erased"].append(lake.tables["silver/plays"][0]),
            "song-plays [0] offset 0: in silver/erased and silver/plays",
        ),
        (
            lambda lake: lake.tables["bronze/song_plays"][1].update(value=b"x"),
            "song-plays [0] offset 1: json_syntax by the contract, erased in the tables",
        ),
        (
            lambda lake: lake.tables["bronze/song_plays"][0].update(
                key=None, headers=MARK, value=None
            ),
            "song-plays [0] offset 0: erased by the contract, accepted in the tables",
        ),
    ],
    ids=["lost", "erased and accepted", "erased without a cause", "blanked without being erased"],
)
def test_the_proof_names_a_wrongly_erased_record(
    data_folder: DataFolder, damage: Callable[[HandmadeLake], object], fault: str
) -> None:
    lake = erased_lake()
    damage(lake)
    assert fault in faults_of(prove_lake(lake.write(data_folder), None))


def test_a_suppressed_listeners_play_must_not_be_accepted_once_a_run_removed_all(
    data_folder: DataFolder,
) -> None:
    whole_lake().write(data_folder)
    add_listener(data_folder, GONE)
    assert prove_lake(data_folder, None).holds, "their erasure is not done yet"
    mark_removed(data_folder, 1)
    faults = faults_of(prove_lake(data_folder, None))
    assert "song-plays [0] offset 1: erased by the contract, accepted in the tables" in faults


def test_a_run_of_an_earlier_release_is_proved_without_the_table(
    data_folder: DataFolder,
) -> None:
    lake = whole_lake()
    del lake.tables[SILVER_ERASED.name]
    assert prove_lake(lake.write(data_folder), None).holds


def window(excess: int, erased: int, *, differing: int = 0) -> WindowFacts:
    return WindowFacts(1, NOON, 5 + excess, 5, 0, 0, differing, True, erased)


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (window(2, 2), HandoverVerdict.ERASED),
        (window(2, 1), HandoverVerdict.UNEXPLAINED),
        (window(2, 2, differing=1), HandoverVerdict.UNEXPLAINED),
        (window(-1, 2, differing=1), HandoverVerdict.UNEXPLAINED),
        (window(0, 2), HandoverVerdict.EQUAL),
    ],
)
def test_speed_may_have_counted_a_listener_who_was_erased_later(
    facts: WindowFacts, verdict: HandoverVerdict
) -> None:
    progress = SpeedProgress({0: 9}, dropped_before=0)
    [one] = compare_handovers([facts], progress, covered={1: {0: 9}}, grain_ms=600_000)
    assert one.verdict is verdict


def test_only_what_an_erased_listener_sent_must_be_erased(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    ledger = sent()
    user_id = a_sent_play(2).user_id
    gone = [row for row in ledger.rows if row["user_id"] == user_id and row["error"] is None]
    assert gone
    written = ledger.write(tmp_path / "tonight")
    lake = a_lake(
        ledger.log,
        boundary=LEDGER_BOUNDARY,
        is_erased=lambda one: f'"{user_id}"'.encode() in one.value,
    )
    proof = prove_ledger(lake, data_folder, written)
    [wrong] = about(proof, SAME_ANSWER)
    assert wrong.verdict is Verdict.UNEXPLAINED, "the suppression list is empty"
    add_listener(data_folder, user_id)
    mark_removed(data_folder, 1)
    again = prove_lake(data_folder, None, [written])
    assert not [one for one in again.unexplained if one.check.startswith("ledger")]


def prove(folder: DataFolder, user_id: str) -> ErasureProof:
    return prove_erasure(folder, None, user_id, is_speed_renewed=True)


def test_the_search_names_every_place_that_still_holds_a_listener(
    data_folder: DataFolder,
) -> None:
    records = records_of(*(a_play(n, user_id=f"somebody-{n % 3}") for n in range(9)), partitions=1)
    records[3].value = b'{"user_id": "somebody-1"'
    a_lake(records, boundary=BOUNDARY).write(data_folder)
    (data_folder.logs).mkdir()
    (data_folder.logs / "batch.log").write_text("somebody-1 was here")
    (data_folder.kafka).mkdir()
    (data_folder.kafka / "segment.log").write_text("somebody-1 until retention")
    proof = prove(data_folder, "somebody-1")
    assert not proof.holds
    named = {one.subject: one.wrong for one in proof.findings if one.verdict is not Verdict.HOLDS}
    assert named.pop("suppression/erased.json") == ()
    columns = {subject.split(":")[0] for subject in named}
    assert columns >= {"bronze/song_plays", "silver/plays", "silver/rejected", "other files"}
    assert "logs/batch.log" in str(named)
    assert "segment.log" not in str(named)


def test_the_search_finds_nothing_of_an_erased_listener(data_folder: DataFolder) -> None:
    records = records_of(*(a_play(n, user_id=f"somebody-{n % 3}") for n in range(9)), partitions=1)
    a_lake(records, boundary=BOUNDARY).write(data_folder)
    add_listener(data_folder, "somebody-9")
    proof = prove(data_folder, "somebody-9")
    assert proof.holds, [one for one in proof.findings if one.wrong]
    assert {one.check for one in proof.findings} >= {LISTED, NO_ROW, NO_BYTES}
    assert [one.place for one in proof.remains] == ["backups made before"]


def test_a_short_id_is_searched_only_in_columns_that_name_listeners(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows = {
        "user_id": ["7", "77"],
        "title": ["7", '"user_id":"7"'],
        "key": pa.array([b"7", b"8"], pa.binary()),
        "value": pa.array([b'{"user_id" : "7"}', b'{"song_id":"7","user_id":"77"}'], pa.binary()),
    }
    pq.write_table(pa.table(rows), path)
    assert search_columns(path, Needle("7")) == {"user_id": 1, "key": 1, "value": 1}


def test_a_distinctive_id_is_found_in_any_column_of_any_type(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    header = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
    rows = {
        "headers": pa.array([[{"key": "who", "value": b"<listener-9>"}], None], header),
        "pins": pa.array([[("of listener-9", 1)], []], pa.map_(pa.string(), pa.int64())),
        "value": pa.array([b"\xfflistener-9", b"listener-8"], pa.binary()),
        "number": [1, 2],
    }
    pq.write_table(pa.table(rows), path)
    found = search_columns(path, Needle("listener-9"))
    assert found == {"headers.value": 1, "pins.key": 1, "value": 1}
    assert search_columns(path, Needle("listener-7")) == {}


@pytest.mark.parametrize("at", [0, (1 << 20) - 5, 1 << 20, (1 << 21) - 1])
def test_bytes_are_found_at_any_place_in_a_file(tmp_path: Path, at: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"." * at + b"listener-9" + b"." * 100)
    assert holds_bytes(path, Needle("listener-9"))
    assert not holds_bytes(path, Needle("listener-8"))


def test_a_non_ascii_id_is_found_in_each_encoding(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for written in ("Zoë-Zoë-9", "Zoe\u0308-Zoe\u0308-9", r"Zo\u00eb-Zo\u00eb-9"):
        path.write_text(written, encoding="utf-8")
        assert holds_bytes(path, Needle("Zoë-Zoë-9"))
