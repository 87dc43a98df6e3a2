"""A simulation of the present keeps up with the wall clock."""

from crossfade.clock import DAY_MS, MINUTE_MS, SECOND_MS
from crossfade.generator.catalogue import make_catalogue
from crossfade.generator.faults import FaultFinder
from crossfade.generator.model import Audience, Society
from crossfade.generator.options import Report
from crossfade.generator.scenario import NO_SCENARIO, BotKind, Bots, Faults, Scenario
from crossfade.generator.schedule import Schedule
from crossfade.generator.timekeeper import SPARE, Timekeeper

BEGIN = 1_714_521_600_000
RATE = 20.0


class Wall:
    """A clock that advances one second per RATE records sent."""

    def __init__(self) -> None:
        self.sent = 0

    def __call__(self) -> float:
        return self.sent / RATE


def drift_after(sent: int, scenario: Scenario = NO_SCENARIO, *, kept: bool = True) -> float:
    """Return how many seconds the simulation lags the wall clock after `sent` records."""
    wall = Wall()
    society = Society(seed=2, listeners=10_000, plays_per_second=RATE * SPARE)
    audience = Audience(society, make_catalogue(2, 500), begin=BEGIN, is_steady=True)
    audience._step = MINUTE_MS
    keeper = Timekeeper(2, BEGIN, 1.0, wall) if kept else None
    faults = FaultFinder(Faults(), seed=2, broken=())
    schedule = Schedule(
        audience, scenario, faults, seed=2, begin=BEGIN, report=Report.START, timekeeper=keeper
    )
    while wall.sent < sent:
        part = schedule.take(min(2_000, sent - wall.sent))
        assert part is not None
        wall.sent += len(part)
    return wall() - (audience.moment - BEGIN) / SECOND_MS


def test_after_a_day_it_is_within_two_minutes_of_the_wall_clock() -> None:
    day = int(RATE * DAY_MS / SECOND_MS)
    assert abs(drift_after(day)) < 120
    assert drift_after(day, kept=False) > 600


def test_bots_replace_listeners() -> None:
    bots = Bots(kind=BotKind.FARM, accounts=120, plays_a_minute=2.0)
    scenario = Scenario("bots", "", bots=(bots,))
    hours = int(RATE * 6 * 3_600)
    assert abs(drift_after(hours, scenario)) < 300
    assert drift_after(hours, scenario, kept=False) > 3_000
