"""The answers: trending, charts and geography, from both layers or from gold only.

The API and the command line get the same answers from here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossfade.clock import format_time, utc_date
from crossfade.contract.boundary import NO_BOUNDARY, RECENT_WINDOWS
from crossfade.contract.periods import Period
from crossfade.contract.time_rules import TimeRules
from crossfade.serving.answer_cache import AnswerCache
from crossfade.serving.batch_rows import BatchRows
from crossfade.serving.completeness import SpeedStatus, TimeContext, explain_incompleteness
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

MAX_LIMIT = 1_000
"""The greatest `limit`: an answer has no more rows."""

_MEASURES = ("charted_plays", "counted_plays", "plays", "ms_played")

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A row of an answer before it is formatted; only a country has a share.

    `listeners` is the estimate of a sketch, which can exceed the plays.
    """

    rank: int
    key: str
    totals: Totals
    listeners: int | None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class RequestView:
    """What one request reads: a snapshot of batch, speed if it is read here, and the time.

    `batch_every_ms` is the interval between runs of batch, None if no schedule is known.
    `kafka_ends` are the end offsets of `song-plays` where speed is not read, None if unknown.
    """

    snapshot: Snapshot
    speed: WindowState | None
    rules: TimeRules
    now: int
    cache: AnswerCache[list[RankedRow]] = field(default_factory=AnswerCache)
    status_cache: AnswerCache[Answer] = field(default_factory=AnswerCache)
    batch_every_ms: int | None = None
    kafka_ends: Mapping[int, int] | None = None

    @property
    def speed_status(self) -> SpeedStatus | None:
        """Return how far speed is beyond the snapshot; None if it is not read here."""
        run = self.snapshot.run
        if self.speed is None:
            return None
        if run is None:
            return self.speed.status(self.now)
        return self.speed.status(self.now, boundary=run.boundary, covered=run.end_offsets)

    @property
    def time_context(self) -> TimeContext:
        """Return what the completeness of an answer is checked against."""
        unread = None
        if self.kafka_ends is not None:
            covered = self.snapshot.run.end_offsets if self.snapshot.run is not None else {}
            unread = sum(max(end - covered.get(p, 0), 0) for p, end in self.kafka_ends.items())
        return TimeContext(
            self.snapshot.boundary, self.now, self.rules, self.batch_every_ms, unread
        )


def answer_trending(view: RequestView, *, limit: int = 50, country: str | None = None) -> Answer:
    """Return the songs of the newest windows, the open one included.

    Where speed is not read, these are the newest that batch owns, and `why` says so.
    """
    boundary = view.snapshot.boundary
    is_batch_only = view.speed is None and boundary > NO_BOUNDARY
    end = boundary if is_batch_only else _end_of_open_window(view)
    asked = AskedRange(end - RECENT_WINDOWS * view.rules.grain_ms, end)
    answer = _answer(view, asked, By.SONG, limit=limit, country=country)
    if is_batch_only:
        beyond = Plan(days=None, windows=(), speed=(boundary, _end_of_open_window(view)))
        why = explain_incompleteness(beyond, None, view.time_context)
        return answer | {"complete": False, "why": why}
    return answer


def answer_chart(
    view: RequestView, by: By, asked: AskedRange, *, limit: int = 50, country: str | None = None
) -> Answer:
    """Return the most played songs or artists; those of a closed period as batch published them."""
    return _answer(view, asked, by, limit=limit, country=country, is_chart=True)


def answer_geography(
    view: RequestView, asked: AskedRange, *, limit: int = 250, country: str | None = None
) -> Answer:
    """Return the countries by plays, or the songs of one country."""
    by = By.COUNTRY if country is None else By.SONG
    return _answer(view, asked, by, limit=limit, country=country)


def _end_of_open_window(view: RequestView) -> int:
    return view.rules.window_start(view.now) + view.rules.grain_ms


def _answer(
    view: RequestView,
    asked: AskedRange,
    by: By,
    *,
    limit: int,
    country: str | None = None,
    is_chart: bool = False,
) -> Answer:
    boundary = view.snapshot.boundary
    plan = plan_range(asked.begin, asked.end, boundary=boundary, grain_ms=view.rules.grain_ms)
    version = view.speed.version if view.speed is not None and plan.speed is not None else None

    def compute() -> list[RankedRow]:
        with BatchRows(view.snapshot, plan) as batch:
            published = is_chart and country is None and not plan.is_provisional
            ranked = _read_published(batch, by, asked.period, limit) if published else []
            return ranked or _rank_rows(view, plan, batch, by, limit=limit, country=country)

    key = (is_chart, plan, asked.period, by, limit, country, version)
    ranked = view.cache.get_or_compute(view.snapshot, key, compute)
    rows = [_to_row(by, one) for one in ranked if not is_chart or one.totals.charted_plays]
    return _wrap(view, asked, plan, rows)


def _rank_rows(
    view: RequestView, plan: Plan, batch: BatchRows, by: By, *, limit: int, country: str | None
) -> list[RankedRow]:
    speed = view.speed if plan.speed is not None else None
    of_speed = speed.roll_up(by, plan.speed, country) if speed and plan.speed else {}
    needs_every_key = bool(of_speed) or by is By.COUNTRY
    of_batch = batch.roll_up(by, country, limit=None if needs_every_key else limit)
    merged = merge_totals((of_batch, of_speed))
    all_counted = sum(one.counted_plays for one in merged.values()) if by is By.COUNTRY else 0
    top = rank(merged, limit)
    keys = [key for key, _ in top]
    # Batch keeps the listeners of a song, but not its listeners in one country.
    has_sketches = batch.is_empty or country is None or by is By.COUNTRY
    sketches = batch.read_sketches(by, keys) if has_sketches else {}
    details = speed.describe(by, keys, plan.speed, country) if speed and plan.speed else {}
    artists = _choose_spellings(batch, speed, plan, keys, country) if by is By.ARTIST else {}
    ranked = []
    for place, (key, totals) in enumerate(top, 1):
        if key in artists:
            totals = totals._replace(names=artists[key])
        united = list(sketches.get(key, ()))
        if key in details:
            names, sketch = details[key]
            united.append(sketch)
            totals = totals._replace(names=max(filter(None, (totals.names, names)), default=None))
        listeners = estimate_listeners(united) if has_sketches else None
        share = round(totals.counted_plays / all_counted, 4) if all_counted else None
        ranked.append(RankedRow(place, key, totals, listeners, share))
    return ranked


def _choose_spellings(
    batch: BatchRows,
    speed: WindowState | None,
    plan: Plan,
    keys: Sequence[str],
    country: str | None,
) -> dict[str, Names]:
    """Return the most played spelling of each artist in the range."""
    of_batch = batch.count_spellings(keys, country)
    counts = {key: of_batch.get(key, Counter()) for key in keys}
    if speed is not None and plan.speed is not None:
        speed.count_spellings(counts, plan.speed, country)
    return {
        key: Names(utc_date(0), 0, "", max(spellings, key=lambda name: (spellings[name], name)))
        for key, spellings in counts.items()
        if spellings
    }


def _to_row(by: By, one: RankedRow) -> Answer:
    names = one.totals.names or Names(utc_date(0), 0, "", "")
    shown: Mapping[By, Mapping[str, str]] = {
        By.SONG: {"song_id": one.key, "title": names.title, "artist": names.artist},
        By.ARTIST: {"artist": names.artist},
        By.COUNTRY: {"country": one.key},
    }
    return {
        "rank": one.rank,
        **shown[by],
        "charted_plays": one.totals.charted_plays,
        "counted_plays": one.totals.counted_plays,
        "plays": one.totals.plays,
        "minutes": round(one.totals.ms_played / 60_000, 2),
        "listeners": None if one.listeners is None else min(one.listeners, one.totals.plays),
        **({"share": one.share} if by is By.COUNTRY else {}),
    }


def _read_published(batch: BatchRows, by: By, period: Period | None, limit: int) -> list[RankedRow]:
    """Return a closed period's published chart; nothing if it has fewer entries than asked for."""
    entries = batch.read_chart(by, period, limit) if period is not None else []
    if len(entries) < limit:
        return []
    ranked = []
    for entry in entries:
        names = Names(utc_date(0), 0, entry["title"] or "", entry["artist"])
        totals = Totals(**{name: entry[name] for name in _MEASURES}, names=names)
        ranked.append(RankedRow(entry["rank"], entry["id"], totals, entry["listeners"]))
    return ranked


def _wrap(view: RequestView, asked: AskedRange, plan: Plan, rows: Sequence[Answer]) -> Answer:
    boundary = view.snapshot.boundary
    status = view.speed_status
    why = explain_incompleteness(plan, status, view.time_context)
    as_of = _find_as_of(view, plan, status)
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


def _find_as_of(view: RequestView, plan: Plan, status: SpeedStatus | None) -> int | None:
    """Return the time of speed's newest marker if speed has a part, else of batch's publication."""
    if plan.speed is not None and status is not None and status.sent_at is not None:
        return status.sent_at
    run = view.snapshot.run
    return run.published_at_ms if run is not None else None
