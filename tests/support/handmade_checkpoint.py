"""A query's checkpoint in Spark's format, written by a test."""

from pathlib import Path

from crossfade.folder import DataFolder

_PLAN = 'v1\n{"batchWatermarkMs":0,"batchTimestampMs":5,"conf":{}}\n{"song-plays":{"0":%d}}'


class HandmadeCheckpoint:
    """The checkpoint of one streaming query: planned and committed micro-batches."""

    def __init__(self, folder: DataFolder, name: str = "speed") -> None:
        self.path: Path = folder.checkpoints / name
        for part in ("offsets", "commits"):
            (self.path / part).mkdir(parents=True)

    def plan(self, batch: int, end: int) -> None:
        (self.path / "offsets" / str(batch)).write_text(_PLAN % end)

    def commit(self, batch: int) -> None:
        (self.path / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')

    def complete(self, batch: int, end: int) -> None:
        self.plan(batch, end)
        self.commit(batch)
