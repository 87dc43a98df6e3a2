"""The answers: trending, charts and geography, from both layers or from gold alone.

Everybody who asks, the API and the command line alike, gets the same answer from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossfade.clock import format_time, utc_date
from crossfade.contract.boundary import NO_BOUNDARY, RECENT_WINDOWS
from crossfade.contract.periods import Period
from crossfade.contract.time_rules import TimeRules
from crossfade.serving.answer_cache import Kept
from crossfade.serving.batch_rows import BatchRows
from crossfade.serving.completeness import Moment, Progress, say_why_incomplete
from crossfade.serving.merge import (
    Names,
    Plan,
    Totals,
    estimate_listeners,
    merge_totals,
    plan_range,
    rank,
)
from crossfade.serving.ranges import AskedRange
from crossfade.serving.rollup import By
from crossfade.serving.snapshot import Snapshot
from crossfade.serving.window_state import WindowState

"""Trending sums so many of the newest windows, the open one included."""

MAX_LIMIT = 1_000
"""The most rows that an answer has."""

_MEASURES = ("charted_plays", "counted_plays", "plays", "ms_played")

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RankedRow:
    """One row to be: its place, key, measures and listeners; of a country also its share."""

    rank: int
    key: str
    totals: Totals
    listeners: int | None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What one request sees: one snapshot of batch, speed if it is read here, the present."""

    snapshot: Snapshot
    speed: WindowState | None
    rules: TimeRules
    now: int
    kept: Kept[list[RankedRow]] = field(default_factory=Kept)


def answer_trending(sight: Sight, *, limit: int = 50, country: str | None = None) -> Answer:
    """Return the songs of the newest windows, the open one included.

    Where speed is not read, those are the newest that batch owns, and the answer says so.
    """
    boundary = sight.snapshot.boundary
    is_batch_alone = sight.speed is None and boundary > NO_BOUNDARY
    end = boundary if is_batch_alone else _end_of_open_window(sight)
    asked = AskedRange(end - RECENT_WINDOWS * sight.rules.grain_ms, end)
    answer = _answer(sight, asked, By.SONG, limit=limit, country=country)
    if is_batch_alone:
        beyond = Plan(days=None, windows=(), speed=(boundary, _end_of_open_window(sight)))
        why = say_why_incomplete(beyond, None, Moment(boundary, sight.now, sight.rules))
        return answer | {"complete": False, "why": why}
    return answer


def answer_chart(
    sight: Sight, by: By, asked: AskedRange, *, limit: int = 50, country: str | None = None
) -> Answer:
    """Return the most played songs or artists of a range; a closed period's as it was published."""
    return _answer(sight, asked, by, limit=limit, country=country, is_chart=True)


def answer_geography(
    sight: Sight, asked: AskedRange, *, limit: int = 250, country: str | None = None
) -> Answer:
    """Return the countries by plays; of one country, its songs."""
    by = By.COUNTRY if country is None else By.SONG
    return _answer(sight, asked, by, limit=limit, country=country)


def _end_of_open_window(sight: Sight) -> int:
    return sight.rules.window_start(sight.now) + sight.rules.grain_ms


def _answer(
    sight: Sight,
    asked: AskedRange,
    by: By,
    *,
    limit: int,
    country: str | None = None,
    is_chart: bool = False,
) -> Answer:
    boundary = sight.snapshot.boundary
    plan = plan_range(asked.begin, asked.end, boundary=boundary, grain_ms=sight.rules.grain_ms)
    version = sight.speed.version if sight.speed is not None and plan.speed is not None else None

    def make() -> list[RankedRow]:
        with BatchRows(sight.snapshot, plan) as batch:
            published = is_chart and country is None and not plan.is_provisional
            ranked = _read_published(batch, by, asked.period, limit) if published else []
            return ranked or _rank_rows(sight, plan, batch, by, limit=limit, country=country)

    key = (plan, asked.period, by, limit, country, version)
    ranked = sight.kept.find_or_make(sight.snapshot, key, make)
    rows = [_to_row(by, one) for one in ranked if not is_chart or one.totals.charted_plays]
    return _wrap(sight, asked, plan, rows)


def _rank_rows(
    sight: Sight, plan: Plan, batch: BatchRows, by: By, *, limit: int, country: str | None
) -> list[RankedRow]:
    speed = sight.speed if plan.speed is not None else None
    ours = speed.roll_up(by, plan.speed, country) if speed and plan.speed else {}
    is_whole_needed = bool(ours) or by is By.COUNTRY
    theirs = batch.roll_up(by, country, limit=None if is_whole_needed else limit)
    merged = merge_totals((theirs, ours))
    whole = sum(one.counted_plays for one in merged.values()) if by is By.COUNTRY else 0
    top = rank(merged, limit)
    keys = [key for key, _ in top]
    # A country's listeners of a song are not kept by batch, only those of the song.
    are_kept = batch.is_empty or country is None or by is By.COUNTRY
    sketches = batch.sketches(by, keys) if are_kept else {}
    details = speed.describe(by, keys, plan.speed, country) if speed and plan.speed else {}
    ranked = []
    for place, (key, totals) in enumerate(top, 1):
        seen = list(sketches.get(key, ()))
        if key in details:
            names, sketch = details[key]
            seen.append(sketch)
            totals = totals._replace(names=max(filter(None, (totals.names, names)), default=None))
        listeners = estimate_listeners(seen) if are_kept else None
        share = round(totals.counted_plays / whole, 4) if whole else None
        ranked.append(RankedRow(place, key, totals, listeners, share))
    return ranked


def _to_row(by: By, one: RankedRow) -> Answer:
    names = one.totals.names or Names(utc_date(0), 0, "", "")
    shown: Mapping[By, Mapping[str, str]] = {
        By.SONG: {"song_id": one.key, "title": names.title, "artist": names.artist},
        By.ARTIST: {"artist": one.key},
        By.COUNTRY: {"country": one.key},
    }
    return {
        "rank": one.rank,
        **shown[by],
        "charted_plays": one.totals.charted_plays,
        "counted_plays": one.totals.counted_plays,
        "plays": one.totals.plays,
        "minutes": round(one.totals.ms_played / 60_000, 2),
        "listeners": one.listeners,
        **({"share": one.share} if by is By.COUNTRY else {}),
    }


def _read_published(batch: BatchRows, by: By, period: Period | None, limit: int) -> list[RankedRow]:
    """Return a closed period's chart as published; nothing if it is not long enough to tell."""
    entries = batch.read_chart(f"{by}s", period, limit) if period is not None else []
    if len(entries) < limit:
        return []
    ranked = []
    for entry in entries:
        names = Names(utc_date(0), 0, entry["title"] or "", entry["artist"])
        totals = Totals(**{name: entry[name] for name in _MEASURES}, names=names)
        ranked.append(RankedRow(entry["rank"], entry["id"], totals, entry["listeners"]))
    return ranked


def _wrap(sight: Sight, asked: AskedRange, plan: Plan, rows: Sequence[Answer]) -> Answer:
    boundary = sight.snapshot.boundary
    progress = sight.speed.progress(sight.now) if sight.speed is not None else None
    why = say_why_incomplete(plan, progress, Moment(boundary, sight.now, sight.rules))
    as_of = _find_as_of(sight, plan, progress)
    return {
        "rows": list(rows),
        "from": format_time(asked.begin) if asked.begin else None,
        "to": format_time(asked.end),
        "boundary": format_time(boundary) if boundary > NO_BOUNDARY else None,
        "as_of": format_time(as_of) if as_of is not None else None,
        "complete": not why,
        "why": why,
        "provisional": plan.is_provisional,
    }


def _find_as_of(sight: Sight, plan: Plan, progress: Progress | None) -> int | None:
    """Return how fresh an answer is: of speed's newest marker, else of batch's publication."""
    if plan.speed is not None and progress is not None and progress.sent_at is not None:
        return progress.sent_at
    run = sight.snapshot.run
    return run.published_at_ms if run is not None else None
