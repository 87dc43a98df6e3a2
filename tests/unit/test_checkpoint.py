from pathlib import Path

import pytest

from crossfade.errors import LakeError
from crossfade.lake.checkpoint import (
    NO_BATCH,
    BatchPlan,
    newest_committed,
    newest_planned,
    read_committed,
    read_plan,
)

PLAN = 'v1\n{"batchWatermarkMs":%d,"batchTimestampMs":5,"conf":{}}\n{"song-plays":{"0":7,"11":9}}'


def write_plan(checkpoint: Path, batch: int, watermark: int = 0) -> None:
    (checkpoint / "offsets").mkdir(parents=True, exist_ok=True)
    (checkpoint / "offsets" / str(batch)).write_text(PLAN % watermark)


def write_commit(checkpoint: Path, batch: int) -> None:
    (checkpoint / "commits").mkdir(parents=True, exist_ok=True)
    (checkpoint / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')
    (checkpoint / "commits" / f".{batch}.crc").write_bytes(b"crc")


def test_before_the_first_micro_batch_nothing_was_read(tmp_path: Path) -> None:
    assert newest_committed(tmp_path) == newest_planned(tmp_path) == NO_BATCH
    assert read_committed(tmp_path) == BatchPlan(NO_BATCH, {}, None)


def test_a_micro_batch_counts_as_read_once_it_is_committed(tmp_path: Path) -> None:
    for batch in (8, 9, 10):
        write_plan(tmp_path, batch, watermark=batch * 1000)
    for batch in (8, 9):
        write_commit(tmp_path, batch)
    assert (newest_committed(tmp_path), newest_planned(tmp_path)) == (9, 10)
    assert read_committed(tmp_path) == BatchPlan(9, {0: 7, 11: 9}, 9000)


def test_a_watermark_of_zero_means_no_watermark(tmp_path: Path) -> None:
    write_plan(tmp_path, 0)
    assert read_plan(tmp_path, 0).watermark is None


@pytest.mark.parametrize("content", ["", "v1\n{}", "v1\n{}\n{}", "v1\nnot json\n{}"])
def test_a_damaged_plan_is_named_with_its_cure(tmp_path: Path, content: str) -> None:
    write_plan(tmp_path, 3)
    (tmp_path / "offsets" / "3").write_text(content)
    with pytest.raises(LakeError, match=r"offsets/3 is missing or damaged\. Restore"):
        read_plan(tmp_path, 3)


def test_a_missing_plan_is_named(tmp_path: Path) -> None:
    write_commit(tmp_path, 3)
    with pytest.raises(LakeError, match="offsets/3"):
        read_committed(tmp_path)
