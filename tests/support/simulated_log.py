"""A simulation of Kafka, the archive and runs of batch, for tests of the time boundary.

From the product it uses only the lengths of the time rules. A record is (log time, event time).
Brokers' clocks differ by less than the slack, so log times of a partition may step back a little.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from hypothesis import strategies as st

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from crossfade.contract.time_rules import FUTURE_MS, TimeRules

PARTITIONS = 3
START = 20_000 * DAY_MS
MINUS_INFINITY = -(2**53)

Formula = Callable[[int, int, Mapping[int, int]], int]
"""Computes the boundary from the previous boundary, L and N."""


class Record(NamedTuple):
    """The times of a record."""

    log_time: int
    event_time: int


class Append(NamedTuple):
    """Time passes (`after`), then a play that began `age` before is appended."""

    after: int
    partition: int
    skew: int
    age: int


class Archive(NamedTuple):
    """The archive commits a number of further records of a partition."""

    partition: int
    records: int


class Run(NamedTuple):
    """A run of batch; plays are still appended while it queries Kafka."""

    before_first: Sequence[Append]
    before_second: Sequence[Append]
    skew: int
    is_kafka_up: bool


Step = Append | Archive | Run


class Order(Enum):
    """The order in which a run queries Kafka; only the first is right.

    Before a version of bronze is pinned, N can only be taken beyond Kafka's current end.
    """

    PROBE_THEN_NEXT = auto()
    NEXT_THEN_PROBE = auto()
    NEXT_BEFORE_THE_PIN = auto()


class Published(NamedTuple):
    """A run: its boundary and how many records of each partition it covers."""

    boundary: int
    covered: tuple[int, ...]


@dataclass
class World:
    """The state of the simulation."""

    rules: TimeRules
    formula: Formula
    order: Order = Order.PROBE_THEN_NEXT
    now: int = START
    log: list[list[Record]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    archived: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    runs: list[Published] = field(default_factory=list)

    def apply(self, steps: Sequence[Step]) -> "World":
        """Apply steps in order."""
        for step in steps:
            if isinstance(step, Append):
                self._append(step)
            elif isinstance(step, Archive):
                held = len(self.log[step.partition])
                known = self.archived[step.partition]
                self.archived[step.partition] = min(held, known + step.records)
            else:
                self._run(step)
        return self

    def is_on_time(self, record: Record) -> bool:
        """Check rule 1, written independently of the product."""
        age = record.log_time - record.event_time
        return -FUTURE_MS <= age <= self.rules.late_after_ms

    def window_of(self, record: Record) -> int:
        """Return the start of a record's window."""
        return record.event_time // self.rules.grain_ms * self.rules.grain_ms

    def beyond(self, covered: Sequence[int]) -> list[Record]:
        """Return the records that a run does not cover."""
        return [one for log, end in zip(self.log, covered, strict=True) for one in log[end:]]

    def within(self, covered: Sequence[int]) -> list[Record]:
        """Return the records that a run covers."""
        return [one for log, end in zip(self.log, covered, strict=True) for one in log[:end]]

    def _append(self, step: Append) -> None:
        self.now += step.after
        log_time = self.now + step.skew * self.rules.clock_slack_ms // 4
        event_time = log_time - max(step.age, -FUTURE_MS)
        self.log[step.partition].append(Record(log_time, event_time))

    def _run(self, step: Run) -> None:
        covered = tuple(self.archived)
        asked_of = covered
        self._append_all(step.before_first)
        if self.order is Order.NEXT_BEFORE_THE_PIN:
            asked_of = tuple(map(len, self.log))
        if not step.is_kafka_up:
            log_time, next_times = self._assume(covered)
        elif self.order is Order.NEXT_THEN_PROBE:
            next_times = self._next_times(asked_of)
            self._append_all(step.before_second)
            log_time = self._probe(step)
        else:
            log_time = self._probe(step)
            self._append_all(step.before_second)
            next_times = self._next_times(asked_of)
        before = self.runs[-1].boundary if self.runs else MINUS_INFINITY
        self.runs.append(Published(self.formula(before, log_time, next_times), covered))

    def _append_all(self, steps: Sequence[Append]) -> None:
        for step in steps:
            self._append(step)

    def _probe(self, step: Run) -> int:
        return self.now + step.skew * self.rules.clock_slack_ms // 4

    def _next_times(self, covered: Sequence[int]) -> dict[int, int]:
        ends = enumerate(zip(self.log, covered, strict=True))
        return {p: log[end].log_time for p, (log, end) in ends if end < len(log)}

    def _assume(self, covered: Sequence[int]) -> tuple[int, dict[int, int]]:
        ends = zip(self.log, covered, strict=True)
        last = [log[end - 1].log_time if end else MINUS_INFINITY for log, end in ends]
        return max(last), dict(enumerate(last))


RULES = st.sampled_from(
    [
        TimeRules(10 * SECOND_MS, 30 * SECOND_MS, SECOND_MS),
        TimeRules(10 * MINUTE_MS, 30 * MINUTE_MS, MINUTE_MS),
        TimeRules(HOUR_MS, 2 * HOUR_MS, 0),
    ]
)


History = tuple[TimeRules, list[Step]]
"""Time rules, and the steps that are applied under them."""


def histories() -> st.SearchStrategy[History]:
    """Draw rules and a history."""
    return RULES.flatmap(lambda rules: st.tuples(st.just(rules), steps_of(rules)))


def steps_of(rules: TimeRules) -> st.SearchStrategy[list[Step]]:
    """Draw a history of fresh and late plays, imports of old plays, silence and runs."""
    late, grain = rules.late_after_ms, rules.grain_ms
    ages = st.one_of(
        st.sampled_from([0, 1, late - 1, late, late + 1, 9 * late, 400 * DAY_MS, -FUTURE_MS]),
        st.integers(-FUTURE_MS, late),
    )
    pauses = st.sampled_from([0, 1, SECOND_MS, grain // 3, grain, late, 5 * late])
    partitions, skews = st.integers(0, PARTITIONS - 1), st.integers(0, 4)
    appends = st.builds(Append, pauses, partitions, skews, ages)
    archives = st.builds(Archive, partitions, st.integers(1, 5))
    amid = st.lists(appends, max_size=3)
    runs = st.builds(Run, amid, amid, skews, st.integers(0, 4).map(bool))
    return st.lists(st.one_of(appends, appends, appends, archives, archives, runs), max_size=50)
