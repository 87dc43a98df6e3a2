"""The time boundary against a brute-force oracle, with controls that must fail."""

from collections.abc import Callable, Mapping
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from crossfade.contract.boundary import NO_BOUNDARY, next_boundary
from crossfade.contract.time_rules import TimeRules
from support.simulated_log import MINUS_INFINITY, Formula, History, Order, Record, World, histories

HISTORIES = histories()
QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)
many = settings(max_examples=400, deadline=None, suppress_health_check=QUIET)


def by_the_rules(rules: TimeRules) -> Formula:
    return partial(next_boundary, rules=rules)


def with_max_for_min(rules: TimeRules) -> Formula:
    def boundary(previous: int, log_time: int, next_log_times: Mapping[int, int]) -> int:
        horizon = max([log_time, *next_log_times.values()])
        return max(previous, rules.boundary_of(horizon))

    return boundary


def stolen(world: World, *, counts: Callable[[Record], bool]) -> list[Record]:
    """Return records that speed counts and no run covers, though batch owns their windows."""
    return [
        record
        for run in world.runs
        for record in world.beyond(run.covered)
        if counts(record) and world.window_of(record) + world.rules.grain_ms <= run.boundary
    ]


@many
@given(HISTORIES)
def test_no_play_that_speed_counts_is_missing_below_the_boundary(
    history: History,
) -> None:
    rules, steps = history
    world = World(rules, by_the_rules(rules)).apply(steps)

    assert stolen(world, counts=world.is_on_time) == []


@many
@given(HISTORIES)
def test_the_boundary_never_moves_back_and_lies_between_windows(
    history: History,
) -> None:
    rules, steps = history
    world = World(rules, by_the_rules(rules)).apply(steps)

    boundaries = [run.boundary for run in world.runs]
    assert boundaries == sorted(boundaries)
    assert all(one == NO_BOUNDARY or one % rules.grain_ms == 0 for one in boundaries)


@many
@given(HISTORIES)
def test_what_both_layers_miss_is_late_and_nothing_else(
    history: History,
) -> None:
    rules, steps = history
    world = World(rules, by_the_rules(rules)).apply(steps)
    boundary, covered = world.runs[-1] if world.runs else (MINUS_INFINITY, (0, 0, 0))

    everything = world.beyond((0, 0, 0))
    in_batch = [one for one in world.within(covered) if world.window_of(one) < boundary]
    in_speed = [one for one in everything if world.window_of(one) >= boundary]
    answered = in_batch + [one for one in in_speed if world.is_on_time(one)]

    missed = list(everything)
    for one in answered:
        missed.remove(one)
    assert not any(world.is_on_time(one) for one in missed)


def test_silence_in_every_partition_does_not_freeze_the_boundary() -> None:
    rules = TimeRules()
    first = next_boundary(NO_BOUNDARY, 10_000_000, {}, rules=rules)

    assert next_boundary(first, 20_000_000, {}, rules=rules) > first


def test_a_lagging_partition_holds_the_boundary_back() -> None:
    rules = TimeRules(grain_ms=600_000, late_after_ms=1_800_000, clock_slack_ms=1_000)

    boundary = next_boundary(NO_BOUNDARY, 90_000_000, {0: 60_000_000, 2: 70_000_000}, rules=rules)

    assert boundary == (60_000_000 - 1_800_000 - 1_000) // 600_000 * 600_000


def test_without_kafka_a_partition_without_records_keeps_the_boundary_in_place() -> None:
    rules = TimeRules()

    assert next_boundary(600_000, 90_000_000, {0: NO_BOUNDARY}, rules=rules) == 600_000
    assert next_boundary(NO_BOUNDARY, NO_BOUNDARY, {}, rules=rules) == NO_BOUNDARY


@pytest.mark.parametrize(
    ("formula", "order", "is_rule_1_kept"),
    [
        (with_max_for_min, Order.PROBE_THEN_NEXT, True),
        (by_the_rules, Order.NEXT_THEN_PROBE, True),
        (by_the_rules, Order.NEXT_BEFORE_THE_PIN, True),
        (by_the_rules, Order.PROBE_THEN_NEXT, False),
    ],
    ids=[
        "max for min",
        "the next record asked for before the probe",
        "Kafka asked before a version is pinned",
        "speed counts late plays too",
    ],
)
def test_the_oracle_finds_the_fault_of_each_broken_rule(
    formula: Callable[[TimeRules], Formula],
    order: Order,
    is_rule_1_kept: bool,
) -> None:
    def is_wrong(history: History) -> bool:
        rules, steps = history
        world = World(rules, formula(rules), order).apply(steps)
        return bool(stolen(world, counts=world.is_on_time if is_rule_1_kept else lambda _: True))

    quick = settings(
        max_examples=5_000,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=QUIET,
    )
    assert is_wrong(find(HISTORIES, is_wrong, settings=quick))
