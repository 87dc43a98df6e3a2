"""Set-up of a simulation from its options: the audience, the schedule, and the run's name."""

import hashlib
import uuid

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, now_ms
from crossfade.generator.catalogue import Catalogue
from crossfade.generator.faults import BrokenRecord, FaultFinder
from crossfade.generator.habits import MAX_PLAYS_A_DAY
from crossfade.generator.model import Audience, Society
from crossfade.generator.options import Report, SimulationOptions
from crossfade.generator.scenario import NO_SCENARIO
from crossfade.generator.schedule import Schedule
from crossfade.generator.timekeeper import SPARE, Timekeeper

_RUN_LENGTH = 12
_LONGEST_PLAY_MS = 15 * MINUTE_MS
"""The longest time between the start of a play and the report at its end."""


def build_schedule(
    options: SimulationOptions, catalogue: Catalogue, broken: tuple[BrokenRecord, ...]
) -> tuple[Schedule, Audience]:
    """Build the audience at the simulation's start, with sessions under way, and its schedule."""
    is_past = options.start_ms is not None
    begin = now_ms() if options.start_ms is None else options.start_ms
    report = Report.START if is_past else options.report
    audience = Audience(
        society_of(options),
        catalogue,
        begin=begin if report is Report.START else begin - _LONGEST_PLAY_MS,
        end=options.until_ms,
        is_steady=not is_past,
    )
    faults = FaultFinder(
        options.scenario.faults,
        seed=options.seed,
        broken=broken,
        past_before=now_ms() - HOUR_MS if is_past else None,
    )
    schedule = Schedule(
        audience,
        options.scenario,
        faults,
        seed=options.seed,
        begin=begin,
        report=report,
        timekeeper=_make_timekeeper(options, begin),
    )
    return schedule, audience


def society_of(options: SimulationOptions) -> Society:
    """Return the audience's parameters, with the rate capped at what listeners can play.

    Beyond that cap, `Timekeeper` makes simulated time run faster.
    """
    rate = options.rate
    if options.start_ms is None and rate is not None:
        rate = min(rate * SPARE, options.listeners * MAX_PLAYS_A_DAY * SECOND_MS / DAY_MS)
    return Society(
        seed=options.seed,
        listeners=options.listeners,
        plays_per_second=rate,
        growth=options.growth,
        paid_share=options.paid_share,
        stay_days=options.stay_days,
    )


def _make_timekeeper(options: SimulationOptions, begin: int) -> Timekeeper | None:
    """Return the timekeeper; None for past plays, or without a rate."""
    society = society_of(options)
    if options.start_ms is not None or options.rate is None or society.plays_per_second is None:
        return None
    speed = max(1.0, options.rate * SPARE / society.plays_per_second)
    return Timekeeper(options.seed, begin, speed)


def name_run(options: SimulationOptions) -> str:
    """Return a back-fill's name, a hash of all that determines its plays, else a random name."""
    if options.start_ms is None:
        return uuid.uuid4().hex[:_RUN_LENGTH]
    fixed = (
        *(options.seed, options.rate, options.songs, options.listeners, options.growth),
        *(options.stay_days, options.paid_share, options.catalogue),
        *((options.start_ms, options.scenario) if options.scenario != NO_SCENARIO else ()),
    )
    return hashlib.sha256(repr(fixed).encode()).hexdigest()[:_RUN_LENGTH]
