"""The published charts: rank closed periods, and write a revision where an entry differs."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from crossfade.contract.periods import Period
from crossfade.lake.table_files import count_rows_on
from crossfade.lake.tables import GOLD_CHART, GOLD_LISTENERS, GOLD_SONG_DAY, list_files
from crossfade.processing.batch.chart_files import ChartFile, read_chart_files
from crossfade.processing.batch.ranges import CHARTED_KINDS, days_in, on_days
from crossfade.processing.batch.tables import append_rows, delete_rows, read_table
from crossfade.processing.batch.tuning import tune_for

ChartKey = tuple[str, str, str]
"""Chart, kind of period, the period's first day."""

_ENTRY = (
    *("rank", "id", "title", "artist"),
    *("charted_plays", "counted_plays", "plays", "ms_played"),
)
"""The columns that make an entry differ; the estimate of listeners is not one of them."""


def revise_charts(
    spark: SparkSession, lake: Path, periods: Sequence[Period], chart_size: int
) -> int:
    """Rank the periods, write those with a changed entry as new revisions, and count them."""
    if not periods:
        return 0
    entries = rank_charts(spark, lake, periods, chart_size).persist()
    try:
        ranked = _fingerprints(entries)
        current = _current_fingerprints(spark, lake, periods)
        for chart, period, start in current.keys() - ranked.keys():
            emptied = f"chart = '{chart}' AND period = '{period}' AND period_start = DATE '{start}'"
            delete_rows(spark, lake, GOLD_CHART, where=emptied)
        revisions = {
            key: current.get(key, (0, 0))[0] + 1
            for key, print_ in ranked.items()
            if current.get(key, (0, 0))[1:] != (print_,)
        }
        if revisions:
            _append_revisions(spark, lake, entries, revisions)
    finally:
        entries.unpersist()
    return len(revisions) + len(current.keys() - ranked.keys())


def rank_charts(
    spark: SparkSession, lake: Path, periods: Sequence[Period], chart_size: int
) -> DataFrame:
    """Run every chart's SQL over the periods; a row is an entry, and the best has rank 1."""
    days = days_in(periods)
    tune_for(spark, len(CHARTED_KINDS) * count_rows_on(lake, GOLD_SONG_DAY, days))
    calendar = _build_calendar(spark, periods)
    calendar.createOrReplaceTempView("calendar")
    on = on_days(days)
    read_table(spark, lake, GOLD_SONG_DAY, days).where(on).createOrReplaceTempView("song_day")
    ranked = [_rank_chart(spark.sql(chart.sql), chart) for chart in read_chart_files()]
    entries = reduce(DataFrame.unionByName, ranked).where(F.col("rank") <= chart_size)
    sketches = read_table(spark, lake, GOLD_LISTENERS, days).where(f"grain = 'day' AND {on}")
    return count_listeners(entries, calendar, sketches)


def _build_calendar(spark: SparkSession, periods: Sequence[Period]) -> DataFrame:
    """Return one row for each day of each period."""
    days = [
        {"period": str(period.kind), "period_start": period.start, "date": day}
        for period in periods
        for day in days_in([period])
    ]
    kinds = [("period", pa.string()), ("period_start", pa.date32()), ("date", pa.date32())]
    return spark.createDataFrame(pa.Table.from_pylist(days, pa.schema(kinds)))


def _rank_chart(totals: DataFrame, chart: ChartFile) -> DataFrame:
    best_first = [*(F.col(name).desc() for name in chart.rank_by), F.col("id").asc()]
    rank = F.row_number().over(Window.partitionBy("period", "period_start").orderBy(*best_first))
    return totals.where("charted_plays > 0").select(
        F.lit(chart.name).alias("chart"),
        F.lit(chart.listeners).alias("kind"),
        *totals.columns,
        rank.alias("rank"),
    )


def count_listeners(entries: DataFrame, calendar: DataFrame, sketches: DataFrame) -> DataFrame:
    """Add each entry's number of listeners, estimated from the union of its days' sketches.

    An estimate can exceed the plays that it is of; the listeners of an entry cannot.
    """
    key = ["chart", "period", "period_start", "id"]
    heard = (
        sketches.selectExpr("kind", "key AS id", "date", "listeners")
        .join(calendar, on="date", how="inner")
        .join(entries.select(*key, "kind"), on=["kind", "id", *key[1:3]], how="inner")
        .groupBy(*key)
        .agg(estimate_united("listeners").alias("estimate"))
    )
    listeners = F.when(F.col("estimate").isNotNull(), F.least("estimate", "plays"))
    return entries.join(heard, on=key, how="left").select(
        *entries.columns, listeners.alias("listeners")
    )


def estimate_united(sketch: str) -> Column:
    """Estimate the listeners of a column of sketches as serving does, whatever their order."""
    united = F.hll_union_agg(sketch)
    return F.hll_sketch_estimate(F.hll_union(united, united))


def _fingerprints(entries: DataFrame) -> dict[ChartKey, int]:
    prints = entries.groupBy("chart", "period", "period_start").agg(
        F.bit_xor(F.xxhash64(*_ENTRY)).alias("print")
    )
    return {(row.chart, row.period, str(row.period_start)): row.print for row in prints.collect()}


def _current_fingerprints(
    spark: SparkSession, lake: Path, periods: Sequence[Period]
) -> dict[ChartKey, tuple[int, int]]:
    if not list_files(lake, GOLD_CHART):
        return {}
    asked = {(str(period.kind), str(period.start)) for period in periods}
    kinds, starts = {kind for kind, _ in asked}, {start for _, start in asked}
    prints = (
        read_table(spark, lake, GOLD_CHART)
        .where(F.col("period").isin(sorted(kinds)) & F.col("period_start").isin(sorted(starts)))
        .groupBy("chart", "period", "period_start", "revision")
        .agg(F.bit_xor(F.xxhash64(*_ENTRY)).alias("print"))
        .groupBy("chart", "period", "period_start")
        .agg(F.max(F.struct("revision", "print")).alias("newest"))
    )
    return {
        (row.chart, row.period, str(row.period_start)): (row.newest.revision, row.newest.print)
        for row in prints.collect()
        if (row.period, str(row.period_start)) in asked
    }


def _append_revisions(
    spark: SparkSession, lake: Path, entries: DataFrame, revisions: dict[ChartKey, int]
) -> None:
    names = ("chart", "period", "period_start", "revision")
    rows = [dict(zip(names, (*key, number), strict=True)) for key, number in revisions.items()]
    numbered = spark.createDataFrame(pa.Table.from_pylist(rows)).selectExpr(
        "chart",
        "period",
        "CAST(period_start AS DATE) AS period_start",
        "CAST(revision AS INT) AS revision",
    )
    revised = entries.join(
        F.broadcast(numbered), on=["chart", "period", "period_start"], how="inner"
    )
    append_rows(revised, lake, GOLD_CHART, together_by=["chart", "period"])
