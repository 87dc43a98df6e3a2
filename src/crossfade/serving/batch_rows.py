"""What batch says of a plan's part below the boundary, read with DuckDB from one snapshot."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from crossfade.clock import utc_date
from crossfade.contract.periods import Period
from crossfade.serving.merge import Names, Plan, Span, Totals
from crossfade.serving.rollup import By
from crossfade.serving.snapshot import Snapshot

_KEY = {By.SONG: "song_id", By.ARTIST: "artist", By.COUNTRY: "country"}
_RANKED = "charted_plays DESC, counted_plays DESC, plays DESC, ms_played DESC, key"


class BatchRows:
    """The batch side of one request: one cursor on one snapshot, for one plan."""

    def __init__(self, snapshot: Snapshot, plan: Plan) -> None:
        self._snapshot = snapshot
        self._plan = plan
        self._cursor = snapshot.cursor()

    def __enter__(self) -> "BatchRows":
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()

    @property
    def is_empty(self) -> bool:
        """Tell whether batch owns nothing of the range."""
        return self._plan.days is None and not self._plan.windows

    def roll_up(
        self, by: By, country: str | None = None, *, limit: int | None = None
    ) -> dict[str, Totals]:
        """Give the measures of each key; with a limit, of the first ranked ones alone."""
        parts = list(self._count_parts(by, country))
        if not parts:
            return {}
        queries = " UNION ALL ".join(query for query, _ in parts)
        values = [value for _, given in parts for value in given]
        cut = f" ORDER BY {_RANKED} LIMIT {int(limit)}" if limit is not None else ""
        rows = self._cursor.execute(
            "SELECT key, sum(charted_plays) AS charted_plays, sum(counted_plays) AS counted_plays, "
            "sum(plays) AS plays, sum(ms_played) AS ms_played, max(names) AS names "
            f"FROM ({queries}) GROUP BY key{cut}",
            values,
        ).fetchall()
        return {row[0]: _to_totals(row[1:], has_names=by is By.SONG) for row in rows}

    def sketches(self, by: By, keys: Sequence[str]) -> dict[str, list[bytes]]:
        """Give the listeners' sketches of each key."""
        found: dict[str, list[bytes]] = defaultdict(list)
        for table, grain, span in self._sketch_parts():
            days = "date >= ? AND date <= ?"
            inside = "epoch_ms(period_start) >= ? AND epoch_ms(period_start) < ?"
            rows = self._cursor.execute(
                f"SELECT key, listeners FROM {table} WHERE grain = ? AND kind = ? AND {days} "
                f"AND {inside} AND key IN (SELECT unnest(?))",
                [grain, str(by), *_days_of(span), *span, list(keys)],
            ).fetchall()
            for key, sketch in rows:
                found[key].append(sketch)
        return found

    def read_chart(self, chart: str, period: Period, limit: int) -> list[dict[str, Any]]:
        """Give the first entries of a published chart's newest revision."""
        return self._fetch(
            "SELECT rank, id, title, artist, charted_plays, counted_plays, plays, ms_played, "
            "listeners FROM gold_chart WHERE chart = $chart AND period = $period "
            "AND period_start = $start AND revision = (SELECT max(revision) FROM gold_chart "
            "WHERE chart = $chart AND period = $period AND period_start = $start) "
            "AND rank <= $last ORDER BY rank",
            {
                "chart": chart,
                "period": str(period.kind),
                "start": period.start,
                "last": limit,
            },
        )

    def _fetch(self, query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        result = self._cursor.execute(query, values)
        columns = [column[0] for column in result.description]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]

    def _count_parts(self, by: By, country: str | None) -> Iterable[tuple[str, list[Any]]]:
        names = "{'day': date, 'plays': plays, 'title': title, 'artist': artist}"
        names = names if by is By.SONG else "NULL"
        selected = f"SELECT {_KEY[by]} AS key, counted_plays, plays, ms_played, {names} AS names"
        of_country = " AND country = ?" if country is not None else ""
        more = [country] if country is not None else []
        if self._plan.days is not None:
            first, last = self._plan.days
            yield (
                f"{selected}, charted_plays FROM gold_song_day "
                f"WHERE date >= ? AND date < ?{of_country}",
                [utc_date(first), utc_date(last), *more],
            )
        for span in self._plan.windows:
            yield (
                f"{selected}, counted_plays AS charted_plays FROM {self._table(span, 'window')} "
                "WHERE date >= ? AND date <= ? "
                f"AND epoch_ms(window_start) >= ? AND epoch_ms(window_start) < ?{of_country}",
                [*_days_of(span), *span, *more],
            )

    def _sketch_parts(self) -> Iterable[tuple[str, str, Span]]:
        if self._plan.days is not None:
            yield "gold_listeners", "day", self._plan.days
        for span in self._plan.windows:
            yield self._table(span, "listeners"), "window", span

    def _table(self, span: Span, kind: str) -> str:
        if span[0] >= self._snapshot.recent_from:
            return f"recent_{kind}"
        return "gold_song_window" if kind == "window" else "gold_listeners"


def _days_of(span: Span) -> tuple[date, date]:
    return utc_date(span[0]), utc_date(span[1] - 1)


def _to_totals(measures: Sequence[Any], *, has_names: bool) -> Totals:
    charted, counted, plays, ms_played, names = measures
    shown = Names(**names) if has_names and names else None
    return Totals(int(charted), int(counted), int(plays), int(ms_played), shown)
