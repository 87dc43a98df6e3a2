"""Spark's counts of a micro-batch, read before the micro-batch is committed.

Spark reports a micro-batch only after its commit, so a crash between the two would lose the counts
permanently. The micro-batch's execution holds the same numbers earlier.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from py4j.java_gateway import JavaObject
from pyspark.sql import SparkSession

_DROPPED = "numRowsDroppedByWatermark"
_REPEATED = "numDroppedDuplicateRows"


class BatchCounts(msgspec.Struct, frozen=True):
    """How many records of a micro-batch had each outcome; the names are those of a marker.

    `accepted` includes late records and repeats; `dropped` records were below Spark's watermark.
    """

    accepted: int = 0
    late: int = 0
    late_by_day: dict[int, int] = {}
    newest_late: int | None = None
    repeats: int = 0
    rejected: int = 0
    dropped: int = 0


class _Bin(msgspec.Struct, frozen=True):
    """A bin of `histogram_numeric`: a day, and how many late plays one task found of it."""

    day: int = msgspec.field(name="x")
    plays: float = msgspec.field(name="y")


class _Observed(BatchCounts, frozen=True):
    """The counts as Spark reports them; `late_days` is null without late plays."""

    late_days: Sequence[_Bin] | None = None


def read_counts(session: SparkSession, query: str) -> BatchCounts:
    """Read the counts of the micro-batch that the query with this name is running."""
    [running] = [active for active in session.streams.active if active.name == query]
    execution = running._jsq.streamingQuery().lastExecution()
    observed = execution.observedMetrics().get(query).get().json()
    counts = msgspec.json.decode(observed, type=_Observed)
    by_day: Counter[int] = Counter()
    for one in counts.late_days or ():
        by_day[one.day] += int(one.plays)
    operators = list(_list_operators(execution.executedPlan()))
    return BatchCounts(
        accepted=counts.accepted,
        late=counts.late,
        late_by_day=dict(by_day),
        newest_late=counts.newest_late,
        repeats=counts.repeats + _sum_metric(operators, _REPEATED),
        rejected=counts.rejected,
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
