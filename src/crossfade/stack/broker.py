"""The embedded Kafka broker: one node in its own JVM, on loopback, with its own data folder."""

import shutil
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from crossfade.errors import BrokerError, MachineError
from crossfade.folder import write_atomically
from crossfade.kafka.address import KafkaAddress
from crossfade.stack.broker_config import LOG_CONFIG, BrokerPorts, broker_properties
from crossfade.stack.child import Child, ChildSpec
from crossfade.stack.child_log import last_line
from crossfade.stack.class_data import class_data_options
from crossfade.stack.disk_space import LEAST_FREE, describe_full_disk, require_disk_space
from crossfade.stack.jars import class_path
from crossfade.stack.java import common_options, find_java, home_option
from crossfade.stack.native_libraries import make_temporary_folder
from crossfade.stack.open_files import require_open_files
from crossfade.stack.ports import LOOPBACK, describe_holder, find_free_ports, is_answering, is_free

_COMPILER = "-XX:TieredStopAtLevel=1"
"""Only the quick compiler: a broker copies bytes, and the thorough compiler would slow down the
start of Spark beside it."""

_COLLECTOR = (
    # JDK_JAVA_OPTIONS may choose another one, and Java refuses two.
    *("-XX:-UseG1GC", "-XX:-UseParallelGC", "-XX:-UseZGC", "-XX:-UseShenandoahGC"),
    *("-XX:+IgnoreUnrecognizedVMOptions", "-XX:+UseSerialGC"),
)

_POLL_S = 0.05
_READY_WITHIN_S = 2.0
_ALIVE_WITHIN_S = 10.0
"""How long a live broker on a busy machine may take to answer."""


class Broker:
    """Kafka as a child process. Its data are formatted at the first start and used at each."""

    def __init__(
        self,
        folder: Path,
        *,
        cache: Path,
        port: int = 0,
        heap: str = "512m",
        log: Path | None = None,
        least_free: int = LEAST_FREE,
    ) -> None:
        """Take what the broker uses; nothing is started yet.

        Args:
            folder: the folder of its configuration and data, used by nothing else.
            cache: the per-user cache of jars.
            port: the port for clients; 0: a free one. It may differ between starts.
            heap: the JVM's heap limit, in Java's notation.
            log: its log; default: `broker.log` in the folder.
            least_free: bytes that must be free on its disk at a start.
        """
        self.folder = folder
        self.log = log or folder / "broker.log"
        self._cache = cache
        self._heap = heap
        self._asked_port = port
        self._least_free = least_free
        self._ports = BrokerPorts(0, 0, 0)
        self._child: Child | None = None
        self._temporary = self._scratch

    @property
    def address(self) -> KafkaAddress:
        """Return the address for clients; known after `prepare`."""
        return KafkaAddress(f"{LOOPBACK}:{self._ports.clients}")

    @property
    def inside(self) -> KafkaAddress:
        """Return the address for the stack's own processes, which works with the door closed."""
        return KafkaAddress(f"{LOOPBACK}:{self._ports.inside}")

    @property
    def pid(self) -> int:
        """Return the id of the broker's process."""
        if self._child is None:
            what = f"No broker is started on {self.folder}."
            raise BrokerError(what)
        return self._child.pid

    def prepare(self) -> ChildSpec:
        """Choose ports, write the configuration, format new data; return what to start.

        Raises:
            MachineError: Java or a jar is missing, the port is taken, the disk is full.
        """
        require_disk_space(self.folder, self._least_free)
        self._ports = self._choose_ports()
        require_open_files()
        self._temporary = make_temporary_folder(self._scratch, self._cache)
        write_atomically(self._log_config, LOG_CONFIG.encode())
        if not (self._data / "meta.properties").exists():
            self._format()
        self.set_door(is_open=True)
        return ChildSpec(
            name="broker",
            command=self._command(self._heap, "kafka.Kafka", str(self._properties)),
            ready=self.is_ready,
            stop_grace_s=20.0,
            alive=lambda: self.is_answering(_ALIVE_WITHIN_S),
        )

    def set_door(self, *, is_open: bool) -> None:
        """Write whether the broker listens for clients from its next start on.

        Kafka cannot refuse produce requests and still serve fetches: with one replica, any minimum
        of in-sync replicas counts as met, and listeners cannot change while it runs.
        """
        properties = broker_properties(self._data, self._ports, is_open=is_open)
        write_atomically(self._properties, properties.encode())

    def start(self) -> None:
        """Start the broker as a child of this thread; call `wait_ready` before using it."""
        self._child = Child(self.prepare(), self.log)

    def wait_ready(self, deadline_s: float = 60.0) -> None:
        """Wait until the broker answers clients.

        Raises:
            BrokerError: it ended or does not answer in time; names the last line of its log.
        """
        deadline = time.monotonic() + deadline_s
        while not self.is_ready():
            ended = self._child is None or self._child.exit_code is not None
            if ended or time.monotonic() > deadline:
                how = "ended" if ended else f"does not answer within {deadline_s:.0f} s"
                what = f"The Kafka broker {how}: {last_line(self.log)}"
                raise BrokerError(what, f"{describe_full_disk(self.folder)}See {self.log}.")
            time.sleep(_POLL_S)

    def is_ready(self) -> bool:
        """Check whether this broker answers a client immediately."""
        return self.is_answering(_READY_WITHIN_S)

    def is_answering(self, within_s: float) -> bool:
        """Check whether this broker, and no other one on its port, answers within a time."""
        if not is_answering(self._ports.inside):
            return False
        admin = AdminClient({**self.inside.client_config(), "log_level": 0})
        try:
            return admin.list_topics(timeout=within_s).cluster_id == self._cluster_id()
        except KafkaException:
            return False

    def stop(self) -> None:
        """Stop the broker in order, or kill it when it takes too long. Its data stay."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def __enter__(self) -> Self:
        """Start the broker and wait until it is ready."""
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the broker."""
        self.stop()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _scratch(self) -> Path:
        return self.folder / "tmp"

    @property
    def _properties(self) -> Path:
        return self.folder / "broker.properties"

    @property
    def _log_config(self) -> Path:
        return self.folder / "log4j2.properties"

    def _choose_ports(self) -> BrokerPorts:
        if not self._asked_port:
            return BrokerPorts(*find_free_ports(3))
        if not is_free(self._asked_port):
            what = f"Port {self._asked_port} is taken{describe_holder(self._asked_port)}."
            cure = (
                "Stop that, or choose another with --kafka-port or CROSSFADE_KAFKA_PORT (0: any)."
            )
            raise MachineError(what, cure)
        return BrokerPorts(self._asked_port, *find_free_ports(2))

    def _format(self) -> None:
        """Format a draft folder and rename it, so that an interrupted start leaves nothing."""
        draft = self.folder / f".format-{uuid.uuid4().hex}"
        config = self._scratch / "format.properties"
        write_atomically(config, broker_properties(draft, self._ports).encode())
        tool = ("kafka.tools.StorageTool", "format", "--standalone")
        cluster = ("-t", uuid.uuid4().hex, "-c", str(config))
        spec = ChildSpec("format", self._command("128m", *tool, *cluster))
        child = Child(spec, self.log)
        try:
            while child.exit_code is None:
                time.sleep(_POLL_S)
            if child.exit_code:
                what = f"Kafka cannot format {self.folder}: {last_line(self.log)}"
                raise BrokerError(what, f"See {self.log}.")
            draft.replace(self._data)
        finally:
            child.kill()
            shutil.rmtree(draft, ignore_errors=True)

    def _command(self, heap: str, main_class: str, *arguments: str) -> list[str]:
        return [
            str(find_java().executable),
            *("-Xms96m", f"-Xmx{heap}", *_COLLECTOR, "-XX:+ExitOnOutOfMemoryError"),
            *(_COMPILER, "-XX:-UsePerfData", f"-XX:ErrorFile={self.folder}/crash-%p.log"),
            *("-Djava.awt.headless=true", home_option(self._temporary)),
            *common_options(self._temporary),
            *class_data_options("broker", self._cache),
            f"-Dlog4j2.configurationFile={self._log_config.absolute().as_uri()}",
            *("-cp", ":".join(map(str, class_path("broker", self._cache)))),
            *(main_class, *arguments),
        ]

    def _cluster_id(self) -> str:
        lines = (self._data / "meta.properties").read_text("utf-8").splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith("cluster.id="))
