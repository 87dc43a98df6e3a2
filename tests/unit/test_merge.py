"""The layer that answers each window, and the merge of the layers' rows."""

from collections import Counter
from datetime import date
from functools import partial
from itertools import pairwise
from random import Random

import pytest
from datasketches import hll_sketch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, day_start_ms
from crossfade.contract.boundary import NO_BOUNDARY, next_boundary, windows_kept_from
from crossfade.contract.counting import SKETCH_LG_K
from crossfade.errors import MisuseError
from crossfade.serving.merge import (
    Names,
    Plan,
    Totals,
    estimate_listeners,
    merge_totals,
    plan_range,
    rank,
)
from support.simulated_log import START, History, World, histories

G = 10 * MINUTE_MS
DAY = 20_000 * DAY_MS
NOON = DAY + 12 * HOUR_MS

grains = st.sampled_from([10_000, MINUTE_MS, G, HOUR_MS])
counts = st.integers(0, 5)
keys = st.text("abc", min_size=1, max_size=2)
names = st.none() | st.builds(Names, st.dates(), counts, keys, keys)
totals = st.builds(Totals, counts, counts, counts, counts, names)
parts = st.lists(st.dictionaries(keys, totals, max_size=6), max_size=4)


def spans_of(plan: Plan) -> list[tuple[int, int]]:
    return [span for span in (plan.days, *plan.windows, plan.speed) if span is not None]


@given(grains, st.data())
def test_a_plan_covers_the_range_exactly_once_each_window_by_its_owner(
    grain: int, data: st.DataObject
) -> None:
    around = st.integers(-2 * DAY_MS // grain, 2 * DAY_MS // grain)
    begin = DAY + grain * data.draw(around)
    end = begin + grain * data.draw(st.integers(1, 3 * DAY_MS // grain))
    boundary = DAY + grain * data.draw(around)
    kept_from = windows_kept_from(boundary)
    assume(all(edge >= kept_from or edge % DAY_MS == 0 for edge in (begin, end)))

    plan = plan_range(begin, end, boundary=boundary, grain_ms=grain)

    spans = sorted(spans_of(plan))
    assert (spans[0][0], spans[-1][1]) == (begin, end)
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(since < until for since, until in spans)
    if plan.speed:
        assert plan.speed[0] >= boundary
    assert all(until <= boundary for _, until in spans_of(Plan(plan.days, plan.windows, None)))
    if plan.days:
        assert plan.days[0] % DAY_MS == plan.days[1] % DAY_MS == 0
    for since, _ in plan.windows:
        assert since >= kept_from


def test_a_window_that_ends_at_the_boundary_is_batchs() -> None:
    plan = plan_range(NOON - G, NOON + G, boundary=NOON, grain_ms=G)

    assert plan == Plan(None, ((NOON - G, NOON),), (NOON, NOON + G))


def test_before_the_first_run_speed_owns_everything() -> None:
    plan = plan_range(DAY, NOON, boundary=NO_BOUNDARY, grain_ms=G)

    assert plan == Plan(None, (), (DAY, NOON))


def test_closed_days_are_read_whole_and_not_by_windows() -> None:
    begin, end = DAY - 3 * DAY_MS, NOON

    plan = plan_range(begin, end, boundary=NOON - 3 * G, grain_ms=G)

    assert plan == Plan((begin, DAY), ((DAY, NOON - 3 * G),), (NOON - 3 * G, NOON))
    assert plan.is_provisional
    assert not plan_range(begin, DAY, boundary=NOON, grain_ms=G).is_provisional


def test_an_edge_inside_a_recent_day_is_answered_from_its_windows() -> None:
    begin = DAY - 12 * HOUR_MS

    plan = plan_range(begin, NOON, boundary=NOON, grain_ms=G)

    assert plan == Plan(None, ((begin, NOON),), None)


@pytest.mark.parametrize(
    ("begin", "end", "message"),
    [
        (DAY + 1, NOON, "lies inside a window of 10m"),
        (DAY, NOON + G - 1, "nearest edge is 2024-10-04T12:10:00Z"),
        (DAY - 40 * HOUR_MS, NOON, "nearest midnight is 2024-10-02T00:00:00Z"),
        (DAY - 5 * DAY_MS, DAY - 30 * HOUR_MS, "nearest midnight is 2024-10-03T00:00:00Z"),
        (NOON, NOON, "is empty"),
        (NOON, DAY, "is empty"),
    ],
)
def test_an_edge_that_cannot_be_answered_is_refused_with_the_nearest_possible_one(
    begin: int, end: int, message: str
) -> None:
    with pytest.raises(MisuseError, match=message):
        plan_range(begin, end, boundary=NOON, grain_ms=G)


@given(parts)
def test_measures_add_up_in_any_order_of_the_parts(
    given_parts: list[dict[str, Totals]],
) -> None:
    merged = merge_totals(given_parts)

    for measure in range(4):
        expected: Counter[str] = Counter()
        for part in given_parts:
            for key, one in part.items():
                expected[key] += one[:4][measure]
        assert {key: one[measure] for key, one in merged.items()} == dict(expected)
    assert merge_totals(reversed(given_parts)) == merged
    assert merge_totals([merge_totals(given_parts[:1]), *given_parts[1:]]) == merged


@given(st.dictionaries(keys, totals), st.integers(0, 8), st.randoms())
def test_the_ranking_is_the_same_for_any_order_of_rows(
    rows: dict[str, Totals], limit: int, random: Random
) -> None:
    shuffled = list(rows.items())
    random.shuffle(shuffled)

    ranked = rank(dict(shuffled), limit)

    assert (
        ranked
        == sorted(rows.items(), key=lambda entry: ([-one for one in entry[1][:4]], entry[0]))[
            :limit
        ]
    )


def test_merging_does_not_change_its_parts() -> None:
    part = {"a": Totals(1, 1, 1, 1)}
    merge_totals([part, part])

    assert part == {"a": Totals(1, 1, 1, 1)}


def test_the_names_shown_are_those_with_most_plays_on_the_newest_day() -> None:
    old = Totals(9, 9, 9, 9, Names(date(2019, 6, 1), 9, "Old", "X"))
    rare = Totals(1, 1, 1, 1, Names(date(2019, 6, 2), 1, "Rare", "X"))
    common = Totals(2, 2, 2, 2, Names(date(2019, 6, 2), 2, "Common", "X"))
    nameless = Totals(5, 5, 5, 5)

    merged = merge_totals([{"s": old}, {"s": common}, {"s": nameless}, {"s": rare}])

    assert merged["s"].names == common.names


def seen(first: int, last: int) -> bytes:
    """Return the sketch of listeners `first` to `last` - 1."""
    sketch = hll_sketch(SKETCH_LG_K)
    for number in range(first, last):
        sketch.update(f"user-{number}")
    return bytes(sketch.serialize_compact())


def test_the_number_of_listeners_is_the_same_for_any_order_of_sketches() -> None:
    sketches, chance = [seen(n, n + 40) for n in range(0, 400, 20)], Random(7)
    answers = set()
    for _ in range(20):
        chance.shuffle(sketches)
        answers.add(estimate_listeners(sketches))
    assert len(answers) == 1
    assert answers.pop() == pytest.approx(420, rel=0.1)


def test_a_listener_of_two_parts_counts_once() -> None:
    assert estimate_listeners([seen(0, 20), seen(10, 30)]) == 30
    assert estimate_listeners([seen(0, 3_000)] * 2) == pytest.approx(3_000, rel=0.1)
    assert estimate_listeners([]) == 0


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), st.integers(0, 5), st.integers(1, 5))
def test_each_window_of_an_answer_comes_from_its_owner_and_never_from_both(
    history: History, first_day: int, days: int
) -> None:
    rules, steps = history
    world = World(rules, partial(next_boundary, rules=rules)).apply(steps)
    boundary, covered = world.runs[-1] if world.runs else (NO_BOUNDARY, (0, 0, 0))
    begin = START + (first_day - 2) * DAY_MS
    end = begin + days * DAY_MS
    batch, speed = world.within(covered), filter(world.is_on_time, world.beyond((0, 0, 0)))
    batch_rows = Counter(world.window_of(one) for one in batch)
    speed_rows = Counter(world.window_of(one) for one in speed)

    plan = plan_range(begin, end, boundary=boundary, grain_ms=rules.grain_ms)
    below = [span for span in (plan.days, *plan.windows) if span is not None]
    answered = merge_totals(
        [
            *(_count(batch_rows, span) for span in below),
            *(_count(speed_rows, span) for span in (plan.speed,) if span is not None),
        ]
    )

    expected = 0
    for window in range(begin, end, rules.grain_ms):
        is_batchs = window + rules.grain_ms <= boundary
        expected += batch_rows[window] if is_batchs else speed_rows[window]
    assert sum(one.plays for one in answered.values()) == expected


def _count(rows: Counter[int], span: tuple[int, int]) -> dict[str, Totals]:
    plays = sum(count for window, count in rows.items() if span[0] <= window < span[1])
    return {"song": Totals(plays, plays, plays, 0)}


def test_gold_keeps_windows_from_the_midnight_before_the_boundarys_day() -> None:
    boundary = day_start_ms(date(2019, 6, 2)) + G

    assert windows_kept_from(boundary) == day_start_ms(date(2019, 6, 1))
