"""Checksum files in Hadoop's format, which detect a byte that a disk changed."""

from pathlib import Path
from zlib import crc32

import pytest

from crossfade.folder import DataFolder
from crossfade.lake.file_sums import has_sum, is_as_written, write_sum
from crossfade.lake.tables import BATCH_TABLES, list_files
from crossfade.processing.batch.seal import seal_files
from crossfade.proof.reconcile import prove_lake
from support.handmade_lake import NOON, a_lake, a_play, records_of


def sidecar(path: Path) -> Path:
    return path.with_name(f".{path.name}.crc")


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 4 * 1024 * 1024 + 3])
def test_a_sum_has_hadoops_form(tmp_path: Path, size: int) -> None:
    path = tmp_path / "part.parquet"
    content = bytes(number % 251 for number in range(size))
    path.write_bytes(content)
    assert not has_sum(path)
    write_sum(path)
    chunks = [content[begin : begin + 512] for begin in range(0, size, 512)]
    sums = b"".join(crc32(chunk).to_bytes(4) for chunk in chunks)
    assert sidecar(path).read_bytes() == b"crc\0\0\0\2\0" + sums
    assert has_sum(path)
    assert is_as_written(path)


@pytest.mark.parametrize("at", [0, 700, 1_999])
def test_one_flipped_bit_is_found(tmp_path: Path, at: int) -> None:
    path = tmp_path / "part.parquet"
    path.write_bytes(b"x" * 2_000)
    write_sum(path)
    flip(path, at)
    assert not is_as_written(path)


@pytest.mark.parametrize("content", [b"", b"crc\0", b"crc\0\0\0\0\0", b"abc\0\0\0\2\0"])
def test_damaged_sums_fail_the_check(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "part.parquet"
    path.write_bytes(b"x" * 2_000)
    sidecar(path).write_bytes(content)
    assert not is_as_written(path)


def test_a_missing_file_differs_from_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    with pytest.raises(FileNotFoundError):
        is_as_written(path)
    path.write_bytes(b"x")
    write_sum(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        is_as_written(path)


def test_every_file_of_batch_is_sealed_once(data_folder: DataFolder) -> None:
    folder = a_lake(records_of(a_play(0), a_play(1)), boundary=NOON).write(data_folder)
    paths = [Path(path) for table in BATCH_TABLES for path in list_files(folder.lake, table)]
    assert paths
    assert seal_files(folder.lake) == len(paths)
    assert all(map(has_sum, paths))
    flip(paths[0], 30)
    assert seal_files(folder.lake) == 0
    assert not is_as_written(paths[0])


@pytest.mark.parametrize("table", ["bronze/song_plays", "silver/plays", "gold/song"])
@pytest.mark.parametrize("harm", ["flip", "remove"])
def test_the_proof_names_the_damaged_file_and_nothing_else(
    data_folder: DataFolder, table: str, harm: str
) -> None:
    folder = a_lake(records_of(a_play(0), a_play(1)), boundary=NOON).write(data_folder)
    seal_files(folder.lake)
    assert prove_lake(folder, None).holds
    path = next((folder.lake / table).rglob("*.parquet"))
    write_sum(path)
    if harm == "flip":
        flip(path, path.stat().st_size // 2)
    else:
        path.unlink()
    [finding] = prove_lake(folder, None).unexplained
    assert finding.subject == table
    assert path.name in finding.wrong[0]
