"""Spark's counts of a micro-batch, read before the micro-batch is committed.

Spark reports a micro-batch only after its commit, so a crash between the two would lose the counts
permanently. The micro-batch's execution holds the same numbers earlier.
"""

from collections.abc import Iterator

import msgspec
from py4j.java_gateway import JavaObject
from pyspark.sql import SparkSession

_DROPPED = "numRowsDroppedByWatermark"
_REPEATED = "numDroppedDuplicateRows"


class BatchCounts(msgspec.Struct, frozen=True):
    """How many records of a micro-batch had each outcome.

    `accepted` includes late records and repeats; `dropped` records were below Spark's watermark.
    """

    accepted: int = 0
    late: int = 0
    repeats: int = 0
    rejected: int = 0
    dropped: int = 0


def read_counts(session: SparkSession, query: str) -> BatchCounts:
    """Read the counts of the micro-batch that the query with this name is running."""
    [running] = [active for active in session.streams.active if active.name == query]
    execution = running._jsq.streamingQuery().lastExecution()
    observed = execution.observedMetrics().get(query).get().json()
    counts = msgspec.json.decode(observed, type=BatchCounts)
    operators = list(_list_operators(execution.executedPlan()))
    return msgspec.structs.replace(
        counts,
        repeats=counts.repeats + _sum_metric(operators, _REPEATED),
        dropped=_sum_metric(operators, _DROPPED),
    )


def _list_operators(operator: JavaObject) -> Iterator[JavaObject]:
    """Yield the operators of a physical plan without branches."""
    yield operator
    while not (children := operator.children()).isEmpty():
        operator = children.head()
        yield operator


def _sum_metric(operators: list[JavaObject], name: str) -> int:
    metrics = (operator.metrics().get(name) for operator in operators)
    return sum(int(metric.get().value()) for metric in metrics if metric.isDefined())
