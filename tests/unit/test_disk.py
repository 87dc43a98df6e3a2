"""Disk use by part of the data folder."""

from pathlib import Path

from crossfade.cli.disk import format_bytes, measure_disk
from crossfade.config import load_settings
from crossfade.folder import open_folder


def test_each_part_counts_the_bytes_of_the_files_below_it(tmp_path: Path) -> None:
    folder = open_folder(load_settings(data=tmp_path / "data"))
    (folder.lake / "bronze" / "song_plays").mkdir(parents=True)
    (folder.lake / "bronze" / "song_plays" / "file").write_bytes(b"x" * 100_000)
    disk = measure_disk(folder)
    assert disk.parts["bronze"] >= 100_000
    assert disk.parts["silver"] == 0
    assert disk.days_left is not None
    assert disk.days_left > 0


def test_a_folder_without_growth_has_no_day_on_which_it_fills(tmp_path: Path) -> None:
    folder = open_folder(load_settings(data=tmp_path / "data"))
    assert measure_disk(folder).days_left is None


def test_sizes_are_formatted_for_people() -> None:
    assert [format_bytes(n) for n in (0, 999, 1500, 2_500_000_000)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2.5 GB",
    ]
