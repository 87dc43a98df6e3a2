"""The watchdog decides from a checkpoint's files and Kafka's end offsets only."""

import pytest

from crossfade.folder import DataFolder
from crossfade.processing.streams.watchdog import Stall, Watchdog
from support.handmade_checkpoint import HandmadeCheckpoint

AFTER_S = 25.0
CHECK_EVERY_S = 5.0


@pytest.fixture
def query(data_folder: DataFolder) -> HandmadeCheckpoint:
    """Return a query that has read ten records in one micro-batch."""
    query = HandmadeCheckpoint(data_folder)
    query.complete(0, 10)
    return query


def a_watchdog(folder: DataFolder, trigger_s: float = 0.0) -> Watchdog:
    return Watchdog(folder, {"speed": trigger_s}, AFTER_S)


def check_for(watchdog: Watchdog, seconds: float, end: int | None) -> Stall | None:
    ends = None if end is None else {0: end}
    for _ in range(round(seconds / CHECK_EVERY_S)):
        if stall := watchdog.check(CHECK_EVERY_S, ends):
            return stall
    return None


def warm(watchdog: Watchdog, query: HandmadeCheckpoint) -> None:
    query.complete(1, 20)
    assert watchdog.check(CHECK_EVERY_S, {0: 20}) is None


def test_a_query_that_commits_nothing_while_kafka_has_records_hangs(
    data_folder: DataFolder, query: HandmadeCheckpoint
) -> None:
    watchdog = a_watchdog(data_folder)
    warm(watchdog, query)
    query.plan(2, 25)
    assert check_for(watchdog, AFTER_S, 25) is None
    assert watchdog.check(CHECK_EVERY_S, {0: 25}) == Stall("speed", 2, AFTER_S + CHECK_EVERY_S)


def test_a_query_with_nothing_to_read_is_idle(
    data_folder: DataFolder, query: HandmadeCheckpoint
) -> None:
    watchdog = a_watchdog(data_folder)
    warm(watchdog, query)
    assert check_for(watchdog, 3_600, 20) is None


def test_time_without_kafka_does_not_count(
    data_folder: DataFolder, query: HandmadeCheckpoint
) -> None:
    watchdog = a_watchdog(data_folder)
    warm(watchdog, query)
    for _ in range(20):
        assert check_for(watchdog, AFTER_S, 25) is None
        assert watchdog.check(CHECK_EVERY_S, None) is None


def test_every_commit_resets_the_allowed_time(
    data_folder: DataFolder, query: HandmadeCheckpoint
) -> None:
    watchdog = a_watchdog(data_folder)
    warm(watchdog, query)
    for batch in range(2, 10):
        assert check_for(watchdog, AFTER_S, 1_000) is None
        query.complete(batch, 20 + batch)
        assert watchdog.check(CHECK_EVERY_S, {0: 1_000}) is None


def test_the_first_micro_batch_after_a_start_may_take_two_minutes(
    data_folder: DataFolder, query: HandmadeCheckpoint
) -> None:
    watchdog = a_watchdog(data_folder)
    assert check_for(watchdog, 120, 25) is None
    assert watchdog.check(CHECK_EVERY_S, {0: 25}) is not None


def test_the_wait_for_a_trigger_does_not_count(
    data_folder: DataFolder, query: HandmadeCheckpoint
) -> None:
    watchdog = a_watchdog(data_folder, trigger_s=15.0)
    warm(watchdog, query)
    assert check_for(watchdog, AFTER_S + 15, 25) is None
    assert watchdog.check(CHECK_EVERY_S, {0: 25}) is not None


def test_a_large_micro_batch_gets_more_time(
    data_folder: DataFolder, query: HandmadeCheckpoint
) -> None:
    watchdog = a_watchdog(data_folder)
    warm(watchdog, query)
    query.plan(2, 1_000_020)
    assert check_for(watchdog, AFTER_S + 200, 2_000_000) is None
    assert watchdog.check(CHECK_EVERY_S, {0: 2_000_000}) is not None


def test_a_restarted_query_gets_the_time_of_a_first_start(
    data_folder: DataFolder, query: HandmadeCheckpoint
) -> None:
    watchdog = a_watchdog(data_folder)
    warm(watchdog, query)
    for path in (query.path / "commits").iterdir():
        path.unlink()
    assert watchdog.check(CHECK_EVERY_S, {0: 25}) is None
    assert check_for(watchdog, 120, 25) is None


def test_a_checkpoint_that_cannot_be_read_is_left_to_the_driver(
    data_folder: DataFolder, query: HandmadeCheckpoint
) -> None:
    watchdog = a_watchdog(data_folder)
    warm(watchdog, query)
    (query.path / "offsets" / "1").write_text("")
    assert check_for(watchdog, 600, 25) is None
