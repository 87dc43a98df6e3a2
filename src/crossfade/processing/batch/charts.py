"""The published charts: closed periods ranked anew, and written only where an entry differs."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from crossfade.clock import DAY_MS, day_start_ms, utc_date
from crossfade.contract.periods import Period
from crossfade.lake import GOLD_CHART, GOLD_LISTENERS, GOLD_SONG_DAY, list_files
from crossfade.processing.batch.chart_files import ChartFile, read_chart_files
from crossfade.processing.batch.ranges import on_days
from crossfade.processing.batch.tables import append_rows, delete_rows, read_table

ChartKey = tuple[str, str, str]
"""Chart, kind of period, the period's first day."""

_ENTRY = (
    *("rank", "id", "title", "artist"),
    *("charted_plays", "counted_plays", "plays", "ms_played"),
)
"""What makes an entry differ: the estimate of listeners alone does not."""


def revise_charts(
    spark: SparkSession, lake: Path, periods: Sequence[Period], chart_size: int
) -> int:
    """Rank the periods anew, write those with another entry as a new revision, and count them."""
    if not periods:
        return 0
    entries = rank_charts(spark, lake, periods, chart_size).persist()
    try:
        ranked = _fingerprints(entries)
        current = _current_fingerprints(spark, lake, periods)
        for chart, period, start in current.keys() - ranked.keys():
            emptied = f"chart = '{chart}' AND period = '{period}' AND period_start = '{start}'"
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
    """Run every chart's SQL over the periods; a row is an entry, best rank 1."""
    days = [
        (str(period.kind), period.start, utc_date(time))
        for period in periods
        if period.start is not None
        for time in range(day_start_ms(period.start), day_start_ms(period.end), DAY_MS)
    ]
    calendar = spark.createDataFrame(days, "period STRING, period_start DATE, date DATE")
    calendar.createOrReplaceTempView("calendar")
    on = on_days({day for _, _, day in days})
    read_table(spark, lake, GOLD_SONG_DAY).where(on).createOrReplaceTempView("song_day")
    ranked = [_rank_chart(spark.sql(chart.sql), chart) for chart in read_chart_files()]
    entries = reduce(DataFrame.unionByName, ranked).where(F.col("rank") <= chart_size)
    sketches = read_table(spark, lake, GOLD_LISTENERS).where(f"grain = 'day' AND {on}")
    return _count_listeners(entries, calendar, sketches)


def _rank_chart(totals: DataFrame, chart: ChartFile) -> DataFrame:
    best_first = [*(F.col(name).desc() for name in chart.rank_by), F.col("id").asc()]
    rank = F.row_number().over(Window.partitionBy("period", "period_start").orderBy(*best_first))
    return totals.where("charted_plays > 0").select(
        F.lit(chart.name).alias("chart"),
        F.lit(chart.listeners).alias("kind"),
        *totals.columns,
        rank.alias("rank"),
    )


def _count_listeners(entries: DataFrame, calendar: DataFrame, sketches: DataFrame) -> DataFrame:
    """Add to each entry how many listeners it had, from the united sketches of its days."""
    key = ["chart", "period", "period_start", "id"]
    days = calendar.withColumnRenamed("date", "day")
    by_day = sketches.selectExpr("kind", "key AS id", "date AS day", "listeners")
    heard = (
        entries.select(*key, "kind")
        .join(days, on=["period", "period_start"], how="inner")
        .join(by_day, on=["kind", "id", "day"], how="inner")
        .groupBy(*key)
        .agg(F.hll_sketch_estimate(F.hll_union_agg("listeners")).alias("listeners"))
    )
    return entries.join(heard, on=key, how="left")


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
    rows = [(*key, revision) for key, revision in sorted(revisions.items())]
    schema = "chart STRING, period STRING, period_start STRING, revision INT"
    numbered = spark.createDataFrame(rows, schema).selectExpr(
        "chart", "period", "CAST(period_start AS DATE) AS period_start", "revision"
    )
    revised = entries.join(
        F.broadcast(numbered), on=["chart", "period", "period_start"], how="inner"
    )
    append_rows(revised.repartition("chart", "period"), lake, GOLD_CHART)
