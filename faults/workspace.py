"""A copy of a stopped stack's folder, on which a case may do anything."""

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
    # A Java that lives for seconds never earns back its thorough compiler.
    "JDK_JAVA_OPTIONS": ("-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"),
}

_BROKER_WITHIN_S = 60.0
_POLL_S = 0.05


class Workspace:
    """A data folder of a case's own, its broker, and the commands given beside it.

    Attributes:
        root: the folder of the copy: `data`, logs, and what a case puts there.
        data: the data folder; a case that moves it says so here.
        ledgers: of all that was sent to the broker by simulations.
        rng: the random numbers of this case.
        is_kept: whether somebody is to look at the folder afterwards.
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
        """Return the broker's folder: the stack's, or one beside a data folder that has none."""
        inside = self.data / "kafka"
        return inside if inside.exists() else self.root / "kafka"

    def ensure_kafka(self, env: Mapping[str, str] | None = None) -> KafkaAddress:
        """Return the broker of this folder, started now if it was not, in that environment."""
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
        """Stop the broker, in order."""
        if self._child is not None:
            self._child.stop()
            self._broker = self._child = None

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, before: Sequence[str] = ()
    ) -> Command:
        """Start a command; it uses the broker where one was started."""
        kafka = (
            {} if self._broker is None else {"CROSSFADE_BOOTSTRAP": self.ensure_kafka().bootstrap}
        )
        told = {**ENVIRONMENT, "CROSSFADE_DATA": str(self.data), **kafka, **(env or {})}
        log = self.root / f"{len(self._commands)}-{words[0]}.log"
        command = Command(words, told, log, before)
        self._commands.append(command)
        return command

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, within_s: float = WITHIN_S
    ) -> Command:
        """Return a command and wait for its end, whatever it is."""
        command = self.start(*words, env=env)
        command.wait(within_s)
        return command

    def run_successfully(self, *words: str, env: Mapping[str, str] | None = None) -> Command:
        """Return a command that has to succeed.

        Raises:
            AssertionError: it does not; with its last words.
        """
        command = self.run(*words, env=env)
        assert command.exit_code == 0, f"{' '.join(words)}: {command.last_line}"
        return command

    def generate(self, name: str, *words: str, env: Mapping[str, str] | None = None) -> int:
        """Let an audience send plays to the broker, with a ledger; give the number of records."""
        self.ensure_kafka()
        ledger = self.root / "ledgers" / name
        ledger.parent.mkdir(exist_ok=True)
        told = self.run_successfully("generate", *words, "--ledger", str(ledger), "--json", env=env)
        self.ledgers.append(ledger)
        return int(json.loads(told.stdout_file.read_bytes())["sent"])

    def end_offsets(self) -> dict[int, int]:
        """Return where `song-plays` ends now."""
        return dict(read_log(self.ensure_kafka().bootstrap, SONG_PLAYS).ends)

    def progress(self) -> dict[str, dict[str, Any]]:
        """Return what the streaming driver last told of each query."""
        try:
            return dict(json.loads((self.data / "run" / "streams.json").read_bytes()))
        except (OSError, json.JSONDecodeError):
            return {}

    def has_read(self, query: str, ends: Mapping[int, int]) -> bool:
        """Check whether a query has read up to some end offsets."""
        done = self.progress().get(query, {}).get("end_offsets", {})
        return all(done.get(str(p), 0) >= end for p, end in ends.items())

    def start_streams(self, word: str = "streams", env: Mapping[str, str] | None = None) -> Command:
        """Start a streaming driver; of an earlier one's progress nothing stays."""
        self.ensure_kafka()
        (self.data / "run" / "streams.json").unlink(missing_ok=True)
        return self.start(word, env=env)

    def catch_up(self, word: str = "streams", env: Mapping[str, str] | None = None) -> float:
        """Run the streams until all was read that Kafka holds; give the seconds until then."""
        return self.finish_streams(self.start_streams(word, env))

    def finish_streams(self, driver: Command) -> float:
        """Wait until a driver has read all that Kafka holds, and ask it to end.

        Raises:
            AssertionError: it died, or does not come so far, or does not end well.
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
        """Let the archive read all that Kafka holds, and batch publish a run."""
        self.ensure_kafka()
        self.run_successfully("batch", "--once", "--json", env=env)

    def judge(self, *, others_allowed: bool = False) -> Judgement:
        """Let the oracle hold Kafka, the ledgers and the lake against each other."""
        logs = Logs(self.ensure_kafka().bootstrap)
        return Oracle(self.data, logs, self.ledgers, others_allowed=others_allowed).check_all()

    def close(self) -> None:
        """End every process of this workspace, and undo what it did to the machine."""
        for command in self._commands:
            command.kill()
        self.stop_kafka()
        self.at_end.close()


def _leads_all(address: KafkaAddress) -> bool:
    """Check whether a broker that has just started answers for every topic partition."""
    try:
        for topic in (SONG_PLAYS, PLAYS_BY_WINDOW):
            read_log(address.bootstrap, topic)
    except KafkaException:
        return False
    return True


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder; files with holes keep them."""
    subprocess.run(["cp", "-a", "--sparse=always", str(source), str(target)], check=True)
