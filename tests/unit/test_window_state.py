"""Serving's state of open windows, fed record by record without a broker."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from datasketches import hll_sketch

from crossfade.clock import HOUR_MS, MINUTE_MS
from crossfade.kafka.window_log import Grain, Marker, WindowKey, WindowRow, WindowValue
from crossfade.serving.completeness import FRESH_MS
from crossfade.serving.merge import Totals, estimate_listeners
from crossfade.serving.rollup import By
from crossfade.serving.window_state import HELD_MS, PlacedRecord, WindowState

G = 10 * MINUTE_MS
W = 2_000_000 * G
ALL = (0, 2**53)
NOW = W + G


def sketch(*listeners: str) -> bytes:
    seen = hll_sketch(10)
    for listener in listeners:
        seen.update(listener)
    return bytes(seen.serialize_compact())


def a_row(
    plays: int,
    *,
    batch: int = 0,
    epoch: int = 1,
    generation: str = "g1",
    window: int = W,
    listeners: Iterable[str] = ("u1",),
    **names: str,
) -> PlacedRecord:
    grain = Grain("SE", "s1", "T", "A", None, None)._replace(**names)
    key = WindowKey(generation, epoch, window, grain)
    value = WindowValue(batch, plays, plays - 1, plays * 60_000, sketch(*listeners))
    return PlacedRecord(WindowRow(key, value), log_time=W)


def markers(
    ends: Mapping[int, int],
    *,
    generation: str = "g1",
    epoch: int = 1,
    batch: int = 0,
    log_time: int = W,
    partitions: Iterable[int] = (0,),
    sent_at: int = NOW,
    **counts: Any,
) -> list[PlacedRecord]:
    marker = Marker(generation, epoch, batch, dict(ends), sent_at=sent_at, **counts)
    return [PlacedRecord(marker, log_time, partition) for partition in partitions]


def plays_of(state: WindowState, song: str = "s1") -> int:
    return state.roll_up(By.SONG, ALL)[song].plays


def listeners(state: WindowState, by: By, key: str, country: str | None = None) -> int:
    return estimate_listeners([state.describe(by, [key], ALL, country)[key].listeners])


@pytest.fixture
def state() -> WindowState:
    state = WindowState()
    state.finish_reading()
    return state


def test_a_later_value_replaces_an_earlier_one_and_is_not_added(
    state: WindowState,
) -> None:
    state.feed([a_row(3, batch=1), a_row(5, batch=2)])

    assert state.roll_up(By.SONG, ALL) == {"s1": Totals(4, 4, 5, 300_000)}


def test_a_value_of_an_earlier_batch_or_epoch_changes_nothing(state: WindowState) -> None:
    state.feed([a_row(5, epoch=2, batch=4), a_row(3, epoch=2, batch=3), a_row(9, epoch=1, batch=9)])

    assert plays_of(state) == 5


def test_a_replayed_batch_of_a_new_epoch_replaces_the_earlier_one(state: WindowState) -> None:
    state.feed([a_row(5, epoch=1, batch=4), a_row(5, epoch=2, batch=4), a_row(6, epoch=2, batch=5)])

    assert plays_of(state) == 6


def test_rows_add_up_by_song_artist_and_country(state: WindowState) -> None:
    state.feed(
        [
            a_row(2),
            a_row(3, country="DE"),
            a_row(4, song_id="s2", title="Other"),
            a_row(5, window=W + G),
        ]
    )

    assert {key: one.plays for key, one in state.roll_up(By.SONG, ALL).items()} == {
        "s1": 10,
        "s2": 4,
    }
    assert {key: one.plays for key, one in state.roll_up(By.ARTIST, ALL).items()} == {"a": 14}
    assert {key: one.plays for key, one in state.roll_up(By.COUNTRY, ALL).items()} == {
        "SE": 11,
        "DE": 3,
    }
    assert plays_of(state) == 10


def test_one_countrys_songs_come_only_from_its_rows(state: WindowState) -> None:
    state.feed([a_row(2), a_row(3, country="DE"), a_row(4, country="DE", song_id="s2")])

    of_germany = state.roll_up(By.SONG, ALL, "DE")

    assert {key: one.plays for key, one in of_germany.items()} == {"s1": 3, "s2": 4}
    assert state.roll_up(By.SONG, ALL, "FR") == {}


def test_only_windows_that_begin_within_the_range_are_summed(state: WindowState) -> None:
    state.feed([a_row(2), a_row(3, window=W + G), a_row(4, window=W + 2 * G)])

    assert state.roll_up(By.SONG, (W + G, W + 2 * G))["s1"].plays == 3


def test_listeners_unite_over_countries_and_windows(state: WindowState) -> None:
    state.feed(
        [
            a_row(2, listeners=["u1", "u2"]),
            a_row(3, country="DE", listeners=["u2", "u3"]),
            a_row(4, window=W + G, listeners=["u1", "u4"]),
        ]
    )

    assert listeners(state, By.SONG, "s1") == 4
    assert listeners(state, By.ARTIST, "a") == 4
    assert listeners(state, By.COUNTRY, "SE") == 3
    assert listeners(state, By.SONG, "s1", "DE") == 2
    assert listeners(state, By.COUNTRY, "FR") == 0


def test_a_countrys_listeners_are_right_before_and_after_the_first_query(
    state: WindowState,
) -> None:
    state.feed([a_row(1, song_id=f"s{n}", listeners=[f"u{n}"]) for n in range(600)])
    first = listeners(state, By.COUNTRY, "SE")
    state.feed([a_row(2, batch=1, song_id="s0", listeners=["u0", "new"])])
    state.roll_up(By.COUNTRY, ALL)
    second = listeners(state, By.COUNTRY, "SE")

    assert first == pytest.approx(600, rel=0.1)
    assert second - first in (0, 1, 2)


def test_sums_that_were_queried_before_follow_every_changed_row(
    state: WindowState,
) -> None:
    span = (W, W + 2 * G)
    state.feed([a_row(2), a_row(3, window=W + G), a_row(1, song_id="s2")])
    before = state.roll_up(By.SONG, span)
    assert state.describe(By.SONG, ["s1"], span)["s1"].names is not None
    state.feed(
        [
            a_row(5, batch=1, title="New", listeners=["u1", "u2"]),
            a_row(9, window=W + 2 * G),
            a_row(4, song_id="s3"),
            a_row(1, batch=-1, song_id="s2"),
        ]
    )

    after = state.roll_up(By.SONG, span)

    assert {key: one.plays for key, one in before.items()} == {"s1": 5, "s2": 1}
    assert {key: one.plays for key, one in after.items()} == {"s1": 10, "s2": 1, "s3": 4}
    names, sketch_of_s1 = state.describe(By.SONG, ["s1"], span)["s1"]
    assert names is not None
    assert (names.title, estimate_listeners([sketch_of_s1])) == ("New", 2)


def test_sums_that_were_queried_before_follow_the_generation_in_use(
    state: WindowState,
) -> None:
    state.feed([a_row(5), *markers({0: 100})])
    assert plays_of(state) == 5
    state.feed([a_row(7, generation="g2"), a_row(2, generation="g2", song_id="s2")])
    assert plays_of(state) == 5
    state.feed(markers({0: 100}, generation="g2"))
    assert plays_of(state) == 7


def test_the_names_are_those_of_the_row_with_most_plays_on_the_newest_day(
    state: WindowState,
) -> None:
    state.feed([a_row(2, title="Rare"), a_row(3, title="Common"), a_row(9, window=W - 144 * G)])

    found = state.describe(By.SONG, ["s1", "unheard"], ALL)

    names = found["s1"].names
    assert names is not None
    assert (names.title, names.plays) == ("Common", 3)
    assert found["unheard"].names is None


def test_windows_below_the_boundary_are_forgotten_permanently(state: WindowState) -> None:
    state.feed([a_row(2), a_row(3, window=W + G)])
    state.forget_before(W + G, {})
    state.feed([a_row(9, batch=1)])

    assert plays_of(state) == 3
    assert state.count_rows() == 1
    assert state.status(NOW).held_from == W + G


def test_windows_are_held_for_36_hours_at_most_whatever_batch_does(state: WindowState) -> None:
    state.feed([a_row(2), a_row(3, window=W + HELD_MS), a_row(4, window=W + HELD_MS + G)])

    assert plays_of(state) == 7
    assert state.status(NOW).held_from == W + G


def test_a_younger_generation_is_used_only_once_it_has_read_as_far(state: WindowState) -> None:
    state.feed([a_row(5), *markers({0: 100, 1: 50})])
    state.feed([a_row(2, generation="g2"), *markers({0: 100, 1: 49}, generation="g2")])
    assert plays_of(state) == 5

    state.feed([a_row(6, generation="g2", batch=1), *markers({0: 101, 1: 50}, generation="g2")])
    assert plays_of(state) == 6


def test_later_records_of_an_abandoned_generation_are_ignored(state: WindowState) -> None:
    state.feed([a_row(5), *markers({0: 100})])
    state.feed([a_row(6, generation="g2"), *markers({0: 100}, generation="g2")])
    state.feed([a_row(99, batch=9), *markers({0: 900}, batch=9)])

    assert plays_of(state) == 6
    marker = state.marker()
    assert marker is not None
    assert marker.generation == "g2"


def test_at_the_start_no_generation_is_abandoned_before_the_topic_was_read() -> None:
    state = WindowState()
    state.feed(markers({0: 10}, generation="g2", log_time=W + 5))
    state.feed([*markers({0: 10}), *markers({0: 12}, batch=1), a_row(7)])
    assert plays_of(state) == 7

    state.finish_reading()
    state.feed(markers({0: 12}, generation="g2", batch=1, log_time=W + 6))
    state.feed([a_row(8, generation="g2", batch=1)])
    assert plays_of(state) == 8


def test_progress_is_that_of_the_topic_partition_read_least() -> None:
    state = WindowState()
    state.begin_reading(partitions=2)
    state.feed(markers({0: 10}, batch=1, partitions=[0, 1]))
    state.feed(markers({0: 20}, batch=2, partitions=[0]))
    assert state.marker() == markers({0: 10}, batch=1)[0].record

    state.feed(markers({0: 20}, batch=2, partitions=[1]))
    assert state.marker() == markers({0: 20}, batch=2)[0].record


def test_before_every_topic_partition_had_a_marker_progress_is_unknown() -> None:
    state = WindowState()
    state.begin_reading(partitions=2)
    state.feed(markers({0: 10}))

    assert state.status(NOW).sent_at is None
    assert state.status(NOW).lag_ms is None


def test_the_lag_is_the_age_of_the_newest_log_time_that_speed_has_reached(
    state: WindowState,
) -> None:
    for second, end in enumerate((10, 20, 30)):
        state.note_end_offsets(NOW + second * 1_000, {0: end})
    assert state.status(NOW + 3_000).lag_ms is None

    state.feed(markers({0: 25}))
    assert state.status(NOW + 3_000).lag_ms == 2_000
    state.feed(markers({0: 30}, batch=1))
    assert state.status(NOW + 3_000).lag_ms == 1_000


def test_a_repeated_marker_keeps_speed_fresh_while_no_plays_come(state: WindowState) -> None:
    state.feed([*markers({0: 10}), *markers({0: 10}, sent_at=NOW + 2_000)])
    state.note_end_offsets(NOW + 2_500, {0: 10})

    progress = state.status(NOW + 3_000)

    assert (progress.sent_at, progress.lag_ms) == (NOW + 2_000, 500)


def test_late_plays_are_pending_until_a_run_covers_their_micro_batch(state: WindowState) -> None:
    state.feed([*markers({0: 10, 1: 7}, late=2), *markers({0: 20, 1: 7}, batch=1, late=3)])
    assert state.status(NOW).late_pending == 5

    state.forget_before(0, {0: 19, 1: 9})
    assert state.status(NOW).late_pending == 3
    state.forget_before(0, {0: 20, 1: 9})
    assert state.status(NOW).late_pending == 0


def test_late_plays_are_pending_until_batch_owns_their_windows(state: WindowState) -> None:
    state.feed(markers({0: 10}, late=2, late_by_day={1: 1, 9: 1}, newest_late=W + G + 1))
    state.forget_before(W + G, {0: 10})
    assert state.status(NOW).late_pending == 2

    state.forget_before(W + 2 * G, {0: 10})
    assert state.status(NOW).late_pending == 0


def test_late_plays_that_a_run_answers_are_pending_for_earlier_runs_only(
    state: WindowState,
) -> None:
    state.feed(markers({0: 10}, late=2, late_by_day={1: 2}, newest_late=W))

    assert state.status(NOW, boundary=W + G, covered={0: 10}).late_pending == 0
    assert state.status(NOW, boundary=W, covered={0: 10}).late_pending == 2
    earlier = state.status(NOW, boundary=W + G, covered={0: 9})
    assert [one.by_day for one in earlier.late] == [{1: 2}]


def test_batch_is_at_the_end_of_kafka_while_a_recent_poll_found_no_record_beyond_it(
    state: WindowState,
) -> None:
    covered = {0: 10, 1: 5}
    assert not state.status(NOW, covered=covered).is_batch_at_end

    state.note_end_offsets(NOW, {0: 10, 1: 5})
    assert state.status(NOW + FRESH_MS, covered=covered).is_batch_at_end
    assert not state.status(NOW + FRESH_MS + 1, covered=covered).is_batch_at_end
    assert not state.status(NOW).is_batch_at_end
    state.note_end_offsets(NOW + 1, {0: 11, 1: 5})
    assert not state.status(NOW + 2, covered=covered).is_batch_at_end


def test_late_plays_of_a_replayed_micro_batch_are_pending_once(state: WindowState) -> None:
    state.feed(markers({0: 10}, late=2))
    state.feed(markers({0: 10}, epoch=2, late=0))
    state.feed(markers({0: 10}, epoch=2, late=2, late_by_day={1: 2}))

    assert state.status(NOW).late_pending == 2
    assert [one.by_day for one in state.status(NOW).late] == [{1: 2}]


def test_what_the_watermark_dropped_is_remembered_with_its_time(state: WindowState) -> None:
    state.feed(markers({0: 10}, dropped=0, watermark=W + HOUR_MS))
    assert state.status(NOW).dropped_before is None

    state.feed(markers({0: 11}, batch=1, dropped=3, watermark=W))
    state.feed(markers({0: 12}, batch=2, dropped=0, watermark=W + HOUR_MS))
    assert state.status(NOW).dropped_before == W


def test_windows_from_before_the_generation_in_use_began_are_not_held(state: WindowState) -> None:
    state.feed(markers({0: 5}, windows_from=None))
    assert state.status(NOW).held_from < W
    later = W + HOUR_MS
    state.feed(markers({0: 3}, generation="g2", log_time=NOW, windows_from=later))
    assert state.status(NOW).held_from < W
    state.feed(markers({0: 5}, generation="g2", batch=1, log_time=NOW, windows_from=later))
    assert state.status(NOW).held_from == later
