"""The whole stack on one machine: its children in start order, and their settings."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace

from crossfade.clock import format_time, now_ms
from crossfade.config import Settings, setting_variables
from crossfade.errors import MachineError
from crossfade.folder import ARCHIVE, SPEED, DataFolder, StackAddresses, heartbeat_path, write_stack
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import create_topics
from crossfade.stack.broker import Broker
from crossfade.stack.child import ChildSpec
from crossfade.stack.disk_guard import DiskGuard
from crossfade.stack.disk_space import require_disk_space
from crossfade.stack.environment import cluster_variables
from crossfade.stack.jars import require_jars
from crossfade.stack.liveness import heartbeat_check
from crossfade.stack.ports import describe_holder, find_free_ports, is_free
from crossfade.stack.stop_request import StopRequest
from crossfade.stack.supervisor import Supervisor
from crossfade.stack.unfinished_work import list_unfinished_micro_batches, list_unfinished_runs

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""For requests to our own API: a proxy of the environment could not reach it."""

_DRAIN_GRACE_S = 60.0
_START_WITHIN_S = 180.0
_ANSWER_WITHIN_S = 2.0
_ALIVE_WITHIN_S = 10.0
"""How long a live API on a busy machine may take to answer."""

_DRIVER_SILENT_FOR_S = 10.0
"""The driver writes a heartbeat each second. To be back within a minute, a hung driver needs most
of that time for Spark's start. Batch has longer, because it runs at a lower priority."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is ready to run: `supervise` blocks until a stop is requested."""

    folder: DataFolder
    settings: Settings
    address: KafkaAddress
    inside: KafkaAddress
    api: str
    supervisor: Supervisor
    guard: DiskGuard

    def supervise(self, request: StopRequest) -> None:
        """Run every child until a stop is requested, then stop them in order.

        Raises:
            StackError: a child did not become ready at the first start.
        """
        addresses = StackAddresses(
            pid=os.getpid(),
            started_at=format_time(now_ms()),
            bootstrap=self.address.bootstrap,
            api=self.api,
            inside=self.inside.bootstrap,
        )
        write_stack(self.folder, addresses)
        self.guard.start()
        try:
            self.supervisor.run(request)
        finally:
            self.guard.end()
            (self.folder.stack_file).unlink(missing_ok=True)


def prepare_stack(folder: DataFolder, settings: Settings) -> Stack:
    """Choose ports, format the broker's data, specify the children; the caller holds the folder.

    Raises:
        MachineError: Java, a jar, disk space or a port is missing.
    """
    require_jars("spark", settings.cache)
    port = _choose_port(settings)
    broker = Broker(
        folder.kafka,
        cache=settings.cache,
        port=settings.kafka_port,
        heap=settings.kafka_heap,
        log=folder.logs / "broker.log",
        least_free=settings.least_free,
    )
    require_disk_space(folder.lake, settings.least_free)
    broker_spec = broker.prepare()
    api = f"http://{settings.host}:{port}"
    env = (
        setting_variables(settings)
        | cluster_variables(settings.spark_master)
        | {
            "CROSSFADE_DATA": str(folder.root),
            "CROSSFADE_BOOTSTRAP": broker.inside.bootstrap,
            "CROSSFADE_PORT": str(port),
        }
    )
    streams = _child("streams", env, ready=_progress_check(folder), grace_s=_DRAIN_GRACE_S)
    batch = _child("batch", env, ready=lambda: True, nice=settings.batch_nice)
    specs = [
        _with_topics(broker_spec, broker.inside, settings),
        _child(
            "serve",
            env,
            ready=lambda: True,
            alive=lambda: is_answering(api, within_s=_ALIVE_WITHIN_S),
        ),
        # Spark starts together with the broker: its streams wait for Kafka.
        replace(
            streams,
            is_early=True,
            alive=heartbeat_check(heartbeat_path(folder, "streams")),
            silent_for_s=_DRIVER_SILENT_FOR_S,
            unfinished=lambda: list_unfinished_micro_batches(folder.checkpoints, (SPEED, ARCHIVE)),
        ),
        replace(
            batch,
            alive=heartbeat_check(heartbeat_path(folder, "batch")),
            unfinished=lambda: list_unfinished_runs(folder.lake),
        ),
    ]
    supervisor = Supervisor(specs, logs=folder.logs, state_file=folder.children_file)

    def set_door(is_open: bool) -> None:
        broker.set_door(is_open=is_open)
        supervisor.request_restart(broker_spec.name)

    disks = (folder.kafka, folder.lake)
    guard = DiskGuard(folder, disks, settings.least_free, set_door)
    return Stack(folder, settings, broker.address, broker.inside, api, supervisor, guard)


def is_answering(api: str, path: str = "/healthz", *, within_s: float = _ANSWER_WITHIN_S) -> bool:
    """Check whether the API answers a path with status 200 in time."""
    try:
        with _DIRECT.open(f"{api}{path}", timeout=within_s) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _child(
    name: str,
    env: dict[str, str],
    *,
    ready: Callable[[], bool],
    grace_s: float = 20.0,
    nice: int = 0,
    alive: Callable[[], bool] | None = None,
) -> ChildSpec:
    return ChildSpec(
        name=name,
        command=[sys.executable, "-m", "crossfade", name],
        env=env,
        ready=ready,
        ready_within_s=_START_WITHIN_S,
        stop_grace_s=grace_s,
        nice=nice,
        alive=alive,
    )


def _with_topics(spec: ChildSpec, address: KafkaAddress, settings: Settings) -> ChildSpec:
    """Return the broker's specification, ready only when both topics exist."""

    def ready() -> bool:
        if not spec.ready():
            return False
        create_topics(address, settings)
        return True

    return replace(spec, ready=ready)


def _progress_check(folder: DataFolder) -> Callable[[], bool]:
    """Return a check for whether the streams have reported progress since this call."""
    began_ms = now_ms()
    path = folder.streams_file

    def ready() -> bool:
        try:
            return path.stat().st_mtime_ns > began_ms * 1_000_000
        except FileNotFoundError:
            return False

    return ready


def _choose_port(settings: Settings) -> int:
    if not settings.port:
        [port] = find_free_ports(1)
        return port
    if not is_free(settings.port):
        what = f"Port {settings.port} is taken{describe_holder(settings.port)}."
        raise MachineError(what, "Stop that, or choose another with --port (0: any).")
    return settings.port
