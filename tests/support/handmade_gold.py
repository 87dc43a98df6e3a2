"""Gold derived from silver in plain Python: counts, caps, charts, names and sketches."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from datasketches import hll_sketch

from crossfade.clock import DAY_MS, HOUR_MS, utc_date
from crossfade.contract.periods import period_holding

Row = dict[str, Any]

_GRAIN = ("country", "song_id", "title", "artist", "album", "genre", "artist_key")


def derive_gold(silver: list[Row], *, boundary: int, grain_ms: int) -> dict[str, list[Row]]:
    """Derive every table of gold except its runs, for the days that batch closes and keeps."""
    closed_day, closed_hour = boundary // DAY_MS * DAY_MS, boundary // HOUR_MS * HOUR_MS
    charted: Counter[tuple[object, ...]] = Counter()
    days: dict[tuple[object, ...], Row] = {}
    hours: dict[tuple[object, ...], Row] = {}
    windows: dict[tuple[object, ...], Row] = {}
    for play in sorted(silver, key=lambda one: (one["event_time"], one["event_id"])):
        at, day = play["event_time"], play["date"]
        song = {name: play[name] for name in _GRAIN}
        nth = (play["user_id"], play["song_id"], day)
        charted[nth] += play["is_counted"]
        is_charted = play["is_counted"] and charted[nth] <= 10
        if at < closed_day:
            _add(days, {**song, "date": day}, play, is_charted=is_charted)
        if at < closed_hour:
            hour = {"hour_start": at // HOUR_MS * HOUR_MS, "country": play["country"], "date": day}
            _add(hours, hour, play, is_charted=is_charted if at < closed_day else None)
        if at < boundary and at >= closed_day - DAY_MS:
            window = {"window_start": at // grain_ms * grain_ms, **song, "date": day}
            _add(windows, window, play, is_charted=False)
    return {
        "gold/song_day": list(days.values()),
        "gold/activity_hour": list(hours.values()),
        "gold/song_window": list(windows.values()),
        "gold/chart": _charts(list(days.values()), utc_date(closed_day)),
        "gold/listeners": _listeners(silver, boundary=boundary, grain_ms=grain_ms),
        "gold/song": _songs(silver),
    }


def _songs(silver: list[Row]) -> list[Row]:
    newest: dict[str, Row] = {}
    for play in sorted(silver, key=lambda one: (one["event_time"], one["event_id"])):
        newest[play["song_id"]] = play
    names = ("song_id", "title", "artist", "album", "event_time", "event_id")
    return [{name: play[name] for name in names} for play in newest.values()]


def _listeners(silver: list[Row], *, boundary: int, grain_ms: int) -> list[Row]:
    closed_day = boundary // DAY_MS * DAY_MS
    people: dict[tuple[str, int, str, str], set[str]] = defaultdict(set)
    for play in silver:
        at = play["event_time"]
        spans = []
        if at < closed_day:
            spans.append(("day", at // DAY_MS * DAY_MS))
        if closed_day - DAY_MS <= at < boundary:
            spans.append(("window", at // grain_ms * grain_ms))
        keys = {"song": play["song_id"], "artist": play["artist_key"], "country": play["country"]}
        if play["city"] is not None:
            keys["city"] = f"{play['country']}/{play['city']}"
        for span, start in spans:
            for kind, key in keys.items():
                people[span, start, kind, key].add(play["user_id"])
    return [
        {
            "grain": span,
            "period_start": start,
            "kind": kind,
            "key": key,
            "listeners": sketch_of(users),
            "date": utc_date(start),
        }
        for (span, start, kind, key), users in people.items()
    ]


def sketch_of(users: Iterable[str]) -> bytes:
    """Sketch listeners as Spark does: HyperLogLog, lgK 10."""
    sketch = hll_sketch(10)
    for user in users:
        sketch.update(user)
    return bytes(sketch.serialize_compact())


def _add(
    rows: dict[tuple[object, ...], Row], grain: Row, play: Row, *, is_charted: bool | None
) -> None:
    zero = dict.fromkeys(("plays", "counted_plays", "charted_plays", "ms_played"), 0)
    row = rows.setdefault(tuple(grain.values()), {**grain, **zero})
    row["plays"] += 1
    row["counted_plays"] += play["is_counted"]
    row["charted_plays"] = None if is_charted is None else row["charted_plays"] + is_charted
    row["ms_played"] += play["ms_played"] or 0


def _charts(days: list[Row], closed_until: date) -> list[Row]:
    measures = ("charted_plays", "counted_plays", "plays", "ms_played")
    sums: dict[tuple[str, str, date], dict[str, Counter[str]]] = defaultdict(
        lambda: defaultdict(Counter)
    )
    spellings: dict[tuple[str, date, str], Counter[str]] = defaultdict(Counter)
    names = {row["song_id"]: (row["title"], row["artist"]) for row in sorted(days, key=_newness)}
    for row in days:
        for kind in ("day", "week", "month", "year"):
            period = period_holding(kind, row["date"])
            if period.start is None or not period.is_closed(closed_until):
                continue
            for chart, entry in (("songs", row["song_id"]), ("artists", row["artist_key"])):
                sums[chart, kind, period.start][entry].update({m: row[m] for m in measures})
                spellings[kind, period.start, entry][row["artist"]] += row["plays"]
    return [
        {
            "chart": chart,
            "period": kind,
            "period_start": start,
            "revision": 1,
            "rank": rank,
            "id": entry,
            "title": names[entry][0] if chart == "songs" else None,
            "artist": names[entry][1]
            if chart == "songs"
            else max((plays, name) for name, plays in spellings[kind, start, entry].items())[1],
            **counts,
        }
        for (chart, kind, start), entries in sums.items()
        for rank, (entry, counts) in enumerate(
            sorted(entries.items(), key=lambda one: (*(-one[1][m] for m in measures), one[0])), 1
        )
        if counts["charted_plays"]
    ]


def _newness(row: Row) -> tuple[object, ...]:
    return row["date"], row["plays"], row["title"], row["artist"]
