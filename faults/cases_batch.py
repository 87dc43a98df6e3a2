"""Batch cases: runs that are killed, and what is published then."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from faults.case import Case, Outcome
from faults.case_checks import add_up, check_healed, check_refused, require
from faults.commands import Command
from faults.lake_snapshot import Snapshot, newest_run, snapshot_published, versions
from faults.leftover_processes import list_leftover_processes
from faults.template import on_copy
from faults.workspace import Workspace

_GOLD = "gold/"
_RUN = "gold/run"
_POLL_S = 0.002
_WITHIN_S = 120.0
_LEAST_COMMITS = 9
"""So many commits a run of this template makes at least before it is published."""


class CommitWatch:
    """Sees the commits of batch's tables as they come, from outside."""

    def __init__(self, data: Path) -> None:
        self._logs = {table: data / "datalake" / table / "_delta_log" for table in versions(data)}
        self.heads = versions(data)
        self.seen: list[str] = []

    def look(self) -> list[str]:
        """Return the tables that got commits since the watch began, in order, each as often."""
        for table, log in self._logs.items():
            while (log / f"{self.heads[table] + 1:020}.json").exists():
                self.heads[table] += 1
                self.seen.append(table)
        return self.seen

    def await_commit(self, command: Command, is_it: Callable[[list[str]], bool]) -> bool:
        """Wait for a moment of a run; false: the run was published, or the process ended."""
        deadline = time.monotonic() + _WITHIN_S
        while not is_it(self.look()):
            if _RUN in self.seen or command.exit_code is not None:
                return False
            assert time.monotonic() < deadline, (
                f"no such commit: {self.seen}; {command.stderr_text[-500:]}"
            )
            time.sleep(_POLL_S)
        return True


class Crashes:
    """Crashes of batch on one copy, and what must hold after each."""

    def __init__(self, workspace: Workspace) -> None:
        workspace.catch_up("archive")
        self.workspace = workspace
        self.run, _ = newest_run(workspace.data)
        self.image: Snapshot = snapshot_published(workspace.data)
        self.happened = 0
        self.broken: list[str] = []
        self.moments: list[str] = []

    def crash(
        self,
        is_it: Callable[[list[str]], bool],
        choose: Callable[[Command], list[psutil.Process]] = Command.session,
        *,
        then_s: float = 0.0,
    ) -> list[str]:
        """Start batch, kill some of its processes at a moment, and look at what is published.

        Args:
            is_it: tells the moment from the tables that got commits so far.
            choose: names the processes that are killed; what else there is must end by itself.
            then_s: so long after that moment.
        """
        watch = CommitWatch(self.workspace.data)
        command = self.workspace.start("batch")
        came = watch.await_commit(command, is_it)
        time.sleep(then_s)
        killed = command.end(choose(command))
        command.wait_until_gone()
        seen = list(watch.look())
        if came and killed and _RUN not in seen:
            self.happened += 1
            self.moments.append(seen[-1] if seen else "before any commit")
        self._look_at_published()
        return seen

    def _look_at_published(self) -> None:
        run, _ = newest_run(self.workspace.data)
        image = snapshot_published(self.workspace.data)
        if run == self.run and image != self.image:
            self.broken.append(f"run {run} changed")
        elif run > self.run:
            self.run, self.image = run, image

    def outcome(self, least: int) -> Outcome:
        """Let a last run go through, and judge all."""
        began = time.monotonic()
        self.workspace.publish()
        outcome = check_healed(
            self.workspace.judge(),
            injected=self.happened if self.happened >= least else 0,
            healed_s=time.monotonic() - began,
            seen=f"{self.happened} crashes: {', '.join(self.moments)}",
        )
        return require(outcome, condition=not self.broken, problem="; ".join(self.broken))


def _at(table: str, others_untouched: Callable[[str], bool]) -> Callable[[Workspace], Outcome]:
    def run(workspace: Workspace) -> Outcome:
        """Kill batch at the moment when a table got its commit; the later ones have none."""
        crashes = Crashes(workspace)
        seen = crashes.crash(lambda tables: table in tables)
        touched = [one for one in seen if others_untouched(one)]
        outcome = crashes.outcome(1)
        return require(outcome, condition=not touched, problem=f"{touched} were there already")

    return run


def _after_each_commit(workspace: Workspace) -> Outcome:
    """Crash ten times in one run: after its first commit, its second, and so on."""
    crashes = Crashes(workspace)
    for number in range(10):
        crashes.crash(_count(number))
    return crashes.outcome(10)


def _at_random(workspace: Workspace) -> Outcome:
    """Crash at ten random moments; sometimes only Java dies, or only the Python that drives it."""
    crashes, rng = Crashes(workspace), workspace.rng
    for _ in range(10):
        moment = _count(rng.randrange(_LEAST_COMMITS))
        crashes.crash(moment, _choose_victims(rng), then_s=rng.uniform(0, 0.3))
    return crashes.outcome(8)


def _count(number: int) -> Callable[[list[str]], bool]:
    """Tell the moment after so many commits; undoing what a dead run left is among them."""
    return lambda tables: len(tables) >= number


def _choose_victims(rng: random.Random) -> Callable[[Command], list[psutil.Process]]:
    def java(command: Command) -> list[psutil.Process]:
        return [one for one in command.session() if one.name() == "java"] or command.session()

    def leader(command: Command) -> list[psutil.Process]:
        return [psutil.Process(command.process.pid)]

    return rng.choice([Command.session, java, leader])


def _once_killed(workspace: Workspace) -> Outcome:
    """Kill `batch --once` with all that it started for the while, Kafka included; three times."""
    run, _ = newest_run(workspace.data)
    killed, left = 0, []
    for _ in range(3):
        command = workspace.start("batch", "--once")
        moment = workspace.rng.uniform(4, 16)
        killed += command.wait_until(lambda: command.elapsed() > moment)  # noqa: B023 - at once
        command.end([psutil.Process(command.process.pid)])
        left += _list_left(workspace.data)
    outcome = _judge_after(workspace, run, killed)
    return require(outcome, condition=not left, problem=f"these outlived it: {left[:2]}")


def _list_left(data: Path) -> list[str]:
    """List the processes that are still there a while after the one that started them died."""
    deadline = time.monotonic() + 20
    while left := list_leftover_processes(data):
        if time.monotonic() > deadline:
            return left
        time.sleep(0.1)
    return []


def _judge_after(workspace: Workspace, run: int, killed: int) -> Outcome:
    began = time.monotonic()
    workspace.publish()
    took = time.monotonic() - began
    published, _ = newest_run(workspace.data)
    outcome = check_healed(
        workspace.judge(), injected=killed, healed_s=took, seen=f"{killed} kills"
    )
    return require(outcome, condition=published > run, problem="nothing was published")


def _zombie(workspace: Workspace) -> Outcome:
    """Stop a run in its middle; another one is refused until the first goes on and publishes."""
    workspace.catch_up("archive")
    run, _ = newest_run(workspace.data)
    watch = CommitWatch(workspace.data)
    first = workspace.start("batch")
    came = watch.await_commit(first, lambda tables: any(one.startswith(_GOLD) for one in tables))
    frozen = first.session()
    _signal_all(frozen, signal.SIGSTOP)
    stopped = check_refused(
        workspace,
        workspace.run("batch", "--once"),
        "Another process",
        injected=int(came),
        before=None,
    )
    began = time.monotonic()
    _signal_all(frozen, signal.SIGCONT)
    first.wait_for("its publication", lambda: newest_run(workspace.data)[0] > run)
    took = time.monotonic() - began
    first.ask_to_end()
    return add_up(
        [
            stopped,
            check_healed(
                workspace.judge(), injected=1, healed_s=took, seen="then the first published"
            ),
        ]
    )


def _signal_all(processes: list[psutil.Process], number: int) -> None:
    for one in processes:
        one.send_signal(number)


BATCH_CASES = (
    Case(
        "F52-silver",
        "killed between silver and gold",
        "batch",
        on_copy(_at("silver/rejected", lambda table: table.startswith(_GOLD))),
    ),
    Case(
        "F52-gold",
        "killed between gold's tables",
        "batch",
        on_copy(_at("gold/song_window", lambda table: table == "gold/chart")),
    ),
    Case(
        "F52-unpublished",
        "killed between the last table and gold/run",
        "batch",
        on_copy(_at("gold/chart", lambda table: table == _RUN)),
    ),
    Case("F52-each", "ten crashes in one run", "batch", on_copy(_after_each_commit)),
    Case("F52-random", "killed at ten random moments", "batch", on_copy(_at_random)),
    Case("F52-once", "batch --once killed with its Kafka", "batch", on_copy(_once_killed)),
    Case("F53-zombie", "a stopped run that wakes up", "batch", on_copy(_zombie)),
)
