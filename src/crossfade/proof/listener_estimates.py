"""The check that each listener sketch is as close to the exact count as its error allows."""

from datasketches import hll_sketch

from crossfade.clock import DAY_MS, floor_to, format_time
from crossfade.lake.findings import Finding, judge
from crossfade.proof.pinned import PinnedLake

NEAR_ENOUGH = "gold/listeners = listeners of silver, within the sketch's error"

_STATED_ERROR = 0.033
_DEVIATIONS = 6
"""Standard errors allowed: fewer than one right sketch in a hundred million is farther off."""

_CHUNK = 50_000


def check_listeners(pinned: PinnedLake) -> Finding:
    """Compare every sketch with the number of listeners in silver; none may be missing or extra."""
    boundary = pinned.run.boundary
    closed_day = floor_to(boundary, DAY_MS)
    compared, wrong = 0, []
    with pinned.open_cursor(
        "listeners",
        grain=pinned.folder.time_rules.grain_ms,
        boundary=boundary,
        closed_day=closed_day,
        kept_from=closed_day - DAY_MS,
    ) as cursor:
        while rows := cursor.fetchmany(_CHUNK):
            compared += len(rows)
            for span, start_ms, kind, key, people, sketch in rows:
                estimate = hll_sketch.deserialize(sketch).get_estimate() if sketch else 0.0
                if not _is_near(people, estimate):
                    wrong.append(
                        f"{span} {format_time(start_ms)}, {kind} {key}: {people} listeners in "
                        f"silver, {estimate:.0f} by the sketch"
                    )
    found = compared - len(wrong)
    return judge(NEAR_ENOUGH, f"{compared:,} sketches", expected=compared, found=found, wrong=wrong)


def _is_near(people: int, estimate: float) -> bool:
    """Check an estimate: small sketches are exact up to rounding, and 0 is only near 0."""
    if not people or not round(estimate):
        return people == round(estimate)
    return abs(people - estimate) <= max(0.5, _DEVIATIONS * _STATED_ERROR * people)
