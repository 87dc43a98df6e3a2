"""The count of an import's plays as batch will count them: each play once."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Self

import pyarrow as pa

from crossfade.clock import utc_date
from crossfade.contract.play import Play
from crossfade.ingest.report import ImportReport
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import Run
from crossfade.lake.tables import SILVER_PLAYS, list_files

_AT_ONCE = 100_000
"""Plays that are looked up together; they take some 20 MB."""

_NAMES = ["position", "user_id", "event_id", "day", "is_counted", "ms_played"]
_TYPES = [pa.int64(), pa.string(), pa.string(), pa.int32(), pa.bool_(), pa.int64()]
_ADDED = """
CREATE OR REPLACE TEMP TABLE added AS
SELECT *, DATE '1970-01-01' + day AS date, hash(user_id, event_id, day) AS identity FROM given
"""
_JUDGE = """
CREATE OR REPLACE TEMP TABLE judged AS
WITH known AS (
  SELECT identity FROM in_kafka SEMI JOIN added USING (identity)
  UNION ALL
  SELECT identity FROM added JOIN silver_plays USING (user_id, event_id, date)
  WHERE month BETWEEN {first} AND {last}
), earlier AS (
  SELECT identity FROM in_files SEMI JOIN added USING (identity)
)
SELECT
  is_counted, ms_played, identity, identity IN (SELECT identity FROM known) AS is_known,
  identity IN (SELECT identity FROM earlier)
    OR row_number() OVER (PARTITION BY identity ORDER BY position) > 1 AS is_repeated
FROM added
"""
_SUM = """
SELECT
  count(*) FILTER (is_known),
  count(*) FILTER (NOT is_known AND is_repeated),
  count(*) FILTER (NOT is_known AND NOT is_repeated AND is_counted),
  coalesce(sum(ms_played) FILTER (NOT is_known AND NOT is_repeated), 0)
FROM judged
"""


class Tally:
    """Adds an import's plays to its report; use it as a context manager.

    A play is known if silver, at the version that a run pinned, or Kafka held it before. It is
    repeated if an earlier row of the import is the same play.
    """

    def __init__(self, lake: Path, run: Run | None) -> None:
        self.report = ImportReport()
        self._plays: list[Play] = []
        pin = None if run is None else run.pins.get(SILVER_PLAYS.name)
        files = [] if run is None else list_files(lake, SILVER_PLAYS, pin)
        self._connection = connect()
        register_table(self._connection, SILVER_PLAYS, files)
        for name in ("in_kafka", "in_files"):
            self._connection.execute(f"CREATE TEMP TABLE {name} (identity UBIGINT)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def know(self, plays: Iterable[Play]) -> None:
        """Note plays that Kafka holds already."""
        for some in _cut(plays):
            self._register(some)
            self._connection.execute("INSERT INTO in_kafka SELECT identity FROM added")

    def add(self, play: Play) -> None:
        """Add a play that is sent."""
        self.report.add_play(play)
        self._plays.append(play)
        if len(self._plays) == _AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Bring the report up to date."""
        if not self._plays:
            return
        self._register(self._plays)
        days = [play.event_time for play in self._plays]
        first, last = (f"'{utc_date(day):%Y-%m}'" for day in (min(days), max(days)))
        self._plays.clear()
        self._connection.execute(_JUDGE.format(first=first, last=last))
        self._connection.execute("INSERT INTO in_files SELECT identity FROM judged")
        [(known, repeated, counted, ms_played)] = self._connection.execute(_SUM).fetchall()
        self.report.known += known
        self.report.repeated += repeated
        self.report.counted += counted
        self.report.ms_played += int(ms_played)

    def _register(self, plays: Sequence[Play]) -> None:
        """Make plays the table `added`."""
        rows = [
            (n, *play.identity, play.is_counted, play.ms_played or 0)
            for n, play in enumerate(plays)
        ]
        columns = zip(*rows, strict=True)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, _TYPES, strict=True)]
        self._connection.register("given", pa.table(arrays, _NAMES))
        self._connection.execute(_ADDED)


def _cut(plays: Iterable[Play]) -> Iterator[Sequence[Play]]:
    rest = iter(plays)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
