"""Serving merges Spark's sketches of listeners with the same result as Spark."""

from typing import TYPE_CHECKING

import pytest
from datasketches import hll_sketch

from crossfade.contract.counting import SKETCH_LG_K
from crossfade.processing.batch.charts import count_listeners, estimate_united
from crossfade.serving.merge import estimate_listeners

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.mark.parametrize("listeners", [1, 7, 300, 20_000], ids="{} listeners".format)
def test_serving_reads_and_merges_sketches_as_spark_does(
    spark: "SparkSession", listeners: int
) -> None:
    sketched = spark.sql(
        "SELECT id % 20 AS part, "
        f"hll_sketch_agg(concat('user-', id % {listeners}), {SKETCH_LG_K}) AS sketch "
        f"FROM range({3 * listeners}) GROUP BY id % 20"
    )
    [united] = sketched.agg(estimate_united("sketch").alias("listeners")).collect()

    ours = estimate_listeners(bytes(row.sketch) for row in sketched.collect())

    assert ours == united.listeners
    assert ours == pytest.approx(listeners, rel=0.1)


@pytest.mark.parametrize(
    ("plays", "listeners"), [(1, 1), (299, 299), (100_000, None)], ids="{} plays".format
)
def test_a_published_entry_never_has_more_listeners_than_plays(
    spark: "SparkSession", plays: int, listeners: int | None
) -> None:
    day = "DATE '2019-06-01' AS date"
    key = "'songs' AS chart, 'day' AS period, DATE '2019-06-01' AS period_start"
    entries = spark.sql(
        f"SELECT {key}, 'song' AS kind, id, {plays}L AS plays "
        "FROM VALUES ('heard'), ('not') AS songs(id)"
    )
    calendar = spark.sql(f"SELECT 'day' AS period, DATE '2019-06-01' AS period_start, {day}")
    sketches = spark.sql(
        f"SELECT 'song' AS kind, 'heard' AS key, {day}, "
        f"hll_sketch_agg(concat('user-', id), {SKETCH_LG_K}) AS listeners FROM range(20000)"
    )
    [estimated] = sketches.agg(estimate_united("listeners").alias("all")).collect()

    counted = count_listeners(entries, calendar, sketches).collect()

    expected = estimated["all"] if listeners is None else listeners
    assert {row.id: row.listeners for row in counted} == {"heard": expected, "not": None}


def test_spark_and_serving_give_one_listener_the_same_place_in_a_sketch(
    spark: "SparkSession",
) -> None:
    [row] = spark.sql(
        f"SELECT hll_sketch_agg(name, {SKETCH_LG_K}) AS sketch FROM VALUES ('Zoë'), ('user-1') "
        "AS listeners(name)"
    ).collect()
    ours = hll_sketch(SKETCH_LG_K)
    ours.update("Zoë")
    ours.update("user-1")

    assert estimate_listeners([bytes(row.sketch), bytes(ours.serialize_compact())]) == 2
