"""What speed and batch both count: the measures of a group of plays, and the time that groups them.

The columns are those of decoded plays; both layers group by them, so that their sums agree.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F


def measure_plays() -> list[Column]:
    """Return the aggregates `plays`, `counted_plays` and `ms_played`; an absent time adds 0 ms."""
    return [
        F.count("*").alias("plays"),
        F.count_if("is_counted").alias("counted_plays"),
        F.coalesce(F.sum("ms_played"), F.lit(0)).alias("ms_played"),
    ]


def floor_ms(time: str, step_ms: int) -> Column:
    """Return a timestamp column in ms since the epoch, rounded down to whole steps."""
    time_ms = F.unix_millis(time)
    return time_ms - F.pmod(time_ms, F.lit(step_ms))
