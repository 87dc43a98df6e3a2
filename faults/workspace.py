"""The workspace of a case: a copy of a stopped stack's folder, its broker and its commands."""

import json
import random
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from crossfade.config import load_settings
from crossfade.kafka.address import KafkaAddress
from crossfade.stack.broker import Broker
from crossfade.stack.child import Child
from faults.commands import WITHIN_S, Command
from faults.damage import java_clock
from faults.oracle import Logs, Oracle
from faults.oracle_findings import Judgement
from faults.oracle_kafka import PLAYS_BY_WINDOW, SONG_PLAYS, read_log
from faults.stack import QUICK

ENVIRONMENT = {
    **QUICK,
    # Java runs for seconds only, so the slower optimizing compiler does not pay off.
    "JDK_JAVA_OPTIONS": ("-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"),
}

_BROKER_WITHIN_S = 60.0
_POLL_S = 0.05


class Workspace:
    """A case's data folder and broker, and the commands that run on them.

    Attributes:
        root: the folder of the workspace: `data`, logs, and other files of the case.
        data: the data folder; a case that moves it must update this.
        ledgers: the ledgers of all simulations that sent to the broker.
        rng: the random numbers of this case.
        is_kept: whether to keep the folder for inspection.
    """

    def __init__(self, root: Path, ledgers: Sequence[Path], rng: random.Random) -> None:
        self.root = root
        self.data = root / "data"
        self.ledgers = list(ledgers)
        self.rng = rng
        self.is_kept = False
        self.at_end = ExitStack()
        self._broker: Broker | None = None
        self._child: Child | None = None
        self._commands: list[Command] = []

    @property
    def checkpoints(self) -> Path:
        """Return the folder of the queries' checkpoints."""
        return self.data / "datalake" / "_checkpoint"

    @property
    def kafka_folder(self) -> Path:
        """Return the broker's folder: in the data folder if it has one, else beside it."""
        inside = self.data / "kafka"
        return inside if inside.exists() else self.root / "kafka"

    def ensure_kafka(self, env: Mapping[str, str] | None = None) -> KafkaAddress:
        """Return the broker's address; start the broker in an environment if it does not run."""
        if self._broker is None:
            cache = load_settings().cache
            broker = Broker(self.kafka_folder, cache=cache, log=self.root / "broker.log")
            spec = broker.prepare()
            spec = replace(spec, env={**spec.env, **(env or {}), **java_clock(env or {})})
            self._broker, self._child = broker, Child(spec, broker.log)
            deadline = time.monotonic() + _BROKER_WITHIN_S
            while not (broker.is_ready() and _leads_all(broker.address)):
                is_late = time.monotonic() > deadline or self._child.exit_code is not None
                assert not is_late, f"no broker: {broker.log.read_text()[-2_000:]}"
                time.sleep(_POLL_S)
        return self._broker.address

    def stop_kafka(self) -> None:
        """Stop the broker cleanly."""
        if self._child is not None:
            self._child.stop()
            self._broker = self._child = None

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, before: Sequence[str] = ()
    ) -> Command:
        """Start a command; it uses this workspace's broker if that runs."""
        kafka = (
            {} if self._broker is None else {"CROSSFADE_BOOTSTRAP": self.ensure_kafka().bootstrap}
        )
        environment = {**ENVIRONMENT, "CROSSFADE_DATA": str(self.data), **kafka, **(env or {})}
        log = self.root / f"{len(self._commands)}-{words[0]}.log"
        command = Command(words, environment, log, before)
        self._commands.append(command)
        return command

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, within_s: float = WITHIN_S
    ) -> Command:
        """Run a command and wait for its end, whatever its exit code."""
        command = self.start(*words, env=env)
        command.wait(within_s)
        return command

    def run_successfully(self, *words: str, env: Mapping[str, str] | None = None) -> Command:
        """Run a command that must succeed.

        Raises:
            AssertionError: it fails; the message has its last line.
        """
        command = self.run(*words, env=env)
        assert command.exit_code == 0, f"{' '.join(words)}: {command.last_line}"
        return command

    def generate(self, name: str, *words: str, env: Mapping[str, str] | None = None) -> int:
        """Send a simulated audience's plays, with a ledger; return the number of records."""
        self.ensure_kafka()
        ledger = self.root / "ledgers" / name
        ledger.parent.mkdir(exist_ok=True)
        sender = self.run_successfully(
            "generate", *words, "--ledger", str(ledger), "--json", env=env
        )
        self.ledgers.append(ledger)
        return int(json.loads(sender.stdout_file.read_bytes())["sent"])

    def end_offsets(self) -> dict[int, int]:
        """Return the current end offsets of `song-plays`."""
        return dict(read_log(self.ensure_kafka().bootstrap, SONG_PLAYS).ends)

    def progress(self) -> dict[str, dict[str, Any]]:
        """Return the progress of each query that the streaming driver last wrote."""
        try:
            return dict(json.loads((self.data / "run" / "streams.json").read_bytes()))
        except (OSError, json.JSONDecodeError):
            return {}

    def has_read(self, query: str, ends: Mapping[int, int]) -> bool:
        """Check whether a query has read up to some end offsets."""
        done = self.progress().get(query, {}).get("end_offsets", {})
        return all(done.get(str(p), 0) >= end for p, end in ends.items())

    def start_streams(self, word: str = "streams", env: Mapping[str, str] | None = None) -> Command:
        """Start a streaming driver; delete an earlier driver's progress file first."""
        self.ensure_kafka()
        (self.data / "run" / "streams.json").unlink(missing_ok=True)
        return self.start(word, env=env)

    def catch_up(self, word: str = "streams", env: Mapping[str, str] | None = None) -> float:
        """Run the streams until they have read all of Kafka; return the seconds that took."""
        return self.finish_streams(self.start_streams(word, env))

    def finish_streams(self, driver: Command) -> float:
        """Wait until a driver has read all of Kafka, then end it; return the seconds that took.

        Raises:
            AssertionError: it ended early, did not read everything, or exited with an error.
        """
        ends = self.end_offsets()
        [word] = driver.words
        queries = ["speed", "archive"] if word == "streams" else [word]
        took = driver.wait_for(
            f"{queries} up to {ends}", lambda: all(self.has_read(q, ends) for q in queries)
        )
        code = driver.ask_to_end()
        assert code == 0, f"{word} ended with {code}: {driver.last_line}"
        return took

    def publish(self, env: Mapping[str, str] | None = None) -> None:
        """Run `batch --once`: the archive reads all of Kafka, and batch publishes a run."""
        self.ensure_kafka()
        self.run_successfully("batch", "--once", "--json", env=env)

    def judge(self, *, others_allowed: bool = False) -> Judgement:
        """Compare Kafka, the ledgers and the lake with the oracle."""
        logs = Logs(self.ensure_kafka().bootstrap)
        return Oracle(self.data, logs, self.ledgers, others_allowed=others_allowed).check_all()

    def close(self) -> None:
        """End every process of this workspace, and undo its mounts."""
        for command in self._commands:
            command.kill()
        self.stop_kafka()
        self.at_end.close()


def _leads_all(address: KafkaAddress) -> bool:
    """Check whether a broker that has just started serves every topic partition."""
    try:
        for topic in (SONG_PLAYS, PLAYS_BY_WINDOW):
            read_log(address.bootstrap, topic)
    except KafkaException:
        return False
    return True


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder; sparse files stay sparse."""
    subprocess.run(["cp", "-a", "--sparse=always", str(source), str(target)], check=True)
