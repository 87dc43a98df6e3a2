"""A simulation run: takes records from the schedule at a pace, encodes them and sends them."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np

from crossfade.clock import SECOND_MS
from crossfade.contract.ledger import Seal
from crossfade.errors import BrokerError
from crossfade.generator.build import build_schedule, name_run
from crossfade.generator.catalogue import catalogue_of
from crossfade.generator.draws import Integers
from crossfade.generator.faults import Fault, broken_records
from crossfade.generator.ledger_rows import RowWriter
from crossfade.generator.ledger_writer import LedgerWriter
from crossfade.generator.options import SimulationOptions, check_options
from crossfade.generator.outbox import Sendings
from crossfade.generator.pace import PART, BackfillPace, FullPace, Pace, SteadyPace
from crossfade.generator.records import Records
from crossfade.generator.sinks import Sink
from crossfade.generator.writers import RecordFormat, Writer, open_writer

_PROGRESS_EVERY_S = 0.2
_MAX_WAIT_S = 0.1


@dataclass(frozen=True, slots=True)
class SimulationProgress:
    """How far a simulation has come."""

    run: str
    """The prefix of its event ids."""
    sent: int
    waiting: int
    """Sent, and not yet acknowledged."""
    failed: int
    elapsed_ms: int
    lag_ms: int
    simulated_ms: int
    """How much simulated time has passed."""

    @property
    def rate(self) -> float:
        """Return the mean number of records sent per second."""
        return self.sent * SECOND_MS / max(1, self.elapsed_ms)


def simulate(
    sink: Sink,
    options: SimulationOptions,
    *,
    until: Event | None = None,
    on_progress: Callable[[SimulationProgress], None] = lambda _progress: None,
) -> SimulationProgress:
    """Run one simulation without a ledger: see `Simulation.play`."""
    simulation = Simulation(options, is_file=sink.is_file)
    return simulation.play(sink, until=until, on_progress=on_progress)


class Simulation:
    """One run of the generator.

    Args:
        options: what to simulate.
        is_file: the records go to a file, one a line; otherwise to Kafka.
        ledger: the folder to write a ledger to; None: no ledger.

    Raises:
        MisuseError: the options contradict each other, or the folder is not empty.
    """

    def __init__(
        self, options: SimulationOptions, *, is_file: bool, ledger: Path | None = None
    ) -> None:
        check_options(options)
        self._options = options
        self.run = name_run(options)
        self._catalogue = catalogue_of(options.seed, options.songs, options.catalogue)
        self._format = RecordFormat(self.run, options.all_fields, one_line=is_file)
        broken = broken_records(one_line=is_file)
        self._schedule, self._audience = build_schedule(options, self._catalogue, broken)
        self.ledger: LedgerWriter | None = None
        if ledger is not None:
            rows = RowWriter(
                self._catalogue,
                broken=broken,
                farms=self._schedule.farms,
                is_present=options.start_ms is None,
            )
            self.ledger = LedgerWriter(ledger, rows, is_file=is_file)
        self.seal: Seal | None = None
        """The ledger's totals, once it is closed."""
        self._times_to_copy: dict[int, int] = {}
        """The event times of records that are sent again later, by record number."""
        self._taken = 0
        self._is_over = False
        self._began = time.monotonic()
        self._pace = _choose_pace(options)

    def play(
        self,
        sink: Sink,
        *,
        until: Event | None = None,
        give_up: Event | None = None,
        on_progress: Callable[[SimulationProgress], None] = lambda _progress: None,
    ) -> SimulationProgress:
        """Send records until enough are sent, the time is over, or `until` is set.

        Sleeps between slices and drops nothing: if the sink is slow, sending falls behind the
        clock, and `lag_ms` reports by how much. Returns when everything sent is acknowledged and
        the ledger is closed.

        Args:
            sink: a new one, used only for this simulation.
            until: set it to stop sending and finish normally.
            give_up: set it to stop waiting for records that are not yet acknowledged.
            on_progress: called a few times a second and at the end.

        Raises:
            BrokerError: Kafka did not take every record.
            MachineError: the file or the ledger cannot be written.
        """
        try:
            try:
                with open_writer(self._options, self._catalogue, self._format) as writer:
                    for _ in self._send_all(writer, sink, until or Event()):
                        on_progress(self.progress(sink))
            finally:
                sink.finish(give_up or Event())
        except BrokerError:
            self._close_ledger()
            raise
        except BaseException:
            self._abandon_ledger()
            raise
        self._close_ledger()
        progress = self.progress(sink)
        on_progress(progress)
        return progress

    def _close_ledger(self) -> None:
        if self.ledger is not None:
            self.seal = self.ledger.close(self.run, self._options.seed)

    def _abandon_ledger(self) -> None:
        if self.ledger is not None:
            self.ledger.abandon()

    def progress(self, sink: Sink) -> SimulationProgress:
        """Return how far the simulation has come."""
        return SimulationProgress(
            run=self.run,
            sent=sink.sent,
            waiting=sink.waiting,
            failed=sink.failed,
            elapsed_ms=self._elapsed_ms(),
            lag_ms=self._pace.lag_ms(self._taken),
            simulated_ms=max(0, self._audience.moment - self._schedule.begin),
        )

    def _send_all(self, writer: Writer, sink: Sink, until: Event) -> Iterator[None]:
        """Send slice by slice; yield a few times a second."""
        self._began = time.monotonic()
        self._pace = _choose_pace(self._options)
        reported = self._began
        while not (until.is_set() or sink.is_over or self._is_complete()):
            if (wait_s := self._pace.wait_s(self._taken)) > 0:
                until.wait(min(wait_s, _MAX_WAIT_S))
            elif sink.has_room():
                self._send(self._write_part(writer), sink)
            if time.monotonic() - reported >= _PROGRESS_EVERY_S:
                reported = time.monotonic()
                yield
        self._send(writer.rest(), sink)

    def _write_part(self, writer: Writer) -> Iterable[Records]:
        """Take the next records that are due; return the records that are ready to send."""
        due, total = self._pace.due(self._taken), self._options.total
        part = self._schedule.take(
            min(due, PART, *([] if total is None else [total - self._taken]))
        )
        if part is None:
            self._is_over = True
            return []
        first = self._taken
        times = self._copy_times(part, first, self._pace.event_times(part))
        part = part.changed(plays=part.plays.changed(event_time=times))
        self._taken += len(part)
        return writer.write(part, first)

    def _copy_times(self, part: Sendings, first: int, times: Integers) -> Integers:
        """Set the event time of each copy to that of the record it repeats."""
        for row in np.flatnonzero(part.fault == Fault.COPIED).tolist():
            self._times_to_copy[first + row] = int(times[row])
        for row in np.flatnonzero(part.fault == Fault.COPY).tolist():
            times[row] = self._times_to_copy.pop(int(part.copy_of[row]))
        return times

    def _send(self, written: Iterable[Records], sink: Sink) -> None:
        for records in written:
            if sink.is_over:
                return
            # Kafka may acknowledge within `send`, so the ledger must know the records before.
            # A file's reader may go away within `send`: then these records were not sent.
            if self.ledger is not None and not sink.is_file:
                self.ledger.add(records)
            sink.send(records)
            if self.ledger is not None and sink.is_file and not sink.is_over:
                self.ledger.add(records)

    def _is_complete(self) -> bool:
        if self._is_over:
            return True
        if (total := self._options.total) is not None:
            return self._taken >= total
        for_ms = self._options.for_ms
        is_present = self._options.start_ms is None
        return is_present and for_ms is not None and self._elapsed_ms() >= for_ms

    def _elapsed_ms(self) -> int:
        return round((time.monotonic() - self._began) * SECOND_MS)


def _choose_pace(options: SimulationOptions) -> Pace:
    if options.start_ms is not None:
        return BackfillPace()
    if options.rate is None:
        return FullPace()
    return SteadyPace(options.rate)
