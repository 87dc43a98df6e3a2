"""Live faults: faults injected into a running stack under load."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

import psutil
from confluent_kafka.admin import AdminClient, NewPartitions

from crossfade.contract.examples import read_examples
from faults.leftover_processes import list_leftover_processes
from faults.live_bench import SONG_PLAYS, LiveBench, freeze, kill, thaw


class Injection(NamedTuple):
    """The observed fault, empty if it did not happen, and the time from which healing counts."""

    seen: str
    began: float


@dataclass(frozen=True, slots=True)
class LiveFault:
    """A row of the matrix that a running stack must survive.

    Attributes:
        id: the row's id in the matrix and a word.
        title: what happens.
        inject: injects the fault.
        weight: how often random schedules draw it in one round.
        affects: the live side (all but batch), only batch, or both.
        in_a_row: how often the rows' run injects it, one after the other.
    """

    id: str
    title: str
    inject: Callable[[LiveBench], Injection]
    weight: int = 2
    affects: Literal["live", "batch", "both"] = "live"
    in_a_row: int = 1

    @property
    def stops_batch(self) -> bool:
        """Check whether the fault aborts a running run of batch."""
        return self.affects != "live"


def _kill_leader(child: str) -> Callable[[LiveBench], Injection]:
    def inject(bench: LiveBench) -> Injection:
        victim = bench.leader(child)
        began = time.monotonic()
        return Injection(f"{child} {victim.pid} was killed" if kill(victim) else "", began)

    return inject


def _kill_java(child: str) -> Callable[[LiveBench], Injection]:
    def inject(bench: LiveBench) -> Injection:
        bench.stack.wait_for(f"Java of {child}", lambda: bench.stack.java_of(child))
        victim = bench.stack.java_of(child)
        began = time.monotonic()
        return Injection("Java was killed" if victim and kill(victim) else "", began)

    return inject


def _kill_worker(bench: LiveBench) -> Injection:
    bench.stack.wait_for("a Python worker", lambda: bench.stack.workers_of("streams"))
    for _ in range(20):
        workers = bench.stack.workers_of("streams")
        began = time.monotonic()
        with contextlib.suppress(psutil.Error, ProcessLookupError, IndexError):
            victim = bench.rng.choice(workers)
            if kill(victim):
                return Injection(f"worker {victim.pid} was killed", began)
    return Injection("", time.monotonic())


def _freeze_worker(bench: LiveBench) -> Injection:
    """Suspend every worker permanently; the watchdog must detect the lack of progress."""
    bench.stack.wait_for("a Python worker", lambda: bench.stack.workers_of("streams"))
    workers = bench.stack.workers_of("streams")
    began = time.monotonic()
    seen = freeze(workers)
    return Injection(f"{len(workers)} workers suspended" if seen else "", began)


def _freeze_permanently(child: str) -> Callable[[LiveBench], Injection]:
    """Suspend a child permanently; the supervisor must detect the missing heartbeat."""

    def inject(bench: LiveBench) -> Injection:
        bench.leader(child)
        session = bench.stack.session_of(child)
        began = time.monotonic()
        seen = freeze(session)
        return Injection(f"{child} suspended" if seen else "", began)

    return inject


def _freeze_temporarily(
    child: str, least_s: float, most_s: float
) -> Callable[[LiveBench], Injection]:
    """Suspend a child and resume it, as when a machine sleeps."""

    def inject(bench: LiveBench) -> Injection:
        bench.leader(child)
        session = bench.stack.session_of(child)
        seen = freeze(session)
        for_s = bench.rng.uniform(least_s, most_s)
        time.sleep(for_s)
        began = time.monotonic()
        thaw(session)
        return Injection(f"{child} suspended for {for_s:.0f} s" if seen else "", began)

    return inject


def _ask_to_end(child: str) -> Callable[[LiveBench], Injection]:
    """End a child with SIGTERM, as a rolling restart does."""

    def inject(bench: LiveBench) -> Injection:
        victim = bench.leader(child)
        began = time.monotonic()
        victim.send_signal(signal.SIGTERM)
        bench.stack.wait_for("its end", lambda: not victim.is_running(), within_s=90)
        return Injection(f"{child} {victim.pid} ended", began)

    return inject


def _kill_supervisor(bench: LiveBench) -> Injection:
    """Kill `crossfade up`, and start it again as a machine's service manager would."""
    supervisor = psutil.Process(bench.stack.process.pid)
    began = time.monotonic()
    if not kill(supervisor):
        return Injection("", began)
    bench.stack.process.wait()
    deadline = time.monotonic() + 20
    while left := [
        one for one in list_leftover_processes(bench.stack.data) if " generate " not in one
    ]:
        assert time.monotonic() < deadline, f"these outlived the supervisor: {left}"
        time.sleep(0.05)
    bench.stack.launch()
    return Injection("the supervisor was killed, and all its children ended", began)


def _restart_stack(bench: LiveBench) -> Injection:
    """Stop the stack as Ctrl-C does, and start it again."""
    code = bench.stack.stop()
    began = time.monotonic()
    bench.stack.launch()
    return Injection("stopped cleanly, exit 0" if code == 0 else "", began)


def _freeze_audience(bench: LiveBench) -> Injection:
    """Suspend the audience; the boundary must move on, and answers must stay complete."""
    assert bench.audience is not None
    audience = [psutil.Process(bench.audience.pid)]
    with _suspended(audience) as seen:
        before = bench.stack.ask("status").get("boundary") or ""
        bench.stack.wait_for(
            "a boundary that moves in silence",
            lambda: (bench.stack.ask("status").get("boundary") or "") > before,
        )
        bench.stack.wait_for("a complete answer in silence", bench.stack.is_live)
    return Injection("silence, and the boundary moved" if seen else "", time.monotonic())


@contextmanager
def _suspended(processes: list[psutil.Process]) -> Iterator[bool]:
    seen = freeze(processes)
    try:
        yield seen
    finally:
        thaw(processes)


def _send_hostile(bench: LiveBench) -> Injection:
    """Write every example of the contract directly to Kafka, without the checks of a client."""
    began = time.monotonic()
    examples = [example.value for example in read_examples()]
    bench.rng.shuffle(examples)
    taken = bench.send(*examples, None)
    return Injection(f"{taken} hostile records" if taken == len(examples) + 1 else "", began)


def _send_oversized(bench: LiveBench) -> Injection:
    """Send a record that the contract rejects and one that Kafka itself refuses."""
    began = time.monotonic()
    taken = bench.send(b"x" * 3_000_000)
    refused = 1 - bench.send(b"x" * 5_000_000)
    return Injection("one kept, one refused by Kafka" if taken and refused else "", began)


def _flood_one_partition(bench: LiveBench) -> Injection:
    """Send 30,000 records to one topic partition, so that it lags behind the others."""
    began = time.monotonic()
    example = next(example for example in read_examples() if example.reason is None)
    taken = bench.send(*[example.value] * 30_000, key=b"one-partition")
    return Injection(f"{taken} records in one partition", began)


def _repeat_backfill(bench: LiveBench) -> Injection:
    """Kill a producer while it sends, then send all its plays again, twice."""
    words = ("generate", "--rate", "200", "--seed", "77", "--listeners", "100000")
    span = ("--from", "2024-03-01T00:00:00Z", "--to", "2024-03-01T00:05:00Z")
    began = time.monotonic()
    before = sum((bench.end_offsets() or {}).values())
    first = bench.stack.start(*words, *span, log=bench.scratch / "backfill.log")
    with contextlib.suppress(AssertionError):
        bench.stack.wait_for(
            "its first records",
            lambda: sum((bench.end_offsets() or {}).values()) > before + 100 or first.poll(),
            within_s=30,
        )
    first.kill()
    was_killed = first.wait() == -signal.SIGKILL
    done = [bench.stack.run(*words, *span).returncode for _ in range(2)]
    seen = "sent twice after a producer was killed" if was_killed and done == [0, 0] else ""
    return Injection(seen, began)


def _send_from_two_producers(bench: LiveBench) -> Injection:
    """Send the same plays from two producers at the same time."""
    words = ("generate", "--rate", "200", "--seed", "78", "--listeners", "100000")
    span = ("--from", "2024-04-01T00:00:00Z", "--to", "2024-04-01T00:01:00Z")
    began = time.monotonic()
    log = bench.scratch / "two-producers.log"
    both = [bench.stack.start(*words, *span, log=log) for _ in range(2)]
    codes = [one.wait(240) for one in both]
    return Injection("both sent all" if codes == [0, 0] else "", began)


def _add_partitions(bench: LiveBench) -> Injection:
    """Add two partitions to the topic while the stack runs."""
    began = time.monotonic()
    admin = AdminClient({"bootstrap.servers": bench.bootstrap})
    before = len(bench.end_offsets() or {})
    outcome = admin.create_partitions([NewPartitions(SONG_PLAYS, before + 2)])
    outcome[SONG_PLAYS].result(30)
    bench.stack.wait_for("the new partitions", lambda: len(bench.end_offsets() or {}) == before + 2)
    return Injection(f"{before} partitions became {before + 2}", began)


LIVE_FAULTS = (
    LiveFault("F25-driver", "kill -9 of the streaming driver", _kill_leader("streams"), 10),
    LiveFault("F25-java", "kill -9 of the driver's Java", _kill_java("streams"), 3),
    LiveFault("F39-worker", "kill -9 of a Python worker", _kill_worker, 10),
    LiveFault("F40-worker", "a Python worker hangs", _freeze_worker, 2),
    LiveFault("F40-driver", "the driver hangs", _freeze_permanently("streams"), 2),
    LiveFault(
        "F28-pause", "the driver is suspended for a while", _freeze_temporarily("streams", 4, 15)
    ),
    LiveFault("F05-kill", "kill -9 of the broker", _kill_leader("broker"), 10),
    LiveFault("F05-restart", "the broker is restarted", _ask_to_end("broker"), 3),
    LiveFault(
        "F08-pause", "the broker is suspended for a while", _freeze_temporarily("broker", 4, 15), 2
    ),
    LiveFault("F08-hang", "the broker hangs permanently", _freeze_permanently("broker"), 2),
    LiveFault("F52-batch", "kill -9 of batch", _kill_leader("batch"), 10, affects="batch"),
    LiveFault("F52-java", "kill -9 of batch's Java", _kill_java("batch"), 3, affects="batch"),
    LiveFault("F52-hang", "batch hangs", _freeze_permanently("batch"), 1, affects="batch"),
    LiveFault("F55-kill", "kill -9 of the API", _kill_leader("serve"), 10),
    LiveFault("F55-hang", "the API hangs", _freeze_permanently("serve"), 2),
    LiveFault("F61-streams", "the driver is asked to end", _ask_to_end("streams"), 2),
    LiveFault("F61-stack", "the stack is stopped and started", _restart_stack, 2, affects="both"),
    LiveFault(
        "F66-supervisor",
        "kill -9 of the supervisor",
        _kill_supervisor,
        weight=10,
        affects="both",
        # Random schedules wait for batch to publish in between, so an hour has fewer than ten.
        in_a_row=6,
    ),
    LiveFault("F51-silence", "no plays arrive", _freeze_audience, 0),
    LiveFault("F44-live", "hostile records written directly to Kafka", _send_hostile, 2),
    LiveFault("F24-oversized", "records of 3 and 5 MB", _send_oversized, 1),
    LiveFault("F50-lag", "one topic partition lags behind", _flood_one_partition, 2),
    LiveFault(
        "F03-producer", "a producer is killed and sends all plays again", _repeat_backfill, 0
    ),
    LiveFault("F04-twice", "two producers send the same plays", _send_from_two_producers, 0),
    LiveFault("F20-partitions", "topic partitions are added", _add_partitions, 0),
)
"""In the order of the rows' run, except that faults that stop batch wait for a publication."""
