"""The batch part of an answer, read with DuckDB from one snapshot."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from crossfade.clock import utc_date
from crossfade.contract.counting import RULES_VERSION
from crossfade.contract.periods import Period
from crossfade.lake.tables import GOLD_CHART, GOLD_LISTENERS, GOLD_SONG_DAY, GOLD_SONG_WINDOW, Table
from crossfade.serving.merge import Names, Plan, Span, Totals
from crossfade.serving.rollup import By
from crossfade.serving.snapshot import Snapshot, scan_sql

_KEY = {By.SONG: "song_id", By.ARTIST: "artist_key", By.COUNTRY: "country"}
_NAMES = {
    By.SONG: "{'day': date, 'plays': plays, 'title': title, 'artist': artist}",
    By.ARTIST: "artist",
    By.COUNTRY: "NULL",
}
_CHART = {By.SONG: "songs", By.ARTIST: "artists"}
"""The names of the published charts; there is none of countries."""
_ENTRY = (
    *("rank", "id", "title", "artist"),
    *("charted_plays", "counted_plays", "plays", "ms_played", "listeners"),
)
_RANKED = "charted_plays DESC, counted_plays DESC, plays DESC, ms_played DESC, key"


class BatchRows:
    """Reads batch's part of one plan; use it as a context: it holds a cursor on the snapshot."""

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
        """Check whether batch owns nothing of the range."""
        return self._plan.days is None and not self._plan.windows

    def roll_up(
        self, by: By, country: str | None = None, *, limit: int | None = None
    ) -> dict[str, Totals]:
        """Return the measures of each key; with a limit, only of the first ranked ones."""
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

    def count_spellings(
        self, keys: Sequence[str], country: str | None = None
    ) -> dict[str, Counter[str]]:
        """Count the plays of each spelling of some artists, by key."""
        parts = list(self._count_parts(By.ARTIST, country))
        if not parts:
            return {}
        queries = " UNION ALL ".join(query for query, _ in parts)
        values = [value for _, given in parts for value in given]
        rows = self._cursor.execute(
            f"SELECT key, names, sum(plays) FROM ({queries}) "
            "WHERE key IN (SELECT unnest(?)) GROUP BY ALL",
            [*values, list(keys)],
        ).fetchall()
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for key, artist, plays in rows:
            found[key][artist] += int(plays)
        return found

    def read_sketches(self, by: By, keys: Sequence[str]) -> dict[str, list[bytes]]:
        """Read the sketches of each key's listeners, one for each day or window."""
        found: dict[str, list[bytes]] = defaultdict(list)
        for grain, span in self._spans():
            source, files = self._source(GOLD_LISTENERS, span)
            if files == [[]]:
                continue
            inside = "date BETWEEN ? AND ? AND epoch_ms(period_start) BETWEEN ? AND ?"
            days = utc_date(span[0]), utc_date(span[1] - 1)
            rows = self._cursor.execute(
                f"SELECT key, listeners FROM {source} WHERE grain = ? AND kind = ? "
                f"AND {inside} AND key IN (SELECT unnest(?))",
                [*files, grain, str(by), *days, span[0], span[1] - 1, list(keys)],
            ).fetchall()
            for key, sketch in rows:
                found[key].append(sketch)
        return found

    def read_chart(self, by: By, period: Period, limit: int) -> list[dict[str, Any]]:
        """Read the first entries of a published chart's newest revision."""
        chart = _CHART.get(by)
        files = self._snapshot.files_of_chart(chart, str(period.kind)) if chart else []
        if not files:
            return []
        of_period = f"FROM {scan_sql(GOLD_CHART)} WHERE period_start = ?"
        result = self._cursor.execute(
            f"SELECT {', '.join(_ENTRY)} {of_period} AND rank <= ? "
            f"AND revision = (SELECT max(revision) {of_period}) ORDER BY rank",
            [files, period.start, limit, files, period.start],
        )
        return [dict(zip(_ENTRY, row, strict=True)) for row in result.fetchall()]

    def _count_parts(self, by: By, country: str | None) -> Iterable[tuple[str, list[Any]]]:
        run = self._snapshot.run
        by_artist = by is By.ARTIST and run is not None and run.rules != RULES_VERSION
        column = "artist" if by_artist else _KEY[by]  # runs by older rules have no artist_key
        selected = f"SELECT {column} AS key, counted_plays, plays, ms_played, {_NAMES[by]} AS names"
        of_country = " AND country = ?" if country is not None else ""
        countries = [country] if country is not None else []
        for grain, span in self._spans():
            if grain == "day":
                table, charted = GOLD_SONG_DAY, "charted_plays"
                inside = "date >= ? AND date < ?"
                bounds: list[Any] = [utc_date(time) for time in span]
            else:
                table, charted = GOLD_SONG_WINDOW, "counted_plays AS charted_plays"
                inside = "epoch_ms(window_start) >= ? AND epoch_ms(window_start) < ?"
                bounds = [*span]
            source, files = self._source(table, span)
            if files != [[]]:
                query = f"{selected}, {charted} FROM {source} WHERE {inside}{of_country}"
                yield query, [*files, *bounds, *countries]

    def _spans(self) -> Iterable[tuple[str, Span]]:
        if self._plan.days is not None:
            yield "day", self._plan.days
        for span in self._plan.windows:
            yield "window", span

    def _source(self, table: Table, span: Span) -> tuple[str, list[list[str]]]:
        """Return the SQL source of a span and its parameters: a table in memory, or files."""
        if span[0] >= self._snapshot.recent_from and table is not GOLD_SONG_DAY:
            return ("recent_window" if table is GOLD_SONG_WINDOW else "recent_listeners"), []
        days = utc_date(span[0]), utc_date(span[1] - 1)
        return scan_sql(table), [self._snapshot.files_on(table, *days)]


def _to_totals(measures: Sequence[Any], *, has_names: bool) -> Totals:
    charted, counted, plays, ms_played, names = measures
    shown = Names(**names) if has_names and names else None
    return Totals(int(charted), int(counted), int(plays), int(ms_played), shown)
