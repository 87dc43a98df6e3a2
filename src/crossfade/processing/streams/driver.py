"""The driver of the streaming queries: one Spark, with a session for each query."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from filelock import FileLock, Timeout

from crossfade.clock import SECOND_MS, parse_duration
from crossfade.config import Settings
from crossfade.errors import StackError
from crossfade.folder import ARCHIVE, SPEED, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.reach import await_broker
from crossfade.kafka.topics import create_topics
from crossfade.processing.failures import explain_errors
from crossfade.processing.streams.driver_spark import open_spark, warm_up_workers
from crossfade.processing.streams.queries import BROKER_WITHIN_S, Queries
from crossfade.processing.streams.watchdog import Stall, Watchdog, start_watchdog
from crossfade.stack.stop_request import StopRequest


def run_queries(
    folder: DataFolder,
    settings: Settings,
    address: KafkaAddress,
    request: StopRequest,
    *,
    names: Sequence[str] = (SPEED, ARCHIVE),
) -> None:
    """Run the named queries (`speed`, `archive`, `classic`) until a stop is requested.

    Kafka may start at the same time as Spark; missing topics are created. After a stop request the
    queries are drained: they read up to the topic's end offsets of that moment, within a time
    limit. An immediate request skips this. If one query fails, all stop; if one hangs, the process
    exits.

    Raises:
        StackError: another driver holds a checkpoint, or a query failed for an unknown reason.
        LakeError: checkpoint and output do not belong together.
        BrokerError: Kafka no longer holds records that were not read yet, or is away.
        MisuseError: `song-plays` exists and takes its timestamps from producers.
        MachineError: the disk is full.
    """
    with _open(folder, settings, address, request.asked, names=names) as queries:
        for name in names:
            queries.start(name)
            if name == SPEED and len(names) > 1:
                queries.await_first_batch(SPEED, request.asked)
        queries.watch(request.asked)
        queries.drain(request.immediate)


def archive_all(
    folder: DataFolder,
    settings: Settings,
    address: KafkaAddress,
    *,
    report: Callable[[str], object] = lambda _: None,
) -> None:
    """Run the archive until it has read everything that Kafka holds now, however long that takes.

    Args:
        folder: the data folder.
        settings: the settings.
        address: where Kafka is.
        report: called now and then with a line that says how much is left.

    Raises:
        StackError: the archive makes no progress, another driver runs it, or it failed.
        LakeError: checkpoint and output do not belong together.
        BrokerError: Kafka no longer holds records that were not read yet, or is away.
    """
    stalls: list[Stall] = []
    never = threading.Event()
    with _open(
        folder, settings, address, never, names=(ARCHIVE,), on_stall=stalls.append
    ) as queries:
        queries.start(ARCHIVE)
        queries.read_all(ARCHIVE, stalls, report)


@contextmanager
def _open(
    folder: DataFolder,
    settings: Settings,
    address: KafkaAddress,
    given_up: threading.Event,
    *,
    names: Sequence[str],
    on_stall: Callable[[Stall], object] | None = None,
) -> Iterator[Queries]:
    """Start Spark, wait for Kafka until `given_up` is set, and yield the queries, watched."""
    with ExitStack() as held:
        for name in names:
            held.enter_context(_hold_checkpoint(folder, name))
        spark = held.enter_context(open_spark(folder, settings, names))
        with explain_errors():
            if SPEED in names:
                warm_up_workers(spark.newSession())
            await_broker(address, BROKER_WITHIN_S, given_up)
            create_topics(address, settings)
            queries = Queries(spark, folder, settings, address)
            held.callback(queries.stop)
            watchdog = _build_watchdog(folder, settings, names)
            held.callback(start_watchdog(watchdog, address, on_stall=on_stall).set)
            yield queries


def _build_watchdog(folder: DataFolder, settings: Settings, names: Sequence[str]) -> Watchdog:
    triggers = {
        name: parse_duration(settings.speed_every if name == SPEED else settings.archive_every)
        for name in names
    }
    return Watchdog(
        folder,
        {name: trigger / SECOND_MS for name, trigger in triggers.items()},
        parse_duration(settings.watchdog_after) / SECOND_MS,
    )


@contextmanager
def _hold_checkpoint(folder: DataFolder, name: str) -> Iterator[None]:
    folder.run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.lock_file(name), blocking=False)
    try:
        lock.acquire()
    except Timeout:
        what = f"Another driver runs {name} on {folder.root}."
        raise StackError(what, 'Stop it first; "crossfade status" shows it.') from None
    try:
        yield
    finally:
        lock.release()
