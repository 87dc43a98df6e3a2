"""The oracle's reading of speed's topic: which value counts, and which difference is explained."""

from pathlib import Path

import msgspec
import pytest

from crossfade.kafka.window_log import Marker, WindowKey, WindowValue
from faults.oracle_kafka import LogRecord
from support.oracle_case import BOUNDARY, NEAR, OPEN, Stage, a_right_stage, say


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return a_right_stage(tmp_path / "data")


def test_a_repeat_in_another_micro_batch_is_explained_and_counted(stage: Stage) -> None:
    in_order = sorted(stage.records, key=lambda one: (one.partition, one.offset))
    [again] = [n for n, one in enumerate(in_order) if one.log_time == NEAR + 1 + 1_000]
    stage.said = say(stage.records, also=again)
    judgement = stage.judge()
    assert judgement.holds, str(judgement)
    assert "explained, hand-over: 1 repeats in another micro-batch" in judgement.findings


def _said_again(stage: Stage, *, generation: str, epoch: int, plays: int) -> None:
    """Say another value of speed's first row."""
    first = stage.said[0]
    assert first.key is not None
    key = msgspec.json.decode(first.key, type=WindowKey)
    other = WindowKey(generation, epoch, key.window_start_ms, key.grain)
    value = WindowValue(9, plays, plays, plays, b"")
    pair = msgspec.json.encode(other), msgspec.json.encode(value)
    stage.said.append(LogRecord(0, len(stage.said), OPEN + 1, 1, *pair))


def _mark(stage: Stage, generation: str, ends: dict[int, int]) -> None:
    marker = Marker(generation, 2, 9, ends, sent_at=0)
    pair = marker.encode_key(), marker.encode()
    stage.said.append(LogRecord(0, len(stage.said), OPEN + 1, 1, *pair))


def test_neither_the_late_write_of_a_killed_driver_nor_an_incomplete_replay_counts(
    stage: Stage,
) -> None:
    _said_again(stage, generation="first", epoch=0, plays=99)
    _said_again(stage, generation="second", epoch=2, plays=98)
    _mark(stage, "second", {0: 3, 1: 3})
    assert stage.judge().holds
    _mark(stage, "second", {0: 100, 1: 100})
    judgement = stage.judge()
    assert "[98, 98, 98] by speed" in str(judgement)
    assert judgement.unexplained > 1


def test_a_window_that_is_short_by_the_watermark_is_explained(stage: Stage) -> None:
    del stage.said[0]
    ends = {p: max(one.offset + 1 for one in stage.records if one.partition == p) for p in (0, 1)}
    marker = Marker("first", 1, 2, ends, sent_at=0, dropped=1, watermark=BOUNDARY)
    stage.said.append(LogRecord(0, 99, OPEN, 1, marker.encode_key(), marker.encode()))
    judgement = stage.judge()
    assert judgement.holds, str(judgement)
    assert "explained, hand-over: 1 rows that the watermark dropped" in judgement.findings


def test_speed_that_lags_is_pending_not_wrong(stage: Stage) -> None:
    stage.said = stage.said[1:-2]
    _mark(stage, "first", {0: 1, 1: 1})
    judgement = stage.judge()
    assert judgement.holds, str(judgement)
    assert "pending, hand-over: speed has not read all that run 1 covers" in judgement.findings
