"""A backup is of one point in time: tables at their versions, the checkpoint at bronze's batch."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from crossfade.backup import backup_point
from crossfade.backup.copier import Copier
from crossfade.backup.take import take_backup
from crossfade.backup.version_files import list_version_files, verify_table_copy
from crossfade.errors import LakeError
from crossfade.folder import DataFolder
from crossfade.lake.runs import read_newest_run
from crossfade.lake.tables import GOLD_SONG, SILVER_PLAYS, TABLES, table_path
from support.backups import (
    a_backed_up_folder,
    back_up,
    commit_micro_batch,
    ignore_progress,
    log_of,
    read_table,
    restore,
    write_checkpoint,
)
from support.handmade_lake import a_run, write_table


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return a_backed_up_folder(tmp_path / "data")


def rewrite(folder: DataFolder, name: str, times: int = 1) -> DeltaTable:
    """Overwrite a table a number of times; its earlier files stay, for earlier versions only."""
    for _ in range(times):
        write_table(folder, name, [{"song_id": "other"}])
    return DeltaTable(table_path(folder.lake, TABLES[name]))


def test_a_table_is_copied_at_a_version_while_it_is_written(
    folder: DataFolder, tmp_path: Path
) -> None:
    rewrite(folder, "gold/song", 3).create_checkpoint()
    pinned = rewrite(folder, "gold/song", 2)
    version, expected = pinned.version(), read_table(folder.lake, "gold/song")
    listed = list_version_files(folder.lake, GOLD_SONG, version)

    rewrite(folder, "gold/song", 2).create_checkpoint()
    copier = Copier(folder.lake, tmp_path / "copy", ignore_progress)
    for path in listed:
        copier.copy(path)

    verify_table_copy(tmp_path / "copy", GOLD_SONG, version)
    assert read_table(tmp_path / "copy", "gold/song") == expected
    commits = [f"{number:020}.json" for number in range(version + 1)]
    assert log_of(tmp_path / "copy", "gold/song") == sorted(
        [*commits, f"{3:020}.checkpoint.parquet"]
    )
    copied = {Path(one.path).name for one in copier.copied if one.path.endswith(".parquet")}
    assert len(copied) == len(DeltaTable(tmp_path / "copy" / "gold/song").file_uris()) + 1


def test_a_copy_that_lacks_a_file_or_part_of_one_is_detected(
    folder: DataFolder, tmp_path: Path
) -> None:
    listed = list_version_files(folder.lake, SILVER_PLAYS, 0)
    copier = Copier(folder.lake, tmp_path, ignore_progress)
    for path in listed:
        copier.copy(path)
    verify_table_copy(tmp_path, SILVER_PLAYS, 0)
    data = next(tmp_path / path for path in listed if path.endswith(".parquet"))
    whole = data.read_bytes()

    data.write_bytes(whole[:-1])
    with pytest.raises(LakeError, match=r"silver/plays at version 0 is incomplete: .* other size"):
        verify_table_copy(tmp_path, SILVER_PLAYS, 0)
    data.unlink()
    with pytest.raises(LakeError, match="is incomplete"):
        verify_table_copy(tmp_path, SILVER_PLAYS, 0)


def test_a_restored_folder_answers_as_the_newest_published_run_did(
    folder: DataFolder, tmp_path: Path
) -> None:
    run = read_newest_run(folder.lake)
    assert run is not None
    expected = {name: read_table(folder.lake, name, pin) for name, pin in run.pins.items()}
    rewrite(folder, "gold/song")  # as a run leaves it that ends before it publishes

    manifest = back_up(folder, tmp_path / "backup")
    restored = restore(tmp_path / "backup", tmp_path / "new")

    assert read_newest_run(restored.lake) == run
    assert {name: read_table(restored.lake, name) for name in run.pins} == expected
    assert restored.identity == folder.identity
    assert (manifest.run, manifest.records, manifest.has_kafka) == (1, 20, False)
    assert manifest.tables == {**run.pins, "gold/run": 0, "bronze/song_plays": 1}


def test_a_backup_holds_what_the_run_pins_though_bronze_was_rewritten_since(
    folder: DataFolder, tmp_path: Path
) -> None:
    pinned = read_table(folder.lake, "bronze/song_plays", 0)
    write_table(folder, "bronze/song_plays", [])  # as an erasure rewrites files
    commit_micro_batch(folder, 7)

    back_up(folder, tmp_path / "backup")
    restored = restore(tmp_path / "backup", tmp_path / "new")

    assert len(pinned) == 20
    assert read_table(restored.lake, "bronze/song_plays", 0) == pinned
    assert read_table(restored.lake, "bronze/song_plays") == []


def test_a_run_published_while_a_backup_starts_is_not_copied_in_part(
    folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_then_publish(lake: Path, version: int | None = None) -> object:
        write_table(folder, "gold/run", [a_run(2, {}, boundary=0) | {"pins": {}}])
        return read_newest_run(lake, version)

    monkeypatch.setattr(backup_point, "read_newest_run", read_then_publish)
    assert back_up(folder, tmp_path / "backup").run == 1
    restored = read_newest_run(tmp_path / "backup" / "datalake")
    assert restored is not None
    assert restored.run == 1


def test_the_checkpoint_ends_with_the_micro_batch_that_bronze_ends_with(
    folder: DataFolder, tmp_path: Path
) -> None:
    write_checkpoint(folder, 8, committed=7)  # the next one is planned, and not in bronze yet

    manifest = back_up(folder, tmp_path / "backup")

    checkpoints = tmp_path / "backup" / "datalake" / "_checkpoint"
    names = {
        str(path.relative_to(checkpoints)) for path in checkpoints.rglob("*") if path.is_file()
    }
    assert names == {
        "archive.binding.json",
        "batch.binding.json",
        "archive/metadata",
        "archive/sources/0/0",
        *(f"archive/offsets/{number}" for number in range(8)),
        *(f"archive/offsets/.{number}.crc" for number in range(8)),
        *(f"archive/commits/{number}" for number in range(8)),
    }
    assert (manifest.micro_batch, manifest.end_offsets) == (7, {0: 10, 1: 10})
    assert manifest.topic_id == "topic"


def test_a_micro_batch_in_bronze_that_spark_has_not_committed_is_copied_unchanged(
    folder: DataFolder, tmp_path: Path
) -> None:
    write_checkpoint(folder, 8, committed=7)
    commit_micro_batch(folder, 8)

    assert back_up(folder, tmp_path / "backup").micro_batch == 8
    logs = tmp_path / "backup" / "datalake" / "_checkpoint" / "archive"
    assert (logs / "offsets" / "8").exists()
    assert not (logs / "commits" / "8").exists()


def test_a_checkpoint_that_is_ahead_of_bronze_is_not_backed_up(
    folder: DataFolder, tmp_path: Path
) -> None:
    write_checkpoint(folder, 8)
    with pytest.raises(LakeError, match=r"Bronze ends with micro-batch 7, but .* is at 8"):
        back_up(folder, tmp_path / "backup")


def test_what_the_archive_commits_during_a_copy_is_left_out(
    folder: DataFolder, tmp_path: Path
) -> None:
    numbers = iter(range(8, 10_000))

    def go_on(piece: int, whole: int) -> None:
        number = next(numbers)
        if number < 12:
            write_checkpoint(folder, number)
            commit_micro_batch(folder, number)

    manifest = take_backup(folder, tmp_path / "backup", go_on)

    assert next(numbers) > 12
    assert manifest.micro_batch == 7
    restored = restore(tmp_path / "backup", tmp_path / "new")
    assert DeltaTable(restored.lake / "bronze/song_plays").transaction_version("5d1f") == 7


def test_kafka_is_copied_after_everything_derived_from_it(
    folder: DataFolder, tmp_path: Path
) -> None:
    for name, text in (("meta.properties", ""), ("song-plays-0/partition.metadata", "topic")):
        path = folder.kafka / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"topic_id: {text}\n")
    before_kafka: set[str] = set()

    def look(piece: int, whole: int) -> None:
        copied = {path.name for path in (tmp_path / ".backup.draft").rglob("*") if path.is_file()}
        if not before_kafka and "meta.properties" in copied:
            before_kafka.update(copied)

    manifest = take_backup(folder, tmp_path / "backup", look)

    assert manifest.has_kafka
    names = {Path(file.path).name for file in manifest.files}
    assert names - before_kafka == {"partition.metadata"}


def test_a_folder_without_any_run_or_record_is_backed_up_too(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    manifest = back_up(data_folder, tmp_path / "backup")

    assert [file.path for file in manifest.files] == ["crossfade.json"]
    assert (manifest.run, manifest.micro_batch, manifest.topic_id) == (None, -1, None)
    assert restore(tmp_path / "backup", tmp_path / "new").identity == data_folder.identity


def test_the_files_of_erasure_are_backed_up(folder: DataFolder, tmp_path: Path) -> None:
    for path in ("suppression/list.json", "erasures/2026/proof.json"):
        (folder.root / path).parent.mkdir(parents=True)
        (folder.root / path).write_text(path)
        (folder.root / path).chmod(0o600)
    back_up(folder, tmp_path / "backup")
    restored = restore(tmp_path / "backup", tmp_path / "new")
    for path in ("suppression/list.json", "erasures/2026/proof.json"):
        assert (restored.root / path).read_text() == path
        assert (restored.root / path).stat().st_mode & 0o777 == 0o600
