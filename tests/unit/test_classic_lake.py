"""The list of committed files of the classic lake."""

import json
from pathlib import Path

import pytest

from crossfade.errors import LakeError
from crossfade.proof.classic_lake import list_classic_files


def write_log(lake: Path, name: str, *entries: tuple[str, str]) -> None:
    log = lake / "song_plays" / "_spark_metadata"
    log.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"path": f"file:///elsewhere/song_plays/{path}", "size": 1, "action": action})
        for path, action in entries
    ]
    (log / name).write_text("\n".join(["v1", *lines]))


def names(lake: Path) -> list[str]:
    return [str(Path(path).relative_to(lake / "song_plays")) for path in list_classic_files(lake)]


def test_only_files_that_the_log_names_were_committed(tmp_path: Path) -> None:
    write_log(tmp_path, "0", ("date=2026-01-01/hour=00/a.parquet", "add"))
    write_log(tmp_path, "1", ("date=2026-01-01/hour=01/b%20c.parquet", "add"))
    (tmp_path / "song_plays" / "_spark_metadata" / ".1.crc").write_text("noise")
    assert names(tmp_path) == [
        "date=2026-01-01/hour=00/a.parquet",
        "date=2026-01-01/hour=01/b c.parquet",
    ]


def test_a_compacted_batch_replaces_all_before_it(tmp_path: Path) -> None:
    write_log(tmp_path, "8", ("date=2026-01-01/hour=00/old.parquet", "add"))
    write_log(tmp_path, "9.compact", ("date=2026-01-01/hour=00/all.parquet", "add"))
    write_log(tmp_path, "10", ("date=2026-01-01/hour=01/new.parquet", "add"))
    assert [Path(name).stem for name in names(tmp_path)] == ["all", "new"]


def test_a_file_that_was_deleted_is_not_listed(tmp_path: Path) -> None:
    gone = "date=2026-01-01/hour=00/gone.parquet"
    write_log(tmp_path, "0", (gone, "add"))
    write_log(tmp_path, "1", (gone, "delete"))
    assert names(tmp_path) == []


def test_a_log_of_another_version_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path, "0")
    (tmp_path / "song_plays" / "_spark_metadata" / "0").write_text("v2\n")
    with pytest.raises(LakeError, match="version 'v2', not v1"):
        list_classic_files(tmp_path)


def test_without_a_classic_lake_the_error_names_the_cure(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="crossfade archive --parquet"):
        list_classic_files(tmp_path)
