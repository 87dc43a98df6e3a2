"""A query starts only where its checkpoint, its output and its topic belong together."""

import shutil
from pathlib import Path

import pytest

from crossfade.errors import DamagedError, LakeError
from crossfade.folder import DataFolder
from crossfade.lake.binding import (
    ArchiveBinding,
    Beginning,
    bind_archive,
    bind_speed,
    read_archive_binding,
    tie_speed,
)

FOUND = ArchiveBinding(topic_id="topic-a", table_id="table-a", first_offsets={0: 5, 1: 0})


def begin(folder: DataFolder, query: str) -> Path:
    """Create the checkpoint that a query's first start leaves: metadata with its id."""
    checkpoint = folder.checkpoints / query
    checkpoint.mkdir(parents=True)
    (checkpoint / "metadata").write_text('{"id":"q"}', "utf-8")
    return checkpoint


def test_the_first_start_keeps_the_offsets_it_found(data_folder: DataFolder) -> None:
    assert read_archive_binding(data_folder) is None
    assert bind_archive(data_folder, FOUND, has_data=False) == FOUND
    assert read_archive_binding(data_folder) == FOUND


def test_a_later_start_keeps_the_first_offsets(data_folder: DataFolder) -> None:
    bind_archive(data_folder, FOUND, has_data=False)
    begin(data_folder, "archive")
    later = ArchiveBinding("topic-a", "table-a", {0: 900, 1: 700})
    assert bind_archive(data_folder, later, has_data=True) == FOUND


def test_a_start_that_ended_before_its_checkpoint_was_written_does_not_count(
    data_folder: DataFolder,
) -> None:
    bind_archive(data_folder, FOUND, has_data=False)
    assert bind_archive(data_folder, FOUND, has_data=False) == FOUND


def test_a_table_whose_checkpoint_is_gone_is_refused(data_folder: DataFolder) -> None:
    bind_archive(data_folder, FOUND, has_data=False)
    with pytest.raises(LakeError, match=r"checkpoint .* is gone.*would be repeated"):
        bind_archive(data_folder, FOUND, has_data=True)


@pytest.mark.parametrize("table_id", ["none", "table-b"])
def test_a_checkpoint_whose_table_is_gone_or_replaced_is_refused(
    data_folder: DataFolder, table_id: str
) -> None:
    bind_archive(data_folder, FOUND, has_data=False)
    begin(data_folder, "archive")
    other = ArchiveBinding("topic-a", table_id, {0: 5, 1: 0})
    with pytest.raises(LakeError, match="not the one that its checkpoint belongs to"):
        bind_archive(data_folder, other, has_data=False)


def test_a_recreated_topic_is_refused(data_folder: DataFolder) -> None:
    bind_archive(data_folder, FOUND, has_data=False)
    begin(data_folder, "archive")
    other = ArchiveBinding("topic-b", "table-a", {0: 0, 1: 0})
    with pytest.raises(LakeError, match=r"id topic-a\) was deleted and created again"):
        bind_archive(data_folder, other, has_data=True)


@pytest.mark.parametrize("has_data", [True, False])
def test_an_archive_without_its_binding_is_refused(data_folder: DataFolder, has_data: bool) -> None:
    if not has_data:
        begin(data_folder, "archive")
    with pytest.raises(LakeError, match=r"archive\.binding\.json is missing"):
        bind_archive(data_folder, FOUND, has_data=has_data)


def test_a_damaged_binding_is_refused_by_name(data_folder: DataFolder) -> None:
    bind_archive(data_folder, FOUND, has_data=False)
    (data_folder.checkpoints / "archive.binding.json").write_text('{"topic_id":', "utf-8")
    with pytest.raises(LakeError, match=r"Cannot read .*archive\.binding\.json.*backup"):
        read_archive_binding(data_folder)


def test_each_start_of_speed_is_the_next_epoch_of_its_generation(data_folder: DataFolder) -> None:
    first = bind_speed(data_folder, "topic-a")
    begin(data_folder, "speed")
    second = bind_speed(data_folder, "topic-a")
    assert (first.epoch, second.epoch) == (1, 2)
    assert first.generation == second.generation


def test_a_missing_checkpoint_of_speed_begins_a_new_generation(data_folder: DataFolder) -> None:
    first = bind_speed(data_folder, "topic-a")
    begin(data_folder, "speed")
    (data_folder.checkpoints / "speed" / "metadata").unlink()
    renewed = bind_speed(data_folder, "topic-b")
    assert renewed.generation != first.generation
    assert (renewed.topic_id, renewed.epoch) == ("topic-b", 1)


def test_speed_refuses_a_recreated_topic(data_folder: DataFolder) -> None:
    bind_speed(data_folder, "topic-a")
    begin(data_folder, "speed")
    with pytest.raises(LakeError, match="created again"):
        bind_speed(data_folder, "topic-b")


def test_speed_refuses_a_checkpoint_without_its_binding(data_folder: DataFolder) -> None:
    checkpoint = begin(data_folder, "speed")
    with pytest.raises(LakeError, match=rf"speed\.binding\.json is missing.*remove {checkpoint}"):
        bind_speed(data_folder, "topic-a")


def test_speed_does_not_continue_from_the_checkpoint_of_another_stack(
    data_folder: DataFolder,
) -> None:
    bind_speed(data_folder, "topic-a")
    checkpoint = begin(data_folder, "speed")
    tie_speed(data_folder, "q")
    assert bind_speed(data_folder, "topic-a").epoch == 2
    (checkpoint / "metadata").write_text('{"id":"another"}', "utf-8")
    with pytest.raises(DamagedError, match=r"not the one that speed\.binding\.json names"):
        bind_speed(data_folder, "topic-a")
    shutil.rmtree(checkpoint)
    bind_speed(data_folder, "topic-a")
    (begin(data_folder, "speed") / "metadata").write_text('{"id":"third"}', "utf-8")
    assert bind_speed(data_folder, "topic-a").query == ""


def test_a_new_generation_of_speed_keeps_its_first_offsets(data_folder: DataFolder) -> None:
    asked: list[str] = []

    def find_beginning() -> Beginning:
        asked.append("asked")
        return Beginning({0: 7, 1: 3}, 1_000)

    first = bind_speed(data_folder, "topic-a", find_beginning)
    begin(data_folder, "speed")
    second = bind_speed(data_folder, "topic-a", find_beginning)
    assert asked == ["asked"]
    assert (second.first_offsets, second.windows_from) == ({0: 7, 1: 3}, 1_000)
    assert second.generation == first.generation


def test_a_binding_of_an_earlier_release_began_at_kafkas_first_records(
    data_folder: DataFolder,
) -> None:
    begin(data_folder, "speed")
    old = b'{"topic_id":"topic-a","generation":"g","epoch":4}'
    (data_folder.checkpoints / "speed.binding.json").write_bytes(old)
    bound = bind_speed(data_folder, "topic-a")
    assert (bound.epoch, bound.first_offsets, bound.windows_from) == (5, {}, None)
