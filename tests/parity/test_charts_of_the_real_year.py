"""A real year of listening: compare the published charts with DuckDB's over the same files."""

from typing import TYPE_CHECKING

import pytest

from crossfade.clock import parse_time
from crossfade.config import load_settings
from crossfade.folder import open_folder
from crossfade.ingest.files import open_source
from crossfade.ingest.formats import ImportFormat
from crossfade.ingest.importing import read_plays
from crossfade.ingest.readers import ImportOptions, reader_of
from crossfade.ingest.report import ImportReport
from crossfade.ingest.sample import sample_year_path
from support.batch_bench import BatchBench, newest_entries
from support.handmade_lake import NOON, Record

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

_CHARTS = """
WITH ranked AS (
  SELECT *, row_number() OVER (
    PARTITION BY date, user_id, song_id, is_counted ORDER BY event_time, event_id
  ) AS nth
  FROM silver_plays
),
periods AS (
  SELECT *, unnest([
    {{'period': 'day', 'start': date, 'length': INTERVAL 1 DAY}},
    {{'period': 'week', 'start': CAST(date - INTERVAL 1 DAY * ((isodow(date) + 2) % 7) AS DATE),
      'length': INTERVAL 7 DAY}},
    {{'period': 'month', 'start': CAST(date_trunc('month', date) AS DATE),
      'length': INTERVAL 1 MONTH}},
    {{'period': 'year', 'start': CAST(date_trunc('year', date) AS DATE),
      'length': INTERVAL 1 YEAR}}
  ]) AS of
  FROM ranked
),
totals AS (
  SELECT
    of.period AS period,
    of.start AS period_start,
    {entry} AS id,
    count(*) FILTER (is_counted AND nth <= 10) AS charted_plays,
    count(*) FILTER (is_counted) AS counted_plays,
    count(*) AS plays,
    sum(coalesce(ms_played, 0))::BIGINT AS ms_played
  FROM periods
  WHERE of.start + of.length <= DATE '{closed}'
  GROUP BY ALL
),
entries AS (
  SELECT *, row_number() OVER (
    PARTITION BY period, period_start
    ORDER BY charted_plays DESC, counted_plays DESC, plays DESC, ms_played DESC, id
  ) AS rank
  FROM totals WHERE charted_plays > 0
)
SELECT period, period_start, rank, id, charted_plays, counted_plays, plays, ms_played
FROM entries WHERE rank <= 200
"""


@pytest.fixture(scope="module")
def year(spark: "SparkSession", tmp_path_factory: pytest.TempPathFactory) -> BatchBench:
    """Return a lake with the year and one published run."""
    data = tmp_path_factory.mktemp("year") / "data"
    bench = BatchBench(spark, open_folder(load_settings(data=data)), partitions=1)
    bench.archive(records_of_the_year(0))
    bench.published()
    return bench


def records_of_the_year(first_offset: int) -> list[Record]:
    read = reader_of(ImportFormat.SPOTIFY, ImportOptions(user_id="me"))
    name = str(sample_year_path())
    with open_source(name) as file:
        plays = read_plays(name, file, read, ImportReport(), clock_slack_ms=1_000)
        return [Record(0, first_offset + n, value, NOON) for n, (_, value) in enumerate(plays)]


def test_every_play_of_the_year_is_accepted(year: BatchBench) -> None:
    [sums] = year.ask(
        "SELECT sum(plays) AS plays, sum(counted_plays) AS counted, sum(ms_played) AS ms "
        "FROM gold_song_day"
    )
    assert sums == {"plays": 29_632, "counted": 18_075, "ms": 4_202_224_862}
    run = year.runs[0]
    assert (run.counts.accepted, run.counts.rejected, run.counts.duplicates) == (29_632, 0, 0)
    assert (run.counts.counted_plays, run.counts.ms_played) == (18_075, 4_202_224_862)


def test_a_play_counts_on_the_day_it_began(year: BatchBench) -> None:
    query = "SELECT sum(counted_plays) AS n FROM gold_song_day WHERE date = '2018-10-05'"
    assert year.ask(query) == [{"n": 72}]


@pytest.mark.parametrize(
    ("chart", "period", "start", "best"),
    [
        ("songs", "month", "2019-06-01", ("Berlin", "Milliarden", 26)),
        ("artists", "month", "2018-12-01", (None, "James Vincent McMorrow", 100)),
        (
            "songs",
            "week",
            "2019-06-28",
            ("Robinson Crusoe", "Jules Ahoi & the Deepsea Orchestra", 14),
        ),
    ],
)
def test_the_best_of_known_periods(
    year: BatchBench, chart: str, period: str, start: str, best: tuple[object, ...]
) -> None:
    [entry] = year.ask(
        "SELECT title, artist, charted_plays FROM gold_chart "
        f"WHERE chart = '{chart}' AND period = '{period}' AND period_start = '{start}' AND rank = 1"
    )
    assert tuple(entry.values()) == best


@pytest.mark.parametrize(("chart", "entry"), [("songs", "song_id"), ("artists", "artist_key")])
def test_duckdb_finds_the_same_entries_in_the_same_files(
    year: BatchBench, chart: str, entry: str
) -> None:
    expected = year.ask(_CHARTS.format(entry=entry, closed="2026-01-01"))
    published = newest_entries([row for row in year.rows("gold/chart") if row["chart"] == chart])
    assert len(published) > 10_000
    names = list(expected[0])
    assert sorted([str(row[name]) for name in names] for row in published) == sorted(
        [str(row[name]) for name in names] for row in expected
    )


def test_the_same_year_again_is_all_duplicates_and_moves_no_number(year: BatchBench) -> None:
    before = year.runs[0]
    sums = year.ask("SELECT count(*) AS n, sum(charted_plays) AS charted FROM gold_chart")
    year.archive(records_of_the_year(29_632))
    run = year.published()
    assert (run.counts.accepted, run.counts.rejected, run.counts.duplicates) == (0, 0, 29_632)
    assert run.counts.revised_charts == 0
    assert year.ask("SELECT count(*) AS n, sum(charted_plays) AS charted FROM gold_chart") == sums
    moved = {name for name, version in run.pins.items() if before.pins[name] != version}
    assert moved == {"bronze/song_plays", "silver/duplicates"}
    assert parse_time("2026-01-01") <= run.boundary == before.boundary
