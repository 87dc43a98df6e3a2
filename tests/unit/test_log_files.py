"""End offsets from the files of a broker that does not run."""

import struct

import pytest

from crossfade.folder import DataFolder
from crossfade.kafka.log_files import read_embedded_ends
from support.handmade_broker import a_batch, partition_folder, write_broker_log


def _write(folder: DataFolder, base: int, log: bytes, index: bytes | None = None) -> None:
    path = partition_folder(folder, 0) / f"{base:020}"
    path.with_suffix(".log").write_bytes(log)
    if index is not None:
        path.with_suffix(".index").write_bytes(index)


def test_a_folder_without_the_topic_has_no_known_ends(data_folder: DataFolder) -> None:
    assert read_embedded_ends(data_folder) is None
    (data_folder.kafka / "data" / "song-plays-other-0").mkdir(parents=True)
    (data_folder.kafka / "data" / "plays-by-window-0").mkdir()
    (data_folder.kafka / "data" / "song-plays-0.0123-delete").mkdir()

    assert read_embedded_ends(data_folder) is None


def test_each_partition_ends_after_its_last_record(data_folder: DataFolder) -> None:
    write_broker_log(data_folder, {0: 12, 1: 0, 3: 1})

    assert read_embedded_ends(data_folder) == {0: 12, 1: 0, 3: 1}


def test_the_newest_segment_that_holds_a_record_names_the_end(data_folder: DataFolder) -> None:
    _write(data_folder, 0, a_batch(0, 9))
    _write(data_folder, 10, a_batch(10, 10) + a_batch(11, 29))
    assert read_embedded_ends(data_folder) == {0: 30}

    _write(data_folder, 30, b"")
    assert read_embedded_ends(data_folder) == {0: 30}


def test_records_that_retention_has_deleted_count_as_read(data_folder: DataFolder) -> None:
    _write(data_folder, 500, b"")

    assert read_embedded_ends(data_folder) == {0: 500}


@pytest.mark.parametrize("cut", [b"", b"\0" * 100, a_batch(5, 9)[:40], a_batch(5, 9)[:10]], ids=str)
def test_an_unfinished_batch_at_the_end_is_no_record(data_folder: DataFolder, cut: bytes) -> None:
    _write(data_folder, 0, a_batch(0, 4) + cut)

    assert read_embedded_ends(data_folder) == {0: 5}


def test_the_end_of_a_transaction_is_no_record(data_folder: DataFolder) -> None:
    _write(data_folder, 0, a_batch(0, 4) + a_batch(5, 5, is_control=True))
    assert read_embedded_ends(data_folder) == {0: 5}

    _write(data_folder, 6, a_batch(6, 6, is_control=True))
    assert read_embedded_ends(data_folder) == {0: 5}


def test_the_index_spares_reading_a_segment_from_its_beginning(data_folder: DataFolder) -> None:
    batches = [a_batch(n, n, size=256) for n in range(5)]
    entries = b"".join(struct.pack(">ii", n, 256 * n) for n in (1, 3)).ljust(4_096, b"\0")
    # With the first batch damaged, only the index leads to the others.
    _write(data_folder, 0, b"\xff" * 256 + b"".join(batches[1:]), entries)
    assert read_embedded_ends(data_folder) == {0: 5}

    _write(data_folder, 0, b"".join(batches[:3]) + a_batch(3, 3, is_control=True), entries)
    assert read_embedded_ends(data_folder) == {0: 3}
