"""The simulation: takes plays from the audience at a pace and sends them where they are wanted."""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event

from crossfade.clock import SECOND_MS
from crossfade.generator.encode import PlayEncoder
from crossfade.generator.model import Audience, PlaySequence
from crossfade.generator.options import SimulationOptions, check_options
from crossfade.generator.pace import BackfillPace, FullPace, Pace, SteadyPace
from crossfade.generator.sinks import Sink

_PROGRESS_EVERY_S = 0.2
_MAX_WAIT_S = 0.1
_RUN_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a simulation is."""

    run: str
    """What the event ids of its plays begin with."""
    sent: int
    waiting: int
    """Sent, and not yet acknowledged."""
    failed: int
    elapsed_ms: int
    lag_ms: int

    @property
    def rate(self) -> float:
        """Give the plays a second so far."""
        return self.sent * SECOND_MS / max(1, self.elapsed_ms)


def simulate(
    sink: Sink,
    options: SimulationOptions,
    *,
    until: Event | None = None,
    hurry: Event | None = None,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> Progress:
    """Send the plays of a simulated audience until enough are sent or `until` is set.

    Sleeps between slices and drops nothing: where the sink is slow, it falls behind the clock and
    says so. Comes back when everything sent is acknowledged.

    Args:
        sink: a new one, used for this simulation alone.
        options: what to simulate.
        until: set by somebody who wants an orderly end.
        hurry: set by somebody who does not want to wait for what is still on its way.
        on_progress: told a few times a second, and at the end, how far it is.

    Raises:
        MisuseError: the options contradict each other.
        BrokerError: Kafka did not take every play.
        MachineError: the file cannot be written.
    """
    check_options(options)
    simulation = _Simulation(sink, options)
    try:
        for progress in simulation.run(until or Event()):
            on_progress(progress)
    finally:
        sink.finish(hurry or Event())
    progress = simulation.progress()
    on_progress(progress)
    return progress


class _Simulation:
    """One run: an audience, its encoder, the pace, and what is sent so far."""

    def __init__(self, sink: Sink, options: SimulationOptions) -> None:
        self._sink = sink
        self._options = options
        self._run = _name_run(options)
        audience = Audience(options.seed, songs=options.songs, listeners=options.listeners)
        self._sequence = PlaySequence(audience)
        self._encoder = PlayEncoder(audience, self._run)
        self._began = time.monotonic()
        self._pace = _choose_pace(options)

    def run(self, until: Event) -> Iterator[Progress]:
        """Send slice by slice; give the progress a few times a second."""
        reported = self._began
        while not (until.is_set() or self._sink.is_over or self._is_complete()):
            if (wait_s := self._pace.wait_s(self._sink.sent)) > 0:
                until.wait(min(wait_s, _MAX_WAIT_S))
            elif self._sink.has_room():
                self._send_slice()
            if time.monotonic() - reported >= _PROGRESS_EVERY_S:
                reported = time.monotonic()
                yield self.progress()

    def progress(self) -> Progress:
        """Tell how far it is."""
        return Progress(
            run=self._run,
            sent=self._sink.sent,
            waiting=self._sink.waiting,
            failed=self._sink.failed,
            elapsed_ms=self._elapsed_ms(),
            lag_ms=self._pace.lag_ms(self._sink.sent),
        )

    def _send_slice(self) -> None:
        sent, total = self._sink.sent, self._options.total
        due = self._pace.due(sent)
        plays = self._sequence.take(due if total is None else min(due, total - sent))
        self._sink.send(self._encoder.encode(plays, self._pace.event_times(plays)))

    def _is_complete(self) -> bool:
        if (total := self._options.total) is not None:
            return self._sink.sent >= total
        for_ms = self._options.for_ms
        return for_ms is not None and self._elapsed_ms() >= for_ms

    def _elapsed_ms(self) -> int:
        return round((time.monotonic() - self._began) * SECOND_MS)


def _choose_pace(options: SimulationOptions) -> Pace:
    if options.rate is None:
        return FullPace(options.report)
    if options.start_ms is not None:
        return BackfillPace(options.rate, options.start_ms)
    return SteadyPace(options.rate, options.report)


def _name_run(options: SimulationOptions) -> str:
    """Name a back-fill after what it sends, so that it can be repeated; a live run at random."""
    if options.start_ms is None:
        return uuid.uuid4().hex[:_RUN_LENGTH]
    fixed = (options.seed, options.start_ms, options.rate, options.songs, options.listeners)
    return hashlib.sha256(repr(fixed).encode()).hexdigest()[:_RUN_LENGTH]
