"""A copy of a broker's files while they grow, roll, are compacted and deleted."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from crossfade.backup import broker_files
from crossfade.backup.broker_files import copy_broker, holds_topic, measure_broker
from crossfade.backup.copier import Copier
from crossfade.errors import StackError
from crossfade.folder import DataFolder
from support.backups import ignore_progress

FIRST, SECOND, THIRD = (f"{number:020}" for number in (0, 100, 200))


@pytest.fixture
def broker(data_folder: DataFolder) -> DataFolder:
    """Return a folder with two segments per partition and the broker's other files."""
    for name in ("meta.properties", "recovery-point-offset-checkpoint", ".kafka_cleanshutdown"):
        write(data_folder, name, name)
    write(data_folder, ".lock", "")
    for topic in ("__cluster_metadata-0", "plays-by-window-0", "song-plays-0", "song-plays-1"):
        write(data_folder, f"{topic}/partition.metadata", "version: 0\ntopic_id: a-_b\n")
        for segment in (FIRST, SECOND):
            for kind in ("log", "index", "timeindex"):
                write(data_folder, f"{topic}/{segment}.{kind}", f"{topic} {segment} {kind}")
        write(data_folder, f"{topic}/{SECOND}.snapshot", "producers")
    return data_folder


def write(folder: DataFolder, name: str, content: str) -> None:
    path = folder.kafka / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def copied_by(
    folder: DataFolder, target: Path, react: Callable[[str], None] = ignore_progress
) -> tuple[list[str], dict[str, str]]:
    """Copy and call `react` after each file; return the order and the copied files' contents."""
    order: list[str] = []

    class Reacting(Copier):
        def copy_if_there(self, path: str):  # type: ignore[no-untyped-def]
            done = super().copy_if_there(path)
            order.append(str(Path(path).relative_to("kafka/data")))
            react(order[-1])
            return done

    copier = Reacting(folder.root, target, ignore_progress)
    copy_broker(folder, copier)
    root = target / "kafka" / "data"
    found = {
        str(one.relative_to(root)): one.read_text() for one in root.rglob("*") if one.is_file()
    }
    assert {str(Path(one.path).relative_to("kafka/data")) for one in copier.copied} == set(found)
    return order, found


def test_all_files_are_copied_except_the_marker_of_a_clean_shutdown(
    broker: DataFolder, tmp_path: Path
) -> None:
    order, found = copied_by(broker, tmp_path / "copy")
    assert found.keys() >= {"meta.properties", f"song-plays-0/{FIRST}.index"}
    assert not found.keys() & {".kafka_cleanshutdown", ".lock", f"song-plays-0/{SECOND}.index"}
    assert found[f"song-plays-0/{SECOND}.log"] == f"song-plays-0 {SECOND} log"
    places = list(dict.fromkeys(name.rpartition("/")[0] for name in order))
    assert places == [
        "",
        "plays-by-window-0",
        "song-plays-0",
        "song-plays-1",
        "__cluster_metadata-0",
    ]


def test_a_log_that_rolls_during_the_copy_has_no_hole(broker: DataFolder, tmp_path: Path) -> None:
    def roll(path: str) -> None:
        if path == f"song-plays-0/{SECOND}.log" and not (broker.kafka / rolled).exists():
            write(broker, path, "two and more")
            for kind in ("log", "index"):
                write(broker, f"song-plays-0/{THIRD}.{kind}", "three")

    rolled = f"data/song-plays-0/{THIRD}.log"
    _, found = copied_by(broker, tmp_path / "copy", roll)
    assert found[f"song-plays-0/{SECOND}.log"] == "two and more"
    assert found[f"song-plays-0/{SECOND}.index"] == f"song-plays-0 {SECOND} index"
    assert found[f"song-plays-0/{THIRD}.log"] == "three"
    assert f"song-plays-0/{THIRD}.index" not in found


def test_a_log_that_only_grows_is_copied_once(broker: DataFolder, tmp_path: Path) -> None:
    def grow(path: str) -> None:
        if path == growing:
            write(broker, growing, "more")

    growing = f"song-plays-0/{SECOND}.log"
    order, _ = copied_by(broker, tmp_path / "copy", grow)
    assert order.count(growing) == 1


def test_segments_that_are_compacted_during_the_copy_leave_no_old_one(
    broker: DataFolder, tmp_path: Path
) -> None:
    def compact(path: str) -> None:
        place = broker.kafka / "data" / "plays-by-window-0"
        if path == f"plays-by-window-0/{FIRST}.log" and (place / f"{SECOND}.log").exists():
            write(broker, f"plays-by-window-0/{THIRD}.log", "three")
            for segment in (FIRST, SECOND):
                (place / f"{segment}.log").replace(place / f"{segment}.log.deleted")
            write(broker, f"plays-by-window-0/{FIRST}.log.cleaned", "one and two")
            (place / f"{FIRST}.log.cleaned").replace(place / f"{FIRST}.log")

    _, found = copied_by(broker, tmp_path / "copy", compact)
    logs = {name: text for name, text in found.items() if name.endswith(".log")}
    assert {name: text for name, text in logs.items() if name.startswith("plays-by")} == {
        f"plays-by-window-0/{FIRST}.log": "one and two",
        f"plays-by-window-0/{THIRD}.log": "three",
    }


def test_a_copy_waits_for_a_segment_that_is_being_replaced(
    broker: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = broker.kafka / "data" / "plays-by-window-0"
    (place / f"{FIRST}.log").unlink()
    write(broker, f"plays-by-window-0/{FIRST}.log.swap", "compacted")

    def end_replacing(_seconds: float) -> None:
        (place / f"{FIRST}.log.swap").replace(place / f"{FIRST}.log")

    monkeypatch.setattr(broker_files.time, "sleep", end_replacing)
    _, found = copied_by(broker, tmp_path / "copy")
    assert found[f"plays-by-window-0/{FIRST}.log"] == "compacted"


def test_a_topic_that_is_deleted_during_the_copy_is_left_out(
    broker: DataFolder, tmp_path: Path
) -> None:
    def delete(path: str) -> None:
        place = broker.kafka / "data" / "plays-by-window-0"
        if place.exists() and path.startswith("plays-by-window-0"):
            place.rename(place.with_name("plays-by-window-0.5d1f-delete"))

    _, found = copied_by(broker, tmp_path / "copy", delete)
    assert {name.partition("/")[0] for name in found if "/" in name} == {
        "__cluster_metadata-0",
        "song-plays-0",
        "song-plays-1",
    }


def test_a_partition_that_never_settles_is_an_error(
    broker: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_files, "_PASSES", 5)
    numbers = count(200)

    def roll(path: str) -> None:
        if path.startswith("song-plays-0"):
            write(broker, f"song-plays-0/{next(numbers):020}.log", "next")

    with pytest.raises(StackError, match="song-plays-0 faster than it can be copied"):
        copied_by(broker, tmp_path / "copy", roll)


@pytest.mark.parametrize(
    ("topic_id", "is_held"), [("a-_b", True), ("a+/b", True), ("other", False), (None, True)]
)
def test_kafkas_data_is_backed_up_if_the_archives_topic_is_in_it(
    broker: DataFolder, topic_id: str | None, is_held: bool
) -> None:
    assert holds_topic(broker, topic_id) is is_held


def test_a_folder_without_a_broker_holds_no_topic(data_folder: DataFolder) -> None:
    assert not holds_topic(data_folder, "a-_b")
    assert not holds_topic(data_folder, None)
    assert measure_broker(data_folder) == 0


def test_preallocated_indexes_add_nothing_to_the_size(broker: DataFolder) -> None:
    before = measure_broker(broker)
    write(broker, f"song-plays-0/{THIRD}.index", "x" * 1_000)
    write(broker, f"song-plays-0/{THIRD}.log", "y" * 10)
    assert measure_broker(broker) == before + 10
