"""Encoding of records in this process or in several, always in the order of sending."""

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
class RecordFormat:
    """How records are encoded."""

    run: str
    """The prefix of event ids."""
    all_fields: bool
    """Write every optional field of the contract."""
    one_line: bool
    """Write each record as one line that ends with a line feed, for files."""


class Writer(Protocol):
    """Encodes sendings as records."""

    def write(self, sendings: Sendings, first: int) -> list[Records]:
        """Take sendings, numbered from `first`; return the records that are ready, in order."""

    def rest(self) -> Iterator[Records]:
        """Yield the records that `write` has not returned yet."""


class LocalWriter:
    """Encodes records in this process, as soon as they are taken."""

    def __init__(self, catalogue: Catalogue, record_format: RecordFormat) -> None:
        self._encoder = PlayEncoder(
            catalogue,
            record_format.run,
            all_fields=record_format.all_fields,
            newline=record_format.one_line,
        )
        self._broken = broken_records(one_line=record_format.one_line)

    def write(self, sendings: Sendings, first: int) -> list[Records]:
        """Encode and return these records."""
        return [write_records(self._encoder, self._broken, sendings, first)]

    def rest(self) -> Iterator[Records]:
        """Yield nothing: `write` returned every record."""
        return iter(())


class PooledWriter:
    """Encodes records in other processes, with at most `ahead` parts waiting."""

    def __init__(self, pool: ProcessPoolExecutor, ahead: int) -> None:
        self._pool, self._ahead = pool, ahead
        self._waiting: deque[Future[Records]] = deque()

    def write(self, sendings: Sendings, first: int) -> list[Records]:
        """Submit the sendings; return the oldest parts that are ready, waiting if too many wait."""
        self._waiting.append(self._pool.submit(_write_in_pool, sendings, first))
        ready = []
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > self._ahead):
            ready.append(self._waiting.popleft().result())
        return ready

    def rest(self) -> Iterator[Records]:
        """Yield the parts that are still being encoded."""
        while self._waiting:
            yield self._waiting.popleft().result()


@contextmanager
def open_writer(
    options: SimulationOptions, catalogue: Catalogue, record_format: RecordFormat
) -> Iterator[Writer]:
    """Yield the writer of a run, which uses as many processes as its options say."""
    if options.processes == 1:
        yield LocalWriter(catalogue, record_format)
        return
    with ProcessPoolExecutor(
        options.processes,
        mp_context=get_context("spawn"),
        initializer=_open_pool_writer,
        initargs=(options, record_format),
    ) as pool:
        yield PooledWriter(pool, 2 * options.processes)


_pool_writer: list[LocalWriter] = []
"""The writer of a process of the pool."""


def _open_pool_writer(options: SimulationOptions, record_format: RecordFormat) -> None:
    catalogue = catalogue_of(options.seed, options.songs, options.catalogue)
    _pool_writer.append(LocalWriter(catalogue, record_format))


def _write_in_pool(sendings: Sendings, first: int) -> Records:
    [records] = _pool_writer[0].write(sendings, first)
    return records
