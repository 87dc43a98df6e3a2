"""Writing records on this processor or on several, always in the order of sending."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Protocol

from crossfade.generator.catalogue import Catalogue, catalogue_of
from crossfade.generator.encode import PlayEncoder
from crossfade.generator.faults import broken_records
from crossfade.generator.options import SimulationOptions
from crossfade.generator.outbox import Sendings
from crossfade.generator.records import Records, write_records


@dataclass(frozen=True, slots=True)
class Wishes:
    """How records are to be written."""

    run: str
    all_fields: bool
    newline: bool


class Writer(Protocol):
    """Turns sendings into records."""

    def write(self, sendings: Sendings, first: int) -> list[Records]:
        """Take sendings, the first of this number; give records that are ready, in order."""

    def rest(self) -> Iterator[Records]:
        """Return what was taken and not given yet."""


class OwnWriter:
    """Writes at once."""

    def __init__(self, catalogue: Catalogue, wishes: Wishes) -> None:
        self._encoder = _make_encoder(catalogue, wishes)
        self._broken = broken_records(newline=wishes.newline)

    def write(self, sendings: Sendings, first: int) -> list[Records]:
        """Return the records."""
        return [write_records(self._encoder, self._broken, sendings, first)]

    def rest(self) -> Iterator[Records]:
        """Return nothing: all was given."""
        return iter(())


class PooledWriter:
    """Lets other processes write, a few parts at a time."""

    def __init__(self, pool: ProcessPoolExecutor, ahead: int) -> None:
        self._pool, self._ahead = pool, ahead
        self._waiting: deque[Future[Records]] = deque()

    def write(self, sendings: Sendings, first: int) -> list[Records]:
        """Hand the sendings on; give what is in front and ready, and wait where too much is not."""
        self._waiting.append(self._pool.submit(_write_elsewhere, sendings, first))
        ready = []
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > self._ahead):
            ready.append(self._waiting.popleft().result())
        return ready

    def rest(self) -> Iterator[Records]:
        """Wait for everything."""
        while self._waiting:
            yield self._waiting.popleft().result()


@contextmanager
def open_writer(
    options: SimulationOptions, catalogue: Catalogue, wishes: Wishes
) -> Iterator[Writer]:
    """Open what writes the records of a run, on as many processors as its options say."""
    if options.processes == 1:
        yield OwnWriter(catalogue, wishes)
        return
    with ProcessPoolExecutor(
        options.processes,
        mp_context=get_context("spawn"),
        initializer=_prepare,
        initargs=(options, wishes),
    ) as pool:
        yield PooledWriter(pool, 2 * options.processes)


_elsewhere: list[OwnWriter] = []
"""What a process of the pool writes with."""


def _prepare(options: SimulationOptions, wishes: Wishes) -> None:
    _elsewhere.append(
        OwnWriter(catalogue_of(options.seed, options.songs, options.catalogue), wishes)
    )


def _write_elsewhere(sendings: Sendings, first: int) -> Records:
    [records] = _elsewhere[0].write(sendings, first)
    return records


def _make_encoder(catalogue: Catalogue, wishes: Wishes) -> PlayEncoder:
    return PlayEncoder(catalogue, wishes.run, all_fields=wishes.all_fields, newline=wishes.newline)
