"""The list of erased listeners recognises their ids and does not reveal them."""

import hmac
import pickle
import stat
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from crossfade.contract.decode import encode_play
from crossfade.erasure.suppression import (
    ERASED,
    NOBODY,
    Suppression,
    add_listener,
    is_blank,
    list_erased,
    load_suppression,
    mark_removed,
)
from crossfade.errors import LakeError
from crossfade.folder import DataFolder
from crossfade.processing.decode import _Judge
from support.handmade_lake import NOON, a_play

GONE = "listener-42"


def test_the_list_of_a_new_folder_is_empty(data_folder: DataFolder) -> None:
    suppression = load_suppression(data_folder)
    assert suppression == NOBODY
    assert not suppression
    assert not suppression.covers(GONE)
    assert not suppression.covers_value(b'{"user_id": "listener-42"}')


def test_a_listener_is_recognised_as_text_and_as_bytes_and_no_other_id_is(
    data_folder: DataFolder,
) -> None:
    add_listener(data_folder, GONE)
    suppression = pickle.loads(pickle.dumps(load_suppression(data_folder)))  # noqa: S301
    assert suppression.covers(GONE)
    assert suppression.covers(GONE.encode())
    assert not any(map(suppression.covers, ["listener-4", "listener-421", "", b"\xff", None]))
    assert suppression.covers_any([GONE, "other", None, b"listener-42"]) == {GONE, GONE.encode()}


def test_many_ids_are_checked_with_the_same_result_as_one_by_one(data_folder: DataFolder) -> None:
    ids = [f"listener-{number}" for number in range(20_000)] + ["Zoë", "Zoe\u0308", "\ud800"]
    gone = [*ids[::997], "Zoë"]
    for user_id in gone:
        add_listener(data_folder, user_id)
    suppression = load_suppression(data_folder)
    assert suppression.covers_any(ids) == {one for one in ids if suppression.covers(one)}
    assert suppression.covers_any(ids) == {*gone, "Zoe\u0308"}


def test_an_id_is_the_same_however_its_letters_are_composed(data_folder: DataFolder) -> None:
    add_listener(data_folder, "Zoë")
    apart = unicodedata.normalize("NFD", "Zoë")
    assert apart != "Zoë"
    assert load_suppression(data_folder).covers(apart.encode())


@pytest.mark.parametrize(
    ("value", "is_theirs"),
    [
        (b'{"user_id":"listener-42"', True),
        (b'{"user_id" :\n "listener-42", broken', True),
        (b'{"user_id":"other","user_id":"listener-42"}', True),
        (b'{"user_id":"listener\\u002d42"}', True),
        (b'\xff"user_id":"listener-42"', True),
        (b'{"user_id":"listener-421"}', False),
        (b'{"title":"listener-42"}', False),
        (b'{"user_id":"listener-42', False),
        (b'{"user_id":' + b'"\\' * 50_000, False),
        (None, False),
    ],
)
def test_a_record_that_is_not_a_play_belongs_to_the_user_id_in_its_bytes(
    data_folder: DataFolder, value: bytes | None, is_theirs: bool
) -> None:
    add_listener(data_folder, GONE)
    assert load_suppression(data_folder).covers_value(value) is is_theirs


def test_the_folder_keeps_no_id_and_a_key_that_only_its_owner_reads(
    data_folder: DataFolder,
) -> None:
    entry = add_listener(data_folder, GONE)
    files = sorted((data_folder.root / "suppression").iterdir())
    assert [path.name for path in files] == ["erased.json", "key"]
    assert all(GONE.encode() not in path.read_bytes() for path in files)
    key = files[1]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32
    assert hmac.digest(key.read_bytes(), GONE.encode(), "sha256").hex() == entry.hash
    assert GONE not in repr(load_suppression(data_folder))
    assert str(key.read_bytes()) not in repr(load_suppression(data_folder))


def test_listeners_are_pending_until_a_run_has_removed_all_of_theirs(
    data_folder: DataFolder,
) -> None:
    add_listener(data_folder, GONE)
    mark_removed(data_folder, 7)
    add_listener(data_folder, "other")
    assert [one.run for one in list_erased(data_folder)] == [7, None]
    pending = load_suppression(data_folder, pending=True)
    assert pending.covers("other")
    assert not pending.covers(GONE)
    add_listener(data_folder, GONE)
    assert load_suppression(data_folder, pending=True).covers(GONE)
    assert len(list_erased(data_folder)) == 2


def test_a_list_without_its_key_is_refused_with_the_cure(data_folder: DataFolder) -> None:
    add_listener(data_folder, GONE)
    (data_folder.root / "suppression" / "key").unlink()
    with pytest.raises(LakeError, match="Restore the folder from a backup"):
        load_suppression(data_folder)
    with pytest.raises(LakeError, match="Restore the folder from a backup"):
        add_listener(data_folder, "other")


def test_a_torn_list_is_refused(data_folder: DataFolder) -> None:
    add_listener(data_folder, GONE)
    (data_folder.root / "suppression" / "erased.json").write_bytes(b"[{")
    with pytest.raises(LakeError, match="Cannot read"):
        load_suppression(data_folder)


def test_a_record_is_blank_only_without_content_and_with_our_header() -> None:
    mark = [("crossfade-erased", None)]
    assert is_blank(None, mark, None)
    for key, headers, value in (
        (b"", mark, None),
        (None, mark, b""),
        (None, [], None),
        (None, [*mark, *mark], None),
        (None, [("crossfade-erased", b"")], None),
        (None, [("other", None)], None),
    ):
        assert not is_blank(key, headers, value)


Given = tuple[bytes | None, bytes | None, bool]
"""A record's key, value and whether it is blank."""


def judge(given: Sequence[Given], suppression: Suppression) -> list[dict[str, object]]:
    at = datetime.fromtimestamp(NOON / 1000, UTC)
    rows = pa.RecordBatch.from_pydict(
        {
            "partition": pa.array([0] * len(given), pa.int32()),
            "offset": pa.array(range(len(given)), pa.int64()),
            "log_time": pa.array([at] * len(given), pa.timestamp("us", tz="UTC")),
            "timestamp_type": pa.array([1] * len(given), pa.int32()),
            "payload_hash": pa.array([0] * len(given), pa.int64()),
            "value": pa.array([value for _, value, _ in given], pa.binary()),
            "is_blank": pa.array([blank for *_, blank in given]),
            "key": pa.array([key for key, *_ in given], pa.binary()),
        }
    )
    step = _Judge(("user_id", "grain"), is_archive=True, suppression=suppression)
    [judged] = step(iter([rows]))
    return judged.to_pylist()


def test_the_decoder_returns_nothing_of_an_erased_listeners_record(data_folder: DataFolder) -> None:
    add_listener(data_folder, GONE)
    theirs, other = (encode_play(a_play(user_id=user)) for user in (GONE, "other"))
    broken = b'{"user_id": "listener-42"'
    given = [
        (None, theirs, False),
        (GONE.encode(), other, False),
        (GONE.encode(), b"not json", False),
        (b"x", broken, False),
        (None, None, True),
        (b"other", other, False),
        (b"x", b"not json", False),
        (None, None, False),
    ]
    judged = judge(given, load_suppression(data_folder))
    assert [row["reason"] for row in judged] == [
        *[ERASED] * 5, None, "json_syntax", "not_object",
    ]  # fmt: skip
    for row in judged[:5]:
        assert all(row[name] is None for name in ("user_id", "grain", "event_ms", "value"))
    assert [row["value"] for row in judged[5:]] == [None, b"not json", None]
    assert judged[5]["user_id"] == "other"


def test_with_an_empty_list_the_same_records_are_judged_as_usual() -> None:
    theirs = encode_play(a_play(user_id=GONE))
    judged = judge([(GONE.encode(), theirs, False), (None, None, True)], NOBODY)
    assert [row["reason"] for row in judged] == [None, ERASED]
    assert judged[0]["user_id"] == GONE


def test_with_an_empty_list_no_listener_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> bool:
        raise AssertionError

    for name in ("covers", "covers_any", "covers_value"):
        monkeypatch.setattr(Suppression, name, refuse)
    judge([(b"key", encode_play(a_play()), False)], NOBODY)
    with pytest.raises(AssertionError):
        judge(
            [(b"key", encode_play(a_play()), False)],
            Suppression(b"key", frozenset(["x"]), frozenset([1])),
        )
