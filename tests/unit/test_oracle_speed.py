"""How the oracle reads speed's topic: the value that counts and the explained differences."""

from pathlib import Path

import msgspec
import pytest

from crossfade.kafka.window_log import Marker, WindowKey, WindowValue
from faults.oracle_kafka import LogRecord
from support.oracle_case import BOUNDARY, NEAR, OPEN, OracleCase, a_right_case, speed_records


@pytest.fixture
def case(tmp_path: Path) -> OracleCase:
    return a_right_case(tmp_path / "data")


def test_a_repeat_in_another_micro_batch_is_explained_and_counted(case: OracleCase) -> None:
    in_order = sorted(case.records, key=lambda one: (one.partition, one.offset))
    [again] = [n for n, one in enumerate(in_order) if one.log_time == NEAR + 1 + 1_000]
    case.speed_log = speed_records(case.records, also=again)
    judgement = case.judge()
    assert judgement.holds, str(judgement)
    assert "explained, hand-over: 1 repeats in another micro-batch" in judgement.findings


def _append_value(case: OracleCase, *, generation: str, epoch: int, plays: int) -> None:
    """Append another value for the key of speed's first row."""
    first = case.speed_log[0]
    assert first.key is not None
    key = msgspec.json.decode(first.key, type=WindowKey)
    other = WindowKey(generation, epoch, key.window_start_ms, key.grain)
    value = WindowValue(9, plays, plays, plays, b"")
    pair = msgspec.json.encode(other), msgspec.json.encode(value)
    case.speed_log.append(LogRecord(0, len(case.speed_log), OPEN + 1, 1, *pair))


def _append_marker(case: OracleCase, generation: str, ends: dict[int, int]) -> None:
    marker = Marker(generation, 2, 9, ends, sent_at=0)
    pair = marker.encode_key(), marker.encode()
    case.speed_log.append(LogRecord(0, len(case.speed_log), OPEN + 1, 1, *pair))


def test_neither_the_late_write_of_a_killed_driver_nor_an_incomplete_replay_counts(
    case: OracleCase,
) -> None:
    _append_value(case, generation="first", epoch=0, plays=99)
    _append_value(case, generation="second", epoch=2, plays=98)
    _append_marker(case, "second", {0: 3, 1: 3})
    assert case.judge().holds
    _append_marker(case, "second", {0: 100, 1: 100})
    judgement = case.judge()
    assert "[98, 98, 98] by speed" in str(judgement)
    assert judgement.unexplained > 1


def test_a_window_that_is_short_by_the_watermark_is_explained(case: OracleCase) -> None:
    del case.speed_log[0]
    ends = {p: max(one.offset + 1 for one in case.records if one.partition == p) for p in (0, 1)}
    marker = Marker("first", 1, 2, ends, sent_at=0, dropped=1, watermark=BOUNDARY)
    case.speed_log.append(LogRecord(0, 99, OPEN, 1, marker.encode_key(), marker.encode()))
    judgement = case.judge()
    assert judgement.holds, str(judgement)
    assert "explained, hand-over: 1 rows that the watermark dropped" in judgement.findings


def test_speed_that_lags_is_pending_not_wrong(case: OracleCase) -> None:
    case.speed_log = case.speed_log[1:-2]
    _append_marker(case, "first", {0: 1, 1: 1})
    judgement = case.judge()
    assert judgement.holds, str(judgement)
    assert "pending, hand-over: speed has not read all that run 1 covers" in judgement.findings
