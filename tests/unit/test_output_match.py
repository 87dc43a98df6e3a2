"""A checkpoint and an output from different times are refused.

A sink skips the micro-batch numbers that it already holds, so it would lose records.
"""

from pathlib import Path

import pytest

from crossfade.errors import LakeError
from crossfade.lake.checkpoint import read_query_id
from crossfade.processing.streams.output_match import require_output_match


def write_log(checkpoint: Path, name: str, newest: int) -> None:
    (checkpoint / name).mkdir(parents=True)
    for number in range(newest + 1):
        (checkpoint / name / str(number)).touch()


@pytest.mark.parametrize(
    ("committed", "planned", "written"),
    [(-1, -1, -1), (-1, 0, -1), (-1, 0, 0), (4, 4, 4), (4, 5, 4), (4, 5, 5)],
)
def test_an_output_may_be_one_micro_batch_ahead(
    tmp_path: Path, committed: int, planned: int, written: int
) -> None:
    write_log(tmp_path, "commits", committed)
    write_log(tmp_path, "offsets", planned)
    require_output_match(tmp_path, written, "archive")


@pytest.mark.parametrize(
    ("committed", "planned", "written"),
    [(-1, -1, 7), (4, 5, 6), (4, 5, 3), (4, 5, -1)],
)
def test_an_output_that_is_newer_or_older_than_its_checkpoint_is_refused(
    tmp_path: Path, committed: int, planned: int, written: int
) -> None:
    write_log(tmp_path, "commits", committed)
    write_log(tmp_path, "offsets", planned)
    with pytest.raises(LakeError, match=rf"holds micro-batch {written}, .*Restore both"):
        require_output_match(tmp_path, written, "archive")


def test_a_query_is_known_by_the_id_in_its_checkpoint(tmp_path: Path) -> None:
    assert read_query_id(tmp_path) is None
    (tmp_path / "metadata").write_text('{"id":"5d1f"}', "utf-8")
    assert read_query_id(tmp_path) == "5d1f"
    (tmp_path / "metadata").write_text("", "utf-8")
    with pytest.raises(LakeError, match="metadata is damaged"):
        read_query_id(tmp_path)
